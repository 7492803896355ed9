#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# shellcheck disable=SC2086
# systemd.sh 1 EVENTS DISKS STORM_EVENTS, systemd.sh 2: first and second boot of a
# guest of the suite systemd-vm.
set -uo pipefail
cd "$(dirname "$0")/../.."
. tests/cli/guest/common.sh
. tests/guest/nvmet.sh
. tests/guest/storm.sh

STORE=nqn.2026-01.ybd:store
U_STORE=10ac0000-0000-4000-8000-000000000002
POOL=$(readlink -f /dev/disk/by-id/virtio-disk0)
SEED=${YBD_SEED:-$(date +%s)}

none_failed()
{
	local out

	out=$(systemctl list-units --failed --plain --no-legend)
	[ -z "$out" ] || { echo "failed units: $out"; journalctl -n 50; return 1; }
}

# The hotplug units have all ended, and the one of udevd's restarts.
idle()
{
	[ -z "$(systemctl list-units --plain --no-legend --state=activating 'ybd-hotplug@*' \
		ybd-rescan.service)" ]
}

unit_of()
{
	local disk

	disk=$(ybdctl wait --source $U_STORE --timeout 30)
	disk=${disk#/dev/}
	echo "ybd-hotplug@$disk:$(<"/sys/block/$disk/diskseq").service"
}

# -------- the first boot --------

connected()
{
	systemctl is-active ybd-connect ybd-attach
	ybdctl wait --source images --timeout 30
	none_failed
}

made()
{
	ybdctl pool create -q --name local "$POOL" >/dev/null
	ybdctl create db --image images/final --pool local --autostart --unjournaled >/dev/null
	soon test -b /dev/ybd/db
	dd if=/dev/urandom of=/dev/ybd/db bs=4k count=3 seek=2 oflag=direct conv=fsync status=none
	digest /dev/ybd/db >"$YBD_SHARE/digest"
	ybdctl create fs --image images/final --pool local --autostart --unjournaled \
		--size 96M >/dev/null
	soon test -b /dev/ybd/fs
	mkfs.ext4 -q -F /dev/ybd/fs
}

# A disk that comes asks for a unit of its own, which attaches what waits for it.
comes()
{
	local unit

	ybdctl detach --all
	ybdctl image unload --all
	nvmet_enable $STORE 1 0
	soon test ! -e /dev/disk/by-id/nvme-uuid.$U_STORE
	nvmet_enable $STORE 1 1
	soon test -b /dev/ybd/db
	soon test -b /dev/ybd/fs
	unit=$(unit_of)
	soon idle
	[ "$(systemctl show -P Result "$unit")" = success ]
	journalctl -u "$unit" -o cat | grep -q 'db: attached as /dev/ybd'
	[ "$(digest /dev/ybd/db)" = "$(<"$YBD_SHARE/digest")" ]
	none_failed
}

# Nobody waits for a device unit of ours, so there is none.
no_device_units()
{
	[ -z "$(systemctl list-units --all --plain --no-legend 'dev-ybd*.device')" ]
}

# systemd counts starts, and has enough of them soon; this begins anew.
often() { systemctl reset-failed systemd-udevd; }

# Those that come while it is away wait for it, in a socket that systemd keeps; those that
# it has taken from there and not come to are lost (before systemd 258).
restart_udevd()
{
	often
	systemctl restart systemd-udevd
}

# It ends, and what it had not come to is forgotten; not only there, to be sure of it.
udevd_forgets()
{
	systemctl stop systemd-udevd-kernel.socket systemd-udevd-control.socket systemd-udevd
	"$@"
	often
	systemctl start systemd-udevd
}

disk_comes()
{
	nvmet_enable $STORE 1 1
	ybdctl wait --source $U_STORE --timeout 30
}

forgotten_disk()
{
	ybdctl detach --all
	ybdctl image unload --all
	nvmet_enable $STORE 1 0
	soon test ! -e /dev/disk/by-id/nvme-uuid.$U_STORE
	udevd_forgets disk_comes
	soon readable
	soon test -b /dev/ybd/fs
	none_failed
}

# devices_change: db and fs have each other's place
devices_change()
{
	ybdctl detach db fs
	ybdctl attach fs
	ybdctl attach db
	ybdctl create new --image images/final --ro
}

forgotten_links()
{
	local name

	udevd_forgets devices_change
	for name in db fs new; do
		soon link_is_right $name
	done
	soon idle
	ybdctl detach new
	soon test ! -e /dev/ybd/new
	none_failed
}

link_is_right()
{
	[ "$(readlink -f "/dev/ybd/$1")" = "$(ybdctl show "$1" --json | jq -r '.devices[0].path')" ]
}

# store_comes_and_goes EVENTS: and udevd ends and starts in between
store_comes_and_goes()
{
	local on=(x 1 1) i n

	RANDOM=$SEED
	for ((i = 0; i < $1; i++)); do
		n=$((RANDOM % 2 + 1))
		on[n]=$((!on[n]))
		nvmet_enable $STORE $n "${on[n]}"
		[ $((RANDOM % 8)) != 0 ] || restart_udevd
		sleep "0.$((RANDOM % 8))"
	done
	for n in 1 2; do
		[ "${on[n]}" = 1 ] || nvmet_enable $STORE $n 1
	done
	ybdctl wait --source $U_STORE --timeout 30 >/dev/null
	udevadm settle
	soon idle
	soon readable
	json '.devices | map(.name) | sort == ["db", "fs"]' ybdctl list
	[ "$(compgen -G '/sys/block/nvme*n*' | grep -cv 'c[0-9]*n')" = 2 ]
	none_failed
}

readable()
{
	[ "$(digest /dev/ybd/db 2>/dev/null)" = "$(<"$YBD_SHARE/digest")" ]
}

storm_quiet() { idle; }

# No unit of the storm is left failed, or at work, when all have had their turn.
stormed()
{
	local i names=()

	storm
	none_failed
	for ((i = 1; i <= STORM_DISKS; i++)); do
		names+=("s$i")
	done
	ybdctl destroy --force "${names[@]}"
	mapfile -t names < <(ybdctl image list --json |
		jq -r '.images[] | select(.devices == 0) | .name')
	ybdctl image unload "${names[@]}"
	ybdctl disconnect $STORM
	soon readable
	json '.devices | map(.name) | sort == ["db", "fs"]' ybdctl list
}

container()
{
	systemctl start container
	soon test -s "$YBD_SHARE/durable"
	systemctl is-active container
}

first()
{
	ktap_case "boot: connected, and nothing failed" connected
	ktap_case "devices that start by themselves are made" made
	ktap_case "a disk that comes has a unit, and its devices are there" comes
	ktap_case "devices have no device units" no_device_units
	ktap_case "a disk that udevd has forgotten is found when it starts again" forgotten_disk
	ktap_case "links that it has forgotten are made" forgotten_links
	ktap_note "seed $SEED (YBD_SEED)"
	ktap_case "a storm of $1 events, with restarts of udevd" store_comes_and_goes "$1"
	ktap_case "a device for each of $STORM_DISKS namespaces" storm_up local
	ktap_case "storm: $STORM_EVENTS events of theirs, with restarts of udevd" stormed
	ktap_case "a container runs while the host goes down" container
}

# -------- the second boot --------

# Detached, unloaded, disconnected: in that order, before the storage ended.
ended_in_order()
{
	cat "$YBD_SHARE/at-end"
	grep -q ' 0 devices, 0 images' "$YBD_SHARE/at-end"
	grep -qx 'controllers: 0' "$YBD_SHARE/at-end"
}

back()
{
	none_failed
	soon test -b /dev/ybd/db
	soon test -b /dev/ybd/fs
	[ "$(digest /dev/ybd/db)" = "$(<"$YBD_SHARE/digest")" ]
}

# Unmounted and flushed: nothing to recover, and nothing lost.
file_system()
{
	local state number

	state=$(dumpe2fs -h /dev/ybd/fs 2>/dev/null)
	grep -q '^Filesystem state: *clean$' <<<"$state"
	not grep -q needs_recovery <<<"$state"
	e2fsck -fn /dev/ybd/fs
	ybdctl mount fs /mnt/a
	number=$(</mnt/a/number)
	ybdctl umount fs /mnt/a
	echo "number $number, durable $(<"$YBD_SHARE/durable")"
	[ "$number" -ge "$(<"$YBD_SHARE/durable")" ]
}

# Of a mount that nobody has ordered after the units, only that the host goes down.
left_mounted()
{
	touch "$YBD_SHARE/in-use"
	mount /dev/ybd/fs /mnt/b
	echo last >/mnt/b/last
}

second()
{
	ktap_case "the first boot ended in order" ended_in_order
	ktap_case "boot: what starts by itself is there" back
	ktap_case "the container's file system was unmounted" file_system
	ktap_case "a file system is left mounted" left_mounted
}

if [ "$1" = 1 ]; then
	STORM_DISKS=$3 STORM_EVENTS=$4
	first "$2"
else
	second
fi
ktap_end
