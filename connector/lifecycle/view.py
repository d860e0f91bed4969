"""One person, looked at, at one moment: what every condition sees.

It indexes the activities once, and collects the earliest time at which any answer given so far could change by time
alone. A condition that looks at the clock calls :meth:`View.look_again` with the moment its own answer changes next,
never later. Conditions stop at the first answer that settles them; that is sound, because until something that was
looked at changes, the same things are looked at again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

from connector.facts import Activity, OpportunityRole, Person, Row
from connector.lifecycle.values import time_of

NO_ACTIVITIES: Sequence[Activity] = ()
NOTHING: Mapping[str, Any] = {}


class Rater(Protocol):
    is_fit: bool

    def rate(self, view: View) -> None: ...


class View:
    """``stage`` and ``status`` are names of the mapping: while a track is decided the one that stands, afterwards the
    decided one, with ``*_since``. ``handed_off`` is when the last hand-off happened, ``handed_by`` its name,
    ``restarted`` when a move last let the person start afresh, ``started`` the later of the two; None where nobody
    knows."""

    __slots__ = (
        "_by_direction",
        "_by_kind",
        "_by_kinds",
        "account",
        "bases",
        "fields",
        "fit",
        "handed_by",
        "handed_off",
        "is_restarted",
        "latched",
        "memory",
        "now",
        "object",
        "opportunities",
        "person",
        "raters",
        "restarted",
        "review",
        "score",
        "stage",
        "stage_since",
        "started",
        "status",
        "status_since",
    )

    def __init__(self, person: Person, now: datetime) -> None:
        self.person = person
        self.object = person.object
        self.fields: Row = person.fields
        self.account: Row = person.account
        self.opportunities: Sequence[OpportunityRole] = person.opportunities
        self.memory: Mapping[str, Mapping[str, Any]] = person.memory
        self.now = now
        self.review: datetime | None = None
        self.stage: str | None = None
        self.status: str | None = None
        self.stage_since: datetime | None = None
        self.status_since: datetime | None = None
        owner = self.memory.get("owner", NOTHING)
        self.handed_off = time_of(owner.get("at"))
        self.handed_by: str | None = owner.get("by")
        self.restarted = time_of(self.memory.get("stage", NOTHING).get("restarted"))
        self.started = max((at for at in (self.handed_off, self.restarted) if at), default=None)
        self.score: int | None = None
        self.fit: int | None = None
        self.latched: dict[str, bool] = {}
        self.bases: dict[str, float] = {}
        self.raters: Sequence[Rater] = ()
        self.is_restarted = False
        self._by_kind: dict[str, list[Activity]] | None = None
        self._by_kinds: dict[frozenset[str], list[Activity]] = {}
        self._by_direction: dict[str, list[Activity]] | None = None

    def rate(self, raters: Sequence[Rater]) -> None:
        """Lets the scores be counted."""
        self.raters = raters
        for rater in raters:
            rater.rate(self)

    def look_again(self, at: datetime) -> None:
        """Something looked at changes at ``at``."""
        if at > self.now and (self.review is None or at < self.review):
            self.review = at

    def restart(self) -> None:
        """The person starts afresh: the score counts from now, and hand-offs are forgotten."""
        self.restarted = self.started = self.now
        self.handed_off = self.handed_by = None
        self.is_restarted = True
        for rater in self.raters:
            if not rater.is_fit:
                rater.rate(self)

    def hand_off(self, name: str) -> None:
        self.handed_off = self.started = self.now
        self.handed_by = name

    def was_on(self, track: str) -> Sequence[str]:
        """Thresholds of a score that were on the last time."""
        on: Sequence[str] = () if self.is_restarted else self.memory.get(track, NOTHING).get("on", ())
        return on

    def score_base(self, track: str, raw: float) -> float:
        """What a number from elsewhere was when the person last started afresh; it counts from there."""
        remembered = self.memory.get(track, NOTHING).get("base", 0)
        self.bases[track] = base = raw if self.is_restarted and track == "score" else float(remembered)
        return base

    def of_kind(self, kind: str) -> Sequence[Activity]:
        """Activities of one kind, oldest first."""
        by_kind = self._by_kind
        if by_kind is None:
            by_kind = self._by_kind = {}
            for activity in self.person.activities:
                of_kind = by_kind.get(activity.kind)
                if of_kind is None:
                    by_kind[activity.kind] = [activity]
                else:
                    of_kind.append(activity)
        return by_kind.get(kind, NO_ACTIVITIES)

    def of_kinds(self, kinds: frozenset[str]) -> Sequence[Activity]:
        """Activities of any of the kinds, oldest first."""
        found = self._by_kinds.get(kinds)
        if found is None:
            groups = [group for kind in kinds if (group := self.of_kind(kind))]
            found = self._by_kinds[kinds] = in_order(groups)
        return found

    def engagement(self, direction: str, ignored: frozenset[str]) -> Sequence[Activity]:
        """Activities of a direction (``any``: of both), oldest first, without the ignored kinds."""
        by_direction = self._by_direction
        if by_direction is None:
            inbound = [a for a in self.person.activities if a.direction == "inbound" and a.kind not in ignored]
            outbound = [a for a in self.person.activities if a.direction == "outbound" and a.kind not in ignored]
            by_direction = self._by_direction = {"inbound": inbound, "outbound": outbound}
        if direction == "any":
            return in_order(by_direction.values())
        return by_direction[direction]


def in_order(groups: Iterable[Sequence[Activity]]) -> list[Activity]:
    """The groups' activities, oldest first; ties in an order that does not depend on how they arrived."""
    return sorted((each for group in groups for each in group), key=lambda a: (a.occurred_at, a.source, a.id))
