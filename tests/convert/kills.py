# SPDX-License-Identifier: GPL-2.0-only
"""Commands that write a store, killed at any time by SIGKILL."""

import json
import subprocess
import time


class Killer:
    """A command line of ybdctl with a store, killed at random points of what it takes."""

    def __init__(self, ybdctl, rng):
        self.ybdctl, self.rng = ybdctl, rng
        self.kills = self.runs = self.takes = 0

    def measure(self, *args):
        """Run it with nobody to kill it: the next ones are taken to last as long."""
        began = time.monotonic()
        subprocess.run([self.ybdctl, *args], check=True, stdout=subprocess.DEVNULL)
        self.takes = time.monotonic() - began

    def run(self, *args):
        """Start it, kill it; True when it was not done before.

        One that was done before lowers what the next ones are taken to last: whoever measured on a
        busy machine, or what nobody had in memory yet, would only ever come too late.
        """
        began = time.monotonic()
        p = subprocess.Popen([self.ybdctl, *args], stdout=subprocess.DEVNULL,
                             stderr=subprocess.PIPE, text=True)
        try:
            said = p.communicate(timeout=self.rng.random() * self.takes)[1]
            self.takes = min(self.takes, time.monotonic() - began)
        except subprocess.TimeoutExpired:
            p.kill()
            said = p.communicate()[1]
        self.runs += 1
        if p.returncode not in (0, -9):
            raise AssertionError("%r: %d: %s" % (args, p.returncode, said))
        self.kills += p.returncode == -9
        return p.returncode == -9

    def goes_on(self, kills):
        """Until so many were killed."""
        if self.runs > 50 * kills:
            raise AssertionError("%d of %d were killed" % (self.kills, self.runs))
        return self.kills < kills

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
