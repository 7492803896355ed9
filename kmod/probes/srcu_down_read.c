// SPDX-License-Identifier: GPL-2.0-only
/*
 * SRCU readers may leave in another context than they entered in. Since
 * srcu_down_read() was added in Linux 6.3.
 */
#include <linux/srcu.h>

void ybd_probe(struct srcu_struct *srcu);
void ybd_probe(struct srcu_struct *srcu)
{
	srcu_up_read(srcu, srcu_down_read(srcu));
}
