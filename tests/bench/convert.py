#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""ybdctl convert, also with one CPU, beside umoci unpack, on one image of Debian packages.

    tests/bench/convert.py DIR ROUNDS

The image is made once, in DIR/image: minbase, and over it what else python3-numpy, gcc and nginx
need. Rows go to DIR/rows: seconds of wall clock and of CPU, peak memory, and what is on the disk.
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


def on_disk(path):
    return int(subprocess.run(["du", "-sk", path], check=True, capture_output=True,
                              text=True).stdout.split()[0]) / 1024


def clean(*paths):
    for path in paths:
        if os.path.isdir(path):
            shutil.rmtree(path)
        elif os.path.exists(path):
            os.unlink(path)


def main():
    work = sys.argv[1]
    os.makedirs(work, exist_ok=True)
    if sys.argv[2] == "image":
        make_image(work)
        return
    # by another process: what this one holds counts as its children's memory
    subprocess.run([sys.executable, __file__, work, "image"], check=True)
    rounds = int(sys.argv[2])
    image, store, tree = (os.path.join(work, n) for n in ("image", "img", "tree"))
    exe = helper(work)
    rows = []
    for n in range(1, rounds + 1):
        for target in "ybd", "ybd-one-cpu", "umoci":
            clean(store, tree)
            if target != "umoci":
                subprocess.run([exe, "create", store, str(8 << 30), str(1 << 20), UUID],
                               check=True)
                # reading a layer ahead has another CPU, or has not
                one = ["taskset", "-c", "0"] if target == "ybd-one-cpu" else []
                got = measured([*one, YBDCTL, "convert", image, store])
                disk = on_disk(store)
            else:
                got = measured(["umoci", "unpack", "--image", image + ":latest", tree])
                disk = on_disk(tree)
            for what, unit, value in got + (("disk", "MiB", disk),):
                # a case of its own: it is no peer
                case = "convert-one-cpu-" if target == "ybd-one-cpu" else "convert-"
                rows.append({"case": case + what, "target": target, "unit": unit,
                             "value": value, "round": n})
    clean(store, tree)
    with open(os.path.join(work, "rows"), "w", encoding="utf-8") as f:
        for row in rows:
            f.write(json.dumps(row) + "\n")


main()
