"""Columns that name a parent by one of its own values: ``Account.Key__c``, ``Parent__r.Key__c``, ``Owner.Username``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from practice_org.company.tables import Table
from practice_org.errors import PracticeError
from practice_org.salesforce.org import PracticeOrg
from practice_org.salesforce.schema import FieldSpec, ObjectSpec
from practice_org.salesforce.storage import quoted

_NAMES = ("Username", "Email", "Name", "DeveloperName")  # by which users and groups are found, too
_BY_NAME = ("User", "Group")

Key = tuple[str, str]  # (object, id in the file)
Found = dict[str, str | None]  # value in lower case -> id; None where it is no one record's


def resolved(org: PracticeOrg, tables: Sequence[Table], mapped: Mapping[Key, str]) -> list[Table]:
    """The tables with such columns as references, by id. Raises PracticeError for a value that leads nowhere."""
    by_name = {table.name: table for table in tables}
    return [_resolved(org, table, by_name, mapped) for table in tables]


def _resolved(org: PracticeOrg, table: Table, tables: Mapping[str, Table], mapped: Mapping[Key, str]) -> Table:
    for column in [one for one in table.columns if "." in one]:
        relationship, _, name = column.partition(".")
        reference = _reference(org, table, relationship, name, tables)
        if reference.name in table.columns:
            raise PracticeError(
                f"{table.path}:1: {column} and {reference.name} say the same", "keep one of the two columns"
            )
        known: list[tuple[ObjectSpec, Found]] = []
        for target in filter(None, map(org.schema.find, reference.reference_to)):
            field = target.find(name)
            if field is not None and (field.external_id or (target.name in _BY_NAME and field.name in _NAMES)):
                known.append((target, _values(org, target, field, tables.get(target.name), mapped)))
        if not known:
            raise PracticeError(
                f"{table.path}:1: {name} is no external id of {' or '.join(reference.reference_to)}",
                f"write {name}:externalId in the header of its file",
            )
        table = _replaced(table, column, reference, known)
    return table


def _reference(org: PracticeOrg, table: Table, relationship: str, name: str, tables: Mapping[str, Table]) -> FieldSpec:
    """The field behind a relationship; a custom one is made, to the object of the one file with that external id."""
    spec = org.schema.get(table.name)
    known = spec.by_relationship(relationship)
    if known is not None:
        return known
    targets = [one.name for one in tables.values() if name.lower() in map(str.lower, one.external)]
    if not relationship.endswith("__r") or len(targets) != 1:
        raise PracticeError(
            f"{table.path}:1: {table.name} has no parent {relationship}",
            "write the name of the relationship, like Account or Parent__r, and the external id after the point",
        )
    made = FieldSpec(relationship[:-1] + "c", "reference", reference_to=tuple(targets))
    found = org.define(table.name, [made]).find(made.name)
    return found or made


def _values(
    org: PracticeOrg, target: ObjectSpec, field: FieldSpec, table: Table | None, mapped: Mapping[Key, str]
) -> Found:
    rows = org.db.read(f"SELECT {quoted(field.name)}, Id FROM {quoted(target.name)} WHERE IsDeleted = 0")
    found: Found = {}
    told = [(str(value), one) for value, one in rows if value is not None]
    if table is not None and field.name in table.columns and "Id" in table.columns:
        told += [(row[field.name], mapped[target.name, row["Id"]]) for row in table.rows if row["Id"]]
    for value, one in told:
        if value:
            found[value.lower()] = None if found.get(value.lower(), one) != one else one
    return found


def _replaced(table: Table, column: str, reference: FieldSpec, known: Sequence[tuple[ObjectSpec, Found]]) -> Table:
    rows = []
    for place, row in enumerate(table.rows):
        text = row[column]
        ids = [found[text.lower()] for _, found in known if text.lower() in found] if text else [""]
        if len(ids) != 1 or ids[0] is None:
            names = " or ".join(spec.name for spec, _ in known)
            what = "more than one" if ids else "no"
            told = f"{column} {text} is that of {what} {names}"
            raise table.wrong(place, told, "correct it, or leave the cell empty")
        rows.append({reference.name if key == column else key: ids[0] if key == column else row[key] for key in row})
    columns = tuple(reference.name if one == column else one for one in table.columns)
    return replace(table, columns=columns, rows=rows)
