"""Settling: what was decided of a batch of people and what Salesforce answered, in one transaction.

The permanent log gets an entry for every track that Salesforce took, and one for every track that it refused, the first
time it refused it so.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from operator import itemgetter
from typing import Any

from sqlalchemy import Connection, bindparam, delete, insert, select, update

from connector.base.facts import CONTESTED, Change, Decision, Evidence, Outcome, Result, TrackDecision
from connector.base.json import JsonObject
from connector.store.dialect import run_many, upsert
from connector.store.history import keep_memories
from connector.store.links import IDS, rows_in
from connector.store.rows import LINKS, dumps, iso, read_json, shown_of, storable
from connector.store.schema import DIRTY, LOG, RECORD, SET_ASIDE, SETTLED, TRACK
from connector.store.stays import follow

KEEP_SINCE = frozenset({"since"})
HAS_IT_NOW = frozenset({Result.APPLIED, Result.UNCHANGED})  # Salesforce has the value now
OPEN = frozenset({Result.SET_ASIDE, Result.WAITING})
_REFUSED = frozenset({Result.SET_ASIDE})


@dataclass(frozen=True, slots=True)
class Settled:
    """One person's decision, with the dirty mark it answers and what Salesforce said (nothing: nothing to write).
    ``unseen``: tracks that were sent as well, and of which nobody can say whether it took them."""

    person_id: str
    seq: int
    decision: Decision
    outcomes: Sequence[Outcome] = ()
    unseen: frozenset[str] = frozenset()

    @property
    def is_open(self) -> bool:
        """Salesforce refused or delayed a row of it: nothing of the decision counts as done. Single fields that it
        refused leave the rest of the row done."""
        results = {outcome.result for outcome in self.outcomes}
        return Result.WAITING in results or (Result.SET_ASIDE in results and not results & HAS_IT_NOW)

    @property
    def missed(self) -> frozenset[str]:
        """Tracks that were to be written and were not, as far as anybody knows, whatever came of the rest."""
        taken, refused = (
            frozenset(change.track for change in _changes(self.outcomes, results)) for results in (HAS_IT_NOW, _REFUSED)
        )
        return (refused - taken) | self.unseen


@dataclass(frozen=True, slots=True)
class Books:
    """What every row written in one settling carries."""

    cycle_id: int
    mapping_version: str
    at: str


SAID = ("value", "current", "stands", "rule", "verdict", "reason", "evidence", "memory")
STANDS, _RULE, EVIDENCE = SAID.index("stands"), SAID.index("rule"), SAID.index("evidence")
_said = itemgetter(*SAID)
_TRACKS = select(TRACK.c.person_id, TRACK.c.track, *(TRACK.c[name] for name in SAID)).where(TRACK.c.person_id.in_(IDS))
_ASIDE = select(SET_ASIDE).where(SET_ASIDE.c.person_id.in_(IDS))
_RECORDS = select(RECORD.c.id, RECORD.c.object, RECORD.c.fields).where(RECORD.c.id.in_(IDS))
_FIELDS = (
    update(RECORD)
    .where(RECORD.c.id == bindparam("row_id"))
    .values(fields=bindparam("text"), name=bindparam("called"), owner_id=bindparam("owner"))
)
_LOG = insert(LOG).values({each.name: bindparam(each.name) for each in LOG.columns if each.name != "id"})
_CLEAR = delete(DIRTY).where(DIRTY.c.person_id == bindparam("person"), DIRTY.c.seq == bindparam("mark"))
_CLEAR_ASIDE = delete(SET_ASIDE).where(
    SET_ASIDE.c.person_id == bindparam("person"), SET_ASIDE.c.record_id == bindparam("record")
)
Tracks = dict[tuple[str, str], JsonObject]  # (person, track) -> row of the table


def settle(
    connection: Connection, settled: Sequence[Settled], *, cycle_id: int, mapping_version: str, now: datetime
) -> None:
    books = Books(cycle_id, mapping_version, iso(now))
    ids = [each.person_id for each in settled]
    aside = {(row.person_id, row.record_id): row for row in rows_in(connection, _ASIDE, ids)}
    tracks = _store_tracks(connection, settled, ids, books)
    _store_people(connection, settled, ids, books)
    _fold_in(connection, [outcome for each in settled for outcome in each.outcomes if outcome.result in HAS_IT_NOW])
    _log(connection, settled, tracks, aside, books)
    _store_aside(connection, settled, aside, books)
    done = [each for each in settled if all(outcome.result is not Result.WAITING for outcome in each.outcomes)]
    clear(connection, [(each.person_id, each.seq) for each in done])


def clear(connection: Connection, marks: Sequence[tuple[str, int]]) -> None:
    """Takes these marks away; a person marked again meanwhile stays dirty."""
    run_many(connection, _CLEAR, [{"person": person_id, "mark": seq} for person_id, seq in marks])


def _store_tracks(connection: Connection, settled: Sequence[Settled], ids: Sequence[str], books: Books) -> Tracks:
    """Writes the decisions that differ from the last ones; returns all, by person and track."""
    old = {(row[0], row[1]): tuple(row[2:]) for row in rows_in(connection, _TRACKS, ids)}
    rows: Tracks = {}
    for each in settled:
        taken = {change.track for change in _changes(each.outcomes, HAS_IT_NOW)}
        missed = each.missed
        is_open = each.is_open
        is_alone = ":" in each.person_id  # a prospect: nothing stands in Salesforce
        for track in each.decision.tracks:
            key = (each.person_id, track.track)
            memory = _memory_of(track, old.get(key), is_open=is_open or track.track in missed)
            stands = track.value if track.track in taken or (is_alone and track.value) else track.current
            evidence = _evidence_of(track, old.get(key))
            rows[key] = _track_row(each.person_id, track, stands or "", evidence, memory, books)
    changed = {key: row for key, row in rows.items() if old.get(key) != _said(row)}
    upsert(connection, TRACK, list(changed.values()), keep=KEEP_SINCE)
    lost = [(*key, old[key][-1]) for key, row in changed.items() if key in old and old[key][-1] != row["memory"]]
    keep_memories(connection, lost, books.at)
    follow(connection, rows, changed.keys(), books.at)
    return rows


def _memory_of(track: TrackDecision, before: tuple[str, ...] | None, *, is_open: bool) -> str:
    """With a refused row, what was decided of any track is not done yet, and is decided again from what was remembered
    before; with a refused field, that of its track. But what somebody set by hand is set, row or no row."""
    is_by_hand = before is not None and track.value == track.current and before[STANDS] != (track.current or "")
    if is_open and not is_by_hand:
        return before[-1] if before is not None else "{}"
    return dumps(track.memory) if track.memory else "{}"


def _evidence_of(track: TrackDecision, before: tuple[str, ...] | None) -> str:
    """Somebody whom a rule keeps where it brought them stays there by the evidence of then."""
    is_kept = not track.evidence and track.verdict != "moves" and before is not None and before[_RULE] == track.rule
    return before[EVIDENCE] if before is not None and is_kept else _evidence(track.evidence)


def _track_row(
    person_id: str, track: TrackDecision, stands: str, evidence: str, memory: str, books: Books
) -> JsonObject:
    return {
        "person_id": person_id,
        "track": track.track,
        "value": storable(track.value),
        "current": storable(track.current),
        "stands": storable(stands),
        "rule": track.rule,
        "verdict": track.verdict,
        "reason": storable(track.reason),
        "evidence": evidence,
        "memory": memory,
        "since": books.at,
        "at": books.at,
        "cycle_id": books.cycle_id,
        "mapping_version": books.mapping_version,
    }


def _evidence(evidence: Iterable[Evidence]) -> str:
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


def _changes(outcomes: Iterable[Outcome], results: frozenset[Result]) -> Iterator[Change]:
    return (change for outcome in outcomes if outcome.result in results for change in outcome.change.changes)


def _fold_in(connection: Connection, taken: Sequence[Outcome]) -> None:
    """What we wrote becomes part of the record as read, so that its echo in the next poll is no news."""
    written = {outcome.change.id: outcome.change.values() for outcome in taken}
    rows = []
    for row_id, object_name, text in rows_in(connection, _RECORDS, written):
        fields = read_json(text)
        new = {name: value for name, value in written[row_id].items() if name not in LINKS}
        if any(name not in fields or fields[name] != value for name, value in new.items()):
            row = {**fields, **new}
            shown = shown_of(object_name, row)
            rows.append({"row_id": row_id, "text": dumps(row), "called": shown["name"], "owner": shown["owner_id"]})
    run_many(connection, _FIELDS, rows)


def _log(
    connection: Connection,
    settled: Sequence[Settled],
    tracks: Tracks,
    aside: Mapping[tuple[str, str], Any],
    books: Books,
) -> None:
    entries: list[JsonObject] = []
    for each in settled:
        for outcome in each.outcomes:
            if outcome.result is Result.APPLIED or (
                outcome.result is Result.SET_ASIDE and not _is_known(outcome, aside)
            ):
                entries += _entries(each.person_id, outcome, tracks, books)
    run_many(connection, _LOG, entries)


def log_outcome(connection: Connection, outcome: Outcome, decision: Decision, books: Books) -> None:
    """Logs it, and stores nothing of the decision."""
    person = decision.person_id
    tracks = {
        (person, each.track): _track_row(person, each, "", _evidence(each.evidence), "{}", books)
        for each in decision.tracks
    }
    run_many(connection, _LOG, list(_entries(person, outcome, tracks, books)))


def _is_known(outcome: Outcome, aside: Mapping[tuple[str, str], Any]) -> bool:
    """Whether Salesforce refused the same for the same reason the last time. What stands in a contested field is
    another value each time, perhaps, and still the same contest."""
    known = aside.get((outcome.change.person_id, outcome.change.id))
    if known is None or (known.code, known.message) != (outcome.code, storable(outcome.message)):
        return False
    if outcome.code == CONTESTED:
        return {each["field"] for each in read_json(known.changes)} >= {each.field for each in outcome.change.changes}
    return bool(known.changes == _changes_json(outcome))


def _entries(person_id: str, outcome: Outcome, tracks: Tracks, books: Books) -> Iterator[JsonObject]:
    """One entry a track that the write was about. A field that belongs to no decided track speaks for itself."""
    by_track: dict[str, list[Change]] = {}
    for change in outcome.change.changes:
        by_track.setdefault(change.track, []).append(change)
    for name, changes in by_track.items():
        track = tracks.get((person_id, name), {})
        yield {
            "person_id": person_id,
            "track": name,
            "at": books.at,
            "cycle_id": books.cycle_id,
            "mapping_version": books.mapping_version,
            "result": outcome.result.value,
            "old": track["current"] if track and changes[0].field not in outcome.replaced else _text(changes[0].old),
            "new": track["value"] if track else _text(changes[0].new),
            "rule": track.get("rule", ""),
            "reason": track.get("reason", ""),
            "evidence": track.get("evidence", "[]"),
            "object": outcome.change.object,
            "record_id": outcome.change.id,
            "changes": dumps([{"field": each.field, "old": each.old, "new": each.new} for each in changes]),
            "code": outcome.code,
            "message": storable(outcome.message),
        }


def _text(value: Any) -> str | None:
    return storable(value) if value is None or isinstance(value, str) else dumps(value)


def _changes_json(outcome: Outcome) -> str:
    return dumps([asdict(change) for change in outcome.change.changes])


def _store_aside(
    connection: Connection, settled: Sequence[Settled], aside: Mapping[tuple[str, str], Any], books: Books
) -> None:
    rows: dict[tuple[str, str], JsonObject] = {}
    kept = set()
    for each in settled:
        for outcome in each.outcomes:
            key = (each.person_id, outcome.change.id)
            if outcome.result is Result.WAITING:
                kept.add(key)
            if outcome.result is Result.SET_ASIDE:
                kept.add(key)
                rows[key] = _aside_row(key, outcome, aside.get(key), books)
    over = [{"person": person_id, "record": record_id} for person_id, record_id in aside.keys() - kept]
    run_many(connection, _CLEAR_ASIDE, over)
    upsert(connection, SET_ASIDE, list(rows.values()), keep=frozenset())


def _aside_row(key: tuple[str, str], outcome: Outcome, known: Any, books: Books) -> JsonObject:
    return {
        "person_id": key[0],
        "record_id": key[1],
        "object": outcome.change.object,
        "changes": _changes_json(outcome),
        "code": outcome.code,
        "message": storable(outcome.message),
        "since": known.since if known is not None else books.at,
        "last_at": books.at,
        "attempts": known.attempts + (outcome.code != CONTESTED) if known is not None else 1,
    }
