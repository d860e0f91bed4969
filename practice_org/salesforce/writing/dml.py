"""Create and update: checks, defaults, derived values, one transaction with one stamp.

``trusted`` is the Python handle's way in (a loader, a test, the living company): it may set ids, audit and derived
fields, and no field-level security, validation rule or assignment rule stands in its way. Everything over HTTP is not.
Row by row results are values; with ``all_or_none`` nothing is written unless everything can be.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from practice_org.salesforce import ids, values
from practice_org.salesforce.core import OrgCore
from practice_org.salesforce.problems import Problem, each, no_such_field, rolled_back
from practice_org.salesforce.schema import FieldSpec, ObjectSpec
from practice_org.salesforce.storage import Statement, quoted
from practice_org.salesforce.writing import automation, checks, rehearsed
from practice_org.salesforce.writing.results import Options, Row, RowResult, Written


def add(org: OrgCore, object_name: str, rows: Sequence[Mapping[str, Any]], *, at: datetime | None = None) -> list[str]:
    """New rows, trusted: the ids in order. Raises the first problem of any row, and then nothing is written."""
    results = all_or_raise(create(org, org.schema.get(object_name), rows, _trusted(at)))
    return [result.id or "" for result in results]


def change(org: OrgCore, object_name: str, rows: Sequence[Mapping[str, Any]], *, at: datetime | None = None) -> None:
    """Each row with its Id and the fields to set, trusted."""
    all_or_raise(update(org, org.schema.get(object_name), rows, _trusted(at)))


def _trusted(at: datetime | None) -> Options:
    return Options(trusted=True, auto_assign=False, all_or_none=True, at=at)


def all_or_raise(results: list[RowResult]) -> list[RowResult]:
    """The results, where every row went well; else raises what was wrong with the first."""
    problems = [problem for result in results for problem in result.problems]
    real = [problem for problem in problems if problem.code != "ALL_OR_NONE_OPERATION_ROLLED_BACK"]
    if problems:
        raise (real or problems)[0]
    return results


def create(org: OrgCore, spec: ObjectSpec, rows: Sequence[Mapping[str, Any]], options: Options) -> list[RowResult]:
    if not options.trusted and "c" not in spec.flags:
        raise Problem(400, "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY", f"entity type cannot be inserted: {spec.label}", ())
    stamp = org.stamp(options.at)
    ready: list[Written] = []
    results = []
    base: Row = {**values.defaults(spec), "OwnerId": org.user_id} if spec.find("OwnerId") else values.defaults(spec)
    base |= {"CreatedDate": stamp, "CreatedById": org.user_id, "LastModifiedDate": stamp}
    base |= {"LastModifiedById": org.user_id, "SystemModstamp": stamp}
    for given in rows:
        result = RowResult(created=True)
        results.append(result)
        try:
            new = stored(org, spec, given, options, creating=True)
            row = Written(new.get("Id") or "", None, {**base, **{k: v for k, v in new.items() if v is not None}})
            automation.before(org, spec, row, stamp)
            if not options.trusted:
                checks.created(org, spec, row)
        except Problem as problem:
            result.problems = each(problem)
            continue
        row.id = result.id = org.seen_id(row.id) if row.id else org.new_id(spec.name)
        row.new["Id"] = row.id
        ready.append(row)
    return _finish(org, spec, ready, results, options, stamp)


def update(org: OrgCore, spec: ObjectSpec, rows: Sequence[Mapping[str, Any]], options: Options) -> list[RowResult]:
    if not options.trusted and "u" not in spec.flags:
        raise Problem(400, "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY", f"entity type cannot be updated: {spec.label}", ())
    stamp = org.stamp(options.at)
    current = existing(org, spec, (str(value) for row in rows for key, value in row.items() if key.lower() == "id"))
    results: list[RowResult] = []
    ready: list[Written] = []
    seen: set[str] = set()
    for given in rows:
        result = RowResult()
        results.append(result)
        try:
            old = _target(given, current, seen)
            new = stored(org, spec, given, options, creating=False)
            row = Written(old["Id"], old, new)
            new.pop("Id", None)
            if not options.trusted:
                checks.updated(org, spec, row)
            automation.before(org, spec, row, stamp)
        except Problem as problem:
            result.problems = each(problem)
            continue
        given_stamp = row.new.get("SystemModstamp") or stamp
        row.new.update(SystemModstamp=given_stamp, LastModifiedById=org.user_id)
        row.new.setdefault("LastModifiedDate", stamp)
        result.id = row.id
        ready.append(row)
    return _finish(org, spec, ready, results, options, stamp)


def _target(given: Mapping[str, Any], current: Mapping[str, Row], seen: set[str]) -> Row:
    raw = next((value for key, value in given.items() if key.lower() == "id"), None)
    if not raw:
        raise Problem(400, "MISSING_ARGUMENT", "Id not specified in an update call", ())
    found = ids.full(str(raw))
    old = current.get(found)
    if old is None:
        raise Problem(404, "INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id", ())
    if old["IsDeleted"]:
        raise Problem(404, "ENTITY_IS_DELETED", "entity is deleted", ())
    if found in seen:  # the exact text of a real org is UNCONFIRMED
        raise Problem(400, "DUPLICATE_VALUE", f"duplicate id in the request: {found}", ())
    seen.add(found)
    return old


def existing(org: OrgCore, spec: ObjectSpec, wanted: Iterable[str]) -> dict[str, Row]:
    """Whole stored rows by 18 character id, deleted ones included."""
    known = [ids.full(text) for text in wanted if ids.is_id(text)]
    columns = [f.name for f in spec.fields.values() if f.type != "address"]
    select = ", ".join(map(quoted, columns))
    found: dict[str, Row] = {}
    for start in range(0, len(known), 500):
        chunk = known[start : start + 500]
        marks = ", ".join("?" * len(chunk))
        for row in org.db.read(f"SELECT {select} FROM {quoted(spec.name)} WHERE Id IN ({marks})", chunk):
            values_ = dict(zip(columns, row, strict=True))
            found[values_["Id"]] = values_
    return found


def stored(org: OrgCore, spec: ObjectSpec, given: Mapping[str, Any], options: Options, *, creating: bool) -> Row:
    """The given values under their canonical names, converted; checked against the schema unless trusted."""
    new: Row = {}
    refused = []
    fields = spec.fields
    for name, raw in given.items():
        found = fields.get(name.lower())
        if found is None or not (found.visible or options.trusted):
            if name.lower() == "attributes":
                continue
            if isinstance(raw, Mapping):
                reference, value = checks.parent_by_external_id(org, spec, name, raw)
                new[reference.name] = value
                continue
            raise no_such_field(name, spec.name)
        if found.type == "address":
            if options.trusted:
                continue
            refused.append(found.name)
        elif not options.trusted and not _writable(found, creating=creating) and found.type != "id":
            refused.append(found.name)
        else:
            new[found.name] = values.store(found, raw)
    if refused:
        text = (
            f"Unable to create/update fields: {', '.join(refused)}. Please check the security settings of this field "
            "and verify that it is read/write for your profile or permission set."
        )
        raise Problem(400, "INVALID_FIELD_FOR_INSERT_UPDATE", text, tuple(refused))
    return new


def _writable(found: FieldSpec, *, creating: bool) -> bool:
    return found.createable if creating else found.updateable


def _finish(
    org: OrgCore,
    spec: ObjectSpec,
    ready: list[Written],
    results: list[RowResult],
    options: Options,
    stamp: str,
) -> list[RowResult]:
    """Writes what passed; what did not is in ``results`` already."""
    if not options.trusted:
        by_id = {result.id: result for result in results if result.id and result.success}
        for row_id, problem in checks.of_transaction(org, spec, ready, options).items():
            by_id[row_id].problems = [problem]
        if org.faults.active:
            passed = [row for row in ready if by_id[row.id].success]
            told = rehearsed.refused(org, spec, passed, options, lambda rows: _statements(spec, rows))
            for row_id, problem in told.items():
                by_id[row_id].problems = each(problem)
        for row in ready if options.auto_assign else ():
            if spec.name in org.assignment and by_id[row.id].success:
                row.new["OwnerId"] = org.assignment[spec.name]
        ready = [row for row in ready if by_id[row.id].success]
    if options.all_or_none and any(not result.success for result in results):
        rolled = rolled_back()
        for result in results:
            if result.success:
                result.problems = [rolled]
        ready = []
    for result in results:
        if not result.success:
            result.id = None
    if ready:
        statements = _statements(spec, ready) + automation.after(org, spec, ready, stamp)
        org.commit(spec, statements)
    return results


def _statements(spec: ObjectSpec, rows: list[Written]) -> list[Statement]:
    """One executemany per distinct set of columns, in order of first appearance."""
    groups: dict[tuple[str, ...], list[tuple[Any, ...]]] = {}
    creating = rows[0].old is None
    for row in rows:
        values_ = tuple(row.new.values())
        groups.setdefault(tuple(row.new), []).append(values_ if creating else (*values_, row.id))
    table = quoted(spec.name)
    statements: list[Statement] = []
    for columns, parameters in groups.items():
        if creating:
            names, marks = ", ".join(map(quoted, columns)), ", ".join("?" * len(columns))
            statements.append((f"INSERT INTO {table} ({names}) VALUES ({marks})", parameters))
        else:
            sets = ", ".join(f"{quoted(column)} = ?" for column in columns)
            statements.append((f"UPDATE {table} SET {sets} WHERE Id = ?", parameters))
    return statements
