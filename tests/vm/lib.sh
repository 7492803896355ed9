# SPDX-License-Identifier: GPL-2.0
# Common parts of the guest harness; sourced, not run.
# shellcheck shell=bash disable=SC2034

YBD_TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd -P)
YBD_VM=$YBD_TOP/tests/vm
YBD_BUILD=$YBD_TOP/build
YBD_CACHE=${YBD_CACHE:-$HOME/.cache/ybd}

KERNELS="6.1 6.12 7.3"

die()
{
	echo "${0##*/}: $*" >&2
	exit 2
}

note()
{
	echo "${0##*/}: $*" >&2
}

# need_root ARGV...: run this script again as root where we are not.
need_root()
{
	[ "$(id -u)" = 0 ] && return 0
	command -v sudo >/dev/null || die "needs root (no sudo here)"
	exec sudo --preserve-env=HOME,YBD_CACHE,YBD_VM_JOBS,YBD_VM_NO_BUILD,YBD_VM_KEEP_GOING \
		-- "$0" "$@"
}

# The caches are keyed by what they are made of, so that an edit of a list or
# a script makes a new one and two trees can share one directory.
hash_of()
{
	cat -- "$@" | sha256sum | cut -c1-12
}

root_dir()
{
	echo "$YBD_CACHE/root-$(hash_of "$YBD_VM/packages" \
		"$YBD_VM/kernels" "$YBD_VM/mkroot")"
}

# The debug kernel has the version of the 6.12 guests' kernel.
debug_dir()
{
	echo "$YBD_CACHE/debug-$(hash_of "$YBD_VM/debug.config" \
		"$(root_dir)/boot/ybd-6.12")"
}

# kernel_release NAME: what uname -r says in that guest.
kernel_release()
{
	if [ "$1" = debug ]; then
		cat "$(debug_dir)/release"
	else
		cat "$(root_dir)/boot/ybd-$1"
	fi
}
