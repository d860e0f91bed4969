"""Whether an org has what a mapping needs: objects, fields to read, fields to write, picklist values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from connector.base.facts import PEOPLE
from connector.base.json import JsonMap
from connector.lifecycle.amounts import currencies_in
from connector.lifecycle.mapping import CompiledMapping
from connector.lifecycle.tags import joiner
from connector.lifecycle.written import CLEARED, COUNT_KINDS, Written
from connector.mapping.mistakes import Mistake, did_you_mean
from connector.mapping.records import REFRESHED
from connector.mapping.types import HINTS, OF_DESCRIBE, clashes

PICKLISTS = ("picklist", "multipicklist")
_TEXTS = ("string", "textarea", "picklist", "combobox")
_NUMBERS = ("double", "int", "currency", "percent")
_PLAIN = ("double", "int", "percent", "long")
Describe = JsonMap


def check_org(mapping: CompiledMapping, describes: Mapping[str, Describe | None]) -> list[Mistake]:
    """Everything the org lacks. ``describes``: object -> its describe answer, None for one that the user cannot see."""
    file = next(iter(mapping.texts), mapping.name)
    fields = {
        name: {each["name"]: each for each in describe["fields"]} if describe else None
        for name, describe in describes.items()
    }
    found = [
        *_reads(mapping, fields),
        *_linked(mapping, fields),
        *_compared(mapping, fields),
        *_writes(mapping, fields),
        *_values(mapping, fields),
    ]
    return sorted({Mistake(file, 0, what, hint) for what, hint in found})


def unseen_changes(mapping: CompiledMapping, describes: Mapping[str, Describe | None]) -> Iterator[str]:
    """Fields that change without their record, which is therefore not read again: formulas, and fields of parents."""
    for name, wanted in mapping.reads.items():
        if name in mapping.model.refresh or name not in (*REFRESHED, *mapping.model.records):
            continue
        fields = (describes.get(name) or {}).get("fields", ())
        formulas = {each["name"] for each in fields if each.get("calculated")}
        if found := sorted(
            each for each in wanted if each in formulas or ("." in each and not each.startswith("RecordType."))
        ):
            yield (
                f"{name}: {', '.join(found)} can change without the {name}, and is then seen the next time that is"
                f" edited; to read all of it again now and then write refresh: {{{name}: 6h}}"
            )


def long_tags(mapping: CompiledMapping, describes: Mapping[str, Describe | None]) -> Iterator[str]:
    """Texts that hold each tag, and not all of them together."""
    model = mapping.model
    longest = len(joiner(model.tag_separator).join(tag.name for tag in model.tags))
    for name, field in model.tag_fields.items():
        fields = {each["name"]: each for each in (describes.get(name) or {}).get("fields", ())}
        described = fields.get(field, {})
        length = described.get("length") or 0
        if described.get("type") in _TEXTS and length < longest:
            yield (
                f"{name}.{field} (tags) holds {length} characters, and all tags together have {longest}: whoever gets"
                " too many is refused them, and gets the rest; make the field longer, or a multi-select picklist"
            )


Fields = Mapping[str, dict[str, Describe] | None]
_Found = Iterator[tuple[str, str]]


def _reads(mapping: CompiledMapping, fields: Fields) -> _Found:
    for name, wanted in mapping.reads.items():
        if name not in fields:
            continue
        known = fields[name]
        if known is None:
            yield (
                f"the org has no object {name}, or the integration user cannot see it",
                f"give the integration user's permission set Read on {name}",
            )
            continue
        for field in sorted(wanted - known.keys()):
            if "." in field:
                yield from _parent(name, field, known)
                continue
            hint = did_you_mean(field, known, "") if field not in _written(mapping, name) else ""
            yield (
                f"{name} has no field {field}, or the integration user cannot see it",
                hint or f"create the field, or give the integration user's permission set access to {name}.{field}",
            )


def _parent(name: str, path: str, known: Mapping[str, Describe]) -> _Found:
    """A field of a parent. Whether the parent has it, Salesforce says when it is read."""
    relation = path.partition(".")[0]
    parents = {str(each.get("relationshipName")): "" for each in known.values() if each.get("relationshipName")}
    if relation not in parents:
        hint = did_you_mean(relation, parents, "name the relationship, like Owner, Account or Parent__r")
        yield f"{name} refers to no {relation}, or the integration user cannot see it", hint


_LEADS_TO = {"person": set(PEOPLE), "account": {"Account"}}


def _linked(mapping: CompiledMapping, fields: Fields) -> _Found:
    """Lookups that lead to nobody."""
    for name, link in mapping.model.records.items():
        for way, targets in _LEADS_TO.items():
            field = getattr(link, way)
            described = (fields.get(name) or {}).get(field)
            if described is not None and not targets & set(described.get("referenceTo") or ()):
                where = f"records: {name}: {way}: {field} is no lookup to {' or '.join(sorted(targets))}"
                yield where, "name the lookup, or email: for a field with an address"


def _compared(mapping: CompiledMapping, fields: Fields) -> _Found:
    """Comparisons that make no sense of what the org has in the field."""
    for condition in mapping.model.walk():
        for name, field, compare in condition.compares():
            kind = OF_DESCRIBE.get(str((fields.get(name) or {}).get(field, {}).get("type")), "")
            if kind:
                yield from ((f"{name}.{field}: {clash}", HINTS[kind]) for clash in clashes(compare, kind))
            described = (fields.get(name) or {}).get(field)
            if described is not None and described.get("type") in _PLAIN and (codes := currencies_in(compare)):
                yield f"{name}.{field} is no currency field, so nothing is in {codes[0]}", f"leave {codes[0]} out"


def _written(mapping: CompiledMapping, name: str) -> set[str]:
    return {fields[name] for fields in mapping.writes.values() if name in fields}


def _writes(mapping: CompiledMapping, fields: Fields) -> _Found:
    as_date = mapping.model.dates is None or mapping.model.dates.as_date
    written = {each.track: _types_of(each) for each in mapping.model.written}
    for track, targets in mapping.writes.items():
        for name, field in targets.items():
            described = (fields.get(name) or {}).get(field)
            if described is None:
                continue
            if not described.get("updateable"):
                yield (
                    f"{name}.{field} ({track}) cannot be written by the integration user",
                    f"give the permission set Edit access to {name}.{field}; formulas and system fields never can",
                )
            allowed = written.get(track) or _types(track, as_date)
            if allowed and described.get("type") not in allowed:
                yield (
                    f"{name}.{field} ({track}) is a {described.get('type')} field, not one of {', '.join(allowed)}",
                    "name a field of that type",
                )


def _types_of(each: Written) -> tuple[str, ...]:
    if each.what in COUNT_KINDS:
        return _NUMBERS
    if each.is_date:
        return ("datetime",) if each.with_time else ("date",)
    return () if each.what == CLEARED else _TEXTS


def _types(track: str, as_date: bool) -> tuple[str, ...]:
    """The types a track's field may have; () for any."""
    what = track.split(" ", maxsplit=1)[0]
    if what in {"entered", "exited"}:
        return ("date",) if as_date else ("datetime",)
    return _NUMBERS if what in {"score", "fit", "days"} else ()


def _values(mapping: CompiledMapping, fields: Fields) -> _Found:
    """Values that picklists must have, and texts that must fit."""
    model = mapping.model
    for track in model.tracks:
        for name, field in track.fields.items():
            yield from _values_of(track.name, name, field, [step.value(name) for step in track.steps], fields)
    for name, field in model.highest.items():
        steps = [step for step in mapping.stages if step.funnel]
        yield from _values_of("highest_stage", name, field, [step.value(name) for step in steps], fields)
    for each in model.written:
        for name, field in each.fields.items():
            values = [step.value(name) for step in mapping.stages] if each.what == "previous_stage" else []
            values += [band for band, _ in each.bands]
            yield from _values_of(each.track, name, field, values, fields)
            if _types_of(each) == _TEXTS and not values:
                yield from _text_of(each, name, field, (fields.get(name) or {}).get(field, {}))
    if model.account_field is not None:
        names = [step.name for step in mapping.stages if step.funnel]
        yield from _values_of("account_stage", "Account", model.account_field, names, fields)
    for name, field in model.tag_fields.items():
        yield from _values_of("tags", name, field, [tag.name for tag in model.tags], fields)


def _text_of(each: Written, name: str, field: str, described: Describe) -> _Found:
    """A text that may be any."""
    length = described.get("length") or each.length
    if described.get("restrictedPicklist"):
        yield f"the picklist {name}.{field} ({each.track}) takes its own values only", "name a text field"
    elif length < each.length:
        what = f"{name}.{field} ({each.track}) holds {length} characters, and texts have up to {each.length}"
        yield what, f"say length: {length}, and longer ones are cut, or make the field longer"


def _values_of(track: str, name: str, field: str, wanted: list[str], fields: Fields) -> _Found:
    described = (fields.get(name) or {}).get(field)
    if described is None:
        return
    if described.get("type") in PICKLISTS:
        active = {each["value"]: each["value"] for each in described.get("picklistValues", ()) if each.get("active")}
        for value in dict.fromkeys(wanted):
            if value not in active:
                hint = did_you_mean(value, active, "") if value.casefold() in map(str.casefold, active) else ""
                yield (
                    f"the picklist {name}.{field} has no active value {value}",
                    hint or f"add {value} to the picklist, or say in the {track}'s value: what the org calls it",
                )
    longest = described.get("length") or 0
    for value in wanted:
        if longest and len(value) > longest:
            yield f"{value} is longer than {name}.{field} ({longest} characters)", "shorten it with value:"
