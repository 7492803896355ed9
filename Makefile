# SPDX-License-Identifier: GPL-2.0
#
# ybd: everything from one place; "make help" lists the targets.

TOP	:= $(CURDIR)
KDIR	?= /lib/modules/$(shell uname -r)/build
O	?= $(TOP)/build/tools
prefix	?= /usr/local
DESTDIR	?=

export prefix DESTDIR

.PHONY: all module tools install uninstall demo check check-full bench lint \
	deb setup gen clean distclean help

all: tools
	@if [ -e "$(KDIR)/Makefile" ]; then $(MAKE) --no-print-directory module; \
	else echo "no headers for the running kernel, not building the module" \
		"(make module KDIR=...)"; fi

setup:
	@$(if $(NO_SETUP),:,scripts/setup)

# Kbuild writes next to what it compiles, so it gets a copy.
module: setup
	@scripts/copy-kmod build/module
	$(MAKE) -C $(KDIR) M=$(TOP)/build/module modules
	@echo "build/module: $$(cd build/module && find . -name ybd.ko)"

tools: setup
	@$(MAKE) --no-print-directory -C tools O=$(O)

install: all
	@$(MAKE) --no-print-directory -C tools O=$(O) install
	@if [ -e "$(KDIR)/Makefile" ]; then \
		$(MAKE) -C $(KDIR) M=$(TOP)/build/module \
			INSTALL_MOD_PATH=$(DESTDIR) modules_install; fi

uninstall:
	@$(MAKE) --no-print-directory -C tools O=$(O) uninstall
	rm -f $(DESTDIR)/lib/modules/*/updates/ybd.ko* \
		$(DESTDIR)/lib/modules/*/updates/kmod/ybd.ko*
	@[ -n "$(DESTDIR)" ] || depmod

demo: setup
	@tests/demo/run

check: setup
	@tests/run

check-full: setup
	@tests/run --level full

bench: setup
	@tests/bench/run

lint: setup
	@tests/run --verbose lint

deb: setup
	@packaging/build-deb $(DEB_ARGS)

gen:
	@scripts/gen-netlink $(KSRC)

clean:
	rm -rf build

# the guest root and kernels, some GiB; making them again takes a while
distclean: clean
	rm -rf --one-file-system "$${YBD_CACHE:-$$HOME/.cache/ybd}"

help:
	@echo 'make              tools, and the module if kernel headers are there'
	@echo 'make module       the module; KDIR=... for another kernel'
	@echo 'make tools        user space; O=... for another directory'
	@echo 'make install      also uninstall; DESTDIR=, prefix=$(prefix)'
	@echo 'make demo         show it all in an emulated guest'
	@echo 'make check        the tests; one suite: tests/run SUITE'
	@echo 'make check-full   those that take long as well'
	@echo 'make bench        measure, side by side with others'
	@echo 'make lint         checkpatch, sparse, W=1, cppcheck, shellcheck, mandoc'
	@echo 'make deb          Debian packages, see packaging/README'
	@echo 'make gen          netlink code again from its YAML description; KSRC=LINUX-7.3'
	@echo 'make clean        remove build/; distclean: also the guest root'
	@echo
	@echo 'All but clean install missing Debian packages first (NO_SETUP=1: no).'
	@echo 'tests/vm/shell gives a root shell in a guest with module and tools.'
