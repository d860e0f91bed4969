"""What a person set, or a move gave, stays until something newer leads further."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from connector.lifecycle import decide
from connector.mapping import load, loads
from tests.cases import cases
from tests.lifecycle.someone import DAY, NOW, deal, did, person, stage_of, stamp, track, written

LADDER = """
stages:
  - {name: Suspect, when: {email: present}}
  - {name: Engaged, when: {activity: inbound}}
  - {name: Keen, when: {activity: {kind: email_click, count: 3}}}
  - {name: Qualified, when: {any: [{activity: {kind: form_submit, name: Demo}}, {lead_source: Referral}]}}
  - {name: Hot, when: {threshold: hot}}
  - {name: Opportunity, when: {opportunity: open}}
  - {name: Customer, when: {opportunity: won}}
  - {name: Disqualified, set_by: people, funnel: false}
score: {points: [{activity: visit, points: 30}]}
thresholds: {hot: {at: 60}}
"""
MAPPING = loads(LADDER)
CLICKS = [did("email_click", ago, key=f"c{ago}") for ago in (9, 8, 7)]
DEMO = did("form_submit", 9, name="Demo")
VISITS = [did("visit", ago, key=f"v{ago}") for ago in (9, 8)]


def set_back(stage, *, mapping=MAPPING, now=NOW, **facts):
    """Somebody whom the rules led somewhere, and a person set back today."""
    someone, _ = written(person(**facts), mapping, now)
    edited = replace(someone, fields={**someone.fields, "Lifecycle_Stage__c": stage})
    return written(edited, mapping, now)[0]


def having(someone, *, did=(), deals=None, **fields):
    """With further activities, with these opportunities instead, with other fields."""
    activities = tuple(sorted((*someone.activities, *did), key=lambda a: (a.occurred_at, a.source, a.id)))
    opportunities = someone.opportunities if deals is None else tuple(deals)
    return replace(someone, activities=activities, opportunities=opportunities, fields={**someone.fields, **fields})


def later(someone, mapping=MAPPING, days=10):
    return stage_of(someone, mapping, NOW + days * DAY)


def test_three_old_clicks_and_a_new_one_are_not_three_clicks():
    someone = set_back("Suspect", did=CLICKS)
    one = having(someone, did=[did("email_click", -1)])
    assert later(one) == "Engaged"
    assert later(having(one, did=[did("email_click", -2), did("email_click", -3)])) == "Keen"


def test_a_second_demo_request_after_a_step_back_moves_the_person_again():
    someone = set_back("Suspect", did=[DEMO])
    assert later(someone) == "Suspect"
    assert later(having(someone, did=[did("form_submit", -1, name="Demo")])) == "Qualified"


def test_a_threshold_must_be_crossed_again():
    someone = set_back("Suspect", did=VISITS)
    assert later(having(someone, did=[did("visit", -1)])) == "Engaged", "30 points are not 60"
    assert later(having(someone, did=[did("visit", -1), did("visit", -2)])) == "Hot"


def test_a_new_opportunity_and_a_second_win_move_the_person_again():
    won = deal("won", "1")
    someone = set_back("Suspect", deals=[won])
    assert later(having(someone, deals=[won, deal("open", "2", ago=40)])) == "Suspect", "its role is older"
    assert later(having(someone, deals=[won, deal("open", "2", ago=-1)])) == "Opportunity"
    assert later(having(someone, deals=[won, deal("won", "2", ago=-1)])) == "Customer"
    moved, _ = written(having(someone, deals=[won, deal("open", "2", ago=-1)]), MAPPING, NOW + 2 * DAY)
    assert later(moved) == "Opportunity", "the old win still does not count"
    assert later(having(moved, deals=[won, deal("won", "2", ago=-1, CloseDate="2026-06-05")])) == "Customer"


def test_a_known_opportunity_counts_again_when_it_has_become_another():
    someone = set_back("Suspect", deals=[deal("open")])
    assert later(having(someone, deals=[deal("open", Amount=500, SystemModstamp=stamp(NOW + DAY))])) == "Suspect"
    won = deal("won", CloseDate=(NOW + DAY).date().isoformat())
    assert later(having(someone, deals=[won])) == "Customer"
    lost, _ = written(having(someone, deals=[deal("lost", CloseDate="2026-06-03")]), MAPPING, NOW + 3 * DAY)
    reopened = deal("open", SystemModstamp=stamp(NOW + 4 * DAY))
    assert later(having(lost, deals=[reopened])) == "Opportunity"


def test_an_opportunity_that_only_now_fits_a_rule_counts():
    mapping = loads(LADDER.replace("{opportunity: open}", "{opportunity: {state: open, where: {Amount: '> 0'}}}"))
    someone = set_back("Qualified", mapping=mapping, deals=[deal("open", Amount=None)])
    priced = deal("open", Amount=500, SystemModstamp=stamp(NOW + DAY))
    assert later(having(someone, deals=[priced]), mapping) == "Opportunity"


def test_what_was_closed_on_the_day_of_the_edit_is_older_when_it_was_known():
    won = deal("won", ago=0)
    assert later(set_back("Suspect", deals=[won])) == "Suspect"
    assert later(having(set_back("Suspect"), deals=[replace(won, role={})])) == "Customer", "it was won that day"


def test_an_attribute_counts_again_once_it_has_changed():
    referred = set_back("Suspect", LeadSource="Referral")
    assert later(referred) == "Suspect"
    other, _ = written(having(referred, LeadSource="Web"), MAPPING, NOW + DAY)
    assert later(having(other, LeadSource="Referral")) == "Qualified"
    asked = having(referred, did=[did("form_submit", -1, name="Demo")])
    assert later(asked) == "Qualified", "the same rule holds by something new"
    clicked, _ = written(having(referred, did=[did("email_click", -1)]), MAPPING, NOW + 2 * DAY)
    assert later(clicked) == "Engaged", "what the person said no to stays hidden after a promotion"


def test_when_the_edit_was_made_counts_not_when_it_was_seen():
    someone, _ = written(person(did=[DEMO]), MAPPING)
    on_friday = having(someone, Lifecycle_Stage__c="Suspect", SystemModstamp=stamp(NOW + DAY))
    sunday = having(on_friday, did=[did("form_submit", -2, name="Demo")])
    assert stage_of(sunday, MAPPING, NOW + 3 * DAY) == "Qualified"
    thursday = having(on_friday, did=[did("form_submit", -0.5, name="Demo")])
    assert stage_of(thursday, MAPPING, NOW + 3 * DAY) == "Suspect"


def test_a_field_that_is_cleared_lets_everything_count_again():
    someone = set_back("Suspect", did=[DEMO])
    assert later(having(someone, Lifecycle_Stage__c=None)) == "Qualified"


def test_nobody_is_ahead_of_anything_by_being_beside_the_funnel():
    mapping = load("lead-liaison")
    someone = set_back("Disqualified", mapping=mapping, deals=[deal("won")])
    assert later(having(someone, did=[did("form_submit", -1)]), mapping) == "Disqualified"
    dealt, decision = written(having(someone, deals=[deal("won"), deal("open", "2", ago=-1)]), mapping, NOW + 2 * DAY)
    assert (track(decision).value, track(decision).rule) == ("Opportunity", "put on a deal later")
    assert later(dealt, mapping, 99) == "Opportunity", "the win of before does not count"
    assert later(having(dealt, deals=[deal("won"), deal("won", "2", ago=-3)]), mapping) == "Customer"


def test_a_stage_for_ever_is_left_by_people_alone():
    mapping = loads("include: lead-liaison\nstages: [{name: Disqualified, forever: true}]\n")
    someone = set_back("Disqualified", mapping=mapping)
    assert later(having(someone, deals=[deal("won", ago=-1)]), mapping) == "Disqualified"
    assert later(having(someone, Lifecycle_Stage__c=None, deals=[deal("won", ago=-1)]), mapping) == "Customer"


def test_a_move_back_hides_what_had_led_there_and_the_same_thing_done_again_leads_there_again():
    mapping = loads(
        LADDER
        + "moves: [{name: untouched, from: Qualified, to: Engaged, after: 2d, "
        + "when: {not: {activity: {kind: call, since: stage}}}}]\n"
    )
    someone, _ = written(person(did=[did("form_submit", 0, name="Demo")]), mapping)
    assert someone.fields["Lifecycle_Stage__c"] == "Qualified"
    for day in (3, 13):
        someone, decision = written(someone, mapping, NOW + day * DAY)
        assert track(decision).value == "Engaged"
        assert later(someone, mapping, day + 4) == "Engaged"
        asked = did("form_submit", -day - 5, name="Demo")
        someone, decision = written(having(someone, did=[asked]), mapping, NOW + (day + 5) * DAY)
        assert track(decision).value == "Qualified"


def test_a_move_only_waits_for_what_was_known_then():
    back = "moves: [{name: lost, from: Opportunity, to: Suspect, when: {opportunity: all_lost}}]\n"
    mapping = loads(LADDER.replace("{opportunity: open}", "{opportunity: any}") + back)
    someone, _ = written(person("Opportunity", deals=[deal("lost")]), mapping)
    assert someone.fields["Lifecycle_Stage__c"] == "Suspect"
    assert later(having(someone, deals=[deal("lost"), deal("open", "2", ago=60)]), mapping) == "Opportunity"


@pytest.mark.parametrize("kept", ["hold", "start"])
def test_another_direction_of_the_track_demotes_nobody_whom_the_rules_did_not_bring(kept):
    both = loads(LADDER + "gate: {stage: {direction: both}}\n")
    if kept == "hold":
        someone = set_back("Hot")
    else:
        someone, _ = written(person("Hot"), MAPPING)
    assert later(someone, both) == "Hot"
    someone, _ = written(someone, both, NOW + DAY)
    assert later(someone, both) == "Hot"
    assert later(having(someone, deals=[deal("open", ago=-2)]), both) == "Opportunity"


def test_on_a_track_that_goes_both_ways_what_is_hidden_still_keeps_where_somebody_is():
    mapping = loads(LADDER + "gate: {stage: {direction: both}}\n")
    someone = set_back("Engaged", mapping=mapping, did=[DEMO], deals=[deal("open")])
    again, _ = written(having(someone, deals=[deal("open"), deal("open", "2", ago=-1)]), mapping, NOW + 2 * DAY)
    assert again.fields["Lifecycle_Stage__c"] == "Opportunity"
    lost = having(again, deals=[deal("lost", CloseDate="2026-06-04"), deal("lost", "2", CloseDate="2026-06-04")])
    assert later(lost, mapping) == "Qualified", "by the demo of before, and no further"


OLDER = st.one_of(
    st.builds(did, st.sampled_from(["email_click", "visit"]), st.floats(0.01, 90), st.uuids().map(str)),
    st.builds(lambda ago, key: did("form_submit", ago, key, "Demo"), st.floats(0.01, 90), st.uuids().map(str)),
)
OLDER_DEALS = st.builds(deal, st.sampled_from(["open", "won", "lost"]), st.integers(2, 9).map(str), st.floats(1.01, 90))


@given(
    st.lists(OLDER, max_size=6),
    st.lists(OLDER_DEALS, max_size=3, unique_by=lambda each: each.opportunity_id),
    st.data(),
    st.sampled_from(["Suspect", "Engaged", "Qualified", "Hot", "Disqualified"]),
    st.sampled_from(["forward", "both"]),
)
@settings(max_examples=cases(60))
def test_facts_older_than_a_hold_never_end_it_whenever_they_arrive(activities, deals, data, stage, direction):
    mapping = loads(LADDER + f"gate: {{stage: {{direction: {direction}}}}}\n")
    before = data.draw(st.integers(0, len(activities)))
    known = data.draw(st.integers(0, len(deals)))
    someone = set_back(stage, mapping=mapping, did=activities[:before], deals=deals[:known])
    assume("hold" in someone.memory["stage"])  # or the rules had led there themselves
    late = having(someone, did=activities[before:], deals=deals)
    for hours in (0, 1, 30, 900):
        late, decision = written(late, mapping, NOW + timedelta(hours=hours))
        assert track(decision).value == stage


def test_a_value_from_before_is_taken_over_and_written_anew():
    mapping = loads(LADDER + "migrate: {stage: {Prospect: Engaged, Buyer: Customer}}\n")
    someone, decision = written(person("prospect"), mapping)
    assert (track(decision).value, track(decision).verdict) == ("Engaged", "moves")
    assert someone.fields["Lifecycle_Stage__c"] == "Engaged"
    assert stage_of(person("Buyer", deals=[deal("open")]), mapping) == "Customer", "forward only from there"
    assert stage_of(person("Prospect", deals=[deal("open")]), mapping) == "Opportunity"
    assert track(decide(person("Champion"), mapping, NOW)).value is None
