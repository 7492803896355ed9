#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""prepare.py DIR: the layouts that guest.py converts, or finds converted.

odd: what a tar can hold; plain: what umoci can unpack as well; more: a layer more than odd.
"""

import os
import sys

import images
import oci


def main(path):
    layouts = {"odd": images.image(images.oddities()), "more": images.image(images.more()),
               "plain": images.image(images.plain(), images.FOR_UMOCI)}
    for name, image in layouts.items():
        oci.write_dir(os.path.join(path, name), oci.files_of({"latest": image}))


if __name__ == "__main__":
    main(sys.argv[1])
