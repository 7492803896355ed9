#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# powercut-look.sh RUN: in a guest, attach what power cuts have left of pools
# ($YBD_SHARE/*.img.zst), and compare with what was read of it on the host.
set -euo pipefail
. "$(dirname "$0")/../lib/ktap.sh"
. "$(dirname "$0")/powercut-lib.sh"
run=$1
m=/tmp/mnt

fsck_clean()
{
	case $1 in
	ext4) e2fsck -fn "$2" ;;
	xfs) xfs_repair -n "$2" ;;
	esac
}

# The kernel recovers it; what was fsynced is there; then it has nothing to complain of.
look_into()
{
	local node=$1 txt=$2 fs what name number records

	# before there are files it may be in the middle of mkfs
	grep -q '^file' "$txt" || return 0
	fs=$(blkid -p -s TYPE -o value "$node")
	mount -t "$fs" "$node" "$m"
	while read -r what name number records; do
		[ "$what" = file ] || continue
		"$bin" check-file --run "$run" "$m"/files/"$name" "$number" "$records"
	done <"$txt"
	umount "$m"
	fsck_clean "$fs" "$node"
}

# shellcheck disable=SC2094 # nothing writes to it
look()
{
	local txt=$1 loop node what name bytes sum
	local names=()

	zstd -q -d --sparse -f "${txt%.txt}.img.zst" -o /tmp/pool
	loop=$(losetup -f --show /tmp/pool)
	while read -r what name bytes sum; do
		[ "$what" = upper ] || continue
		node=$(ybdctl attach "$name" --pool "$loop")
		[ "$(blockdev --getsize64 "$node")" = "$bytes" ]
		[ "$(sha256sum <"$node")" = "$sum  -" ]
		look_into "$node" "$txt"
		names+=("$name")
	done <"$txt"
	udevadm settle
	[ ${#names[@]} = 0 ] || ybdctl detach "${names[@]}"
	udevadm settle
	ybdctl pool check "$loop"
	losetup -d "$loop"
}

modprobe -a loop ybd
mkdir -p "$m"
for txt in "$YBD_SHARE"/*.txt; do
	name=$(basename "$txt" .txt)
	ktap_case "$YBD_KERNEL $name" look "$txt"
	[ "$ktap_failed" = 0 ] || break
done
[ "$ktap_failed" != 0 ] || ktap_case "$YBD_KERNEL nothing is left" unload_module
ktap_end
