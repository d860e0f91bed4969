"""Conditions on several things together: at least so many of some conditions, and activities in a sequence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from connector.base.facts import Activity
from connector.lifecycle.activity import HasActivity, activity_evidence
from connector.lifecycle.calendar import Span
from connector.lifecycle.conditions import Condition, Finding, Grounds, Needs, Test, evidence_of
from connector.lifecycle.values import show_duration
from connector.lifecycle.view import View


@dataclass(frozen=True)
class AtLeast(Condition):
    """At least ``count`` of the conditions hold."""

    count: int
    items: tuple[Condition, ...]

    def compile(self, object_name: str) -> Test:
        tests, count = tuple(item.compile(object_name) for item in self.items), self.count
        return lambda view: sum(1 for test in tests if test(view)) >= count

    def grounds(self, view: View) -> Grounds:
        evidence, times = evidence_of([item for item in self.items if item.holds(view)], view)
        return evidence, sorted(times)[self.count - 1] if len(times) >= self.count else max(times, default=None)

    def look(self, view: View) -> Finding:
        parts = tuple(item.look(view) for item in self.items)
        held = sum(part.matched for part in parts)
        if held >= self.count:
            return Finding(self._title, True, f"{held} of {len(parts)} hold", "", *self.grounds(view), parts)
        lacks = f"{self.count - held} more of: " + "; ".join(part.lacks for part in parts if not part.matched)
        return Finding(self._title, False, f"{held} of {len(parts)} hold", lacks, parts=parts)

    @property
    def _title(self) -> str:
        return f"at least {self.count} of"

    def words(self) -> str:
        return f"at least {self.count} of ({', '.join(item.words() for item in self.items)})"

    def parts(self) -> tuple[Condition, ...]:
        return self.items


@dataclass(frozen=True)
class InSequence(Condition):
    """Activities one after another, each at most ``within`` after the one before."""

    steps: tuple[HasActivity, ...]
    within: Span | None = None

    def compile(self, object_name: str) -> Test:
        return self._chain

    @cached_property
    def _chain(self) -> Test:
        steps, within = tuple(step.every for step in self.steps), self.within

        def chain(view: View) -> Sequence[Activity]:
            """The activities of the sequence that was complete first; none where there is none."""
            ways: list[tuple[Activity, ...]] = [(each,) for each in steps[0](view)]
            for every in steps[1:]:
                ways = [way for each in every(view) if (way := _last_before(each, ways, within))]
                if not ways:
                    return ()
            return ways[0] if ways else ()

        return chain

    def grounds(self, view: View) -> Grounds:
        found = self._chain(view)
        if not isinstance(found, tuple) or not found:
            return (), None
        return tuple(activity_evidence(each) for each in found), found[-1].occurred_at

    def found(self, view: View) -> str:
        counts = [len(step.every(view)) for step in self.steps]
        return " and ".join(f"{count} x {step.words()}" for count, step in zip(counts, self.steps, strict=True))

    def words(self) -> str:
        span = f" within {show_duration(self.within)}" if self.within else ""
        return f", then{span} ".join(step.words() for step in self.steps)

    def needs(self) -> Needs:
        return self.steps[-1].needs()

    def parts(self) -> tuple[Condition, ...]:
        return self.steps


def _last_before(activity: Activity, ways: Sequence[tuple[Activity, ...]], within: Span | None) -> tuple[Activity, ...]:
    """The way so far that ended last before the activity, with the activity; () when none did in time."""
    for way in reversed(ways):
        ended = way[-1].occurred_at
        if ended < activity.occurred_at:
            return (*way, activity) if within is None or activity.occurred_at <= ended + within else ()
    return ()
