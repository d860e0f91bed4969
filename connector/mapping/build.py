"""From the read sections to the model: what only makes sense once all of them are known."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from connector.base.facts import PEOPLE
from connector.base.json import JsonMap, JsonObject
from connector.lifecycle.conditions import Condition
from connector.lifecycle.measures import AccountStageIs, HandedOff, ResponseTime
from connector.lifecycle.model import Manual, Move, Rule, Segment, Step, Track
from connector.lifecycle.program import Model
from connector.lifecycle.score import Score, Threshold
from connector.lifecycle.tags import Tag
from connector.lifecycle.values import ONE_DAY, fold
from connector.lifecycle.whereabouts import StandsAt, StandsFor
from connector.lifecycle.written import Written
from connector.mapping.mistakes import Place
from connector.mapping.noise import make_noise
from connector.mapping.sections import FIELDS_SECTION
from connector.mapping.shape import Reading
from connector.mapping.sources import score_source

FOLLOWS_FROM_LADDERS = (StandsAt, StandsFor, HandedOff, ResponseTime)
NO_GATE: JsonObject = {"direction": None, "manual": Manual(), "stages": None, "outside": "leave"}


def build(values: JsonMap, reading: Reading) -> Model:
    """The model; what does not fit together is noted."""
    fields = values["fields"] or {key: spec.default for key, spec in FIELDS_SECTION.keys.items()}
    gate = values["gate"] or {"stage": None, "status": None, "lock": None}
    stage = _track("stage", values["stages"], values, fields, gate["stage"] or NO_GATE, reading)
    status = None
    if values["statuses"]:
        status = _track("status", values["statuses"], values, fields, gate["status"] or NO_GATE, reading)
    model = Model(
        stage=stage,
        status=status,
        lock=gate["lock"],
        scores=tuple(_scores(values, fields, reading)),
        thresholds=tuple(_thresholds(values["thresholds"], reading)),
        handoffs=tuple(values["handoff"]),
        tags=tuple(_tags(values["tags"], fields, reading)),
        tag_fields=fields["tags"],
        tag_separator=fields["tag_separator"],
        deals=values["opportunities"],
        dates=values["dates"],
        highest=fields["highest_stage"],
        account_field=fields["account_stage"],
        account_people=_account_people(values["accounts"], reading),
        leads_by_domain=(values["accounts"] or {}).get("leads_by_domain", False),
        identity=values["identity"],
        sources=values["sources"],
        types=(values["activities"] or {}).get("types", {}),
        own_kinds=tuple((values["activities"] or {}).get("kinds", ())),
        noise=make_noise(values["activities"]),
        segments=tuple(_segments(values, fields, gate, reading)),
        refresh=values["refresh"],
        records=values["records"],
        away=tuple((values["owners"] or {}).get("away") or ()),
    )
    _check_migrate(values["migrate"], model, reading)
    return replace(model, written=tuple(_written(values["write"], model, reading)))


def _segments(values: JsonMap, fields: JsonMap, gate: JsonMap, reading: Reading) -> Iterator[Segment]:
    seen: set[str] = set()
    for each in values["segments"]:
        place, name = each["place"], each["name"]
        if name.casefold() in seen:
            reading.bad(place, f"two segments are called {name}", "rename one")
        seen.add(name.casefold())
        if any(isinstance(one, FOLLOWS_FROM_LADDERS) for one in each["for"].walk()):
            what = f"the segment {name} asks where its people stand, which follows from it"
            reading.bad(place, what, "ask for something else")
        said = {**values, "moves": each["moves"]}
        tracks = [
            _track(name, each[section], said, fields, gate[name] or NO_GATE, reading) if each[section] else None
            for name, section in (("stage", "stages"), ("status", "statuses"))
        ]
        if tracks == [None, None]:
            reading.bad(place, f"the segment {name} has no ladder", "add stages:, or statuses:")
        yield Segment(name, each["for"], tracks[0], tracks[1], place.line)


def _check_migrate(said: JsonMap | None, model: Model, reading: Reading) -> None:
    """What is a value of every ladder already is never taken over."""
    for name in ("stage", "status") if said else ():
        tracks = [track for track in model.tracks if track.name == name]
        known = [{fold(step.value(each)) for step in track.steps for each in PEOPLE} for track in tracks]
        for old in (said or {})[name] or {}:
            if known and all(fold(old) in values for values in known):
                reading.bad(
                    (said or {})["place"], f"migrate: {old} is a {name} of the mapping, and stays one", "drop the entry"
                )


def _account_people(said: JsonMap | None, reading: Reading) -> Condition | None:
    who: Condition | None = (said or {}).get("counts")
    if who is not None and any(isinstance(each, AccountStageIs) for each in who.walk()):
        place = next(iter(reading.names["stage"].values()))
        reading.bad(place, "accounts: counts asks for account_stage, which follows from it", "ask for something else")
    return who


def _written(entries: Iterable[Written], model: Model, reading: Reading) -> Iterator[Written]:
    tracks = {pair: track for track, fields in model.writes().items() for pair in fields.items()}
    seen: dict[tuple[str, str], int] = {}
    for each in entries:
        place = Place(next(iter(reading.names["stage"].values())).file, each.line)
        for pair in each.fields.items():
            if pair in seen:
                reading.bad(place, f"{pair[1]} is written twice (the first in line {seen[pair]})", "keep one of them")
            seen.setdefault(pair, each.line)
            if pair in tracks:
                reading.bad(place, f"{pair[1]} is where the {tracks[pair]} is written", "name another field")
        if each.what == "band" and each.of not in reading.names["number"]:
            reading.bad(place, f"there is no {each.of} in this mapping", f"add a section {each.of}:")
        yield each


def _scores(values: JsonMap, fields: JsonMap, reading: Reading) -> Iterable[Score]:
    taken = {"score": score_source(values["score"], values["sources"], reading)}
    for name in ("score", "fit"):
        said = values[name]
        if said is None:
            continue
        source = taken.get(name, said["from"])
        if name == "fit" and source is not None and source.is_sources:
            reading.bad(said["place"], "sources say their score, not the fit", "write from: {prospect: ...}")
        points = said["points"] or ()
        decay = said.get("decay")
        a_day = decay["points"] / (decay["every"] / ONE_DAY) if decay else 0
        yield Score(name, source, points, said.get("half_life"), a_day, said["min"], said["max"], fields[name])


def _thresholds(values: JsonMap, reading: Reading) -> Iterable[Threshold]:
    for name, said in values.items():
        if said["of"] not in reading.names["number"]:
            of = said["of"]
            reading.bad(said["place"], f"the threshold {name} is of a {of} that is not there", f"add a section {of}:")
        yield Threshold(name, said["of"], said["at"], said["again_below"], said["place"].line)


def _tags(tags: Iterable[Tag], fields: JsonMap, reading: Reading) -> Iterable[Tag]:
    seen: set[str] = set()
    for tag in tags:
        place = Place(next(iter(reading.names["stage"].values())).file, tag.line)
        if tag.name.casefold() in seen:
            reading.bad(place, f"two tags are called {tag.name}", "rename one")
        if fields["tag_separator"] in tag.name:
            reading.bad(place, f"the tag {tag.name} has the separator in it", "choose another tag_separator")
        if not seen and not fields["tags"]:
            reading.bad(place, "there are tags, but no field to write them to", "add fields: {tags: Tags__c}")
        seen.add(tag.name.casefold())
        yield tag


def _track(
    name: str,
    steps: Iterable[JsonMap],
    values: JsonMap,
    fields: JsonMap,
    gate: JsonMap,
    reading: Reading,
) -> Track:
    more: dict[str, list[Rule]] = {}
    for rule in values["rules"]:
        target = rule["then"][name]
        if target is not None:
            place = rule["place"]
            more.setdefault(target, []).append(Rule(rule["name"] or target, rule["when"], place.file, place.line))
        elif rule["then"]["stage"] is None and rule["then"]["status"] is None and name == "stage":
            reading.bad(rule["place"], "the rule leads nowhere", "say then: {stage: ...} or {status: ...}")
    direction = gate["direction"] or ("forward" if name == "stage" else "both")
    built = tuple(_step(name, step, more.get(step["name"], []), reading) for step in steps)
    _check_values(name, built, fields[name], reading)
    return Track(
        name=name,
        steps=built,
        fields=fields[name],
        forward=direction == "forward",
        manual=gate["manual"],
        moves=tuple(_moves(name, values["moves"], reading)),
        stages=gate.get("stages"),
        outside=gate.get("outside", "leave"),
        migrate=(values["migrate"] or {}).get(name) or {},
    )


def _step(kind: str, step: JsonMap, more: list[Rule], reading: Reading) -> Step:
    place, name = step["place"], step["name"]
    rules = [Rule(name, step["when"], place.file, place.line)] if step["when"] else []
    rules += more
    if step["set_by"] == "people" and rules:
        where = rules[0].line
        reading.bad(
            place, f"{name} is set by people, but the rule in line {where} leads there", "drop set_by, or the rule"
        )
    return Step(
        name=name,
        rules=tuple(rules),
        values=step["value"] or {},
        set_by=step["set_by"],
        reports=step.get("reports", "shown"),
        funnel=step.get("funnel", True),
        terminal=step["terminal"] or step["forever"],
        forever=step["forever"],
        description=step["description"],
    )


def _check_values(kind: str, steps: Iterable[Step], fields: Mapping[str, str], reading: Reading) -> None:
    """Two stages with one value could not be read back; statuses with one value are told apart by memory."""
    if kind != "stage":
        return
    for object_name in fields:
        seen: dict[str, str] = {}
        for step in steps:
            value = step.value(object_name).casefold()
            if value in seen and seen[value] != step.name:
                place = reading.names["stage"][step.name]
                reading.bad(
                    place, f"{seen[value]} and {step.name} have the same value on {object_name}", "give each its own"
                )
            seen.setdefault(value, step.name)


def _moves(track: str, moves: Iterable[JsonMap], reading: Reading) -> Iterable[Move]:
    known, other = reading.names[track], reading.names["status" if track == "stage" else "stage"]
    used: set[str] = set()
    for move in moves:
        names = [*(move["from"] or ()), move["to"]]
        if any(name not in known for name in names):
            if track == "stage" and any(name not in other for name in names):
                reading.bad(
                    move["place"], "the move leads from stages to statuses", "give it stages only, or statuses only"
                )
            continue
        name = move["name"] or f"{' or '.join(move['from'] or ('anywhere',))} to {move['to']}"
        while name in used:
            name += " (again)"
        used.add(name)
        if move["to"] in (move["from"] or ()):
            reading.bad(move["place"], f"the move leads from {move['to']} to itself", "name another stage")
        yield Move(
            name=name,
            origins=tuple(move["from"] or ()),
            to=move["to"],
            when=move["when"],
            after=move["after"],
            cool_off=move["cool_off"],
            status=move["status"],
            restart=move["restart"],
            file=move["place"].file,
            line=move["place"].line,
        )
