"""Shapes: what a key of a mapping may hold. One table of them is the language, and from it come reading with every
mistake noted, the JSON Schema for editors and the reference page.

``read`` returns :data:`BAD` after noting what is wrong, so that reading goes on to the next mistake.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from connector.base.json import JsonObject
from connector.lifecycle.calendar import BusinessSpan, Calendar
from connector.lifecycle.model import RecordLink
from connector.mapping.literals import unquoted
from connector.mapping.mistakes import Notes, Place, did_you_mean
from connector.mapping.tree import Map, Scalar, Seq, Tree

BAD: Any = type("Bad", (), {"__repr__": lambda _self: "BAD", "__bool__": lambda _self: False})()
FIELD = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
PATH = re.compile(rf"{FIELD.pattern}(?:\.{FIELD.pattern}){{0,4}}")  # a field, or one of a record that it refers to
UNITS = {
    "min": timedelta(minutes=1),
    "h": timedelta(hours=1),
    "d": timedelta(days=1),
    "w": timedelta(weeks=1),
    "y": timedelta(days=365),
}
DURATION = re.compile(r"(\d{1,6})\s*(min|minutes?|h|hours?|d|days?|w|weeks?|y|years?)")
BUSINESS = re.compile(r"(\d{1,4})\s*(?:business|working|work)\s*(day|hour)s?|(\d{1,4})\s*b([dh])")


@dataclass
class Reading:
    """What reading needs besides the tree: where mistakes go, and the names the mapping defines (kind -> names)."""

    notes: Notes
    names: dict[str, dict[str, Place]] = field(default_factory=dict)
    attributes: dict[str, Mapping[str, str]] = field(default_factory=dict)  # name -> object -> field
    ladders: list[list[str]] = field(default_factory=list)  # the stages of the funnel in order, of each ladder
    ignored_kinds: frozenset[str] = frozenset()
    tag_fields: Mapping[str, str] = field(default_factory=dict)
    tag_separator: str = ";"
    thresholds: JsonObject = field(default_factory=dict)
    calendar: Calendar = field(default_factory=Calendar)
    records: Mapping[str, RecordLink] = field(default_factory=dict)
    named: dict[str, Tree] = field(default_factory=dict)  # named conditions as written
    known: JsonObject = field(default_factory=dict)  # named conditions already read
    open: list[str] = field(default_factory=list)  # named conditions being read

    def bad(self, place: Place, what: str, hint: str = "") -> Any:
        self.notes.add(place, what, hint)
        return BAD

    def quietly(self, shape: Shape, tree: Tree | None) -> Any:
        """Reads ahead, without noting mistakes: the same is read again in its turn. BAD when it cannot be read."""
        if tree is None:
            return BAD
        return shape.read(tree, Reading(Notes(), self.names, self.attributes))


class Shape:
    """One kind of value. ``words`` names it in messages and in the reference."""

    words = "a value"

    def read(self, tree: Tree, reading: Reading) -> Any:
        raise NotImplementedError

    def schema(self) -> JsonObject:
        return {}

    def _mismatch(self, tree: Tree, reading: Reading, hint: str = "") -> Any:
        return reading.bad(tree.place, f"{_describe(tree)} is not {self.words}", hint)


def _describe(tree: Tree) -> str:
    if isinstance(tree, Map):
        return "a map"
    if isinstance(tree, Seq):
        return "a list"
    return "nothing" if tree.value is None else str(tree.text)


@dataclass(frozen=True)
class Text(Shape):
    words: str = "a text"
    longest: int = 255

    def read(self, tree: Tree, reading: Reading) -> Any:
        if isinstance(tree, Scalar) and tree.value is not None and tree.text.strip() and len(tree.text) <= self.longest:
            return tree.text.strip() if isinstance(tree.value, str) else tree.text
        return self._mismatch(tree, reading, "write some text")

    def schema(self) -> JsonObject:
        return {"type": ["string", "number", "boolean"]}


@dataclass(frozen=True)
class FieldName(Shape):
    """A Salesforce field, by its API name. ``form``: PATH where one of a parent will do, which can only be read."""

    form: re.Pattern[str] = FIELD
    words: str = "the API name of a field"

    def read(self, tree: Tree, reading: Reading) -> Any:
        if (
            isinstance(tree, Scalar)
            and isinstance(tree.value, str)
            and self.form.fullmatch(tree.value)
            and all(len(part) <= 80 for part in tree.value.split("."))
        ):
            return tree.value
        return self._mismatch(tree, reading, "API names have letters, digits and _, like Lifecycle_Stage__c")

    def schema(self) -> JsonObject:
        return {"type": "string", "pattern": f"^{self.form.pattern}$"}


@dataclass(frozen=True)
class YesNo(Shape):
    words: str = "true or false"

    def read(self, tree: Tree, reading: Reading) -> Any:
        if isinstance(tree, Scalar) and isinstance(tree.value, bool):
            return tree.value
        return self._mismatch(tree, reading, "write true or false")

    def schema(self) -> JsonObject:
        return {"type": "boolean"}


@dataclass(frozen=True)
class Number(Shape):
    """A number between two bounds; ``whole`` ones only where it counts something."""

    least: float = -1e9
    most: float = 1e9
    whole: bool = False

    @property
    def words(self) -> str:  # type: ignore[override]  # computed, where the others have a constant
        kind = "a whole number" if self.whole else "a number"
        if self.least <= -1e9:
            return kind
        return f"{kind} from {self.least:g}" + (f" to {self.most:g}" if self.most < 1e9 else "")

    def read(self, tree: Tree, reading: Reading) -> Any:
        number = tree.value if isinstance(tree, Scalar) else None
        if not isinstance(number, int | float) or isinstance(number, bool):
            return self._mismatch(tree, reading)
        is_fit = self.least <= number <= self.most and (isinstance(number, int) or not self.whole)
        return number if is_fit else self._mismatch(tree, reading)

    def schema(self) -> JsonObject:
        bounds = {} if self.least <= -1e9 else {"minimum": self.least}
        bounds |= {} if self.most >= 1e9 else {"maximum": self.most}
        return {"type": "integer" if self.whole else "number", **bounds}


@dataclass(frozen=True)
class Duration(Shape):
    """``is_plain``: not in business time."""

    least: timedelta = timedelta(minutes=1)
    is_plain: bool = False
    words: str = "a length of time"

    def read(self, tree: Tree, reading: Reading) -> Any:
        text = unquoted(tree.text) if isinstance(tree, Scalar) else ""
        if not self.is_plain and (business := business_span(text, reading)):
            return business
        span = parse_duration(text)
        if span is None or span < self.least:
            hint = "write 90 days as 90d" if "mo" in _describe(tree) else "write it like 30d, 12h, 45min, 2w or 1y"
            return self._mismatch(tree, reading, hint)
        return span

    def schema(self) -> JsonObject:
        return {"type": "string", "pattern": f"^({DURATION.pattern}|{BUSINESS.pattern})$"}


def business_span(text: str, reading: Reading) -> BusinessSpan | None:
    """``2 business days``, ``2bd``, ``4bh``."""
    found = BUSINESS.fullmatch(text.strip())
    amount = int(found[1] or found[3]) if found else 0
    if found is None or amount == 0:
        return None
    unit = found[2] or {"d": "day", "h": "hour"}[found[4]]
    return BusinessSpan(amount, unit, reading.calendar)


def parse_duration(text: str) -> timedelta | None:
    found = DURATION.fullmatch(text.strip())
    if not found:
        return None
    unit = "min" if found[2].startswith("min") else found[2][0]
    span = int(found[1]) * UNITS[unit]
    return span if span <= timedelta(days=36500) else None


@dataclass(frozen=True)
class Word(Shape):
    """One of a few words."""

    options: tuple[str, ...]

    @property
    def words(self) -> str:  # type: ignore[override]  # computed, where the others have a constant
        return "one of " + ", ".join(self.options)

    def read(self, tree: Tree, reading: Reading) -> Any:
        if isinstance(tree, Scalar):
            word = tree.text.strip().replace(" ", "_")
            if word in self.options:
                return word
        return self._mismatch(tree, reading, did_you_mean(_describe(tree), self.options))

    def schema(self) -> JsonObject:
        return {"enum": list(self.options)}


@dataclass(frozen=True)
class NameOf(Shape):
    """A name that another section of the mapping defines: a stage, a status, a threshold ..."""

    kind: str

    @property
    def words(self) -> str:  # type: ignore[override]  # computed, where the others have a constant
        article = "an" if self.kind[0] in "aeiou" else "a"
        return f"the name of {article} {self.kind}"

    def read(self, tree: Tree, reading: Reading) -> Any:
        known = reading.names.get(self.kind, {})
        if isinstance(tree, Scalar) and tree.text.strip() in known:
            return tree.text.strip()
        if isinstance(tree, Scalar) and tree.value is not None:
            otherwise = f"no {self.kind} is defined" if not known else ""
            return reading.bad(
                tree.place, f"there is no {self.kind} {tree.text}", did_you_mean(tree.text, known, otherwise)
            )
        return self._mismatch(tree, reading)

    def schema(self) -> JsonObject:
        return {"type": ["string", "number"]}


@dataclass(frozen=True)
class ListOf(Shape):
    """A list; a single value stands for a list of one, unless ``strict``. ``lenient``: goes on with the entries that
    are right, so that what is wrong between entries is found in the same run."""

    item: Shape
    strict: bool = False
    lenient: bool = False

    @property
    def words(self) -> str:  # type: ignore[override]  # computed, where the others have a constant
        return f"a list, each {self.item.words}" if self.strict else f"{self.item.words}, or a list of such"

    def read(self, tree: Tree, reading: Reading) -> Any:
        if not isinstance(tree, Seq):
            if self.strict:
                return self._mismatch(tree, reading, "start each entry with -")
            value = self.item.read(tree, reading)
            return BAD if value is BAD else (value,)
        if not tree.items:
            return reading.bad(tree.place, "an empty list", "name at least one, or leave the key out")
        values = [self.item.read(item, reading) for item in tree.items]
        if self.lenient:
            return tuple(value for value in values if value is not BAD)
        return BAD if any(value is BAD for value in values) else tuple(values)

    def schema(self) -> JsonObject:
        many = {"type": "array", "items": self.item.schema(), "minItems": 1}
        return many if self.strict else {"anyOf": [self.item.schema(), many]}


@dataclass(frozen=True)
class MapOf(Shape):
    """A map with free keys. ``keys``: the only ones allowed, () for any."""

    value: Shape
    keys: tuple[str, ...] = ()
    key_words: str = "a name"

    @property
    def words(self) -> str:  # type: ignore[override]  # computed, where the others have a constant
        return f"a map of {' and '.join(self.keys) if self.keys else self.key_words} to {self.value.words}"

    def read(self, tree: Tree, reading: Reading) -> Any:
        if not isinstance(tree, Map):
            return self._mismatch(tree, reading)
        found, is_bad = {}, False
        for key, value_tree in tree.items.items():
            if self.keys and key not in self.keys:
                is_bad = True
                reading.bad(tree.at(key), f"{key} is not known here", did_you_mean(key, self.keys))
                continue
            found[key] = self.value.read(value_tree, reading)
        return BAD if is_bad or any(value is BAD for value in found.values()) else found

    def schema(self) -> JsonObject:
        if self.keys:
            properties = {key: self.value.schema() for key in self.keys}
            return {"type": "object", "properties": properties, "additionalProperties": False}
        return {"type": "object", "additionalProperties": self.value.schema()}


@dataclass(frozen=True)
class Key:
    """One key of a block: what it holds, what it means, what holds without it."""

    shape: Shape
    doc: str
    default: Any = None
    required: bool = False
    example: str = ""


@dataclass(frozen=True)
class Block(Shape):
    """A map with known keys. ``make`` turns the values (with ``place``) into what the key stands for; ``short`` reads
    a plain value where somebody did not write a map."""

    name: str
    keys: Mapping[str, Key]
    make: Callable[[JsonObject, Place, Reading], Any] | None = None
    short: Shape | None = None
    short_key: str = ""
    doc: str = ""
    lenient: bool = False  # goes on with the keys that are right, as above

    @property
    def words(self) -> str:  # type: ignore[override]  # computed, where the others have a constant
        return f"{self.short.words}, or a map" if self.short else f"a map with {_few(self.keys)}"

    def read(self, tree: Tree, reading: Reading) -> Any:
        if not isinstance(tree, Map):
            if self.short is None:
                return self._mismatch(tree, reading)
            value = self.short.read(tree, reading)
            return BAD if value is BAD else self._finish({self.short_key: value}, tree.place, reading)
        values, is_bad = {}, False
        for key, value_tree in tree.items.items():
            if key not in self.keys:
                is_bad = True
                reading.bad(tree.at(key), f"{self.name} has no key {key}", did_you_mean(key, self.keys))
            elif isinstance(value_tree, Scalar) and value_tree.value is None:
                is_bad = True
                reading.bad(tree.at(key), f"{key} has no value", "fill it in, or leave the key out")
            else:
                values[key] = self.keys[key].shape.read(value_tree, reading)
        for key, spec in self.keys.items():
            if spec.required and key not in tree.items:
                is_bad = True
                reading.bad(tree.place, f"{self.name} needs {key}", spec.doc)
        if self.lenient:
            values = {key: value for key, value in values.items() if value is not BAD}
        elif is_bad or any(value is BAD for value in values.values()):
            return BAD
        return self._finish(values, tree.place, reading)

    def _finish(self, values: JsonObject, place: Place, reading: Reading) -> Any:
        full = {key: values.get(key, spec.default) for key, spec in self.keys.items()}
        if self.short_key:
            full[self.short_key] = values.get(self.short_key, full.get(self.short_key))
        return self.make(full, place, reading) if self.make else full

    def schema(self) -> JsonObject:
        return {"$ref": f"#/$defs/{self.ref}"}

    @property
    def ref(self) -> str:
        return self.name.replace(" ", "_")

    def definition(self) -> JsonObject:
        """The schema that ``schema`` refers to."""
        properties = {key: {**spec.shape.schema(), "description": spec.doc} for key, spec in self.keys.items()}
        required = [key for key, spec in self.keys.items() if spec.required]
        block: JsonObject = {"type": "object", "properties": properties, "additionalProperties": False}
        if required:
            block["required"] = required
        return {"anyOf": [self.short.schema(), block]} if self.short else block


def _few(names: Iterable[str]) -> str:
    shown = list(names)
    return ", ".join(shown[:6]) + (" ..." if len(shown) > 6 else "")
