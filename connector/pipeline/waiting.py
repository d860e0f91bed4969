"""Which objects are asked whether they changed before they are read, so that an idle cycle stays at two calls.

A Composite request takes five queries, two requests ten. Further objects that rarely change are asked by getUpdated,
which is no query and rides along; only those that changed are queried, in one call more for five of them. Salesforce
says up to when its answer is certain (``latestDateCovered``: no transaction from before is still open), so nothing is
asked twice and no late commit is missed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from connector.base.ports import Answers, PolledObject, UpdatedSince
from connector.pipeline.object_cursor import ObjectCursor

IDLE_QUERIES = 10  # of an idle cycle


def waiting(objects: Sequence[PolledObject], cursors: Mapping[str, ObjectCursor], more: int) -> list[PolledObject]:
    """Those that wait: of the objects that can, the last ones, as many as are too many beside ``more`` queries."""
    too_many = len(objects) + more - IDLE_QUERIES
    able = [each for each in objects if each.can_wait and _is_read(cursors[each.name])]
    return able[max(0, len(able) - too_many) :] if too_many > 0 else []


def _is_read(cursor: ObjectCursor) -> bool:
    return cursor.through is not None and not cursor.full and cursor.at is None


def windows(
    objects: Sequence[PolledObject], cursors: Mapping[str, ObjectCursor], overlap: timedelta, now: datetime
) -> list[UpdatedSince]:
    found = []
    for each in objects:
        cursor = cursors[each.name]
        assert cursor.through is not None  # noqa: S101 - asked of objects that were read before
        start = cursor.quiet_until or cursor.through - overlap
        until = max(now + timedelta(seconds=1), start + timedelta(minutes=1))  # the end itself is not asked
        found.append(UpdatedSince(each.name, each.name, start, until))
    return found


def stays_quiet(cursor: ObjectCursor, name: str, answers: Answers) -> bool:
    """Whether nothing changed; then the object is known up to the present."""
    found = answers.updated[name]
    if found.some:
        return False
    cursor.quiet_until = found.covered_until
    known = min(found.covered_until, answers.server_time)
    cursor.through = max(known, cursor.through) if cursor.through else known
    return True
