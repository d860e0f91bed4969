"""What it costs that nothing is lost: the connector of an earlier commit and this one, one after the other, in one run.

    python benchmarks/safety.py [COMMIT] [--people 20000] [--idle 60] [--count]

COMMIT is checked out beside this tree for the time of the run; if none is said, the last one before reading, writing
and staying alive were made safe. Each meets a fresh company of the same seed, served by this tree in a process of its
own: a backfill, the echo of its writes, idle cycles, and busy ones (500 leads come and 500 contacts change before
each), and all of it read again. Told are calls as the org counts them, CPU seconds of the connector (user and system),
seconds on the wall, and the peak of its memory so far. ``--count``: calls of Python's functions, by thousands, which no
neighbour on the machine changes; the seconds are then the profiler's.
"""

from __future__ import annotations

import argparse
import cProfile
import json
import os
import pstats
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests
from cycle import org_calls, settings_for  # type: ignore[import-not-found]  # beside this file

from connector.base import logs
from connector.cli import main as connector
from connector.pipeline.backfill import Scope, run_backfill
from connector.pipeline.cycle import run_cycle
from connector.wiring import open_pipeline
from practice_org.company import build

BEFORE = "7867a04"
HERE = Path(__file__).resolve()
PEOPLE_PER_ACCOUNT = 5.09
BUSY, CHANGED = 3, 500
PACK = 200


def headers(given: dict[str, str]) -> dict[str, str]:
    return {"Authorization": f"Bearer {given['access_token']}"}


def send(given: dict[str, str], method: str, records: list[dict[str, Any]]) -> None:
    url = f"{given['url']}/services/data/v67.0/composite/sobjects"
    for start in range(0, len(records), PACK):
        body = {"allOrNone": False, "records": records[start : start + PACK]}
        requests.request(method, url, json=body, headers=headers(given), timeout=60).raise_for_status()


def live(given: dict[str, str], turn: int) -> None:
    """Others come and change."""
    url, query = f"{given['url']}/services/data/v67.0/query", f"SELECT Id FROM Contact ORDER BY Id LIMIT {CHANGED}"
    found = requests.get(url, {"q": query}, headers=headers(given), timeout=60).json()["records"]
    contacts = [{"attributes": {"type": "Contact"}, "Id": each["Id"], "LastName": f"Turn {turn}"} for each in found]
    leads = [
        {
            "attributes": {"type": "Lead"},
            "LastName": "New",
            "Company": "Sample Ltd",
            "Email": f"new.{turn}.{number}@example.com",
        }
        for number in range(CHANGED)
    ]
    send(given, "PATCH", contacts)
    send(given, "POST", leads)


@contextmanager
def phase(given: dict[str, str], name: str, times: int = 1, *, count: bool) -> Iterator[None]:
    """Prints what happened meanwhile, a time."""
    calls, start, worked = org_calls(given), time.perf_counter(), time.process_time()
    profile = cProfile.Profile()
    if count:
        profile.enable()
    yield
    profile.disable()
    wall, work = time.perf_counter() - start, time.process_time() - worked
    told = {"calls": (org_calls(given) - calls) / times, "cpu": work / times, "wall": wall / times}
    told["functions"] = pstats.Stats(profile).total_calls / times / 1000 if count else 0  # type: ignore[attr-defined]
    told["mib"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"phase": name, **told}), flush=True)


def measure(given: dict[str, str], idle: int, *, count: bool) -> None:
    """In a process whose ``connector`` is one of the two."""
    logs.configure("json", "ERROR")
    with (
        tempfile.TemporaryDirectory() as folder,
        open_pipeline(settings_for(given, Path(folder) / "state.sqlite3")) as pipeline,
    ):
        with phase(given, "backfill", count=count):
            run_backfill(pipeline, Scope())
        time.sleep(1.1)  # so that the stamps of what follows are later ones
        with phase(given, "its echo", count=count):
            run_cycle(pipeline)
        run_cycle(pipeline)  # what is prepared once is not an idle cycle's
        with phase(given, "idle cycle", idle, count=count):
            for _ in range(idle):
                run_cycle(pipeline)
        for turn in range(BUSY):
            live(given, turn)
            time.sleep(1.1)
            with phase(given, "busy cycle", count=count):
                run_cycle(pipeline)
        for source in pipeline.sources:
            pipeline.store.set_cursor(source.name, None)  # earlier commits read sources once
        with phase(given, "all again", count=count):
            run_backfill(pipeline, Scope())


def serve(people: int) -> None:
    build.ACCOUNTS["large"] = round(people / PEOPLE_PER_ACCOUNT)
    sys.argv = ["connector", "practice", "--sample", "large"]
    connector()


def environment(tree: Path) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(tree)}  # noqa: TID251 - no setting of the connector


def run(tree: Path, people: int, idle: int, *, count: bool) -> list[dict[str, Any]]:
    """One of the two, against a company of its own."""
    command = [sys.executable, str(HERE), "--serve", "--people", str(people)]
    served = subprocess.Popen(
        command, env=environment(HERE.parent.parent), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    try:
        assert served.stdout is not None
        given = served.stdout.readline()
        command = [sys.executable, str(HERE), "--measure", given, "--idle", str(idle), *(["--count"] if count else [])]
        done = subprocess.run(command, env=environment(tree), cwd=tree, stdout=subprocess.PIPE, text=True, check=True)
    finally:
        served.terminate()
        served.wait()
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith('{"phase"')]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("commit", nargs="?", default=BEFORE)
    parser.add_argument("--people", type=int, default=20_000)
    parser.add_argument("--idle", type=int, default=60)
    parser.add_argument("--count", action="store_true")
    parser.add_argument("--measure", help=argparse.SUPPRESS)
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.serve:
        return serve(asked.people)
    if asked.measure:
        return measure(json.loads(asked.measure), asked.idle, count=asked.count)
    root = HERE.parent.parent
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder) / "before"
        subprocess.run(["git", "worktree", "add", "--quiet", "--detach", str(tree), asked.commit], cwd=root, check=True)
        try:
            before, after = (run(each, asked.people, asked.idle, count=asked.count) for each in (tree, root))
        finally:
            subprocess.run(["git", "worktree", "remove", "--force", str(tree)], cwd=root, check=True)
    print(f"{asked.people:,} people; {asked.commit}, then this\n")
    print(f"{'':<14}{'calls':>16}{'CPU s':>20}{'wall s':>20}{'peak MiB':>16}{'functions':>18}")
    for old, new in zip(before, after, strict=True):
        print(f"{new['phase']:<14}{old['calls']:>8.1f}{new['calls']:>8.1f}", end="")
        print(f"{old['cpu']:>10.3f}{new['cpu']:>10.3f}{old['wall']:>10.3f}{new['wall']:>10.3f}", end="")
        print(f"{old['mib']:>8.0f}{new['mib']:>8.0f}{old['functions']:>9.0f}{new['functions']:>9.0f}")
    return None


if __name__ == "__main__":
    main()
