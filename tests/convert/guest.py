#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""guest.py STORE: in the guest, converted images on /dev/ybdN, for the suite convert-vm.

STORE holds odd and plain of prepare.py, whose layouts are in $YBD_SHARE.
"""

import hashlib
import json
import os
import subprocess
import sys
import traceback

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import images  # noqa: E402
import tree  # noqa: E402
from model import Tree  # noqa: E402

SHARE = os.environ["YBD_SHARE"]
STORE = os.path.realpath(sys.argv[1])
SIZE = "256M"
MINE = b"written here" * 1000


def run(*args, code=0):
    """What a command says; it has to end with that code."""
    out = subprocess.run(args, capture_output=True, text=True)
    if out.returncode != code:
        raise AssertionError("%s: %d, expected %d: %s%s" % (" ".join(args), out.returncode, code,
                                                            out.stdout, out.stderr))
    return out.stdout if not code else out.stderr


def same(what, got, want):
    if got != want:
        raise AssertionError("%s: %r, expected %r" % (what, got, want))


def convert(layout, *args, code=0):
    out = run("ybdctl", "convert", "--json", "--size", SIZE, *args, os.path.join(SHARE, layout),
              STORE, code=code)
    return out if code else json.loads(out.splitlines()[-1])


class Device:
    """A device of an lvol, mounted."""

    def __init__(self, name, lvol, *upper):
        self.name, self.dir = name, "/run/" + name
        os.makedirs(self.dir, exist_ok=True)
        out = run("ybdctl", "create", name, "--image", "images/" + lvol, *upper, "--json")
        self.path = json.loads(out)["path"]
        self.mount("--ro" in upper)

    def mount(self, ro):
        run("mount", *(["-o", "ro"] if ro else []), self.path, self.dir)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        run("umount", self.dir)
        run("ybdctl", "detach", self.name)


def drop_caches():
    with open("/proc/sys/vm/drop_caches", "w") as f:
        f.write("3")


def check_model(layers, root):
    model = Tree()
    for layer in layers:
        model.apply(layer.entries)
    same("differences", model.compare(tree.walk(root)), "")


def lvol(layout):
    """What is in the store already: nothing is written to find out its name."""
    with open(os.path.join(SHARE, layout + ".json")) as f:
        return json.loads(f.read().splitlines()[-1])["name"]


# ---- cases ----

def model_tree():
    with Device("odd", lvol("odd"), "--ro") as d:
        check_model(images.oddities(), d.dir)


def umoci_tree():
    with Device("plain", lvol("plain"), "--ro") as d:
        theirs = tree.umoci(os.path.join(SHARE, "plain:latest"), "/tmp/bundle")
        same("differences", tree.differences(tree.walk(d.dir), theirs, images.UMOCI_TIMES), "")


def append():
    """A store that a device reads from gets another image; the device does not notice."""
    with Device("run", lvol("odd"), "--ram", "16M") as d:
        with open(d.dir + "/mine", "wb") as f:
            f.write(MINE)
        os.sync()
        said = convert("more", code=4)
        same("says what to do", "--append" in said, True)
        got = convert("more", "--append")
        same("made", [l["made"] for l in got["layers"]], [False] * 3 + [True])
        run("ybdctl", "store", "check", STORE)
        with Device("more", got["name"], "--ro") as m:
            check_model(images.more(), m.dir)
        run("ybdctl", "image", "verify", "images/" + lvol("odd"))
        run("umount", d.dir)
        drop_caches()
        d.mount(False)
        same("what was written", tree.digest(d.dir + "/mine"),
             hashlib.sha256(MINE).hexdigest())
        os.unlink(d.dir + "/mine")
        found = tree.walk(d.dir)
        model = Tree()
        for layer in images.oddities():
            model.apply(layer.entries)
        model.names[""].mtime = found[b""].mtime    # a file was made and removed there
        same("differences", model.compare(found), "")


CASES = (model_tree, umoci_tree, append)


def main():
    print("KTAP version 1\n1..%d" % len(CASES), flush=True)
    failed = 0
    for i, case in enumerate(CASES, 1):
        name = "convert: in a guest: " + case.__name__.replace("_", " ")
        try:
            case()
            print("ok %d - %s" % (i, name), flush=True)
        except Exception:
            print("# " + traceback.format_exc().rstrip().replace("\n", "\n# "))
            print("not ok %d - %s" % (i, name), flush=True)
            failed = 1
    return failed


raise SystemExit(main())
