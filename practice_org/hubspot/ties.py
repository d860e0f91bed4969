"""What ties records: associations read in batches and by record, made and taken away, and the pipelines of deals.

Shapes as in HubSpot's guides to associations v4 and to pipelines.
"""

from __future__ import annotations

from typing import Any

from practice_org.hubspot import rows as hubspot_rows
from practice_org.hubspot.crm import Answer, Call, batch, iso, object_type
from practice_org.hubspot.gate import HubSpotError, invalid
from practice_org.hubspot.objects import ObjectType
from practice_org.hubspot.portal import Portal

MOST_ASSOCIATIONS = 1000
MOST_A_PAGE = 500  # of one record's ties
TIES_A_PAGE = 100  # UNCONFIRMED: 100 or 500
_STAGES = (  # of the pipeline that every account begins with: id, label, probability
    ("appointmentscheduled", "Appointment Scheduled", "0.2"),
    ("qualifiedtobuy", "Qualified To Buy", "0.4"),
    ("presentationscheduled", "Presentation Scheduled", "0.6"),
    ("decisionmakerboughtin", "Decision Maker Bought-In", "0.8"),
    ("contractsent", "Contract Sent", "0.9"),
    ("closedwon", "Closed Won", "1.0"),
    ("closedlost", "Closed Lost", "0.0"),
)


def associations(hub: Portal, call: Call) -> Answer:
    """v4 and dated: ids with the types of the tie."""
    start, end = _ends(hub, call)
    return _associations(hub, call, lambda each: _shown(start, end, each))


def associations_v3(hub: Portal, call: Call) -> Answer:
    start, end = _ends(hub, call)
    label = f"{start.singular}_to_{end.singular}".lower()
    return _associations(hub, call, lambda each: {"id": str(each), "type": label})


def of_record(hub: Portal, call: Call) -> Answer:
    """One record's ties to an object, 500 a page; ``after`` is the last id of the page before."""
    start, end = _ends(hub, call)
    limit, after = call.query.get("limit", str(MOST_A_PAGE)), call.query.get("after", "0")
    if not (limit.isdigit() and after.isdigit() and 0 < int(limit) <= MOST_A_PAGE):
        raise invalid(f"limit is between 1 and {MOST_A_PAGE}, after is what the page before gave")
    one = _there(hub, start, call.names["id"])
    ties = hubspot_rows.linked(hub.org.db.connection, start.name, [one], end.name).get(one, [])
    left = [each for each in ties if each > int(after)]
    page = left[: int(limit)]
    body: dict[str, Any] = {"results": [_shown(start, end, each) for each in page]}
    if len(left) > len(page):
        body["paging"] = {"next": {"after": str(page[-1]), "link": f"{call.path}?after={page[-1]}"}}
    return 200, body


def tie(hub: Portal, call: Call) -> Answer:
    """The default tie of two records."""
    start, end = _ends(hub, call)
    one, other = _there(hub, start, call.names["id"]), _there(hub, end, call.names["other"])
    with hub.org.db.transaction():
        hubspot_rows.link(hub.org.db.connection, [(start.name, one, end.name, other)])
    ways = ((start, one, end, other), (end, other, start, one))
    results = [
        {"from": {"id": str(a)}, "to": {"id": str(b)}, "associationSpec": _spec(of, to)} for of, a, to, b in ways
    ]
    return batch(hub, results, [])


def untie(hub: Portal, call: Call) -> Answer:
    start, end = _ends(hub, call)
    one, other = _there(hub, start, call.names["id"]), _there(hub, end, call.names["other"])
    with hub.org.db.transaction():
        hubspot_rows.unlink(hub.org.db.connection, start.name, one, end.name, other)
    return 204, None


def pipelines(hub: Portal, call: Call) -> Answer:
    """The one of deals; other objects have none here."""
    kind = object_type(hub, call.names["object"])
    made = {"createdAt": iso(0), "updatedAt": iso(0), "archived": False}
    stages = [
        {"id": name, "label": label, "displayOrder": place, **made,
         "metadata": {"isClosed": str(name.startswith("closed")).lower(), "probability": probability}}
        for place, (name, label, probability) in enumerate(_STAGES)
    ]  # fmt: skip
    sales = {"id": "default", "label": "Sales Pipeline", "displayOrder": 0, **made, "stages": stages}
    return 200, {"results": [sales] if kind.name == "deals" else []}


def _ends(hub: Portal, call: Call) -> tuple[ObjectType, ObjectType]:
    return object_type(hub, call.names["from"]), object_type(hub, call.names["to"])


def _there(hub: Portal, kind: ObjectType, given: str) -> int:
    number = int(given) if given.isascii() and given.isdigit() else 0
    found = hubspot_rows.many(hub.org.db.connection, kind.name, [number]).get(number)
    if found is None or found.archived_at is not None:
        raise HubSpotError(404, "OBJECT_NOT_FOUND", "resource not found")
    return found.id


def _shown(start: ObjectType, end: ObjectType, other: int) -> dict[str, Any]:
    number = _spec(start, end)["associationTypeId"]
    tied = {"category": "HUBSPOT_DEFINED", "typeId": number, "label": None}
    return {"toObjectId": str(other), "associationTypes": [tied]}


def _spec(start: ObjectType, end: ObjectType) -> dict[str, Any]:
    """UNCONFIRMED: the type of the way back is taken to be the one before."""
    number = start.to_contact if end.name == "contacts" else end.to_contact - 1
    return {"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": number}


def _tied(one: int, others: list[int], start: int, shown: Any) -> dict[str, Any]:
    """One page of a record's ties; ``after`` goes on behind it."""
    end = start + TIES_A_PAGE
    body: dict[str, Any] = {"from": {"id": str(one)}, "to": [shown(each) for each in others[start:end]]}
    return {**body, "paging": {"next": {"after": str(end)}}} if end < len(others) else body


def _associations(hub: Portal, call: Call, shown: Any) -> Answer:
    start, end = _ends(hub, call)
    inputs = call.body.get("inputs")
    if not isinstance(inputs, list) or not 0 < len(inputs) <= MOST_ASSOCIATIONS:
        raise invalid(f"1 to {MOST_ASSOCIATIONS} inputs are needed")
    ids = [str(each.get("id")) if isinstance(each, dict) else "" for each in inputs]
    if not all(one.isascii() and one.isdigit() for one in ids):
        raise invalid("each input has an id")
    linked = hubspot_rows.linked(hub.org.db.connection, start.name, [int(one) for one in ids], end.name)
    starts = {str(each["id"]): int(each.get("after") or 0) for each in inputs}
    results = [_tied(one, others, starts.get(str(one), 0), shown) for one, others in linked.items()]
    errors = [
        {
            "status": "error",
            "category": "OBJECT_NOT_FOUND",
            "subCategory": "crm.associations.NO_ASSOCIATIONS_FOUND",
            "message": f"No {end.singular.lower()} is associated with {start.singular.lower()} {one}.",
            "context": {"fromObjectId": [one], "fromObjectType": [start.type_id], "toObjectType": [end.type_id]},
        }
        for one in ids
        if int(one) not in linked
    ]
    return batch(hub, results, errors)
