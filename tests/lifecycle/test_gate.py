"""The movement gate: forward only, named exceptions, grace, cool-off, locks, manual values."""

from __future__ import annotations

from dataclasses import replace

import pytest

from connector.lifecycle import decide, plan
from connector.mapping import loads
from tests.lifecycle.someone import DAY, NOW, deal, did, person, stage_of, stamp, track, written

LADDER = """
stages:
  - {name: Suspect, when: {email: present}}
  - {name: Engaged, when: {activity: inbound}}
  - {name: Qualified, set_by: people}
  - {name: Opportunity, when: {opportunity: %s}}
  - {name: Customer, when: {opportunity: won}}
  - {name: Disqualified, set_by: people, funnel: false}
"""
ANY, OPEN = LADDER % "any", LADDER % "open"
ALL_LOST = "moves:\n  - {name: lost, from: Opportunity, to: Engaged, when: {opportunity: all_lost}, after: 30d}\n"


def edited(someone, stage):
    return replace(someone, fields={**someone.fields, "Lifecycle_Stage__c": stage})


def with_deals(someone, *deals):
    return replace(someone, opportunities=deals)


def test_a_stage_only_moves_forward_and_says_so():
    decided = track(decide(person("Customer", deals=[deal("open")]), loads(ANY), NOW))
    assert (decided.value, decided.verdict, decided.rule) == ("Customer", "held", "")
    assert decided.reason == "forward only: the rules say Opportunity"


def test_a_named_exception_leads_back_when_its_grace_period_is_over():
    mapping = loads(OPEN + ALL_LOST)
    someone, _ = written(person(deals=[deal("open")]), mapping)
    lost = with_deals(someone, deal("lost", ago=0.4))
    lost, waiting = written(lost, mapping)
    assert track(waiting).value == "Opportunity"
    assert waiting.review_at == NOW.replace(hour=0) + 30 * DAY
    moved = track(decide(lost, mapping, waiting.review_at))
    assert (moved.value, moved.rule, moved.verdict) == ("Engaged", "lost", "moves")
    assert moved.evidence[0].kind == "opportunity"


@pytest.mark.parametrize("ladder", [ANY, OPEN])
def test_after_an_exception_nobody_goes_to_and_fro(ladder):
    mapping = loads(ladder + ALL_LOST)
    someone = person("Opportunity", deals=[deal("lost", ago=90)])
    for days in range(5):
        someone, decision = written(someone, mapping, NOW + days * DAY)
        assert track(decision).value == "Engaged"
    assert (
        stage_of(with_deals(someone, deal("lost", ago=90), deal("open", "2")), mapping, NOW + 9 * DAY) == "Opportunity"
    )


@pytest.mark.parametrize("ladder", [ANY, OPEN])
@pytest.mark.parametrize("after", ["", ", after: 30d"])
def test_a_deal_reopened_after_the_return_leads_forward_at_once_however_often(ladder, after):
    mapping = loads(ladder + ALL_LOST.replace(", after: 30d", after))
    someone, day = person(), 0
    for _ in range(3):
        for state, stage in (("open", "Opportunity"), ("lost", "Engaged")):
            day += 40
            someone, _ = written(with_deals(someone, deal(state, ago=45 - day)), mapping, NOW + day * DAY)
            day += 40
            someone, decision = written(someone, mapping, NOW + day * DAY)
            assert track(decision).value == stage


def test_a_reopened_deal_needs_no_decision_in_between():
    mapping = loads(ANY + ALL_LOST)
    someone, _ = written(with_deals(person(), deal("open")), mapping)
    someone, decision = written(with_deals(someone, deal("lost")), mapping, NOW + 40 * DAY)
    assert track(decision).value == "Engaged"
    assert stage_of(with_deals(someone, deal("open")), mapping, NOW + 41 * DAY) == "Opportunity"


def test_a_move_that_asks_since_when_somebody_stood_there_is_explained_from_elsewhere_too():
    ladder = ANY.replace("name: Disqualified, set_by: people", "name: Disqualified, when: {country: XX}")
    back = (
        "moves: [{name: back, from: Disqualified, to: Engaged, when: {activity: {direction: inbound, since: stage}}}]\n"
    )
    mapping = loads(ladder + back)
    someone, _ = written(person("Suspect"), mapping)
    someone = replace(someone, fields={**someone.fields, "MailingCountry": "XX"}, activities=(did("form_submit", -1),))
    for day in (2, 3):
        someone, decision = written(someone, mapping, NOW + day * DAY)
        assert track(decision).value in {"Engaged", "Disqualified"}


def test_what_a_converted_lead_brings_along_is_the_doing_of_no_rule():
    mapping = loads(ANY)
    someone, _ = written(person("Qualified", object_name="Lead"), mapping)
    contact = replace(person(), memory=someone.memory, aliases=(someone.id,))
    decided = track(decide(contact, mapping, NOW))
    assert (decided.value, decided.verdict, decided.rule) == ("Qualified", "moves", "")


@pytest.mark.parametrize(
    ("before", "there", "after"),
    [
        ("Qualified", "Suspect", "Qualified"),
        ("Suspect", "Qualified", "Qualified"),
        ("Disqualified", "Customer", "Customer"),
        ("Disqualified", None, "Disqualified"),
        ("Customer", "Disqualified", "Disqualified"),
    ],
)
def test_two_records_of_one_human_are_at_the_furthest_stage_of_the_funnel(before, there, after):
    mapping = loads(ANY)
    someone, _ = written(person(before, object_name="Lead"), mapping)
    contact = replace(person(there), memory=someone.memory, aliases=(someone.id,))
    assert stage_of(contact, mapping) == after


def test_a_backfill_finds_the_grace_period_over_from_the_closing_date():
    assert stage_of(person(deals=[deal("lost", ago=90)]), loads(ANY + ALL_LOST)) == "Engaged"
    assert stage_of(person(deals=[deal("lost", ago=9)]), loads(ANY + ALL_LOST)) == "Opportunity"


def test_moves_that_lead_in_a_circle_hold_the_person():
    circle = "moves:\n  - {from: Suspect, to: Engaged, when: always}\n  - {from: Engaged, to: Suspect, when: always}\n"
    decided = track(decide(person("Suspect"), loads(ANY + circle), NOW))
    assert (decided.value, decided.verdict) == ("Suspect", "held")
    assert "round in a circle" in decided.reason


def test_a_cool_off_keeps_a_person_where_they_are_for_a_while():
    back = "moves: [{from: Disqualified, to: Engaged, when: {condition: new interest}, cool_off: 30d}]\n"
    back += "conditions: {new interest: {activity: {direction: inbound, since: stage}}}\n"
    mapping = loads(OPEN + back)
    someone, _ = written(person("Disqualified", did=[did("email_click", 9)]), mapping)
    assert stage_of(someone, mapping, NOW + 31 * DAY) == "Disqualified", "the click was before"
    interested = replace(someone, activities=(*someone.activities, did("form_submit", -2)))
    settled, decision = written(interested, mapping, NOW + 3 * DAY)
    assert decision.review_at == NOW + 30 * DAY
    assert stage_of(settled, mapping, NOW + 29 * DAY) == "Disqualified"
    assert stage_of(settled, mapping, NOW + 30 * DAY) == "Engaged"


def test_a_returned_person_stays_until_the_rules_say_more_than_they_did():
    back = "moves: [{from: Disqualified, to: Suspect, when: {activity: {direction: inbound, since: stage}}}]\n"
    mapping = loads(ANY + back)
    someone, _ = written(person("Disqualified", deals=[deal("lost")]), mapping)
    someone = replace(someone, activities=(did("form_submit", -1),))
    someone, decision = written(someone, mapping, NOW + 2 * DAY)
    assert track(decision).value == "Suspect"
    assert stage_of(someone, mapping, NOW + 9 * DAY) == "Suspect", "the old deal does not count"
    assert stage_of(with_deals(someone, deal("won", "2")), mapping, NOW + 9 * DAY) == "Customer"


def test_a_held_value_says_who_gave_it_and_how_long_it_stays():
    def held(manual, someone, now=NOW):
        decided = track(decide(someone, loads(ANY + manual), now))
        assert (decided.value, decided.verdict) == ("Suspect", "held")
        return decided.reason

    someone, _ = written(person(deals=[deal("open")]), loads(ANY))
    someone, day = edited(someone, "Suspect"), f"{NOW:%Y-%m-%d}"
    assert held("", someone).startswith(f"set by a person on {day}")
    assert held("", someone).endswith("and stays until something newer leads further")
    assert held("gate: {stage: {manual: forever}}\n", someone).endswith(", and stays")
    assert held("gate: {stage: {manual: 5d}}\n", someone).endswith("and stays for 5 days")
    back = "moves: [{from: Disqualified, to: Suspect, when: {activity: {direction: inbound, since: stage}}}]\n"
    someone, _ = written(person("Disqualified", deals=[deal("lost")]), loads(ANY + back))
    someone, _ = written(replace(someone, activities=(did("form_submit", -1),)), loads(ANY + back), NOW + DAY)
    reason = held(back, someone, NOW + 9 * DAY)
    assert reason.startswith("returned on ")
    assert reason.endswith("and stays until something new leads further")


def test_a_move_leads_out_of_what_a_person_set_only_until_promotion():
    def after_an_edit(manual):
        mapping = loads(ANY + ALL_LOST + manual)
        someone, _ = written(person(did=[did("email_click")]), mapping)
        someone, _ = written(edited(someone, "Opportunity"), mapping)
        return stage_of(with_deals(someone, deal("lost", ago=90)), mapping, NOW + DAY)

    assert after_an_edit("") == "Engaged"
    assert after_an_edit("gate: {stage: {manual: forever}}\n") == "Opportunity"
    assert after_an_edit("gate: {stage: {manual: 90d}}\n") == "Opportunity"


def test_a_cool_off_counts_from_when_somebody_was_seen_there_not_from_the_evidence():
    slow = "moves: [{from: Opportunity, to: Engaged, when: {opportunity: all_lost}, cool_off: 30d}]\n"
    someone, decision = written(person("Opportunity", deals=[deal("lost", ago=90)]), loads(ANY + slow))
    assert (track(decision).value, track(decision).verdict) == ("Opportunity", "stays")
    assert decision.review_at == NOW + 30 * DAY
    assert stage_of(someone, loads(ANY + slow), NOW + 30 * DAY) == "Engaged"


def test_a_terminal_stage_is_only_left_by_people_and_moves():
    ladder = ANY.replace("{name: Qualified, set_by: people}", "{name: Qualified, set_by: people, terminal: true}")
    assert stage_of(person("Qualified", deals=[deal("won")]), loads(ladder)) == "Qualified"
    out = "moves: [{from: Qualified, to: Customer, when: {opportunity: won}}]\n"
    assert stage_of(person("Qualified", deals=[deal("won")]), loads(ladder + out)) == "Customer"


def test_a_ticked_box_freezes_every_track():
    mapping = loads(ANY + "statuses: [{name: New, when: always}]\ngate: {lock: {field: {Locked__c: true}}}\n")
    decision = decide(person("Suspect", deals=[deal("won")], Locked__c=True), mapping, NOW)
    assert {each.verdict for each in decision.tracks} == {"held"}
    assert plan(person("Suspect", Locked__c=True), decision, mapping) is None
    assert stage_of(person("Suspect", deals=[deal("won")], Locked__c=False), mapping) == "Customer"


def test_a_manual_edit_is_known_by_what_was_last_written():
    mapping = loads(ANY)
    someone, _ = written(person(deals=[deal("open")]), mapping)
    assert "hold" not in track(decide(someone, mapping, NOW)).memory
    held, decision = written(edited(someone, "Suspect"), mapping)
    assert (track(decision).value, track(decision).verdict) == ("Suspect", "held")
    assert track(decision).memory["hold"] == {"by": "person", "since": NOW.isoformat()}
    assert stage_of(held, mapping, NOW + 900 * DAY) == "Suspect"


def test_the_value_found_at_first_sight_is_a_start_and_no_manual_edit():
    mapping = loads(ANY)
    assert stage_of(person("Engaged", deals=[deal("open")]), mapping) == "Opportunity"


def test_a_manual_stage_set_together_with_a_new_deal_goes_on_with_the_deal():
    mapping = loads(ANY)
    someone, _ = written(person(did=[did("email_click")]), mapping)
    touched = replace(someone, fields={**someone.fields, "SystemModstamp": stamp(NOW - 2 * DAY)})
    assert stage_of(with_deals(edited(touched, "Qualified"), deal("open", ago=1)), mapping) == "Opportunity"
    assert stage_of(with_deals(edited(touched, "Qualified"), deal("open", ago=3)), mapping) == "Qualified"


def test_a_promotion_is_also_one_that_comes_after_a_fall():
    mapping = loads(OPEN)
    someone, _ = written(person(deals=[deal("open")]), mapping)
    someone, _ = written(edited(someone, "Suspect"), mapping)
    someone, _ = written(with_deals(someone), mapping)  # the role was a mistake, and is removed
    assert stage_of(with_deals(someone, deal("open", "2")), mapping) == "Suspect", "what is older comes too late"
    assert stage_of(with_deals(someone, deal("open", "2", ago=-1)), mapping, NOW + 2 * DAY) == "Opportunity"


def test_a_manual_value_survives_that_stages_are_renamed_in_the_mapping():
    someone, _ = written(person(deals=[deal("open")]), loads(ANY))
    someone, _ = written(edited(someone, "Suspect"), loads(ANY))
    renamed = loads(ANY.replace("name: Opportunity", "name: Deal"))
    someone, decision = written(someone, renamed)
    assert (track(decision).value, track(decision).verdict) == ("Suspect", "held")
    assert stage_of(with_deals(someone, deal("won")), renamed) == "Customer"


def test_manual_values_ignored_are_only_a_new_start():
    mapping = loads(ANY + "gate: {stage: {manual: ignored}}\n")
    someone, _ = written(person(deals=[deal("open")]), mapping)
    assert stage_of(edited(someone, "Suspect"), mapping) == "Opportunity"


def test_a_manual_value_for_some_days_is_looked_at_again_when_they_are_over():
    mapping = loads(ANY + "gate: {stage: {manual: 5d}}\n")
    someone, _ = written(person(deals=[deal("open")]), mapping)
    someone, decision = written(edited(someone, "Suspect"), mapping)
    assert decision.review_at == NOW + 5 * DAY
    assert stage_of(someone, mapping, NOW + 5 * DAY) == "Opportunity"


def test_what_was_not_written_is_not_taken_for_a_manual_edit():
    mapping = loads(ANY)
    someone = person(deals=[deal("open")])
    first = decide(someone, mapping, NOW)
    again = decide(replace(someone, memory={}), mapping, NOW)  # refused: fields and memory stay as they were
    assert first == again


def test_a_field_cleared_by_hand_is_decided_afresh():
    mapping = loads(OPEN)
    someone, _ = written(person(deals=[deal("open")]), mapping)
    assert stage_of(with_deals(edited(someone, None)), mapping) == "Suspect"


def test_a_value_in_another_case_is_known_and_left_as_it_is():
    assert stage_of(person("opportunity", deals=[deal("open")]), loads(ANY)) == "opportunity"


def test_statuses_that_share_a_value_on_leads_are_told_apart_by_memory():
    text = """
statuses:
  - {name: New, value: {Lead: Open}, when: always}
  - {name: Assigned, value: {Lead: Open}, when: {country: DE}}
  - {name: Late, when: {status: Assigned, status_for: 2d}}
"""
    mapping = loads(ANY + text)
    lead, decision = written(person(object_name="Lead", Country="DE", Status="Open", CreatedDate=stamp(NOW)), mapping)
    assert track(decision, "status").memory["at"] == "Assigned"
    assert track(decide(lead, mapping, NOW + 2 * DAY), "status").value == "Late"


def test_a_status_track_follows_its_rules_both_ways():
    text = "statuses: [{name: Quiet, when: always}, {name: Busy, when: {activity: {direction: inbound, within: 3d}}}]\n"
    mapping = loads(ANY + text)
    someone, decision = written(person(did=[did("email_click")]), mapping)
    assert (track(decision, "status").value, decision.review_at) == ("Busy", NOW + 2 * DAY)
    assert track(decide(someone, mapping, NOW + 2 * DAY), "status").value == "Quiet"


def test_on_a_both_way_track_a_value_that_only_people_set_stays():
    text = "statuses: [{name: New, when: always}, {name: Bad Timing, set_by: people}]\n"
    mapping = loads(ANY + text)
    someone, decision = written(person(Lead_Status__c="Bad Timing"), mapping)
    assert track(decision, "status").value == "Bad Timing"
    assert track(decide(someone, mapping, NOW + 99 * DAY), "status").value == "Bad Timing"


def test_a_status_is_scoped_to_stages_and_emptied_outside_of_them():
    text = "statuses: [{name: New, when: always}]\ngate: {status: {stages: [Suspect, Engaged], outside: clear}}\n"
    mapping = loads(ANY + text)
    someone, decision = written(person(), mapping)
    assert track(decision, "status").value == "New"
    customer = with_deals(someone, deal("won"))
    assert plan(customer, decide(customer, mapping, NOW), mapping).values()["Lead_Status__c"] is None
    lead = person("Customer", object_name="Lead", Status="New")
    assert track(decide(lead, mapping, NOW), "status").value == "New", "a Lead's status cannot be empty"
