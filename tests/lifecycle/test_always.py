"""What must hold for every mapping, every person and every history."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

from hypothesis import HealthCheck, Phase, assume, given, settings
from hypothesis import strategies as st

from connector.lifecycle import decide, explain, plan
from connector.lifecycle.conditions import Condition
from connector.lifecycle.decide import look_at
from connector.mapping.logic import excludes, implies, impossible
from tests.cases import cases
from tests.lifecycle.someone import NOW, track, written
from tests.lifecycle.stories import DAY, STORY, changed, compiled, condition, later, mapping_values, somebody

# Without shrinking: a failure is told in seconds, and shrunk by hand where that is needed.
FAST: dict[str, Any] = {
    "derandomize": True,
    "phases": [Phase.explicit, Phase.generate],
    "suppress_health_check": list(HealthCheck),
}
MANY = settings(max_examples=cases(45), **FAST)
MORE = settings(max_examples=cases(130), **FAST)  # where few lives come upon what could go wrong


def lived(mapping, someone, story):
    """Every state of a person's life, with its time, before it is decided."""
    now = NOW
    for step in [{"days": 0}, *story]:
        now = later(now, step)
        someone = changed(someone, step, now)
        yield someone, now
        someone, _ = written(someone, mapping, now)


def at_rest(someone, mapping, now):
    """The person once every decision was written. Rules that look at where somebody stands can lead on at once."""
    for _ in range(3):
        someone, _ = written(someone, mapping, now)
    return someone


def said(decision):
    return [(each.track, each.value, each.verdict, each.rule) for each in decision.tracks]


@MANY
@given(mapping_values(later=True), somebody(), STORY)
def test_deciding_twice_gives_the_same(values, someone, story):
    mapping = compiled(values)
    for state, now in lived(mapping, someone, story):
        assert decide(state, mapping, now) == decide(state, mapping, now)


@MANY
@given(mapping_values(standing=False), somebody(), STORY)
def test_what_was_written_is_not_written_again(values, someone, story):
    mapping = compiled(values)
    for state, now in lived(mapping, someone, story):
        settled, first = written(state, mapping, now)
        again = decide(settled, mapping, now)
        assert plan(settled, again, mapping) is None
        assert [each.value or None for each in again.tracks] == [each.value or None for each in first.tracks]


@MANY
@given(mapping_values(standing=False), somebody(), STORY)
def test_what_is_remembered_does_not_depend_on_how_often_somebody_is_decided(values, someone, story):
    mapping = compiled(values)
    for state, now in lived(mapping, someone, story):
        settled, first = written(state, mapping, now)
        _, again = written(settled, mapping, now)
        for name in ("stage", "status"):
            one, other = (track(each, name).memory for each in (first, again))
            for key in ("at", "since", "hold"):
                assert one.get(key) == other.get(key)


@MANY
@given(mapping_values(standing=False), somebody(), STORY)
def test_a_mapping_that_is_replaced_by_an_equal_one_moves_nobody(values, someone, story):
    mapping = compiled(values)
    equal = compiled({**values, "conditions": {**values.get("conditions", {}), "nobody asks": "always"}})
    for state, now in lived(mapping, someone, story):
        settled, first = written(state, mapping, now)
        again = decide(settled, equal, now)
        assert plan(settled, again, equal) is None
        assert [each.value or None for each in again.tracks] == [each.value or None for each in first.tracks]


@MORE
@given(mapping_values(later=True), somebody(), STORY, st.randoms())
def test_the_order_of_facts_does_not_matter(values, someone, story, random):
    mapping = compiled(values)
    for state, now in lived(mapping, someone, story):
        shuffled = {name: list(getattr(state, name)) for name in ("opportunities", "prospects", "aliases")}
        for facts in shuffled.values():
            random.shuffle(facts)
        other = replace(state, **{name: tuple(facts) for name, facts in shuffled.items()})
        assert decide(other, mapping, now) == decide(state, mapping, now)


@MORE
@given(mapping_values(later=True), somebody(), STORY, st.floats(0.0, 1.0))
def test_nothing_changes_before_review_at(values, someone, story, part):
    mapping = compiled(values)
    for state, now in lived(mapping, someone, story):
        settled = at_rest(state, mapping, now)
        decision = decide(settled, mapping, now)
        end = decision.review_at or now + 400 * DAY
        assert end > now
        if plan(settled, decision, mapping) is None:
            between = min(now + (end - now) * part, end - timedelta(microseconds=1))
            assert said(decide(settled, mapping, between)) == said(decision)


@MANY
@given(mapping_values(moves=False), somebody(), STORY)
def test_forward_only_never_lowers(values, someone, story):
    mapping = compiled(values)
    names = [stage.name for stage in mapping.stages]
    for state, now in lived(mapping, someone, story):
        decided = track(decide(state, mapping, now))
        if decided.current in names and decided.value is not None:
            assert names.index(decided.value) >= names.index(decided.current)


@MANY
@given(mapping_values(), somebody(), STORY)
def test_only_a_named_move_lowers(values, someone, story):
    mapping = compiled(values)
    names = [stage.name for stage in mapping.stages]
    moves = {move.name: move for move in mapping.model.stage.moves}
    for state, now in lived(mapping, someone, story):
        decided = track(decide(state, mapping, now))
        known = decided.current in names and decided.value is not None
        if known and names.index(decided.value) < names.index(decided.current):
            assert decided.rule in moves


@MANY
@given(mapping_values(lock=True, later=True), somebody(), STORY)
def test_a_locked_person_never_moves(values, someone, story):
    mapping = compiled(values)
    assume(someone.object != "Prospect")  # no record, so no box to tick
    for state, now in lived(mapping, replace(someone, fields={**someone.fields, "Locked__c": True}), story):
        decision = decide(state, mapping, now)
        assert plan(state, decision, mapping) is None
        assert {each.verdict for each in decision.tracks} == {"held"}


@MANY
@given(mapping_values(later=True), somebody(), STORY)
def test_every_rule_is_explained_as_it_was_decided(values, someone, story):
    mapping = compiled(values)
    for state, now in lived(mapping, someone, story):
        explained = explain(state, mapping, now)
        decision = decide(state, mapping, now)
        assert tuple(each.decision for each in explained.tracks) == decision.tracks
        assert explained.as_dict()["person"] == state.id


def all_findings(finding):
    yield finding
    for part in finding.parts:
        yield from all_findings(part)


BESIDE_STAGES = {  # what conditions may name
    "statuses": ["New", "Working", "Connected", "Bad Timing"],
    "score": {"points": [{"activity": "form_submit", "points": 30}]},
    "fit": {"points": [{"when": {"country": "DE"}, "points": 30}]},
    "thresholds": {"hot": {"at": 40}},
    "handoff": {"when": {"email": "present"}},
}


@settings(max_examples=cases(120), **FAST)
@given(condition(True), somebody(), STORY)
def test_why_agrees_with_whether(what, someone, story):
    values: dict[str, Any] = {
        "stages": [
            {"name": name}
            for name in ("Anonymous", "Suspect", "Engaged", "Qualified", "Opportunity", "Customer", "Former")
        ]
        + [{"name": "Disqualified", "when": what}],
        **BESIDE_STAGES,
    }
    mapping = compiled(values)
    rule: Condition = mapping.stages[-1].rules[0].when
    for state, now in lived(mapping, someone, story):
        view = look_at(state, mapping.programs[state.object], now)
        view.stand("stage", "Suspect", now - 2 * DAY)
        for each in rule.walk():
            finding = each.look(view)
            assert finding.matched == bool(each.compile(state.object)(view)), each.words()
            assert finding.matched or finding.lacks
            assert finding.text


@settings(max_examples=cases(150), **FAST)
@given(condition(True), condition(True), somebody(), STORY)
def test_what_is_said_to_follow_does_follow(one, other, someone, story):
    names = ("Anonymous", "Suspect", "Engaged", "Qualified", "Opportunity", "Customer")
    values = {
        "stages": [{"name": name} for name in names]
        + [
            {"name": "Former", "when": {"any": [one, "always"]}},
            {"name": "Disqualified", "when": {"any": [other, "always"]}},
        ],
        **BESIDE_STAGES,
    }
    mapping = compiled(values)
    asked = [each for stage in mapping.stages[-2:] for each in stage.rules[0].when.walk()]
    for state, now in lived(mapping, someone, story):
        view = look_at(state, mapping.programs[state.object], now)
        view.stand("stage", "Suspect", now - 2 * DAY)
        true = [each for each in asked if each.holds(view)]
        assert not any(impossible(each) for each in true)
        for a in true:
            assert all(b in true for b in asked if implies(a, b))
            assert not any(excludes(a, b) for b in true)
