# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# Sources and images.

starts_without_module()
{
	[ ! -e /sys/module/ybd ]
	ybdctl version | grep -q '^module not loaded'
	json '.module == null' ybdctl version
	ybdctl source list >/dev/null
	[ ! -e /sys/module/ybd ] || { echo "looking loads the module"; return 1; }
}
ktap_case "version and source list do not load the module" starts_without_module

not_allowed()
{
	local conf=/etc/modprobe.d/ybd-test.conf

	# shellcheck disable=SC2064
	trap "rm -f $conf" EXIT
	echo 'blacklist ybd' >$conf
	refused 6 'blacklist' ybdctl list
	echo 'install ybd /bin/false' >$conf
	refused 6 'does not load' ybdctl list
	[ ! -e /sys/module/ybd ]
}
ktap_case "a module that may not be loaded is said to be so" not_allowed

loads_module()
{
	json '.devices == []' ybdctl list
	[ -e /sys/module/ybd ]
	json '.module.abi == .abi and .module.devices == 0' ybdctl version
	ybdctl version | grep -q '^module .* 0 devices, 0 images'
}
ktap_case "the first request loads the module" loads_module

without_usermodehelper()
{
	local old

	old=$(cat /proc/sys/kernel/modprobe)
	# shellcheck disable=SC2064
	trap "echo $old >/proc/sys/kernel/modprobe" EXIT
	rmmod ybd
	echo '' >/proc/sys/kernel/modprobe
	ybdctl list >/dev/null
	[ -e /sys/module/ybd ]
}
ktap_case "libkmod loads it where the kernel cannot" without_usermodehelper

lists_sources()
{
	json '.sources | length == 3' ybdctl source list
	json ".sources[] | select(.uuid == \"$U_ROOTFS\") |
		.content == \"lvstore\" and .content_label == \"images\" and
		.transport == \"pcie\" and .state == \"live\" and
		.size == 134217728 and .block_size == 512 and .nsid == 1 and
		(.controllers | length == 1) and .images == 0 and
		.source == \"uuid:$U_ROOTFS\"" ybdctl source list
	json ".sources[0].uuid == \"$U_CHAIN\"" ybdctl source list "uuid:${U_CHAIN^^}"
	json '.sources | length == 1' ybdctl source list /dev/vda
	json ".sources[0] | .uuid == \"$U_ROOTFS\" and .hold_seconds == 60 and (.multipath | not)" \
		ybdctl source list images
	(
		cd "$T" || exit
		: >images
		refused 7 'write \./images or /dev/nvme' ybdctl source list images
		json '.sources[0].content == null' ybdctl source list ./images
		rm images
	)
	ybdctl source list --bound 59 images 2>&1 >/dev/null | grep 'io_timeout: lower that'
	[ -z "$(ybdctl source list --bound 60 images 2>&1 >/dev/null)" ]
}
ktap_case "namespaces, their identifiers and what is on them" lists_sources

loads_image()
{
	ybdctl image load images/final |
		grep -qE '^image images/final is loaded: 6 extents, [0-9]+ bytes of memory$'
	[ "$(ybdctl image load images/final)" = "image images/final was loaded already" ]
	[ -z "$(ybdctl -q image load images/final)" ]
	json '.loaded == false and .layers == 4 and .size == 50331648' \
		ybdctl image load images/final
	json '.images | length == 1' ybdctl image list
	json ".images[0] | .uuid == \"1deb6496-8fa4-4838-ac49-b91d4e1c45e4\" and
		.extents == 6 and .read_only == false and .devices == 0 and
		(.identity | length == 64) and .sources[0].name == \"uuid:$U_ROOTFS\"" \
		ybdctl image show images/final
	json ".sources[] | select(.uuid == \"$U_ROOTFS\") | .images == 1" ybdctl source list
}
alone "image load, twice" loads_image

by_uuid()
{
	# the canonical name is the store's and the lvol's, however they were given
	ybdctl image load images/final -q
	json '.loaded == false and .name == "images/final"' ybdctl image load \
		029A3BC0-ce40-47bb-916f-2347922f0196/1deb6496-8fa4-4838-ac49-b91d4e1c45e4
	json '.loaded and .name == "two"' ybdctl image load \
		029a3bc0-ce40-47bb-916f-2347922f0196/final --name two \
		--source "uuid:$U_ROOTFS"
}
alone "stores and lvols by uuid" by_uuid

name_taken()
{
	ybdctl image load images/final -q
	refused 4 'loaded with other content' ybdctl image load images/base --name images/final
	json '.images | length == 1' ybdctl image list
}
alone "another image under the same name is refused" name_taken

not_found()
{
	refused 3 'no NVMe namespace holds lvstore "nope"' ybdctl image load nope/final
	refused 3 'has no lvol "nope"' ybdctl image load images/nope
	refused 3 'no such image \(attribute: name\)' ybdctl image show nope
	refused 3 'no such image' ybdctl image unload nope
	refused 3 'No such file' ybdctl image load images/final --source /nope
	refused 3 'neither on the given sources nor' \
		ybdctl image load nope/final --source "uuid:$U_ROOTFS"
}
alone "what does not exist" not_found

verifies()
{
	ybdctl image load images/final -q
	ybdctl image verify images/final
	ybdctl image load images/app --name other -q
	json '.name == "other"' ybdctl image verify other
	ybdctl image verify other images/app -q
	refused 7 'is not what its layers are now' ybdctl image verify other images/www
}
alone "image verify" verifies

pins()
{
	local loop

	modprobe loop
	cp --sparse=always "$FIX/rootfs.img" "$T/pin-store"
	loop=$(losetup -f --show "$T/pin-store")
	ybdctl image load images/app --source "$loop" --name mine -q
	refused 4 'this host reads from it' ybdctl image pin mine --source "$loop"
	json '.pinned and .changed > 1' ybdctl image pin mine --append --source "$loop"
	json '.pinned and .changed == 0' ybdctl image pin images/app --source "$loop" --append
	json '.lvols | map(select(.pinned).name) | contains(["base", "app"])' ybdctl store show "$loop"
	# what is loaded is what it was
	ybdctl image verify mine --source "$loop"
	# the store that it is read from, not the other one of the same uuid
	json '.pinned and .changed == 0' ybdctl image pin mine --append
	json '(.pinned | not) and .changed > 1' ybdctl image pin mine --append --unpin --source "$loop"
	json '.lvols | all(.pinned | not)' ybdctl store show "$loop"
	json '.pinned and .changed > 1' ybdctl image pin mine --append
	json '.lvols | map(select(.pinned).name) | contains(["base", "app"])' ybdctl store show "$loop"
	json '.lvols | all(.pinned | not)' ybdctl store show "/dev/disk/by-id/nvme-uuid.$U_ROOTFS"
	json '.changed > 1' ybdctl image pin mine --append --unpin
	ybdctl image unload mine
	refused 3 'no image "mine" is loaded' ybdctl image pin mine --source "$loop"
	losetup -d "$loop"
	rm "$T/pin-store"
}
alone "image pin: of a store that is read from" pins

writable()
{
	refused 7 '"work" is writable' ybdctl image load lvs-chain5/work
	json '.loaded and .read_only' ybdctl image load lvs-chain5/work --unsafe-writable
	refused 7 'image|read-only|upper' ybdctl create w --image lvs-chain5/work --ram 1M
	json '.upper == "none"' ybdctl create w --image lvs-chain5/work --ro
	[ "$(sha /dev/ybd0)" = "$(golden chain5 work)" ]
	ybdctl detach w
	ybdctl image verify lvs-chain5/work
	ybdctl image unload lvs-chain5/work
	json '.upper == "none"' ybdctl create w --image lvs-chain5/work --ro --unsafe-writable
}
alone "a writable lvol: refused, or read-only" writable

external()
{
	local dev

	# found by its uuid
	dev=$(ybdctl create e --image lvs-esnap/ec-snap --source "$FIX/esnap.img" --ro)
	[ "$(sha "$dev")" = "$(golden esnap ec-snap)" ]
	json '.images[0].sources | length == 2' ybdctl image show lvs-esnap/ec-snap
	ybdctl detach e
	ybdctl image unload lvs-esnap/ec-snap
	# told where it is
	dev=$(ybdctl create e --image lvs-esnap/ec-snap --source "$FIX/esnap.img" --ro \
		--esnap "$U_EXT=$FIX/esnap.ext.raw")
	[ "$(sha "$dev")" = "$(golden esnap ec-snap)" ]
	ybdctl detach e
	ybdctl image unload lvs-esnap/ec-snap
	head -c 4096 "$FIX/esnap.ext.raw" >"$T/short"
	refused 7 'has 4096 bytes, the lvol needs' ybdctl image load lvs-esnap/ec-snap \
		--source "$FIX/esnap.img" --esnap "$U_EXT=$T/short"
}
alone "clones of external snapshots" external

# Over an external snapshot: what was written, in RAM and in a pool.
external_commit()
{
	local ext="$U_EXT=$FIX/esnap.ext.raw" store=$T/esnap image dev new i where

	cp --sparse=always "$FIX/esnap.img" "$store"
	rm -f "$T/pool"
	truncate -s 64M "$T/pool"
	ybdctl pool create "$T/pool"
	image=(--source "$store" --esnap "$ext")
	for i in "--ram 4M" "--pool $T/pool"; do
		# shellcheck disable=SC2086
		dev=$(ybdctl create e --image lvs-esnap/ec-snap "${image[@]}" $i)
		head -c 20000 /dev/urandom | dd of="$dev" bs=4k seek=77 oflag=direct status=none
		dd if=/dev/urandom of="$dev" bs=512 seek=3001 count=5 oflag=direct status=none
		blkdiscard -z -o 1M -l 160K "$dev"
		sha "$dev" >"$T/want"
		udevadm settle
		where=()
		[[ $i == --ram* ]] || {
			ybdctl detach e
			where=(--pool "$T/pool")
		}
		json '.parent == "ec-snap"' ybdctl commit e "lvs-esnap/new${i%% *}" --append \
			--source "$store" --esnap "$ext" "${where[@]}"
		new=$(ybdctl create n --image "lvs-esnap/new${i%% *}" "${image[@]}" --ro)
		[ "$(sha "$new")" = "$(cat "$T/want")" ]
		ybdctl detach n
		if [[ $i == --ram* ]]; then
			ybdctl detach e
		else
			ybdctl destroy e "${where[@]}"
		fi
	done
	[ "$(ybdctl lvol export "$store" ec-snap - --esnap "$ext" | sha256sum | cut -d' ' -f1)" = \
		"$(golden esnap ec-snap)" ]
	for i in new--ram new--pool ec-snap; do
		ybdctl image unload "lvs-esnap/$i"
	done
	ybdctl store check "$store"
	rm "$store" "$T/pool" "$T/want"
}
alone "what was written over an external snapshot is committed" external_commit

layers()
{
	local dev

	# 1 MiB of a file over an lvol, and both over another lvol
	head -c 1M /dev/urandom >"$T/top"
	dev=$(ybdctl create l --image lvs-chain5/snap-02 --layer "file:$T/top" --ro)
	cmp -n 1048576 "$dev" "$T/top"
	ybdctl create s --image lvs-chain5/snap-02 --ro -q
	cmp -i 1048576 "$dev" /dev/ybd1
	# one between them that is hidden wholly makes no difference
	truncate -s 512K "$T/hidden"
	ybdctl create h --image lvs-chain5/snap-02 --layer "file:$T/hidden" \
		--layer "file:$T/top" --image-name h --ro -q
	cmp "$dev" /dev/ybd2
	json '.images[0].sources | length == 2' ybdctl image show h
	json '.images | map(.name) | index("lvs-chain5/snap-02+file:'"$T"'/top") != null' \
		ybdctl image list
	ybdctl image verify "lvs-chain5/snap-02+file:$T/top"
	touch "$T/top"
	refused 7 'is not what its layers are now' \
		ybdctl image verify "lvs-chain5/snap-02+file:$T/top"
	ybdctl detach l s h
	# the other way round all of the file is hidden by nothing but clusters
	dev=$(ybdctl create l --layer "file:$T/top" --layer lvs-chain5/snap-02 --ro)
	not cmp -s -n 1048576 "$dev" "$T/top"
	ybdctl detach l
	# a whole namespace
	dev=$(ybdctl create l --layer "dev:uuid:$U_ROOTFS" --ro)
	[ "$(blockdev --getsize64 "$dev")" = 134217728 ]
	cmp -n 2M "$dev" "$FIX/rootfs.img"
	cmp -i 126M "$dev" "$FIX/rootfs.img"
	json ".images[] | select(.layers == 1) | .name == \"dev:uuid:$U_ROOTFS\"" ybdctl image list
	ybdctl detach l
	refused 7 'say file:' ybdctl image load --layer "dev:$T/top"
	refused 7 'say dev:' ybdctl image load --layer file:/dev/vda
	printf x >>"$T/top"
	refused 7 'no multiple of 512' ybdctl image load --layer "file:$T/top"
}
alone "several layers: the topmost that has the block wins" layers

long_names()
{
	local dir
	dir=$T/$(printf 'd%.0s' {1..120})/$(printf 'e%.0s' {1..120})

	mkdir -p "$dir"
	truncate -s 1M "$dir/f"
	json '.name | startswith("layers:")' ybdctl image load \
		--layer "file:$dir/f" --layer "file:$FIX/esnap.ext.raw"
	json '.loaded == false' ybdctl image load \
		--layer "file:$dir/f" --layer "file:$FIX/esnap.ext.raw"
	ybdctl create n --layer "file:$dir/f" --layer "file:$FIX/esnap.ext.raw" --ro -q
	rm -r "$dir"
}
alone "names too long for the kernel" long_names

damaged()
{
	head -c 1M "$FIX/rootfs.img" >"$T/cut"
	refused 7 "$T/cut: " ybdctl image load nope/final --source "$T/cut"
	# while the whole one is there too, it is found on its namespace
	json '.loaded' ybdctl image load images/final --source "$T/cut"
	cp "$FIX/rootfs.img" "$T/copy"
	refused 7 'is on .* and on' ybdctl image load images/app \
		--source "$T/copy" --source "$FIX/rootfs.img"
	rm "$T/copy" "$T/cut"
}
alone "damaged and ambiguous stores" damaged
