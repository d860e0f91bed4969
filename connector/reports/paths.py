"""Stays put together, a person at a time; and what a report is asked for: stages, period, filters."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from itertools import pairwise
from typing import NamedTuple

from connector.base.facts import Stay
from connector.base.json import JsonMap

_WEEK = timedelta(days=7)
A_DAY = timedelta(days=1)
BUT_GONE = ", gone"  # behind the stage of somebody who is there no longer


class Path(NamedTuple):
    """One human's stays, in time, without a gap. ``person`` is what they are called now; ``went`` says when they were
    there no longer."""

    person: str
    stays: tuple[Stay, ...]

    @property
    def went(self) -> datetime | None:
        return self.stays[-1].left

    def at(self, moment: datetime) -> Stay | None:
        """Where they stood just before a moment."""
        return next((each for each in self.stays if stands(each, moment)), None)


def stands(stay: Stay, moment: datetime) -> bool:
    return stay.entered < moment and (stay.left is None or stay.left >= moment)


def stands_now(last: Stay | None) -> str:
    """In words; "" for somebody who stood nowhere yet."""
    if last is None:
        return ""
    return name_of(last.stage) if last.left is None else f"{name_of(last.stage)}{BUT_GONE}"


def by_whom(stay: Stay) -> str:
    return {"rule": f"rule {stay.rule}" if stay.rule else "rule", "person": "a person"}.get(stay.by, stay.by)


def paths_of(stays: Iterable[Stay]) -> list[Path]:
    """A stay that goes on at the same stage under another name (the lead became a contact) is one."""
    lines: dict[str, list[Stay]] = defaultdict(list)
    for each in stays:
        lines[each.line].append(each)
    return [Path(line[-1].person, tuple(_joined(line))) for line in lines.values()]


def _joined(line: Sequence[Stay]) -> Iterator[Stay]:
    before: Stay | None = None
    for each in line:
        if before is not None and before.stage == each.stage and each.by == "taken over" and before.left is not None:
            before = before._replace(left=each.left, person=each.person, became=each.became)
        else:
            if before is not None:
                yield before
            before = each
    if before is not None:
        yield before


class Period(NamedTuple):
    """``until`` is not in it any more."""

    since: datetime
    until: datetime

    def has(self, moment: datetime | None) -> bool:
        return moment is not None and self.since <= moment < self.until

    @property
    def before(self) -> Period:
        """As long, and just before."""
        return Period(self.since - (self.until - self.since), self.since)

    def weeks(self) -> list[Period]:
        """Monday to Monday, UTC; the first holds the beginning, and the last ends where the period does."""
        start = self.since.replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=self.since.weekday())
        edges = [start]
        while edges[-1] + _WEEK < self.until:
            edges.append(edges[-1] + _WEEK)
        edges.append(self.until)
        return [Period(*each) for each in pairwise(edges)]


@dataclass(frozen=True)
class Stages:
    """``funnel``: those in order; ``beside``: those that have no place in it. Both without what reports leave out."""

    funnel: tuple[str, ...]
    beside: tuple[str, ...] = ()
    hidden: frozenset[str] = frozenset()
    ends: frozenset[str] = frozenset()  # where nobody is stuck
    takes: Mapping[str, str] | None = None  # stage -> what leads there, in words

    @cached_property
    def position(self) -> dict[str, int]:
        return {stage: number for number, stage in enumerate(self.funnel)}

    def shown(self, found: Iterable[str]) -> list[str]:
        """All of them, then those that only the state knows, "" at the end."""
        known = [*self.funnel, *self.beside]
        others = sorted({*found} - {*known} - self.hidden, key=lambda stage: (stage == "", stage))
        return known + others


class Asked(NamedTuple):
    """``now``: up to when it is known who went on."""

    stages: Stages
    period: Period
    now: datetime


def stages_in(paths: Iterable[Path]) -> set[str]:
    return {stay.stage for path in paths for stay in path.stays}


def where(rows: Mapping[str, JsonMap], person: str, name: str) -> str:
    """What a person's record says: of "owner", "object", "account", "lead source", or a field by its API name."""
    row = rows.get(person, {})
    wanted = KNOWN_AS.get(name.casefold(), name).casefold()
    found = next((value for field, value in row.items() if field.casefold() == wanted), None)
    return "" if found is None else str(found)


OF_ITS_OWN = frozenset({"object", "owner", "account"})  # words of reports, whatever the mapping calls so
KNOWN_AS = {"lead source": "LeadSource", "lead_source": "LeadSource", "source": "LeadSource"}


def name_of(stage: str) -> str:
    return stage or "(none)"
