"""What was, before it became what it is: kept when it is overwritten.

Kept are the values that a record loses, with the moment at which the new ones became true, and what was remembered of a
track until it is remembered otherwise. What is read for the first time costs nothing, and neither does what is read
again and is the same. Our own writes are in the decision log, with the values that they replaced.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Protocol

from sqlalchemy import Connection, bindparam, insert, select

from connector.base.json import JsonMap, JsonObject
from connector.store import books
from connector.store.dialect import run_many
from connector.store.rows import ECHO, dumps, iso, read_json
from connector.store.schema import HISTORY, SETTING

_PREFIX = "fields "  # settings of this name and an object's: field -> when it was first read

_INSERT = insert(HISTORY).values({each.name: bindparam(each.name) for each in HISTORY.columns if each.name != "id"})
_FIELDS = select(SETTING.c.name, SETTING.c.value).where(SETTING.c.name.startswith(_PREFIX))


class _Changed(Protocol):
    """A row of ``record`` before (None: it is new) and after."""

    @property
    def before(self) -> Any: ...
    @property
    def after(self) -> JsonObject: ...


def keep_rows(connection: Connection, changed: Iterable[_Changed], now: datetime) -> None:
    """Keeps what these rows lose. The new values are true since the row's stamp; where that did not move, as with
    formulas and with deletions that are only listed, since we saw them."""
    lost = []
    for each in changed:
        before, after = each.before, each.after
        if before is None:
            continue
        was = {} if before.fields == after["fields"] else _lost(read_json(before.fields), read_json(after["fields"]))
        if was or before.live != after["live"]:
            until = after["stamp"] if after["stamp"] > before.stamp else iso(now)
            lost.append({"ref": before.id, "track": "", "until": until, "live": bool(before.live), "said": dumps(was)})
    run_many(connection, _INSERT, lost)


def _lost(old: JsonMap, new: JsonMap) -> JsonObject:
    return {name: value for name, value in old.items() if name not in ECHO and (name not in new or new[name] != value)}


def keep_memories(connection: Connection, lost: Iterable[tuple[str, str, str]], until: str) -> None:
    """Keeps (person, track, memory) that is remembered no longer."""
    rows = [
        {"ref": person, "track": track, "until": until, "live": True, "said": memory} for person, track, memory in lost
    ]
    run_many(connection, _INSERT, rows)


def note_fields(connection: Connection, object_name: str, row: JsonMap, now: datetime) -> None:
    """Remembers when each field of an object was first read: what it was before that, nobody knows."""
    known = books.setting(connection, _PREFIX + object_name)
    since = read_json(known) if known else {}
    if not row.keys() <= since.keys():
        books.set_setting(connection, _PREFIX + object_name, dumps({**dict.fromkeys(row, iso(now)), **since}))


def fields_since(connection: Connection) -> dict[str, dict[str, str]]:
    """Object -> field -> since when it is read."""
    return {name.removeprefix(_PREFIX): read_json(value) for name, value in connection.execute(_FIELDS)}
