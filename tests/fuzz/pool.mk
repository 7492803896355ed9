# SPDX-License-Identifier: GPL-2.0-only
#
# The fuzzer of tools/lib/pool, and its corpus.
#
#   make -f .../pool.mk [B=build directory] [CLANG=clang] fuzzer | corpus

T	:= $(patsubst %/,%,$(dir $(abspath $(lastword $(MAKEFILE_LIST)))))
TOP	:= $(abspath $(T)/../..)
B	?= $(TOP)/build
CLANG	?= clang
OUT	:= $(B)/tests/pool-fuzz
LIB	:= $(TOP)/tools/lib
UNIT	:= $(TOP)/tests/unit

FLAGS	:= -std=gnu11 -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 -Wall -Wextra -Werror -Wno-unused-parameter \
	   -O1 -g -DSCAN_BLOCKS=16u -DTABLE_BATCH=4u -fno-omit-frame-pointer -I$(LIB) -I$(TOP)/include/uapi -I$(T) -I$(UNIT)
SAN	:= -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all

# of no interest in themselves
plain	:= $(LIB)/crc32c.c $(LIB)/error.c $(LIB)/names.c $(UNIT)/pool_make.c \
	   $(T)/pool_mutate.c
objs	:= $(patsubst %.c,$(OUT)/%.o,$(notdir $(plain)))
srcs	:= $(addprefix $(LIB)/pool/,io.c block.c layout.c map.c report.c read.c super.c table.c \
	   directory.c layers.c ckpt.c log.c check.c repair.c create.c pool.c)
hdrs	:= $(addprefix $(LIB)/pool/,block.h io.h layout.h map.h pool.h priv.h) $(T)/pool_input.h $(T)/pool_mutate.h \
	   $(UNIT)/pool_make.h $(TOP)/include/uapi/linux/ybd_format.h

vpath %.c $(LIB) $(UNIT) $(T)

.PHONY: fuzzer corpus
fuzzer: $(OUT)/pool_fuzz

$(OUT)/pool_fuzz: $(T)/pool_fuzz.c $(srcs) $(hdrs) $(objs)
	@$(CLANG) $(FLAGS) $(SAN) -o $@ $(T)/pool_fuzz.c $(srcs) $(objs)

$(OUT)/%.o: %.c $(hdrs)
	@mkdir -p $(@D)
	@$(CLANG) $(FLAGS) -O2 -c -o $@ $<

$(OUT)/pool_corpus: $(T)/pool_corpus.c $(hdrs)
	@mkdir -p $(@D)
	@$(CC) $(FLAGS) -o $@ $<

corpus: $(OUT)/pool_corpus
	@mkdir -p $(OUT)/seeds
	@$(OUT)/pool_corpus $(OUT)/seeds
