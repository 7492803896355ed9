# SPDX-License-Identifier: GPL-2.0-only
"""Commands that write a store, killed at any time by SIGKILL."""

import json
import subprocess
import time


class Killer:
    """A command line of ybdctl with a store, killed at random points of what it takes."""

    def __init__(self, ybdctl, rng):
        self.ybdctl, self.rng = ybdctl, rng
        self.kills = self.runs = 0

    def took(self, *args):
        """How long it takes when nobody kills it."""
        began = time.monotonic()
        subprocess.run([self.ybdctl, *args], check=True, stdout=subprocess.DEVNULL)
        return time.monotonic() - began

    def run(self, took, *args):
        """Start it, kill it; True when it was not done before."""
        p = subprocess.Popen([self.ybdctl, *args], stdout=subprocess.DEVNULL,
                             stderr=subprocess.PIPE, text=True)
        time.sleep(self.rng.random() * took)
        p.kill()
        said = p.communicate()[1]
        self.runs += 1
        if p.returncode not in (0, -9):
            raise AssertionError("%r: %d: %s" % (args, p.returncode, said))
        self.kills += p.returncode == -9
        return p.returncode == -9

    def lvols(self, store, clean=False):
        """{name: lvol} of a store, which has to load."""
        out = subprocess.run([self.ybdctl, "store", "show", "--json", store],
                             capture_output=True, text=True)
        if out.returncode:
            raise AssertionError("the store does not load: " + out.stderr)
        got = json.loads(out.stdout)
        if got["refused"] or (clean and not got["clean"]):
            raise AssertionError("the store is not sound: %r" % got)
        return {l["name"]: l for l in got["lvols"]}

    def check(self, store):
        out = subprocess.run([self.ybdctl, "store", "check", store], capture_output=True,
                             text=True)
        if out.returncode:
            raise AssertionError("store check: " + out.stdout + out.stderr)
