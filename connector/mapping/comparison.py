"""How a comparison is written: ``Germany``, ``[DE, AT]``, ``">= 71"``, ``missing``, ``{within: 90d}``."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from connector.base.json import JsonObject
from connector.lifecycle.compare import (
    Ahead,
    Comparison,
    Contains,
    DateOrder,
    Every,
    Includes,
    IsNot,
    IsPresent,
    Missing,
    OlderThan,
    OneOf,
    Order,
    Within,
)
from connector.mapping.mistakes import did_you_mean
from connector.mapping.shape import BAD, Duration, Key, ListOf, Reading, Shape, Text
from connector.mapping.tree import Map, Scalar, Seq, Tree

SIGNED = re.compile(r"(>=|<=|!=|>|<|=)\s*(.*)", re.DOTALL)
DATE = re.compile(r"\d{4}-\d{2}-\d{2}([T ].*)?")
_WORDS: dict[str, Comparison] = {"present": IsPresent(), "missing": Missing()}


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
    words: str = "a comparison"

    def read(self, tree: Tree, reading: Reading) -> Any:
        if isinstance(tree, Seq):
            values = ListOf(AnyValue()).read(tree, reading)
            return BAD if values is BAD else OneOf(values)
        if isinstance(tree, Map):
            return _read_map(tree, reading)
        if isinstance(tree.value, str):
            return _read_text(tree, reading)
        if tree.value is None:
            return reading.bad(tree.place, "a comparison with nothing", "write missing for an empty field")
        return OneOf((tree.value,))

    def schema(self) -> JsonObject:
        return {"$ref": "#/$defs/comparison"}


COMPARISON = ComparisonShape()
FORMS: dict[str, tuple[Key, Callable[[Any], Comparison]]] = {
    "is": (Key(ListOf(AnyValue()), "equal to one of these, taken literally", example="{is: present}"), OneOf),
    "not": (Key(COMPARISON, "the opposite of a comparison; true of an empty field", example="{not: [DE, AT]}"), IsNot),
    "contains": (
        Key(ListOf(Text()), "the text contains one of these, without case", example="{contains: [VP, Director]}"),
        Contains,
    ),
    "starts_with": (
        Key(ListOf(Text()), "the text starts with one of these, without case", example="{starts_with: DE-}"),
        lambda value: Contains(value, at_start=True),
    ),
    "includes": (
        Key(ListOf(Text()), "a multi-select picklist has one of these", example="{includes: Newsletter}"),
        Includes,
    ),
    "within": (Key(Duration(), "a date in the past, at most so long ago", example="{within: 90d}"), Within),
    "older_than": (Key(Duration(), "a date at least so long ago", example="{older_than: 1y}"), OlderThan),
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


def _read_text(tree: Scalar, reading: Reading) -> Any:
    text = tree.text.strip()
    signed = SIGNED.fullmatch(text)
    if signed and signed[2].strip():
        return _read_signed(signed[1], signed[2].strip(), tree, reading)
    if signed:
        return reading.bad(tree.place, f"{text} compares with nothing", f"write it like '{text} 71'")
    if not text:
        return reading.bad(tree.place, "an empty text", "write missing for an empty field")
    return _WORDS.get(text) or OneOf((text,))


def _read_signed(sign: str, rest: str, tree: Tree, reading: Reading) -> Any:
    if sign in {"=", "!="}:
        same = _WORDS.get(rest) or OneOf((_literal(rest),))
        return same if sign == "=" else IsNot(same)
    if DATE.fullmatch(rest):
        at = _date(rest)
        return DateOrder(sign, at) if at else reading.bad(tree.place, f"{rest} is no date", "write it like 2026-01-31")
    try:
        bound = float(rest)
    except ValueError:
        return reading.bad(tree.place, f"{sign} needs a number or a date, not {rest}", f"write it like '{sign} 71'")
    return Order(sign, bound) if abs(bound) < 1e15 else reading.bad(tree.place, f"{rest} is no number", "")


def _literal(text: str) -> str | float | bool:
    if text in {"true", "false"}:
        return text == "true"
    try:
        return float(text)
    except ValueError:
        return text


def _date(text: str) -> datetime | None:
    try:
        parsed = datetime.fromisoformat(text)
    except ValueError:
        return None
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)


def definition() -> JsonObject:
    """The JSON Schema of a comparison."""
    properties = {key: {**spec.shape.schema(), "description": spec.doc} for key, (spec, _) in FORMS.items()}
    form = {"type": "object", "properties": properties, "additionalProperties": False, "minProperties": 1}
    scalar = {"type": ["string", "number", "boolean"]}
    return {"anyOf": [scalar, {"type": "array", "items": scalar, "minItems": 1}, form]}
