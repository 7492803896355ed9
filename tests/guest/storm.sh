# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# Many namespaces that come and go, each with a device of its own; sourced in a guest,
# after nvmet.sh. Who sources it says how many (STORM_DISKS) and how often
# (STORM_EVENTS), has a port 1 of NVMe/TCP, restart_udevd(), and storm_quiet(), which is
# true when nobody is at work on what came or went.

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
		yes "disk $i" 2>/dev/null | head -c 1M >$f || :
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

# storm_right N: its device reads what the disk has if that is plugged in, and not if not
storm_right()
{
	if [ "${plugged[$1]}" = 1 ]; then
		reads "/dev/ybd/s$1" "${storm_sum[$1]}"
	else
		! reads "/dev/ybd/s$1" "${storm_sum[$1]}"
	fi
}

# What is known of the device that is not as it should be.
storm_why()
{
	local u

	storm_uuid u "$1"
	echo "s$1: plugged ${plugged[$1]}"
	ls -l "/dev/ybd/s$1" "/dev/disk/by-id/nvme-uuid.$u" || :
	ybdctl list || :
	ybdctl source list || :
	dmesg | grep -e "s$1:" -e "$u" | tail -n 20 || :
	! command -v journalctl >/dev/null || journalctl -o short-monotonic -n 200 || :
}

# The end state, one after the other, as a hundred take their time; then all of them once
# more, when there is nobody left who would change it.
storm_state()
{
	local i

	for ((i = 1; i <= STORM_DISKS; i++)); do
		until_true 300 storm_right $i || { storm_why $i; return 1; }
	done
	until_true 300 storm_quiet
	for ((i = 1; i <= STORM_DISKS; i++)); do
		storm_right $i || { echo "not any more"; storm_why $i; return 1; }
	done
}

storm()
{
	local plugged=() storm_sum=() sum i

	for ((i = 1; i <= STORM_DISKS; i++)); do
		plugged[i]=1
		sum=$(md5sum </tmp/storm$i)
		storm_sum[i]=${sum%% *}
	done
	udevadm trigger --action=add --subsystem-match=block
	storm_events
	udevadm settle
	storm_state
	# nothing twice, and no more images than there are disks
	json '(.devices | map(.name) | unique | length) == (.devices | length)' ybdctl list
	json '.images | map(select(.name | startswith("images/") | not)) | length <= '"$STORM_DISKS" \
		ybdctl image list
}
