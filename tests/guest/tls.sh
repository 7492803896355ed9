#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# tls.sh: in the guest, for the suite tls-vm, which shares a directory with tlshd.
#
# The host is in a network namespace of its own. So each side has its tlshd, which has
# the keyrings of its side only: a key that just one of them has is possible. A key is
# seen by who has its keyring in his session, so this runs in one of its own.
set -uo pipefail
cd "$(dirname "$0")/../.."
. tests/cli/guest/common.sh
. tests/guest/nvmet.sh

HOSTID=6a2a7a0e-0000-4000-8000-000000000001
HOSTNQN=nqn.2014-08.org.nvmexpress:uuid:$HOSTID
NQN=nqn.2026-01.ybd:tls
U_DISK=10ac0000-0000-4000-8000-000000000003
CONNECT=(host ybdctl connect "$NQN" --transport tcp --traddr 10.9.9.1 --io-queues 1)

host() { nsenter --net=/run/netns/host "$@"; }

# attr CONTROLLER ATTRIBUTE
attr() { cat "/sys/class/nvme/$1/$2"; }

# within SECONDS COMMAND...: not longer
within()
{
	local end=$((SECONDS + $1))

	"${@:2}"
	[ "$SECONDS" -le "$end" ] || { echo "took $((SECONDS - end)) s too long"; return 1; }
}

# insert_key: a new one of both sides, in the kernel's keyring
insert_key()
{
	nvme check-tls-key --insert --identity 1 --subsysnqn "$NQN" --hostnqn "$HOSTNQN" \
		--keydata "$(nvme gen-tls-key --hmac 1)" >/dev/null
}

# tlshd NAME KEYRINGS COMMAND...: started by COMMAND, in a session of its own
tlshd()
{
	printf '[debug]\nloglevel=1\n[authenticate]\nkeyrings=%s\n' "$2" >"$T/$1.conf"
	"${@:3}" keyctl session - "$YBD_SHARE/tlshd" -s -c "$T/$1.conf" >"$T/$1.log" 2>&1 &
}

none_left()
{
	not compgen -G '/sys/class/nvme-fabrics/ctl/nvme*'
}

up()
{
	modprobe loop
	nvmet_up nvmet-tcp nvme-tcp
	mkdir -p /etc/nvme
	echo "$HOSTNQN" >/etc/nvme/hostnqn
	echo "$HOSTID" >/etc/nvme/hostid
	ip netns add host
	ip link add veth0 type veth peer name veth1 netns host
	ip addr add 10.9.9.1/24 dev veth0
	ip link set veth0 up
	host ip addr add 10.9.9.2/24 dev veth1
	host ip link set veth1 up
	cp --sparse=always "$FIX/rootfs.img" /tmp/disk
	nvmet_subsys "$NQN"
	nvmet_ns "$NQN" 1 "$(losetup -f --show /tmp/disk)" "$U_DISK"
	nvmet_port 1 tcp 10.9.9.1 4420
	put tls1.3 ports/1/addr_tsas
	put required ports/1/addr_treq
	nvmet_show 1 "$NQN"
	nvmet_port 2 tcp 10.9.9.1 4421
	nvmet_show 2 "$NQN"
}

nobody_shakes_hands()
{
	refused 1 'TLS key is missing.*the same key, and tlshd' "${CONNECT[@]}" --tls
	insert_key
	within 20 refused 1 'the same key, and tlshd' "${CONNECT[@]}" --tls
	none_left
}

encrypts()
{
	local name

	tlshd target .nvme
	tlshd host .nvme host
	soon grep -q linked "$T/target.log"
	soon grep -q linked "$T/host.log"
	json '.controllers[0].already | not' "${CONNECT[@]}" --tls
	name=$("${CONNECT[@]}" --tls --json | jq -r '.controllers[0].name')
	[ -n "$(attr "$name" tls_key)" ]
	json ".controllers[0] | .already and .name == \"$name\"" "${CONNECT[@]}" --tls
	# no worse than what was asked for
	json '.controllers[0].already' "${CONNECT[@]}"
	soon test -b "/dev/disk/by-id/nvme-uuid.$U_DISK"
	json '.sources[0].transport == "tcp"' ybdctl source list "uuid:$U_DISK"
	ybdctl create t --image images/final --source "uuid:$U_DISK" --ram 4M >/dev/null
	[ "$(sha /dev/ybd0)" = "$(golden rootfs final)" ]
	ybdctl detach t
	ybdctl image unload --all
	[ "$(ybdctl disconnect "$NQN")" = "$name" ]
	none_left
}

# The one of two that the kernel does not take by itself.
takes_the_key()
{
	local c serial id other

	insert_key
	"${CONNECT[@]}" --tls >/dev/null
	c=$("${CONNECT[@]}" --tls --json | jq -r '.controllers[0].name')
	serial=$(attr "$c" tls_key)
	other=$(awk -v s="$serial" '$8 == "psk" && $1 != s { print $1 }' /proc/keys)
	id=$(keyctl link %:.nvme @s && keyctl rdescribe 0x"$other")
	id=${id#psk;*;*;*;}
	refused 4 "is connected with another key, $serial" "${CONNECT[@]}" --tls --tls-key "$id"
	ybdctl disconnect -q "$NQN"
	json '.controllers[0].already | not' "${CONNECT[@]}" --tls --tls-key "$id" --hdr-digest
	json '.controllers[0].already' "${CONNECT[@]}" --tls --tls-key "$id"
	[ "$(attr "$c" tls_key)" = "$other" ]
	[ "$(attr "$c" hostnqn)" = "$HOSTNQN" ]
	[ "$(attr "$c" queue_count)" = 2 ]
	soon test -b "/dev/disk/by-id/nvme-uuid.$U_DISK"
	ybdctl disconnect -q "$NQN"
}

# What only one side has, under the name of what both have: --keyring is heeded, too.
wrong_key()
{
	local ring id

	keyctl link %:.nvme @s
	id=$(keyctl rdescribe "$(keyctl rlist %:.nvme | cut -d' ' -f1)")
	keyctl unlink %:.nvme @s
	id=${id#psk;*;*;*;}
	ring=$(keyctl newring ybd-test @s)
	keyctl setperm "$ring" 0x3f3f0000
	keyctl add psk "$id" "$(uuidgen | tr -d -)" "$ring" >/dev/null
	within 20 refused 1 'the same key, and tlshd' "${CONNECT[@]}" --tls --keyring ybd-test
	within 20 refused 1 'the same key, and tlshd' \
		"${CONNECT[@]}" --tls --keyring ybd-test --tls-key "$id"
	refused 3 'no keyring "nowhere"' "${CONNECT[@]}" --tls --keyring nowhere
	refused 3 'no key "nothing" in keyring ybd-test' \
		"${CONNECT[@]}" --tls --keyring ybd-test --tls-key nothing
	refused 3 'no key "nothing" in keyring .nvme' "${CONNECT[@]}" --tls --tls-key nothing
	# its beginning, or more than it, which the kernel would take for it
	refused 3 'no key "NVMe1' "${CONNECT[@]}" --tls --tls-key "${id%% *}"
	refused 3 'no key "NVMe1' "${CONNECT[@]}" --tls --tls-key "${id}0"
	none_left
}

# As at boot: no key is in the kernel, it is in the file.
by_config()
{
	local c

	keyctl link %:.nvme @s
	keyctl clear %:.nvme
	keyctl unlink %:.nvme @s
	cat >"$T/config.json" <<EOF
[ { "hostnqn": "$HOSTNQN", "hostid": "$HOSTID", "subsystems": [ { "nqn": "$NQN", "ports": [
	{ "transport": "tcp", "traddr": "10.9.9.1", "trsvcid": "4420", "nr_io_queues": 1,
	  "tls": true, "tls_key": "$(nvme gen-tls-key --hmac 1)" } ] } ] } ]
EOF
	c=$(host ybdctl connect --all --config "$T/config.json" --json | jq -r '.controllers[0].name')
	[ -n "$(attr "$c" tls_key)" ]
	json '.controllers[0].already' host ybdctl connect --all --config "$T/config.json"
	[ "$(ybdctl disconnect --all --config "$T/config.json")" = "$c" ]
	none_left
}

mixed()
{
	within 20 refused 1 'a target that wants TLS refuses like this' "${CONNECT[@]}"
	within 20 refused 1 'the same key, and tlshd' "${CONNECT[@]}" --trsvcid 4421 --tls
	"${CONNECT[@]}" --trsvcid 4421 >/dev/null
	refused 4 'is connected without TLS' "${CONNECT[@]}" --trsvcid 4421 --tls
	ybdctl disconnect -q "$NQN"
	none_left
}

ktap_case "a target that wants TLS" up
ktap_case "no key, no tlshd: refused, and soon" nobody_shakes_hands
ktap_case "a device on an encrypted connection; connect again" encrypts
ktap_case "--tls-key: just that one" takes_the_key
ktap_case "a wrong key, none, no keyring" wrong_key
ktap_case "connect --all: a key in the configuration" by_config
ktap_case "one side with TLS, the other without" mixed
[ "$ktap_failed" = 0 ] || ktap_note "$(tail -n 40 "$T"/*.log; dmesg | tail -n 30)"
ktap_end
