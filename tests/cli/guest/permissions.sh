# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# Who may do what, and the ABI.

# one of each kind: info, do, dump, event group
requests=("list" "image list" "show a" "image load images/final"
	"create x --image images/final --ro" "detach a" "image unload images/final"
	"monitor")

# all_refused PATTERN COMMAND...: every request, run by COMMAND, ends with 5
all_refused()
{
	local pattern=$1 r words
	shift

	ybdctl create a --image images/final --ro >/dev/null
	udevadm settle
	for r in "${requests[@]}"; do
		read -ra words <<<"$r"
		# the last one would go on for ever
		[ "$r" != monitor ] || set -- timeout 20 "$@"
		refused 5 "$pattern" "$@" ybdctl "${words[@]}"
	done
	json '.devices | map(.name) == ["a"]' ybdctl list
	json '.images | length == 1' ybdctl image list
}

alone "another user" all_refused 'CAP_NET_ADMIN and CAP_SYS_ADMIN|initial user' \
	setpriv --reuid 65534 --regid 65534 --clear-groups
alone "CAP_NET_ADMIN alone" all_refused 'CAP_SYS_ADMIN in the initial user namespace' \
	setpriv --bounding-set=-all,+net_admin --inh-caps=-all
alone "CAP_SYS_ADMIN alone" all_refused 'CAP_NET_ADMIN' \
	setpriv --bounding-set=-all,+sys_admin --inh-caps=-all
alone "root of another user namespace" all_refused 'initial user namespace' \
	unshare -U -r
alone "another network namespace" all_refused 'initial network namespace' \
	unshare -n
alone "root of other user and network namespaces" all_refused 'initial' \
	unshare -U -r -n

both_are_enough()
{
	setpriv --bounding-set=-all,+net_admin,+sys_admin --inh-caps=-all \
		ybdctl list >/dev/null
	setpriv --bounding-set=-all,+net_admin,+sys_admin --inh-caps=-all \
		ybdctl monitor >"$T/events" &
	pid=$!	# not local: for the trap
	trap 'kill $pid' EXIT
	soon grep -q listening "$T/events"
}
ktap_case "CAP_NET_ADMIN and CAP_SYS_ADMIN" both_are_enough

ordinary_user()
{
	local nobody=(setpriv --reuid 65534 --regid 65534 --clear-groups)

	"${nobody[@]}" ybdctl version | grep -q '^module '
	cp "$FIX/esnap.img" "$T/readable"
	chmod 644 "$T/readable"
	"${nobody[@]}" ybdctl store show "$T/readable" >/dev/null
	"${nobody[@]}" ybdctl source list -q --json | jq -e \
		'.sources[0].content == "unreadable"' >/dev/null
	rm "$T/readable"
}
ktap_case "what needs no privilege" ordinary_user

other_abi()
{
	refused 6 'ABI|version' env LD_PRELOAD=/ybd/build/tests/cli/abi.so \
		ASAN_OPTIONS=verify_asan_link_order=0 ybdctl list
	refused 6 'ABI|version' env LD_PRELOAD=/ybd/build/tests/cli/abi.so \
		ASAN_OPTIONS=verify_asan_link_order=0 ybdctl version
}
ktap_case "a module of another ABI" other_abi

in_use()
{
	ybdctl create a --image images/final --ro >/dev/null
	not rmmod ybd 2>/dev/null
	ybdctl detach a
	# an image is enough
	not rmmod ybd 2>/dev/null
	ybdctl image unload images/final
	rmmod ybd
}
alone "rmmod: refused while in use, then not" in_use
