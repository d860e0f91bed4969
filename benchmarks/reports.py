"""How long reports and the page take: ``python benchmarks/reports.py [--people 100000] [--stays 10] [--json]``.

People with ``--stays`` stays each, written straight into a state: on SQLite, and on PostgreSQL under
``tools/postgres.sh``. The page is asked for each tab until its figures are computed, in a process beside it as the
daemon does, and once more: what the slowest click took, how long the figures took, and the click after. Then each
report is computed from nothing, as the command does. Seconds, and megabytes at the most; for those,
measure one database alone (``--on``), since a process does not give back what it had.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from multiprocessing import get_context

import requests
from sqlalchemy import create_engine, insert
from starlette.applications import Starlette

from connector.base.clock import FrozenClock
from connector.base.json import JsonObject
from connector.base.serving import serving
from connector.base.settings import explicit
from connector.commands.pages.apart import Apart
from connector.commands.pages.site import Site
from connector.commands.reporting import REPORTS, Reporter, Wanted, stages_of
from connector.store import Store, open_store
from connector.store.schema import LOG, RECORD, SETTLED, STAY, TRACK
from connector.wiring import load_mapping

NOW = datetime(2026, 6, 1, tzinfo=UTC)
BATCH = 5000
MAPPING = "customer-lifecycle"
PEOPLE = "/people?report=funnel&table=stages&row=Awareness&column=reached"
MONTH = "/report/funnel?since=2026-03-01&until=2026-03-31"
SOURCES = ("Web", "Event", "Partner", "Referral")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--people", type=int, default=100_000)
    parser.add_argument("--stays", type=int, default=10, help="stays a person")
    parser.add_argument("--on", default="", help="sqlite or postgresql alone")
    parser.add_argument("--page", action="store_true", help="without the command")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    figures: JsonObject = {"people": asked.people, "stays": asked.people * asked.stays}
    with tempfile.TemporaryDirectory() as folder:
        urls = {"sqlite": f"sqlite:///{folder}/state.sqlite3"}
        if server := os.environ.get("TEST_POSTGRES"):  # noqa: TID251 - no setting of the connector
            urls["postgresql"] = server
        urls = {name: url for name, url in urls.items() if asked.on in {"", name}}
        for name, url in urls.items():
            figures[name] = measured(url, asked.people, asked.stays, () if asked.page else (*REPORTS,))
    if asked.json:
        print(json.dumps(figures, indent=2))
        return
    for name in urls:
        print(f"{name}: {figures['people']:,} people, {figures['stays']:,} stays")
        for what, seconds in figures[name].items():
            print(f"  {what:<36}{seconds:>10.3f}")


def measured(url: str, people: int, stays: int, reports: Sequence[str]) -> JsonObject:
    clock, mapping, found = FrozenClock(NOW), load_mapping(explicit(mapping=MAPPING)), {}
    with open_store(url, clock=clock) as store:
        order = stages_of(mapping, hidden=False).funnel
        started = time.perf_counter()
        given = (url, people, stays, order, mapping.writes["stage"]["Contact"])
        writing = get_context("spawn").Process(target=build, args=given)  # whose memory is not counted
        writing.start()
        writing.join()
        found["(writing the state)"] = time.perf_counter() - started
        settings = explicit(mapping=MAPPING, state=url)
        with Apart(settings) as computing:
            found |= clicks(store, Site(store, mapping, settings, clock, computing=computing))
        found["MiB of the daemon with the page"] = most(resource.RUSAGE_SELF)
        found["MiB of the process beside it"] = most(resource.RUSAGE_CHILDREN)
        for name in reports:
            started = time.perf_counter()
            Reporter(store, mapping, settings, Wanted(), clock.now()).report(name)
            found[name] = time.perf_counter() - started
    if reports:
        found["MiB of the command"] = most(resource.RUSAGE_SELF)
    return found


def most(who: int) -> float:
    """MiB that it took at once."""
    return resource.getrusage(who).ru_maxrss / 1024


def clicks(store: Store, site: Site) -> JsonObject:
    """Of each page: the longest of the clicks until it was shown, how long that took in all, and the click after."""
    found: JsonObject = {}
    somebody = next(iter(store.existing()))
    paths = [*(f"/report/{name}" for name in REPORTS), f"/person/{somebody}", "/mapping", "/find?who=Alex+4711"]
    app = Starlette(routes=site.routes(None))
    with serving(app, "127.0.0.1", 0, "the page", ("", "")) as url:
        for path in [*paths, PEOPLE, MONTH]:
            name = path.strip("/").partition("?")[0].replace(somebody, "").strip("/")
            name += {MONTH: " of a month"}.get(path, "")
            started, longest, status = time.perf_counter(), 0.0, 503
            while status == 503:
                clicked = time.perf_counter()
                status = requests.get(f"{url}{path}", timeout=600).status_code
                longest = max(longest, time.perf_counter() - clicked)
            if status != 200:
                sys.exit(f"{path} answered {status}")
            found[f"{name}: longest click"], found[f"{name}: shown after"] = longest, time.perf_counter() - started
            clicked = time.perf_counter()
            requests.get(f"{url}{path}", timeout=600)
            found[f"{name}: again"] = time.perf_counter() - clicked
    return found


def build(url: str, people: int, stays: int, order: tuple[str, ...], field: str) -> None:
    engine = create_engine(url)
    for start in range(0, people, BATCH):
        rows: dict[str, list[JsonObject]] = {"record": [], "track": [], "stay": [], "log": [], "settled": []}
        for number in range(start, min(start + BATCH, people)):
            for name, row in one(number, stays, order, field):
                rows[name].append(row)
        with engine.begin() as connection:
            for table in (RECORD, TRACK, STAY, LOG, SETTLED):
                connection.execute(insert(table), rows[table.name])
    engine.dispose()


def one(number: int, stays: int, order: tuple[str, ...], field: str) -> Iterator[tuple[str, JsonObject]]:
    """The rows of a person: forth and back over two years, as a company with a busy sales team would see them."""
    chance = random.Random(number)
    person, before = f"003{number:015d}", ""
    at, step = NOW - timedelta(days=chance.uniform(30, 730)), 0
    for each in range(stays):
        stage, left = order[step], at + (NOW - at) * chance.uniform(0.02, 0.4)
        is_open = each == stays - 1
        yield "stay", stay(person, stage, at, None if is_open else left, "observed" if each else "inferred")
        yield "log", logged(person, stage, before, at, field)
        before = stage
        if not is_open:
            at, step = left, max(0, min(len(order) - 1, step + chance.choice((-1, 1, 1))))
            step = step if order[step] != stage else (step + 1) % len(order)
    yield "record", record(number, person, field, before)
    decided = {"cycle_id": 1, "mapping_version": "1"}
    yield "track", {"person_id": person, "at": at.isoformat(), **standing(person, before, at), **decided}
    yield "settled", {"person_id": person, "review_at": None, "settled_at": at.isoformat(), **decided}


def stay(person: str, stage: str, entered: datetime, left: datetime | None, how: str) -> JsonObject:
    return {
        "person_id": person,
        "track": "stage",
        "stage": stage,
        "entered_at": entered.isoformat(),
        "left_at": left.isoformat() if left else None,
        "how": how,
        "by": "rule",
        "rule": f"{stage} by rule",
        "line": person,
        "became": None,
        "seen_at": entered.isoformat(),
    }


def record(number: int, person: str, field: str, stage: str) -> JsonObject:
    fields = {"Id": person, "Name": f"Alex {number}", "LeadSource": SOURCES[number % 4], field: stage}
    return {
        "id": person,
        "object": "Contact",
        "stamp": NOW.isoformat(),
        "fields": json.dumps({**fields, "OwnerId": f"005{number % 20:015d}"}),
        "live": True,
        "generation": 1,
        "email": f"p{number}@example.com",
        "moved_to": None,
        "alias_of": None,
        "account_id": f"001{number // 4:015d}",
        "contact_id": None,
        "opportunity_id": None,
    }


def standing(person: str, stage: str, since: datetime) -> JsonObject:
    memory = {"at": stage, "written": stage, "since": since.isoformat(), "record": person}
    return {
        "track": "stage",
        "value": stage,
        "current": stage,
        "stands": stage,
        "rule": f"{stage} by rule",
        "verdict": "moves",
        "reason": "",
        "evidence": "[]",
        "memory": json.dumps(memory),
        "since": since.isoformat(),
    }


def logged(person: str, stage: str, before: str, at: datetime, field: str) -> JsonObject:
    return {
        "person_id": person,
        "track": "stage",
        "at": at.isoformat(),
        "cycle_id": 1,
        "mapping_version": "1",
        "result": "applied",
        "old": before,
        "new": stage,
        "rule": f"{stage} by rule",
        "reason": "",
        "evidence": "[]",
        "object": "Contact",
        "record_id": person,
        "changes": json.dumps([{"field": field, "old": before, "new": stage}]),
        "code": "",
        "message": "",
    }


if __name__ == "__main__":
    main()
