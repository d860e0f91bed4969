"""``connector check``: whether each value that the mapping writes may stand in its field, for records of each type;
and, with ``--dry-row``, whether the org would take it on a record that is there.

A dry row goes in a request of two parts that is done whole or not at all, whose second part no org can do. So
Salesforce runs validation rules, triggers and flows on the first, says what is wrong with it, and takes everything
back. What triggers do outside the database at once (platform events that are published immediately) is not taken back,
which is why no org is asked unless somebody says so. The record is read before and after.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

from connector.base.clock import Clock
from connector.base.errors import Refused
from connector.base.facts import Change, RecordChange
from connector.base.json import JsonMap
from connector.base.ports import Read
from connector.base.soql import literal, select
from connector.lifecycle.needs import Holds, NeededField, needed_fields
from connector.mapping import CompiledMapping, Mistake
from connector.reports.advice import advice
from connector.salesforce import SalesforceClient
from connector.salesforce.access import Describes
from connector.salesforce.persons import IS_PERSON


def record_types(described: JsonMap | None) -> dict[str, str]:
    """Id -> name of the types that an object's records may have; none where there are no kinds of them."""
    infos = (described or {}).get("recordTypeInfos") or ()
    return {str(each["recordTypeId"]): str(each["name"]) for each in infos if each["active"] and not each["master"]}


def lacking_by_record_type(
    mapping: CompiledMapping, salesforce: SalesforceClient, described: Describes
) -> Iterator[Mistake | str]:
    """Values that a picklist has, and not for every record type: mistakes where it takes no others, else warnings."""
    file = next(iter(mapping.texts), mapping.name)
    needs = [each for each in needed_fields(mapping) if each.holds in {Holds.ONE_OF, Holds.SOME_OF}]
    for name in sorted({each.object_name for each in needs}):
        fields = {each["name"]: each for each in (described.get(name) or {}).get("fields", ())}
        for kind, called in record_types(described.get(name)).items():
            try:
                values = salesforce.picklists(name, kind)  # how it then refuses a row of that type is UNCONFIRMED
            except Refused as error:
                yield f"the picklist values of {name} for the record type {called} could not be read: {error.what}"
                break
            for need in (each for each in needs if each.object_name == name and each.name in values):
                if missing := [each for each in need.values if each not in values[need.name]]:
                    what = f"{name}.{need.name} has not for the record type {called}: {', '.join(missing)}"
                    hint = f"select them in the record type's values of {need.name}"
                    is_strict = fields.get(need.name, {}).get("restrictedPicklist")
                    yield Mistake(file, 0, what, hint) if is_strict else f"{what}; {hint}, for those who edit records"


def try_dry_rows(
    mapping: CompiledMapping,
    salesforce: SalesforceClient,
    described: Describes,
    owners: Mapping[str, str],
    clock: Clock,
) -> tuple[list[str], list[str], list[str]]:
    """(notes, warnings, what was kept although it should not): each value is tried by itself, with one call each, on
    the newest record of each object and record type. ``owners``: name in the mapping -> id."""
    notes: list[str] = []
    warnings: list[str] = []
    kept: list[str] = []
    needs = needed_fields(mapping)
    for name in sorted({each.object_name for each in needs}):
        theirs = [each for each in needs if each.object_name == name]
        for kind, called in (record_types(described.get(name)) or {"": ""}).items():
            what = f"{name} of the record type {called}" if called else name
            before = _newest(salesforce, name, theirs, kind, described.get(name))
            if before is None:
                notes.append(f"dry row: there is no {what} to try values on")
                continue
            tried = [each for need in theirs for each in _tries(need, before, owners, clock.now())]
            refused = [(each, *said) for each in tried if (said := salesforce.rehearse(each)) is not None]
            warnings += [_told(each, code, text) for each, code, text in refused]
            kept += _kept(salesforce, name, theirs, before)
            notes.append(f"dry row: {len(tried)} values tried on the {what} {before['Id']}, {len(refused)} refused")
    return notes, warnings, kept


def _newest(
    salesforce: SalesforceClient, name: str, needs: Sequence[NeededField], kind: str, described: JsonMap | None
) -> JsonMap | None:
    """The record that somebody changed last, of those that are written by themselves."""
    fields = {each["name"] for each in (described or {}).get("fields", ())}
    where = ["IsConverted = false"] if name == "Lead" else []
    where += [f"{IS_PERSON} = false"] if IS_PERSON in fields else []
    where += [f"RecordTypeId = {literal(kind)}"] if kind else []
    wanted = ["Id", *sorted({each.name for each in needs})]
    those = " AND ".join(where) or "Id != null"
    return next(iter(_rows(salesforce, name, wanted, f"{those} ORDER BY SystemModstamp DESC LIMIT 1")), None)


def _rows(salesforce: SalesforceClient, name: str, fields: Sequence[str], where: str) -> Sequence[JsonMap]:
    return salesforce.read([Read(name, select(name, list(fields), where))]).pages[name].rows


def _tries(need: NeededField, row: JsonMap, owners: Mapping[str, str], now: datetime) -> Iterator[RecordChange]:
    values: Mapping[Holds, Sequence[object]] = {
        Holds.ONE_OF: need.values,
        Holds.SOME_OF: need.values,
        Holds.TEXT: ["x" * need.length],
        Holds.NUMBER: [1],
        Holds.DATE: [f"{now:%Y-%m-%d}"],
        Holds.TIME: [f"{now:%Y-%m-%dT%H:%M:%SZ}"],
        Holds.REFERENCE: sorted(set(owners.values())),
    }
    for value in values[need.holds]:
        change = Change(need.track, need.name, row.get(need.name), value)
        yield RecordChange("", need.object_name, str(row["Id"]), (change,))


def _told(tried: RecordChange, code: str, text: str) -> str:
    [change] = tried.changes
    return (
        f"dry row: {tried.object} {tried.id} does not take {change.new} in {change.field} ({change.track}): {text};"
        f" {advice(code)}"
    )


def _kept(salesforce: SalesforceClient, name: str, needs: Sequence[NeededField], before: JsonMap) -> Iterator[str]:
    """What is otherwise now; nothing should be."""
    fields = sorted({each.name for each in needs})
    after = next(iter(_rows(salesforce, name, ["Id", *fields], f"Id = {literal(str(before['Id']))}")), {})
    for field in fields:
        if after.get(field) != before.get(field):
            was, is_now = before.get(field), after.get(field)
            yield f"{name} {before['Id']}: {field} was {was} before the dry row, and is {is_now} now"
