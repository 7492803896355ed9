#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# shellcheck disable=SC2086
#
# pool-damage.sh SEED EVERY clean|crashed...: in a guest, for the suite pool-damage-vm.
#
# Blocks of metadata of a pool, as a detach or as a crash leaves it, are flipped,
# zeroed and put back to an older version, one at a time: all of them but for logs
# and tables, of which it is one in EVERY. The module then refuses the upper, with a
# reason, or what is read is what was written.
set -euo pipefail
. "$(dirname "$0")/../lib/ktap.sh"

seed=$1 every=$2
shift 2
pool=$(readlink -f /dev/disk/by-id/virtio-disk0)
work=/tmp/damage
mkdir -p $work
blocks=2048	# of the pool, from its start: enough for what is done here

fail()
{
	echo "$*" >&2
	exit 1
}

# what COMMAND...: as it was at some time, into a file
save()
{
	sync "$pool"
	dd if="$pool" of="$1" bs=4k count=$blocks iflag=direct status=none
}

restore()
{
	dd if="$1" of="$pool" bs=4k oflag=direct conv=notrunc status=none
}

# content of the device, as a checksum
content()
{
	dd if="$1" bs=64k count=48 iflag=direct status=none | md5sum | cut -d' ' -f1
}

attach()
{
	local out

	out=$(ybdctl attach victim --pool "$pool" 2>$work/err) || return 1
	node=${out##* }
}

detach()
{
	udevadm settle
	ybdctl detach "$@" victim
}

# fsyncs NR SEED: small writes, each durable; the last one too, which fio would leave
# to the next commit
fsyncs()
{
	fio --name=j --filename="$node" --output=$work/fio --direct=1 --rw=randwrite \
		--bs=4k --size=2M --number_ios="$1" --fdatasync=1 --end_fsync=1 --ioengine=psync \
		--randseed="$2" --refill_buffers
}

# A pool with a checkpoint and a log behind it; older versions of all blocks; once
# detached as it should be, once as a crash leaves it.
set_up()
{
	ybdctl pool create --force -q "$pool" >/dev/null
	truncate -s 16M /tmp/blank
	node=$(ybdctl create victim --layer file:/tmp/blank --pool "$pool")
	fsyncs 20 "$seed"
	detach
	save $work/older
	attach
	fsyncs 300 "$((seed + 1))"
	[ "$(ybdctl --json stats victim | jq '.stats[0].checkpoints')" -gt 0 ] ||
		fail "there is no checkpoint"
	before=$(content "$node")
	# where nothing was written yet: its record is all that the last block has
	printf 'the last one%4084s' x | dd of="$node" bs=4k seek=700 oflag=direct \
		conv=fsync,notrunc status=none
	sum=$(content "$node")
	save $work/crashed
	detach
	save $work/clean
	newest $work/crashed >$work/crashed.newest
	newest $work/clean >$work/clean.newest
	declare -p before sum >$work/sums
}

# kind IMAGE: magic and number of each block that has metadata
kinds()
{
	LC_ALL=C grep -aobE 'ybd-(pool|segt|chkt|uppr|log-|ckpt|layr)' "$1" |
		awk -F: '$1 % 4096 == 0 { print $2, $1 / 4096 }'
}

# The newest block of the log.
newest()
{
	local b seq best=0 at=0

	for b in $(kinds "$1" | awk '$1 == "ybd-log-" { print $2 }'); do
		seq=$(od -An -td8 -j $((b * 4096 + 56)) -N 8 "$1")
		[ "$seq" -le "$best" ] || { best=$seq at=$b; }
	done
	echo "$at"
}

# Those to be damaged: of the log, and of what is never looked at, one in $every.
metadata()
{
	kinds "$1" | awk -v n="$every" '$1 ~ /log|chkt|segt/ && m[$1]++ % n { next } { print $2 }'
	cat "$1.newest"
}

# damage HOW IMAGE BLOCK
damage()
{
	case $1 in
	flip)
		dd if="$2" bs=4k skip="$3" count=1 status=none >$work/block
		printf '\377' | dd of=$work/block bs=1 seek=200 conv=notrunc status=none
		cmp -s $work/block <(dd if="$2" bs=4k skip="$3" count=1 status=none) &&
			printf '\376' | dd of=$work/block bs=1 seek=200 conv=notrunc status=none
		;;
	zero) dd if=/dev/zero of=$work/block bs=4k count=1 status=none ;;
	older) dd if=$work/older bs=4k skip="$3" count=1 status=none >$work/block ;;
	esac
	dd if=$work/block of="$pool" bs=4k seek="$3" oflag=direct conv=notrunc status=none
}

# every HOW IMAGE: what becomes of an image with each block damaged
every()
{
	local how=$1 image=$2 b now refused=0 right=0 last=0 bad=0

	# shellcheck source=/dev/null
	. $work/sums
	for b in $(metadata "$image"); do
		restore "$image"
		damage "$how" "$image" "$b"
		if ! attach; then
			[ -s $work/err ] || { echo "block $b: refused without a word"; bad=1; }
			refused=$((refused + 1))
			continue
		fi
		now=$(content "$node")
		detach --force
		if [ "$now" = "$sum" ]; then
			right=$((right + 1))
		elif [ "$now" = "$before" ] && [ "$image" = $work/crashed ]; then
			last=$((last + 1))
		else
			echo "block $b: accepted, and something else is read"
			bad=1
		fi
	done
	echo "$((refused + right + last)) blocks: $refused refused, $right without harm," \
		"$last taken for the end of the log"
	[ $refused -gt 0 ] && [ $right -gt 0 ] && [ $last -le 1 ] && [ $bad = 0 ]
}

modprobe ybd
ktap_case "$YBD_KERNEL a pool with a checkpoint and a log" set_up
for image in "$@"; do
	for how in flip zero older; do
		ktap_case "$YBD_KERNEL $image: $how" every $how $work/$image
	done
done
ktap_end
