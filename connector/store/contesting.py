"""What was written to a field lately, and which fields are set aside as contested."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, delete, or_, select

from connector.base.facts import CONTESTED, Result
from connector.store import books
from connector.store.dialect import run_many
from connector.store.links import IDS, rows_in
from connector.store.rows import iso, read_json
from connector.store.schema import LOG, SET_ASIDE

UNWRITABLE = "unwritable fields"  # where ``connector.pipeline.unwritable`` keeps them
Field = tuple[str, str]  # record, field
Wrote = tuple[str, Any, Any]  # when, from, to

_LATELY = (
    select(LOG.c.id, LOG.c.record_id, LOG.c.changes, LOG.c.code, LOG.c.at)
    .where(LOG.c.person_id.in_(IDS))
    .where(or_(LOG.c.result == Result.APPLIED.value, LOG.c.code == CONTESTED))
)
_STANDING = select(SET_ASIDE.c.record_id, SET_ASIDE.c.changes, SET_ASIDE.c.message).where(
    SET_ASIDE.c.person_id.in_(IDS), SET_ASIDE.c.code == CONTESTED
)

_LET_GO = delete(SET_ASIDE).where(
    SET_ASIDE.c.person_id == bindparam("person"), SET_ASIDE.c.code == bindparam("contested")
)


def lately(connection: Connection, people: Sequence[str], since: datetime) -> dict[Field, list[Wrote]]:
    """What was written to each field of these people's records, the oldest first, since it was last contested."""
    found: dict[Field, list[Wrote]] = {}
    rows = rows_in(connection, _LATELY.where(LOG.c.at >= iso(since)), people)
    for _, record, changes, code, at in sorted(tuple(row) for row in rows):
        for each in json.loads(changes):
            key = (record, each["field"])
            if code == CONTESTED:
                found.pop(key, None)
            else:
                found.setdefault(key, []).append((at, each["old"], each["new"]))
    return found


def standing(connection: Connection, people: Sequence[str]) -> dict[Field, str]:
    """Fields of these people's records that are set aside as contested, and what was said of them."""
    rows = rows_in(connection, _STANDING, people)
    return {(record, change["field"]): said for record, changes, said in rows for change in read_json(changes)}


def let_go(connection: Connection, people: Sequence[str]) -> None:
    """They are written again, until somebody sets them back as often; fields that could not be edited, too."""
    books.set_cursor(connection, UNWRITABLE, None)
    run_many(connection, _LET_GO, [{"person": each, "contested": CONTESTED} for each in people])
