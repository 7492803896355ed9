# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# KTAP from bash, for suites on the host and scripts in guests; sourced.
#
#	. tests/lib/ktap.sh
#	ktap_case "name" command...	# one case: the command's status decides
#	ktap_ok "name"; ktap_fail "name" "why"; ktap_skip "name" "reason"
#	ktap_guest [options of tests/vm/run] -- script...	# host side only
#	ktap_end			# the plan; exit status for the suite

ktap_n=0 ktap_failed=0
echo "KTAP version 1"

ktap_note()
{
	printf '# %s\n' "${*//$'\n'/$'\n# '}"
}

ktap_ok()
{
	echo "ok $((++ktap_n)) - $1"
}

ktap_fail()
{
	[ $# -lt 2 ] || ktap_note "${@:2}"
	echo "not ok $((++ktap_n)) - $1"
	((++ktap_failed))
}

ktap_skip()
{
	echo "ok $((++ktap_n)) - $1 # SKIP $2"
}

# The command runs in a subshell with -e, so that the first thing to go wrong
# in a function ends it; what it says becomes notes when it fails.
ktap_case()
{
	local name=$1 out status=0 err=+e
	shift

	[[ $- != *e* ]] || err=-e
	set +e
	out=$(set -euo pipefail; "$@" 2>&1)
	status=$?
	set "$err"
	if [ "$status" = 0 ]; then
		ktap_ok "$name"
	elif [ "$status" = 77 ]; then
		# automake's status for skipping, none of ybdctl's; the last line says why
		ktap_skip "$name" "$(tail -n 1 <<<"$out")"
	else
		ktap_fail "$name" "$out" "(status $status)"
	fi
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

# The guest's script prints its own results and plan. What it cannot print is
# that it died or that the kernel complained; that is one case here.
ktap_guest()
{
	local name="guest" status=0 a prev=

	for a in "$@"; do
		[ "$a" != -- ] || break
		[ "$prev" != --kernel ] || name="guest $a"
		prev=$a
	done
	"$(dirname "${BASH_SOURCE[0]}")/../vm/run" "$@" || status=$?
	case $status in
	0) ktap_ok "$name: ended well" ;;
	98) ktap_fail "$name: died, hung or ran out of time" ;;
	99) ktap_fail "$name: the kernel complained" ;;
	*) ktap_fail "$name: script failed with status $status" ;;
	esac
}

ktap_end()
{
	echo "1..$ktap_n"
	[ "$ktap_failed" = 0 ] || exit 1
	exit 0
}
