"""What reports read: stays, and what is known of the people in them. One pass over each table, no query per person."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, select

from connector.base.facts import PEOPLE, Stay
from connector.base.json import JsonObject
from connector.store.links import IDS, everybody, rows_in
from connector.store.rows import iso, read_json, time
from connector.store.schema import CYCLE, HISTORY, LOG, PROSPECT, RECORD, STAY, TRACK
from connector.store.stays import BY_HAND, UNDECIDED, replayed, versions

_STAYS = select(
    *(STAY.c[name] for name in ("person_id", "line", "stage", "entered_at", "left_at", "how", "by", "rule")),
    STAY.c.became,
    STAY.c.seen_at,
).order_by(STAY.c.id)
_OPEN_NOW = (
    select(STAY.c.person_id, RECORD.c.live, RECORD.c.alias_of, RECORD.c.stamp)
    .select_from(STAY.outerjoin(RECORD, RECORD.c.id == STAY.c.person_id))
    .where(STAY.c.left_at.is_(None))
)
_ENDED = select(HISTORY.c.ref, func.max(HISTORY.c.until)).where(
    HISTORY.c.ref.in_(IDS), HISTORY.c.track == "", HISTORY.c.live
)
_ROWS = select(RECORD.c.id, RECORD.c.object, RECORD.c.account_id, RECORD.c.fields, RECORD.c.live).where(
    RECORD.c.object.in_(PEOPLE)
)
_ACCOUNTS = select(RECORD.c.id, RECORD.c.fields).where(RECORD.c.object == "Account")
_THESE_ACCOUNTS = _ACCOUNTS.where(RECORD.c.id.in_(IDS))
_STANDS = select(TRACK.c.person_id, TRACK.c.stands, TRACK.c.memory, TRACK.c.value, TRACK.c.current)


class _Known(dict[str, datetime]):
    """Times by their texts: of a million stays most begin where another one ends, and each is kept once."""

    def __missing__(self, text: str) -> datetime:
        return self.setdefault(text, time(text))


def stays(connection: Connection, track: str, whose: Collection[str] = ()) -> list[Stay]:
    """All stays of a track, in the order in which they were settled. Those of people who are there no longer end when
    their record did. ``whose``: only what was settled under these ids."""
    theirs = [STAY.c.person_id.in_(whose)] if whose else []
    ended = _gone(connection, _OPEN_NOW.where(STAY.c.track == track, *theirs))
    found: list[Stay] = []
    known = _Known().__getitem__
    same: dict[str, str] = {}
    one = same.setdefault
    for person, line, stage, entered, left, how, by, rule, became, seen in connection.execute(
        _STAYS.where(STAY.c.track == track, *theirs)
    ):
        until = max(ended[person], entered) if left is None and person in ended else left
        end = known(until) if until is not None else None
        names = (one(person, person), one(line or person, line or person), one(stage, stage))
        words = (one(how, how), one(by, by), one(rule, rule))
        found.append(Stay(*names, known(entered), end, *words, became, known(seen)))
    return found


def stays_of(connection: Connection, person: str, track: str) -> list[Stay]:
    """The line that a person is on: theirs, and of whoever went on as them."""
    own = stays(connection, track, [person])
    if not own:
        return []
    line, known = own[-1].line, {person, own[-1].line}
    while True:
        found = [each for each in stays(connection, track, known) if each.line == line]
        further = {each.became for each in found if each.became} - known
        if not further:
            return found
        known |= further


def moves_after(connection: Connection, last: int | None) -> tuple[int, list[tuple[datetime, datetime]]]:
    """The newest stay's id; and of the moves by rules behind ``last`` that were seen to happen (None: of none) when
    the facts say it was so, and when it was settled."""
    newest = int(connection.execute(select(func.max(STAY.c.id))).scalar() or 0)
    if last is None or last >= newest:
        return newest, []
    query = select(STAY.c.entered_at, STAY.c.seen_at).where(
        STAY.c.id > last, STAY.c.id <= newest, STAY.c.how == "observed", STAY.c.by == "rule"
    )
    rows = connection.execute(query)
    return newest, [(datetime.fromisoformat(entered), datetime.fromisoformat(seen)) for entered, seen in rows]


def _gone(connection: Connection, open_now: Any) -> dict[str, str]:
    """People whose last stay is open though they are there no longer -> when that ended."""
    gone: dict[str, str] = {}
    alone: set[str] | None = None
    for person, live, leader, stamp in connection.execute(open_now):
        if ":" in person:
            alone = {row[0] for row in connection.execute(everybody("Prospect"))} if alone is None else alone
            if person not in alone:
                gone[person] = ""
        elif not live or leader:
            gone[person] = stamp or ""
    refs = [each for each in gone if ":" in each]
    heard = select(PROSPECT.c.ref, PROSPECT.c.recorded_at).where(PROSPECT.c.ref.in_(IDS))
    gone |= {row.ref: row.recorded_at for row in rows_in(connection, heard, refs)}
    return gone | dict(map(tuple, rows_in(connection, _ENDED.group_by(HISTORY.c.ref), gone)))


def people_rows(connection: Connection) -> dict[str, JsonObject]:
    """Record of a person, also one that is there no longer -> its fields, with "object", "live" and "account" (the
    account's Name; its id where accounts are not read) beside them. Prospects have their attributes."""
    accounts = _accounts(connection.execute(_ACCOUNTS))
    found: dict[str, JsonObject] = {}
    for record_id, object_name, account, text, live in connection.execute(_ROWS):
        told = {"object": object_name, "account": accounts.get(account, account or ""), "live": bool(live)}
        found[record_id] = {**read_json(text), **told}
    for row in connection.execute(select(PROSPECT.c.ref, PROSPECT.c.email, PROSPECT.c.attributes)):
        told = {"Email": row.email, "object": "Prospect", "account": "", "live": True}
        found[row.ref] = {**read_json(row.attributes), **told}
    return found


def _accounts(rows: Iterable[Any]) -> dict[str, str]:
    """Id -> name of the accounts that have one."""
    called = ((account, read_json(text).get("Name")) for account, text in rows)
    return {account: str(name) for account, name in called if name}


def tracks_now(connection: Connection, track: str) -> dict[str, JsonObject]:
    """Person -> what stands, the value decided, what stood when it was decided, and the memory, of one track."""
    return {
        row.person_id: {
            "stands": row.stands,
            "value": row.value,
            "current": row.current,
            "memory": json.loads(row.memory),
        }
        for row in connection.execute(_STANDS.where(TRACK.c.track == track))
    }


def existing(connection: Connection) -> set[str]:
    """Everybody who is a person now."""
    return {row[0] for row in connection.execute(everybody())}


def hand_offs(connection: Connection) -> list[JsonObject]:
    """Every hand-off that was remembered: person, at, by (its name), to (the owner's id)."""
    told = select(HISTORY.c.ref, HISTORY.c.said).where(HISTORY.c.track == "owner").order_by(HISTORY.c.id)
    now = select(TRACK.c.person_id, TRACK.c.memory).where(TRACK.c.track == "owner", TRACK.c.memory != "{}")
    found: dict[tuple[str, str], JsonObject] = {}
    for person, text in [*connection.execute(told), *connection.execute(now)]:
        memory = read_json(text)
        if memory.get("at"):
            owner = memory.get("to") or memory.get("written")
            row = {"person": person, "at": memory["at"], "by": memory.get("by", ""), "to": owner}
            found[person, memory["at"]] = row
    return sorted(found.values(), key=lambda each: (each["at"], each["person"]))


def cycles_between(connection: Connection, since: datetime, until: datetime) -> list[JsonObject]:
    """id, kind, started_at, ended_at and report of the cycles that started then."""
    query = select(CYCLE).where(CYCLE.c.started_at >= iso(since), CYCLE.c.started_at < iso(until))
    return [{**row._mapping, "report": json.loads(row.report)} for row in connection.execute(query)]


def deals_without_roles(connection: Connection, condition: Any) -> list[JsonObject]:
    """The rows of the opportunities that meet it, with "object" and "account" as people have it."""
    query = select(RECORD.c.fields, RECORD.c.account_id).where(condition)
    deals = [(read_json(fields), account) for fields, account in connection.execute(query)]
    theirs = {account for _, account in deals if account}
    accounts = _accounts(rows_in(connection, _THESE_ACCOUNTS, theirs))
    return [
        {**fields, "object": "Opportunity", "account": accounts.get(account, account or "")}
        for fields, account in deals
    ]


def stages_told(connection: Connection) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    """Person -> the stages that they stood at, one after the other: as the stays have it, and as it follows from
    everything that was ever remembered of them. Steps on the way are told since the stay before them. Where that was a
    hand's, on which nobody decided, memories do not know of it: of these people the steps on the way are left out."""
    by_hand = select(STAY.c.person_id).where(STAY.c.track == "stage", STAY.c.rule == UNDECIDED, STAY.c.by == BY_HAND)
    some = set(connection.execute(by_hand).scalars())
    names = ("person_id", "stage", "seen_at")
    query = select(*(STAY.c[each] for each in names)).where(STAY.c.track == "stage", STAY.c.rule != UNDECIDED)
    kept = _in_order(connection.execute(query.order_by(STAY.c.id)), some)
    said = replayed(each for each in versions(connection) if each.track == "stage")
    rows = ([each[name] for name in names] for each in said if each["rule"] != UNDECIDED)
    return kept, _in_order(rows, some)


def _in_order(rows: Iterable[Any], by_hand: Collection[str]) -> dict[str, list[str]]:
    """Of several that are seen at once, the last is where they stand."""
    found: dict[str, list[str]] = defaultdict(list)
    last: dict[str, str] = {}
    for person, stage, seen in rows:
        if person in by_hand and last.get(person) == seen:
            found[person].pop()
        found[person].append(stage)
        last[person] = seen
    return found


def logged(connection: Connection) -> list[tuple[str, str, str, str]]:
    """(person, at, old, new) of every stage that Salesforce took, in order."""
    query = select(LOG.c.person_id, LOG.c.at, LOG.c.old, LOG.c.new).where(
        LOG.c.track == "stage", LOG.c.result == "applied"
    )
    rows: Sequence[Any] = connection.execute(query.order_by(LOG.c.id)).all()
    return [(row.person_id, row.at, row.old or "", row.new or "") for row in rows]
