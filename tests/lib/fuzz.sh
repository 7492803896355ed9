# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=sh
# What the suites on libFuzzer share; sourced. Who sources it has set $dir, where its
# fuzzers are.
#
# Inputs are counted, and the same in each run: a change is judged by what it changed, not
# by luck. YBD_FUZZ_SECONDS=N looks for new ones, by the clock and from a random seed, for
# N seconds; so does YBD_FULL=1, for 300.

: "${dir:?}"
clang=${CLANG:-clang}
fuzz_seconds=${YBD_FUZZ_SECONDS:-${YBD_FULL:+300}}
# what is kept of comparisons hangs on addresses
fuzz_env=
! setarch -R true 2>/dev/null || fuzz_env="setarch -R"

# fuzz_skip CASES: skip that many of them if clang has no libFuzzer
fuzz_skip()
{
	reason=
	if ! command -v "$clang" >/dev/null; then
		reason="no $clang"
	elif ! echo 'int LLVMFuzzerTestOneInput(const char *d, unsigned long n) { return !d && n; }' |
		"$clang" -x c -fsanitize=fuzzer,address - -o /dev/null 2>/dev/null; then
		reason="$clang has no libFuzzer"
	fi
	[ -n "$reason" ] || return 0
	for n in $(seq "$1"); do
		echo "ok $n - fuzz # SKIP $reason"
	done
	exit 0
}

# fuzz_amount INPUTS: how much that is, for the name of a case
fuzz_amount()
{
	if [ -n "$fuzz_seconds" ]; then
		echo "$fuzz_seconds seconds"
	else
		echo "$1 inputs"
	fi
}

# fuzz_case NAME PROGRAM LOG ARG...: one result; what libFuzzer says of a failure goes into
# the log and to stderr
fuzz_case()
{
	fuzz_name=$1 fuzz_prog=$2 fuzz_log=$dir/$3.log
	shift 3
	# shellcheck disable=SC2086 # words
	if $fuzz_env "$dir/$fuzz_prog" -timeout=20 -artifact_prefix="$dir/" "$@" >"$fuzz_log" 2>&1; then
		echo "# $(grep -E '^(Done|stat::number_of_executed_units)' "$fuzz_log" | tail -n 1)"
		echo "ok $fuzz_name"
		return 0
	fi
	grep -E 'ERROR|SUMMARY|not so|written to' "$fuzz_log" | sed 's/^/# /'
	tail -n 40 "$fuzz_log" >&2
	echo "not ok $fuzz_name"
	return 1
}

# fuzz_search INPUTS NAME PROGRAM LOG ARG... CORPUS...: as fuzz_case, for changed inputs;
# those worth keeping are kept in $dir/work-LOG
fuzz_search()
{
	fuzz_runs=$1 fuzz_what="$2, $(fuzz_amount "$1")" fuzz_with=$3 fuzz_work=$4
	shift 4
	if [ -n "$fuzz_seconds" ]; then
		set -- -max_total_time="$fuzz_seconds" "$@"
	else
		# what an earlier run found would change this one
		rm -rf "$dir/work-$fuzz_work"
		set -- -seed=1 -reload=0 -runs="$fuzz_runs" "$@"
	fi
	mkdir -p "$dir/work-$fuzz_work"
	fuzz_case "$fuzz_what" "$fuzz_with" "$fuzz_work" -print_final_stats=1 \
		"$dir/work-$fuzz_work" "$@"
}
