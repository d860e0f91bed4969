"""Trees of new records: parents with their children nested under relationship names, all of them or none."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from practice_org.salesforce.org import PracticeOrg
from practice_org.salesforce.problems import Problem
from practice_org.salesforce.rest.calls import Call, Reply, Router, parser_error
from practice_org.salesforce.writing import dml

MOST_RECORDS = 200


class _Refused(Exception):
    """One record was refused: the whole tree is rolled back."""

    def __init__(self, reference: str, problems: list[Problem]) -> None:
        super().__init__(reference)
        errors = [problem.as_row_error() for problem in problems]
        self.results = [{"referenceId": reference, "errors": errors}]


def routes(router: Router) -> None:
    router.add(r"composite/tree/(?P<name>\w+)", POST=tree)


def tree(org: PracticeOrg, call: Call, name: str) -> Reply:
    made: list[dict[str, Any]] = []
    try:
        with org.db.transaction():
            for row in _records(call.mapping()):
                _plant(org, call, name, row, {}, made)
    except _Refused as refused:
        return Reply(400, {"hasErrors": True, "results": refused.results})
    return Reply(201, {"hasErrors": False, "results": made})


def _records(body: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    rows = body.get("records")
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise parser_error("records has to be a list of objects")
    return rows


def _attribute(row: Mapping[str, Any], name: str) -> str:
    attributes = row.get("attributes")
    return str(attributes.get(name, "")) if isinstance(attributes, dict) else ""


def _plant(
    org: PracticeOrg,
    call: Call,
    name: str,
    row: Mapping[str, Any],
    parent: Mapping[str, str],
    made: list[dict[str, Any]],
) -> None:
    """Creates ``row`` with the reference to its ``parent``, then its children."""
    spec = org.schema.get(name)
    nested = {key: value for key, value in row.items() if isinstance(value, dict) and "records" in value}
    own = {key: value for key, value in row.items() if key not in nested}
    reference = _attribute(row, "referenceId")
    [result] = dml.create(org, spec, [{**own, **parent}], call.options())
    if result.problems or len(made) >= MOST_RECORDS:
        raise _Refused(reference, result.problems or [Problem(400, "LIMIT_EXCEEDED", "too many records in the tree")])
    made.append({"referenceId": reference, "id": result.id})
    for child in (one for value in nested.values() for one in _records(value)):
        kind = org.schema.get(_attribute(child, "type"))
        field = next((f.name for s, f in org.schema.children(spec.name) if s is kind), None)
        if field is None:
            raise parser_error(f"{kind.name} is no child of {spec.name}")
        _plant(org, call, kind.name, child, {field: result.id or ""}, made)
