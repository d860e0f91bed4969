"""The journal of intents: what is about to be written is on disk before it is sent.

Whatever happens after the request left, a kill, a lost answer, one that is no JSON, the next cycle knows what it may
find in the record, and that it was no person who put it there. An answer that is settled takes its own intent away, and
those that say nothing else; an older one stays, because it may still commit.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime

from sqlalchemy import Connection, bindparam, delete, insert, select

from connector.base.facts import Change, Decision, Evidence, Outcome, RecordChange, Result, TrackDecision
from connector.base.json import JsonMap, JsonObject
from connector.store.dialect import run_many
from connector.store.links import IDS, rows_in
from connector.store.rows import dumps, iso, read_json
from connector.store.schema import INTENT
from connector.store.settling import Settled

_INTEND = insert(INTENT).values({each.name: bindparam(each.name) for each in INTENT.columns if each.name != "id"})
_OF_RECORDS = select(INTENT).where(INTENT.c.record_id.in_(IDS)).order_by(INTENT.c.id)
_FORGET = delete(INTENT).where(INTENT.c.id == bindparam("which"))


@dataclass(frozen=True, slots=True)
class Intent:
    """One row that is sent, with the decision it follows from."""

    change: RecordChange
    decision: Decision
    seq: int
    cycle_id: int
    mapping_version: str
    at: datetime
    id: int | None = None  # None: not on disk yet

    def taken(self, changes: Sequence[Change]) -> Settled:
        """As if Salesforce had answered that it took these of its changes."""
        change = replace(self.change, changes=tuple(changes))
        return Settled(self.change.person_id, self.seq, self.decision, (Outcome(change, Result.APPLIED),))


def intend(connection: Connection, intents: Sequence[Intent]) -> None:
    run_many(connection, _INTEND, [_row(each) for each in intents])


def intents(connection: Connection) -> list[Intent]:
    """In the order in which they were sent."""
    return [_intent(dict(row._mapping)) for row in connection.execute(select(INTENT).order_by(INTENT.c.id))]


def answered(connection: Connection, settled: Sequence[Settled], cycle_id: int) -> None:
    """Forgets what Salesforce answered, whatever it said. Without a word of it nobody knows what it did."""
    answers = {outcome.change.id: (each.seq, outcome) for each in settled for outcome in each.outcomes}
    said = {key: each for key, each in answers.items() if each[1].result is not Result.WAITING or each[1].code}
    over = []
    for row in rows_in(connection, _OF_RECORDS, said):
        seq, outcome = said[row.record_id]
        is_own = (row.cycle_id, row.seq) == (cycle_id, seq)
        if is_own or (outcome.result is Result.APPLIED and _says_nothing_else(read_json(row.changes), outcome)):
            over.append(row.id)
    forget(connection, over)


def _says_nothing_else(changes: Sequence[JsonMap], outcome: Outcome) -> bool:
    """Should it commit now, nobody sees a difference."""
    written = {(each.field, each.new) for each in outcome.change.changes}
    return all((each["field"], each["new"]) in written for each in changes)


def forget(connection: Connection, ids: Sequence[int]) -> None:
    run_many(connection, _FORGET, [{"which": each} for each in ids])


def _row(each: Intent) -> JsonObject:
    return {
        "record_id": each.change.id,
        "object": each.change.object,
        "person_id": each.change.person_id,
        "seq": each.seq,
        "changes": dumps([asdict(change) for change in each.change.changes]),
        "decision": json.dumps(_decision(each.decision)),
        "cycle_id": each.cycle_id,
        "mapping_version": each.mapping_version,
        "at": iso(each.at),
    }


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


def _intent(row: JsonMap) -> Intent:
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
        row["id"],
    )


def _track(told: JsonMap) -> TrackDecision:
    evidence = tuple(Evidence(kind, ref, text, _time(at)) for kind, ref, text, at in told["evidence"])
    return TrackDecision(**{**told, "evidence": evidence})


def _text(at: datetime | None) -> str | None:
    return at.isoformat() if at else None


def _time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
