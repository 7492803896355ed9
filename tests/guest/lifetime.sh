#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# lifetime.sh [OPTIONS OF ybd-stress]: in the guest, for the suite lifetime-vm.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/guest/nullb

# Other kernels have it open every device; here it would take most of the time.
udevadm settle
[ "$YBD_KERNEL" != debug ] || udevadm control --exit
modprobe ybd
# Slow enough that I/O is under way when a device is taken away.
nullb_make slow irqmode=2 completion_nsec=3000000
slow=$nullb_dev
nullb_make fs
fs=$nullb_dev
nullb_make pool size=256 irqmode=2 completion_nsec=300000 cache_size=4
pool=$nullb_dev
ybdctl pool create --force -q "$pool" >/dev/null
mkfs.ext4 -q -O ^has_journal -b 4096 "$fs" 8192

kib() { awk -v k="$1:" '$1 == k { print $2 }' /proc/meminfo; }
before=$(($(kib Percpu) + $(kib SUnreclaim)))
status=0
build/guest/tests/ybd-stress "$@" -P "$pool" "$slow" "$fs" || status=$?

# What is left of the module when nothing uses it.
[ "$YBD_KERNEL" = debug ] || { udevadm settle; udevadm control --exit; }
echo 1..4
if ybdctl pool check "$pool"; then
	echo "ok 4 - nothing is wrong with the pool"
else
	echo "not ok 4 - nothing is wrong with the pool"
	status=1
fi
sleep 1
if grep '\[ybd\]' /proc/vmallocinfo | grep -v 'load_module\|module_alloc\|execmem'; then
	echo "not ok 1 - no map is left"
	status=1
else
	echo "ok 1 - no map is left"
fi
if rmmod ybd; then
	echo "ok 2 - the module goes"
else
	echo "not ok 2 - the module goes"
	status=1
fi
echo 3 >/proc/sys/vm/drop_caches
sleep 1
after=$(($(kib Percpu) + $(kib SUnreclaim)))
left=$(ls -d /sys/block/ybd* /sys/kernel/slab/{ram_chunk,io_hook,slow_io} /dev/ybd* \
	2>/dev/null || :)
echo "# slab and percpu: $before KiB before, $after KiB after; left: ${left:-nothing}"
# A thousand devices, leaked, would be tens of MiB. A debug kernel keeps what was
# freed and what it knows of it; there kmemleak says what is lost.
limit=12000
[ "$YBD_KERNEL" != debug ] || limit=$after
if [ -z "$left" ] && [ $((after - before)) -lt "$limit" ]; then
	echo "ok 3 - no slab, disk or memory is left"
else
	echo "not ok 3 - no slab, disk or memory is left"
	status=1
fi
exit $status
