"""Which rows are one human: merges and lead conversions, followed to the end of the chain, and records with one e-mail
address where the mapping joins them.

A row points at what it became (``moved_to``), or, being live still, at the record that leads those with its address;
the end of the chain is kept in ``alias_of``. So a live row with an ``alias_of`` follows another by e-mail. Links of a
chain arrive in any order, and may point at rows that were never read: those then are the end, and the person appears
when the row does. A circle, which Salesforce cannot make but a bad export can, ends at its smallest id.

Who leads is worked out anew for every address that a changed row had or has, from all rows with it, never from what
changed. An address that more rows have than the mapping allows joins nobody: they are counted, not read.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

from sqlalchemy import Connection, bindparam, func, select, update

from connector.base.facts import PEOPLE
from connector.base.json import JsonObject
from connector.lifecycle.identity import Candidate, leading
from connector.lifecycle.model import Identity
from connector.store import books
from connector.store.dialect import run_many
from connector.store.links import CHUNK, IDS, affected, mark, rows_in
from connector.store.rows import read_json
from connector.store.schema import RECORD

_ROW = (RECORD.c.id, RECORD.c.moved_to, RECORD.c.alias_of, RECORD.c.live)
_POINTERS = select(*_ROW).where(RECORD.c.id.in_(IDS))
_GROUP = select(*_ROW).where(RECORD.c.alias_of.in_(IDS))
_SET = update(RECORD).where(RECORD.c.id == bindparam("row_id")).values(alias_of=bindparam("root"))
_SIZES = (
    select(RECORD.c.email, func.count())
    .where(RECORD.c.email.in_(IDS), RECORD.c.live)
    .group_by(RECORD.c.email)
    .having(func.count() > 1)
)
_SHARING = select(RECORD.c.live, RECORD.c.id, RECORD.c.object, RECORD.c.email, RECORD.c.fields).where(
    RECORD.c.email.in_(IDS)
)
_FOLLOWING = select(RECORD.c.live, RECORD.c.id, RECORD.c.alias_of).where(
    RECORD.c.email.in_(IDS), RECORD.c.alias_of.is_not(None)
)
# The whole table, once, when a mapping begins or ceases to join
_ALL_SHARED = select(RECORD.c.email).where(RECORD.c.email.is_not(None), RECORD.c.live).group_by(RECORD.c.email)
_ALL_FOLLOWED = select(RECORD.c.email).where(RECORD.c.alias_of.is_not(None), RECORD.c.live).distinct()

Leaders = dict[str, str | None]  # row -> the live row that leads it, None: nobody does


class _Changed(Protocol):
    """A row of ``record`` before (None: it is new) and after."""

    @property
    def before(self) -> Any: ...
    @property
    def after(self) -> JsonObject: ...


def resolve(connection: Connection, moved: Iterable[str], leaders: Mapping[str, str | None]) -> set[str]:
    """After ``moved_to`` of these rows changed, or who leads them: follows all chains through them again. Returns every
    row whose chain ends elsewhere now, with its old end and the ends reached."""
    leaders = {**dict.fromkeys(moved), **leaders}
    if not leaders:
        return set()
    rows = {row.id: row for row in rows_in(connection, _POINTERS, leaders)}
    old_roots = {row.alias_of or row.id for row in rows.values()}
    for statement in (_POINTERS, _GROUP):  # the old end itself moves on when it stood in a circle
        rows |= {row.id: row for row in rows_in(connection, statement, old_roots)}
    old = {row.id: row.alias_of for row in rows.values()}
    pointers = {row.id: _pointer(row, leaders) for row in rows.values()}
    _read_on(connection, pointers, leaders)
    new = {each: root(each, pointers) for each in old}
    moves = [{"row_id": each, "root": end if end != each else None} for each, end in new.items()]
    moves = [move for move in moves if move["root"] != old[str(move["row_id"])]]
    if moves:
        run_many(connection, _SET, moves)
    touched = {str(move["row_id"]) for move in moves}
    return touched | {new[each] for each in touched} | {old[each] or each for each in touched}


def _pointer(row: Any, leaders: Mapping[str, str | None]) -> str | None:
    """What a row became, which has precedence, or else who leads it."""
    pointer: str | None = leaders.get(row.id, row.alias_of) if row.live else row.moved_to
    return pointer


def _read_on(connection: Connection, pointers: dict[str, str | None], leaders: Mapping[str, str | None]) -> None:
    """Adds the rows further down the chains."""
    while unread := {to for to in pointers.values() if to and to not in pointers}:
        found = {row.id: _pointer(row, leaders) for row in rows_in(connection, _POINTERS, unread)}
        pointers.update({each: found.get(each) for each in unread})


def root(start: str, pointers: Mapping[str, str | None]) -> str:
    """The end of the chain from ``start``; of a circle its smallest id."""
    path = [start]
    while (following := pointers.get(path[-1])) is not None:
        if following in path:
            return min(path[path.index(following) :])
        path.append(following)
    return path[-1]


def leaders_of(connection: Connection, changed: Sequence[_Changed]) -> Leaders:
    """Who leads these rows and those that share an address with them, where that is another one now."""
    rule = books.identity(connection)
    if not rule.by_email:
        return {}
    before: Leaders = {}
    emails = {each.after["email"] for each in changed if each.after["live"]}
    for each in changed:
        was_live = each.before is not None and each.before.live
        before[each.after["id"]] = each.before.alias_of if was_live else None
        emails.add(each.before.email if was_live else None)
    return _leaders(connection, rule, [email for email in emails if email], before)


def _leaders(connection: Connection, rule: Identity, emails: Sequence[str], before: Leaders) -> Leaders:
    """Of the rows with these addresses, and those whose leader ``before`` is given."""
    before = {row.id: row.alias_of for row in rows_in(connection, _FOLLOWING, emails) if row.live} | before
    now: Leaders = dict.fromkeys(before)
    groups: dict[str, list[Candidate]] = defaultdict(list)
    if rule.by_email:
        joined = [email for email, size in rows_in(connection, _SIZES, emails) if size <= rule.at_most]
        for row in rows_in(connection, _SHARING, joined):
            if row.live and row.object in PEOPLE:
                groups[row.email].append(Candidate(row.id, row.object, read_json(row.fields).get("CreatedDate")))
    for group in groups.values():
        leader = leading(group, rule)
        now |= {each.id: leader if each.id != leader else None for each in group}
    return {each: leader for each, leader in now.items() if leader != before.get(each)}


def join_records(connection: Connection, rule: Identity) -> None:
    """The mapping in force joins records so: where that is new, makes and dissolves joins, and marks whom it
    concerns."""
    if rule == books.identity(connection):
        return
    books.set_identity(connection, rule)
    emails = {row[0] for row in connection.execute(_ALL_FOLLOWED)}
    if rule.by_email:
        emails |= {row[0] for row in connection.execute(_ALL_SHARED.having(func.count() > 1))}
    wanted = sorted(emails)
    for start in range(0, len(wanted), CHUNK):
        leaders = _leaders(connection, rule, wanted[start : start + CHUNK], {})
        mark(connection, affected(connection, ids=resolve(connection, (), leaders)))
