# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# A store of two layers and devices over both; sourced by tests/guest/replug.sh and silent.sh.
# Layer "base" is the file full in the directory $work, "top" the file half.

# An image of alternating pieces of two layers, so that reads are split.
make_store() # DEVICE NAME
{
	local l
	udevadm settle
	ybdctl store create --name "$2" --cluster-size 64K "$1" >/dev/null
	for l in base:full top:half; do
		# udev looks at what was written
		udevadm settle
		ybdctl lvol import --read-only "$1" "${l%:*}" "${work:?}/${l#*:}" >/dev/null
	done
	udevadm settle
}

make_device() # NAME STORE SOURCE OPTIONS...
{
	ybdctl create -q "$1" --layer "$2/base" --layer "$2/top" --source "$3" "${@:4}" >/dev/null
}
