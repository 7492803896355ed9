# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# Linux as NVMe target, by configfs; sourced in a guest.

CFG=/sys/kernel/config/nvmet

# put VALUE FILE
put()
{
	echo "$1" >"$CFG/$2"
}

# nvmet_up MODULE...: the target and its transports
nvmet_up()
{
	modprobe -a nvmet "$@"
	mountpoint -q /sys/kernel/config || mount -t configfs configfs /sys/kernel/config
}

# nvmet_subsys NQN: one that any host may use
nvmet_subsys()
{
	mkdir "$CFG/subsystems/$1"
	put 1 "subsystems/$1/attr_allow_any_host"
}

# nvmet_ns NQN NSID DEVICE UUID: a namespace of it, enabled
nvmet_ns()
{
	mkdir "$CFG/subsystems/$1/namespaces/$2"
	put "$3" "subsystems/$1/namespaces/$2/device_path"
	put "$4" "subsystems/$1/namespaces/$2/device_uuid"
	put 1 "subsystems/$1/namespaces/$2/enable"
}

# nvmet_backing NQN NSID DEVICE: what a namespace that is disabled shows from now on
nvmet_backing()
{
	put "$3" "subsystems/$1/namespaces/$2/device_path"
}

# nvmet_enable NQN NSID 0|1
nvmet_enable()
{
	put "$3" "subsystems/$1/namespaces/$2/enable"
}

# nvmet_port N TRANSPORT [ADDRESS PORT]
nvmet_port()
{
	mkdir "$CFG/ports/$1"
	put "$2" "ports/$1/addr_trtype"
	[ "$2" != loop ] || return 0
	put ipv4 "ports/$1/addr_adrfam"
	put "$3" "ports/$1/addr_traddr"
	put "$4" "ports/$1/addr_trsvcid"
}

# nvmet_show N NQN: the subsystem at that port; nvmet_hide undoes it, hosts lose it
nvmet_show()
{
	ln -s "$CFG/subsystems/$2" "$CFG/ports/$1/subsystems/$2"
}

nvmet_hide()
{
	rm "$CFG/ports/$1/subsystems/$2"
}

# nvmet_down: all of it
nvmet_down()
{
	local f

	for f in "$CFG"/ports/*/subsystems/*; do
		[ ! -e "$f" ] || rm "$f"
	done
	for f in "$CFG"/subsystems/*/namespaces/*; do
		[ ! -e "$f" ] || { echo 0 >"$f/enable"; rmdir "$f"; }
	done
	for f in "$CFG"/ports/* "$CFG"/subsystems/*; do
		[ ! -e "$f" ] || rmdir "$f"
	done
}
