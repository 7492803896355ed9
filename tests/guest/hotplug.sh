#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# hotplug.sh [DISKS [EVENTS [TIMES [full [DELAY]]]]]: in the guest, for the suite
# hotplug-vm. With a DELAY, all over TCP takes that long each way: what a test takes
# for granted but did not wait for shows.
set -uo pipefail
cd "$(dirname "$0")/../.."
. tests/cli/guest/common.sh
. tests/guest/nvmet.sh

HOSTID=6a2a7a0e-0000-4000-8000-000000000001
HOSTNQN=nqn.2014-08.org.nvmexpress:uuid:6a2a7a0e-0000-4000-8000-000000000001
# for the parts
# shellcheck disable=SC2034
TCP=(--transport tcp --traddr 127.0.0.1)

# attr CONTROLLER ATTRIBUTE
attr()
{
	cat "/sys/class/nvme/$1/$2"
}

# paths NQN N: so many controllers of the subsystem are live, and show a namespace:
# a controller is live some time before its namespaces have been looked for
paths()
{
	local c n=0

	for c in /sys/class/nvme/nvme*; do
		[[ -e $c && $(<"$c/subsysnqn") == "$1" && $(<"$c/state") == live ]] || continue
		! compgen -G "$c/nvme*c*n*" >/dev/null || ((++n))
	done
	[ "$n" = "$2" ]
}

modprobe loop
nvmet_up nvmet-tcp nvme-tcp
modprobe nvme-loop 2>/dev/null || :
mkdir -p /etc/nvme
echo $HOSTNQN >/etc/nvme/hostnqn
echo $HOSTID >/etc/nvme/hostid

# shellcheck disable=SC2034
STORM_DISKS=${1:-3} STORM_EVENTS=${2:-12} PCIE_TIMES=${3:-1} FULL=${4:-}
if [ -n "${5:-}" ]; then
	modprobe sch_netem
	tc qdisc add dev lo root netem delay "$5"
fi
for part in ${YBD_PARTS:-fabrics events}; do
	# shellcheck disable=SC1090
	. "tests/guest/$part.sh"
done
ktap_end
