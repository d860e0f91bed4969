"""What the Marketo imitation is told: leads synchronised, deleted and merged, custom activities added.

Answers have a row for each row given, in order: ``created``, ``updated``, ``deleted``, ``added``, or ``skipped`` with
the reasons.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from practice_org.marketo import query
from practice_org.marketo import rows as rows_of
from practice_org.marketo.instance import Instance
from practice_org.marketo.objects import FIRST_CUSTOM
from practice_org.marketo.query import Ask, MarketoError

Body = dict[str, Any]
ACTIONS = frozenset({"createOrUpdate", "createOnly", "updateOnly", "createDuplicate"})


def sync_leads(marketo: Instance, ask: Ask) -> Body:
    content = ask.content()
    action, lookup = content.get("action") or "createOrUpdate", content.get("lookupField") or "email"
    if action not in ACTIONS:
        raise MarketoError("1003", f"Invalid data: action '{action}'")
    field = marketo.fields.get(lookup)
    if field is None or not field.searchable:
        raise MarketoError("1011", f"Field '{lookup}' not supported")
    return {"result": [_tried(_sync, marketo, row, action, lookup) for row in query.rows_given(content)]}


def _sync(marketo: Instance, row: Mapping[str, Any], action: str, lookup: str) -> Body:
    for name in row:
        if name not in marketo.fields or (marketo.fields[name].read_only and name != "id"):
            raise MarketoError("1006", f"Field '{name}' not found")
    row = {name: query.field_value(name, marketo.fields[name].type, value) for name, value in row.items()}
    if action == "createOnly" and "id" in row:
        raise MarketoError("1003", "Invalid data: id is not allowed with createOnly")
    key = row.get(lookup)
    found = []
    if action != "createDuplicate":
        if key in (None, ""):
            raise MarketoError("1003", f"Invalid data: {lookup} is needed")
        found = rows_of.leads_by(marketo.org.db.connection, lookup, [key], 0, 2)
    if len(found) > 1:
        raise MarketoError("1007", "Multiple leads match the lookup criteria")
    if found and action == "createOnly":
        raise MarketoError("1005", "Lead already exists")
    if found:
        marketo.update_leads([{**row, "id": found[0]["id"]}])
        return {"id": found[0]["id"], "status": "updated"}
    if action == "updateOnly" or lookup == "id":
        raise MarketoError("1004", "Lead not found")
    fresh = {name: value for name, value in row.items() if name != "id"}
    return {"id": marketo.add_leads([fresh])[0], "status": "created"}


def delete_leads(marketo: Instance, ask: Ask) -> Body:
    return {"result": [_tried(_delete, marketo, row) for row in query.rows_given(ask.content())]}


def _delete(marketo: Instance, row: Mapping[str, Any]) -> Body:
    found = _existing(marketo, row.get("id"))
    marketo.delete_leads([found])
    return {"id": found, "status": "deleted"}


def merge_leads(marketo: Instance, ask: Ask, winner: str) -> Body:
    given = query.required(ask.params, "leadIds" if "leadIds" in ask.params else "leadId")
    losers = [_existing(marketo, query.number("leadIds", each)) for each in query.listed(given)]
    with marketo.org.db.lock:
        marketo.merge_leads(_existing(marketo, query.number("id", winner)), losers)
    return {}


def add_activities(marketo: Instance, ask: Ask) -> Body:
    """Activities of custom types only."""
    return {"result": [_tried(_activity, marketo, row) for row in query.rows_given(ask.content())]}


def _activity(marketo: Instance, row: Mapping[str, Any]) -> Body:
    kind = row.get("activityTypeId")
    if not isinstance(kind, int) or kind < FIRST_CUSTOM or kind not in marketo.types:
        raise MarketoError("1003", f"Invalid data: activityTypeId '{kind}'")
    attributes = {each.get("name") or each.get("apiName"): each.get("value") for each in row.get("attributes") or []}
    made = {
        "leadId": _existing(marketo, row.get("leadId")),
        "activityTypeId": kind,
        "activityDate": query.moment("activityDate", str(row.get("activityDate"))),
        "primaryAttributeValue": row.get("primaryAttributeValue"),
        "attributes": attributes,
    }
    return {"id": marketo.add_activities([made])[0], "status": "added"}


def _existing(marketo: Instance, lead_id: Any) -> int:
    if not isinstance(lead_id, int) or not rows_of.leads_by(marketo.org.db.connection, "id", [lead_id], 0, 1):
        raise MarketoError("1004", f"Lead '{lead_id}' not found")
    return lead_id


def _tried(work: Any, marketo: Instance, row: Mapping[str, Any], *others: str) -> Body:
    """One row's answer; a refused row delays no other."""
    try:
        with marketo.org.db.transaction():
            return work(marketo, row, *others)  # type: ignore[no-any-return] # one of the functions above
    except MarketoError as error:
        return {"status": "skipped", "reasons": [{"code": error.code, "message": error.message}]}
