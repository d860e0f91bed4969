"""Who a fact belongs to. Reading a person and marking people use the same relation, stated here once.

A Contact or Lead row belongs to the person at the end of its chain of merges and conversions (``alias_of``, or itself),
and where the mapping joins records by e-mail address, to the one that leads those with its address. A person has the
addresses of all rows that became it, those beside their Email too (``addresses.py``). A prospect belongs to the person
of its ``crm_id``, or without one to everybody with one of its addresses; to nobody: then it is a person by itself. An
activity belongs to the person of its ``crm_id`` and to the people of its prospect, or having neither to everybody who,
or whose prospect, has its address.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from sqlalchemy import Connection, Select, and_, bindparam, exists, func, not_, or_, select, union_all
from sqlalchemy.sql import ColumnElement, Executable

from connector.base.facts import PEOPLE
from connector.store.dialect import mark_from_select, upsert, with_ids
from connector.store.schema import DIRTY, FURTHER, PROSPECT, RECORD, SETTING

CHUNK = 2000  # values in one IN list; SQLite takes 32,766 in a statement, PostgreSQL 65,535

IDS: Any = bindparam("ids", expanding=True)

FACT = RECORD.alias("fact")  # the Contact or Lead row that something points at
_PERSON = RECORD.alias("person")  # the live person it belongs to
ROLE_ROW = RECORD.alias("role")
_OWN, _THEIRS = FURTHER.alias("own"), FURTHER.alias("theirs")


def rows_in(connection: Connection, statement: Executable, ids: Iterable[str], **more: Any) -> Iterator[Any]:
    """Rows of a statement with ``IN :ids``, however many ids there are."""
    wanted = list(ids)
    for start in range(0, len(wanted), CHUNK):
        some, told = with_ids(connection, statement, wanted[start : start + CHUNK])
        yield from connection.execute(some, {**told, **more}).all()


def run_for(connection: Connection, statement: Executable, ids: Iterable[str], **more: Any) -> int:
    """A statement with ``IN :ids`` that changes rows. Returns how many."""
    wanted, count = list(ids), 0
    for start in range(0, len(wanted), CHUNK):
        some, told = with_ids(connection, statement, wanted[start : start + CHUNK])
        count += connection.execute(some, {**told, **more}).rowcount
    return count


def is_person(table: Any) -> ColumnElement[bool]:
    """A live row with an ``alias_of`` follows another record with its address."""
    return and_(table.c.live, table.c.object.in_(PEOPLE), table.c.alias_of.is_(None))


def people_where(condition: ColumnElement[bool]) -> Select[Any]:
    """Ids of the live people to whom the ``FACT`` rows belong that meet a condition."""
    join = FACT.join(_PERSON, _PERSON.c.id == func.coalesce(FACT.c.alias_of, FACT.c.id))
    return select(_PERSON.c.id).select_from(join).where(condition, is_person(_PERSON))


def untaken(table: Any) -> ColumnElement[bool]:
    """What a record has as its Email is that record's, and nobody's former or further address."""
    holder = RECORD.alias()
    taken = select(holder.c.id).where(holder.c.email == table.c.address, holder.c.live, holder.c.object.in_(PEOPLE))
    return not_(taken.correlate(table).exists())


def _people_with(*theirs: ColumnElement[bool], also: Any = None) -> Select[Any]:
    """Ids of the live people with a row in ``_OWN``."""
    join = _OWN.join(FACT, FACT.c.id == _OWN.c.owner)
    join = join if also is None else join.join(also, also.c.address == _OWN.c.address)
    join = join.join(_PERSON, _PERSON.c.id == func.coalesce(FACT.c.alias_of, FACT.c.id))
    return select(_PERSON.c.id).select_from(join).where(*theirs, is_person(_PERSON), untaken(_OWN))


def is_alone() -> ColumnElement[bool]:
    """Whether a prospect is a person by itself."""
    by_id = people_where(FACT.c.id == PROSPECT.c.crm_id).correlate(PROSPECT)
    further = select(_THEIRS.c.address).where(_THEIRS.c.owner == PROSPECT.c.ref).correlate(PROSPECT)
    has = (
        people_where(FACT.c.email == PROSPECT.c.email),
        people_where(FACT.c.email.in_(further)),
        _people_with(_OWN.c.address == PROSPECT.c.email),
        _people_with(_THEIRS.c.owner == PROSPECT.c.ref, also=_THEIRS),
    )
    has_one = or_(*(exists(each.correlate(PROSPECT)) for each in has))
    matched = or_(exists(by_id), and_(PROSPECT.c.crm_id.is_(None), has_one))
    return and_(not_(PROSPECT.c.deleted), not_(matched))


def exists_now(person_id: ColumnElement[str]) -> ColumnElement[bool]:
    """Whether a column names somebody who is a person still."""
    crm = select(RECORD.c.id).where(RECORD.c.id == person_id, is_person(RECORD))
    alone = select(PROSPECT.c.ref).where(PROSPECT.c.ref == person_id, is_alone())
    return or_(crm.exists(), alone.exists())


def everybody(object_name: str | None = None) -> Select[Any]:
    """Ids of all people, or of those of one object ("Contact", "Lead", "Prospect")."""
    crm = select(RECORD.c.id.label("id")).where(is_person(RECORD))
    alone = select(PROSPECT.c.ref.label("id")).where(is_alone())
    if object_name == "Prospect":
        return alone
    if object_name:
        return crm.where(RECORD.c.object == object_name)
    people = union_all(crm, alone).subquery()
    return select(people.c.id)


BY_ID = people_where(FACT.c.id.in_(IDS))
BY_EMAIL = people_where(FACT.c.email.in_(IDS))
BY_ACCOUNT = people_where(FACT.c.account_id.in_(IDS))
ALONE = select(PROSPECT.c.ref).where(PROSPECT.c.ref.in_(IDS), is_alone())
ALONE_BY_ID = select(PROSPECT.c.ref).where(PROSPECT.c.crm_id.in_(IDS), is_alone())
BY_ADDRESS = select(FURTHER.c.owner).where(FURTHER.c.address.in_(IDS))
TIED_WITH = select(PROSPECT.c.crm_id).where(PROSPECT.c.email.in_(IDS), PROSPECT.c.crm_id.is_not(None))
_WITH_EMAIL = select(PROSPECT.c.ref).where(PROSPECT.c.email.in_(IDS))
FURTHER_OF = select(FURTHER.c.address).where(FURTHER.c.owner.in_(IDS))
OF_PROSPECT = select(PROSPECT.c.ref, PROSPECT.c.crm_id, PROSPECT.c.email).where(PROSPECT.c.ref.in_(IDS))
ACCOUNT = "Account"
BY_DOMAIN = select(RECORD.c.live, RECORD.c.object, RECORD.c.id, RECORD.c.email).where(RECORD.c.email.in_(IDS))
_DOMAINS_OF = select(RECORD.c.email).where(RECORD.c.id.in_(IDS), RECORD.c.email.is_not(None))
CONTACTS_OF = select(ROLE_ROW.c.contact_id).where(
    ROLE_ROW.c.opportunity_id.in_(IDS), ROLE_ROW.c.contact_id.is_not(None)
)


def affected(
    connection: Connection,
    *,
    ids: Iterable[str | None] = (),
    emails: Iterable[str | None] = (),
    prospects: Iterable[str | None] = (),
) -> set[str]:
    """The people who exist and to whom something with these record ids, addresses, prospects belongs."""
    all_ids, all_emails = {each for each in ids if each}, {each for each in emails if each}
    refs = {each for each in prospects if each}
    people: set[str] = set()
    refs |= prospects_with(connection, all_emails)
    tied = set()
    for ref, crm_id, email in rows_in(connection, OF_PROSPECT, refs):
        if crm_id:
            all_ids.add(crm_id)
            tied.add(ref)
        elif email:
            all_emails.add(email)
    all_emails |= select_ids(connection, FURTHER_OF, refs - tied)
    all_ids |= {each for each in select_ids(connection, BY_ADDRESS, all_emails) if ":" not in each}
    for statement, values in ((BY_ID, all_ids), (BY_EMAIL, all_emails), (ALONE, refs)):
        people.update(row[0] for row in rows_in(connection, statement, values))
    return people


def prospects_with(connection: Connection, emails: Iterable[str]) -> set[str]:
    """Refs of the prospects that have, or had, one of these addresses."""
    wanted = set(emails)
    also = {each for each in select_ids(connection, BY_ADDRESS, wanted) if ":" in each}
    return select_ids(connection, _WITH_EMAIL, wanted) | also


def left_alone(connection: Connection, ids: Iterable[str], emails: Iterable[str | None]) -> set[str]:
    """Prospects with these crm ids or addresses that are people by themselves now."""
    found = {row[0] for row in rows_in(connection, ALONE_BY_ID, ids)}
    refs = prospects_with(connection, {email for email in emails if email})
    return found | select_ids(connection, ALONE, refs)


def select_ids(connection: Connection, statement: Select[Any], ids: Iterable[str]) -> set[str]:
    return {row[0] for row in rows_in(connection, statement, ids)}


def mark(connection: Connection, people: Iterable[str]) -> None:
    """Makes people dirty, with a new mark for those who are already."""
    if wanted := sorted(set(people)):
        seq = _next_seq(connection)
        upsert(connection, DIRTY, [{"person_id": each, "seq": seq} for each in wanted], keep=frozenset())


def mark_select(connection: Connection, people: Select[Any]) -> int:
    """As ``mark``, for people that the database finds; returns how many."""
    found = people.subquery()
    seq = _next_seq(connection)
    # the WHERE keeps SQLite from reading ON CONFLICT as a join condition
    statement = select(found.c[0], bindparam("seq", seq, unique=True)).where(found.c[0].is_not(None))
    return mark_from_select(connection, DIRTY, ("person_id", "seq"), statement)


def _next_seq(connection: Connection) -> int:
    current = connection.execute(select(SETTING.c.value).where(SETTING.c.name == "seq")).scalar()
    seq = int(current or 0) + 1
    upsert(connection, SETTING, [{"name": "seq", "value": str(seq)}], keep=frozenset())
    return seq


def people_of_account(connection: Connection, account_ids: Sequence[str]) -> set[str]:
    """With the leads that may be theirs by domain."""
    return select_ids(connection, BY_ACCOUNT, {*account_ids, *domains_of(connection, account_ids)})


def domains_of(connection: Connection, account_ids: Sequence[str]) -> set[str]:
    """As ``connector.store.domains`` writes them down."""
    return select_ids(connection, _DOMAINS_OF, account_ids)


def people_of_opportunities(connection: Connection, opportunity_ids: Sequence[str]) -> set[str]:
    contacts = {row[0] for row in rows_in(connection, CONTACTS_OF, opportunity_ids)}
    return select_ids(connection, BY_ID, contacts)
