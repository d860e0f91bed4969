"""Single records: read, create, change, delete, upsert by external id, with conditional requests."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime
from typing import Any

from practice_org.salesforce import ids, values
from practice_org.salesforce.org import PracticeOrg
from practice_org.salesforce.problems import Problem, Problems, no_such_field, no_such_object, not_found
from practice_org.salesforce.rest.calls import Call, Reply, Router
from practice_org.salesforce.schema import FieldSpec, ObjectSpec
from practice_org.salesforce.soql import run as soql_run
from practice_org.salesforce.storage import quoted
from practice_org.salesforce.writing import dml, removal
from practice_org.salesforce.writing.results import Options, Row, RowResult

_SAYS_WHAT_IT_DID = 46  # the version since which an upsert that changes a record answers with a body


def routes(router: Router) -> None:
    router.add(r"sobjects/(?P<name>\w+)/(?P<record>[^/]+)", GET=read, PATCH=change, DELETE=delete)
    router.add(r"sobjects/(?P<name>\w+)/(?P<field>\w+)/(?P<value>[^/]*)",
               GET=read_external, PATCH=upsert, POST=upsert, DELETE=delete_external)  # fmt: skip


def spec_of(org: PracticeOrg, name: str) -> ObjectSpec:
    """On a row URL an unknown object is a missing resource, not a bad type."""
    spec = org.schema.shown(name)
    if spec is None:
        raise not_found()
    return spec


def typed(org: PracticeOrg, name: str) -> ObjectSpec:
    """Elsewhere it is a bad type."""
    spec = org.schema.shown(name)
    if spec is None:
        raise no_such_object(name)
    return spec


def record(org: PracticeOrg, spec: ObjectSpec, id18: str, fields: str | None, base: str) -> dict[str, Any] | None:
    """The record as GET sends it; None when there is none. ``fields`` is a comma separated list, None for all."""
    names = [name.strip() for name in fields.split(",")] if fields else None
    if names is None:
        names = [found.name for found in spec.fields.values() if found.visible]
    missing = next((n for n in names if "." not in n and not _visible(spec, n)), None)
    if missing is not None:
        raise no_such_field(missing, spec.name)
    text = f"SELECT {', '.join(names)} FROM {spec.name} WHERE Id = '{id18}'"
    found = soql_run.run(org, text, base=base).first
    return found[0] if found else None


def _visible(spec: ObjectSpec, name: str) -> bool:
    found = spec.find(name)
    return found is not None and found.visible


def raise_for(result: RowResult) -> None:
    if result.problems:
        first = result.problems[0]
        if first.code == "INVALID_CROSS_REFERENCE_KEY" and not first.fields:
            raise not_found()
        raise first if len(result.problems) == 1 else Problems(result.problems)


def create(org: PracticeOrg, call: Call, name: str) -> Reply:
    result = dml.create(org, typed(org, name), [_writable(call.mapping())], call.options())[0]
    raise_for(result)
    headers = {"Location": f"{call.base}/sobjects/{name}/{result.id}"}
    return Reply(201, {"id": result.id, "success": True, "errors": []}, headers)


def _writable(row: Mapping[str, Any]) -> Mapping[str, Any]:
    if any(key.lower() == "id" for key in row):
        text = "The Id field should not be specified in the sobject data."
        raise Problem(400, "INVALID_FIELD_FOR_INSERT_UPDATE", text, ("Id",))
    return row


def read(org: PracticeOrg, call: Call, name: str, record: str) -> Reply:
    spec = spec_of(org, name)
    return _read(org, call, spec, _known(spec, record))


def _known(spec: ObjectSpec, text: str) -> str:
    try:
        found = ids.full(text)
    except Problem:
        raise not_found() from None
    if found[:3] != spec.prefix and not spec.custom:
        raise not_found()
    return found


def _read(org: PracticeOrg, call: Call, spec: ObjectSpec, id18: str) -> Reply:
    row = dml.existing(org, spec, [id18]).get(id18)
    if row is None or row["IsDeleted"]:
        raise not_found()
    modified = values.moment(row["LastModifiedDate"])
    if unchanged(call, modified):
        return Reply(304)
    _precondition(call, row)
    found = record(org, spec, id18, call.query.get("fields"), call.base)
    if found is None:
        raise not_found()
    return Reply(body=found, headers=last_modified(modified))


def http_date(call: Call, header: str) -> datetime | None:
    """A conditional header's time. Raises a 400 for what is no HTTP date."""
    text = call.headers.get(header)
    if text is None:
        return None
    try:
        found = parsedate_to_datetime(text)
    except ValueError:
        raise Problem(400, "INVALID_FIELD", f"Invalid date in header {header}: {text}") from None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def unchanged(call: Call, modified: datetime) -> bool:
    """Whether ``If-Modified-Since`` says that the client has this already."""
    known = http_date(call, "if-modified-since")
    return known is not None and modified.replace(microsecond=0) <= known


def last_modified(moment: datetime) -> dict[str, str]:
    return {"Last-Modified": format_datetime(moment.astimezone(UTC), usegmt=True)}


def _precondition(call: Call, row: Row) -> None:
    limit = http_date(call, "if-unmodified-since")
    if limit is not None and values.moment(row["LastModifiedDate"]) > limit:
        text = "The precondition given in one or more of the request-header fields evaluated to false."
        raise Problem(412, "PRECONDITION_FAILED", text)


def change(org: PracticeOrg, call: Call, name: str, record: str) -> Reply:
    spec = spec_of(org, name)
    _change(org, call, spec, _known(spec, record))
    return Reply(204)


def _change(org: PracticeOrg, call: Call, spec: ObjectSpec, id18: str) -> None:
    row = dml.existing(org, spec, [id18]).get(id18)
    if row is None:
        raise not_found()
    _precondition(call, row)
    raise_for(dml.update(org, spec, [{**_writable(call.mapping()), "Id": id18}], call.options())[0])


def delete(org: PracticeOrg, call: Call, name: str, record: str) -> Reply:
    spec = spec_of(org, name)
    raise_for(removal.delete(org, spec, [_known(spec, record)], trusted=False)[0])
    return Reply(204)


def _external(org: PracticeOrg, spec: ObjectSpec, name: str) -> FieldSpec:
    found = spec.find(name)
    if found is None or not found.visible or not (found.external_id or found.type == "id"):
        text = f"Provided external ID field does not exist or is not accessible: {name}"
        raise Problem(404, "NOT_FOUND", text)
    return found


def matching(org: PracticeOrg, spec: ObjectSpec, found: FieldSpec, value: Any) -> list[str]:
    """The ids of the live records whose external id has a value."""
    if found.type == "id":
        return [one for one, row in dml.existing(org, spec, [str(value)]).items() if not row["IsDeleted"]]
    sql = f"SELECT Id FROM {quoted(spec.name)} WHERE {quoted(found.name)} = ? AND IsDeleted = 0"
    return [str(row[0]) for row in org.db.read(sql, (values.store(found, value),))]


def upsert_row(
    org: PracticeOrg, spec: ObjectSpec, key: FieldSpec, row: Mapping[str, Any], options: Options
) -> RowResult:
    """One row of many, by its external id; by Id, a row without one is new."""
    plain = {name: one for name, one in row.items() if key.type != "id" or name.lower() != "id"}
    try:
        known = _upserted(org, spec, key, row)
    except Problem as problem:
        return RowResult(problems=[problem])
    if known is None:
        return dml.create(org, spec, [plain], options)[0]
    return dml.update(org, spec, [{**plain, "Id": known}], options)[0]


def _upserted(org: PracticeOrg, spec: ObjectSpec, key: FieldSpec, row: Mapping[str, Any]) -> str | None:
    """The id of the record that a row changes, None where it makes one. Raises the row's problem."""
    value = next((value for name, value in row.items() if name.lower() == key.name.lower()), None)
    by_id = key.type == "id"
    if value in (None, ""):
        if by_id:
            return None
        raise Problem(400, "MISSING_ARGUMENT", f"{key.name} not specified", (key.name,))
    many = matching(org, spec, key, value)
    if len(many) > 1:
        text = f"{key.name}: more than one record found for external id field: {many}"
        raise Problem(300, "DUPLICATE_EXTERNAL_ID", text, ())
    if by_id and not many:
        raise Problem(400, "INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id", ())
    return many[0] if many else None


def _one(
    org: PracticeOrg, call: Call, spec: ObjectSpec, field: str, value: str
) -> tuple[FieldSpec, str | None, Reply | None]:
    found = _external(org, spec, field)
    many = matching(org, spec, found, value)
    if len(many) > 1:
        return found, None, Reply(300, [f"{call.base}/sobjects/{spec.name}/{one}" for one in many])
    return found, many[0] if many else None, None


def read_external(org: PracticeOrg, call: Call, name: str, field: str, value: str) -> Reply:
    spec = spec_of(org, name)
    _, one, several = _one(org, call, spec, field, value)
    if several is not None:
        return several
    if one is None:
        raise not_found()
    return _read(org, call, spec, one)


def delete_external(org: PracticeOrg, call: Call, name: str, field: str, value: str) -> Reply:
    spec = spec_of(org, name)
    _, one, several = _one(org, call, spec, field, value)
    if several is not None:
        return several
    if one is None:
        raise not_found()
    raise_for(removal.delete(org, spec, [one], trusted=False)[0])
    return Reply(204)


def upsert(org: PracticeOrg, call: Call, name: str, field: str, value: str) -> Reply:
    """201 created, 200 changed, 300 when several records match."""
    spec = spec_of(org, name)
    found, one, several = _one(org, call, spec, field, value)
    if several is not None:
        return several
    if one is not None:
        _change(org, call, spec, one)
        if float(call.version) < _SAYS_WHAT_IT_DID:
            return Reply(204)
        return Reply(200, {"id": one, "success": True, "errors": [], "created": False})
    row = dict(_writable(call.mapping()))
    if found.type != "id":
        row[found.name] = value
    result = dml.create(org, spec, [row], call.options())[0]
    raise_for(result)
    return Reply(201, {"id": result.id, "success": True, "errors": [], "created": True})
