"""Answers beside the objects: properties, owners, and the marketing e-mail events of the old v1 API."""

from __future__ import annotations

import base64
import json
from typing import Any

from practice_org.hubspot import rows as hubspot_rows
from practice_org.hubspot.crm import Answer, Call, iso, object_type
from practice_org.hubspot.gate import HubSpotError, invalid
from practice_org.hubspot.objects import Property
from practice_org.hubspot.portal import Portal
from practice_org.hubspot.search import milliseconds

MOST_EVENTS = 1000
_FIELD_TYPES = {"enumeration": "select", "datetime": "date", "number": "number", "bool": "booleancheckbox"}


def account(hub: Portal, call: Call) -> Answer:
    """Source: HubSpot's guide to account information."""
    return 200, {"portalId": hub.portal, "accountType": "STANDARD", "timeZone": "UTC", "uiDomain": "app.hubspot.com"}


def properties(hub: Portal, call: Call) -> Answer:
    kind = object_type(hub, call.names["object"])
    return 200, {"results": [_property(each) for each in kind.properties.values()]}


def one_property(hub: Portal, call: Call) -> Answer:
    kind = object_type(hub, call.names["object"])
    known = kind.properties.get(call.names["name"])
    if known is None:
        raise HubSpotError(404, "OBJECT_NOT_FOUND", f"The property {call.names['name']} does not exist")
    return 200, _property(known)


def _property(known: Property) -> dict[str, Any]:
    options = [
        {"label": label, "value": value, "displayOrder": place, "hidden": False, "description": ""}
        for place, (value, label) in enumerate(known.options)
    ]
    locked = known.read_only
    return {
        "name": known.name,
        "label": known.label or known.name,
        "type": known.type,
        "fieldType": _FIELD_TYPES.get(known.type, "text"),
        "description": "",
        "groupName": "contactinformation",
        "options": options,
        "displayOrder": -1,
        "calculated": False,
        "externalOptions": False,
        "hasUniqueValue": False,
        "hidden": False,
        "hubspotDefined": known.name.startswith("hs_") or known.name == "lifecyclestage",
        "modificationMetadata": {
            "archivable": True,
            "readOnlyDefinition": locked,
            "readOnlyOptions": locked,
            "readOnlyValue": locked,
        },
        "formField": not locked,
    }


def owners(hub: Portal, call: Call) -> Answer:
    made = iso(0)
    stamps = {"createdAt": made, "updatedAt": made, "archived": False, "type": "PERSON"}
    return 200, {"results": [{**stamps, **owner} for owner in hub.owners]}


def email_events(hub: Portal, call: Call) -> Answer:
    """The newest first; ``offset`` is opaque and goes on behind the page before."""
    where: list[str] = []
    values: dict[str, Any] = {}
    for name, sql in (("startTimestamp", "created >= :startTimestamp"), ("endTimestamp", "created <= :endTimestamp")):
        if name in call.query:
            where.append(sql)
            values[name] = _milliseconds(name, call.query[name])
    for name, sql in (("eventType", "type = :eventType"), ("recipient", "lower(recipient) = lower(:recipient)")):
        if name in call.query:
            where.append(sql)
            values[name] = call.query[name]
    if call.is_set("excludeFilteredEvents"):
        where.append("NOT coalesce(json_extract(body, '$.filteredEvent'), 0)")
    if offset := call.query.get("offset"):
        where.append("(created, id) < (:last_created, :last_id)")
        values["last_created"], values["last_id"] = _read_offset(offset)
    limit = call.query.get("limit", "10")
    if not limit.isdigit() or not 0 < int(limit) <= MOST_EVENTS:
        raise invalid(f"limit is between 1 and {MOST_EVENTS}")
    found, more = hubspot_rows.events(hub.org.db.connection, where, values, int(limit))
    last = [found[-1]["created"], found[-1]["id"]] if found else []
    token = base64.urlsafe_b64encode(json.dumps(last).encode()).decode() if found else offset or ""
    return 200, {"hasMore": more, "offset": token, "events": found}


def _milliseconds(name: str, value: str) -> int:
    try:
        return milliseconds(value)
    except ValueError:
        raise invalid(f"{name} is no time in milliseconds: {value!r}") from None


def _read_offset(offset: str) -> tuple[int, str]:
    try:
        created, one = json.loads(base64.urlsafe_b64decode(offset))
        return int(created), str(one)
    except (ValueError, TypeError):
        raise invalid("offset is invalid") from None
