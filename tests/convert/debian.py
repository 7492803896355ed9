#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Images of Debian packages, made as builds make them: mmdebstrap, dpkg in a chroot, umoci repack.

    debian.py [TAG...]      as root; prints the directory of an OCI layout with these of IMAGES, or all

All are over the same layers. They are made once and kept under ~/.cache/ybd, which takes some minutes.
"""

import fcntl
import glob
import hashlib
import os
import re
import shutil
import subprocess
import sys

CACHE = os.environ.get("YBD_CACHE", os.path.expanduser("~/.cache/ybd"))
SETS = {"tools": "less procps iputils-ping nano", "nginx": "nginx", "python": "python3-numpy",
        "gcc": "gcc libc6-dev"}
ENV = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C",
       "DEBCONF_NOWARNINGS": "yes"}
# the packages of each set, and what they need, by apt and for the root that is in the making
HOOK = """#!/bin/bash
set -euo pipefail
export APT_CONFIG=$MMDEBSTRAP_APT_CONFIG
cd "$2"
set=$3
shift 3
apt-get -y --print-uris install "$@" | awk "/^'/ { print \\$2 }" >"$set.list"
apt-get -y --download-only -o Dir::Cache::archives="$PWD" install "$@"
"""


def mmdebstrap(path, *args):
    """A tar of bookworm's smallest root; proxies and the like of the host's apt hold for it as well."""
    if not os.path.exists(path):
        dump = subprocess.run(["apt-config", "dump"], check=True, capture_output=True, text=True)
        apt = ["--aptopt=" + line for line in dump.stdout.splitlines()
               if re.match("Acquire::(Check|Retries|ForceIPv|https?::)", line)]
        subprocess.run(["mmdebstrap", "--quiet", "--variant=minbase", "--format=tar", *apt, *args,
                        "bookworm", path + ".new"], check=True, stdout=2,
                       env=dict(os.environ, SOURCE_DATE_EPOCH="1700000000"))
        os.rename(path + ".new", path)
    return path


def put(root, name, text, mode=0o644):
    path = os.path.join(root, name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)
    os.chmod(path, mode)


def chroot(root, *args):
    subprocess.run(["chroot", root, *args], check=True, env=ENV, stdout=2)


def dpkg(root, *args):
    subprocess.run(["dpkg", "--root=" + root, "--force-unsafe-io", "--force-depends", *args],
                   check=True, env=ENV, stdout=2)


# ---- steps: each becomes a layer ----

class Install:
    """Some packages of a set, unpacked; those that have been before are left out."""

    def __init__(self, debs, configure=True):
        self.debs, self.configure = debs, configure

    def __call__(self, root):
        dpkg(root, "--unpack", *self.debs)
        if self.configure:
            configure(root)


def configure(root):
    dpkg(root, "--configure", "--pending")


def settings(root):
    put(root, "usr/sbin/policy-rc.d", "#!/bin/sh\nexit 101\n", 0o755)
    put(root, "etc/apt/apt.conf.d/small", 'APT::Install-Recommends "false";\n')


def user(root):
    """Owners, modes, xattrs and names that packages do not have."""
    chroot(root, "useradd", "--create-home", "--uid", "70000", "--shell", "/bin/bash", "app")
    put(root, "home/app/\u00fcber/mehr \u4e16\u754c", "text\n", 0o4640)
    chroot(root, "chown", "-R", "app:app", "/home/app")
    os.setxattr(root + "/home/app", "user.note", b"a home")
    os.mkfifo(root + "/home/app/pipe")
    os.link(root + "/usr/bin/less", root + "/usr/local/bin/pager")
    with open(root + "/home/app/sparse", "wb") as f:
        f.truncate(5 << 20)
        f.seek(3 << 20)
        f.write(b"data")


def slim(root):
    for name in "doc", "man", "locale", "info":
        path = os.path.join(root, "usr/share", name)
        shutil.rmtree(path, ignore_errors=True)
        os.mkdir(path)
    for path in glob.glob(root + "/var/cache/apt/*.bin") + glob.glob(root + "/var/log/*.log"):
        os.unlink(path)


def site(root):
    """A directory becomes a symlink, a symlink goes."""
    os.makedirs(root + "/srv/www")
    put(root, "srv/www/index.html", "<p>%s</p>\n" % ("text " * 5000))
    shutil.rmtree(root + "/var/www/html")
    os.symlink("/srv/www", root + "/var/www/html")
    os.unlink(root + "/etc/nginx/sites-enabled/default")
    put(root, "etc/nginx/conf.d/site.conf", "server { listen 80; root /var/www/html; }\n")


def purge(root):
    dpkg(root, "--purge", "nano")
    os.unlink(root + "/usr/sbin/policy-rc.d")


def numpy(root):
    put(root, "opt/app/run.py", "import numpy\nprint(numpy.arange(10).sum())\n", 0o755)
    chroot(root, "python3", "/opt/app/run.py")
    for path in glob.glob(root + "/usr/lib/python3*/**/__pycache__", recursive=True):
        shutil.rmtree(path)


def program(root):
    put(root, "usr/src/hello.c", "#include <stdio.h>\nint main(void) { return !puts(\"hello\"); }\n")
    chroot(root, "gcc", "-O2", "-o", "/usr/local/bin/hello", "/usr/src/hello.c")
    chroot(root, "/usr/local/bin/hello")


class Maker:
    def __init__(self, work, layout, tags):
        self.work, self.layout, self.tags = work, layout, tags
        self.sets = {name: packages for name, packages in SETS.items()
                     if name in tags + ("tools",) or name == "gcc" and "many" in tags}

    def umoci(self, command, tag, *args):
        subprocess.run(["umoci", command, "--image", self.layout + ":" + tag, *args],
                       check=True, stdout=2)

    def bundle(self, tag):
        path = os.path.join(self.work, tag)
        self.umoci("unpack", tag, path)
        return path

    def steps(self, bundle, tag, steps):
        """A layer of what each step changes, over the image that the bundle is of."""
        for step in steps:
            step(os.path.join(bundle, "rootfs"))
            self.umoci("repack", tag, "--refresh-bundle", "--no-history", bundle)
        shutil.rmtree(bundle)

    def debs(self, name, without=()):
        if name not in self.sets:
            return []
        with open(os.path.join(self.work, name + ".list"), encoding="ascii") as f:
            return [os.path.join(self.work, deb) for deb in f.read().split()
                    if deb not in without]

    def base(self):
        """The packages too: apt knows in a root what that lacks."""
        hook = os.path.join(self.work, "hook")
        put(self.work, "hook", HOOK, 0o755)
        return mmdebstrap(os.path.join(self.work, "base.tar"), "--mode=root",
                          '--aptopt=APT::Install-Recommends "false"', *(
                              "--customize-hook='%s' \"$1\" '%s' %s %s"
                              % (hook, self.work, name, packages)
                              for name, packages in self.sets.items()))

    def images(self):
        base = self.base()
        subprocess.run(["umoci", "init", "--layout", self.layout], check=True)
        self.umoci("new", "base")
        bundle = self.bundle("base")
        os.makedirs(bundle + "/rootfs", exist_ok=True)

        def unpack(root):
            subprocess.run(["tar", "-C", root, "--xattrs", "--xattrs-include=*",
                            "--numeric-owner", "-xpf", base], check=True)
        self.steps(bundle, "shell", (unpack, settings, Install(self.debs("tools")), user, slim))
        python, gcc = self.debs("python"), self.debs("gcc")
        for tag, steps in (
                ("nginx", (Install(self.debs("nginx")), site, purge)),
                ("python", (Install(python[:-1]), Install(python[-1:]), numpy)),
                ("gcc", (Install(gcc), program, slim)),
                # a package in each layer, as the longest of Dockerfiles: 40 in all
                ("many", (Install(gcc[:-32], False),
                          *(Install([deb], False) for deb in gcc[-32:]), configure, program))):
            if tag in self.tags:
                self.steps(self.bundle("shell"), tag, steps)


# the first is what the others are over
IMAGES = ("shell", "nginx", "python", "gcc", "many")


def make(path, tags):
    new = path + ".new"
    if os.geteuid():
        sys.exit("debian.py: only root can make them")
    shutil.rmtree(new, ignore_errors=True)
    os.makedirs(new + "/work")
    Maker(new + "/work", new + "/layout", tags).images()
    shutil.rmtree(new + "/work")
    subprocess.run(["umoci", "gc", "--layout", new + "/layout"], check=True, stdout=2)
    os.rename(new, path)


def cached(tags=IMAGES):
    """Where the images are; keyed by this file, as all that is in them comes of it and of apt."""
    with open(os.path.abspath(__file__), "rb") as f:
        key = hashlib.sha256(f.read() + " ".join(tags).encode()).hexdigest()[:12]
    path = os.path.join(CACHE, "images-" + key)
    os.makedirs(CACHE, exist_ok=True)
    with open(os.path.join(CACHE, "images.lock"), "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not os.path.exists(path):
            make(path, tags)
    return path + "/layout"


if __name__ == "__main__":
    print(cached(tuple(sys.argv[1:]) or IMAGES))
