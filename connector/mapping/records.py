"""``records:``, which links records of other objects to people, and the condition ``record:`` on them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from connector.base.json import JsonObject
from connector.lifecycle.activity import ANCHORS
from connector.lifecycle.compare import Within
from connector.lifecycle.model import RecordLink
from connector.lifecycle.records import CREATED, HasRecord
from connector.mapping.filters import SINCE_DOC, Filters
from connector.mapping.mistakes import Place
from connector.mapping.shape import (
    BAD,
    FIELD,
    PATH,
    Block,
    Duration,
    FieldName,
    Key,
    MapOf,
    NameOf,
    Number,
    Reading,
    Shape,
    Word,
)
from connector.mapping.tree import Map, Tree

LINKED_OBJECT = "object of records:"  # the kind of these names
READ_ANYWAY = {
    "Account": "account: {...}",
    "CampaignMember": "activity: campaign_response",
    "Contact": "contact: {...}",
    "EmailMessage": "activity: email_reply",
    "EmailMessageRelation": "activity: email_reply",
    "Event": "activity: meeting",
    "EventRelation": "activity: meeting",
    "Lead": "lead: {...}",
    "Opportunity": "opportunity: {...}",
    "OpportunityContactRole": "opportunity: {role: ...}",
    "Task": "activity: {source: salesforce}",
    "TaskRelation": "activity: {source: salesforce}",
    "User": "owner conditions",
}


def _link(values: JsonObject, place: Place, reading: Reading) -> Any:
    if not (values["person"] or values["email"] or values["account"]):
        hint = "say person: with the lookup to Contact or Lead, email:, or account:"
        return reading.bad(place, "nothing says whose these records are", hint)
    return RecordLink(values["person"] or "", values["email"] or "", values["account"] or "", values["date"])


LINK = Block(
    "link",
    {
        "person": Key(FieldName(PATH), "a lookup to Contact or Lead: it is that person's"),
        "email": Key(FieldName(PATH), "an e-mail address: it is everybody's who has it, where person is empty"),
        "account": Key(FieldName(PATH), "a lookup to Account: it is all its people's, where the others are empty"),
        "date": Key(FieldName(PATH), "the date from which it counts, for since, within and explain", CREATED),
    },
    _link,
    doc="whose the records of an object are",
)


@dataclass(frozen=True)
class RecordsShape(Shape):
    """Object -> its link."""

    link: Block = LINK
    words: str = "a map of objects to links, like {Subscription__c: {person: Contact__c}}"

    def read(self, tree: Tree, reading: Reading) -> Any:
        if not isinstance(tree, Map):
            return self._mismatch(tree, reading)
        found = {}
        for name, value in tree.items.items():
            link = self.link.read(value, reading)
            if name in READ_ANYWAY:
                link = reading.bad(tree.at(name), f"{name} is read anyway", f"write {READ_ANYWAY[name]}")
            elif not re.fullmatch(FIELD, name) or len(name) > 80:
                link = reading.bad(tree.at(name), f"{name} is not the API name of an object", "like Subscription__c")
            found[name] = link
        return BAD if any(link is BAD for link in found.values()) else found

    def schema(self) -> JsonObject:
        return {"type": "object", "additionalProperties": self.link.schema()}


REFRESHED = ("Account", "CampaignMember", "Contact", "Lead", "Opportunity")  # and the linked ones


@dataclass(frozen=True)
class RefreshShape(Shape):
    """Object -> how often all of it is read again."""

    words: str = "a map of objects to lengths of time"

    def read(self, tree: Tree, reading: Reading) -> Any:
        return self._map((*REFRESHED, *reading.names[LINKED_OBJECT])).read(tree, reading)

    def schema(self) -> JsonObject:
        return self._map(()).schema()

    def _map(self, objects: tuple[str, ...]) -> MapOf:
        return MapOf(Duration(timedelta(minutes=15), is_plain=True), objects)


def _record(values: JsonObject, _place: Place, reading: Reading) -> Any:
    link = reading.records.get(values["of"], RecordLink())
    where = list(values["where"] or ())
    if values["within"]:
        where.append((link.dated_by, Within(values["within"])))
    since, total = values["since"] or "", tuple(values["sum"] or ())
    return HasRecord(values["of"], link, tuple(where), values["count"], since, total)


RECORD_FILTER = Block(
    "record",
    {
        "of": Key(NameOf(LINKED_OBJECT), "the object: one of records:", required=True),
        "where": Key(Filters(), "its fields", example="where: {Status__c: Active, End__c: {ahead: 30d}}"),
        "count": Key(Number(1, 10_000, whole=True), "at least so many", 1),
        "sum": Key(Filters(), "fields summed over all that fit", example="sum: {MRR__c: '>= 500'}"),
        "within": Key(Duration(), "by its date, at most so long ago"),
        "since": Key(Word(tuple(ANCHORS)), f"{SINCE_DOC}; by its date"),
    },
    _record,
    short=NameOf(LINKED_OBJECT),
    short_key="of",
    doc="records of other objects of the org",
)
