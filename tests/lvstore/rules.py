# SPDX-License-Identifier: GPL-2.0-only
"""Every rule of the lvstore format, checked from its description alone.

Written from the description of SPDK's format, without a look at tools/lib/lvstore, whose stores it
judges. It shares nothing with it: another language, another way to read.

    store = rules.Store(path)       # parse; what is wrong is in store.broken
    rules.check(path) -> ["C3: ...", ...]

The rules by their numbers:

  super block  A1 signature, version 3, length 4096, bstype   A2 crc   A3 clean is 0 or 1
               A4 cluster size a power of two, 4096 or more   A5 size fits the device
               A6 reserved bytes zero (508 to 511 may keep the crc right, see lvstore.rst, 9)
               A7 block size 512 or 4096   A8 md page size
  layout       B1 masks and metadata in the order, at the places and with the lengths that SPDK's
               init gives them   B2 metadata inside of the store, room for a cluster of data
  masks        C1 type and length   C2 bits behind the last and the rest of the pages are zero
               C3 used pages: those of blobs, no others   C4 used clusters: the metadata's and those
               in maps, no others   C5 roots: all blobs, no others
  pages        D1 crc   D2 id   D3 sequence 0, 1, 2   D4 reserved bytes   D5 descriptors end inside
               D6 zeros behind the last one   D7 no chain meets a page twice
  descriptors  E1 flags first, 24 bytes, once   E2 xattr lengths add up, no name twice
               E3 no unknown type   E4 unknown flag bits   E5 EXTENT_TABLE as the descriptors
               E6 order: flags, xattrs, internal xattrs, extents
  extents      F1 table pieces of multiples of 8, the same size in all   F2 slots: one per 512
               clusters   F3 page counts 1, never page 0   F4 extent page: sequence 0, no next, a
               single descriptor, zeros behind   F5 its first index and its number of clusters
               F6 clusters are data clusters of the store   F7 holes only in thin blobs
               F8 run-length pieces not empty, multiples of 8   F9 never both styles
  owners       G1 a cluster has one owner   G2 so has a page
  volumes      H1 SNAP of 8 bytes names an lvol   H2 no circles   H3 a parent is read-only
               H4 THIN with a parent   H5 INTERNAL_XATTR with an internal xattr
               H6 EXTSNAP with EXTERNAL_SNAPSHOT and no SNAP with it   H7 no SNAPTMP, SNAPRM
  names        I1 super blob: size 0, uuid, name   I2 name of 1 to 63 bytes and NUL   I3 unique
               I4 uuid of 36 and NUL   I5 unique
  free space   J1 free clusters read zero   J2 free md pages are zero
"""

import hashlib
import re
import struct

PAGE = 4096
PER_PAGE = 512
UUID = re.compile(rb"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\0\Z")


def table():
    out = []
    for i in range(256):
        for _ in range(8):
            i = i >> 1 ^ (0x82F63B78 if i & 1 else 0)
        out.append(i)
    return out


TABLE = table()


def crc32c(data):
    c = 0xFFFFFFFF
    for b in data:
        c = TABLE[(c ^ b) & 255] ^ c >> 8
    return c ^ 0xFFFFFFFF


def good_crc(page, known={}):
    """Most pages are met again and again."""
    page = bytes(page)
    if page not in known:
        if len(known) > 4096:
            known.clear()
        known[page] = crc32c(page[:4092]) == struct.unpack_from("<I", page, 4092)[0]
    return known[page]


class Blob:
    def __init__(self, root):
        self.root = root
        self.id = 1 << 32 | root
        self.flags = None
        self.xattrs, self.internal = {}, {}
        self.size = 0
        self.runs = None        # style B
        self.slots = None       # style A
        self.map = {}
        self.pages = [root]
        self.extent_pages = []

    thin = property(lambda s: bool(s.flags and s.flags[0] & 1))
    esnap = property(lambda s: bool(s.flags and s.flags[0] & 8))
    read_only = property(lambda s: bool(s.flags and s.flags[1] & 1))
    name = property(lambda s: s.xattrs.get(b"name", b"").split(b"\0")[0].decode("latin1"))
    uuid = property(lambda s: s.xattrs.get(b"uuid", b"").rstrip(b"\0").decode("latin1"))

    def ref(self, name):
        v = self.internal.get(name)
        return struct.unpack("<Q", v)[0] if v and len(v) == 8 else None


class Store:
    def __init__(self, path):
        self.f = open(path, "rb")
        self.broken = []
        self.blobs = {}
        self.super()
        if self.usable:
            self.load()

    def bad(self, rule, text, *args):
        self.broken.append(rule + ": " + text % args)

    def need(self, ok, rule, text, *args):
        if not ok:
            self.bad(rule, text, *args)
        return ok

    def at(self, off, n):
        self.f.seek(off)
        return self.f.read(n)

    def page(self, n):
        return self.at((self.md_start + n) * self.md_page, PAGE)

    def super(self):
        sb = self.sb = self.at(0, PAGE)
        self.usable = False
        if not self.need(len(sb) == PAGE and sb[:8] == b"SPDKBLOB", "A1", "no signature"):
            return
        (version, length, self.clean, self.super_id, self.cs, self.pm, self.pml, self.cm,
         self.cml, self.md_start, self.md_len) = struct.unpack_from("<IIIQIIIIIII", sb, 8)
        self.bm, self.bml, self.size, self.block, md_page = struct.unpack_from("<IIQII", sb, 72)
        self.need((version, length) == (3, PAGE), "A1", "version %d, length %d", version, length)
        self.need(sb[56:72] == b"LVOLSTORE" + bytes(7), "A1", "bstype %r", sb[56:72])
        self.need(good_crc(sb), "A2", "super block")
        self.need(self.clean in (0, 1), "A3", "clean is %d", self.clean)
        self.need(self.cs >= 4096 and not self.cs & self.cs - 1, "A4", "%d", self.cs)
        self.f.seek(0, 2)
        self.need(0 < self.size <= self.f.tell(), "A5", "%d", self.size)
        self.need(not any(sb[96:508]) and not any(sb[512:4092]), "A6", "reserved bytes")
        self.need(self.block in (512, 4096), "A7", "%d", self.block)
        self.md_page = md_page or PAGE
        self.need(self.md_page in (4096, 8192, 16384, 32768, 65536), "A8", "%d", md_page)
        self.total = self.size // self.cs if self.cs else 0
        self.md_clusters = -(-(self.md_start + self.md_len) * self.md_page // self.cs)
        self.usable = self.need(self.md_clusters < self.total, "B2", "no room for data") and \
            self.size <= self.f.tell()

    def ceil_pages(self, bits):
        return -(-(5 + -(-bits // 8)) // self.md_page)

    def layout(self):
        n, room = self.ceil_pages(self.md_len), self.bm - self.cm
        self.need((self.pm, self.pml) == (1, n), "B1", "used pages at %d, %d", self.pm, self.pml)
        self.need(self.cm == 1 + n, "B1", "used clusters at %d", self.cm)
        self.need(self.cml == self.ceil_pages(self.total), "B1", "%d pages of used clusters",
                  self.cml)
        self.need(room >= max(self.cml, n), "B1", "room of %d pages for used clusters", room)
        self.need((self.bml, self.md_start) == (n, self.bm + n), "B1", "roots at %d, %d",
                  self.bm, self.bml)

    # ---- blobs ----

    def is_root(self, n, page):
        ident, seq = struct.unpack_from("<QI", page)
        return good_crc(page) and seq == 0 and ident == 1 << 32 | n

    def load(self):
        self.dirty_pages = set()
        for n in range(self.md_len):
            page = self.page(n)
            if not any(page):
                continue
            self.dirty_pages.add(n)
            if struct.unpack_from("<Q", page)[0] == 1 << 32 | n and self.is_root(n, page):
                self.blobs[1 << 32 | n] = Blob(n)
        for b in self.blobs.values():
            self.chain(b)
            self.extents(b)

    def chain(self, b):
        n, seq, kinds = b.root, 0, []
        while n != 0xFFFFFFFF:
            if not self.need(n < self.md_len, "D2", "page %d of blob %d", n, b.root):
                return
            page = self.page(n)
            if not self.need(good_crc(page), "D1", "page %d of blob %d", n, b.root):
                return
            ident, s, reserved = struct.unpack_from("<QII", page)
            self.need(ident == b.id, "D2", "page %d has id %x, not %x", n, ident, b.id)
            if not self.need(s == seq, "D3", "page %d is %d, not %d", n, s, seq):
                return
            self.need(reserved == 0, "D4", "page %d", n)
            if seq and not self.need(n not in b.pages, "D7", "page %d", n):
                return
            if seq:
                b.pages.append(n)
            kinds += self.descriptors(b, n, page[16:4088])
            n, seq = struct.unpack_from("<I", page, 4088)[0], seq + 1
        order = [{3: 0, 2: 1, 4: 2, 1: 3, 5: 3}.get(k, 9) for k in kinds]
        self.need(order == sorted(order), "E6", "blob %d: %r", b.root, kinds)
        self.need(kinds[:1] == [3] and kinds.count(3) == 1, "E1", "blob %d: %r", b.root, kinds)

    def descriptors(self, b, n, d):
        at, kinds = 0, []
        while len(d) - at >= 5:
            kind, length = d[at], struct.unpack_from("<I", d, at + 1)[0]
            if kind == 0 and length == 0:
                break
            if not self.need(length <= len(d) - at - 5, "D5", "page %d at %d", n, at):
                return kinds
            p = d[at + 5:at + 5 + length]
            at += 5 + length
            if kind:
                kinds.append(kind)
                self.descriptor(b, n, kind, p)
        self.need(not any(d[at:]), "D6", "page %d at %d", n, at)
        return kinds

    def descriptor(self, b, n, kind, p):
        if kind == 3:
            if self.need(len(p) == 24, "E1", "flags of %d bytes", len(p)):
                b.flags = struct.unpack("<QQQ", p)
                known = (0xF, 1, 3)
                self.need(not any(f & ~k for f, k in zip(b.flags, known)), "E4", "blob %d: %r",
                          b.root, b.flags)
        elif kind in (2, 4):
            if not self.need(len(p) >= 4, "E2", "page %d", n):
                return
            nl, vl = struct.unpack_from("<HH", p)
            self.need(len(p) == 4 + nl + vl, "E2", "page %d: %d, %d of %d", n, nl, vl, len(p))
            to = b.xattrs if kind == 2 else b.internal
            self.need(p[4:4 + nl] not in to, "E2", "page %d: %r twice", n, p[4:4 + nl])
            to[p[4:4 + nl]] = p[4 + nl:4 + nl + vl]
        elif kind == 1:
            self.need(p and len(p) % 8 == 0, "F8", "page %d: %d bytes", n, len(p))
            b.runs = (b.runs or []) + list(struct.iter_unpack("<II", p[:len(p) // 8 * 8]))
        elif kind == 5:
            if not self.need(len(p) >= 8 and len(p) % 8 == 0, "F1", "page %d", n):
                return
            size = struct.unpack_from("<Q", p)[0]
            self.need(b.slots is None or size == b.size, "F1", "page %d: %d after %d", n, size,
                      b.size)
            b.size = size
            b.slots = (b.slots or []) + list(struct.iter_unpack("<II", p[8:]))
        else:
            self.bad("E3", "page %d: type %d", n, kind)

    def extents(self, b):
        if not b.flags:
            return
        self.need(b.runs is None or b.slots is None, "F9", "blob %d", b.root)
        self.need(bool(b.flags[0] & 4) == (b.slots is not None), "E5", "blob %d", b.root)
        i = 0
        for c, n in b.runs or []:
            for k in range(n if c else 0):
                self.own(b, i + k, c + k)
            self.need(c or b.thin, "F7", "blob %d at %d", b.root, i)
            i += n
            b.size = i
        slot = 0
        for page, n in b.slots or []:
            if page:
                self.need(n == 1, "F3", "blob %d: page %d, count %d", b.root, page, n)
                self.extent_page(b, slot, page)
            else:
                self.need(b.thin and n, "F7", "blob %d: %d slots without a page", b.root, n)
            slot += n
        if b.slots is not None:
            self.need(slot == -(-b.size // PER_PAGE), "F2", "blob %d: %d slots for %d clusters",
                      b.root, slot, b.size)

    def extent_page(self, b, slot, n):
        b.extent_pages.append(n)
        if not self.need(n < self.md_len, "F3", "blob %d: page %d", b.root, n):
            return
        page = self.page(n)
        if not self.need(good_crc(page), "D1", "extent page %d", n):
            return
        seq, nxt = struct.unpack_from("<I", page, 8)[0], struct.unpack_from("<I", page, 4088)[0]
        self.need(seq == 0 and nxt == 0xFFFFFFFF, "F4", "page %d: %d, %x", n, seq, nxt)
        kind, length = page[16], struct.unpack_from("<I", page, 17)[0]
        want = min(PER_PAGE, b.size - slot * PER_PAGE)
        if not self.need(kind == 6, "F4", "page %d: type %d", n, kind):
            return
        if not self.need(length == 4 + 4 * want, "F5", "page %d: %d bytes for %d", n, length, want):
            return
        start = struct.unpack_from("<I", page, 21)[0]
        self.need(start == slot * PER_PAGE, "F5", "page %d starts at %d", n, start)
        self.need(not any(page[21 + length:4088]), "F4", "page %d: something behind", n)
        for k, c in enumerate(struct.unpack_from("<%dI" % want, page, 25)):
            if c:
                self.own(b, start + k, c)
            else:
                self.need(b.thin, "F7", "blob %d at %d", b.root, start + k)

    def own(self, b, i, c):
        self.need(self.md_clusters <= c < self.total, "F6", "blob %d: cluster %d", b.root, c)
        b.map[i] = c

    # ---- all of them together ----

    def owners(self):
        self.cluster_owner, self.page_owner = {}, {}
        for b in self.blobs.values():
            for c in b.map.values():
                self.need(c not in self.cluster_owner, "G1", "cluster %d: blob %d and %d", c,
                          b.root, self.cluster_owner.get(c, 0))
                self.cluster_owner[c] = b.root
            for p in b.pages + b.extent_pages:
                self.need(p not in self.page_owner, "G2", "page %d: blob %d and %d", p, b.root,
                          self.page_owner.get(p, 0))
                self.page_owner[p] = b.root

    def volumes(self):
        for b in self.lvols():
            snap = b.internal.get(b"SNAP")
            if snap is not None:
                parent = self.blobs.get(b.ref(b"SNAP"))
                if self.need(parent and parent.id != self.super_id, "H1", "blob %d", b.root):
                    self.need(parent.read_only, "H3", "blob %d", parent.root)
                self.need(b.thin, "H4", "blob %d", b.root)
            if b.internal:
                self.need(b.flags and b.flags[0] & 2, "H5", "blob %d", b.root)
            self.need(b.esnap == (b"EXTSNAP" in b.internal) and not (b.esnap and snap), "H6",
                      "blob %d", b.root)
            self.need(b"SNAPTMP" not in b.internal and b"SNAPRM" not in b.internal, "H7",
                      "blob %d", b.root)
            seen, at = set(), b
            while at:
                if not self.need(at.id not in seen, "H2", "blob %d", b.root):
                    break
                seen.add(at.id)
                at = self.blobs.get(at.ref(b"SNAP"))

    def lvols(self):
        return [b for b in self.blobs.values() if b.id != self.super_id]

    def names(self):
        own = self.blobs.get(self.super_id)
        if self.need(own, "I1", "no super blob"):
            self.need(own.size == 0 and UUID.match(own.xattrs.get(b"uuid", b"")) and own.name,
                      "I1", "%r", own.xattrs)
        names, uuids = set(), set()
        for b in self.lvols():
            raw = b.xattrs.get(b"name", b"")
            self.need(b.name and len(b.name) <= 63 and b"\0" in raw and len(raw) <= 64, "I2",
                      "blob %d: %r", b.root, raw)
            self.need(b.name not in names, "I3", "%r", b.name)
            self.need(UUID.match(b.xattrs.get(b"uuid", b"")), "I4", "%r", b.xattrs.get(b"uuid"))
            self.need(b.uuid not in uuids, "I5", "%r", b.uuid)
            names.add(b.name)
            uuids.add(b.uuid)

    def mask(self, start, pages, kind, bits):
        raw = self.at(start * self.md_page, pages * self.md_page)
        if not self.need(len(raw) >= 5 + -(-bits // 8), "C1", "mask %d: %d pages", kind, pages):
            return set()
        head = struct.unpack_from("<BI", raw)
        self.need(head == (kind, bits), "C1", "mask %d: %r, expected %d bits", kind, head, bits)
        self.need(not any(raw[5 + -(-bits // 8):]), "C2", "mask %d", kind)
        value = int.from_bytes(raw[5:5 + -(-bits // 8)], "little")
        self.need(value >> bits == 0, "C2", "mask %d: bits behind the last", kind)
        return {i for i in range(bits) if raw[5 + i // 8] >> i % 8 & 1}

    def masks(self):
        for rule, got, want in (
                ("C3", self.mask(self.pm, self.pml, 0, self.md_len), set(self.page_owner)),
                ("C4", self.mask(self.cm, self.cml, 1, self.total),
                 set(range(self.md_clusters)) | set(self.cluster_owner)),
                ("C5", self.mask(self.bm, self.bml, 2, self.md_len),
                 {b.root for b in self.blobs.values()})):
            self.need(got == want, rule, "marked, not used: %r; used, not marked: %r",
                      sorted(got - want)[:9], sorted(want - got)[:9])

    def free_space(self):
        self.need(self.dirty_pages <= set(self.page_owner), "J2", "pages %r",
                  sorted(self.dirty_pages - set(self.page_owner))[:9])
        zero = bytes(self.cs)
        for c in range(self.md_clusters, self.total):
            if c not in self.cluster_owner and self.at(c * self.cs, self.cs) != zero:
                self.bad("J1", "cluster %d", c)
                break

    def check(self):
        if self.usable:
            self.layout()
            self.owners()
            self.volumes()
            self.names()
            if self.clean:
                self.masks()
            self.free_space()
        return self.broken

    # ---- contents ----

    def find(self, b, i):
        """The cluster that lvol @b shows at @i; 0 for zeros; None: an external snapshot's."""
        while b and i < b.size:
            if i in b.map:
                return b.map[i]
            if b.esnap:
                return None
            b = self.blobs.get(b.ref(b"SNAP")) if b.thin else None
        return 0

    def digest(self, b):
        """Over number and bytes of all 4096-byte blocks that are not zero."""
        h, shown, at = hashlib.sha256(), set(), b
        while at:
            shown.update(i for i in at.map if i < b.size)
            if at.esnap:
                return None
            at = self.blobs.get(at.ref(b"SNAP")) if at.thin else None
        zero = bytes(PAGE)
        for i in sorted(shown):
            c = self.find(b, i)
            data = self.at(c * self.cs, self.cs) if c else b""
            for k in range(0, len(data), PAGE):
                if data[k:k + PAGE] != zero:
                    h.update(struct.pack("<Q", (i * self.cs + k) // PAGE) + data[k:k + PAGE])
        return h.hexdigest()


def check(path):
    return Store(path).check()
