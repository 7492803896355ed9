#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""guest.py STORE POOL [CASE...]: in the guest, converted images on /dev/ybdN, for the suite convert-vm.

STORE holds odd and plain of prepare.py, whose layouts are in $YBD_SHARE, and odd twice as an
erofs; POOL is a disk. An upper is left in it, whose contents are in $YBD_SHARE/left.
"""

import hashlib
import json
import os
import pickle
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import images  # noqa: E402
import ktap  # noqa: E402
import tree  # noqa: E402
from device import Device, Overlay, run, same  # noqa: E402

SHARE = os.environ["YBD_SHARE"]
STORE, POOL = (os.path.realpath(a) for a in sys.argv[1:3])
SIZE = "32M"
MINE = b"written here" * 1000


def says(said, *texts):
    for text in texts:
        if text not in said:
            raise AssertionError("%r, expected %r" % (said, text))


def convert(layout, *args, code=0):
    out = run("ybdctl", "convert", "--json", "--size", SIZE, *args, os.path.join(SHARE, layout),
              STORE, code=code)
    return out if code else json.loads(out.splitlines()[-1])


def cmp(a, b):
    """Two devices hold the same."""
    run("cmp", a, b)


def drop_caches():
    with open("/proc/sys/vm/drop_caches", "w") as f:
        f.write("3")


def check_model(layout, found, links=True):
    with open(os.path.join(SHARE, layout + ".tree"), "rb") as f:
        same("differences", pickle.load(f).compare(found, links=links), "")


def converted(layout):
    """What is in the store already: nothing is written to find out its name."""
    with open(os.path.join(SHARE, layout + ".json")) as f:
        return json.loads(f.read().splitlines()[-1])


def lvol(layout):
    return converted(layout)["name"]


# ---- cases ----

def model_tree():
    with Device("odd", lvol("odd"), "--ro") as d:
        check_model("odd", tree.walk(d.dir))


def umoci_tree():
    with Device("plain", lvol("plain"), "--ro") as d:
        theirs = tree.umoci(os.path.join(SHARE, "plain:latest"), "/tmp/bundle")
        same("differences", tree.differences(tree.walk(d.dir), theirs, images.UMOCI_TIMES), "")


def append():
    """A store that a device reads from gets another image; the device does not notice."""
    with Device("run", lvol("odd"), "--ram", "16M") as d:
        root = os.stat(d.dir).st_mtime_ns
        with open(d.dir + "/mine", "wb") as f:
            f.write(MINE)
        os.sync()
        said = convert("more", code=4)
        says(said, "--append")
        got = convert("more", "--append")
        same("made", [l["made"] for l in got["layers"]], [False] * 3 + [True])
        run("ybdctl", "store", "check", STORE)
        with Device("more", got["name"], "--ro") as m:
            check_model("more", tree.walk(m.dir))
        run("ybdctl", "image", "verify", "images/" + lvol("odd"))
        d.umount()
        drop_caches()
        d.mount(False)
        same("what was written", tree.digest(d.dir + "/mine"),
             hashlib.sha256(MINE).hexdigest())
        os.unlink(d.dir + "/mine")
        # a file was made and removed there
        os.utime(d.dir, ns=(0, root))
        check_model("odd", tree.walk(d.dir))


# ---- erofs ----

def erofs_tree():
    with Device("erofs", lvol("erofs"), "--ro") as d:
        same("type", run("findmnt", "-n", "-o", "FSTYPE", d.dir).strip(), "erofs")
        check_model("odd", tree.walk(d.dir))


def erofs_overlay():
    """The directories of an erofs as lowerdirs, alone and with something written above them."""
    lower = converted("erofs-overlayfs")["lowerdir"]
    for name in "upper", "work":
        os.makedirs("/run/over/" + name)
    with Device("lowers", converted("erofs-overlayfs")["name"], "--ro") as d:
        with Overlay(d, lower) as o:
            check_model("odd", tree.walk(o.dir), links=False)
        with Overlay(d, lower, ",upperdir=/run/over/upper,workdir=/run/over/work") as o:
            with open(o.dir + "/block", "r+b") as f:
                f.write(b"above")
            same("above", os.listdir("/run/over/upper"), ["block"])
        same("below", tree.digest(d.dir + "/1/block"), hashlib.sha256(b"b" * 4096).hexdigest())


def erofs_upper():
    """There is nothing to keep of it."""
    says(run("ybdctl", "create", "kept", "--image", "images/" + lvol("erofs"), "--pool", POOL,
             code=7), "is an erofs, which is never written to", "--ro")
    with Device("ram", lvol("erofs"), "--ram", "1M") as d:
        check_model("odd", tree.walk(d.dir))


# ---- commit ----

def work(root):
    """What a container may do; says what is there afterwards."""
    for i in range(3):
        with open("%s/made-%d" % (root, i), "wb") as f:
            f.write(b"%d" % i * 40000)
    with open(root + "/block", "r+b") as f:
        f.seek(100)
        f.write(b"changed")
    os.unlink(root + "/big")
    os.rename(root + "/nano", root + "/renamed")
    os.setxattr(root + "/block", "user.x", b"y")
    os.sync()
    return tree.walk(root)


def commit(name, lvol, *args, code=0):
    out = run("ybdctl", "commit", name, "images/" + lvol, "--json", *args, code=code)
    return out if code else json.loads(out)


def same_tree(lvol_name, want):
    """An lvol that was committed is an image with that tree."""
    with Device("check", lvol_name, "--ro") as d:
        same("differences", tree.differences(tree.walk(d.dir), want), "")


def commit_upper():
    """Of a device that is not attached, while another one writes to its pool."""
    busy = json.loads(run("ybdctl", "create", "busy", "--image", "images/" + lvol("odd"), "--pool",
                          POOL, "--json"))["path"]
    with Device("p1", lvol("odd"), "--pool", POOL) as d:
        work(d.dir)
        d.umount()
        # zeros over what the image has, and beyond what a cluster holds
        run("blkdiscard", "-z", "-o", str(12 << 20), "-l", str(3 << 20), d.path)
        with open(d.path, "r+b") as f:
            f.seek((28 << 20) + 4096)
            f.write(b"raw" * 5000)
        run("blkdiscard", "-o", "1048576", "-l", "12288", d.path)
    # the store is in use, as the image is loaded
    says(commit("p1", "one", code=4), "--append")
    # for as long as it takes
    fio = subprocess.Popen(["fio", "--thread", "--name=busy", "--filename=" + busy, "--rw=write",
                            "--bs=4k", "--direct=1", "--size=16m", "--loops=1000000"],
                           stdout=subprocess.DEVNULL)
    got = commit("p1", "one", "--append")
    same("it was written to meanwhile", fio.poll(), None)
    fio.kill()
    fio.wait()
    run("udevadm", "settle")
    run("ybdctl", "destroy", "busy")
    same("parent", got["parent"], lvol("odd"))
    same("read-only", got["read_only"], True)
    if got["allocated_clusters"] * 65536 > 24 << 20:
        raise AssertionError("that is more than was written: %r" % got)
    says(commit("p1", "one", "--append", code=4), 'there is an lvol "one" already')
    run("ybdctl", "attach", "p1")
    run("ybdctl", "create", "c1", "--image", "images/one", "--ro")
    path = {d["name"]: d["path"] for d in json.loads(run("ybdctl", "list", "--json"))["devices"]}
    cmp(path["p1"], path["c1"])
    run("ybdctl", "detach", "p1", "c1")
    run("ybdctl", "destroy", "p1")


def commit_grown():
    """A device that is larger than its image, from a mounted file system and over it again."""
    with Device("g1", lvol("odd"), "--pool", POOL, "--size", "48M") as d:
        want = work(d.dir)
        d.umount()
    same("size", commit("g1", "grown", "--append")["size"], 48 << 20)
    same_tree("grown", want)
    with Device("g2", "grown", "--ram", "8M") as d:
        with open(d.dir + "/again", "wb") as f:
            f.write(b"2")
        want = tree.walk(d.dir)
        d.umount()
        same("parent", commit("g2", "again", "--append")["parent"], "grown")
    same_tree("again", want)
    run("ybdctl", "destroy", "g1")


def commit_mounted():
    """Refused while it may be written to; frozen by the command, by somebody else, read-only."""
    with Device("m1", lvol("odd"), "--ram", "32M") as d:
        want = work(d.dir)
        says(commit("m1", "mounted", "--append", code=4), d.dir + " and", "--freeze")
        with open(d.dir + "/made-0", "r+b") as f:   # it is not frozen
            f.write(b"x")
        want = tree.walk(d.dir)
        commit("m1", "mounted", "--append", "--freeze")
        with open(d.dir + "/later", "wb") as f:
            f.write(b"x")
        os.unlink(d.dir + "/later")
        same_tree("mounted", want)
        want = tree.walk(d.dir)
        run("fsfreeze", "--freeze", d.dir)
        try:
            commit("m1", "frozen", "--append")
        finally:
            run("fsfreeze", "--unfreeze", d.dir)
        same_tree("frozen", want)
        run("mount", "-o", "remount,ro", d.dir)
        commit("m1", "remounted", "--append")
        d.umount()
        run("ybdctl", "commit", "m1", "elsewhere/no", code=3)
        with open(d.path, "rb"):
            says(commit("m1", "open", "--append", code=4), "is open 1 times")
        commit("m1", "closed", "--append", "--uuid", "6f2d1a52-0000-4000-8000-000000000001")
        same_tree("6f2d1a52-0000-4000-8000-000000000001", want)
    with Device("ro", lvol("odd"), "--ro"):
        says(commit("ro", "no", "--append", code=7), "read-only")
    commit("nobody", "no", "--append", code=3)


def commit_several_layers():
    """An image that is not one lvol: over the one that is said, its own or another, or committed."""
    top = "/run/top"
    with open(top, "wb") as f:
        f.write(os.urandom(300000))
        f.truncate(1 << 20)
    layers = ("--layer", "images/" + lvol("odd"), "--layer", "file:" + top)

    def write(path):
        with open(path, "r+b") as f:
            for at in 0, (1 << 20) - 4096, 5 << 20, (30 << 20) + 512, (32 << 20) - 9000 + 4096:
                f.seek(at)
                f.write(os.urandom(9000))

    def same_device(path, committed):
        check = json.loads(run("ybdctl", "create", "check", "--image", "images/" + committed,
                               "--ro", "--json"))["path"]
        # a whole number of clusters
        run("cmp", "-n", str(size), path, check)
        with open(check, "rb") as f:
            f.seek(size)
            same("beyond the device", any(f.read()), False)
        run("ybdctl", "detach", "check")

    size = (32 << 20) + 4096
    # has something where the image has holes, and behind the end of the device
    with open("/run/dirty", "wb") as f:
        for at in range(1 << 19, 33 << 20, 1 << 20):
            f.seek(min(at, 32 << 20))
            f.write(os.urandom(65536))
    run("ybdctl", "lvol", "import", "--append", "--read-only", STORE, "dirty", "/run/dirty")
    for name, upper in ("t1", ("--ram", "2M")), ("t2", ("--pool", POOL)):
        path = json.loads(run("ybdctl", "create", name, *layers, *upper, "--size",
                              str(size), "--json"))["path"]
        write(path)
        run("udevadm", "settle")
        if name == "t2":
            run("ybdctl", "detach", name)
        code = 3 if name == "t1" else 7
        says(commit(name, "no", "--append", code=code), "is not one lvol", "--below")
        says(commit(name, "no", "--append", "--below", "none", code=3), 'no lvol "none"')
        says(commit(name, "no", "--append", "--below", "grown", code=1), "has 50331648 bytes")
        sizes = {}
        for below, what in (("odd", lvol("odd")), ("plain", lvol("plain")),
                            ("again", name + "plain"), ("dirty", "dirty")):
            got = commit(name, name + below, "--append", "--below", what)
            same("parent", got["parent"], what)
            sizes[below] = got["allocated_clusters"]
        # of an upper in a pool the image is copied first, also where the upper has something else
        if sizes["again"] > (0 if name == "t1" else 8):
            raise AssertionError("that is there already: %r" % sizes)
        if sizes["odd"] * 65536 > 2 << 20:
            raise AssertionError("that is more than was written: %r" % sizes)
        if name == "t2":
            path = json.loads(run("ybdctl", "attach", name, "--json"))["path"]
        for below in sizes:
            same_device(path, name + below)
        run("ybdctl", *("detach", "t1") if name == "t1" else ("destroy", "t2"))


def leave_upper():
    """For the host, where commit is killed."""
    with Device("left", lvol("odd"), "--pool", POOL) as d:
        work(d.dir)
        d.umount()
        run("cp", "--sparse=always", d.path, os.path.join(SHARE, "left"))
    run("ybdctl", "store", "check", STORE)
    run("ybdctl", "pool", "check", POOL)


CASES = (model_tree, umoci_tree, erofs_tree, erofs_overlay, erofs_upper, append, commit_upper, commit_grown, commit_mounted,
         commit_several_layers, leave_upper)


def main():
    run("ybdctl", "pool", "create", "--name", "local", POOL)
    return ktap.run("convert: in a guest", CASES, sys.argv[3:])


raise SystemExit(main())
