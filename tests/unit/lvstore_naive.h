/* SPDX-License-Identifier: GPL-2.0-only */
/* The rules of reading through a chain, as they are written (Documentation/lvstore.rst, 5). */
#ifndef YBD_TEST_LVSTORE_NAIVE_H
#define YBD_TEST_LVSTORE_NAIVE_H

#include "lvstore/store.h"

/* Does the lvol's own map have the cluster, and where? */
static inline bool naive_own(const struct lvs_lvol *l, u64 cluster, u64 *phys)
{
	size_t nr, lo = 0, hi;
	const struct lvs_run *r = lvs_lvol_runs(l, &nr);

	for (hi = nr; lo < hi;) {
		size_t mid = (lo + hi) / 2;

		if ((u64)r[mid].start + r[mid].len <= cluster)
			lo = mid + 1;
		else
			hi = mid;
	}
	if (lo == nr || r[lo].start > cluster)
		return false;
	*phys = r[lo].phys + cluster - r[lo].start;
	return true;
}

/* Where a cluster's bytes are: false for zeros. */
static inline bool naive_find(const struct lvs_lvol *l, u64 cluster, u64 *phys, u32 *source)
{
	for (; l; l = lvs_lvol_parent(l)) {
		if (cluster >= l->num_clusters)
			return false;
		*source = LVS_SOURCE_STORE;
		if (naive_own(l, cluster, phys))
			return true;
		*source = LVS_SOURCE_ESNAP;
		*phys = cluster;
		if (lvs_lvol_esnap_id(l))
			return true;
	}
	return false;
}

/* Does the map say the same of this cluster, which must be inside the lvol? */
static inline bool naive_agrees(const struct lvs_lvol *l, const struct lvs_map *m, u64 cluster)
{
	u64 cs = lvs_cluster_size(l->store), phys = 0;
	const struct lvs_extent *e = m->ext;
	size_t lo = 0, hi = m->nr;
	u32 source = 0;

	while (lo < hi) {
		size_t mid = (lo + hi) / 2;

		if (e[mid].start + e[mid].len <= cluster * cs)
			lo = mid + 1;
		else
			hi = mid;
	}
	if (lo == m->nr || e[lo].start > cluster * cs)
		return !naive_find(l, cluster, &phys, &source);
	return naive_find(l, cluster, &phys, &source) && e[lo].source == source &&
	       e[lo].phys + (cluster * cs - e[lo].start) == phys * cs;
}

#endif
