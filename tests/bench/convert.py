#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""ybdctl convert, to both filesystems and with one CPU, beside umoci unpack, on Debian packages.

Several images are converted by one command, and by one for each.

    tests/bench/convert.py DIR ROUNDS

One image is made once, in DIR/image: minbase, and over it what else python3-numpy, gcc and nginx
need, as one layer. Another one has 40 layers (tests/convert/debian.py). Rows go to DIR/rows: seconds
of wall clock and of CPU, peak memory, and what is on the disk.
"""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tarfile
import time

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(TOP, "tests", "convert"))

import debian  # noqa: E402
import oci  # noqa: E402

UUID = "11111111-2222-4333-8444-555555555555"
YBDCTL = os.path.join(TOP, "build/tools/ybdctl/ybdctl")


def root_of(path, *packages):
    return debian.mmdebstrap(path, "--include=" + ",".join(packages))


def entries(tar):
    """name -> what tells whether an entry is the same, in order."""
    out = {}
    with tarfile.open(tar) as t:
        for m in t:
            data = t.extractfile(m).read() if m.isreg() else b""
            out[m.name] = (m.type, m.mode, m.uid, m.gid, m.linkname,
                           hashlib.sha256(data).digest())
    return out


def difference(below, above, path):
    """A layer of what @above has over @below."""
    old, new = entries(below), entries(above)
    with tarfile.open(above) as t, \
            tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as out:
        for m in t:
            changed = old.get(m.name) != new[m.name]
            # a link to a file that does not change leads into the layer below
            if changed:
                out.addfile(m, t.extractfile(m) if m.isreg() else None)
        for name in old:
            if name not in new:
                head, _, base = name.rpartition("/")
                out.addfile(tarfile.TarInfo((head + "/" if head else "") + ".wh." + base))


def make_image(work):
    path = os.path.join(work, "image")
    if os.path.exists(path + "/index.json"):
        return path
    base = root_of(os.path.join(work, "base.tar"), "ca-certificates")
    more = root_of(os.path.join(work, "more.tar"), "ca-certificates", "python3-numpy", "gcc",
                   "nginx")
    layer = os.path.join(work, "layer.tar")
    difference(base, more, layer)
    image = oci.Image()
    for tar in base, layer:
        with open(tar, "rb") as f:
            image.layer(f.read(), "gzip")
    return oci.write_dir(path, oci.files_of({"latest": image}))


def helper(work):
    exe = os.path.join(work, "store")
    subprocess.run(["gcc", "-O2", "-std=gnu11", "-D_GNU_SOURCE", "-D_FILE_OFFSET_BITS=64",
                    "-I" + os.path.join(TOP, "tools/lib"), "-o", exe,
                    os.path.join(TOP, "tests/convert/store.c"),
                    os.path.join(TOP, "build/tools/libybd.a")], check=True)
    return exe


def measured(argv):
    began = time.monotonic()
    pid = os.posix_spawnp(argv[0], argv, os.environ, file_actions=[
        (os.POSIX_SPAWN_OPEN, 1, "/dev/null", os.O_WRONLY, 0)])
    _pid, status, use = os.wait4(pid, 0)
    if status:
        sys.exit("bench: %s failed" % " ".join(argv))
    return (("wall", "s", time.monotonic() - began),
            ("cpu", "s", use.ru_utime + use.ru_stime),
            ("rss", "MiB", use.ru_maxrss / 1024))


def total(runs):
    """Of several runs: the sums, and the most memory."""
    runs = [dict((what, (unit, value)) for what, unit, value in got) for got in runs]
    return [(what, unit, (max if what == "rss" else sum)(r[what][1] for r in runs))
            for what, (unit, _value) in runs[0].items()]


def on_disk(path):
    return int(subprocess.run(["du", "-sk", path], check=True, capture_output=True,
                              text=True).stdout.split()[0]) / 1024


def clean(*paths):
    for path in paths:
        if os.path.isdir(path):
            shutil.rmtree(path)
        elif os.path.exists(path):
            os.unlink(path)


class Bench:
    def __init__(self, work):
        self.work, self.rows = work, []
        self.store, self.tree = os.path.join(work, "img"), os.path.join(work, "tree")
        self.helper = helper(work)

    def add(self, case, target, n, got):
        for what, unit, value in got:
            self.rows.append({"case": case + "-" + what, "target": target, "unit": unit,
                              "value": value, "round": n})

    def new_store(self):
        clean(self.store)
        subprocess.run([self.helper, "create", self.store, str(8 << 30), str(1 << 20), UUID],
                       check=True)

    def convert(self, *words, before=()):
        self.new_store()
        got = measured([*before, YBDCTL, "convert", *words, self.store])
        return *got, ("disk", "MiB", on_disk(self.store))

    def umoci(self, image):
        clean(self.tree)
        got = measured(["umoci", "unpack", "--image", image, self.tree])
        return *got, ("disk", "MiB", on_disk(self.tree))

    def several(self, case, images, n):
        self.add(case, "ybd", n, self.convert(*images))
        self.add(case + "-one-cpu", "ybd-one-cpu", n,
                 self.convert(*images, before=("taskset", "-c", "0")))
        self.new_store()
        self.add(case + "-in-turn", "ybd-in-turn", n,
                 total(measured([YBDCTL, "convert", i, self.store]) for i in images))
        self.add(case, "umoci", n, total(self.umoci(i) for i in images))
        clean(self.store, self.tree)

    def image(self, case, image, n):
        self.add(case, "ybd", n, self.convert(image))
        self.add(case + "-erofs", "ybd", n, self.convert(image, "--fs", "erofs"))
        # reading a layer ahead has no CPU of its own; a case of its own, as it is no peer
        self.add(case + "-one-cpu", "ybd-one-cpu", n,
                 self.convert(image, before=("taskset", "-c", "0")))
        theirs = self.umoci(image)
        self.add(case, "umoci", n, theirs)
        self.add(case + "-erofs", "umoci", n, theirs)
        clean(self.store, self.tree)


def main():
    work = sys.argv[1]
    os.makedirs(work, exist_ok=True)
    if sys.argv[2] == "image":
        make_image(work)
        return
    # by another process: what this one holds counts as its children's memory
    subprocess.run([sys.executable, __file__, work, "image"], check=True)
    bench = Bench(work)
    layout = debian.cached()
    for n in range(1, int(sys.argv[2]) + 1):
        bench.image("convert", os.path.join(work, "image") + ":latest", n)
        bench.image("convert-many", layout + ":many", n)
        bench.several("convert-several", [layout + ":" + i for i in ("python", "gcc", "many")], n)
    with open(os.path.join(work, "rows"), "w", encoding="utf-8") as f:
        for row in bench.rows:
            f.write(json.dumps(row) + "\n")


main()
