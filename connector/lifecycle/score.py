"""The score: taken from the marketing system, or counted from activities; the fit, counted from attributes; and the
thresholds that are crossed once, with hysteresis.

Points of activities fade by half-life, or all of them together fall by so many points a day, down to none. Both go by
whole days of UTC: a score changes at midnight or with a new activity, and its number stands still in between. So the
next time it can change is known.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from connector.base.facts import NOTHING, Activity, Evidence, TrackDecision
from connector.base.json import JsonMap
from connector.lifecycle.activity import Candidates, HasActivity
from connector.lifecycle.conditions import Condition, Test, can_hold
from connector.lifecycle.values import ONE_DAY, number_of, show
from connector.lifecycle.view import ByPresence, Present, View

HALF_LIVES = 20  # after which an activity gives nothing any more
_SHOWN = 5  # sources of points named as evidence
Rated = tuple[Candidates, float, float]  # activities that fit, points each, cap


@dataclass(frozen=True)
class Points:
    """``points`` once while the condition holds, or, with ``is_each``, for each activity that fits, ``cap`` at most."""

    when: Condition
    points: float
    cap: float | None = None
    is_each: bool = False


@dataclass(frozen=True)
class ScoreSource:
    """A number that another system keeps: an attribute of the prospects (the largest), or a field of the record."""

    prospect: str = ""
    fields: Mapping[str, str] | None = None

    @property
    def is_sources(self) -> bool:
        """Whether each source says by itself what it calls the number."""
        return not self.prospect and self.fields is None

    def read(self, view: View) -> float | None:
        if self.fields is not None:
            return number_of(view.fields.get(self.fields.get(view.object, "")))
        found = [number_of(each.attributes.get(self.prospect)) for each in view.person.prospects]
        return max((value for value in found if value is not None), default=None)


@dataclass(frozen=True)
class Score:
    """``name``: "score" (behaviour) or "fit" (attributes). Either taken from a source, or counted from points."""

    name: str
    source: ScoreSource | None = None
    points: tuple[Points, ...] = ()
    half_life: timedelta | None = None
    decay: float = 0  # points a day
    least: int = 0
    most: int = 100
    fields: Mapping[str, str] | None = None  # object -> field it is written to


@dataclass(frozen=True)
class Threshold:
    """On from ``at`` and above; off again below ``again_below``; in between it stays as it was."""

    name: str
    of: str  # "score" | "fit"
    at: float
    again_below: float
    line: int = 0


@dataclass
class Scorer:
    """Score and thresholds compiled for one object."""

    score: Score
    thresholds: tuple[Threshold, ...]
    object_name: str

    def __post_init__(self) -> None:
        self.name = self.score.name
        self.is_fit = self.name == "fit"
        self._rated: list[tuple[Condition, Rated]] = []
        self._relevant = ByPresence(self._worth_counting)
        self._judged: list[tuple[Test, float]] = []
        for each in self.score.points:
            if isinstance(each.when, HasActivity) and each.is_each:
                cap = math.inf if each.cap is None else each.cap
                self._rated.append((each.when, (each.when.every, each.points, cap)))
            else:
                self._judged.append((self._once(each.when), each.points))
        days = self.score.half_life / ONE_DAY if self.score.half_life else None
        self._half_life = days
        self._faded = [0.5 ** (age / days) for age in range(int(days * HALF_LIVES) + 1)] if days else []

    def _once(self, condition: Condition) -> Test:
        """A test that a fresh start makes forget what was done before."""
        if not isinstance(condition, HasActivity):
            return condition.compile(self.object_name)
        return lambda view: len(_counted(condition, view)) >= condition.count

    def _worth_counting(self, present: Present) -> tuple[Rated, ...]:
        return tuple(rated for condition, rated in self._rated if can_hold(condition, present))

    def rate(self, view: View) -> None:
        """Sets ``view.score`` or ``view.fit``, and which thresholds are on."""
        value = self._taken(view) if self.score.source is not None else self._counted(view)
        if self.is_fit:
            view.fit = value
        else:
            view.score = value
        for threshold in self.thresholds:
            was_on = threshold.name in view.was_on(self.name)
            bound = threshold.again_below if was_on else threshold.at
            view.latched[threshold.name] = value is not None and value >= bound

    def _taken(self, view: View) -> int | None:
        assert self.score.source is not None  # noqa: S101 - asked only then
        raw = self.score.source.read(view)
        if raw is None:
            return None
        return self._bounded(raw - view.score_base(self.name, raw))

    def _bounded(self, value: float) -> int:
        return max(self.score.least, min(self.score.most, math.floor(value + 0.5)))

    def _counted(self, view: View) -> int:
        if self.score.decay:
            return self._draining(view)
        gained = lost = 0.0
        today, start, faded = view.now.toordinal(), view.restarted, self._faded
        oldest = today - len(faded)
        for every, points, cap in self._relevant[view.present]:
            found = every(view)
            if start is not None:
                found = [activity for activity in found if activity.occurred_at >= start]
            if faded:
                weight = 0.0
                for activity in found:
                    day = activity.occurred_at.toordinal()
                    if day > oldest:
                        weight += faded[today - day]
            else:
                weight = float(len(found))
            if points > 0:
                gained += min(weight * points, cap)
            else:
                lost += min(-weight * points, cap)
        fixed = 0.0
        for test, points in self._judged:
            if test(view):
                fixed += points
        if self._half_life and (gained or lost):
            self._look_again(view, gained, lost, fixed)
        return self._bounded(gained - lost + fixed)

    def _draining(self, view: View) -> int:
        """As a bucket with a hole: each activity pours in, each day lets out."""
        poured: list[tuple[int, float]] = []  # day, points
        for every, points, cap in self._relevant[view.present]:
            left = cap
            for activity in every(view):
                if view.restarted is None or activity.occurred_at >= view.restarted:
                    given = math.copysign(min(abs(points), left), points)
                    left -= abs(given)
                    poured.append((activity.occurred_at.toordinal(), given))
        poured.sort(key=lambda each: (each[0], -each[1]))  # on one day gains come first
        level, day = 0.0, 0
        for at, points in poured:
            level = max(0.0, max(0.0, level - self.score.decay * (at - day)) + points)
            level, day = min(level, float(self.score.most)), at
        level = max(0.0, level - self.score.decay * (view.now.toordinal() - day))
        fixed = sum(points for test, points in self._judged if test(view))
        value = self._bounded(level + fixed)
        if level > 0:
            days = max(1, math.floor((level + fixed - (value - 0.5)) / self.score.decay))
            midnight = view.now.replace(hour=0, minute=0, second=0, microsecond=0)
            view.look_again(midnight + min(days, 36500) * ONE_DAY)
        return value

    def _look_again(self, view: View, gained: float, lost: float, fixed: float) -> None:
        """The first midnight at which the whole number may differ. Gains alone can only fall, and no faster than by
        half-life, whatever is capped; with losses fading too, it may differ the next day."""
        assert self._half_life is not None  # noqa: S101 - asked only then
        value = self._bounded(gained - lost + fixed)
        days = 1
        if not lost:
            falls_below = value - 0.5 - fixed
            if value <= self.score.least or falls_below <= 0:
                return
            left = gained * (1 - 1e-5) / falls_below  # a hair less, for what floating point loses
            days = max(1, math.floor(self._half_life * math.log2(max(left, 1.0))) + 1)
        midnight = view.now.replace(hour=0, minute=0, second=0, microsecond=0)
        view.look_again(midnight + min(days, 36500) * ONE_DAY)

    def decision(self, view: View) -> TrackDecision:
        """The number as a track. Its memory: thresholds that are on, and where a taken score started afresh."""
        value = view.fit if self.is_fit else view.score
        field = (self.score.fields or NOTHING).get(self.object_name)
        current = view.fields.get(field) if field else None
        on = [each.name for each in self.thresholds if view.latched[each.name]]
        memory: JsonMap = {"value": value, "on": on}
        if self.score.source is not None and (base := view.bases.get(self.name)):
            memory = {**memory, "base": base}
        before = number_of(current)
        is_change = field is not None and value is not None and value != before
        return TrackDecision(
            track=self.name,
            value=None if value is None else str(value),
            current=None if current is None else show(before),
            rule=self.name,
            verdict="moves" if is_change else "stays",
            reason=self._reason(value, on),
            evidence=self.evidence(view) if is_change else (),
            memory=memory,
        )

    def _reason(self, value: int | None, on: Sequence[str]) -> str:
        if value is None:
            return f"no {self.name} is known"
        return f"{self.name} {value}" + (f", past {' and '.join(on)}" if on else "")

    def _telling(self, condition: HasActivity, view: View) -> Sequence[Activity]:
        """What has not faded altogether."""
        found = _counted(condition, view)
        if not self._faded or self.score.decay:
            return found
        oldest = view.now.toordinal() - len(self._faded)
        return [each for each in found if each.occurred_at.toordinal() > oldest]

    def evidence(self, view: View) -> tuple[Evidence, ...]:
        """Where the points come from, the largest first."""
        if self.score.source is not None:
            return (Evidence("prospect", view.person.id, f"the marketing system's {self.name}"),)
        parts: list[tuple[float, Evidence]] = []
        for each in self.score.points:
            if isinstance(each.when, HasActivity) and each.is_each:
                found = self._telling(each.when, view)
                if found:
                    text = f"{len(found)} x {each.when.words()}, {show(each.points)} points each before fading"
                    parts.append(
                        (
                            abs(each.points) * len(found),
                            Evidence("activity", found[-1].source + ":" + found[-1].id, text, found[-1].occurred_at),
                        )
                    )
            elif self._once(each.when)(view):
                parts.append(
                    (
                        abs(each.points),
                        Evidence("field", view.person.id, f"{show(each.points)} points: {each.when.words()}"),
                    )
                )
        parts.sort(key=lambda pair: (-pair[0], pair[1].text))
        return tuple(evidence for _, evidence in parts[:_SHOWN])


def _counted(condition: HasActivity, view: View) -> Sequence[Activity]:
    """What fits, of what was done since the last fresh start."""
    return [each for each in condition.every(view) if view.restarted is None or each.occurred_at >= view.restarted]
