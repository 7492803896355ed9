# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# connect and disconnect; sourced by tests/guest/hotplug.sh.

NQN=nqn.2026-01.ybd:disk

tcp_connects()
{
	local c

	json '.controllers[0] | (.already | not) and .traddr == "127.0.0.1" and .trsvcid == "4420"' \
		ybdctl connect $NQN "${TCP[@]}" --keep-alive-tmo 7 --ctrl-loss-tmo 30 \
		--reconnect-delay 2 --io-queues 1
	soon test -b "/dev/disk/by-id/nvme-uuid.$U_DISK"
	c=$(ybdctl connect $NQN "${TCP[@]}" --json | jq -r '.controllers[0].name')
	[ "$(attr "$c" transport)" = tcp ]
	[ "$(attr "$c" hostnqn)" = "$HOSTNQN" ]
	[ "$(attr "$c" hostid)" = "$HOSTID" ]
	[ "$(attr "$c" kato)" = 7 ]
	[ "$(attr "$c" ctrl_loss_tmo)" = 30 ]
	[ "$(attr "$c" reconnect_delay)" = 2 ]
	[ "$(attr "$c" queue_count)" = 2 ]
	# nobody asked, and the kernel's default is off
	[ "$(attr "$c" fast_io_fail_tmo)" = 5 ]
	json ".controllers[0] | .already and .name == \"$c\"" ybdctl connect $NQN "${TCP[@]}"
	json ".sources[] | select(.uuid == \"$U_DISK\") | .hold_seconds == 35 and .transport == \"tcp\"" \
		ybdctl source list "uuid:$U_DISK"
	# what is given holds for one that is connected, too
	ybdctl connect $NQN "${TCP[@]}" --fast-io-fail-tmo off --ctrl-loss-tmo off >/dev/null
	[ "$(attr "$c" fast_io_fail_tmo)" = off ]
	[ "$(attr "$c" ctrl_loss_tmo)" = off ]
	json ".sources[0].hold_seconds == null" ybdctl source list "uuid:$U_DISK" -q
	ybdctl source list "uuid:$U_DISK" 2>&1 >/dev/null |
		grep "$c may hold I/O for ever when its link is lost"
	[ "$(ybdctl disconnect $NQN)" = "$c" ]
	[ ! -e "/sys/class/nvme/$c" ]
	[ -z "$(ybdctl disconnect $NQN)" ]
}

by_config()
{
	cat >"$T/config.json" <<EOF
[ { "hostnqn": "$HOSTNQN", "hostid": "$HOSTID", "subsystems": [ { "nqn": "$NQN", "ports": [
	{ "transport": "tcp", "traddr": "127.0.0.1", "trsvcid": "4420", "nr_io_queues": 1 },
	{ "transport": "tcp", "traddr": "127.0.0.1", "trsvcid": "4421", "nr_io_queues": 1 }
] } ] } ]
EOF
	json '.controllers | length == 2 and all(.already | not)' \
		ybdctl connect --all --config "$T/config.json"
	json '.controllers | length == 2 and all(.already)' \
		ybdctl connect --all --config "$T/config.json"
	soon test -b "/dev/disk/by-id/nvme-uuid.$U_DISK"
	json '.sources[0] | .multipath and (.controllers | length == 2)' \
		ybdctl source list "uuid:$U_DISK"
	json '.controllers | length == 2' ybdctl disconnect --all --config "$T/config.json"
	not compgen -G '/sys/class/nvme-fabrics/ctl/nvme*'
}

refusals()
{
	refused 1 'connection refused' ybdctl connect $NQN "${TCP[@]}" --trsvcid 9
	refused 1 'the kernel log says more' ybdctl connect nqn.2026-01.ybd:nowhere "${TCP[@]}"
	refused 3 'no such file|No such file' ybdctl connect --all --config /nope
	echo '{}' >"$T/bad.json"
	refused 7 'is no configuration of libnvme' ybdctl connect --all --config "$T/bad.json"
	echo '[]' >"$T/bad.json"
	refused 3 'no controller is described' ybdctl connect --all --config "$T/bad.json"
	refused 3 'no controller of NVMe over Fabrics' ybdctl disconnect nvme99
	if grep -q ,tls /dev/nvme-fabrics; then
		# no key of that name, and no handshake daemon: never a connection in clear
		refused 1 . ybdctl connect $NQN "${TCP[@]}" --tls
		ybdctl connect $NQN "${TCP[@]}" >/dev/null
		refused 4 'is connected without TLS' ybdctl connect $NQN "${TCP[@]}" --tls
		ybdctl disconnect $NQN
	else
		refused 7 'TLS: this kernel has none' ybdctl connect $NQN "${TCP[@]}" --tls
	fi
	not compgen -G '/sys/class/nvme-fabrics/ctl/nvme*'
}

in_use()
{
	local c

	c=$(ybdctl connect $NQN "${TCP[@]}" --json | jq -r '.controllers[0].name')
	soon test -b "/dev/disk/by-id/nvme-uuid.$U_DISK"
	ybdctl image load images/final --source "uuid:$U_DISK" -q
	refused 4 'is in use: unmount it' ybdctl disconnect $NQN
	refused 7 'it is remote \(tcp\): pin it on the host that serves it' \
		ybdctl image pin images/final --append
	# a second path is one too few to care
	ybdctl connect $NQN "${TCP[@]}" --trsvcid 4421 >/dev/null
	soon paths $NQN 2
	[ "$(ybdctl disconnect "$c")" = "$c" ]
	ybdctl image unload images/final
	ybdctl disconnect $NQN
}

loop_connects()
{
	[ -e /sys/module/nvme_loop ] || { echo "this kernel has no loop transport"; return 77; }
	json '.controllers[0] | .traddr == null and .transport == "loop"' \
		ybdctl connect $NQN --transport loop
	json '.controllers[0].already' ybdctl connect $NQN --transport loop
	soon test -b "/dev/disk/by-id/nvme-uuid.$U_DISK"
	ybdctl disconnect $NQN
}

# Soft RoCE, which does not take the loopback device.
rdma_connects()
{
	modprobe -a rdma_rxe nvmet-rdma nvme-rdma
	ip link add veth0 type veth peer name veth1
	ip addr add 10.9.9.1/24 dev veth0
	ip link set veth0 up
	ip link set veth1 up
	rdma link add rxe0 type rxe netdev veth0
	nvmet_port 4 rdma 10.9.9.1 4420
	nvmet_show 4 $NQN
	json '.controllers[0] | .transport == "rdma" and (.already | not)' \
		ybdctl connect $NQN --transport rdma --traddr 10.9.9.1 --io-queues 1
	soon test -b "/dev/disk/by-id/nvme-uuid.$U_DISK"
	json '.controllers[0].already' ybdctl connect $NQN --transport rdma --traddr 10.9.9.1
	json '.sources[0] | .transport == "rdma" and .hold_seconds == 35' \
		ybdctl source list "uuid:$U_DISK"
	ybdctl disconnect $NQN
	nvmet_hide 4 $NQN
	rdma link delete rxe0
	ip link delete veth0
}

fabrics_up()
{
	U_DISK=10ac0000-0000-4000-8000-000000000001
	nvmet_subsys $NQN
	cp --sparse=always "$FIX/rootfs.img" /tmp/disk
	nvmet_ns $NQN 1 "$(losetup -f --show /tmp/disk)" $U_DISK
	nvmet_port 1 tcp 127.0.0.1 4420
	nvmet_port 2 tcp 127.0.0.1 4421
	nvmet_show 1 $NQN
	nvmet_show 2 $NQN
	[ ! -e /sys/module/nvme_loop ] || { nvmet_port 3 loop; nvmet_show 3 $NQN; }
}

# What a case that failed has left must not fail the next part.
fabrics_down()
{
	ybdctl image unload --all -q || :
	ybdctl disconnect --force $NQN || :
	nvmet_down
}

fabrics_up
ktap_case "connect: tcp, twice, timeouts, disconnect" tcp_connects
ktap_case "connect --all: two paths of a configuration" by_config
ktap_case "connect: what is refused" refusals
ktap_case "disconnect: not what is in use" in_use
ktap_case "connect: loop" loop_connects
[ -z "$FULL" ] || ktap_case "connect: rdma" rdma_connects
fabrics_down
