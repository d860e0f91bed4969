"""What was written, and what was remembered before it: from these a rollback is made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy import Connection, exists, func, not_, select

from connector.base.json import JsonMap, JsonObject
from connector.store.links import IDS, rows_in
from connector.store.rows import iso, read_json
from connector.store.schema import CYCLE, HISTORY, LOG, TRACK
from connector.store.texts import in_text

UNDONE = "undone"  # in a track's memory: what was rolled back, see ``connector.pipeline.undone``
_APPLIED = LOG.c.result == "applied"
_LAST = (
    select(LOG.c.record_id, LOG.c.track, func.max(LOG.c.id), func.max(LOG.c.cycle_id))
    .where(_APPLIED, LOG.c.person_id.in_(IDS))
    .group_by(LOG.c.record_id, LOG.c.track)
)
_TRACKS = select(TRACK.c.person_id, TRACK.c.track, TRACK.c.memory, TRACK.c.since).where(TRACK.c.person_id.in_(IDS))
_MEMORIES = (
    select(HISTORY.c.ref, HISTORY.c.track, HISTORY.c.until, HISTORY.c.said, HISTORY.c.id)
    .where(HISTORY.c.ref.in_(IDS), HISTORY.c.track != "")
    .order_by(HISTORY.c.id)
)


def written(
    connection: Connection, run: int | None, since: datetime | None, people: Sequence[str] | None
) -> list[JsonObject]:
    """Entries of the log that Salesforce took, in order: of a run, since a time, of these people; whatever is given."""
    query = select(LOG).where(_APPLIED).order_by(LOG.c.id)
    if run is not None:
        query = query.where(LOG.c.cycle_id == run)
    if since is not None:
        was_over = exists().where(CYCLE.c.id == LOG.c.cycle_id, CYCLE.c.ended_at < iso(since))
        whole = since.replace(microsecond=0)  # the log has Salesforce's time, which is of whole seconds
        query = query.where(LOG.c.at >= iso(whole), not_(was_over))
    if people is not None:
        query = query.where(LOG.c.person_id.in_(people))
    return [{**row._mapping, "changes": read_json(row.changes)} for row in connection.execute(query)]


def last_written(connection: Connection, people: Sequence[str]) -> dict[tuple[str, str], tuple[int, int]]:
    """(record, track) -> the last entry of the log, and its run."""
    return {(row[0], row[1]): (row[2], row[3]) for row in rows_in(connection, _LAST, people)}


def memories_before(connection: Connection, first: Mapping[tuple[str, str], str]) -> dict[tuple[str, str], JsonMap]:
    """(person, track) -> what was remembered until it was written at this time. Tracks that are never decided by
    themselves, like dates of stages, are left out."""
    people = sorted({person for person, _ in first})
    kept: dict[tuple[str, str], JsonMap] = {}
    for row in sorted(rows_in(connection, _MEMORIES, people), key=lambda each: int(each[4])):
        key = (row[0], row[1])
        if key in first and key not in kept and row[2] >= first[key]:
            kept[key] = read_json(row[3])
    found: dict[tuple[str, str], JsonMap] = {}
    for person, track, memory, since in rows_in(connection, _TRACKS, people):
        key = (person, track)
        if key in first:
            found[key] = {} if since == first[key] else kept.get(key, read_json(memory))
    return found


def rolled_back(connection: Connection) -> int:
    """How many values were rolled back and are kept so."""
    memory = in_text(connection.dialect.name, TRACK.c.memory)
    query = select(func.count()).select_from(TRACK).where(memory.contains(f'"{UNDONE}"'))
    return int(connection.execute(query).scalar() or 0)
