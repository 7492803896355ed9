# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2034
# What the scripts of this directory share; sourced in a guest.

. tests/lib/ktap.sh

FIX=build/fixtures/lvstore
U_ROOTFS=029a3bc0-ce40-47bb-916f-2347922f1001
U_CHAIN=029a3bc0-ce40-47bb-916f-2347922f1002
U_EXT=ea807c11-0b1e-350c-345f-00d14653c5a1	# what esnap.img asks for
T=/run/ybd-test
mkdir -p "$T" /mnt/a /mnt/b /mnt/c

# "! command" does not end a function that runs with -e; this does. Only status
# 1 counts: others say that the command could not find out.
not()
{
	local got=0

	"$@" || got=$?
	[ $got = 1 ] || { echo "$*: status $got, not 1"; return 1; }
}

# A process takes a guest a tenth of a second: what all cases do is done by bash.

# refused CODE PATTERN COMMAND...: just that exit code, one line on stderr that
# matches, nothing on stdout.
refused()
{
	local want=$1 pattern=$2 got=0 out err
	shift 2

	out=$("$@" 2>"$T/err") || got=$?
	mapfile -t err <"$T/err"
	[ "$got" = "$want" ] || { echo "$*: status $got, not $want:" "${err[@]}"; return 1; }
	[ -z "$out" ] || { echo "$*: stdout: $out"; return 1; }
	[ ${#err[@]} = 1 ] || { echo "$*: not one line:"; printf '%s\n' "${err[@]}"; return 1; }
	[[ ${err[0]} =~ $pattern ]] || { echo "$*: no \"$pattern\" in: ${err[0]}"; return 1; }
}

# json FILTER COMMAND...: valid JSON of which jq makes true values only
json()
{
	local filter=$1 out
	shift

	# in a pipe: both take their time to start
	out=$("$@" --json | jq "if [$filter] | length > 0 and all then true else . end")
	[ "$out" = true ] || { echo "$*: not: $filter"; echo "$out"; return 1; }
}

stat_of()
{
	ybdctl show "$1" --json | jq ".devices[0].stats.$2"
}

# Without waiting: what a command left behind has to be gone when it returns.
nothing_left()
{
	local out

	out=$(ybdctl version)
	[[ $out == *' 0 devices, 0 images'* ]] || { echo "left: $out"; return 1; }
	! compgen -G '/sys/block/ybd*' || { echo "a disk is left"; return 1; }
	! compgen -G '/sys/block/*/holders/*' || { echo "a source is held"; return 1; }
	# loop devices clear themselves when their last user, also udev, has gone
	! compgen -G '/sys/block/loop*/loop' >/dev/null || udevadm settle
	! compgen -G '/sys/block/loop*/loop' || { echo "a loop device is left"; return 1; }
}

# remove_all [--force]: all devices and images
remove_all()
{
	local file name rest names=()

	for file in /sys/block/ybd*/ybd/name; do
		[ ! -e "$file" ] || names+=("$(<"$file")")
	done
	[ ${#names[@]} = 0 ] || ybdctl detach "$@" "${names[@]}"
	names=()
	while read -r name rest; do
		[ "$name" = NAME ] || names+=("$name")
	done < <(ybdctl image list)
	[ ${#names[@]} = 0 ] || ybdctl image unload "${names[@]}"
}

clean_up()
{
	remove_all
	nothing_left
}

# What a case made that failed in the middle.
sweep()
{
	local dir

	for dir in /mnt/c /mnt/b /mnt/a; do
		while umount -q "$dir"; do :; done
	done
	[ ! -e /dev/mapper/t ] || dmsetup remove --noudevsync --retry t
	udevadm settle
	remove_all --force
	losetup -D
	nothing_left
}

begin_and_end()
{
	[ ! -s "$T/under-way" ] || sweep
	echo "$1" >"$T/under-way"
	"$@"
	clean_up
	: >"$T/under-way"
}

# alone NAME COMMAND...: a case that finds no device and no image, however those
# before it ended, and that can remove all that it made.
alone()
{
	ktap_case "$1" begin_and_end "${@:2}"
}

# Four devices: c1 can be written to, c3 and c4 are of an image called mine.
four_devices()
{
	ybdctl create c1 --image images/final --ram 4M >/dev/null
	ybdctl create c2 --image images/final --ro >/dev/null
	ybdctl image load images/base --name mine -q
	ybdctl create c3 --image mine --ro >/dev/null
	ybdctl create c4 --image mine --ro >/dev/null
}

# sha256 of lvol $2 as SPDK read it, from fixture $1
golden()
{
	jq -r --arg n "$2" '.lvols[] | select(.name == $n) | .sha256' \
		"tests/fixtures/lvstore/$1.json"
}

# what is in a device, to be compared with what was: a guest does 30 MB of MD5 a
# second, 5 of SHA-256
digest()
{
	md5sum <"$1" | cut -d' ' -f1
}

sha()
{
	sha256sum <"$1" | cut -d' ' -f1
}
