"""Addresses that people have beside their Email: those in other fields that the mapping names, those that a marketing
source knows besides (secondary, of merged contacts), and those that were corrected since.

An address is never dropped: one that is said no longer is ``former``, and what came from it stays whose it was. But one
that a record has as its Email is that record's, and nobody else's through what is kept here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select

from connector.base.facts import PEOPLE, Prospect
from connector.base.json import JsonObject
from connector.lifecycle.model import Identity
from connector.store import books
from connector.store.dialect import upsert
from connector.store.links import IDS, rows_in, select_ids, untaken
from connector.store.rows import address, iso, read_json
from connector.store.schema import FURTHER, PROSPECT, RECORD

FORMER = "former"  # whence an address is that nobody says any more
GIVEN = "given"  # by a visitor, with what they did; it stays so
_PAGE = 2000  # records at a time
EVERY = select(FURTHER).where(FURTHER.c.owner.in_(IDS))
UNTAKEN = EVERY.where(untaken(FURTHER))
PROSPECTS_OF = (
    select(PROSPECT, FURTHER.c.address)
    .join(FURTHER, FURTHER.c.owner == PROSPECT.c.ref)
    .where(FURTHER.c.address.in_(IDS), PROSPECT.c.crm_id.is_(None))
)
_PEOPLE = select(RECORD.c.id, RECORD.c.object, RECORD.c.fields).order_by(RECORD.c.id).limit(_PAGE)
_TAKEN = select(RECORD.c.email).where(RECORD.c.email.in_(IDS), RECORD.c.live, RECORD.c.object.in_(PEOPLE))

Said = Mapping[str, Mapping[str, str]]  # id of a record or ref of a prospect -> address -> the field or source
Pair = tuple[str, str]  # owner, address


def keep(connection: Connection, said: Said, former: Iterable[tuple[str, str | None]], now: datetime) -> set[Pair]:
    """What these are known to have beside their Email, and what their Email was. Returns what is new."""
    known = {(row.owner, row.address): row.whence for row in rows_in(connection, EVERY, said)}
    wanted = dict.fromkeys(known, FORMER)
    wanted |= {(owner, email): FORMER for owner, email in former if email}
    wanted |= {(owner, each): whence for owner, found in said.items() for each, whence in found.items()}
    new = {pair: whence for pair, whence in wanted.items() if known.get(pair) not in {whence, GIVEN}}
    _write(connection, new, now)
    return {pair for pair in new if pair not in known}


def _write(connection: Connection, new: Mapping[Pair, str], now: datetime) -> None:
    """What is known already keeps since when. Since when a former Email was one, its record's history tells."""
    rows = [
        {
            "owner": owner,
            "address": each,
            "whence": whence,
            "since": None if whence == FORMER else iso(now),
            "until": iso(now) if whence == FORMER else None,
        }
        for (owner, each), whence in sorted(new.items())
    ]
    upsert(connection, FURTHER, rows, keep=frozenset({"since"}))


def add(connection: Connection, given: Iterable[Pair], now: datetime) -> set[Pair]:
    """Addresses that visitors gave. Returns what was not known as such."""
    wanted = set(given)
    whences = {(row.owner, row.address): row.whence for row in rows_in(connection, EVERY, {each for each, _ in wanted})}
    new = {pair for pair in wanted if whences.get(pair) != GIVEN}
    _write(connection, dict.fromkeys(new, GIVEN), now)
    return new


def keep_versions(
    connection: Connection,
    rows: Sequence[JsonObject],
    before: Mapping[str, Any],
    after: Mapping[str, JsonObject],
    now: datetime,
) -> set[str]:
    """Of Contacts and Leads, every version that came, in any order; ``after``: those that replace ``before``. Returns
    the ids of those with an address more."""
    fields = books.identity(connection).fields_of
    emails = {each: row.email for each, row in before.items()} | {each: row["email"] for each, row in after.items()}
    former = {(row["id"], row["email"]) for row in rows if row["email"] and row["email"] != emails[row["id"]]}
    former |= {(each, row.email) for each, row in before.items() if row.email and row.email != emails[each]}
    if not fields and not former:
        return set()
    owners = {owner for owner, _ in former} | (after.keys() if fields else set())
    kept = {each: after.get(each) or before[each]._mapping for each in owners}
    said = {each: _in_fields(kept[each], fields) for each in kept}
    return {owner for owner, _ in keep(connection, said, former, now)}


def _in_fields(row: Mapping[Any, Any], fields: Mapping[str, Sequence[str]]) -> dict[str, str]:
    names = fields.get(row["object"], ())
    values = read_json(row["fields"]) if names else {}
    return {found: name for name in names if (found := address(values.get(name)))}


def read_fields(connection: Connection, rule: Identity, now: datetime) -> None:
    """With a mapping that names other fields than the one before: once, for all that was read."""
    if rule.addresses == books.identity(connection).addresses:
        return
    after = ""
    people = _PEOPLE.where(RECORD.c.object.in_(PEOPLE), RECORD.c.live)
    while rows := connection.execute(people.where(RECORD.c.id > after)).all():
        after = rows[-1].id
        keep(connection, {row.id: _in_fields(dict(row._mapping), rule.fields_of) for row in rows}, (), now)


def of_owners(connection: Connection, owners: Iterable[str]) -> dict[str, dict[str, str]]:
    """What these have beside their Email: address -> whence."""
    found: dict[str, dict[str, str]] = {}
    for row in rows_in(connection, EVERY, owners):
        found.setdefault(row.owner, {})[row.address] = row.whence
    return found


def taken(connection: Connection, emails: Iterable[str]) -> set[str]:
    """Those of them that a record has as its Email."""
    return select_ids(connection, _TAKEN, emails)


def of_prospect(prospect: Prospect) -> dict[str, str]:
    return {found: prospect.source for each in prospect.addresses if (found := address(each))}
