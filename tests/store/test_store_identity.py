"""A converted Lead is its Contact, a merge loser is its winner, whatever arrives first."""

from __future__ import annotations

from itertools import permutations

import pytest

from connector.base.facts import Result
from connector.store import Store
from tests.store.store_facts import (
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


def merged(loser: str, winner: str, at: int = 1, **fields: object) -> dict[str, object]:
    return row(loser, at, MasterRecordId=winner, **{"IsDeleted": True, **fields})


def converted(lead: str, contact: str | None, at: int = 1, **fields: object) -> dict[str, object]:
    return row(lead, at, IsConverted=True, ConvertedContactId=contact, **fields)


def test_everything_of_a_converted_lead_joins_the_contact(store: Store) -> None:
    store.record_rows("Lead", [row("L1", Email="old@x.com")])
    store.record_page("Task", page(click("T1", source="salesforce", crm_id="L1")))
    store.record_page(
        "pardot", page(click("1", email="old@x.com"), prospect("7", crm_id="L1"), click("2", prospect_id="7"))
    )
    store.record_rows("Contact", [row("C1", Email="new@x.com")])
    store.record_rows("Lead", [converted("L1", "C1", Email="old@x.com")])
    person = one(store, "C1")
    assert person.aliases == ("L1",)
    assert {each.id for each in person.activities} == {"T1", "1", "2"}
    assert [each.id for each in person.prospects] == ["7"]
    assert store.facts_of(["L1", "pardot:7"]) == []


def test_a_lead_converted_to_a_contact_never_read_waits_for_it(store: Store) -> None:
    store.record_rows("Lead", [converted("L1", "C1")])
    store.record_page("Task", page(click("T1", source="salesforce", crm_id="L1")))
    assert store.facts_of(["L1", "C1"]) == []
    assert dirty(store) == []
    store.record_rows("Contact", [row("C1")])
    assert activity_ids(store, "C1") == ["T1"]
    assert dirty(store) == ["C1"]


def test_a_lead_whose_contact_the_user_may_not_see_is_nobody(store: Store) -> None:
    store.record_rows("Lead", [converted("L1", None)])
    assert store.facts_of(["L1"]) == []


@pytest.mark.parametrize("order", list(permutations(range(4))))
def test_a_chain_of_merges_and_a_conversion_ends_at_the_last_whatever_arrives_first(
    store: Store, order: tuple[int, ...]
) -> None:
    rows = [
        ("Lead", merged("L1", "L2", Email="one@x.com")),
        ("Lead", converted("L2", "C1")),
        ("Contact", merged("C1", "C2")),
        ("Contact", row("C2")),
    ]
    store.record_page("pardot", page(click("1", crm_id="L1"), click("2", email="one@x.com"), click("3", crm_id="C1")))
    for index in order:
        object_name, fields = rows[index]
        store.record_rows(object_name, [fields])
    assert one(store, "C2").aliases == ("C1", "L1", "L2")
    assert activity_ids(store, "C2") == ["1", "2", "3"]
    assert store.find_people("L1") == store.find_people("C1") == store.find_people("one@x.com") == ["C2"]
    assert dirty(store) == ["C2"]


def test_a_circle_of_merges_is_nobody_and_does_not_hang(store: Store) -> None:
    store.record_rows("Contact", [merged("C1", "C2"), merged("C2", "C3"), merged("C3", "C1"), merged("C4", "C4")])
    assert store.facts_of(["C1", "C2", "C3", "C4"]) == []
    assert store.find_people("C1") == []


def test_an_undone_merge_makes_two_people_again(store: Store) -> None:
    store.record_rows("Contact", [row("C1"), row("C2")])
    store.record_page("pardot", page(click("1", crm_id="C1")))
    store.record_rows("Contact", [merged("C1", "C2")])
    assert activity_ids(store, "C2") == ["1"]
    settle_all(store)
    store.record_rows("Contact", [row("C1", 2)])
    assert dirty(store) == ["C1", "C2"]
    assert activity_ids(store, "C1") == ["1"]
    assert one(store, "C2").aliases == ()


def test_a_winner_that_is_merged_on_takes_its_losers_along(store: Store) -> None:
    store.record_rows("Contact", [merged("C1", "C2"), row("C2"), row("C3")])
    store.record_page("pardot", page(click("1", crm_id="C1")))
    settle_all(store)
    store.record_rows("Contact", [merged("C2", "C3")])
    assert one(store, "C3").aliases == ("C1", "C2")
    assert activity_ids(store, "C3") == ["1"]
    assert dirty(store) == ["C3"]


def test_a_loser_s_roles_count_for_the_winner(store: Store) -> None:
    store.record_rows("Opportunity", [row("O1")])
    store.record_rows("OpportunityContactRole", [role("R1", "O1", "C1")])
    store.record_rows("Contact", [row("C2"), merged("C1", "C2")])
    assert [each.role_id for each in one(store, "C2").opportunities] == ["R1"]


def test_a_prospect_whose_contact_loses_its_winner_is_a_person_again(store: Store) -> None:
    store.record_rows("Contact", [row("C2"), merged("C1", "C2", Email="a@x.com")])
    store.record_page("pardot", page(prospect("7", crm_id="C1"), prospect("8", "a@x.com")))
    settle_all(store)
    store.record_rows("Contact", [row("C2", 2, IsDeleted=True)])
    assert dirty(store) == ["pardot:7", "pardot:8"]


def test_the_history_and_the_memory_of_a_lead_go_on_with_its_contact(store: Store) -> None:
    store.record_rows("Lead", [row("L1")])
    settle(store, answered(store, "L1", decided("Engaged", memory={"since": "May"}), result=Result.APPLIED))
    store.record_rows("Contact", [row("C1")])
    store.record_rows("Lead", [converted("L1", "C1")])
    assert one(store, "C1").memory == {"stage": {"since": "May"}}
    assert [entry["person_id"] for entry in store.history("C1")] == ["L1"]
    settle(store, answered(store, "C1", decided("Customer", memory={"since": "June"}), result=Result.APPLIED))
    assert one(store, "C1").memory == {"stage": {"since": "June"}}
    assert [entry["person_id"] for entry in store.history("L1")] == ["C1", "L1"]


def test_a_circle_that_is_mended_leaves_its_other_rows_merged(store: Store) -> None:
    store.record_rows("Contact", [merged("C1", "C2"), merged("C2", "C1")])
    store.record_rows("Contact", [row("C2", 2)])
    assert one(store, "C2").aliases == ("C1",)
