"""Row errors that somebody switched on: validation rules, flows, locks and duplicate rules of a rehearsal.

A condition is tried where it will hold: the rows are written, asked for, and taken back, all in one transaction.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence

from practice_org.salesforce import ids
from practice_org.salesforce.core import OrgCore
from practice_org.salesforce.faults import Fault
from practice_org.salesforce.problems import Problem, Problems
from practice_org.salesforce.refusals import OF_ROWS
from practice_org.salesforce.schema import ObjectSpec
from practice_org.salesforce.storage import Statement, quoted
from practice_org.salesforce.writing.results import Options, Written

Statements = Callable[[list[Written]], list[Statement]]


class _Undo(Exception):
    """Takes a trial back."""


def refused(
    org: OrgCore, spec: ObjectSpec, rows: Sequence[Written], options: Options, statements: Statements
) -> dict[str, Problem]:
    """By row id, one or several problems."""
    found: dict[str, list[Problem]] = defaultdict(list)
    what = "create" if rows and rows[0].old is None else "update"
    for fault in _of(org, spec, what):
        hit = [row for row in rows if _named(fault, row.id) and _has_changed(fault, row)]
        if hit and fault.values.get("when"):
            held = _holding(org, spec, hit, fault.values["when"], statements)
            hit = [row for row in hit if row.id in held]
        _note(org, fault, [row.id for row in hit], found)
    for fault in org.faults.striking("duplicate_rule"):
        if _is_on(fault, spec) and not (options.allow_duplicates and fault.values.get("allow_save")):
            _note(org, fault, [row.id for row in rows if _is_double(org, spec, row, fault)], found)
    return {one: several[0] if len(several) == 1 else Problems(several) for one, several in found.items()}


def not_deleted(org: OrgCore, spec: ObjectSpec, wanted: Sequence[str]) -> dict[str, Problem]:
    """The rows whose removal is refused."""
    found: dict[str, list[Problem]] = defaultdict(list)
    for fault in _of(org, spec, "delete"):
        hit = [one for one in wanted if _named(fault, one)]
        condition = fault.values.get("when")
        if hit and condition:
            hit = sorted(org.matching(spec.name, condition, hit))
        _note(org, fault, hit, found)
    return {one: several[0] for one, several in found.items()}


def _of(org: OrgCore, spec: ObjectSpec, what: str) -> list[Fault]:
    usual = ["create", "update"]
    return [f for f in org.faults.striking("row_error") if _is_on(f, spec) and what in f.values.get("on", usual)]


def _is_on(fault: Fault, spec: ObjectSpec) -> bool:
    return str(fault.values.get("object", spec.name)).lower() == spec.name.lower()


def _named(fault: Fault, row_id: str) -> bool:
    wanted = fault.values.get("ids")
    return not wanted or row_id in {ids.full(str(one)) for one in wanted}


def _has_changed(fault: Fault, row: Written) -> bool:
    name = str(fault.values.get("changed", "")).lower()
    return not name or any(row.changed(one) for one in row.new if one.lower() == name)


def _note(org: OrgCore, fault: Fault, hit: Sequence[str], found: Mapping[str, list[Problem]]) -> None:
    if not hit:
        return
    org.faults.met(fault)
    usual = "DUPLICATES_DETECTED" if fault.kind == "duplicate_rule" else "FIELD_CUSTOM_VALIDATION_EXCEPTION"
    code = str(fault.values.get("code", usual))
    status, text = OF_ROWS.get(code, (400, ""))
    field = fault.values.get("field")
    problem = Problem(
        int(fault.values.get("status", status)), code, str(fault.values.get("message", text)), (field,) if field else ()
    )
    for one in hit:
        found[one].append(problem)


def _holding(org: OrgCore, spec: ObjectSpec, rows: list[Written], condition: str, statements: Statements) -> set[str]:
    held: set[str] = set()
    try:
        with org.db.transaction():
            org.db.write(statements(rows))
            held = org.matching(spec.name, condition, [row.id for row in rows])
            raise _Undo
    except _Undo:
        return held


def _is_double(org: OrgCore, spec: ObjectSpec, row: Written, fault: Fault) -> bool:
    """Whether another record has the same values in all of the rule's fields, and the row sets one of them."""
    specs = [found for name in fault.values["fields"] if (found := spec.find(str(name)))]
    told = [row.now(found.name) for found in specs]
    if not specs or any(value is None for value in told) or not any(row.changed(found.name) for found in specs):
        return False
    same = " AND ".join(f"{quoted(found.name)} = ?" for found in specs)
    sql = f"SELECT 1 FROM {quoted(spec.name)} WHERE {same} AND IsDeleted = 0 AND Id <> ? LIMIT 1"
    return bool(org.db.read(sql, [*told, row.id]))
