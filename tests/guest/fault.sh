#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# fault.sh [OPTIONS OF ybd-fault]: in the guest, for the suite fault-vm.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit
. tests/guest/nullb
prog=build/guest/tests/ybd-fault
status=0 n=0

ok() { echo "ok $((++n)) - $1"; }
not_ok() { echo "not ok $((++n)) - $1"; status=1; }

udevadm settle
udevadm control --exit
modprobe ybd || exit
cp "$(modinfo -n ybd)" /tmp/ybd.ko
nullb_make a || exit
disk=$nullb_dev
pool=$(readlink -f /dev/disk/by-id/virtio-disk0)
ybdctl pool create --force -q "$pool" >/dev/null || exit
"$prog" "$@" -p "$pool" "$disk" || status=1

# MiB 5 of the source cannot be read, one way and the other.
sectors=$(blockdev --getsz "$disk")
lower()
{
	local name=$1
	shift

	if dmsetup create --noudevsync --noudevrules "bad" "$@"; then
		dmsetup mknodes
		[ "$name" != dust ] || {
			# in blocks of 4 KiB of the disk; the sector picks the target
			dmsetup message bad 10248 addbadblock 1281
			dmsetup message bad 10248 addbadblock 1282
			dmsetup message bad 10248 enable
		} >/dev/null
		"$prog" -t lower -b "$bad" -w "$disk" /dev/mapper/bad || status=1
		if dmsetup remove --noudevsync --noudevrules bad; then
			ok "dm-$name: the source is let go"
		else
			not_ok "dm-$name: the source is let go"
		fi
	else
		echo "ok $((++n)) - dm-$name # SKIP no such target"
	fi
}
bad=10240:12287
lower error <<EOT
0 10240 linear $disk 0
10240 2048 error
12288 $((sectors - 12288)) linear $disk 12288
EOT
# Every read of that MiB fails, writes do not matter.
lower flakey <<EOT
0 10240 linear $disk 0
10240 2048 flakey $disk 10240 0 100 1 error_reads
12288 $((sectors - 12288)) linear $disk 12288
EOT
bad=10248:10263
lower dust <<EOT
0 10248 linear $disk 0
10248 16 dust $disk 10248 4096
10264 $((sectors - 10264)) linear $disk 10264
EOT
if rmmod ybd; then
	ok "the module goes"
else
	not_ok "the module goes"
fi
echo "1..$n"
exit $status
