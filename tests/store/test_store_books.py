"""Cursors, cycles, API calls, the mapping in force, and the counts of the status page."""

from __future__ import annotations

from datetime import date, timedelta

from connector.base.clock import FrozenClock
from connector.base.facts import Result
from connector.store import Store, books, open_store
from tests.postgres import run
from tests.store.store_facts import START, answered, click, decided, page, prospect, row, settle


def test_a_cursor_moves_with_the_page_it_belongs_to(store: Store) -> None:
    assert store.cursor("Contact") is None
    store.record_rows("Contact", [row("C1")], cursor=("Contact", {"at": ["2026", "C1"], "full": True}))
    store.record_page("pardot", page(at=4))
    assert store.cursors() == {"Contact": {"at": ["2026", "C1"], "full": True}, "pardot": {"at": 4}}
    store.set_cursor("Contact", None)
    assert store.cursor("Contact") is None


def test_everything_survives_closing(no_state: str, clock: FrozenClock) -> None:
    with open_store(no_state, clock=clock) as store:
        store.record_rows("Contact", [row("C1")], cursor=("Contact", {"at": 1}))
        store.set_mapping_version("v1", "stages: []")
    with open_store(no_state, clock=clock) as store:
        assert store.cursor("Contact") == {"at": 1}
        assert store.mapping_version() == "v1"
        assert store.dirty_count() == 1


def test_cycles_are_remembered_newest_first_and_an_unfinished_one_shows(store: Store) -> None:
    first = store.begin_cycle("backfill", START)
    store.end_cycle(first, START + timedelta(seconds=5), {"written": 3})
    second = store.begin_cycle("sync", START + timedelta(seconds=60))
    assert second > first
    newest, oldest = store.cycles()
    assert (newest["kind"], newest["ended_at"], newest["report"]) == ("sync", None, {})
    assert (oldest["kind"], oldest["report"]) == ("backfill", {"written": 3})
    assert len(store.cycles(limit=1)) == 1


def test_only_the_last_cycles_are_kept(store: Store) -> None:
    for _ in range(3):
        store.end_cycle(store.begin_cycle("sync", START), START, {})
    last = store.begin_cycle("sync", START) + books.CYCLES_KEPT
    store.end_cycle(last, START, {})
    assert store.cycles() == []


def test_calls_add_up_by_day_source_and_kind(store: Store) -> None:
    today, yesterday = date(2026, 3, 2), date(2026, 3, 1)
    store.add_calls(yesterday, {"query": 9})
    store.add_calls(today, {"query": 2, "composite": 1})
    store.add_calls(today, {"query": 1})
    store.add_calls(today, {"query": 5}, source="pardot")
    store.add_calls(today, {})
    calls = store.calls_on(today)
    assert calls.pop("salesforce") == {"composite": 1, "query": 3}
    assert [*calls.values()] == [{"query": 5}]
    assert store.calls_on(date(2026, 3, 3)) == {}


def test_every_mapping_that_was_in_force_can_be_read_again(no_state: str, clock: FrozenClock) -> None:
    with open_store(no_state, clock=clock) as store:
        assert store.mapping_version() is None
        for version, text in (("v1", "one"), ("v2", "two"), ("v1", "one")):
            store.set_mapping_version(version, text)
        assert store.mapping_version() == "v1"
    assert run(no_state, "SELECT version, text FROM mapping ORDER BY 1") == [("v1", "one"), ("v2", "two")]


def test_counts_tell_what_is_there(store: Store) -> None:
    store.record_rows("Contact", [row("C1", Email="a@x.com"), row("C2", IsDeleted=True, MasterRecordId="C1")])
    store.record_rows("Lead", [row("L1")])
    store.record_page("pardot", page(prospect("1", "a@x.com"), prospect("2", "z@x.com"), click("1")))
    settle(store, answered(store, "C1", decided("A"), result=Result.SET_ASIDE, code="NO"))
    assert store.counts() == {
        "people": 3,
        "records": {"Contact": 1, "Lead": 1},
        "prospects": 2,
        "prospects_alone": 1,
        "activities": 1,
        "aliases": 1,
        "joined_by_email": 0,
        "crowded_addresses": 0,
        "dirty": 2,
        "set_aside": 1,
        "logged_changes": 1,
    }
