"""Fields that somebody else sets back again and again: left to them, and told, rather than written for ever.

What was written to a field in the last week is in the log. Where the field was something else each time before it was
written again, another tool (or a person) undoes it, whatever it sets instead. It is set aside like a refused write,
with how often that was, since when, and who changed the record last; ``connector failures retry`` lets it be written.

People may well move a stage on, or give somebody another owner, and so does the next rule: there it counts only where
the same value is to be written as before. Of tags only our own count.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from connector.base.facts import CONTESTED, Change, Outcome, RecordChange, Result
from connector.base.text import count
from connector.lifecycle.values import fold
from connector.lifecycle.written import same
from connector.store import Store

LATELY = timedelta(days=7)
_OF_PEOPLE = frozenset({"stage", "status", "owner"})  # tracks that people move, too
_Wrote = tuple[str, Any, Any]  # when, from, to


def contested(
    store: Store,
    changes: Sequence[RecordChange],
    rounds: int,
    now: datetime,
    who: Mapping[str, str],
    ours: Callable[[], str | None],
) -> list[Outcome]:
    """What is not to be written of these changes. ``rounds``: how often something must have been set back (0: nothing
    is contested). ``who``: record -> who changed it last; ``ours``: the connector's own user."""
    if not rounds:
        return []
    people = sorted({each.person_id for each in changes})
    lately, standing = store.wrote_lately(people, now - LATELY), store.contested(people)
    found = []
    for each in changes:
        fields, told = [], []
        for one in each.changes:
            place = (each.id, one.field)
            if place in standing:
                fields.append(one)
                told.append(standing[place])
            elif (times := set_back(lately.get(place, ()), one)) and len(times) >= rounds:
                fields.append(one)
                told.append(f"{one.field} was set back {count(len(times), 'time')} since {_shown(times[0])}")
        if fields:
            said = "; ".join(dict.fromkeys(told))
            if not all((each.id, one.field) in standing for one in fields):
                said += _by(who.get(each.id), ours())
            found.append(Outcome(replace(each, changes=tuple(fields)), Result.SET_ASIDE, CONTESTED, said))
    return found


def set_back(wrote: Sequence[_Wrote], change: Change) -> list[str]:
    """When it was written and set back: the last times, one after the other, the oldest first."""
    times: list[str] = []
    stood = change.old
    for at, old, new in reversed(wrote):
        if not _is_undone(change, old, new, stood):
            break
        times.insert(0, at)
        stood = old
    return times


def _is_undone(change: Change, old: Any, new: Any, stood: Any) -> bool:
    """Whether what was written (``old`` to ``new``) was something else afterwards (``stood``), and is to be written
    again."""
    if change.track == "tags":
        added, removed = _labels(new) - _labels(old), _labels(old) - _labels(new)
        again, there = _labels(change.new), _labels(stood)
        return bool((added - there) & again or (removed & there) - again)
    if same(stood, new):
        return False
    return change.track not in _OF_PEOPLE or same(new, change.new)


def _labels(value: Any) -> set[str]:
    return {fold(each.strip()) for each in re.split("[;,]", str(value or "")) if each.strip()}


def _by(who: str | None, ours: str | None) -> str:
    """A flow or a trigger of the org acts in the name of whoever wrote, which is us."""
    if who and who != ours:
        return f"; the record was last changed by {who}"
    if who:
        return "; by the org itself (a flow, a trigger) or a tool that signs in as the connector's user"
    return ""


def _shown(at: str) -> str:
    return f"{at[:16].replace('T', ' ')} UTC"
