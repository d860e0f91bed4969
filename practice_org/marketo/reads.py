"""What the Marketo imitation answers to questions: types, activities, changes, leads, descriptions, usage.

Each function takes the handle and the request and gives what the envelope holds besides its id and its success.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from practice_org.marketo import query
from practice_org.marketo import rows as rows_of
from practice_org.marketo.instance import Instance
from practice_org.marketo.objects import CHANGE_VALUE, DEFAULT_LEAD_FIELDS, DELETE, NEW_LEAD
from practice_org.marketo.query import Ask, MarketoError, Place

Body = dict[str, Any]
NOTHING_FOUND = "No assets found for the given search criteria."


def types(marketo: Instance, ask: Ask) -> Body:
    return {"result": [marketo.types[number] for number in sorted(marketo.types)]}


def paging_token(marketo: Instance, ask: Ask) -> Body:
    """The place in the log before everything of that second."""
    since = query.moment("sinceDatetime", query.required(ask.params, "sinceDatetime"))
    return {"nextPageToken": Place(since - 1, 1 << 62, marketo.epoch()).token()}


def activities(marketo: Instance, ask: Ask) -> Body:
    query.required(ask.params, "activityTypeIds")
    wanted = set(query.numbers(ask.params, "activityTypeIds", query.MAX_TYPES))
    if not wanted <= marketo.types.keys():
        raise MarketoError("1003", f"Invalid data: activityTypeIds {sorted(wanted - marketo.types.keys())}")
    leads = _leads_asked(marketo, ask)
    assets = set(query.numbers(ask.params, "assetIds", query.MAX_LEADS))

    def asked(body: Body) -> bool:
        return (
            body["activityTypeId"] in wanted
            and (leads is None or body["leadId"] in leads)
            and (not assets or body.get("primaryAttributeValueId") in assets)
        )

    return _log(marketo, ask, asked, activity)


def lead_changes(marketo: Instance, ask: Ask) -> Body:
    """New leads, and changed values of the asked fields."""
    fields = set(query.known_fields(query.required(ask.params, "fields"), marketo.fields, ()))
    leads = _leads_asked(marketo, ask)

    def asked(body: Body) -> bool:
        kind = body["activityTypeId"]
        changed = kind == NEW_LEAD or (kind == CHANGE_VALUE and body.get("changed") in fields)
        return changed and (leads is None or body["leadId"] in leads)

    def render(body: Body) -> Body:
        values = dict(body.get("attributes") or {})
        new, old = values.pop("New Value", None), values.pop("Old Value", None)
        change = {"id": body["primaryAttributeValueId"], "name": body.get("changed"), "newValue": new, "oldValue": old}
        shown = activity({**body, "attributes": values})
        for name in ("primaryAttributeValueId", "primaryAttributeValue"):
            shown.pop(name, None)
        return {**shown, "fields": [change] if body.get("changed") else []}

    return _log(marketo, ask, asked, render)


def _leads_asked(marketo: Instance, ask: Ask) -> set[int] | None:
    """By their ids, or those of a list; None for everybody."""
    if ask.params.get("listId"):
        found = list_with(marketo, query.number("listId", ask.params["listId"]))
        with marketo.org.db.lock:
            return {each["id"] for each in rows_of.own(marketo.org.db.connection, members_of(found["id"]))}
    return set(query.numbers(ask.params, "leadIds", query.MAX_LEADS)) or None


def members_of(list_id: int) -> str:
    """Where it is kept who is in a list."""
    return f"member of {list_id}"


def list_with(marketo: Instance, list_id: int) -> Body:
    """A static list as it is kept. Raises 1013."""
    with marketo.org.db.lock:
        found = rows_of.own(marketo.org.db.connection, "list", [list_id])
    if not found:
        raise MarketoError("1013", f"Object not found: list {list_id}")
    return found[0]


def deleted_leads(marketo: Instance, ask: Ask) -> Body:
    return _log(marketo, ask, lambda body: bool(body["activityTypeId"] == DELETE), activity)


def _log(
    marketo: Instance, ask: Ask, asked: Callable[[Body], bool], render: Callable[[Body], Mapping[str, Any]]
) -> Body:
    """One page of the log. It may hold few rows or none though more follow; ``result`` is missing then."""
    org, now = marketo.org, marketo.epoch()
    place = query.read_place(ask.params, org.clock.now(), marketo.switches.page_token_seconds)
    if org.faults.take("locator_expired", ask.path):
        raise MarketoError("1003", "Invalid data: nextPageToken")
    most = query.batch_size(ask.params)
    with org.db.lock:
        seen, more = rows_of.scan(org.db.connection, place, now, marketo.switches.scan_rows)
    page: list[Body] = []
    at, last = place.at, place.id
    for number, body in enumerate(seen, 1):
        at, last = body["activityDate"], body["id"]
        if asked(body):
            page.append(body)
        if len(page) == most:
            more = more or number < len(seen)
            break
    shown = [dict(render(body)) for body in page]
    for each in shown if marketo.switches.guid_only else ():
        del each["id"]
    found = {"result": shown} if shown else {}
    return {"nextPageToken": Place(at, last, now).token(), "moreResult": more, **found}


def activity(body: Mapping[str, Any]) -> Body:
    """An activity as JSON; attributes without a value are left out."""
    shown = {key: body.get(key) for key in ("campaignId", "primaryAttributeValueId", "primaryAttributeValue")}
    return {
        "id": body["id"],
        "marketoGUID": str(body["id"]),
        "leadId": body["leadId"],
        "activityDate": query.stamp(body["activityDate"]),
        "activityTypeId": body["activityTypeId"],
        **{key: value for key, value in shown.items() if value is not None},
        "attributes": [{"name": name, "value": value} for name, value in given(body).items()],
    }


def given(body: Mapping[str, Any]) -> Body:
    """The attributes of an activity that have a value."""
    return {name: value for name, value in (body.get("attributes") or {}).items() if value not in (None, "")}


# -- leads -------------------------------------------------------------------------------------------------------------


def leads(marketo: Instance, ask: Ask) -> Body:
    """By a searchable field; at most 1000 in all, 300 a page."""
    filter_type = query.required(ask.params, "filterType")
    field = marketo.fields.get(filter_type)
    if field is None or not field.searchable:
        raise MarketoError("1011", f"Field '{filter_type}' not supported")
    texts = query.listed(query.required(ask.params, "filterValues"))
    if len(texts) > query.MAX_VALUES:
        raise MarketoError("1003", f"Invalid data: at most {query.MAX_VALUES} filterValues are allowed")
    wanted = [query.number("filterValues", each) for each in texts] if field.type == "integer" else texts
    fields = query.known_fields(ask.params.get("fields", ""), marketo.fields, DEFAULT_LEAD_FIELDS)
    after, most = 0, query.batch_size(ask.params)
    if ask.params.get("nextPageToken"):
        after = query.read_place(ask.params, marketo.org.clock.now(), marketo.switches.page_token_seconds).id
    with marketo.org.db.lock:
        found = rows_of.leads_by(marketo.org.db.connection, filter_type, wanted, after, query.MAX_MATCHES + 1)
    if len(found) > query.MAX_MATCHES:
        raise MarketoError("1003", "Too many results match the filter")
    page = found[:most]
    shown: Body = {"result": [lead(marketo, body, fields) for body in page]}
    if len(found) > most:
        shown |= {"nextPageToken": Place(0, page[-1]["id"], marketo.epoch()).token(), "moreResult": True}
    return shown


def one_lead(marketo: Instance, ask: Ask, lead_id: str) -> Body:
    fields = query.known_fields(ask.params.get("fields", ""), marketo.fields, DEFAULT_LEAD_FIELDS)
    with marketo.org.db.lock:
        found = rows_of.leads_by(marketo.org.db.connection, "id", [query.number("id", lead_id)], 0, 1)
    if not found:
        raise MarketoError("1004", f"Lead '{lead_id}' not found")
    return {"result": [lead(marketo, found[0], fields)]}


def lead(marketo: Instance, body: Mapping[str, Any], fields: Sequence[str]) -> Body:
    """The asked fields of a lead as JSON; the id comes always."""
    return {name: lead_value(marketo, body, name) for name in dict.fromkeys(["id", *fields])}


def lead_value(marketo: Instance, body: Mapping[str, Any], name: str) -> Any:
    """Null where a lead has no value, but a boolean is false then."""
    value = body.get(name)
    if name in ("createdAt", "updatedAt"):
        return query.stamp(body[name])
    return False if value is None and marketo.fields[name].type == "boolean" else value


def describe(marketo: Instance, ask: Ask) -> Body:
    return {"result": [field.described() for field in marketo.fields.values()]}


def describe2(marketo: Instance, ask: Ask) -> Body:
    known = marketo.fields.values()
    fields = [
        {"name": each.name, "displayName": each.label, "dataType": each.type, "updateable": not each.read_only,
         "crmManaged": False}
        for each in known
    ]  # fmt: skip
    searchable = [[each.name] for each in known if each.searchable]
    return {"result": [{"name": "API Lead", "searchableFields": searchable, "fields": fields}]}


# -- the rest ----------------------------------------------------------------------------------------------------------


def usage(marketo: Instance, ask: Ask) -> Body:
    """The calls of this day, by the one user there is."""
    day = marketo.day()
    used = marketo.gate.used
    return {"result": [{"date": day, "total": used, "users": [{"userId": USER, "count": used}]}]}


USER = "api.user@practice.example"


def errors(marketo: Instance, ask: Ask) -> Body:
    """The refusals of this day, by code."""
    day = marketo.day()
    found = [{"errorCode": code, "count": n} for (at, code), n in sorted(marketo.refused.items()) if at == day]
    return {"result": [{"date": day, "total": sum(each["count"] for each in found), "errors": found}]}


def none_at_all(marketo: Instance, ask: Ask) -> Body:
    """Campaigns, of which there are none."""
    return {"result": []}


def no_assets(marketo: Instance, ask: Ask) -> Body:
    return {"errors": [], "warnings": [NOTHING_FOUND]}
