"""Records of other objects that the mapping links to people (``records:``): whose they are, and who that concerns.

In ``record``, ``contact_id`` of such a row is the contact or lead of its lookup, or its e-mail address; where it has
neither, ``account_id`` is the account whose people's it is. So one row has one link, of which two indexes know.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from sqlalchemy import Connection, bindparam, select, update

from connector.base.facts import LinkedRecord
from connector.base.ids import id18
from connector.base.json import JsonMap, JsonObject
from connector.lifecycle.model import RecordLink
from connector.store import books, links
from connector.store.dialect import run_many
from connector.store.links import IDS, rows_in
from connector.store.rows import KNOWN_OBJECTS, address, read_json
from connector.store.schema import RECORD

_PAGE = 5000
_COLUMNS = (RECORD.c.live, RECORD.c.object, RECORD.c.id, RECORD.c.fields, RECORD.c.contact_id, RECORD.c.account_id)
# NOT IN, which no index answers: given the objects to find, SQLite would walk all their rows instead of the ids
_IS_LINKED = RECORD.c.object.not_in(KNOWN_OBJECTS)
_OF_PEOPLE = select(*_COLUMNS).where(RECORD.c.contact_id.in_(IDS), _IS_LINKED)
_OF_ACCOUNTS = select(*_COLUMNS).where(RECORD.c.account_id.in_(IDS), _IS_LINKED)
_LINK = (
    update(RECORD)
    .where(RECORD.c.id == bindparam("row_id"))
    .values(contact_id=bindparam("new_contact"), account_id=bindparam("new_account"))
)


def link_record(row: JsonObject, how: RecordLink) -> None:
    """Completes a row of ``record`` that is going to be stored."""
    row["contact_id"], row["account_id"] = _whose(read_json(row["fields"]), how)


def _whose(fields: JsonMap, how: RecordLink) -> tuple[str | None, str | None]:
    person, email, account = (fields.get(name) if name else None for name in (how.person, how.email, how.account))
    found = _id(person) or address(email)
    return found, None if found else _id(account)


def _id(value: Any) -> str | None:
    """As lookups have it; a text field may hold the 15 characters that a page's address shows."""
    text = str(value or "")
    return id18(text) or text or None


def link_records(connection: Connection, wanted: Mapping[str, RecordLink]) -> None:
    """With a mapping that links otherwise than the one before: once, for all that was read."""
    known = books.record_links(connection)
    if dict(wanted) == known:
        return
    books.set_record_links(connection, wanted)
    for name in sorted({*wanted, *known}):
        if wanted.get(name) == known.get(name):
            continue
        how, after = wanted.get(name, RecordLink()), ""
        page = select(RECORD.c.id, RECORD.c.fields).where(RECORD.c.object == name).order_by(RECORD.c.id).limit(_PAGE)
        while rows := connection.execute(page.where(RECORD.c.id > after)).all():
            after = rows[-1].id
            changes = [(row.id, *_whose(read_json(row.fields), how)) for row in rows]
            names = ("row_id", "new_contact", "new_account")
            run_many(connection, _LINK, [dict(zip(names, each, strict=True)) for each in changes])


def people_named(connection: Connection, named: Iterable[tuple[str | None, str | None]]) -> set[str]:
    """Whom rows of ``record`` with these (contact_id, account_id) concern."""
    named = list(named)
    told = {contact for contact, _ in named if contact}
    emails = {each for each in told if "@" in each}
    people = links.affected(connection, ids=told - emails, emails=emails)
    accounts = {account for _, account in named if account}
    return people | (links.people_of_account(connection, sorted(accounts)) if accounts else set())


def records_of(
    connection: Connection, ids: Iterable[str], emails: Iterable[str], accounts: Iterable[str]
) -> Iterator[tuple[str, LinkedRecord]]:
    """The id, address or account by which each is linked, and the record."""
    known = books.record_links(connection)
    by_account = {name for name, how in known.items() if how.account}
    for row in _live(rows_in(connection, _OF_PEOPLE, [*ids, *emails]), known):
        via = "email" if "@" in row.contact_id else "person"
        yield row.contact_id, LinkedRecord(row.object, row.id, read_json(row.fields), via)
    for row in _live(rows_in(connection, _OF_ACCOUNTS, accounts if by_account else ()), by_account):
        yield row.account_id, LinkedRecord(row.object, row.id, read_json(row.fields), "account")


def _live(rows: Iterable[Any], objects: Iterable[str]) -> Iterator[Any]:
    wanted = set(objects)
    return (row for row in rows if row.live and row.object in wanted)
