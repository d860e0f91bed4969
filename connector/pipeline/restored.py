"""A state that is older than the org: a backup of it was put back.

What was written since is settled again from the logbook beside the state, so that it is in the log, and in nobody's
name but ours. Where the logbook is gone, or does not reach back so far, the org's own word is left: what stands in a
record that our user changed last is taken as ours, once, by the first cycle.
"""

from __future__ import annotations

from datetime import datetime

import structlog

from connector.base.ports import Salesforce
from connector.lifecycle.written import same
from connector.mapping import CompiledMapping
from connector.pipeline.blind import waiting_objects
from connector.pipeline.by_ids import rows_by_ids
from connector.pipeline.decisions import BATCH
from connector.pipeline.report import CycleReport
from connector.store import Logbook, Store

log = structlog.get_logger(__name__)

RESTORED = "restored"  # the kind of the run in which it is settled again
UNSURE = "unsure"  # cursor: whose what stands is, is to be asked of the org
_WHO = "LastModifiedById"


def catch_up(store: Store, logbook: Logbook, now: datetime) -> int:
    """Settles what the logbook has and the state has not; returns how many rows."""
    known = store.noted()
    if known is None or not logbook.has_all_after(known):
        if store.cycles(1):
            store.set_cursor(UNSURE, {"since": now.isoformat()})
            log.warning("no logbook tells what was written since; the org is asked", known=known, last=logbook.last)
        if known is None:
            store.set_noted(logbook.last)
            return 0
    if logbook.last <= known:
        return 0
    report = CycleReport(kind=RESTORED, dry_run=False, started_at=now, mapping=store.mapping_version() or "")
    last_run = max(each.run for each in logbook.after(known))
    cycle_id = store.begin_cycle(RESTORED, now, after=last_run)  # no run has the number of one that the log knows
    for each in logbook.after(known):
        store.settle(
            each.settled,
            cycle_id=each.run or cycle_id,
            mapping_version=each.mapping_version,
            now=each.at,
            cursors=each.cursors,
            noted=each.number,
        )
        store.mark_dirty(one.person_id for one in each.settled)
        report.written += len(each.settled)
    report.result = "done"
    store.end_cycle(cycle_id, now, report.as_dict())
    log.warning("the state is older than the org: settled again from the logbook", rows=report.written)
    return report.written


def tell_apart(salesforce: Salesforce, store: Store, mapping: CompiledMapping) -> int:
    """Takes as ours what our user wrote last, where the state does not know it; returns how many values."""
    if store.cursor(UNSURE) is None:
        return 0
    standing: dict[tuple[str, str], str | None] = {}
    objects: dict[str, set[str]] = {}
    waiting = waiting_objects(store)
    after = ""
    while marks := store.next_dirty(BATCH, after):
        after = marks[-1][0]
        known = store.known([each for each, _ in marks])
        for person in store.facts_of([each for each, _ in marks], around=frozenset()):
            stood = known[person.id].stood if person.id in known else {}
            for track, memory in person.memory.items():
                field = mapping.writes.get(track, {}).get(person.object)
                if (
                    person.object in waiting
                    or field is None
                    or memory.get("record") != person.id
                    or "written" not in memory
                ):
                    continue
                value = person.fields.get(field)
                if not same(value, memory["written"]) and not same(value, stood.get(track)):
                    standing[person.id, track] = str(value) if value not in (None, "") else None
                    objects.setdefault(person.object, set()).add(person.id)
    ours: set[str] = set()
    for name, ids in sorted(objects.items()):
        rows = rows_by_ids(salesforce, name, [_WHO], sorted(ids))
        ours |= {row["Id"] for row in rows if row.get(_WHO) == salesforce.user()}
    taken = {key: value for key, value in standing.items() if key[0] in ours}
    store.take_as_ours(taken)
    if not waiting:  # whoever cannot be read now is asked for in the cycle that can
        store.set_cursor(UNSURE, None)
    if standing:
        log.warning("what stands and the state does not know", ours=len(taken), of_others=len(standing) - len(taken))
    return len(taken)
