"""``make torture``: breaks what can be broken, and looks whether anything was lost, doubled or invented.

    python tools/torture.py [--seed 1] [--count 0] [--only crash:sync:postgresql:17] [--jobs 2]

Prints what is wrong with the name that repeats it (``--seed`` and ``--only``); exit code 1 when there was anything.
"""

from __future__ import annotations

import argparse
import sys
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from tests.torture.trials import PARTS, tried


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1, help="another company, and another choice of what is tried")
    parser.add_argument("--count", type=int, default=0, help="at most so many of each part; 0: as many as it promises")
    parser.add_argument("--only", default="", help="what has a name that begins so, such as crash:sync:sqlite:17")
    parser.add_argument("--jobs", type=int, default=2, help="at once")
    given = parser.parse_args()
    bad = 0
    for name in PARTS:
        if name.startswith(given.only) or given.only.startswith(f"{name}:"):
            how = {"count": given.count, "only": given.only, "jobs": given.jobs}
            told = tried(name, seed=given.seed, **how, tell=partial(print, flush=True))
            bad += told.bad
            print(told, flush=True)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
