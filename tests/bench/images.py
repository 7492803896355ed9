#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Images of Debian packages (tests/convert/debian.py), each as an archive of its own.

    tests/bench/images.py DIR TAG...

DIR/TAG.tar is a tar of an OCI layout that has this image only: `ctr images import` copies all that
it finds. The image is "latest" in the layout, and bench/image:latest for containerd.
"""

import io
import json
import os
import sys
import tarfile

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(TOP, "tests", "convert"))

import debian  # noqa: E402

TAG = "org.opencontainers.image.ref.name"


def read_json(path):
    with open(path, encoding="utf-8") as f:
        return json.load(f)


def archive(layout, tag, path):
    def blob(digest):
        return os.path.join("blobs", *digest.split(":"))

    index = read_json(os.path.join(layout, "index.json"))
    top = next(m for m in index["manifests"] if m["annotations"][TAG] == tag)
    manifest = read_json(os.path.join(layout, blob(top["digest"])))
    top["annotations"] = {TAG: "latest", "io.containerd.image.name": "bench/image:latest"}
    index = json.dumps(dict(index, manifests=[top])).encode()
    # layers may be there twice
    blobs = dict.fromkeys(blob(d["digest"]) for d in (top, manifest["config"], *manifest["layers"]))
    with tarfile.open(path, "w") as tar:
        info = tarfile.TarInfo("index.json")
        info.size = len(index)
        tar.addfile(info, io.BytesIO(index))
        for name in ("oci-layout", *blobs):
            tar.add(os.path.join(layout, name), name)


def main():
    layout = debian.cached()
    for tag in sys.argv[2:]:
        archive(layout, tag, os.path.join(sys.argv[1], tag + ".tar"))


main()
