"""What leaves a state with time is missed by no decision, for any mapping and any life."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from connector import mapping as mappings
from connector.base.facts import Person
from connector.lifecycle import decide
from connector.lifecycle.folding import looks_further
from tests.cases import cases
from tests.lifecycle.someone import DAY, NOW, did, person, written
from tests.lifecycle.stories import KINDS, STORY, changed, compiled, later, mapping_values, somebody

FAST: dict[str, Any] = {
    "derandomize": True,
    "phases": [Phase.explicit, Phase.generate],
    "suppress_health_check": list(HealthCheck),
}
NAMES = ("", "", "Demo", "Pricing")
OLD = st.builds(
    lambda kind, days, seconds, name, source: did(
        kind, days + seconds / 86400, name=name, key=f"{kind}-{days}-{seconds}", source=source
    ),
    st.sampled_from(KINDS),
    st.integers(15, 60),
    st.integers(0, 3),
    st.sampled_from(NAMES),
    st.sampled_from(["pardot", "files"]),
)


def once(someone: Person) -> Person:
    """A state has an id of a source once; stories may do the same twice."""
    return replace(someone, activities=tuple({(each.source, each.id): each for each in someone.activities}.values()))


def folded(someone: Person, mapping: Any, now: Any, keep: timedelta) -> Person:
    """What a state still has of somebody."""
    before = mapping.folding.before(now, keep)
    leave = mapping.folding.superfluous(mapping.programs[someone.object], someone, before)
    kept = tuple(each for each in someone.activities if (each.source, each.id) not in leave)
    return replace(someone, activities=kept)


@settings(max_examples=cases(25), **FAST)
@given(
    mapping_values(later=True, ways=("forward", "both")),
    somebody(),
    STORY,
    st.lists(OLD, max_size=30, unique_by=lambda each: each.id),
    st.sampled_from([0, 2, 15]),
)
def test_no_decision_misses_what_left(values: Any, someone: Any, story: Any, old: Any, days: int) -> None:
    mapping, now, keep = compiled(values), NOW, days * DAY
    activities = sorted((*someone.activities, *old), key=lambda each: (each.occurred_at, each.source, each.id))
    whole = less = replace(someone, activities=tuple(activities))
    for step in [{"days": 0}, *story, {"days": 30}]:
        now = later(now, step)
        whole, less = once(changed(whole, step, now)), once(changed(less, step, now))
        less = folded(less, mapping, now, keep)
        found, expected = decide(less, mapping, now), decide(whole, mapping, now)
        assert [pair for pair in zip(found.tracks, expected.tracks, strict=True) if pair[0] != pair[1]] == []
        assert found == expected
        whole, less = written(whole, mapping, now)[0], written(less, mapping, now)[0]


def lives(text: str, *done: Any, keep: float = 30, **fields: Any) -> set[str]:
    """Ids that stay."""
    mapping = mappings.loads(text)
    return {each.id for each in folded(person(did=done, **fields), mapping, NOW, keep * DAY).activities}


HEAD = "fields: {stage: {Contact: Stage__c, Lead: Stage__c}}\nstages:\n  - {name: Known, when: always}\n"
CLICKS = [did("email_click", 400 - day, key=f"c{day:03d}") for day in range(300)]


def test_of_what_is_alike_the_first_and_the_last_stay() -> None:
    rule = HEAD + "  - {name: Engaged, when: {activity: {direction: inbound, count: 2}}}\n"
    assert lives(rule, *CLICKS) == {"c000", "c001", "c298", "c299"}


def test_what_is_young_stays() -> None:
    assert len(lives(HEAD, *CLICKS, keep=500)) == 300


def test_what_a_window_sees_stays() -> None:
    rule = HEAD + "  - {name: Engaged, when: {activity: {direction: inbound, count: 5, within: 110d}}}\n"
    assert len(lives(rule, *CLICKS)) == 5 + 5 + 10


def test_what_is_counted_without_a_window_stays() -> None:
    counted = (
        "fields: {stage: {Contact: Stage__c}, score: {Contact: Score__c}}\nstages: [{name: Known, when: always}]\n"
    )
    assert len(lives(counted + "score: {points: [{activity: email_click, points: 1}]}\n", *CLICKS)) == 300
    assert len(lives(counted + "score: {points: [{activity: form_submit, points: 1}]}\n", *CLICKS)) == 2
    fading = counted + "score: {half_life: 5d, points: [{activity: email_click, points: 1}]}\n"
    assert len(lives(fading, *CLICKS)) < 10


def test_what_was_done_since_a_hand_off_stays() -> None:
    memory = {"owner": {"at": (NOW - 200 * DAY).isoformat()}}
    assert len(lives(HEAD, *CLICKS, memory=memory)) == 100 + 2


def test_scanners_leave_altogether_and_what_they_are_told_by_with_them() -> None:
    sent = [did("email_sent", 200 + day, key=f"s{day}", source="pardot") for day in range(5)]
    scanned = [did("email_click", 200 + day - 3 / 86400, key=f"b{day}", source="pardot") for day in range(5)]
    assert lives(HEAD, *sent, *scanned) == {"s0", "s4"}


def test_a_mapping_that_looks_further_is_told_from_one_that_does_not() -> None:
    near, far = HEAD, HEAD + "  - {name: Engaged, when: {activity: {direction: inbound, count: 2}}}\n"
    said = [mappings.loads(each).folding.said for each in (near, far)]
    assert looks_further(said[1], said[0])
    assert not looks_further(said[0], said[1])
    assert not looks_further(said[1], said[1])
