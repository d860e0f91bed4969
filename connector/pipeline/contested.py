"""Fields that somebody else sets back again and again: left to them, and told, rather than written for ever.

What was written to a field in the last week is in the log. Where it was the same change several times in a row, and the
field stands again where it stood before each of them, another tool (or a person) undoes it. It is set aside like a
refused write, with who set it back last; ``connector failures retry`` lets it be written again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from connector.base.facts import CONTESTED, Change, Outcome, RecordChange, Result
from connector.lifecycle.written import same
from connector.store import Store

LATELY = timedelta(days=7)


def contested(
    store: Store, changes: Sequence[RecordChange], rounds: int, now: datetime, who: Mapping[str, str]
) -> list[Outcome]:
    """What is not to be written of these changes. ``rounds``: how often something must have been set back (0: nothing
    is contested). ``who``: record -> who changed it last."""
    if not rounds:
        return []
    people = sorted({each.person_id for each in changes})
    lately, standing = store.wrote_lately(people, now - LATELY), store.contested(people)
    found = []
    for each in changes:
        fields = tuple(
            one
            for one in each.changes
            if (each.id, one.field) in standing or _is_fought_over(lately.get((each.id, one.field), ()), one, rounds)
        )
        if fields:
            by = who.get(each.id)
            said = f"set back {rounds} times within a week" + (f", the last time by {by}" if by else "")
            found.append(Outcome(replace(each, changes=fields), Result.SET_ASIDE, CONTESTED, said))
    return found


def _is_fought_over(wrote: Sequence[tuple[object, object]], change: Change, rounds: int) -> bool:
    last = wrote[-rounds:]
    return len(last) == rounds and all(same(old, change.old) and same(new, change.new) for old, new in last)
