# SPDX-License-Identifier: GPL-2.0-only
#
# The fuzzer of tools/lib/lvstore, and its corpus.
#
#   make -f .../lvstore.mk [B=build directory] [CLANG=clang] fuzzer | corpus

T	:= $(patsubst %/,%,$(dir $(abspath $(lastword $(MAKEFILE_LIST)))))
TOP	:= $(abspath $(T)/../..)
B	?= $(TOP)/build
CLANG	?= clang
OUT	:= $(B)/tests/lvstore-fuzz
IMAGES	:= $(B)/fixtures/lvstore
LIB	:= $(TOP)/tools/lib

FLAGS	:= -std=gnu11 -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 -Wall -Wextra -Werror -Wno-unused-parameter -O1 -g \
	   -fno-omit-frame-pointer -DLVS_IO_CHUNK=65536u -DMD_CACHE_MAX=64u -I$(LIB) -I$(T) \
	   -I$(TOP)/tests/unit
SAN	:= -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all

# loops over every byte, of no interest in themselves
plain	:= crc32c sha256
srcs	:= $(addprefix $(LIB)/lvstore/,io.c error.c super.c md.c blob.c extents.c live.c tree.c \
	   store.c lvol.c flatten.c content.c)
hdrs	:= $(addprefix $(LIB)/lvstore/,format.h io.h lvstore.h store.h) $(T)/lvstore_input.h \
	   $(TOP)/tests/unit/lvstore_naive.h

.PHONY: fuzzer corpus images
fuzzer: $(OUT)/lvstore_fuzz

$(OUT)/lvstore_fuzz: $(T)/lvstore_fuzz.c $(srcs) $(hdrs) $(plain:%=$(OUT)/%.o)
	@mkdir -p $(@D)
	@$(CLANG) $(FLAGS) $(SAN) -o $@ $(T)/lvstore_fuzz.c $(srcs) $(plain:%=$(OUT)/%.o)

$(OUT)/%.o: $(LIB)/%.c
	@mkdir -p $(@D)
	@$(CLANG) $(FLAGS) -O2 -c -o $@ $<

$(OUT)/lvstore_corpus: $(T)/lvstore_corpus.c $(hdrs)
	@mkdir -p $(@D)
	@$(CC) $(FLAGS) -o $@ $<

images:
	@$(MAKE) -s --no-print-directory -f $(TOP)/tests/unit/lvstore.mk B=$(B) images

corpus: images $(OUT)/lvstore_corpus
	@mkdir -p $(OUT)/seeds
	@$(OUT)/lvstore_corpus $(OUT)/seeds $(IMAGES)/*.img
