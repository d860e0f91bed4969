"""Loads a folder of ``<Object>.csv`` files into a practice org: exports of a real org, or tables made by hand.

Headers are Salesforce field names. Custom objects and columns (``__c``) that the org does not know are made, their
types inferred from the values. Ids that are valid Salesforce ids of their object stay; any other text in an Id column
becomes a new id, and every reference to it follows, whatever the order of the files. CreatedDate, SystemModstamp and
derived fields (IsWon, IsClosed) stay as given. Address columns and standard columns the org does not have are left
out and named in the report.

A header ``Key__c:externalId`` makes the column an external id; ``Account.Key__c`` (or ``Parent__r.Key__c``) names a
parent by its external id, of a row in the folder or a record of the org. Users and groups are also found by
``Owner.Username``, ``Owner.Email``, ``Owner.Name``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from practice_org.company import lookups
from practice_org.company.tables import Table, infer, read_folder
from practice_org.errors import PracticeError
from practice_org.salesforce import ids, values
from practice_org.salesforce.org import PracticeOrg
from practice_org.salesforce.problems import Problem
from practice_org.salesforce.schema import FieldSpec, ObjectSpec

Key = tuple[str, str]  # (object, id in the file)
PORTION = 10_000  # rows written at once


@dataclass
class LoadReport:
    """``loaded`` rows by object; ``made`` custom fields by object; ``ignored`` columns by object (a whole file: "*");
    ``ids`` says which (object, id in the file) became which id."""

    loaded: dict[str, int] = field(default_factory=dict)
    made: dict[str, list[str]] = field(default_factory=dict)
    ignored: dict[str, list[str]] = field(default_factory=dict)
    ids: dict[Key, str] = field(default_factory=dict)


def load_folder(org: PracticeOrg, folder: Path, tell: Callable[[str], None] = lambda _: None) -> LoadReport:
    """Loads all files or none; ``tell`` hears how far a long one is. Raises PracticeError with file, line, what is
    wrong and what to try."""
    report = LoadReport()
    found = [table for table in read_folder(folder) if _is_known(org, table, report)]
    tables = [_canonical(_object(org, table), table) for table in found]
    specs = {table.name: org.schema.get(table.name) for table in tables}
    for table in tables:
        _map_ids(org, specs[table.name], table, report.ids)
    for table in tables:
        _make_fields(org, specs[table.name], table, report)
    tables = lookups.resolved(org, tables, report.ids)
    now = org.clock.now()
    with org.db.transaction():
        for table in tables:
            rows = _rows(specs[table.name], table, report)
            try:
                for start in range(0, len(rows), PORTION):
                    org.create(table.name, rows[start : start + PORTION], at=now)
                    if len(rows) > PORTION:
                        tell(f"{table.name}: {min(start + PORTION, len(rows)):,} of {len(rows):,}")
            except Problem as problem:
                there = problem.code == "DUPLICATE_VALUE"
                hint = "load it into a new org: this one has the record already" if there else "correct the file"
                raise PracticeError(f"{table.path}: {problem.what}", hint) from None
            report.loaded[table.name] = len(rows)
    return report


def _is_known(org: PracticeOrg, table: Table, report: LoadReport) -> bool:
    """Whether the file's object exists or can be made. A file of another standard object is left out; one whose name
    looks misspelt is an error."""
    if table.name.endswith("__c") or org.schema.find(table.name):
        return True
    names = [spec.name for spec in org.schema.objects.values()]
    if near := get_close_matches(table.name, names, n=1, cutoff=0.8):
        raise PracticeError(
            f"{table.path}: there is no object {table.name}", f"name the file {near[0]}.csv if that is what it holds"
        )
    report.ignored[table.name] = ["*"]
    return False


def _object(org: PracticeOrg, table: Table) -> ObjectSpec:
    """The file's object, made when it is a custom one; valid ids in the file decide its key prefix."""
    spec = org.schema.find(table.name)
    if spec is not None:
        return spec
    header = next((column for column in table.columns if column.lower() == "id"), None)
    prefixes = {value[:3] if ids.is_id(value) else "" for value in table.values(header)} if header else set()
    free = {prefix for prefix in prefixes if org.schema.of_id(prefix) is None}
    return org.define(table.name, prefix=free.pop() if len(prefixes) == len(free) == 1 else "")


def _canonical(spec: ObjectSpec, table: Table) -> Table:
    """Names as Salesforce spells them: Data Loader writes headers in capitals."""
    names = {}
    for column in table.columns:
        known = spec.find(column)
        custom = f"{column[:-3]}__c" if column.lower().endswith("__c") else column
        names[column] = known.name if known else custom
    if len(set(names.values())) < len(names):
        raise PracticeError(f"{table.path}:1: two columns differ only in case", "rename or remove one")
    rows = [{names[column]: value for column, value in row.items()} for row in table.rows]
    return replace(table, name=spec.name, columns=tuple(names.values()), rows=rows)


def _map_ids(org: PracticeOrg, spec: ObjectSpec, table: Table, mapped: dict[Key, str]) -> None:
    if "Id" not in table.columns:
        return
    for place, row in enumerate(table.rows):
        raw = row["Id"]
        if not raw:
            continue
        if (table.name, raw) in mapped:
            raise table.wrong(place, f"the id {raw} comes twice", "keep one row for each record")
        valid = ids.is_id(raw) and raw.startswith(spec.prefix)
        mapped[table.name, raw] = ids.full(raw) if valid else org.new_id(spec.name)


def _make_fields(org: PracticeOrg, spec: ObjectSpec, table: Table, report: LoadReport) -> None:
    """Custom columns that the object does not have, and the report of what is left out."""
    made = []
    for column in table.columns:
        known = spec.find(column)
        if "." in column:
            continue
        if column in table.external and (known is None or not known.external_id):
            made.append(_external(known or FieldSpec(column)))
        elif known is None and column.endswith("__c"):
            made.append(_custom_field(org, column, table, report.ids))
        elif known is None or known.type == "address":
            report.ignored.setdefault(table.name, []).append(column)
    if made:
        org.define(table.name, made)
        report.made[table.name] = [spec.name for spec in made]


def _external(known: FieldSpec) -> FieldSpec:
    return replace(known, external_id=True, indexed=True)


def _custom_field(org: PracticeOrg, column: str, table: Table, mapped: Mapping[Key, str]) -> FieldSpec:
    told = set(table.values(column))
    if told and org.schema.find(column) and all((column, value) in mapped for value in told):
        return FieldSpec(column, "reference", reference_to=(column,))
    targets = {org.schema.of_id(value) if ids.is_id(value) and len(value) == 18 else None for value in told}
    target = targets.pop() if len(targets) == 1 else None
    if target is not None:
        return FieldSpec(column, "reference", reference_to=(target.name,))
    kind = infer(told)
    return FieldSpec(column, kind, scale=_scale(told) if kind == "double" else 0)


def _scale(numbers: set[str]) -> int:
    return max((len(text.partition(".")[2]) for text in numbers), default=0)


def _rows(spec: ObjectSpec, table: Table, report: LoadReport) -> list[dict[str, Any]]:
    left_out = set(report.ignored.get(table.name, ()))
    columns = [(column, spec.fields[column.lower()]) for column in table.columns if column not in left_out]
    plain = {found.name for _, found in columns if found.type in _TEXT}
    return [
        {
            found.name: text if found.name in plain else _value(found, text, place, table, report.ids)
            for column, found in columns
            if (text := row[column])
        }
        for place, row in enumerate(table.rows)
    ]


_TEXT = ("string", "textarea", "email", "phone", "url", "picklist", "multipicklist", "combobox")


def _value(found: FieldSpec, text: str, place: int, table: Table, mapped: Mapping[Key, str]) -> values.Stored:
    if found.type == "id":
        return mapped[table.name, text]
    if found.type == "reference":
        return _reference(found, text, place, table, mapped)
    try:
        return values.store(found, text)
    except Problem:
        raise table.wrong(
            place, f"{found.name} is a {found.type}, and {text!r} is none", _HINTS.get(found.type, "correct it")
        ) from None


_HINTS = {
    "boolean": "write true, false, 1 or 0",
    "date": "write it like 2026-01-31",
    "datetime": "write it like 2026-01-31T23:01:01Z",
}


def _reference(found: FieldSpec, text: str, place: int, table: Table, mapped: Mapping[Key, str]) -> str:
    """The id a reference means: a row of the folder, or a valid id of a record elsewhere (an owner, say)."""
    targets = {mapped[name, text] for name in found.reference_to if (name, text) in mapped}
    if len(targets) == 1:
        return targets.pop()
    if targets:
        names = " and ".join(f"{name}.csv" for name in found.reference_to if (name, text) in mapped)
        raise table.wrong(
            place, f"{found.name} {text} is in {names}", "give the records of the two files different ids"
        )
    if ids.is_id(text):
        return ids.full(text)
    names = " or ".join(f"{name}.csv" for name in found.reference_to)
    raise table.wrong(place, f"{found.name} {text} is no row of {names}", "add the row, or leave the cell empty")
