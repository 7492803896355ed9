# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2154
# The host's side of suites with power cuts; sourced after tests/lib/ktap.sh. The suite
# sets $pc_dir, a directory, and $seed.

pc_top=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
pc_bin=$pc_top/build/tests/powercut
pc_pids=()

# What the next guest is to be started with.
pc_begin()
{
	pc_pids=() pc_specs=()
	pc_guest=(--qemu "-netdev user,id=pc -device virtio-net-pci,netdev=pc")
}

# pc_recorder WORKLOAD PARAMETER...: another disk for the next guest, and what is to
# be done with it; see powercut.sh. QEMU passes no FUA on, so the disk is for the
# guest's own nbd, on a port of this machine; the marks take the shorter way.
pc_recorder()
{
	local workload=$1 n=${#pc_pids[@]} pid=$pc_dir/nbdkit.pid i port
	shift

	for ((i = 0; i < 50; i++)); do
		port=$((20000 + RANDOM))
		rm -f "$pid"
		! nbdkit -i 127.0.0.1 -p "$port" -P "$pid" -t 32 "$pc_bin/record.so" "$@" \
			2>"$pc_dir/nbdkit.err" || break
	done
	until [ -s "$pid" ]; do
		[ "$i" -lt 50 ] || { cat "$pc_dir/nbdkit.err" >&2; return 1; }
		sleep 0.05
	done
	pc_pids+=("$(cat "$pid")")
	pc_specs+=("$port:$workload")
	pc_guest+=(--qemu "-drive if=none,id=marks$n,format=raw,file=nbd:127.0.0.1:$port:exportname=marks"
		--qemu "-device virtio-blk-pci,drive=marks$n,serial=marks$n")
}

# They end in order: all that they took is in the traces.
pc_end()
{
	local pid

	for pid in "${pc_pids[@]}"; do
		kill "$pid" 2>/dev/null || :
		while kill -0 "$pid" 2>/dev/null; do
			sleep 0.05
		done
	done
	pc_pids=()
}

# pc_find WANT OPTION...: cut a trace, say what was found. True if that is what is wanted;
# 0 for no violations, 1 for some. The status is in $pc_status.
pc_find()
{
	local want=$1 out
	shift

	pc_status=0
	[ "$want" = 0 ] || set -- --enough 1 "$@"
	out=$("${pc_checker:-$pc_bin}/cut" --seed "$seed" "$@") || pc_status=$?
	# one example will do
	[ "$want" = 0 ] || out=$(sed '2,${/^# cut after/d}' <<<"$out")
	echo "$out"
	[ "$pc_status" = "$want" ]
}

# pc_cut NAME WANT OPTION...: as a case; the numbers are said of a good result too.
pc_cut()
{
	local name=$1 want=$2
	shift 2

	if pc_find "$want" "$@"; then
		ktap_ok "$name"
	else
		ktap_fail "$name" "status $pc_status, expected $want"
	fi
}
