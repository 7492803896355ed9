// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <libkmod.h>
#include <stdio.h>
#include <sys/utsname.h>
#include <syslog.h>

#include "dl.h"
#include "kmodlib.h"
#include "util.h"

#define KMOD_SONAME "libkmod.so.2"

/* The functions of libkmod that are used, by their own names. */
static struct {
	typeof(kmod_new) *new;
	typeof(kmod_unref) *unref;
	typeof(kmod_set_log_priority) *log;
	typeof(kmod_module_new_from_lookup) *lookup;
	typeof(kmod_module_get_module) *get;
	typeof(kmod_module_probe_insert_module) *probe;
	typeof(kmod_module_unref) *module_unref;
	typeof(kmod_module_unref_list) *unref_list;
} kmod;

static int load_library(void)
{
	const struct ybd_dl_sym sym[] = {
		{ "kmod_new", &kmod.new },
		{ "kmod_unref", &kmod.unref },
		{ "kmod_set_log_priority", &kmod.log },
		{ "kmod_module_new_from_lookup", &kmod.lookup },
		{ "kmod_module_get_module", &kmod.get },
		{ "kmod_module_probe_insert_module", &kmod.probe },
		{ "kmod_module_unref", &kmod.module_unref },
		{ "kmod_module_unref_list", &kmod.unref_list },
	};

	return ybd_dl_open(KMOD_SONAME, sym, ARRAY_SIZE(sym));
}

/* 0; -ENOENT when no such module is installed; else what loading said. */
static int probe(struct kmod_ctx *ctx, const char *name)
{
	struct kmod_list *list = NULL;
	struct kmod_module *mod;
	int rc = kmod.lookup(ctx, name, &list);

	if (rc < 0)
		return rc;
	if (!list)
		return -ENOENT;
	mod = kmod.get(list);
	rc = kmod.probe(mod, KMOD_PROBE_APPLY_BLACKLIST, NULL, NULL, NULL, NULL);
	kmod.module_unref(mod);
	kmod.unref_list(list);
	return rc;
}

static int explain(const char *name, int rc, struct ybd_error *err)
{
	struct utsname u = { 0 };

	uname(&u);
	if (rc == -ENOENT)
		return ybd_error_set(err, -YBD_ENOMODULE,
				     "the module %s is not installed for kernel %s%s",
				     name, u.release, strcmp(name, "ybd") ? "" :
				     ": install the package ybd-dkms, or run make install");
	if (rc == -EPERM)
		return ybd_error_set(err, -EPERM,
				     "the module %s is not loaded, and loading it is not permitted: run \"modprobe %s\" as root",
				     name, name);
	if (rc == KMOD_PROBE_APPLY_BLACKLIST)
		return ybd_error_set(err, -YBD_ENOMODULE,
				     "the module %s is on a blacklist of /etc/modprobe.d", name);
	return ybd_error_set(err, -YBD_ENOMODULE,
			     "the module %s does not load: %s (the kernel log says more)",
			     name, strerror(-rc));
}

int ybd_kmod_load(const char *name, struct ybd_error *err)
{
	struct kmod_ctx *ctx;
	int rc = load_library();

	if (rc)
		return ybd_error_set(err, -YBD_ENOMODULE,
				     "the module %s is not loaded, and %s is missing: run \"modprobe %s\"",
				     name, KMOD_SONAME, name);
	ctx = kmod.new(NULL, NULL);
	if (!ctx)
		return ybd_error_sys(err, -ENOMEM, "libkmod");
	/* it writes to stderr, where our one line goes */
	kmod.log(ctx, LOG_EMERG);
	rc = probe(ctx, name);
	kmod.unref(ctx);
	return rc ? explain(name, rc, err) : 0;
}
