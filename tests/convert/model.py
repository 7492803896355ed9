# SPDX-License-Identifier: GPL-2.0-only
"""What the layers of an image come to, by the rules of the OCI image specification."""

import hashlib
import posixpath
import tarfile

KIND = {tarfile.REGTYPE: "file", tarfile.DIRTYPE: "dir", tarfile.SYMTYPE: "symlink",
        tarfile.CHRTYPE: "char", tarfile.BLKTYPE: "block", tarfile.FIFOTYPE: "fifo"}


class Inode:
    def __init__(self, kind, mode=0o755, uid=0, gid=0, mtime=0, data=b"", link=None, dev=None):
        self.kind, self.mode, self.uid, self.gid = kind, mode, uid, gid
        self.mtime, self.data, self.link, self.dev = mtime, data, link, dev
        self.xattrs = {}

    def same(self, node, ignore=()):
        """Differences to a node of ext4.py or umoci's tree."""
        mine = dict(kind=self.kind, mode=self.mode, uid=self.uid, gid=self.gid,
                    mtime=self.mtime, link=self.link, dev=self.dev, xattrs=self.xattrs,
                    digest=hashlib.sha256(self.data).hexdigest() if self.kind == "file" else None)
        return {k: (v, getattr(node, k)) for k, v in mine.items()
                if k not in ignore and v != getattr(node, k)}


def ns(mtime):
    return int(mtime * 10 ** 9)


class Tree:
    def __init__(self):
        self.names = {"": Inode("dir")}

    def children(self, name):
        head = name + "/" if name else ""
        return [n for n in self.names if n != name and n.startswith(head)]

    def remove(self, name, keep=()):
        """All below, then itself; not what is in @keep, and what that is in."""
        for n in sorted(self.children(name) + [name], reverse=True):
            if n not in keep and n in self.names and not self.children(n):
                del self.names[n]

    def directory(self, parts, made, mtime):
        """The directory that a path of components leads to, through symlinks."""
        at, todo = "", list(parts)
        while todo:
            part = todo.pop(0)
            if part in ("", "."):
                continue
            if part == "..":
                at = posixpath.dirname(at)
                continue
            name = at + "/" + part if at else part
            inode = self.names.get(name)
            if inode is None:
                self.names[name] = Inode("dir", mtime=mtime)
                made.add(name)
            elif inode.kind == "symlink":
                target = inode.link.decode("utf-8", "surrogateescape")
                if target.startswith("/"):
                    at = ""
                todo = target.split("/") + todo
                continue
            at = name
        return at

    def place(self, path, made, mtime):
        parts = posixpath.normpath("/" + path).lstrip("/").split("/")
        at = self.directory(parts[:-1], made, mtime)
        return (at + "/" if at else "") + parts[-1]

    def apply(self, entries):
        made = set()
        for e in entries:
            mtime = ns(e["mtime"])
            # what aufs kept for itself
            if e["name"].startswith(".wh..wh.") and e["name"] != ".wh..wh..opq":
                continue
            name = self.place(e["name"], made, mtime)
            head, _, base = name.rpartition("/")
            if base == ".wh..wh..opq":
                for n in sorted(self.children(head), reverse=True):
                    if n not in made and not self.children(n):
                        del self.names[n]
                continue
            if base.startswith(".wh..wh."):
                continue
            if base.startswith(".wh."):
                self.remove((head + "/" if head else "") + base[4:], made)
                continue
            self.put(name, e, mtime, made)
            made.add(name)

    def put(self, name, e, mtime, made):
        old = self.names.get(name)
        both = old and old.kind == "dir" and e["kind"] == tarfile.DIRTYPE
        if old and not both:
            self.remove(name)
        if e["kind"] == tarfile.LNKTYPE:
            inode = self.names[self.place(e["link"], made, mtime)]
        else:
            inode = old if both else Inode(KIND[e["kind"]])
            if e["kind"] == tarfile.SYMTYPE:
                inode.link = e["link"].encode("utf-8", "surrogateescape")
            inode.data = e["data"]
            if inode.kind in ("char", "block"):
                inode.dev = e["dev"]
        inode.mode, inode.uid, inode.gid, inode.mtime = e["mode"], e["uid"], e["gid"], mtime
        inode.xattrs.update(e["xattrs"])
        self.names[name] = inode

    def compare(self, nodes, ignore=(), skip=(), links=True):
        """Text of what differs from a tree of ext4.py; @links: numbers of links as well."""
        out = []
        mine = {n.encode("utf-8", "surrogateescape"): i for n, i in self.names.items()}
        for name in sorted(set(mine) - set(nodes)):
            out.append("%r is missing" % name)
        for name in sorted(set(nodes) - set(mine)):
            out.append("%r is too much" % name)
        for name in sorted(set(nodes) & set(mine)):
            if name in skip:
                continue
            diff = mine[name].same(nodes[name], ignore)
            if diff:
                out.append("%r: %r" % (name, diff))
        groups = {}
        for name, inode in mine.items():
            if inode.kind != "dir":
                groups.setdefault(id(inode), set()).add(name)
        theirs = {}
        for name, node in nodes.items():
            if node.kind != "dir":
                theirs.setdefault(node.ino, set()).add(name)
        if sorted(map(sorted, groups.values())) != sorted(map(sorted, theirs.values())):
            out.append("other hard links")
        for name, node in nodes.items():
            if links and node.kind != "dir" and node.nlink != len(theirs[node.ino]):
                out.append("%r has %d links, not %d" % (name, node.nlink, len(theirs[node.ino])))
        return "\n".join(out[:20])
