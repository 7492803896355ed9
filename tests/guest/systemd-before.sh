# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=dash disable=SC2154,SC2086
# Before systemd starts in the guests of the suite systemd-vm; sourced. The storage
# is this host's own, by NVMe/TCP, and as with storage elsewhere nothing of it is
# there before ybd-connect.service, or gone before that has ended.
mkdir -p /etc/nvme
echo nqn.2014-08.org.nvmexpress:uuid:6a2a7a0e-0000-4000-8000-000000000001 >/etc/nvme/hostnqn
echo 6a2a7a0e-0000-4000-8000-000000000001 >/etc/nvme/hostid
cat >/etc/nvme/config.json <<'EOF'
[ { "hostnqn": "nqn.2014-08.org.nvmexpress:uuid:6a2a7a0e-0000-4000-8000-000000000001",
    "hostid": "6a2a7a0e-0000-4000-8000-000000000001",
    "subsystems": [ { "nqn": "nqn.2026-01.ybd:store", "ports": [
	{ "transport": "tcp", "traddr": "127.0.0.1", "trsvcid": "4420" } ] } ] } ]
EOF
cat >$units/storage.service <<'EOF'
[Unit]
Description=The storage that another host would have
Before=ybd-connect.service
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/ybd/tests/guest/systemd-storage.sh up
ExecStop=/ybd/tests/guest/systemd-storage.sh down
EOF
# A container: its root, and somebody who writes to it and says what is durable.
cat >$units/container.service <<'EOF'
[Unit]
Description=A container
After=ybd-attach.service
[Service]
ExecStartPre=/usr/local/sbin/ybdctl mount fs /mnt/a
ExecStart=/ybd/tests/guest/systemd-storage.sh write
ExecStopPost=/usr/local/sbin/ybdctl umount fs /mnt/a
EOF
mkdir -p /mnt/a /mnt/b
ln -s ../storage.service $units/multi-user.target.wants/
