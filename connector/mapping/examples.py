"""Tests in a mapping: example people, and what they must become. They run whenever the mapping is loaded: one that
fails its own tests is wrong.

A test is a story in steps. Each step changes the facts, decides, compares, and writes the decision as Salesforce would
have it, so that the next step sees fields and memory as they would be.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from connector.base.facts import (
    PEOPLE,
    Activity,
    Circle,
    Decision,
    Direction,
    LinkedRecord,
    OpportunityRole,
    Person,
    Prospect,
    Row,
)
from connector.base.json import JsonMap, JsonObject
from connector.base.money import Currencies
from connector.lifecycle.amounts import with_amounts
from connector.lifecycle.assignment import Assigner
from connector.lifecycle.decide import decide
from connector.lifecycle.mapping import CompiledMapping
from connector.lifecycle.owners import Owners
from connector.lifecycle.plan import plan
from connector.lifecycle.program import OBJECTS
from connector.lifecycle.sources import BY_PROSPECT, CRM_ID, EMAIL, FEEDS, MATCH
from connector.mapping.comparison import AnyValue
from connector.mapping.filters import DIRECTIONS
from connector.mapping.kinds import OUTBOUND
from connector.mapping.makers import OrNone
from connector.mapping.mistakes import Place
from connector.mapping.records import LINKED_OBJECT
from connector.mapping.shape import (
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
from connector.mapping.tree import Map, Scalar, Tree, plain

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)  # the day every test begins
_DEALS = {
    "open": ("Prospecting", False, False),
    "won": ("Closed Won", True, True),
    "lost": ("Closed Lost", True, False),
}


class Anything(Shape):
    """Field values, as they would be read."""

    words = "a map of fields to values"

    def read(self, tree: Tree, reading: Reading) -> Any:
        if not isinstance(tree, Map):
            return self._mismatch(tree, reading)
        for key, value in tree.items.items():
            if not isinstance(value, Scalar):
                return reading.bad(tree.at(key), f"{key} has a value that no field has", "a text, a number or a date")
        return plain(tree)

    def schema(self) -> JsonObject:
        return {"type": "object"}


FIRST_AGO = timedelta(days=30)  # how old the opportunities of a story's first step are
AGO = Key(Duration(), "how long before the step", timedelta(days=1))
EXAMPLE_DEAL = Block(
    "example opportunity",
    {
        "state": Key(Word(tuple(_DEALS)), "open, won or lost", "open"),
        "id": Key(Text(), "tells several apart"),
        "ago": Key(
            Duration(),
            "how old the contact role is, and how long ago it was closed; else 30 days in the first step, and later "
            "what is new happens with the step",
        ),
        "role": Key(Text(), "the person's role", "Decision Maker"),
        "primary": Key(YesNo(), "whether the person is the primary contact", True),
        "via": Key(
            Word(("role", "account", "colleagues", "conversion")),
            "without a contact role of theirs: of the account, of colleagues, or of a converted lead",
            "role",
        ),
        "fields": Key(Anything(), "other fields", {}),
    },
    short=Word(tuple(_DEALS)),
    short_key="state",
    doc="an opportunity of the example person",
)
EXAMPLE_ACTIVITY = Block(
    "example activity",
    {
        "kind": Key(NameOf("activity kind"), "what happened", required=True),
        "ago": AGO,
        "ahead": Key(Duration(), "how long after the step it will be"),
        "name": Key(Text(), "its name", ""),
        "source": Key(Text(), "the source, or a sender that sources: names", "salesforce"),
        "by": Key(Word(MATCH), "how the person was found", CRM_ID),
        "direction": Key(Word(DIRECTIONS), "who acted, where that is unusual for the kind"),
        "count": Key(Number(1, 1000, whole=True), "so many of them, a minute apart", 1),
        "attributes": Key(Anything(), "its attributes", {}),
    },
    short=NameOf("activity kind"),
    short_key="kind",
    doc="an activity of the example person",
)
EXAMPLE_RECORD = Block(
    "example record",
    {
        "of": Key(NameOf(LINKED_OBJECT), "the object: one of records:", required=True),
        "ago": AGO,
        "fields": Key(Anything(), "its fields", {}),
    },
    short=NameOf(LINKED_OBJECT),
    short_key="of",
    doc="a record of another object, linked to the example person",
)
EXPECT = Block(
    "expect",
    {
        "stage": Key(AnyValue(), "the stage; none for no stage"),
        "status": Key(AnyValue(), "the lead status; none for no status"),
        "owner": Key(Text(), "the owner, as the mapping names them"),
        "score": Key(Number(), "the score"),
        "fit": Key(Number(), "the fit"),
        "tags": Key(ListOf(AnyValue()), "the tags that are there, others aside; none for none of ours"),
        "held": Key(YesNo(), "whether the stage is held: by hand, by a lock, or because it only moves forward"),
        "rule": Key(Text(), "the rule or move that gave the stage"),
        "fields": Key(Anything(), "fields as written"),
    },
    doc="what the person must become",
)
STEP_KEYS: dict[str, Key] = {
    "after": Key(Duration(), "so much later than the step before"),
    "person": Key(Anything(), "fields of the record, or attributes (email, country)"),
    "stage": Key(AnyValue(), "the stage that stands in Salesforce, set by hand; none clears it"),
    "status": Key(AnyValue(), "the lead status that stands in Salesforce, set by hand; none clears it"),
    "account": Key(Anything(), "fields of the account"),
    "currencies": Key(
        Anything(), "in an org with several: units of each for one of the corporate currency, whose own is 1"
    ),
    "account_stage": Key(NameOf("stage"), "the furthest stage of the account's other people"),
    "prospect": Key(Anything(), "attributes that the marketing system has"),
    "opportunities": Key(OrNone(ListOf(EXAMPLE_DEAL)), "all opportunities there are now; none: none"),
    "activities": Key(ListOf(EXAMPLE_ACTIVITY), "further activities"),
    "records": Key(OrNone(ListOf(EXAMPLE_RECORD)), "all records of other objects there are now; none: none"),
    "becomes": Key(Word(PEOPLE), "the record was converted or merged into another one of this object"),
    "away": Key(ListOf(Text()), "owners who are away from now on"),
    "colleagues": Key(ListOf(EXAMPLE_ACTIVITY), "activities, each of another person of the account"),
    "expect": Key(EXPECT, "what the person must become"),
}


def _with_place(values: JsonObject, place: Place, _reading: Reading) -> JsonObject:
    return {**values, "place": place}


STEP = Block("then step", STEP_KEYS, _with_place, doc="what happens next")
EXAMPLE = Block(
    "test",
    {
        "name": Key(Text(), "a sentence that says the fact", required=True),
        "object": Key(Word(OBJECTS), "what the person is", "Contact"),
        **STEP_KEYS,
        "then": Key(ListOf(STEP, strict=True), "what happens next", ()),
    },
    _with_place,
    doc="an example person, and what must become of them",
)


def run_examples(examples: Iterable[JsonMap], mapping: CompiledMapping, reading: Reading) -> None:
    """Notes every step that does not come out as expected."""
    queues = frozenset(name for name, is_queue in mapping.owners.items() if is_queue)
    owners = Owners({name: name for name in mapping.owners}, queues=queues)
    for example in examples:
        person, at, assigner = somebody(example["object"]), NOW, Assigner(owners)
        currencies = Currencies()
        for step in (example, *example["then"]):
            at += step["after"] or timedelta()
            if step["away"] is not None:
                assigner.owners = replace(owners, away=frozenset(step["away"]))
            person = _changed(person, step, mapping, reading, at)
            currencies = currencies if step["currencies"] is None else _currencies(step["currencies"], mapping)
            decision = decide(with_amounts(person, currencies), mapping, at, assigner)
            for what in _wrong(step["expect"] or {}, person, decision, mapping):
                reading.bad(
                    step["place"], f"the test {example['name']!r} fails: {what}", "see connector explain, or the rule"
                )
            person = _written(person, decision, mapping)


def _currencies(rates: JsonMap, mapping: CompiledMapping) -> Currencies:
    corporate = next((code for code, rate in rates.items() if rate == 1), "")
    return Currencies(corporate, {code: float(rate) for code, rate in rates.items()}, fields=mapping.amounts)


def somebody(object_name: str) -> Person:
    key = {"Contact": "003000000000001AAA", "Lead": "00Q000000000001AAA", "Prospect": "pardot:1"}[object_name]
    return Person(
        key, object_name, {"Id": key, "Email": "ann@example.com", "CreatedDate": _stamp(NOW - timedelta(days=400))}
    )


def _changed(person: Person, step: JsonMap, mapping: CompiledMapping, reading: Reading, at: datetime) -> Person:
    """The person after what the step says happened."""
    if step["becomes"]:
        person = _converted(person, step["becomes"], mapping)
    fields = {**person.fields, **_fields(step, person.object, mapping, reading)}
    changes: JsonObject = {"fields": fields, "account": {**person.account, **(step["account"] or {})}}
    if step["prospect"] is not None:
        before = person.prospects[0].attributes if person.prospects else {}
        crm_id = person.id if person.object in PEOPLE else None
        attributes = {**before, **step["prospect"]}
        changes["prospects"] = (Prospect("pardot", "1", "ann@example.com", crm_id, attributes),)
    if step["opportunities"] is not None:
        before = {each.opportunity_id: each for each in (*person.opportunities, *person.account_opportunities)}
        deals = [_deal(deal, number, at, person, before) for number, deal in enumerate(step["opportunities"])]
        changes["opportunities"] = tuple(role for via, role in deals if via == "role")
        changes["account_opportunities"] = tuple(role for via, role in deals if via != "role")
    if step["activities"] is not None:
        feeds = {each.name: each.through[0] for each in mapping.model.sources if each.through}
        have = len(person.activities)
        new = [each for spec in step["activities"] for each in _activities(spec, have, at, person.id, feeds)]
        changes["activities"] = tuple(sorted((*person.activities, *new), key=lambda a: (a.occurred_at, a.source, a.id)))
    if step["records"] is not None:
        changes["records"] = tuple(_record(spec, number, at, mapping) for number, spec in enumerate(step["records"], 1))
    if step["colleagues"] is not None:
        changes["colleagues"] = Circle((*person.colleagues, *_colleagues(step["colleagues"], person, at)))
    if step["account_stage"] is not None:
        changes["account_stage"] = step["account_stage"]
    return replace(person, **changes)


def _fields(step: JsonMap, object_name: str, mapping: CompiledMapping, reading: Reading) -> JsonObject:
    fields: JsonObject = {}
    for name, value in (step["person"] or {}).items():
        api_name = reading.attributes.get(name, {}).get(object_name, name)
        fields[api_name] = None if value == "missing" else value
    for track in mapping.model.tracks:
        value = step[track.name]
        field = track.fields.get(object_name)
        if value is not None and field is not None:
            named = next((each for each in track.steps if each.name == value), None)
            if named is None and field in fields:
                continue  # a stage of another ladder
            fields[field] = None if value == "none" else named.value(object_name) if named else value
    return fields


def _converted(person: Person, object_name: str, mapping: CompiledMapping) -> Person:
    """A new record with the old one's history, and without its stage and status."""
    other = {"Contact": "003000000000002AAA", "Lead": "00Q000000000002AAA"}[object_name]
    written = {field for fields in mapping.writes.values() for field in fields.values()}
    fields = {key: value for key, value in person.fields.items() if key not in written}
    return replace(
        person, id=other, object=object_name, fields={**fields, "Id": other}, aliases=(*person.aliases, person.id)
    )


def _deal(
    spec: JsonMap, number: int, at: datetime, person: Person, deals: Mapping[str, OpportunityRole]
) -> tuple[str, OpportunityRole]:
    """``deals``: as they were in the step before. What is as it was keeps its dates."""
    stage, is_closed, is_won = _DEALS[spec["state"] or "open"]
    key = spec["id"] or str(number + 1)
    before = deals.get(f"006{key}") if spec["ago"] is None else None
    then = at - (spec["ago"] or (timedelta() if person.memory else FIRST_AGO))
    created = _stamp(then) if before is None else before.opportunity["CreatedDate"]
    ends = then if is_closed else at + timedelta(days=30)
    opportunity = {
        "Id": f"006{key}",
        "Name": f"Deal {key}",
        "StageName": stage,
        "IsClosed": is_closed,
        "IsWon": is_won,
        "CreatedDate": created,
        "CloseDate": ends.date().isoformat(),
        "SystemModstamp": _stamp(at),
        **spec["fields"],
    }
    if before is not None and _same_deal(before.opportunity, opportunity):
        opportunity = {**opportunity, **{name: before.opportunity[name] for name in ("CloseDate", "SystemModstamp")}}
    if spec["via"] != "role":
        return spec["via"], OpportunityRole("", f"006{key}", {"Via": spec["via"]}, opportunity)
    role = {"Id": f"00K{key}", "Role": spec["role"], "IsPrimary": spec["primary"], "CreatedDate": created}
    return "role", OpportunityRole(f"00K{key}", f"006{key}", role, opportunity)


def _record(spec: JsonMap, number: int, at: datetime, mapping: CompiledMapping) -> LinkedRecord:
    key, then = f"a00{number:012d}AAA", _stamp(at - spec["ago"])
    dated_by = mapping.model.records[spec["of"]].dated_by
    return LinkedRecord(spec["of"], key, {"Id": key, "CreatedDate": then, dated_by: then, **spec["fields"]})


def _same_deal(before: Row, now: Row) -> bool:
    return all(before.get(name) == value for name, value in now.items() if name not in {"CloseDate", "SystemModstamp"})


def _activities(spec: JsonMap, have: int, at: datetime, person_id: str, feeds: Mapping[str, str]) -> Iterable[Activity]:
    """``feeds``: sender -> the source through which it comes."""
    kind, source, attributes = spec["kind"], spec["source"], spec["attributes"]
    if source in feeds:
        attributes = {**attributes, FEEDS[feeds[source]]: source}
    usual = "outbound" if kind in OUTBOUND else "inbound"
    first = at + spec["ahead"] if spec["ahead"] else at - spec["ago"]
    for number in range(spec["count"]):
        yield Activity(
            source=feeds.get(source, source),
            id=f"{kind}-{have}-{first:%Y%m%d%H%M}-{number}",
            kind=kind,
            direction=Direction(spec["direction"] or usual),
            occurred_at=first - timedelta(minutes=number),
            name=spec["name"],
            attributes=attributes,
            crm_id=person_id if spec["by"] == CRM_ID else None,
            prospect_id="1" if spec["by"] == BY_PROSPECT else None,
            email="ann@example.com" if spec["by"] == EMAIL else None,
        )


def _colleagues(specs: Iterable[JsonMap], person: Person, at: datetime) -> Iterable[Person]:
    for number, spec in enumerate(specs, len(person.colleagues) + 1):
        key = f"003{number:09d}CCCAAA"
        yield Person(key, "Contact", {"Id": key}, activities=tuple(_activities(spec, number, at, key, {})))


def _written(person: Person, decision: Decision, mapping: CompiledMapping) -> Person:
    change = plan(person, decision, mapping)
    fields = {**person.fields, **(change.values() if change else {})}
    return replace(person, fields=fields, memory={track.track: track.memory for track in decision.tracks})


def _wrong(expect: JsonMap, person: Person, decision: Decision, mapping: CompiledMapping) -> Iterable[str]:
    tracks = {track.track: track for track in decision.tracks}
    written = _written(person, decision, mapping).fields
    for name in ("stage", "status", "owner", "score", "fit"):
        wanted = expect.get(name)
        if wanted is None:
            continue
        track = tracks.get(name)
        found = track.value if track else None
        at = track.memory.get("at") if track and found else None  # tells steps apart that share a value
        shown = at or _name_of(name, found, person.object, mapping)
        if str(wanted) not in {shown or "none", found or "none"}:
            reason = f" ({track.reason})" if track else ""
            yield f"{name} is {shown or 'none'}, not {wanted}{reason}"
    if expect.get("held") is not None and (tracks["stage"].verdict == "held") != expect["held"]:
        yield f"the stage {tracks['stage'].verdict} ({tracks['stage'].reason})"
    if expect.get("rule") is not None and tracks["stage"].rule != expect["rule"]:
        yield f"the rule is {tracks['stage'].rule or 'none'}, not {expect['rule']}"
    if expect.get("tags") is not None:
        yield from _wrong_tags(expect["tags"], tracks, mapping)
    for field, wanted in (expect.get("fields") or {}).items():
        if (written.get(field) or None) != (None if wanted == "missing" else wanted):
            yield f"{field} is {written.get(field)}, not {wanted}"


def _wrong_tags(wanted: tuple[Any, ...], tracks: JsonMap, mapping: CompiledMapping) -> Iterable[str]:
    value = tracks["tags"].value if "tags" in tracks else None
    ours = {tag.name for tag in mapping.model.tags}
    parts = {part.strip() for part in (value or "").split(mapping.model.tag_separator)} - {""}
    expected = {str(each) for each in wanted} - {"none"}
    if not expected <= parts or (parts & ours) - expected:
        yield f"tags are {', '.join(sorted(parts)) or 'none'}, not {', '.join(sorted(expected)) or 'none'}"


def _name_of(track: str, value: str | None, object_name: str, mapping: CompiledMapping) -> str | None:
    steps = (step for each in mapping.model.tracks if each.name == track for step in each.steps)
    return next((step.name for step in steps if step.value(object_name) == value), value)


def _stamp(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%S.000+0000")
