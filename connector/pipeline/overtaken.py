"""Rows that somebody changed between our read and our write: they wait a cycle, and are decided anew.

Before a pack is sent, its records are read once more, 1,500 in one call. What stands in a field that is about to be
written must be what it was when it was decided, or what is to be written. What differs is recorded at once, so that
the next cycle decides from it. What somebody sets in the second until they are written is replaced: the write itself
looks at each record before it sets it, and the log has what it replaced (``connector.salesforce.writes``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import structlog

from connector.base.facts import RecordChange, Row
from connector.base.ports import Read, Salesforce
from connector.lifecycle.written import is_anothers
from connector.pipeline.by_ids import columns, reads_by_ids, rows_from
from connector.pipeline.hidden import record_again
from connector.pipeline.object_cursor import ObjectCursor
from connector.store import Store

log = structlog.get_logger(__name__)

_WHO = "LastModifiedById"  # every object has it, and every user sees it; names of users are another right


class Look(NamedTuple):
    """``overtaken``: records that are not as they were decided. ``who``: record -> id of who changed it last."""

    overtaken: frozenset[str]
    who: Mapping[str, str]


def second_look(salesforce: Salesforce, store: Store, changes: Sequence[RecordChange]) -> Look:
    """Objects that Salesforce does not show as they were read are written unseen: the write itself says what is
    wrong."""
    planned = {each.id: each for each in changes}
    moved: set[str] = set()
    who: dict[str, str] = {}
    for name, rows in _now(salesforce, store, changes).items():
        who |= {row["Id"]: str(row.get(_WHO) or "") for row in rows}
        others = [row for row in rows if _differs(planned[row["Id"]], row)]
        if others:
            record_again(store, name, [{key: row[key] for key in row if key != _WHO} for row in others])
            moved.update(row["Id"] for row in others)
    if moved:
        log.info("changed since they were read, decided anew in the next cycle", rows=len(moved))
    return Look(frozenset(moved), who)


def _now(salesforce: Salesforce, store: Store, changes: Sequence[RecordChange]) -> dict[str, list[Row]]:
    reads: list[Read] = []
    for name in sorted({each.object for each in changes}):
        cursor = store.cursor(name)
        if cursor is None:
            continue
        asked = list(dict.fromkeys([*columns(ObjectCursor.of(cursor).fields), _WHO]))
        ids = sorted({each.id for each in changes if each.object == name})
        reads += reads_by_ids(name, asked, ids, alone=True)
    if not reads:
        return {}
    found: dict[str, list[Row]] = {}
    answers = salesforce.read(reads)
    for read in reads:
        if page := answers.pages.get(read.name):
            found.setdefault(read.name.partition(":")[0], []).extend(rows_from(salesforce, read, page))
    for key, error in answers.refused.items():
        log.warning("written without a second look", object=key.partition(":")[0], code=error.code)
    return found


def _differs(change: RecordChange, row: Row) -> bool:
    return any(each.field in row and is_anothers(row[each.field], each) for each in change.changes)
