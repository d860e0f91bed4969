"""``make torture``: kills commands at each boundary and looks whether anything was lost, doubled or invented.

    python tools/torture.py [--seed 1] [--count 1000] [--only sync:postgresql:17]

Prints what is wrong with the name that repeats it (``--seed`` and ``--only``); exit code 1 when there was anything.
"""

from __future__ import annotations

import argparse
import random
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from tests.postgres import URL_OF_SERVER
from tests.torture.crash import SCENARIOS, Unbroken, crash, unbroken
from tests.torture.crash import Scenario as Torture

Point = tuple[str, Torture, int, Unbroken]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1, help="another company, and another choice of points")
    parser.add_argument("--count", type=int, default=1000, help="points at most")
    parser.add_argument("--only", default="", help="points whose name begins so, such as sync:sqlite or sync:sqlite:17")
    given = parser.parse_args()
    points = list(_points(given.seed, given.only))
    chosen = random.Random(given.seed).sample(points, min(given.count, len(points)))
    bad = 0
    for number, (name, scenario, dies_at, expected) in enumerate(chosen, 1):
        found = crash(scenario, dies_at, expected)
        bad += bool(found)
        for each in found:
            print(f"SEED={given.seed} ONLY={name}: {each}", flush=True)
        if number % 50 == 0:
            print(f"{number} of {len(chosen)} points, {bad} with something wrong", flush=True)
    print(f"crash points: {len(chosen)} of {len(points)} tried, {bad} with something wrong")
    return 1 if bad else 0


def _points(seed: int, only: str) -> Iterator[Point]:
    for name, usual in SCENARIOS.items():
        for on in ("sqlite", "postgresql") if URL_OF_SERVER else ("sqlite",):
            start = f"{name}:{on}:"
            if not (start.startswith(only) or only.startswith(start)):
                continue
            scenario = replace(usual, seed=seed, on=on)
            expected = unbroken(scenario)
            for dies_at in range(1, len(expected.boundaries) + 1):
                point = f"{start}{dies_at}"
                if point == only or start.startswith(only):
                    yield point, scenario, dies_at, expected


if __name__ == "__main__":
    sys.exit(main())
