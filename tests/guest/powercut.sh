#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# powercut.sh SEED OPS PORT:WORKLOAD[:RUN[:MUTANT]]...: in a guest, write to disks
# that are recorded on the host, one after the other. What there is to check is
# checked there, or by powercut-look.sh. The host has made the pools.
set -euo pipefail
. "$(dirname "$0")/../lib/ktap.sh"
. "$(dirname "$0")/powercut-lib.sh"
seed=$1 ops=$2
shift 2

load()
{
	"$bin" run --marks "$marks" --run "$run" --ops "$ops" --seed "$seed" "$@" |
		tee -a /tmp/notes
}

# marked WHAT ID NAME SECTORS COMMAND...
marked()
{
	"$bin" command --marks "$marks" --run "$run" "$@" >/dev/null
}

node() { ybdctl show "$1" --json | jq -r '.devices[0].path'; }

# create ID SECTORS [OPTION]...: upper uID; $partly: what is written to it is not said
partly=
create()
{
	local id=$1 sectors=$2
	shift 2

	marked ${partly:+--partly} create "$id" "u$id" "$sectors" ybdctl create "u$id" --pool "$disk" \
		--layer "dev:$image" --size $((sectors * 512)) "$@"
}

attach()
{
	local id

	for id in "$@"; do
		marked attach "$id" "u$id" 0 ybdctl attach "u$id" --pool "$disk"
	done
}

# ---- the disk itself ----

plain()
{
	local size i

	size=$(($(blockdev --getsz "$disk") / 3 / 8 * 8))
	for i in 0 1 2; do
		dmsetup create "part$i" --table "0 $size linear $disk $((i * size))"
	done
	load 1:part0:/dev/mapper/part0:0 "2:part1:/dev/mapper/part1:$size" \
		"3:part2:/dev/mapper/part2:$((2 * size))"
}

# ---- uppers ----

# The image is smaller than the second of these, and not written over entirely.
uppers()
{
	create 1 16384
	create 2 24576
	create 3 16384 --block-size 4096
	load "1:u1:$(node u1)" "2:u2:$(node u2)" "3:u3:$(node u3)"
}

counter() { ybdctl stats --json "$1" | jq -r ".stats[0].$2"; }

# Many commits, so that there are checkpoints; and some more attaches.
commits()
{
	local i

	create 1 8192
	create 2 16384
	for ((i = 10; i < 30 && $(counter u1 checkpoints) < 2; i++)); do
		load --stream "$i" --seed $((seed + i)) --ops "$ops" --threads 2 --flush 35 --discard 30 \
			"1:u1:$(node u1)"
	done
	echo "# $(counter u1 commits) commits, $(counter u1 checkpoints) checkpoints" >>/tmp/notes
	[ "$(counter u1 checkpoints)" -ge 2 ]
	for i in 2 3; do
		udevadm settle
		ybdctl detach u1
		attach 1
		load --stream "$i" --ops $((ops / 10)) "1:u1:$(node u1)" "2:u2:$(node u2)"
	done
}

# Few blocks of the pool for many of the devices, and no more to be had, as another upper keeps
# them: what a discard gives back is taken again soon, before that is durable (if it may), or
# while there is I/O on its way to it.
few_blocks()
{
	local id=10 size

	create 1 8192 --quota 256K --reserve 256K
	create 2 8192 --quota 256K --reserve 256K
	for size in 32M 16M 8M 4M 2M 1M 512K 256K; do
		! partly=1 create "$id" 131072 --reserve "$size" || id=$((id + 1))
	done
	load --may-fill --random --threads 8 "$@" "1:u1:$(node u1)" "2:u2:$(node u2)"
}
reuse() { few_blocks --span 768 --flush 3 --fua 3 --discard 15; }
drain() { few_blocks --span 480 --flush 15 --discard 15; }

# Come and go, but only one.
attaches()
{
	local i

	create 1 8192
	for i in 2 3 4; do
		load --stream "$i" --ops $((ops / 4)) "1:u1:$(node u1)"
		udevadm settle
		ybdctl detach u1
		attach 1
	done
}

# After a power cut: what is there then is what there was before.
again()
{
	attach 1 2 3
	load "1:u1:$(node u1)" "2:u2:$(node u2)" "3:u3:$(node u3)"
	udevadm settle
	ybdctl detach u1 u2
	attach 2 1
	load --stream 2 "1:u1:$(node u1)" "2:u2:$(node u2)"
}

# One upper after the other comes, grows, is written to, and goes, beside others.
come_and_go()
{
	local id path

	for ((id = 20; id < 20 + ops / 100; id++)); do
		# there may be no room for it
		create "$id" 8192 || continue
		path=$(node "u$id")
		load --stream "$id" --ops 40 --threads 2 --may-fill "$id:u$id:$path"
		marked resize "$id" "u$id" 16384 ybdctl resize "u$id" 8M
		load --stream $((id + 100)) --ops 20 --threads 2 --may-fill "$id:u$id:$path"
		udevadm settle
		case $((id % 3)) in
		0) ybdctl detach "u$id"; attach "$id" ;;
		1) ybdctl detach "u$id" ;;
		esac
		marked destroy "$id" "u$id" 0 ybdctl destroy "u$id" --pool "$disk"
	done
}

# Volatile ones take from the same pool, and leave nothing.
volatile()
{
	local i

	for ((i = 0; i < ops / 150 + 1; i++)); do
		ybdctl create "v$i" --pool "$disk" --volatile --layer "dev:$image" \
			--size 16M >/dev/null
		dd if=/dev/urandom of="$(node "v$i")" bs=256k oflag=direct status=none || :
		udevadm settle
		ybdctl detach "v$i"
	done
}

# The pool is nearly full: one keeps most of it for itself, the others take what there is.
churn()
{
	local jobs=() job

	partly=1 create 9 131072 --reserve 44M
	create 1 32768
	create 2 65536
	load --may-fill --discard 15 "1:u1:$(node u1)" "2:u2:$(node u2)" & jobs+=($!)
	come_and_go & jobs+=($!)
	volatile & jobs+=($!)
	for job in "${jobs[@]}"; do
		wait "$job"
	done
}

# What the last guest has left, until this one is killed.
forever()
{
	local id there targets=()

	there=$(ybdctl pool show "$disk" --json | jq -r '.uppers[].name')
	for id in 1 2 3; do
		if grep -qx "u$id" <<<"$there"; then
			attach "$id"
		else
			create "$id" 16384
		fi
		targets+=("$id:u$id:$(node "u$id")")
	done
	load --ops 1000000000 "${targets[@]}"
}

# ---- file systems ----

# Files with an fsync after each of some writes, and others that come and go.
in_fs()
{
	local fs=$1 m=/tmp/mnt job partly=1

	create 1 $(($2 * 2048)) --reserve 16M
	"mkfs.$fs" -q "$(node u1)"
	mkdir -p "$m"
	mount -t "$fs" "$(node u1)" "$m"
	mkdir "$m"/files "$m"/stress
	"$bin" files --marks "$marks" --run "$run" "$m"/files 8 $((ops / 16)) &
	job=$!
	stress-ng --temp-path "$m"/stress --seed "$seed" --quiet --verify \
		--rename 1 --rename-ops $((ops / 2)) --link 1 --link-ops 10 \
		--dentry 1 --dentry-ops "$ops" --hdd 1 --hdd-bytes 1m --hdd-write-size 8k \
		--hdd-ops $((ops / 100)) --hdd-opts direct,wr-rnd,dsync
	wait "$job"
	rm -rf "$m"/stress
	fstrim "$m"
	sync
	umount "$m"
}
ext4() { in_fs ext4 24; }
xfs() { in_fs xfs 300; } # mkfs.xfs makes no smaller one

# A write to a block device with RWF_DSYNC is one with FUA and a flush behind it. In a
# file that has its blocks it is one with FUA alone.
window()
{
	local m=/tmp/mnt partly=1 at

	create 1 16384
	mkfs.ext4 -q -b 4096 "$(node u1)"
	mkdir -p "$m"
	mount "$(node u1)" "$m"
	dd if=/dev/urandom of="$m"/file bs=128k count=24 conv=fsync status=none
	at=$(filefrag -e -b4096 "$m"/file | awk '$1 == "0:" { print $4 + 0 }')
	filefrag "$m"/file | grep -q ': 1 extent'
	load --random --discard 0 --flush 2 --fua 40 "1:u1:$m/file:@$((at * 8))"
	umount "$m"
}

# all WORKLOAD [MUTANT]: what is promised when devices are detached is noted, too
all()
{
	if [ "$1" = plain ]; then
		plain
		return
	fi
	load_module "${2:-}"
	"$1"
	unload_module
}

network
n=0
for spec in "$@"; do
	IFS=: read -r port workload run mutant <<<"$spec"
	: "${run:=1}"
	connect $((n++)) "$port"
	: >/tmp/notes
	ktap_case "$YBD_KERNEL $workload $mutant" all "$workload" "$mutant"
	ktap_note "$(sed 's/^# //' /tmp/notes)"
	[ "$ktap_failed" = 0 ] || break
done
ktap_end
