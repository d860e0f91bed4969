"""What the API refuses of a row before it is written: everything that does not hold for the trusted Python handle."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from practice_org.salesforce import values
from practice_org.salesforce.core import OrgCore
from practice_org.salesforce.problems import Problem, Problems, no_such_field, not_found
from practice_org.salesforce.schema import FieldSpec, ObjectSpec
from practice_org.salesforce.storage import quoted
from practice_org.salesforce.writing import persons, record_types
from practice_org.salesforce.writing.results import Options, Row, Written


def created(org: OrgCore, spec: ObjectSpec, row: Written) -> None:
    missing = [f.name for f in spec.fields.values() if _required(f) and row.new.get(f.name) is None]
    if missing:
        raise _missing(missing)
    _values(spec, row)
    record_types.refuse(org, spec, row)
    _rules(org, spec, row)


def updated(org: OrgCore, spec: ObjectSpec, row: Written) -> None:
    old = row.old or {}
    if spec.name == "Lead" and old.get("IsConverted"):
        raise Problem(400, "CANNOT_UPDATE_CONVERTED_LEAD", "cannot reference converted lead", ())
    persons.refuse(org, spec, row)
    cleared = [name for name, value in row.new.items() if value is None and _required(spec.fields[name.lower()])]
    if cleared:
        raise _missing(cleared)
    _values(spec, row)
    record_types.refuse(org, spec, row)
    _rules(org, spec, row)


def _required(found: FieldSpec) -> bool:
    return not found.nillable and found.createable and not found.defaulted and found.type not in ("boolean", "id")


def _missing(names: list[str]) -> Problem:
    text = f"Required fields are missing: [{', '.join(names)}]"
    return Problem(400, "REQUIRED_FIELD_MISSING", text, tuple(names))


def _values(spec: ObjectSpec, row: Written) -> None:
    for name, value in row.new.items():
        if isinstance(value, str) and name != "Name":
            problem = values.check(spec.fields[name.lower()], value)
            if problem is not None:
                raise problem


def _rules(org: OrgCore, spec: ObjectSpec, row: Written) -> None:
    broken = []
    merged: Row = {**(row.old or {}), **row.new}
    for rule in org.rules.get(spec.name, ()):
        text = rule.broken(row.old, merged)
        if text:
            broken.append(Problem(400, "FIELD_CUSTOM_VALIDATION_EXCEPTION", text, (rule.field,) if rule.field else ()))
    if broken:
        raise Problems(broken)


def of_transaction(org: OrgCore, spec: ObjectSpec, rows: Sequence[Written], options: Options) -> dict[str, Problem]:
    """Problems that only show over all rows, by row id: governor limits, locks, parents, uniqueness."""
    size = max(len(rows), options.transaction.get(spec.name, 0))
    refused = org.faults.governor(spec.name, size)
    if refused is not None:
        return {row.id: refused for row in rows}
    found = org.faults.locked(spec.name, [row.id for row in rows])
    found |= _parents(org, spec, [row for row in rows if row.id not in found])
    return found | _duplicates(org, spec, [row for row in rows if row.id not in found])


def _parents(org: OrgCore, spec: ObjectSpec, rows: Sequence[Written]) -> dict[str, Problem]:
    wanted: dict[str, set[str]] = defaultdict(set)
    used: list[tuple[Written, FieldSpec, str]] = []
    bad: dict[str, Problem] = {}
    for row in rows:
        for name, value in row.new.items():
            found = spec.fields[name.lower()]
            if found.type != "reference" or not value or not row.changed(name):
                continue
            target = org.schema.of_id(value)
            if target is None or target.name not in found.reference_to:
                if any(org.schema.find(one) for one in found.reference_to):
                    text = f"{found.label}: id value of incorrect type: {value}"
                    bad[row.id] = Problem(400, "MALFORMED_ID", text, (found.name,))
                continue
            wanted[target.name].add(value)
            used.append((row, found, value))
    known: set[str] = set()
    for name, values_ in wanted.items():
        known |= _having(org, name, "IsDeleted = 0", list(values_))
    owners = {value for _, found, value in used if found.name == "OwnerId" and value.startswith("005")}
    idle = _having(org, "User", "IsActive = 0", list(owners))
    for row, found, value in used:
        if value in idle and found.name == "OwnerId":
            text = f"operation performed with inactive user [{value}] as owner of {spec.label.lower()}"
            bad[row.id] = Problem(400, "INACTIVE_OWNER_OR_USER", text, ())
        if value not in known:
            bad[row.id] = Problem(400, "INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id", (found.name,))
    return bad


def _having(org: OrgCore, name: str, condition: str, listed: list[str]) -> set[str]:
    """Those of some ids whose records meet a condition."""
    found: set[str] = set()
    for start in range(0, len(listed), 500):
        chunk = listed[start : start + 500]
        sql = f"SELECT Id FROM {quoted(name)} WHERE {condition} AND Id IN ({', '.join('?' * len(chunk))})"
        found.update(row[0] for row in org.db.read(sql, chunk))
    return found


def _duplicates(org: OrgCore, spec: ObjectSpec, rows: Sequence[Written]) -> dict[str, Problem]:
    bad: dict[str, Problem] = {}
    for found in spec.fields.values():
        if not found.unique:
            continue
        seen: dict[str, str] = {}
        for row in rows:
            value = row.new.get(found.name)
            if value is None or not row.changed(found.name):
                continue
            key = str(value).lower()
            sql = f"SELECT Id FROM {quoted(spec.name)} WHERE {quoted(found.name)} = ? AND IsDeleted = 0 AND Id <> ?"
            taken = [other[0] for other in org.db.read(sql, (value, row.id))]
            holder = taken[0] if taken else seen.get(key)
            if holder:
                text = f"duplicate value found: {found.name} duplicates value on record with id: {holder}"
                bad[row.id] = Problem(400, "DUPLICATE_VALUE", text, ())
            seen.setdefault(key, row.id)
    return bad


def parent_by_external_id(org: OrgCore, spec: ObjectSpec, name: str, raw: Mapping[str, Any]) -> tuple[FieldSpec, str]:
    """``"Account": {"Ext__c": "x"}`` in a written row: the reference field and the id it stands for."""
    reference = spec.by_relationship(name)
    if reference is None:
        raise no_such_field(name, spec.name)
    for target in (org.schema.find(one) for one in reference.reference_to):
        for key, value in raw.items():
            found = target.find(key) if target else None
            if target and found and found.external_id:
                sql = f"SELECT Id FROM {quoted(target.name)} WHERE {quoted(found.name)} = ? AND IsDeleted = 0"
                ids_ = org.db.read(sql, (value,))
                if len(ids_) == 1:
                    return reference, str(ids_[0][0])
                text = f"Foreign key external ID: {value} not found for field {found.name} in entity {target.name}"
                raise Problem(400, "INVALID_FIELD", text, ())
    raise not_found()
