"""What a full read no longer sees: deleted, or hidden by rights and filters?

A hidden object, a sharing rule, a narrower role: rows vanish together, and nobody deleted them. Taken for deletions
they would demote people, so they are only believed where something tells of them: Salesforce's delete log, where it
reaches back to the last look, and for a contact role, which may leave without a trace, its opportunity, which is still
seen. Where the log does not reach, a few are believed, and many are not. What is not believed stays as it was last
seen, is told with since when, and is looked at again every day, because showing a row again changes nothing in it.
"""

from __future__ import annotations

from collections.abc import Mapping

import structlog

from connector.base.errors import Refused
from connector.base.json import JsonMap
from connector.pipeline.object_cursor import ObjectCursor
from connector.store import Store

log = structlog.get_logger(__name__)

UNREAD = "objects that cannot be read"  # cursor: in how many cycles by now
A_FEW, ONE_IN = 10, 10  # rows that may vanish untold: ten, or a tenth of what is known


def tell_unread(store: Store, unread: Mapping[str, Refused]) -> None:
    """Once when it begins, and once when it is over."""
    before: JsonMap = store.cursor(UNREAD) or {}
    for name in sorted(unread.keys() - before.keys()):
        log.warning("an object cannot be read, and stays as it was", object=name, code=unread[name].code)
    for name in sorted(before.keys() - unread.keys()):
        log.warning("an object can be read again", object=name, cycles_without=before[name])
    if unread or before:
        store.set_cursor(UNREAD, {name: before.get(name, 0) + 1 for name in unread} or None)


def believed_gone(unseen: int, known: int) -> bool:
    """Whether so few of the known rows vanished that it is believed although nothing tells of it."""
    return unseen <= max(A_FEW, known // ONE_IN) and (unseen < known or unseen == 1)


def end_full_read(store: Store, name: str, cursors: Mapping[str, ObjectCursor], rows: int, *, is_told: bool) -> None:
    """Ends a full read of ``rows`` rows. ``is_told``: all deletions since the last look were told, and are removed."""
    cursor = cursors[name]
    deals = cursors.get("Opportunity")
    hidden_with = deals.generation if deals is not None and not deals.full else None
    unseen, known = store.unseen(name, cursor.generation)
    few = not is_told and believed_gone(unseen, known)
    if unseen and (cursor.believed or few):
        store.sweep(name, cursor.generation)
    elif unseen and name == "OpportunityContactRole" and hidden_with is not None:
        store.sweep(name, cursor.generation, deals=hidden_with)
    left, _ = store.unseen(name, cursor.generation) if unseen else (0, 0)
    cursor.end_full(rows, left)
    if left:
        log.warning(
            "rows are no longer seen, and nothing tells that they were deleted: they stay as they were",
            object=name,
            rows=left,
            since=str(cursor.unseen_since),
        )
    store.set_cursor(name, cursor.as_json())
