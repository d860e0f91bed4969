"""Forgetting a person: names, addresses and texts leave every table; ids, stages, dates and counts stay.

Who was forgotten is remembered by id, and by a keyed hash of each address, so that what comes late is not taken up
again: rows of theirs are kept bare and are nobody, activities and prospects are dropped. A new record with the address
is somebody's decision in Salesforce: it counts as a new person, and the address is known again.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import structlog
from sqlalchemy import Connection, Table, bindparam, delete, insert, or_, select, update

from connector.base.facts import PEOPLE, SourcePage
from connector.base.json import JsonObject
from connector.store import apart, books
from connector.store.dialect import upsert
from connector.store.links import IDS, prospects_with, rows_in, select_ids
from connector.store.redacting import Redactor, bare, telling
from connector.store.rows import address, dumps, iso, read_json, ref
from connector.store.schema import (
    ACTIVITY,
    CURSOR,
    CYCLE,
    DIRTY,
    FORGOTTEN,
    FURTHER,
    HISTORY,
    INTENT,
    LOG,
    PROSPECT,
    RECORD,
    SET_ASIDE,
    SETTING,
    SETTLED,
    STAY,
    TRACK,
)
from connector.store.texts import in_text
from connector.store.unsaid import forget_words

log = structlog.get_logger(__name__)

_KEY, _KEEPS = "forgotten key", "forgotten keeps"  # settings
_ROWS = select(RECORD).where(RECORD.c.id.in_(IDS))
_ALIASES = select(RECORD.c.id).where(RECORD.c.alias_of.in_(IDS))
_THEIRS = tuple(select(RECORD).where(column.in_(IDS)) for column in (RECORD.c.contact_id, RECORD.c.email))
_SAID = select(HISTORY).where(HISTORY.c.ref.in_(IDS))
_FURTHER = select(FURTHER.c.address).where(FURTHER.c.owner.in_(IDS))
_HOLDERS = select(RECORD.c.id, RECORD.c.email).where(
    RECORD.c.email.in_(IDS), RECORD.c.live, RECORD.c.object.in_(PEOPLE)
)
_PROSPECTS = select(PROSPECT).where(PROSPECT.c.ref.in_(IDS))
_TIED = select(PROSPECT.c.ref).where(PROSPECT.c.crm_id.in_(IDS))
_ACTIVITIES = tuple(
    select(ACTIVITY).where(column.in_(IDS)) for column in (ACTIVITY.c.crm_id, ACTIVITY.c.prospect, ACTIVITY.c.email)
)
_KNOWN = select(FORGOTTEN.c.key).where(FORGOTTEN.c.key.in_(IDS), FORGOTTEN.c.done_at.is_not(None))
_LATE = (  # deleted, and neither merged nor converted
    select(RECORD.c.id, HISTORY.c.until)
    .join(HISTORY, HISTORY.c.ref == RECORD.c.id)
    .where(RECORD.c.object.in_(PEOPLE), RECORD.c.live.is_(False), RECORD.c.moved_to.is_(None), HISTORY.c.live)
)
# Where somebody may be named who is not whose row it is: table -> key, and the columns that hold texts.
_MENTIONS: tuple[tuple[Table, str, tuple[str, ...]], ...] = (
    (RECORD, "id", ("fields", "name")),
    (ACTIVITY, "ref", ("name", "attributes")),
    (HISTORY, "id", ("said",)),
    (LOG, "id", ("old", "new", "rule", "reason", "evidence", "changes", "message")),
    (SET_ASIDE, "record_id", ("changes", "message")),
    (INTENT, "id", ("changes", "decision")),
    (CYCLE, "id", ("report",)),
    (SETTING, "name", ("value",)),
    (CURSOR, "name", ("value",)),
)
# Columns that hold a ref, which may hold an address.
_REFS: tuple[tuple[Table, str], ...] = (
    (ACTIVITY, "ref"), (ACTIVITY, "prospect"), (PROSPECT, "ref"), (FURTHER, "owner"), (HISTORY, "ref"),
    (DIRTY, "person_id"), (SETTLED, "person_id"), (TRACK, "person_id"), (LOG, "person_id"), (STAY, "person_id"),
    (STAY, "line"), (STAY, "became"), (SET_ASIDE, "person_id"), (INTENT, "person_id"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Footprint:
    """What is kept of one human. ``end``: the record they are at last; ``texts``: what they would be found by
    elsewhere; ``shared``: addresses that another record has, too, and keeps; ``found``: table -> rows."""

    end: str | None
    records: tuple[str, ...]
    prospects: tuple[str, ...]
    addresses: tuple[str, ...]
    texts: frozenset[str]
    shared: tuple[str, ...]
    found: Mapping[str, int]

    @property
    def keys(self) -> frozenset[str]:
        return frozenset((*self.records, *self.prospects))


def footprint(connection: Connection, person_ids: Sequence[str]) -> Footprint:
    """Of the human to whom these ids belong, dead or alive."""
    records = {each for each in person_ids if ":" not in each}
    ends = {row.alias_of or row.id for row in rows_in(connection, _ROWS, records)}
    records |= ends | select_ids(connection, _ALIASES, ends)
    rows = list(rows_in(connection, _ROWS, records))
    prospects = {each for each in person_ids if ":" in each} | select_ids(connection, _TIED, records)
    said = [read_json(row.fields) for row in rows]
    said += [read_json(row.said) for row in rows_in(connection, _SAID, records) if not row.track]
    emails = {row.email for row in rows} | {address(each.get("Email")) for each in said}
    emails |= select_ids(connection, _FURTHER, records | prospects)
    emails |= {row.email for row in rows_in(connection, _PROSPECTS, prospects)}
    known = {each for each in emails if each}
    shared = {row.email for row in rows_in(connection, _HOLDERS, known) if row.id not in records}
    prospects |= {
        row.ref
        for row in rows_in(connection, _PROSPECTS, prospects_with(connection, known - shared))
        if not row.crm_id or row.crm_id in records
    }
    told = list(rows_in(connection, _PROSPECTS, prospects))
    known |= {row.email for row in told if row.email} | select_ids(connection, _FURTHER, prospects)
    shared |= {row.email for row in rows_in(connection, _HOLDERS, known) if row.id not in records}
    own = known - shared
    texts = {each for fields in (*said, *(read_json(row.attributes) for row in told)) for each in telling(fields)}
    texts = {each for each in texts if each.lower() not in shared} | own
    found = {
        "records": len(rows),
        "prospects": len(told),
        "activities": len(_activities(connection, records, prospects, own)),
        "history": sum(1 for _ in rows_in(connection, _SAID, records)),
    }
    return Footprint(
        min(ends, default=None),
        tuple(sorted(records)),
        tuple(sorted(prospects)),
        tuple(sorted(own)),
        frozenset(texts),
        tuple(sorted(shared)),
        found,
    )


def _activities(
    connection: Connection, records: Collection[str], prospects: Collection[str], emails: Collection[str]
) -> list[Any]:
    by = zip(_ACTIVITIES, (records, prospects, emails), strict=True)
    return list({row.ref: row for query, ids in by for row in rows_in(connection, query, ids)}.values())


def erase(connection: Connection, who: Footprint, keep: Collection[str], now: datetime) -> None:
    """``keep``: fields whose values stay, since they are stages and the like. Doing it again does no harm."""
    keys, redact = who.keys, Redactor(who.texts)
    _strip_records(connection, who, keep, now)
    _strip_activities(connection, who)
    _strip_history(connection, who, keep)
    _strip_decisions(connection, keys)
    _run(connection, delete(FURTHER).where(FURTHER.c.owner == bindparam("whose")), [{"whose": k} for k in keys])
    for table, column in ((DIRTY, "person_id"), (SET_ASIDE, "person_id"), (INTENT, "person_id")):
        _run(connection, delete(table).where(table.c[column] == bindparam("whose")), [{"whose": k} for k in keys])
    _run(
        connection,
        update(SETTLED).where(SETTLED.c.person_id == bindparam("whose")).values(review_at=None),
        [{"whose": k} for k in keys],
    )
    _redact_mentions(connection, who.texts, redact)
    forget_words(connection, redact)
    _rename(connection, who, redact)
    _remember(connection, who, keep, redact, now)


def _run(connection: Connection, statement: Any, rows: Sequence[JsonObject]) -> None:
    if rows:
        connection.execute(statement, [dict(row) for row in rows])


def _strip_records(connection: Connection, who: Footprint, keep: Collection[str], now: datetime) -> None:
    own = {row.id: row for row in rows_in(connection, _ROWS, who.records)}
    linked = {
        row.id: row
        for query, ids in zip(_THEIRS, (who.records, who.addresses), strict=True)
        for row in rows_in(connection, query, ids)
        if row.id not in own
    }
    change = update(RECORD).where(RECORD.c.id == bindparam("which"))
    stripped = change.values(fields=bindparam("text"), email=None, name=None)
    bury = change.values(fields=bindparam("text"), email=None, name=None, live=False)
    for rows, statement in ((own, bury), (linked, stripped)):
        values = [{"which": row.id, "text": dumps(bare(read_json(row.fields), keep))} for row in rows.values()]
        _run(connection, statement, values)
    ended = {"track": "", "until": iso(now), "live": True, "said": "{}"}
    _run(connection, insert(HISTORY), [{"ref": row.id, **ended} for row in own.values() if row.live])
    prospect = update(PROSPECT).where(PROSPECT.c.ref == bindparam("which"))
    values = [
        {"which": row.ref, "text": dumps(bare(read_json(row.attributes)))}
        for row in rows_in(connection, _PROSPECTS, who.prospects)
    ]
    gone: JsonObject = {"attributes": bindparam("text"), "email": None, "deleted": True, "recorded_at": iso(now)}
    _run(connection, prospect.values(**gone), values)


def _strip_activities(connection: Connection, who: Footprint) -> None:
    """What was known by an address alone is known by the id from now on, so that it still counts."""
    rows = [
        {
            "which": row.ref,
            "title": "",
            "text": dumps(bare(read_json(row.attributes))),
            "crm": row.crm_id or (None if row.prospect else who.end),
        }
        for row in _activities(connection, who.records, who.prospects, who.addresses)
    ]
    change = update(ACTIVITY).where(ACTIVITY.c.ref == bindparam("which"))
    values: JsonObject = {"name": bindparam("title"), "attributes": bindparam("text"), "crm_id": bindparam("crm")}
    _run(connection, change.values(**values, email=None), rows)


def _strip_history(connection: Connection, who: Footprint, keep: Collection[str]) -> None:
    rows = [
        {"which": row.id, "text": dumps(bare(read_json(row.said), keep))}
        for row in rows_in(connection, _SAID, who.records)
        if not row.track
    ]
    _run(connection, update(HISTORY).where(HISTORY.c.id == bindparam("which")).values(said=bindparam("text")), rows)


def _strip_decisions(connection: Connection, keys: Collection[str]) -> None:
    """The evidence keeps its ids and dates; what Salesforce answered keeps its code."""
    tracks = [
        {"whose": row.person_id, "which": row.track, "text": _bare_evidence(row.evidence)}
        for row in rows_in(connection, select(TRACK).where(TRACK.c.person_id.in_(IDS)), keys)
    ]
    of_track = update(TRACK).where(TRACK.c.person_id == bindparam("whose"), TRACK.c.track == bindparam("which"))
    _run(connection, of_track.values(evidence=bindparam("text")), tracks)
    entries = [
        {"which": row.id, "text": _bare_evidence(row.evidence), "said": ""}
        for row in rows_in(connection, select(LOG).where(LOG.c.person_id.in_(IDS)), keys)
    ]
    of_log = update(LOG).where(LOG.c.id == bindparam("which"))
    _run(connection, of_log.values(evidence=bindparam("text"), message=bindparam("said")), entries)


def _bare_evidence(evidence: str) -> str:
    return dumps([{**each, "text": ""} for each in read_json(evidence)]) if evidence != "[]" else evidence


def _redact_mentions(connection: Connection, texts: Collection[str], redact: Redactor) -> None:
    """Rows of others that name them. A record of another person keeps its own name, which may be the same."""
    emails = {each for each in texts if "@" in each}
    for table, key, columns in _MENTIONS:
        _redact_table(connection, table, (key,), columns, texts, redact)
    _redact_table(connection, TRACK, ("person_id", "track"), ("value", "reason", "evidence", "memory"), texts, redact)
    _redact_table(connection, PROSPECT, ("ref",), ("attributes",), emails, Redactor(emails))


def _redact_table(
    connection: Connection,
    table: Table,
    key: Sequence[str],
    columns: Sequence[str],
    texts: Collection[str],
    redact: Redactor,
) -> None:
    emails = Redactor({each for each in texts if "@" in each})
    for text in sorted(texts):
        asked = json.dumps(text, ensure_ascii=False)[1:-1]
        shown = [in_text(connection.dialect.name, table.c[name]) for name in columns]
        there = or_(*(each.icontains(asked, autoescape=True) for each in shown))
        for row in connection.execute(select(table).where(there)).all():
            is_anothers = table is RECORD and row.object in PEOPLE
            by = emails if is_anothers else redact
            old = {name: row._mapping[name] for name in columns}
            new = {name: by.column(value) if value else value for name, value in old.items()}
            if new != old:
                where = [table.c[name] == row._mapping[name] for name in key]
                connection.execute(update(table).where(*where).values(**new))


def _rename(connection: Connection, who: Footprint, redact: Redactor) -> None:
    """Refs of prospects and activities that hold an address or a name."""
    salt = _salt(connection)
    theirs = {*who.prospects}
    theirs |= {row.ref for row in _activities(connection, who.records, who.prospects, who.addresses)}
    renamed = {each: _renamed(each, salt) for each in theirs if redact.finds(each)}
    for table, column in _REFS if renamed else ():
        change = update(table).where(table.c[column] == bindparam("old_ref")).values({column: bindparam("new_ref")})
        _run(connection, change, [{"old_ref": old, "new_ref": new} for old, new in renamed.items()])


def _renamed(name: str, salt: str) -> str:
    return f"{name.partition(':')[0]}:forgotten-{_hashed(name, salt)[2:26]}"


def _remember(connection: Connection, who: Footprint, keep: Collection[str], redact: Redactor, now: datetime) -> None:
    salt = _salt(connection)
    keys = {each for each in who.keys if not redact.finds(each)}
    keys |= {_hashed(each, salt) for each in (*who.addresses, *who.prospects)}
    keys |= {_renamed(each, salt) for each in who.prospects if redact.finds(each)}
    rows = [{"key": each, "asked_at": iso(now), "done_at": iso(now)} for each in sorted(keys)]
    upsert(connection, FORGOTTEN, rows, keep=frozenset())
    kept = {*keep, *(books.setting(connection, _KEEPS) or "").split()}
    books.set_setting(connection, _KEEPS, " ".join(sorted(kept)))


def _salt(connection: Connection) -> str:
    known = books.setting(connection, _KEY)
    if known is None:
        books.set_setting(connection, _KEY, known := secrets.token_hex(32))
    return known


def _hashed(text: str, salt: str) -> str:
    return "h:" + hashlib.blake2b(text.encode(), key=bytes.fromhex(salt), digest_size=20).hexdigest()


# -- asked for, and due --------------------------------------------------------------------------------------------


def ask_to_erase(connection: Connection, person_ids: Sequence[str], now: datetime) -> None:
    rows = [{"key": each, "asked_at": iso(now), "done_at": None} for each in person_ids]
    upsert(connection, FORGOTTEN, rows, keep=frozenset())


def asked(connection: Connection) -> list[str]:
    query = select(FORGOTTEN.c.key).where(FORGOTTEN.c.done_at.is_(None)).order_by(FORGOTTEN.c.key)
    return [row[0] for row in connection.execute(query)]


def deleted_before(connection: Connection, now: datetime, days: float) -> list[str]:
    """People who were deleted in Salesforce so long ago, and are not forgotten yet."""
    latest: dict[str, str] = {}
    for row in connection.execute(_LATE):
        latest[row.id] = max(row.until, latest.get(row.id, ""))
    old = [each for each, until in latest.items() if until <= iso(now - timedelta(days=days))]
    return sorted(set(old) - select_ids(connection, _KNOWN, old))


# -- what comes late -----------------------------------------------------------------------------------------------


def is_anybody(connection: Connection) -> bool:
    """Whether anybody was ever forgotten here."""
    return books.setting(connection, _KEY) is not None


def keep_bare(connection: Connection, rows: Sequence[JsonObject]) -> None:
    """Of rows that are about to be recorded: those of the forgotten stay bare, and are nobody."""
    if not rows or not is_anybody(connection):
        return
    salt, keep = _salt(connection), (books.setting(connection, _KEEPS) or "").split()
    hashes = {_hashed(email, salt): email for row in rows if (email := row["email"])}
    ids = {row[name] for row in rows for name in ("id", "contact_id") if row[name]}
    known = select_ids(connection, _KNOWN, {*ids, *hashes})
    for row in rows:
        if row["id"] in known:
            row |= {"fields": dumps(bare(read_json(row["fields"]), keep)), "email": None, "name": None, "live": False}
        elif row["contact_id"] in known:
            row |= {"fields": dumps(bare(read_json(row["fields"]), keep)), "email": None, "name": None}
    back = [each for each, email in hashes.items() if each in known and _is_new(rows, known, email)]
    _run(connection, delete(FORGOTTEN).where(FORGOTTEN.c.key == bindparam("which")), [{"which": b} for b in back])
    if back:
        log.info("a new record has an address that was forgotten", addresses=len(back))


def _is_new(rows: Sequence[JsonObject], known: Collection[str], email: str) -> bool:
    return any(each["email"] == email and each["live"] and each["id"] not in known for each in rows)


def without_forgotten(connection: Connection, name: str, page: SourcePage) -> tuple[SourcePage, list[str]]:
    """The page without what the forgotten did, and the refs of that."""
    if not (page.activities or page.prospects) or not is_anybody(connection):
        return page, []
    salt = _salt(connection)

    def keys(email: Any, crm_id: str | None, prospect_id: str | None) -> list[str]:
        found = [crm_id] if crm_id else []
        if prospect_id:
            whose = ref(name, prospect_id)
            found += [whose, _hashed(whose, salt)]
        elif not crm_id and (known := address(email)):
            found.append(_hashed(known, salt))
        return found

    activities = [(each, keys(each.email, each.crm_id, each.prospect_id)) for each in page.activities]
    prospects = [
        (each, [*keys(None, each.crm_id, each.id), *keys(each.email, each.crm_id, None)]) for each in page.prospects
    ]
    known = select_ids(connection, _KNOWN, {key for _, found in (*activities, *prospects) for key in found})
    dropped = [own for each, found in activities if known.intersection(found) for own in apart.refs_of(each)]
    dropped += [_renamed(each, salt) for each in dropped]
    kept = [each for each, found in activities if not known.intersection(found)]
    people = [each for each, found in prospects if not known.intersection(found)]
    return replace(page, activities=tuple(kept), prospects=tuple(people)), dropped
