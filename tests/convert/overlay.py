# SPDX-License-Identifier: GPL-2.0-only
"""What overlayfs shows of layer directories, by its documentation: a tree of ext4.py, merged.

It shares nothing with what made them.
"""

OPAQUE = "trusted.overlay.opaque"
WHITEOUT = (0, 0)


def is_whiteout(node):
    return node.kind == "char" and node.dev == WHITEOUT


def shown(node):
    """overlayfs keeps its own xattrs to itself."""
    return node._replace(xattrs={k: v for k, v in node.xattrs.items()
                                 if not k.startswith("trusted.overlay.")})


def names_in(nodes):
    """directory -> the names in it"""
    out = {}
    for name in nodes:
        head, _, base = name.rpartition(b"/")
        if name:
            out.setdefault(head, []).append(base)
    return out


def merged(nodes, lowerdir):
    """@nodes: all of the filesystem. @lowerdir: as the mount option, the uppermost first."""
    inside = names_in(nodes)
    roots = [d.encode() for d in lowerdir.split(":")]
    out = {b"": shown(nodes[roots[0]])}
    # a merged directory: its name, and the directories that it is merged from
    todo = [(b"", roots)]
    while todo:
        at, dirs = todo.pop()
        for base in {b for d in dirs for b in inside.get(d, [])}:
            name = (at + b"/" if at else b"") + base
            found = [(d + b"/" + base) for d in dirs if d + b"/" + base in nodes]
            first = nodes[found[0]]
            if is_whiteout(first):
                # only where there is a merge does overlayfs hide its name
                assert len(dirs) > 1, "%r is a whiteout that is seen" % name
                continue
            out[name] = shown(first)
            if first.kind != "dir":
                continue
            parts = []
            for one in found:
                if nodes[one].kind != "dir":
                    break
                parts.append(one)
                if nodes[one].xattrs.get(OPAQUE) == b"y":
                    break
            todo.append((name, parts))
    return out
