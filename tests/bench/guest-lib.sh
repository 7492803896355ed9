# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# Devices and jobs of the benchmarks, in the guest; sourced.

# Without udevd nobody but dmsetup itself makes its nodes.
export DM_DISABLE_UDEV=1

# Programs are run from memory: reading them from the share would let the
# host's time in.
rows=$YBD_SHARE/rows
mkdir -p /tmp/bench
cp "$YBD_SHARE"/bin/* /tmp/bench/
PATH=/tmp/bench:$PATH

# dmsetup takes the socket for the daemon.
stop_udev()
{
	udevadm control --exit
	rm -f /run/udev/control
}

# nulls SIZE NR: memory-backed null_blk devices nullb0... of SIZE MiB
nulls()
{
	local i d

	modprobe null_blk nr_devices=0
	[ -d /sys/kernel/config/nullb ] ||
		mount -t configfs configfs /sys/kernel/config
	for ((i = 0; i < $2; i++)); do
		d=/sys/kernel/config/nullb/nullb$i
		mkdir "$d"
		echo "$1" >"$d/size"
		echo 1 >"$d/memory_backed"
		echo 512 >"$d/blocksize"
		[ -z "${NULL_CACHE:-}" ] || echo "$NULL_CACHE" >"$d/cache_size"
		echo "${NULL_QUEUES:-1}" >"$d/submit_queues"
		echo 1 >"$d/power"
		[ -b "/dev/nullb$i" ] || sleep 0.1
	done
}

# A block that nobody wrote is not looked up by null_blk and brd, so all are.
fill()
{
	fio --name=fill --filename="$1" --rw=write --bs=1M --direct=1 \
		--zero_buffers=0 --output=/dev/null
}

# run_fio DEV ENGINE [OPTION]...: mean latency in ns
run_fio()
{
	local dev=$1 engine=$2

	shift 2
	fio --name=j --filename="$dev" --ioengine="$engine" --direct=1 \
		--randrepeat=1 --output-format=json --output=/tmp/fio.json "$@" \
		2>/tmp/fio.err >&2 || { cat /tmp/fio.err /tmp/fio.json >&2; return 1; }
	jq -r '.jobs[0] | [.read, .write] | max_by(.total_ios) | .lat_ns.mean' \
		/tmp/fio.json
}

# row CASE TARGET UNIT VALUE ROUND
row()
{
	jq -cn --arg case "$1" --arg target "$2" --arg unit "$3" \
		--argjson value "$4" --argjson round "$5" \
		'{$case, $target, $unit, $value, $round}' >>"$rows"
}
