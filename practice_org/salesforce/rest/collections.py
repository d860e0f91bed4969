"""Collections: up to 200 records of any object in one call, answered row by row and matched by position."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import groupby
from typing import Any

from practice_org.salesforce import ids
from practice_org.salesforce.org import PracticeOrg
from practice_org.salesforce.problems import Problem, rolled_back
from practice_org.salesforce.rest.calls import Call, Reply, Router, boolean, parser_error
from practice_org.salesforce.rest.rows import record, spec_of, typed, upsert_row
from practice_org.salesforce.schema import ObjectSpec
from practice_org.salesforce.writing import dml, removal
from practice_org.salesforce.writing.results import RowResult

MOST_ROWS, MOST_READ, MOST_CHUNKS = 200, 2000, 10


class _Undo(Exception):
    """Rolls an all-or-none request back."""


def routes(router: Router) -> None:
    router.add("composite/sobjects", POST=create, PATCH=update, DELETE=delete)
    router.add(r"composite/sobjects/(?P<name>\w+)", GET=retrieve, POST=retrieve)
    router.add(r"composite/sobjects/(?P<name>\w+)/(?P<field>\w+)", PATCH=upsert)


def _records(call: Call) -> tuple[list[Mapping[str, Any]], bool]:
    body = call.mapping()
    rows = body.get("records")
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise parser_error("The records of the request have to be a list of objects")
    if len(rows) > MOST_ROWS:
        text = f"record limit reached. cannot submit more than {MOST_ROWS} records in this request"
        raise Problem(400, "EXCEEDED_MAX_SIZE_REQUEST", text)
    return rows, boolean(body.get("allOrNone", False))


def _kind(org: PracticeOrg, row: Mapping[str, Any]) -> ObjectSpec:
    attributes = row.get("attributes")
    name = attributes.get("type") if isinstance(attributes, dict) else None
    if not name:
        raise Problem(400, "INVALID_REQUEST", "Each record needs attributes with a type")
    return typed(org, str(name))


Work = Callable[[ObjectSpec, list[Mapping[str, Any]]], list[RowResult]]


def _by_kind(org: PracticeOrg, rows: Sequence[Mapping[str, Any]], work: Work, *, all_or_none: bool) -> list[RowResult]:
    """Runs of one object are one transaction each, in order."""
    results: list[RowResult] = []
    chunks = [(kind, list(chunk)) for kind, chunk in groupby(rows, lambda row: _kind(org, row).name)]
    if len(chunks) > MOST_CHUNKS:
        raise Problem(400, "INVALID_REQUEST", f"more than {MOST_CHUNKS} chunks of records of one type in the request")
    try:
        with org.db.transaction():
            for kind, chunk in chunks:
                results += work(org.schema.get(kind), chunk)
            if all_or_none and any(not result.success for result in results):
                raise _Undo
    except _Undo:
        for result in results:
            if result.success:
                result.problems = [rolled_back()]
    return results


def answer(results: Sequence[RowResult], *, created: bool = False) -> Reply:
    """A row that failed has no ``id``; its errors say ``statusCode``, ``created`` whether it would have been new."""
    body: list[dict[str, Any]] = []
    for result in results:
        if result.success:
            row: dict[str, Any] = {"id": result.id, "success": True, "errors": []}
            body.append({**row, "created": result.created} if created else row)
        else:
            failed = {"success": False, "errors": [problem.as_row_error() for problem in result.problems]}
            body.append({**failed, "created": result.created} if created else failed)
    return Reply(body=body)


def create(org: PracticeOrg, call: Call) -> Reply:
    rows, all_or_none = _records(call)
    options = call.options(all_or_none=all_or_none)

    def work(spec: ObjectSpec, chunk: list[Mapping[str, Any]]) -> list[RowResult]:
        return dml.create(org, spec, chunk, options)

    return answer(_by_kind(org, rows, work, all_or_none=all_or_none))


def update(org: PracticeOrg, call: Call) -> Reply:
    rows, all_or_none = _records(call)
    options = call.options(all_or_none=all_or_none)

    def work(spec: ObjectSpec, chunk: list[Mapping[str, Any]]) -> list[RowResult]:
        return dml.update(org, spec, chunk, options)

    return answer(_by_kind(org, rows, work, all_or_none=all_or_none))


def delete(org: PracticeOrg, call: Call) -> Reply:
    """``?ids=a,b&allOrNone=false``"""
    wanted = [one for one in call.query.get("ids", "").split(",") if one]
    if not wanted or len(wanted) > MOST_ROWS:
        raise Problem(400, "INVALID_REQUEST", f"between 1 and {MOST_ROWS} ids are needed")

    def one(text: str) -> RowResult:
        spec = org.schema.of_id(text) if ids.is_id(text) else None
        if spec is None:
            return RowResult(problems=[Problem(400, "MALFORMED_ID", f"malformed id {text}", ())])
        return removal.delete(org, spec, [text], trusted=False)[0]

    results: list[RowResult] = []
    try:
        with org.db.transaction():
            results += map(one, wanted)
            if boolean(call.query.get("allOrNone", "false")) and any(not result.success for result in results):
                raise _Undo
    except _Undo:
        results = [result if result.problems else RowResult(problems=[rolled_back()]) for result in results]
    return answer(results)


def _strings(call: Call, name: str) -> list[str]:
    found = call.mapping().get(name)
    if not isinstance(found, list):
        raise parser_error(f"{name} has to be a list")
    return [str(one) for one in found]


def retrieve(org: PracticeOrg, call: Call, name: str) -> Reply:
    """The records of up to 2,000 ids, null for those that are not there."""
    spec = spec_of(org, name)
    if call.method == "POST":
        wanted, fields = _strings(call, "ids"), _strings(call, "fields")
    else:
        wanted, fields = call.query.get("ids", "").split(","), call.query.get("fields", "").split(",")
    if len(wanted) > MOST_READ:
        raise Problem(400, "EXCEEDED_ID_LIMIT", f"cannot submit more than {MOST_READ} ids in this request")
    if not any(fields):
        raise Problem(400, "MISSING_ARGUMENT", "fields: at least one field is needed")
    listed = ",".join(fields)
    return Reply(body=[record(org, spec, ids.full(one), listed, call.base) for one in wanted if one])


def upsert(org: PracticeOrg, call: Call, name: str, field: str) -> Reply:
    """By external id; each row says whether it was created."""
    spec = spec_of(org, name)
    rows, all_or_none = _records(call)
    found = spec.find(field)
    if found is None or not (found.external_id or found.type == "id"):
        text = f"Provided external ID field does not exist or is not accessible: {field}"
        raise Problem(404, "NOT_FOUND", text)
    options = call.options(all_or_none=all_or_none)

    def work(_: ObjectSpec, chunk: list[Mapping[str, Any]]) -> list[RowResult]:
        return [upsert_row(org, spec, found, row, options) for row in chunk]

    return answer(_by_kind(org, rows, work, all_or_none=all_or_none), created=True)
