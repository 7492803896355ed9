# SPDX-License-Identifier: GPL-2.0-only
#
# Tests of tools/lib/lvstore; the suites in tests/suites call this. All of it is built with
# AddressSanitizer and UndefinedBehaviorSanitizer.
#
#   make -f .../lvstore.mk [B=build directory] TARGET

T	:= $(patsubst %/,%,$(dir $(abspath $(lastword $(MAKEFILE_LIST)))))
TOP	:= $(abspath $(T)/../..)
B	?= $(TOP)/build
SAN	?= 1
LIB	:= $(B)/tests/lvstore-lib$(if $(filter 1,$(SAN)),-san)
OUT	:= $(B)/tests/lvstore$(if $(filter 1,$(SAN)),-san)
FIXTURES := $(TOP)/tests/fixtures/lvstore
IMAGES	:= $(B)/fixtures/lvstore

CFLAGS	?= -O1 -g
TCFLAGS	:= -std=gnu11 -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 -Wall -Wextra -Werror \
	   -I$(TOP)/tools/lib -I$(T)
ifeq ($(SAN),1)
TCFLAGS += -fsanitize=address,undefined -fno-sanitize-recover=all \
	   -fno-omit-frame-pointer
endif
comma	:= ,
TLIBS	= $(shell pkg-config --libs json-c libcrypto)

images	:= $(patsubst $(FIXTURES)/%.zst,$(IMAGES)/%,$(wildcard $(FIXTURES)/*.zst))
progs	:= $(addprefix $(OUT)/,lvstore_golden lvstore_damage lvstore_flatten lvstore_live \
	   lvstore_oom lvstore_write lvstore_crash)

.PHONY: all images libybd
.DELETE_ON_ERROR:

all: images $(progs)

# unpacked once; sparse, as they are hundreds of MiB of mostly zeros; complete or not there
images: $(images)

$(IMAGES)/%: $(FIXTURES)/%.zst
	@mkdir -p $(@D)
	@zstd -q -d -f --long=27 --sparse $< -o $@.$$$$ && mv $@.$$$$ $@

play	:= $(addprefix $(T)/,lvstore_disk.c lvstore_play.c)

libybd:
	@$(MAKE) --no-print-directory -C $(TOP)/tools O=$(LIB) SAN=$(SAN) libybd

common	:= $(addprefix $(T)/,lvstore_fixture.c lvstore_image.c)
headers	:= $(addprefix $(T)/,lvstore_fixture.h lvstore_image.h lvstore_naive.h ktap.h \
	   lvstore_disk.h lvstore_play.h rng.h)

# those that write need no fixture
$(OUT)/lvstore_write $(OUT)/lvstore_crash: $(OUT)/%: $(T)/%.c $(play) $(headers) libybd
	@mkdir -p $(@D)
	@$(CC) $(TCFLAGS) $(CFLAGS) -o $@ $< $(play) $(LIB)/libybd.a

$(OUT)/%: $(T)/%.c $(common) $(headers) libybd
	@mkdir -p $(@D)
	@$(CC) $(TCFLAGS) $(CFLAGS) -o $@ $< $(common) $(LDWRAP) $(LIB)/libybd.a $(TLIBS)

$(OUT)/lvstore_oom: LDWRAP := $(addprefix -Wl$(comma)--wrap=,malloc calloc reallocarray \
	aligned_alloc strdup strndup)
