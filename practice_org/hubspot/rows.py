"""The rows of the HubSpot imitation in the org's SQLite: records in versions, associations, marketing e-mail events.

A record keeps its versions, because search reads an index that lags (the newest version written by a ``horizon``) and
because property history is what differs between them. Times are whole milliseconds; a body holds the set properties as
text, datetimes as milliseconds.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

SCHEMA = """
CREATE TABLE IF NOT EXISTS hubspot_row (
    object TEXT NOT NULL,
    id INTEGER NOT NULL,
    version INTEGER NOT NULL,
    written_at INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    archived_at INTEGER,
    merged_into INTEGER,          -- the record that this one became part of
    body TEXT NOT NULL,
    PRIMARY KEY (object, id, version)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS hubspot_row_updated ON hubspot_row (object, updated_at, id);
CREATE TABLE IF NOT EXISTS hubspot_link (
    from_object TEXT NOT NULL, from_id INTEGER NOT NULL, to_object TEXT NOT NULL, to_id INTEGER NOT NULL,
    PRIMARY KEY (from_object, from_id, to_object, to_id)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS hubspot_link_back ON hubspot_link (to_object, to_id, from_object, from_id);
CREATE TABLE IF NOT EXISTS hubspot_event (
    created INTEGER NOT NULL, id TEXT NOT NULL, type TEXT NOT NULL, recipient TEXT NOT NULL, body TEXT NOT NULL,
    PRIMARY KEY (created, id)
) WITHOUT ROWID;
"""
NOW = 2**62  # a horizon that hides nothing
NEWEST = (
    "version = (SELECT max(version) FROM hubspot_row v"
    " WHERE v.object = r.object AND v.id = r.id AND v.written_at <= :horizon)"
)
_COLUMNS = "id, created_at, updated_at, archived_at, merged_into, body"


@dataclass(frozen=True, slots=True)
class Record:
    id: int
    created_at: int
    updated_at: int
    archived_at: int | None
    merged_into: int | None
    body: dict[str, str | int]


def create(db: sqlite3.Connection) -> None:
    for statement in SCHEMA.split(";\n"):
        db.execute(statement)


def write(db: sqlite3.Connection, name: str, records: Iterable[Record], written_at: int) -> None:
    """Adds a version of each record."""
    db.executemany(
        "INSERT INTO hubspot_row SELECT :object, :id, 1 + coalesce((SELECT max(version) FROM hubspot_row"
        " WHERE object = :object AND id = :id), 0), :written_at, :created_at, :updated_at, :archived_at,"
        " :merged_into, :body",
        (
            {
                "object": name,
                "id": each.id,
                "written_at": written_at,
                "created_at": each.created_at,
                "updated_at": each.updated_at,
                "archived_at": each.archived_at,
                "merged_into": each.merged_into,
                "body": json.dumps(each.body, separators=(",", ":")),
            }
            for each in records
        ),
    )


def next_id(db: sqlite3.Connection, name: str, first: int) -> int:
    (last,) = db.execute("SELECT max(id) FROM hubspot_row WHERE object = ?", (name,)).fetchone()
    return max(first, (last or 0) + 1)


def select(
    db: sqlite3.Connection, name: str, where: str, values: dict[str, Any], tail: str, horizon: int = NOW
) -> list[Record]:
    """Newest versions that fit ``where``; ``tail`` is ORDER BY and LIMIT."""
    rows = db.execute(
        f"SELECT {_COLUMNS} FROM hubspot_row r WHERE object = :object AND {NEWEST} AND {where} {tail}",
        {**values, "object": name, "horizon": horizon},
    )
    return [Record(*[*row[:5], json.loads(row[5])]) for row in rows]


def count(
    db: sqlite3.Connection, name: str, where: str = "archived_at IS NULL", values: Any = None, horizon: int = NOW
) -> int:
    (found,) = db.execute(
        f"SELECT count(*) FROM hubspot_row r WHERE object = :object AND {NEWEST} AND {where}",
        {**(values or {}), "object": name, "horizon": horizon},
    ).fetchone()
    return int(found)


def many(db: sqlite3.Connection, name: str, ids: Iterable[int]) -> dict[int, Record]:
    """Records by id, archived ones too; a merged id gives the record that it became, under the asked id."""
    found: dict[int, Record] = {}
    wanted = {each: each for each in ids}
    while wanted:
        values = {"ids": json.dumps(sorted(set(wanted.values())))}
        where = "id IN (SELECT value FROM json_each(:ids))"
        rows = {each.id: each for each in select(db, name, where, values, "")}
        onward: dict[int, int] = {}
        for asked, target in wanted.items():
            record = rows.get(target)
            if record is not None and record.merged_into is not None:
                onward[asked] = record.merged_into
            elif record is not None:
                found[asked] = record
        wanted = onward
    return found


def versions(db: sqlite3.Connection, name: str, record_id: int) -> list[tuple[int, dict[str, Any]]]:
    """(written at, body) of every version, oldest first."""
    rows = db.execute(
        "SELECT written_at, body FROM hubspot_row WHERE object = ? AND id = ? ORDER BY version", (name, record_id)
    )
    return [(at, json.loads(body)) for at, body in rows]


def link(db: sqlite3.Connection, pairs: Iterable[tuple[str, int, str, int]]) -> None:
    db.executemany("INSERT OR IGNORE INTO hubspot_link VALUES (?, ?, ?, ?)", pairs)


def unlink(db: sqlite3.Connection, name: str, one: int, other: str, another: int) -> None:
    """Whichever side the tie was made from."""
    where = "from_object = ? AND from_id = ? AND to_object = ? AND to_id = ?"
    pairs = [(name, one, other, another), (other, another, name, one)]
    db.executemany(f"DELETE FROM hubspot_link WHERE {where}", pairs)


def move_links(db: sqlite3.Connection, name: str, loser: int, winner: int) -> None:
    """What was tied to a merged record is tied to the one it became."""
    for side in ("from", "to"):
        where = f"{side}_object = ? AND {side}_id = ?"
        db.execute(f"UPDATE OR IGNORE hubspot_link SET {side}_id = ? WHERE {where}", (winner, name, loser))
        db.execute(f"DELETE FROM hubspot_link WHERE {where}", (name, loser))


def linked(db: sqlite3.Connection, name: str, ids: Sequence[int], other: str) -> dict[int, list[int]]:
    """The ids of the other object that each record is tied to, whichever side the tie was made from."""
    rows = db.execute(
        "SELECT from_id AS one, to_id FROM hubspot_link WHERE from_object = :name AND to_object = :other"
        " AND from_id IN (SELECT value FROM json_each(:ids)) UNION"
        " SELECT to_id, from_id FROM hubspot_link WHERE to_object = :name AND from_object = :other"
        " AND to_id IN (SELECT value FROM json_each(:ids)) ORDER BY 1, 2",
        {"name": name, "other": other, "ids": json.dumps(list(ids))},
    )
    found: dict[int, list[int]] = {}
    for one, another in rows:
        found.setdefault(one, []).append(another)
    return found


def write_events(db: sqlite3.Connection, bodies: Iterable[dict[str, Any]]) -> None:
    db.executemany(
        "INSERT OR REPLACE INTO hubspot_event VALUES (?, ?, ?, ?, ?)",
        ((each["created"], each["id"], each["type"], each["recipient"], json.dumps(each)) for each in bodies),
    )


def events(
    db: sqlite3.Connection, where: Sequence[str], values: dict[str, Any], limit: int
) -> tuple[list[dict[str, Any]], bool]:
    """The newest events first, and whether there are more."""
    rows = db.execute(
        f"SELECT body FROM hubspot_event WHERE {' AND '.join(['1', *where])}"
        " ORDER BY created DESC, id DESC LIMIT :rows",
        {**values, "rows": limit + 1},
    ).fetchall()
    return [json.loads(body) for (body,) in rows[:limit]], len(rows) > limit
