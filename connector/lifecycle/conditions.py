"""Conditions: the frozen values that a mapping's ``when`` becomes, and how they are asked.

Each condition can be asked in three ways. ``compile`` gives a test that only answers yes or no: it runs for everybody,
every time. ``grounds`` gives the evidence of one that holds: it runs for the rule that won. ``look`` tells everything,
also what is missing: it is for ``connector explain``. A property test holds them to the same answer.

Here are the conditions on the record, its account and its prospects, and how conditions combine; ``activity.py``,
``opportunity.py``, ``whereabouts.py`` and ``measures.py`` have the others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any, TypeVar

from connector.base.facts import PEOPLE, Evidence
from connector.lifecycle.amounts import shown_amount
from connector.lifecycle.compare import Comparison
from connector.lifecycle.values import show
from connector.lifecycle.view import View

_T = TypeVar("_T")
Test = Callable[[View], object]  # truthy when the condition holds
Reads = Iterator[tuple[str, str]]  # object, API field name
Compares = Iterator[tuple[str, str, Comparison]]  # object, API field name, comparison
Needs = frozenset[str] | None
Why = tuple[Evidence, ...]
Grounds = tuple[Why, datetime | None]  # evidence, and since when it has held as far as the facts tell


@dataclass(frozen=True, slots=True)
class Finding:
    """What came of one condition. ``found`` is what was there, ``lacks`` what would make it hold ("" when it does),
    ``since`` when it became true as far as the evidence tells."""

    text: str
    matched: bool
    found: str = ""
    lacks: str = ""
    evidence: tuple[Evidence, ...] = ()
    since: datetime | None = None
    parts: tuple[Finding, ...] = ()


class Condition:
    """One condition. ``compile`` takes the person's object, because field names differ between Contact and Lead."""

    def compile(self, object_name: str) -> Test:
        raise NotImplementedError

    def grounds(self, view: View) -> Grounds:
        """Of a condition that holds."""
        raise NotImplementedError

    def why(self, view: View) -> Why:
        return self.grounds(view)[0]

    def true_since(self, view: View) -> datetime | None:
        return self.grounds(view)[1]

    def look(self, view: View) -> Finding:
        """Everything about it, whether it holds or not."""
        if self.holds(view):
            return Finding(self.words(), True, self.found(view), "", *self.grounds(view))
        return Finding(self.words(), False, self.found(view), self.lacks(view))

    def found(self, view: View) -> str:
        """What there is, for people."""
        return ""

    def lacks(self, view: View) -> str:
        """What would make it hold."""
        found = self.found(view)
        return f"{self.words()} ({found})" if found else self.words()

    def words(self) -> str:
        """In plain English, for messages."""
        raise NotImplementedError

    @cached_property
    def said(self) -> str:
        """``words``, kept."""
        return self.words()

    def reads(self) -> Reads:
        """What must be read from Salesforce for it."""
        yield from ()

    def compares(self) -> Compares:
        """The fields of Salesforce that it compares, and how."""
        yield from ()

    def needs(self) -> Needs:
        """What of :attr:`View.present` there must be one of for it to hold; None: it may hold without any."""
        return None

    def parts(self) -> tuple[Condition, ...]:
        return ()

    def walk(self) -> Iterator[Condition]:
        """Itself and everything inside."""
        yield self
        for part in self.parts():
            yield from part.walk()

    @cached_property
    def _tests(self) -> dict[str, Test]:
        return {}

    def holds(self, view: View) -> bool:
        """Asks the compiled test, which is kept."""
        test = self._tests.get(view.object)
        if test is None:
            test = self._tests[view.object] = self.compile(view.object)
        return bool(test(view))


def all_of(tests: Sequence[Callable[[_T], object]]) -> Callable[[_T], bool]:
    """One test for all of these."""

    def test(asked: _T) -> bool:
        for each in tests:  # noqa: SIM110 - a loop is twice as fast as all() over a generator
            if not each(asked):
                return False
        return True

    return test


def can_hold(condition: Condition, present: frozenset[str]) -> bool:
    """False where what it needs is not there."""
    needs = condition.needs()
    return needs is None or not needs.isdisjoint(present)


def everything_read(condition: Condition) -> set[tuple[str, str]]:
    return {pair for each in condition.walk() for pair in each.reads()}


@dataclass(frozen=True)
class Always(Condition):
    def compile(self, object_name: str) -> Test:
        return lambda _view: True

    def grounds(self, view: View) -> Grounds:
        return (), None

    def words(self) -> str:
        return "always"


@dataclass(frozen=True)
class Never(Condition):
    def compile(self, object_name: str) -> Test:
        return lambda _view: False

    def grounds(self, view: View) -> Grounds:
        return (), None

    def words(self) -> str:
        return "never"


def evidence_of(items: Iterable[Condition], view: View) -> tuple[Why, list[datetime]]:
    """The evidence of all of these, and the times they tell."""
    found = [item.grounds(view) for item in items]
    return tuple([each for why, _ in found for each in why]), [since for _, since in found if since is not None]


@dataclass(frozen=True)
class All(Condition):
    items: tuple[Condition, ...]

    def compile(self, object_name: str) -> Test:
        tests = tuple(item.compile(object_name) for item in self.items)
        if len(tests) == 1:
            return tests[0]
        if len(tests) == 2:
            first, second = tests
            return lambda view: first(view) and second(view)
        return all_of(tests)

    def grounds(self, view: View) -> Grounds:
        evidence, times = evidence_of(self.items, view)
        return evidence, max(times, default=None)

    def true_since(self, view: View) -> datetime | None:
        return max((at for item in self.items if (at := item.true_since(view))), default=None)

    def look(self, view: View) -> Finding:
        parts = tuple(item.look(view) for item in self.items)
        matched = all(part.matched for part in parts)
        lacks = " and ".join(part.lacks for part in parts if not part.matched)
        return Finding("all of", matched, "", lacks, *(self.grounds(view) if matched else ((), None)), parts)

    def needs(self) -> Needs:
        needed = [needs for item in self.items if (needs := item.needs()) is not None]
        return min(needed, key=len) if needed else None

    def words(self) -> str:
        return " and ".join(item.words() for item in self.items)

    def parts(self) -> tuple[Condition, ...]:
        return self.items


@dataclass(frozen=True)
class AnyOf(Condition):
    items: tuple[Condition, ...]

    def compile(self, object_name: str) -> Test:
        tests = tuple(item.compile(object_name) for item in self.items)
        if len(tests) == 1:
            return tests[0]

        def test(view: View) -> bool:
            for each in tests:  # noqa: SIM110 - a loop is twice as fast as any() over a generator
                if each(view):
                    return True
            return False

        return test

    def grounds(self, view: View) -> Grounds:
        evidence, times = evidence_of([item for item in self.items if item.holds(view)], view)
        return evidence, min(times, default=None)

    def look(self, view: View) -> Finding:
        parts = tuple(item.look(view) for item in self.items)
        matched = any(part.matched for part in parts)
        lacks = "" if matched else " or ".join(part.lacks for part in parts)
        return Finding("any of", matched, "", lacks, *(self.grounds(view) if matched else ((), None)), parts)

    def needs(self) -> Needs:
        needed = [needs for item in self.items if (needs := item.needs()) is not None]
        return frozenset().union(*needed) if len(needed) == len(self.items) else None

    def words(self) -> str:
        return "(" + " or ".join(item.words() for item in self.items) + ")"

    def parts(self) -> tuple[Condition, ...]:
        return self.items


@dataclass(frozen=True)
class Not(Condition):
    item: Condition

    def compile(self, object_name: str) -> Test:
        test = self.item.compile(object_name)
        return lambda view: not test(view)

    def grounds(self, view: View) -> Grounds:
        return (Evidence("absent", view.person.id, self.said),), None

    def look(self, view: View) -> Finding:
        inner = self.item.look(view)
        if inner.matched:
            return Finding("not", False, "", self.said, parts=(inner,))
        return Finding("not", True, "", "", *self.grounds(view), (inner,))

    def words(self) -> str:
        return f"not {self.item.words()}"

    def parts(self) -> tuple[Condition, ...]:
        return (self.item,)


@dataclass(frozen=True)
class FieldIs(Condition):
    """A field of the person's record. ``fields``: object -> API name; an object that is not there has no such value."""

    name: str
    fields: Mapping[str, str]
    compare: Comparison

    def compile(self, object_name: str) -> Test:
        check, name = self.compare.compile(), self.fields.get(object_name)
        if name is not None and self.compare.others():
            of_row = self.compare.of(name)
            return lambda view: of_row(view.fields, view)
        if name is None:
            return lambda view: check(None, view)
        return lambda view: check(view.fields.get(name), view)

    def grounds(self, view: View) -> Grounds:
        text = f"{self.name} is {shown_amount(self._value(view), self.compare)}"
        return (Evidence("field", view.person.id, text),), view.created

    def true_since(self, view: View) -> datetime | None:
        return view.created

    def found(self, view: View) -> str:
        return f"it is {shown_amount(self._value(view), self.compare)}"

    def _value(self, view: View) -> Any:
        field = self.fields.get(view.object)
        return view.fields.get(field) if field else None

    def words(self) -> str:
        return f"{self.name} {self.compare.words()}"

    def reads(self) -> Reads:
        for name, field in self.fields.items():
            if name in PEOPLE:
                yield from ((name, each) for each in (field, *self.compare.others()))

    def compares(self) -> Compares:
        yield from ((name, field, self.compare) for name, field in self.fields.items() if name in PEOPLE)


@dataclass(frozen=True)
class AccountIs(Condition):
    """A field of the record's account. Somebody without an account has no such value."""

    field: str
    compare: Comparison

    def compile(self, object_name: str) -> Test:
        check = self.compare.of(self.field)
        return lambda view: check(view.account, view)

    def grounds(self, view: View) -> Grounds:
        ref = str(view.account.get("Id") or view.fields.get("AccountId") or view.person.id)
        text = f"account's {self.field} is {shown_amount(view.account.get(self.field), self.compare)}"
        return (Evidence("account", ref, text),), view.created

    def found(self, view: View) -> str:
        return f"it is {shown_amount(view.account.get(self.field), self.compare)}"

    def words(self) -> str:
        return f"account's {self.field} {self.compare.words()}"

    def reads(self) -> Reads:
        yield from (("Account", each) for each in (self.field, *self.compare.others()))
        yield "Contact", "AccountId"

    def compares(self) -> Compares:
        yield "Account", self.field, self.compare


@dataclass(frozen=True)
class ProspectIs(Condition):
    """What a marketing system says of the person. With several prospects, one of them is enough."""

    attribute: str
    compare: Comparison

    def compile(self, object_name: str) -> Test:
        check = self.compare.of(self.attribute)

        def test(view: View) -> bool:
            if not view.person.prospects:
                return check({}, view)
            return any(check(each.attributes, view) for each in view.person.prospects)

        return test

    def grounds(self, view: View) -> Grounds:
        check = self.compare.of(self.attribute)
        for each in view.person.prospects:
            if check(each.attributes, view):
                value = each.attributes.get(self.attribute)
                text = f"{each.source} says {self.attribute} is {show(value)}"
                return (Evidence("prospect", f"{each.source}:{each.id}", text),), view.created
        return (Evidence("prospect", view.person.id, f"no prospect has a {self.attribute}"),), view.created

    def found(self, view: View) -> str:
        values = [each.attributes.get(self.attribute) for each in view.person.prospects]
        return "it is " + (" and ".join(show(value) for value in values) or "not known to any marketing system")

    def words(self) -> str:
        return f"prospect's {self.attribute} {self.compare.words()}"


@dataclass(frozen=True)
class ObjectIs(Condition):
    """Contact, Lead or Prospect (a marketing system's person without a CRM record)."""

    names: tuple[str, ...]

    def compile(self, object_name: str) -> Test:
        answer = object_name in self.names
        return lambda _view: answer

    def grounds(self, view: View) -> Grounds:
        return (Evidence("field", view.person.id, f"is a {view.object}"),), view.created

    def found(self, view: View) -> str:
        return f"is a {view.object}"

    def words(self) -> str:
        return "is a " + " or ".join(self.names)
