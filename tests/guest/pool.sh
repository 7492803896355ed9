#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# shellcheck disable=SC2086
# pool.sh: in the guest, for the suite pool-vm. images/final is an ext4 without a journal.
set -uo pipefail
cd "$(dirname "$0")/../.."
. tests/cli/guest/common.sh

udevadm settle
BIG=$(readlink -f /dev/disk/by-id/virtio-disk0)
SMALL=$(readlink -f /dev/disk/by-id/virtio-disk1)
BLOCK4K=$(readlink -f /dev/disk/by-id/virtio-disk2)	# logical blocks of 4096
FINAL=$T/final	# digest of the image: the first case has compared it with SPDK's

# fresh COMMAND...: a case that finds two empty pools, and leaves pools that are
# clean and that nobody has, whatever is in them; no upper owns what it does not use.
fresh()
{
	[ ! -s "$T/under-way" ] || { udevadm settle; sweep; }
	echo "$1" >"$T/under-way"
	ybdctl pool create --force -q --name local "$BIG" >/dev/null
	ybdctl pool create --force -q --name small "$SMALL" >/dev/null
	"$@"
	udevadm settle
	clean_up
	ybdctl pool check "$BIG" "$SMALL"
	json '.pools | all(.clean and .findings == [])' ybdctl pool check "$BIG" "$SMALL"
	: >"$T/under-way"
}

in_pools()
{
	ktap_case "$1" fresh "${@:2}"
}

# make NAME [OPTIONS]: a persistent device in the large pool; says its node
make()
{
	ybdctl create "$1" --image images/final --pool local --unjournaled "${@:2}"
}

# fill FILE MIB: random, and durable when it returns
fill()
{
	dd if=/dev/urandom of="$1" bs=1M count="$2" seek="${3:-0}" oflag=direct conv=fsync,notrunc \
		status=none
}

uppers()
{
	json ".uppers | map(.name) | sort == $1" ybdctl pool show "$BIG"
}

# -------- what a device is --------

persistent()
{
	local dev sum

	json '.path == "/dev/ybd0" and .upper == "pool" and .pool == "local" and
		(.volatile | not) and (.autostart | not) and .size == 50331648 and
		.quota == null and .state == "live"' \
		ybdctl create p1 --image images/final --pool local --unjournaled
	dev=/dev/ybd0
	[ "$(sha $dev)" = "$(golden rootfs final)" ]
	digest $dev >"$FINAL"
	fill $dev 2 3
	sum=$(digest $dev)
	[ "$sum" != "$(<"$FINAL")" ]
	[ "$(stat_of p1 upper_mapped)" = $((2 << 20)) ]
	[ "$(stat_of p1 upper_allocated)" -ge $((2 << 20)) ]
	[ "$(stat_of p1 commits)" -ge 1 ]
	uppers '["p1"]'
	ybdctl detach p1
	ybdctl pool check "$BIG"
	[ "$(ybdctl attach p1)" = /dev/ybd0 ]
	[ "$(digest $dev)" = "$sum" ]
	ybdctl list | grep -qE '^p1 +/dev/ybd0 +48M +images/final +persistent +local +2M +48M +live +0$'
	# an image that is loaded is taken, one that is not is loaded
	json '.images | length == 1' ybdctl image list
	ybdctl detach p1
	ybdctl image unload images/final
	modprobe -r ybd
	json '.name == "p1" and .image == "images/final"' ybdctl attach p1
	[ "$(digest $dev)" = "$sum" ]
}
in_pools "a persistent device is what it was when it is attached again" persistent

# some_writes DEV NR FIRST: NR blocks, every second one from FIRST on; each takes one
# block of the log
some_writes()
{
	local i

	for ((i = 0; i < $2; i++)); do
		dd if=/dev/urandom of="$1" bs=4k count=1 seek=$(($3 + 2 * i)) oflag=direct \
			conv=fsync,notrunc status=none
	done
}

# Where its log is to go on is taken before it is needed, in the middle of a chunk of
# 16 blocks; a detach gives it back, also when the chunk is almost, just or more than full.
taken_ahead()
{
	local a b n of_a of_b

	for n in 12 15 16 17; do
		a=$(make a1)
		some_writes "$a" $n 0
		[ "$(stat_of a1 log_blocks)" = $n ]
		of_a=$(digest "$a")
		udevadm settle
		ybdctl detach a1
		json '.pools[0].findings == []' ybdctl pool check "$BIG"
		# somebody else takes chunks before it goes on
		b=$(make b1)
		some_writes "$b" 40 0
		of_b=$(digest "$b")
		a=$(ybdctl attach a1)
		[ "$(digest "$a")" = "$of_a" ]
		some_writes "$a" 28 1
		of_a=$(digest "$a")
		[ "$(digest "$b")" = "$of_b" ]
		udevadm settle
		ybdctl detach a1 b1
		json '.pools[0].findings == []' ybdctl pool check "$BIG"
		a=$(ybdctl attach a1)
		b=$(ybdctl attach b1)
		[ "$(digest "$a")" = "$of_a" ]
		[ "$(digest "$b")" = "$of_b" ]
		udevadm settle
		ybdctl destroy a1 b1
	done
}
in_pools "a detach leaves nothing that was taken ahead" taken_ahead

volatile()
{
	local dev

	dev=$(make v1 --volatile)
	json '.devices[0] | .upper == "pool" and .volatile and .pool == "local"' ybdctl show v1
	ybdctl list | grep -qE '^v1 .* volatile +local '
	fill "$dev" 2
	[ "$(digest "$dev")" != "$(<"$FINAL")" ]
	[ "$(stat_of v1 commits)" = 0 ]
	uppers '[]'
	udevadm settle
	ybdctl detach v1
	refused 3 'v1: no pool has it' ybdctl attach v1
	dev=$(make v1 --volatile)
	[ "$(digest "$dev")" = "$(<"$FINAL")" ]
	# of an image that is known by its name only
	ybdctl image load images/base --name mine -q
	ybdctl create v2 --image mine --pool local --volatile >/dev/null
	refused 2 'remember the layers' ybdctl create p2 --image mine --pool local
}
in_pools "a volatile device leaves nothing" volatile

# What is kept has to be found whole again after a crash.
unjournaled()
{
	local fs=$T/fs

	truncate -s 8M "$fs"
	mkfs.ext4 -q -O ^has_journal "$fs"
	refused 7 'u1: image .* is an ext4 without a journal' \
		ybdctl create u1 --layer "file:$fs" --pool local
	uppers '[]'
	json '.devices == [] ' ybdctl list
	json '.images == []' ybdctl image list
	refused 2 'unjournaled needs --pool' ybdctl create u1 --layer "file:$fs" --ro --unjournaled
	ybdctl create u1 --layer "file:$fs" --pool local --unjournaled >/dev/null
	ybdctl create u2 --layer "file:$fs" --pool local --volatile >/dev/null
	ybdctl create u3 --layer "file:$fs" --ram 1M >/dev/null
	ybdctl create u4 --layer "file:$fs" --ro >/dev/null
	uppers '["u1"]'
	udevadm settle
	ybdctl detach u1 u2 u3 u4
	ybdctl attach u1 >/dev/null
	udevadm settle
	ybdctl destroy u1
	ybdctl image unload "$(ybdctl image list --json | jq -r '.images[0].name')"
	tune2fs -O has_journal "$fs" >/dev/null
	ybdctl create u1 --layer "file:$fs" --pool local >/dev/null
}
in_pools "no persistent device over an ext4 without a journal" unjournaled

# Each has its own blocks, and the image none of them.
side_by_side()
{
	local i n=6 dev=() sum=() kind

	for ((i = 0; i < n; i++)); do
		kind=$([ $((i % 2)) = 0 ] || echo --volatile)
		# shellcheck disable=SC2086
		dev+=("$(make "d$i" $kind)")
	done
	for ((i = 0; i < n; i++)); do fill "${dev[i]}" 3 "$i"; done
	for ((i = 0; i < n; i++)); do sum+=("$(digest "${dev[i]}")"); done
	[ "$(printf '%s\n' "${sum[@]}" | sort -u | wc -l)" = $n ]
	ybdctl create ro --image images/final --ro >/dev/null
	[ "$(digest /dev/ybd$n)" = "$(<"$FINAL")" ]
	udevadm settle
	ybdctl detach d0 d1 d2 d3 d4 d5
	ybdctl attach d0 d2 d4 >"$T/attached"
	[ "$(cut -d' ' -f1 "$T/attached" | tr '\n' ' ')" = 'd0 d2 d4 ' ]
	for i in 0 2 4; do
		[ "$(digest "$(sed -n "s/^d$i //p" "$T/attached")")" = "${sum[i]}" ]
	done
}
in_pools "devices of one image, of both kinds, side by side" side_by_side

file_system()
{
	make fs >/dev/null
	ybdctl mount fs /mnt/a
	cp -a /mnt/a/opt /mnt/a/copy
	echo kept >/mnt/a/file
	ybdctl umount fs /mnt/a
	udevadm settle
	ybdctl detach fs
	ybdctl attach fs >/dev/null
	ybdctl mount fs /mnt/a
	[ "$(cat /mnt/a/file)" = kept ]
	diff -r /mnt/a/opt /mnt/a/copy
	ybdctl umount fs /mnt/a
}
in_pools "a file system in it" file_system

block_sizes()
{
	local dev sum bs pool

	ybdctl pool create --force -q "$BLOCK4K" >/dev/null
	for bs in 512 4096; do
		pool=$SMALL
		[ $bs = 512 ] || pool=$BLOCK4K
		dev=$(ybdctl create "b$bs" --image images/final --pool "$pool" --unjournaled --block-size $bs)
		[ "$(blockdev --getss "$dev")" = $bs ]
		dd if=/dev/urandom of="$dev" bs=$bs count=3 seek=5 oflag=direct conv=fsync status=none
		sum=$(digest "$dev")
		udevadm settle
		ybdctl detach "b$bs"
		dev=$(ybdctl attach "b$bs")
		[ "$(blockdev --getss "$dev")" = $bs ]
		[ "$(digest "$dev")" = "$sum" ]
	done
	refused 1 'logical-block-size' ybdctl create b --image images/final --pool "$BLOCK4K" --unjournaled
	udevadm settle
	ybdctl destroy b4096
	ybdctl pool check "$BLOCK4K"
	ybdctl pool destroy "$BLOCK4K"
}
in_pools "logical blocks of 512 and 4096, as the pool has them" block_sizes

trimmed()
{
	local dev zero

	dev=$(make t1)
	fill "$dev" 4
	blkdiscard -o 1M -l 2M "$dev"
	sync "$dev"
	[ "$(stat_of t1 upper_mapped)" = $((2 << 20)) ]
	udevadm settle
	ybdctl detach t1
	dev=$(ybdctl attach t1)
	zero=$(dd if="$dev" bs=1M skip=1 count=2 status=none | tr -d '\0' | wc -c)
	[ "$zero" = 0 ]
	[ "$(stat_of t1 upper_mapped)" = $((2 << 20)) ]
}
in_pools "what was discarded stays zero" trimmed

# -------- where a pool is --------

by_all_names()
{
	local uuid dev

	uuid=$(ybdctl pool show "$BIG" --json | jq -r .uuid)
	ybdctl create n1 --image images/final --pool local --unjournaled >/dev/null
	ybdctl create n2 --image images/final --pool "$uuid" --unjournaled >/dev/null
	ybdctl create n3 --image images/final --pool "${uuid^^}" --unjournaled >/dev/null
	ybdctl create n4 --image images/final --pool "$BIG" --unjournaled >/dev/null
	json '.pools[] | select(.path == "'"$BIG"'") | .in_use' ybdctl pool list
	json '.pools[] | select(.path == "'"$SMALL"'") | .in_use | not' ybdctl pool list
	json '.in_use and .kernel.users == 4 and .kernel.free > 0' ybdctl pool show "$BIG"
	udevadm settle
	ybdctl detach n1 n2 n3 n4
	json '(.in_use | not) and .kernel == null and .live == 4' ybdctl pool show "$BIG"
	uuid=$(ybdctl pool show "$BIG" --json | jq -r '.uppers[] | select(.name == "n2").uuid')
	dev=$(ybdctl attach "$uuid" --pool "$BIG")
	json '.devices[0] | .name == "n2" and .upper_uuid == "'"$uuid"'"' ybdctl show n2
	[ -b "$dev" ]
}
in_pools "a pool by name, uuid and device; an upper by uuid" by_all_names

# On a disk's file system, for direct I/O.
in_a_file()
{
	local dev sum deep file=$YBD_SHARE/pool-file

	ybdctl pool create -q --size 64M "$file" >/dev/null
	dev=$(ybdctl create f1 --image images/final --pool "$file" --unjournaled)
	ybdctl create f2 --image images/final --pool "$file" --unjournaled --volatile >/dev/null
	fill "$dev" 1
	sum=$(digest "$dev")
	# one loop device for both: two would not see each other's data
	[ "$(losetup -n -O NAME -j "$file" | wc -l)" = 1 ]
	refused 4 'devices are attached' ybdctl pool check "$file"
	refused 4 'devices are attached' ybdctl pool destroy --force "$file"
	refused 4 'devices are attached' ybdctl pool grow --size 128M "$file"
	json '.in_use' ybdctl pool show "$file"
	# a list of layers that takes four blocks
	deep=$T$(printf "/%0250d" {1..12})
	mkdir -p "$deep"
	truncate -s 4k "$deep/layer"
	ybdctl create f3 --layer="file:$deep/layer"{,,,} --pool "$file" >/dev/null
	udevadm settle
	ybdctl destroy f3
	ybdctl detach f1 f2
	udevadm settle
	[ -z "$(losetup -n -j "$file")" ]
	ybdctl pool check "$file"
	refused 3 'f1: no pool has it' ybdctl attach f1
	dev=$(ybdctl attach f1 --pool "$file")
	[ "$(digest "$dev")" = "$sum" ]
	udevadm settle
	ybdctl destroy f1
	ybdctl pool destroy "$file"
}
in_pools "a pool in a file" in_a_file

# promised: bytes that are kept for checkpoints, of all the uppers of the large pool
promised()
{
	ybdctl pool show --json "$BIG" | jq .kernel.promised
}

# scatter DEVICE BYTES: every second block of its beginning
scatter()
{
	fio --name=j --filename="$1" --output="$T/fio" --direct=1 --rw=write:4k --bs=4k \
		--size="$2" --ioengine=libaio --iodepth=16 --end_fsync=1 --allow_file_create=0
}

# A checkpoint of this map is long, and one of what is left of it is not.
shrunk()
{
	local dev many i few=$((6 * 65536))

	dev=$(make s1 --size 200M)
	scatter "$dev" 200M
	many=$(promised)
	[ "$many" -ge $((14 * 65536)) ]
	# what is about to come again is not worth one
	blkdiscard -l 90M "$dev"
	scatter "$dev" 90M
	[ "$(stat_of s1 checkpoints)" = 0 ]
	[ "$(promised)" = "$many" ]
	blkdiscard "$dev"
	dd if=/dev/zero of="$dev" bs=4k count=1 conv=fsync,notrunc status=none
	for i in {1..100}; do
		[ "$(promised)" -gt "$few" ] || break
		sleep 0.1
	done
	ktap_note "$many bytes promised, $(promised) afterwards (looked $i times)"
	[ "$(promised)" -le "$few" ]
	[ "$(stat_of s1 checkpoints)" -ge 1 ]
	udevadm settle
	ybdctl detach s1
	ybdctl attach s1 >/dev/null
	[ "$(promised)" -le "$few" ]
}
in_pools "what is promised to an upper shrinks with what it has" shrunk

# -------- attach --------

all()
{
	make a1 --autostart >/dev/null
	make a2 --autostart >/dev/null
	make a3 >/dev/null
	ybdctl create a4 --image images/final --pool small --unjournaled --autostart >/dev/null
	udevadm settle
	ybdctl detach a1 a2 a3 a4
	ybdctl attach a2 >/dev/null
	json '.devices | map(.name) | sort == ["a1", "a4"]' ybdctl attach --all
	[ -z "$(ybdctl attach --all)" ]
	json '.devices | map(.name) | sort == ["a1", "a2", "a4"]' ybdctl list
	udevadm settle
	ybdctl detach a1 a2 a4
	ybdctl attach --all --pool small | grep -qE '^a4 /dev/ybd[0-9]+$'
	# one that fails does not keep the others
	ybdctl create a1 --image images/final --ro >/dev/null
	! ybdctl attach --all >"$T/out" 2>"$T/err" || return 1
	grep -qE '^a2 /dev/ybd[0-9]+$' "$T/out"
	grep -q '^ybdctl attach: a1: ' "$T/err"
}
in_pools "attach --all: what is to start by itself" all

# read_from BLOCK-DEVICE: bytes that were read from it so far
read_from()
{
	awk '{ print $3 * 512 }' "/sys/class/block/${1##*/}/stat"
}

# The directory has room for many more uppers than there are.
few_headers()
{
	local places before after

	places=$(ybdctl pool show --json "$BIG" | jq .max_uppers)
	make h1 >/dev/null
	make h2 >/dev/null
	udevadm settle
	ybdctl detach h1 h2
	before=$(read_from "$BIG")
	ybdctl attach h2 --pool "$BIG" >/dev/null
	after=$(read_from "$BIG")
	ktap_note "$((after - before)) bytes read, the directory has $((places * 8192))"
	[ $((after - before)) -lt $((places * 8192 / 2)) ]
}
in_pools "attach reads the headers that there are, not the whole directory" few_headers

# The image has layers that are found by path; one of them changes.
changed_image()
{
	local dev sum

	truncate -s 1M "$T/layer"
	dev=$(ybdctl create c1 --image images/final --layer "file:$T/layer" --pool local --unjournaled)
	fill "$dev" 1 2
	sum=$(digest "$dev")
	udevadm settle
	ybdctl detach c1
	ybdctl image unload "$(ybdctl image list --json | jq -r '.images[0].name')"
	dev=$(ybdctl attach c1)
	[ "$(digest "$dev")" = "$sum" ]
	udevadm settle
	ybdctl detach c1
	ybdctl image unload "$(ybdctl image list --json | jq -r '.images[0].name')"
	echo x | dd of="$T/layer" conv=notrunc status=none
	refused 7 'layer 1, .*/layer, is not what it was' ybdctl attach c1
	rm "$T/layer"
	refused 3 'layer: No such file' ybdctl attach c1
	json '.devices == []' ybdctl list
	uppers '["c1"]'
	ybdctl destroy c1
	uppers '[]'
}
in_pools "attach: an image that is not what it was is refused" changed_image

# -------- what is refused --------

names_in_use()
{
	make p1 >/dev/null
	refused 4 'p1: ' make p1
	refused 4 'p1: ' make p1 --volatile
	refused 4 'p1: ' ybdctl create p1 --image images/final --ro
	refused 4 'p1: ' ybdctl attach p1
	udevadm settle
	ybdctl detach p1
	# the name is an upper's
	refused 4 'p1: ' make p1
	ybdctl create p1 --image images/final --ro >/dev/null
	refused 4 'p1: ' ybdctl attach p1
	uppers '["p1"]'
	udevadm settle
	ybdctl detach p1
	# the same name in another pool: say which
	ybdctl create p1 --image images/final --pool small --unjournaled >/dev/null
	udevadm settle
	ybdctl detach p1
	refused 7 'p1 is in .*: say which' ybdctl attach p1
	ybdctl attach p1 --pool small >/dev/null
	json '.devices[0].pool == "small"' ybdctl show p1
}
in_pools "refused: names that are taken" names_in_use

no_such_pool()
{
	refused 3 'no block device has a pool "nope"' \
		ybdctl create x --image images/final --pool nope --unjournaled
	refused 3 '/nope: ' ybdctl create x --image images/final --pool /nope
	refused 3 'nvme' ybdctl create x --image images/final \
		--pool "/dev/disk/by-id/nvme-uuid.$U_ROOTFS"
	refused 3 'nope: no pool has it' ybdctl attach nope
	refused 3 'nope: no such device' ybdctl destroy nope
	refused 3 'nope: no such device' ybdctl resize nope 1G
	refused 3 'no lvol "nope"' ybdctl create x --image images/nope --pool local
	# damaged: neither the tool nor the kernel takes it
	dd if=/dev/zero of="$SMALL" bs=4096 count=1 oflag=direct status=none
	refused 7 'the backup is good' ybdctl create x --image images/final --pool "$SMALL" --unjournaled
	ybdctl pool check --repair "$SMALL" >/dev/null
	json '.devices == []' ybdctl list
	uppers '[]'
}
in_pools "refused: pools and uppers that are not there" no_such_pool

claims()
{
	make p1 >/dev/null
	refused 4 "$BIG: devices are attached" ybdctl pool create --force "$BIG"
	refused 4 "$BIG: devices are attached" ybdctl pool destroy --force "$BIG"
	refused 4 "$BIG: devices are attached" ybdctl pool grow "$BIG"
	refused 4 "$BIG: devices are attached" ybdctl pool check --repair "$BIG"
	ybdctl pool check "$BIG" 2>"$T/err" >/dev/null
	grep -q 'is in use' "$T/err"
	# nobody's image is in it
	refused 4 'claimed' ybdctl image load --layer "dev:$BIG" --name x
	udevadm settle
	ybdctl detach p1
	# somebody else's
	dmsetup create t --table "0 $(blockdev --getsz "$BIG") linear $BIG 0"
	refused 4 "$BIG|claimed" ybdctl create x --image images/final --pool "$BIG" --unjournaled
	refused 4 'p1: .*claimed' ybdctl attach p1 --pool "$BIG"
	dmsetup remove --retry t
	udevadm settle
	ybdctl attach p1 >/dev/null
}
in_pools "refused: a pool that somebody has" claims

# -------- resize, destroy --------

# Two devices with one pool, as a snapshot of a disk makes them: which is meant? The one
# that is refused stays as it is; nothing of it is discarded, either.
copy()
{
	local copy sum dev

	dev=$(ybdctl create k1 --image images/final --pool small --unjournaled)
	ybdctl create k2 --image images/final --pool small --unjournaled >/dev/null
	fill "$dev" 8
	udevadm settle
	ybdctl detach k1 k2
	dd if="$SMALL" of="$T/copy" bs=1M conv=sparse status=none
	sum=$(digest "$T/copy")
	modprobe loop
	copy=$(losetup -f --show "$T/copy")
	ybdctl attach k1 --pool "$SMALL" >/dev/null
	refused 4 'one with the same uuid is in use: is it a copy' ybdctl attach k2 --pool "$copy"
	udevadm settle
	ybdctl detach k1
	sync "$copy"
	[ "$(digest "$T/copy")" = "$sum" ]
	# alone it is as good as the other
	ybdctl attach k2 --pool "$copy" >/dev/null
	udevadm settle
	ybdctl detach k2
	losetup -d "$copy"
	rm "$T/copy"
}
in_pools "refused: a copy of a pool that is in use" copy

resized()
{
	local dev sum

	dev=$(make r1)
	fill "$dev" 1
	exec 9<>"$dev"
	json '.size == 67108864 and .openers == 1' ybdctl resize r1 64M
	exec 9<&-
	[ "$(blockdev --getsize64 "$dev")" = $((64 << 20)) ]
	[ "$(dd if="$dev" bs=1M skip=48 status=none | tr -d '\0' | wc -c)" = 0 ]
	fill "$dev" 1 63
	sum=$(digest "$dev")
	refused 1 'size' ybdctl resize r1 48M
	refused 1 'size' ybdctl resize r1 67109000
	udevadm settle
	ybdctl detach r1
	dev=$(ybdctl attach r1)
	[ "$(blockdev --getsize64 "$dev")" = $((64 << 20)) ]
	[ "$(digest "$dev")" = "$sum" ]
	# those that are not in a pool, too
	dev=$(ybdctl create r2 --image images/final --ram 4M)
	ybdctl resize r2 1G
	[ "$(blockdev --getsize64 "$dev")" = $((1 << 30)) ]
	refused 2 'no size' ybdctl resize r2 1Q
}
in_pools "resize: larger, and it stays so" resized

destroyed()
{
	local dev free

	make d1 >/dev/null
	free=$(ybdctl pool show "$BIG" --json | jq .kernel.free)
	dev=$(make d2)
	fill "$dev" 8
	udevadm settle
	ybdctl destroy d2
	uppers '["d1"]'
	[ "$(ybdctl pool show "$BIG" --json | jq .kernel.free)" = "$free" ]
	# one that is open stays
	exec 9<>/dev/ybd0
	refused 4 'd1: device is open' ybdctl destroy d1
	exec 9<&-
	udevadm settle
	uppers '["d1"]'
	# one that is not attached, by name and by uuid
	make d3 >/dev/null
	udevadm settle
	ybdctl detach d1 d3
	ybdctl destroy d1
	ybdctl destroy "$(ybdctl pool show "$BIG" --json | jq -r '.uppers[0].uuid')"
	uppers '[]'
	refused 3 'd1: no such device' ybdctl destroy d1
	# by force, with a lost opener
	dev=$(make d4)
	exec 9<>"$dev"
	ybdctl destroy --force d4
	exec 9<&-
	uppers '[]'
	# what is left for the next one is not what was there
	dev=$(make d5 --size 200M)
	[ "$(dd if="$dev" bs=1M skip=48 status=none | tr -d '\0' | wc -c)" = 0 ]
}
in_pools "destroy: attached, open, detached" destroyed

forced()
{
	local dev sum

	dev=$(make o1)
	fill "$dev" 2
	sum=$(digest "$dev")
	exec 9<>"$dev"
	ybdctl detach --force o1
	not dd if=/dev/fd/9 of=/dev/null bs=4096 count=1 iflag=direct status=none 2>/dev/null
	exec 9<&-
	udevadm settle
	dev=$(ybdctl attach o1)
	[ "$(digest "$dev")" = "$sum" ]
}
in_pools "detach by force: what was flushed stays" forced

# -------- room --------

quotas()
{
	local dev sum

	dev=$(make q1 --quota 1M 2>"$T/err")
	grep -q 'writes fail when they take more than 1048576 of its 50331648 bytes' "$T/err"
	json '.devices[0].quota == 1048576' ybdctl show q1
	fill "$dev" 1
	sum=$(digest "$dev")
	not fill "$dev" 1 8 2>/dev/null
	# what was there can be written again, and flushed
	dd if="$dev" of="$T/first" bs=1M count=1 iflag=direct status=none
	dd if="$T/first" of="$dev" bs=1M oflag=direct conv=fsync,notrunc status=none
	[ "$(digest "$dev")" = "$sum" ]
	[ "$(stat_of q1 no_space)" -ge 1 ]
	blkdiscard -l 512K "$dev"
	sync "$dev"
	dd if=/dev/urandom of="$dev" bs=256K count=1 seek=40 oflag=direct conv=fsync status=none
	refused 2 'no multiple' make q2 --quota 5000
}
in_pools "a quota" quotas

full_pool()
{
	local a b sum

	a=$(ybdctl create f1 --image images/final --pool small --unjournaled)
	b=$(ybdctl create f2 --image images/final --pool small --unjournaled --volatile)
	fill "$a" 24
	sum=$(digest "$a")
	not fill "$b" 46 2>/dev/null
	[ "$(stat_of f2 no_space)" -ge 1 ]
	sync "$a" "$b"
	[ "$(digest "$a")" = "$sum" ]
	udevadm settle
	ybdctl detach f1 f2
	a=$(ybdctl attach f1)
	[ "$(digest "$a")" = "$sum" ]
	fill "$a" 20 24
}
in_pools "a pool that is full" full_pool

# gains PATH BYTES: so much more is free in that pool than $free
gains()
{
	[ "$(ybdctl pool show "$1" --json | jq .kernel.free)" -ge $((free + $2)) ]
}

given_back()
{
	local a free

	a=$(ybdctl create g1 --image images/final --pool small --unjournaled)
	fill "$a" 40
	free=$(ybdctl pool show "$SMALL" --json | jq .kernel.free)
	blkdiscard -l 40M "$a"
	# nobody flushes
	soon gains "$SMALL" $((36 << 20))
}
in_pools "what is discarded can be used by others, without a flush" given_back

# discarded DEVICE: sectors that it was told are free
discarded() { awk '{ print $14 }' "/sys/block/${1##*/}/stat"; }
is_told() # DEVICE BYTES SINCE
{
	[ $((($(discarded "$1") - $3) * 512)) -ge "$2" ]
}
told()
{
	local keep dev before sum par=/sys/module/ybd/parameters/pool_discard

	keep=$(make t1)
	fill "$keep" 20
	sum=$(digest "$keep")
	dev=$(make t2 --size 100M)
	fill "$dev" 80
	before=$(discarded "$BIG")
	blkdiscard -l 40M "$dev"
	sync "$dev"
	soon is_told "$BIG" $((38 << 20)) "$before"
	[ "$(digest "$keep")" = "$sum" ]
	# what nobody could tell later is told when the pool is closed
	udevadm settle
	ybdctl destroy t2
	ybdctl detach t1
	is_told "$BIG" $((78 << 20)) "$before"
	keep=$(ybdctl attach t1)
	[ "$(digest "$keep")" = "$sum" ]
	# and nothing else is
	not is_told "$BIG" $((90 << 20)) "$before"
	echo N >$par
	dev=$(make t3)
	fill "$dev" 20
	before=$(discarded "$BIG")
	udevadm settle
	ybdctl destroy t3
	ybdctl detach t1
	echo Y >$par
	not is_told "$BIG" 1 "$before"
}
in_pools "its device is told what is free" told

# await TEXT: until the monitor has said so
await()
{
	soon grep -qF "$1" "$T/events" || { cat "$T/events"; return 1; }
}

levels()
{
	local a par=/sys/module/ybd/parameters/fill_levels bad

	modprobe ybd
	[ "$(cat $par)" = 80,90,95 ]
	for bad in 90,80 80,80 2 100 1,2,3,4,5 30,40,50,60,70 x "50," ,50; do
		not sh -c "echo $bad >$par" 2>/dev/null
	done
	[ "$(cat $par)" = 80,90,95 ]
	ybdctl monitor >"$T/events" 2>&1 &
	# shellcheck disable=SC2064
	trap "kill $! 2>/dev/null || :" EXIT
	await listening
	# a quota: 256 blocks, 80% of which are 205
	a=$(make l1 --quota 1M 2>/dev/null)
	dd if=/dev/zero of="$a" bs=4k count=204 oflag=direct status=none
	json '.devices[0].quota_level == 0' ybdctl show l1
	dd if=/dev/zero of="$a" bs=4k count=1 seek=204 oflag=direct status=none
	await "device-quota l1 $a 80%"
	json '.devices[0].quota_level == 80' ybdctl show l1
	dd if=/dev/zero of="$a" bs=4k count=51 seek=205 oflag=direct status=none
	await "device-quota l1 $a 95%"
	# what is overwritten counts once; what is discarded, not
	dd if=/dev/zero of="$a" bs=1M count=1 oflag=direct status=none
	blkdiscard -l 512K "$a"
	await "device-quota l1 $a 0%"
	[ "$(grep -c device-quota "$T/events")" -le 4 ]
	# a pool, by what the module has of it
	a=$(ybdctl create l2 --image images/final --pool small --unjournaled --size 80M)
	not fill "$a" 70 2>/dev/null
	await "pool-level small $SMALL 95%"
	json '.kernel.level == 95' ybdctl pool show "$SMALL"
	dmesg | grep -q 'pool small (.*: 95% full: [0-9]* of [0-9]* segments free'
	echo 50 >$par
	[ "$(cat $par)" = 50 ]
	blkdiscard "$a"
	sync "$a"
	udevadm settle
	ybdctl detach l2
	# it is told as well when it is opened
	a=$(ybdctl attach l2)
	json '.kernel.level == 0' ybdctl pool show "$SMALL"
	fill "$a" 40
	await "pool-level small $SMALL 50%"
	udevadm settle
	ybdctl detach l2
	: >"$T/events"
	ybdctl attach l2
	await "pool-level small $SMALL 50%"
	echo >$par
	[ "$(cat $par)" = "" ]
	echo 80,90,95 >$par
}
in_pools "fill levels: of a quota, of a pool" levels

reserved()
{
	local a b

	a=$(ybdctl create r1 --image images/final --pool small --unjournaled --reserve 24M)
	json '.devices[0].reserve == 25165824' ybdctl show r1
	b=$(ybdctl create r2 --image images/final --pool small --unjournaled)
	not fill "$b" 46 2>/dev/null
	fill "$a" 20
	ybdctl create r4 --image images/final --pool "$BIG" --unjournaled --volatile \
		--reserve 100M >/dev/null
	json '.devices[0].reserve == 104857600' ybdctl show r4
	not ybdctl create r3 --image images/final --pool small --unjournaled --reserve 60M 2>/dev/null
}
in_pools "a reserve" reserved

# What was known of a pool must not come back after others have written to it. The
# kernel's own test mode freezes everything, waits for five seconds, and goes on.
hibernation()
{
	local state=/sys/power/state

	grep -qs disk $state || { echo "no hibernation in this kernel"; return 77; }
	make hib >/dev/null
	not bash -c "echo disk >$state" 2>"$T/err"
	grep -q 'busy' "$T/err"
	dmesg | grep -q 'is in use: no hibernation before its devices are detached'
	udevadm settle
	ybdctl detach hib
	echo freezer >/sys/power/pm_test
	echo disk >$state
	echo none >/sys/power/pm_test
	ybdctl attach hib >/dev/null
}
in_pools "no hibernation while a pool is in use" hibernation

ktap_end
