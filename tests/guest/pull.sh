#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# shellcheck disable=SC2086
# pull.sh TRANSPORTS STEPS POINTS [OPERATION:WHAT...]: in the guest, for the suite pull-vm.
#
# Commands are stopped in front of their steps (halt.c: STEPS is "kernel" or "all"), of
# which POINTS are tried, or all (0); the source, or the pool's disk, is pulled there, and
# the command goes on. Also while the kernel is at it, as both disks are slow. However it
# ends: it ends soon, an error is one line with a documented exit code, what is there can
# be taken away, the module can be unloaded, and when the disk is back pool and store are
# in order.
set -uo pipefail
cd "$(dirname "$0")/../.."
. tests/lib/ktap.sh
. tests/guest/nvmet.sh
. tests/guest/nullb
transports=$1 steps=$2 points=$3
shift 3
RANDOM=${YBD_SEED:-$RANDOM}

T=/run/pull
NQN=nqn.2026-01.ybd:pull
mib=$((1 << 20))
mkdir -p $T
modprobe -a ybd nvme
nvmet_up nvmet-tcp nvme-tcp
ip link set lo up
limit=60 late=
# what it does about disks that come and go is not what this is about, and takes long
udevadm control --exit
# 5 ms for each request
slow='irqmode=2 completion_nsec=5000000'

# ---- two disks: src has the store, pool the pool ----

declare -A nsid=([src]=1 [pool]=2) uuid
# how often each was plugged by PCIe; a case is a subshell, so not in a variable
echo 0 | tee $T/nr-src >$T/nr-pool
uuid[src]=0c0c0c0c-0000-4000-8000-000000000001
uuid[pool]=0c0c0c0c-0000-4000-8000-000000000002

# disk_of src|pool: what it is now, in $disk
disk_of()
{
	local f

	if [ $transport = pcie ]; then
		for f in /sys/block/nvme*; do
			[[ $(cat "$f/device/serial" 2>/dev/null) != "PULL$1"* ]] || break
			f=
		done
	else
		for f in /sys/block/nvme*/uuid; do
			[[ $f == */nvme*c*n* || $(cat "$f" 2>/dev/null) != "${uuid[$1]}" ]] || break
			f=
		done
		f=${f%/uuid}
	fi
	[ -n "$f" ] && disk=/dev/${f##*/} && [ -b "$disk" ]
}

is_gone() { ! disk_of "$1"; }

# What is run when a command is stopped, as a script: the fewest processes.
write_out() # src|pool
{
	{
		echo '#!/bin/bash'
		if [ $transport = pcie ]; then
			echo "qemu-monitor device_del $1$(<$T/nr-$1)"
		else
			echo "echo 0 >$CFG/subsystems/$NQN/namespaces/${nsid[$1]}/enable"
		fi
		echo "for ((i = 0; i < 600; i++)); do"
		echo "	[ -e /sys/block/${disk##*/} ] || exit 0"
		echo "	sleep 0.05"
		echo "done"
		echo "exit 1"
	} >"$T/out-$1"
	chmod +x "$T/out-$1"
}

pcie_in() # src|pool
{
	local nr=$(($(<$T/nr-$1) + 1))

	echo $nr >$T/nr-$1
	qemu-monitor drive_add 0 \
		"if=none,id=$1$nr,format=raw,file=$YBD_HOST_SHARE/$1" >/dev/null
	soon qemu-monitor device_add \
		"nvme,id=$1$nr,serial=PULL$1,drive=$1$nr,bus=rp$((nsid[$1] - 1))" >/dev/null
}

# back src|pool: in again, unless it is there
back()
{
	if ! disk_of "$1"; then
		if [ $transport = pcie ]; then
			pcie_in "$1"
		else
			nvmet_enable $NQN "${nsid[$1]}" 1
		fi
		soon disk_of "$1" || return
		disk_of "$1"
	fi
	write_out "$1"
	declare -g "$1=$disk"
}

disks_up()
{
	local d where=()

	if [ $transport = pcie ]; then
		for d in src pool; do
			truncate -s 64M "$YBD_SHARE/$d"
		done
	else
		[ -d $nullb_cfg/src ] || { nullb_make src $slow; nullb_make pool $slow; }
		nvmet_subsys $NQN
		for d in src pool; do
			nvmet_ns $NQN "${nsid[$d]}" "/dev/$d" "${uuid[$d]}"
		done
		if [ $transport = tcp ]; then
			nvmet_port 1 tcp 127.0.0.1 4420
		else
			nvmet_port 1 loop
		fi
		nvmet_show 1 $NQN
		[ $transport = loop ] || where=(--traddr 127.0.0.1)
		ybdctl connect $NQN --transport $transport ${where[@]+"${where[@]}"} >/dev/null
	fi
	back src
	back pool
}

disks_down()
{
	if [ $transport = pcie ]; then
		"$T/out-src"
		"$T/out-pool"
	else
		ybdctl disconnect $NQN >/dev/null
		nvmet_down
	fi
}

# ---- what is on them ----

make_store()
{
	local l

	build/guest/tests/ybd-replug fill $T/full $((2 * mib))
	head -c 256K /dev/urandom >$T/data
	build/guest/tests/ybd-replug fill $T/half $((2 * mib)) 262144
	ybdctl store create --force --name L --cluster-size 64K "$src" >/dev/null
	for l in base:full top:half; do
			ybdctl lvol import --read-only "$src" ${l%:*} $T/${l#*:} >/dev/null
	done
	ybdctl lvol clone "$src" base under >/dev/null
	ybdctl lvol set-ro "$src" under
	ybdctl pool create --force -q --name P "$pool" >/dev/null
}

in_pool() { ybdctl create a --image L/under --source "$src" --pool "$pool" >/dev/null; }
writes() { dd if=$T/data of=/dev/ybd0 bs=64k count=4 oflag=direct conv=fsync status=none; }

# ---- the commands: what is run, and what has to be there before ----

declare -A command=(
	[load]='image load L/under --source SRC -q'
	[create-ram]='create a --image L/under --source SRC --ram 4M'
	[create-pool]='create a --image L/under --source SRC --pool POOL'
	[attach]='attach a --pool POOL --source SRC'
	[detach]='detach a'
	[destroy]='destroy a'
	[destroy-off]='destroy a --pool POOL'
	[unload]='image unload L/under'
	[commit]='commit a L/c --append --force --source SRC'
	[commit-off]='commit a L/c --append --force --source SRC --pool POOL'
)

prepare() # OPERATION
{
	case $1 in
	unload)
		ybdctl image load L/under --source "$src" -q ;;
	attach | *-off)
		in_pool && writes && ybdctl detach a && ybdctl image unload --all ;;
	detach | destroy | commit)
		in_pool && writes ;;
	esac
}

# ---- one point ----

# run_at N OPERATION WHAT: the command, stopped in front of its step N for WHAT
run_at()
{
	local run=$T/out-${late:-$3} began=$EPOCHSECONDS line err args

	status=0
	read -ra args <<<"${command[$2]}"
	args=("${args[@]/#SRC/$src}")
	args=("${args[@]/#POOL/$pool}")
	rm -f $T/steps
	HALT_STEPS=$steps HALT_AT=$1 HALT_RUN=$run HALT_COUNT=$T/steps \
		timeout -k 5 $limit env LD_PRELOAD="$PWD/build/guest/tests/ybd-halt.so" \
		ybdctl "${args[@]}" >/dev/null 2>$T/err || status=$?
	mapfile -t err <$T/err
	say="status $status after $((EPOCHSECONDS - began)) s: ${err[*]}"
	if [ $status -ge 124 ]; then
		# it did not end by itself; where it still is, if it is
		echo "$say"
		echo w >/proc/sysrq-trigger
		dmesg | tail -n 150
		return 1
	fi
	# none if it ended before it was counted
	count=$(cat $T/steps 2>/dev/null) || count=0
	if [ $status -gt 7 ] || [ $status = 2 ]; then
		echo "$say"
		return 1
	fi
	# an error is one line; what was done says nothing to stderr but warnings
	[ $status = 0 ] || [ ${#err[@]} -gt 0 ] || { echo "$say (no reason given)"; return 1; }
	for line in ${err[@]+"${err[@]}"}; do
		[[ $line =~ ^ybdctl[a-z\ ]*:\ .{10} ]] || { echo "$say"; return 1; }
	done
}

nothing_left()
{
	local out

	out=$(ybdctl version)
	[[ $out == *' 0 devices, 0 images'* ]] || { echo "left: $out"; return 1; }
	! compgen -G '/sys/block/ybd*' || { echo "a disk is left"; return 1; }
	! compgen -G '/sys/block/*/holders/*' || { echo "a source is held"; return 1; }
}

# While the disk is away.
take_away()
{
	timeout $limit ybdctl detach --all --force || { echo "detach: status $?"; return 1; }
	timeout $limit ybdctl image unload --all || { echo "unload: status $?"; return 1; }
	nothing_left
}

# Both are there again: what was made or half made goes, the rest is in order.
in_order()
{
	back src && back pool || return 1
	[[ $1 != commit* ]] || put_store_in_order || return 1
	ybdctl pool check "$pool" >$T/check || { cat $T/check; return 1; }
	upper_is "$1"
}

# upper_is OPERATION: there or not, as the command that ended with $status has promised;
# what was flushed of one that has to be there is there
upper_is()
{
	local there=1 want=

	case $1:$status in
	create-pool:0 | attach:* | detach:* | commit:* | commit-off:*) want=1 ;;
	load:* | unload:* | create-ram:* | destroy:0 | destroy-off:0) want=0 ;;
	esac
	if [ "$want" = 1 ] && [ "$1" != create-pool ] && [ "$points" = 0 ]; then
		ybdctl attach a --pool "$pool" --source "$src" >/dev/null || return 1
		cmp -n $((256 << 10)) /dev/ybd0 $T/data || return 1
		ybdctl destroy a && ybdctl image unload --all
		return
	fi
	ybdctl destroy --force a --pool "$pool" 2>$T/err || there=0
	# 3: there is none
	[ $there = 1 ] || grep -q 'no such device\|no pool has it' $T/err || { cat $T/err; return 1; }
	[ "$there" = "${want:-$there}" ] || { echo "upper there: $there ($say)"; return 1; }
}

put_store_in_order()
{
	ybdctl lvol delete --force "$src" c 2>$T/err || [ $? = 3 ] || { cat $T/err; return 1; }
	ybdctl store check "$src" >$T/check || { cat $T/check; return 1; }
}

# point N OPERATION WHAT
point()
{
	echo "step $1:"
	prepare "$2" || { echo "preparing it failed"; return 1; }
	run_at "$@" && take_away && in_order "$2"
}

# all_points OPERATION WHAT: how many steps there are is known after a run that is not
# stopped; those that are tried are spread evenly, the first is chosen at random
all_points()
{
	local n total pace=1

	back src && back pool || return 1
	point 0 "$1" "$2" || return 1
	total=$count
	[ "$total" -gt 1 ] || { echo "$total steps?"; return 1; }
	[ "$points" = 0 ] || pace=$(((total + points - 1) / points))
	for ((n = 1 + (points ? first % pace : 0); n <= total; n += pace)); do
		point $n "$1" "$2" || return 1
		echo "$say"
		echo "$1, $2 pulled at $n of $total: $say" >>$T/all
	done
	[ "$points" = 0 ] && [ $transport != pcie ] || return 0
	# and while the kernel is at what it was asked for last
	for delay in 0 30 100 250; do
		printf '#!/bin/bash\n(sleep 0.%03d; exec %s) >/dev/null 2>&1 &\n' \
			$delay $T/out-$2 >$T/out-late
		chmod +x $T/out-late
		late=late point $total "$1" "$2" || return 1
		echo "$say"
		echo "$1, $2 pulled $delay ms after $total: $say" >>$T/all
	done
}

# The module is unloaded just when the source goes, which it has let go of, or not yet.
rmmod_points()
{
	local delay

	for ((delay = 0; delay < 200; delay += points ? 150 : 20)); do
		back src && prepare unload || return 1
		$T/out-src &
		sleep "0.$(printf %03d $delay)"
		timeout $limit ybdctl image unload --all || return 1
		timeout $limit rmmod ybd || return 1
		wait $! || return 1
		modprobe ybd || return 1
	done
}



[ $# -gt 0 ] || set -- {load,create-ram,create-pool,attach,detach,destroy,unload,commit,commit-off}:src \
	{create-pool,attach,detach,destroy,destroy-off,commit,commit-off}:pool
for transport in $transports; do
	ktap_case "$transport: disks" disks_up
	disk_of src && src=$disk
	disk_of pool && pool=$disk
	ktap_case "$transport: store and pool" make_store
	for op; do
		# not in the case: a subshell has random numbers of its own
		first=$RANDOM
		ktap_case "$transport: ${op%:*}, what is pulled is the ${op#*:}" \
			all_points "${op%:*}" "${op#*:}"
	done
	ktap_case "$transport: unloading the module" rmmod_points
	disks_down
done
cut -c1-160 $T/all | sed 's/^/# /'
ktap_end
