#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""prepare.py DIR: the layouts that guest.py converts, or finds converted.

odd: what a tar can hold; plain: what umoci can unpack as well; more: a layer more than odd. What the
model makes of them is in NAME.tree: a guest would take long for it.
"""

import os
import pickle
import sys

import images
import oci
from model import Tree


def main(path):
    layouts = {"odd": (images.oddities(), images.EACH), "more": (images.more(), images.EACH),
               "plain": (images.plain(), images.FOR_UMOCI)}
    for name, (layers, how) in layouts.items():
        image = images.image(layers, how)
        oci.write_dir(os.path.join(path, name), oci.files_of({"latest": image}))
        model = Tree()
        for layer in layers:
            model.apply(layer.entries)
        with open(os.path.join(path, name + ".tree"), "wb") as f:
            pickle.dump(model, f)


if __name__ == "__main__":
    main(sys.argv[1])
