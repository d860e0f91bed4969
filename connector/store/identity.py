"""Which rows are one human: merges and lead conversions, followed to the end of the chain.

A row points at what it became (``moved_to``); the end of the chain is kept in ``alias_of``. Links of a chain arrive in
any order, and may point at rows that were never read: those then are the end, and the person appears when the row does.
A circle, which Salesforce cannot make but a bad export can, ends at its smallest id.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from sqlalchemy import Connection, bindparam, select, update

from connector.store.dialect import run_many
from connector.store.links import IDS, rows_in
from connector.store.schema import RECORD

_POINTERS = select(RECORD.c.id, RECORD.c.moved_to, RECORD.c.alias_of).where(RECORD.c.id.in_(IDS))
_GROUP = select(RECORD.c.id, RECORD.c.moved_to, RECORD.c.alias_of).where(RECORD.c.alias_of.in_(IDS))
_SET = update(RECORD).where(RECORD.c.id == bindparam("row_id")).values(alias_of=bindparam("root"))


def resolve(connection: Connection, moved: Iterable[str]) -> set[str]:
    """After ``moved_to`` of these rows changed: follows all chains through them again. Returns every row whose chain
    ends elsewhere now, with its old end and the ends reached."""
    moved = set(moved)
    if not moved:
        return set()
    rows = {row.id: row for row in rows_in(connection, _POINTERS, moved)}
    old_roots = {row.alias_of or row.id for row in rows.values()}
    for statement in (_POINTERS, _GROUP):  # the old end itself moves on when it stood in a circle
        rows |= {row.id: row for row in rows_in(connection, statement, old_roots)}
    old = {row.id: row.alias_of for row in rows.values()}
    pointers = {row.id: row.moved_to for row in rows.values()}
    _read_on(connection, pointers)
    new = {each: root(each, pointers) for each in old}
    moves = [{"row_id": each, "root": end if end != each else None} for each, end in new.items()]
    moves = [move for move in moves if move["root"] != old[str(move["row_id"])]]
    if moves:
        run_many(connection, _SET, moves)
    touched = {str(move["row_id"]) for move in moves}
    return touched | {new[each] for each in touched} | {old[each] or each for each in touched}


def _read_on(connection: Connection, pointers: dict[str, str | None]) -> None:
    """Adds the rows further down the chains."""
    while unread := {to for to in pointers.values() if to and to not in pointers}:
        found = {row.id: row.moved_to for row in rows_in(connection, _POINTERS, unread)}
        pointers.update({each: found.get(each) for each in unread})


def root(start: str, pointers: Mapping[str, str | None]) -> str:
    """The end of the chain from ``start``; of a circle its smallest id."""
    path = [start]
    while (following := pointers.get(path[-1])) is not None:
        if following in path:
            return min(path[path.index(following) :])
        path.append(following)
    return path[-1]
