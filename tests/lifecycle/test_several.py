"""Several things together: some of many conditions, activities in a sequence, sums of deals, a score that drains."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from connector.base.facts import Circle
from connector.lifecycle import decide, explain
from connector.mapping import loads
from tests.cases import cases
from tests.lifecycle.someone import DAY, NOW, deal, did, person, stage_of, track, written


def fits(condition, someone, now=NOW):
    return stage_of(someone, loads(f"stages: [{{name: A, when: {condition}}}]\n"), now) == "A"


TWO_OF = "{at_least: {count: 2, of: [{country: DE}, {title: Head}, {activity: {kind: visit, within: 9d}}]}}"


def test_some_of_several_conditions_are_enough_and_what_lacks_is_told():
    assert not fits(TWO_OF, person(MailingCountry="DE"))
    assert fits(TWO_OF, person(MailingCountry="DE", Title="Head"))
    mapping = loads(f"stages: [{{name: A, when: {TWO_OF}}}]\n")
    someone = person(MailingCountry="DE", did=[did("visit", 1)])
    assert decide(someone, mapping, NOW).review_at == NOW + 8 * DAY
    [told] = explain(person(MailingCountry="DE"), mapping, NOW).tracks[0].rules
    assert told.finding.found == "1 of 3 hold"
    assert told.finding.lacks.startswith("1 more of: ")


SEQUENCE = "{sequence: {steps: [form_submit, {kind: page_view, name: Pricing}, visit], within: 2d}}"


@given(st.lists(st.tuples(st.sampled_from(["form_submit", "page_view", "visit"]), st.integers(1, 9)), max_size=9))
@settings(max_examples=cases(60))
def test_a_sequence_is_found_wherever_there_is_one(done):
    someone = person(did=[did(kind, ago, f"{kind}{n}", "Pricing") for n, (kind, ago) in enumerate(done)])
    at = {kind: [-ago for each, ago in done if each == kind] for kind in ("form_submit", "page_view", "visit")}
    there = any(
        0 < b - a <= 2 and 0 < c - b <= 2 for a in at["form_submit"] for b in at["page_view"] for c in at["visit"]
    )
    assert fits(SEQUENCE, someone) == there
    if there:
        decided = track(decide(someone, loads(f"stages: [{{name: A, when: {SEQUENCE}}}]\n"), NOW))
        assert [each.kind for each in decided.evidence] == ["activity"] * 3


def test_amounts_are_summed_over_what_fits():
    total = "{opportunity: {state: open, sum: {Amount: '>= 50'}}}"
    two = [deal(key="1", Amount=30), deal(key="2", Amount=20)]
    assert fits(total, person(deals=two))
    assert not fits(total, person(deals=[deal(key="1", Amount=30), deal("won", "2", Amount=20)]))
    assert not fits(total, person(deals=[two[0], replace(two[0], role_id="00K9")])), (
        "two roles on one opportunity are one amount"
    )
    assert not fits(total, person(deals=[deal(Amount=None)]))


def test_only_one_of_all_opportunities_is_asked():
    deals = [
        deal("won", "1", ago=9, Amount=5),
        deal("open", "2", ago=5, Amount=50),
        deal("lost", "3", ago=20, Amount=1),
    ]
    asked = "{opportunity: {which: %s, state: %s}}"
    found = {
        which: [state for state in ("won", "open", "lost") if fits(asked % (which, state), person(deals=deals))]
        for which in ("largest", "newest", "latest")
    }
    assert found == {"largest": ["open"], "newest": ["open"], "latest": ["open"]}
    assert fits(asked % ("largest", "won"), person(deals=[deal("won", "1"), deal("won", "2")])), "one of equals"


DRAIN = """
stages: [{name: Known, when: always}]
score:
  points:
    - {activity: form_submit, points: 40, cap: 60}
    - {activity: visit, points: 5}
    - {activity: unsubscribe, points: -30}
  decay: {points: 10, every: 1w}
"""


def level(someone, now=NOW):
    return int(track(decide(someone, loads(DRAIN), now), "score").value)


def test_a_score_drains_by_so_many_points_and_counts_on_from_what_is_left():
    someone = person(did=[did("form_submit", 0, "a"), did("form_submit", -7, "b")])
    assert [level(someone, NOW + days * DAY) for days in (0, 7, 14, 28, 42, 99)] == [40, 50, 40, 20, 0, 0]
    assert level(person(did=[did("form_submit", 0, "a"), did("unsubscribe", 0, "u")])) == 10
    assert level(person(did=[did("form_submit", 30, "a"), did("unsubscribe", 20, "u"), did("visit", 0, "v")])) == 5


@given(st.lists(st.tuples(st.sampled_from(["form_submit", "visit", "unsubscribe"]), st.integers(0, 40)), max_size=6))
@settings(max_examples=cases(40))
def test_a_draining_score_is_looked_at_again_before_it_changes(done):
    someone = person(did=[did(kind, ago, f"{kind}{n}") for n, (kind, ago) in enumerate(done)])
    mapping, now = loads(DRAIN), NOW
    while (decision := decide(someone, mapping, now)).review_at is not None:
        before = decide(someone, mapping, decision.review_at - timedelta(seconds=1))
        assert track(before, "score").value == track(decision, "score").value
        now = decision.review_at
    assert level(someone, now + 900 * DAY) == level(someone, now)


SEGMENTS = """
stages:
  - {name: Lead, when: always}
  - {name: Qualified, when: {activity: form_submit}}
  - {name: Customer, when: {opportunity: won}}
segments:
  - name: partners
    for: {lead_source: Partner}
    stages:
      - {name: Registered, value: Lead, when: always}
      - {name: Trained, value: Qualified, when: {activity: event_attend}}
      - {name: Gone, set_by: people, funnel: false}
    moves: [{from: Gone, to: Registered, when: {activity: {kind: event_attend, since: stage}}}]
tags: [{name: far, when: {stage: ">= Trained"}}, {name: customer, when: {stage: ">= Qualified"}}]
fields: {tags: Tags__c}
"""


def test_people_of_a_segment_have_a_ladder_of_their_own_and_the_same_values():
    mapping = loads(SEGMENTS)
    partner = person(LeadSource="Partner", did=[did("form_submit")])
    assert stage_of(partner, mapping) == "Lead"
    trained, decision = written(replace(partner, activities=(*partner.activities, did("event_attend"))), mapping)
    assert (track(decision).value, track(decision).memory["at"]) == ("Qualified", "Trained")
    assert trained.fields["Tags__c"] == "far", "what comes before or behind a stage is asked of the ladder it is in"
    assert stage_of(person(did=[did("form_submit")]), mapping) == "Qualified"
    _, decision = written(replace(trained, fields={**trained.fields, "LeadSource": "Web"}), mapping)
    assert track(decision).memory["at"] == "Qualified", "who leaves the segment stands where the value says"
    assert [each.name for each in mapping.stages] == ["Lead", "Qualified", "Customer", "Registered", "Trained", "Gone"]
    gone = replace(trained, fields={**trained.fields, "Lifecycle_Stage__c": "Gone"})
    gone, _ = written(gone, mapping)
    back = replace(gone, activities=(*gone.activities, did("event_attend", -1, key="again")))
    decided = track(decide(back, mapping, NOW + 2 * DAY))
    assert (decided.value, decided.memory["at"]) == ("Lead", "Registered"), "by the move of the segment"


APART = """
stages:
  - {name: Lead, when: always}
  - {name: Customer, when: {opportunity: won}}
  - {name: Evangelist, set_by: people, funnel: false}
segments:
  - name: partners
    for: {lead_source: Partner}
    stages:
      - {name: Registered, value: P1, when: always}
      - {name: Trained, value: P2, when: {activity: event_attend}}
      - {name: Customer, value: P3, when: {opportunity: won}}
"""


def moved(someone, source):
    return replace(someone, fields={**someone.fields, "LeadSource": source})


def test_whoever_comes_from_another_segment_has_the_value_of_the_step_or_is_decided_afresh():
    mapping = loads(APART)
    lead, decision = written(person(), mapping)
    assert track(decision).value == "Lead"
    partner, decision = written(moved(lead, "Partner"), mapping)
    assert (track(decision).value, track(decision).memory["at"]) == ("P1", "Registered"), "Lead is no step of partners"
    trained, decision = written(replace(partner, activities=(did("event_attend"),)), mapping)
    assert track(decision).value == "P2"
    _, decision = written(moved(trained, "Web"), mapping)
    assert track(decision).value == "Lead", "and nobody is stuck at what partners call theirs"
    won, decision = written(replace(trained, opportunities=(deal("won"),)), mapping)
    assert track(decision).value == "P3"
    _, decision = written(moved(won, "Web"), mapping)
    assert track(decision).value == "Customer", "the step has the same name in both"


def test_a_value_of_another_segment_that_a_person_set_is_left_alone_where_there_is_no_such_step():
    mapping = loads(APART)
    lead, _ = written(person(), mapping)
    for value in ("P2", "unheard of"):
        decision = track(decide(replace(lead, fields={**lead.fields, "Lifecycle_Stage__c": value}), mapping, NOW))
        assert (decision.value, decision.verdict) == (None, "held")
    found = person(Lifecycle_Stage__c="P3")
    assert track(decide(found, mapping, NOW)).value == "Customer", "found at first sight, in the words of partners"


@given(st.lists(st.sampled_from(["Web", "Partner", "won", "event_attend"]), min_size=1, max_size=6))
@settings(max_examples=cases(40))
def test_nobody_is_ever_stuck_between_segments(steps):
    mapping = loads(APART)
    someone, _ = written(person(), mapping)
    for step in steps:
        if step in {"Web", "Partner"}:
            someone = moved(someone, step)
        elif step == "won":
            someone = replace(someone, opportunities=(deal("won"),))
        else:
            someone = replace(someone, activities=(did("event_attend"),))
        someone, decision = written(someone, mapping)
        names = (
            {"Registered", "Trained", "Customer"}
            if someone.fields.get("LeadSource") == "Partner"
            else {"Lead", "Customer"}
        )
        assert track(decision).memory["at"] in names
        assert (track(decision).memory["at"] == "Customer") == bool(someone.opportunities)


def test_the_people_of_an_account_are_looked_at_once_for_all_of_them():
    mapping = loads(
        "stages: [{name: A, when: always}, {name: B, when: {account: {people: {count: 3, activity: visit}}}}]\n"
    )
    looked = []

    class Counted(tuple[Any, ...]):
        def __iter__(self):
            looked.append(1)
            return super().__iter__()

    people = [
        replace(person(), id=f"003{n:012d}AAA", activities=Counted([did("visit", key=f"{n}")])) for n in range(30)
    ]
    circle = Circle(people)
    looked.clear()
    for each in people:
        assert stage_of(replace(each, activities=(), colleagues=circle), mapping) == "B"
        assert len(looked) <= 3 * len(people), "not once more for each of their colleagues"
