"""The rows of the Marketo imitation in SQLite: leads, the log of activities, and what an instance adds to the standard.

Times are whole epoch seconds, bodies JSON with times as epoch seconds too. An activity is read in the order of its
date, but may become visible later than that (``visible_at``): the vendor's own knowledge base tells of sent mails that
appear behind a cursor.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Sequence
from typing import Any

from practice_org.marketo.query import Place

SCHEMA = """
CREATE TABLE IF NOT EXISTS marketo_lead (
    id INTEGER PRIMARY KEY,
    updated_at INTEGER NOT NULL,
    gone INTEGER NOT NULL,         -- deleted, or merged into another
    body TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS marketo_lead_email ON marketo_lead (json_extract(body, '$.email') COLLATE NOCASE);
CREATE INDEX IF NOT EXISTS marketo_lead_contact ON marketo_lead (json_extract(body, '$.sfdcContactId'));
CREATE INDEX IF NOT EXISTS marketo_lead_lead ON marketo_lead (json_extract(body, '$.sfdcLeadId'));
CREATE TABLE IF NOT EXISTS marketo_activity (
    id INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,
    visible_at INTEGER NOT NULL,
    body TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS marketo_activity_at ON marketo_activity (at, id);
CREATE TABLE IF NOT EXISTS marketo_own (    -- types and fields that are not standard, lists, opportunities
    kind TEXT NOT NULL,
    id INTEGER NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (kind, id)
)
"""
_TABLES = {"lead": "marketo_lead", "activity": "marketo_activity"}

Body = dict[str, Any]


def create(db: sqlite3.Connection) -> None:
    for statement in SCHEMA.split(";\n"):
        db.execute(statement)


def next_id(db: sqlite3.Connection, kind: str, first: int) -> int:
    """The next free id of "lead" or "activity"."""
    (last,) = db.execute(f"SELECT max(id) FROM {_TABLES[kind]}").fetchone()
    return max(first, (last or 0) + 1)


def count(db: sqlite3.Connection, kind: str) -> int:
    where = " WHERE gone = 0" if kind == "lead" else ""
    return int(db.execute(f"SELECT count(*) FROM {_TABLES[kind]}{where}").fetchone()[0])


# -- leads -------------------------------------------------------------------------------------------------------------


def put_leads(db: sqlite3.Connection, bodies: Iterable[Body], *, gone: bool = False) -> None:
    """Adds leads, or replaces those of the same id."""
    db.executemany(
        "INSERT OR REPLACE INTO marketo_lead VALUES (?, ?, ?, ?)",
        ((body["id"], body["updatedAt"], gone, json.dumps(body, separators=(",", ":"))) for body in bodies),
    )


def leads_by(db: sqlite3.Connection, field: str, wanted: Sequence[Any], after: int, most: int) -> list[Body]:
    """Leads of which a searchable field has one of the values, by id, behind the id ``after``."""
    column = "id" if field == "id" else f"json_extract(body, '$.{field}')"
    collation = " COLLATE NOCASE" if field == "email" else ""
    rows = db.execute(
        f"SELECT body FROM marketo_lead WHERE gone = 0 AND id > :after"
        f" AND {column}{collation} IN (SELECT value FROM json_each(:wanted)) ORDER BY id LIMIT :most",
        {"after": after, "wanted": json.dumps(list(wanted)), "most": most},
    )
    return [json.loads(body) for (body,) in rows]


def leads_between(db: sqlite3.Connection, field: str, start: int, end: int) -> list[Body]:
    """Leads whose createdAt or updatedAt lies in the range, both ends included, in that order."""
    at = f"json_extract(body, '$.{field}')"
    rows = db.execute(
        f"SELECT body FROM marketo_lead WHERE gone = 0 AND {at} BETWEEN ? AND ? ORDER BY {at}, id",
        (start, end),
    )
    return [json.loads(body) for (body,) in rows]


def leads(db: sqlite3.Connection, after: int, most: int) -> list[Body]:
    rows = db.execute("SELECT body FROM marketo_lead WHERE gone = 0 AND id > ? ORDER BY id LIMIT ?", (after, most))
    return [json.loads(body) for (body,) in rows]


# -- activities --------------------------------------------------------------------------------------------------------


def put_activities(db: sqlite3.Connection, bodies: Iterable[Body], visible_at: int) -> None:
    """A body has at least id, leadId, activityTypeId and activityDate."""
    db.executemany(
        "INSERT INTO marketo_activity VALUES (?, ?, ?, ?)",
        ((body["id"], body["activityDate"], visible_at, json.dumps(body, separators=(",", ":"))) for body in bodies),
    )


def scan(db: sqlite3.Connection, after: Place, now: int, most: int) -> tuple[list[Body], bool]:
    """The next activities behind a place, of every type, and whether there are more behind them."""
    rows = db.execute(
        "SELECT body FROM marketo_activity WHERE (at, id) > (?, ?) AND at <= ? AND visible_at <= ?"
        " ORDER BY at, id LIMIT ?",
        (after.at, after.id, now, now, most + 1),
    ).fetchall()
    return [json.loads(body) for (body,) in rows[:most]], len(rows) > most


def activities_between(db: sqlite3.Connection, start: int, end: int, now: int) -> list[Body]:
    """Activities dated in the range, both ends included."""
    rows = db.execute(
        "SELECT body FROM marketo_activity WHERE at BETWEEN ? AND ? AND at <= ? AND visible_at <= ? ORDER BY at, id",
        (start, end, now, now),
    )
    return [json.loads(body) for (body,) in rows]


# -- an instance's own -------------------------------------------------------------------------------------------------


def put_own(db: sqlite3.Connection, kind: str, bodies: Iterable[Body]) -> None:
    db.executemany(
        "INSERT OR REPLACE INTO marketo_own VALUES (?, ?, ?)",
        ((kind, body["id"], json.dumps(body)) for body in bodies),
    )


def own(db: sqlite3.Connection, kind: str, ids: Sequence[int] | None = None) -> list[Body]:
    """What an instance added, "type" or "field" or "list" for one, by id; all, or those with these ids."""
    only = "" if ids is None else " AND id IN (SELECT value FROM json_each(:ids))"
    query = f"SELECT body FROM marketo_own WHERE kind = :kind{only} ORDER BY id"
    return [json.loads(body) for (body,) in db.execute(query, {"kind": kind, "ids": json.dumps(list(ids or ()))})]


def drop_own(db: sqlite3.Connection, kind: str, ids: Sequence[int]) -> None:
    db.executemany("DELETE FROM marketo_own WHERE kind = ? AND id = ?", ((kind, each) for each in ids))
