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

_KNOWN = select(ACTIVITY).where(ACTIVITY.c.ref.in_(IDS))
_Stored = dict[str, Any]  # ref -> row of ``activity``


def told_apart(
    connection: Connection, name: str, page: SourcePage, rows: Iterable[JsonObject]
) -> tuple[dict[str, JsonObject], _Stored]:
    """The rows of the page's activities by ref, each that is another's namesake below a ref of its own; and what is
    known of these refs."""
    pairs = list(zip(page.activities, rows, strict=True))
    counted = (books.cursor(connection, SAME_IDS) or {}) if pairs else {}
    has_namesakes = bool(counted.get(name))  # otherwise none of them is stored
    asked = {row["ref"] for _, row in pairs}
    if has_namesakes:
        asked |= {refs_of(each)[1] for each, _ in pairs}
    known: _Stored = {row.ref: row for row in rows_in(connection, _KNOWN, asked)}
    if not page.once and not page.together and not has_namesakes:
        return {row["ref"]: row for _, row in pairs}, known
    first: dict[str, Any] = {}
    found: dict[str, JsonObject] = {}
    others: dict[str, JsonObject] = {}
    for each, row in pairs:
        own = row["ref"]
        if own not in first:
            first[own] = known[own]._mapping if own in known else row
        before = first[own]
        is_other = has_namesakes and refs_of(each)[1] in known
        if each.id in page.together:
            is_other = is_other or (own in found and _words(before) != _words(row))
        elif each.id in page.once:
            is_other = _is_another(before, row)
        if is_other:
            another = refs_of(each)[1]
            others[another] = {**row, "ref": another}
        else:
            found[own] = first[own] = row
    if new := len(others.keys() - known.keys()):
        books.set_cursor(connection, SAME_IDS, {**counted, name: int(counted.get(name, 0)) + new})
    return {**found, **others}, known


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
