"""Conditions: the frozen values that a mapping's ``when`` becomes, and how they are asked.

Each condition can be asked in two ways. ``compile`` gives a test that only answers yes or no: it runs for everybody,
every time. ``look`` finds out why: it runs for the rule that won, and for ``connector explain``. A property test holds
the two to the same answer. This module has the conditions on the record, its account and its prospects, and how
conditions combine; ``activity.py``, ``opportunity.py`` and ``standing.py`` have the others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from connector.facts import Evidence
from connector.lifecycle.compare import Check, Comparison
from connector.lifecycle.values import show, time_of
from connector.lifecycle.view import View

Test = Callable[[View], bool]
Reads = Iterator[tuple[str, str]]  # object, API field name
PEOPLE = ("Contact", "Lead")


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

    def look(self, view: View) -> Finding:
        raise NotImplementedError

    def words(self) -> str:
        """In plain English, for messages."""
        raise NotImplementedError

    def reads(self) -> Reads:
        """What must be read from Salesforce for it."""
        yield from ()

    def parts(self) -> tuple[Condition, ...]:
        return ()

    def walk(self) -> Iterator[Condition]:
        """Itself and everything inside."""
        yield self
        for part in self.parts():
            yield from part.walk()

    def holds(self, view: View) -> bool:
        return self.compile(view.object)(view)


def everything_read(condition: Condition) -> set[tuple[str, str]]:
    return {pair for each in condition.walk() for pair in each.reads()}


@dataclass(frozen=True)
class Always(Condition):
    def compile(self, object_name: str) -> Test:
        return lambda _view: True

    def look(self, view: View) -> Finding:
        return Finding(self.words(), True)

    def words(self) -> str:
        return "always"


@dataclass(frozen=True)
class Never(Condition):
    def compile(self, object_name: str) -> Test:
        return lambda _view: False

    def look(self, view: View) -> Finding:
        return Finding(self.words(), False)

    def words(self) -> str:
        return "never"


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

        def test(view: View) -> bool:
            for each in tests:  # noqa: SIM110 - a loop is twice as fast as all() over a generator
                if not each(view):
                    return False
            return True

        return test

    def look(self, view: View) -> Finding:
        parts = tuple(item.look(view) for item in self.items)
        matched = all(part.matched for part in parts)
        return Finding(
            text="all of",
            matched=matched,
            lacks=" and ".join(part.lacks for part in parts if not part.matched),
            evidence=tuple(each for part in parts for each in part.evidence) if matched else (),
            since=max((part.since for part in parts if part.since), default=None) if matched else None,
            parts=parts,
        )

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

    def look(self, view: View) -> Finding:
        parts = tuple(item.look(view) for item in self.items)
        true = [part for part in parts if part.matched]
        return Finding(
            text="any of",
            matched=bool(true),
            lacks="" if true else " or ".join(part.lacks for part in parts),
            evidence=tuple(each for part in true for each in part.evidence),
            since=min((part.since for part in true if part.since), default=None),
            parts=parts,
        )

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

    def look(self, view: View) -> Finding:
        inner = self.item.look(view)
        matched = not inner.matched
        evidence = (Evidence("absent", view.person.id, self.words()),) if matched else ()
        return Finding("not", matched, lacks="" if matched else self.words(), evidence=evidence, parts=(inner,))

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
        if name is None:
            return lambda view: check(None, view)
        return lambda view: check(view.fields.get(name), view)

    def look(self, view: View) -> Finding:
        field = self.fields.get(view.object)
        value = view.fields.get(field) if field else None
        return value_finding(self, view, value, Evidence("field", view.person.id, f"{self.name} is {show(value)}"))

    def words(self) -> str:
        return f"{self.name} {self.compare.words()}"

    def reads(self) -> Reads:
        yield from ((name, field) for name, field in self.fields.items() if name in PEOPLE)


@dataclass(frozen=True)
class AccountIs(Condition):
    """A field of the record's account. Somebody without an account has no such value."""

    field: str
    compare: Comparison

    def compile(self, object_name: str) -> Test:
        check, name = self.compare.compile(), self.field
        return lambda view: check(view.account.get(name), view)

    def look(self, view: View) -> Finding:
        value = view.account.get(self.field)
        ref = str(view.account.get("Id") or view.fields.get("AccountId") or view.person.id)
        return value_finding(self, view, value, Evidence("account", ref, f"account's {self.field} is {show(value)}"))

    def words(self) -> str:
        return f"account's {self.field} {self.compare.words()}"

    def reads(self) -> Reads:
        yield "Account", self.field
        yield "Contact", "AccountId"


@dataclass(frozen=True)
class ProspectIs(Condition):
    """What a marketing system says of the person. With several prospects, one of them is enough."""

    attribute: str
    compare: Comparison

    def compile(self, object_name: str) -> Test:
        check, name = self.compare.compile(), self.attribute

        def test(view: View) -> bool:
            if not view.person.prospects:
                return check(None, view)
            return any(check(each.attributes.get(name), view) for each in view.person.prospects)

        return test

    def look(self, view: View) -> Finding:
        check: Check = self.compare.compile()
        for each in view.person.prospects:
            value = each.attributes.get(self.attribute)
            if check(value, view):
                text = f"{each.source} says {self.attribute} is {show(value)}"
                return value_finding(self, view, value, Evidence("prospect", f"{each.source}:{each.id}", text))
        value = next((each.attributes.get(self.attribute) for each in view.person.prospects), None)
        absent = Evidence("prospect", view.person.id, f"no prospect has a {self.attribute}")
        return value_finding(self, view, value, absent)

    def words(self) -> str:
        return f"prospect's {self.attribute} {self.compare.words()}"


@dataclass(frozen=True)
class ObjectIs(Condition):
    """Contact, Lead or Prospect (a marketing system's person without a CRM record)."""

    names: tuple[str, ...]

    def compile(self, object_name: str) -> Test:
        answer = object_name in self.names
        return lambda _view: answer

    def look(self, view: View) -> Finding:
        evidence = Evidence("field", view.person.id, f"is a {view.object}")
        return value_finding(self, view, view.object, evidence)

    def words(self) -> str:
        return "is a " + " or ".join(self.names)


def value_finding(condition: Condition, view: View, value: Any, evidence: Evidence) -> Finding:
    """The finding of a condition on one value. A value counts as there since the record was created: fields carry no
    date of their own."""
    matched = condition.holds(view)
    words = condition.words()
    return Finding(
        text=words,
        matched=matched,
        found=show(value),
        lacks="" if matched else f"{words} (it is {show(value)})",
        evidence=(evidence,) if matched else (),
        since=time_of(view.fields.get("CreatedDate")) if matched else None,
    )
