"""Which old activities no rule can tell from others that stay: they may leave the state, and no decision changes.

Old is what happened before every window that the mapping looks through, and before the last fresh start, hand-off and
hold of the person. Of that, what a mail scanner did leaves altogether. The rest are put together with their like: of
one source, kind, direction and sender, and alike in whatever else a condition looks at. The first and the last of each
stay, as many as any condition asks for: conditions take the first that fit, or the last. What is counted without a
window, followed from one to the next, or looked at since the present stage began stays as it is.

That goes on being so: windows, starts and holds only move forward, and of people who become one both kept their first
and last. Another mapping may look further: ``said`` tells what this one relied on.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from connector.base.facts import Activity, Person
from connector.base.json import JsonMap, JsonObject
from connector.lifecycle.activity import HasActivity
from connector.lifecycle.amounts import DEAL_KIND
from connector.lifecycle.calendar import Span
from connector.lifecycle.noise import BY_SCANNER, FLAGS, SENDS_AND_DOINGS, Noise
from connector.lifecycle.program import Model, Program
from connector.lifecycle.score import HALF_LIVES
from connector.lifecycle.several import InSequence
from connector.lifecycle.sources import FEEDS
from connector.lifecycle.values import ONE_DAY, time_of

_MOVES_FORWARD = frozenset({"handoff", "start"})  # anchors that are the time of a decision; the others may be inferred

ActivityKey = tuple[str, str]  # source, id


@dataclass(frozen=True)
class Folding:
    """``counted``: conditions that may look at any of their activities, however old. ``spans``: windows; ``count``: the
    most that a condition asks for; ``names``: whether any looks at names; ``attributes``: which are looked at."""

    counted: tuple[HasActivity, ...]
    spans: tuple[Span, ...]
    count: int
    names: bool
    attributes: tuple[str, ...]
    noise: Noise

    def before(self, now: datetime, keep: timedelta) -> datetime:
        """What happened earlier may be folded, if nothing else speaks against it."""
        return min([now - keep, *(now - span for span in self.spans)])

    def superfluous(self, program: Program, person: Person, before: datetime) -> set[ActivityKey]:
        person = program.in_our_words(person)
        start = min([before, *_starts(person)])
        if not person.activities or person.activities[0].occurred_at >= start:
            return set()
        scanned = {key for key, whose in self.noise.of(person).items() if whose == BY_SCANNER}
        start = self._between_mails(person.activities, start)
        alike: dict[tuple[Any, ...], list[ActivityKey]] = defaultdict(list)
        leave = set()
        for each in person.activities:
            if each.occurred_at >= start:
                break
            key = each.source, each.id
            if key in scanned:
                leave.add(key)
            elif each.kind != DEAL_KIND and not any(_may_look(one, each) for one in self.counted):
                alike[self._likeness(each)].append(key)
        for some in alike.values():
            leave.update(some[self.count : -self.count])
        return leave

    def _between_mails(self, activities: Sequence[Activity], start: datetime) -> datetime:
        """Not within a moment by which scanners are told: those that stay must be told as before."""
        near = max(self.noise.after_send or timedelta(0), self.noise.within)
        times = [each.occurred_at for each in activities if each.kind in SENDS_AND_DOINGS]
        later = next((at for at in times if at >= start), None)
        for at in reversed([each for each in times if each < start]):
            if later is None or later - at > near:
                break
            start = later = at
        return start

    def _likeness(self, each: Activity) -> tuple[Any, ...]:
        said = each.attributes
        more = tuple(repr(said[name]) if name in said else "" for name in self.attributes) if said else ()
        name = each.name if self.names else ""
        sender = said.get(FEEDS.get(each.source, ""), "") if said else ""
        whose = each.crm_id, each.prospect_id, each.email
        return each.source, each.kind, each.direction, str(sender), name, *whose, *more

    @property
    def said(self) -> JsonObject:
        """As JSON: what was relied on. See :func:`looks_further`."""
        return {
            "counted": sorted(each.said for each in self.counted),
            "days": max((_days(span) for span in self.spans), default=0),
            "count": self.count,
            "names": self.names,
            "attributes": list(self.attributes),
        }


def both_relied_on(one: JsonMap, other: JsonMap) -> JsonObject:
    """What is still there for certain once it was folded under one mapping, and then under another."""
    return {
        "counted": sorted({*one["counted"]} & {*other["counted"]}),
        "days": min(one["days"], other["days"]),
        "count": min(one["count"], other["count"]),
        "names": one["names"] and other["names"],
        "attributes": sorted({*one["attributes"]} & {*other["attributes"]}),
    }


def looks_further(said: JsonMap, before: JsonMap) -> bool:
    """Whether a mapping may look at what was folded under another one."""
    return bool(
        set(said["counted"]) - set(before["counted"])
        or said["days"] > before["days"]
        or said["count"] > before["count"]
        or said["names"] > before["names"]
        or set(said["attributes"]) - set(before["attributes"])
    )


def folding_of(model: Model) -> Folding:
    asked = [each for each in model.walk() if isinstance(each, HasActivity)]
    counted = [*_counted(model)]
    spans: list[Span] = [each.within for each in asked if each.within is not None]
    spans += [HALF_LIVES * score.half_life + ONE_DAY for score in model.scores if score.half_life]
    declared = model.sources
    compared = [pair for one in asked for pair in one.where] + [pair for each in declared for pair in each.where]
    attributes = {each for name, compare in compared for each in (name, *compare.others())}
    attributes |= {each.score for each in declared if each.score}
    if not model.noise.flags:
        attributes |= FLAGS
    names = any(each.name is not None for each in asked) or any(each.called is not None for each in declared)
    count = max((each.count for each in asked), default=1)
    return Folding(tuple(counted), tuple(spans), count, names, tuple(sorted(attributes)), model.noise)


def _counted(model: Model) -> Iterator[HasActivity]:
    """Without a window, every one of them matters."""
    for each in model.walk():
        if isinstance(each, InSequence):
            yield from (step for step in each.steps if step.within is None)
        elif isinstance(each, HasActivity) and each.within is None and _is_followed(each):
            yield each
    for score in model.scores:
        for points in score.points:
            is_for_ever = points.is_each and (not score.half_life or bool(score.decay))
            if is_for_ever and isinstance(points.when, HasActivity) and points.when.within is None:
                yield points.when
    for written in model.written:
        if written.what == "touches" and written.touch is not None and written.touch.within is None:
            yield written.touch


def _is_followed(condition: HasActivity) -> bool:
    """Whether one matters because of another, or of a time that may turn out to be an earlier one."""
    return condition.after_quiet is not None or (bool(condition.since) and condition.since not in _MOVES_FORWARD)


def _may_look(condition: HasActivity, activity: Activity) -> bool:
    if condition.kinds or condition.latest_of:
        return activity.kind in condition.kinds or activity.kind in condition.latest_of
    return condition.direction in ("any", activity.direction) and activity.kind not in condition.ignored


def _starts(person: Person) -> Iterator[datetime]:
    """From when on what somebody did is looked at apart from what was before."""
    for memory in (person.memory, *person.former.values()):
        for track in memory.values():
            hidden = track.get("hidden") or {}
            holds = (track.get("hold") or {}).get("since"), hidden.get("since"), *hidden.get("muted", {}).values()
            handed = track.get("at") if memory.get("owner") is track else None
            for text in (*holds, handed, track.get("restarted")):
                if (at := time_of(text)) is not None:
                    yield at


def _days(span: Span) -> float:
    """Of business time, at least as long as it takes."""
    if isinstance(span, timedelta):
        return span / ONE_DAY
    somewhen = datetime.fromisoformat("2026-01-01T00:00:00+00:00")
    return (somewhen - (somewhen - span)) / ONE_DAY
