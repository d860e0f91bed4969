"""One person, looked at, at one moment: what every condition sees.

It groups the activities once, and collects the earliest time at which any answer given so far could change by time
alone. A condition that looks at the clock calls :meth:`View.look_again` with the moment its own answer changes next,
never later. Conditions stop at the first answer that settles them; that is sound, because until something that was
looked at changes, the same things are looked at again.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Protocol, TypeVar

from connector.base.facts import NOTHING, Activity, OpportunityRole, Person, Row
from connector.base.json import JsonMap
from connector.lifecycle.owners import NO_OWNERS, Owners
from connector.lifecycle.values import time_of

NO_ACTIVITIES: Sequence[Activity] = ()
SOME_ACTIVITY, SOME_OPPORTUNITY = "any activity", "any opportunity"  # beside the activity kinds, in View.present
Present = frozenset[str]
_KEPT = 5_000  # different sets of facts that people have, as far as they are remembered
_T = TypeVar("_T")


def linked(object_name: str) -> str:
    """In View.present: that there are such records."""
    return f"record of {object_name}"


def _as_they_are(person: Person) -> Person:
    return person


class Rater(Protocol):
    is_fit: bool

    def rate(self, view: View) -> None: ...


class View:
    """``stage`` and ``status`` are names of the mapping: while a track is decided the one that stands, afterwards the
    decided one, with ``*_since``. ``handed_off`` is when the last hand-off happened, ``handed_by`` its name,
    ``restarted`` when a move last let the person start afresh, ``started`` the later of the two; None where nobody
    knows. ``present`` is what there is of the person: the activity kinds, ACTIVITIES, DEALS."""

    # Most of these stay as they are for most people, so they are set only where they differ.
    review: datetime | None = None
    stage: str | None = None
    status: str | None = None
    handed_off: datetime | None = None
    handed_by: str | None = None
    restarted: datetime | None = None
    started: datetime | None = None
    score: int | None = None
    fit: int | None = None
    is_restarted = False
    is_later = False  # sees the later part of what a person did, and what is counted begins with it
    raters: Sequence[Rater] = ()
    latched: dict[str, bool]  # threshold -> whether it is on; there is one once the scores are counted
    bases: dict[str, float]  # score -> where a number from elsewhere counts from
    _stage_since: datetime | str | None = None
    _status_since: datetime | str | None = None
    _engagement: dict[str, Sequence[Activity]] | None = None
    _by_kinds: dict[frozenset[str], Sequence[Activity]] | None = None
    counting: Callable[[Person], Person] = staticmethod(_as_they_are)  # what counts of other people
    every_opportunity: Sequence[OpportunityRole] = ()  # also those that do not count, where :meth:`only` left some out

    def __init__(self, person: Person, now: datetime, owners: Owners = NO_OWNERS) -> None:
        self.person = person
        self.owners = owners
        self.object = person.object
        self.fields: Row = person.fields
        self.account: Row = person.account
        self.opportunities: Sequence[OpportunityRole] = person.opportunities
        self.memory = memory = person.memory
        self.now = now
        self.by_kind = by_kind(person.activities)
        there = [*self.by_kind]
        if there:
            there.append(SOME_ACTIVITY)
        if person.opportunities or person.account_opportunities:
            there.append(SOME_OPPORTUNITY)
        if person.records:
            there += {linked(each.object) for each in person.records}
        self.present: Present = frozenset(there)
        if "owner" in memory or "stage" in memory:
            self._remember(memory.get("owner", NOTHING), memory.get("stage", NOTHING))

    def _remember(self, owner: JsonMap, stage: JsonMap) -> None:
        if "at" in owner:
            self.handed_off, self.handed_by = time_of(owner["at"]), owner.get("by")
        if "restarted" in stage:
            self.restarted = time_of(stage["restarted"])
        if self.handed_off or self.restarted:
            self.started = max(at for at in (self.handed_off, self.restarted) if at)

    @property
    def stage_since(self) -> datetime | None:
        return time_of(self._stage_since)

    @property
    def status_since(self) -> datetime | None:
        return time_of(self._status_since)

    @property
    def created(self) -> datetime | None:
        """Since when a field counts as filled: fields carry no date of their own."""
        return time_of(self.fields.get("CreatedDate"))

    def stand(self, track: str, name: str | None, since: datetime | str | None) -> None:
        """Lets conditions see where the person stands."""
        if track == "stage":
            self.stage, self._stage_since = name, since
        else:
            self.status, self._status_since = name, since

    def look_again(self, at: datetime) -> None:
        """Something looked at changes at ``at``."""
        if at > self.now and (self.review is None or at < self.review):
            self.review = at

    def rate(self, raters: Sequence[Rater]) -> None:
        """Lets the scores be counted."""
        self.raters, self.latched, self.bases = raters, {}, {}
        for rater in raters:
            rater.rate(self)

    def restart(self) -> None:
        """The person starts afresh: the score counts from now, and hand-offs are forgotten."""
        self.restarted = self.started = self.now
        self.handed_off = self.handed_by = None
        self.is_restarted = True
        for rater in self.raters:
            if not rater.is_fit:
                rater.rate(self)

    def later(self, since: datetime) -> View:
        """The same person without what they did until then; the scores are counted from there."""
        seen = copy.copy(self)
        seen.review, seen.is_later = None, True
        seen.person = replace(self.person, activities=tuple(a for a in self.person.activities if a.occurred_at > since))
        seen.by_kind, seen._engagement, seen._by_kinds = by_kind(seen.person.activities), None, None
        if self.raters:
            seen.latched, seen.bases = dict(self.latched), dict(self.bases)
            seen.restarted = since if self.restarted is None else max(since, self.restarted)
            for rater in self.raters:
                if not rater.is_fit:
                    rater.rate(seen)
        return seen

    def only(self, opportunities: Sequence[OpportunityRole]) -> None:
        """Lets no others count."""
        self.every_opportunity, self.opportunities = self.every_opportunity or self.opportunities, opportunities

    def hand_off(self, name: str) -> None:
        self.handed_off = self.started = self.now
        self.handed_by = name

    def was_on(self, track: str) -> Sequence[str]:
        """Thresholds of a score that were on the last time."""
        on: Sequence[str] = () if self.is_restarted or self.is_later else self.memory.get(track, NOTHING).get("on", ())
        return on

    def score_base(self, track: str, raw: float) -> float:
        """What a number from elsewhere was when the person last started afresh; it counts from there."""
        remembered = self.memory.get(track, NOTHING).get("base", 0)
        self.bases[track] = base = raw if self.is_restarted and track == "score" else float(remembered)
        return base

    def of_kinds(self, kinds: frozenset[str]) -> Sequence[Activity]:
        """Activities of any of the kinds, oldest first."""
        if kinds.isdisjoint(self.by_kind):
            return NO_ACTIVITIES
        if self._by_kinds is None:
            self._by_kinds = {}
        found = self._by_kinds.get(kinds)
        if found is None:
            groups = [group for kind in kinds if (group := self.by_kind.get(kind))]
            found = self._by_kinds[kinds] = groups[0] if len(groups) == 1 else in_order(groups)
        return found

    def engagement(self, direction: str, ignored: frozenset[str]) -> Sequence[Activity]:
        """Activities of a direction (``any``: of both), oldest first, without the ignored kinds."""
        if self._engagement is None:
            self._engagement = {}
        found = self._engagement.get(direction)
        if found is None:
            is_any = direction == "any"
            found = self._engagement[direction] = [
                a for a in self.person.activities if (is_any or a.direction == direction) and a.kind not in ignored
            ]
        return found


class ByPresence(dict[Present, _T]):
    """What is worth asking of people who have these facts, made once for all who have the same."""

    def __init__(self, make: Callable[[Present], _T]) -> None:
        super().__init__()
        self._make = make

    def __missing__(self, present: Present) -> _T:
        if len(self) >= _KEPT:
            self.clear()
        found = self[present] = self._make(present)
        return found


def by_kind(activities: Iterable[Activity]) -> dict[str, list[Activity]]:
    """Kind -> activities, oldest first."""
    found: dict[str, list[Activity]] = {}
    for activity in activities:
        kind = activity.kind
        if kind in found:
            found[kind].append(activity)
        else:
            found[kind] = [activity]
    return found


def in_order(groups: Iterable[Sequence[Activity]]) -> list[Activity]:
    """The groups' activities, oldest first; ties in an order that does not depend on how they arrived."""
    return sorted((each for group in groups for each in group), key=lambda a: (a.occurred_at, a.source, a.id))
