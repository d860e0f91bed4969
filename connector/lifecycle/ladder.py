"""A track made ready for one object: tests compiled, steps by position, Salesforce's values by step."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from connector.base.json import JsonMap
from connector.lifecycle.conditions import Condition, Test, can_hold
from connector.lifecycle.measures import AccountStageIs
from connector.lifecycle.model import Move, Rule, Step, Track
from connector.lifecycle.values import fold, time_of
from connector.lifecycle.view import ByPresence, Present, View

NOWHERE = -1  # the field is empty
UNKNOWN = -2  # the field has a value that the mapping does not know
Memory = JsonMap
NO_MEMORY: Memory = {}
CompiledRule = tuple[int, Rule, Test]  # position, rule, test


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a person stands before anything is decided. ``hold`` keeps a value that a person or a move set; ``hidden``
    is what does not count because of that or an earlier hold (``hold.py``)."""

    position: int
    since: datetime | None
    hold: Memory | None = None
    hidden: Memory | None = None
    is_new: bool = False  # no memory of this record yet
    origin: str = ""  # id of who became this person, and stood here


@dataclass
class Ladder:
    """One track for one object. Positions count from 0, in the order of the mapping."""

    track: Track
    object_name: str
    keeps_dates: bool = False
    keeps_highest: bool = False
    counts: Condition | None = None  # for whom it holds is one of those who say how far their account is

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
        self._former = {
            fold(old): self.positions[name]
            for old, name in self.track.migrate.items()
            if name in self.positions and fold(old) not in self._by_value
        }
        self.rules: tuple[CompiledRule, ...] = tuple(  # the furthest step's first
            (position, rule, rule.when.compile(self.object_name))
            for position, step in reversed(list(enumerate(self.steps)))
            for rule in step.rules
        )
        self._relevant = ByPresence(self._worth_asking)
        self.is_counted = self.counts.compile(self.object_name) if self.counts is not None else None
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
            if leaving and not step.forever:
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
        known = fold(value)
        if known not in self._former:
            return self._by_value.get(known, UNKNOWN)
        is_ours = value == memory.get("written")
        position = remembered if is_ours and remembered >= 0 else self._former[known]
        return position if is_ours or position >= 0 else UNKNOWN

    def is_former(self, value: str) -> bool:
        """Whether it is what a step was called before, or is in another segment, which is written anew."""
        return bool(self._former) and self._former.get(fold(value), NOWHERE) >= 0

    def know(self, others: Iterable[Ladder]) -> None:
        """The values of other segments' ladders stand for the step of the same name, for whoever comes from there.
        Where there is no such step, what we wrote there stands for nothing here, and the rules decide afresh."""
        for other in others:
            for name, position in other.positions.items():
                value = fold(str(other.values[position]))
                if value not in self._by_value:
                    self._former.setdefault(value, self.positions.get(name, NOWHERE))

    def answer(self, view: View) -> tuple[int, Rule | None]:
        """The furthest step with a rule that holds."""
        for position, rule, test in self.worth_asking(view):
            if test(view):
                return position, rule
        return NOWHERE, None

    def worth_asking(self, view: View) -> tuple[CompiledRule, ...]:
        """The rules that could hold for somebody with these facts, the furthest step's first."""
        return self._relevant[view.present]

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
        position = self.position_of(current, memory)
        stood = view.person.stood.get(self.name)
        if stood is not None and stood != (current or ""):  # since a first decision that was not written
            return self._set_by_hand(view, position)
        standing = self._stand(view, position, current, memory)
        if not self.track.forward or standing.position == UNKNOWN:
            return standing
        for key in sorted(view.person.former.keys() - set(memory.get("took", ()))):
            former = view.person.former[key].get(self.name, NO_MEMORY)
            before = self.positions.get(former.get("at") or "", NOWHERE)
            if before > standing.position and self._is_better(before, standing.position):
                since, hold, hidden = time_of(former.get("since")), former.get("hold"), former.get("hidden")
                standing = Standing(before, since, hold, hidden, origin=key)
        return standing

    def _stand(self, view: View, position: int, current: str | None, memory: Memory) -> Standing:
        """A value that is not the one we left there was set by a person."""
        if not memory:
            return self._first_seen(view, position)
        since, hold, hidden = time_of(memory.get("since")), memory.get("hold"), memory.get("hidden")
        if memory.get("record") != view.person.id:  # a converted lead or a merged record: goes on from the furthest
            before = self.positions.get(memory.get("at", ""), NOWHERE)
            if before >= position > UNKNOWN and self._is_better(before, position):
                return Standing(before, since, hold, hidden, origin=str(memory.get("record") or ""))
            return Standing(position, view.now)
        if current == memory.get("written"):
            return Standing(position, since, hold, hidden)
        return self._set_by_hand(view, position)

    def _set_by_hand(self, view: View, position: int) -> Standing:
        if position < 0:  # cleared by hand: the rules decide afresh
            return Standing(position, None)
        at = edited_at(view)
        return Standing(position, at, self.held("person", at))

    def _is_better(self, before: int, position: int) -> bool:
        """A duplicate that was disqualified spoils no good record."""
        return position < 0 or self.steps[before].funnel

    def put(self, view: View, name: str, memory: Memory = NO_MEMORY) -> Standing:
        """At a step from now on. ``memory``: of the move that led there."""
        return Standing(self.positions[name], view.now, memory.get("hold"), memory.get("hidden"))

    def gives_way(self, view: View, name: str) -> bool:
        """Whether a hand-off may put somebody at a step: not in place of what a person set, or of what stood there,
        further on, when they were first seen."""
        memory = view.memory.get(self.name, NO_MEMORY)
        standing = self.stand(view, self.current(view, memory), memory)
        if standing.hold is not None and standing.hold["by"] != "move":
            return False
        return not standing.is_new or standing.position <= self.positions[name]

    def _first_seen(self, view: View, position: int) -> Standing:
        """The value that stands is where the person starts."""
        return Standing(position, None if position < 0 else view.now, is_new=True)

    def held(self, by: str, since: datetime) -> Memory | None:
        """The hold on a value that did not come from the rules."""
        return None if self.track.manual.kind == "ignored" else {"by": by, "since": since.isoformat()}

    def show(self, view: View, position: int, since: datetime | None) -> None:
        """Lets conditions see somebody at a step."""
        view.stand(self.name, self.names[position], since)


def edited_at(view: View) -> datetime:
    """When a person set what we did not write: not later than the record was last touched, and that is closer to it
    than when we look."""
    touched = time_of(view.fields.get("SystemModstamp"))
    return view.now if touched is None else min(touched, view.now)


def is_lifted(rule: Rule) -> bool:
    """Whether a rule looks at other people of the account: what it gives must not lift those in turn."""
    return any(isinstance(each, AccountStageIs) for each in rule.when.walk())
