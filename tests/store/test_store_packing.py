"""JSON is packed in a SQLite state, and nobody who reads the state by the connector or by its views sees anything of
it."""

from __future__ import annotations

import hashlib
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import update
from sqlmodel import SQLModel

from connector.base.clock import FrozenClock
from connector.base.errors import StateError
from connector.base.facts import Change, Decision, Outcome, RecordChange, Result
from connector.store import Settled, Store, open_store, packing
from connector.store.rows import dumps
from connector.store.schema import FURTHER, PROSPECT
from connector.store.views import VIEWS
from tests.cases import cases
from tests.store.store_facts import (
    START,
    answered,
    click,
    decided,
    older_state,
    page,
    prospect,
    role,
    row,
    rows_of,
    settle,
)

BEFORE = "0017"
HANDED = {"at": START.isoformat(), "by": "Demo", "to": "005A", "written": "005A"}
DICTIONARIES = {1: "e9ae77"}
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(), lambda inner: st.dictionaries(st.text(), inner), max_leaves=8
)


@settings(max_examples=cases(100))
@given(VALUES)
def test_what_is_packed_is_read_as_it_was(value: Any) -> None:
    told = dumps({"value": value, "kind": "activity"})
    assert packing.unpack(packing.pack(told)) == told


def test_what_is_damaged_is_said_and_no_traceback() -> None:
    packed = packing.pack(dumps(row("003PO000000000oYAA", Email="nils@harbor.example")))
    assert isinstance(packed, bytes)
    for broken in (b"", b"\x09" + packed[1:], packed[:1] + b"\xff" * 20):
        with pytest.raises(StateError, match="damaged"):
            packing.unpack(broken)


def test_a_dictionary_that_a_state_may_have_been_packed_with_never_changes() -> None:
    """Another one is another number."""
    found = {number: hashlib.sha256(words).hexdigest() for number, words in packing._DICTIONARIES.items()}
    assert {number: digest[:6] for number, digest in found.items()} == DICTIONARIES


def test_a_row_like_those_of_an_org_takes_a_third() -> None:
    contact = {**row("003PO000000000oYAA", Email="nils@harbor.example"), "AccountId": "001PO000000000EYAQ"}
    contact |= {"CreatedDate": "2026-05-09T20:21:00.000+0000", "MasterRecordId": None, "Lifecycle_Stage__c": "Suspect"}
    told = dumps(contact)
    assert len(packing.pack(told)) < len(told) / 2.5


def fill(store: Store) -> Store:
    """Something in each table that is packed or rebuilt."""
    store.record_rows("Account", [row("A1", Name="Harbor")])
    people = [row("C1", Name="Ada", Email="ada@example.com", OwnerId="005A"), row("C2", Name="Bob")]
    store.record_rows("Contact", people)
    store.record_rows("Contact", [row("C2", 5, Name="Bobby Tables the Second")])
    store.record_rows("Opportunity", [row("O1", StageName="Closed Won", Name="A deal of some length")])
    store.record_rows("OpportunityContactRole", [role("R1", "O1", "C1")])
    store.record_page("pardot", page(click("1", crm_id="C1"), click("2", prospect_id="9"), prospect("9", "z@z.com")))
    memory = {"at": "Engaged", "written": "Engaged", "record": "C1", "since": START.isoformat(), "rule": "Engaged"}
    stage, owner = decided("Engaged", memory=memory), decided("005A", track="owner", memory=HANDED)
    cycle = store.begin_cycle("sync", START)
    settle(store, answered(store, "C1", stage, owner, result=Result.APPLIED, review_at=START))
    settle(store, answered(store, "C2", decided("Engaged"), result=Result.SET_ASIDE, code="NO", message="no"))
    settle(
        store, answered(store, "C1", decided("Customer", memory={**memory, "at": "Customer"}), result=Result.APPLIED)
    )
    store.end_cycle(cycle, START, {"read": 7, "written": 2, "set_aside": {}})
    return store


def everything(store: Store) -> dict[str, Any]:
    """What each table and view says."""
    return rows_of(store) | {name: sorted(store.view_rows(name), key=str) for name in VIEWS}


def test_a_state_of_the_schema_before_says_the_same_when_it_is_brought_up_to_date(
    store: Store, no_state: str, clock: FrozenClock, tmp_path: Path
) -> None:
    told = fill(store)
    with told._write() as connection:  # what came later than the schema before, and nobody knows of what is there
        for column in (PROSPECT.c.since, FURTHER.c.since, FURTHER.c.until):
            connection.execute(update(column.table).values({column.name: None}))
    said = everything(told)
    url = no_state if no_state.startswith("postgresql") else f"sqlite:///{tmp_path / 'before.sqlite3'}"
    older_state(url, BEFORE, {name: said[name] for name in SQLModel.metadata.tables})
    with open_store(url, clock=clock, create=False) as upgraded:
        assert everything(upgraded) == said
        [ada] = upgraded.facts_of(["C1"])
        assert [ada] == told.facts_of(["C1"])
        assert (upgraded.latest("C1"), upgraded.history("C1")) == (told.latest("C1"), told.history("C1"))


def test_the_views_are_read_with_nothing_of_ours(sqlite_store: Store, path: Path) -> None:
    store = fill(sqlite_store)
    with closing(sqlite3.connect(path)) as other:
        for name in VIEWS:
            assert sorted(other.execute(f"SELECT * FROM {name}"), key=str) == sorted(
                [*store.view_rows(name)][1:], key=str
            )
        assert other.execute("SELECT name, owner_id FROM report_person WHERE person_id = 'C1'").fetchall() == [
            ("Ada", "005A")
        ]


def test_without_the_room_to_rewrite_it_an_older_state_is_left_as_it_is(
    tmp_path: Path, clock: FrozenClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "before.sqlite3"
    older_state(f"sqlite:///{path}", BEFORE, {})
    before = path.read_bytes()
    usage = shutil.disk_usage(tmp_path)._replace(free=2 * len(before))
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: usage)
    with pytest.raises(StateError, match=r"too little room .* MB are needed beside it, \d+ MB are free"):
        open_store(str(path), clock=clock)
    assert path.read_bytes() == before
    assert not list(tmp_path.glob("*.schema-*"))


def test_an_upgraded_state_gives_the_room_back_and_says_how_much(
    tmp_path: Path, clock: FrozenClock, sqlite_store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [row(f"C{number}", Email=f"person.{number}@example.com") for number in range(2000)]
    sqlite_store.record_rows("Contact", rows)
    path = tmp_path / "before.sqlite3"
    older_state(f"sqlite:///{path}", BEFORE, {"record": everything(sqlite_store)["record"]})
    before = path.stat().st_size
    open_store(str(path), clock=clock).close()
    assert path.stat().st_size < 0.8 * before
    with closing(sqlite3.connect(path)) as state:
        assert state.execute("PRAGMA freelist_count").fetchone() == (0,)
    assert "megabytes" in capsys.readouterr().out


def test_an_owner_that_we_wrote_is_shown_by_the_views(store: Store) -> None:
    store.record_rows("Contact", [row("C1", Name="Ada", OwnerId="005A")])
    [(_, mark)] = store.next_dirty(1)
    written = RecordChange("C1", "Contact", "C1", (Change("owner", "OwnerId", "005A", "005B"),))
    decision = Decision("C1", (decided("005B", track="owner"),))
    settle(store, Settled("C1", mark, decision, (Outcome(written, Result.APPLIED),)))
    columns, person = store.view_rows("report_person")
    shown = dict(zip(columns, person, strict=True))
    assert (shown["name"], shown["owner_id"]) == ("Ada", "005B")
