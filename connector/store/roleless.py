"""Opportunities that may concern people without a contact role of theirs, for mappings that ask.

One without any role may concern the people of its account, and the contact of the lead that was converted into it. One
with roles is known to the colleagues of those who have them. Which of them it moves is the mapping's to say; here they
are found, and marked when one of these opportunities changes.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from sqlalchemy import Connection, and_, exists, func, not_, select

from connector.base.facts import OpportunityRole
from connector.base.json import JsonObject
from connector.store import links
from connector.store.links import IDS, ROLE_ROW, rows_in
from connector.store.rows import read_json
from connector.store.schema import RECORD

_OPPORTUNITY = "Opportunity"
_HAS_ROLES = exists(
    select(ROLE_ROW.c.id).where(ROLE_ROW.c.opportunity_id == RECORD.c.id, ROLE_ROW.c.live).correlate(RECORD)
)
_COLUMNS = (RECORD.c.live, RECORD.c.object, RECORD.c.id, RECORD.c.account_id, RECORD.c.fields)
_EVERY_OF_ACCOUNTS = select(*_COLUMNS, _HAS_ROLES.label("has_roles")).where(RECORD.c.account_id.in_(IDS))
_OF_ACCOUNTS = _EVERY_OF_ACCOUNTS.where(not_(_HAS_ROLES))
_BY_ID = select(*_COLUMNS).where(RECORD.c.id.in_(IDS), not_(_HAS_ROLES))
_ACCOUNT_OF = select(RECORD.c.account_id).where(RECORD.c.id.in_(IDS), RECORD.c.account_id.is_not(None))
_CONVERTED = select(RECORD.c.object, RECORD.c.alias_of, RECORD.c.fields).where(RECORD.c.alias_of.in_(IDS))

LONELY = and_(RECORD.c.object == _OPPORTUNITY, RECORD.c.live, not_(_HAS_ROLES))  # no contact role at all

_Found = dict[str, list[OpportunityRole]]  # person -> opportunities


def roleless(connection: Connection, accounts: Mapping[str, Iterable[str]], *, is_every: bool) -> _Found:
    """Opportunities that may concern people, by account id -> its people. ``is_every``: also those with roles."""
    found: _Found = defaultdict(list)
    people = sorted({person for group in accounts.values() for person in group})
    for row in _live(rows_in(connection, _EVERY_OF_ACCOUNTS if is_every else _OF_ACCOUNTS, accounts)):
        for person in accounts[row.account_id]:
            found[person].append(_role(row, "colleagues" if row.has_roles else "account"))
    converted = _conversions(connection, people)
    for row in _live(rows_in(connection, _BY_ID, converted)):
        for person in converted[row.id]:
            found[person].append(_role(row, "conversion"))
    for roles in found.values():
        roles.sort(key=lambda each: (each.opportunity_id, each.role["Via"]))
    return found


def without_roles(connection: Connection, limit: int) -> tuple[int, list[JsonObject]]:
    """How many opportunities have no contact role, and the last changed of them: id, name, stage."""
    lost = select(RECORD).where(LONELY)
    count = connection.execute(select(func.count()).select_from(lost.subquery())).scalar()
    rows = connection.execute(lost.order_by(RECORD.c.stamp.desc(), RECORD.c.id).limit(limit)).all()
    fields = [read_json(row.fields) for row in rows]
    found = [{"id": row["Id"], "name": row.get("Name"), "stage": row.get("StageName")} for row in fields]
    return int(count or 0), found


def people_concerned(connection: Connection, opportunities: Iterable[str]) -> set[str]:
    """The people of the accounts of these opportunities. A conversion puts the contact into that account too."""
    accounts = links.select_ids(connection, _ACCOUNT_OF, opportunities)
    return links.people_of_account(connection, sorted(accounts))


def _conversions(connection: Connection, people: Iterable[str]) -> dict[str, list[str]]:
    """Opportunity -> the people whose converted leads made it."""
    found: dict[str, list[str]] = defaultdict(list)
    for object_name, person, fields in rows_in(connection, _CONVERTED, people):
        if object_name == "Lead" and (opportunity := read_json(fields).get("ConvertedOpportunityId")):
            found[opportunity].append(person)
    return found


def _live(rows: Iterable[Any]) -> Iterator[Any]:
    # not in WHERE: SQLite would walk all rows of the object instead of the ids
    return (row for row in rows if row.live and row.object == _OPPORTUNITY)


def _role(row: Any, via: str) -> OpportunityRole:
    return OpportunityRole("", row.id, {"Via": via}, read_json(row.fields))
