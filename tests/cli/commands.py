#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""ybdctl without its kernel module: every command line says what it should.

    tests/cli/commands.py YBDCTL FIXTURES [WRAPPER...]

Prints KTAP. A bad command line has its exit code, exactly one line on stderr
and nothing on stdout. WRAPPER (valgrind, say) goes in front of each call.
"""

import json
import os
import re
import subprocess
import sys
import tempfile

YBDCTL, FIXTURES = sys.argv[1:3]
WRAPPER = sys.argv[3:]
TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
ROOTFS = os.path.join(FIXTURES, "rootfs.img")
ESNAP = os.path.join(FIXTURES, "esnap.img")
LONG = "x" * 64

FAILED, USAGE, MISSING, BUSY, DENIED, MODULE, REFUSED = 1, 2, 3, 4, 5, 6, 7

# exit code, command line, what stderr says
BAD = [
    (USAGE, "", "a command is missing"),
    (USAGE, "frob", 'unknown command "frob"'),
    (USAGE, "--frob", "unknown option --frob"),
    (USAGE, "-x list", "unknown option -x"),
    (USAGE, "image", "a command is missing"),
    (USAGE, "image frob", 'unknown command "frob"'),
    (USAGE, "store --json", "a command is missing"),
    (USAGE, "list x", 'unexpected operand "x"'),
    (USAGE, "list --frob", "unknown option --frob"),
    (USAGE, "list --frob=1", "unknown option --frob "),
    (USAGE, "list --js", "unknown option --js"),
    (USAGE, "list -q=1", "unknown option -q"),
    (USAGE, "version x", "unexpected operand"),
    (USAGE, "monitor x", "unexpected operand"),
    # create
    (USAGE, "create", "too few operands"),
    (USAGE, "create a b --image s/l --ro", 'unexpected operand "b"'),
    (USAGE, "create a", "an image is missing"),
    (USAGE, "create a --image", "--image needs a value"),
    (USAGE, "create a --image=", "--image needs a value"),
    (USAGE, "create a --image s/l", "where do writes go"),
    (USAGE, "create a --image s/l --ro --ram 1G", "exclude each other"),
    (USAGE, "create a --image s/l --ro --ro", "--ro is given twice"),
    (USAGE, "create a --image s/l --image s/m --ro", "--image is given twice"),
    (USAGE, "create a --image s/l --ro=1", "--ro takes no value"),
    (USAGE, "create a --image s/l --ram", "--ram needs a value"),
    (USAGE, "create a --image s/l --ram x", '"x" is no size'),
    (USAGE, "create a --image s/l --ram 1.5G", '"1.5G" is no size'),
    (USAGE, "create a --image s/l --ram -1", '"-1" is no size'),
    (USAGE, "create a --image s/l --ram 99999999T", "is no size"),
    (USAGE, "create a --image s/l --ram 0", "where do writes go"),
    (USAGE, "create a --image s/l --ram 8191", "less than a block"),
    (USAGE, "create a --image s/l --ro --size 1Q", "is no size"),
    (USAGE, "create a --image s/l --ro --block-size 1024", "neither 512 nor 4096"),
    (USAGE, "create a --image s/l --ro --cgroup x", "--cgroup is for --ram"),
    (USAGE, "create a --image s/l --ram 1G --unsafe-writable", "needs --ro"),
    (USAGE, "create .a --image s/l --ro", "begins with a dot"),
    (USAGE, "convert x", "too few operands"),
    (USAGE, "convert x y --format qcow2", "--format: \"qcow2\" is not supported"),
    (USAGE, "convert x y --fs xfs", "--fs: \"xfs\" is not supported"),
    (USAGE, "convert x y --size 16M1", "is no size"),
    (USAGE, "convert x y --size 17000000", "a multiple of 4096"),
    (USAGE, "convert x y --platform linux", "is no platform"),
    (MISSING, "convert /nonexistent/x y", "/nonexistent/x: No such file"),
    (USAGE, "export x y z --format zip", "\"zip\" is neither raw nor tar"),
    (MISSING, "export %s a - --format tar" % ROOTFS, 'no lvol "a"'),
    (USAGE, "commit c", "too few operands"),
    (USAGE, "commit c x", "\"x\" is not STORE/LVOL"),
    (USAGE, "commit c dev:x/y", "is not STORE/LVOL"),
    (USAGE, "commit -- -c s/l", "cannot be the name of a device"),
    (USAGE, "commit c s/l --uuid 1", "is no uuid"),
    (USAGE, "commit c s/%s" % ("l" * 64), "1 to 63 bytes"),
    (MISSING, "commit c s/l --pool /nonexistent/x", "/nonexistent/x: cannot be opened"),
    (USAGE, "create -- -a --image", "unexpected operand"),
    (USAGE, "create a/b --image s/l --ro", "only A-Z"),
    (USAGE, "create %s --image s/l --ro" % LONG, "longer than 63"),
    (USAGE, "create a --image s/l --ro --image-name " + LONG * 2, "longer than 127"),
    (USAGE, "create a --image s/l --layer x --ro", 'layer "x"'),
    (USAGE, "create a --layer file: --ro", "path is missing"),
    (USAGE, "create a --image s/l --ro --esnap x", "is not UUID=SOURCE"),
    (USAGE, "create a --image s/l --volatile", "--volatile needs --pool"),
    (USAGE, "create a --image s/l --ram 1G --volatile", "--volatile needs --pool"),
    (USAGE, "create a --image s/l --ro --autostart", "--autostart needs --pool"),
    (USAGE, "create a --image s/l --ram 1G --quota 1M", "--quota needs --pool"),
    (USAGE, "create a --image s/l --ram 1G --reserve 1M", "--reserve needs --pool"),
    (USAGE, "create a --image s/l --pool", "--pool needs a value"),
    (USAGE, "create a --image s/l --pool p --ro", "--pool and --ro exclude"),
    (USAGE, "create a --image s/l --pool p --ram 1M", "--pool and --ram exclude"),
    (USAGE, "create a --image s/l --pool p --cgroup x", "--cgroup is for --ram"),
    (USAGE, "create a --image s/l --pool p --quota 4097", "--quota: no multiple of 4096"),
    (USAGE, "create a --image s/l --pool p --reserve 1", "--reserve: no multiple of 4096"),
    (USAGE, "create a --image s/l --pool p --quota 1M --reserve 2M", "more than --quota"),
    (USAGE, "create a --image s/l --pool p --volatile --autostart", "exclude each other"),
    (USAGE, "create a --image s/l --pool p --unsafe-writable", "needs --ro"),
    (USAGE, "create a --image name --pool p", "remember the layers"),
    (MISSING, "create a --image s/l --ram 1G --cgroup no-such-group", "--cgroup: /sys/fs"),
    # the others that take names
    (USAGE, "attach", "too few operands"),
    (USAGE, "attach .", "begins with a dot"),
    (USAGE, "attach --all a", "--all and names exclude"),
    (USAGE, "attach a --esnap x", "is not UUID=SOURCE"),
    (USAGE, "resize", "too few operands"),
    (USAGE, "resize a", "too few operands"),
    (USAGE, "resize a x", '"x" is no size'),
    (USAGE, "resize a 0", '"0" is no size'),
    (USAGE, "resize a/b 1G", "only A-Z"),
    (USAGE, "resize a 1G 2G", "unexpected operand"),
    (USAGE, "detach", "too few operands"),
    (USAGE, "detach a b/c", "only A-Z"),
    (USAGE, "detach a --forc", "unknown option --forc"),
    (USAGE, "destroy", "too few operands"),
    (USAGE, "show", "too few operands"),
    (USAGE, "show ..", "begins with a dot"),
    (USAGE, "stats a$b", "only A-Z"),
    (USAGE, "mount a", "too few operands"),
    (USAGE, "mount a /x y", "unexpected operand"),
    (USAGE, "mount a /x -o", "--options needs a value"),
    (USAGE, "umount a", "too few operands"),
    # sources
    (USAGE, "source list --bound x", '--bound: "x" is no number of seconds'),
    (USAGE, "source list --bound -1", "is no number of seconds"),
    (USAGE, "source list --bound 99999999999", "is no number of seconds"),
    (MISSING, "source list no-such-store", "no such file, and no NVMe namespace"),
    # connect, disconnect
    (USAGE, "connect", "the NQN of a subsystem, or --all"),
    (USAGE, "connect nqn.x", "--transport is missing"),
    (USAGE, "connect nqn.x --transport fc", '"fc" is none of'),
    (USAGE, "connect nqn.x --transport tcp", "--traddr is missing"),
    (USAGE, "connect nqn.x --transport loop --traddr ::1", "loop has no address"),
    (USAGE, "connect nqn.x --transport tcp --traddr ::1 --io-queues 0", "no number from 1"),
    (USAGE, "connect nqn.x --transport tcp --traddr ::1 --ctrl-loss-tmo x", "nor off"),
    (USAGE, "connect nqn.x --transport rdma --traddr ::1 --tls", "--tls is for tcp"),
    (USAGE, "connect nqn.x --transport tcp --traddr ::1 --keyring x", "need --tls"),
    (USAGE, "connect --all --hdr-digest", "--all takes what is in the file"),
    (USAGE, "connect --transport tcp --traddr ::1 " + "x" * 224, "longer than 223"),
    (USAGE, "connect --all nqn.x", "exclude each other"),
    (USAGE, "connect --all --traddr ::1", "takes what is in the file"),
    (USAGE, "disconnect", "too few operands"),
    (USAGE, "disconnect --all x", "exclude each other"),
    (MISSING, "disconnect --all --config /nowhere", "/nowhere: No such file"),
    (MISSING, "disconnect nvme99", "no controller of NVMe over Fabrics"),
    # wait, hotplug
    (USAGE, "wait", "--source is missing"),
    (USAGE, "wait x", "unexpected operand"),
    (USAGE, "wait --source x --timeout -1", "is no number of seconds"),
    (MISSING, "wait --source /nowhere --timeout 0", "/nowhere: No such file"),
    (MISSING, "wait --source uuid:00000000-0000-4000-8000-000000000000 --timeout 1",
     "not there after 1 s: uuid:0000"),
    (USAGE, "hotplug a b", "unexpected operand"),
    (USAGE, "hotplug --removed 1", "is no number of a device"),
    (USAGE, "hotplug --removed 1:2x", "is no number of a device"),
    (USAGE, "detach", "name devices, or --all"),
    (USAGE, "detach --all a", "exclude each other"),
    (USAGE, "image unload --all a", "exclude each other"),
    # image
    (USAGE, "image load", "no layer is given"),
    (USAGE, "image load a b", "unexpected operand"),
    (USAGE, "image load ab", "wanted STORE/LVOL"),
    (USAGE, "image load /b", "wanted STORE/LVOL"),
    (USAGE, "image load a/", "wanted STORE/LVOL"),
    (USAGE, "image load dev:", "path is missing"),
    (USAGE, "image load s/l --name a\tb", "only printable"),
    (USAGE, "image load %s/l" % (LONG + "x"), "longer than 64"),
    (USAGE, "image show", "too few operands"),
    (USAGE, "image unload", "too few operands"),
    (USAGE, "image verify", "too few operands"),
    (USAGE, "image verify a b c", "unexpected operand"),
    (USAGE, "image verify a b", "wanted STORE/LVOL"),
    (USAGE, "image pin", "too few operands"),
    (USAGE, "image pin a b", "unexpected operand"),
    (MISSING, "image pin a", 'no image "a" is loaded: name its lvol'),
    (MISSING, "image pin images/a --source " + ROOTFS, 'no lvol "a"'),
    (REFUSED, "image pin images/base+file:/x --unpin --source " + ROOTFS,
     'layer "file:/x" of images/base+file:/x is no lvol'),
    # source, store
    (MISSING, "source list /nowhere", "/nowhere: No such file"),
    (MISSING, "source list uuid:029a3bc0-0000-47bb-916f-2347922f0001", "no such NVMe"),
    (REFUSED, "source list /dev/null", "neither a block device nor a file"),
    (REFUSED, "source list /", "neither a block device nor a file"),
    (USAGE, "store show", "too few operands"),
    (MISSING, "store show /nowhere", "/nowhere"),
    (USAGE, "store create", "too few operands"),
    (USAGE, "store create /nowhere", "--name is missing"),
    (USAGE, "store create /nowhere --name " + LONG, "1 to 63 bytes"),
    (USAGE, "store create /nowhere --name a --uuid b", '"b" is no uuid'),
    (USAGE, "store create /nowhere --name a --cluster-size 5000", "no power of two"),
    (USAGE, "store create /nowhere --name a --cluster-size 2048", "no power of two"),
    (USAGE, "store create /nowhere --name a --cluster-size 2G", "no power of two"),
    (USAGE, "store create /nowhere --name a --block-size 1024", "neither 512 nor 4096"),
    (MISSING, "store create /nowhere --name a", "/nowhere: cannot be opened"),
    (REFUSED, "store create %s --name a" % ROOTFS, "there is something on it: lvstore images"),
    (MISSING, "store create /nowhere/x --name a --size 1M", "/nowhere/x: cannot be opened"),
    (FAILED, "store create / --name a", "neither a block device"),
    (USAGE, "store grow", "too few operands"),
    (MISSING, "store grow /nowhere", "/nowhere: cannot be opened"),
    (USAGE, "store check", "too few operands"),
    (MISSING, "store check /nowhere", "/nowhere: No such file"),
    (MISSING, "store destroy /nowhere", "/nowhere: No such file"),
    (BUSY, "store destroy " + ROOTFS, "lvols are in it"),
    # lvol
    (USAGE, "lvol create /nowhere a", "--size is missing"),
    (USAGE, "lvol create /nowhere --size 1M", "too few operands"),
    (USAGE, "lvol create /nowhere %s --size 1M" % LONG, "1 to 63 bytes"),
    (USAGE, "lvol create /nowhere a --size 1M --uuid x", '"x" is no uuid'),
    (MISSING, "lvol create /nowhere a --size 1M", "/nowhere: cannot be opened"),
    (FAILED, "lvol create /dev/zero a --size 1M", "neither a block device"),
    (BUSY, "lvol create %s final --size 1M" % ROOTFS, 'there is an lvol "final"'),
    (USAGE, "lvol snapshot /nowhere a", "too few operands"),
    (MISSING, "lvol snapshot %s a b" % ROOTFS, 'no lvol "a"'),
    (REFUSED, "lvol snapshot %s final b" % ROOTFS, "is read-only: clone it"),
    (MISSING, "lvol clone %s a b" % ROOTFS, 'no lvol "a"'),
    (BUSY, "lvol clone %s final base" % ROOTFS, 'there is an lvol "base"'),
    (MISSING, "lvol delete %s a" % ROOTFS, 'no lvol "a"'),
    (MISSING, "lvol rename %s a b" % ROOTFS, 'no lvol "a"'),
    (BUSY, "lvol rename %s base final" % ROOTFS, 'there is an lvol "final"'),
    (USAGE, "lvol resize %s base x" % ROOTFS, '"x" is no size'),
    (USAGE, "lvol resize %s base 0" % ROOTFS, '"0" is no size'),
    (REFUSED, "lvol resize %s base 1M" % ROOTFS, '"base" is read-only'),
    (REFUSED, "lvol inflate %s base" % ROOTFS, '"base" is read-only'),
    (MISSING, "lvol set-ro %s a" % ROOTFS, 'no lvol "a"'),
    (MISSING, "lvol import %s a /nowhere" % ROOTFS, "/nowhere: No such file"),
    (FAILED, "lvol import %s a -" % ROOTFS, "(--size)"),
    (BUSY, "lvol import %s base %s" % (ROOTFS, ESNAP), 'there is an lvol "base"'),
    (MISSING, "lvol export %s a -" % ROOTFS, 'no lvol "a"'),
    (BUSY, "lvol export %s base %s" % (ROOTFS, ROOTFS), "(--force: overwrite it)"),
]

# What needs the module, which is not there.
NO_MODULE = [
    "list", "show a", "stats", "detach a", "monitor", "mount a /mnt",
    "umount a /mnt", "image list", "image show a", "image unload a",
    "image verify a", "image load s/l", "create a --image s/l --ro",
    "create a --image s/l --ram 1G --json", "list --json",
    "create a --image s/l --pool p", "create a --image b --pool p --volatile",
    "attach a", "attach --all", "attach a b --pool /nowhere", "resize a 1G",
    "destroy a",
]

GROUPS = {"source": ["list", "swap"],
          "store": ["list", "show", "create", "grow", "check", "destroy"],
          "lvol": ["create", "snapshot", "clone", "delete", "rename", "resize", "set-ro",
                   "inflate", "import", "export"],
          "image": ["load", "list", "show", "unload", "verify", "pin"]}
COMMANDS = ["convert", "commit", "export", "create", "set", "attach", "resize", "detach", "destroy",
            "connect", "disconnect", "wait", "hotplug", "list", "show",
            "stats", "monitor", "mount", "umount", "version"]

count = failed = 0


def result(name, problems):
    global count, failed
    count += 1
    for p in problems:
        print("# " + p.replace("\n", "\n# "))
    failed += bool(problems)
    print("%sok %d - %s" % ("not " if problems else "", count, name), flush=True)


def call(words, **kwargs):
    return subprocess.run(WRAPPER + [YBDCTL] + words, stdin=subprocess.DEVNULL,
                          stdout=kwargs.pop("stdout", subprocess.PIPE),
                          stderr=subprocess.PIPE, timeout=120, **kwargs)


def judge(p, code, pattern=None):
    problems = []
    err = p.stderr.decode(errors="replace")
    if p.returncode != code:
        problems.append("exit code %d, expected %d" % (p.returncode, code))
    if p.stdout:
        problems.append("stdout: " + p.stdout.decode(errors="replace"))
    if not re.fullmatch(r"ybdctl[^\n]*: [^\n]+\n", err):
        problems.append("stderr is not one line: %r" % err)
    if pattern and pattern not in err:
        problems.append("stderr lacks %r: %r" % (pattern, err))
    return problems


def test_bad():
    for code, line, pattern in BAD:
        words = line.split(" ") if line else []
        result("refused: ybdctl " + line.replace(LONG, "x*64"),
               judge(call(words), code, pattern))


def module_there():
    if os.path.exists("/sys/module/ybd"):
        return True
    return not subprocess.run(["modinfo", "ybd"], stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL).returncode


def test_no_module():
    global count
    for line in NO_MODULE:
        name = "without the module: ybdctl " + line
        if module_there():
            count += 1
            print("ok %d - %s # SKIP the module is installed" % (count, name))
            continue
        result(name, judge(call(line.split()), MODULE, "the module ybd"))


def test_help():
    with open(os.path.join(TOP, "Documentation/man/ybdctl.8")) as f:
        man = f.read()
    paths = [[], ["--help"]] + [[c] for c in COMMANDS]
    paths += [[g, c] for g, cs in GROUPS.items() for c in cs]
    paths += [[g] for g in GROUPS]
    for path in paths[1:]:
        words = [w for w in path if w != "--help"]
        p = call(words + ["--help"])
        out = p.stdout.decode()
        problems = []
        if p.returncode or p.stderr:
            problems.append("exit code %d: %s" % (p.returncode, p.stderr.decode()))
        if not out.startswith("usage: " + " ".join(["ybdctl"] + words)):
            problems.append("stdout: " + out)
        for opt in re.findall(r"^  --([a-z-]+)", out, re.M):
            if "Fl Fl " + opt not in man and "Fl " + opt not in man:
                problems.append("--%s is not in the manual page" % opt)
        if words and "Cm " + " ".join(words) not in man and words[0] not in GROUPS:
            problems.append("the command is not in the manual page")
        result("help: ybdctl " + " ".join(words), problems)
    result("-h is --help", [] if call(["list", "-h"]).stdout ==
           call(["list", "--help"]).stdout else ["differs"])


def check_json(words, keys):
    p = call(words + ["--json"])
    problems = []
    if p.returncode or p.stderr:
        problems.append("exit code %d: %s" % (p.returncode, p.stderr.decode()))
    try:
        doc = json.loads(p.stdout)
        problems += ["no member " + k for k in keys if k not in doc]
    except ValueError as e:
        problems.append("%s: %s" % (e, p.stdout.decode(errors="replace")))
        doc = {}
    result("JSON: ybdctl " + " ".join(words).replace(FIXTURES, "F"), problems)
    return doc


def test_json():
    check_json(["version"], ["version", "abi", "module"])
    check_json(["--version"], ["version", "abi", "module"])
    check_json(["source", "list"], ["sources"])
    doc = check_json(["source", "list", ROOTFS, ESNAP], ["sources"])
    src = doc.get("sources", [{}, {}])
    want = {"path": os.path.realpath(ROOTFS), "content": "lvstore",
            "content_label": "images", "size": 128 << 20}
    result("source list knows an lvstore in a file",
           ["%s is %r" % (k, src[0].get(k)) for k, v in want.items()
            if src[0].get(k) != v] + ([] if len(src) == 2 else ["not two"]))


def test_content():
    with tempfile.TemporaryDirectory() as tmp:
        nothing = os.path.join(tmp, "nothing")
        with open(nothing, "wb") as f:
            f.truncate(1 << 20)
        ext4 = os.path.join(tmp, "ext4")
        with open(ext4, "wb") as f:
            f.truncate(4 << 20)
        subprocess.run(["mke2fs", "-q", "-t", "ext4", "-L", "a \x1b[7mb", ext4],
                       check=True)
        pool = os.path.join(tmp, "pool")
        call(["pool", "create", pool, "--name", "here", "--size", "64M"])
        p = call(["source", "list", "pool", "--json"], cwd=tmp)
        src = json.loads(p.stdout)["sources"][0] if not p.returncode else {}
        result("source list knows a pool, by a path without a slash",
               [] if src.get("content") == "pool" and src["content_label"] == "here"
               and src["path"] == os.path.realpath(pool) else [repr(p)])
        cut = os.path.join(tmp, "cut")
        with open(ROOTFS, "rb") as f, open(cut, "wb") as out:
            out.write(f.read(4096))
        doc = check_json(["source", "list", nothing, ext4], ["sources"])
        src = doc["sources"]
        result("source list knows nothing and ext4 from each other",
               [repr(src)] if src[0]["content"] is not None or
               src[1]["content_type"] != "ext4" or
               src[1]["content"] != "filesystem" else [])
        out = call(["source", "list", ext4]).stdout
        result("a label's control characters are made harmless",
               [repr(out)] if b"\x1b" in out else [])
        p = call(["source", "list", cut, "-q", "--json"])
        result("source list shows a store cut short as damaged",
               [] if p.returncode == 0 and not p.stderr and
               json.loads(p.stdout)["sources"][0]["content"] == "damaged"
               else [repr(p)])


def test_edges():
    with open("/dev/full", "wb") as full:
        p = call(["version"], stdout=full)
        p.stdout = b""
        result("a full stdout is a failure", judge(p, 1, "writing to stdout"))
    p = call(["version", "-q", "--quiet"])
    result("-q may be given twice", [] if p.returncode == 0 else [repr(p)])
    p = call(["--json", "version"])
    result("--json may come first", [] if p.stdout[:1] == b"{" else [repr(p)])
    # libraries that are loaded when they are needed
    with tempfile.TemporaryDirectory() as tmp:
        for name in ("libjson-c.so.5", "libblkid.so.1"):
            with open(os.path.join(tmp, name), "w"):
                pass
        env = dict(os.environ, LD_LIBRARY_PATH=tmp)
        p = call(["version", "--json"], env=env)
        result("without libjson-c, --json says so",
               judge(p, 1, "libjson-c") if not WRAPPER else [])
        p = call(["version"], env=env)
        result("without libjson-c, text works", [] if not p.returncode else [repr(p)])


def test_completion():
    # line typed so far -> what is offered; "..." is "among others"
    table = [
        (["ybdctl", "im"], ["image"]),
        (["ybdctl", "image", "un"], ["unload"]),
        (["ybdctl", "create", "x", "--ra"], ["--ram"]),
        (["ybdctl", "create", "x", "--block-size", ""], ["512", "4096"]),
        (["ybdctl", "--js"], ["--json"]),
        (["ybdctl", "convert", "x", "--platf"], ["--platform"]),
        (["ybdctl", "convert", "x", "--fs", ""], ["ext4", "erofs"]),
        (["ybdctl", "store", "show", ROOTFS[:-1]], [ROOTFS]),
    ]
    path = os.path.dirname(os.path.abspath(YBDCTL)) + ":" + os.environ["PATH"]
    for words, want in table:
        script = (". tools/completion/ybdctl.bash; COMP_WORDS=(\"$@\"); "
                  "COMP_CWORD=$(($# - 1)); _ybdctl; printf '%s\\n' \"${COMPREPLY[@]}\"")
        p = subprocess.run(["bash", "-c", script, "bash"] + words, cwd=TOP,
                           env=dict(os.environ, PATH=path),
                           stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        have = p.stdout.decode().split()
        result("completion: " + " ".join(words).replace(FIXTURES, "F"),
               [] if have == want else ["offered: %r" % have])


def main():
    print("KTAP version 1")
    if not WRAPPER:     # which is slow
        test_bad()
        test_help()
        test_completion()
    test_no_module()
    test_json()
    test_content()
    test_edges()
    print("1..%d" % count)
    return bool(failed)


sys.exit(main())
