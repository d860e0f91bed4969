"""What was sent and never answered: found out before anybody is decided.

The process was killed, the answer was lost, or was nothing that could be read: the journal of intents says what was
about to be written, and the records, read by their ids, say whether Salesforce took it. What it took is settled as if
the answer had come, so that it is in the log, and no person is blamed for it. What it did not take is planned anew;
its intent is kept for the overlap, because a request that timed out may still commit. Where it does so after something
newer was written, it is logged, and what it replaced is put back (``connector.pipeline.late``).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any

import structlog

from connector.base.errors import Refused, Transient
from connector.base.facts import Change, Row
from connector.base.ports import Salesforce
from connector.lifecycle.written import same
from connector.pipeline.by_ids import is_slow, seen_by_ids
from connector.pipeline.decisions import Decisions
from connector.pipeline.hidden import hidden_fields, note_hidden, record_again
from connector.pipeline.object_cursor import ObjectCursor
from connector.store import Intent, Settled, Store

log = structlog.get_logger(__name__)

_Taken = tuple[Intent, list[Change]]
_Hidden = Mapping[str, Collection[str]]  # object -> fields


def settle_unanswered(
    salesforce: Salesforce,
    store: Store,
    decisions: Decisions,
    overlap: timedelta,
    blocked: Collection[str] | None = None,
) -> int:
    """Returns how many rows Salesforce had taken. Costs a call only where something was never answered. ``blocked``:
    objects of which nobody is decided, because they are refused; any other that is refused ends it. None: nobody is
    decided after it, what is refused waits, and what was hidden is tried once more."""
    hidden: _Hidden = {} if blocked is None else hidden_fields(store)
    intents = [
        each for each in store.intents() if each.change.object not in (blocked or ()) and _in_sight(each, hidden)
    ]
    if not intents:
        return 0
    rows, found, refused = _read_again(salesforce, store, intents, hidden, decisions.now)
    if refused and blocked is not None:
        error = next(iter(refused.values()))
        raise Transient(error.what, error.hint) if is_slow(error) else error
    hidden = {name: {*hidden.get(name, ()), *found.get(name, ())} for name in {*hidden, *found}}
    intents = [each for each in intents if each.change.object not in refused and _in_sight(each, hidden)]
    journal = _Journal(store, intents, rows)
    in_time, late = journal.taken()
    done = {each.number for each, _ in (*in_time, *late)}
    for (cycle_id, version, at), group in groupby(sorted(in_time, key=_cycle), _cycle):
        settled = [journal.settled(each, changes, hidden.get(each.change.object, ())) for each, changes in group]
        cursors, marks = decisions.settle(settled)
        accounts = {rows[each.change.id].get("AccountId") for each, _ in in_time} if decisions.rollup.is_wanted else ()
        marks = sorted({*marks, *(account for account in accounts if account)})
        store.settle(settled, cycle_id=cycle_id, mapping_version=version, now=at, cursors=cursors, marks=marks)
    untold = [(each, list[Change]()) for each in intents if each.number not in done and journal.is_untold(each)]
    for (cycle_id, version, at), group in groupby(sorted(untold, key=_cycle), _cycle):
        open_ = [each.unanswered() for each, _ in group]
        store.settle(open_, cycle_id=cycle_id, mapping_version=version, now=at)
    for each, changes in late:
        store.came_late(each, changes, decisions.now)
    over = _keep_waiting(store, [each for each in intents if each.number not in done], rows, decisions.now, overlap)
    store.intend([each for each in _out_of_sight(intents, hidden) if each.number in done or each.number in over])
    if done or any(each.until is None for each in intents):
        log.warning("writes that were never answered", rows=len(intents), taken=len(done), late=len(late))
    return len(done)


def _in_sight(intent: Intent, hidden: _Hidden) -> bool:
    """Whether a field of it can be looked at. Those that are hidden wait until they are shown."""
    return any(each.field not in hidden.get(intent.change.object, ()) for each in intent.change.changes)


def _out_of_sight(intents: Sequence[Intent], hidden: _Hidden) -> Iterator[Intent]:
    """What is left to be looked for of each."""
    for each in intents:
        gone = hidden.get(each.change.object, ())
        if left := tuple(one for one in each.change.changes if one.field in gone):
            yield replace(each, change=replace(each.change, changes=left))


def _read_again(
    salesforce: Salesforce, store: Store, intents: Sequence[Intent], without: _Hidden, now: datetime
) -> tuple[dict[str, Row], _Hidden, dict[str, Refused]]:
    """These records as they are now, deleted ones too, which are recorded: our own write may be the last thing that
    changed them. And what is hidden of them, and objects that are refused."""
    found: dict[str, Row] = {}
    hidden: dict[str, Sequence[str]] = {}
    refused: dict[str, Refused] = {}
    for name in sorted({each.change.object for each in intents}):
        cursor = store.cursor(name)
        if cursor is None:
            continue
        mine = [each.change for each in intents if each.change.object == name]
        ids, known = sorted({each.id for each in mine}), ObjectCursor.of(cursor).fields
        sent = [one.field for each in mine for one in each.changes if one.field not in without.get(name, ())]
        fields = list(dict.fromkeys([*known, *sent]))
        seen = seen_by_ids(salesforce, name, fields, ids, all_rows=True)
        if seen.hidden:
            hidden[name] = seen.hidden
            note_hidden(store, name, seen.hidden, known, now)
        if seen.refused is not None:
            refused[name] = seen.refused
        record_again(store, name, seen.rows)
        found.update((row["Id"], row) for row in seen.rows)
    return found, hidden, refused


class _Journal:
    """What came of the intents: the newest first, since what stands was written last."""

    def __init__(self, store: Store, intents: Sequence[Intent], rows: Mapping[str, Row]) -> None:
        people = sorted({each.change.person_id for each in intents})
        self._intents, self._rows = intents, rows
        self._known = store.known(people)
        wrote = store.wrote_lately(people, min(each.at for each in intents))
        self._last: dict[tuple[str, str], Any] = {key: values[-1][2] for key, values in wrote.items() if values}
        self._found: dict[tuple[str, str], Any] = {}

    def taken(self) -> tuple[list[_Taken], list[_Taken]]:
        """What Salesforce took in time, and after something newer was settled, each with what it took of it."""
        in_time, late = [], []
        for each in reversed(self._intents):
            row = self._rows.get(each.change.id)
            news = self._news(each, row) if row is not None else []
            if not news:
                continue
            known = self._known.get(each.change.person_id)
            if known is not None and known.cycle_id > each.cycle_id:
                late.append((each, [replace(one, old=self._stood(each, one)) for one in news]))
            else:
                in_time.append((each, news))
            self._found.update({(each.change.id, one.field): one.new for one in news})
        return in_time, late

    def _news(self, intent: Intent, row: Row) -> list[Change]:
        """What stands there as it was sent, and was not known to: fields that Salesforce refused were left out when
        the row was sent again, and what a later answer told is no news."""
        return [
            each
            for each in intent.change.changes
            if same(row.get(each.field), each.new) and not same(self._stood(intent, each), each.new)
        ]

    def is_untold(self, intent: Intent) -> bool:
        """Whether it was sent by a process that was killed: what stood when it was decided is not in the state yet."""
        known = self._known.get(intent.change.person_id)
        return intent.until is None and (known is None or known.cycle_id < intent.cycle_id)

    def settled(self, intent: Intent, taken: Sequence[Change], hidden: Collection[str]) -> Settled:
        """A field that stands as it stood may have been refused, so nobody set it back. What is neither that nor what
        was sent was set by somebody."""
        row = self._rows[intent.change.id]
        seen = [each for each in intent.change.changes if each.field not in hidden]
        rest = [each for each in seen if not same(row.get(each.field), each.new)]
        over = [each.field for each in rest if not same(row.get(each.field), self._stood(intent, each))]
        unseen = {*hidden, *(each.field for each in rest)} - {*over}
        return intent.taken(taken, unseen, over)

    def _stood(self, intent: Intent, change: Change) -> Any:
        """What we know to have stood there last."""
        place, known = (intent.change.id, change.field), self._known.get(intent.change.person_id)
        if place in self._found:
            return self._found[place]
        if known is not None and change.track in known.stood:
            return known.stood[change.track] or None
        return self._last.get(place, change.old)


def _keep_waiting(
    store: Store, intents: Sequence[Intent], rows: Mapping[str, Row], now: datetime, overlap: timedelta
) -> list[int]:
    """Returns the numbers of those that can come no longer."""
    over, new = [], []
    for each in intents:
        row = rows.get(each.change.id)
        if row is None or row["IsDeleted"] or (each.until is not None and each.until <= now):
            over.append(each.number)
        elif each.until is None:
            new.append(each.number)
    if over or new:
        store.forget_intents(over, wait=new, until=now + overlap)
    return over


def _cycle(taken: _Taken) -> tuple[int, str, datetime]:
    return taken[0].cycle_id, taken[0].mapping_version, taken[0].at
