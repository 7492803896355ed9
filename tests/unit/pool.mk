# SPDX-License-Identifier: GPL-2.0-only
#
# Tests of tools/lib/pool; the suites in tests/suites call this. All of it is built with
# AddressSanitizer and UndefinedBehaviorSanitizer. The library is the one that lvstore.mk builds, so
# only one of the two may run at a time (lvstore.lock).
#
#   make -f .../pool.mk [B=build directory] TARGET

T	:= $(patsubst %/,%,$(dir $(abspath $(lastword $(MAKEFILE_LIST)))))
TOP	:= $(abspath $(T)/../..)
B	?= $(TOP)/build
SAN	?= 1
LIB	:= $(B)/tests/lvstore-lib$(if $(filter 1,$(SAN)),-san)
OUT	:= $(B)/tests/pool$(if $(filter 1,$(SAN)),-san)

CFLAGS	?= -O1 -g
TCFLAGS	:= -std=gnu11 -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 -Wall -Wextra -Werror \
	   -Wno-unused-parameter -I$(TOP)/tools/lib -I$(TOP)/include/uapi -I$(T)
ifeq ($(SAN),1)
TCFLAGS += -fsanitize=address,undefined -fno-sanitize-recover=all \
	   -fno-omit-frame-pointer
endif

progs	:= $(addprefix $(OUT)/,pool_good pool_damage pool_crash pool_image)

.PHONY: all libybd
.DELETE_ON_ERROR:

all: $(progs)

libybd:
	@$(MAKE) --no-print-directory -C $(TOP)/tools O=$(LIB) SAN=$(SAN) libybd

common	:= $(addprefix $(T)/,pool_disk.c pool_make.c)
headers	:= $(addprefix $(T)/,pool_disk.h pool_make.h ktap.h)

$(OUT)/%: $(T)/%.c $(common) $(headers) libybd
	@mkdir -p $(@D)
	@$(CC) $(TCFLAGS) $(CFLAGS) -o $@ $< $(common) $(LIB)/libybd.a
