"""Activities that are old, and leave. See ``connector.lifecycle.folding``: which ones is not for the store to say."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Connection, delete, select

from connector.store import links, related
from connector.store.links import IDS, rows_in, run_for
from connector.store.rows import OF_SALESFORCE, iso, read_json, ref
from connector.store.schema import ACTIVITY

_ALSO_TOLD_BY = "ActivityId"  # of a mail: the task that tells the same, and would be seen once the mail is gone
_COLUMNS = tuple(ACTIVITY.c[name] for name in ("ref", "crm_id", "prospect", "email", "feed"))
_TOLD = select(ACTIVITY.c.attributes).where(ACTIVITY.c.ref.in_(IDS), ACTIVITY.c.feed == "EmailMessage")
_LEAVE = delete(ACTIVITY).where(ACTIVITY.c.ref.in_(IDS))


class OldOnes(NamedTuple):
    """``refs`` of activities, and the ``people`` to whom any of them belongs. ``last``: the place behind them, None at
    the end."""

    refs: Sequence[str]
    people: Sequence[str]
    last: str | None


def old_ones(connection: Connection, after: str, before: datetime, limit: int) -> OldOnes:
    """In the order of the refs. Those that relations name are left out: they are several people's in different ways."""
    query = select(*_COLUMNS).where(ACTIVITY.c.ref > after, ACTIVITY.c.occurred_at < iso(before))
    rows: Sequence[Any] = connection.execute(query.order_by(ACTIVITY.c.ref).limit(limit)).all()
    last = rows[-1].ref if len(rows) == limit else None
    named = related.with_relations(connection, [row._mapping for row in rows])
    rows = [row for row in rows if row.ref not in named]
    people = links.affected(
        connection,
        ids=[row.crm_id for row in rows],
        prospects=[row.prospect for row in rows],
        emails=[row.email for row in rows if not row.crm_id and not row.prospect],
    )
    return OldOnes([row.ref for row in rows], sorted(people), last)


def leave(connection: Connection, refs: Sequence[str]) -> int:
    """Nobody is marked: nothing is decided otherwise."""
    mails = [read_json(row.attributes) for row in rows_in(connection, _TOLD, refs)]
    also = {ref(OF_SALESFORCE, task) for each in mails if (task := each.get(_ALSO_TOLD_BY))}
    return run_for(connection, _LEAVE, {*refs, *also})
