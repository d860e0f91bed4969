"""Fields that the user does not see, although they are asked for: read without them, and nothing forgotten.

One hidden or withdrawn field makes Salesforce refuse a whole query. The org's describe says which it is; the object is
read without it, what was known of it before stays as it was, and it is looked for again every day: once it is shown,
all of the object is read again. A field that was never seen may be what keeps people where they are: until it is,
nobody is moved back (``blind.py``).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import structlog

from connector.base.errors import Refused
from connector.base.facts import Row
from connector.base.json import JsonMap, JsonObject
from connector.base.ports import PolledObject
from connector.base.text import quoted_in
from connector.store import Store

log = structlog.get_logger(__name__)

# Where it is kept: object -> field -> since when, when last refused, whether it was ever read.
HIDDEN_FIELDS = "hidden fields"
_LOOK_AGAIN = timedelta(days=1)
_Hidden = Mapping[str, Mapping[str, JsonMap]]


def hidden_fields(store: Store) -> dict[str, dict[str, JsonObject]]:
    return {name: dict(fields) for name, fields in (store.cursor(HIDDEN_FIELDS) or {}).items()}


def without_hidden(each: PolledObject, hidden: _Hidden) -> PolledObject:
    """The object with its hidden fields among the optional ones."""
    gone = [name for name in each.fields if name in hidden.get(each.name, ())]
    if not gone:
        return each
    fields = tuple(name for name in each.fields if name not in gone)
    return replace(each, fields=fields, optional=tuple(sorted({*each.optional, *gone})))


def hidden_yet(
    store: Store, hidden: _Hidden, missing: Mapping[str, Sequence[str]], now: datetime
) -> dict[str, list[str]]:
    """Those that are not there yet. Whether a parent shows a field, describe does not say: it is asked for once a
    day."""
    left: dict[str, dict[str, JsonMap]] = {}
    for name, fields in hidden.items():
        gone = missing.get(name, ())
        rest = {field: told for field, told in fields.items() if field in gone or _is_fresh(field, told, now)}
        if rest:
            left[name] = rest
        if shown := sorted(fields.keys() - rest.keys()):
            log.info("fields are shown again, reading all of it", object=name, fields=", ".join(shown))
    if left != hidden:
        store.set_cursor(HIDDEN_FIELDS, left)
    return {name: sorted(fields) for name, fields in left.items()}


def _is_fresh(field: str, told: JsonMap, now: datetime) -> bool:
    return "." in field and now - datetime.fromisoformat(told["asked"]) < _LOOK_AGAIN


def named_in(error: Refused, fields: Collection[str]) -> list[str]:
    """Fields of which the refusal speaks: itself, its parent, or a field of the parent."""
    words = set(quoted_in(error.what))
    return sorted(name for name in fields if words & {name, *name.split(".")})


def note_hidden(store: Store, name: str, fields: Sequence[str], known: Collection[str], now: datetime) -> None:
    hidden = hidden_fields(store)
    mine = hidden.setdefault(name, {})
    for field in fields:
        was = mine.get(field, {"since": now.isoformat(), "known": field in known})
        mine[field] = {**was, "asked": now.isoformat()}
    store.set_cursor(HIDDEN_FIELDS, hidden)
    log.warning("fields are hidden from the user: read without them", object=name, fields=", ".join(fields))


def as_known(store: Store, each: PolledObject, rows: Sequence[Row], fields: Collection[str]) -> Sequence[Row]:
    """The rows, with what was known of hidden fields before."""
    if not fields:
        return rows
    ids = [row["Id"] for row in rows]
    known = store.records(ids) if each.to_activity is None else store.told_of_activities(ids)
    return _with(known, rows, fields)


def record_again(store: Store, name: str, rows: Sequence[Row]) -> None:
    """Records that were read by their ids between two polls, with what was known of hidden fields before."""
    fields = hidden_fields(store).get(name, {})
    store.record_rows(name, _with(store.records([row["Id"] for row in rows]) if fields else {}, rows, fields))


def _with(known: Mapping[str, JsonMap], rows: Sequence[Row], fields: Collection[str]) -> list[Row]:
    return [{**row, **_of(known.get(row["Id"], {}), fields)} for row in rows]


def _of(known: JsonMap, fields: Collection[str]) -> JsonObject:
    return {name: known[name] for name in fields if known.get(name) is not None}
