# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# File systems, and what stands on what.

ext4_twice()
{
	ybdctl create a --image images/final --ram 16M >/dev/null
	ybdctl create b --image images/final --ram 16M >/dev/null
	ybdctl mount a /mnt/a
	json '.type == "ext4" and .read_only == false and .directory == "/mnt/b"' \
		ybdctl mount b /mnt/b -o noatime,nosuid
	findmnt -n -o OPTIONS /mnt/b | grep -q 'nosuid.*noatime'
	chroot /mnt/a /opt/app/run | grep -q 'hello from ybd-fixture (final)'
	echo a >/mnt/a/who
	echo b >/mnt/b/who
	sync
	[ "$(cat /mnt/a/who /mnt/b/who | tr -d '\n')" = ab ]
	refused 4 'a: ' ybdctl detach a
	refused 3 'not mounted on /mnt/b' ybdctl umount a /mnt/b
	refused 3 'not mounted' ybdctl umount a /tmp
	refused 3 '/nope: No such file' ybdctl umount a /nope
	refused 3 'No such file' ybdctl mount a /nope
	ybdctl umount a /mnt/a
	refused 3 'not mounted on /mnt/a' ybdctl umount a /mnt/a
	refused 4 'target is busy|resource busy' bash -c 'cd /mnt/b; ybdctl umount b /mnt/b'
	ybdctl umount b /mnt/b
}
alone "mount: two ext4 of one image" ext4_twice

# make_fs TYPE FILE ARGS...
make_fs()
{
	truncate -s 320M "$2"
	"mkfs.$1" "${@:3}" "$2" >/dev/null 2>&1
}

xfs_twice()
{
	make_fs xfs "$T/xfs"
	ybdctl image load --layer "file:$T/xfs" --name x -q
	ybdctl create a --image x --ram 32M >/dev/null
	ybdctl create b --image x --ram 32M >/dev/null
	ybdctl create c --image x --ro >/dev/null
	ybdctl mount a /mnt/a
	ybdctl mount b /mnt/b
	json '.options == "nouuid,norecovery" and .read_only' ybdctl mount c /mnt/c
	echo a >/mnt/a/who
	echo b >/mnt/b/who
	sync -f /mnt/a
	[ "$(cat /mnt/a/who /mnt/b/who | tr -d '\n')" = ab ]
	[ ! -e /mnt/c/who ]
	ybdctl umount a /mnt/a
	ybdctl umount b /mnt/b
	ybdctl umount c /mnt/c
}
alone "mount: two xfs of one image, and a read-only one" xfs_twice

dirty_journal()
{
	# a snapshot of a mounted file system: the journal is to be replayed
	make_fs ext4 "$T/live"
	mount -o loop "$T/live" /mnt/a
	echo x >/mnt/a/x
	sync -f /mnt/a
	cp --sparse=always "$T/live" "$T/snap"
	umount /mnt/a
	ybdctl image load --layer "file:$T/snap" --name s -q
	ybdctl create r --image s --ro >/dev/null
	json '.options == "noload" and .read_only' ybdctl mount r /mnt/a
	ybdctl umount r /mnt/a
	ybdctl create w --image s --ram 8M >/dev/null
	ybdctl mount w /mnt/a --ro
	not touch /mnt/a/y 2>/dev/null
	ybdctl umount w /mnt/a
	ybdctl mount w /mnt/a
	[ "$(cat /mnt/a/x)" = x ]
	ybdctl umount w /mnt/a
}
alone "mount: a journal that wants replaying" dirty_journal

others()
{
	make_fs btrfs "$T/btrfs"
	mkdir -p "$T/dir"
	echo hello >"$T/dir/f"
	mkfs.erofs "$T/erofs" "$T/dir" >/dev/null 2>&1
	mksquashfs "$T/dir" "$T/squash" -noappend >/dev/null 2>&1
	truncate -s 1M "$T/zero"
	for i in btrfs erofs squash zero; do
		# a whole number of blocks
		truncate -s %4096 "$T/$i"
		ybdctl create "$i" --layer "file:$T/$i" --ro >/dev/null
	done
	refused 7 'btrfs mixes up' ybdctl mount btrfs /mnt/a
	refused 7 'no file system' ybdctl mount zero /mnt/a
	for i in erofs squash; do
		ybdctl mount "$i" /mnt/a
		[ "$(cat /mnt/a/f)" = hello ]
		ybdctl umount "$i" /mnt/a
	done
	refused 3 'no such device' ybdctl mount nope /mnt/a
}
alone "mount: erofs and squashfs, but not btrfs or nothing" others

stacked()
{
	local loop

	# a file on a file system on a ybd device, and one more loop device below
	ybdctl create a --image images/final --ram 32M >/dev/null
	ybdctl mount a /mnt/a
	truncate -s 4M /mnt/a/f
	refused 7 'stands on the ybd device ybd0' ybdctl image load --layer file:/mnt/a/f
	refused 7 'stands on the ybd device ybd0' ybdctl image load --layer dev:/dev/ybd0
	mkfs.ext4 -q /mnt/a/f
	mount -o loop /mnt/a/f /mnt/b
	truncate -s 1M /mnt/b/g
	refused 7 'stands on the ybd device ybd0' ybdctl image load --layer file:/mnt/b/g
	umount /mnt/b
	mkdir -p /mnt/a/up /mnt/a/work
	mount -t overlay -o lowerdir=/mnt,upperdir=/mnt/a/up,workdir=/mnt/a/work none /mnt/c
	truncate -s 1M /mnt/c/h
	refused 7 'stands on the ybd device ybd0' ybdctl image load --layer file:/mnt/c/h
	umount /mnt/c
	ybdctl umount a /mnt/a
	loop=$(losetup -f -r --show /dev/ybd0)
	refused 7 'stands on the ybd device ybd0' ybdctl image load --layer "dev:$loop"
	losetup -d "$loop"
	# neither do files of btrfs have the device number of their mount
	ybdctl create b --image images/final --ram 64M --size 512M >/dev/null
	mkfs.btrfs -q -f /dev/ybd1
	mount /dev/ybd1 /mnt/b
	truncate -s 1M /mnt/b/f
	refused 7 'stands on the ybd device ybd1' ybdctl image load --layer file:/mnt/b/f
	umount /mnt/b
}
alone "what stands on a ybd device is no source" stacked

device_mapper()
{
	modprobe dm-mod
	ybdctl create a --image images/final --ram 1M >/dev/null
	udevadm settle
	echo "0 8192 linear /dev/ybd0 0" | dmsetup create --noudevsync t
	udevadm settle
	refused 7 'stands on the ybd device ybd0' ybdctl image load --layer dev:/dev/mapper/t
	dmsetup remove --noudevsync --retry t
}
alone "device mapper over a ybd device is no source" device_mapper

claimed()
{
	local dev

	make_fs ext4 "$T/m"
	dev=$(losetup -f --show "$T/m")
	# by somebody else
	mount "$dev" /mnt/a
	refused 4 'claimed by somebody else' ybdctl image load --layer "dev:$dev"
	umount /mnt/a
	# by ybd
	ybdctl image load --layer "dev:$dev" --name m -q
	not mkfs.ext4 -q -F "$dev" 2>"$T/err"
	grep -q 'in use' "$T/err"
	ybdctl create a --image m --ro >/dev/null
	lsblk -n -s -o NAME /dev/ybd0 | grep -q "${dev#/dev/}"
	ybdctl detach a
	ybdctl image unload m
	mkfs.ext4 -q -F "$dev"
	losetup -d "$dev"
}
alone "sources are claimed" claimed
