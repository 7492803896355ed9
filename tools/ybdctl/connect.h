/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef YBDCTL_CONNECT_H
#define YBDCTL_CONNECT_H

/* What nvme connect-all reads, too. */
#define CONNECT_CONFIG "/etc/nvme/config.json"

#endif
