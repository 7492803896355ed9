# SPDX-License-Identifier: GPL-2.0-only
#
# The fuzzers of images and layers, and their corpora.
#
#   make -f .../convert.mk [B=build directory] [CLANG=clang] fuzzer | corpus

T	:= $(patsubst %/,%,$(dir $(abspath $(lastword $(MAKEFILE_LIST)))))
TOP	:= $(abspath $(T)/../..)
B	?= $(TOP)/build
CLANG	?= clang
OUT	:= $(B)/tests/convert-fuzz
LIB	:= $(TOP)/tools/lib

FLAGS	:= -std=gnu11 -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 -Wall -Wextra -Werror -Wno-unused-parameter -O1 -g \
	   -fno-omit-frame-pointer -DEXTFS_CACHE_BLOCKS=256u -I$(LIB)
SAN	:= -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all

# of no interest in themselves
plain	:= sha256 error dl crc32c
objs	:= $(plain:%=$(OUT)/%.o)
oci	:= $(addprefix $(LIB)/oci/,json.c digest.c tarindex.c source.c image.c layout.c docker.c \
	   ahead.c spool.c layer.c)
srcs	:= $(oci) $(addprefix $(LIB)/convert/,touched.c hot.c lowers.c path.c remove.c \
	   whiteout.c apply.c) \
	   $(addprefix $(LIB)/ext4/,lib.c io.c alloc.c mkfs.c extfs.c inode.c xattr.c file.c read.c dir.c \
	   dirblk.c)
# a tree of that many bytes is enough to be refused
erofs	:= -DERO_MEMORY_MAX="(4u<<20)" $(addprefix $(LIB)/erofs/,tree.c node.c xattr.c stream.c \
	   file.c place.c write.c load.c erofs.c)
hdrs	:= $(wildcard $(addprefix $(LIB)/,*.h oci/*.h convert/*.h ext4/*.h erofs/*.[ch]))

.PHONY: fuzzer corpus
fuzzer: $(OUT)/convert_fuzz $(OUT)/oci_fuzz $(OUT)/erofs_fuzz

$(OUT)/convert_fuzz: $(T)/convert_fuzz.c $(srcs) $(hdrs) $(objs)
	@$(CLANG) $(FLAGS) $(SAN) -o $@ $< $(srcs) $(erofs) $(objs)

$(OUT)/erofs_fuzz: $(T)/erofs_fuzz.c $(hdrs) $(objs)
	@$(CLANG) $(FLAGS) $(SAN) -o $@ $< $(erofs) $(objs)

$(OUT)/oci_fuzz: $(T)/oci_fuzz.c $(oci) $(hdrs) $(objs)
	@$(CLANG) $(FLAGS) $(SAN) -o $@ $< $(oci) $(objs)

$(OUT)/%.o: $(LIB)/%.c
	@mkdir -p $(@D)
	@$(CLANG) $(FLAGS) -O2 -c -o $@ $<

corpus: $(OUT)/erofs_fuzz
	@mkdir -p $(OUT)/seeds/erofs
	@YBD_EROFS_SEEDS=$(OUT)/seeds/erofs $<
	@python3 $(T)/convert_corpus.py $(OUT)/seeds
