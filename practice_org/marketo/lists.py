"""Static lists of the Marketo imitation, who is in them, and the partitions of leads.

Shapes as in the vendor's pages on static lists; who is added or removed leaves activities 24 and 25. Members are kept
one row each, so that a list of any size is added to at the same cost.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from practice_org.marketo import query, reads
from practice_org.marketo import rows as rows_of
from practice_org.marketo.instance import Instance
from practice_org.marketo.objects import DEFAULT_LEAD_FIELDS
from practice_org.marketo.query import Ask, Place

Body = dict[str, Any]
FIRST_LIST = 1001
ADDED, REMOVED = 24, 25
PARTITIONS = ({"id": 1, "name": "Default", "description": "Initial system lead partition"},)


def add_lists(marketo: Instance, names: Sequence[str]) -> list[int]:
    """New static lists, in the one workspace there is."""
    db, now = marketo.org.db, marketo.epoch()
    with db.transaction():
        known = rows_of.own(db.connection, "list")
        first = max([FIRST_LIST, *(each["id"] + 1 for each in known)])
        told = {"workspaceName": "Default", "createdAt": now, "updatedAt": now}
        made = [{"id": first + place, "name": name, **told} for place, name in enumerate(names)]
        rows_of.put_own(db.connection, "list", made)
    return [each["id"] for each in made]


def change_members(marketo: Instance, list_id: int, lead_ids: Sequence[int], *, kind: int = ADDED) -> list[bool]:
    """Adds leads to a list or, with ``kind`` REMOVED, takes them off; whether each one was not there already."""
    db, now = marketo.org.db, marketo.epoch()
    table, name = reads.members_of(list_id), reads.list_with(marketo, list_id)["name"]
    with db.transaction():
        there = {each["id"] for each in rows_of.own(db.connection, table, lead_ids)}
        changed = [each for each in dict.fromkeys(lead_ids) if (each in there) == (kind == REMOVED)]
        if kind == ADDED:
            rows_of.put_own(db.connection, table, [{"id": each, "at": now} for each in changed])
        else:
            rows_of.drop_own(db.connection, table, changed)
        about = {"activityTypeId": kind, "primaryAttributeValueId": list_id, "primaryAttributeValue": name}
        marketo.add_activities([{**about, "leadId": each, "attributes": {"Source": "API"}} for each in changed])
    return [each in changed for each in lead_ids]


def _shown(body: Mapping[str, Any]) -> Body:
    return {**body, **{name: query.stamp(body[name]) for name in ("createdAt", "updatedAt")}}


def lists(marketo: Instance, ask: Ask) -> Body:
    """All, or by ``id`` or ``name``."""
    with marketo.org.db.lock:
        found = rows_of.own(marketo.org.db.connection, "list")
    ids, names = set(query.numbers(ask.params, "id", query.MAX_VALUES)), set(query.listed(ask.params.get("name", "")))
    asked = [each for each in found if (not ids or each["id"] in ids) and (not names or each["name"] in names)]
    return {"result": [_shown(each) for each in asked[: query.batch_size(ask.params)]]}


def one_list(marketo: Instance, ask: Ask, list_id: str) -> Body:
    return {"result": [_shown(reads.list_with(marketo, query.number("id", list_id)))]}


def members(marketo: Instance, ask: Ask, list_id: str) -> Body:
    """The leads of a list by id, 300 a page."""
    table = reads.members_of(reads.list_with(marketo, query.number("listId", list_id))["id"])
    fields = query.known_fields(ask.params.get("fields", ""), marketo.fields, DEFAULT_LEAD_FIELDS)
    after, most, db = 0, query.batch_size(ask.params), marketo.org.db
    if ask.params.get("nextPageToken"):
        after = query.read_place(ask.params, marketo.org.clock.now(), marketo.switches.page_token_seconds).id
    with db.lock:
        ids = [each["id"] for each in rows_of.own(db.connection, table) if each["id"] > after]
        found = rows_of.leads_by(db.connection, "id", ids, after, most + 1)
    shown: Body = {"result": [reads.lead(marketo, each, fields) for each in found[:most]]}
    if len(found) > most:
        shown |= {"nextPageToken": Place(0, found[most - 1]["id"], marketo.epoch()).token(), "moreResult": True}
    return shown


def add_members(marketo: Instance, ask: Ask, list_id: str) -> Body:
    return _changed(marketo, ask, list_id, ADDED, ("added", "skipped"))


def remove_members(marketo: Instance, ask: Ask, list_id: str) -> Body:
    return _changed(marketo, ask, list_id, REMOVED, ("removed", "skipped"))


def _changed(marketo: Instance, ask: Ask, list_id: str, kind: int, said: tuple[str, str]) -> Body:
    listed, ids = query.number("listId", list_id), _asked(ask)
    with marketo.org.db.lock:
        known = {each["id"] for each in rows_of.leads_by(marketo.org.db.connection, "id", ids, 0, len(ids) + 1)}
        done = dict(zip(ids, change_members(marketo, listed, [e for e in ids if e in known], kind=kind), strict=False))
    done = {each: done.get(each, False) for each in ids}
    return {"result": [_row(each, known, said[not done[each]], kind) for each in ids]}


def _row(lead_id: int, known: set[int], status: str, kind: int) -> Body:
    if lead_id not in known:
        return {"id": lead_id, "status": "skipped", "reasons": [_reason("1004", "Lead not found")]}
    if status == "skipped" and kind == REMOVED:
        return {"id": lead_id, "status": "skipped", "reasons": [_reason("1015", "Lead not in list")]}
    return {"id": lead_id, "status": status}


def _reason(code: str, message: str) -> Body:
    return {"code": code, "message": message}


def is_member(marketo: Instance, ask: Ask, list_id: str) -> Body:
    table = reads.members_of(reads.list_with(marketo, query.number("listId", list_id))["id"])
    query.required(ask.params, "id")
    ids = query.numbers(ask.params, "id", query.MAX_VALUES)
    with marketo.org.db.lock:
        there = {each["id"] for each in rows_of.own(marketo.org.db.connection, table, ids)}
    return {"result": [{"id": each, "status": "memberof" if each in there else "notmemberof"} for each in ids]}


def _asked(ask: Ask) -> list[int]:
    """Ids from the body's ``input`` or from the parameter ``id``."""
    if ask.params.get("id"):
        return query.numbers(ask.params, "id", query.MAX_BATCH)
    return [query.number("id", str(each.get("id"))) for each in query.rows_given(ask.content())]


def partitions(marketo: Instance, ask: Ask) -> Body:
    """The one that every instance begins with."""
    return {"result": [*PARTITIONS]}
