"""Who else an activity is with: whatever comes first, the same people have it, and whoever it concerns is marked."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import pytest

from connector.base.facts import Activity, Direction
from connector.store import Store
from tests.store.store_facts import START, page, row, settle_all

EVENT, MAIL, TASK = "00U1", "02s1", "00T1"


def meeting(who: str | None = None) -> Activity:
    return Activity("salesforce", EVENT, "meeting", Direction.OUTBOUND, START, "Demo", crm_id=who)


def mail(task: str = TASK) -> Activity:
    told = {"ActivityId": task, "Incoming": True}
    return Activity("salesforce", MAIL, "email_reply", Direction.INBOUND, START, "Hi", told, email="ann@x.com")


def invited(relation: str, who: str, status: str = "New", at: int = 0) -> dict[str, Any]:
    return row(relation, at, EventId=EVENT, RelationId=who, Status=status)


def wrote(relation: str, who: str, how: str = "FromAddress") -> dict[str, Any]:
    return row(relation, EmailMessageId=MAIL, RelationId=who, RelationType=how)


def kinds(store: Store, *people: str) -> dict[str, list[str]]:
    return {each.id: [activity.kind for activity in each.activities] for each in store.facts_of(people)}


def contacts(store: Store, *names: str) -> None:
    store.record_rows("Contact", [row(each, Email=f"{each.lower()}@x.com") for each in names])


def test_an_event_its_invitees_and_their_contacts_come_in_any_order(store: Store) -> None:
    steps = {
        "contacts": lambda: contacts(store, "Ann", "Bob", "Cleo"),
        "event": lambda: store.record_page("Event", page(meeting("Ann"))),
        "relations": lambda: store.record_rows(
            "EventRelation", [invited("E1", "Ann", "Declined"), invited("E2", "Bob"), invited("E3", "Cleo", "Maybe")]
        ),
    }
    for number, order in enumerate(permutations(steps)):
        if number:
            store.remove_rows("Event", [EVENT])
            store.remove_rows("EventRelation", ["E1", "E2", "E3"])
            for name in ("Ann", "Bob", "Cleo"):
                store.remove_rows("Contact", [name])
            settle_all(store)
        for step in order:
            steps[step]()
        assert kinds(store, "Ann", "Bob", "Cleo") == {"Ann": [], "Bob": ["meeting"], "Cleo": ["meeting"]}, order
        assert {each for each, _ in store.next_dirty(10)} >= {"Bob", "Cleo"}, order


@pytest.mark.parametrize("change", ["answer", "moved", "taken off", "deleted"])
def test_whoever_is_invited_is_marked_when_something_of_the_event_changes(store: Store, change: str) -> None:
    contacts(store, "Ann", "Bob", "Dan")
    store.record_page("Event", page(meeting()))
    store.record_rows("EventRelation", [invited("E1", "Ann"), invited("E2", "Bob")])
    settle_all(store)
    if change == "answer":
        store.record_rows("EventRelation", [invited("E1", "Ann", "Declined", at=9)])
    elif change == "moved":
        later = Activity("salesforce", EVENT, "meeting_no_show", Direction.OUTBOUND, START, "Demo")
        store.record_page("Event", page(later))
    elif change == "taken off":
        store.remove_rows("EventRelation", ["E1"])
    else:
        store.remove_rows("Event", [EVENT])
    expected = {"answer": {"Ann"}, "taken off": {"Ann"}}.get(change, {"Ann", "Bob"})
    assert {each for each, _ in store.next_dirty(10)} == expected


def test_who_is_invited_as_lead_and_as_contact_has_the_event_once_and_declines_only_as_both(store: Store) -> None:
    converted: dict[str, Any] = {"IsConverted": True, "ConvertedContactId": "Ann"}
    contacts(store, "Ann")
    store.record_rows("Lead", [row("Lea", Email="lea@x.com", **converted)])
    store.record_page("Event", page(meeting()))
    store.record_rows("EventRelation", [invited("E1", "Ann"), invited("E2", "Lea", "Declined")])
    assert kinds(store, "Ann") == {"Ann": ["meeting"]}
    store.record_rows("EventRelation", [invited("E1", "Ann", "Declined", at=9)])
    assert kinds(store, "Ann") == {"Ann": []}


def test_a_mail_its_task_and_its_people_come_in_any_order(store: Store) -> None:
    sent = Activity("salesforce", TASK, "email_sent", Direction.OUTBOUND, START, "Hi", crm_id="Ann")
    steps = {
        "mail": lambda: store.record_page("EmailMessage", page(mail())),
        "task": lambda: store.record_page("Task", page(sent)),
        "people": lambda: store.record_rows(
            "EmailMessageRelation",
            [wrote("M1", "Ann"), wrote("M2", "Bob", "CcAddress"), wrote("M3", "Ann", "ToAddress")],
        ),
    }
    contacts(store, "Ann", "Bob")
    for order in permutations(steps):
        for step in order:
            steps[step]()
        assert kinds(store, "Ann", "Bob") == {"Ann": ["email_reply"], "Bob": ["email_sent"]}, order
        store.remove_rows("EmailMessage", [MAIL])
        assert kinds(store, "Ann", "Bob") == {"Ann": ["email_sent"], "Bob": []}, order
        store.remove_rows("Task", [TASK])


def test_a_merged_person_account_is_the_contact_of_the_account_that_is_left(store: Store) -> None:
    contacts(store, "Ann", "Bob", "Cleo")
    gone = {"IsDeleted": True, "IsPersonAccount": True, "MasterRecordId": None}
    store.record_rows("Contact", [{**row("Bob", 9, Email="bob@x.com"), **gone, "Account.PersonContactId": "Ann"}])
    kept = {"Account.PersonContactId": "Cleo", "Account.MasterRecord.PersonContactId": "Ann"}
    store.record_rows("Contact", [{**row("Cleo", 9, Email="cleo@x.com"), **gone, **kept}])
    [ann] = store.facts_of(["Ann"])
    assert ann.aliases == ("Bob", "Cleo")
    store.record_rows("Contact", [{**row("Dan", 9), **gone, "Account.PersonContactId": "Dan"}])
    assert store.facts_of(["Dan"]) == []
