#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# exhausted.sh SEED [full]: in a guest, for the suite fault-vm.
#
# No memory at all for what lies below submit_bio: whatever is taken from a mempool, the
# module's or the block layer's, comes from its reserve. More is in flight than
# any reserve holds, so that who waits must be those who can.
set -euo pipefail
. "$(dirname "$0")/../lib/ktap.sh"
. "$(dirname "$0")/nullb"

seed=$1 full=${2:-}
times=1000000
devices=(pool volatile replug ram)

put()
{
	echo "$3" >"/sys/kernel/debug/$1/$2"
}

# range FUNCTION: where it begins and what comes next
range()
{
	awk -v f="$1" 'at && "0x" $1 != at { print at, "0x" $1; exit }
		$3 == f { at = "0x" $1 }' < <(sort /proc/kallsyms)
}

# starve KIND FUNCTION: whatever FUNCTION allocates fails
starve()
{
	local start end

	read -r start end < <(range "$2")
	put "$1" require-start "$start"
	put "$1" require-end "$end"
	put "$1" verbose 0
	put "$1" ignore-gfp-wait N
	put "$1" times "$times"
	put "$1" probability 100
}

no_memory()
{
	starve failslab mempool_alloc_noprof
	put fail_page_alloc min-order 0
	starve fail_page_alloc mempool_alloc_noprof
}

# As before; sets failed.
memory()
{
	local kind

	failed=0
	for kind in failslab fail_page_alloc; do
		put "$kind" probability 0
		((failed += times - $(<"/sys/kernel/debug/$kind/times"))) || :
	done
}

# disks NANOSECONDS: what is read and written takes so long, so that much is under way
disks()
{
	local slow=(irqmode=2 hw_queue_depth=1024 "completion_nsec=$1") source

	nullb_make source "${slow[@]}"
	source=$nullb_dev
	dd if=/dev/urandom of="$source" bs=1M count=32 oflag=direct status=none
	nullb_make pool size=256 "${slow[@]}"
	pool=$nullb_dev
	ybdctl pool create --force -q "$pool" >/dev/null
	ybdctl create pool --layer "dev:$source" --pool "$pool" >/dev/null
	ybdctl create volatile --layer "dev:$source" --pool "$pool" --volatile >/dev/null
	ybdctl create replug --layer "dev:$source" --pool "$pool" --replug-timeout 60 >/dev/null
	ybdctl create ram --layer "dev:$source" --ram 64M >/dev/null
	udevadm settle
}

# busy FIO-OPTION...: all of them at once, without memory
busy()
{
	local d args=() status=0

	for d in "${devices[@]}"; do
		args+=(--name="$d" --filename="/dev/ybd/$d")
	done
	no_memory
	fio --output=/tmp/fio.out --direct=1 --randseed="$seed" --allow_file_create=0 \
		--verify_state_save=0 --ioengine=libaio --iodepth=500 --size=32M "$@" \
		"${args[@]}" || status=$?
	memory
	if [ "$status" != 0 ]; then
		echo "fio: status $status"
		tail -n 40 /tmp/fio.out
		return 1
	fi
	# more than any reserves hold together: each was taken from again and again
	[ "$failed" -gt 3000 ] || { echo "$failed allocations failed"; return 1; }
	echo "$failed" >>/tmp/failed
}

apart()
{
	local d

	for d in "${devices[@]}"; do
		ybdctl detach "$d"
	done
	ybdctl image unload --all
	ybdctl pool check "$pool" >/dev/null
	nullb_remove source
	nullb_remove pool
}

# A bio that is split waits for its parts while it holds its own: so many do that all of
# one reserve is held by them. Every other block is in the upper, so all are split.
split()
{
	local d

	for d in "${devices[@]}"; do
		fio --output=/tmp/fio.out --name="$d" --filename="/dev/ybd/$d" --direct=1 \
			--rw=write --bs=4k --zonemode=strided --zonesize=4k --zonerange=8k \
			--size=4M --ioengine=libaio --iodepth=128
	done
	busy --rw=randread --bs=32k --size=4M --ioengine=psync --iodepth=1 --thread \
		--numjobs=150 --io_size=32k --group_reporting
}

modprobe ybd
disks 10000000
ktap_case "blocks written at random, flushed now and then" busy --rw=randwrite --bs=4k \
	--io_size=2M --fsync=64 --verify=crc32c --verify_fatal=1
ktap_case "reads and writes of all sizes" busy --rw=randrw --bsrange=512-64k \
	--io_size=3M --verify=crc32c --verify_fatal=1
ktap_case "parts of blocks that were never written" busy --rw=write --bs=1k --zonemode=strided \
	--zonesize=1k --zonerange=4k --offset=16M --io_size=512k
ktap_case "the pool is sound" apart
if [ -n "$full" ]; then
	# much longer than it takes to send all of it
	disks 300000000
	ktap_case "hundreds of threads, bios that are split" split
	ktap_case "the pool is sound afterwards" apart
fi
ktap_note "allocations that failed:" "$(tr '\n' ' ' </tmp/failed)"
ktap_case "the module goes" rmmod ybd
ktap_end
