#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# shellcheck disable=SC2086
#
# pool-stress.sh SEED SCALE [PATTERN]: in a guest, the cases of the suite
# pool-stress-vm, or those whose names fit a pattern of the shell.
#
# Filesystems on uppers in a pool, pools that are full, devices below that fail,
# and many uppers that come and go at once.
set -euo pipefail
. "$(dirname "$0")/../lib/ktap.sh"

seed=$1 scale=$2 pattern=${3:-*}
k=$YBD_KERNEL
tools=/ybd/build/guest/tests
big=$(readlink -f /dev/disk/by-id/virtio-disk0)
small=$(readlink -f /dev/disk/by-id/virtio-disk1)
[ "$k" != debug ] || scale=$((scale > 3 ? scale / 3 : 1))

fail()
{
	echo "$*" >&2
	exit 1
}

# fresh POOL: an empty one
fresh()
{
	ybdctl pool create --force -q "$1" >/dev/null
}

# A failed case must not take the next one with it.
sweep()
{
	local n

	while read -r n; do
		ybdctl destroy --force "$n" 2>/dev/null || :
	done < <(ybdctl --json list | jq -r '.devices[].name')
	if dmsetup ls 2>/dev/null | grep -q '^bad'; then
		dmsetup remove --noudevsync --noudevrules bad || :
	fi
}

# check POOL: nothing is wrong with it
check()
{
	local n

	udevadm settle
	for ((n = 0; n < 50; n++)); do
		ybdctl --json pool list | jq -e '[.pools[] | select(.in_use)] == []' \
			>/dev/null && break
		sleep 0.1
	done
	ybdctl -q pool check "$1"
}

# make NAME POOL OPTION...: a device over zeroes; its node comes to $node
make()
{
	local name=$1 pool=$2

	shift 2
	node=$(ybdctl create "$name" --layer file:/tmp/blank --pool "$pool" "$@")
}

detach()
{
	udevadm settle
	ybdctl detach "$@"
}

# again NAME POOL: detach, attach
again()
{
	detach "$1"
	node=$(ybdctl attach "$1" --pool "$2")
	node=${node##* }
}

stat()
{
	ybdctl --json stats "$1" | jq -e ".stats[0].$2"
}

quiet_fio()
{
	fio --name=job --output=/tmp/fio.out --direct=1 --randseed="$seed" \
		--allow_file_create=0 --verify_state_save=0 "$@" || { cat /tmp/fio.out; return 1; }
}

# ---- what is written is read ----

fio_verify()
{
	fresh "$big"
	make verify "$big" "$@"
	quiet_fio --filename="$node" --rw=randwrite --bs=4k --size=24M \
		--io_size=$((8 * scale))M --ioengine=libaio --iodepth=16 \
		--fsync=64 --verify=crc32c --verify_fatal=1
	quiet_fio --filename="$node" --rw=randrw --bsrange=512-80k \
		--size=24M --io_size=$((6 * scale))M --ioengine=io_uring --iodepth=16 \
		--verify=crc32c --verify_fatal=1
	ybdctl -q destroy verify
	check "$big"
}

tree_make()
{
	local from=(/usr/src/linux-headers-*-common/include) what=(uapi linux)

	[ "$k" != debug ] || what=(uapi)
	tar -C "${from[0]}" -cf /tmp/tree.tar "${what[@]}"
	# twice the same, as a file system is never full of one kind alone
	truncate -s 600M /tmp/blank
}

fsck_clean()
{
	if [ "$1" = xfs ]; then
		xfs_repair -n "$2" >/tmp/fsck 2>&1 || { cat /tmp/fsck; return 1; }
	else
		e2fsck -fn "$2" >/tmp/fsck 2>&1 || { cat /tmp/fsck; return 1; }
	fi
}

# A file system, through a trim and through a detach and an attach.
fs_stress()
{
	local fs=$1 m=/tmp/mnt

	umount $m 2>/dev/null || :
	fresh "$big"
	make stress "$big"
	"mkfs.$fs" -q "$node"
	mkdir -p $m
	mount -o noatime "$node" $m
	mkdir $m/tree $m/fsx $m/stress
	"$tools/ybd-fsx" $m/fsx 3 $((300 * scale)) "$seed" &
	tar -C $m/tree -xf /tmp/tree.tar
	stress-ng --temp-path $m/stress --seed "$seed" --quiet --verify \
		--timeout $((5 * scale)) --rename 1 --link 1 --dentry 1 \
		--hdd 1 --hdd-bytes 4m --hdd-opts direct,wr-rnd
	wait $!
	fstrim $m
	umount $m
	again stress "$big"
	fsck_clean "$fs" "$node"
	mount -o noatime "$node" $m
	tar -C $m/tree -df /tmp/tree.tar
	rm -rf $m/fsx $m/stress
	fstrim $m
	umount $m
	again stress "$big"
	mount -o noatime "$node" $m
	tar -C $m/tree -df /tmp/tree.tar
	umount $m
	fsck_clean "$fs" "$node"
	detach stress
	check "$big"
	ybdctl -q destroy stress --pool "$big" 2>/dev/null || ybdctl -q destroy stress
	check "$big"
}

# ---- full ----

# dd says so; that is all it should come to
write_until_full()
{
	! dd if=/dev/urandom of="$1" bs=64k oflag=direct 2>/tmp/dd ||
		fail "it was never full"
	grep -q 'No space left' /tmp/dd || fail "$(cat /tmp/dd)"
}

# Fill the pool, give all back, fill it again: no room may get lost.
full_and_trim()
{
	local round first='' now

	fresh "$small"
	make full "$small" "$@"
	for ((round = 0; round < 6; round++)); do
		write_until_full "$node"
		now=$(stat full upper_mapped)
		: "${first:=$now}"
		[ "$now" -ge $((first - 1048576)) ] ||
			fail "round $round: $now bytes fit, $first at first"
		blkdiscard "$node"
		[ "$(stat full upper_mapped)" = 0 ] || fail "not all was given back"
	done
	ybdctl -q destroy full
	check "$small"
}

# A pool that is full harms nothing of what it has accepted.
full_harms_nothing()
{
	local sum

	fresh "$small"
	make keep "$small"
	keep=$node
	dd if=/dev/urandom of="$keep" bs=64k count=64 oflag=direct conv=fsync status=none
	sum=$(dd if="$keep" bs=1M count=4 iflag=direct status=none | md5sum)
	make other "$small"
	write_until_full "$node"
	# what is there can be written over and made durable
	dd if="$keep" of=/tmp/copy bs=1M count=4 status=none
	dd if=/tmp/copy of="$keep" bs=4k oflag=direct conv=fsync,notrunc status=none
	detach keep other
	check "$small"
	keep=$(ybdctl attach keep --pool "$small")
	[ "$(dd if="${keep##* }" bs=1M count=4 iflag=direct status=none | md5sum)" = "$sum" ] ||
		fail "what was there is not what it was"
	ybdctl attach other --pool "$small" >/dev/null
	ybdctl -q destroy keep
	ybdctl -q destroy other
	check "$small"
}

# ---- a device below that fails ----

bad_table()
{
	local sectors

	sectors=$(blockdev --getsz "$small")
	echo "0 $sectors $1 $small 0 ${2:-}"
}

# bad_reload <TABLE: what is under way goes on in it
bad_reload()
{
	dmsetup load bad || return
	dmsetup suspend --nolockfs --noudevsync --noflush bad
	dmsetup resume --noudevsync --noudevrules bad
}

bad_load()
{
	bad_table "$@" | bad_reload
}

# Writes fail, at once or only flushes of them; nothing that was durable is lost.
pool_fails()
{
	local bad=/dev/mapper/bad sum

	export DM_DISABLE_UDEV=1
	modprobe dm-mod
	fresh "$small"
	dmsetup create bad --table "$(bad_table linear)"
	make victim "$bad"
	dd if=/dev/urandom of="$node" bs=64k count=32 oflag=direct conv=fsync status=none
	sum=$(dd if="$node" bs=1M count=2 iflag=direct status=none | md5sum)
	bad_load flakey "0 1 1 error_writes"
	! dd if=/dev/zero of="$node" bs=4k count=8 seek=1024 oflag=direct conv=fsync \
		status=none 2>/tmp/dd || fail "writes succeed on a device that fails"
	grep -q 'Input/output error' /tmp/dd || fail "$(cat /tmp/dd)"
	[ "$(dd if="$node" bs=1M count=2 iflag=direct status=none | md5sum)" = "$sum" ] ||
		fail "reads are wrong after writes that failed"
	udevadm settle
	ybdctl detach --force victim
	bad_load linear
	check "$bad"
	node=$(ybdctl attach victim --pool "$bad")
	[ "$(dd if="${node##* }" bs=1M count=2 iflag=direct status=none | md5sum)" = "$sum" ] ||
		fail "what was durable is lost"
	ybdctl -q destroy victim
	check "$bad"
	dmsetup remove bad
}

# bad_make: an upper in the small pool, below a target that can fail
bad_make()
{
	export DM_DISABLE_UDEV=1
	fresh "$small"
	dmsetup create bad --table "$(bad_table linear)"
	bad=/dev/mapper/bad
	make victim "$bad"
}

bad_end()
{
	udevadm settle
	ybdctl detach --force victim 2>/dev/null || :
	bad_load linear
	check "$bad"
}

# bad_load_hole BLOCK: one of 4 KiB cannot be read or written
bad_load_hole()
{
	local at=$(($1 * 8)) end

	end=$(blockdev --getsz "$small")
	bad_reload <<-END
		0 $at linear $small 0
		$at 8 error
		$((at + 8)) $((end - at - 8)) linear $small $((at + 8))
	END
}

# A block of the directory that cannot be read is the loss of one upper, and not for
# ever; that of a place that nobody has is none.
directory_has_bad_blocks()
{
	local bad dir sum

	bad_make
	dd if=/dev/urandom of="$node" bs=64k count=4 oflag=direct conv=fsync status=none
	sum=$(dd if="$node" bs=64k count=4 iflag=direct status=none | md5sum)
	make other "$bad"
	detach victim other
	# directory of struct ybd_fmt_super, see ybd_format.h
	dir=$(od -An -t u8 -j 232 -N 8 "$small")
	# victim is upper 0, each has two blocks
	bad_load_hole $((dir + 1))
	node=$(ybdctl attach other --pool "$bad") || fail "other cannot be attached"
	! ybdctl attach victim --pool "$bad" 2>/tmp/err || fail "attached without a header"
	# upper 2 is free
	bad_load_hole $((dir + 4))
	make third "$bad"
	# what victim has is given to nobody
	! dd if=/dev/zero of="$node" bs=1M count=64 oflag=direct status=none 2>/dev/null ||
		fail "the pool is not full"
	detach other third
	bad_load linear
	ybdctl destroy third --pool "$bad"
	node=$(ybdctl attach victim --pool "$bad")
	node=${node##* }
	[ "$(dd if="$node" bs=64k count=4 iflag=direct status=none | md5sum)" = "$sum" ] ||
		fail "what victim had is not there"
	ybdctl destroy other --pool "$bad"
	bad_end
	dmsetup remove bad
}

# number NR: a block that says so, to standard output
number()
{
	printf 'block number %08d%4075s' "$1" x
}

# The pool fails every other second while it is written to, until it has met both. What dd
# was told to be durable is there in the end.
pool_comes_and_goes()
{
	local bad i n=$((scale < 10 ? 20 * scale : 400)) durable=() failed=0 again=0

	bad_make
	bad_load flakey "1 1 $*"
	for ((i = 0; i < n || (i < 5000 && (failed == 0 || ${#durable[@]} == 0)); i++)); do
		if number "$i" | dd of="$node" bs=4k seek="$i" oflag=direct conv=fsync,notrunc \
			iflag=fullblock status=none 2>/tmp/dd; then
			durable+=("$i")
			continue
		fi
		grep -q 'Input/output error' /tmp/dd || fail "$(cat /tmp/dd)"
		failed=$((failed + 1))
		# once a log block was not written, nothing more is
		ybdctl detach --force victim
		until out=$(ybdctl attach victim --pool "$bad" 2>/tmp/attach); do
			[ -s /tmp/attach ] || fail "attach: refused without a word"
			again=$((again + 1))
			[ "$again" -lt 3000 ] || fail "attach: $(cat /tmp/attach)"
		done
		node=${out##* }
	done
	bad_end
	node=$(ybdctl attach victim --pool "$bad")
	node=${node##* }
	for i in "${durable[@]}"; do
		number "$i" | cmp -s - <(dd if="$node" bs=4k skip="$i" count=1 iflag=direct \
			status=none) || fail "block $i was durable"
	done
	[ $failed -gt 0 ] && [ ${#durable[@]} -gt 0 ] ||
		fail "$failed failed, ${#durable[@]} were durable: neither can be none"
	bad_end
	dmsetup remove bad
}

# where TEXT: the first block of the small pool that begins with it
where()
{
	dd if="$small" bs=1M iflag=direct status=none | LC_ALL=C grep -aobF "$1" |
		awk -F: '$1 % 4096 == 0 { print $1 / 4096; exit }'
}

dust()
{
	dmsetup message bad 0 "$@" >/dev/null
}

# Single blocks of the pool cannot be read: data, a log, tables, superblocks.
pool_has_bad_blocks()
{
	local bad at sum n=900

	bad_make
	dd if=/dev/urandom of="$node" bs=64k count=32 oflag=direct conv=fsync status=none
	number $n | dd of="$node" bs=4k seek=$n oflag=direct conv=fsync iflag=fullblock status=none
	sum=$(dd if="$node" bs=64k count=32 iflag=direct status=none | sha256sum)
	detach victim
	if ! bad_load dust 4096; then
		dmsetup remove bad
		echo "no dm-dust"
		return 77
	fi

	# data: the reader is told, and nobody else; a write puts it right
	at=$(where "block number $(printf %08d $n)")
	dust addbadblock "$at"
	dust enable
	node=$(ybdctl attach victim --pool "$bad")
	node=${node##* }
	! dd if="$node" bs=4k skip=$n count=1 iflag=direct status=none of=/dev/null 2>/tmp/dd ||
		fail "a block that cannot be read is read"
	grep -q 'Input/output error' /tmp/dd || fail "$(cat /tmp/dd)"
	[ "$(dd if="$node" bs=64k count=32 iflag=direct status=none | sha256sum)" = "$sum" ] ||
		fail "other blocks are not what they were"
	number 7 | dd of="$node" bs=4k seek=$n oflag=direct conv=fsync,notrunc iflag=fullblock \
		status=none
	number 7 | cmp - <(dd if="$node" bs=4k skip=$n count=1 iflag=direct status=none)
	detach victim

	# the log: refused, with the block and a reason, and there again when it can be read
	at=$(where ybd-log-)
	dust addbadblock "$at"
	! ybdctl attach victim --pool "$bad" 2>/tmp/err >/dev/null || fail "attached without a log"
	[ -s /tmp/err ] || fail "refused without a word"
	dmesg | grep -q "block $at: the log cannot be read" || fail "$(cat /tmp/err)"
	dust removebadblock "$at"

	# of each table, and of the superblock, there is another copy
	for at in 257 256; do
		dust addbadblock $at
		node=$(ybdctl attach victim --pool "$bad")
		node=${node##* }
		[ "$(dd if="$node" bs=64k count=32 iflag=direct status=none | sha256sum)" = "$sum" ] ||
			fail "block $at cannot be read, and others are not what they were"
		detach victim
	done
	dust addbadblock 0
	! ybdctl attach victim --pool "$bad" 2>/tmp/err >/dev/null || fail "no superblock"
	[ -s /tmp/err ] || fail "refused without a word"
	dust removebadblock 0
	ybdctl attach victim --pool "$bad" >/dev/null
	bad_end
	dmsetup remove bad
}

# slow_at BLOCK: the small pool, with reads of the MiB there that take ten seconds each,
# or until another table is loaded
slow_at()
{
	local first=$(($1 * 8)) end=$(($1 * 8 + 2048))

	echo "0 $first linear $small 0"
	echo "$first 2048 delay $small $first 10000 $small $first 0"
	echo "$end $(($(blockdev --getsz "$small") - end)) linear $small $end"
}

# An upper is attached whose log takes long to read: the others get segments and
# room for their logs all the same.
attach_is_slow()
{
	local bad other pid at

	modprobe dm-delay || return 77
	bad_make
	# a block of the log for each
	dd if=/dev/urandom of="$node" bs=4k count=250 oflag=direct,dsync status=none
	detach victim
	at=$(where ybd-log-)
	other=$(ybdctl create other --layer file:/tmp/blank --pool "$bad")
	dmsetup load bad <<<"$(slow_at "$at")"
	dmsetup suspend --nolockfs --noudevsync bad
	dmsetup resume --noudevsync --noudevrules bad
	ybdctl attach victim --pool "$bad" >/dev/null &
	pid=$!
	until grep -q ybd_log_read "/proc/$pid/stack"; do
		kill -0 $pid || fail "attached before anybody could look"
	done
	dd if=/dev/urandom of="$other" bs=64k count=128 oflag=direct conv=fsync status=none
	grep -q ybd_log_read "/proc/$pid/stack" || fail "the write has waited for it"
	bad_load linear
	wait $pid
	detach other
	detach victim
	bad_end
	dmsetup remove bad
}

# stuck_in FUNCTION: is anybody there, process or worker?
stuck_in()
{
	grep -qs "$1" /proc/[0-9]*/stack
}

under_way() # PID
{
	# what has ended may be there until it is waited for
	[ -e "/proc/$1/stat" ] && ! grep -qs ') Z ' "/proc/$1/stat"
}

has_free() # POOL BYTES
{
	ybdctl --json pool show "$1" | jq -e ".kernel.free >= $2" >/dev/null
}

pool_discard=/sys/module/ybd/parameters/pool_discard

# The device $node has been given 48 MiB, marked where they begin, and gives 46 back, of
# which the disk of the pool $bad is not told.
stale_make()
{
	dd if=/dev/urandom of="$node" bs=1M count=48 oflag=direct conv=fsync status=none
	number 4711 | dd of="$node" bs=4k count=1 iflag=fullblock oflag=direct conv=fsync \
		status=none
	echo N >$pool_discard
	blkdiscard -l 46M "$node"
	sync "$node"
	soon has_free "$bad" $((52 << 20))
}

# From here on it is told, and is at it when this returns.
discard_begin()
{
	echo Y >$pool_discard
	blkdiscard -o 46M -l 2M "$node"
	sync "$node"
	soon stuck_in discard_some
}

# Discards of the first segments of the pool's data take MS, everything else nothing.
# A discard of more takes as long, and nothing that another writes meanwhile does.
bad_load_slow_discards() # MS
{
	local lo len=$((40 << 11)) end

	lo=$(dd if="$small" bs=1M iflag=direct status=none |
		grep -obUaF "$(number 4711 | head -c 21)" | head -n 1)
	lo=$((${lo%%:*} >> 9)) end=$(blockdev --getsz "$small")
	bad_reload <<-END
		0 $lo linear $small 0
		$lo $len delay $small $lo 0 $small $lo $1 $small $lo 0
		$((lo + len)) $((end - lo - len)) linear $small $((lo + len))
	END
}

# What was given back is being discarded, by a device that takes seconds for it. Who
# needs the last of that waits, and is not told that the pool is full.
discard_is_slow() # [--volatile]
{
	local bad other bytes pid

	modprobe dm-delay || return 77
	bad_make
	other=$(ybdctl create other --layer file:/tmp/blank --pool "$bad" "$@")
	stale_make
	bytes=$(ybdctl --json pool show "$bad" | jq '.kernel.free - 4194304')
	dd if=/dev/urandom of=/tmp/much bs="$bytes" count=1 iflag=fullblock status=none
	# longer than the writer needs to get there; another table ends it
	bad_load_slow_discards 30000
	discard_begin
	dd if=/tmp/much of="$other" bs="$bytes" count=1 oflag=direct status=none &
	pid=$!
	until stuck_in ybd_pool_discard_wait; do
		under_way $pid || fail "$bytes bytes: nobody has waited"
	done
	bad_load linear
	wait $pid
	sync "$other"
	cmp -n "$bytes" /tmp/much "$other"
	detach other
	if [ $# = 0 ]; then
		# what it was given is its own, also on disk
		other=$(ybdctl attach other --pool "$bad")
		cmp -n "$bytes" /tmp/much "${other##* }"
		detach other
	fi
	rm /tmp/much
	bad_end
	dmsetup remove bad
}

discarded() # DISK: bytes of it
{
	local stat
	read -ra stat <"/sys/block/${1##*/}/stat"
	echo $((stat[13] << 9))
}

# Whoever detaches the last device does not wait until such a device is told all.
last_detach_leaves_discards()
{
	local bad before

	modprobe dm-delay || return 77
	bad_make
	stale_make
	before=$(discarded "$small")
	# longer than it goes on after the first run
	bad_load_slow_discards 8000
	discard_begin
	detach victim
	[ $(($(discarded "$small") - before)) -lt $((40 << 20)) ] || fail "all is discarded"
	bad_load linear
	node=$(ybdctl attach victim --pool "$bad")
	ybdctl -q destroy victim
	bad_end
	dmsetup remove bad
}

# ---- who is held back ----

held=/sys/fs/cgroup/held

# in_held COMMAND...: in a cgroup whose writes to the pool's disk are held back
in_held()
{
	(echo $BASHPID >$held/cgroup.procs && exec "$@")
}

inflight() # NODE: I/O under way
{
	local stat
	read -ra stat <"/sys/block/${1##*/}/stat"
	echo "${stat[8]}"
}
has_inflight() { [ "$(inflight "$1")" -gt 0 ]; }

# What a cgroup's limit holds back is its own: neither do the commits of others wait
# for it, nor who detaches a device of the same pool.
limit_holds_back_one()
{
	local a b disk pids=()

	grep -qw io /sys/fs/cgroup/cgroup.controllers || return 77
	fresh "$big"
	make a "$big"
	a=$node
	make b "$big"
	b=$node
	dd if=/dev/urandom of="$a" bs=1M count=32 oflag=direct conv=fsync status=none
	dd if=/dev/urandom of="$b" bs=1M count=4 oflag=direct conv=fsync status=none
	echo +io >/sys/fs/cgroup/cgroup.subtree_control
	mkdir $held
	disk=$(<"/sys/block/${big##*/}/dev")
	echo "$disk wbps=32768" >$held/io.max
	# 16 MiB at 32 KiB a second: that is there for long
	in_held dd if=/dev/zero of="$a" bs=16M count=1 oflag=direct status=none &
	pids+=($!)
	soon has_inflight "$a"
	# and a commit that begins there
	in_held blkdiscard -o 24M -l 1M "$a"
	in_held sync "$a" &
	pids+=($!)
	dd if=/dev/urandom of="$b" bs=4k count=1 seek=2048 oflag=direct conv=fsync status=none
	under_way "${pids[0]}" || fail "a commit has waited for what is held back"
	blkdiscard -l 2M "$b"
	detach b
	under_way "${pids[0]}" || fail "a detach has waited for what is held back"
	echo "$disk wbps=max" >$held/io.max
	wait "${pids[@]}"
	rmdir $held
	node=$(ybdctl attach b --pool "$big")
	ybdctl -q destroy a b
	check "$big"
}

# More merges than a workqueue has room for wait for a source that does not answer.
# What others write is durable all the same.
source_holds_back_its_own()
{
	local a b server fio ret=0

	modprobe nbd || return 77
	truncate -s 64M /tmp/silent
	qemu-nbd -f raw --persistent --pid-file=/tmp/qemu-nbd.pid --fork \
		--socket=/tmp/qemu-nbd.socket /tmp/silent
	server=$(</tmp/qemu-nbd.pid)
	# who is stopped must not be who has the kernel's end, which would let go
	qemu-nbd -f raw --cache=none --fork --connect=/dev/nbd0 \
		"nbd+unix:///?socket=/tmp/qemu-nbd.socket"
	echo 2 >/sys/block/nbd0/queue/nomerges
	fresh "$big"
	a=$(ybdctl create a --layer dev:/dev/nbd0 --pool "$big")
	make b "$big"
	b=$node
	dd if=/dev/urandom of="$b" bs=64k count=1 oflag=direct conv=fsync status=none
	udevadm settle
	kill -STOP "$server"
	fio --name=merge --output=/tmp/fio.out --filename="$a" --direct=1 --ioengine=libaio \
		--iodepth=1500 --rw=randwrite --bs=512 --blockalign=4k --number_ios=1500 \
		--allow_file_create=0 &
	fio=$!
	# some are below, all others wait for a tag
	soon stuck_in blk_mq_get_tag
	until [ "$(inflight "$a")" = 1500 ]; do
		under_way $fio || fail "$(cat /tmp/fio.out)"
		sleep 0.1
	done
	# this long only if it never ends
	timeout 200 dd if=/dev/urandom of="$b" bs=4k count=1 seek=64 oflag=direct,dsync \
		status=none || ret=$?
	under_way $fio || fail "the source has answered"
	kill -CONT "$server"
	wait $fio
	[ $ret = 0 ] || fail "nothing is durable while a source does not answer"
	ybdctl -q destroy a b
	ybdctl image unload --all
	qemu-nbd --disconnect /dev/nbd0 >/dev/null
	kill "$server"
	rm /tmp/silent
	check "$big"
}

# ---- many ----

# one NR: a life of an upper
one()
{
	local n=$1 r name=up$1 sum opt=()

	[ $((n % 3)) -ne 0 ] || opt=(--volatile)
	for ((r = 0; r < 3 * scale; r++)); do
		node=$(ybdctl create "$name" --layer file:/tmp/blank --pool "$big" "${opt[@]}")
		dd if=/dev/urandom of="$node" bs=16k count=$((20 + n)) oflag=direct \
			conv=fsync,notrunc status=none
		blkdiscard -o 65536 -l 131072 "$node"
		sum=$(dd if="$node" bs=64k count=32 iflag=direct status=none | md5sum)
		if [ ${#opt[@]} = 0 ]; then
			ybdctl detach "$name"
			node=$(ybdctl attach "$name" --pool "$big")
			node=${node##* }
			[ "$(dd if="$node" bs=64k count=32 iflag=direct status=none |
				md5sum)" = "$sum" ] || fail "$name is not what it was"
			ybdctl resize "$name" 700M
		fi
		ybdctl -q destroy "$name"
	done
}

many()
{
	local n pids=() bad=0

	fresh "$big"
	# so that the pool stays open
	make stays "$big"
	for ((n = 0; n < 8; n++)); do
		one $n &
		pids+=($!)
	done
	for n in "${pids[@]}"; do
		wait "$n" || bad=1
	done
	[ $bad = 0 ] || fail "one of them failed"
	detach stays
	check "$big"
	ybdctl --json pool show "$big" | jq -e '.uppers | length == 1' >/dev/null ||
		fail "some are left"
	ybdctl attach stays --pool "$big" >/dev/null
	ybdctl -q destroy stays
	check "$big"
}

# Part of a block and the blocks behind it are written at once, when all that is
# free is still to be made so: the part has to wait for that, and that must not
# wait for the rest of the write.
merge_waits()
{
	local n i pid

	fresh "$small"
	make merge "$small" --block-size 512
	! dd if=/dev/zero of="$node" bs=64k seek=1 oflag=direct status=none 2>/tmp/dd ||
		fail "the pool is not full"
	for ((n = 0; n < 10 * scale; n++)); do
		# the last blocks, too
		dd if=/dev/zero of="$node" bs=4k seek=1 count=15 oflag=direct status=none \
			2>/tmp/dd || :
		dd if=/dev/zero of="$node" bs=4k seek=8192 count=16 oflag=direct status=none \
			2>/tmp/dd || :
		blkdiscard -o 0 -l 4k "$node"
		blkdiscard -o 32M -l 64k "$node"
		dd if=/dev/urandom of="$node" bs=4608 count=1 seek=3584 oflag=direct,seek_bytes \
			conv=notrunc status=none &
		pid=$!
		for ((i = 0; i < 600; i++)); do
			kill -0 $pid 2>/dev/null || break
			sleep 0.1
		done
		[ $i -lt 600 ] || fail "a write hangs"
		wait $pid || fail "a write fails"
	done
	ybdctl -q destroy merge
	check "$small"
}

# 8 containers that fsync at once share flushes.
group_commit()
{
	local n args=()

	fresh "$big"
	for ((n = 0; n < 8; n++)); do
		make "c$n" "$big"
		args+=(--name="j$n" --filename="$node")
	done
	fio --output=/tmp/fio.out --direct=1 --rw=randwrite --bs=4k --size=4M \
		--number_ios=60 --fdatasync=1 --ioengine=psync "${args[@]}"
	ybdctl --json pool show "$big" |
		jq -e '.kernel | {commits, flushes, flushes_merged}, .flushes_merged > 0' ||
		fail "no flush was shared"
	for ((n = 0; n < 8; n++)); do
		ybdctl -q destroy "c$n"
	done
	check "$big"
}

nothing_left()
{
	sweep
	udevadm settle
	ybdctl --json image list | jq -r '.images[].name' | while read -r n; do
		ybdctl image unload "$n"
	done
	rmmod ybd
}

modprobe ybd
tree_make
for c in "fio verify, persistent:fio_verify" "fio verify, volatile:fio_verify --volatile" \
	"ext4, through trim and attach:fs_stress ext4" \
	"xfs, through trim and attach:fs_stress xfs" \
	"full, trimmed and full again, persistent:full_and_trim" \
	"full, trimmed and full again, volatile:full_and_trim --volatile" \
	"a full pool harms nothing:full_harms_nothing" \
	"part of a block waits for space:merge_waits" \
	"the pool fails:pool_fails" \
	"the pool comes and goes, for writes:pool_comes_and_goes 1 error_writes" \
	"the pool comes and goes:pool_comes_and_goes 0" \
	"the pool has bad blocks:pool_has_bad_blocks" \
	"the pool's directory has bad blocks:directory_has_bad_blocks" \
	"an upper that is long in coming does not hold up others:attach_is_slow" \
	"what is being discarded is waited for, persistent:discard_is_slow" \
	"what is being discarded is waited for, volatile:discard_is_slow --volatile" \
	"the last detach leaves discards:last_detach_leaves_discards" \
	"what a cgroup holds back is its own:limit_holds_back_one" \
	"what a source holds back is its own:source_holds_back_its_own" \
	"many uppers at once:many" \
	"fsyncs share flushes:group_commit"; do
	# shellcheck disable=SC2053
	[[ ${c%%:*} == $pattern ]] || continue
	# shellcheck disable=SC2086
	ktap_case "$k ${c%%:*}" ${c#*:}
	sweep
done
ktap_case "$k nothing is left" nothing_left
ktap_end
