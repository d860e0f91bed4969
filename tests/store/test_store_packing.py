"""JSON is packed in a SQLite state, and nobody who reads the state by the connector or by its views sees anything of
it."""

from __future__ import annotations

import hashlib
import re
import shutil
import sqlite3
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import update

from connector.base.clock import FrozenClock
from connector.base.errors import StateError
from connector.base.facts import Change, Decision, Outcome, RecordChange, Result
from connector.store import Settled, Store, open_store, packing
from connector.store.rows import dumps
from connector.store.schema import FURTHER, PROSPECT, columns_of
from connector.store.types import Packed
from connector.store.views import VIEWS
from practice_org.company import words
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

BEFORE, LAST = "0017", "0019"  # before JSON was packed, and before it was packed anew
HANDED = {"at": START.isoformat(), "by": "Demo", "to": "005A", "written": "005A"}
DICTIONARIES = {1: "e9ae77", 2: "fcf3ea"}
STAGE = '{"at":"Customer","record":"003PO0000000921YAA","rule":"Customer","since":"2025-03-26T00:00:00+00:00"}'
PACKED = (
    "01c32c60914bb8007f0308b034328c7474c45aba211553a6ba06c6ba4666e8c9b01600",
    "025468504f303030393231594141367d05fca4ef83ebb0ef6790a4e7abb60c",
)
TOLD = st.sampled_from([STAGE, dumps(row("003PO000000000oYAA", Email="nils@harbor.example", Name="Nïls"))])
JSON_COLUMNS = columns_of(Packed)
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
    for broken in (b"", b"\x09" + packed[1:], packed[:2] + b"\xff" * 20, packed[:1] + b"\0" * 2**21, packed + b"\0"):
        with pytest.raises(StateError, match="damaged"):
            packing.unpack(broken)


@pytest.mark.parametrize("pack", [packing.pack, lambda text: packing._deflated(text.encode())])
def test_what_is_cut_off_is_said(pack: Callable[[str], bytes]) -> None:
    packed = pack(STAGE)
    for length in range(len(packed)):
        with pytest.raises(StateError, match="damaged"):
            packing.unpack(packed[:length])


def told_or_damaged(packed: bytes) -> int:
    """How long what is read is; any other error than ours is the test's."""
    with suppress(StateError):
        return len(packing.unpack(packed) or "")
    return 0


@settings(max_examples=cases(300))
@given(TOLD, st.sampled_from([1, 2]), st.data())
def test_a_damaged_value_is_an_error_or_a_text_of_bounded_length(told: str, number: int, data: st.DataObject) -> None:
    packed = bytearray({1: packing._deflated, 2: packing._compressed}[number](told.encode()) or b"")
    for _ in range(data.draw(st.integers(1, 4))):
        packed[data.draw(st.integers(1, len(packed) - 1))] = data.draw(st.integers(0, 255))
    packed += data.draw(st.binary(max_size=5))
    assert told_or_damaged(bytes(packed)) <= packing._MOST


@settings(max_examples=cases(300))
@given(st.binary(max_size=60), st.sampled_from([b"", b"\x01", b"\x02", b"\x02\0"]))
def test_any_bytes_are_an_error_or_a_text_of_bounded_length(garbage: bytes, begin: bytes) -> None:
    assert told_or_damaged(begin + garbage) <= packing._MOST


def test_a_value_that_would_fill_the_memory_is_damaged() -> None:
    """4 KB that claim 4 MB a kilobyte."""
    bomb = zlib.compressobj(9, zlib.DEFLATED, -13)
    packed = b"\x01" + bomb.compress(b" " * 4 * packing._MOST) + bomb.flush()
    assert len(packed) < 100_000
    with pytest.raises(StateError, match="damaged"):
        packing.unpack(packed)


@pytest.mark.parametrize("length", [2**17 - 20, 2**17, 2**17 + 1, 10**6])
def test_a_long_text_is_packed_too(length: int) -> None:
    told = dumps({"text": "Hello, wörld. " * (length // 15), "end": "x" * (length % 15)})
    packed = packing.pack(told)
    assert isinstance(packed, bytes)
    assert len(packed) < len(told) / 20
    assert packing.unpack(packed) == told


def test_what_cannot_be_packed_stays_text() -> None:
    told = "".join(chr(0x4E00 + number * number * 7919 % 20_000) for number in range(200))
    assert packing.unpack(packing.pack(told)) == told
    assert packing.pack("{}") == "{}"


def test_threads_pack_and_read_at_once() -> None:
    def work(number: int) -> None:
        for count in range(300):
            told = dumps({"at": "Customer", "record": f"003{number}{count}", "rule": "Customer", "written": "Customer"})
            assert packing.unpack(packing.pack(told)) == told

    with ThreadPoolExecutor(8) as threads:
        assert [*threads.map(work, range(8))] == [None] * 8


def test_a_dictionary_that_a_state_may_have_been_packed_with_never_changes() -> None:
    """Another one is another number."""
    found = {number: hashlib.sha256(words).hexdigest() for number, words in
             {1: packing._DEFLATE, 2: packing.FILE.read_bytes()}.items()}  # fmt: skip
    assert {number: digest[:6] for number, digest in found.items()} == DICTIONARIES


def test_what_was_learned_holds_nobody_of_the_companies_that_it_was_learned_from() -> None:
    learned = set(re.findall(r"[A-Za-z]{4,}", packing.FILE.read_bytes().decode("latin-1")))
    assert {"Lifecycle", "MasterRecordId", "Customer"} <= learned
    named = {*words.FIRST_NAMES, *words.LAST_END, *words.COMPANY_BEGIN, *words.COMPANY_END, *words.PRODUCTS}
    assert named & learned == set()


@pytest.mark.parametrize("packed", PACKED)
def test_what_was_packed_with_any_of_them_is_read(packed: str) -> None:
    assert packing.unpack(bytes.fromhex(packed)) == STAGE


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
    older_state(url, BEFORE, {name: rows for name, rows in said.items() if name not in VIEWS})
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


def pages_of(path: Path) -> int:
    with closing(sqlite3.connect(path)) as state:
        return int(state.execute("PRAGMA page_count").fetchone()[0])


def test_a_state_is_put_together_and_says_the_same(sqlite_store: Store, path: Path) -> None:
    for text in ("", *(hashlib.sha256(str(each).encode()).hexdigest() for each in range(2))):  # rows get longer
        rows = [row(f"C{each:04}", at=len(text), Said__c=text and f"{each}{text}") for each in range(2000)]
        for each in (rows[::2], rows[1::2]):
            sqlite_store.record_rows("Contact", each)
    before, said = pages_of(path), everything(sqlite_store)
    sqlite_store.defragment()
    assert pages_of(path) < before
    assert everything(sqlite_store) == said


def test_where_a_state_cannot_be_put_together_it_is_left_as_it_is_and_that_is_told(
    sqlite_store: Store, path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sqlite_store.record_rows("Contact", [row("C1")])
    with closing(sqlite3.connect(path)) as other:  # not the time to rewrite the file: somebody else writes
        other.execute("BEGIN IMMEDIATE")
        with sqlite_store._writer.connect() as connection:
            connection.exec_driver_sql("PRAGMA busy_timeout=1")
        sqlite_store.defragment()
    assert "was not given back" in capsys.readouterr().out
    assert sqlite_store.find_people("C1") == ["C1"]


def test_an_owner_that_we_wrote_is_shown_by_the_views(store: Store) -> None:
    store.record_rows("Contact", [row("C1", Name="Ada", OwnerId="005A")])
    [(_, mark)] = store.next_dirty(1)
    written = RecordChange("C1", "Contact", "C1", (Change("owner", "OwnerId", "005A", "005B"),))
    decision = Decision("C1", (decided("005B", track="owner"),))
    settle(store, Settled("C1", mark, decision, (Outcome(written, Result.APPLIED),)))
    columns, person = store.view_rows("report_person")
    shown = dict(zip(columns, person, strict=True))
    assert (shown["name"], shown["owner_id"]) == ("Ada", "005B")


def packed_before(store: Store, path: Path) -> Path:
    """A state that says the same, of the schema in which deflate packed."""
    older_state(
        f"sqlite:///{path}", LAST, {name: rows for name, rows in everything(store).items() if name not in VIEWS}
    )
    with closing(sqlite3.connect(path)) as state:
        state.create_function("before", 1, lambda text: packing._deflated(text.encode()))
        for column in JSON_COLUMNS:
            is_packed = f"length({column.name}) > 40 AND {column.name} NOT LIKE '%\"by\":%'"
            state.execute(f"UPDATE {column.table.name} SET {column.name} = before({column.name}) WHERE {is_packed}")
        state.commit()
    return path


def test_what_an_older_state_has_packed_is_packed_anew(sqlite_store: Store, clock: FrozenClock, tmp_path: Path) -> None:
    said = everything(fill(sqlite_store))
    old = packed_before(sqlite_store, tmp_path / "old.sqlite3")
    with open_store(str(old), clock=clock, create=False) as upgraded:
        assert everything(upgraded) == said
    with closing(sqlite3.connect(old)) as state:
        numbers = {
            value[0] for column in JSON_COLUMNS
            for (value,) in state.execute(f"SELECT {column} FROM {column.table.name} WHERE typeof({column}) = 'blob'")
        }  # fmt: skip
        assert 2 in numbers


def test_what_is_damaged_in_an_older_state_stays_so(sqlite_store: Store, clock: FrozenClock, tmp_path: Path) -> None:
    old = packed_before(fill(sqlite_store), tmp_path / "old.sqlite3")
    with closing(sqlite3.connect(old)) as state:
        [(packed,)] = state.execute("SELECT fields FROM record WHERE id = 'O1'").fetchall()
        state.execute("UPDATE record SET fields = ? WHERE id = 'O1'", (packed[:-3],))
        state.commit()
    open_store(str(old), clock=clock, create=False).close()
    with closing(sqlite3.connect(old)) as state:
        assert state.execute("SELECT fields FROM record WHERE id = 'O1'").fetchone() == (packed[:-3],)
