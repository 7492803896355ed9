#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Seeds for convert_fuzz and oci_fuzz: convert_corpus.py DIR"""

import io
import json
import os
import sys
import tarfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../convert"))

import images  # noqa: E402
import oci  # noqa: E402


def write(top, kind, name, data):
    os.makedirs(os.path.join(top, kind), exist_ok=True)
    with open(os.path.join(top, kind, name), "wb") as f:
        f.write(data)


def two(one, other, apart=0):
    return (len(one) // 512 | apart).to_bytes(2, "little") + one + other



def layers(top):
    make = images.Layer
    small = [
        make().dir("./").dir("a").file("a/f", b"x" * 600).hard("a/h", "a/f").sym("s", "a"),
        make().file("s/g", b"through").white("a/f").opaque("a").hard("x", "a/h"),
        make().sym("l", "/a/../a").file("l/deep/er", b"").file("a", b"now a file"),
        make().file("x", b"1", xattrs={"user.k": b"v", "security.capability": images.CAP}),
        make().node("c", tarfile.CHRTYPE, (300, 70000)).node("p", tarfile.FIFOTYPE)
        .sym("long", "t" * 300).file("n" * 255, b"").file("d/" * 30 + "f", b"z"),
        make().opaque("a").white("x").file("d/new", b"").dir("l").file(".wh..wh..opq"),
    ]
    tars = [l.bytes() for l in small]
    tars = [t.rstrip(b"\0") for t in tars]
    tars = [t + bytes(-len(t) % 512 + 1024) for t in tars]
    for i, one in enumerate(tars):
        for k, other in enumerate(tars):
            write(top, "layers", "%d-%d" % (i, k), two(one, other))
            write(top, "layers", "apart-%d-%d" % (i, k), two(one, other, 0x8000))
            write(top, "layers", "erofs-%d-%d" % (i, k),
                  two(one, other, 0xc000 if (i + k) % 2 else 0x4000))
    for fmt in tarfile.GNU_FORMAT, tarfile.USTAR_FORMAT:
        buf = io.BytesIO()
        with tarfile.open(fileobj=buf, mode="w", format=fmt) as tar:
            t = tarfile.TarInfo("d" * 90 + "/" + "f" * 90)
            t.size = 5
            tar.addfile(t, io.BytesIO(b"12345"))
        write(top, "layers", "format-%d" % fmt, two(buf.getvalue()[:4096], b""))


def manifests(top):
    config = json.dumps({"os": "linux", "architecture": "amd64", "rootfs": {
        "type": "layers", "diff_ids": ["%0"]}}).encode()
    manifest = ('{"schemaVersion":2,"config":{"mediaType":"%sconfig.v1+json","digest":"%%1",'
                '"size":#1},"layers":[{"mediaType":"%slayer.v1.tar+gzip","digest":"%%0","size":#0}]}'
                % (oci.MEDIA, oci.MEDIA)).encode()
    desc = ('{"mediaType":"%s%s.v1+json","digest":"%%%d","size":#%d,"platform":{"os":"linux",'
            '"architecture":"amd64"},"annotations":{"org.opencontainers.image.ref.name":"latest"}}')
    index = '{"schemaVersion":2,"manifests":[%s]}'
    plain = (index % (desc % (oci.MEDIA, "manifest", 2, 2))).encode()
    nested = (index % (desc % (oci.MEDIA, "index", 3, 3))).encode()
    write(top, "manifests", "plain", b"\xff".join([b"layer", config, manifest, plain]))
    write(top, "manifests", "nested", b"\xff".join([b"layer", config, manifest, plain, nested]))
    image = images.image([images.Layer().file("x", b"x")], ("",))
    for name, files in (("docker", oci.docker_files(image, "a:latest")),
                        ("oci", oci.files_of({"latest": image}))):
        path = os.path.join(top, "tmp.tar")
        oci.write_tar(path, {n: d[:2048] for n, d in files.items()})
        with open(path, "rb") as f:
            data = f.read().rstrip(b"\0")
        os.unlink(path)
        write(top, "manifests", name, b"T" + data + bytes(-len(data) % 512 + 1024))


layers(sys.argv[1])
manifests(sys.argv[1])
