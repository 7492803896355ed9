# SPDX-License-Identifier: GPL-2.0-only
"""A directory as nodes, like those of ext4.py."""

import hashlib
import os
import stat
import subprocess
import zlib

from ext4 import KINDS, Node


def digest(path):
    h = hashlib.sha256()
    with open(path, "rb") as f:
        while data := f.read(1 << 20):
            h.update(data)
    return h.hexdigest()


def crc(path):
    """Quick also where the processor is emulated, and enough where nobody lies."""
    value = 0
    with open(path, "rb") as f:
        while data := f.read(1 << 20):
            value = zlib.crc32(data, value)
    return value


def node(path, sum_of):
    st = os.lstat(path)
    kind = KINDS[stat.S_IFMT(st.st_mode)]
    xattrs = {a: os.getxattr(path, a, follow_symlinks=False)
              for a in os.listxattr(path, follow_symlinks=False)}
    return Node(kind, stat.S_IMODE(st.st_mode), st.st_uid, st.st_gid, st.st_mtime_ns,
                st.st_size if kind == "file" else None, sum_of(path) if kind == "file" else None,
                os.readlink(path) if kind == "symlink" else None,
                (os.major(st.st_rdev), os.minor(st.st_rdev)) if kind in ("char", "block") else None,
                xattrs, st.st_ino, st.st_nlink)


def walk(root, sum_of=digest):
    """{name: Node} of what is below a directory; names are bytes, the root is b""."""
    root = os.fsencode(root)
    out = {}
    todo = [b""]
    while todo:
        name = todo.pop()
        full = os.path.join(root, name) if name else root
        out[name] = node(full, sum_of)
        if out[name].kind == "dir":
            todo += [(name + b"/" if name else b"") + e for e in os.listdir(full)]
    return out


def umoci(image, bundle, sum_of=digest):
    """What umoci unpacks, into a directory that is made."""
    out = subprocess.run(["umoci", "unpack", "--image", image, bundle], capture_output=True,
                         text=True)
    if out.returncode:
        raise AssertionError("umoci: " + out.stderr)
    return walk(os.path.join(bundle, "rootfs"), sum_of)


def differences(mine, theirs, no_times=()):
    """Text of how two trees differ, but for the times of some names."""
    out = ["%r is in one of them" % n for n in sorted(set(mine) ^ set(theirs))]
    for name in sorted(set(mine) & set(theirs)):
        for key in "kind", "mode", "uid", "gid", "mtime", "digest", "link", "dev", "xattrs":
            a, b = getattr(mine[name], key), getattr(theirs[name], key)
            if a != b and not (key == "mtime" and name in no_times):
                out.append("%s of %r: %r, %r" % (key, name, a, b))
    return "\n".join(out[:20])


def hard_links(nodes):
    """The sets of names that are one file."""
    sets = {}
    for name, node in nodes.items():
        if node.kind != "dir":
            sets.setdefault(node.ino, set()).add(name)
    return sorted(sorted(names) for names in sets.values() if len(names) > 1)
