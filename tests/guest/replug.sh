#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# shellcheck disable=SC2086
# replug.sh ROUNDS [all|tcp|pcie [full]]: in the guest, for the suite replug-vm.
#
# A namespace of nvmet (over TCP) that is disabled and enabled, and one of QEMU's
# that is pulled and plugged; on each a store, and ten devices of its image, as of ten
# containers: eight are read all the time and now and then written, two are written by
# fio, which verifies it. "hotplug" here is what user space does when it is back.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/lib/ktap.sh
. tests/guest/nullb
. tests/guest/two-layers.sh
rounds=$1 part=${2:-all} full=${3:-}

uuid=0b0b0b0b-1111-2222-3333-444444444444
mib=$((1 << 20))
work=/run/replug
mkdir -p $work
modprobe -a ybd nvmet nvmet-tcp nvme-tcp nvme
ip link set lo up
replug=build/guest/tests/ybd-replug

wait_for() # SECONDS COMMAND...
{
	local i
	for ((i = 0; i < $1 * 20; i++)); do
		! "${@:2}" || return 0
		sleep 0.05
	done
	echo "waited $1 s for: ${*:2}"
	return 1
}

# ---- the namespace that nvmet shows ----

nvmet=/sys/kernel/config/nvmet
subsys=$nvmet/subsystems/ss

nvmet_make() # BACKING
{
	mkdir "$subsys" "$nvmet/ports/1" "$subsys/namespaces/1"
	echo 1 >"$subsys/attr_allow_any_host"
	echo -n "$1" >"$subsys/namespaces/1/device_path"
	echo $uuid >"$subsys/namespaces/1/device_uuid"
	# not loop: that waits for a mutex where it must not when a namespace is gone
	echo tcp >"$nvmet/ports/1/addr_trtype"
	echo ipv4 >"$nvmet/ports/1/addr_adrfam"
	echo 127.0.0.1 >"$nvmet/ports/1/addr_traddr"
	echo 4420 >"$nvmet/ports/1/addr_trsvcid"
	ln -s "$subsys" "$nvmet/ports/1/subsystems/ss"
	echo 1 >"$subsys/namespaces/1/enable"
	echo "transport=tcp,traddr=127.0.0.1,trsvcid=4420,nqn=ss" >/dev/nvme-fabrics
}

# The block device that has the uuid now.
tcp_disk()
{
	local f
	for f in /sys/block/nvme*/uuid; do
		[[ $f != */nvme*c*n* ]] || continue
		[ "$(cat "$f" 2>/dev/null)" != $uuid ] || {
			disk=/dev/$(basename "$(dirname "$f")")
			[ -b "$disk" ] && return
		}
	done
	return 1
}
tcp_gone() { ! tcp_disk; }
tcp_out() { echo 0 >"$subsys/namespaces/1/enable"; }
tcp_in() { echo 1 >"$subsys/namespaces/1/enable"; }

# ---- the one that QEMU shows ----

pcie_disk()
{
	local f
	for f in /sys/block/nvme*; do
		[[ $(cat "$f/device/serial" 2>/dev/null) != PULLED* ]] || {
			disk=/dev/${f##*/}
			[ -b "$disk" ] && return
		}
	done
	return 1
}
pcie_gone() { ! pcie_disk; }
pcie_out() { qemu-monitor device_del pulled; }
# removing the device takes its drive along
pcie_in()
{
	qemu-monitor drive_add 0 \
		"if=none,id=pulled,format=raw,file=$YBD_HOST_SHARE/pulled" >/dev/null
	wait_for 60 qemu-monitor device_add \
		nvme,id=pulled,serial=PULLED,drive=pulled,bus=rp0 >/dev/null
}

# ---- stores and devices ----

# Ten of them are NAME0 to NAME9; the last two are for fio.
make_ten() # NAME STORE SOURCE
{
	local i
	make_device "${1}0" "$2" "$3" --ro --replug-timeout 900
	make_device "${1}1" "$2" "$3" --ram 16M --block-size 512 --replug-timeout 900
	for i in {2..8}; do
		make_device "$1$i" "$2" "$3" --ram 16M --replug-timeout 900
	done
	make_device "${1}9" "$2" "$3" --ram 16M --block-size 512 --replug-timeout 900
	udevadm settle
}

# A program that does not have the fifos open which end the others.
alone()
{
	local v fd
	for v in "${!stop_@}"; do
		fd=${!v}
		exec {fd}>&-
	done
	exec "$@"
}

# The last in blocks of 2 KiB: each of its first writes needs what the source has.
fio_start() # NAME
{
	local i
	for i in 8 9; do
		alone fio --name="$1$i" --filename="/dev/ybd/$1$i" --direct=1 --rw=randwrite \
			--bs=$((i == 8 ? 4 : 2))k --size=8m --loops=1000000 \
			--thinktime=$((20000 * ${YBD_PACE:-1})) \
			--verify=crc32c --verify_backlog=64 --verify_fatal=1 --randseed=$i \
			>"$work/fio-$1$i" 2>&1 &
		declare -g "fio_$i=$!"
	done
}

fio_stop() # NAME: no error, and something was verified
{
	local i pid
	for i in 8 9; do
		pid=fio_$i
		kill -INT "${!pid}"
		wait_for 120 ended "${!pid}"
		grep -E "err=|issued|verify" "$work/fio-$1$i" | sed "s/^/# $1$i: /" >&2
		grep -q "err= 0" "$work/fio-$1$i"
		if grep -i "verify:.*fail\|bad \|error" "$work/fio-$1$i"; then
			return 1
		fi
		# what was read is what was verified
		awk -F'[=,: ]+' '/issued rwts/ { n = $5 } END { exit !(n > 0) }' "$work/fio-$1$i"
	done
}
ended() { ! kill -0 "$1" 2>/dev/null; }

readers=()
start() # NAME DEVICE-NAMES...
{
	local name=$1 d paths=()
	for d in "${@:2}"; do
		paths+=("/dev/ybd/$d")
	done
	# a fifo of its own ends it
	rm -f "$work/$name."*
	mkfifo "$work/$name.stop"
	alone $replug read "${paths[@]}" <"$work/$name.stop" >"$work/$name.out" 2>"$work/$name.err" &
	readers+=($!)
	exec {fd}>"$work/$name.stop"
	declare -g "stop_$name=$fd"
	wait_for 60 grep -q reading "$work/$name.out"
}

stop() # NAME: ends reading
{
	local v=stop_$1 fd
	fd=${!v}
	exec {fd}>&-
	wait_for 120 grep -q "longest" "$work/$1.out"
	sed 's/^/# /' "$work/$1.out" "$work/$1.err" >&2
}

# Of all devices that $1 read: the sum of the field after the word $2.
sum() { awk -v w="$2" '{ for (i = 1; i < NF; i++) if ($i == w) n += $(i + 1) } END { print n + 0 }' "$work/$1.out"; }
max() { awk -v w="$2" '{ for (i = 1; i < NF; i++) if ($i == w && $(i + 1) > n) n = $(i + 1) } END { print n + 0 }' "$work/$1.out"; }

# What the image of a store says of its source.
source_has() { ybdctl image show "$1/base+$1/top" --json | jq -r ".images[0].sources[0].$2"; }
waits() { [ "$(source_has "$1" parked)" -gt 0 ]; }

# ---- what happens ----

rounds_of() # tcp|pcie STORE ROUNDS
{
	local i name
	name=$(source_has "$2" name)
	for ((i = 0; i < $3; i++)); do
		sleep 0.$((RANDOM % 3))
		"$1_out"
		wait_for 60 "$1_gone"
		sleep 0.$((RANDOM % 4))
		"$1_in"
		wait_for 60 "$1_disk"
		"$1_disk"
		ybdctl source swap "$name" "$disk"
	done
	[ "$(source_has "$2" swaps)" = "$3" ]
}

latency() { sed -n 's/.*longest/longest/p' "$work/$1.out"; }

no_error() # NAME
{
	[ "$(sum "$1" errors)" = 0 ]
	[ "$(sum "$1" wrong)" = 0 ]
	[ "$(sum "$1" reads)" -gt 20 ]
}

# ---- what has nothing to do with it ----

$replug fill $work/full $((8 * mib))
$replug fill $work/half $((8 * mib)) 262144
nullb_make other
other=$nullb_dev
make_store "$other" O
make_device other O "$other" --ro
udevadm settle
start other other

if [ $part != pcie ]; then

# ---- TCP ----

nullb_make one blocksize=4096
one=$nullb_dev
nvmet_make "$one"
wait_for 60 tcp_disk
tcp_disk
make_store "$disk" L
sync
make_ten l L "$disk"

start tcp l{0..7}
start calm other
sleep 2
stop calm
start busy other
fio_start l
ktap_case "a namespace that goes and comes back, $rounds times" rounds_of tcp L "$rounds"
stop tcp
ktap_case "  its readers saw no error and nothing wrong" no_error tcp
ktap_case "  nor did fio" fio_stop l
stop busy
ktap_note "another source's reads, while all was there: $(latency calm)"
ktap_note "while that one went and came:                $(latency busy)"
ybdctl detach l{3..9}
let_go() { [ "${disk##*n}" -le 4 ] || { echo "it is $disk by now"; return 1; }; }
tcp_disk
ktap_case "  what it was before is let go" let_go

# ---- what is not taken ----

# enabled over another device, with the same uuid
come_as() # BACKING
{
	echo -n "$1" >"$subsys/namespaces/1/device_path"
	tcp_in
	wait_for 60 tcp_disk
	tcp_disk
}
refused() # WORDS BACKING
{
	local msg status=0
	come_as "$2"
	msg=$(ybdctl source swap "uuid:$uuid" "$disk" 2>&1) || status=$?
	echo "status $status: $msg"
	tcp_out
	wait_for 60 tcp_gone
	[ $status = 7 ] && [[ $msg == *"$1"* ]]
}
nullb_make small size=32 blocksize=4096
nullb_make blank blocksize=4096
nullb_make twin blocksize=4096
store=$(ybdctl store show "$disk" --json | jq -r .uuid)
ybdctl store create --name L --uuid "$store" --cluster-size 64K $nullb_dev >/dev/null
for l in top base; do
	file=full
	[ $l = base ] || file=half
	udevadm settle
	ybdctl lvol import --read-only $nullb_dev $l $work/$file >/dev/null --uuid \
		"$(ybdctl store show "$disk" --json | jq -r ".lvols[] | select(.name == \"$l\") | .uuid")"
done
sync
start tcp l0 l1 l2
# they have read some by then; what is left for them after the return is not much
sleep 1
tcp_out
wait_for 60 tcp_gone
wait_for 60 waits L
# These come one after the other: none is past its bound, however it meets the clock of
# its source.
for ((i = 0; i < 40; i++)); do
	alone dd if=/dev/ybd/l0 of=/dev/null bs=64K count=1 skip=$i iflag=direct status=none \
		2>"$work/late-$i" &
	late[i]=$!
done
path() { [ -b "/dev/$1" ] && echo "/dev/$1" || echo "/dev/nullb$(cat "$nullb_cfg/$1/index")"; }
ktap_case "a smaller one is refused" refused "bytes" "$(path small)"
ktap_case "one without the store is refused" refused "L" "$(path blank)"
ktap_case "a store of the same name with other contents is refused" \
	refused "is not what it was" "$(path twin)"
not_one_word() { ! grep . "$@"; }
come_back() { come_as "$one"; ybdctl source swap "uuid:$uuid" "$disk"; }
ktap_case "the one that it was is taken" come_back
stop tcp
ktap_case "  its readers waited all the while" no_error tcp
for i in "${!late[@]}"; do
	wait "${late[i]}" || :
done
ktap_case "  and those that came later" not_one_word "$work"/late-*

# ---- what does not wait ----

tcp_disk
make_device ff L "$disk" --ro
udevadm settle
read_one() { timeout 30 dd if="/dev/ybd/$1" of=/dev/null bs=64K count=1 skip=$((RANDOM % 100)) iflag=direct 2>&1; }
fails_in() # FROM TO DEVICE: in so many ms
{
	local t msg
	t=$(date +%s%N)
	msg=$(read_one "$3") && return 1
	t=$((($(date +%s%N) - t) / 1000000))
	echo "$t ms: $msg"
	[[ $msg == *"Input/output error"* ]] && [ $t -ge "$1" ] && [ $t -le "$2" ]
}
tcp_out
wait_for 60 tcp_gone
ktap_case "without a timeout a read fails at once" fails_in 0 15000 ff
ktap_case "  and the device can be detached" ybdctl detach ff
ybdctl set l0 --replug-timeout 1.5
ktap_case "past its timeout a read fails" fails_in 1400 20000 l0
set_ends()
{
	ybdctl set l0 --replug-timeout 900
	read_one l0 >$work/dd & local dd=$!
	wait_for 30 waits L
	ybdctl set l0 --replug-timeout 0
	wait_for 20 ended $dd
	grep -q "Input/output error" $work/dd
}
ktap_case "setting it to 0 ends what waits" set_ends
detach_ends() # OPTIONS...
{
	local dd t
	read_one l1 >$work/dd & dd=$!
	wait_for 30 waits L
	t=$(date +%s)
	ybdctl detach --force l1
	wait_for 20 ended $dd
	cat $work/dd
	[ $(($(date +%s) - t)) -le 30 ]
	grep -q "Input/output error\|No such device" $work/dd
}
ktap_case "so does a forced detach" detach_ends
busy() { ! rmmod ybd 2>/dev/null; }
payer=/sys/fs/cgroup/waits
echo +io >/sys/fs/cgroup/cgroup.subtree_control
mkdir $payer
(echo "$BASHPID" >$payer/cgroup.procs && read_one l2) >$work/dd &
dd=$!
wait_for 30 waits L
ktap_case "the module stays meanwhile" busy
ktap_case "and it returns for who still waits" come_back
wait $dd || :
ktap_case "  who then reads" grep -q "records out" $work/dd
charged()
{
	tcp_disk
	cat $payer/io.stat
	grep "^$(cat "/sys/block/${disk##*/}/dev") " $payer/io.stat | grep -q "rios=[1-9]"
}
ktap_case "  and whose cgroup is charged for that too" charged
ybdctl detach l0 l2
ybdctl image unload L/base+L/top

fi
if [ $part != tcp ]; then

# ---- PCIe ----

truncate -s 64M "$YBD_SHARE/pulled"
pcie_in
wait_for 60 pcie_disk
pcie_disk
make_store "$disk" P
make_ten p P "$disk"
start pcie p{0..7}
fio_start p
pcie_rounds=$((rounds / 3))
[ -z "$full" ] || pcie_rounds=$rounds
ktap_case "a disk that is pulled and plugged, $pcie_rounds times" rounds_of pcie P $pcie_rounds
# The namespace stays, so that ybd has nothing to do; a live update of firmware is no more.
resets()
{
	local i ctrl
	pcie_disk
	ctrl=/sys/block/${disk##*/}/device
	for ((i = 0; i < 5; i++)); do
		echo 1 >"$ctrl/reset_controller"
		sleep 0.$((RANDOM % 9))
	done
	[ "$(cat "$ctrl/state")" = live ]
	[ "$(source_has P swaps)" = $pcie_rounds ]
}
ktap_case "its controller is reset, 5 times" resets
stop pcie
ktap_case "  its readers saw no error and nothing wrong" no_error pcie
ktap_case "  nor did fio" fio_stop p
ybdctl detach p{0..9}
ybdctl image unload P/base+P/top

# ---- a pool that is pulled: under full only ----

if [ -n "$full" ]; then

make_pool()
{
	pcie_disk
	udevadm settle
	ybdctl pool create --force -q "$disk" --name pool >/dev/null
	udevadm settle
	ybdctl create w --layer O/base --source "$other" --pool pool --quota 4M
	# not with the pipe that the case is read through
	ybdctl monitor >$work/events 2>&1 </dev/null & echo $! >$work/monitor
	wait_for 60 test -s $work/events
	udevadm settle
}
pool_write() { dd if=/dev/urandom of=/dev/ybd/w bs=4k count=1 seek="$1" oflag=direct conv="$2" 2>&1; }
fails()
{
	if "$@"; then
		echo "did not fail: $*"
		return 1
	fi
}
pool_fails()
{
	pool_write 1 fsync
	dd if=/dev/ybd/w of=$work/before bs=4k count=1 skip=1 iflag=direct
	pool_write 2 notrunc
	pcie_out
	wait_for 60 pcie_gone
	fails pool_write 3 notrunc
	fails pool_write 2 fsync
	fails dd if=/dev/ybd/w of=/dev/null bs=4k count=1 skip=1 iflag=direct
	wait_for 20 grep -q "pool-failed pool" $work/events
	kill "$(cat $work/monitor)"
	grep -q "its device is gone\|was lost" $work/events
	# what the image has is still there
	dd if=/dev/ybd/w of=/dev/null bs=4k count=1 skip=100 iflag=direct
	ybdctl detach w
}
pool_returns()
{
	pcie_in
	wait_for 60 pcie_disk
	pcie_disk
	udevadm settle
	ybdctl attach w --pool "$disk" --source "$other"
	udevadm settle
	dd if=/dev/ybd/w of=$work/after bs=4k count=1 skip=1 iflag=direct
	cmp $work/before $work/after
	ybdctl destroy w
}
ktap_case "a device in a pool on that disk" make_pool
ktap_case "that is pulled: it fails, and says so" pool_fails
ktap_case "  and what was flushed is there when it is back" pool_returns
ybdctl image unload O/base
fi

fi

# ---- and who had nothing to do with it ----

stop other
ktap_case "another source's readers saw no error" no_error other
# A guest with KASAN, or one beside others, has pauses of its own: then nothing like those
# whose source was gone.
prompt()
{
	local longest pulled=0 n m

	for n in tcp pcie; do
		[ -e "$work/$n.out" ] || continue
		m=$(max $n longest)
		pulled=$((m > pulled ? m : pulled))
	done
	longest=$(max other longest)
	[ "$longest" -lt 3000 ] || [ $((longest * 4)) -lt "$pulled" ]
}
ktap_case "  and did not wait" prompt
ybdctl detach other
ybdctl image unload O/base+O/top
ktap_case "the module goes" rmmod ybd
ktap_end
