"""Writing: a plan of changes goes out in full packs, and each answer is settled before the next pack is sent.

A pack is what is looked at in one API call and written in three (1,200 rows by default). People without a change settle
at once; those with one wait until a pack is full, so that 1,200 changed people cost four calls however few of a batch
they are. No database transaction is open while a request is under way; what is sent is in the journal of intents
before it is (``connector.pipeline.unanswered``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

import structlog

from connector.base.facts import Outcome, RecordChange, Result
from connector.base.ports import Salesforce
from connector.pipeline.contested import contested
from connector.pipeline.overtaken import second_look
from connector.pipeline.planned import Planned
from connector.pipeline.unwritable import note_unwritable, without_unwritable
from connector.store import Intent, KeptCursor, Settled, Store

log = structlog.get_logger(__name__)


class Writer:
    """Collects what is planned, writes it in packs, settles what came of it. ``settling`` is told of everything before
    it is settled, and says which cursors move with it and which marks are made. ``rounds``: how often a field must have
    been set back to be left alone; None: what is written is not looked at once more."""

    def __init__(
        self,
        salesforce: Salesforce,
        store: Store,
        *,
        pack: int,
        cycle_id: int,
        mapping_version: str,
        now: datetime,
        settling: Callable[[Sequence[Settled]], tuple[Sequence[KeptCursor], Sequence[str]]],
        rounds: int | None = None,
    ) -> None:
        self._salesforce, self._store = salesforce, store
        self._pack, self._cycle_id, self._version, self._now = pack, cycle_id, mapping_version, now
        self._settling, self._rounds = settling, rounds
        self._waiting: list[Planned] = []

    def add(self, batch: Iterable[Planned]) -> None:
        """Settles those without a change; writes as soon as a pack is full."""
        unchanged = []
        for planned in batch:
            if planned.change is None:
                unchanged.append(Settled(planned.id, planned.mark, planned.decision, ()))
            else:
                self._waiting.append(planned)
        self._settle(unchanged)
        while len(self._waiting) >= self._pack:
            self._write(self._waiting[: self._pack])
            del self._waiting[: self._pack]

    def finish(self) -> None:
        """Writes what is left."""
        if self._waiting:
            self._write(self._waiting)
            self._waiting = []

    def _write(self, planned: list[Planned]) -> None:
        by_id = {each.id: each for each in planned}
        changes = [each.change for each in planned if each.change is not None]
        apart: dict[str, list[Outcome]] = {}
        if self._rounds is not None:
            changes, apart = self._look(by_id, changes, self._rounds)
        self._store.intend([self._intent(by_id[each.person_id], each) for each in changes])
        for outcomes in self._salesforce.update(changes) if changes else ():
            said = {each.change.id for each in outcomes}
            if replaced := sum(1 for each in outcomes if each.replaced):
                log.warning(
                    "replaced what somebody set a moment before; connector explain tells who and what", rows=replaced
                )
            self._take(by_id, [*outcomes, *(one for each in said for one in apart.get(each, ()))])
            note_unwritable(self._salesforce, self._store, outcomes, self._now)

    def _look(
        self, by_id: Mapping[str, Planned], changes: Sequence[RecordChange], rounds: int
    ) -> tuple[list[RecordChange], dict[str, list[Outcome]]]:
        """What is left to be written, and what is set aside of it, by record. Whoever was quicker waits; what is
        fought over, or cannot be edited, and nothing else is settled at once."""
        look = second_look(self._salesforce, self._store, changes)
        late = [Outcome(each, Result.WAITING, overtaken=True) for each in changes if each.id in look.overtaken]
        self._take(by_id, late)
        changes = [each for each in changes if each.id not in look.overtaken]
        closed = list(without_unwritable(self._store, changes))
        open_ = _without(changes, closed)
        fought = contested(self._store, open_, rounds, self._now, look.who, self._salesforce.user)
        apart: dict[str, list[Outcome]] = {}
        for each in (*closed, *fought):
            apart.setdefault(each.change.id, []).append(each)
        left = _without(open_, fought)
        over = [each.id for each in left if not each.changes]
        self._take(by_id, [one for each in over for one in apart[each]])
        return [each for each in left if each.changes], apart

    def _take(self, by_id: Mapping[str, Planned], outcomes: Sequence[Outcome]) -> None:
        said: dict[str, list[Outcome]] = {}
        for outcome in outcomes:
            said.setdefault(outcome.change.person_id, []).append(outcome)
        of = {person_id: by_id[person_id] for person_id in said}
        self._settle([Settled(each.id, each.mark, each.decision, tuple(said[key])) for key, each in of.items()])

    def _intent(self, planned: Planned, change: RecordChange) -> Intent:
        return Intent(change, planned.decision, planned.mark, self._cycle_id, self._version, self._now)

    def _settle(self, settled: list[Settled]) -> None:
        if settled:
            cursors, marks = self._settling(settled)
            self._store.settle(
                settled,
                cycle_id=self._cycle_id,
                mapping_version=self._version,
                now=self._now,
                cursors=cursors,
                marks=marks,
            )


def _without(changes: Sequence[RecordChange], apart: Sequence[Outcome]) -> list[RecordChange]:
    gone = {(each.change.id, one.field) for each in apart for one in each.change.changes}
    if not gone:
        return list(changes)
    return [
        replace(each, changes=tuple(one for one in each.changes if (each.id, one.field) not in gone))
        for each in changes
    ]
