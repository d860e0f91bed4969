"""How a comparison is written: ``Germany``, ``[DE, AT]``, ``">= 71"``, ``missing``, ``{within: 90d}``."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import time, timedelta
from typing import Any

from connector.base.json import JsonObject
from connector.lifecycle.amounts import Priced, currencies_in
from connector.lifecycle.compare import (
    Against,
    Ahead,
    Comparison,
    Contains,
    DateOrder,
    DayOrder,
    Every,
    Includes,
    InDomain,
    IsNot,
    IsPresent,
    Missing,
    OlderThan,
    OneOf,
    Order,
    Within,
)
from connector.mapping.literals import (
    DATE,
    ELSEWHERE_DATE,
    RANGE,
    currency_of_range,
    date,
    money,
    number,
    signed,
    unquoted,
    why_no_date,
    why_no_number,
    worded,
)
from connector.mapping.mistakes import did_you_mean
from connector.mapping.shape import BAD, PATH, Duration, Key, ListOf, Reading, Shape, Text
from connector.mapping.tree import Map, Scalar, Seq, Tree
from connector.mapping.types import CHECKBOX, DAY, HINTS, NUMERIC, clashes

_WORDS: dict[str, Comparison] = {"present": IsPresent(), "missing": Missing(), "today": DayOrder("=")}
_YES = {"true": True, "yes": True, "false": False, "no": False}


@dataclass(frozen=True)
class AnyValue(Shape):
    """A value to be equal to, taken literally."""

    words: str = "a text, a number, true or false"

    def read(self, tree: Tree, reading: Reading) -> Any:
        if isinstance(tree, Scalar) and tree.value is not None:
            return tree.value
        return self._mismatch(tree, reading, "write missing for an empty field" if isinstance(tree, Scalar) else "")

    def schema(self) -> JsonObject:
        return {"type": ["string", "number", "boolean"]}


@dataclass(frozen=True)
class ComparisonShape(Shape):
    """``kind``: of what kind of value, where that is known (``types.py``); then more is understood, and what makes no
    sense is refused."""

    kind: str = ""
    is_plain: bool = False  # a number that is no amount of money
    words: str = "a comparison"

    def read(self, tree: Tree, reading: Reading) -> Any:
        compare = self._read(tree, reading)
        if compare is not BAD and self.kind:
            for clash in clashes(compare, self.kind):
                return reading.bad(tree.place, clash, HINTS[self.kind])
        if compare is not BAD and self.is_plain and (codes := currencies_in(compare)):
            return reading.bad(tree.place, f"this is no amount in {codes[0]}", f"leave {codes[0]} out")
        return compare

    def _read(self, tree: Tree, reading: Reading) -> Any:
        if isinstance(tree, Seq):
            values = ListOf(AnyValue()).read(tree, reading)
            return BAD if values is BAD or not _are_days(values, tree, reading) else OneOf(values)
        if isinstance(tree, Map):
            return _read_map(tree, reading)
        if isinstance(tree.value, str):
            return _read_text(unquoted(tree.text), self.kind, tree, reading)
        if tree.value is None:
            return reading.bad(tree.place, "a comparison with nothing", "write missing for an empty field")
        return OneOf((tree.value,))

    def schema(self) -> JsonObject:
        return {"$ref": "#/$defs/comparison"}


@dataclass(frozen=True)
class Bound(Shape):
    """What a value is compared with: a number, a date, today, or another field of the same record."""

    words: str = "a number, a date, today or {field: Other_Field__c}"

    def read(self, tree: Tree, reading: Reading) -> Any:
        if isinstance(tree, Map):
            field = tree.items.get("field")
            if set(tree.items) == {"field"} and isinstance(field, Scalar) and PATH.fullmatch(field.text):
                return Against("=", field.text)
            return self._mismatch(tree, reading, "write {field: Other_Field__c}")
        text = unquoted(tree.text) if isinstance(tree, Scalar) else ""
        return _ordered("=", text, tree, reading) if text else self._mismatch(tree, reading)

    def schema(self) -> JsonObject:
        return {"type": ["string", "number", "object"]}


def _with_sign(sign: str) -> Callable[[Any], Comparison]:
    return lambda bound: replace(bound, sign=sign)


def _between(bounds: tuple[Any, ...]) -> Comparison:
    first, last = replace(bounds[0], sign=">="), replace(bounds[-1], sign="<=")
    if isinstance(last, DateOrder) and last.bound.time() == time(0):  # the whole of the last day
        last = DateOrder("<", last.bound + timedelta(days=1))
    return Every((first, last))


COMPARISON = ComparisonShape()
_BOUNDS = {">": ("above", "after"), "<": ("below", "before"), ">=": ("at_least",), "<=": ("at_most",)}
FORMS: dict[str, tuple[Key, Callable[[Any], Comparison]]] = {
    "is": (Key(ListOf(AnyValue()), "equal to one of these, taken literally", example="{is: present}"), OneOf),
    "not": (Key(COMPARISON, "the opposite of a comparison; true of an empty field", example="{not: [DE, AT]}"), IsNot),
    "contains": (
        Key(ListOf(Text()), "the text contains one of these, without case", example="{contains: [VP, Director]}"),
        Contains,
    ),
    "starts_with": (
        Key(ListOf(Text()), "the text starts with one of these, without case", example="{starts_with: DE-}"),
        lambda value: Contains(value, "starts with"),
    ),
    "ends_with": (
        Key(ListOf(Text()), "the text ends with one of these, without case", example="{ends_with: GmbH}"),
        lambda value: Contains(value, "ends with"),
    ),
    "domain": (
        Key(
            ListOf(Text()),
            "an e-mail address at exactly one of these; .edu is any domain that ends so",
            example="{domain: [example.com, .edu]}",
        ),
        InDomain,
    ),
    **{
        word: (
            Key(
                Bound(), f"{sign} a number, a date, today, or a field of the same record", example=f"{{{word}: today}}"
            ),
            _with_sign(sign),
        )
        for sign, words in _BOUNDS.items()
        for word in words
    },
    "same_as": (
        Key(Bound(), "equal to another field of the same record", example="{same_as: {field: Other__c}}"),
        lambda bound: bound,
    ),
    "between": (
        Key(
            ListOf(Bound(), strict=True),
            "from the first to the second of two numbers or dates, both counted in",
            example="{between: [10k, 50k]}",
        ),
        _between,
    ),
    "includes": (
        Key(ListOf(Text()), "a multi-select picklist has one of these", example="{includes: Newsletter}"),
        Includes,
    ),
    "within": (Key(Duration(), "a date in the past, at most so long ago", example="{within: 90d}"), Within),
    "older_than": (
        Key(Duration(least=timedelta()), "a date at least so long ago; 0d: that has come", example="{older_than: 1y}"),
        OlderThan,
    ),
    "ahead": (Key(Duration(), "a date in the future, at most so far away", example="{ahead: 30d}"), Ahead),
}


def _read_map(tree: Map, reading: Reading) -> Any:
    found: list[Any] = []
    for key, value_tree in tree.items.items():
        if key not in FORMS:
            hint = did_you_mean(key, FORMS)
            found.append(reading.bad(tree.at(key), f"a comparison has no key {key}", hint))
            continue
        spec, make = FORMS[key]
        value = spec.shape.read(value_tree, reading)
        found.append(BAD if value is BAD else make(value))
    if not found:
        return reading.bad(tree.place, "an empty comparison", "write a value, or a key such as within")
    if any(each is BAD for each in found):
        return BAD
    return found[0] if len(found) == 1 else Every(tuple(found))


def _read_text(text: str, kind: str, tree: Scalar, reading: Reading) -> Any:
    if not text:
        return reading.bad(tree.place, "an empty text", "write missing for an empty field")
    if text in _WORDS:
        return _WORDS[text]
    if found := signed(text) or (worded(text) if kind in {NUMERIC, DAY} else None):
        return _read_signed(*found, tree, reading)
    if kind in _AS_KIND:
        return _AS_KIND[kind](text, tree, reading)
    return OneOf((text,)) if _are_days((text,), tree, reading) else BAD


def _as_number(text: str, tree: Tree, reading: Reading) -> Any:
    value = number(text)
    if value is not None:
        return OneOf((value,))
    if priced := money(text):
        return Priced("=", *priced)
    return _as_range(text, tree, reading) or reading.bad(tree.place, *why_no_number(text))


def _as_day(text: str, tree: Tree, reading: Reading) -> Any:
    at = date(text)
    if at is not None:
        return _between((DateOrder("=", at),) * 2) if at.time() == time(0) else DateOrder("=", at)
    return _as_range(text, tree, reading) or reading.bad(tree.place, *why_no_date(text))


def _as_range(text: str, tree: Tree, reading: Reading) -> Any:
    """``71-100``; None when it is none."""
    bare, code = currency_of_range(text)
    two = RANGE.fullmatch(bare)
    if two is None or DATE.fullmatch(text) or not all(number(each) is not None or date(each) for each in two.groups()):
        return None
    return _between(tuple(_ordered("=", f"{each} {code}".strip(), tree, reading) for each in two.groups()))


def _as_checkbox(text: str, tree: Tree, reading: Reading) -> Any:
    value = _YES.get(text.lower())
    return OneOf((text,)) if value is None else OneOf((value,))


_AS_KIND: dict[str, Callable[[str, Tree, Reading], Any]] = {NUMERIC: _as_number, DAY: _as_day, CHECKBOX: _as_checkbox}


def _are_days(values: Iterable[Any], tree: Tree, reading: Reading) -> bool:
    """Whether what looks like a day is one."""
    for each in values:
        if isinstance(each, str) and DATE.fullmatch(each) and date(each) is None:
            reading.bad(tree.place, *why_no_date(each))
            return False
    return True


def _read_signed(sign: str, rest: str, tree: Tree, reading: Reading) -> Any:
    if not rest:
        return reading.bad(tree.place, f"{sign} compares with nothing", f"write it like '{sign} 71'")
    if sign in {"=", "!="}:
        if not _are_days((rest,), tree, reading):
            return BAD
        priced = money(rest)
        same = _WORDS.get(rest) or (Priced("=", *priced) if priced else OneOf((_literal(rest),)))
        return same if sign == "=" else IsNot(same)
    return _ordered(sign, rest, tree, reading)


def _ordered(sign: str, rest: str, tree: Tree, reading: Reading) -> Any:
    """A comparison with a number, a date or today."""
    if rest == "today":
        return DayOrder(sign)
    if DATE.fullmatch(rest) or ELSEWHERE_DATE.fullmatch(rest):
        at = date(rest)
        return DateOrder(sign, at) if at else reading.bad(tree.place, *why_no_date(rest))
    bound = number(rest)
    if bound is not None:
        return Order(sign, bound)
    if priced := money(rest):
        return Priced(sign, *priced)
    what, hint = why_no_number(rest)
    if what.endswith("is no number"):
        what, hint = (
            f"{sign} needs a number or a date, not {rest}",
            "write it like '>= 71', or {after: {field: Other__c}}",
        )
    return reading.bad(tree.place, what, hint)


def _literal(text: str) -> str | float | bool:
    if text in {"true", "false"}:
        return text == "true"
    try:
        return float(text)
    except ValueError:
        return text


def definition() -> JsonObject:
    """The JSON Schema of a comparison."""
    properties = {key: {**spec.shape.schema(), "description": spec.doc} for key, (spec, _) in FORMS.items()}
    form = {"type": "object", "properties": properties, "additionalProperties": False, "minProperties": 1}
    scalar = {"type": ["string", "number", "boolean"]}
    return {"anyOf": [scalar, {"type": "array", "items": scalar, "minItems": 1}, form]}
