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

	for r in "${requests[@]}"; do
		read -ra words <<<"$r"
		refused 5 "$pattern" timeout 20 "$@" ybdctl "${words[@]}"
	done
	json '.devices | map(.name) == ["a"]' ybdctl list
	json '.images | length == 1' ybdctl image list
}

ybdctl create a --image images/final --ro >/dev/null
udevadm settle

ktap_case "another user" all_refused 'CAP_NET_ADMIN and CAP_SYS_ADMIN|initial user' \
	setpriv --reuid 65534 --regid 65534 --clear-groups
ktap_case "CAP_NET_ADMIN alone" all_refused 'CAP_SYS_ADMIN in the initial user namespace' \
	setpriv --bounding-set=-all,+net_admin --inh-caps=-all
ktap_case "CAP_SYS_ADMIN alone" all_refused 'CAP_NET_ADMIN' \
	setpriv --bounding-set=-all,+sys_admin --inh-caps=-all
ktap_case "root of another user namespace" all_refused 'initial user namespace' \
	unshare -U -r
ktap_case "another network namespace" all_refused 'initial network namespace' \
	unshare -n
ktap_case "root of other user and network namespaces" all_refused 'initial' \
	unshare -U -r -n

both_are_enough()
{
	setpriv --bounding-set=-all,+net_admin,+sys_admin --inh-caps=-all \
		ybdctl list >/dev/null
	timeout 2 setpriv --bounding-set=-all,+net_admin,+sys_admin --inh-caps=-all \
		ybdctl monitor | grep -q listening
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
	not rmmod ybd 2>/dev/null
	clean_up
	rmmod ybd
}
ktap_case "rmmod: refused while in use, then not" in_use
