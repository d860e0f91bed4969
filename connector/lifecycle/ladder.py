"""A track made ready for one object: tests compiled, steps by position, Salesforce's values by step."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from connector.base.json import JsonMap
from connector.lifecycle.conditions import Test, can_hold
from connector.lifecycle.measures import AccountStageIs
from connector.lifecycle.model import Move, Rule, Step, Track
from connector.lifecycle.values import fold, time_of
from connector.lifecycle.view import ByPresence, Present, View

NOWHERE = -1  # the field is empty
UNKNOWN = -2  # the field has a value that the mapping does not know
Memory = JsonMap
NO_MEMORY: Memory = {}
CompiledRule = tuple[int, Rule, Test]  # position, rule, test
FIRST_ANSWER = "?"  # a hold's answer when the person is seen for the first time: whatever the rules say now


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a person stands before anything is decided. ``hold`` keeps a value that a person or a move set."""

    position: int
    since: datetime | None
    hold: Memory | None = None
    is_new: bool = False  # no memory of this record yet
    origin: str = ""  # id of who became this person, and stood here


@dataclass
class Ladder:
    """One track for one object. Positions count from 0, in the order of the mapping."""

    track: Track
    object_name: str
    keeps_dates: bool = False
    keeps_highest: bool = False

    def __post_init__(self) -> None:
        self.name = self.track.name
        self.steps: tuple[Step, ...] = self.track.steps
        self.field = self.track.fields.get(self.object_name)
        self.positions = {step.name: position for position, step in enumerate(self.steps)}
        # By position. UNKNOWN and NOWHERE, -2 and -1, are the last two.
        self.names: tuple[str | None, ...] = (*(step.name for step in self.steps), None, None)
        self.values: tuple[str | None, ...] = (*(step.value(self.object_name) for step in self.steps), None, None)
        self._by_value: dict[str, int] = {}
        for position, step in enumerate(self.steps):
            self._by_value.setdefault(fold(step.value(self.object_name)), position)
        self.rules: tuple[CompiledRule, ...] = tuple(  # the furthest step's first
            (position, rule, rule.when.compile(self.object_name))
            for position, step in reversed(list(enumerate(self.steps)))
            for rule in step.rules
        )
        self._relevant = ByPresence(self._worth_asking)
        self.has_lifts = any(is_lifted(rule) for _, rule, _ in self.rules)
        self.scope = None if self.track.stages is None else frozenset(self.track.stages)
        self.moves_from: dict[int, tuple[tuple[Move, Test], ...]] = {}
        compiled = [(move, move.when.compile(self.object_name)) for move in self.track.moves]
        for step in self.steps:
            leaving = [
                pair
                for pair in compiled
                if (step.name in pair[0].origins or not pair[0].origins) and pair[0].to != step.name
            ]
            if leaving:
                self.moves_from[self.positions[step.name]] = tuple(leaving)

    def current(self, view: View, memory: Memory) -> str | None:
        """The value that stands; somebody without a CRM record stands where we left them."""
        value = view.fields.get(self.field) if self.field else memory.get("written")
        return None if value is None or value == "" else str(value)

    def position_of(self, value: str | None, memory: Memory) -> int:
        """The step a Salesforce value stands for. Steps that share a value are told apart by memory."""
        if value is None:
            return NOWHERE
        remembered = self.positions.get(memory.get("at", ""), UNKNOWN)
        if remembered >= 0 and self.values[remembered] == value:
            return remembered
        return self._by_value.get(fold(value), UNKNOWN)

    def answer(self, view: View) -> tuple[int, Rule | None]:
        """The furthest step with a rule that holds."""
        for position, rule, test in self._relevant[view.present]:
            if test(view):
                return position, rule
        return NOWHERE, None

    def _worth_asking(self, present: Present) -> tuple[CompiledRule, ...]:
        return tuple(each for each in self.rules if can_hold(each[1].when, present))

    def own_answer(self, view: View) -> int:
        """The same without rules that look at other people of the account."""
        for position, rule, test in self.rules:
            if not is_lifted(rule) and test(view):
                return position
        return NOWHERE

    def stand(self, view: View, current: str | None, memory: Memory) -> Standing:
        """Where the person stands, from the value as read and what was remembered. Whoever became this person is taken
        over once: on a track that only goes forward, the person goes on from the furthest."""
        standing = self._stand(view, current, memory)
        if not self.track.forward or standing.position == UNKNOWN:
            return standing
        for key in sorted(view.person.former.keys() - set(memory.get("took", ()))):
            former = view.person.former[key].get(self.name, NO_MEMORY)
            before = self.positions.get(former.get("at") or "", NOWHERE)
            if before > standing.position and self._is_better(before, standing.position):
                standing = Standing(before, time_of(former.get("since")), former.get("hold"), origin=key)
        return standing

    def _stand(self, view: View, current: str | None, memory: Memory) -> Standing:
        """A value that is not the one we left there was set by a person."""
        position = self.position_of(current, memory)
        if not memory:
            return self._first_seen(view, position)
        since, hold = time_of(memory.get("since")), memory.get("hold")
        if memory.get("record") != view.person.id:  # a converted lead or a merged record: goes on from the furthest
            before = self.positions.get(memory.get("at", ""), NOWHERE)
            if before >= position > UNKNOWN and self._is_better(before, position):
                return Standing(before, since, hold, origin=str(memory.get("record") or ""))
            return Standing(position, view.now)
        if current == memory.get("written"):
            return Standing(position, since, hold)
        if position < 0:  # cleared by hand: the rules decide afresh
            return Standing(position, None)
        return Standing(position, view.now, self._held_by_hand(view, memory.get("answer")))

    def _is_better(self, before: int, position: int) -> bool:
        """A duplicate that was disqualified spoils no good record."""
        return position < 0 or self.steps[before].funnel

    def put(self, view: View, name: str, hold: Memory | None = None) -> Standing:
        """At a step from now on."""
        return Standing(self.positions[name], view.now, hold)

    def _first_seen(self, view: View, position: int) -> Standing:
        """The value that stands is where the person starts. One that only people set stays, also on a track that
        follows its rules both ways."""
        if position < 0:
            return Standing(position, None, is_new=True)
        hold = None
        if self.steps[position].set_by == "people" and not self.track.forward:
            hold = self._held_by_hand(view, FIRST_ANSWER)
        return Standing(position, view.now, hold, is_new=True)

    def _held_by_hand(self, view: View, answer: str | None) -> Memory | None:
        if self.track.manual.kind == "ignored":
            return None
        return {"by": "person", "since": view.now.isoformat(), "answer": answer}

    def show(self, view: View, position: int, since: datetime | None) -> None:
        """Lets conditions see somebody at a step."""
        view.stand(self.name, self.names[position], since)


def is_lifted(rule: Rule) -> bool:
    """Whether a rule looks at other people of the account: what it gives must not lift those in turn."""
    return any(isinstance(each, AccountStageIs) for each in rule.when.walk())
