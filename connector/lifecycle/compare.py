"""Comparisons of one value: ``[DE, AT]``, ``>= 71``, ``missing``, ``{within: 90d}``.

Each is a value that compiles to a test of (value, view). Those that depend on the time tell the view when their own
answer changes next; that is all that ``review_at`` needs.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, ClassVar

from connector.lifecycle.calendar import Span
from connector.lifecycle.values import ONE_DAY, fold, is_missing, number_of, show, show_duration, show_time, time_of

if TYPE_CHECKING:
    from connector.lifecycle.view import View

_Scalar = str | int | float | bool
Check = Callable[[Any, "View"], bool]
RowCheck = Callable[[Mapping[str, Any], "View"], bool]
ORDERS: dict[str, Callable[[Any, Any], bool]] = {
    ">=": operator.ge,
    ">": operator.gt,
    "<=": operator.le,
    "<": operator.lt,
}


class Comparison:
    """One comparison. ``compile`` gives the fast test, ``words`` what it asks for, in plain English. ``asks``: of what
    kind of value it makes sense, "" where of any."""

    asks: ClassVar[str] = ""

    def compile(self) -> Check:
        raise NotImplementedError

    def words(self) -> str:
        raise NotImplementedError

    def parts(self) -> tuple[Comparison, ...]:
        return ()

    def walk(self) -> Iterator[Comparison]:
        """Itself and everything inside."""
        yield self
        for part in self.parts():
            yield from part.walk()

    def others(self) -> tuple[str, ...]:
        """Further fields of the same row that it looks at."""
        return tuple(each.other for each in self.walk() if isinstance(each, Against))

    def of(self, name: str) -> RowCheck:
        """The test of a row's field."""
        check = self.compile()
        return lambda row, view: check(row.get(name), view)


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

    asks: ClassVar[str] = "number"
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

    asks: ClassVar[str] = "date"
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
    """The text contains one of these, or starts or ends with it, without case."""

    asks: ClassVar[str] = "text"
    texts: tuple[str, ...]
    where: str = "contains"  # "contains" | "starts with" | "ends with"

    def compile(self) -> Check:
        texts = tuple(fold(text) for text in self.texts)

        def contains(value: Any, _view: View) -> bool:
            if is_missing(value):
                return False
            text = fold(str(value))
            return any(part in text for part in texts)

        def starts(value: Any, _view: View) -> bool:
            return not is_missing(value) and fold(str(value)).startswith(texts)

        def ends(value: Any, _view: View) -> bool:
            return not is_missing(value) and fold(str(value)).endswith(texts)

        return {"contains": contains, "starts with": starts, "ends with": ends}[self.where]

    def words(self) -> str:
        return f"{self.where} " + " or ".join(self.texts)


@dataclass(frozen=True)
class InDomain(Comparison):
    """An e-mail address at exactly one of these domains; ``.edu`` is any domain that ends so."""

    asks: ClassVar[str] = "text"
    domains: tuple[str, ...]

    def compile(self) -> Check:
        exact = frozenset(fold(each).removeprefix("@") for each in self.domains if not each.startswith("."))
        ends = tuple(fold(each) for each in self.domains if each.startswith("."))

        def test(value: Any, _view: View) -> bool:
            _, at, domain = str(value or "").rpartition("@")
            return bool(at) and ((domain := fold(domain)) in exact or domain.endswith(ends or ("@",)))

        return test

    def words(self) -> str:
        return "at the domain " + " or ".join(self.domains)


@dataclass(frozen=True)
class Includes(Comparison):
    """A multi-select picklist (``A;B``) has one of these values."""

    asks: ClassVar[str] = "list"
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

    asks: ClassVar[str] = "date"
    span: Span

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

    asks: ClassVar[str] = "date"
    span: Span

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

    asks: ClassVar[str] = "date"
    span: Span

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

    def of(self, name: str) -> RowCheck:
        check = self.item.of(name)
        return lambda row, view: not check(row, view)

    def parts(self) -> tuple[Comparison, ...]:
        return (self.item,)

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

    def of(self, name: str) -> RowCheck:
        checks = tuple(item.of(name) for item in self.items)
        return lambda row, view: all(check(row, view) for check in checks)

    def parts(self) -> tuple[Comparison, ...]:
        return self.items

    def words(self) -> str:
        return " and ".join(item.words() for item in self.items)


@dataclass(frozen=True)
class DayOrder(Comparison):
    """``<= today``: days of UTC."""

    asks: ClassVar[str] = "date"
    sign: str

    def compile(self) -> Check:
        compare = {**ORDERS, "=": operator.eq}[self.sign]

        def test(value: Any, view: View) -> bool:
            at = time_of(value)
            if at is None:
                return False
            midnight = at.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
            view.look_again(midnight)
            view.look_again(midnight + ONE_DAY)
            return bool(compare(midnight.date(), view.now.astimezone(UTC).date()))

        return test

    def words(self) -> str:
        return "today" if self.sign == "=" else f"{self.sign} today"


@dataclass(frozen=True)
class Against(Comparison):
    """``> Trial_Start__c``: another field of the same record. Numbers, dates, or equal texts; both must be there."""

    sign: str
    other: str

    def compile(self) -> Check:
        return lambda _value, _view: False  # a value by itself has no other field

    def of(self, name: str) -> RowCheck:
        compare, other, is_equal = {**ORDERS, "=": operator.eq}[self.sign], self.other, self.sign == "="

        def test(row: Mapping[str, Any], _view: View) -> bool:
            for read in (number_of, time_of):
                one, two = read(row.get(name)), read(row.get(other))
                if one is not None and two is not None:
                    return bool(compare(one, two))
            one, two = row.get(name), row.get(other)
            return is_equal and not is_missing(one) and fold(str(one)) == fold(str(two))

        return test

    def words(self) -> str:
        return f"{self.sign} {self.other}"
