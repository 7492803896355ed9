#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# fs.sh SEED SCALE: in a guest, the cases of the suite fs-vm.
#
# The fixture "rootfs" is on the first NVMe namespace, writable as far as the
# emulator is concerned: that nothing writes to it is what is tested.
set -euo pipefail
. "$(dirname "$0")/../lib/ktap.sh"
. "$(dirname "$0")/nullb"

seed=$1 scale=$2
k=$YBD_KERNEL
tools=/ybd/build/guest/tests
rootfs=/dev/disk/by-id/nvme-uuid.59424400-0000-4000-8000-000000000000
[ "$k" != debug ] || scale=$((scale > 3 ? scale / 3 : 1))

fail()
{
	echo "$*" >&2
	exit 1
}

# equal WHAT GOT WANTED
equal()
{
	[ "$2" = "$3" ] || fail "$1: $2, expected $3"
}

refused()
{
	! "$@" >/tmp/out 2>&1 || fail "not refused: $*"
	sed 's/^/refused: /' /tmp/out
}

# make NAME OPTION...: a device; its node comes to $node, its disk to $disk.
# What it leaves behind when a case fails is removed by the next.
make()
{
	ybdctl detach --force "$1" 2>/dev/null || :
	node=$(ybdctl create "$@")
	disk=${node#/dev/}
}

unmake()
{
	local d

	# udev locks every new disk for an instant
	udevadm settle
	for d; do
		ybdctl detach "$d"
	done
}

# counter NAME KEY
counter()
{
	ybdctl --json stats "$1" | jq -e ".stats[0].$2"
}

quiet_fio()
{
	fio --name=job --output=/tmp/fio.out --direct=1 --randseed="$seed" \
		--allow_file_create=0 --verify_state_save=0 "$@" || { cat /tmp/fio.out; return 1; }
}

# ---- fio verify ----

fio_verify()
{
	make verify --layer file:/tmp/blank --ram 200M
	quiet_fio --filename="$node" --rw=randwrite --bs=4k --size=24M \
		--io_size=$((8 * scale))M --ioengine=libaio --iodepth=16 \
		--verify=crc32c --verify_fatal=1
	quiet_fio --filename="$node" --rw=randrw --bsrange=512-80k \
		--size=24M --io_size=$((6 * scale))M --ioengine=io_uring --iodepth=16 \
		--verify=crc32c --verify_fatal=1
	unmake verify
}

# ---- file systems ----

# Headers of a kernel: thousands of small files, as an image's would be.
tree_make()
{
	local from=(/usr/src/linux-headers-*-common/include) what=(uapi linux)

	[ "$k" != debug ] || what=(uapi)
	tar -C "${from[0]}" -cf /tmp/tree.tar "${what[@]}"
}

mount_plain()
{
	local options=noatime

	[ "$1" != xfs ] || options=$options,nouuid
	mkdir -p "$3"
	mount -t "$1" -o "$options" "$2" "$3"
}

fsck_clean()
{
	if [ "$1" = xfs ]; then
		xfs_repair -n "$2" >/tmp/fsck 2>&1 || { cat /tmp/fsck; return 1; }
	else
		e2fsck -fn "$2" >/tmp/fsck 2>&1 || { cat /tmp/fsck; return 1; }
	fi
}

fs_stress()
{
	local fs=$1 m=/tmp/mnt

	umount /tmp/mnt 2>/dev/null || :
	make stress --layer file:/tmp/blank --ram 600M
	"mkfs.$fs" -q "$node"
	mount_plain "$fs" "$node" "$m"
	mkdir "$m"/tree "$m"/fsx "$m"/stress
	"$tools/ybd-fsx" "$m"/fsx 3 $((400 * scale)) "$seed" &
	tar -C "$m"/tree -xf /tmp/tree.tar
	# as much of this as fits into the time; what is right does not depend on it
	stress-ng --temp-path "$m"/stress --seed "$seed" --quiet --verify \
		--timeout $((5 * scale)) --rename 1 --link 1 --dentry 1 \
		--hdd 1 --hdd-bytes 4m --hdd-opts direct,wr-rnd
	wait $!
	# through a trim, an unmount and a mount: nothing of it from a cache
	fstrim "$m"
	umount "$m"
	fsck_clean "$fs" "$node"
	mount_plain "$fs" "$node" "$m"
	tar -C "$m"/tree -df /tmp/tree.tar
	rm -rf "$m"/fsx "$m"/stress
	fstrim "$m"
	tar -C "$m"/tree -df /tmp/tree.tar
	umount "$m"
	fsck_clean "$fs" "$node"
	unmake stress
}

# An image with xfs. Writing zeroes to the blank one would not be sparse.
xfs_image()
{
	rm -f /tmp/xfs.img
	truncate -s 320M /tmp/xfs.img
	mkfs.xfs -q /tmp/xfs.img
	mkdir -p /tmp/mnt
	mount -o loop /tmp/xfs.img /tmp/mnt
	mkdir -p /tmp/mnt/opt/app
	head -c 3000000 /dev/urandom >/tmp/mnt/opt/app/data
	echo original >/tmp/mnt/opt/app/text
	umount /tmp/mnt
}

# Two containers of one image: both writable, mounted together, apart.
two_containers()
{
	local i sum files=opt/app

	mkdir -p /tmp/c1 /tmp/c2
	for i in 1 2; do
		umount "/tmp/c$i" 2>/dev/null || :
		make "pair$i" "$@" --ram 64M
		ybdctl mount "pair$i" "/tmp/c$i"
	done
	sum=$(cat /tmp/c1/"$files"/* | cksum)
	equal "both see the image" "$(cat /tmp/c2/"$files"/* | cksum)" "$sum"
	for i in 1 2; do
		echo "container $i" >"/tmp/c$i/only$i"
		echo "container $i" >"/tmp/c$i/both"
		dd if=/dev/urandom of="/tmp/c$i/random" bs=64k count=64 status=none
		cksum <"/tmp/c$i/random" >"/tmp/random$i"
	done
	sync
	[ ! -e /tmp/c1/only2 ] && [ ! -e /tmp/c2/only1 ] || fail "one sees the other"
	for i in 1 2; do
		ybdctl umount "pair$i" "/tmp/c$i"
		ybdctl mount "pair$i" "/tmp/c$i"
	done
	for i in 1 2; do
		equal "text of $i" "$(cat "/tmp/c$i/both")" "container $i"
		equal "data of $i" "$(cksum <"/tmp/c$i/random")" "$(cat "/tmp/random$i")"
		equal "image of $i" "$(cat "/tmp/c$i/$files/"* | cksum)" "$sum"
		ybdctl umount "pair$i" "/tmp/c$i"
	done
	fsck_clean "$(blkid -s TYPE -o value -p "$node")" "$node"
	unmake pair1 pair2
}

run_program()
{
	local i

	for i in 1 2; do
		mkdir -p "/tmp/c$i"
		make "run$i" --image images/final --ram 16M
		ybdctl mount "run$i" "/tmp/c$i"
	done
	for i in 1 2; do
		[ -n "$(chroot "/tmp/c$i" /opt/app/run)" ] || fail "the program of $i is silent"
		ybdctl umount "run$i" "/tmp/c$i"
	done
	unmake run1 run2
}

# ---- accounting ----

# io DISK: reads, their sectors, writes, theirs, discards, theirs
io()
{
	awk -v d="$1" '$3 == d { print $4, $6, $8, $10, $15, $17 }' /proc/diskstats
}

io_since()
{
	local -a now was

	read -ra now < <(io "$disk")
	read -ra was <<<"$1"
	echo $((now[0] - was[0])) $((now[1] - was[1])) $((now[2] - was[2])) \
		$((now[3] - was[3])) $((now[4] - was[4])) $((now[5] - was[5]))
}

accounting()
{
	local was engine

	make acct --image images/final --ram 64M
	echo "$1" >"/sys/block/$disk/queue/iostats"
	for engine in libaio io_uring; do
		was=$(io "$disk")
		quiet_fio --filename="$node" --rw=randread --bs=4k --size=16M \
			--io_size=1200k --ioengine="$engine" --iodepth=8
		equal "$engine reads of 4k" "$(io_since "$was")" "300 2400 0 0 0 0"
		# these are split wherever the image's clusters are apart
		was=$(io "$disk")
		quiet_fio --filename="$node" --rw=read --bs=768k --size=46080k \
			--ioengine="$engine" --iodepth=2
		equal "$engine reads of 768k" "$(io_since "$was")" "60 92160 0 0 0 0"
		was=$(io "$disk")
		quiet_fio --filename="$node" --rw=randwrite --bs=4k --size=16M \
			--io_size=1200k --ioengine="$engine" --iodepth=8
		equal "$engine writes of 4k" "$(io_since "$was")" "0 0 300 2400 0 0"
		# not whole blocks: these have to read first
		was=$(io "$disk")
		quiet_fio --filename="$node" --rw=randwrite --bs=1536 --size=24M \
			--offset=20M --io_size=150k --ioengine="$engine" --iodepth=8
		equal "$engine writes of 1536" "$(io_since "$was")" "0 0 100 300 0 0"
	done
	was=$(io "$disk")
	blkdiscard -f -o 1M -l 7M "$node"
	equal "a discard" "$(io_since "$was")" "0 0 0 0 1 14336"
	equal "under way" "$(tr -s ' ' <"/sys/block/$disk/inflight")" " 0 0"
	unmake acct
}

# A disk that takes one request at a time sends most of what must not wait back, from
# below ybd; io_uring comes again with it.
counted_once()
{
	local was below

	nullb_make narrow submit_queues=1 hw_queue_depth=1 irqmode=2 completion_nsec=10000000
	make narrow --layer "dev:$nullb_dev" --ro
	was=$(io "$disk")
	quiet_fio --filename="$node" --rw=randread --bs=4k --size=16M --io_size=1200k \
		--ioengine=io_uring --iodepth=8
	equal "reads" "$(io_since "$was")" "300 2400 0 0 0 0"
	equal "under way" "$(tr -s ' ' <"/sys/block/$disk/inflight")" " 0 0"
	below=$(counter narrow image_reads)
	[ "$below" -gt 300 ] || fail "nothing came back: $below"
	unmake narrow
	ybdctl image unload --all
	nullb_remove narrow
}

# ---- what it stands on ----

shows_sources()
{
	local under

	make stands --image images/final --ram 1M
	under=$(basename "$(readlink -f "$rootfs")")
	lsblk -s -n -l -o NAME "$node" | grep -qx "$under" || fail "$(lsblk -s "$node")"
	lsblk -n -l -o NAME "/dev/$under" | grep -qx "$disk" || fail "$(lsblk "/dev/$under")"
	refused mkfs.ext4 -q "/dev/$under"
	unmake stands
	[ ! -e "/sys/block/$under/holders/$disk" ] || fail "a link is left"
}

read_only()
{
	local sum

	make ro --image images/final --ro
	equal "read-only" "$(blockdev --getro "$node")" 1
	sum=$(cksum <"$node")
	refused dd if=/dev/zero of="$node" bs=4k count=1 oflag=direct
	refused blkdiscard -f "$node"
	refused fallocate -z -o 0 -l 4096 "$node"
	mkdir -p /tmp/mnt
	refused mount -w -t ext4 "$node" /tmp/mnt
	# the flag is anybody's to take off; what is behind it is not
	blockdev --setrw "$node" 2>/dev/null || :
	refused dd if=/dev/zero of="$node" bs=4k count=1 oflag=direct
	refused blkdiscard -f "$node"
	equal "content" "$(cksum <"$node")" "$sum"
	ybdctl mount --ro ro /tmp/mnt
	refused touch /tmp/mnt/new
	[ -x /tmp/mnt/opt/app/run ] || fail "nothing mounted"
	ybdctl umount ro /tmp/mnt
	unmake ro
}

# ---- memory ----

charged()
{
	cat /sys/fs/cgroup/pays/memory.current
}

cgroup_charge()
{
	local cg=/sys/fs/cgroup/pays before

	grep -qw memory /sys/fs/cgroup/cgroup.controllers || {
		echo "no memory controller"
		exit 77
	}
	echo +memory >/sys/fs/cgroup/cgroup.subtree_control
	mkdir -p "$cg"
	make mem --layer file:/tmp/blank --ram 200M --cgroup pays
	before=$(charged)
	# From outside of the cgroup, through the page cache: what is written
	# back is written by a kworker.
	dd if=/dev/zero of="$node" bs=1M count=32 status=none conv=fsync
	[ $(($(charged) - before)) -ge $((32 << 20)) ] ||
		fail "charged $(($(charged) - before)) for 32 MiB"
	[ $(($(charged) - before)) -le $((36 << 20)) ] ||
		fail "charged $(($(charged) - before)) for 32 MiB"
	blkdiscard -f "$node"
	[ $(($(charged) - before)) -le $((4 << 20)) ] ||
		fail "$(($(charged) - before)) still charged"

	# its limit: an error for the writer, nobody killed, counted apart
	echo 24M >"$cg"/memory.max
	refused dd if=/dev/urandom of="$node" bs=64k count=640 oflag=direct
	[ "$(counter mem no_memory)" -gt 0 ] || fail "not counted"
	equal "no_space" "$(counter mem no_space)" 0
	equal "killed" "$(awk '$1 == "oom_kill" { print $2 }' "$cg"/memory.events)" 0
	# each page beyond it costs several rounds of reclaim: not too many
	refused dd if=/dev/urandom of="$node" bs=64k count=416 conv=fsync
	blkdiscard -f "$node"
	head -c 8M /dev/urandom >/tmp/data
	dd if=/tmp/data of="$node" bs=64k oflag=direct status=none
	dd if="$node" bs=64k count=128 iflag=direct status=none | cmp - /tmp/data
	unmake mem
	[ $(($(charged) - before)) -le $((4 << 20)) ] ||
		fail "$(($(charged) - before)) charged after the end"
	rmdir "$cg"
}

# ---- a source that does not answer ----

# Thousands of writes wait for their copy-up: nobody else's does.
dead_source()
{
	local size=$((8 << 20)) depth=2048 loop dead

	truncate -s "$size" /tmp/dead
	loop=$(losetup -f --show /tmp/dead)
	dmsetup create dead --table "0 $((size / 512)) linear $loop 0"
	ybdctl image load --layer dev:/dev/mapper/dead --name dead
	make dead --image dead --ram 16M
	dead=$disk
	dmsetup suspend --nolockfs dead
	fio --name=dead --output=/tmp/dead.out --filename="/dev/$dead" --direct=1 \
		--randseed="$seed" --rw=randwrite --bs=512 --size="$size" \
		--ioengine=libaio --iodepth="$depth" --number_ios="$depth" &
	until [ "$(awk '{ print $2 }' "/sys/block/$dead/inflight")" = "$depth" ]; do
		sleep 0.2
	done
	make alive --layer file:/tmp/blank --ram 16M
	dd if=/dev/urandom of="$node" bs=512 count=64 oflag=direct status=none
	[ "$(counter alive copy_ups)" -gt 0 ] || fail "no copy-up"
	unmake alive
	equal "still waiting" "$(awk '{ print $2 }' "/sys/block/$dead/inflight")" "$depth"
	dmsetup resume dead
	wait $! || { cat /tmp/dead.out; return 1; }
	unmake dead
	ybdctl image unload dead
	dmsetup remove dead
	losetup -d "$loop"
}

# ---- NOWAIT ----

no_workers()
{
	local t=/sys/kernel/tracing rw n

	[ -d "$t"/events/io_uring/io_uring_queue_async_work ] || {
		echo "no tracepoints of io_uring"
		exit 77
	}
	make nowait --image images/final --ram 64M
	echo 1 >"$t"/events/io_uring/io_uring_queue_async_work/enable
	for rw in randread randwrite randrw; do
		echo >"$t"/trace
		quiet_fio --filename="$node" --rw="$rw" --bs=4k --size=32M --io_size=4M \
			--ioengine=io_uring --iodepth=16
		n=$(grep -c io_uring_queue_async_work: "$t"/trace || :)
		equal "$rw: handed to workers" "$n" 0
	done
	echo 0 >"$t"/events/io_uring/io_uring_queue_async_work/enable
	equal "would block" "$(counter nowait would_block)" 0
	unmake nowait
}

# All devices are gone, so images and module go too.
nothing_left()
{
	local image

	equal "devices" "$(ybdctl --json list | jq '.devices | length')" 0
	for image in $(ybdctl --json image list | jq -r '.images[].name'); do
		ybdctl image unload "$image"
	done
	rmmod ybd
}

modprobe ybd
modprobe -a loop xfs ext4 2>/dev/null || :
truncate -s 400M /tmp/blank
tree_make

ktap_case "$k fio verify" fio_verify
for fs in ext4 xfs; do
	ktap_case "$k $fs: fsx, stress-ng, untar, trim, fsck" fs_stress $fs
done
ktap_case "$k two containers with ext4" two_containers --image images/final
xfs_image
ktap_case "$k two containers with xfs" two_containers --layer file:/tmp/xfs.img
ktap_case "$k a program runs in both" run_program
ktap_case "$k diskstats with iostats" accounting 1
ktap_case "$k diskstats without iostats" accounting 0
ktap_case "$k diskstats count once what would have blocked" counted_once
ktap_case "$k lsblk shows the sources" shows_sources
ktap_case "$k read-only" read_only
ktap_case "$k the cgroup pays" cgroup_charge
ktap_case "$k a dead source holds nobody else" dead_source
ktap_case "$k io_uring without workers" no_workers
ktap_case "$k nothing is left" nothing_left
ktap_end
