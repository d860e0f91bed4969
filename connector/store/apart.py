"""Two facts with one id. What happened once and comes back as another kind, at another time with other words, or at a
time that no clock and no zone explains, is no edit: both stay, the later comer below an id with its time and kind, and
how many came so is counted by source. What differs less, a corrected time or a better name, is an edit and replaces
what was known. Rows that a source has at once are never edits of each other.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, select

from connector.base.facts import Activity, SourcePage
from connector.base.json import JsonObject
from connector.store import books
from connector.store.links import IDS, rows_in
from connector.store.rows import iso, ref, storable
from connector.store.schema import ACTIVITY

SAME_IDS = "facts with the id of another"  # the cursor that counts them: source -> how many
CORRECTED = timedelta(days=1)  # by so much a time may be put right; all zones are within it

_COLUMNS = (ACTIVITY.c.ref, ACTIVITY.c.kind, ACTIVITY.c.occurred_at, ACTIVITY.c.name, ACTIVITY.c.attributes)
_KNOWN = select(*_COLUMNS).where(ACTIVITY.c.ref.in_(IDS))


def told_apart(
    connection: Connection, name: str, page: SourcePage, rows: Iterable[JsonObject]
) -> dict[str, JsonObject]:
    """The rows of the page's activities by ref, each that is another's namesake below a ref of its own."""
    pairs = list(zip(page.activities, rows, strict=True))
    counted = (books.cursor(connection, SAME_IDS) or {}) if pairs else {}
    if not page.once and not page.together and not counted.get(name):
        return {row["ref"]: row for _, row in pairs}
    asked = {row["ref"] for _, row in pairs} | {refs_of(each)[1] for each, _ in pairs}
    known = {row.ref: row._mapping for row in rows_in(connection, _KNOWN, asked)}
    first: dict[str, Any] = dict(known)
    found: dict[str, JsonObject] = {}
    others: dict[str, JsonObject] = {}
    for each, row in pairs:
        another, before = refs_of(each)[1], first.setdefault(row["ref"], row)
        if each.id in page.together:
            is_other = another in known or (row["ref"] in found and _words(before) != _words(row))
        elif each.id in page.once:
            is_other = _is_another(before, row)
        else:
            is_other = another in known
        if is_other:
            others[another] = {**row, "ref": another}
        else:
            found[row["ref"]] = first[row["ref"]] = row
    if new := len(others.keys() - known.keys()):
        books.set_cursor(connection, SAME_IDS, {**counted, name: int(counted.get(name, 0)) + new})
    return {**found, **others}


def refs_of(each: Activity) -> tuple[str, str]:
    """What an activity is known by: by its id, or where that is another's below it, with its time and kind."""
    return ref(each.source, each.id), ref(each.source, f"{each.id}@{iso(each.occurred_at)} {storable(each.kind)}")


def _words(row: Any) -> tuple[Any, ...]:
    return row["kind"], row["occurred_at"], row["name"], row["attributes"]


def _is_another(before: Any, row: JsonObject) -> bool:
    if before["kind"] != row["kind"]:
        return True
    if before["occurred_at"] == row["occurred_at"]:
        return False
    is_reworded = (before["name"], before["attributes"]) != (row["name"], row["attributes"])
    then, now = (datetime.fromisoformat(each["occurred_at"]) for each in (before, row))
    return is_reworded or abs(now - then) > CORRECTED
