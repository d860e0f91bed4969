"""What remains of a decision: the latest of each track, the permanent log, the list of refused writes."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from connector.base.facts import Change, Decision, Outcome, RecordChange, Result, TrackDecision
from connector.store import Settled, Store
from tests.store.store_facts import START, answered, click, decided, dirty, one, page, prospect, row, settle


@pytest.fixture
def known(store: Store) -> Store:
    store.record_rows("Contact", [row("C1", stage__c="Suspect"), row("C2")])
    return store


def test_an_applied_change_is_what_stands_now_and_is_logged_for_ever(known: Store) -> None:
    settle(known, answered(known, "C1", decided("Engaged", "Suspect", memory={"n": 1}), result=Result.APPLIED))
    assert dirty(known) == ["C2"]
    assert known.people_by("stage") == {"": 1, "Engaged": 1}
    [latest] = known.latest("C1")
    evidence = [{"kind": "activity", "ref": "pardot:1", "text": "clicked the mail", "at": START.isoformat()}]
    assert latest == {
        "person_id": "C1",
        "track": "stage",
        "value": "Engaged",
        "current": "Suspect",
        "stands": "Engaged",
        "rule": "the rule",
        "verdict": "moves",
        "reason": "because",
        "evidence": evidence,
        "memory": {"n": 1},
        "since": START.isoformat(),
        "at": START.isoformat(),
        "cycle_id": 1,
        "mapping_version": "v1",
    }
    [entry] = known.history("C1")
    assert entry == {
        "id": 1,
        "person_id": "C1",
        "track": "stage",
        "at": START.isoformat(),
        "cycle_id": 1,
        "mapping_version": "v1",
        "result": "applied",
        "old": "Suspect",
        "new": "Engaged",
        "rule": "the rule",
        "reason": "because",
        "evidence": evidence,
        "object": "Contact",
        "record_id": "C1",
        "changes": [{"field": "stage__c", "old": "Suspect", "new": "Engaged"}],
        "code": "",
        "message": "",
    }


def test_what_salesforce_took_is_part_of_the_record_and_its_echo_marks_nobody(known: Store) -> None:
    settle(known, answered(known, "C1", decided("Engaged", "Suspect"), result=Result.APPLIED))
    assert one(known, "C1").fields["stage__c"] == "Engaged"
    assert known.record_rows("Contact", [row("C1", 60, stage__c="Engaged")]) == []
    assert dirty(known) == ["C2"]


@pytest.mark.parametrize("result", [Result.SET_ASIDE, Result.WAITING])
def test_what_salesforce_did_not_take_is_not_part_of_the_record(known: Store, result: Result) -> None:
    settle(known, answered(known, "C1", decided("Engaged", "Suspect"), result=result))
    assert one(known, "C1").fields["stage__c"] == "Suspect"
    assert known.people_by("stage") == {"": 1, "Suspect": 1}


def test_the_address_is_never_folded_in_so_that_its_change_is_seen(known: Store) -> None:
    change = RecordChange("C1", "Contact", "C1", (Change("other", "Email", None, "new@x.com"),))
    settle(known, Settled("C1", 1, Decision("C1", ()), (Outcome(change, Result.APPLIED),)))
    known.record_page("pardot", page(click("1", email="new@x.com")))
    assert known.record_rows("Contact", [row("C1", 1, stage__c="Suspect", Email="new@x.com")]) == ["C1"]
    assert [each.id for each in one(known, "C1").activities] == ["1"]


def test_people_waiting_stay_dirty_and_leave_no_log(known: Store) -> None:
    settle(known, answered(known, "C1", decided("Engaged"), result=Result.WAITING, code="UNABLE_TO_LOCK_ROW"))
    assert dirty(known) == ["C1", "C2"]
    assert known.history("C1") == []
    assert known.set_aside() == []


@pytest.mark.parametrize("result", [Result.SET_ASIDE, Result.WAITING])
def test_nothing_of_a_row_that_was_not_written_is_remembered(known: Store, result: Result) -> None:
    settle(known, answered(known, "C1", decided("A", memory={"n": 1}), result=Result.APPLIED))
    beside = decided("5", "5", track="score", verdict="stays", memory={"n": 3})
    first = answered(known, "C1", decided("A", "A", verdict="stays", memory={"n": 1}), beside)
    settle(known, first)
    refused = answered(known, "C1", decided("B", "A", memory={"n": 2}), result=result)
    settle(known, with_track(refused, beside._replace(memory={"n": 4})))
    assert one(known, "C1").memory == {"stage": {"n": 1}, "score": {"n": 3}}
    taken = answered(known, "C1", decided("B", "A", memory={"n": 2}), result=Result.APPLIED)
    settle(known, with_track(taken, beside._replace(memory={"n": 4})))
    assert one(known, "C1").memory == {"stage": {"n": 2}, "score": {"n": 4}}


def test_what_a_person_set_is_remembered_though_the_row_is_refused(known: Store) -> None:
    settle(known, answered(known, "C1", decided("New", "New", track="status", verdict="stays", memory={"n": 1})))
    by_hand = decided("Open", "Open", track="status", verdict="held", memory={"since": "then"})
    refused = answered(known, "C1", decided("B"), result=Result.SET_ASIDE, code="NO")
    settle(known, with_track(refused, by_hand))
    settle(known, with_track(refused, by_hand._replace(memory={"since": "later"})))
    assert one(known, "C1").memory == {"status": {"since": "then"}}


def with_track(settled: Settled, track: TrackDecision) -> Settled:
    """The same, with one more track, of which nothing was written."""
    decision = settled.decision._replace(tracks=(*settled.decision.tracks, track))
    return replace(settled, decision=decision)


def test_a_refused_change_is_on_the_list_and_logged_once_for_each_different_refusal(known: Store) -> None:
    refusals = [("A", "TOO_LONG", "too long"), ("A", "TOO_LONG", "too long"), ("A", "NO", "no"), ("B", "NO", "no")]
    for hours, (value, code, message) in enumerate(refusals):
        known.mark_dirty(["C1"])
        each = answered(known, "C1", decided(value), result=Result.SET_ASIDE, code=code, message=message)
        settle(known, each, cycle_id=hours, now=START + timedelta(hours=hours))
    assert dirty(known) == ["C2"]
    assert [(e["new"], e["code"], e["cycle_id"]) for e in known.history("C1")] == [
        ("B", "NO", 3),
        ("A", "NO", 2),
        ("A", "TOO_LONG", 0),
    ]
    assert known.set_aside() == [
        {
            "person_id": "C1",
            "record_id": "C1",
            "object": "Contact",
            "changes": [{"track": "stage", "field": "stage__c", "old": None, "new": "B"}],
            "code": "NO",
            "message": "no",
            "since": START.isoformat(),
            "last_at": (START + timedelta(hours=3)).isoformat(),
            "attempts": 4,
        }
    ]


def test_a_refused_change_leaves_the_list_when_it_is_taken_or_no_longer_wanted(known: Store) -> None:
    for last in (
        lambda: answered(known, "C1", decided("A"), result=Result.APPLIED),
        lambda: answered(known, "C1", decided("A", verdict="stays")),
    ):
        settle(known, answered(known, "C1", decided("A"), result=Result.SET_ASIDE, code="NO"))
        settle(known, answered(known, "C1", decided("A"), result=Result.WAITING))
        assert len(known.set_aside()) == 1
        settle(known, last())
        assert known.set_aside() == []


def test_refused_changes_are_tried_again_on_request(known: Store) -> None:
    for person_id in ("C1", "C2"):
        settle(known, answered(known, person_id, decided("A"), result=Result.SET_ASIDE, code="NO"))
    assert dirty(known) == []
    assert known.retry_set_aside(["C2", "C9"]) == 1
    assert dirty(known) == ["C2"]
    assert known.retry_set_aside() == 2
    assert dirty(known) == ["C1", "C2"]


def test_people_who_are_gone_are_not_on_the_list(known: Store) -> None:
    settle(known, answered(known, "C1", decided("A"), result=Result.SET_ASIDE, code="NO"))
    known.remove_rows("Contact", ["C1"])
    assert known.set_aside() == []
    assert known.retry_set_aside() == 0


def test_a_decision_that_did_not_change_keeps_the_time_since_when_it_is_so(known: Store) -> None:
    settle(known, answered(known, "C1", decided("A", "A", verdict="stays")), cycle_id=1)
    settle(known, answered(known, "C1", decided("A", "A", verdict="stays")), cycle_id=2, now=START + timedelta(days=1))
    [latest] = known.latest("C1")
    assert (latest["at"], latest["cycle_id"]) == (START.isoformat(), 1)


def test_every_changed_track_has_its_own_log_entry(known: Store) -> None:
    both = answered(known, "C1", decided("A"), decided("New", track="status"), result=Result.APPLIED)
    settle(known, both)
    assert sorted((e["track"], e["new"]) for e in known.history("C1")) == [("stage", "A"), ("status", "New")]


def test_a_field_of_no_decided_track_is_logged_by_its_own_values(known: Store) -> None:
    change = RecordChange("C1", "Contact", "C1", (Change("dates", "Entered__c", None, 5),))
    settle(known, Settled("C1", 1, Decision("C1", ()), (Outcome(change, Result.APPLIED),)))
    [entry] = known.history("C1")
    assert (entry["track"], entry["old"], entry["new"], entry["rule"]) == ("dates", None, "5", "")


def test_a_write_of_another_record_of_the_person_is_refused_by_itself(known: Store) -> None:
    known.record_rows("Account", [row("A1")])
    mine = answered(known, "C1", decided("A"), result=Result.APPLIED)
    account = RecordChange("C1", "Account", "A1", (Change("account", "Stage__c", None, "A"),))
    settle(
        known,
        Settled("C1", mine.seq, mine.decision, (*mine.outcomes, Outcome(account, Result.SET_ASIDE, "NO", "no"))),
    )
    assert [each["record_id"] for each in known.set_aside()] == ["A1"]
    assert one(known, "C1").fields["stage__c"] == "A"


def test_prospects_count_by_what_was_decided_for_nothing_stands_in_salesforce(known: Store) -> None:
    known.record_page("pardot", page(prospect("7", "p@x.com")))
    settle(known, answered(known, "pardot:7", decided("Engaged")), answered(known, "C1", decided(None)))
    assert known.people_by("stage") == {"": 2, "Engaged": 1}
    known.record_rows("Lead", [row("L1", Email="p@x.com")])
    assert known.people_by("stage") == {"": 3}


def test_people_are_found_by_ids_and_addresses_of_all_they_were(known: Store) -> None:
    lead, contact = "00Q000000000001EAA", "003000000000001AAA"
    known.record_rows("Contact", [row(contact, Email="New@x.com"), row("003000000000002AAA", Email="new@x.com")])
    known.record_rows("Lead", [row(lead, IsConverted=True, ConvertedContactId=contact, Email="old@x.com")])
    known.record_page("pardot", page(prospect("7", "alone@x.com"), prospect("8", crm_id=contact)))
    for query in (contact, contact[:15], lead, lead[:15], "old@x.com", "pardot:8"):
        assert known.find_people(query) == [contact], query
    assert known.find_people(" NEW@X.com ") == [contact, "003000000000002AAA"]
    assert known.find_people("alone@x.com") == known.find_people("pardot:7") == ["pardot:7"]
    for query in ("", "003000000000003", "003000000000001aaa", "nobody@x.com", "pardot:9", "%"):
        assert known.find_people(query) == [], query


def test_history_can_be_cut_short_and_outlives_the_person(known: Store) -> None:
    for value in ("A", "B", "C"):
        settle(known, answered(known, "C1", decided(value), result=Result.APPLIED))
    known.remove_rows("Contact", ["C1"])
    assert [each["new"] for each in known.history("C1", limit=2)] == ["C", "B"]
    assert len(known.history("C1")) == 3


def test_nothing_to_settle_is_nothing(known: Store) -> None:
    settle(known)
    known.drop_dirty([])
    assert dirty(known) == ["C1", "C2"]


def test_all_of_a_settling_happens_or_nothing(known: Store) -> None:
    good = answered(known, "C1", decided("A"), result=Result.APPLIED)
    bad = answered(known, "C2", decided("A", memory={"not": object()}), result=Result.APPLIED)
    with pytest.raises(TypeError):
        settle(known, good, bad)
    assert dirty(known) == ["C1", "C2"]
    assert known.latest("C1") == []
    assert known.history("C1") == []


def test_who_moved_last_and_still_stands_there(known: Store) -> None:
    known.record_rows("Contact", [row("C3")])
    for person_id, value in (("C1", "A"), ("C2", "A"), ("C3", "A"), ("C3", "B"), ("C1", "B"), ("C1", "A")):
        settle(known, answered(known, person_id, decided(value), result=Result.APPLIED))
    assert known.moved_to("stage", "A") == ["C1", "C2"]
    assert known.moved_to("stage", "A", limit=1) == ["C1"]
    assert known.moved_to("stage", "C") == []
