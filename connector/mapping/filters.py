"""How activities and opportunities are asked for: the two filters of the condition language."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from connector.base.json import JsonObject
from connector.lifecycle.activity import ANCHORS, HasActivity
from connector.lifecycle.amounts import AMOUNT_OF_DEAL, DEAL_KIND, currencies_in
from connector.lifecycle.compare import OneOf
from connector.lifecycle.opportunity import STATES, WHICH, WHOLE, HasOpportunity
from connector.mapping.comparison import COMPARISON, ComparisonShape
from connector.mapping.mistakes import Place
from connector.mapping.shape import (
    BAD,
    PATH,
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
from connector.mapping.types import OF_FIELDS

DIRECTIONS = ("inbound", "outbound", "any")


@dataclass(frozen=True)
class Filters(Shape):
    """Field -> comparison. Fields of Salesforce are checked for their form; a marketing attribute may be any name.
    ``priced``: some may be amounts of money."""

    fields: bool = True
    priced: bool = True
    words: str = "a map of fields to comparisons"

    def read(self, tree: Tree, reading: Reading) -> Any:
        if not isinstance(tree, Map) or not tree.items:
            return self._mismatch(tree, reading, "write it like {Country: [DE, AT]}")
        found: list[tuple[str, Any]] = []
        for key, value in tree.items.items():
            kind = OF_FIELDS.get(key.rpartition(".")[2], "") if self.fields else ""
            compare = ComparisonShape(kind, is_plain=not self.priced).read(value, reading)
            if self.fields and not PATH.fullmatch(key):
                hint = "API names are like Lifecycle_Stage__c; fields of a parent like Owner.UserRole.Name"
                compare = reading.bad(tree.at(key), f"{key} is not the API name of a field", hint)
            elif self.fields and key.islower() and not key.endswith("__c"):
                hint = (
                    "write API names as Salesforce does, like Industry; a condition stands by itself, beside this one"
                )
                compare = reading.bad(tree.at(key), f"{key} is not the API name of a field", hint)
            found.append((key, compare))
        return BAD if any(compare is BAD for _, compare in found) else tuple(found)

    def schema(self) -> JsonObject:
        return {"type": "object", "additionalProperties": COMPARISON.schema(), "minProperties": 1}


def _activity(values: JsonObject, place: Place, reading: Reading) -> Any:
    words = values.pop("short")
    if words is not None and len(words) == 1 and words[0] in DIRECTIONS:
        values["direction"] = words[0]
    elif words is not None:
        values["kind"] = KIND_LIST.read(Seq(tuple(Scalar(word, place, word) for word in words), place), reading)
    if values["kind"] is BAD:
        return BAD
    senders = reading.names.get("sender", {})
    named = values["source"].values if isinstance(values["source"], OneOf) else ()
    if sender := next((each for each in named if each in senders), None):
        hint = f"write where: {{hook: {sender}}}, or where: {{source: {sender}}} for files and a warehouse"
        return reading.bad(place, f"{sender} is a sender, not the source through which it comes", hint)
    if values["upcoming"] and (values["within"] or values["after_quiet"] or values["latest_of"]):
        return reading.bad(place, "upcoming activities have no within, latest_of or after_quiet", "say one of them")
    values["kinds"] = values.pop("kind") or ()
    values["where"] = values["where"] or ()
    values["since"] = values["since"] or ""
    values["latest_of"] = values["latest_of"] or ()
    for name, compare in values["where"]:
        is_of_deal = DEAL_KIND in values["kinds"] and name in AMOUNT_OF_DEAL
        if (codes := currencies_in(compare)) and not (is_of_deal or name.endswith("__c") or "." in name):
            return reading.bad(place, f"{name} is no amount in {codes[0]}", f"leave {codes[0]} out")
    if values["latest_of"] and not values["kinds"]:
        return reading.bad(place, "latest_of needs kind: which of them must be the latest", "add kind:")
    return HasActivity(**values, ignored=frozenset() if values["kinds"] else reading.ignored_kinds)


def _opportunity(values: JsonObject, place: Place, reading: Reading) -> Any:
    role = list(values["role_where"] or ())
    if values["role"]:
        role.append(("Role", OneOf(values["role"])))
    if values["primary"] is not None:
        role.append(("IsPrimary", OneOf((values["primary"],))))
    where = list(values["where"] or ())
    if values["past"]:
        pipeline = list(reading.names["opportunity stage"])
        later = tuple(pipeline[pipeline.index(values["past"]) + 1 :])
        if not later:
            return reading.bad(place, f"nothing comes after {values['past']} in the pipeline", "name an earlier stage")
        where.append(("StageName", OneOf(later)))
    if values["state"] in WHOLE and values["count"] != 1:
        return reading.bad(place, f"{values['state']} cannot be counted", "leave count out")
    if values["which"] and values["count"] != 1:
        return reading.bad(place, f"the {values['which']} one is one", "leave count out")
    return HasOpportunity(
        values["state"] or "any",
        tuple(where),
        tuple(role),
        values["count"],
        values["since"] or "",
        values["which"] or "",
        tuple(values["sum"] or ()),
    )


SINCE_DOC = "only after the person came to the present stage or status, was handed off, or started afresh"
KIND_LIST = ListOf(NameOf("activity kind"))
ACTIVITY_FILTER = Block(
    "activity",
    {
        "kind": Key(KIND_LIST, "what happened: one of these kinds", example="kind: [form_submit, call]"),
        "direction": Key(Word(DIRECTIONS), "who acted: the person (inbound) or we (outbound)", "any"),
        "name": Key(COMPARISON, "the name of the form, mail, page or task", example="name: {contains: demo}"),
        "source": Key(COMPARISON, "the source that saw it", example="source: salesforce"),
        "where": Key(Filters(fields=False), "its attributes", example="where: {CallDisposition: Connected}"),
        "within": Key(Duration(), "at most so long ago"),
        "since": Key(Word(tuple(ANCHORS)), SINCE_DOC),
        "count": Key(Number(1, 10_000, whole=True), "at least so many", 1),
        "latest_of": Key(KIND_LIST, "the newest activity of these kinds (and of kind) must be the one"),
        "after_quiet": Key(Duration(), "it came after a pause of at least so long without another such activity"),
        "upcoming": Key(
            YesNo(), "in the future, like a meeting next week; otherwise only what has happened counts", False
        ),
    },
    _activity,
    short=ListOf(Text("inbound, outbound, any, or an activity kind")),
    short_key="short",
    doc="what the person did, and what was done to reach them",
)
OPPORTUNITY_STATES = (*STATES, *WHOLE)
OPPORTUNITY_FILTER = Block(
    "opportunity",
    {
        "state": Key(
            Word(OPPORTUNITY_STATES),
            "any, open, closed, won, lost; all_lost: there are some and each is lost; none: there is none",
            "any",
        ),
        "where": Key(Filters(), "fields of the opportunity", example="where: {Amount: '>= 10000', Type: New Business}"),
        "past": Key(
            NameOf("opportunity stage"), "beyond this stage of opportunities: pipeline:", example="past: Qualification"
        ),
        "role": Key(ListOf(Text()), "the person's role in it", example="role: [Decision Maker, Champion]"),
        "primary": Key(YesNo(), "whether the person is the primary contact"),
        "role_where": Key(Filters(), "other fields of the contact role", example="role_where: {Region__c: North}"),
        "since": Key(Word(tuple(ANCHORS)), SINCE_DOC + "; by its close date, or while open by its contact role"),
        "count": Key(Number(1, 10_000, whole=True), "at least so many opportunities", 1),
        "sum": Key(Filters(), "fields summed over all that fit", example="sum: {Amount: '>= 50k'}"),
        "which": Key(
            Word(tuple(WHICH)),
            "only one of all opportunities is asked: the largest by Amount, the newest by CreatedDate, the latest by "
            "CloseDate",
        ),
    },
    _opportunity,
    short=Word(OPPORTUNITY_STATES),
    short_key="state",
    doc="opportunities, through contact roles",
)
