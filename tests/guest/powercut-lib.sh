# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2034,SC2154
# What scripts for power cuts have in common; sourced, in a guest.

bin=/ybd/build/guest/tests/ybd-powercut
# What the uppers are over.
image=/dev/disk/by-id/nvme-uuid.59424400-0000-4000-8000-000000000000

network()
{
	modprobe -a virtio_net nbd loop
	until [ -e /sys/class/net/eth0 ]; do
		sleep 0.05
	done
	ip addr add 10.0.2.15/24 dev eth0
	ip link set eth0 up
}

# connect N PORT: the Nth recorder of the host is $disk, its marks $marks
connect()
{
	disk=/dev/nbd$1 marks=/dev/disk/by-id/virtio-marks$1
	nbd-client 10.0.2.2 "$2" "$disk" -N disk -b 512 -C 2 >/dev/null
	grep -qx 1 "/sys/block/${disk#/dev/}/queue/fua"
}

# load_module [MUTANT]: which is to do something wrong
load_module()
{
	if [ -n "${1:-}" ]; then
		insmod "$YBD_SHARE/ybd-mutants.ko" mutant="$1"
	else
		modprobe ybd
	fi
}

names() { ybdctl list --json | jq -r '.devices[].name'; }

# No device, no image, no module.
unload_module()
{
	local name

	udevadm settle
	for name in $(names); do
		ybdctl detach "$name"
	done
	for name in $(ybdctl image list --json | jq -r '.images[].name'); do
		ybdctl image unload "$name"
	done
	udevadm settle
	rmmod ybd
}
