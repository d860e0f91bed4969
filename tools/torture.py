"""``make torture``: breaks what can be broken, and looks whether anything was lost, doubled or invented.

    python tools/torture.py [--seed 1] [--count 0] [--only crash:sync:postgresql:17] [--jobs 2]

Prints what is wrong with the name that repeats it (``--seed`` and ``--only``); exit code 1 when there was anything. How
far it is goes to stderr.
"""

from __future__ import annotations

import argparse
import signal
import sys
from functools import partial
from pathlib import Path
from time import monotonic

sys.path.insert(0, str(Path(__file__).parent.parent))

from tests.torture.places import ground
from tests.torture.trials import PARTS, Told, tried

EVERY = 30.0  # seconds between two lines that say how far it is


class Going:
    def __init__(self) -> None:
        self.told: Told | None = None
        self._last = monotonic()

    def __call__(self, told: Told) -> None:
        self.told = told
        if monotonic() - self._last >= EVERY:
            self._last = monotonic()
            print(f"... {told}", file=sys.stderr, flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1, help="another company, and another choice of what is tried")
    parser.add_argument("--count", type=int, default=0, help="at most so many of each part; 0: as many as it promises")
    parser.add_argument("--only", default="", help="what has a name that begins so, such as crash:sync:sqlite:17")
    parser.add_argument("--jobs", type=int, default=2, help="at once")
    given = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that what was made is tidied
    how = {"seed": given.seed, "count": given.count, "only": given.only, "jobs": given.jobs}
    whole, going = Told("", given.seed), Going()
    done: list[Told] = []
    try:
        with ground():
            for name in PARTS:
                if name.startswith(given.only) or given.only.startswith(f"{name}:"):
                    done.append(tried(name, **how, tell=partial(print, flush=True), going=going))
                    print(done[-1], flush=True)
    except KeyboardInterrupt:
        print(f"interrupted: {going.told or 'nothing was tried'}")
        return 130
    bad = sum(each.bad for each in done)
    print(f"in all: {bad} with something wrong ({whole.took})")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
