"""Answers about CRM objects: search, pages, single records, batches. Each takes a :class:`Call` and gives a status and
a body, or raises HubSpotError. Shapes as in HubSpot's OpenAPI collection and in recorded traffic.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from starlette.datastructures import QueryParams

from practice_org.hubspot import rows as hubspot_rows
from practice_org.hubspot.gate import HubSpotError, invalid
from practice_org.hubspot.objects import ALIASES, ObjectType
from practice_org.hubspot.portal import Portal
from practice_org.hubspot.rows import Record
from practice_org.hubspot.search import read_search
from practice_org.hubspot.write import Backward

MOST_A_PAGE = 100
MOST_WITH_HISTORY = 50
MOST_IN_A_BATCH = 100

Answer = tuple[int, Any]


@dataclass(frozen=True, slots=True)
class Call:
    path: str
    names: Mapping[str, str]  # from the path
    query: QueryParams
    body: Mapping[str, Any]

    def words(self, name: str) -> list[str]:
        """A list in the query, repeated or with commas."""
        return [word.strip() for each in self.query.getlist(name) for word in each.split(",") if word.strip()]

    def is_set(self, name: str) -> bool:
        return self.query.get(name, "false").lower() == "true"


def object_type(hub: Portal, text: str) -> ObjectType:
    name = ALIASES.get(text.lower())
    if name is None:
        raise invalid(f"Unable to infer object type from: {text}")
    return hub.objects[name]


def search(hub: Portal, call: Call) -> Answer:
    """``total`` and the pages count what the index holds; what was archived since then is missing from its page, as
    recorded from the real service."""
    kind = object_type(hub, call.names["object"])
    asked = read_search(call.body, kind)
    db, horizon = hub.org.db.connection, hub.now() - hub.switches.index_lag_seconds * 1000
    total = hubspot_rows.count(db, kind.name, asked.where, asked.values, horizon)
    tail = f"ORDER BY {asked.order} LIMIT {asked.limit} OFFSET {asked.after}"
    records = hubspot_rows.select(db, kind.name, asked.where, asked.values, tail, horizon)
    newest = hubspot_rows.many(db, kind.name, [each.id for each in records]) if hub.switches.index_lag_seconds else {}
    live = [each for each in records if each.id not in newest or newest[each.id].archived_at is None]
    body: dict[str, Any] = {"total": total, "results": [shown(kind, each, asked.properties) for each in live]}
    if total > asked.after + len(records) and records:
        after = str(asked.after + len(records))
        body["paging"] = {"next": {"after": after, "link": f"?after={after}"}}
    return 200, body


def page(hub: Portal, call: Call) -> Answer:
    kind = object_type(hub, call.names["object"])
    history = call.words("propertiesWithHistory")
    most = MOST_WITH_HISTORY if history else MOST_A_PAGE
    limit, after = call.query.get("limit", "10"), call.query.get("after", "0")
    if not (limit.isdigit() and after.isdigit() and 0 < int(limit) <= most):
        raise invalid(f"limit is between 1 and {most}, after is what the page before gave")
    archived = call.is_set("archived")
    where = f"archived_at IS {'NOT ' if archived else ''}NULL AND merged_into IS NULL AND id > :after"
    db = hub.org.db.connection
    tail = f"ORDER BY id LIMIT {int(limit) + 1}"
    found = hubspot_rows.select(db, kind.name, where, {"after": int(after)}, tail)
    records = found[: int(limit)]
    body: dict[str, Any] = {"results": _rendered(hub, kind, records, call, history)}
    if len(found) > len(records):
        next_page = str(records[-1].id)
        body["paging"] = {"next": {"after": next_page, "link": f"{call.path}?after={next_page}"}}
    return 200, body


def get(hub: Portal, call: Call) -> Answer:
    kind = object_type(hub, call.names["object"])
    [record] = _find(hub, kind, [call.names["id"]], call.query.get("idProperty")).values() or [None]
    if record is None or (record.archived_at is not None) != call.is_set("archived"):
        raise _missing()
    return 200, _rendered(hub, kind, [record], call, call.words("propertiesWithHistory"))[0]


def create(hub: Portal, call: Call) -> Answer:
    kind = object_type(hub, call.names["object"])
    [record] = hub.create(kind.name, [_given(call.body)], _how(hub))
    _tie(hub, kind, record.id, call.body)
    return 201, shown(kind, record, tuple(_given(call.body)))


def patch(hub: Portal, call: Call) -> Answer:
    kind = object_type(hub, call.names["object"])
    given = _given(call.body)
    [record] = _find(hub, kind, [call.names["id"]], call.query.get("idProperty")).values() or [None]
    updated = hub.update(kind.name, {record.id: given}, _how(hub)) if record else {}
    if not updated or record is None:
        raise _missing()
    return 200, shown(kind, updated[record.id], tuple(given))


def archive(hub: Portal, call: Call) -> Answer:
    kind = object_type(hub, call.names["object"])
    hub.archive(_numbers([call.names["id"]]), kind.name)
    return 204, None


def merge(hub: Portal, call: Call) -> Answer:
    kind = object_type(hub, call.names["object"])
    ids = [str(call.body.get(key)) for key in ("primaryObjectId", "objectIdToMerge")]
    if kind.name != "contacts" or not all(each.isdigit() for each in ids):
        raise invalid("primaryObjectId and objectIdToMerge of contacts are needed")
    hub.merge(int(ids[0]), int(ids[1]))
    return 200, shown(kind, hubspot_rows.many(hub.org.db.connection, kind.name, [int(ids[0])])[int(ids[0])], ())


def batch_read(hub: Portal, call: Call) -> Answer:
    kind = object_type(hub, call.names["object"])
    ids = [str(each.get("id")) for each in _inputs(call)]
    found = _find(hub, kind, ids, call.body.get("idProperty"))
    live = {one: record for one, record in found.items() if record.archived_at is None}
    properties = tuple(call.body.get("properties") or ())
    history = list(call.body.get("propertiesWithHistory") or ())
    results = [_with_history(hub, kind, record, shown(kind, record, properties), history) for record in live.values()]
    missing = [one for one in ids if one not in live]
    return batch(hub, results, [_lost(kind, missing)] if missing else [])


def batch_update(hub: Portal, call: Call) -> Answer:
    """Each row for itself, so one that is wrong delays no other."""
    kind, inputs = object_type(hub, call.names["object"]), _inputs(call)
    found = _find(
        hub, kind, [str(each.get("id")) for each in inputs], next((i.get("idProperty") for i in inputs), None)
    )
    results, errors = [], []
    for each in inputs:
        one, given = str(each.get("id")), _given(each)
        try:
            updated = hub.update(kind.name, {found[one].id: given}, _how(hub)) if one in found else {}
        except HubSpotError as error:
            errors.append({**error.body(), "context": {"ids": [one]}})
            continue
        if updated:
            results.append(shown(kind, updated[found[one].id], tuple(given)))
        else:
            errors.append(_lost(kind, [one]))
    return batch(hub, results, errors)


def batch_create(hub: Portal, call: Call) -> Answer:
    kind, inputs = object_type(hub, call.names["object"]), _inputs(call)
    records = hub.create(kind.name, [_given(each) for each in inputs], _how(hub))
    for record, each in zip(records, inputs, strict=True):
        _tie(hub, kind, record.id, each)
    status, body = batch(hub, [shown(kind, each, tuple(each.body)) for each in records], [])
    return (201 if status == 200 else status), body


def batch_archive(hub: Portal, call: Call) -> Answer:
    kind = object_type(hub, call.names["object"])
    hub.archive(_numbers([str(each.get("id")) for each in _inputs(call)]), kind.name)
    return 204, None


def batch(hub: Portal, results: list[Any], errors: list[Any]) -> Answer:
    """200, or 207 when there are errors beside."""
    now = iso(hub.now())
    body = {"status": "COMPLETE", "results": results, "startedAt": now, "completedAt": now}
    return (207, {**body, "numErrors": len(errors), "errors": errors}) if errors else (200, body)


def shown(kind: ObjectType, record: Record, asked: Sequence[str]) -> dict[str, Any]:
    """A record as JSON: every value is text or null; a property that does not exist is passed over."""
    own = {kind.always[0]: record.created_at, "hs_object_id": record.id, kind.modified: record.updated_at}
    names = sorted({*kind.always, *(name for name in asked if name in kind.properties)} if asked else {*kind.shown})
    values = {name: own.get(name, record.body.get(name)) for name in names}
    body: dict[str, Any] = {
        "id": str(record.id),
        "properties": {name: text(kind, name, value) for name, value in values.items()},
        "createdAt": iso(record.created_at),
        "updatedAt": iso(record.updated_at),
        "archived": record.archived_at is not None,
    }
    return body if record.archived_at is None else {**body, "archivedAt": iso(record.archived_at)}


def text(kind: ObjectType, name: str, value: str | int | None) -> str | None:
    is_time = kind.properties[name].type == "datetime" and value is not None
    return iso(int(value or 0)) if is_time else None if value is None else str(value)


def iso(at: int) -> str:
    return datetime.fromtimestamp(at / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _rendered(
    hub: Portal, kind: ObjectType, records: Sequence[Record], call: Call, history: Sequence[str]
) -> list[dict[str, Any]]:
    """Records with what else the query asks for: history, and ids of associated records."""
    asked = call.words("properties")
    bodies = [_with_history(hub, kind, each, shown(kind, each, asked), history) for each in records]
    for other in call.words("associations"):
        target = object_type(hub, other)
        linked = hubspot_rows.linked(hub.org.db.connection, kind.name, [each.id for each in records], target.name)
        label = f"{kind.singular}_to_{target.singular}".lower()
        for record, body in zip(records, bodies, strict=True):
            if ids := linked.get(record.id):
                results = [{"id": str(each), "type": label} for each in ids]
                body.setdefault("associations", {})[target.name] = {"results": results}
    return bodies


def _with_history(
    hub: Portal, kind: ObjectType, record: Record, body: dict[str, Any], names: Sequence[str]
) -> dict[str, Any]:
    """``propertiesWithHistory``: the values a property had, the newest first."""
    known = [name for name in names if name in kind.properties]
    if not known:
        return body
    past = hubspot_rows.versions(hub.org.db.connection, kind.name, record.id)
    shown_names: dict[str, list[dict[str, Any]]] = {name: [] for name in known}
    for name in known:
        last: Any = None
        for at, values in past:
            if values.get(name) != last:
                last = values.get(name)
                entry = {"value": text(kind, name, last) or "", "timestamp": iso(at), "sourceType": "INTEGRATION"}
                shown_names[name].insert(0, entry)
    return {**body, "propertiesWithHistory": shown_names}


def _find(hub: Portal, kind: ObjectType, ids: Sequence[str], id_property: Any) -> dict[str, Record]:
    """Records by what was asked: the id, or a property with values of its own (``email``)."""
    db = hub.org.db.connection
    if id_property and id_property != "hs_object_id":
        if kind.name != "contacts" or id_property != "email":
            raise invalid(f"{id_property} is not a unique property of {kind.name}")
        wanted = {each.lower(): each for each in ids}
        marks = {f"e{place}": each for place, each in enumerate(wanted)}
        where = f"archived_at IS NULL AND json_extract(body, '$.email') IN ({', '.join(f':{key}' for key in marks)})"
        found = hubspot_rows.select(db, kind.name, where, marks, "")
        return {wanted[str(record.body["email"])]: record for record in found}
    numbers = {int(each): each for each in ids if each.isascii() and each.isdigit()}
    return {numbers[one]: record for one, record in hubspot_rows.many(db, kind.name, numbers).items()}


def _inputs(call: Call) -> list[dict[str, Any]]:
    inputs = call.body.get("inputs")
    if not isinstance(inputs, list) or not all(isinstance(each, dict) for each in inputs):
        raise invalid("inputs is a list of objects")
    if not 0 < len(inputs) <= MOST_IN_A_BATCH:
        raise invalid(f"A batch has 1 to {MOST_IN_A_BATCH} inputs, not {len(inputs)}")
    return inputs


def _given(body: Mapping[str, Any]) -> dict[str, Any]:
    given = body.get("properties")
    if not isinstance(given, dict):
        raise invalid("properties is an object")
    return given


def _tie(hub: Portal, kind: ObjectType, record_id: int, body: Mapping[str, Any]) -> None:
    contacts = _numbers([str(each.get("to", {}).get("id")) for each in body.get("associations") or ()])
    if contacts and kind.to_contact:
        hub.associate(kind.name, {record_id: contacts})


def _numbers(ids: Sequence[str]) -> list[int]:
    return [int(each) for each in ids if each.isascii() and each.isdigit()]


def _how(hub: Portal) -> Backward:
    return Backward.REFUSE if hub.switches.refuse_backward else Backward.IGNORE


def _missing() -> HubSpotError:
    return HubSpotError(404, "OBJECT_NOT_FOUND", "resource not found")


def _lost(kind: ObjectType, ids: Sequence[str]) -> dict[str, Any]:
    message = f"Could not get some {kind.singular} objects, they may be deleted or not exist. Check that ids are valid."
    return {"status": "error", "category": "OBJECT_NOT_FOUND", "message": message, "context": {"ids": list(ids)}}
