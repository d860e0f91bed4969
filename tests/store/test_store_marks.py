"""Who must be decided again: exactly those whose facts became different."""

from __future__ import annotations

from datetime import timedelta

import pytest

from connector.base.clock import FrozenClock
from connector.base.facts import Prospect, Result
from connector.store import Store
from tests.store.store_facts import (
    START,
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


@pytest.fixture
def known(store: Store) -> Store:
    """Two contacts at one account, one of them on an opportunity; everybody settled."""
    store.record_rows("Account", [row("A1")])
    store.record_rows("Contact", [row("C1", Email="a@x.com", AccountId="A1"), row("C2", AccountId="A1")])
    store.record_rows("Opportunity", [row("O1", StageName="New")])
    store.record_rows("OpportunityContactRole", [role("R1", "O1", "C1")])
    settle_all(store)
    assert dirty(store) == []
    return store


def test_a_new_row_and_a_different_one_mark_the_person(store: Store) -> None:
    assert store.record_rows("Contact", [row("C1"), row("C2")]) == ["C1", "C2"]
    settle_all(store)
    assert store.record_rows("Contact", [row("C1"), row("C2", 1, Title="CEO")]) == ["C2"]
    assert dirty(store) == ["C2"]


def test_our_own_write_coming_back_is_no_news_but_its_stamp_is_kept(known: Store) -> None:
    echo = row("C1", 60, Email="a@x.com", AccountId="A1", LastModifiedDate="2026-03-01T00:01:00.000+0000")
    assert known.record_rows("Contact", [echo]) == []
    assert dirty(known) == []
    assert one(known, "C1").fields == echo


def test_an_older_row_never_overwrites_a_newer_one(known: Store) -> None:
    known.record_rows("Contact", [row("C1", 60, Email="b@x.com")])
    settle_all(known)
    assert known.record_rows("Contact", [row("C1", 30, Email="late@x.com")]) == []
    assert one(known, "C1").fields["Email"] == "b@x.com"


def test_stamps_are_compared_as_times(known: Store) -> None:
    known.record_rows("Contact", [{**row("C1"), "SystemModstamp": "2026-03-01T10:00:00+02:00", "Title": "new"}])
    assert known.record_rows("Contact", [{**row("C1"), "SystemModstamp": "2026-03-01T08:30:00Z"}]) == ["C1"]


def test_the_same_stamp_with_more_fields_is_taken(known: Store) -> None:
    assert known.record_rows("Contact", [row("C2", AccountId="A1", Region__c="North")]) == ["C2"]
    assert one(known, "C2").fields["Region__c"] == "North"


def test_of_a_row_twice_in_a_page_the_newer_counts(store: Store) -> None:
    store.record_rows("Contact", [row("C1", 2, Title="new"), row("C1", 1, Title="old")])
    assert one(store, "C1").fields["Title"] == "new"


def test_an_opportunity_marks_the_contacts_of_its_roles(known: Store) -> None:
    known.record_rows("Opportunity", [row("O1", 1, StageName="Won")])
    assert dirty(known) == ["C1"]


def test_an_account_marks_its_contacts(known: Store) -> None:
    known.record_rows("Account", [row("A1", 1, Industry="Steel")])
    assert dirty(known) == ["C1", "C2"]


def test_a_role_that_moves_marks_the_old_and_the_new_contact(known: Store) -> None:
    known.record_rows("OpportunityContactRole", [role("R1", "O1", "C2", 1)])
    assert dirty(known) == ["C1", "C2"]


def test_roles_replaced_are_exactly_those_given(known: Store) -> None:
    assert known.replace_roles(["O1"], [role("R2", "O1", "C2")]) == 2
    assert dirty(known) == ["C1", "C2"]
    assert one(known, "C1").opportunities == ()
    assert [each.role_id for each in one(known, "C2").opportunities] == ["R2"]
    assert known.replace_roles(["O1"], [role("R2", "O1", "C2")]) == 0
    assert known.replace_roles(["O1"], [role("R1", "O1", "C1"), role("R2", "O1", "C2")]) == 1
    assert [each.role_id for each in one(known, "C1").opportunities] == ["R1"]


def test_roles_of_other_opportunities_stay(known: Store) -> None:
    assert known.replace_roles(["O9"], []) == 0
    assert [each.role_id for each in one(known, "C1").opportunities] == ["R1"]


def test_a_removed_role_marks_its_contact_and_a_removed_opportunity_those_of_its_roles(known: Store) -> None:
    assert known.remove_rows("OpportunityContactRole", ["R1", "R9"], cursor=("roles", {"at": 1})) == 1
    assert dirty(known) == ["C1"]
    assert known.cursor("roles") == {"at": 1}
    known.record_rows("OpportunityContactRole", [role("R1", "O1", "C1", 1)])
    settle_all(known)
    assert known.remove_rows("Opportunity", ["O1"]) == 1
    assert dirty(known) == ["C1"]
    assert one(known, "C1").opportunities == ()


def test_ids_of_another_object_are_not_removed(known: Store) -> None:
    assert known.remove_rows("Lead", ["C1"]) == 0
    assert one(known, "C1").id == "C1"


def test_a_removed_row_comes_back_when_it_is_seen_again_but_not_by_an_older_page(known: Store) -> None:
    known.record_rows("Contact", [row("C1", 5, Email="a@x.com")])
    known.remove_rows("Contact", ["C1"])
    known.record_rows("Contact", [row("C1", 4, Email="a@x.com")])
    assert known.facts_of(["C1"]) == []
    known.record_rows("Contact", [row("C1", 5, Email="a@x.com")])
    assert one(known, "C1").id == "C1"


def test_an_activity_marks_whom_it_belongs_to_and_the_same_again_nobody(known: Store) -> None:
    assert known.record_page("pardot", page(click("1", crm_id="C2"), click("2", email="A@x.com"))) == 2
    assert dirty(known) == ["C1", "C2"]
    settle_all(known)
    assert known.record_page("pardot", page(click("1", crm_id="C2"), click("2", email="A@x.com"), at=9)) == 0
    assert dirty(known) == []
    assert known.cursor("pardot") == {"at": 9}


def test_an_activity_that_turns_out_to_be_somebody_else_s_marks_both(known: Store) -> None:
    known.record_page("pardot", page(click("1", crm_id="C1")))
    settle_all(known)
    known.record_page("pardot", page(click("1", crm_id="C2")))
    assert dirty(known) == ["C1", "C2"]


def test_an_activity_taken_back_marks_whom_it_belonged_to(known: Store) -> None:
    known.record_page("pardot", page(click("1", crm_id="C1")))
    known.record_page("Task", page(click("T1", source="salesforce", crm_id="C2")))
    settle_all(known)
    assert known.record_page("pardot", page(removed=["1", "9"])) == 1
    assert dirty(known) == ["C1"]
    assert known.record_page("Task", page(removed=["T1"])) == 1
    assert dirty(known) == ["C1", "C2"]


def test_a_deleted_task_removes_its_activity(known: Store) -> None:
    known.record_page("Task", page(click("T1", source="salesforce", crm_id="C2")))
    settle_all(known)
    assert known.remove_rows("Task", ["T1"]) == 1
    assert dirty(known) == ["C2"]
    assert one(known, "C2").activities == ()


def test_whom_a_late_match_concerns_is_marked(known: Store) -> None:
    known.record_page(
        "pardot", page(click("1", email="b@x.com"), prospect("7", "c@x.com"), click("2", prospect_id="7"))
    )
    settle_all(known)
    known.record_rows("Contact", [row("C2", 1, Email="b@x.com", AccountId="A1")])
    assert dirty(known) == ["C2"]
    assert [each.id for each in one(known, "C2").activities] == ["1"]
    settle_all(known)
    known.record_page("pardot", page(prospect("7", "c@x.com", "C1")))
    assert dirty(known) == ["C1"]
    assert [each.id for each in one(known, "C1").activities] == ["2"]


def test_a_prospect_left_by_its_person_is_marked(known: Store) -> None:
    known.record_page("pardot", page(prospect("7", "a@x.com")))
    settle_all(known)
    known.record_rows("Contact", [row("C1", 1, Email="other@x.com", AccountId="A1")])
    assert dirty(known) == ["C1"], "an address that was corrected is hers still"
    settle_all(known)
    known.record_rows("Contact", [row("C2", 1, Email="a@x.com", AccountId="A1")])
    assert dirty(known) == ["C1", "C2"], "until somebody else has it"
    settle_all(known)
    known.record_rows("Contact", [row("C2", 2, Email=None, IsDeleted=True)])
    assert "C1" in dirty(known)


def test_a_full_read_removes_what_it_did_not_see(known: Store) -> None:
    known.record_rows("Contact", [row("C1", Email="a@x.com", AccountId="A1")], generation=2)
    assert dirty(known) == []
    assert known.sweep("Contact", 2) == 1
    assert [each.id for each in known.facts_of(["C1", "C2"])] == ["C1"]
    assert known.sweep("Contact", 2) == 0


def test_a_full_read_of_tasks_removes_only_tasks(known: Store) -> None:
    seen, gone = click("T1", source="salesforce", crm_id="C1"), click("T2", source="salesforce", crm_id="C2")
    known.record_page("Task", page(seen, gone))
    known.record_page("Event", page(click("E1", source="salesforce", crm_id="C1")))
    known.record_page("pardot", page(click("1", crm_id="C1")))
    settle_all(known)
    assert known.record_page("Task", page(seen), generation=1) == 0
    assert known.sweep("Task", 1) == 1
    assert dirty(known) == ["C2"]
    assert {each.id for each in one(known, "C1").activities} == {"T1", "E1", "1"}


def test_a_row_that_changes_without_a_full_read_keeps_its_generation(known: Store) -> None:
    known.record_rows("Contact", [row("C1"), row("C2")], generation=2)
    known.record_rows("Contact", [row("C1", 9, Title="CEO")])
    assert known.sweep("Contact", 2) == 0


def test_a_mark_made_while_a_person_is_written_stays(known: Store) -> None:
    known.mark_dirty(["C1"])
    being_written = answered(known, "C1", decided("Engaged"), result=Result.APPLIED)
    known.record_rows("Contact", [row("C1", 1, Title="CEO")])
    settle(known, being_written)
    assert dirty(known) == ["C1"]


def test_a_mark_is_never_the_same_as_an_earlier_one(known: Store) -> None:
    known.mark_dirty(["C1"])
    [(_, first)] = known.next_dirty(1)
    known.drop_dirty([("C1", first)])
    known.mark_dirty(["C1"])
    known.drop_dirty([("C1", first)])
    assert dirty(known) == ["C1"]


def test_dirty_people_come_in_pages_in_order_of_id(known: Store) -> None:
    known.mark_dirty(["b", "c", "a"])
    assert known.dirty_count() == 3
    assert [person_id for person_id, _ in known.next_dirty(2)] == ["a", "b"]
    assert [person_id for person_id, _ in known.next_dirty(2, after="b")] == ["c"]
    assert known.next_dirty(2, after="c") == []


def test_everybody_means_contacts_open_leads_and_prospects_without_a_record(known: Store) -> None:
    known.record_rows("Lead", [row("L1"), row("L2", IsConverted=True), row("L3", IsDeleted=True)])
    known.record_page("pardot", page(prospect("7", "a@x.com"), prospect("8", "z@x.com")))
    settle_all(known)
    assert known.mark_all_dirty() == 4
    assert dirty(known) == ["C1", "C2", "L1", "pardot:8"]
    settle_all(known)
    assert known.mark_all_dirty(object_name="Lead") == 1
    assert known.people_in(object_name="Contact") == ["C1", "C2"]
    assert known.people_in(object_name="Prospect") == ["pardot:8"]
    assert known.people_in(object_name="Opportunity") == []


def test_since_finds_people_by_any_of_their_facts(store: Store, clock: FrozenClock) -> None:
    contacts = [row(f"C{number}", Email=f"{number}@x.com", AccountId=f"A{number}") for number in range(8)]
    store.record_rows("Contact", contacts)
    clock.at = START
    store.record_page("pardot", page(prospect("6", crm_id="C6"), click("old", crm_id="C7")))
    store.record_rows("Contact", [row("C0", 60)])
    store.record_rows("Account", [row("A1", 60)])
    store.record_rows("Opportunity", [row("O2", 60), row("O3")])
    store.record_rows("OpportunityContactRole", [role("R2", "O2", "C2"), role("R3", "O3", "C3", 60)])
    store.record_page("Task", page(click("T1", source="salesforce", crm_id="C4", at=60)))
    store.record_page("files", page(click("1", source="files", email="5@x.com", at=60)))
    clock.at = START + timedelta(seconds=60)
    store.record_page("pardot", page(prospect("6", crm_id="C6", attributes={"score": 1}), prospect("9", "new@x.com")))
    since = START + timedelta(seconds=60)
    assert store.people_in(since=since) == ["C0", "C1", "C2", "C3", "C4", "C5", "C6", "pardot:9"]
    assert store.people_in(object_name="Prospect", since=since) == ["pardot:9"]
    settle_all(store)
    assert store.mark_all_dirty(object_name="Contact", since=since) == 7
    assert dirty(store) == ["C0", "C1", "C2", "C3", "C4", "C5", "C6"]


def test_people_are_due_once_when_their_time_comes(known: Store) -> None:
    known.mark_dirty(["C1", "C2"])
    at = START + timedelta(days=30)
    settle(known, answered(known, "C1", decided("Engaged"), review_at=at), answered(known, "C2", decided("Engaged")))
    assert known.mark_due(at - timedelta(seconds=1)) == 0
    assert known.mark_due(at) == 1
    assert dirty(known) == ["C1"]
    settle_all(known)
    assert known.mark_due(at) == 0


def test_people_who_are_gone_are_not_due(known: Store) -> None:
    known.mark_dirty(["C1"])
    settle(known, answered(known, "C1", decided("Engaged"), review_at=START))
    known.remove_rows("Contact", ["C1"])
    assert known.mark_due(START) == 0


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (prospect("7", crm_id="C1"), prospect("7", crm_id="C2")),
        (prospect("7", "a@x.com"), prospect("7", crm_id="C2")),
        (prospect("7", crm_id="C2"), prospect("7", "a@x.com")),
    ],
)
def test_a_prospect_that_turns_out_to_be_somebody_else_marks_both(
    known: Store, before: Prospect, after: Prospect
) -> None:
    known.record_page("pardot", page(before, click("1", prospect_id="7")))
    settle_all(known)
    known.record_page("pardot", page(after))
    assert dirty(known) == ["C1", "C2"]


def test_a_prospect_that_loses_its_person_is_marked_itself(known: Store) -> None:
    known.record_page("pardot", page(prospect("7", crm_id="C1")))
    settle_all(known)
    known.record_page("pardot", page(prospect("7", "z@x.com")))
    assert dirty(known) == ["C1", "pardot:7"]


@pytest.mark.parametrize("way", ["removed", "swept"])
def test_prospects_of_a_contact_that_is_gone_are_people_again(known: Store, way: str) -> None:
    known.record_page("pardot", page(prospect("7", crm_id="C1"), prospect("8", "a@x.com")))
    settle_all(known)
    if way == "removed":
        known.remove_rows("Contact", ["C1"])
    else:
        known.record_rows("Contact", [row("C2", AccountId="A1")], generation=1)
        known.sweep("Contact", 1)
    assert dirty(known) == ["pardot:7", "pardot:8"]
    assert [each.id for each in known.facts_of(["C1", "pardot:7", "pardot:8"])] == ["pardot:7", "pardot:8"]


def test_a_merge_loser_that_the_delete_log_lists_too_stays_its_winner(known: Store) -> None:
    known.record_rows("Contact", [row("C2", 1, IsDeleted=True, MasterRecordId="C1")])
    known.remove_rows("Contact", ["C2"])
    assert one(known, "C1").aliases == ("C2",)
