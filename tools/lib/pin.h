/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Pins: clones that nobody uses, and that keep the snapshots of an image from being deleted by the
 * storage side. SPDK deletes a snapshot that has one clone (which then gets what it holds) or none,
 * and refuses where it has two.
 *
 * Each lvol of the chain gets a clone that is named after its uuid, which is the second one besides
 * the next lvol of the chain. The uppermost gets two; the second of these also says that it was
 * pinned for itself, and not for what lies over it.
 */
#ifndef YBD_LIB_PIN_H
#define YBD_LIB_PIN_H

#include "lvstore/write.h"

/* A pin of UUID is called this and UUID; the second one of the uppermost has PIN_TOP behind it. */
#define PIN_PREFIX	"ybd-pin-"
#define PIN_TOP		"-top"

/**
 * pin_chain() - pin an lvol and all that it is a clone of
 * @top: the uppermost lvol; read-only
 * @made: how many clones were missing and have been made; 0: it was pinned
 * @err: why not; may be NULL
 *
 * Return: 0; -EROFS when @top is writable; else an error of lvw_vol_clone(). Nothing is left of
 * what was made when this fails, but where the store could not be written any more.
 */
int pin_chain(struct lvw_vol *top, size_t *made, struct lvs_error *err);

/**
 * pin_release() - the reverse
 * @top: as it was given to pin_chain()
 * @gone: how many clones were deleted; 0: it was not pinned
 * @err: why not; may be NULL
 *
 * What other lvols that are pinned stand on stays pinned.
 *
 * Return: 0; -EBUSY when a pin was written to or cloned: then somebody uses it.
 */
int pin_release(struct lvw_vol *top, size_t *gone, struct lvs_error *err);

/* Do pins keep it from being deleted? */
bool pin_holds(const struct lvs_lvol *l);

#endif
