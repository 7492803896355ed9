#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# netlink.sh [OPTIONS OF ybd-nlfuzz]: in the guest, for the suite netlink-vm.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/guest/nullb

# Whoever else opens devices makes them busy.
udevadm settle
udevadm control --exit
modprobe ybd
disks=()
nullb_make a
disks+=("$nullb_dev")
nullb_make b
disks+=("$nullb_dev")
nullb_make c blocksize=4096
disks+=("$nullb_dev")
nullb_make p
pool=$nullb_dev
ybdctl pool create --name fuzz "$pool" >/dev/null
status=0
build/guest/tests/ybd-nlfuzz -p "$pool" "$@" "${disks[@]}" || status=$?
ybdctl pool check "$pool" | sed 's/^/# /' || status=1
for d in "${disks[@]}" "$pool"; do
	[ -z "$(ls -A "/sys/block/${d##*/}/holders")" ] || { echo "# $d is held"; status=1; }
done
rmmod ybd || status=1
exit $status
