# SPDX-License-Identifier: GPL-2.0-only
"""Functions as cases of KTAP."""

import time
import traceback


def run(what, cases, only=()):
    """Runs cases, those named in @only or all; returns a status. A case returns why it is skipped."""
    cases = [c for c in cases if not only or c.__name__ in only]
    print("KTAP version 1\n1..%d" % len(cases), flush=True)
    failed = 0
    for i, case in enumerate(cases, 1):
        name = what + ": " + case.__name__.replace("_", " ")
        try:
            began = time.monotonic()
            skip = case()
            print("# %.1f s" % (time.monotonic() - began))
            print("ok %d - %s%s" % (i, name, " # SKIP " + skip if skip else ""), flush=True)
        except Exception:
            print("# " + traceback.format_exc().rstrip().replace("\n", "\n# "))
            print("not ok %d - %s" % (i, name), flush=True)
            failed = 1
    return failed
