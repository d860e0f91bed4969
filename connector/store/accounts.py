"""Accounts, for mappings that roll up their people: which must be looked at, and how far their people came.

An account is marked in the same table as people, under its record id, and settled as they are.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, and_, delete, select
from sqlalchemy.sql import ColumnElement

from connector.base.json import JsonMap, JsonObject
from connector.store import books, domains, links
from connector.store.ids import between, ids_meant
from connector.store.links import IDS, rows_in
from connector.store.rows import read_json
from connector.store.schema import DIRTY, RECORD, TRACK

_ACCOUNT = "Account"
ALL = select(RECORD.c.id).where(RECORD.c.object == _ACCOUNT, RECORD.c.live)


def is_account(connection: Connection, record_id: ColumnElement[str]) -> ColumnElement[bool]:
    """Salesforce's ids of accounts, and of nothing else, begin with 001."""
    return between(connection, record_id, "001", "002")


def is_there(record_id: ColumnElement[str]) -> ColumnElement[bool]:
    return ALL.where(RECORD.c.id == record_id).exists()


def are_asked_for(connection: Connection) -> bool:
    """Whether the mapping in force looks at accounts as a whole."""
    return books.setting(connection, "accounts") == "yes"


def ask_for(connection: Connection, *, asked: bool) -> None:
    """With a new mapping: marks all accounts, or forgets their marks."""
    books.set_setting(connection, "accounts", "yes" if asked else "no")
    if asked:
        links.mark_select(connection, ALL)
    else:
        connection.execute(delete(DIRTY).where(is_account(connection, DIRTY.c.person_id)))


def people_of(connection: Connection, accounts: Sequence[str]) -> dict[str, dict[str, tuple[str, str]]]:
    """Account -> person -> the stage that the person reached by rules of their own, and the rule, as decided last."""
    query = (
        select(RECORD.c.live, RECORD.c.alias_of, RECORD.c.account_id, RECORD.c.id, TRACK.c.memory, TRACK.c.rule)
        .join(TRACK, and_(TRACK.c.person_id == RECORD.c.id, TRACK.c.track == "stage"))
        .where(RECORD.c.account_id.in_(IDS))
    )
    found: dict[str, dict[str, tuple[str, str]]] = {}
    by_domain = domains.owners_of(connection, links.domains_of(connection, accounts))
    for is_live, leader, told, person, memory, rule in rows_in(connection, query, [*accounts, *by_domain]):
        account = by_domain.get(told, told)
        if is_live and not leader and (stage := own_stage(read_json(memory))):
            found.setdefault(account, {})[person] = (stage, rule)
    return found


def own_stage(memory: JsonMap) -> str | None:
    """Of the memory of the track "stage": what the account lent a person does not count, and who stands apart."""
    stage: str | None = None if memory.get("apart") else memory.get("own", memory.get("at"))
    return stage


def memories(connection: Connection, ids: Sequence[str], track: str) -> dict[str, JsonObject]:
    """What is remembered of a track, by person or account."""
    query = select(TRACK.c.person_id, TRACK.c.memory).where(TRACK.c.person_id.in_(IDS), TRACK.c.track == track)
    return {person: read_json(memory) for person, memory in rows_in(connection, query, ids)}


def find_account(connection: Connection, query: str) -> str | None:
    """By record id of 15 or 18 characters, also one that was deleted."""
    alike = select(RECORD.c.id).where(RECORD.c.id.in_(IDS), RECORD.c.object == _ACCOUNT)
    return next((row[0] for row in rows_in(connection, alike, ids_meant(query.strip()))), None)
