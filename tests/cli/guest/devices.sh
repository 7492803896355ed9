# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# Devices: their life, their errors, udev.

node_is_usable()
{
	local i dev

	ybdctl image load images/final -q
	for i in 1 2 3 4 5; do
		# the node is there and reads when the command has returned
		dev=$(ybdctl create "n$i" --image images/final --ram 1M)
		[ -b "$dev" ]
		dd if="$dev" of=/dev/null bs=4096 count=1 status=none iflag=direct
	done
	[ "$(sha /dev/ybd0)" = "$(golden rootfs final)" ]
}
alone "create prints the node, which is usable" node_is_usable

loads_by_itself()
{
	json '.path == "/dev/ybd0" and .name == "c1" and .image == "images/final" and
		.upper == "ram" and .upper_limit == 4194304 and .size == 50331648 and
		.logical_block_size == 512 and .state == "live"' \
		ybdctl create c1 --image images/final --ram 4M
	json '.images | length == 1' ybdctl image list
	# by uuid, which no image has as its name
	ybdctl create c2 --ro -q --image \
		029a3bc0-ce40-47bb-916f-2347922f0196/1deb6496-8fa4-4838-ac49-b91d4e1c45e4 >/dev/null
	json '.images | length == 1 and .[0].devices == 2' ybdctl image list
	ybdctl create c3 --ro --image images/base --image-name mine >/dev/null
	json '.devices[] | select(.name == "c3") | .image == "mine"' ybdctl list
	# a loaded one by its own name
	ybdctl create c4 --ro --image mine >/dev/null
	refused 3 'no image "yours" is loaded' ybdctl create c5 --ro --image yours
	ybdctl list | grep -qE '^c1 +/dev/ybd0 +48M +images/final +ram +- +0 +4M +live +0$'
}
alone "create loads the image when it has to" loads_by_itself

udev_link()
{
	local loop

	four_devices
	udevadm settle
	[ "$(readlink -f /dev/ybd/c1)" = /dev/ybd0 ]
	[ "$(readlink -f /dev/ybd/c2)" = /dev/ybd1 ]
	udevadm info /dev/ybd0 >"$T/info"
	not grep -E 'ID_FS|ID_PART|CURRENT_TAGS=.*systemd|disk/by' "$T/info"
	# nobody has looked at it: neither udev nor the kernel for partitions
	json '.stats[0].image_reads == 0 and .stats[0].hole_reads == 0' ybdctl stats c1
	# closing it after writing makes udev look again at a device that it
	# watches, such as a loop device; it hears of both in the order of the writes
	truncate -s 1M "$T/watched"
	loop=$(losetup -f --show "$T/watched")
	udevadm settle
	udevadm monitor --udev --subsystem-match=block >"$T/change" &
	pid=$!	# not local: for the trap
	trap 'kill $pid' EXIT
	soon grep -q 'monitor will print' "$T/change"
	dd if=/dev/zero of=/dev/ybd0 bs=4096 count=1 status=none conv=fsync
	dd if=/dev/zero of="$loop" bs=4096 count=1 status=none conv=fsync
	soon grep -q " change .*/${loop#/dev/} " "$T/change"
	udevadm settle
	not grep ' change .*/ybd' "$T/change"
	losetup -d "$loop"
}
alone "udev: a link by name, no probing, no watch, no systemd unit" udev_link

link_goes()
{
	four_devices
	udevadm settle
	[ -b /dev/ybd/c4 ]
	ybdctl detach c4
	udevadm settle
	[ ! -e /dev/ybd/c4 ]
	ybdctl create c4 --ro --image mine >/dev/null
	udevadm settle
	[ -b /dev/ybd/c4 ]
}
alone "udev: the link goes and comes" link_goes

create_errors()
{
	four_devices
	refused 4 'c1: .*name' ybdctl create c1 --image images/final --ram 1M
	refused 1 'size' ybdctl create x --image images/final --ro --size 1M
	refused 1 'size' ybdctl create x --image images/final --ro --size 50331649
	refused 3 '/sys/fs/cgroup/nope: No such file' \
		ybdctl create x --image images/final --ram 1M --cgroup nope
	truncate -s 0 "$T/plain"
	refused 1 'Not a directory' \
		ybdctl create x --image images/final --ram 1M --cgroup "../../..$T/plain"
	refused 1 'not the directory of a cgroup' \
		ybdctl create x --image images/final --ram 1M --cgroup "../../..$T"
	refused 3 'no block device has a pool "p"' \
		ybdctl create x --image images/final --pool p
	json '.devices | map(select(.name == "x")) == []' ybdctl list
}
alone "create: errors of the kernel in its words" create_errors

sizes()
{
	local dev

	four_devices
	dev=$(ybdctl create big --image images/final --ram 1M --size 64M)
	[ "$(blockdev --getsize64 "$dev")" = 67108864 ]
	[ "$(dd if="$dev" bs=1M skip=48 status=none | tr -d '\0' | wc -c)" = 0 ]
	[ "$(blockdev --getss "$dev")" = 512 ]
	ybdctl detach big
	dev=$(ybdctl create big --image images/final --ram 1M --block-size 4K)
	[ "$(blockdev --getss "$dev")" = 4096 ]
	ybdctl detach big
	ybdctl create x --image mine --ro --size 4611686018427387904 >/dev/null
}
alone "create: --size and --block-size" sizes

cgroups()
{
	local cg=/sys/fs/cgroup/ybd-test dev before after

	echo +memory >/sys/fs/cgroup/cgroup.subtree_control
	mkdir -p $cg
	before=$(cat $cg/memory.current)
	dev=$(ybdctl create m --image images/final --ram 16M --cgroup ybd-test)
	dd if=/dev/urandom of="$dev" bs=1M count=8 oflag=direct status=none
	after=$(cat $cg/memory.current)
	[ $((after - before)) -ge $((8 << 20)) ] || { echo "$before, then $after"; return 1; }
	ybdctl detach m
	rmdir $cg
}
alone "create: --cgroup pays" cgroups

shows()
{
	four_devices
	dd if=/dev/zero of=/dev/ybd0 bs=4096 count=1 status=none oflag=direct
	ybdctl show c1 | grep -qE '^upper limit: +4M$'
	ybdctl show c1 c2 | grep -c '^name:' | grep -qx 2
	json '.devices | map(.name) == ["c2", "c1"]' ybdctl show c2 c1
	refused 3 'nope: no such device \(attribute: name\)' ybdctl show c1 nope
	[ "$(stat_of c1 first_writes)" = 1 ]
	ybdctl stats c1 | grep -qE '^first writes: +1$'
	ybdctl stats | head -n 1 | grep -q '^NAME'
	json '.stats | length == 4' ybdctl stats
	# two devices of an image do not see each other's writes
	[ "$(sha /dev/ybd1)" = "$(golden rootfs final)" ]
	not cmp -s -n 4096 /dev/ybd0 /dev/ybd1
}
alone "show and stats" shows

busy()
{
	four_devices
	udevadm settle
	exec 9<>/dev/ybd0
	refused 4 'c1: ' ybdctl detach c1
	refused 4 'images/final: ' ybdctl image unload images/final
	json '.devices[0].openers == 1' ybdctl show c1
	ybdctl detach --force c1
	not dd if=/dev/fd/9 of=/dev/null bs=4096 count=1 iflag=direct status=none 2>/dev/null
	exec 9<&-
	refused 3 'no such device' ybdctl detach c1
	# the name is free again
	ybdctl create c1 --image images/final --ro >/dev/null
}
alone "detach: busy, by force, gone" busy

# udev has a new device open for a moment, which is nobody's use of it
at_once()
{
	local i

	ybdctl image load images/final -q
	for i in {1..25}; do
		ybdctl create u --image images/final --ram 1M >/dev/null
		ybdctl detach u
	done
}
alone "detach: right after create" at_once

# tries COMMAND...: what sleeping it does comes to $T/trace, too
tries()
{
	local got=0

	ASAN_OPTIONS=detect_leaks=0 strace -f -e trace=nanosleep,clock_nanosleep \
		-o "$T/trace" "$@" || got=$?
	grep -q exited "$T/trace" || return 99
	return $got
}

waits_for_udev()
{
	local queue=/run/udev/queue before

	exec 9<"$(ybdctl create u --image images/final --ram 1M)"
	udevadm settle
	[ ! -e $queue ]
	refused 4 'u: device is open' tries ybdctl detach u
	not grep nanosleep "$T/trace"
	# udev has something to do, and does not do it
	trap 'udevadm control --start-exec-queue' EXIT
	udevadm control --stop-exec-queue
	echo change >/sys/block/ybd0/uevent
	soon [ -e $queue ]
	before=$SECONDS
	refused 4 'u: device is open' tries ybdctl detach u
	[ $((SECONDS - before)) -ge 4 ] || { echo "not waited for"; return 1; }
	grep -q nanosleep "$T/trace"
	# as if it closed the device
	ybdctl detach u 9<&- &
	sleep 1
	exec 9<&-
	wait $!
	udevadm control --start-exec-queue
}
alone "detach: waits for udev, and for nobody else" waits_for_udev

batch()
{
	local i names=()

	four_devices
	for i in {1..40}; do
		ybdctl create "b$i" --image mine --ro >/dev/null
		names+=("b$i")
	done
	json '.devices | length == 44' ybdctl list
	udevadm settle
	ybdctl detach "${names[@]}"
	json '.devices | length == 4' ybdctl list
	# one that fails does not keep the others
	refused 3 'nope: no such device' ybdctl destroy c2 nope c3 c4
	json '.devices | map(.name) == ["c1"]' ybdctl list
}
alone "detach: many at once" batch

monitor()
{
	local got=0

	pids=()	# not local: for the trap
	# what runs on would keep the case from ending
	trap 'kill "${pids[@]}"' EXIT
	ybdctl monitor --json >"$T/events" &
	pids+=($!)
	ybdctl monitor >"$T/events.txt" &
	pids+=($!)
	soon grep -q listening "$T/events"
	soon grep -q listening "$T/events.txt"
	ybdctl create m1 --image images/final --ram 1M >/dev/null
	ybdctl detach m1
	ybdctl image unload images/final
	soon grep -q image-unloaded "$T/events"
	soon grep -q image-unloaded "$T/events.txt"
	jq -se 'map(.event) == ["listening", "image-loaded", "device-created",
		"device-detached", "image-unloaded"]' "$T/events" >/dev/null
	jq -se '.[2].device | .name == "m1" and .path == "/dev/ybd0"' "$T/events" >/dev/null
	jq -se '.[1].image.name == "images/final"' "$T/events" >/dev/null
	grep -qE '^20[0-9-]+T[0-9:.]+Z device-created m1 /dev/ybd0 images/final$' "$T/events.txt"
	# no event is needed to end it when nobody reads it any more
	timeout 120 ybdctl monitor | grep -q listening || got=$?
	[ $got = 141 ] || { echo "status $got, not that of SIGPIPE"; return 1; }
}
alone "monitor: each event on a line" monitor

in_flight() # DISK N
{
	local stat
	read -ra stat <"/sys/block/$1/stat"
	[ "${stat[8]}" = "$2" ]
}

# What is below does not answer: a detach by force does not wait for ever, and who
# listens hears when it has ended.
long_detach()
{
	local loop

	modprobe -a dm-mod loop
	head -c 4M /dev/urandom >"$T/slow"
	loop=$(losetup -f --show "$T/slow")
	echo "0 8192 linear $loop 0" | dmsetup create --noudevsync t
	udevadm settle
	ybdctl create c1 --layer dev:/dev/mapper/t --ro >/dev/null
	udevadm settle
	pids=()	# not local: for the trap
	trap 'dmsetup resume --noudevsync t; kill "${pids[@]}"' EXIT
	ybdctl monitor --json >"$T/events" &
	pids+=($!)
	soon grep -q listening "$T/events"
	dmsetup suspend --nolockfs --noudevsync --noflush t
	dd if=/dev/ybd0 of=/dev/null bs=4096 count=1 iflag=direct status=none &
	soon in_flight ybd0 1
	refused 1 'goes on by itself' ybdctl detach --force c1
	not grep -q device-detached "$T/events"
	dmsetup resume --noudevsync t
	wait $! || :
	soon grep -q device-detached "$T/events"
	jq -se '.[-1] | .event == "device-detached" and .device.name == "c1"' "$T/events" >/dev/null
	kill "${pids[@]}"
	trap - EXIT
	soon test ! -e /sys/block/ybd0
	ybdctl image unload --all
	dmsetup remove --noudevsync --retry t
	losetup -d "$loop"
	rm "$T/slow"
}
alone "detach: what takes long goes on, and is told of" long_detach

many_at_once()
{
	local i n=30 bad=0 pids=()

	# none of them finds the image loaded
	for ((i = 0; i < n; i++)); do
		ybdctl create "p$i" --image images/final --ram 1M >"$T/many-$i" &
		pids+=($!)
	done
	for i in "${pids[@]}"; do wait "$i" || bad=1; done
	[ $bad = 0 ]
	[ "$(cat "$T"/many-* | sort -u | wc -l)" = $n ]
	json ".devices | length == $n" ybdctl list
	json '.images | length == 1' ybdctl image list
}
alone "many tools at once, the image not loaded" many_at_once

# The tool is killed before it reads each of the kernel's answers, which comes
# after each request, and before what it does to get loop devices. The first
# four answers are about the module.
killed()
{
	local -A first=([recvfrom]=5 [ioctl]=1)
	local call n status

	export ASAN_OPTIONS=detect_leaks=0	# which would be in the way of strace
	for call in recvfrom ioctl; do
		for ((n = first[$call]; ; n++)); do
			status=0
			strace -f -qq --seccomp-bpf -o /dev/null -e "inject=$call:signal=KILL:when=$n" \
				ybdctl create k --ro --image lvs-esnap/ec-snap \
				--source "$FIX/esnap.img" \
				--esnap "$U_EXT=$FIX/esnap.ext.raw" >/dev/null || status=$?
			# the device is there whole, or not at all
			json '.devices | length < 2 and all(.state == "live")' ybdctl list
			clean_up
			[ $status != 0 ] || break
			[ $status = 137 ] || { echo "$call $n: status $status"; return 1; }
		done
		[ $n -gt $((first[$call] + 3)) ] || { echo "only $n $call"; return 1; }
	done
}
alone "a tool that is killed leaves nothing half done" killed

changing()
{
	local i pid n=0

	# lists stay whole while devices come and go
	for i in {1..10}; do ybdctl create "s$i" --image images/final --ro >/dev/null; done
	(for i in {1..20}; do
		ybdctl create "x$i" --image images/final --ro >/dev/null
		ybdctl detach "x$i"
	done) &
	pid=$!
	while kill -0 $pid 2>/dev/null; do
		json '.devices | map(.name) | length == (unique | length) and
			(map(select(startswith("s"))) | length == 10)' ybdctl list
		n=$((n + 1))
	done
	wait $pid
	[ $n -gt 1 ]
}
alone "lists while devices come and go" changing

many_sources()
{
	local i name=$T/src-with-a-name-of-some-length-so-that-it-takes-room args=()

	# the kernel's answer is one of several pages
	for i in {1..60}; do args+=(--layer "file:$name-$i"); done
	truncate -s 64K "$name"-{1..60}
	# what is hidden by the topmost is not held, but counts as content
	json '.extents == 1 and (.sources | length == 1)' ybdctl image load "${args[@]}" --name hidden
	ybdctl image verify hidden "${args[@]}"
	touch "$name-1"
	refused 7 'is not what its layers are now' ybdctl image verify hidden "${args[@]}"
	ybdctl image unload hidden
	# the last 4 KiB of each are to be seen
	python3 -c 'for i in range(1, 61): open(f"'"$name"'-{i}", "r+").truncate((61 - i) * 4096)'
	json '.extents == 60 and (.sources | length == 60)' ybdctl image load "${args[@]}" --name wide
	json '.images | map(.name) == ["wide"] and all(.sources == null)' ybdctl image list
	json '.images[0].sources | length == 60' ybdctl image show wide
	rm "$name"-*
}
alone "an image of 60 sources" many_sources
