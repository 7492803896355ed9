// SPDX-License-Identifier: GPL-2.0-only
/*
 * Deliberate faults, chosen when the module is loaded: "make YBD_MUTANTS=1" alone
 * builds them, to show that the power-cut tests find each.
 */
#include <linux/module.h>
#include <linux/string.h>

#include "upper_log.h"

static char *mutant = "none";
module_param(mutant, charp, 0444);
MODULE_PARM_DESC(mutant, "which fault");

static const char * const mutant_names[] = {
	[YBD_MUTANT_NONE]			= "none",
	[YBD_MUTANT_NO_PREFLUSH]		= "no-preflush",
	[YBD_MUTANT_NO_FUA]			= "no-fua",
	[YBD_MUTANT_REUSE_BEFORE_DURABLE]	= "reuse-before-durable",
	[YBD_MUTANT_REUSE_BEFORE_DRAINED]	= "reuse-before-drained",
	[YBD_MUTANT_HEADER_BEFORE_CHECKPOINT]	= "header-before-checkpoint",
	[YBD_MUTANT_NO_EPOCH]			= "no-epoch",
	[YBD_MUTANT_ACK_EARLY]			= "ack-early",
};

/* Is this the fault that was asked for? Any context. */
bool ybd_is_mutant(enum ybd_mutant which)
{
	return !strcmp(mutant, mutant_names[which]);
}
