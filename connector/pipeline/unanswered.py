"""What was sent and never answered: found out before anybody is decided.

The process was killed, the answer was lost, or was nothing that could be read: the journal of intents says what was
about to be written, and the records, read by their ids, say whether Salesforce took it. What it took is settled as if
the answer had come, so that it is in the log, and no person is blamed for it. What it did not take is planned anew;
its intent is kept for the overlap, because a request that timed out may still commit, also after the next one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any

import structlog

from connector.base.facts import Change, Row, TrackDecision
from connector.base.json import JsonMap
from connector.base.ports import Salesforce
from connector.lifecycle.written import same
from connector.pipeline.decisions import Decisions
from connector.pipeline.object_cursor import ObjectCursor
from connector.pipeline.object_reader import rows_by_ids
from connector.store import Intent, Settled, Store

log = structlog.get_logger(__name__)

_Fields = Mapping[str, Any]  # field -> what we know Salesforce to have taken last, in the intent's cycle or since


def settle_unanswered(salesforce: Salesforce, store: Store, decisions: Decisions, overlap: timedelta) -> int:
    """Returns how many rows Salesforce had taken. Costs a call only where something was never answered."""
    intents = store.intents()
    if not intents:
        return 0
    rows = _read_again(salesforce, store, intents)
    taken = 0
    for (cycle_id, version, at), group in groupby(intents, _cycle):  # in the order in which they were sent
        mine = list(group)
        written = _written_since(store, cycle_id, [each.change.person_id for each in mine])
        settled = [
            _settled(store, each, changes, written.get(each.change.id, {}))
            for each in mine
            if (changes := _standing(each, rows.get(each.change.id, {}), written.get(each.change.id, {})))
        ]
        cursors, marks = decisions.settle(settled)
        accounts = {rows[each.person_id].get("AccountId") for each in settled} if decisions.rollup.is_wanted else set()
        marks = sorted({*marks, *(account for account in accounts if account)})
        store.settle(settled, cycle_id=cycle_id, mapping_version=version, now=at, cursors=cursors, marks=marks)
        taken += len(settled)
    over = [each.id for each in intents if each.change.id not in rows or decisions.now - each.at > overlap]
    store.forget_intents([each for each in over if each is not None])
    log.warning("writes that were never answered", rows=len(intents), taken=taken)
    return taken


def _read_again(salesforce: Salesforce, store: Store, intents: Sequence[Intent]) -> dict[str, Row]:
    """These records as they are now, which are recorded, too: our own write may be the last thing that changed them."""
    found: dict[str, Row] = {}
    for name in sorted({each.change.object for each in intents}):
        cursor = store.cursor(name)
        if cursor is None:
            continue
        ids = sorted({each.change.id for each in intents if each.change.object == name})
        rows = rows_by_ids(salesforce, name, ObjectCursor.of(cursor).fields, ids, all_rows=True)
        store.record_rows(name, rows)
        found.update((row["Id"], row) for row in rows if not row["IsDeleted"])
    return found


def _cycle(intent: Intent) -> tuple[int, str, datetime]:
    return intent.cycle_id, intent.mapping_version, intent.at


def _written_since(store: Store, cycle_id: int, people: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Record -> field -> what the log says was taken last, in this cycle or a later one."""
    written: dict[str, dict[str, Any]] = {}
    for entry in store.written(people=people):
        if entry["cycle_id"] >= cycle_id:
            fields = written.setdefault(entry["record_id"], {})
            fields.update((each["field"], each["new"]) for each in entry["changes"])
    return written


def _standing(intent: Intent, row: Row, written: _Fields) -> list[Change]:
    """What Salesforce took and the log does not have: fields that it refused were left out of the row when it was sent
    again. What was written since is what it replaced."""
    return [
        replace(each, old=written.get(each.field, each.old))
        for each in intent.change.changes
        if each.field in row and same(row[each.field], each.new)
        if not (each.field in written and same(written[each.field], each.new))
    ]


def _settled(store: Store, intent: Intent, changes: Sequence[Change], written: _Fields) -> Settled:
    """As if the answer had come. Where a later decision was settled, that one is remembered, and what it wrote is what
    this one replaced."""
    settled = intent.taken(changes)
    if not written:
        return settled
    replaced = {each.track: each.old for each in changes}
    tracks = [
        track._replace(current=replaced[track.track], memory=_remembered(store, intent.change.person_id, track))
        for track in intent.decision.tracks
        if track.track in replaced
    ]
    return replace(settled, decision=intent.decision._replace(tracks=tuple(tracks)))


def _remembered(store: Store, person_id: str, track: TrackDecision) -> JsonMap:
    memory = store.memories([person_id], track.track).get(person_id, track.memory)
    return {**memory, "written": track.value} if "written" in memory else memory
