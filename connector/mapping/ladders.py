"""Stages, statuses, and what leads from one to another: the entries of a ladder."""

from __future__ import annotations

from connector.base.json import JsonObject
from connector.mapping.language import CONDITION
from connector.mapping.makers import PerObject
from connector.mapping.mistakes import Place
from connector.mapping.shape import Block, Duration, Key, ListOf, MapOf, NameOf, Reading, Text, Word, YesNo


def with_place(values: JsonObject, place: Place, _reading: Reading) -> JsonObject:
    return {**values, "place": place}


NAME = Text(longest=120)
STAGE = Block(
    "stage",
    {
        "name": Key(NAME, "what the mapping calls it, and Salesforce too unless value says otherwise", required=True),
        "when": Key(CONDITION, "people for whom this holds belong here; the furthest such stage counts"),
        "set_by": Key(Word(("rules", "people")), "people: only people, moves and hand-offs put somebody here", "rules"),
        "reports": Key(
            Word(("shown", "hidden")),
            "hidden: left out of the tables of connector status; --json and conditions have it",
            "shown",
        ),
        "funnel": Key(
            YesNo(), "false: beside the funnel, like Disqualified; only moves and people lead out of it", True
        ),
        "terminal": Key(YesNo(), "true: rules move nobody out of it, only moves and people do", False),
        "forever": Key(YesNo(), "true: only people lead out of it; moves from it do not count", False),
        "value": Key(PerObject(Text()), "what Salesforce calls it, where that differs from the name"),
        "description": Key(Text(longest=2000), "for people", ""),
    },
    with_place,
    short=NAME,
    short_key="name",
    doc="one stage; their order is the order people move in",
)
STATUS = Block(
    "status",
    {key: spec for key, spec in STAGE.keys.items() if key not in {"reports", "funnel"}},
    with_place,
    short=NAME,
    short_key="name",
    doc="one lead status",
)
THEN = Block(
    "then",
    {
        "stage": Key(NameOf("stage"), "the stage they belong to"),
        "status": Key(NameOf("status"), "the lead status they belong to"),
    },
    doc="where people belong for whom the rule holds",
)
RULE = Block(
    "rule",
    {
        "name": Key(NAME, "named in decisions; without one, the name of where it leads"),
        "when": Key(CONDITION, "the condition", required=True),
        "then": Key(THEN, "where it leads", required=True),
    },
    with_place,
    doc="one more way into a stage or status",
)
MOVE = Block(
    "move",
    {
        "name": Key(NAME, "named in decisions"),
        "from": Key(
            ListOf(NameOf("stage or status")), "stages (or statuses) that it leads out of; without it, every one"
        ),
        "to": Key(NameOf("stage or status"), "the stage (or status) that it leads to", required=True),
        "when": Key(CONDITION, "the condition", required=True),
        "after": Key(Duration(), "grace period: only once the condition has held for so long"),
        "cool_off": Key(Duration(), "only once the person has stood there for so long"),
        "status": Key(NameOf("status"), "the lead status that goes with it"),
        "restart": Key(
            YesNo(), "true: a fresh start. The score counts from then on, and so do since: start and hand-offs", False
        ),
    },
    with_place,
    doc="a named exception: out of a step, back or forward, although the rules would not",
)
MIGRATE = Block(
    "migrate",
    {
        "stage": Key(MapOf(NameOf("stage"), key_words="an old value"), "old value of the field -> stage"),
        "status": Key(MapOf(NameOf("status"), key_words="an old value"), "old value of the field -> lead status"),
    },
    with_place,
    doc="what the org calls stages and statuses from before; people who have such a value get the new one",
)
SEGMENT = Block(
    "segment",
    {
        "name": Key(NAME, "what these people are called", required=True),
        "for": Key(CONDITION, "people for whom this holds", required=True),
        "stages": Key(ListOf(STAGE, strict=True, lenient=True), "their stages, in order; else everybody's"),
        "statuses": Key(ListOf(STATUS, strict=True, lenient=True), "their lead statuses; else everybody's"),
        "moves": Key(ListOf(MOVE, strict=True, lenient=True), "named exceptions to the gate", ()),
    },
    with_place,
    doc="people with stages of their own, such as a business unit or partners",
)
