# SPDX-License-Identifier: GPL-2.0-only
"""Images for the tests of ybdctl convert: the same calls give the same bytes."""

import gzip
import hashlib
import io
import json
import os
import subprocess
import tarfile

MEDIA = "application/vnd.oci.image."
TIME = 1700000000


def sha256(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


class Layer:
    """A tar in the making; every entry is also remembered, for the model."""

    def __init__(self):
        self.buf = io.BytesIO()
        self.tar = tarfile.open(fileobj=self.buf, mode="w", format=tarfile.PAX_FORMAT)
        self.entries = []

    def add(self, name, kind, data=b"", mode=None, link="", uid=0, gid=0, mtime=TIME,
            dev=(0, 0), xattrs=None, size=None, pax=None):
        t = tarfile.TarInfo(name)
        t.type = kind
        t.mode = mode if mode is not None else 0o755 if kind == tarfile.DIRTYPE else 0o644
        if kind == tarfile.SYMTYPE:
            t.mode = 0o777
        t.uid, t.gid, t.mtime = uid, gid, int(mtime)
        t.linkname = link
        t.devmajor, t.devminor = dev
        t.size = len(data) if size is None else size
        t.pax_headers = dict(pax or {})
        if mtime != int(mtime):
            t.pax_headers["mtime"] = str(mtime)
        for key, value in (xattrs or {}).items():
            t.pax_headers["SCHILY.xattr." + key] = value.decode("utf-8", "surrogateescape")
        self.tar.addfile(t, io.BytesIO(data) if kind == tarfile.REGTYPE else None)
        self.entries.append(dict(name=name, kind=kind, data=data, mode=t.mode, link=link,
                                 uid=uid, gid=gid, mtime=mtime, dev=dev,
                                 xattrs=dict(xattrs or {})))
        return self

    def file(self, name, data=b"", **kw):
        return self.add(name, tarfile.REGTYPE, data, **kw)

    def dir(self, name, **kw):
        return self.add(name, tarfile.DIRTYPE, **kw)

    def sym(self, name, link, **kw):
        return self.add(name, tarfile.SYMTYPE, link=link, **kw)

    def hard(self, name, link, **kw):
        return self.add(name, tarfile.LNKTYPE, link=link, **kw)

    def node(self, name, kind, dev=(0, 0), **kw):
        return self.add(name, kind, dev=dev, **kw)

    def white(self, name, **kw):
        head, _, tail = name.rpartition("/")
        return self.file((head + "/" if head else "") + ".wh." + tail, **kw)

    def opaque(self, name, **kw):
        return self.file(name + "/.wh..wh..opq", **kw)

    def bytes(self):
        self.tar.close()
        return self.buf.getvalue()


def pack(data, how):
    if how == "gzip":
        return gzip.compress(data, 6, mtime=0)
    if how == "zstd":
        return subprocess.run(["zstd", "-q", "-3", "-c"], input=data, check=True,
                              capture_output=True).stdout
    return data


class Image:
    """Blobs, and a manifest over them."""

    def __init__(self, arch="amd64"):
        self.blobs = {}
        self.diff_ids = []
        self.tars = []
        self.layers = []
        self.arch = arch

    def blob(self, data):
        digest = sha256(data)
        self.blobs[digest] = data
        return {"digest": digest, "size": len(data)}

    def layer(self, layer, how="gzip", media=None, diff_id=None):
        tar = layer.bytes() if isinstance(layer, Layer) else layer
        desc = self.blob(pack(tar, how))
        desc["mediaType"] = media or MEDIA + "layer.v1.tar" + ("+" + how if how else "")
        self.layers.append(desc)
        self.diff_ids.append(diff_id or sha256(tar))
        self.tars.append(tar)
        return self

    def config(self):
        return json.dumps({"architecture": self.arch, "os": "linux", "config": {"Cmd": ["/x"]},
                           "rootfs": {"type": "layers", "diff_ids": self.diff_ids},
                           "history": []}).encode()

    def manifest(self):
        config = self.blob(self.config())
        config["mediaType"] = MEDIA + "config.v1+json"
        desc = self.blob(json.dumps({"schemaVersion": 2, "mediaType": MEDIA + "manifest.v1+json",
                                     "config": config, "layers": self.layers}).encode())
        desc["mediaType"] = MEDIA + "manifest.v1+json"
        desc["platform"] = {"os": "linux", "architecture": self.arch}
        return desc

    def chain_ids(self):
        ids = []
        for diff in self.diff_ids:
            ids.append(sha256((ids[-1] + " " + diff).encode()) if ids else diff)
        return ids


def files_of(images):
    """Names and contents of a layout of {tag: image}; a list stands for an index."""
    out = {"oci-layout": b'{"imageLayoutVersion": "1.0.0"}'}
    manifests = []
    for tag, image in images.items():
        several = image if isinstance(image, list) else [image]
        descs = [i.manifest() for i in several]
        blobs = {}
        for i in several:
            blobs.update(i.blobs)
        if isinstance(image, list):
            index = json.dumps({"schemaVersion": 2, "manifests": descs}).encode()
            blobs[sha256(index)] = index
            desc = {"mediaType": MEDIA + "index.v1+json", "digest": sha256(index),
                    "size": len(index)}
        else:
            desc = descs[0]
        desc["annotations"] = {"org.opencontainers.image.ref.name": tag}
        manifests.append(desc)
        for digest, data in blobs.items():
            out["blobs/sha256/" + digest[7:]] = data
    out["index.json"] = json.dumps({"schemaVersion": 2, "manifests": manifests}).encode()
    return out


def write_dir(path, files):
    for name, data in files.items():
        full = os.path.join(path, name)
        os.makedirs(os.path.dirname(full), exist_ok=True)
        with open(full, "wb") as f:
            f.write(data)
    return path


def write_tar(path, files):
    with tarfile.open(path, "w") as tar:
        for name, data in files.items():
            if isinstance(data, str):
                t = tarfile.TarInfo(name)
                t.type, t.linkname = tarfile.SYMTYPE, data
                tar.addfile(t)
                continue
            t = tarfile.TarInfo(name)
            t.size = len(data)
            tar.addfile(t, io.BytesIO(data))
    return path


def docker_files(image, tag):
    """As docker save has made it for years: one layer twice is a symlink."""
    files, layers, seen = {}, [], {}
    for i, tar in enumerate(image.tars):
        name = "%064x/layer.tar" % (i + 1)
        files[name] = "../" + seen[tar] if tar in seen else tar
        seen.setdefault(tar, name)
        layers.append(name)
    config = image.config()
    files[sha256(config)[7:] + ".json"] = config
    files["manifest.json"] = json.dumps([{"Config": sha256(config)[7:] + ".json",
                                          "RepoTags": [tag], "Layers": layers}]).encode()
    return files
