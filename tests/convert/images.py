# SPDX-License-Identifier: GPL-2.0-only
"""The images that ybdctl convert is tried on: every oddity of a tar, and random ones."""

import random
import tarfile
from decimal import Decimal

from oci import TIME, Image, Layer

CAP = bytes.fromhex("0100000202000000000000000000000000000000")


def base():
    layer = Layer().dir("./", mode=0o755, mtime=TIME + 1.5)
    for name in "bin", "etc", "usr", "usr/bin", "usr/share", "var", "tmp":
        layer.dir(name, mode=0o1777 if name == "tmp" else 0o755)
    for i in range(40):
        layer.file("usr/bin/tool%d" % i, bytes([i]) * (i * 977), mode=0o755, mtime=TIME + i)
    layer.file("usr/bin/su", b"su" * 3000, mode=0o4755)
    layer.hard("usr/bin/su2", "usr/bin/su", mode=0o4755)
    layer.sym("bin/sh", "../usr/bin/tool1")
    return layer


def oddities():
    """Layers; the model knows what they come to."""
    one, two, three = base(), Layer(), Layer()
    one.file("empty").file("block", b"b" * 4096).file("big", random.Random(1).randbytes(3 << 20))
    one.file("old", b"before 1970", mtime=-5).file("future", b"x", mtime=(1 << 33) + 7)
    one.file("nano", b"n", mtime=Decimal("1700000000.123456789"))
    one.file("owner", b"o", uid=70000, gid=4000000000)
    one.file("caps", b"c", xattrs={"security.capability": CAP, "user.a": b"1"})
    one.file("many", b"m", xattrs={"user.%d" % i: b"v" * 60 for i in range(20)})
    one.dir("xdir", xattrs={"user.d": b"dir"})
    one.node("null", tarfile.CHRTYPE, (1, 3), mode=0o666)
    one.node("disk", tarfile.BLKTYPE, (259, 100000), mode=0o660, gid=6)
    one.node("pipe", tarfile.FIFOTYPE, mode=0o600)
    one.file("long/" + "/".join("n" * 200 for _ in range(4)) + "/" + "f" * 255, b"deep")
    one.sym("slow", "s/" * 200 + "end").sym("dangling", "/nowhere/at/all")
    one.file("h\u00e9/\u4e16\u754c", b"utf-8").file("e\u0301", b"decomposed").file("bad\udcff", b"raw")
    one.sym("h\u00e9/link", "\u4e16\u754c").hard("h\u00e9/hard", "h\u00e9/\u4e16\u754c")
    one.file("implicit/made/dirs/file", b"i", uid=5)
    one.sym("lib", "usr/lib").dir("usr/lib").file("lib/through", b"through a symlink")
    one.sym("abs", "/usr/share").file("abs/doc", b"absolute")
    one.dir("d1").file("d1/a", b"a").file("d1/b", b"b").dir("d1/sub").file("d1/sub/c", b"c")
    one.dir("d2").file("d2/a", b"a").dir("d2/sub").file("d2/sub/c", b"c").dir("d2/sub/e")
    one.file("f2d", b"file").dir("d2f").file("d2f/x", b"x").sym("s2d", "d1").dir("d2s")
    one.file("twice", b"first").file("twice", b"second")
    one.file("l1", b"linked").hard("l2", "l1").hard("l3", "./l2")
    two.file("new", b"new").hard("cross", "usr/bin/tool7", mode=0o755, mtime=TIME + 7)
    two.file("l1", b"a file of its own")
    two.white("d1/a").white("d1/sub").white("nothing/here").white("empty")
    two.file("d2/kept", b"kept").opaque("d2").file("d2/also", b"also")
    two.file("d2/sub/kept", b"kept in a directory of the layer below")
    two.dir("f2d", mode=0o700).file("f2d/in", b"in").file("d2f", b"file").dir("s2d").file("s2d/x", b"x")
    two.sym("d2s", "usr").file("back", b"1").white("back")
    two.file(".wh..wh.plnk/1.2", b"aufs").file(".wh..wh.aufs", b"aufs")
    two.dir("usr/share", mode=0o711, mtime=TIME + 99, uid=9)
    two.hard("new2", "new").white("usr/bin/tool3")
    three.file("f2d", b"a file again").dir("d2f").file("d2f/y", b"y").white("cross").white("l2")
    three.hard("old2", "old", mtime=-5).white("old")
    three.file("usr/bin/tool5", b"replaced", mode=0o600)
    return [one, two, three]


def plain():
    """What all unpackers agree about."""
    return [base(), Layer().file("a/b", b"ab", uid=7)
            .hard("a/c", "usr/bin/tool9", mode=0o755, mtime=TIME + 9).white("bin/sh")
            .opaque("usr/share").node("fifo", tarfile.FIFOTYPE, mode=0o600)
            .file("usr/share/new", b"n").sym("ln", "usr/bin")]


def more():
    """An image that shares all but its last layer with another one."""
    return oddities() + [Layer().file("more", random.Random(2).randbytes(1 << 20), uid=3)
                         .file("usr/bin/tool9", b"replaced").white("big")]


EACH = ("gzip", "zstd", "")     # the layers in turn
FOR_UMOCI = ("gzip", "")        # it knows no zstd
UMOCI_TIMES = (b"", b"a")       # no entry of the last layer describes them: the time of day there


def many_names():
    """Directories with an index of one level, and one that shrinks again."""
    one, two = Layer(), Layer()
    for i in range(3000):
        one.file("dir/a-name-that-is-not-short-%06d" % i, b"", mtime=TIME + i)
    one.dir("dir2")
    for i in range(300):
        one.file("dir2/%d" % i, b"%d" % i)
    for i in range(0, 3000, 3):
        two.white("dir/a-name-that-is-not-short-%06d" % i)
    for i in range(299):
        two.white("dir2/%d" % i)
    two.file("dir/one-more", b"x")
    return [one, two]


def random_layers(seed, count):
    """Layers that make, replace, link and hide names of a small set."""
    rng = random.Random(seed)
    dirs = ["", "a", "a/b", "a/b/c", "d", "d/e"]
    layers = []
    for _ in range(count):
        layer = Layer()
        for _ in range(rng.randrange(1, 25)):
            head = rng.choice(dirs)
            name = (head + "/" if head else "") + rng.choice("uvwxyz")
            todo = rng.randrange(10)
            mtime = TIME + rng.randrange(10 ** 6)
            own = dict(uid=rng.randrange(3), gid=rng.randrange(3), mtime=mtime,
                       mode=rng.choice((0o644, 0o755, 0o4711, 0o600)))
            if todo < 4:
                layer.file(name, rng.randbytes(rng.choice((0, 1, 100, 4096, 9000, 70000))), **own)
            elif todo < 6:
                layer.dir(name, **own)
            elif todo < 7:
                layer.sym(name, rng.choice(("nowhere", "/etc", "x" * rng.randrange(1, 200))), **own)
            elif todo < 8:
                layer.white(name)
            elif todo < 9 and rng.randrange(3) == 0 and head:
                layer.opaque(head)
            else:
                layer.node(name, tarfile.FIFOTYPE, **own)
        layers.append(layer)
    return layers


def image(layers, how=EACH):
    out = Image()
    for i, layer in enumerate(layers):
        out.layer(layer, how[i % len(how)])
    return out
