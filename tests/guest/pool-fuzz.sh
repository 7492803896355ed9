#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# pool-fuzz.sh [OPTIONS OF ybd-poolfuzz]: in the guest, for the suite pool-fuzz-vm.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/guest/nullb

# Whoever else opens devices makes them busy.
udevadm settle
udevadm control --exit
modprobe ybd
nullb_make pool
# Each refusal says why in the kernel's log; a console is slow.
dmesg -n 2
status=0
build/guest/tests/ybd-poolfuzz "$@" "$nullb_dev" tests/fuzz/pool-regress/* || status=$?
rmmod ybd || status=1
exit $status
