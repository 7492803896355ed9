#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""guest_debian.py [CASE...]: in the guest, images of debian.py on /dev/ybdN, against umoci's trees.

$YBD_SHARE has what debian_host.py left there.
"""

import glob
import json
import os
import pickle
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import ktap  # noqa: E402
import tree  # noqa: E402
from device import Device, Overlay, run, same  # noqa: E402

SHARE = os.environ["YBD_SHARE"]


def compare(root, tag, links):
    """@links: numbers of links too; a lowerdir's files have links in others as well."""
    with open(os.path.join(SHARE, tag + ".tree"), "rb") as f:
        want = pickle.load(f)
    got = tree.walk(root, tree.crc)
    same("differences", tree.differences(got, want), "")
    same("hard links", tree.hard_links(got), tree.hard_links(want))
    if links:
        same("numbers of links", {n: i.nlink for n, i in got.items() if i.kind != "dir"},
             {n: i.nlink for n, i in want.items() if i.kind != "dir"})
    print("# %d names, %d MiB" % (len(got), sum(i.size or 0 for i in got.values()) >> 20))


def case_of(path):
    """An image, of which ybdctl convert has said @path."""
    with open(path, encoding="utf-8") as f:
        said = json.load(f)
    name = os.path.basename(path)[:-len(".json")]
    tag = name.split("-")[0]

    def case():
        with Device(tag, said["name"], "--ro") as d:
            same("type", run("findmnt", "-n", "-o", "FSTYPE", d.dir).strip(), said["fs"])
            if said["format"] == "overlaybd":
                compare(d.dir, tag, True)
                return
            with Overlay(d, said["lowerdir"]) as o:
                compare(o.dir, tag, False)
    case.__name__ = name
    return case


raise SystemExit(ktap.run("convert: in a guest",
                          [case_of(p) for p in sorted(glob.glob(SHARE + "/*-*-*.json"))],
                          sys.argv[1:]))
