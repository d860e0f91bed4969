"""The random lives that properties are tested with have in them what the properties are about."""

from __future__ import annotations

from collections import Counter

from hypothesis import given, settings

from connector.lifecycle import decide
from tests.cases import cases
from tests.lifecycle.someone import track
from tests.lifecycle.stories import STORY, compiled, mapping_values, somebody
from tests.lifecycle.test_always import FAST, lived

SEEN: Counter[str] = Counter()


class Moment:
    """A person at one time, as decided, and as they were the time before."""

    def __init__(self, mapping, before, state, now):
        decision = decide(state, mapping, now)
        self.names = [step.name for step in mapping.stages]
        self.moves = {move.name for move in mapping.model.stage.moves}
        self.memory, self.activities, self.now, self.review = state.memory, state.activities, now, decision.review_at
        self.stage, self.owner, self.tags = (track(decision, name) for name in ("stage", "owner", "tags"))
        self.score = track(decision, "score")
        self.known, self.last = before or (state, now)
        self.is_other = self.known.id != state.id

    def way(self):
        """How many stages further."""
        if {self.stage.value, self.stage.current} <= {*self.names}:
            return self.names.index(self.stage.value) - self.names.index(self.stage.current)
        return 0

    def held_by(self):
        return self.stage.memory.get("hold", {}).get("by")

    def was(self, name, key):
        return self.memory.get(name, {}).get(key)


# Hypothesis draws from the constants of the modules that happen to be loaded, so the lives are not the same in every
# run of the suite: there are twice as many as the least numbers need.
HAPPENINGS = {  # what -> in so many lives at least, and when it is so
    "raised": (15, lambda m: m.way() > 0),
    "lowered": (3, lambda m: m.way() < 0),
    "held by a person": (3, lambda m: m.held_by() == "person"),
    "held by a move": (3, lambda m: m.held_by() == "move"),
    "move taken": (10, lambda m: m.stage.rule in m.moves),
    "grace period": (2, lambda m: m.stage.memory.get("pending")),
    "started afresh": (2, lambda m: m.stage.memory.get("restarted")),
    "handed off": (30, lambda m: m.owner.rule),
    "handed off again": (1, lambda m: m.owner.rule and m.was("owner", "at")),
    "score": (40, lambda m: m.score.value not in {None, "0"}),
    "threshold on": (10, lambda m: m.score.memory["on"]),
    "threshold off again": (2, lambda m: m.was("score", "on") and not m.score.memory["on"]),
    "tag added": (60, lambda m: "adds" in m.tags.reason),
    "tag taken away": (4, lambda m: "removes" in m.tags.reason),
    "looked at again": (60, lambda m: m.review),
    "activity to come": (15, lambda m: any(each.occurred_at > m.now for each in m.activities)),
    "activity that came late": (
        30,
        lambda m: any(each.occurred_at < m.last for each in m.activities if each not in m.known.activities),
    ),
    "became another record": (40, lambda m: m.is_other),
}


@settings(max_examples=cases(330), **FAST)
@given(mapping_values(later=True), somebody(), STORY)
def live(values, someone, story):
    mapping, before, seen = compiled(values), None, set()
    for state, now in lived(mapping, someone, story):
        moment = Moment(mapping, before, state, now)
        seen |= {what for what, (_, is_so) in HAPPENINGS.items() if is_so(moment)}
        before = (state, now)
    SEEN.update(seen)


def test_lives_have_everything_in_them():
    live()
    assert {what: (SEEN[what], least) for what, (least, _) in HAPPENINGS.items() if SEEN[what] < least} == {}
