"""Score, fit, thresholds with hysteresis, the hand-off and who gets a person."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace

import pytest

from connector.base.facts import Prospect
from connector.lifecycle import Assigner, Owners, plan
from connector.lifecycle import decide as decide_with
from connector.mapping import loads
from tests.lifecycle.someone import DAY, NOW, did, person, stage_of, track, written

POINTS = """
score:
  points:
    - {activity: form_submit, points: 40, cap: 60}
    - {activity: email_click, points: 5}
    - {activity: unsubscribe, points: -30}
  half_life: 10d
stages: [{name: Known, when: always}, {name: Hot, when: {score: ">= 40"}}]
fields: {score: Score__c}
gate: {stage: {direction: both}}
"""


def score_of(someone, mapping=None, now=NOW):
    return int(track(decide(someone, mapping or loads(POINTS), now), "score").value)


@pytest.mark.parametrize(
    ("facts", "score"),
    [
        ([did("form_submit", 0.1)], 40),
        ([did("form_submit", 0.1), did("form_submit", 0.2)], 60),
        ([did("form_submit", 10)], 20),
        ([did("form_submit", 20)], 10),
        ([did("form_submit", 0.1), did("unsubscribe", 0.1)], 10),
        ([did("unsubscribe", 0.1)], 0),
        ([did("email_click", 0.1, key=str(n)) for n in range(50)], 100),
        ([did("form_submit", -5)], 0),
    ],
)
def test_points_add_up_are_capped_fade_and_stay_between_0_and_100(facts, score):
    assert score_of(person(did=facts)) == score


def test_points_are_given_once_while_something_holds_or_for_each_activity():
    text = "stages: [{name: Known, when: always}]\n"
    text += "score: {points: [{when: {activity: {kind: form_submit, count: 2}}, points: 7}"
    once, each = loads(text + "]}\n"), loads(text + ", {activity: form_submit, points: 1}]}\n")
    forms = [did("form_submit", ago, key=str(ago)) for ago in (1, 2, 3)]
    assert [score_of(person(did=forms[:n]), once) for n in range(4)] == [0, 0, 7, 7]
    assert score_of(person(did=forms), each) == 10
    after = replace(person(did=forms), memory={"stage": {"restarted": (NOW - 2.5 * DAY).isoformat()}})
    assert score_of(after, once) == 7
    assert score_of(replace(after, activities=tuple(forms[:1])), once) == 0, (
        "what was before a fresh start is forgotten"
    )


def test_a_fading_score_is_looked_at_again_when_its_number_changes():
    mapping = loads(POINTS)
    someone, decision = written(person(did=[did("form_submit", 0.1)]), mapping)
    seen = [track(decision, "score").value]
    for _ in range(4):
        assert decision.review_at is not None
        before = decide(someone, mapping, decision.review_at - DAY / 1000)
        assert track(before, "score").value == seen[-1]
        someone, decision = written(someone, mapping, decision.review_at)
        seen.append(track(decision, "score").value)
    assert seen == ["40", "37", "35", "32", "30"]
    assert [track(decide(someone, mapping, NOW + days * DAY)).value for days in (0, 1)] == ["Hot", "Known"]


def test_the_score_is_written_as_a_number():
    mapping = loads(POINTS)
    someone = person(did=[did("form_submit", 0.1)], Score__c=12.0)
    assert plan(someone, decide(someone, mapping, NOW), mapping).values()["Score__c"] == 40
    same = person("Hot", did=[did("form_submit", 0.1)], Score__c=40.0)
    assert plan(same, decide(same, mapping, NOW), mapping) is None


def test_a_score_can_be_taken_from_the_marketing_system_or_from_a_field():
    marketing = loads("stages: [{name: Hot, when: {score: '>= 50'}}]\nscore: {from: {prospect: score}}\n")
    two = (
        Prospect("pardot", "1", None, attributes={"score": 20}),
        Prospect("pardot", "2", None, attributes={"score": "60"}),
    )
    assert stage_of(replace(person(), prospects=two), marketing) == "Hot"
    assert track(decide(person(), marketing, NOW), "score").value is None
    field = loads("stages: [{name: Hot, when: {score: '>= 50'}}]\nscore: {from: {field: pi__score__c}}\n")
    assert stage_of(person(pi__score__c=51.0), field) == "Hot"
    assert "pi__score__c" in field.reads["Contact"]


def test_behaviour_and_fit_are_two_numbers():
    text = "stages: [{name: Known, when: always}]\nscore: {from: {prospect: score}}\n"
    text += "fit: {points: [{when: {title: {contains: [head]}}, points: 30}, {when: {country: DE}, points: 20}]}\n"
    decision = decide(person(score=70, Title="Head of Sales", MailingCountry="DE"), loads(text), NOW)
    assert (track(decision, "score").value, track(decision, "fit").value) == ("70", "50")


HANDOFF = """
score: {from: {prospect: score}}
thresholds: {ready: {at: 71, again_below: 60}}
stages: [{name: Known, when: always}]
statuses: [{name: New, set_by: people}, {name: Working, when: {activity: {kind: call, since: handoff}}}]
handoff:
  when: {threshold: ready}
  status: New
  owner: [{when: {country: DE}, user: anna}, {round_robin: [ben, clara]}]
"""
OWNERS = Owners({"anna": "005A", "ben": "005B", "clara": "005C"}, integration="005Z")


def decide(someone, mapping, now, owners=OWNERS):
    """Somebody decided first, whose turn nobody took yet."""
    return decide_with(someone, mapping, now, Assigner(owners))


def scored(someone, score):
    return replace(someone, prospects=(Prospect("pardot", "1", None, attributes={"score": score}),))


def handed(scores, mapping=None):
    """The owner decided at each score, in turn; "" where nobody was handed to anybody."""
    mapping = mapping or loads(HANDOFF)
    someone, owners = person(MailingCountry="DE", OwnerId="005Z"), []
    for day, score in enumerate(scores):
        someone, decision = written(scored(someone, score), mapping, NOW + day * DAY, OWNERS)
        owner = track(decision, "owner")
        owners.append(owner.value if owner.rule else "")
    return owners


def test_a_threshold_fires_on_the_edge_and_again_only_after_falling_below():
    assert handed([70, 71, 90, 65, 80, 59, 70, 71]) == ["", "005A", "", "", "", "", "", "005A"]


def test_a_score_that_arrives_late_still_counts():
    assert handed([None, None, 95]) == ["", "", "005A"]


def test_a_hand_off_sets_the_status_and_forgets_older_calls():
    mapping = loads(HANDOFF)
    someone, decision = written(scored(person(did=[did("call", 90)]), 80), mapping, owners=OWNERS)
    assert track(decision, "status").value == "New"
    called = replace(someone, activities=(*someone.activities, did("call", -1)))
    assert track(decide(called, mapping, NOW + 2 * DAY), "status").value == "Working"


def test_a_refused_write_hands_over_to_the_same_person_again():
    mapping = loads(HANDOFF)
    someone = scored(person(), 80)
    owners = {track(decide(someone, mapping, NOW + day * DAY), "owner").value for day in range(5)}
    assert len(owners) == 1 <= len(owners & {"005B", "005C"})


def test_a_rep_who_works_on_somebody_keeps_them():
    mapping = loads(HANDOFF)
    worked_on = scored(person(OwnerId="005Z", did=[did("call", 5, source="salesforce")]), 80)
    settled, decision = written(worked_on, mapping, owners=OWNERS)
    assert track(decision, "owner").value == "005Z"
    assert track(decide(settled, mapping, NOW + 60 * DAY), "owner").value == "005Z", "nor later for the same occasion"
    told_so = loads(HANDOFF.replace("  status: New", "  unless: never\n  status: New"))
    assert track(decide(worked_on, told_so, NOW), "owner").value in {"005B", "005C"}


def test_only_people_who_are_nobodys_a_queues_or_the_integration_users_get_another_owner():
    mapping = loads(HANDOFF)

    def owner_of(owner, mapping=mapping, memory=None, object_name="Contact"):
        someone = scored(person(OwnerId=owner, MailingCountry="DE", Country="DE", object_name=object_name), 80)
        return track(decide(replace(someone, memory=memory or {}), mapping, NOW), "owner")

    assert [owner_of(owner).value for owner in (None, "005Z", "00GQ", "005X")] == ["005A", "005A", "005A", "005X"]
    kept = owner_of("005X")
    assert (kept.rule, kept.verdict) == ("hand-off", "stays")
    assert kept.reason.endswith("; stays with 005X")

    def whose(*names):
        return loads(HANDOFF.replace("  status: New", f"  reassign: [{', '.join(names)}]\n  status: New"))

    assert owner_of("005X", whose("colleague")).value == "005A"
    assert owner_of("005C", whose("clara")).value == "005A"
    assert owner_of("005B", whose("clara")).value == "005B"
    given = {"owner": {"on": [], "to": "ben", "by": "hand-off", "at": NOW.isoformat(), "written": "005B"}}
    assert owner_of("005B", whose("handed off"), given).value == "005A"
    assert owner_of("005X", whose("handed off"), given).value == "005X"


def test_a_hand_off_overwrites_no_status_that_a_person_set():
    mapping = loads(HANDOFF)
    someone, _ = written(scored(person(), 10), mapping, owners=OWNERS)
    by_hand = replace(someone, fields={**someone.fields, "Lead_Status__c": "Working"})
    assert track(decide(scored(by_hand, 80), mapping, NOW), "status").value == "Working"
    assert track(decide(scored(person(Lead_Status__c="Working"), 80), mapping, NOW), "status").value == "Working"
    assert track(decide(scored(person(Lead_Status__c="Strange"), 80), mapping, NOW), "status").value is None
    assert track(decide(scored(someone, 80), mapping, NOW), "status").value == "New"


def test_of_two_hand_offs_at_once_the_second_happens_where_somebody_works_on_the_first():
    mapping = loads(
        """
stages: [{name: Known, when: always}]
handoff:
  - {name: to sales, when: {activity: inbound}, owner: [{user: anna}]}
  - {name: to success, when: {activity: inbound}, unless: never, owner: [{user: ben}]}
"""
    )
    clicked = did("email_click", 1)
    owner = track(decide(person(OwnerId="005Z", did=[clicked]), mapping, NOW), "owner")
    assert (owner.rule, owner.value) == ("to sales", "005A")
    worked_on = person(OwnerId="005Z", did=[clicked, did("call", 5, source="salesforce")])
    owner = track(decide(worked_on, mapping, NOW), "owner")
    assert (owner.rule, owner.value) == ("to success", "005B")


def test_an_owner_the_org_does_not_have_hands_nobody_over():
    someone = scored(person(OwnerId="005Z", MailingCountry="DE"), 80)
    decision = decide(someone, loads(HANDOFF), NOW, Owners(integration="005Z"))
    owner = track(decision, "owner")
    assert (owner.value, owner.verdict) == ("005Z", "held")
    assert "the org has no active user or queue anna" in owner.reason
    assert track(decision, "status").value is None
    assert "on" not in owner.memory, "so that it happens once the org has her"


def test_an_owner_who_left_gets_nobody_and_the_others_share():
    mapping, left = loads(HANDOFF), Owners({"anna": "005A", "clara": "005C"})
    someone = scored(person(), 80)
    found = {
        track(decide(replace(someone, id=f"003{n:012d}AAA"), mapping, NOW, left), "owner").value for n in range(30)
    }
    assert found == {"005C"}


IDS = [f"003{number:012d}AAA" for number in range(6000)]


def test_owners_share_people_in_the_proportions_asked_for():
    even = Counter(dealt("round_robin: [anna, ben, clara]", 6000))
    assert all(1800 < count < 2200 for count in even.values())
    weighted = Counter(dealt("weights: {anna: 1, ben: 2, clara: 0}", 6000))
    assert 1800 < weighted["A"] < 2200 < weighted["B"]
    assert "C" not in weighted


def dealt(rule, count, owners=OWNERS, assigner=None):
    """Owners in turn, of so many people handed off one after the other."""
    mapping = loads(HANDOFF.replace("round_robin: [ben, clara]", rule))
    assigner = assigner or Assigner(owners)
    people = [replace(scored(person(), 80), id=each) for each in IDS[:count]]
    return [track(decide_with(each, mapping, NOW, assigner), "owner").value[-1] for each in people]


def test_turns_are_exact_for_people_decided_one_after_the_other():
    assert dealt("round_robin: [ben, clara]", 5) == ["B", "C", "B", "C", "B"]
    assert Counter(dealt("weights: {ben: 2, clara: 1}", 30)) == {"B": 20, "C": 10}
    assert dealt("round_robin: [ben, clara]", 40) == dealt("round_robin: [ben, clara]", 40), "a preview and the run"


def test_turns_go_on_from_what_was_kept_and_start_anew_when_the_owners_change():
    turns = Assigner(OWNERS)
    assert dealt("round_robin: [ben, clara]", 3, assigner=turns) == ["B", "C", "B"]
    kept = Assigner(OWNERS, json.loads(json.dumps(turns.counts)))
    assert dealt("round_robin: [ben, clara]", 2, assigner=kept) == ["C", "B"]
    assert dealt("round_robin: [anna, ben, clara]", 3, assigner=kept) == ["A", "B", "C"]


def test_a_turn_is_told_with_its_owner_and_only_taken_by_a_hand_off():
    mapping, assigner = loads(HANDOFF), Assigner(OWNERS)
    decide_with(scored(person(), 10), mapping, NOW, assigner)
    assert assigner.counts == {}
    for each in IDS[:6]:
        owner = track(decide_with(replace(scored(person(), 80), id=each), mapping, NOW, assigner), "owner")
        assert f"goes to {owner.memory['to']}" in owner.reason
        assert owner.memory["written"] == owner.value == owner.evidence[-1].ref
        assert owner.evidence[-1].text.startswith(owner.memory["to"])


def test_by_free_capacity_the_full_get_nobody_and_when_all_are_full_the_next_rule_decides():
    rule, load = "capacity: {ben: 50, clara: 10}", {"clara": 10}
    assert set(dealt(rule, 60, Owners(OWNERS.ids, load))) == {"B"}
    assert Counter(dealt(rule, 60)) == {"B": 50, "C": 10}
    text = HANDOFF.replace("round_robin: [ben, clara]", "capacity: {ben: 1}}, {user: clara")
    full = Owners(OWNERS.ids, {"ben": 1})
    assert track(decide(scored(person(), 80), loads(text), NOW, full), "owner").value == "005C"


def test_a_contact_is_never_given_to_a_queue():
    text = HANDOFF.replace("owner: [{when", "owner: [{queue: Inbound}, {when")
    mapping, owners = loads(text), Owners({**OWNERS.ids, "Inbound": "00GQ"})
    assert track(decide(scored(person(MailingCountry="DE"), 80), mapping, NOW, owners), "owner").value == "005A"
    lead = scored(person(object_name="Lead", Country="DE"), 80)
    assert track(decide(lead, mapping, NOW, owners), "owner").value == "00GQ"
    assert mapping.owners == {"Inbound": True, "anna": False, "ben": False, "clara": False}


def test_memory_is_json():
    _, decision = written(scored(person(), 80), loads(HANDOFF), owners=OWNERS)
    assert any(each.memory for each in decision.tracks)
    for each in decision.tracks:
        assert json.loads(json.dumps(dict(each.memory))) == dict(each.memory)


RECYCLED = POINTS.replace('">= 40"}}]', '">= 40"}}, {name: Recycled, set_by: people}]').replace("both", "forward")
RETURN = """
moves:
  - {from: Recycled, to: Known, when: {activity: {direction: inbound, since: stage}}, restart: true}
"""


def test_recycling_restarts_the_clock_of_a_counted_score():
    mapping = loads(RECYCLED + RETURN)
    someone, _ = written(person("Recycled", did=[did("form_submit", 1)]), mapping)
    someone = replace(someone, activities=(*someone.activities, did("email_click", -1)))
    someone, decision = written(someone, mapping, NOW + 2 * DAY)
    assert (track(decision).value, track(decision, "score").value) == ("Known", "0")
    someone = replace(someone, activities=(*someone.activities, did("form_submit", -2.5)))
    assert track(decide(someone, mapping, NOW + 3 * DAY), "score").value == "40"


def test_a_hand_off_that_leads_to_a_fresh_start_has_happened_for_what_is_decided_after_it():
    mapping = loads("""
fields: {tags: Tags__c}
stages:
  - {name: Suspect, when: {email: present}}
  - {name: Engaged, when: {activity: inbound}}
moves: [{from: Engaged, to: Suspect, when: {handed_off: true}, restart: true}]
handoff: {when: {activity: form_submit}}
tags: [{name: Handed, when: {handed_off: true}}]
""")
    someone, decision = written(person(did=[did("form_submit")]), mapping)
    assert track(decision, "owner").memory["by"] == "hand-off"
    assert track(decision, "tags").value == "Handed"
    assert track(decide(someone, mapping, NOW), "tags").value == "Handed"


def test_who_is_away_gets_nobody_and_the_next_rule_is_asked_when_all_are():
    mapping = loads(HANDOFF.replace("{round_robin: [ben, clara]}", "{round_robin: [ben, clara]}, {user: anna}"))

    def owner(*away):
        return track(decide(scored(person(), 80), mapping, NOW, replace(OWNERS, away=frozenset(away))), "owner").value

    assert owner("005B") == "005C"
    assert owner("005B", "005C") == "005A"
    assert owner("005A", "005B", "005C") is None


def test_a_contact_goes_to_the_owner_of_the_account_who_is_there():
    mapping = loads(HANDOFF.replace("{when: {country: DE}, user: anna}", "{account_owner: true}"))
    assert {("Account", "OwnerId"), ("Contact", "AccountId")} <= {
        (name, field) for name, fields in mapping.reads.items() for field in fields
    }

    def owner(account, away=()):
        someone = scored(person(account=account), 80)
        return track(decide(someone, mapping, NOW, replace(OWNERS, away=frozenset(away))), "owner")

    given = owner({"OwnerId": "005D"})
    assert (given.value, given.memory["to"], given.verdict) == ("005D", "005D", "moves")
    assert "who owns the account" in given.reason
    assert owner({"OwnerId": "005D"}, away=["005D"]).value == "005B"
    assert owner({}).value == "005B"
