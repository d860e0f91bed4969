"""The condition on what a person did, and what was done to reach them.

An activity counts from the moment it happened; one dated in the future (a meeting next week) counts then, and until
then only for a condition that asks for ``upcoming`` ones.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from itertools import pairwise

from connector.base.facts import Activity, Evidence
from connector.lifecycle.amounts import AMOUNT_OF_DEAL, DEAL_KIND, SALES_OBJECTS, amounts_told, may_be_amount
from connector.lifecycle.calendar import Span
from connector.lifecycle.compare import Comparison
from connector.lifecycle.conditions import Compares, Condition, Grounds, Needs, Reads, Test
from connector.lifecycle.values import show_duration
from connector.lifecycle.view import NO_ACTIVITIES, SOME_ACTIVITY, View

SALES_KINDS = {"call", "email_sent", "email_reply", "meeting", "meeting_no_show", "social_message", "task"}
_SHOWN = 3  # activities named as evidence
Anchor = Callable[[View], datetime | None]
ANCHORS: dict[str, Anchor] = {
    "stage": lambda view: view.stage_since,
    "status": lambda view: view.status_since,
    "handoff": lambda view: view.handed_off,
    "start": lambda view: view.started,
}
Candidates = Callable[[View], Sequence[Activity]]
_Matches = Callable[[Activity, View], bool]


@dataclass(frozen=True)
class HasActivity(Condition):
    """At least ``count`` activities that fit all that is said. Without ``kinds``, ``ignored`` kinds do not count.
    ``since``: only after the person got the present stage or status, was handed off, or last started afresh.
    ``latest_of``: the newest activity of these kinds must be the one. ``after_quiet``: it came after a pause."""

    kinds: tuple[str, ...] = ()
    direction: str = "any"  # "inbound" | "outbound" | "any"
    ignored: frozenset[str] = frozenset()
    name: Comparison | None = None
    source: Comparison | None = None
    where: tuple[tuple[str, Comparison], ...] = ()
    within: Span | None = None
    since: str = ""  # one of ANCHORS
    count: int = 1
    latest_of: tuple[str, ...] = ()
    after_quiet: Span | None = None
    upcoming: bool = False

    def compile(self, object_name: str) -> Test:
        return self._shown_ones

    @cached_property
    def _shown_ones(self) -> Candidates:
        """The activities that make it hold, oldest first; none when too few fit. The test and the evidence in one."""
        count = self.count
        if self.after_quiet is not None or self.upcoming:
            every, newest = self.every, self._is_moving

            def some(view: View) -> Sequence[Activity]:
                found = every(view)
                if len(found) < count:
                    return NO_ACTIVITIES
                return found[-count:] if newest else found[:count]

            return some
        candidates, matches, anchor = self._candidates(), self._matches(), ANCHORS.get(self.since)
        if self._is_moving:
            return _newest(candidates, matches, anchor, count, self.within, newest_only=bool(self.latest_of))
        return _oldest(candidates, matches, anchor, count)

    def _candidates(self) -> Candidates:
        kinds = frozenset(self.kinds) | frozenset(self.latest_of)
        if len(kinds) == 1:
            (kind,) = kinds
            return lambda view: view.by_kind.get(kind, NO_ACTIVITIES)
        if kinds:
            return lambda view: view.of_kinds(kinds)
        direction, ignored = self.direction, self.ignored
        return lambda view: view.engagement(direction, ignored)

    def _matches(self) -> _Matches | None:
        """What a candidate must still pass; None: nothing."""
        checks: list[_Matches] = []
        if self.latest_of:
            kinds = frozenset(self.kinds)
            checks.append(lambda activity, _view: activity.kind in kinds)
        if self.direction != "any" and (self.kinds or self.latest_of):
            direction = self.direction
            checks.append(lambda activity, _view: activity.direction == direction)
        if self.name is not None:
            check_name = self.name.compile()
            checks.append(lambda activity, view: check_name(activity.name, view))
        if self.source is not None:
            check_source = self.source.compile()
            checks.append(lambda activity, view: check_source(activity.source, view))
        checks += [_attribute_check(name, compare) for name, compare in self.where]
        if len(checks) <= 1:
            return checks[0] if checks else None
        return lambda activity, view: all(check(activity, view) for check in checks)

    def compile_all(self) -> Candidates:
        """Every activity that fits, oldest first, however many."""
        candidates, matches = self._candidates(), self._matches()
        upcoming, within, anchor = self.upcoming, self.within, ANCHORS.get(self.since)
        latest, pause = bool(self.latest_of), self.after_quiet

        def every(view: View) -> Sequence[Activity]:
            found = candidates(view)
            if not found:
                return found
            now = view.now
            if upcoming or found[-1].occurred_at > now:
                for activity in found:
                    view.look_again(activity.occurred_at)
                found = [a for a in found if (a.occurred_at > now) == upcoming]
            if latest:
                found = found[-1:]
            if matches is not None:
                found = [a for a in found if matches(a, view)]
            if pause is not None:
                found = [b for a, b in pairwise(found) if b.occurred_at >= a.occurred_at + pause]
            if anchor is not None and (start := anchor(view)) is not None:
                found = [a for a in found if a.occurred_at >= start]
            if within is not None:
                cutoff = now - within
                found = [a for a in found if a.occurred_at > cutoff]
                if found:
                    view.look_again(found[0].occurred_at + within)
            return found

        return every

    def reads(self) -> Reads:
        """Custom fields of activities, which Task and Event share; of campaign members also those of the campaign."""
        for name, compare in self.where:
            for each in (name, *compare.others()):
                yield from ((owner, each) for owner in self._owners_of(each))

    def compares(self) -> Compares:
        """A deal's amount is compared as an opportunity's is."""
        for name, compare in self.where:
            if DEAL_KIND in self.kinds and name in AMOUNT_OF_DEAL:
                yield "Opportunity", "Amount", compare
            yield from ((owner, name, compare) for owner in self._owners_of(name))

    def _owners_of(self, name: str) -> tuple[str, ...]:
        """The objects of Salesforce whose field an attribute may be, beside those that are always read."""
        if self.kinds == ("campaign_response",):
            return ("CampaignMember",) if name.endswith("__c") or "." in name else ()
        is_theirs = name.endswith("__c") and (not self.kinds or SALES_KINDS & {*self.kinds})
        return SALES_OBJECTS if is_theirs else ()

    def needs(self) -> Needs:
        return frozenset(self.kinds or (SOME_ACTIVITY,))

    @cached_property
    def every(self) -> Candidates:
        return self.compile_all()

    @cached_property
    def _is_moving(self) -> bool:
        """Time, or what follows, changes which activities tell."""
        return self.within is not None or bool(self.latest_of) or self.after_quiet is not None

    def grounds(self, view: View) -> Grounds:
        telling = self._shown_ones(view)
        return tuple([self._evidence(activity) for activity in telling[:_SHOWN]]), self._since(telling)

    def true_since(self, view: View) -> datetime | None:
        return self._since(self._shown_ones(view))

    def _since(self, telling: Sequence[Activity]) -> datetime | None:
        if not telling:  # asked from another step than the one at which it held
            return None
        return telling[0 if self._is_moving else -1].occurred_at

    @cached_property
    def _priced(self) -> tuple[tuple[str, Comparison], ...]:
        """What may be compared as an amount of money."""
        return tuple((name, compare) for name, compare in self.where if may_be_amount(name, compare))

    def _evidence(self, activity: Activity) -> Evidence:
        found = activity_evidence(activity)
        told = amounts_told(self._priced, activity.attributes) if self._priced else ""
        return found._replace(text=f"{found.text}, {told}") if told else found

    def found(self, view: View) -> str:
        fitting = len(self.every(view))
        if fitting:
            return f"{fitting} that fit"
        candidates = self._candidates()(view)
        told = "; ".join(filter(None, (amounts_told(self._priced, each.attributes) for each in candidates[-_SHOWN:])))
        text = f"{len(candidates)} of the kind, none that fits" if candidates else "none"
        return f"{text} ({told})" if told else text

    def lacks(self, view: View) -> str:
        have = len(self.every(view))
        return f"{self.count - have} more: {self.said}" if 0 < have < self.count else self.said

    def words(self) -> str:
        kinds = " or ".join(kind.replace("_", " ") for kind in self.kinds)
        direction = "" if self.direction == "any" else self.direction
        number = "" if self.count == 1 else f"at least {self.count}"
        parts = [number, "upcoming" if self.upcoming else "", direction, kinds or "activity"]
        parts += [f"named {self.name.words()}"] if self.name else []
        parts += [f"from {self.source.words()}"] if self.source else []
        parts += [f"with {name} {compare.words()}" for name, compare in self.where]
        parts += [f"within the last {show_duration(self.within)}"] if self.within else []
        parts += [SINCE_WORDS[self.since]] if self.since else []
        parts += ["as the latest of " + ", ".join(self.latest_of)] if self.latest_of else []
        parts += [f"after a pause of {show_duration(self.after_quiet)}"] if self.after_quiet else []
        return " ".join(part for part in parts if part)


SINCE_WORDS = {
    "stage": "since the present stage began",
    "status": "since the present status began",
    "handoff": "since the hand-off",
    "start": "since the last fresh start",
}


def _oldest(candidates: Candidates, matches: _Matches | None, anchor: Anchor | None, count: int) -> Candidates:
    """The first ones that fit: once there are enough, it holds for good."""

    def shown_ones(view: View) -> Sequence[Activity]:
        start = anchor(view) if anchor is not None else None
        now, seen = view.now, []
        for activity in candidates(view):
            at = activity.occurred_at
            if at > now:
                view.look_again(at)
                break
            if (start is None or at >= start) and (matches is None or matches(activity, view)):
                seen.append(activity)
                if len(seen) == count:
                    return seen
        return NO_ACTIVITIES

    return shown_ones


def _newest(
    candidates: Candidates,
    matches: _Matches | None,
    anchor: Anchor | None,
    count: int,
    within: Span | None,
    *,
    newest_only: bool,
) -> Candidates:
    """The last ones that fit: it holds until the first of them is too old. ``newest_only``: whatever does not fit ends
    the row."""

    def shown_ones(view: View) -> Sequence[Activity]:
        found = candidates(view)
        if not found:
            return found
        now, seen = view.now, []
        cutoff = now - within if within is not None else None
        start = anchor(view) if anchor is not None else None
        for activity in reversed(found):
            at = activity.occurred_at
            if at > now:
                view.look_again(at)
                continue
            if (cutoff is not None and at <= cutoff) or (start is not None and at < start):
                break
            if matches is None or matches(activity, view):
                seen.append(activity)
                if len(seen) == count:
                    if within is not None:
                        view.look_again(at + within)
                    return seen[::-1]
            elif newest_only:
                break
        return NO_ACTIVITIES

    return shown_ones


def _attribute_check(name: str, compare: Comparison) -> _Matches:
    check = compare.of(name)
    return lambda activity, view: check(activity.attributes, view)


def activity_evidence(activity: Activity) -> Evidence:
    key, name = activity.direction + activity.kind, activity.name
    words = _WORDS.get(key) or _WORDS.setdefault(key, f"{activity.direction} {activity.kind.replace('_', ' ')}")
    text = f"{words} {name!r}" if name else words
    return Evidence("activity", f"{activity.source}:{activity.id}", text, activity.occurred_at)


_WORDS: dict[str, str] = {}  # kept, because everybody's evidence is told in them
