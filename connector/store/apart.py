"""Two facts with one id. Whose time *and* words are others, or whose kind is, is no edit of what happened once: both
stay, the later comer below an id with its time and kind, and how many came so is counted by source. What differs in
one of them only, a corrected time or a better name, is an edit and replaces what was known.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Connection, select

from connector.base.facts import Activity
from connector.base.json import JsonObject
from connector.store import books
from connector.store.links import IDS, rows_in
from connector.store.rows import ref
from connector.store.schema import ACTIVITY

SAME_IDS = "facts with the id of another"  # the cursor that counts them: source -> how many

_COLUMNS = (ACTIVITY.c.ref, ACTIVITY.c.kind, ACTIVITY.c.occurred_at, ACTIVITY.c.name, ACTIVITY.c.attributes)
_KNOWN = select(*_COLUMNS).where(ACTIVITY.c.ref.in_(IDS))


def told_apart(
    connection: Connection, name: str, activities: Sequence[Activity], rows: Iterable[JsonObject], once: frozenset[str]
) -> dict[str, JsonObject]:
    """The activities' rows by ref. ``once``: ids of those that happened once; of others the last row is what is so."""
    pairs = list(zip(activities, rows, strict=True))
    if not once:
        return {row["ref"]: row for _, row in pairs}
    asked = {row["ref"] for each, row in pairs if each.id in once}
    found: dict[str, JsonObject] = {}
    first: dict[str, Any] = {row.ref: row._mapping for row in rows_in(connection, _KNOWN, asked)}
    others: dict[str, JsonObject] = {}
    for each, row in pairs:
        if each.id in once and _is_another(first.setdefault(row["ref"], row), row):
            another = ref(each.source, f"{each.id}@{row['occurred_at']} {row['kind']}")
            others[another] = {**row, "ref": another}
        else:
            found[row["ref"]] = first[row["ref"]] = row
    if new := len(others) - len(list(rows_in(connection, _KNOWN, others))):
        known = books.cursor(connection, SAME_IDS) or {}
        books.set_cursor(connection, SAME_IDS, {**known, name: int(known.get(name, 0)) + new})
    return {**found, **others}


def _is_another(before: Any, row: JsonObject) -> bool:
    is_reworded = (before["name"], before["attributes"]) != (row["name"], row["attributes"])
    return bool(before["kind"] != row["kind"] or (before["occurred_at"] != row["occurred_at"] and is_reworded))
