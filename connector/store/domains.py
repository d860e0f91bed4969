"""Leads of accounts, told by the domain: the lead's e-mail address and the account's website have the same one.

For mappings that ask. ``record.account_id`` of such a lead is ``@acme.example``, and ``record.email`` of an account is
the same: two indexes that are there anyway find one from the other. Which account a lead belongs to is told when it is
read, since a domain that two accounts have is that of none.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable

from sqlalchemy import Connection, bindparam, select, update

from connector.base.json import JsonObject
from connector.store import books, links
from connector.store.dialect import run_many
from connector.store.free_mail import FREE_MAIL
from connector.store.links import ACCOUNT, rows_in
from connector.store.rows import LONGEST_ADDRESS, address, read_json
from connector.store.schema import RECORD

_PAGE = 5000
_HOST = re.compile(r"(?:[a-z][a-z0-9+.-]*://)?(?:[^/?#@]*@)?(?:www\.)?([^/?#:\s]+\.[^/?#:\s]+)")
_ALL = select(RECORD.c.id, RECORD.c.object, RECORD.c.fields, RECORD.c.email, RECORD.c.account_id)
_LINK = (
    update(RECORD)
    .where(RECORD.c.id == bindparam("row_id"))
    .values(email=bindparam("new_email"), account_id=bindparam("new_account"))
)


def link_domain(row: JsonObject) -> None:
    """Completes a row of ``record`` that is going to be stored."""
    if row["object"] == "Lead":
        domain = str(row["email"] or "").rpartition("@")[2]
        row["account_id"] = f"@{domain}" if domain and domain not in FREE_MAIL else None
    elif row["object"] == ACCOUNT:
        found = _HOST.match(str(read_json(row["fields"]).get("Website") or "").strip().lower())
        site = address(f"@{found[1].rstrip('.')}") if found and len(found[1]) < LONGEST_ADDRESS else None
        row["email"] = site if site and site[1:] not in FREE_MAIL else None


def link_by_domain(connection: Connection, *, asked: bool) -> None:
    """With a new mapping that asks for it, or no longer does: once, for all that was read before."""
    if asked is (books.DOMAINS in books.around(connection)):
        return
    for name in ("Lead", ACCOUNT):
        after = ""
        while rows := _page(connection, name, after):
            after = rows[-1]["id"]
            run_many(connection, _LINK, [_linked(row, asked=asked) for row in rows])


def _page(connection: Connection, object_name: str, after: str) -> list[JsonObject]:
    query = _ALL.where(RECORD.c.object == object_name, RECORD.c.id > after).order_by(RECORD.c.id).limit(_PAGE)
    return [dict(row._mapping) for row in connection.execute(query)]


def _linked(row: JsonObject, *, asked: bool) -> JsonObject:
    row["account_id" if row["object"] == "Lead" else "email"] = None
    if asked:
        link_domain(row)
    return {"row_id": row["id"], "new_email": row["email"], "new_account": row["account_id"]}


def owners_of(connection: Connection, domains: Iterable[str]) -> dict[str, str]:
    """Domain, as ``@acme.example`` -> the one account that has it."""
    found: dict[str, list[str]] = defaultdict(list)
    for row in rows_in(connection, links.BY_DOMAIN, sorted(set(domains))):
        if row.live and row.object == ACCOUNT:
            found[row.email].append(row.id)
    return {domain: accounts[0] for domain, accounts in found.items() if len(accounts) == 1}


def accounts_meant(connection: Connection, accounts: Iterable[str | None]) -> set[str]:
    """Accounts for what stands in ``account_id``: a domain is that of every account that has it."""
    told = {each for each in accounts if each}
    domains = {each for each in told if each.startswith("@")}
    if not domains:
        return told
    found = rows_in(connection, links.BY_DOMAIN, sorted(domains))
    return (told - domains) | {row.id for row in found if row.object == ACCOUNT}
