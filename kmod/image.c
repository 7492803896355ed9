// SPDX-License-Identifier: GPL-2.0-only
/*
 * Images: take a map from user space, keep the registry, count the users.
 */
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/hashtable.h>
#include <linux/module.h>
#include <linux/netlink.h>
#include <linux/slab.h>
#include <linux/stringhash.h>
#include <linux/xarray.h>

#include "image.h"
#include "source.h"

/* Both tables are protected by ybd_registry_lock. */
static DEFINE_XARRAY_ALLOC1(ybd_images);
static DEFINE_HASHTABLE(ybd_image_names, 8);
static unsigned int ybd_images_nr;
static u32 ybd_image_next_id;

static unsigned int hash_name(const char *name)
{
	return full_name_hash(NULL, name, strlen(name));
}

/**
 * ybd_image_alloc - an image without map, sources or name
 * @nr_sources: room for this many sources
 *
 * Return: the image with one reference, or NULL. It pins the module.
 */
struct ybd_image *ybd_image_alloc(unsigned int nr_sources)
{
	struct ybd_image *image;

	/* Netlink alone does not keep the module from being unloaded. */
	if (!try_module_get(THIS_MODULE))
		return NULL;
	image = kzalloc(struct_size(image, sources, nr_sources), GFP_KERNEL);
	if (!image) {
		module_put(THIS_MODULE);
		return NULL;
	}
	refcount_set(&image->ref, 1);
	INIT_HLIST_NODE(&image->name_node);
	return image;
}

/**
 * ybd_image_put - drop a reference
 * @image: freed with the last one; may sleep
 */
void ybd_image_put(struct ybd_image *image)
{
	unsigned int i;

	if (!refcount_dec_and_test(&image->ref))
		return;
	for (i = 0; i < image->nr_sources; i++)
		ybd_source_put(image->sources[i]);
	ybd_map_destroy(&image->map);
	kfree(image);
	module_put(THIS_MODULE);
}

/* Copy the records once: what is checked is then what is used. */
static struct ybd_map_extent *read_records(int map_fd, u32 nr,
					   struct netlink_ext_ack *extack)
{
	size_t bytes = (size_t)nr * sizeof(struct ybd_map_extent);
	struct ybd_map_extent *rec = NULL;
	struct file *file = fget(map_fd);
	loff_t pos = 0;
	ssize_t got;
	int ret;

	if (!file) {
		NL_SET_ERR_MSG(extack, "map-fd is not an open descriptor");
		return ERR_PTR(-EBADF);
	}
	ret = -EINVAL;
	if (!(file->f_mode & FMODE_READ) || !S_ISREG(file_inode(file)->i_mode)) {
		NL_SET_ERR_MSG(extack, "map-fd is not a readable regular file");
		goto out;
	}
	if (i_size_read(file_inode(file)) != bytes) {
		NL_SET_ERR_MSG(extack, "map-fd: size is not extent-count times 32 bytes");
		goto out;
	}
	rec = kvmalloc(bytes, GFP_KERNEL_ACCOUNT | __GFP_NOWARN);
	ret = -ENOMEM;
	if (!rec)
		goto out;
	while (pos < bytes) {
		got = kernel_read(file, (char *)rec + pos,
				  min_t(size_t, bytes - pos, SZ_1M), &pos);
		if (got <= 0) {
			NL_SET_ERR_MSG(extack, "map-fd: cannot be read");
			ret = got ?: -EIO;
			kvfree(rec);
			goto out;
		}
	}
	ret = 0;
out:
	fput(file);
	return ret ? ERR_PTR(ret) : rec;
}

/* A source of larger blocks can only be read in those. */
static int check_alignment(const struct ybd_image *image,
			   const struct ybd_map_extent *rec, u32 nr,
			   struct netlink_ext_ack *extack)
{
	u32 i;

	for (i = 0; i < nr; i++) {
		const struct ybd_source *source = image->sources[rec[i].source];
		u32 block = (source->block_mask + 1) << SECTOR_SHIFT;

		if ((rec[i].start | rec[i].phys | rec[i].len) & (block - 1)) {
			NL_SET_ERR_MSG(extack, "extents are not multiples of a source's logical block size");
			return -EINVAL;
		}
	}
	return 0;
}

/**
 * ybd_image_read_map - take and validate the map
 * @image: with its size and sources set
 * @map_fd: memfd of the calling process with @nr records
 * @nr: number of records; 0 makes an image of zeroes
 * @extack: told why when refused
 *
 * May sleep. Return: 0 or a negative errno.
 */
int ybd_image_read_map(struct ybd_image *image, int map_fd, u32 nr,
		       struct netlink_ext_ack *extack)
{
	struct ybd_map_error err = {};
	struct ybd_map_extent *rec;
	u64 *sizes;
	unsigned int i;
	int ret;

	image->extents = nr;
	if (!nr)
		return 0;
	sizes = kmalloc_array(image->nr_sources, sizeof(*sizes), GFP_KERNEL);
	if (!sizes)
		return -ENOMEM;
	for (i = 0; i < image->nr_sources; i++)
		sizes[i] = image->sources[i]->size;
	rec = read_records(map_fd, nr, extack);
	if (IS_ERR(rec)) {
		ret = PTR_ERR(rec);
		goto out;
	}
	ret = ybd_map_build(&image->map, rec, nr, (u64)image->nr_sectors << SECTOR_SHIFT,
			    sizes, image->nr_sources, &err);
	if (ret && err.reason) {
		const struct ybd_map_extent *bad = &rec[err.index];

		ybd_extack_set(extack, err.reason);
		pr_err_ratelimited("%s: extent %u (start %llu, phys %llu, len %llu, source %u): %s\n",
				   image->name, err.index, bad->start, bad->phys, bad->len,
				   bad->source, err.reason);
	}
	if (!ret)
		ret = check_alignment(image, rec, nr, extack);
	kvfree(rec);
out:
	kfree(sizes);
	return ret;
}

/**
 * ybd_image_find_name - look an image up by name
 * @name: its name
 *
 * The caller holds ybd_registry_lock. Return: the image, borrowed, or NULL.
 */
struct ybd_image *ybd_image_find_name(const char *name)
{
	struct ybd_image *image;

	lockdep_assert_held(&ybd_registry_lock);
	hash_for_each_possible(ybd_image_names, image, name_node, hash_name(name))
		if (!strcmp(image->name, name))
			return image;
	return NULL;
}

/**
 * ybd_image_find - look an image up by number
 * @id: its number
 *
 * The caller holds ybd_registry_lock. Return: the image, borrowed, or NULL.
 */
struct ybd_image *ybd_image_find(u32 id)
{
	lockdep_assert_held(&ybd_registry_lock);
	return xa_load(&ybd_images, id);
}

/**
 * ybd_image_next - walk the images
 * @id: cursor, 0 to begin; set to the number found
 *
 * The caller holds ybd_registry_lock. Return: the first image with a number
 * of at least *@id, borrowed, or NULL.
 */
struct ybd_image *ybd_image_next(unsigned long *id)
{
	lockdep_assert_held(&ybd_registry_lock);
	return xa_find(&ybd_images, id, ULONG_MAX, XA_PRESENT);
}

/* Images in the registry; the caller holds ybd_registry_lock. */
unsigned int ybd_image_count(void)
{
	lockdep_assert_held(&ybd_registry_lock);
	return ybd_images_nr;
}

/**
 * ybd_image_register - make an image visible
 * @image: complete; the registry takes a reference of its own
 * @extack: told why when refused
 *
 * May sleep. Return: 0, -EEXIST or -ENOMEM.
 */
int ybd_image_register(struct ybd_image *image, struct netlink_ext_ack *extack)
{
	int ret;

	mutex_lock(&ybd_registry_lock);
	if (ybd_image_find_name(image->name)) {
		NL_SET_ERR_MSG(extack, "an image of that name is loaded");
		ret = -EEXIST;
		goto out;
	}
	/* Cyclic: a stale number in a script must not name another image. */
	ret = xa_alloc_cyclic(&ybd_images, &image->id, image, xa_limit_31b,
			      &ybd_image_next_id, GFP_KERNEL);
	if (ret < 0)
		goto out;
	ret = 0;
	refcount_inc(&image->ref);
	hash_add(ybd_image_names, &image->name_node, hash_name(image->name));
	ybd_images_nr++;
	ybd_registry_generation++;
out:
	mutex_unlock(&ybd_registry_lock);
	return ret;
}

/**
 * ybd_image_unload - take an image out of the registry
 * @image: the caller holds a reference
 * @extack: told why when refused
 *
 * May sleep. Return: 0, -EBUSY while a device uses it, or -ENOENT when
 * somebody else was faster.
 */
int ybd_image_unload(struct ybd_image *image, struct netlink_ext_ack *extack)
{
	int ret = 0;

	mutex_lock(&ybd_registry_lock);
	if (image->unloaded) {
		NL_SET_ERR_MSG(extack, "no such image");
		ret = -ENOENT;
	} else if (image->devices) {
		NL_SET_ERR_MSG(extack, "image is in use by a device");
		ret = -EBUSY;
	} else {
		image->unloaded = true;
		xa_erase(&ybd_images, image->id);
		hash_del(&image->name_node);
		ybd_images_nr--;
		ybd_registry_generation++;
	}
	mutex_unlock(&ybd_registry_lock);
	if (!ret)
		ybd_image_put(image);
	return ret;
}
