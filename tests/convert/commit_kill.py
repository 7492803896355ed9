#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""commit_kill.py YBDCTL STORE POOL WANT COUNT SEED: commit upper "left", killed COUNT times.

The store loads each time, has all that it had, and nothing half under the name; at last it has what
WANT holds. Half of the runs only add to the store, as those do that are beside a reader: so does
the last one, and nothing that others have left may be there after it.
"""

import os
import random
import subprocess
import sys

from kills import Killer


def main(ybdctl, store, pool, want, count, seed):
    k = Killer(ybdctl, random.Random(seed))

    def command(name, *args):
        return ("commit", "left", "images/" + name, "--source", store, "--pool", pool, "--force",
                *args)

    def holds(name):
        out = store + ".out"
        subprocess.run([ybdctl, "lvol", "export", "--force", store, name, out], check=True)
        subprocess.run(["cmp", out, want], check=True)
        os.unlink(out)

    k.measure(*command("whole"))
    holds("whole")
    before = set(k.lvols(store, clean=True))
    refused = 0
    while k.goes_on(count):
        k.run(*command("target", *["--append"][:k.runs % 2]))
        got = k.lvols(store)
        if before - set(got):
            raise AssertionError("lost: %r" % (before - set(got)))
        left = [n for n in got if n not in before and n != "target"]
        if len(left) > 1:
            raise AssertionError("more than one is left: %r" % left)
        if left:
            # what was never completed is nothing to build on
            p = subprocess.run([ybdctl, *command("target", "--below", left[0])],
                               capture_output=True, text=True)
            if p.returncode != 4 or "never completed" not in p.stderr:
                raise AssertionError("over what was left: %r" % p)
            refused += 1
        if "target" in got:
            if not got["target"]["read_only"]:
                raise AssertionError("there, and not complete")
            holds("target")
            subprocess.run([ybdctl, "lvol", "delete", "--force", "-q", store, "target"],
                           check=True)
    subprocess.run([ybdctl, *command("target", "--append"), "-q"], check=True,
                   stdout=subprocess.DEVNULL)
    if set(k.lvols(store, clean=True)) != before | {"target"}:
        raise AssertionError("something is left: %r" % sorted(k.lvols(store)))
    holds("target")
    k.check(store)
    print("# %d of %d were killed, %d left something, seed %s" % (k.kills, k.runs, refused, seed))


if __name__ == "__main__":
    main(*sys.argv[1:5], int(sys.argv[5]), sys.argv[6])
