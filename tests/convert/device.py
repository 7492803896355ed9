# SPDX-License-Identifier: GPL-2.0-only
"""For scripts in guests: commands, and devices of the store "images"."""

import json
import os
import subprocess


def run(*args, code=0):
    """What a command says; it has to end with that code."""
    out = subprocess.run(args, capture_output=True, text=True)
    if out.returncode != code:
        raise AssertionError("%s: %d, expected %d: %s%s" % (" ".join(args), out.returncode, code,
                                                            out.stdout, out.stderr))
    return out.stdout if not code else out.stderr


def same(what, got, want):
    if got != want:
        raise AssertionError("%s: %r, expected %r" % (what, got, want))


class Device:
    """A device of an lvol, mounted."""

    def __init__(self, name, lvol, *upper):
        self.name, self.dir = name, "/run/" + name
        os.makedirs(self.dir, exist_ok=True)
        out = run("ybdctl", "create", name, "--image", "images/" + lvol, *upper, "--json")
        self.path = json.loads(out)["path"]
        self.mount("--ro" in upper)

    def mount(self, ro):
        run("mount", *(["-o", "ro"] if ro else []), self.path, self.dir)
        self.mounted = True

    def umount(self):
        run("umount", self.dir)
        self.mounted = False

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        if self.mounted:
            self.umount()
        run("ybdctl", "detach", self.name)


class Overlay:
    """Directories of a device's filesystem as lowerdirs, with an upperdir or without."""

    def __init__(self, device, lowerdir, upper=""):
        self.dir = "/run/merged"
        os.makedirs(self.dir, exist_ok=True)
        # relative names, as the manual has it
        subprocess.run(["mount", "-t", "overlay", "-o", "lowerdir=" + lowerdir + upper, "overlay",
                        self.dir], cwd=device.dir, check=True)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        run("umount", self.dir)
