# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# Many namespaces that come and go, each with a device of its own; sourced in a guest,
# after nvmet.sh. Who sources it says how many (STORM_DISKS) and how often
# (STORM_EVENTS), has a port 1 of NVMe/TCP, and restart_udevd().

STORM=nqn.2026-01.ybd:storm

# pause SECONDS: without a process
exec {never}<> <(:)
pause()
{
	read -rt "$1" -u "$never" _ || :
}

# until_true SECONDS COMMAND...: those that start no process are asked often; what
# others cost would be taken from what is waited for
until_true()
{
	local end=$((${EPOCHREALTIME/./} + $1 * 1000000)) step=0.3
	shift

	case $1 in
	node | gone | any) step=0.005 ;;
	esac

	while ! "$@"; do
		[ "${EPOCHREALTIME/./}" -lt $end ] || { echo "never: $*"; return 1; }
		pause $step
	done
}

# reads DEVICE [MD5]: its first MiB can be read, and is that
reads()
{
	local sum

	sum=$(dd if="$1" bs=1M count=1 iflag=direct status=none 2>/dev/null | md5sum) || return 1
	[ "${sum%% *}" = "${2-$(<"$T/first")}" ]
}

# of number N: a MiB of it
storm_uuid() { printf -v "$1" '5702a000-0000-4000-8000-%012d' "$2"; }

storm_none()
{
	ybdctl detach --all && ybdctl image unload --all
}

# storm_up POOL: the namespaces are there, the devices wait for the next event
storm_up()
{
	local i u f

	nvmet_subsys $STORM
	nvmet_show 1 $STORM
	ybdctl connect $STORM --transport tcp --traddr 127.0.0.1 >/dev/null
	for ((i = 1; i <= STORM_DISKS; i++)); do
		storm_uuid u $i
		f=/tmp/storm$i
		head -c 1M <(yes "disk $i") >$f
		nvmet_ns $STORM $i "$(losetup -f --show $f)" "$u"
		ybdctl wait --source "uuid:$u" --timeout 20 >/dev/null
		ybdctl create "s$i" --layer "dev:uuid:$u" --pool "$1" --autostart >/dev/null
	done
	udevadm settle
	# with systemd, a unit may still be at one of them
	soon storm_none
}

storm_events()
{
	local i n

	for ((i = 0; i < STORM_EVENTS; i++)); do
		n=$((RANDOM % STORM_DISKS + 1))
		plugged[n]=$((RANDOM & 1))
		nvmet_enable $STORM $n "${plugged[n]}"
		[ $((RANDOM % 4)) != 0 ] || pause 0.1
		[ $((i % 8)) != 4 ] || restart_udevd
	done
}

# Devices of what is plugged in read, and no others do.
storm_state()
{
	local i sum

	for ((i = 1; i <= STORM_DISKS; i++)); do
		sum=$(head -c 1M <(yes "disk $i") | md5sum)
		if [ "${plugged[i]}" = 1 ]; then
			reads "/dev/ybd/s$i" "${sum%% *}" || { echo "s$i does not read"; return 1; }
		else
			! reads "/dev/ybd/s$i" "${sum%% *}" || { echo "s$i reads"; return 1; }
		fi
	done
}

storm()
{
	local plugged=() i

	for ((i = 1; i <= STORM_DISKS; i++)); do
		plugged[i]=1
	done
	udevadm trigger --action=add --subsystem-match=block
	storm_events
	udevadm settle
	until_true 60 storm_state
	until_true 30 not pgrep -x ybdctl
	# nothing twice, and no more images than there are disks
	json '(.devices | map(.name) | unique | length) == (.devices | length)' ybdctl list
	json '.images | map(select(.name | startswith("images/") | not)) | length <= '"$STORM_DISKS" \
		ybdctl image list
}
