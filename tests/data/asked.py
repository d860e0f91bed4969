"""Who is asked for, how late changes were written, and what is to be repaired, from the org's own tables and plain
lists: see ``oracle``."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, time

from tests.data.oracle import Lists, Told, percentile

# Everybody who ever was, as their record stands: id, object, owner, account, lead source, title.
RECORDS = """
SELECT r.Id, r.object, coalesce(u.Name, g.Name, ''), coalesce(a.Name, ''), coalesce(r.LeadSource, ''),
    coalesce(r.Title, '')
FROM (
    SELECT Id, 'Contact' AS object, OwnerId, AccountId, LeadSource, Title FROM Contact
    UNION ALL SELECT Id, 'Lead', OwnerId, NULL, LeadSource, Title FROM Lead
) r LEFT JOIN User u ON u.Id = r.OwnerId LEFT JOIN "Group" g ON g.Id = r.OwnerId
LEFT JOIN Account a ON a.Id = r.AccountId
"""
NAMES = ("object", "owner", "account", "lead source", "Title")
Records = Mapping[str, Mapping[str, str]]
Conditions = Sequence[tuple[str, str, str]]


def records(rows: Iterable[Sequence[object]], prospects: Collection[str]) -> Records:
    """Person -> what their record says. Prospects have none."""
    none = {"object": "Prospect"} | dict.fromkeys(NAMES[1:], "")
    return {str(who): dict(zip(NAMES, map(str, said), strict=True)) for who, *said in rows} | dict.fromkeys(
        prospects, none
    )


def only(lists: Lists, said: Records, conditions: Conditions) -> Lists:
    """Those of whom the record says all of it."""

    def is_meant(who: str) -> bool:
        return all((said[who][name].lower() == value.lower()) == (sign == "=") for name, sign, value in conditions)

    return replace(lists, humans=[each for each in lists.humans if is_meant(each.person)])


def side_by_side(parts: Mapping[str, Told]) -> Told:
    """Every figure of each part, with the part's name behind the table's."""
    return {(key[0], value, *key[1:]): figure for value, told in parts.items() for key, figure in told.items()}


def lateness(moves: Iterable[tuple[datetime, datetime]], since: datetime, until: datetime) -> Told:
    """``moves``: when it happened, when it was settled. What has a day alone begins at midnight, and is no move."""
    timed = [each for each in moves if each[0].time() != time()]
    seconds = [(seen - came).total_seconds() for came, seen in timed if since <= seen < until]
    parts = {"median": 0.5, "95th percentile": 0.95, "latest": 1.0}
    told: Told = {("lateness", name): (percentile(seconds, part), ()) for name, part in parts.items() if seconds}
    return told | {("lateness", "moves"): (len(seconds), ())}


def by_value(table: str, people: Iterable[tuple[tuple[str, ...], str]], column: str = "people") -> Told:
    """``people``: what the row is about, and who."""
    found: dict[tuple[str, ...], list[str]] = defaultdict(list)
    for row, who in people:
        found[row].append(who)
    return {(table, *row, column): (len(who), tuple(sorted(who))) for row, who in found.items()}
