"""The condition language: one table of keys, each with what it holds, what it means and what it becomes.

Several keys in one map must all hold. A key that is no word of the language is an attribute: a field of the person
under a name of its own (``email``, ``country``, or one that ``attributes:`` defines).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from connector.base.json import JsonObject
from connector.lifecycle.conditions import (
    All,
    Always,
    AnyOf,
    Condition,
    FieldIs,
    Never,
    Not,
    ObjectIs,
    ProspectIs,
)
from connector.lifecycle.measures import AccountStageIs, HandedOff, HasTag, ResponseTime, ScoreIs, ThresholdOn
from connector.lifecycle.owners import OWNER_KINDS
from connector.lifecycle.program import OBJECTS
from connector.lifecycle.several import AtLeast, InSequence
from connector.lifecycle.whereabouts import OwnedBy, StandsAt, StandsFor
from connector.mapping.comparison import ComparisonShape
from connector.mapping.filters import ACTIVITY_FILTER, OPPORTUNITY_FILTER, Filters
from connector.mapping.mistakes import Place, did_you_mean
from connector.mapping.records import RECORD_FILTER
from connector.mapping.shape import (
    BAD,
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
from connector.mapping.steps import SignedSpan, Steps
from connector.mapping.surroundings import AccountShape, account_condition
from connector.mapping.tree import Map, Scalar, Seq, Tree
from connector.mapping.types import NUMERIC, OF_FIELDS

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


class ConditionShape(Shape):
    words = "a condition"

    def read(self, tree: Tree, reading: Reading) -> Any:
        if isinstance(tree, Scalar) and tree.text.strip() in CONSTANT:
            return CONSTANT[tree.text.strip()]
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
            fields = reading.attributes[key]
            compare = ComparisonShape(OF_FIELDS.get(fields.get("Contact", fields.get("Lead", "")), "")).read(
                tree, reading
            )
            return BAD if compare is BAD else FieldIs(key, fields, compare)
        known = [*CONDITIONS, *reading.attributes]
        hint = did_you_mean(key, known, "for a field of the record write field: {" + key + ": ...}")
        return reading.bad(place, f"there is no condition {key}", hint)

    def schema(self) -> JsonObject:
        return {"$ref": "#/$defs/condition"}


CONDITION = ConditionShape()
CONSTANT: dict[str, Condition] = {"always": Always(), "never": Never()}


def _field_filters(objects: tuple[str, ...]) -> Callable[[Any, Place, Reading], Condition]:
    def make(filters: Any, _place: Place, _reading: Reading) -> Condition:
        items = tuple(FieldIs(name, dict.fromkeys(objects, name), compare) for name, compare in filters)
        condition: Condition = items[0] if len(items) == 1 else All(items)
        return condition if len(objects) > 1 else All((ObjectIs(objects), condition))

    return make


def _prospect(filters: Any, _place: Place, _reading: Reading) -> Condition:
    items = tuple(ProspectIs(name, compare) for name, compare in filters)
    return items[0] if len(items) == 1 else All(items)


Maker = Callable[[Any, Place, Reading], Any]


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


def _number(of: str) -> Maker:
    def make(compare: Any, place: Place, reading: Reading) -> Any:
        if of not in reading.names["number"]:
            return reading.bad(place, f"there is no {of} in this mapping", f"add a section {of}:")
        return ScoreIs(of, compare)

    return make


def _threshold(name: str, _place: Place, reading: Reading) -> Any:
    found = reading.thresholds.get(name)
    return ThresholdOn(name, found["of"], found["at"]) if found else ThresholdOn(name, "score", 0)


def _handed_off(values: JsonObject, _place: Place, _reading: Reading) -> Any:
    return HandedOff(values["expected"] is not False, values["by"] or (), values["within"])


def _tag(names: tuple[str, ...], place: Place, reading: Reading) -> Any:
    return HasTag(names, reading.tag_fields, reading.tag_separator)


def _at_least(values: JsonObject, place: Place, reading: Reading) -> Any:
    if values["count"] > len(values["of"]):
        return reading.bad(
            place, f"{values['count']} of {len(values['of'])} can never hold", "name more, or ask for less"
        )
    return AtLeast(values["count"], tuple(values["of"]))


def _sequence(values: JsonObject, place: Place, reading: Reading) -> Any:
    if len(values["steps"]) < 2 or any(step.count != 1 for step in values["steps"]):
        return reading.bad(place, "a sequence has two steps or more, and no count in them", "say a step twice instead")
    return InSequence(tuple(values["steps"]), values["within"])


def _as_it_is(value: Any, _place: Place, _reading: Reading) -> Any:
    return value


def _of(make: Callable[[Any], Condition]) -> Maker:
    return lambda value, _place, _reading: make(value)


HANDED_OFF = Block(
    "handed_off",
    {
        "by": Key(ListOf(NameOf("hand-off")), "the last one was this one"),
        "within": Key(Duration(), "at most so long ago"),
    },
    _handed_off,
    short=YesNo(),
    short_key="expected",
    doc="sales got the person by a hand-off",
)
_NUMBER, _SEVERAL = ComparisonShape(NUMERIC, is_plain=True), ListOf(CONDITION, strict=True)
CONDITIONS: dict[str, tuple[Key, Maker]] = {
    "all": (
        Key(_SEVERAL, "all of these hold", example="all: [{email: present}, {activity: inbound}]"),
        _of(All),
    ),
    "any": (
        Key(
            _SEVERAL,
            "at least one of these holds",
            example="any: [{opportunity: open}, {opportunity: won}]",
        ),
        _of(AnyOf),
    ),
    "and": (
        Key(ListOf(CONDITION, strict=True), "the same as all", example="and: [{email: present}, {country: DE}]"),
        _of(All),
    ),
    "or": (
        Key(ListOf(CONDITION, strict=True), "the same as any", example="or: [{country: DE}, {country: AT}]"),
        _of(AnyOf),
    ),
    "at_least": (
        Key(
            Block(
                "at_least",
                {
                    "count": Key(Number(1, 100, whole=True), "so many", required=True),
                    "of": Key(_SEVERAL, "of these conditions", required=True),
                },
                _at_least,
                doc="some of several conditions",
            ),
            "at least so many of these hold",
            example="at_least: {count: 2, of: [{country: DE}, {activity: inbound}, {title: present}]}",
        ),
        _as_it_is,
    ),
    "sequence": (
        Key(
            Block(
                "sequence",
                {
                    "steps": Key(ListOf(ACTIVITY_FILTER, strict=True), "the activities, in order", required=True),
                    "within": Key(Duration(), "each at most so long after the one before"),
                },
                _sequence,
                doc="activities one after another",
            ),
            "activities in this order",
            example="sequence: {steps: [form_submit, {kind: page_view, name: {contains: pricing}}], within: 7d}",
        ),
        _as_it_is,
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
        Key(
            AccountShape(),
            "fields of the contact's account; opportunity: any of the account; people: how many did something",
            example="account: {NumberOfEmployees: '>= 100'}",
        ),
        account_condition,
    ),
    "prospect": (
        Key(
            Filters(fields=False, priced=False),
            "what a marketing system says of the person",
            example="prospect: {grade: [A, B]}",
        ),
        _prospect,
    ),
    "object": (
        Key(
            ListOf(Word(OBJECTS)),
            "is a Contact, a Lead, or a Prospect: known to marketing only",
            example="object: Lead",
        ),
        _of(ObjectIs),
    ),
    "activity": (
        Key(ACTIVITY_FILTER, ACTIVITY_FILTER.doc, example="activity: {kind: form_submit, within: 90d}"),
        _as_it_is,
    ),
    "opportunity": (Key(OPPORTUNITY_FILTER, OPPORTUNITY_FILTER.doc, example="opportunity: won"), _as_it_is),
    "record": (Key(RECORD_FILTER, RECORD_FILTER.doc, example="record: Subscription__c"), _as_it_is),
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
    "score": (
        Key(_NUMBER, "the score, as score: counts or takes it", example="score: '>= 71'"),
        _number("score"),
    ),
    "fit": (
        Key(_NUMBER, "the fit, as fit: counts or takes it", example="fit: '>= 50'"),
        _number("fit"),
    ),
    "threshold": (
        Key(NameOf("threshold"), "past a threshold, and not yet back below it", example="threshold: sales_ready"),
        _threshold,
    ),
    "handed_off": (
        Key(HANDED_OFF, "a hand-off happened", example="handed_off: {by: to sales, within: 7d}"),
        _as_it_is,
    ),
    "owned_by": (
        Key(
            ListOf(Word(OWNER_KINDS)),
            "who has the person; a colleague is any user but the one that the connector signs in as",
            example="owned_by: colleague",
        ),
        _of(lambda kinds: OwnedBy(tuple(kinds))),
    ),
    "response_time": (
        Key(
            SignedSpan(),
            "how long after the hand-off sales reached out, or has not yet",
            example="response_time: '> 4h'",
        ),
        _of(lambda found: ResponseTime(*found)),
    ),
    "account_stage": (
        Key(
            Steps("stage"),
            "the furthest stage that others of the account reached by themselves",
            example="account_stage: '>= Opportunity'",
        ),
        _of(AccountStageIs),
    ),
    "tag": (Key(ListOf(Text()), "the tag field has one of these", example="tag: VIP"), _tag),
}
