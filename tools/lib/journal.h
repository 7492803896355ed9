/* SPDX-License-Identifier: GPL-2.0-only */
/* What nobody asked for and somebody should know: to the journal, else the kernel's log. */
#ifndef YBD_LIB_JOURNAL_H
#define YBD_LIB_JOURNAL_H

#include "types.h"

/**
 * ybd_journal() - write an entry
 * @prio: LOG_INFO and so on
 * @event: its YBD_EVENT, such as "source-gone"
 * @fmt: its text, one line
 *
 * Each entry has SYSLOG_IDENTIFIER=ybdctl. Where there is no journal it goes to
 * /dev/kmsg, and without that too it is lost: no command fails for it.
 */
void ybd_journal(int prio, const char *event, const char *fmt, ...) __printf(3, 4);

#endif
