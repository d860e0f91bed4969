"""Where the mapping says so, records with one e-mail address are one person; and nobody is lost when that ends."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from connector.base.facts import Result
from connector.lifecycle.model import Identity
from connector.store import Store
from tests.store.store_facts import (
    START,
    activity_ids,
    answered,
    click,
    decided,
    dirty,
    one,
    page,
    prospect,
    role,
    row,
    settle,
    settle_all,
)
from tests.store.test_store_plans import WALKS, plans

BY_EMAIL = Identity(by_email=True)


def created(record_id: str, day: int, at: int = 0, **fields: Any) -> dict[str, Any]:
    return row(record_id, at, CreatedDate=f"2026-01-{day:02}T00:00:00.000+0000", **{"Email": "a@x.com", **fields})


def joins(store: Store, rule: Identity = BY_EMAIL) -> None:
    store.set_mapping_version("v1", joins=rule)


@pytest.fixture
def ada(store: Store) -> Store:
    """A contact and an older lead with one address, joined and settled."""
    joins(store)
    store.record_rows("Lead", [created("L1", 1, Company="Acme")])
    store.record_rows("Contact", [created("C1", 9, Title="CTO")])
    settle_all(store)
    return store


def people(store: Store) -> dict[str, Sequence[str]]:
    return {each.id: each.aliases for each in store.facts_of(store.people_in())}


def test_without_by_email_records_with_one_address_are_apart(store: Store) -> None:
    store.record_rows("Lead", [created("L1", 1)])
    store.record_rows("Contact", [created("C1", 9)])
    assert people(store) == {"C1": (), "L1": ()}


def test_a_lead_and_a_contact_with_one_address_are_the_contact(ada: Store) -> None:
    assert people(ada) == {"C1": ("L1",)}
    assert one(ada, "C1").fields["Title"] == "CTO"
    assert ada.facts_of(["L1"]) == []
    assert ada.find_people("L1") == ada.find_people("A@x.com") == ["C1"]
    assert ada.followers("C1") == [{"id": "L1", "object": "Lead"}]
    assert ada.people_in(object_name="Lead") == []


def test_everything_of_all_records_counts(ada: Store) -> None:
    ada.record_rows("Opportunity", [row("O1")])
    ada.record_rows("Contact", [created("C2", 10)])
    ada.record_rows("OpportunityContactRole", [role("R1", "O1", "C2")])
    ada.record_page("Task", page(click("T1", source="salesforce", crm_id="L1")))
    ada.record_page("pardot", page(prospect("7", crm_id="L1"), click("1", prospect_id="7"), click("2", crm_id="C2")))
    assert dirty(ada) == ["C1"]
    person = one(ada, "C1")
    assert person.aliases == ("C2", "L1")
    assert {each.id for each in person.activities} == {"T1", "1", "2"}
    assert [each.id for each in person.prospects] == ["7"]
    assert [each.role_id for each in person.opportunities] == ["R1"]


@pytest.mark.parametrize(
    ("rule", "leader"),
    [
        (Identity(True), "C1"),
        (Identity(True, then="newest"), "C2"),
        (Identity(True, ("Lead", "Contact")), "L1"),
        (Identity(True, ("Lead",)), "L1"),
    ],
)
def test_the_mapping_says_who_leads(store: Store, rule: Identity, leader: str) -> None:
    joins(store, rule)
    for object_name, fields in (
        ("Contact", created("C2", 8)),
        ("Lead", created("L1", 9)),
        ("Contact", created("C1", 7)),
    ):
        store.record_rows(object_name, [fields])
    assert list(people(store)) == [leader]


def test_another_address_parts_them_and_both_are_decided_again(ada: Store) -> None:
    ada.record_page("Task", page(click("T1", source="salesforce", crm_id="L1")))
    settle_all(ada)
    ada.record_rows("Lead", [created("L1", 1, 1, Email="b@x.com")])
    assert dirty(ada) == ["C1", "L1"]
    assert people(ada) == {"C1": (), "L1": ()}
    assert (activity_ids(ada, "C1"), activity_ids(ada, "L1")) == ([], ["T1"])


@pytest.mark.parametrize("gone", [{"IsDeleted": True}, {"Email": None}, {"Email": "b@x.com"}])
def test_without_its_leader_the_next_record_leads(ada: Store, gone: dict[str, Any]) -> None:
    ada.record_rows("Lead", [created("L2", 2)])
    ada.record_page("pardot", page(click("1", email="a@x.com")))
    settle_all(ada)
    ada.record_rows("Contact", [created("C1", 9, 1, **gone)])
    assert people(ada)["L1"] == ("L2",)
    assert activity_ids(ada, "L1") == ["1"]
    assert "L1" in dirty(ada)


def test_a_conversion_goes_before_the_address(ada: Store) -> None:
    ada.record_rows("Contact", [created("C2", 10, Email="b@x.com")])
    settle_all(ada)
    ada.record_rows("Lead", [created("L1", 1, 1, IsConverted=True, ConvertedContactId="C2")])
    assert people(ada) == {"C1": (), "C2": ("L1",)}
    assert dirty(ada) == ["C1", "C2"]


def test_what_was_merged_into_a_follower_goes_where_it_goes(ada: Store) -> None:
    ada.record_page("pardot", page(click("1", crm_id="L3")))
    ada.record_rows("Lead", [created("L3", 3, Email="c@x.com", IsDeleted=True, MasterRecordId="L1")])
    assert people(ada) == {"C1": ("L1", "L3")}
    settle_all(ada)
    ada.record_rows("Lead", [created("L1", 1, 1, Email="b@x.com")])
    assert people(ada) == {"C1": (), "L1": ("L3",)}
    assert activity_ids(ada, "L1") == ["1"]
    ada.record_rows("Lead", [created("L1", 1, 2)])
    assert people(ada) == {"C1": ("L1", "L3")}
    ada.remove_rows("Lead", ["L1"])
    assert people(ada) == {"C1": ()}


def test_an_undone_merge_of_two_records_with_one_address_leaves_them_joined(ada: Store) -> None:
    ada.record_rows("Contact", [created("C2", 10, IsDeleted=True, MasterRecordId="C1")])
    assert ada.counts()["aliases"] == ada.counts()["joined_by_email"] == 1
    ada.record_rows("Contact", [created("C2", 10, 1)])
    assert people(ada) == {"C1": ("C2", "L1")}
    assert ada.counts()["joined_by_email"] == 2


def test_a_follower_keeps_its_own_memory_for_when_it_is_alone_again(store: Store) -> None:
    joins(store)
    store.record_rows("Lead", [created("L1", 1)])
    settle(store, answered(store, "L1", decided("Engaged", memory={"since": "May"}), result=Result.APPLIED))
    store.record_rows("Contact", [created("C1", 9)])
    assert one(store, "C1").memory == {"stage": {"since": "May"}}  # it goes on from there
    settle(store, answered(store, "C1", decided("Customer", memory={"since": "June"}), result=Result.APPLIED))
    assert one(store, "C1").memory == {"stage": {"since": "June"}}
    assert [entry["person_id"] for entry in store.history("L1")] == ["C1", "L1"]
    assert store.people_by("stage") == {"Customer": 1}
    store.record_rows("Contact", [created("C1", 9, 1, Email="b@x.com")])
    assert one(store, "L1").memory == {"stage": {"since": "May"}}
    assert store.people_by("stage") == {"Customer": 1, "Engaged": 1}


def test_what_time_changes_and_what_was_refused_is_not_asked_of_followers(store: Store) -> None:
    store.record_rows("Lead", [created("L1", 1)])
    refused = answered(store, "L1", decided("Engaged"), result=Result.SET_ASIDE, code="NO", review_at=START)
    settle(store, refused)
    joins(store)
    store.record_rows("Contact", [created("C1", 9)])
    settle_all(store)
    assert store.mark_due(START) == 0
    assert store.set_aside() == []
    assert store.retry_set_aside() == 0


def test_accounts_are_as_far_as_their_leading_people(store: Store) -> None:
    store.record_rows("Contact", [created("C1", 1, AccountId="A1"), created("C2", 2, AccountId="A1")])
    for each in ("C1", "C2"):
        settle(store, answered(store, each, decided("Engaged", memory={"at": f"of {each}"})))
    joins(store)
    assert store.people_of_accounts(["A1"]) == {"A1": {"C1": ("of C1", "the rule")}}


def test_an_account_is_looked_at_when_one_of_its_people_follows_another_record_or_no_longer_does(store: Store) -> None:
    store.set_mapping_version("v1", rolls_up=True, joins=BY_EMAIL)
    store.record_rows("Account", [row("001A"), row("001B")])
    store.record_rows("Contact", [created("C1", 1, AccountId="001A"), created("C2", 2, Email=None, AccountId="001B")])
    for at, email in enumerate(["a@x.com", "b@x.com", "a@x.com"], 1):
        store.drop_dirty(store.next_dirty(100, of_accounts=True))
        store.record_rows("Contact", [created("C2", 2, at, Email=email, AccountId="001B")])
        assert "001B" in dict(store.next_dirty(100, of_accounts=True))


def test_a_mapping_that_begins_or_ceases_to_join_marks_whom_that_concerns(store: Store) -> None:
    store.record_rows("Lead", [created("L1", 1), created("L2", 2, Email="b@x.com")])
    store.record_rows("Contact", [created("C1", 9), created("C3", 9, Email=None)])
    settle_all(store)
    joins(store)
    assert (dirty(store), set(people(store))) == (["C1"], {"C1", "C3", "L2"})
    settle_all(store)
    joins(store, Identity(True, ("Lead",)))
    assert (dirty(store), set(people(store))) == (["L1"], {"C3", "L1", "L2"})
    settle_all(store)
    joins(store, Identity(True, ("Lead",)))
    assert dirty(store) == []
    joins(store, Identity())
    assert (dirty(store), set(people(store))) == (["C1", "L1"], {"C1", "C3", "L1", "L2"})
    assert store.joins() == Identity()


def test_an_address_of_too_many_records_joins_nobody(store: Store) -> None:
    joins(store, Identity(True, at_most=3))
    store.record_rows("Contact", [created(f"C{n}", n) for n in range(1, 4)])
    assert people(store) == {"C1": ("C2", "C3")}
    settle_all(store)
    store.record_rows("Lead", [created("L1", 1)])
    assert people(store) == {"C1": (), "C2": (), "C3": (), "L1": ()}
    assert dirty(store) == ["C1", "C2", "C3", "L1"]
    assert store.counts()["crowded_addresses"] == 1
    store.remove_rows("Lead", ["L1"])
    assert people(store) == {"C1": ("C2", "C3")}
    assert store.counts()["crowded_addresses"] == 0


def test_rows_of_a_crowded_address_are_counted_not_read(sqlite_store: Store, path: Path) -> None:
    joins(sqlite_store)
    sqlite_store.record_rows("Lead", [created(f"L{n:03}", 1, Email="info@x.com") for n in range(500)])
    with plans(path) as seen:
        sqlite_store.record_rows("Lead", [created("L001", 1, 1, Email="info@x.com", Title="new")])
    assert not any("record.fields" in text and "record.email IN" in text for text in seen)
    assert sqlite_store.counts()["joined_by_email"] == 0


def test_no_statement_that_joins_walks_a_table(sqlite_store: Store, path: Path) -> None:
    joins(sqlite_store)
    with plans(path) as seen:
        for at in range(3):
            sqlite_store.record_rows("Lead", [created(f"L{n}", n + 1, at, Email=f"{n % 2}@x.com") for n in range(4)])
            sqlite_store.record_rows("Contact", [created("C1", 9, at, Email=f"{at}@x.com")])
            sqlite_store.facts_of([each for each, _ in sqlite_store.next_dirty(100)])
        sqlite_store.remove_rows("Lead", ["L0"])
        sqlite_store.followers("C1")
    walking = {text: steps for text, steps in seen.items() if any(WALKS.search(step) for step in steps)}
    assert walking == {}
    assert any("HAVING" in text for text in seen)


def test_the_same_rows_once_more_ask_nothing_of_addresses(sqlite_store: Store, path: Path) -> None:
    joins(sqlite_store)
    rows = [created(f"L{n}", n + 1) for n in range(4)]
    sqlite_store.record_rows("Lead", rows)
    with plans(path) as seen:
        sqlite_store.record_rows("Lead", rows)
    assert not any("HAVING" in text or "identity" in text for text in seen)
