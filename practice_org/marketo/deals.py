"""Opportunities of the Marketo imitation and their roles: described, read, synchronised and deleted over REST.

An instance whose leads come from Salesforce owns none of these over REST (1018); that is not imitated, so that both
kinds of clients can be tried. Shapes as in the vendor's pages on opportunities; activities 34, 35 and 36 follow.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from practice_org.marketo import query
from practice_org.marketo import rows as rows_of
from practice_org.marketo.instance import Instance
from practice_org.marketo.query import Ask, MarketoError

Body = dict[str, Any]
ACTIONS = frozenset({"createOrUpdate", "createOnly", "updateOnly"})
LINKED, UNLINKED, CHANGED = 34, 35, 36


@dataclass(frozen=True, slots=True)
class Kind:
    """``dedupe``: the fields that together are its key."""

    name: str
    dedupe: tuple[str, ...]
    fields: Mapping[str, str]


DEALS = Kind(
    "opportunity",
    ("externalOpportunityId",),
    {
        "externalOpportunityId": "string", "name": "string", "amount": "currency", "expectedRevenue": "currency",
        "closeDate": "date", "stage": "string", "isClosed": "boolean", "isWon": "boolean", "type": "string",
        "description": "string", "probability": "integer", "quantity": "float", "externalCompanyId": "string",
        "externalSalesPersonId": "string", "externalCreatedDate": "datetime", "lastActivityDate": "date",
        "leadSource": "string", "nextStep": "string", "forecastCategory": "string", "forecastCategoryName": "string",
    },
)  # fmt: skip
ROLES = Kind(
    "role",
    ("externalOpportunityId", "leadId", "role"),
    {"externalOpportunityId": "string", "leadId": "integer", "role": "string", "isPrimary": "boolean",
     "externalCreatedDate": "datetime"},
)  # fmt: skip


def _kind(path: str) -> Kind:
    return ROLES if "/opportunities/roles" in path else DEALS


def describe(marketo: Instance, ask: Ask) -> Body:
    kind = _kind(ask.path)
    fields = [
        {"name": name, "displayName": name, "dataType": of, "updateable": name not in kind.dedupe}
        for name, of in kind.fields.items()
    ]
    searchable = [["marketoGUID"], [*kind.dedupe], *([each] for each in kind.dedupe if len(kind.dedupe) > 1)]
    told = {"name": kind.name, "idField": "marketoGUID", "dedupeFields": [*kind.dedupe]}
    return {"result": [{**told, "searchableFields": searchable, "fields": fields}]}


def read(marketo: Instance, ask: Ask) -> Body:
    """By ``filterType``: the id, ``dedupeFields`` or a field of the key."""
    kind = _kind(ask.path)
    by = query.required(ask.params, "filterType")
    by = {"idField": "marketoGUID", "dedupeFields": kind.dedupe[0]}.get(by, by)
    if by not in {"marketoGUID", *kind.dedupe}:
        raise MarketoError("1003", f"Invalid filterType '{by}'")
    wanted = set(query.listed(query.required(ask.params, "filterValues")))
    fields = query.known_fields(ask.params.get("fields", ""), {*kind.fields, *_SYSTEM}, [*kind.dedupe, *_SYSTEM])
    found = [each for each in _rows(marketo, kind) if str(each.get(by)) in wanted]
    most = query.batch_size(ask.params)
    return {"result": [_shown(place, each, fields) for place, each in enumerate(found[:most])]}


_SYSTEM = ("marketoGUID", "createdAt", "updatedAt")


def _shown(place: int, body: Mapping[str, Any], fields: list[str]) -> Body:
    times = {name: query.stamp(body[name]) for name in ("createdAt", "updatedAt")}
    return {"seq": place, **{name: times.get(name, body.get(name)) for name in dict.fromkeys(["marketoGUID", *fields])}}


def _rows(marketo: Instance, kind: Kind) -> list[Body]:
    with marketo.org.db.lock:
        return rows_of.own(marketo.org.db.connection, kind.name)


def sync(marketo: Instance, ask: Ask) -> Body:
    kind, content = _kind(ask.path), ask.content()
    action, by = content.get("action") or "createOrUpdate", content.get("dedupeBy") or "dedupeFields"
    if action not in ACTIONS or by not in ("dedupeFields", "idField"):
        raise MarketoError("1003", "Invalid data: action or dedupeBy")
    key = kind.dedupe if by == "dedupeFields" else ("marketoGUID",)
    return _each(marketo, ask, lambda row: _sync(marketo, kind, row, action, key))


def _sync(marketo: Instance, kind: Kind, row: Mapping[str, Any], action: str, key: tuple[str, ...]) -> Body:
    for name in row.keys() - {"marketoGUID"}:
        if name not in kind.fields:
            raise MarketoError("1006", f"Field '{name}' not found")
    row = {name: query.field_value(name, kind.fields.get(name, "string"), value) for name, value in row.items()}
    old = _find(marketo, kind, row, key)
    if old is None and (action == "updateOnly" or key == ("marketoGUID",)):
        raise MarketoError("1013", "Record not found")
    if old is not None and action == "createOnly":
        raise MarketoError("1017", "Object already exists")
    if old is None and kind is ROLES:
        _linkable(marketo, row)
    db, now = marketo.org.db, marketo.epoch()
    number = old["id"] if old else 1 + max([0, *(each["id"] for each in _rows(marketo, kind))])
    guid = old["marketoGUID"] if old else str(uuid.uuid5(uuid.NAMESPACE_OID, json.dumps([kind.name, number])))
    fresh = {"createdAt": now, **(old or {}), **row, "id": number, "marketoGUID": guid, "updatedAt": now}
    rows_of.put_own(db.connection, kind.name, [fresh])
    if kind is DEALS:
        for each in _roles_of(marketo, fresh):
            _tell(marketo, each, CHANGED)
    elif old is None:
        _tell(marketo, fresh, LINKED)
    return {"marketoGUID": guid, "status": "updated" if old else "created"}


def _find(marketo: Instance, kind: Kind, row: Mapping[str, Any], key: tuple[str, ...]) -> Body | None:
    missing = [name for name in key if row.get(name) in (None, "")]
    if missing:
        raise MarketoError("1003", f"Invalid data: {', '.join(missing)} is needed")
    return next((each for each in _rows(marketo, kind) if all(each.get(n) == row[n] for n in key)), None)


def _linkable(marketo: Instance, row: Mapping[str, Any]) -> None:
    if _find(marketo, DEALS, row, DEALS.dedupe) is None:
        raise MarketoError("1013", f"Object not found: opportunity {row['externalOpportunityId']}")
    if not rows_of.leads_by(marketo.org.db.connection, "id", [row["leadId"]], 0, 1):
        raise MarketoError("1004", f"Lead '{row['leadId']}' not found")


def _tell(marketo: Instance, role: Mapping[str, Any], what: int) -> None:
    """An activity of a role's lead."""
    number = role["externalOpportunityId"]
    deal = next((each for each in _rows(marketo, DEALS) if each["externalOpportunityId"] == number), None)
    named = {"primaryAttributeValueId": deal["id"], "primaryAttributeValue": deal.get("name")} if deal else {}
    told = {"Role": role.get("role"), "Is Primary": bool(role.get("isPrimary"))}
    marketo.add_activities([{**named, "activityTypeId": what, "leadId": role["leadId"], "attributes": told}])


def _roles_of(marketo: Instance, deal: Mapping[str, Any]) -> list[Body]:
    number = deal["externalOpportunityId"]
    return [each for each in _rows(marketo, ROLES) if each["externalOpportunityId"] == number]


def remove(marketo: Instance, ask: Ask) -> Body:
    kind, content = _kind(ask.path), ask.content()
    key = ("marketoGUID",) if content.get("deleteBy") == "idField" else kind.dedupe
    return _each(marketo, ask, lambda row: _remove(marketo, kind, row, key))


def _remove(marketo: Instance, kind: Kind, row: Mapping[str, Any], key: tuple[str, ...]) -> Body:
    found = _find(marketo, kind, row, key)
    if found is None:
        raise MarketoError("1013", "Record not found")
    db = marketo.org.db.connection
    roles = [found] if kind is ROLES else _roles_of(marketo, found)
    for each in roles:
        _tell(marketo, each, UNLINKED)
    rows_of.drop_own(db, ROLES.name, [each["id"] for each in roles])
    if kind is DEALS:
        rows_of.drop_own(db, DEALS.name, [found["id"]])
    return {"marketoGUID": found["marketoGUID"], "status": "deleted"}


def _each(marketo: Instance, ask: Ask, work: Any) -> Body:
    """One row's answer after the other, with ``seq``; a refused row delays no other."""
    answers = []
    for place, row in enumerate(query.rows_given(ask.content())):
        try:
            with marketo.org.db.transaction():
                answers.append({"seq": place, **work(row)})
        except MarketoError as error:
            reasons = [{"code": error.code, "message": error.message}]
            answers.append({"seq": place, "status": "skipped", "reasons": reasons})
    return {"result": answers}
