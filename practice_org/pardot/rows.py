"""The rows of the Account Engagement imitation: one SQLite table, one row a version of a record.

Old versions stay because the real service may answer from a copy up to a minute old: a read with a ``horizon`` sees
the newest version written by then. Times are whole epoch seconds, bodies JSON with times as epoch seconds too.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable
from typing import Any

from practice_org.pardot.query import Query

SCHEMA = """
CREATE TABLE IF NOT EXISTS pardot_row (
    object TEXT NOT NULL,
    id INTEGER NOT NULL,
    version INTEGER NOT NULL,
    written_at INTEGER NOT NULL,   -- when this version became known to the primary
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    is_deleted INTEGER NOT NULL,
    type INTEGER,
    prospect_id INTEGER,
    campaign_id INTEGER,
    body TEXT NOT NULL,
    PRIMARY KEY (object, id, version)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS pardot_row_created ON pardot_row (object, created_at, id);
CREATE INDEX IF NOT EXISTS pardot_row_updated ON pardot_row (object, updated_at, id);
"""

COLUMNS = {
    "id": "id",
    "createdAt": "created_at",
    "updatedAt": "updated_at",
    "type": "type",
    "prospectId": "prospect_id",
    "campaignId": "campaign_id",
}
_OPERATORS = frozenset({"=", "<", "<=", ">", ">="})
_VISIBLE = (
    "version = (SELECT max(version) FROM pardot_row v"
    " WHERE v.object = r.object AND v.id = r.id AND v.written_at <= :horizon)"
)

Body = dict[str, Any]


def create(db: sqlite3.Connection) -> None:
    for statement in SCHEMA.split(";\n"):
        db.execute(statement)


def write(db: sqlite3.Connection, name: str, bodies: Iterable[Body], written_at: int) -> None:
    """Adds a version of each body; a body has at least id, createdAt and updatedAt."""
    db.executemany(
        "INSERT INTO pardot_row SELECT :object, :id, 1 + coalesce((SELECT max(version) FROM pardot_row"
        " WHERE object = :object AND id = :id), 0), :written_at, :created_at, :updated_at, :is_deleted, :type,"
        " :prospect_id, :campaign_id, :body",
        (
            {
                **{column: body.get(field) for field, column in COLUMNS.items()},
                "object": name,
                "written_at": written_at,
                "is_deleted": bool(body.get("isDeleted")),
                "body": json.dumps(body, separators=(",", ":")),
            }
            for body in bodies
        ),
    )


def next_id(db: sqlite3.Connection, name: str, first: int) -> int:
    (last,) = db.execute("SELECT max(id) FROM pardot_row WHERE object = ?", (name,)).fetchone()
    return max(first, (last or 0) + 1)


def read(db: sqlite3.Connection, query: Query, horizon: int) -> tuple[list[Body], bool]:
    """A page of bodies, and whether there are more behind it."""
    where, values = _where(query)
    sign = "DESC" if query.descending else "ASC"
    order = COLUMNS[query.order]
    if query.after:
        compare = "<" if query.descending else ">"
        where.append(f"({order}, id) {compare} (:after_value, :after_id)")
        values.update(after_value=query.after[0], after_id=query.after[1])
    rows = db.execute(
        f"SELECT body FROM pardot_row r WHERE {' AND '.join(where)} ORDER BY {order} {sign}, id {sign}"
        " LIMIT :rows OFFSET :skip",
        {**values, "horizon": horizon, "rows": query.limit + 1, "skip": query.offset},
    ).fetchall()
    return [json.loads(body) for (body,) in rows[: query.limit]], len(rows) > query.limit


def newest_change(db: sqlite3.Connection, query: Query, horizon: int) -> int:
    """When anything the query could return last changed; 0 when it returns nothing."""
    where, values = _where(query)
    row = db.execute(
        f"SELECT max(updated_at) FROM pardot_row r WHERE {' AND '.join(where)}", {**values, "horizon": horizon}
    ).fetchone()
    return int(row[0] or 0)


def many(db: sqlite3.Connection, name: str, ids: Iterable[int], horizon: int) -> dict[int, Body]:
    """Records by id, for related fields."""
    rows = db.execute(
        "SELECT id, body FROM pardot_row r WHERE object = :object"
        f" AND id IN (SELECT value FROM json_each(:ids)) AND {_VISIBLE}",
        {"object": name, "ids": json.dumps(list(ids)), "horizon": horizon},
    )
    return {record_id: json.loads(body) for record_id, body in rows}


def _where(query: Query) -> tuple[list[str], dict[str, Any]]:
    where = ["object = :object", _VISIBLE]
    values: dict[str, Any] = {"object": query.object}
    if query.deleted != "all":
        where.append(f"is_deleted = {int(query.deleted == 'true')}")
    for place, (field, operator, value) in enumerate(query.filters):
        if operator not in _OPERATORS:
            raise KeyError(operator)
        where.append(f"{COLUMNS[field]} {operator} :value{place}")
        values[f"value{place}"] = value
    return where, values


def count(db: sqlite3.Connection, name: str) -> int:
    """Records that are not deleted."""
    query = Query(name)
    where, values = _where(query)
    (found,) = db.execute(
        f"SELECT count(*) FROM pardot_row r WHERE {' AND '.join(where)}", {**values, "horizon": 2**62}
    ).fetchone()
    return int(found)
