"""How fast the store is: ``python benchmarks/store.py [--people 20000] [--json]``.

Batches of 2,000 on a SQLite file, each timed alone; with --people 500000 it shows that neither time a batch nor memory
grows with the number of people. Times are the median of the batches.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from connector.base.clock import FrozenClock
from connector.base.facts import (
    Activity,
    Change,
    Decision,
    Direction,
    Evidence,
    Outcome,
    Person,
    Prospect,
    RecordChange,
    Result,
    SourcePage,
    TrackDecision,
)
from connector.store import Settled, Store, open_store

BATCH = 2000
NOW = datetime(2026, 3, 1, tzinfo=UTC)
STAMP = "2026-03-01T00:00:00.000+0000"
TARGETS = {"record new rows": 60, "record known rows": 60, "facts_of": 150, "settle": 150}  # milliseconds


def contact(number: int, stamp: str = STAMP) -> dict[str, Any]:
    return {
        "Id": f"003{number:015d}",
        "SystemModstamp": stamp,
        "IsDeleted": False,
        "AccountId": f"001{number // 4:015d}",
        "CreatedDate": "2025-01-01T08:30:00.000+0000",
        "Email": f"Person.{number}@example.com",
        "FirstName": "Alex",
        "LastName": f"Sample {number}",
        "LeadSource": "Web",
        "Lead_Status__c": None,
        "Lifecycle_Stage__c": "Engaged",
        "MailingCountry": "Germany",
        "OwnerId": "005000000000001AAA",
        "Title": "Head of Things",
    }


def page(start: int) -> SourcePage:
    """Two activities a person and a prospect for every second one."""
    numbers = range(start, start + BATCH)
    activities = [
        Activity(
            "pardot",
            f"{number}-{each}",
            "email_click",
            Direction.INBOUND,
            NOW - timedelta(days=each),
            "Spring mailing",
            {"url": "https://example.com/offer"},
            crm_id=f"003{number:015d}" if each else None,
            email=f"person.{number}@example.com",
        )
        for number in numbers
        for each in range(2)
    ]
    prospects = [
        Prospect("pardot", str(number), f"person.{number}@example.com", f"003{number:015d}", {"score": 42})
        for number in numbers[::2]
    ]
    return SourcePage({"at": start}, tuple(activities), tuple(prospects))


def opportunities(start: int) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """One opportunity for four people, with two of them in a role."""
    rows, roles = [], []
    for number in range(start, start + BATCH, 4):
        opportunity = {"Id": f"006{number:015d}", "SystemModstamp": STAMP, "StageName": "Negotiation", "IsWon": False}
        rows.append({**opportunity, "IsClosed": False, "Amount": 12000.0, "CloseDate": "2026-06-30"})
        for each in (number, number + 1):
            role = {"Id": f"00K{each:015d}", "SystemModstamp": STAMP, "Role": "Decision Maker", "IsPrimary": False}
            roles.append({**role, "OpportunityId": opportunity["Id"], "ContactId": f"003{each:015d}"})
    return rows, roles


def settled(person: Person, seq: int) -> Settled:
    evidence = (Evidence("activity", "pardot:1", "clicked the spring mailing", NOW),)
    tracks = (
        TrackDecision("stage", "MQL", "Engaged", "score", "moves", "score is 71", evidence, {"written": "MQL"}),
        TrackDecision("status", "New", None, "hand-off", "moves", "handed to sales", evidence),
    )
    changes = (Change("stage", "Lifecycle_Stage__c", "Engaged", "MQL"), Change("status", "Lead_Status__c", None, "New"))
    outcome = Outcome(RecordChange(person.id, "Contact", person.id, changes), Result.APPLIED)
    return Settled(person.id, seq, Decision(person.id, tracks, NOW + timedelta(days=30)), (outcome,))


class Stopwatch:
    """Milliseconds by name: on the wall, and of this process's own work."""

    def __init__(self) -> None:
        self.times: dict[str, list[float]] = {}
        self.work: dict[str, list[float]] = {}

    @contextmanager
    def time(self, name: str) -> Iterator[None]:
        start, worked = time.perf_counter(), time.process_time()
        yield
        self.times.setdefault(name, []).append((time.perf_counter() - start) * 1000)
        self.work.setdefault(name, []).append((time.process_time() - worked) * 1000)


def fill(store: Store, people: int, watch: Stopwatch) -> None:
    for start in range(0, people, BATCH):
        rows = [contact(number) for number in range(start, start + BATCH)]
        with watch.time("record new rows"):
            store.record_rows("Contact", rows, cursor=("Contact", {"at": start}), generation=1)
        accounts = [
            {"Id": f"001{number:015d}", "SystemModstamp": STAMP, "Name": "Sample Ltd"}
            for number in range(start // 4, (start + BATCH) // 4)
        ]
        store.record_rows("Account", accounts)
        deals, roles = opportunities(start)
        store.record_rows("Opportunity", deals)
        with watch.time("record 1,000 roles"):
            store.record_rows("OpportunityContactRole", roles)
        facts = page(start)
        with watch.time("record page of 5,000"):
            store.record_page("pardot", facts)
        with watch.time("record known rows"):
            store.record_rows("Contact", rows, generation=1)


def decide_all(store: Store, watch: Stopwatch) -> None:
    after, cycle = "", store.begin_cycle("benchmark", NOW)
    while marks := store.next_dirty(BATCH, after):
        after = marks[-1][0]
        with watch.time("facts_of"):
            people = store.facts_of([person_id for person_id, _ in marks])
        seqs = dict(marks)
        batch = [settled(person, seqs[person.id]) for person in people]
        with watch.time("settle"):
            store.settle(batch, cycle_id=cycle, mapping_version="benchmark", now=NOW)


def once(watch: Stopwatch, name: str, call: Callable[[], object]) -> None:
    with watch.time(name):
        call()


def whole(store: Store, watch: Stopwatch) -> None:
    once(watch, "people_by (all)", lambda: store.people_by("stage"))
    once(watch, "counts (all)", store.counts)
    once(watch, "mark_all_dirty (all)", store.mark_all_dirty)
    once(watch, "sweep nothing (all)", lambda: store.sweep("Contact", 1))
    once(watch, "mark_due (nobody)", lambda: store.mark_due(NOW))
    once(watch, "find by e-mail (one)", lambda: store.find_people("person.7@example.com"))


def peak_megabytes() -> float:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1024 * 1024 if sys.platform == "darwin" else 1024)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--people", type=int, default=20_000)
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    watch = Stopwatch()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "state.sqlite3"
        with open_store(str(path), clock=FrozenClock(NOW), exclusive=True) as store:
            fill(store, asked.people, watch)
            filled = peak_megabytes()
            decide_all(store, watch)
            decided = peak_megabytes()
            whole(store, watch)
        size = path.stat().st_size / 1e6
    medians = {name: round(statistics.median(times), 1) for name, times in watch.times.items()}
    work = {name: round(statistics.median(times), 1) for name, times in watch.work.items()}
    last = {name: round(statistics.median(times[-10:]), 1) for name, times in watch.times.items()}
    memory = {"filled": round(filled), "decided": round(decided), "whole": round(peak_megabytes())}
    if asked.json:
        told = {"people": asked.people, "ms": medians, "cpu_ms": work, "last_ms": last}
        print(json.dumps({**told, "memory_mb": memory, "file_mb": size}))
        return
    print(f"{asked.people:,} people, batches of {BATCH:,}; milliseconds a batch\n")
    print(f"{'':24}{'median':>10}{'cpu':>10}{'last ten':>10}{'target':>10}")
    for name, value in medians.items():
        print(f"{name:24}{value:10}{work[name]:10}{last[name]:10}{TARGETS.get(name, ''):>10}")
    print(f"\npeak memory {memory} MB, file {size:,.0f} MB")


if __name__ == "__main__":
    main()
