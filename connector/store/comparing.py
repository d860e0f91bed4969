"""What the state has of an object, as ids and stamps, to be compared with the org."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, func, or_, select, true

from connector.store.ids import between
from connector.store.recording import ACTIVITY_OBJECTS
from connector.store.rows import OF_SALESFORCE, iso, ref
from connector.store.schema import ACTIVITY, RECORD
from connector.store.texts import in_text

_MOST = 10_000  # ids in one answer
_LAST = chr(0x10FFFF)  # behind every id

StampAndId = tuple[datetime, str]  # stamp and id


def stamped_by(
    connection: Connection, object_name: str, length: int, start: datetime | None, end: datetime
) -> dict[str, tuple[int, str]]:
    """Live rows with start <= stamp < end by the first characters of their stamp (7: the month, 13: the hour): how
    many, and the latest stamp."""
    stamp = in_text(connection.dialect.name, RECORD.c.stamp)
    label = func.substr(stamp, 1, length).label("label")
    query = (
        select(label, func.count(), func.max(RECORD.c.stamp))
        .where(RECORD.c.object == object_name, RECORD.c.live, RECORD.c.stamp < iso(end))
        .where(RECORD.c.stamp >= iso(start) if start else true())
        .group_by(label)
    )
    return {row[0]: (int(row[1]), row[2]) for row in connection.execute(query)}


def stamped_between(connection: Connection, object_name: str, after: StampAndId, upto: StampAndId) -> set[str]:
    """Live rows behind one place in the order of stamp and id, up to another."""
    stamp, row_id = RECORD.c.stamp, RECORD.c.id
    behind = or_(stamp > iso(after[0]), between(connection, row_id, after[1], _LAST))
    before = or_(stamp < iso(upto[0]), between(connection, row_id, "", upto[1]))
    bounds = (stamp >= iso(after[0]), stamp <= iso(upto[0]))
    query = select(row_id).where(RECORD.c.object == object_name, RECORD.c.live, *bounds, behind, before)
    return {row[0] for row in connection.execute(query.limit(_MOST))}


def ids_between(connection: Connection, object_name: str, after: str, upto: str) -> set[str]:
    """Live rows, and activities made of rows, behind one id up to another."""
    of_rows = (RECORD.c.object == object_name, RECORD.c.live, between(connection, RECORD.c.id, after, upto))
    found = {row[0] for row in connection.execute(select(RECORD.c.id).where(*of_rows).limit(_MOST))}
    if object_name in ACTIVITY_OBJECTS:
        first, last = ref(OF_SALESFORCE, after), ref(OF_SALESFORCE, upto)
        of_feed = (between(connection, ACTIVITY.c.ref, first, last), ACTIVITY.c.feed == object_name)
        refs = connection.execute(select(ACTIVITY.c.ref).where(*of_feed).limit(_MOST))
        found |= {row[0].partition(":")[2] for row in refs}
    return found
