"""Conditions on measures: score, fit, thresholds, the hand-off, how fast sales responded, the account's stage, tags."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from connector.base.facts import Activity, Evidence
from connector.lifecycle.calendar import Span
from connector.lifecycle.compare import ORDERS, Comparison, Order
from connector.lifecycle.conditions import Condition, Grounds, Reads, Test
from connector.lifecycle.values import fold, show, show_duration, show_time
from connector.lifecycle.view import View

TOUCHES = ("call", "email_sent", "meeting", "social_message")  # what counts as a response of sales


@dataclass(frozen=True)
class ScoreIs(Condition):
    """The score or the fit, as it is now. The score itself says when it changes next."""

    of: str  # "score" | "fit"
    compare: Comparison

    def compile(self, object_name: str) -> Test:
        check = self.compare.compile()
        if self.of == "fit":
            return lambda view: check(view.fit, view)
        return lambda view: check(view.score, view)

    def grounds(self, view: View) -> Grounds:
        return (Evidence("score", view.person.id, self.found(view)),), None

    def found(self, view: View) -> str:
        return f"{self.of} is {show(view.fit if self.of == 'fit' else view.score)}"

    def lacks(self, view: View) -> str:
        if not isinstance(self.compare, Order) or self.compare.sign[0] != ">":
            return super().lacks(view)
        value = (view.fit if self.of == "fit" else view.score) or 0
        short = self.compare.bound - value + (1 if self.compare.sign == ">" else 0)
        return f"{show(short)} more points of {self.of}"

    def words(self) -> str:
        return f"{self.of} {self.compare.words()}"


@dataclass(frozen=True)
class ThresholdOn(Condition):
    """Past a threshold, and not yet back below it."""

    name: str
    of: str
    at: float

    def compile(self, object_name: str) -> Test:
        name = self.name
        return lambda view: view.latched.get(name, False)

    def grounds(self, view: View) -> Grounds:
        return (Evidence("score", view.person.id, f"past {self.name}: {self.found(view)}"),), None

    def found(self, view: View) -> str:
        return f"{self.of} is {show(view.fit if self.of == 'fit' else view.score)}"

    def lacks(self, view: View) -> str:
        value = (view.fit if self.of == "fit" else view.score) or 0
        return f"{show(self.at - value)} more points of {self.of}"

    def words(self) -> str:
        return f"past {self.name} ({self.of} {show(self.at)})"


@dataclass(frozen=True)
class HandedOff(Condition):
    """The last hand-off happened: ever, ``by`` one of these, at most ``within`` ago. ``expected`` False asks for the
    opposite of all that."""

    expected: bool = True
    by: tuple[str, ...] = ()
    within: Span | None = None

    def compile(self, object_name: str) -> Test:
        expected, by, within = self.expected, frozenset(self.by), self.within

        def test(view: View) -> bool:
            at = view.handed_off
            is_so = at is not None and (not by or view.handed_by in by)
            if is_so and at is not None and within is not None:
                view.look_again(at + within)
                is_so = view.now < at + within
            return is_so == expected

        return test

    def grounds(self, view: View) -> Grounds:
        return (Evidence("handoff", view.person.id, self.found(view), view.handed_off),), view.handed_off

    def found(self, view: View) -> str:
        if view.handed_off is None:
            return "never handed off"
        return f"handed off by {view.handed_by} on {show_time(view.handed_off)}"

    def words(self) -> str:
        parts = ["handed off" if self.expected else "not handed off"]
        parts += ["by " + " or ".join(self.by)] if self.by else []
        parts += [f"within the last {show_duration(self.within)}"] if self.within else []
        return " ".join(parts)


@dataclass(frozen=True)
class ResponseTime(Condition):
    """How long after the hand-off sales first reached out. While nobody has, the time so far counts."""

    sign: str  # one of ORDERS
    span: Span

    def compile(self, object_name: str) -> Test:
        compare, span, is_slow = ORDERS[self.sign], self.span, self.sign[0] == ">"

        def test(view: View) -> bool:
            start = view.handed_off
            if start is None:
                return False
            first = first_touch(view, start)
            if first is None:
                view.look_again(start + span)
                return (view.now >= start + span) == is_slow
            return bool(compare(first.occurred_at, start + span))

        return test

    def grounds(self, view: View) -> Grounds:
        start = view.handed_off
        first = first_touch(view, start) if start else None
        ref = f"{first.source}:{first.id}" if first else view.person.id
        return (Evidence("activity", ref, self.found(view), start),), None

    def found(self, view: View) -> str:
        start = view.handed_off
        if start is None:
            return "never handed off"
        first = first_touch(view, start)
        return f"{first.kind} after {show_duration(first.occurred_at - start)}" if first else "nobody responded yet"

    def words(self) -> str:
        return f"response time {self.sign} {show_duration(self.span)}"


def first_touch(view: View, start: datetime) -> Activity | None:
    """The first outbound activity of sales from ``start`` on."""
    for activity in view.of_kinds(frozenset(TOUCHES)):
        if activity.occurred_at >= start and activity.direction == "outbound":
            if activity.occurred_at > view.now:
                view.look_again(activity.occurred_at)
                return None
            return activity
    return None


@dataclass(frozen=True)
class AccountStageIs(Condition):
    """The furthest stage that other people of the account reached by rules of their own."""

    names: tuple[str, ...]

    def compile(self, object_name: str) -> Test:
        names = frozenset(self.names)
        return lambda view: view.person.account_stage in names

    def grounds(self, view: View) -> Grounds:
        ref = str(view.fields.get("AccountId") or view.person.id)
        return (Evidence("account", ref, self.found(view)),), None

    def found(self, view: View) -> str:
        return f"account's stage is {view.person.account_stage or 'empty'}"

    def words(self) -> str:
        return "account's stage is " + " or ".join(self.names)

    def reads(self) -> Reads:
        yield "Contact", "AccountId"


@dataclass(frozen=True)
class HasTag(Condition):
    """The tag field has one of these labels, as it stands."""

    names: tuple[str, ...]
    fields: Mapping[str, str] = field(default_factory=dict)
    separator: str = ";"

    def compile(self, object_name: str) -> Test:
        name, separator = self.fields.get(object_name), self.separator
        wanted = frozenset(fold(each) for each in self.names)

        def test(view: View) -> bool:
            value = view.fields.get(name) if name else view.memory.get("tags", {}).get("written")
            return bool(value) and any(fold(part) in wanted for part in str(value).split(separator))

        return test

    def grounds(self, view: View) -> Grounds:
        return (Evidence("field", view.person.id, self.found(view)),), None

    def found(self, view: View) -> str:
        name = self.fields.get(view.object)
        return f"tags are {show(view.fields.get(name) if name else None)}"

    def words(self) -> str:
        return "tagged " + " or ".join(self.names)

    def reads(self) -> Reads:
        yield from self.fields.items()
