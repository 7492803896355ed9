# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# Parts of the tests of packages, for guests and for the guests' root; sourced.

# "! command" does not end a script that has -e
no() { ! "$@"; }

debs() { echo "$1/ybd-tools_$2_amd64.deb" "$1/ybd-dkms_$2_all.deb"; }

# One's own kernels, manual pages, quick: what an ordinary root has, and the
# guests' has not.
ordinary() { rm -f /etc/dpkg/dpkg.cfg.d/* /var/lib/man-db/auto-update; }

# What is there. The kernel's indexes stay, but are written again; the key for
# signing and the directory that it puts modules into are DKMS's own.
files()
{
	local places="/boot /etc /root /usr/local /usr/sbin /usr/src
		/usr/lib/dkms /usr/lib/modules /usr/lib/modules-load.d
		/usr/lib/modprobe.d /usr/lib/udev /usr/lib/systemd
		/usr/share/bash-completion /usr/share/doc /usr/share/man
		/var/lib/dkms /var/lib/dpkg/info"

	# shellcheck disable=SC2086
	{ find $places 2>/dev/null || :; } |
		grep -vE '/modules\.[a-z.]*$|/var/lib/dkms/mok\.|/updates(/dkms)?$' |
		sort
}

none()
{
	local release

	no command -v ybdctl
	for release in "$@"; do
		no modinfo -k "$release" ybd
		no grep ybd "/lib/modules/$release/"modules.{dep,alias}
	done
}

# tools VERSION
tools()
{
	local f

	[ "$(command -v ybdctl)" = /usr/sbin/ybdctl ]
	ybdctl version | grep -F "ybdctl $1 "
	for f in "/usr/src/ybd-$1/dkms.conf" /usr/share/man/man8/ybdctl.8.gz \
		/usr/share/bash-completion/completions/ybdctl \
		/usr/lib/udev/rules.d/{59,99}-ybd.rules; do
		[ -s "$f" ]
	done
}

# modules VERSION RELEASE...
modules()
{
	local version=$1 release
	shift

	[ "$(dkms status -m ybd)" = "$(printf "ybd/$version, %s, $(uname -m): installed\n" "$@")" ]
	for release in "$@"; do
		[ "$(modinfo -k "$release" -F version ybd)" = "$version" ]
		[[ $(modinfo -k "$release" -F filename ybd) == */updates/dkms/ybd.ko* ]]
	done
}

# Two containers from the lvstore, with what is installed and nothing else.
store=/dev/disk/by-id/nvme-uuid.029a3bc0-ce40-47bb-916f-2347922f0001
in_container() { env PATH=/bin:/sbin:/usr/bin chroot "/tmp/$1" "${@:2}"; }

containers_start()
{
	local c

	ybdctl store show "$store"
	test ! -d /sys/module/ybd
	ybdctl image load images/final --name app
	for c in web api; do
		test -b "$(ybdctl create "$c" --image app --ram 16M)"
		mkdir "/tmp/$c"
		ybdctl mount "$c" "/tmp/$c"
		in_container "$c" /opt/app/run
		echo "$c" >"/tmp/$c/note"
	done
	sync
	[ "$(cat /tmp/web/note)" = web ]
	[ "$(cat /tmp/api/note)" = api ]
	udevadm settle
	test -b /dev/ybd/web
}

# A container that is there again after its module, in a pool in a file.
container_stays()
{
	local pool=/tmp/pool.img

	ybdctl pool create --size 128M --name tmp "$pool"
	test -b "$(ybdctl create db --image images/final --pool "$pool" --unjournaled)"
	mkdir /tmp/db
	ybdctl mount db /tmp/db
	in_container db /opt/app/run
	echo kept >/tmp/db/note
	ybdctl umount db /tmp/db
	ybdctl detach db
	ybdctl image unload images/final
	# the devices below are given back by and by
	for _ in {1..50}; do
		! rmmod ybd 2>/dev/null || break
		sleep 0.1
	done
	[ ! -d /sys/module/ybd ]
	ybdctl pool check "$pool"
	ybdctl attach db --pool "$pool"
	ybdctl mount db /tmp/db
	[ "$(cat /tmp/db/note)" = kept ]
	in_container db /opt/app/run
	ybdctl umount db /tmp/db
	ybdctl destroy db
	ybdctl image unload images/final
	rm "$pool"
}

containers_end()
{
	local c

	for c in web api; do
		ybdctl umount "$c" "/tmp/$c"
		ybdctl detach "$c"
	done
	ybdctl image unload app
	rmmod ybd
	udevadm settle
	[ ! -e /dev/ybd ]
}
