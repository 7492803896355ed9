// SPDX-License-Identifier: GPL-2.0-only
#include <dlfcn.h>
#include <errno.h>

#include "dl.h"

int ybd_dl_open(const char *soname, const struct ybd_dl_sym *sym, size_t n)
{
	void *lib = dlopen(soname, RTLD_LAZY), *fn;

	if (!lib)
		return -ELIBACC;
	for (; n--; sym++) {
		fn = dlsym(lib, sym->name);
		if (!fn) {
			dlclose(lib);
			return -ELIBACC;
		}
		memcpy(sym->fn, &fn, sizeof(fn));
	}
	return 0;
}
