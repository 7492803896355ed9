#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""debian_host.py LAYOUT DIR YBDCTL TAG...: images of debian.py converted, for the suite convert-debian-vm.

DIR gets the store, of each image the tree as umoci has it (TAG.tree), and what convert said of it
(TAG-FS-FORMAT.json).
"""

import json
import os
import pickle
import shutil
import subprocess
import sys
import tarfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import ktap  # noqa: E402
import tree  # noqa: E402

LAYOUT, DIR, YBDCTL = sys.argv[1:4]
IMAGES = sys.argv[4:]
UUID = "029a3bc0-ce40-47bb-916f-2347922f2002"
OTHER_UUID = "029a3bc0-ce40-47bb-916f-2347922f2003"
# all of it is compared, holes too
SIZE, STORE_SIZE = (2 << 30, "16G") if len(IMAGES) > 2 else (512 << 20, "3G")
CLUSTER = 1 << 20
KINDS = [(fs, form) for fs in ("ext4", "erofs") for form in ("overlaybd", "overlayfs")]
BASE = IMAGES[0]
STORE = os.path.join(DIR, "store")


def run(*args, ok=(0,)):
    out = subprocess.run(args, capture_output=True, text=True)
    if out.returncode not in ok:
        raise AssertionError("%s: %d: %s%s" % (" ".join(args), out.returncode, out.stdout,
                                               out.stderr))
    return out.stdout + out.stderr


def same(what, got, want):
    if got != want:
        raise AssertionError("%s: %r, expected %r" % (what, got, want))


def note(text, *args):
    print("# " + text % args, flush=True)


def ybdctl(*args):
    """Without any capability: nothing is mounted, owned by others or made a device."""
    return run("setpriv", "--no-new-privs", "--bounding-set=-all", "--inh-caps=-all", YBDCTL,
               *args)


def make(path, uuid):
    ybdctl("store", "create", path, "--name", "images", "--size", STORE_SIZE, "--cluster-size",
           str(CLUSTER), "--uuid", uuid)


def show(store):
    return json.loads(ybdctl("store", "show", "--json", store))


def convert(tag, fs, form, store):
    said = ybdctl("convert", "--json", "--fs", fs, "--format", form, "--size", str(SIZE),
                  LAYOUT + ":" + tag, store)
    return json.loads(said.splitlines()[-1])


def path_of(tag, fs, form):
    return os.path.join(DIR, "%s-%s-%s.json" % (tag, fs, form))


def converted(tag, fs, form):
    with open(path_of(tag, fs, form), encoding="utf-8") as f:
        return json.load(f)


def export(lvol, store, name="fs"):
    path = os.path.join(DIR, name)
    ybdctl("export", "--force", store, lvol, path)
    return path


def blob(desc):
    return os.path.join(LAYOUT, "blobs/sha256", desc["digest"][7:])


def layers(tag):
    with open(os.path.join(LAYOUT, "index.json"), encoding="utf-8") as f:
        desc = next(m for m in json.load(f)["manifests"]
                    if m["annotations"]["org.opencontainers.image.ref.name"] == tag)
    with open(blob(desc), encoding="utf-8") as f:
        return json.load(f)["layers"]


def unpacked(desc):
    """What a layer takes in a directory, in blocks of 4 KiB, and how many entries it has."""
    with tarfile.open(blob(desc)) as tar:
        sizes = [-(-t.size // 4096) * 4096 for t in tar if not t.islnk()]
    return sum(sizes), len(sizes)


# ---- cases ----

def trees_of_umoci():
    for tag in IMAGES:
        bundle = os.path.join(DIR, "bundle")
        want = tree.umoci(LAYOUT + ":" + tag, bundle, tree.crc)
        shutil.rmtree(bundle)
        with open(os.path.join(DIR, tag + ".tree"), "wb") as f:
            pickle.dump(want, f)
        note("%s: %d layers, %d names, %d MiB, %d hard links, %d xattrs", tag, len(layers(tag)),
             len(want), sum(n.size or 0 for n in want.values()) >> 20,
             sum(len(names) for names in tree.hard_links(want)),
             sum(len(n.xattrs) for n in want.values()))


def all_into_one_store():
    make(STORE, UUID)
    for fs, form in KINDS:
        below = []
        for tag in IMAGES:
            free = show(STORE)["free_clusters"]
            got = convert(tag, fs, form, STORE)
            made = [l["made"] for l in got["layers"]]
            same("made of " + tag, made, [False] * len(below) + [True] * (len(made) - len(below)))
            same("below " + tag, [l["name"] for l in got["layers"]][:len(below)], below)
            own = sum(l["allocated"] for l in got["layers"] if l["made"])
            same("clusters of " + tag, free - show(STORE)["free_clusters"], own // CLUSTER)
            with open(path_of(tag, fs, form), "w", encoding="utf-8") as f:
                json.dump(got, f)
            if tag == BASE:
                below = [l["name"] for l in got["layers"]]
    ybdctl("store", "check", STORE)


def what_is_stored():
    seen = {}
    for tag in IMAGES:
        for desc in layers(tag):
            seen[desc["digest"]] = desc
    sizes = {digest: unpacked(desc)[0] for digest, desc in seen.items()}
    once = sum(sizes.values())
    each = sum(sizes[d["digest"]] for tag in IMAGES for d in layers(tag))
    note("%d layers, unpacked %d MiB; of each image by itself %d MiB; as gzip %d MiB", len(sizes),
         once >> 20, each >> 20, sum(d["size"] for d in seen.values()) >> 20)
    for fs, form in KINDS:
        for tag in IMAGES:
            own = [l for l in converted(tag, fs, form)["layers"] if l["made"]]
            note("%s %s %s: %d layers of its own, %d MiB; unpacked %d MiB", fs, form, tag,
                 len(own), sum(l["allocated"] for l in own) >> 20,
                 sum(sizes[d["digest"]] for d in layers(tag)[-len(own):]) >> 20)
        total = sum(l["allocated"] for tag in IMAGES
                    for l in converted(tag, fs, form)["layers"] if l["made"])
        note("%s %s: %d MiB, %.2f of the unpacked layers", fs, form, total >> 20, total / once)


def twice_the_same_store():
    """Byte for byte; and what is there already is not made again."""
    again = os.path.join(DIR, "again")
    make(again, UUID)
    for fs, form in KINDS:
        for tag in IMAGES:
            convert(tag, fs, form, again)
    run("cmp", STORE, again)
    got = convert(IMAGES[-1], *KINDS[0], again)
    same("made", {l["made"] for l in got["layers"]}, {False})
    run("cmp", STORE, again)
    os.unlink(again)


def same_in_another_store():
    """What an image is does not depend on what else there is; it shares all but its own layers."""
    other = os.path.join(DIR, "other")
    for fs, form in KINDS:
        make(other, OTHER_UUID)
        got, want = convert("nginx", fs, form, other), converted("nginx", fs, form)
        for key in "name", "uuid", "allocated":
            same(key, [l[key] for l in got["layers"]], [l[key] for l in want["layers"]])
        run("cmp", export(want["name"], STORE), export(got["name"], other, "fs-other"))
        os.unlink(other)


def fsck():
    """Of each image, and of every fourth layer of the one that has the most."""
    count = 0
    for fs, form in KINDS:
        lvols = [converted(tag, fs, form)["name"] for tag in IMAGES]
        lvols += [l["name"] for l in converted(IMAGES[-1], fs, form)["layers"][::4]]
        for lvol in dict.fromkeys(lvols):
            path = export(lvol, STORE)
            if fs == "ext4":
                run("e2fsck", "-fn", path)
            else:
                # it says 0 whatever it finds
                said = run("fsck.erofs", "-d3", path)
                if "No errors found" not in said or "<E>" in said:
                    raise AssertionError("fsck.erofs: " + said)
            count += 1
    note("%d filesystems", count)


raise SystemExit(ktap.run("convert: debian", (trees_of_umoci, all_into_one_store, what_is_stored,
                                             fsck, twice_the_same_store, same_in_another_store)))
