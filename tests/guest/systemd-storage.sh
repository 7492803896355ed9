#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# systemd-storage.sh up|down|write: what the units of systemd-before.sh run.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/guest/nvmet.sh

STORE=nqn.2026-01.ybd:store

# Two namespaces: the store, and one that comes and goes.
up()
{
	export PATH=/usr/local/sbin:/usr/sbin:/usr/bin

	modprobe loop
	nvmet_up nvmet-tcp nvme-tcp
	cp --sparse=always build/fixtures/lvstore/rootfs.img /tmp/store
	truncate -s 16M /tmp/other
	nvmet_port 1 tcp 127.0.0.1 4420
	nvmet_subsys $STORE
	nvmet_ns $STORE 1 "$(losetup -f --show /tmp/store)" 10ac0000-0000-4000-8000-000000000002
	nvmet_ns $STORE 2 "$(losetup -f --show /tmp/other)" 10ac0000-0000-4000-8000-000000000003
	nvmet_show 1 $STORE
}

# Who comes after us has ended: what is left of it?
down()
{
	{
		ybdctl version
		echo "controllers: $(compgen -G '/sys/class/nvme/nvme*' | wc -l)"
	} >/share/at-end
	[ -e /share/in-use ] || nvmet_down
}

write()
{
	local i

	for ((i = 1; ; i++)); do
		echo $i >/mnt/a/number
		sync /mnt/a/number
		# killed at any time, and never empty
		echo $i >/share/durable.new
		mv /share/durable.new /share/durable
	done
}

"$1"
