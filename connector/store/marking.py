"""Who must be decided again when rows of ``record`` became different: whoever they belonged to, and belong to now."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, bindparam, select

from connector.base.facts import PEOPLE
from connector.base.json import JsonMap, JsonObject
from connector.base.money import CODE
from connector.store import accounts, books, domains, identity, linked, links, related, roleless
from connector.store.links import IDS
from connector.store.rows import RELATIONS, ROLE, read_json
from connector.store.schema import RECORD

_ALIASES = select(RECORD.c.id).where(RECORD.c.alias_of.in_(IDS))
_ACCOUNTS = select(RECORD.c.account_id).where(RECORD.c.id.in_(IDS), RECORD.c.account_id.is_not(None))
_EMAILS = select(RECORD.c.email).where(RECORD.c.id.in_(IDS), RECORD.c.email.is_not(None))
_PAGES_OF = (
    select(RECORD)
    .where(RECORD.c.object.in_(bindparam("objects", expanding=True)), RECORD.c.live, RECORD.c.id > bindparam("after"))
    .order_by(RECORD.c.id)
    .limit(5000)
)
_WHOSE = ("email", "moved_to", "live", "account_id")  # columns that say whose activities are somebody's


@dataclass(frozen=True, slots=True)
class ChangedRow:
    """A record row before (None: it is new) and after."""

    before: Any
    after: JsonObject


def mark_changed(connection: Connection, object_name: str, changed: Sequence[ChangedRow]) -> None:
    if not changed:
        return
    ids = [each.after["id"] for each in changed]
    if object_name in PEOPLE:
        people = _people_changed(connection, changed) | _accounts_of(connection, changed)
        if any(_is_another(each) for each in changed):
            people = with_colleagues(connection, people, _moved_between(connection, changed))
    elif object_name == "Account":
        if sites := {each.before.email for each in changed if each.before is not None and each.before.email}:
            ids = sorted(domains.accounts_meant(connection, sites) | set(ids))  # of a domain that is another's now
        people = links.people_of_account(connection, [*ids, *sites])
        people |= set(ids) if accounts.are_asked_for(connection) else set()
    elif object_name == "Opportunity":
        people = links.people_of_opportunities(connection, ids) | _people_of_roleless(connection, ids)
        if books.around(connection):  # the people of the account that it left
            people |= links.people_of_account(connection, sorted(_moved_between(connection, changed)))
    else:  # whoever it named before and names now
        named = {(each.after["contact_id"], each.after["account_id"]) for each in changed}
        named |= {(each.before.contact_id, each.before.account_id) for each in changed if each.before is not None}
        people = linked.people_named(connection, named)
        if object_name in RELATIONS:  # an activity is theirs now, or is not any more
            people = with_colleagues(connection, people)
        if object_name == "EmailMessageRelation":
            people |= related.senders_of(connection, {each.after["opportunity_id"] for each in changed})
        if object_name == ROLE:  # an opportunity may have got its first role, or lost its last
            people |= _people_of_roleless(connection, {each.after["opportunity_id"] for each in changed})
    links.mark(connection, people)


def mark_amounts(connection: Connection, objects: Sequence[str], codes: Sequence[str]) -> int:
    """Whoever records of these objects concern, of those in one of the currencies (none: in any); how many records."""
    count, after = 0, ""
    while page := connection.execute(_PAGES_OF, {"objects": objects, "after": after}).all():
        after = page[-1].id
        rows = [row for row in page if not codes or _names(read_json(row.fields), codes)]
        count += len(rows)
        for name in objects:
            mark_changed(connection, name, [ChangedRow(row, dict(row._mapping)) for row in rows if row.object == name])
    return count


def _names(row: JsonMap, codes: Sequence[str]) -> bool:
    """Whether it, or a parent of it, is in one of these currencies."""
    return any(row[name] in codes for name in row if name == CODE or name.endswith(f".{CODE}"))


def _accounts_of(connection: Connection, changed: Sequence[ChangedRow]) -> set[str]:
    """The accounts that somebody came to or left, where the mapping looks at accounts as a whole."""
    return _moved_between(connection, changed) if accounts.are_asked_for(connection) else set()


def _moved_between(connection: Connection, changed: Sequence[ChangedRow]) -> set[str]:
    found: set[str | None] = set()
    for each in changed:
        before = each.before.account_id if each.before is not None and each.before.live else None
        after = each.after["account_id"] if each.after["live"] else None
        if before != after:
            found |= {before, after}
    return domains.accounts_meant(connection, found)


def _is_another(change: ChangedRow) -> bool:
    """Whether other activities may be the row's now, or those of another account."""
    before = change.before
    return before is None or any(getattr(before, name) != change.after[name] for name in _WHOSE)


def with_colleagues(connection: Connection, people: set[str], accounts_too: Iterable[str] = ()) -> set[str]:
    """Where the mapping looks at what the people of an account do: these people, and the others of their accounts."""
    if not people | set(accounts_too) or books.COLLEAGUES not in books.around(connection):
        return people
    told = domains.accounts_meant(connection, links.select_ids(connection, _ACCOUNTS, people))
    return people | links.people_of_account(connection, sorted(told | set(accounts_too)))


def _people_of_roleless(connection: Connection, opportunities: Iterable[str]) -> set[str]:
    """Whom opportunities concern besides those with roles, where the mapping asks for that."""
    if not books.around(connection) & {books.ROLELESS, books.ACCOUNT_DEALS}:
        return set()
    return roleless.people_concerned(connection, [each for each in opportunities if each])


def _people_changed(connection: Connection, changed: Sequence[ChangedRow]) -> set[str]:
    """Those whose rows changed, those at the old and new ends of their chains, prospects that lost their person, and
    the accounts of records whose leader changed."""
    moved = [
        each.after["id"]
        for each in changed
        if each.after["moved_to"] != (each.before.moved_to if each.before is not None else None)
    ]
    leaders = identity.leaders_of(connection, changed)
    touched = {each.after["id"] for each in changed} | identity.resolve(connection, moved, leaders)
    holders = _holders_of(connection, changed)
    refs = {each for each in holders if ":" in each}
    people = links.affected(connection, ids=touched | (holders - refs), prospects=refs)
    if leaders and accounts.are_asked_for(connection):  # who follows somebody of another account counts there
        people |= domains.accounts_meant(connection, links.select_ids(connection, _ACCOUNTS, leaders))
    lost = [each.before for each in changed if each.before is not None and _may_lose(each)]
    if lost or moved:
        ids = touched | links.select_ids(connection, _ALIASES, touched)
        emails = links.select_ids(connection, _EMAILS, ids) | {row.email for row in lost}
        emails |= links.select_ids(connection, links.FURTHER_OF, ids)
        people |= links.left_alone(connection, ids, emails)
    return people


def _holders_of(connection: Connection, changed: Sequence[ChangedRow]) -> set[str]:
    """Who has an address beside their Email, or by a prospect tied to them, that is somebody's Email now, or nobody's
    any more."""
    emails = {each.after["email"] for each in changed if _is_another(each)}
    emails |= {each.before.email for each in changed if each.before is not None}
    told = sorted(each for each in emails if each)
    return links.select_ids(connection, links.BY_ADDRESS, told) | links.select_ids(connection, links.TIED_WITH, told)


def _may_lose(change: ChangedRow) -> bool:
    """Whether a row may no longer hold the prospects that it held."""
    before, after = change.before, change.after
    return bool(before.email != after["email"] or (before.live and not after["live"]))
