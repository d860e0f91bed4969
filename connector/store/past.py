"""A moment of the past, put together in a state of its own, in memory: of some people, everything that was known of
them then, recorded in the ordinary way. So whatever is asked of a state can be asked of it.

Records are as they were: today's, with what was written and overwritten since undone. What came later is left out, by
CreatedDate and by when an activity happened. Memories are those of then. What a marketing source says of a person
(prospects) is as it is now.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from operator import attrgetter
from typing import Any, NamedTuple

from sqlalchemy import Connection, bindparam, insert, select

from connector.base.ids import PERSON_PREFIXES
from connector.base.json import JsonMap, JsonObject
from connector.store import accounts, addresses, books, domains, links, recording
from connector.store.dialect import run_many, upsert
from connector.store.links import IDS, rows_in, select_ids
from connector.store.rows import OF_SALESFORCE, RELATIONS, address, iso, read_json, ref
from connector.store.schema import ACTIVITY, FURTHER, HISTORY, LOG, PROSPECT, RECORD, SETTING, TRACK

_AT: Any = bindparam("at")
_BY_ID = select(RECORD).where(RECORD.c.id.in_(IDS))
_ALIASES = select(RECORD.c.id).where(RECORD.c.alias_of.in_(IDS))
_EMAILS = select(RECORD.c.email).where(RECORD.c.id.in_(IDS), RECORD.c.email.is_not(None))
_SHARING = select(RECORD.c.id).where(RECORD.c.email.in_(IDS))
_OF_ACCOUNTS = select(RECORD.c.id).where(RECORD.c.account_id.in_(IDS))
_ACCOUNTS = select(RECORD.c.account_id).where(RECORD.c.id.in_(IDS), RECORD.c.account_id.is_not(None))
_ROLES = select(RECORD.c.id).where(RECORD.c.contact_id.in_(IDS))
_ROLES_OF = select(RECORD.c.id).where(RECORD.c.opportunity_id.in_(IDS))
_HISTORY = select(HISTORY).where(HISTORY.c.ref.in_(IDS)).order_by(HISTORY.c.id)
_WRITTEN = select(LOG.c.record_id, LOG.c.at, LOG.c.changes).where(
    LOG.c.person_id.in_(IDS), LOG.c.at > _AT, LOG.c.result == "applied"
)
_TRACKS = select(TRACK).where(TRACK.c.person_id.in_(IDS))
_PROSPECTS = tuple(select(PROSPECT).where(column.in_(IDS)) for column in (PROSPECT.c.ref, PROSPECT.c.crm_id))
_ACTIVITIES = {
    name: select(ACTIVITY).where(ACTIVITY.c[name].in_(IDS), ACTIVITY.c.occurred_at <= _AT)
    for name in ("crm_id", "prospect", "email", "ref")
}
_KEPT = ("identity", "roleless", "around", "accounts", "records", "relations")
_SETTINGS = select(SETTING).where(SETTING.c.name.in_(_KEPT))


class _Row(NamedTuple):
    """A record as it was."""

    object: str
    live: bool
    fields: JsonObject


class Undo(NamedTuple):
    """What stood until a time; ``live`` None: it was no news whether the record was there."""

    until: str
    live: bool | None
    fields: JsonMap


def rows_at(connection: Connection, ids: Iterable[str], at: datetime) -> dict[str, _Row]:
    """Records by id as they were; those created later are left out."""
    wanted, moment = sorted(set(ids)), iso(at)
    undo: dict[str, list[Undo]] = defaultdict(list)
    for row in rows_in(connection, _HISTORY, wanted):
        if not row.track and row.until > moment:
            undo[row.ref].append(Undo(row.until, row.live, read_json(row.said)))
    for record_id, written, changes in rows_in(connection, _WRITTEN, wanted, at=moment):
        undo[record_id].append(Undo(written, None, {each["field"]: each["old"] for each in read_json(changes)}))
    found = {}
    for row in rows_in(connection, _BY_ID, wanted):
        fields, live = read_json(row.fields), bool(row.live)
        for each in sorted(undo[row.id], key=attrgetter("until"), reverse=True):
            fields = {**fields, **each.fields}
            live = live if each.live is None else each.live
        created = fields.get("CreatedDate")
        if created is None or datetime.fromisoformat(created) <= at:
            found[row.id] = _Row(row.object, live, fields)
    return found


def tracks_at(connection: Connection, ids: Iterable[str], at: datetime) -> list[JsonObject]:
    """Rows of ``track`` that were there, with what was remembered then."""
    wanted, moment = sorted(set(ids)), iso(at)
    memories: dict[tuple[str, str], str] = {}
    for row in rows_in(connection, _HISTORY, wanted):
        if row.track and row.until > moment:
            memories.setdefault((row.ref, row.track), row.said)  # the first to end after that moment
    found = []
    for row in rows_in(connection, _TRACKS, wanted):
        if row.since is None or row.since <= moment:
            memory = memories.get((row.person_id, row.track), row.memory)
            found.append({**row._mapping, "memory": memory, "at": min(row.at, moment)})
    return found


def people_at(connection: Connection, past: Connection, person_ids: Sequence[str], at: datetime) -> list[str]:
    """Fills the empty state ``past`` with what was known of these people. Returns who of them was there, as they were
    called then: today's one person may have been a lead and a contact."""
    run_many(past, insert(SETTING), [dict(row._mapping) for row in connection.execute(_SETTINGS)])
    known = {*person_ids, *links.affected(connection, prospects=[each for each in person_ids if ":" in each])}
    family = known | select_ids(connection, _ALIASES, known)
    emails = _emails(connection, family)
    people = family | select_ids(connection, _SHARING, emails)
    near = _near(connection, people, emails, at)
    if books.COLLEAGUES in books.around(connection):  # what they did counts too
        people |= {each for each in near if each[:3] in PERSON_PREFIXES.values()}
        emails |= _emails(connection, people)
    rows = rows_at(connection, people | near, at)
    for name in sorted({row.object for row in rows.values()}):
        of_object = {record_id: row for record_id, row in rows.items() if row.object == name}
        recording.record_rows(past, name, [row.fields for row in of_object.values()], None, at)
        recording.bury(past, name, [record_id for record_id, row in of_object.items() if not row.live], at)
    named = {
        ref(OF_SALESFORCE, str(row.fields[RELATIONS[row.object]])) for row in rows.values() if row.object in RELATIONS
    }
    prospects = _copy_activities(connection, past, family, people, emails, named, at)
    run_many(past, insert(TRACK), tracks_at(connection, {*rows, *prospects}, at))
    return sorted(links.affected(past, ids=family, prospects=prospects))


def _emails(connection: Connection, family: Iterable[str]) -> set[str]:
    """The addresses that they have, and had."""
    emails = select_ids(connection, _EMAILS, family)
    emails |= select_ids(connection, links.FURTHER_OF, family)
    for row in rows_in(connection, _HISTORY, family):
        if not row.track and (email := address(read_json(row.said).get("Email"))):
            emails.add(email)
    return emails


def _near(connection: Connection, people: set[str], emails: set[str], at: datetime) -> set[str]:
    """Accounts, roles, opportunities and linked records of these people, and who and what else is in the accounts where
    the mapping in force looks at that."""
    roles = select_ids(connection, _ROLES, people | emails)
    rows = rows_at(connection, people | roles, at)
    in_account = {str(row.fields["AccountId"]) for row in rows.values() if row.fields.get("AccountId")}
    in_account |= domains.accounts_meant(connection, select_ids(connection, _ACCOUNTS, people))
    deals = {row.fields.get(name) for row in rows.values() for name in ("OpportunityId", "ConvertedOpportunityId")}
    near = in_account | roles | {str(each) for each in deals if each}
    if books.around(connection) or accounts.are_asked_for(connection):
        near |= select_ids(connection, _OF_ACCOUNTS, [*in_account, *links.domains_of(connection, sorted(in_account))])
    return near | select_ids(connection, _ROLES_OF, near)


def _copy_activities(
    connection: Connection,
    past: Connection,
    family: set[str],
    people: set[str],
    emails: set[str],
    named: set[str],
    at: datetime,
) -> set[str]:
    """With the prospects; returns those of the family. ``named``: refs of activities that are theirs by a relation."""
    prospects = {row.ref: row for query in _PROSPECTS for row in rows_in(connection, query, people)}
    refs = links.prospects_with(connection, emails)
    prospects |= {row.ref: row for row in rows_in(connection, _PROSPECTS[0], refs)}
    run_many(past, insert(PROSPECT), [dict(row._mapping) for row in prospects.values()])
    further = [dict(row._mapping) for row in rows_in(connection, addresses.EVERY, {*people, *prospects})]
    upsert(past, FURTHER, further, keep=frozenset())
    emails = emails | {row.email for row in prospects.values() if row.email} | {row["address"] for row in further}
    activities: JsonObject = {}
    for name, ids in (("crm_id", people), ("prospect", prospects), ("email", emails), ("ref", named)):
        activities |= {row.ref: row for row in rows_in(connection, _ACTIVITIES[name], ids, at=iso(at))}
    run_many(past, insert(ACTIVITY), [dict(row._mapping) for row in activities.values()])
    return {ref for ref, row in prospects.items() if row.crm_id in family or row.crm_id is None or ref in family}
