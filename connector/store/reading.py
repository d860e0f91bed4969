"""What people ask the state: who is this, why is it so, how many are there, what was refused."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, and_, delete, func, not_, or_, select, true

from connector.base.facts import PEOPLE
from connector.base.json import JsonObject
from connector.lifecycle.model import Identity
from connector.store import accounts, books, linked, links, related
from connector.store.ids import ids_meant
from connector.store.links import IDS, affected, everybody, exists_now, is_alone, is_person, rows_in
from connector.store.rows import address, iso, read_json
from connector.store.schema import ACTIVITY, DIRTY, LOG, PROSPECT, RECORD, SET_ASIDE, TRACK
from connector.store.texts import in_text

_PAGE = 5000  # facts looked at in one go when all are


def people_by(connection: Connection, track: str, *, only_alone: bool = False) -> dict[str, int]:
    """People by the value that stands, "" for nothing; the most frequent first. ``only_alone``: prospects without a CRM
    record."""
    stands = func.coalesce(TRACK.c.stands, "")
    of_track = and_(TRACK.c.track == track)
    crm = (
        select(stands.label("value"), func.count().label("people"))
        .select_from(RECORD.outerjoin(TRACK, and_(TRACK.c.person_id == RECORD.c.id, of_track)))
        .where(is_person(RECORD))
        .group_by(stands)
    )
    alone = (
        select(stands, func.count())
        .select_from(PROSPECT.outerjoin(TRACK, and_(TRACK.c.person_id == PROSPECT.c.ref, of_track)))
        .where(is_alone())
        .group_by(stands)
    )
    counted: dict[str, int] = {}
    queries = [alone] if only_alone else [crm, alone]
    for value, count in (row for query in queries for row in connection.execute(query)):
        counted[value] = counted.get(value, 0) + count
    return dict(sorted(counted.items(), key=lambda each: (-each[1], each[0])))


def count_stamped(connection: Connection, object_name: str, start: datetime, end: datetime) -> int:
    """Rows of an object, deleted ones too, with start <= SystemModstamp < end."""
    stamped = and_(RECORD.c.object == object_name, RECORD.c.stamp >= iso(start), RECORD.c.stamp < iso(end))
    return int(connection.execute(select(func.count()).select_from(RECORD).where(stamped)).scalar() or 0)


def types_beside(connection: Connection, known: Collection[str]) -> list[JsonObject]:
    """Types of activities of marketing sources that are none of these kinds: source, type as the sender writes it, and
    how many; the most frequent first."""
    name = in_text(connection.dialect.name, ACTIVITY.c.ref)
    source = func.substr(name, 1, func.instr(name, ":") - 1)
    if connection.dialect.name == "postgresql":
        source = func.split_part(name, ":", 1)
    query = (
        select(source.label("source"), ACTIVITY.c.kind, func.count().label("times"), func.min(ACTIVITY.c.attributes))
        .where(ACTIVITY.c.feed.is_(None), ACTIVITY.c.kind.not_in(sorted(known)))
        .group_by(source, ACTIVITY.c.kind)
    )
    rows = sorted(connection.execute(query).all(), key=lambda row: (-row.times, row.kind, row.source))
    return [
        {"source": source, "type": str(read_json(attributes).get("type", kind)), "count": int(number)}
        for source, kind, number, attributes in rows
    ]


def followers(connection: Connection, person_id: str) -> list[dict[str, str]]:
    """Live records that count as this person for their e-mail address: id, object."""
    query = select(RECORD.c.live, RECORD.c.id, RECORD.c.object).where(RECORD.c.alias_of.in_(IDS)).order_by(RECORD.c.id)
    return [{"id": row.id, "object": row.object} for row in rows_in(connection, query, [person_id]) if row.live]


def records(connection: Connection, ids: Sequence[str]) -> dict[str, JsonObject]:
    """Rows that are live, by id."""
    query = select(RECORD.c.id, RECORD.c.live, RECORD.c.fields).where(RECORD.c.id.in_(IDS))
    return {row.id: read_json(row.fields) for row in rows_in(connection, query, ids) if row.live}


def told_of_activities(connection: Connection, ids: Sequence[str]) -> dict[str, JsonObject]:
    """Activities of Salesforce as their rows had them: attributes, and who they are with."""
    query = select(ACTIVITY.c.ref, ACTIVITY.c.attributes, ACTIVITY.c.crm_id).where(ACTIVITY.c.ref.in_(IDS))
    found = rows_in(connection, query, [f"salesforce:{each}" for each in ids])
    return {row.ref.partition(":")[2]: {**read_json(row.attributes), "WhoId": row.crm_id} for row in found}


def moved_to(connection: Connection, track: str, value: str, limit: int) -> list[str]:
    """People who were last moved to this value of a track and still stand there, the latest first."""
    still = and_(TRACK.c.person_id == LOG.c.person_id, TRACK.c.track == track, TRACK.c.stands == value)
    newest = func.max(LOG.c.id)
    query = (
        select(LOG.c.person_id, newest)
        .join(TRACK, still)
        .where(LOG.c.track == track, LOG.c.new == value, LOG.c.result == "applied")
        .group_by(LOG.c.person_id)
        .order_by(newest.desc())
        .limit(limit)
    )
    return [row.person_id for row in connection.execute(query)]


def find_ever(connection: Connection, query: str) -> list[str]:
    """The same, and people who are there no longer."""
    asked = query.strip()
    told = [address(asked) or ""] if "@" in asked else ids_meant(asked)
    column = RECORD.c.email if "@" in asked else RECORD.c.id
    found = select(RECORD.c.id).where(column.in_(IDS), RECORD.c.object.in_(PEOPLE))
    return sorted(links.select_ids(connection, found, told) | set(find_people(connection, query)))


def find_people(connection: Connection, query: str) -> list[str]:
    """People by record id of 15 or 18 characters (also one that was converted or merged), ``source:id``, or address."""
    asked = query.strip()
    if ":" in asked:
        return sorted(affected(connection, prospects=[asked]))
    if "@" in asked:
        return sorted(affected(connection, emails=[address(asked)]))
    return sorted(affected(connection, ids=ids_meant(asked)))


_DOINGS = select(ACTIVITY.c.ref, ACTIVITY.c.crm_id, ACTIVITY.c.prospect, ACTIVITY.c.email, ACTIVITY.c.feed)


def people_in(connection: Connection, object_name: str | None, since: datetime | None) -> list[str]:
    """People of one object, and with a fact stamped at or after ``since``."""
    if since is None:
        return sorted(row[0] for row in connection.execute(everybody(object_name)))
    found: set[str] = set()
    for people in _touched_since(connection, iso(since)):
        found |= people
    if object_name == "Prospect":
        found = {each for each in found if ":" in each}
    elif object_name:
        of_object = select(RECORD.c.object, RECORD.c.id).where(RECORD.c.id.in_(IDS))
        found = {row.id for row in rows_in(connection, of_object, found) if row.object == object_name}
    return sorted(found)


def _touched_since(connection: Connection, since: str) -> Iterator[set[str]]:
    """The people of all facts since then, a page of facts at a time. A record counts by its SystemModstamp, an activity
    by when it happened, a prospect, which has no time of its own, by when it was recorded."""
    records = select(RECORD.c.id, RECORD.c.object, RECORD.c.contact_id, RECORD.c.account_id).where(
        RECORD.c.stamp >= since
    )
    for rows in _pages(connection, records, RECORD.c.id):
        by_object: dict[str, list[str]] = {}
        for row in rows:
            by_object.setdefault(row.object, []).append(row.id)
        people = affected(connection, ids=[each for name in PEOPLE for each in by_object.get(name, ())])
        people |= links.people_of_account(connection, by_object.get("Account", []))
        people |= links.people_of_opportunities(connection, by_object.get("Opportunity", []))
        named = [
            (row.contact_id, row.account_id) for row in rows if row.object not in (*PEOPLE, "Account", "Opportunity")
        ]
        yield people | linked.people_named(connection, named)
    yield from _whose(connection, _DOINGS.where(ACTIVITY.c.occurred_at >= since))
    prospects = select(PROSPECT.c.ref).where(PROSPECT.c.recorded_at >= since)
    for rows in _pages(connection, prospects, PROSPECT.c.ref):
        yield affected(connection, prospects=[row.ref for row in rows])


def people_who_did(connection: Connection, since: datetime, until: datetime) -> list[str]:
    """Whose inbound activities happened then."""
    when = ACTIVITY.c.occurred_at >= iso(since), ACTIVITY.c.occurred_at < iso(until)
    found = _whose(connection, _DOINGS.where(ACTIVITY.c.direction == "inbound", *when))
    return sorted(set().union(*found))


def _whose(connection: Connection, activities: Select[Any]) -> Iterator[set[str]]:
    """The people of these activities, a page at a time."""
    for rows in _pages(connection, activities, ACTIVITY.c.ref):
        yield affected(
            connection,
            ids=[*(row.crm_id for row in rows), *related.people_with(connection, [row._mapping for row in rows])],
            prospects=[row.prospect for row in rows],
            emails=[row.email for row in rows if not row.crm_id and not row.prospect],
        )


def _pages(connection: Connection, query: Select[Any], key: Any) -> Iterator[Sequence[Any]]:
    after: Any = true()
    while rows := connection.execute(query.where(after).order_by(key).limit(_PAGE)).all():
        yield rows
        after = key > rows[-1][0]


def latest(connection: Connection, person_id: str) -> list[JsonObject]:
    """The latest decision of each track, as JSON values."""
    query = select(TRACK).where(TRACK.c.person_id.in_(IDS))
    rows = rows_in(connection, query, _ends(connection, person_id))
    return [_read(row) for row in sorted(rows, key=lambda row: (row.track, row.person_id))]


def history(connection: Connection, person_id: str, limit: int | None) -> list[JsonObject]:
    """The permanent log of a person and of everybody who became it, newest first."""
    ends = _ends(connection, person_id)
    became = select(RECORD.c.id).where(RECORD.c.alias_of.in_(IDS))
    records = {person_id, *ends, *links.select_ids(connection, became, ends)}
    emails = links.select_ids(
        connection, select(RECORD.c.email).where(RECORD.c.id.in_(IDS), RECORD.c.email.is_not(None)), records
    )
    by_id = select(PROSPECT.c.ref).where(PROSPECT.c.crm_id.in_(IDS))
    by_email = select(PROSPECT.c.ref).where(PROSPECT.c.email.in_(IDS), PROSPECT.c.crm_id.is_(None))
    prospects = links.select_ids(connection, by_id, records) | links.select_ids(connection, by_email, emails)
    query = select(LOG).where(LOG.c.person_id.in_(sorted(records | prospects))).order_by(LOG.c.id.desc())
    return [_read(row) for row in connection.execute(query.limit(limit) if limit is not None else query)]


def _ends(connection: Connection, person_id: str) -> list[str]:
    """Who this record is now."""
    end = connection.execute(select(RECORD.c.alias_of).where(RECORD.c.id == person_id)).scalar()
    return [str(end or person_id)]


def _read(row: Any) -> JsonObject:
    """A table row as JSON values: JSON texts are parsed."""
    parsed = {
        name: json.loads(row._mapping[name]) for name in ("evidence", "memory", "changes") if name in row._mapping
    }
    return {**row._mapping, **parsed}


_STILL_THERE = or_(exists_now(SET_ASIDE.c.person_id), accounts.is_there(SET_ASIDE.c.person_id))
_LEAVE = delete(SET_ASIDE).where(not_(_STILL_THERE))


def set_aside(connection: Connection, limit: int | None) -> list[JsonObject]:
    """Refused writes of people and accounts that still exist, the latest first."""
    query = select(SET_ASIDE).where(_STILL_THERE).order_by(SET_ASIDE.c.last_at.desc(), SET_ASIDE.c.person_id)
    return [_read(row) for row in connection.execute(query.limit(limit))]


def leave_refused(connection: Connection) -> None:
    """Refused writes of people and accounts that are gone are over."""
    connection.execute(_LEAVE)


def refused_ids(connection: Connection, ids: Sequence[str] | None) -> list[str]:
    """People and accounts with a refused write; of these only, when ids are given."""
    query = select(SET_ASIDE.c.person_id).where(_STILL_THERE).distinct()
    people = {row[0] for row in connection.execute(query)}
    return sorted(people if ids is None else people & set(ids))


def _crowded(rule: Identity) -> Select[Any]:
    """Addresses of more records than the mapping joins."""
    shared = select(RECORD.c.email).where(RECORD.c.email.is_not(None), RECORD.c.live).group_by(RECORD.c.email)
    shared = shared.where(RECORD.c.email.not_like("@%"))  # of accounts, see ``domains.py``
    return select(func.count()).select_from(shared.having(func.count() > rule.at_most).subquery())


def counts(connection: Connection) -> JsonObject:
    """Rows by kind, for the status page."""
    records = select(RECORD.c.object, func.count()).where(RECORD.c.live).group_by(RECORD.c.object)
    by_object: dict[str, int] = dict(sorted(map(tuple, connection.execute(records))))

    def count(query: Select[Any]) -> int:
        return int(connection.execute(query).scalar() or 0)

    alone = count(select(func.count()).select_from(PROSPECT).where(is_alone()))
    aliases = select(func.count()).select_from(RECORD).where(RECORD.c.alias_of.is_not(None))
    rule, followers = books.identity(connection), count(aliases.where(RECORD.c.live))
    return {
        "people": sum(by_object.get(name, 0) for name in PEOPLE) - followers + alone,
        "records": by_object,
        "prospects": count(select(func.count()).select_from(PROSPECT)),
        "prospects_alone": alone,
        "activities": count(select(func.count()).select_from(ACTIVITY)),
        "aliases": count(aliases.where(not_(RECORD.c.live))),
        "joined_by_email": followers,
        "crowded_addresses": count(_crowded(rule)) if rule.by_email else 0,
        "dirty": count(select(func.count()).select_from(DIRTY)),
        "set_aside": count(select(func.count()).select_from(SET_ASIDE).where(_STILL_THERE)),
        "logged_changes": count(select(func.count()).select_from(LOG)),
    }
