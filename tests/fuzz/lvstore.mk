# SPDX-License-Identifier: GPL-2.0-only
#
# The fuzzers of tools/lib/lvstore, reader and writer, and the reader's corpus.
#
#   make -f .../lvstore.mk [B=build directory] [CLANG=clang] fuzzer | write-fuzzer | corpus

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

wsrcs	:= $(addprefix $(LIB)/lvstore/,wio.c space.c wmap.c wblob.c commit.c import.c writer.c \
	   mkstore.c wvol.c wsnap.c wdata.c wesnap.c) $(LIB)/names.c \
	   $(addprefix $(TOP)/tests/unit/,lvstore_disk.c lvstore_play.c)
whdrs	:= $(addprefix $(LIB)/lvstore/,wio.h writer.h write.h) \
	   $(addprefix $(TOP)/tests/unit/,lvstore_disk.h lvstore_play.h)

.PHONY: fuzzer write-fuzzer corpus images
fuzzer: $(OUT)/lvstore_fuzz
write-fuzzer: $(OUT)/lvstore_write_fuzz

$(OUT)/lvstore_write_fuzz: $(T)/lvstore_write_fuzz.c $(srcs) $(wsrcs) $(hdrs) $(whdrs) \
		$(plain:%=$(OUT)/%.o)
	@mkdir -p $(@D)
	@$(CLANG) $(FLAGS) -I$(TOP)/include/uapi $(SAN) -o $@ $(T)/lvstore_write_fuzz.c $(srcs) \
		$(wsrcs) $(plain:%=$(OUT)/%.o)

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
