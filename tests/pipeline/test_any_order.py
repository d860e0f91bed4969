"""Whatever many systems tell, in whatever order, with merges, ties made late, other addresses, conversions and
processes that end anywhere: nothing is lost, no two senders' numbers collide, and the answer is that of a state that
reads it all now."""

from __future__ import annotations

import copy
import json
import os
import shutil
import sqlite3
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import closing, suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from connector.base.clock import FrozenClock
from connector.base.facts import Activity, Direction, Person, Prospect, SourcePage
from connector.base.ports import Source
from connector.lifecycle.decide import decide
from connector.pipeline.cycle import run_cycle
from connector.sources.files import FilesSource
from connector.sources.warehouse.source import WarehouseSource
from connector.sources.webhook.inbox import Inbox
from connector.sources.webhook.source import WebhookSource
from connector.store import Store, open_store
from connector.store.schema import ACTIVITY
from tests.cases import cases
from tests.fakes import START
from tests.pipeline.conftest import World

MAPPING = """
fields:
  stage: {Contact: Stage__c, Lead: Stage__c}
  status: {Contact: Status__c, Lead: Status__c}
gate: {stage: {direction: both}, status: {direction: both}}
stages:
  - {name: Known, when: always}
  - {name: Engaged, when: {activity: inbound}}
  - {name: Active, when: {activity: {direction: inbound, count: 3}}}
  - {name: Opportunity, when: {opportunity: any}}
  - {name: Customer, when: {opportunity: won}}
statuses:
  - {name: Called, when: {activity: {kind: call}}}
"""
SYSTEMS = ("hubspot", "marketo", "pardot")  # which know persons of their own
SENDERS = ("files", "webhook", "warehouse")  # which send rows
PERSONS = ("1", "2")  # every system counts from 1
ADDRESSES = ("a@x.com", "b@x.com", "c@x.com")
CONTACTS = tuple(f"003{number:012d}AAA" for number in (1, 2, 3))
LEAD = "00Q000000000001AAA"
RECORDS = (*CONTACTS, LEAD)
QUERY = "SELECT id AS event_id, at AS occurred_at, type, email, form AS name, stamp AS updated_at FROM events"


class Killed(BaseException):
    """The process ends."""


@dataclass
class System:
    """A marketing system with persons. It tells what changed, as it is now, a change a page."""

    name: str
    persons: dict[str, Prospect] = field(default_factory=dict)
    activities: dict[str, Activity] = field(default_factory=dict)
    changes: list[tuple[str, str]] = field(default_factory=list)
    dies_after: int | None = None  # pages

    def person(self, own: str, **change: Any) -> None:
        self.persons[own] = replace(self.persons.get(own, Prospect(self.name, own)), **change)
        self.changes.append(("person", own))

    def act(self, number: int, own: str, kind: str, at: datetime) -> None:
        one = f"calls:{number}:{own}" if self.name == "hubspot" else str(number)
        if self.name == "hubspot" or one not in self.activities:
            made = Activity(self.name, one, kind, Direction.INBOUND, at, prospect_id=own)
            self.activities.setdefault(one, made)
            self.changes.append(("activity", one))

    def merge(self, winner: str, loser: str) -> None:
        kept, gone = (self.persons.get(each, Prospect(self.name, each)) for each in (winner, loser))
        if kept.deleted or gone.deleted:
            return
        theirs = {each for each in (gone.email, *gone.addresses) if each}
        self.person(winner, addresses=tuple(sorted({*kept.addresses, *theirs})), crm_id=kept.crm_id or gone.crm_id)
        kept = self.persons[winner]
        self.person(loser, email=kept.email, crm_id=kept.crm_id, addresses=kept.addresses, deleted=True)

    def poll(self, cursor: Mapping[str, Any] | None, now: datetime) -> Iterator[SourcePage]:
        for number in range(cursor["at"] if cursor else 0, len(self.changes)):
            if self.dies_after == number:
                self.dies_after = None
                raise Killed
            what, one = self.changes[number]
            place = {"at": number + 1}
            if what == "person":
                yield SourcePage(place, prospects=(self.persons[one],))
            else:
                found = self.activities[one]
                yield SourcePage(place, (found,), once=frozenset({found.id}))

    def account(self) -> str | None:
        return None

    def calls(self) -> Mapping[str, int]:
        return {}


class Senders:
    """A folder of files, an inbox of hooks and a warehouse of two exports that both count from 1."""

    def __init__(self, folder: Path, clock: FrozenClock) -> None:
        self.folder, self.clock, self.drop = folder, clock, folder / "drop"
        self.drop.mkdir()
        self.inbox = Inbox(folder / "inbox" / "inbox.sqlite3")
        self.sent: dict[str, set[tuple[str, str, str, str]]] = {name: set() for name in SENDERS}
        self.table: dict[tuple[int, int], tuple[str, str, str, str]] = {}
        with closing(sqlite3.connect(folder / "warehouse.sqlite3")) as database:
            database.execute(
                "CREATE TABLE events (half, id, at, type, email, form, stamp, PRIMARY KEY (half, id, email, type))"
            )

    def send(self, name: str, export: int, number: int, at: datetime, email: str, kind: str) -> None:
        """A fact with a number; each export says its own of it."""
        form = f"Form {export}" if number % 2 else ""
        fact = (kind, email, at.isoformat(), form)
        self.sent[name].add(fact)
        record = {"event_id": str(number), "occurred_at": at.isoformat(), "type": kind, "email": email, "name": form}
        if name == "files":
            path = self.drop / f"export-{export}.jsonl"
            with path.open("a") as file:
                file.write(json.dumps(record) + "\n")
            os.utime(path, (0, len(self.sent[name])))
        elif name == "webhook":
            self.inbox.put(f"hook-{export}", None, json.dumps(record).encode(), [record], self.clock.now())
        else:
            with closing(sqlite3.connect(self.folder / "warehouse.sqlite3", isolation_level=None)) as database:
                row = (export, number, at.isoformat(), kind, email, form, self.clock.now().isoformat())
                database.execute("INSERT OR REPLACE INTO events VALUES (?, ?, ?, ?, ?, ?, ?)", row)

    def sources(self) -> list[Source]:
        return [
            FilesSource(self.drop, self.clock),
            WebhookSource(self.inbox, page=1),
            WarehouseSource(f"sqlite:///{self.folder / 'warehouse.sqlite3'}", QUERY, clock=self.clock),
        ]


class Story:
    """An org, systems and senders, and the state that hears of them."""

    def __init__(self, folder: Path, empty: Path) -> None:
        self.folder, self.empty, self.clock = folder, empty, FrozenClock(START)
        self.state = Path(shutil.copy(empty, folder / "state.sqlite3"))
        self.world = World(open_store(str(self.state), clock=self.clock), clock=self.clock, mapping=MAPPING)
        self.world.org.page_size = 2
        self.systems = {name: System(name) for name in SYSTEMS}
        self.senders = Senders(folder, self.clock)
        for index, each in enumerate(CONTACTS):
            self.world.contact(ADDRESSES[index], Id=each)
        self.world.lead(ADDRESSES[0], Id=LEAD)
        self.former: dict[str, set[str]] = {each: set() for each in RECORDS}
        self.tasks = 0

    def sources(self) -> list[Source]:
        return [*self.systems.values(), *self.senders.sources()]

    def do(self, what: str, *given: Any) -> None:
        getattr(self, what)(*given)
        self.world.wait(30)

    def row(self, record: str) -> dict[str, Any]:
        return self.world.org.rows["Lead" if record == LEAD else "Contact"][record]

    def put(self, record: str, late: bool, **fields: Any) -> None:
        hidden = timedelta(minutes=4) if late else timedelta(0)
        self.world.org.put("Lead" if record == LEAD else "Contact", {"Id": record, **fields}, visible_in=hidden)

    def act(self, system: str, number: int, own: str, kind: str, days: int) -> None:
        self.systems[system].act(number, own, kind, START - timedelta(days=days))

    def send(self, sender: str, export: int, number: int, email: str, kind: str) -> None:
        at = START - timedelta(days=10 * export + 3 * number)
        self.senders.send(sender, export, number, at, email, kind)

    def knows(self, system: str, own: str, email: str | None, record: str | None) -> None:
        if not self.systems[system].persons.get(own, Prospect(system, own)).deleted:
            self.systems[system].person(own, email=email, crm_id=record)

    def merge_persons(self, system: str, winner: str) -> None:
        self.systems[system].merge(winner, "2" if winner == "1" else "1")

    def task(self, record: str) -> None:
        self.tasks += 1
        row = {"Id": f"00T{self.tasks:012d}AAA", "WhoId": record, "Subject": "Call", "TaskSubtype": "Call"}
        self.world.org.put("Task", {**row, "Status": "Completed", "CallType": "Inbound", "IsClosed": True})

    def win(self, record: str) -> None:
        self.world.role(record, self.world.deal(won=True))

    def moves(self, record: str, email: str | None, late: bool) -> None:
        if before := self.row(record)["Email"]:
            self.former[record].add(before)
        self.put(record, late, Email=email)

    def merge(self, winner: str, loser: str, late: bool) -> None:
        if winner != loser and not any(self.row(each)["IsDeleted"] for each in (winner, loser)):
            self.put(loser, late, IsDeleted=True, MasterRecordId=winner)
            self.former[winner] |= self.former[loser]

    def convert(self, contact: str, late: bool) -> None:
        if not self.row(contact)["IsDeleted"] and not self.row(LEAD)["IsConverted"]:
            self.put(LEAD, late, IsConverted=True, ConvertedContactId=contact)
            self.former[contact] |= self.former[LEAD]

    def cycle(self) -> None:
        run_cycle(replace(self.world.pipeline, sources=self.sources()))

    def dies(self, system: str, pages: int, calls: int) -> None:
        """The process ends in the middle of a cycle, and another goes on."""
        hears, left = self.systems[system], iter(range(calls))

        def killed(_kind: str) -> bool:
            if next(left, None) is None:
                raise Killed
            return False

        cursor = self.world.store.cursor(system) or {"at": 0}
        hears.dies_after, self.world.org.fail = cursor["at"] + pages, killed
        with suppress(Killed):
            self.cycle()
        hears.dies_after, self.world.org.fail = None, lambda _kind: False
        self.world.restart(self.state)

    def settle(self) -> None:
        for seconds in (4000, 4000, 0):
            self.cycle()
            self.world.wait(seconds)

    def anew(self) -> Store:
        """A state that hears of everything now, of an org in which nothing was decided yet."""
        clock, org = FrozenClock(self.clock.now()), copy.copy(self.world.org)
        org.rows = copy.deepcopy(org.rows)
        for row in (*org.rows["Contact"].values(), *org.rows["Lead"].values()):
            row.update(Stage__c=None, Status__c=None)
        path = shutil.copy(self.empty, self.folder / "new.sqlite3")
        store = open_store(str(path), clock=clock)
        run_cycle(replace(self.world.pipeline, store=store, clock=clock, salesforce=org, sources=self.sources()))
        return store


days, numbers, exports, late = (
    st.integers(1, 90),
    st.integers(1, 3),
    st.integers(1, 2),
    st.sampled_from([False, False, True]),
)
systems, persons, addresses = st.sampled_from(SYSTEMS), st.sampled_from(PERSONS), st.sampled_from(ADDRESSES)
contacts, records = st.sampled_from(CONTACTS), st.sampled_from(RECORDS)
kinds = st.sampled_from(["form_submit", "call"])
STEPS = st.one_of(
    st.tuples(st.just("act"), systems, numbers, persons, kinds, days),
    st.tuples(st.just("send"), st.sampled_from(SENDERS), exports, numbers, addresses, kinds),
    st.tuples(st.just("send"), st.sampled_from(SENDERS), exports, numbers, addresses, kinds),
    st.tuples(st.just("knows"), systems, persons, st.none() | addresses, st.none() | records),
    st.tuples(st.just("merge_persons"), systems, persons),
    st.tuples(st.just("task"), records),
    st.tuples(st.just("win"), contacts),
    st.tuples(st.just("moves"), records, st.none() | addresses, late),
    st.tuples(st.just("merge"), contacts, contacts, late),
    st.tuples(st.just("convert"), contacts, late),
    st.tuples(st.just("cycle")),
    st.tuples(st.just("dies"), systems, st.integers(0, 3), st.integers(0, 8)),
)


@pytest.fixture(scope="module")
def empty_state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("empty") / "state.sqlite3"
    open_store(str(path), clock=FrozenClock(START)).close()
    return path


@settings(max_examples=cases(6), phases=(Phase.explicit, Phase.reuse, Phase.generate))  # to shrink takes minutes
@given(steps=st.lists(STEPS, min_size=3, max_size=16))
def test_in_any_order_it_is_one_answer_and_nothing_is_lost(empty_state: Path, steps: list[tuple[Any, ...]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        story = Story(Path(folder), empty_state)
        try:
            for step in steps:
                story.do(*step)
            story.settle()
            with story.anew() as new:
                nothing_is_lost(story, new)
                one_answer(story, new)
        finally:
            story.world.store.close()


def told(store: Store, name: str) -> Counter[tuple[str, ...]]:
    """All that a state holds of a sender."""
    with store._read() as connection:
        rows = connection.execute(select(ACTIVITY)).all()
    return Counter((row.kind, row.email, row.occurred_at, row.name) for row in rows if row.ref.startswith(f"{name}:"))


def nothing_is_lost(story: Story, new: Store) -> None:
    for store in (story.world.store, new):
        for name, sent in story.senders.sent.items():
            assert told(store, name) == Counter(sent), name
        for name, system in story.systems.items():
            assert sum(told(store, name).values()) == len(system.activities), name
        assert sum(told(store, "salesforce").values()) == story.tasks


def essence(person: Person) -> dict[str, Any]:
    """What is recorded of a person, without what an earlier look left behind."""
    hidden = {"SystemModstamp", "LastModifiedById", "Stage__c", "Status__c"}
    return {
        "fields": {name: value for name, value in person.fields.items() if name not in hidden},
        "activities": {
            (each.source, each.kind, each.occurred_at, each.name, each.email, each.prospect_id)
            for each in person.activities
        },
        "prospects": sorted((each.source, each.id, each.email, each.crm_id) for each in person.prospects),
        "former": sorted((each.source, each.id) for each in person.former_prospects),
        "deals": sorted(each.opportunity_id for each in person.opportunities),
        "aliases": set(person.aliases),
    }


def one_answer(story: Story, new: Store) -> None:
    live = [each for each in RECORDS if not story.row(each)["IsDeleted"] and not story.row(each).get("IsConverted")]
    store, mapping = story.world.store, story.world.pipeline.mapping
    tracks = {name: (store.tracks_now(name), new.tracks_now(name)) for name in ("stage", "status")}
    for old, anew in zip(store.facts_of(live), new.facts_of(live), strict=True):
        before, now = essence(old), essence(anew)
        more = before["activities"] - now["activities"]
        assert not now["activities"] - before["activities"], old.id
        assert {each[4] for each in more} <= story.former[old.id] | {None}, old.id
        if more or before["prospects"] != now["prospects"] or before["former"] != now["former"]:
            continue  # by an address that she had
        assert before == now
        for name, (was, is_now) in tracks.items():
            found = tuple(each.get(old.id, {}).get("value") for each in (was, is_now))
            assert found[0] == found[1], (name, old.id, found)
        assert answer(old, mapping, story) == answer(anew, mapping, story)


def answer(person: Person, mapping: Any, story: Story) -> Any:
    fields = {**person.fields, "Stage__c": None, "Status__c": None}
    fields = {name: value for name, value in fields.items() if name not in ("SystemModstamp", "LastModifiedById")}
    bare = replace(person, fields=fields, memory={}, former={}, addresses={})
    return decide(bare, mapping, story.clock.now()).tracks
