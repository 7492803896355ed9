# SPDX-License-Identifier: GPL-2.0-only
"""A reader of uncompressed EROFS for the tests, which shares nothing with the writer.

tree(path) -> {name: Node} as in ext4.py. It also asserts what the kernel relies on: names sorted, a
tail in the block of its inode, holes and data inside the filesystem.
"""

import hashlib
import struct

from ext4 import KINDS, Node

BLOCK = 4096
PREFIX = {1: b"user.", 2: b"system.posix_acl_access", 3: b"system.posix_acl_default",
          4: b"trusted.", 6: b"security."}
TYPES = {1: "file", 2: "dir", 3: "char", 4: "block", 5: "fifo", 6: "socket", 7: "symlink"}
PLAIN, INLINE, CHUNKS = 0, 2, 4


def crc32c(data):
    crc = 0xffffffff
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ 0x82f63b78 * (crc & 1)
    return crc


class Inode:
    """An inode with where its data are."""

    def __init__(self, fs, nid):
        self.at = fs.meta * BLOCK + nid * 32
        raw = fs.read(self.at, 64)
        (fmt, units, self.mode, _pad, self.size, self.u, _ino, self.uid, self.gid, self.sec,
         self.nsec, self.nlink) = struct.unpack_from("<HHHHQIIIIqII", raw)
        assert fmt & 1, "no extended inode"
        assert self.at % BLOCK <= BLOCK - 64, "an inode in two blocks"
        self.layout = fmt >> 1
        self.xattr_at = self.at + 64
        self.xattr_size = 12 + (units - 1) * 4 if units else 0
        self.rest = self.xattr_at + self.xattr_size


class Erofs:
    def __init__(self, path):
        self.f = open(path, "rb")
        block = self.read(0, BLOCK)
        sb = block[1024:]
        (magic, crc, self.compat, bits, _slots, self.root, self.inos, self.sec, _nsec, self.blocks,
         self.meta, _x, self.uuid) = struct.unpack_from("<IIIBBHQQIIII16s", sb)
        assert magic == 0xe0f5e1e2 and bits == 12, "no erofs"
        assert crc32c(sb[:4] + bytes(4) + sb[8:]) == crc, "the superblock's checksum is wrong"
        assert struct.unpack_from("<I", sb, 80)[0] & ~4 == 0, "features that are not known"
        assert self.root, "a root with the inode number 0"

    def close(self):
        self.f.close()

    def read(self, off, size):
        self.f.seek(off)
        out = self.f.read(size)
        assert len(out) == size
        return out

    def pieces(self, i):
        """(offset, byte on disk, length) of an inode's data."""
        if i.layout == CHUNKS:
            bits = 12 + (i.u & 0x1f)
            assert i.u >> 5 == 0, "chunks of a format that is not known"
            n = -(-i.size >> bits)
            for k, blk in enumerate(struct.unpack("<%dI" % n, self.read(i.rest, 4 * n))):
                if blk != 0xffffffff:
                    yield k << bits, blk * BLOCK, min(1 << bits, i.size - (k << bits))
            return
        assert i.layout in (PLAIN, INLINE), "a layout that is not known"
        tail = i.size % BLOCK if i.layout == INLINE else 0
        if i.size - tail:
            yield 0, i.u * BLOCK, i.size - tail
        if tail:
            assert i.rest // BLOCK == (i.rest + tail - 1) // BLOCK == i.at // BLOCK, "a torn tail"
            yield i.size - tail, i.rest, tail

    def data(self, i):
        out = bytearray(i.size)
        for off, at, n in self.pieces(i):
            assert at + n <= self.blocks * BLOCK, "data beyond the end"
            out[off:off + n] = self.read(at, n)
        return bytes(out)

    def digest(self, i):
        h = hashlib.sha256()
        pos = 0
        for off, at, n in list(self.pieces(i)) + [(i.size, 0, 0)]:
            assert at + n <= self.blocks * BLOCK, "data beyond the end"
            while pos < off:
                k = min(off - pos, 1 << 20)
                h.update(bytes(k))
                pos += k
            while n:
                k = min(n, 1 << 20)
                h.update(self.read(at, k))
                at, pos, n = at + k, pos + k, n - k
        return h.hexdigest()

    def xattrs(self, i):
        out = {}
        if not i.xattr_size:
            return out
        area = self.read(i.xattr_at, i.xattr_size)
        assert not area[4], "shared xattrs"
        at = 12
        while at < len(area):
            nlen, index, size = struct.unpack_from("<BBH", area, at)
            at += 4
            name = PREFIX[index] + area[at:at + nlen]
            assert name.decode() not in out
            out[name.decode()] = area[at + nlen:at + nlen + size]
            at += (nlen + size + 3) // 4 * 4
        assert at == len(area)
        return out

    def names(self, i):
        data, last = self.data(i), b""
        for base in range(0, len(data), BLOCK):
            block = data[base:base + BLOCK]
            n = struct.unpack_from("<H", block, 8)[0] // 12
            offs = [struct.unpack_from("<H", block, 12 * k + 8)[0] for k in range(n)] + [len(block)]
            for k in range(n):
                nid, _off, kind, _r = struct.unpack_from("<QHBB", block, 12 * k)
                name = block[offs[k]:offs[k + 1]].rstrip(b"\0")
                assert last < name, "%r is not behind %r" % (name, last)
                last = name
                yield name, nid, TYPES[kind]

    def node(self, nid):
        i = Inode(self, nid)
        kind = KINDS[i.mode & 0o170000]
        dev = (i.u >> 8 & 0xfff, (i.u & 0xff) | (i.u >> 12 & 0xfff00))
        return i, Node(kind, i.mode & 0o7777, i.uid, i.gid, i.sec * 10 ** 9 + i.nsec,
                       i.size if kind == "file" else None,
                       self.digest(i) if kind == "file" else None,
                       self.data(i) if kind == "symlink" else None,
                       dev if kind in ("char", "block") else None,
                       self.xattrs(i), nid, i.nlink)


def is_erofs(path):
    with open(path, "rb") as f:
        f.seek(1024)
        return f.read(4) == b"\xe2\xe1\xf5\xe0"


def tree(path):
    fs = Erofs(path)
    out, cache = {}, {}
    todo = [(b"", fs.root, fs.root)]
    while todo:
        name, nid, parent = todo.pop()
        if nid not in cache:
            cache[nid] = fs.node(nid)
        i, node = cache[nid]
        out[name] = node
        if node.kind != "dir":
            continue
        dots, dirs = {}, 0
        for entry, child, kind in fs.names(i):
            if entry in (b".", b".."):
                dots[entry] = child
                continue
            todo.append(((name + b"/" if name else b"") + entry, child, nid))
            dirs += kind == "dir"
        assert dots == {b".": nid, b"..": parent}, "wrong dots in %r" % name
        assert node.nlink == 2 + dirs, "%r has %d links" % (name, node.nlink)
    assert len(cache) == fs.inos, "%d inodes, not %d" % (len(cache), fs.inos)
    fs.close()
    return out
