"""Settling: what was decided of a batch of people and what Salesforce answered, in one transaction.

The permanent log gets an entry for every track that Salesforce took, and one for every track that it refused, the first
time it refused it so.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, delete, insert, select, update

from connector.facts import Change, Decision, Evidence, Outcome, Result, TrackDecision
from connector.store.dialect import upsert
from connector.store.links import IDS, rows_in
from connector.store.rows import dumps, iso, loads, record_row
from connector.store.schema import DIRTY, LOG, RECORD, SET_ASIDE, SETTLED, TRACK

TAKEN = frozenset({Result.APPLIED, Result.UNCHANGED})  # Salesforce has the value now
OPEN = frozenset({Result.SET_ASIDE, Result.WAITING})


@dataclass(frozen=True, slots=True)
class Settled:
    """One person's decision, with the dirty mark it answers and what Salesforce said (nothing: nothing to write)."""

    person_id: str
    seq: int
    decision: Decision
    outcomes: Sequence[Outcome] = ()


@dataclass(frozen=True, slots=True)
class Books:
    """What every row written in one settling carries."""

    cycle_id: int
    mapping_version: str
    at: str


_TRACKS = select(TRACK).where(TRACK.c.person_id.in_(IDS))
_SETTLED = select(SETTLED.c.person_id, SETTLED.c.review_at).where(SETTLED.c.person_id.in_(IDS))
_ASIDE = select(SET_ASIDE).where(SET_ASIDE.c.person_id.in_(IDS))
_RECORDS = select(RECORD).where(RECORD.c.id.in_(IDS))
_FIELDS = (
    update(RECORD)
    .where(RECORD.c.id == bindparam("row_id"))
    .values(fields=bindparam("text"), email=bindparam("address"))
)
_CLEAR = delete(DIRTY).where(DIRTY.c.person_id == bindparam("person"), DIRTY.c.seq == bindparam("mark"))
_CLEAR_ASIDE = delete(SET_ASIDE).where(
    SET_ASIDE.c.person_id == bindparam("person"), SET_ASIDE.c.record_id == bindparam("record")
)
_SAID = ("value", "current", "stands", "rule", "verdict", "reason", "evidence", "memory")


def settle(
    connection: Connection, settled: Sequence[Settled], *, cycle_id: int, mapping_version: str, now: datetime
) -> None:
    books = Books(cycle_id, mapping_version, iso(now))
    ids = [each.person_id for each in settled]
    aside = {(row.person_id, row.record_id): row for row in rows_in(connection, _ASIDE, ids)}
    _store_tracks(connection, settled, ids, books)
    _store_people(connection, settled, ids, books)
    _fold_in(connection, [outcome for each in settled for outcome in each.outcomes if outcome.result in TAKEN])
    _log(connection, settled, aside, books)
    _store_aside(connection, settled, aside, books)
    done = [each for each in settled if all(outcome.result is not Result.WAITING for outcome in each.outcomes)]
    clear(connection, [(each.person_id, each.seq) for each in done])


def clear(connection: Connection, marks: Sequence[tuple[str, int]]) -> None:
    """Takes these marks away; a person marked again meanwhile stays dirty."""
    if marks:
        connection.execute(_CLEAR, [{"person": person_id, "mark": seq} for person_id, seq in marks])


def _store_tracks(connection: Connection, settled: Sequence[Settled], ids: Sequence[str], books: Books) -> None:
    old = {(row.person_id, row.track): row for row in rows_in(connection, _TRACKS, ids)}
    changed = []
    for each in settled:
        taken = {change.track for change in _changes(each.outcomes, TAKEN)}
        refused = {change.track for change in _changes(each.outcomes, OPEN)}
        is_alone = ":" in each.person_id  # a prospect: nothing stands in Salesforce
        for track in each.decision.tracks:
            before = old.get((each.person_id, track.track))
            memory = dumps(track.memory) if track.memory else "{}"
            if track.track in refused:
                memory = before.memory if before is not None else "{}"
            stands = track.value if track.track in taken or (is_alone and track.value) else track.current
            row = _track_row(each.person_id, track, stands or "", memory, books)
            if before is None or any(getattr(before, name) != row[name] for name in _SAID):
                changed.append(row)
    upsert(connection, TRACK, changed, keep=frozenset())


def _track_row(person_id: str, track: TrackDecision, stands: str, memory: str, books: Books) -> dict[str, Any]:
    return {
        "person_id": person_id,
        "track": track.track,
        "value": track.value,
        "current": track.current,
        "stands": stands,
        "rule": track.rule,
        "verdict": track.verdict,
        "reason": track.reason,
        "evidence": evidence_json(track.evidence),
        "memory": memory,
        "at": books.at,
        "cycle_id": books.cycle_id,
        "mapping_version": books.mapping_version,
    }


def evidence_json(evidence: Iterable[Evidence]) -> str:
    found = [
        {"kind": each.kind, "ref": each.ref, "text": each.text, "at": iso(each.at) if each.at else None}
        for each in evidence
    ]
    return dumps(found) if found else "[]"


def _store_people(connection: Connection, settled: Sequence[Settled], ids: Sequence[str], books: Books) -> None:
    rows = [
        {
            "person_id": each.person_id,
            "review_at": iso(each.decision.review_at) if each.decision.review_at else None,
            "settled_at": books.at,
            "cycle_id": books.cycle_id,
            "mapping_version": books.mapping_version,
        }
        for each in settled
    ]
    upsert(connection, SETTLED, rows, keep=frozenset())


def _changes(outcomes: Iterable[Outcome], results: frozenset[Result]) -> Iterable[Change]:
    return (change for outcome in outcomes if outcome.result in results for change in outcome.change.changes)


def _fold_in(connection: Connection, taken: Sequence[Outcome]) -> None:
    """What we wrote becomes part of the record as read, so that its echo in the next poll is no news."""
    written = {outcome.change.id: outcome.change.values() for outcome in taken}
    rows = []
    for row in rows_in(connection, _RECORDS, written):
        fields = {**loads(row.fields), **written[row.id]}
        after = record_row(row.object, fields, row.generation)
        if after["fields"] != row.fields:
            rows.append({"row_id": row.id, "text": after["fields"], "address": after["email"]})
    if rows:
        connection.execute(_FIELDS, rows)


def _log(
    connection: Connection, settled: Sequence[Settled], aside: Mapping[tuple[str, str], Any], books: Books
) -> None:
    entries: list[dict[str, Any]] = []
    for each in settled:
        for outcome in each.outcomes:
            if outcome.result is Result.APPLIED or (
                outcome.result is Result.SET_ASIDE and not _is_known(outcome, aside)
            ):
                entries += _entries(each, outcome, books)
    if entries:
        connection.execute(insert(LOG), entries)


def _is_known(outcome: Outcome, aside: Mapping[tuple[str, str], Any]) -> bool:
    """Whether Salesforce refused the same for the same reason the last time."""
    known = aside.get((outcome.change.person_id, outcome.change.id))
    return known is not None and (known.code, known.message, known.changes) == (
        outcome.code,
        outcome.message,
        _changes_json(outcome),
    )


def _entries(settled: Settled, outcome: Outcome, books: Books) -> Iterable[dict[str, Any]]:
    """One entry a track that the write was about."""
    decided = {track.track: track for track in settled.decision.tracks}
    by_track: dict[str, list[Change]] = {}
    for change in outcome.change.changes:
        by_track.setdefault(change.track, []).append(change)
    for name, changes in by_track.items():
        track = decided.get(name)
        yield {
            "person_id": settled.person_id,
            "track": name,
            "at": books.at,
            "cycle_id": books.cycle_id,
            "mapping_version": books.mapping_version,
            "result": outcome.result.value,
            "old": _text(track.current if track else changes[0].old),
            "new": _text(track.value if track else changes[0].new),
            "rule": track.rule if track else "",
            "reason": track.reason if track else "",
            "evidence": evidence_json(track.evidence) if track else "[]",
            "object": outcome.change.object,
            "record_id": outcome.change.id,
            "changes": dumps([{"field": each.field, "old": each.old, "new": each.new} for each in changes]),
            "code": outcome.code,
            "message": outcome.message,
        }


def _text(value: Any) -> str | None:
    return value if value is None or isinstance(value, str) else dumps(value)


def _changes_json(outcome: Outcome) -> str:
    return dumps([asdict(change) for change in outcome.change.changes])


def _store_aside(
    connection: Connection, settled: Sequence[Settled], aside: Mapping[tuple[str, str], Any], books: Books
) -> None:
    rows, kept = [], set()
    for each in settled:
        for outcome in each.outcomes:
            key = (each.person_id, outcome.change.id)
            if outcome.result is Result.WAITING:
                kept.add(key)
            if outcome.result is Result.SET_ASIDE:
                kept.add(key)
                rows.append(_aside_row(key, outcome, aside.get(key), books))
    over = [{"person": person_id, "record": record_id} for person_id, record_id in aside.keys() - kept]
    if over:
        connection.execute(_CLEAR_ASIDE, over)
    upsert(connection, SET_ASIDE, rows, keep=frozenset())


def _aside_row(key: tuple[str, str], outcome: Outcome, known: Any, books: Books) -> dict[str, Any]:
    return {
        "person_id": key[0],
        "record_id": key[1],
        "object": outcome.change.object,
        "changes": _changes_json(outcome),
        "code": outcome.code,
        "message": outcome.message,
        "since": known.since if known is not None else books.at,
        "last_at": books.at,
        "attempts": known.attempts + 1 if known is not None else 1,
    }
