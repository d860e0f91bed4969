"""Who asked to be forgotten while a daemon had the state, and who was deleted long enough ago: once, before a cycle.

Files first, the state behind them: what was begun and not done is begun again, from what the state still knows.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

import structlog

from connector.mapping import CompiledMapping
from connector.store import Footprint, Store

log = structlog.get_logger(__name__)

FORGETTING = "forgetting"  # cursor: the day on which it was last looked who was deleted
InFiles = Callable[[Footprint], Sequence[str]]  # takes them out of the files beside the state; says which


def no_files(_who: Footprint) -> Sequence[str]:
    """Where nothing is beside the state."""
    return ()


def kept_fields(mapping: CompiledMapping | None) -> frozenset[str]:
    """The fields that the mapping writes: stages, dates and the like."""
    return frozenset(field for by in (mapping.writes.values() if mapping else ()) for field in by.values())


def forget_people(
    store: Store, found: Sequence[Footprint], keep: frozenset[str], in_files: InFiles, now: datetime
) -> list[str]:
    """Returns the files from which they were taken."""
    touched: list[str] = []
    for who in found:
        touched += in_files(who)
        store.forget(who, keep, now)
    if found:
        store.compact()
    return sorted(set(touched))


def forget_due(store: Store, mapping: CompiledMapping, days: float | None, in_files: InFiles, now: datetime) -> int:
    """``days``: after a deletion in Salesforce (None: only who was asked for). Returns how many people."""
    due, today = store.asked_to_forget(), now.date().isoformat()
    if days is not None and (store.cursor(FORGETTING) or {}).get("looked") != today:
        due += store.deleted_before(now, days)
        store.set_cursor(FORGETTING, {"looked": today})
    found = [store.footprint([each]) for each in due]
    forget_people(store, found, kept_fields(mapping), in_files, now)
    if found:
        log.info("people forgotten", people=len(found))
    return len(found)
