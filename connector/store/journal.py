"""The journal of intents: what is about to be written is on disk before it is sent.

Whatever happens after the request left, a kill, a lost answer, one that is no JSON, the next cycle knows what it may
find in the record, and that it was no person who put it there. An answer that is settled takes its own intent away.
One without an answer stays beside those that are sent later, as long as it may still come.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import Connection, bindparam, delete, insert, select, update

from connector.base.facts import Change, Decision, Evidence, Outcome, RecordChange, Result, TrackDecision
from connector.base.json import JsonMap, JsonObject
from connector.store.dialect import run_many
from connector.store.links import IDS, rows_in
from connector.store.rows import dumps, iso, read_json, storable
from connector.store.schema import INTENT, SETTLED, TRACK
from connector.store.settling import Books, Settled, log_outcome
from connector.store.stays import OVERWRITTEN

CAME_LATE = "late"  # in a track's memory: a value of ours that came after a newer one, and what it replaced
_INTEND = insert(INTENT).values({each.name: bindparam(each.name) for each in INTENT.columns if each.name != "id"})
_ANSWERED = delete(INTENT).where(INTENT.c.record_id == bindparam("record"), INTENT.c.cycle_id == bindparam("cycle"))
_FORGET = delete(INTENT).where(INTENT.c.id == bindparam("number"))
_WAIT = update(INTENT).where(INTENT.c.id == bindparam("number")).values(until=bindparam("end"))
_SETTLED_IN = select(SETTLED.c.person_id, SETTLED.c.cycle_id).where(SETTLED.c.person_id.in_(IDS))
_STANDS = select(TRACK.c.person_id, TRACK.c.track, TRACK.c.stands, TRACK.c.memory).where(TRACK.c.person_id.in_(IDS))
_MEMORIES = select(TRACK.c.person_id, TRACK.c.track, TRACK.c.memory).where(TRACK.c.person_id.in_(IDS))
_REMEMBER = (
    update(TRACK)
    .where(TRACK.c.person_id == bindparam("person"), TRACK.c.track == bindparam("name"))
    .values(memory=bindparam("text"))
)


@dataclass(frozen=True, slots=True)
class Intent:
    """One row that is sent, with the decision it follows from. ``until``: when Salesforce can no longer take it; None:
    nobody looked for it yet. ``number`` is the state's."""

    change: RecordChange
    decision: Decision
    seq: int
    cycle_id: int
    mapping_version: str
    at: datetime
    until: datetime | None = None
    number: int = 0

    def taken(self, changes: Sequence[Change], unseen: Collection[str] = (), over: Collection[str] = ()) -> Settled:
        """As if Salesforce had answered that it took these of its changes. ``unseen``: fields of which nobody can say
        it; ``over``: those in which somebody set something else, so that it was sent, and never seen there."""
        change = replace(self.change, changes=tuple(changes))
        gone = frozenset(each.track for each in self.change.changes if each.field in unseen)
        stood = {each.track for each in self.change.changes if each.field in over}
        tracks = (
            each._replace(memory={**each.memory, OVERWRITTEN: storable(each.current)}) if each.track in stood else each
            for each in self.decision.tracks
        )
        decision = self.decision._replace(tracks=tuple(tracks))
        return Settled(self.change.person_id, self.seq, decision, (Outcome(change, Result.APPLIED),), gone)

    def unanswered(self) -> Settled:
        """As when nobody answered, and the process lived on."""
        return Settled(self.change.person_id, self.seq, self.decision, (Outcome(self.change, Result.WAITING),))


@dataclass(frozen=True, slots=True)
class Known:
    """How a person was settled last: in which cycle, and what stood then, by track."""

    cycle_id: int
    stood: JsonMap


def intend(connection: Connection, intents: Sequence[Intent]) -> None:
    run_many(connection, _INTEND, [row_of(each) for each in intents])


def intents(connection: Connection) -> list[Intent]:
    """The oldest first."""
    return [intent_of(dict(row._mapping)) for row in connection.execute(select(INTENT).order_by(INTENT.c.id))]


def answered(connection: Connection, settled: Sequence[Settled], cycle_id: int) -> None:
    """Forgets what Salesforce answered in this cycle, whatever it said. Without a word of it nobody knows what it did,
    and what was sent twice may come twice."""
    outcomes = [outcome for each in settled for outcome in each.outcomes]
    over = {each.change.id for each in outcomes if each.result is not Result.WAITING or each.code}
    over -= {each.change.id for each in outcomes if each.again}
    run_many(connection, _ANSWERED, [{"record": each, "cycle": cycle_id} for each in sorted(over)])


def forget(connection: Connection, numbers: Sequence[int]) -> None:
    run_many(connection, _FORGET, [{"number": each} for each in numbers])


def wait(connection: Connection, numbers: Sequence[int], until: datetime) -> None:
    """They may come until then."""
    run_many(connection, _WAIT, [{"number": each, "end": iso(until)} for each in numbers])


def known(connection: Connection, people: Sequence[str]) -> dict[str, Known]:
    found = {person: Known(cycle_id, {}) for person, cycle_id in rows_in(connection, _SETTLED_IN, people)}
    for person, track, stands, _ in rows_in(connection, _STANDS, list(found)):
        found[person] = Known(found[person].cycle_id, {**found[person].stood, track: stands})
    return found


def came_late(connection: Connection, intent: Intent, changes: Sequence[Change], now: datetime) -> None:
    """Salesforce took these of its changes (``old``: what they replaced) after something newer was settled: they are
    logged, and each track remembers what stood before."""
    person = intent.change.person_id
    replaced = {each.track: None if each.old is None else storable(str(each.old)) for each in changes}
    tracks = [each._replace(current=replaced.get(each.track, each.current)) for each in intent.decision.tracks]
    outcome = Outcome(replace(intent.change, changes=tuple(changes)), Result.APPLIED)
    books = Books(intent.cycle_id, intent.mapping_version, iso(now))
    log_outcome(connection, outcome, intent.decision._replace(tracks=tuple(tracks)), books)
    values = {each.track: each.new for each in changes}
    rows = []
    for _, track, stands, memory in rows_in(connection, _STANDS, [person]):
        if track in values:
            late = {"value": values[track], "stood": stands or None}
            rows.append({"person": person, "name": track, "text": dumps({**read_json(memory), CAME_LATE: late})})
    run_many(connection, _REMEMBER, rows)


def take_as_ours(connection: Connection, standing: Mapping[tuple[str, str], str | None]) -> None:
    """(person, track) -> what stands there, and was written by us, though the state has forgotten it."""
    rows = []
    for person, track, memory in rows_in(connection, _MEMORIES, sorted({person for person, _ in standing})):
        if (person, track) in standing:
            text = dumps({**read_json(memory), "written": standing[person, track]})
            rows.append({"person": person, "name": track, "text": text})
    run_many(connection, _REMEMBER, rows)


def row_of(each: Intent) -> JsonObject:
    return {
        "record_id": each.change.id,
        "object": each.change.object,
        "person_id": each.change.person_id,
        "seq": each.seq,
        "changes": dumps([_change(change) for change in each.change.changes]),
        "decision": json.dumps(_decision(each.decision)),
        "cycle_id": each.cycle_id,
        "mapping_version": each.mapping_version,
        "at": iso(each.at),
        "until": iso(each.until) if each.until else None,
    }


def _change(each: Change) -> JsonObject:
    return {"track": each.track, "field": each.field, "old": each.old, "new": each.new}  # asdict would copy each


def _decision(decision: Decision) -> JsonObject:
    tracks = [
        {
            **track._asdict(),
            "memory": dict(track.memory),
            "evidence": [[one.kind, one.ref, one.text, _text(one.at)] for one in track.evidence],
        }
        for track in decision.tracks
    ]
    return {"tracks": tracks, "review_at": _text(decision.review_at)}


def intent_of(row: JsonMap) -> Intent:
    person_id, told = row["person_id"], json.loads(row["decision"])
    changes = tuple(Change(**each) for each in read_json(row["changes"]))
    decision = Decision(person_id, tuple(_track(each) for each in told["tracks"]), _time(told["review_at"]))
    return Intent(
        RecordChange(person_id, row["object"], row["record_id"], changes),
        decision,
        row["seq"],
        row["cycle_id"],
        row["mapping_version"],
        datetime.fromisoformat(row["at"]),
        _time(row["until"]),
        row["id"],
    )


def _track(told: JsonMap) -> TrackDecision:
    evidence = tuple(Evidence(kind, ref, text, _time(at)) for kind, ref, text, at in told["evidence"])
    return TrackDecision(**{**told, "evidence": evidence})


def _text(at: datetime | None) -> str | None:
    return at.isoformat() if at else None


def _time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
