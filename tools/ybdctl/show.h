/* SPDX-License-Identifier: GPL-2.0-only */
/* How the things of the kernel look when they are printed. */
#ifndef YBDCTL_SHOW_H
#define YBDCTL_SHOW_H

#include "model.h"
#include "print.h"

/* Columns of the lists; each shows members of what show_...() prints. */
extern const struct print_column show_device_cols[];
extern const struct print_column show_stats_cols[];
extern const struct print_column show_image_cols[];

/* The members of the object that is open. */
void show_device(const struct ybd_device_info *d);
void show_stats(const struct ybd_stats *s);
void show_open_pool(const char *member, const struct ybd_pool_info *p);
void show_image(const struct ybd_image_info *i);
/* What an image is read from; lists of images do not tell. */
void show_source(const struct ybd_source_info *s);
void show_sources(const struct ybd_image_info *i);

#endif
