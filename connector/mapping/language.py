"""The condition language: one table of keys, each with what it holds, what it means and what it becomes.

Several keys in one map must all hold. A key that is no word of the language is an attribute: a field of the person
under a name of its own (``email``, ``country``, or one that ``attributes:`` defines).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from connector.lifecycle.activity import ANCHORS, HasActivity
from connector.lifecycle.compare import OneOf
from connector.lifecycle.conditions import (
    AccountIs,
    All,
    Always,
    AnyOf,
    Condition,
    FieldIs,
    Not,
    ObjectIs,
    ProspectIs,
)
from connector.lifecycle.opportunity import STATES, WHOLE, HasOpportunity
from connector.lifecycle.program import OBJECTS
from connector.lifecycle.standing import StandsAt, StandsFor
from connector.mapping.comparison import COMPARISON
from connector.mapping.mistakes import Place, did_you_mean
from connector.mapping.shape import (
    BAD,
    FIELD,
    Block,
    Duration,
    Key,
    ListOf,
    NameOf,
    Number,
    Reading,
    Shape,
    Text,
    Word,
    YesNo,
)
from connector.mapping.tree import Map, Scalar, Seq, Tree

ATTRIBUTES: dict[str, dict[str, str]] = {
    "email": {"Contact": "Email", "Lead": "Email", "Prospect": "Email"},
    "country": {"Contact": "MailingCountry", "Lead": "Country", "Prospect": "country"},
    "state": {"Contact": "MailingState", "Lead": "State", "Prospect": "state"},
    "city": {"Contact": "MailingCity", "Lead": "City", "Prospect": "city"},
    "postal_code": {"Contact": "MailingPostalCode", "Lead": "PostalCode", "Prospect": "zip"},
    "phone": {"Contact": "Phone", "Lead": "Phone", "Prospect": "phone"},
    "title": {"Contact": "Title", "Lead": "Title", "Prospect": "jobTitle"},
    "lead_source": {"Contact": "LeadSource", "Lead": "LeadSource", "Prospect": "source"},
    "owner": {"Contact": "OwnerId", "Lead": "OwnerId"},
    "created": {"Contact": "CreatedDate", "Lead": "CreatedDate", "Prospect": "createdAt"},
    "opted_out": {"Contact": "HasOptedOutOfEmail", "Lead": "HasOptedOutOfEmail", "Prospect": "optedOut"},
}
DIRECTIONS = ("inbound", "outbound", "any")
SIGNED_NAME = re.compile(r"(>=|<=|>|<)\s*(.+)")


class ConditionShape(Shape):
    words = "a condition"

    def read(self, tree: Tree, reading: Reading) -> Any:
        if isinstance(tree, Scalar) and tree.text.strip() == "always":
            return Always()
        if isinstance(tree, Seq):
            return reading.bad(
                tree.place, "a list of conditions says neither any nor all", "put any: or all: before it"
            )
        if not isinstance(tree, Map):
            return self._mismatch(tree, reading, "write a map, like {email: present}")
        if not tree.items:
            return reading.bad(tree.place, "an empty condition", "write always, or a map like {email: present}")
        found = [self._one(key, value, tree.at(key), reading) for key, value in tree.items.items()]
        if any(each is BAD for each in found):
            return BAD
        return found[0] if len(found) == 1 else All(tuple(found))

    def _one(self, key: str, tree: Tree, place: Place, reading: Reading) -> Any:
        if isinstance(tree, Scalar) and tree.value is None:
            return reading.bad(place, f"{key} has no value", "write missing for an empty field, or leave the key out")
        if key in CONDITIONS:
            spec, make = CONDITIONS[key]
            value = spec.shape.read(tree, reading)
            return BAD if value is BAD else make(value, place, reading)
        if key in reading.attributes:
            compare = COMPARISON.read(tree, reading)
            return BAD if compare is BAD else FieldIs(key, reading.attributes[key], compare)
        known = [*CONDITIONS, *reading.attributes]
        hint = did_you_mean(key, known, "for a field of the record write field: {" + key + ": ...}")
        return reading.bad(place, f"there is no condition {key}", hint)

    def schema(self) -> dict[str, Any]:
        return {"$ref": "#/$defs/condition"}


CONDITION = ConditionShape()


@dataclass(frozen=True)
class Filters(Shape):
    """Field -> comparison. Fields of Salesforce are checked for their form; a marketing attribute may be any name."""

    fields: bool = True
    words: str = "a map of fields to comparisons"

    def read(self, tree: Tree, reading: Reading) -> Any:
        if not isinstance(tree, Map) or not tree.items:
            return self._mismatch(tree, reading, "write it like {Country: [DE, AT]}")
        found: list[tuple[str, Any]] = []
        for key, value in tree.items.items():
            compare = COMPARISON.read(value, reading)
            if self.fields and not FIELD.fullmatch(key):
                hint = "API names have letters, digits and _, like Lifecycle_Stage__c"
                compare = reading.bad(tree.at(key), f"{key} is not the API name of a field", hint)
            found.append((key, compare))
        return BAD if any(compare is BAD for _, compare in found) else tuple(found)

    def schema(self) -> dict[str, Any]:
        return {"type": "object", "additionalProperties": COMPARISON.schema(), "minProperties": 1}


@dataclass(frozen=True)
class Steps(Shape):
    """Names of stages or statuses; ``">= Opportunity"`` names all from there on."""

    kind: str

    @property
    def words(self) -> str:  # type: ignore[override]  # computed, where the others have a constant
        return f"the name of a {self.kind}, a list of such, or like '>= Name'"

    def read(self, tree: Tree, reading: Reading) -> Any:
        signed = SIGNED_NAME.fullmatch(tree.text.strip()) if isinstance(tree, Scalar) else None
        if signed is None:
            return ListOf(NameOf(self.kind)).read(tree, reading)
        name = NameOf(self.kind).read(Scalar(signed[2].strip(), tree.place, signed[2]), reading)
        if name is BAD:
            return BAD
        names = list(reading.names[self.kind])
        at, sign = names.index(name), signed[1]
        chosen = names[at if sign == ">=" else at + 1 :] if sign[0] == ">" else names[: at + 1 if sign == "<=" else at]
        return tuple(chosen) or reading.bad(
            tree.place, f"no {self.kind} is {sign} {name}", "it is at the end of the list"
        )

    def schema(self) -> dict[str, Any]:
        return ListOf(NameOf(self.kind)).schema()


def _field_filters(objects: tuple[str, ...]) -> Callable[[Any, Place, Reading], Condition]:
    def make(filters: Any, _place: Place, _reading: Reading) -> Condition:
        items = tuple(FieldIs(name, dict.fromkeys(objects, name), compare) for name, compare in filters)
        condition: Condition = items[0] if len(items) == 1 else All(items)
        return condition if len(objects) > 1 else All((ObjectIs(objects), condition))

    return make


def _each(kind: type[AccountIs] | type[ProspectIs]) -> Callable[[Any, Place, Reading], Condition]:
    def make(filters: Any, _place: Place, _reading: Reading) -> Condition:
        items = tuple(kind(name, compare) for name, compare in filters)
        return items[0] if len(items) == 1 else All(items)

    return make


def _activity(values: dict[str, Any], place: Place, reading: Reading) -> Any:
    word = values.pop("short")
    if word in DIRECTIONS:
        values["direction"] = word
    elif word is not None:
        values["kind"] = KIND_LIST.read(Scalar(word, place, word), reading)
    if values["kind"] is BAD:
        return BAD
    if values["upcoming"] and (values["within"] or values["after_quiet"] or values["latest_of"]):
        return reading.bad(place, "upcoming activities have no within, latest_of or after_quiet", "say one of them")
    values["kinds"] = values.pop("kind") or ()
    values["where"] = values["where"] or ()
    values["since"] = values["since"] or ""
    values["latest_of"] = values["latest_of"] or ()
    if values["latest_of"] and not values["kinds"]:
        return reading.bad(place, "latest_of needs kind: which of them must be the latest", "add kind:")
    return HasActivity(**values, ignored=frozenset() if values["kinds"] else reading.ignored_kinds)


def _opportunity(values: dict[str, Any], place: Place, reading: Reading) -> Any:
    role = list(values["role_where"] or ())
    if values["role"]:
        role.append(("Role", OneOf(values["role"])))
    if values["primary"] is not None:
        role.append(("IsPrimary", OneOf((values["primary"],))))
    where = values["where"] or ()
    if values["state"] in WHOLE and values["count"] != 1:
        return reading.bad(place, f"{values['state']} cannot be counted", "leave count out")
    return HasOpportunity(values["state"] or "any", tuple(where), tuple(role), values["count"])


KIND_LIST = ListOf(NameOf("activity kind"))
ACTIVITY = Block(
    "activity",
    {
        "kind": Key(KIND_LIST, "what happened: one of these kinds", example="kind: [form_submit, call]"),
        "direction": Key(Word(DIRECTIONS), "who acted: the person (inbound) or we (outbound)", "any"),
        "name": Key(COMPARISON, "the name of the form, mail, page or task", example="name: {contains: demo}"),
        "source": Key(COMPARISON, "the source that saw it", example="source: salesforce"),
        "where": Key(Filters(fields=False), "its attributes", example="where: {CallDisposition: Connected}"),
        "within": Key(Duration(), "at most so long ago"),
        "since": Key(
            Word(tuple(ANCHORS)),
            "only after the person came to the present stage or status, was handed off, or started afresh",
        ),
        "count": Key(Number(1, 10_000, whole=True), "at least so many", 1),
        "latest_of": Key(KIND_LIST, "the newest activity of these kinds (and of kind) must be the one"),
        "after_quiet": Key(Duration(), "it came after a pause of at least so long without another such activity"),
        "upcoming": Key(
            YesNo(), "in the future, like a meeting next week; otherwise only what has happened counts", False
        ),
    },
    _activity,
    short=Text("inbound, outbound, any, or an activity kind"),
    short_key="short",
    doc="what the person did, and what was done to reach them",
)
OPPORTUNITY_STATES = (*STATES, *WHOLE)
OPPORTUNITY = Block(
    "opportunity",
    {
        "state": Key(
            Word(OPPORTUNITY_STATES),
            "any, open, closed, won, lost; all_lost: there are some and each is lost; none: there is none",
            "any",
        ),
        "where": Key(Filters(), "fields of the opportunity", example="where: {Amount: '>= 10000', Type: New Business}"),
        "role": Key(ListOf(Text()), "the person's role in it", example="role: [Decision Maker, Champion]"),
        "primary": Key(YesNo(), "whether the person is the primary contact"),
        "role_where": Key(Filters(), "other fields of the contact role", example="role_where: {Region__c: North}"),
        "count": Key(Number(1, 10_000, whole=True), "at least so many opportunities", 1),
    },
    _opportunity,
    short=Word(OPPORTUNITY_STATES),
    short_key="state",
    doc="opportunities, through contact roles",
)


def named_condition(name: str, place: Place, reading: Reading) -> Any:
    """A named condition, read once. One that leads back to itself is a mistake."""
    if name in reading.open:
        circle = " -> ".join([*reading.open[reading.open.index(name) :], name])
        return reading.bad(place, f"the condition {name} refers to itself: {circle}", "break the circle")
    if name not in reading.known:
        reading.open.append(name)
        reading.known[name] = CONDITION.read(reading.named[name], reading)
        reading.open.pop()
    return reading.known[name]


def _as_it_is(value: Any, _place: Place, _reading: Reading) -> Any:
    return value


def _of(make: Callable[[Any], Condition]) -> Maker:
    return lambda value, _place, _reading: make(value)


Maker = Callable[[Any, Place, Reading], Any]
CONDITIONS: dict[str, tuple[Key, Maker]] = {
    "all": (
        Key(
            ListOf(CONDITION, strict=True), "all of these hold", example="all: [{email: present}, {activity: inbound}]"
        ),
        _of(All),
    ),
    "any": (
        Key(
            ListOf(CONDITION, strict=True),
            "at least one of these holds",
            example="any: [{opportunity: open}, {opportunity: won}]",
        ),
        _of(AnyOf),
    ),
    "not": (Key(CONDITION, "this does not hold", example="not: {activity: {within: 90d}}"), _of(Not)),
    "condition": (
        Key(NameOf("condition"), "a condition that conditions: names", example="condition: hot"),
        named_condition,
    ),
    "field": (
        Key(Filters(), "fields of the record, called the same on Contact and Lead", example="field: {Rating: Hot}"),
        _field_filters(("Contact", "Lead")),
    ),
    "contact": (
        Key(Filters(), "is a Contact with these fields", example="contact: {Department: Sales}"),
        _field_filters(("Contact",)),
    ),
    "lead": (
        Key(Filters(), "is an unconverted Lead with these fields", example="lead: {Industry: Banking}"),
        _field_filters(("Lead",)),
    ),
    "account": (
        Key(Filters(), "fields of the contact's account", example="account: {NumberOfEmployees: '>= 100'}"),
        _each(AccountIs),
    ),
    "prospect": (
        Key(Filters(fields=False), "what a marketing system says of the person", example="prospect: {grade: [A, B]}"),
        _each(ProspectIs),
    ),
    "object": (
        Key(
            ListOf(Word(OBJECTS)),
            "is a Contact, a Lead, or a Prospect: known to marketing only",
            example="object: Lead",
        ),
        _of(ObjectIs),
    ),
    "activity": (Key(ACTIVITY, ACTIVITY.doc, example="activity: {kind: form_submit, within: 90d}"), _as_it_is),
    "opportunity": (Key(OPPORTUNITY, OPPORTUNITY.doc, example="opportunity: won"), _as_it_is),
    "stage": (
        Key(Steps("stage"), "the stage is one of these", example="stage: '>= Opportunity'"),
        _of(lambda names: StandsAt("stage", names)),
    ),
    "status": (
        Key(Steps("status"), "the lead status is one of these", example="status: [New, Open]"),
        _of(lambda names: StandsAt("status", names)),
    ),
    "stage_for": (
        Key(Duration(), "at the present stage for at least so long", example="stage_for: 90d"),
        _of(lambda span: StandsFor("stage", span)),
    ),
    "status_for": (
        Key(Duration(), "at the present status for at least so long", example="status_for: 2d"),
        _of(lambda span: StandsFor("status", span)),
    ),
}
