"""Comparisons of one value: ``[DE, AT]``, ``>= 71``, ``missing``, ``{within: 90d}``.

Each is a value that compiles to a test of (value, view). Those that depend on the time tell the view when their own
answer changes next; that is all that ``review_at`` needs.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from connector.lifecycle.values import fold, is_missing, number_of, show, show_duration, show_time, time_of

if TYPE_CHECKING:
    from connector.lifecycle.view import View

_Scalar = str | int | float | bool
Check = Callable[[Any, "View"], bool]
ORDERS: dict[str, Callable[[Any, Any], bool]] = {
    ">=": operator.ge,
    ">": operator.gt,
    "<=": operator.le,
    "<": operator.lt,
}


class Comparison:
    """One comparison. ``compile`` gives the fast test, ``words`` what it asks for, in plain English."""

    def compile(self) -> Check:
        raise NotImplementedError

    def words(self) -> str:
        raise NotImplementedError


@dataclass(frozen=True)
class OneOf(Comparison):
    """Equal to one of the values. Texts without case; a checkbox that is empty counts as not ticked."""

    values: tuple[_Scalar, ...]

    def compile(self) -> Check:
        texts = frozenset(v for v in self.values if isinstance(v, str))
        folded = frozenset(fold(str(v)) for v in self.values if not isinstance(v, bool))
        others = frozenset(v for v in self.values if not isinstance(v, str))
        empty = False in self.values

        def test(value: Any, _view: View) -> bool:
            if value.__class__ is str:
                return value in texts or fold(value) in folded
            if value is None:
                return empty
            return value in others

        return test

    def words(self) -> str:
        return show(self.values[0]) if len(self.values) == 1 else "one of " + ", ".join(show(v) for v in self.values)


@dataclass(frozen=True)
class IsPresent(Comparison):
    def compile(self) -> Check:
        return lambda value, _view: value is not None and value != ""

    def words(self) -> str:
        return "present"


@dataclass(frozen=True)
class Missing(Comparison):
    def compile(self) -> Check:
        return lambda value, _view: value is None or value == ""

    def words(self) -> str:
        return "missing"


@dataclass(frozen=True)
class Order(Comparison):
    """``>= 71``. A value that is missing or no number is never in order."""

    sign: str
    bound: float

    def compile(self) -> Check:
        compare, bound = ORDERS[self.sign], self.bound

        def test(value: Any, _view: View) -> bool:
            kind = value.__class__
            if kind is not float and kind is not int:
                value = number_of(value)
                if value is None:
                    return False
            return compare(value, bound)

        return test

    def words(self) -> str:
        return f"{self.sign} {show(self.bound)}"


@dataclass(frozen=True)
class DateOrder(Comparison):
    """``>= 2026-01-31``: a fixed date."""

    sign: str
    bound: datetime

    def compile(self) -> Check:
        compare, bound = ORDERS[self.sign], self.bound

        def test(value: Any, _view: View) -> bool:
            at = time_of(value)
            return at is not None and compare(at, bound)

        return test

    def words(self) -> str:
        return f"{self.sign} {show_time(self.bound)}"


@dataclass(frozen=True)
class Contains(Comparison):
    """The text contains (or starts with) one of these, without case."""

    parts: tuple[str, ...]
    at_start: bool = False

    def compile(self) -> Check:
        parts = tuple(fold(part) for part in self.parts)

        def contains(value: Any, _view: View) -> bool:
            if is_missing(value):
                return False
            text = fold(str(value))
            return any(part in text for part in parts)

        def starts(value: Any, _view: View) -> bool:
            return not is_missing(value) and fold(str(value)).startswith(parts)

        return starts if self.at_start else contains

    def words(self) -> str:
        return ("starts with " if self.at_start else "contains ") + " or ".join(self.parts)


@dataclass(frozen=True)
class Includes(Comparison):
    """A multi-select picklist (``A;B``) has one of these values."""

    values: tuple[str, ...]

    def compile(self) -> Check:
        wanted = frozenset(fold(value) for value in self.values)

        def test(value: Any, _view: View) -> bool:
            return not is_missing(value) and any(fold(part) in wanted for part in str(value).split(";"))

        return test

    def words(self) -> str:
        return "includes " + " or ".join(self.values)


@dataclass(frozen=True)
class Within(Comparison):
    """A time in the past, at most ``span`` ago."""

    span: timedelta

    def compile(self) -> Check:
        span = self.span

        def test(value: Any, view: View) -> bool:
            at = time_of(value)
            if at is None:
                return False
            now = view.now
            if at > now:
                view.look_again(at)
                return False
            if now < at + span:
                view.look_again(at + span)
                return True
            return False

        return test

    def words(self) -> str:
        return f"within the last {show_duration(self.span)}"


@dataclass(frozen=True)
class OlderThan(Comparison):
    """A time at least ``span`` ago."""

    span: timedelta

    def compile(self) -> Check:
        span = self.span

        def test(value: Any, view: View) -> bool:
            at = time_of(value)
            if at is None:
                return False
            if view.now < at + span:
                view.look_again(at + span)
                return False
            return True

        return test

    def words(self) -> str:
        return f"at least {show_duration(self.span)} ago"


@dataclass(frozen=True)
class Ahead(Comparison):
    """A time in the future, at most ``span`` away."""

    span: timedelta

    def compile(self) -> Check:
        span = self.span

        def test(value: Any, view: View) -> bool:
            at = time_of(value)
            if at is None or view.now >= at:
                return False
            if view.now < at - span:
                view.look_again(at - span)
                return False
            view.look_again(at)
            return True

        return test

    def words(self) -> str:
        return f"within the next {show_duration(self.span)}"


@dataclass(frozen=True)
class IsNot(Comparison):
    """The opposite. True of a missing value, as ``!=`` is in Salesforce."""

    item: Comparison

    def compile(self) -> Check:
        check = self.item.compile()
        return lambda value, view: not check(value, view)

    def words(self) -> str:
        return f"not {self.item.words()}"


@dataclass(frozen=True)
class Every(Comparison):
    """All of these at once."""

    items: tuple[Comparison, ...]

    def compile(self) -> Check:
        checks = tuple(item.compile() for item in self.items)

        def test(value: Any, view: View) -> bool:
            for check in checks:  # noqa: SIM110 - a loop is twice as fast as all() over a generator
                if not check(value, view):
                    return False
            return True

        return test

    def words(self) -> str:
        return " and ".join(item.words() for item in self.items)
