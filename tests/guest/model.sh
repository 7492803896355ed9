#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# model.sh SEED SCALE: in a guest, the cases of the suite model-vm.
set -euo pipefail
. "$(dirname "$0")/../lib/ktap.sh"

seed=$1
ops=$((4000 * $2))
[ "$YBD_KERNEL" != debug ] || ops=$((ops / 3))

ids=/dev/disk/by-id
small=(--source "$ids/nvme-uuid.59424400-0000-4000-8000-000000000000"
	--source "$ids/virtio-disk0")
large=(--source "$ids/nvme-uuid.59424400-0000-4000-8000-000000000001"
	--source "$ids/virtio-disk1")

# Each case has a seed of its own that follows from the one given.
model()
{
	local name=$1
	shift

	ktap_case "$YBD_KERNEL $name" /ybd/build/guest/tests/ybd-model \
		--seed "$((seed = (seed * 31 + 7) & 0x3fffffff))" "$@"
}

modprobe ybd

# That it can fail at all: one sector changed behind its back.
for s in stale garbage zero; do
	model "a $s sector is found" "${small[@]}" --ops 300 --sabotage "$s"
done

for s in 512 4096; do
	sources=("${small[@]}")
	[ "$s" = 512 ] || sources=("${large[@]}")
	for d in 512 4096; do
		model "store of $s, device of $d byte blocks" "${sources[@]}" \
			--store-block "$s" --device-block "$d" --ops "$ops"
	done
done
model "sources of both block sizes" "${small[@]}" "${large[@]}" --ops "$ops"
model "map: one source, clusters" "${small[@]:0:2}" --map cluster --layers 1 \
	--ops "$ops"
model "map: several sources, clusters, layers" "${small[@]}" --map multi \
	--layers 8 --ops "$ops"
model "map: extents" "${small[@]}" --size 80M --ops "$ops"
model "an lvol of SPDK" --source "$ids/virtio-disk2" --lvol images/final \
	--ram 100M --ops "$ops"
model "few blocks, many threads" "${small[@]}" --narrow --devices 1 \
	--threads 8 --map cluster --layers 1 --ops $((3 * ops))
model "the bound of the upper is hit" "${small[@]}" --ram 1M --full \
	--refill 100 --ops "$ops"

# The same in pools. Each begins with an empty one, and leaves it clean.
pooled()
{
	local name=$1 pool=$2
	shift 2

	ybdctl pool create --force -q "$pool" >/dev/null
	model "$name" --pool "$pool" "$@"
	ktap_case "$YBD_KERNEL $name: the pool is clean" ybdctl -q pool check "$pool"
}

p512=$(readlink -f "$ids/virtio-disk3") p4k=$(readlink -f "$ids/virtio-disk4")
narrow=(--narrow --devices 1 --threads 8 --map cluster --layers 1 --ops $((3 * ops)))
# The debug kernel takes too long for all of it with every change.
if [ "$YBD_KERNEL" = debug ] && [ "$2" = 1 ]; then
	pooled "pool, persistent: device of 512 byte blocks" "$p512" "${small[@]}" --ops "$ops"
	pooled "pool, persistent: few blocks, many threads" "$p512" "${small[@]}" "${narrow[@]}"
	pooled "pool, volatile: the quota is hit" "$p512" "${small[@]}" --volatile \
		--ram 1M --full --refill 20 --ops "$ops"
	ktap_end
	exit
fi
for s in stale garbage zero; do
	pooled "pool: a $s sector is found" "$p512" "${small[@]}" --ops 300 --sabotage "$s"
done
for kind in persistent volatile; do
	opt=()
	[ $kind = persistent ] || opt=(--volatile)
	pooled "pool, $kind: device of 512 byte blocks" "$p512" "${small[@]}" "${opt[@]}" \
		--device-block 512 --ops "$ops"
	pooled "pool, $kind: device of 4096 byte blocks" "$p512" "${small[@]}" "${opt[@]}" \
		--device-block 4096 --ops "$ops"
	pooled "pool of 4096, $kind: device of 4096" "$p4k" "${large[@]}" "${opt[@]}" \
		--store-block 4096 --device-block 4096 --ops "$ops"
	pooled "pool, $kind: few blocks, many threads" "$p512" "${small[@]}" "${opt[@]}" \
		"${narrow[@]}"
	pooled "pool, $kind: the quota is hit" "$p512" "${small[@]}" "${opt[@]}" \
		--ram 1M --full --refill 100 --ops "$ops"
done
ktap_end
