#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# shellcheck disable=SC2086
# silent.sh: in the guest, for the suite silent-vm.
#
# A source that does not go away but stops answering: the link of NVMe/TCP is dropped, and
# a PCIe controller is kept from its memory. What the NVMe driver holds then is its own;
# from there on it is an error at once, or a read that waits, for as long as its device was
# told. Both times are measured and said.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/lib/ktap.sh
. tests/guest/nvmet.sh
. tests/guest/nullb
. tests/guest/two-layers.sh

work=/run/silent
NQN=nqn.2026-01.ybd:silent
uuid=0d0d0d0d-0000-4000-8000-000000000001
replug=build/guest/tests/ybd-replug
mib=$((1 << 20))
mkdir -p $work
modprobe -a ybd nvme
nvmet_up nvmet-tcp nvme-tcp
ip link set lo up
# of controllers that come from here on
echo 4 >/sys/module/nvme_core/parameters/io_timeout
echo 4 >/sys/module/nvme_core/parameters/admin_timeout
# how long the device waits that is to give up, and what may come on top of all
bound=3 slack=4

wait_for() # SECONDS COMMAND...
{
	local end=$((EPOCHSECONDS + $1))
	shift
	until "$@"; do
		[ $EPOCHSECONDS -lt $end ] || { echo "never: $*"; return 1; }
		sleep 0.1
	done
}

# One that waits long, one that does for a bound, and one that does not.
make_three() # NAME STORE SOURCE
{
	make_device "$1-waits" "$2" "$3" --ram 8M --replug-timeout 900
	make_device "$1-bound" "$2" "$3" --ro --replug-timeout $bound
	make_device "$1-fails" "$2" "$3" --ro
	udevadm settle
}

start() # NAME DEVICE
{
	rm -f "$work/$1."*
	mkfifo "$work/$1.stop"
	$replug read "/dev/ybd/$2" <"$work/$1.stop" >"$work/$1.out" 2>"$work/$1.err" &
	exec {fd}>"$work/$1.stop"
	declare -g "stop_$1=$fd"
	wait_for 60 grep -q reading "$work/$1.out"
}

stop() # NAME
{
	local v=stop_$1 fd
	fd=${!v}
	exec {fd}>&-
	wait_for 120 grep -q longest "$work/$1.out"
	sed 's/^/# /' "$work/$1.out" "$work/$1.err" >&2
}

# Nothing failed, nothing was wrong, and it did wait.
went_on() # NAME FROM-MS
{
	awk -v from="$2" '{ for (i = 1; i < NF; i++) v[$i] = $(i + 1) }
		END { exit !(v["reads"] > 20 && v["errors"] == 0 && v["wrong"] == 0 &&
			     v["longest"] >= from) }' "$work/$1.out" || { cat "$work/$1.out"; return 1; }
}

# A read in the background: when it ended, in ms, and how
read_one() # NAME
{
	local began=${EPOCHREALTIME/./} status=0
	timeout 200 dd if="/dev/ybd/$1" of=/dev/null bs=64K count=1 iflag=direct 2>"$work/$1.dd" ||
		status=$?
	echo $(((${EPOCHREALTIME/./} - began) / 1000)) $status >"$work/$1.took"
}

# ms that a read took which has to have failed
failed_after() # NAME
{
	local ms status
	wait_for 200 test -s "$work/$1.took"
	read -r ms status <"$work/$1.took"
	[ "$status" = 1 ] && grep -q "Input/output error" "$work/$1.dd" ||
		{ echo "status $status after $ms ms: $(cat "$work/$1.dd")"; return 1; }
	took=$ms
}

hold_of() { ybdctl source list "$1" --json -q | jq -r '.sources[0].hold_seconds'; }

parked() { ybdctl image show "$1/base+$1/top" --json | jq -e '.images[0].sources[0].parked > 0' >/dev/null; }

# silent PREFIX: reads of the two that give up; what they took
both_end()
{
	local fails hold

	hold=$(<"$work/hold")
	read_one "$1-fails" &
	read_one "$1-bound" &
	failed_after "$1-fails"
	fails=$took
	failed_after "$1-bound"
	wait
	echo "$1: with no timeout EIO after $fails ms, with $bound s after $took ms;" \
		"the driver may hold a read for $hold s" >>"$work/figures"
	[ $fails -le $(((hold + slack) * 1000)) ]
	[ $took -ge $((bound * 1000)) ]
	[ $took -le $(((hold + bound + slack) * 1000)) ]
	# from the driver's answer on, not from the beginning
	[ $((took - fails)) -ge $((bound * 1000 - 1500)) ]
}

detaches()
{
	timeout 60 ybdctl detach "$1-fails" "$1-bound"
	parked "$2"
}

$replug fill $work/full $((8 * mib))
$replug fill $work/half $((8 * mib)) 262144
nullb_make other
make_store $nullb_dev O
make_device other O $nullb_dev --ro
udevadm settle
start other other

# ---- TCP ----

tcp_disk()
{
	local f
	for f in /sys/block/nvme*/uuid; do
		[[ $f != */nvme*c*n* && $(cat "$f" 2>/dev/null) = "$uuid" ]] || continue
		disk=/dev/$(basename "$(dirname "$f")")
		[ ! -b "$disk" ] || return 0
	done
	return 1
}

tcp_connect()
{
	ybdctl connect $NQN --transport tcp --traddr 127.0.0.1 --keep-alive-tmo 4 \
		--reconnect-delay 1 --fast-io-fail-tmo 2 --ctrl-loss-tmo "$1" >/dev/null
	wait_for 60 tcp_disk
	tcp_disk
}

nullb_make one
nvmet_subsys $NQN
nvmet_ns $NQN 1 "$nullb_dev" $uuid
nvmet_port 1 tcp 127.0.0.1 4420
nvmet_show 1 $NQN
tcp_connect 600
make_store "$disk" L
make_three tcp L "$disk"
hold_of "$disk" >$work/hold
start tcp tcp-waits
ip link set lo down
ktap_case "TCP: the link is dropped: reads end within what was said" both_end tcp
ktap_case "  their devices can be detached, the others' reads wait" detaches tcp L
ip link set lo up
unparked() { ! parked "$1"; }
ktap_case "  the link is back, and so are they, with nothing done" wait_for 120 unparked L
stop tcp
ktap_case "  no error, nothing wrong" went_on tcp 3000

# and so long that the controller is given up
tcp_lost() { ! tcp_disk; }
ybdctl connect $NQN --transport tcp --traddr 127.0.0.1 --ctrl-loss-tmo 5 >/dev/null
start tcp2 tcp-waits
ip link set lo down
ktap_case "TCP: down until the controller is given up" wait_for 120 tcp_lost
ip link set lo up
again()
{
	tcp_connect 600
	ybdctl source swap "uuid:$uuid" "$disk"
}
ktap_case "  connected again, and handed in" again
stop tcp2
ktap_case "  no error, nothing wrong" went_on tcp2 5000
ybdctl detach tcp-waits
ybdctl image unload L/base+L/top
ybdctl disconnect $NQN >/dev/null
nvmet_down

# ---- PCIe ----

pcie_disk()
{
	local f
	for f in /sys/block/nvme*; do
		[[ $(cat "$f/device/serial" 2>/dev/null) != SILENT* ]] || {
			disk=/dev/${f##*/}
			[ ! -b "$disk" ] || return 0
		}
	done
	return 1
}

truncate -s 64M "$YBD_SHARE/silent"
qemu-monitor drive_add 0 "if=none,id=silent,format=raw,file=$YBD_HOST_SHARE/silent" >/dev/null
wait_for 60 qemu-monitor device_add nvme,id=silent,serial=SILENT,drive=silent,bus=rp0 >/dev/null
wait_for 60 pcie_disk
pcie_disk
slot=$(readlink -f "/sys/block/${disk##*/}/device/device")

# Its memory and its bus mastering off, again and again: it is there and does not answer.
mute()
{
	python3 - "$slot/config" "$work/mute" <<'PY'
import os, sys, time
fd = os.open(sys.argv[1], os.O_RDWR)
os.pwrite(fd, b"\0\0", 4)
open(sys.argv[2] + "d", "w").close()
while os.path.exists(sys.argv[2]):
    try:
        os.pwrite(fd, b"\0\0", 4)
    except OSError:
        pass
    time.sleep(0.002)
PY
}

make_store "$disk" P
make_three pcie P "$disk"
hold_of "$disk" >$work/hold
start pcie pcie-waits
# a reset waits for as long as the controller says that it takes to enable it: 7.5 s
slack=12
: >$work/mute
mute &
muter=$!
wait_for 30 test -e $work/muted
ktap_case "PCIe: a controller that does not answer: reads end within what was said" both_end pcie
ktap_case "  their devices can be detached, the others' reads wait" detaches pcie P
rm $work/mute
wait $muter
source=$(ybdctl image show P/base+P/top --json | jq -r '.images[0].sources[0].name')
returns()
{
	echo 1 >"$slot/remove"
	sleep 0.2
	echo 1 >/sys/bus/pci/rescan
	wait_for 60 pcie_disk
	pcie_disk
	udevadm settle
	ybdctl source swap "$source" "$disk"
}
ktap_case "  reset by its slot, and handed in" returns
stop pcie
ktap_case "  no error, nothing wrong" went_on pcie 3000
ybdctl detach pcie-waits
ybdctl image unload P/base+P/top

# ---- and who had nothing to do with it ----

stop other
prompt() { went_on other 0 && [ "$(awk '{ for (i = 1; i < NF; i++) if ($i == "longest") print $(i + 1) }' $work/other.out)" -lt 3000 ]; }
ktap_case "another source's reads did not wait" prompt
ybdctl detach other
ybdctl image unload O/base+O/top
ktap_case "the module goes" rmmod ybd
ktap_note "$(cat $work/figures)"
ktap_end
