# SPDX-License-Identifier: GPL-2.0-only
"""A reader of ext4 for the tests, which shares nothing with the writer: a tree as a dict.

tree(path) -> {name: Node}; names are bytes, the root is b"".
"""

import hashlib
import struct
from collections import namedtuple

Node = namedtuple("Node", "kind mode uid gid mtime size digest link dev xattrs ino nlink")
KINDS = {0o100000: "file", 0o040000: "dir", 0o120000: "symlink", 0o020000: "char",
         0o060000: "block", 0o010000: "fifo", 0o140000: "socket"}
PREFIX = {1: b"user.", 2: b"system.posix_acl_access", 3: b"system.posix_acl_default",
          4: b"trusted.", 6: b"security."}


class Ext4:
    def __init__(self, path):
        self.f = open(path, "rb")
        sb = self.read(1024, 1024)
        assert struct.unpack_from("<H", sb, 56)[0] == 0xef53, "no ext4"
        self.bs = 1024 << struct.unpack_from("<I", sb, 24)[0]
        self.ipg = struct.unpack_from("<I", sb, 40)[0]
        self.isize = struct.unpack_from("<H", sb, 88)[0]
        self.incompat = struct.unpack_from("<I", sb, 96)[0]
        self.dsize = struct.unpack_from("<H", sb, 254)[0] if self.incompat & 0x80 else 32
        self.uuid = sb[104:120]

    def close(self):
        self.f.close()

    def read(self, off, size):
        self.f.seek(off)
        return self.f.read(size)

    def inode(self, ino):
        group, index = divmod(ino - 1, self.ipg)
        d = self.read(self.bs + group * self.dsize, self.dsize)
        table = struct.unpack_from("<I", d, 8)[0]
        if self.dsize >= 64:
            table |= struct.unpack_from("<I", d, 40)[0] << 32
        return self.read(table * self.bs + index * self.isize, self.isize)

    def extents(self, node):
        magic, entries, _max, depth = struct.unpack_from("<HHHH", node, 0)
        assert magic == 0xf30a, "no extents"
        for i in range(entries):
            at = 12 + 12 * i
            if depth:
                _b, lo, hi = struct.unpack_from("<IIH", node, at)
                yield from self.extents(self.read((hi << 32 | lo) * self.bs, self.bs))
            else:
                block, n, hi, lo = struct.unpack_from("<IHHI", node, at)
                assert n <= 32768, "an extent that is not initialised"
                yield block, hi << 32 | lo, n

    def pieces(self, raw):
        """(offset, bytes) of a file's extents."""
        for block, phys, n in self.extents(raw[40:100]):
            yield block * self.bs, self.read(phys * self.bs, n * self.bs)

    def names(self, raw):
        for _off, data in self.pieces(raw):
            for base in range(0, len(data), self.bs):
                at = 0
                while at < self.bs:
                    ino, rec, nlen, kind = struct.unpack_from("<IHBB", data, base + at)
                    if ino:
                        yield data[base + at + 8:base + at + 8 + nlen], ino, kind
                    assert rec >= 8
                    at += rec

    @staticmethod
    def entries(area, at, values):
        out = {}
        while at + 16 <= len(area) and area[at:at + 4] != b"\0\0\0\0":
            nlen, index, off, inum, size = struct.unpack_from("<BBHII", area, at)
            assert not inum
            name = PREFIX[index] + area[at + 16:at + 16 + nlen]
            out[name.decode()] = values[off:off + size]
            at += (16 + nlen + 3) // 4 * 4
        return out

    def xattrs(self, raw):
        out = {}
        extra = struct.unpack_from("<H", raw, 128)[0]
        at = 128 + extra
        if len(raw) > at + 4 and raw[at:at + 4] == b"\0\0\x02\xea":
            out.update(self.entries(raw[at + 4:], 0, raw[at + 4:]))
        acl = struct.unpack_from("<I", raw, 104)[0] | struct.unpack_from("<H", raw, 118)[0] << 32
        if acl:
            block = self.read(acl * self.bs, self.bs)
            assert block[:4] == b"\0\0\x02\xea"
            out.update(self.entries(block, 32, block))
        return out

    def digest(self, raw, size):
        h = hashlib.sha256()
        pos = 0
        for off, data in self.pieces(raw):
            while pos < off:
                n = min(off - pos, 1 << 20)
                h.update(bytes(n))
                pos += n
            data = data[:size - off]
            h.update(data)
            pos += len(data)
        while pos < size:
            n = min(size - pos, 1 << 20)
            h.update(bytes(n))
            pos += n
        return h.hexdigest()

    def link(self, raw, size):
        if size < 60:
            return raw[40:40 + size]
        return next(self.pieces(raw))[1][:size]

    @staticmethod
    def device(raw):
        old, new = struct.unpack_from("<II", raw, 40)
        if old:
            return old >> 8 & 0xff, old & 0xff
        return (new >> 8 & 0xfff), (new & 0xff) | (new >> 12 & 0xfff00)

    def node(self, ino):
        raw = self.inode(ino)
        mode, uid, lo, _at, _ct, mt, _dt, gid, nlink = struct.unpack_from("<HHIIIiIHH", raw, 0)
        size = lo | struct.unpack_from("<I", raw, 108)[0] << 32
        uid |= struct.unpack_from("<H", raw, 120)[0] << 16
        gid |= struct.unpack_from("<H", raw, 122)[0] << 16
        extra = struct.unpack_from("<I", raw, 136)[0]
        kind = KINDS[mode & 0o170000]
        return raw, Node(
            kind, mode & 0o7777, uid, gid,
            (mt + ((extra & 3) << 32)) * 10 ** 9 + (extra >> 2),
            size if kind == "file" else None,
            self.digest(raw, size) if kind == "file" else None,
            self.link(raw, size) if kind == "symlink" else None,
            self.device(raw) if kind in ("char", "block") else None,
            self.xattrs(raw), ino, nlink)


def tree(path):
    fs = Ext4(path)
    out = {}
    todo = [(b"", 2)]
    cache = {}
    while todo:
        name, ino = todo.pop()
        if ino not in cache:
            cache[ino] = fs.node(ino)
        raw, node = cache[ino]
        out[name] = node
        if node.kind == "dir":
            for entry, child, _kind in fs.names(raw):
                if entry not in (b".", b".."):
                    todo.append(((name + b"/" if name else b"") + entry, child))
    fs.close()
    return out
