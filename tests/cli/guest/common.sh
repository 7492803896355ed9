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

# "! command" does not end a function that runs with -e; this does
not()
{
	! "$@"
}

# refused CODE PATTERN COMMAND...: just that exit code, one line on stderr that
# matches, nothing on stdout.
refused()
{
	local want=$1 pattern=$2 got=0 out
	shift 2

	out=$("$@" 2>"$T/err") || got=$?
	[ "$got" = "$want" ] || { echo "$*: status $got, not $want"; cat "$T/err"; return 1; }
	[ -z "$out" ] || { echo "$*: stdout: $out"; return 1; }
	[ "$(wc -l <"$T/err")" = 1 ] || { echo "$*: not one line:"; cat "$T/err"; return 1; }
	grep -qE -- "$pattern" "$T/err" || { echo "$*: no \"$pattern\" in:"; cat "$T/err"; return 1; }
}

# soon COMMAND...: wait until it succeeds, but not for ever
soon()
{
	local i

	for ((i = 0; i < 300; i++)); do
		! "$@" || return 0
		sleep 0.1
	done
	echo "never: $*"
	return 1
}

# json FILTER COMMAND...: valid JSON of which jq makes a true value
json()
{
	local filter=$1
	shift

	"$@" --json >"$T/json"
	jq -e "$filter" "$T/json" >/dev/null || { echo "$*: not: $filter"; cat "$T/json"; return 1; }
}

stat_of()
{
	ybdctl show "$1" --json | jq ".devices[0].stats.$2"
}

# Without waiting: what a command left behind has to be gone when it returns.
nothing_left()
{
	json '.devices == []' ybdctl list
	json '.images == []' ybdctl image list
	! compgen -G '/sys/block/ybd*' || { echo "a disk is left"; return 1; }
	! compgen -G '/sys/block/*/holders/*' || { echo "a source is held"; return 1; }
	# loop devices clear themselves when their last user, also udev, has gone
	udevadm settle
	! compgen -G '/sys/block/loop*/loop' || { echo "a loop device is left"; return 1; }
}

# Remove all that a case made, also one that failed in the middle.
clean_up()
{
	local names

	umount -q /mnt/a /mnt/b /mnt/c 2>/dev/null || :
	mapfile -t names < <(ybdctl list --json | jq -r '.devices[].name')
	[ ${#names[@]} = 0 ] || ybdctl detach --force "${names[@]}"
	mapfile -t names < <(ybdctl image list --json | jq -r '.images[].name')
	[ ${#names[@]} = 0 ] || ybdctl image unload "${names[@]}"
	nothing_left
}

# sha256 of lvol $2 as SPDK read it, from fixture $1
golden()
{
	jq -r --arg n "$2" '.lvols[] | select(.name == $n) | .sha256' \
		"tests/fixtures/lvstore/$1.json"
}

sha()
{
	sha256sum <"$1" | cut -d' ' -f1
}
