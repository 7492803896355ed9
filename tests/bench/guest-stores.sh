# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash disable=SC2086,SC2154
# Copy-on-write stores by name, in the guest; sourced after guest-lib.sh.
#
# The caller sets lower, store and meta (block devices) and sectors (their size),
# and gets dev from up().

export XFS_FORCE=1
stores_dir=/mnt/store

# the peers' modules, and where files are kept
stores_init()
{
	modprobe -a ybd dm-mod dm-snapshot dm-thin-pool loop nbd
	mkdir -p "$stores_dir"
}

# files: a filesystem on the store, for what keeps its data in files
files()
{
	mkfs.ext4 -q -F -E lazy_itable_init=0,lazy_journal_init=0 "$store"
	mount "$store" "$stores_dir"
}

# up TARGET: sets dev
up()
{
	# what is not written yet costs less to write, and nobody is to have that
	[ "$1" = raw ] || blkdiscard -q -f -z "$store" 2>/dev/null || blkdiscard -f -z "$store" 2>/dev/null
	case $1 in
	raw)
		dev=$store
		;;
	ybd-pool | ybd-volatile)
		ybdctl pool create --force -q "$store" >/dev/null
		set -- "$1" --layer "dev:$lower" --pool "$store"
		[ "$1" = ybd-pool ] || set -- "$@" --volatile
		shift
		dev=$(ybdctl create bench "$@")
		;;
	dm-linear)
		dmsetup create bench --table "0 $sectors linear $store 0"
		;;
	dm-snapshot-*)
		blkdiscard -f -z -l 1M "$store"
		set -- ${1//-/ }
		dmsetup create bench --table \
			"0 $sectors snapshot $lower $store ${3^} $((${4%k} * 2))"
		;;
	dm-thin)
		blkdiscard -f -z -l 1M "$meta"
		dmsetup create thinpool --table "0 $sectors thin-pool $meta $store 128 0"
		dmsetup message thinpool 0 "create_thin 0"
		dmsetup create bench --table \
			"0 $sectors thin /dev/mapper/thinpool 0 $lower"
		;;
	loop)
		files
		# no copy-on-write; its blocks are there, as those of a full file are
		fallocate -l $((sectors * 512 * 3 / 4)) "$stores_dir/raw"
		fio --name=fill --filename="$stores_dir/raw" --rw=write --bs=1M --direct=1 \
			--output=/dev/null
		dev=$(losetup -f --show --direct-io=on "$stores_dir/raw")
		;;
	qcow2-nbd)
		files
		qemu-img create -q -f qcow2 -b "$lower" -F raw "$stores_dir/over.qcow2"
		qemu-nbd --fork --cache=none --aio=native --discard=unmap -f qcow2 \
			--connect=/dev/nbd0 "$stores_dir/over.qcow2"
		dev=/dev/nbd0
		# it lets go of the caller before the kernel has the size
		while [ "$(blockdev --getsz "$dev")" = 0 ]; do sleep 0.05; done
		;;
	esac
	case $1 in
	dm*) dev=/dev/mapper/bench ;;
	esac
}

down()
{
	case $1 in
	ybd-*)
		ybdctl -q destroy bench
		ybdctl -q image unload "$(ybdctl --json image list | jq -r '.images[0].name')"
		;;
	dm-*)
		dmsetup remove bench
		[ "$1" != dm-thin ] || dmsetup remove thinpool
		;;
	loop)
		losetup -d "$dev"
		umount "$stores_dir"
		;;
	qcow2-nbd)
		qemu-nbd --disconnect /dev/nbd0 >/dev/null
		while pgrep -x qemu-nbd >/dev/null; do sleep 0.05; done
		umount "$stores_dir"
		;;
	esac
}
