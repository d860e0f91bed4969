"""What was sent and never answered: found out before anybody is decided.

The process was killed, the answer was lost, or was nothing that could be read: the journal of intents says what was
about to be written, and the records, read by their ids, say whether Salesforce took it. What it took is settled as if
the answer had come, so that it is in the log, and no person is blamed for it. What it did not take is planned anew;
its intent is kept for the overlap, because a request that timed out may still commit.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import groupby

import structlog

from connector.base.facts import Change, Row
from connector.base.ports import Salesforce
from connector.lifecycle.written import same
from connector.pipeline.decisions import Decisions
from connector.pipeline.object_cursor import ObjectCursor
from connector.pipeline.object_reader import rows_by_ids
from connector.store import Intent, Store

log = structlog.get_logger(__name__)

_TAKEN, _OPEN, _OVER = "taken", "open", "over"


def settle_unanswered(salesforce: Salesforce, store: Store, decisions: Decisions, overlap: timedelta) -> int:
    """Returns how many rows Salesforce had taken. Costs a call only where something was never answered."""
    intents = store.intents()
    if not intents:
        return 0
    rows = _read_again(salesforce, store, intents)
    found = {each.change.id: _came_of(each, rows.get(each.change.id), decisions.now, overlap) for each in intents}
    taken = [each for each in intents if found[each.change.id] == _TAKEN]
    for (cycle_id, version, at), group in groupby(sorted(taken, key=_cycle), _cycle):
        settled = [each.taken(_standing(each, rows[each.change.id])) for each in group]
        cursors, marks = decisions.settle(settled)
        accounts = {rows[each.person_id].get("AccountId") for each in settled} if decisions.rollup.is_wanted else set()
        marks = sorted({*marks, *(account for account in accounts if account)})
        store.settle(settled, cycle_id=cycle_id, mapping_version=version, now=at, cursors=cursors, marks=marks)
    store.forget_intents([record_id for record_id, what in found.items() if what == _OVER])
    log.warning("writes that were never answered", rows=len(intents), taken=len(taken))
    return len(taken)


def _read_again(salesforce: Salesforce, store: Store, intents: Sequence[Intent]) -> dict[str, Row]:
    """These records as they are now, which are recorded, too: our own write may be the last thing that changed them."""
    found: dict[str, Row] = {}
    for name in sorted({each.change.object for each in intents}):
        cursor = store.cursor(name)
        if cursor is None:
            continue
        ids = [each.change.id for each in intents if each.change.object == name]
        rows = rows_by_ids(salesforce, name, ObjectCursor.of(cursor).fields, ids, all_rows=True)
        store.record_rows(name, rows)
        found.update((row["Id"], row) for row in rows if not row["IsDeleted"])
    return found


def _cycle(intent: Intent) -> tuple[int, str, datetime]:
    return intent.cycle_id, intent.mapping_version, intent.at


def _standing(intent: Intent, row: Row) -> list[Change]:
    """What Salesforce took: fields that it refused were left out of the row when it was sent again."""
    return [each for each in intent.change.changes if same(row.get(each.field), each.new)]


def _came_of(intent: Intent, row: Row | None, now: datetime, overlap: timedelta) -> str:
    if row is None:
        return _OVER
    if _standing(intent, row):
        return _TAKEN
    is_as_it_was = all(same(row.get(each.field), each.old) for each in intent.change.changes)
    return _OPEN if is_as_it_was and now - intent.at <= overlap else _OVER
