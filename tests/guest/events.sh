# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# What udev's rules do when disks come and go; sourced by tests/guest/hotplug.sh.
# No systemd here: the rules run ybdctl hotplug themselves.

U_STORE=10ac0000-0000-4000-8000-000000000002
EVENTS=nqn.2026-01.ybd:events
. tests/guest/storm.sh
POOL=$(readlink -f /dev/disk/by-id/virtio-disk0)

node() { [ -b "$1" ]; }
gone() { [ ! -e "$1" ]; }
logged() { dmesg | grep -qE "ybdctl: $1"; }
any() { compgen -G "$1" >/dev/null; }

# timed NAME GLOB COMMAND...: from the command to the namespace and to /dev/ybd/db.
timed()
{
	local name=$1 glob=$2 t0 t1 t2
	shift 2

	t0=${EPOCHREALTIME/./}
	"$@"
	until_true 30 any "$glob"
	t1=${EPOCHREALTIME/./}
	until_true 30 node /dev/ybd/db
	t2=${EPOCHREALTIME/./}
	echo "$name: namespace after $(((t1 - t0) / 1000)) ms," \
		"/dev/ybd/db after $(((t2 - t0) / 1000)) ms:" \
		"$(((t2 - t0) * 10 / (t1 - t0)))/10 of the kernel's time" >>"$T/times"
}

install_rules()
{
	local f

	mkdir -p /run/udev/rules.d
	for f in tools/udev/*.rules.in; do
		sed 's,@sbindir@,/usr/local/sbin,' "$f" >"/run/udev/rules.d/$(basename "$f" .in)"
	done
	udevadm control --reload
	# it reads them again for the next event, which is not what is to be timed
	udevadm trigger --settle --action=change /sys/block/vda
}

# One device that starts by itself, over images/final in a store on a namespace.
events_up()
{
	local sum

	cp --sparse=always "$FIX/rootfs.img" /tmp/store
	nvmet_subsys $EVENTS
	nvmet_ns $EVENTS 1 "$(losetup -f --show /tmp/store)" $U_STORE
	nvmet_show 1 $EVENTS
	nvmet_show 2 $EVENTS
	ybdctl connect $EVENTS "${TCP[@]}" --reconnect-delay 1 >/dev/null
	ybdctl wait --source images --timeout 20
	ybdctl pool create -q --name local "$POOL" >/dev/null
	ybdctl create db --image images/final --pool local --autostart --unjournaled >/dev/null
	dd if=/dev/urandom of=/dev/ybd0 bs=4k count=1 seek=2 oflag=direct status=none
	sum=$(dd if=/dev/ybd0 bs=1M count=1 iflag=direct status=none | md5sum)
	echo "${sum%% *}" >"$T/first"
	udevadm settle
	ybdctl detach db
	ybdctl image unload --all
	nvmet_enable $EVENTS 1 0
	until_true 20 not any '/sys/block/nvme*n*'
	install_rules
}

is_alone()
{
	[ "$(ybdctl list --json | jq '.devices | length')" = 1 ]
}

comes()
{
	gone /dev/ybd/db
	refused 3 'not there after 1 s' ybdctl wait --source "uuid:$U_STORE" --timeout 1
	timed "NVMe/TCP" "/sys/block/nvme*n1" nvmet_enable $EVENTS 1 1
	[[ $(ybdctl wait --source $U_STORE --timeout 0) == /dev/nvme*n1 ]]
	reads /dev/ybd/db
	logged 'db: attached as /dev/ybd0'
}

goes_and_returns()
{
	dmesg -C
	nvmet_enable $EVENTS 1 0
	until_true 20 logged "source uuid:$U_STORE .* is gone: .* 1 devices: db"
	not reads /dev/ybd/db
	nvmet_enable $EVENTS 1 1
	until_true 20 logged "source uuid:$U_STORE is back as nvme"
	until_true 30 reads /dev/ybd/db
	is_alone
}

returns_while_open()
{
	dmesg -C
	exec {hold}</dev/ybd/db
	nvmet_enable $EVENTS 1 0
	until_true 20 logged "source .* is gone"
	not reads /dev/ybd/db
	nvmet_enable $EVENTS 1 1
	until_true 20 logged "source uuid:$U_STORE is back as nvme"
	until_true 20 reads /dev/ybd/db
	exec {hold}<&-
	is_alone
}

# What comes back with other contents is not taken for what it was.
returns_changed()
{
	local other=$T/other

	cp --sparse=always /tmp/store "$other"
	ybdctl lvol delete -q "$other" final
	dmesg -C
	exec {hold}</dev/ybd/db
	nvmet_enable $EVENTS 1 0
	until_true 20 logged "source .* is gone"
	nvmet_backing $EVENTS 1 "$(losetup -f --show "$other")"
	nvmet_enable $EVENTS 1 1
	until_true 20 logged "source uuid:$U_STORE: .*final"
	not reads /dev/ybd/db
	nvmet_enable $EVENTS 1 0
	until_true 20 not any '/sys/block/nvme*n*'
	nvmet_backing $EVENTS 1 "$(losetup -j /tmp/store -n -O NAME)"
	nvmet_enable $EVENTS 1 1
	until_true 20 logged "source uuid:$U_STORE is back as nvme"
	until_true 20 reads /dev/ybd/db
	exec {hold}<&-
	is_alone
}

# Where systemd runs, the rule starts nothing itself: it asks for the disk's unit.
asks_for_unit()
{
	local disk out

	udevadm verify --no-summary /run/udev/rules.d/62-ybd-hotplug.rules
	disk=$(ybdctl wait --source $U_STORE --timeout 0)
	disk=${disk#/dev/}
	mkdir -p /run/systemd/system
	out=$(udevadm test --action=add "/sys/block/$disk" 2>&1) || :
	rmdir /run/systemd/system
	grep -q "SYSTEMD_WANTS=ybd-hotplug@$disk:$(<"/sys/block/$disk/diskseq").service" <<<"$out"
	! grep -q 'RUN.*hotplug' <<<"$out"
}

# A path is lost while it is read from; nobody notices.
path_drops()
{
	local reader

	ybdctl connect $EVENTS "${TCP[@]}" --trsvcid 4421 >/dev/null
	soon paths $EVENTS 2
	(
		until [ -e "$T/enough" ]; do
			dd if=/dev/ybd/db of=/dev/null bs=64k count=64 iflag=direct status=none || exit 1
		done
	) &
	reader=$!
	nvmet_hide 1 $EVENTS
	soon paths $EVENTS 1
	pause 1
	kill -0 $reader
	: >"$T/enough"
	wait $reader
	nvmet_show 1 $EVENTS
	soon paths $EVENTS 2
	reads /dev/ybd/db
}

# The pool's own disk: what was flushed is there when it returns.
pool_returns()
{
	local sum pool=/dev/disk/by-id/nvme-QEMU_NVMe_Ctrl_POOL

	truncate -s 128M "$YBD_SHARE/hotpool"
	pool_disk 1
	ybdctl pool create --name remote $pool -q >/dev/null
	ybdctl create p --image images/final --pool remote --autostart --unjournaled >/dev/null
	until_true 20 node /dev/ybd/p
	dd if=/dev/urandom of=/dev/ybd/p bs=64k count=2 oflag=direct conv=fsync status=none
	sum=$(dd if=/dev/ybd/p bs=1M count=1 iflag=direct status=none | md5sum)
	dmesg -C
	qemu-monitor device_del pool1
	until_true 20 logged 'pool remote \(nvme[0-9]+n1\) is gone: detach 1 devices: p'
	until_true 20 gone "$(readlink -f $pool)"
	# somebody looks at it just then, as a monitoring agent might
	exec {hold}</dev/ybd/p
	pool_disk 2
	pause 1.5
	exec {hold}<&-
	until_true 40 reads /dev/ybd/p "${sum%% *}"
	ybdctl detach p
	ybdctl pool check $pool
	qemu-monitor device_del pool2
}

# pool_disk N: the file in a port, for the Nth time
pool_disk()
{
	qemu-monitor drive_add 0 "if=none,id=pool$1,format=raw,file=$YBD_HOST_SHARE/hotpool"
	qemu-monitor device_add "nvme,id=pool$1,serial=POOL,drive=pool$1,bus=rp1"
	until_true 30 node /dev/disk/by-id/nvme-QEMU_NVMe_Ctrl_POOL
}

# no_trace: no device, image or holder; the loop devices are the target's
no_trace()
{
	udevadm settle
	ybdctl detach --all
	ybdctl image unload --all
	[[ $(ybdctl version) == *' 0 devices, 0 images'* ]]
	not any '/sys/block/ybd*'
	not any '/sys/block/*/holders/*'
}

events_down()
{
	no_trace
	ybdctl disconnect $EVENTS
}

# PCIe: a controller in a free port, and pulled out again.
pcie()
{
	local i

	cp --sparse=always "$FIX/rootfs.img" "$YBD_SHARE/hot"
	for ((i = 1; i <= PCIE_TIMES; i++)); do
		gone /dev/ybd/db
		dmesg -C
		qemu-monitor drive_add 0 "if=none,id=hot$i,format=raw,file=$YBD_HOST_SHARE/hot"
		timed "PCIe" "/sys/block/nvme*n1" \
			qemu-monitor device_add "nvme,id=h$i,serial=HOT,drive=hot$i,bus=rp0"
		reads /dev/ybd/db
		qemu-monitor device_del h$i
		until_true 20 logged "source .* is gone: .* 1 devices: db"
		not reads /dev/ybd/db
		no_trace
	done
	ybdctl pool destroy --force "$POOL"
}

# ---- many at once ----

storm_made()
{
	ybdctl pool create -q --name storm "$POOL" >/dev/null
	storm_up storm
}

# What came meanwhile is lost to it, as at boot: it is asked to look at all.
restart_udevd()
{
	udevadm control --exit
	/usr/lib/systemd/systemd-udevd --daemon
	udevadm trigger --action=add --subsystem-match=block
}

storm_quiet() { not pgrep -x ybdctl; }

stormed()
{
	storm
	no_trace
	ybdctl disconnect $STORM
	ybdctl pool check "$POOL"
}

nvmet_subsys_up()
{
	nvmet_port 1 tcp 127.0.0.1 4420
	nvmet_port 2 tcp 127.0.0.1 4421
}

nvmet_subsys_up
ktap_case "a device that waits for its source" events_up
ktap_case "a namespace comes: its device is there" comes
ktap_case "with systemd, the disk's unit is asked for" asks_for_unit
ktap_case "it goes and returns: the device reads again" goes_and_returns
ktap_case "it returns while the device is open: reads go on" returns_while_open
ktap_case "it returns with other contents: not while the device is open" returns_changed
ktap_case "a path of two is lost: nobody notices" path_drops
ktap_case "the disk of a pool goes and returns" pool_returns
ktap_case "nothing is left" events_down
ktap_case "PCIe: hot-add, surprise removal" pcie
ktap_case "a device for each of $STORM_DISKS namespaces" storm_made
ktap_case "storm: $STORM_EVENTS events, udevd restarted meanwhile" stormed
ktap_note "$(cat "$T/times")"
nvmet_down
