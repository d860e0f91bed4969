"""Fields that the connector's user may not edit: refused once, then left out of what is sent.

A refusal names the field, and the org's describe says whether it is so for all of its records. What would be written
there is set aside like any refused write, without asking Salesforce. Once a day describe is asked again: where the
field can be edited by then, whoever waits for it is written. ``connector failures retry`` forgets what is known of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import structlog

from connector.base.errors import INVALID_FIELD, INVALID_FIELD_FOR_WRITE, Refused
from connector.base.facts import Outcome, RecordChange, Result
from connector.base.json import JsonObject
from connector.base.ports import Salesforce
from connector.store import UNWRITABLE, Store

log = structlog.get_logger(__name__)

_LOOK_AGAIN = timedelta(days=1)
_CODES = (INVALID_FIELD_FOR_WRITE, INVALID_FIELD)
_Known = dict[str, dict[str, JsonObject]]  # object -> field -> code, message, since, asked


def unwritable(store: Store) -> _Known:
    return {name: dict(fields) for name, fields in (store.cursor(UNWRITABLE) or {}).items()}


def without_unwritable(store: Store, changes: Sequence[RecordChange]) -> Iterator[Outcome]:
    """What is not to be sent of these changes."""
    known = unwritable(store)
    for each in changes if known else ():
        told = known.get(each.object, {})
        if fields := [one for one in each.changes if one.field in told]:
            first = told[fields[0].field]
            apart = replace(each, changes=tuple(fields))
            yield Outcome(apart, Result.SET_ASIDE, first["code"], first["message"])


def note_unwritable(salesforce: Salesforce, store: Store, outcomes: Sequence[Outcome], now: datetime) -> None:
    """Keeps the fields of these refusals that no record of the object takes. A person account's are its account's."""
    refused = [each for each in outcomes if each.code in _CODES and not each.change.is_person_account]
    known = unwritable(store) if refused else {}
    new: dict[str, dict[str, JsonObject]] = {}
    for each in refused:
        told = {"code": each.code, "message": each.message, "since": now.isoformat(), "asked": now.isoformat()}
        fields = {one.field: told for one in each.change.changes if one.field not in known.get(each.change.object, {})}
        if fields:
            new.setdefault(each.change.object, {}).update(fields)
    for name, fields in new.items():
        closed = _closed(salesforce, name, fields)
        if closed:
            log.warning("fields cannot be edited: left out of what is written", object=name, fields=", ".join(closed))
            known.setdefault(name, {}).update({each: fields[each] for each in closed})
            store.set_cursor(UNWRITABLE, known)


def look_again(salesforce: Salesforce, store: Store, now: datetime) -> None:
    """Asks once a day whether they can be edited by now."""
    known, opened = unwritable(store), set()
    if not known:
        return
    for name, fields in known.items():
        if all(now - datetime.fromisoformat(each["asked"]) < _LOOK_AGAIN for each in fields.values()):
            continue
        closed = _closed(salesforce, name, fields)
        opened |= {(name, each) for each in fields.keys() - set(closed)}
        known[name] = {each: {**fields[each], "asked": now.isoformat()} for each in closed}
    left = {name: fields for name, fields in known.items() if fields}
    if opened:
        log.info("fields can be edited again", fields=", ".join(sorted(f"{name}.{each}" for name, each in opened)))
        waiting = {
            each["person_id"]
            for each in store.set_aside(None)
            if opened & {(each["object"], change["field"]) for change in each["changes"]}
        }
        store.retry_set_aside(sorted(waiting))
    if left != unwritable(store):
        store.set_cursor(UNWRITABLE, left or None)


def _closed(salesforce: Salesforce, object_name: str, fields: dict[str, JsonObject]) -> list[str]:
    """Those that the describe does not have, or says that they cannot be edited."""
    try:
        described = {each["name"]: each for each in salesforce.describe(object_name)["fields"]}
    except Refused:
        return sorted(fields)
    return sorted(each for each in fields if not described.get(each, {"updateable": False}).get("updateable", True))
