"""Recording facts: upserts in batches, and marks for exactly those whose facts became different.

Everything is idempotent and does not care for order: a Salesforce row never overwrites a newer one, the same content
marks nobody, and whom a fact belongs to is found when it is read, not when it is written.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from operator import itemgetter
from typing import Any

from sqlalchemy import Connection, bindparam, delete, func, or_, select, update
from sqlalchemy import Row as Found
from sqlalchemy.sql import ColumnElement

from connector.base.facts import PEOPLE, Row, SourcePage
from connector.base.json import JsonObject
from connector.store import addresses, apart, books, domains, forgetting, history, linked, links, related
from connector.store.dialect import run_many, upsert
from connector.store.ids import behind
from connector.store.links import IDS, rows_in, run_for
from connector.store.marking import ChangedRow, mark_changed, with_colleagues
from connector.store.rows import (
    KNOWN_OBJECTS,
    OF_SALESFORCE,
    RELATIONS,
    ROLE,
    activity_row,
    dumps,
    is_gone,
    iso,
    prospect_row,
    record_row,
    ref,
    same_fact,
)
from connector.store.schema import ACTIVITY, PROSPECT, RECORD, UNREAD_ROLES

# Objects whose rows are recorded as activities, under the source "salesforce" and the feed of their name.
ACTIVITY_OBJECTS = frozenset({"Task", "Event", "CampaignMember", "EmailMessage"})

_RECORDS = select(RECORD).where(RECORD.c.id.in_(IDS))
_ACTIVITIES = select(ACTIVITY).where(ACTIVITY.c.ref.in_(IDS))
_PROSPECTS = select(PROSPECT).where(PROSPECT.c.ref.in_(IDS))
_SEEN = update(RECORD).where(RECORD.c.id.in_(IDS)).values(generation=bindparam("seen_in"))
_SEEN_ACTIVITY = update(ACTIVITY).where(ACTIVITY.c.ref.in_(IDS)).values(generation=bindparam("seen_in"))
_BURY = update(RECORD).where(RECORD.c.id.in_(IDS)).values(live=False)
_REMOVE_ACTIVITIES = delete(ACTIVITY).where(ACTIVITY.c.ref.in_(IDS))
_ROLES_OF = select(RECORD.c.id).where(RECORD.c.opportunity_id.in_(IDS))  # ``bury`` passes over what is gone already
_OPPORTUNITIES = select(RECORD.c.opportunity_id).where(RECORD.c.id.in_(IDS), RECORD.c.opportunity_id.is_not(None))
_READ_NOW = delete(UNREAD_ROLES).where(UNREAD_ROLES.c.opportunity_id == bindparam("opportunity"))

KEEP_ALIAS = frozenset({"alias_of"})
SWEEP_CHUNK = 5000
_said = itemgetter(*(each.name for each in ACTIVITY.columns if each.name not in {"ref", "generation"}))
BEGINNINGS = 100  # of ids, in one query


def record_rows(
    connection: Connection, object_name: str, rows: Sequence[Row], generation: int | None, now: datetime
) -> list[str]:
    """Upserts rows by Id; returns the ids of those that were new or different."""
    if rows:
        history.note_fields(connection, object_name, rows[0], now)
        if object_name in RELATIONS:
            related.note_relations(connection)
    old = {row.id: row for row in rows_in(connection, _RECORDS, {row["Id"] for row in rows})}
    versions, seen = _versions(object_name, rows, old, generation)
    forgetting.keep_bare(connection, versions)
    incoming = _newest(versions)
    _link(connection, object_name, incoming.values())
    stored, changed = [], []
    for row_id, new in incoming.items():
        before = old.get(row_id)
        if before is not None and not _overwrites(before, new):
            seen.append(before)
            continue
        if before is not None:
            new["stamp"] = new["stamp"] or before.stamp
            new["generation"] = before.generation if generation is None else generation
        stored.append(new)
        if before is None or before.live != new["live"] or not same_fact(before.fields, new["fields"]):
            changed.append(ChangedRow(before, new))
    upsert(connection, RECORD, stored, keep=KEEP_ALIAS)
    history.keep_rows(connection, changed, now)
    _touch(connection, _SEEN, {row.id: row.generation for row in seen}, generation)
    more: set[str] = set()
    if object_name in PEOPLE:
        more = addresses.keep_versions(connection, versions, old, {row["id"]: row for row in stored}, now)
    mark_changed(connection, object_name, changed)
    found = [each.after["id"] for each in changed]
    if more := more.difference(found):  # a version that came late changes no row
        links.mark(connection, links.affected(connection, ids=more))
    return found


def _versions(
    object_name: str, rows: Sequence[Row], old: Mapping[str, Found[Any]], generation: int | None
) -> tuple[list[JsonObject], list[Found[Any]]]:
    """The rows as they are recorded; and those that are known as they are, as nearly all that is read again."""
    versions, seen = [], []
    for row in rows:
        before, text = old.get(row["Id"]), dumps(row)
        if before is not None and text == before.fields and before.live != is_gone(object_name, row):
            seen.append(before)
        else:
            versions.append(record_row(object_name, row, text, generation or 0))
    return versions, seen


def _link(connection: Connection, object_name: str, rows: Iterable[JsonObject]) -> None:
    """Says whose they are, where that stands in no field."""
    if object_name in {"Lead", "Account"} and books.DOMAINS in books.around(connection):
        for new in rows:
            domains.link_domain(new)
    if object_name not in KNOWN_OBJECTS and (how := books.record_links(connection).get(object_name)):
        for new in rows:
            linked.link_record(new, how)


def _newest(rows: Iterable[JsonObject]) -> dict[str, JsonObject]:
    newest: dict[str, JsonObject] = {}
    for row in rows:
        known = newest.get(row["id"])
        if known is None or row["stamp"] >= known["stamp"] or not row["stamp"]:
            newest[row["id"]] = row
    return newest


def _overwrites(before: Found[Any], new: JsonObject) -> bool:
    """Not when it is older, and not when it is what is there already."""
    if new["stamp"] and new["stamp"] < before.stamp:
        return False
    return bool(new["fields"] != before.fields or new["live"] != before.live)


def _touch(connection: Connection, statement: Any, seen: dict[str, int], generation: int | None) -> None:
    """Notes that a full read saw these, without rewriting them."""
    if generation is None:
        return
    stale = [name for name, seen_in in seen.items() if seen_in != generation]
    run_for(connection, statement, stale, seen_in=generation)


def record_page(connection: Connection, name: str, page: SourcePage, generation: int | None, now: datetime) -> int:
    """Upserts a page's prospects and activities and removes what the source took back; returns how many differed."""
    feed = name if name in ACTIVITY_OBJECTS else None
    page, dropped = forgetting.without_forgotten(connection, OF_SALESFORCE if feed else name, page)
    if dropped and generation is not None:  # they are there still, bare
        known = {row.ref: row.generation for row in rows_in(connection, _ACTIVITIES, dropped)}
        _touch(connection, _SEEN_ACTIVITY, known, generation)
    if feed == "EmailMessage" and page.activities:
        related.note_relations(connection)
    prospects = _record_prospects(connection, page, [ref(name, each) for each in page.gone], now)
    activities = _record_activities(connection, name, page, feed, generation)
    removed = {ref(OF_SALESFORCE if feed else name, each) for each in page.removed}
    told = {*dropped, *(ref(each.source, each.id) for each in page.activities)}
    removed |= _under(connection, name, page.whole) - told
    return prospects + activities + _remove_activities(connection, sorted(removed), now)


def _under(connection: Connection, name: str, beginnings: Sequence[str]) -> set[str]:
    """Refs of activities that go on behind one of these, by the primary key."""
    found: set[str] = set()
    for start in range(0, len(beginnings), BEGINNINGS):
        some = _begins(connection, name, beginnings[start : start + BEGINNINGS])
        found |= {row[0] for row in connection.execute(select(ACTIVITY.c.ref).where(some))}
    return found


def _record_prospects(connection: Connection, page: SourcePage, gone: Sequence[str], now: datetime) -> int:
    told = [each for each in page.prospects if not each.is_sketch]
    sketched = [each for each in page.prospects if each.is_sketch]
    new = {row["ref"]: row for row in (prospect_row(each, now) for each in told)}
    visiting = {row["ref"]: row for row in (prospect_row(each, now) for each in sketched)}
    old = {row.ref: row for row in rows_in(connection, _PROSPECTS, {*new, *visiting, *gone})}
    for name, row in visiting.items():
        if name not in new:
            new[name] = dict(old[name]._mapping) if name in old else row
    for name in gone:
        if known := new.get(name) or (dict(old[name]._mapping) if name in old else None):
            new[name] = {**known, "deleted": True, "recorded_at": iso(now)}
    columns = ("email", "crm_id", "attributes", "deleted")
    said = {ref(each.source, each.id): addresses.of_prospect(each) for each in told}
    given = [(ref(each.source, each.id), email) for each in sketched for email in addresses.of_prospect(each)]
    corrected = [
        (name, old[name].email) for name, row in new.items() if name in old and old[name].email != row["email"]
    ]
    added = addresses.keep(connection, said, corrected, now) | addresses.add(connection, given, now)
    whose_are_more = {owner for owner, _ in added}
    changed = [
        row
        for name, row in new.items()
        if name not in old or _differs(old[name], row, columns) or name in whose_are_more
    ]
    upsert(connection, PROSPECT, changed, keep=frozenset({"since"}))
    before = [old[row["ref"]] for row in changed if row["ref"] in old]
    ids = {row["crm_id"] for row in changed} | {row.crm_id for row in before}
    emails = {row["email"] for row in changed if not row["crm_id"]} | {row.email for row in before if not row.crm_id}
    emails |= {each for _, each in added}
    refs = [row["ref"] for row in changed]
    people = links.affected(connection, ids=ids, emails=emails, prospects=refs)
    whose = ("email", "crm_id", "deleted")
    if any(row["ref"] not in old or _differs(old[row["ref"]], row, whose) for row in changed):
        people = with_colleagues(connection, people)
    links.mark(connection, people)
    return len(changed)


def _record_activities(
    connection: Connection, name: str, page: SourcePage, feed: str | None, generation: int | None
) -> int:
    rows = (activity_row(each, feed, generation or 0) for each in page.activities)
    new, old = apart.told_apart(connection, name, page, rows)
    changed, seen = [], {}
    for row_ref, row in new.items():
        before = old.get(row_ref)
        if before is not None and _said(before._mapping) == _said(row):
            seen[row_ref] = before.generation
            continue
        if before is not None and generation is None:
            row["generation"] = before.generation
        changed.append(row)
    upsert(connection, ACTIVITY, changed, keep=frozenset())
    _touch(connection, _SEEN_ACTIVITY, seen, generation)
    before_rows = [old[row["ref"]]._mapping for row in changed if row["ref"] in old]
    _mark_of_activities(connection, [*changed, *before_rows])
    return len(changed)


def _differs(before: Any, row: JsonObject, columns: Sequence[str]) -> bool:
    known = before._mapping
    return any(known[name] != row[name] for name in columns)


def _mark_of_activities(connection: Connection, rows: Sequence[Any]) -> None:
    people = links.affected(
        connection,
        ids=[*(row["crm_id"] for row in rows), *related.people_with(connection, rows)],
        emails=(row["email"] for row in rows if not row["crm_id"] and not row["prospect"]),
        prospects=(row["prospect"] for row in rows),
    )
    links.mark(connection, with_colleagues(connection, people))


def _remove_activities(connection: Connection, refs: Sequence[str], now: datetime) -> int:
    found = [row._mapping for row in rows_in(connection, _ACTIVITIES, refs)]
    run_for(connection, _REMOVE_ACTIVITIES, [row["ref"] for row in found])
    _mark_of_activities(connection, found)
    for name, relations in related.relations_of(connection, found).items():
        bury(connection, name, relations, now)
    return len(found)


def replace_roles(connection: Connection, opportunity_ids: Sequence[str], rows: Sequence[Row], now: datetime) -> int:
    """The roles of these opportunities are exactly ``rows``; returns how many are new, different or gone."""
    changed = record_rows(connection, ROLE, rows, None, now)
    kept = {row["Id"] for row in rows}
    gone = links.select_ids(connection, _ROLES_OF, opportunity_ids) - kept
    run_many(connection, _READ_NOW, [{"opportunity": each} for each in opportunity_ids])
    return len(changed) + bury(connection, ROLE, gone, now)


def mark_unread(connection: Connection, object_name: str, changed: Sequence[str]) -> None:
    """A removed role is invisible to queries: the roles of an opportunity are all read again when it changed, or one of
    them did."""
    if object_name == ROLE:
        ids = links.select_ids(connection, _OPPORTUNITIES, changed)
    else:
        ids = set(changed) if object_name == "Opportunity" else set()
    upsert(connection, UNREAD_ROLES, [{"opportunity_id": each} for each in sorted(ids)], keep=frozenset())


def unread_roles(connection: Connection, limit: int) -> list[str]:
    found = select(UNREAD_ROLES.c.opportunity_id).order_by(UNREAD_ROLES.c.opportunity_id).limit(limit)
    return [row[0] for row in connection.execute(found)]


def remove(connection: Connection, object_name: str, ids: Sequence[str], now: datetime) -> int:
    """Rows that Salesforce says were deleted; returns how many of them were there."""
    gone = bury(connection, object_name, ids, now)
    if object_name in ACTIVITY_OBJECTS:
        gone += _remove_activities(connection, [ref(OF_SALESFORCE, each) for each in ids], now)
    return gone


def bury(connection: Connection, object_name: str, ids: Iterable[str], now: datetime) -> int:
    """Makes records not live. They keep their stamp, so that an older page that comes late does not revive them."""
    changed = []
    for row in rows_in(connection, _RECORDS, ids):
        if row.live and row.object == object_name:
            changed.append(ChangedRow(row, {**row._mapping, "live": False}))
    run_for(connection, _BURY, [each.after["id"] for each in changed])
    history.keep_rows(connection, changed, now)
    mark_changed(connection, object_name, changed)
    return len(changed)


def unseen(connection: Connection, object_name: str, generation: int) -> tuple[int, int]:
    """How many live rows, or activities, a full read did not see, and of how many."""
    records = select(RECORD.c.generation).where(RECORD.c.object == object_name, RECORD.c.live)
    activities = select(ACTIVITY.c.generation).where(*_of_feed(connection, object_name))
    rows = (records.union_all(activities) if object_name in ACTIVITY_OBJECTS else records).subquery()
    count = select(func.count().filter(rows.c.generation < generation), func.count()).select_from(rows)
    found = connection.execute(count).one()
    return int(found[0]), int(found[1])


def sweep(connection: Connection, object_name: str, generation: int, now: datetime, deals: int | None = None) -> int:
    """What a full read did not see is gone; in chunks, so that memory stays flat. ``deals``: of roles, only those whose
    opportunity was seen in that generation."""
    unseen = select(RECORD.c.id).where(RECORD.c.object == object_name, RECORD.c.live, RECORD.c.generation < generation)
    if deals is not None:
        of = RECORD.alias("of")
        unseen = unseen.join(of, of.c.id == RECORD.c.opportunity_id).where(of.c.generation >= deals)
    total = 0
    while gone := [row[0] for row in connection.execute(unseen.limit(SWEEP_CHUNK))]:
        total += bury(connection, object_name, gone, now)
    if object_name in ACTIVITY_OBJECTS:
        total += _sweep_activities(connection, object_name, generation, now)
    return total


def _sweep_activities(connection: Connection, feed: str, generation: int, now: datetime) -> int:
    unseen = select(ACTIVITY.c.ref).where(*_of_feed(connection, feed), ACTIVITY.c.generation < generation)
    total = 0
    while gone := [row[0] for row in connection.execute(unseen.limit(SWEEP_CHUNK))]:
        total += _remove_activities(connection, gone, now)
    return total


def unseen_of(connection: Connection, name: str, beginnings: Sequence[str], generation: int) -> tuple[int, int]:
    older = func.count().filter(ACTIVITY.c.generation < generation)
    those = _begins(connection, name, beginnings)
    found = connection.execute(select(older, func.count()).select_from(ACTIVITY).where(those)).one()
    return int(found[0]), int(found[1])


def sweep_source(connection: Connection, name: str, beginnings: Sequence[str], generation: int, now: datetime) -> int:
    unseen = select(ACTIVITY.c.ref).where(_begins(connection, name, beginnings), ACTIVITY.c.generation < generation)
    total = 0
    while gone := [row[0] for row in connection.execute(unseen.limit(SWEEP_CHUNK))]:
        total += _remove_activities(connection, gone, now)
    return total


def _begins(connection: Connection, name: str, beginnings: Sequence[str]) -> ColumnElement[bool]:
    """By the primary key; "" is the beginning of every id."""
    places = [ref(name, each) if each else name for each in beginnings]
    return or_(*(behind(connection, ACTIVITY.c.ref, each) for each in places))


def _of_feed(connection: Connection, feed: str) -> tuple[ColumnElement[bool], ...]:
    """All of Salesforce's, by the primary key, and of these one object's."""
    return _begins(connection, OF_SALESFORCE, [""]), ACTIVITY.c.feed == feed
