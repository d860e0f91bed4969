"""The sections of a mapping file: the table that reading, the JSON Schema and the reference come from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from connector.lifecycle.conditions import PEOPLE
from connector.lifecycle.model import Manual
from connector.mapping.language import CONDITION, KIND_LIST, Steps
from connector.mapping.mistakes import Place
from connector.mapping.shape import (
    BAD,
    Block,
    Duration,
    FieldName,
    Key,
    ListOf,
    MapOf,
    NameOf,
    Reading,
    Shape,
    Text,
    Word,
    YesNo,
    parse_duration,
)
from connector.mapping.tree import Map, Scalar, Tree


@dataclass(frozen=True)
class PerObject(Shape):
    """One value for Contact and Lead, or one for each."""

    item: Shape

    @property
    def words(self) -> str:  # type: ignore[override]  # computed, where the others have a constant
        return f"{self.item.words}, or a map with Contact and Lead"

    def read(self, tree: Tree, reading: Reading) -> Any:
        if isinstance(tree, Map):
            return MapOf(self.item, PEOPLE).read(tree, reading)
        value = self.item.read(tree, reading)
        return BAD if value is BAD else dict.fromkeys(PEOPLE, value)

    def schema(self) -> dict[str, Any]:
        return {"anyOf": [self.item.schema(), MapOf(self.item, PEOPLE).schema()]}


@dataclass(frozen=True)
class ManualShape(Shape):
    """How long a value that a person set stays."""

    words: str = "until_promotion, forever, ignored, or a length of time"

    def read(self, tree: Tree, reading: Reading) -> Any:
        text = tree.text.strip().replace(" ", "_") if isinstance(tree, Scalar) else ""
        if text in {"until_promotion", "forever", "ignored"}:
            return Manual(text)
        span = parse_duration(text.replace("_", " "))
        return (
            Manual("span", span)
            if span
            else self._mismatch(tree, reading, "write until_promotion, forever, ignored or 30d")
        )

    def schema(self) -> dict[str, Any]:
        return {"anyOf": [{"enum": ["until_promotion", "forever", "ignored"]}, Duration().schema()]}


@dataclass(frozen=True)
class OrNone(Shape):
    """A list, or the word none for an empty one."""

    item: Shape

    @property
    def words(self) -> str:  # type: ignore[override]  # computed, where the others have a constant
        return f"{self.item.words}, or none"

    def read(self, tree: Tree, reading: Reading) -> Any:
        return () if isinstance(tree, Scalar) and tree.text.strip() == "none" else self.item.read(tree, reading)

    def schema(self) -> dict[str, Any]:
        return {"anyOf": [{"const": "none"}, self.item.schema()]}


def with_place(values: dict[str, Any], place: Place, _reading: Reading) -> dict[str, Any]:
    return {**values, "place": place}


NAME = Text(longest=120)
STAGE = Block(
    "stage",
    {
        "name": Key(NAME, "what the mapping calls it, and Salesforce too unless value says otherwise", required=True),
        "when": Key(CONDITION, "people for whom this holds belong here; the furthest such stage counts"),
        "set_by": Key(Word(("rules", "people")), "people: only people, moves and hand-offs put somebody here", "rules"),
        "reports": Key(Word(("shown", "hidden")), "hidden: left out of reports and graphs", "shown"),
        "funnel": Key(YesNo(), "false: beside the funnel, like Disqualified", True),
        "terminal": Key(YesNo(), "true: rules move nobody out of it, only moves and people do", False),
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
    },
    with_place,
    doc="a named exception: out of a step, back or forward, although the rules would not",
)
GATE_STAGE = {
    "direction": Key(Word(("forward", "both")), "forward: rules never lower it; both: it follows the rules", None),
    "manual": Key(ManualShape(), "how long a value that a person set stays", Manual()),
}
GATE = Block(
    "gate",
    {
        "stage": Key(Block("gate stage", GATE_STAGE, doc="how stages move"), "how stages move"),
        "status": Key(
            Block(
                "gate status",
                {
                    **GATE_STAGE,
                    "stages": Key(Steps("stage"), "only people at these stages have a status"),
                    "outside": Key(
                        Word(("leave", "clear")),
                        "what happens to the status of others (a Lead's cannot be emptied)",
                        "leave",
                    ),
                },
                doc="how lead statuses move",
            ),
            "how lead statuses move",
        ),
        "lock": Key(CONDITION, "freezes a person: while it holds, nothing of them changes"),
    },
    doc="whether a track may move, in one place",
)
FIELDS = Block(
    "fields",
    {
        "stage": Key(PerObject(FieldName()), "where the stage is written", dict.fromkeys(PEOPLE, "Lifecycle_Stage__c")),
        "status": Key(
            PerObject(FieldName()), "where the lead status is written", {"Contact": "Lead_Status__c", "Lead": "Status"}
        ),
    },
    doc="the Salesforce fields that are written",
)
ACTIVITIES = Block(
    "activities",
    {
        "ignore": Key(
            OrNone(KIND_LIST),
            "kinds that count only where a condition names them (mail scanners open mails); none: all count",
            ("email_open",),
        ),
        "kinds": Key(ListOf(Text()), "further kinds that your own files or hooks deliver", ()),
    },
    doc="what counts as engagement",
)
ROOT = Block(
    "mapping",
    {
        "name": Key(NAME, "the mapping's name; without one, the file's"),
        "description": Key(Text(longest=5000), "for people"),
        "include": Key(ListOf(Text()), "files, or shipped mappings, that this one adds to and overrides"),
        "fields": Key(FIELDS, FIELDS.doc),
        "attributes": Key(
            MapOf(MapOf(FieldName(), (*PEOPLE, "Prospect"))),
            "names for fields that are called differently on each object",
        ),
        "activities": Key(ACTIVITIES, ACTIVITIES.doc),
        "conditions": Key(MapOf(CONDITION), "conditions with a name, to be used in others"),
        "stages": Key(ListOf(STAGE, strict=True, lenient=True), "the stages, in order", required=True),
        "statuses": Key(ListOf(STATUS, strict=True, lenient=True), "the lead statuses, in order"),
        "rules": Key(ListOf(RULE, strict=True, lenient=True), "further rules", ()),
        "gate": Key(GATE, GATE.doc),
        "moves": Key(ListOf(MOVE, strict=True, lenient=True), "named exceptions to the gate", ()),
    },
    doc="one mapping",
    lenient=True,
)
