"""What is overwritten is kept, and a moment of the past is put together from it."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from connector.base.clock import FrozenClock
from connector.base.facts import Person, Result
from connector.store import Store, open_past, open_store
from tests.store.store_facts import START, answered, click, decided, first_state, page, prospect, role, row, settle


def after(seconds: int) -> datetime:
    return START + timedelta(seconds=seconds)


def then(store: Store, seconds: int, *people: str) -> dict[str, Person]:
    """Who these were so many seconds after the start, by what they were called."""
    with open_past(store, people, after(seconds)) as (past, ids):
        return {each.id: each for each in past.facts_of(ids)}


def kept(path: Path) -> int:
    with closing(sqlite3.connect(path)) as state:
        return int(state.execute("SELECT COUNT(*) FROM history").fetchone()[0])


def test_a_record_is_as_it_was_before_each_change(store: Store) -> None:
    for at, title, country in ((0, "Nobody", "DE"), (10, "Boss", "DE"), (20, "Boss", "AT"), (30, None, "AT")):
        store.record_rows("Contact", [row("C1", at, Title=title, Country=country)])
    seen = [
        (each.fields["Title"], each.fields["Country"])
        for at in (9, 10, 19, 20, 29, 30, 99)
        for each in then(store, at, "C1").values()
    ]
    boss, late = ("Boss", "DE"), ("Boss", "AT")
    assert seen == [("Nobody", "DE"), boss, boss, late, late, (None, "AT"), (None, "AT")]


def test_what_we_wrote_ourselves_is_undone_by_the_log(store: Store) -> None:
    store.record_rows("Contact", [row("C1", stage__c="Suspect")])
    settle(store, answered(store, "C1", decided("Engaged", "Suspect"), result=Result.APPLIED), now=after(60))
    store.record_rows("Contact", [row("C1", 61, stage__c="Engaged")])
    store.record_rows("Contact", [row("C1", 90, stage__c="Customer")])
    told = [then(store, at, "C1")["C1"].fields["stage__c"] for at in (59, 60, 89, 90)]
    assert told == ["Suspect", "Engaged", "Engaged", "Customer"]


def test_what_is_read_first_or_again_is_not_kept(sqlite_store: Store, path: Path) -> None:
    first = [row(f"C{n}", Title="Boss") for n in range(3)]
    sqlite_store.record_rows("Contact", first, generation=1)
    sqlite_store.record_rows("Contact", first, generation=2)
    sqlite_store.record_rows("Contact", [row("C1", 5, Title="Boss")])  # the stamp moved, and nothing else
    sqlite_store.record_rows("Contact", [row("C1", 9, Title="Boss", Phone="1")])  # a field that was not read before
    settle(sqlite_store, answered(sqlite_store, "C1", decided("A", memory={"n": 1}), result=Result.APPLIED))
    assert kept(path) == 0
    sqlite_store.record_rows("Contact", [row("C1", 10, Title="Chief", Phone="1")])
    assert kept(path) == 1


def test_a_change_without_a_new_stamp_counts_from_when_it_was_seen(store: Store, clock: FrozenClock) -> None:
    store.record_rows("Contact", [row("C1", Formula__c=1)])
    clock.sleep(100)
    store.record_rows("Contact", [row("C1", Formula__c=2)])
    assert [then(store, at, "C1")["C1"].fields["Formula__c"] for at in (99, 100)] == [1, 2]


def test_roles_and_opportunities_count_until_they_are_gone(store: Store, clock: FrozenClock) -> None:
    store.record_rows("Contact", [row("C1"), row("C2")])
    store.record_rows("Opportunity", [row("O1", StageName="Prospecting"), row("O2", StageName="Prospecting")])
    store.record_rows(
        "OpportunityContactRole", [role("R1", "O1", "C1"), role("R2", "O2", "C1"), role("R3", "O2", "C2")]
    )
    store.record_rows("Opportunity", [row("O1", 20, StageName="Closed Won")])
    clock.sleep(50)
    store.replace_roles(["O1"], [])
    clock.sleep(50)
    store.remove_rows("Opportunity", ["O2"])

    def deals(at: int) -> list[str]:
        return [each.opportunity["StageName"] for each in then(store, at, "C1")["C1"].opportunities]

    assert deals(19) == ["Prospecting", "Prospecting"]
    assert deals(49) == ["Closed Won", "Prospecting"]
    assert (deals(99), deals(100)) == (["Prospecting"], [])


def test_people_who_are_one_now_were_two_then(store: Store, clock: FrozenClock) -> None:
    store.record_rows("Lead", [row("L1", Email="lea@x.com", IsConverted=False)])
    store.record_rows("Contact", [row("C1", Email="c@x.com"), row("C2", Email="d@x.com", MasterRecordId=None)])
    store.record_page("pardot", page(click("1", crm_id="L1"), click("2", at=60, crm_id="L1")))
    store.record_rows("Lead", [row("L1", 30, Email="lea@x.com", IsConverted=True, ConvertedContactId="C1")])
    store.record_rows("Contact", [row("C2", 40, Email="d@x.com", MasterRecordId="C1", IsDeleted=True)])
    assert then(store, 29, "C1").keys() == {"C1", "C2", "L1"}
    assert then(store, 30, "C1").keys() == {"C1", "C2"}
    now = then(store, 40, "C1")
    assert (set(now), now["C1"].aliases) == ({"C1"}, ("C2", "L1"))
    assert [each.id for each in now["C1"].activities] == ["1"]
    assert [each.id for each in then(store, 29, "C1")["L1"].activities] == ["1"]


def test_activities_by_address_belong_to_who_had_it_then(store: Store) -> None:
    store.record_rows("Contact", [row("C1", Email="old@x.com"), row("C2", Email="two@x.com")])
    store.record_page("pardot", page(click("1", email="old@x.com"), click("2", email="new@x.com")))
    store.record_rows("Contact", [row("C1", 10, Email="new@x.com")])
    store.record_rows("Contact", [row("C2", 20, Email="old@x.com")])
    for at, ids in ((9, ["1"]), (10, ["1", "2"]), (20, ["2"])):
        assert [each.id for each in then(store, at, "C1")["C1"].activities] == ids


def test_memories_are_those_of_then(store: Store) -> None:
    store.record_rows("Contact", [row("C1")])
    for at, memory in ((10, {"n": 1}), (20, {"n": 1}), (30, {"n": 2}), (40, {})):
        settle(store, answered(store, "C1", decided("A", f"{at}", memory=memory)), now=after(at))
    told = [then(store, at, "C1")["C1"].memory.get("stage") for at in (9, 10, 25, 30, 39, 40)]
    assert told == [None, {"n": 1}, {"n": 1}, {"n": 2}, {"n": 2}, None]


def test_a_prospect_was_somebody_by_itself_before_its_record_was_made(store: Store) -> None:
    store.record_page("pardot", page(prospect("7", "p@x.com"), click("1", prospect_id="7")))
    made = (START + timedelta(seconds=50)).strftime("%Y-%m-%dT%H:%M:%S.000+0000")
    store.record_rows("Lead", [row("L1", 50, Email="p@x.com", CreatedDate=made)])
    assert then(store, 49, "L1").keys() == {"pardot:7"}
    assert then(store, 50, "L1").keys() == then(store, 50, "pardot:7").keys() == {"L1"}


def test_it_is_known_since_when_a_field_is_read(store: Store, clock: FrozenClock) -> None:
    store.record_rows("Contact", [row("C1")])
    clock.sleep(10)
    store.record_rows("Contact", [row("C1", Title="Boss")])
    since = store.fields_since()["Contact"]
    assert (since["Id"], since["Title"]) == (START.isoformat(), after(10).isoformat())


def test_people_who_are_gone_are_found_by_what_they_were(store: Store) -> None:
    gone = "003000000000001AAA"
    store.record_rows("Contact", [row(gone, Email="gone@x.com")])
    store.remove_rows("Contact", [gone])
    for query in (gone, gone[:15], "Gone@x.com"):
        assert (store.find_people(query), store.find_people(query, ever=True)) == ([], [gone])
    assert store.find_people("nobody@x.com", ever=True) == store.find_people("C", ever=True) == []


def test_a_state_of_the_first_migration_knows_its_history_from_now_on(tmp_path: Path, clock: FrozenClock) -> None:
    path = tmp_path / "old.sqlite3"
    first_state(path, '{"Id":"C1","Title":"Boss"}')
    with closing(sqlite3.connect(path)) as old:
        old.execute(
            "INSERT INTO track VALUES ('C1', 'stage', 'A', 'A', 'A', '', 'stays', '', '[]', '{\"n\":1}', ?, 1, 'v')",
            (datetime(2026, 1, 1, tzinfo=UTC).isoformat(),),
        )
        old.commit()
    with open_store(str(path), clock=clock) as store:
        store.record_rows("Contact", [row("C1", 10, Title=None)])
        before = then(store, 9, "C1")["C1"]
        assert (before.fields["Title"], before.memory) == ("Boss", {"stage": {"n": 1}})


@pytest.mark.parametrize("at", [-1, 0])
def test_who_was_not_there_is_not_told_of(store: Store, at: int) -> None:
    store.record_rows("Contact", [row("C1", CreatedDate="2026-03-01T00:00:00.000+0000")])
    assert list(then(store, at, "C1")) == (["C1"] if at == 0 else [])
