"""Fields that are written from what was decided: the date of one stage, how often it was reached, why, the first touch.

What they need to know of before is kept in the stage's memory: ``came`` (stage -> first and last time), ``times``
(stage -> how often), ``previous`` (stage), ``why`` (rule and reason of the present stage). ``beside`` are the values.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from connector.base.facts import Activity, Change, Outcome, RecordChange, Result, TrackDecision
from connector.base.json import JsonMap, JsonObject
from connector.lifecycle.activity import HasActivity
from connector.lifecycle.ladder import NO_MEMORY, Memory
from connector.lifecycle.model import Step
from connector.lifecycle.values import number_of, time_of
from connector.lifecycle.view import View

DATE_KINDS = frozenset({"date_of", "first_date_of", "since"})
COUNT_KINDS = frozenset({"times", "touches", "days_in_stage"})
CLEARED = "only_at"
LONGEST = 255  # characters of a text, where the mapping says no other length
TOUCH_PARTS: dict[str, Callable[[Activity], Any]] = {
    "kind": lambda touch: touch.kind,
    "name": lambda touch: touch.name,
    "source": lambda touch: touch.source,
    "campaign": lambda touch: touch.attributes.get("Campaign.Name") or touch.attributes.get("campaign"),
    "date": lambda touch: touch.occurred_at.isoformat(),
}


@dataclass(frozen=True)
class Written:
    """One field. ``what`` is one of WRITERS; ``of`` the stage, the part of a touch or the number it is about; ``touch``
    which activities count; ``bands`` name -> from which number on; ``stages`` where a field may stay filled."""

    fields: Mapping[str, str]  # object -> API name
    what: str
    of: str = ""
    touch: HasActivity | None = None
    bands: tuple[tuple[str, float], ...] = ()
    stages: tuple[str, ...] = ()
    with_time: bool = False
    length: int = LONGEST
    line: int = 0

    @property
    def track(self) -> str:
        return f"{self.what} {next(iter(self.fields.values()))}"

    @property
    def is_date(self) -> bool:
        return self.what in DATE_KINDS or (self.what in {"first_touch", "last_touch"} and self.of == "date")

    def text(self, value: str) -> str | None:
        """As Salesforce keeps it: white space at an end is dropped there, and would be written again and again."""
        return " ".join(value.split())[: self.length].rstrip() or None


@dataclass
class FieldsBeside:
    """The fields of one object."""

    written: tuple[Written, ...]
    object_name: str
    steps: tuple[Step, ...]
    _mine: list[tuple[str, Written]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._values = {step.name: step.value(self.object_name) for step in self.steps}
        self._mine = [(name, each) for each in self.written if (name := each.fields.get(self.object_name))]

    def with_fields(self, view: View, tracks: Sequence[TrackDecision]) -> TrackDecision:
        """The stage's decision, with what is written beside it in its memory. Nothing follows from a stage that the
        mapping does not know."""
        stage = tracks[0]
        if "at" not in stage.memory:
            return stage
        memory = {**stage.memory, **_history(stage, view)}
        beside = {}
        for name, each in self._mine:
            value = WRITERS[each.what](each, view, memory)
            if each.what == "previous_stage":
                value = self._values.get(value, value)
            if value is not KEEP:
                beside[name] = each.text(value) if isinstance(value, str) else value
        return stage._replace(memory={**memory, "beside": beside} if beside else memory)


def _history(stage: TrackDecision, view: View) -> JsonObject:
    at, since, before = stage.memory.get("at"), stage.memory.get("since"), view.memory.get("stage", NO_MEMORY)
    came, times = dict(before.get("came", {})), dict(before.get("times", {}))
    stood = {before.get("at")} | _take_over(view, before, came, times)
    previous, why = before.get("previous"), before.get("why")
    if at is not None and (at != before.get("at") or at not in times):
        if at not in stood or at not in times:
            times[at] = times.get(at, 0) + 1
            came[at] = [came.get(at, [since])[0], since]
        if at != before.get("at"):
            previous = before.get("at") or previous
        why = [stage.rule, stage.reason]
    return {"came": came, "times": times, "previous": previous, "why": why}


def _take_over(view: View, before: Memory, came: JsonObject, times: JsonObject) -> set[str | None]:
    """Counts and dates of those who became this person: the larger count, since records of one human often count the
    same thing. Where the ones stand that are new."""
    stood = set()
    for key, memory in view.person.former.items():
        former = memory.get("stage", NO_MEMORY)
        if key not in before.get("took", ()):
            stood.add(former.get("at"))
        for name, count in former.get("times", {}).items():
            times[name] = max(count, times.get(name, 0))
            dates = [each for each in (*former["came"][name], *came.get(name, ())) if each]
            came[name] = [min(dates, default=None), max(dates, default=None)]
    return stood


KEEP = object()  # the field stays as it is
Value = Callable[[Written, View, Memory], Any]


def _date(written: Written, text: str | None) -> str | None:
    at = time_of(text)
    if at is None:
        return None
    return at.strftime("%Y-%m-%dT%H:%M:%S.000+0000") if written.with_time else at.date().isoformat()


def _came(index: int) -> Value:
    def value(written: Written, _view: View, memory: Memory) -> str | None:
        there = memory["came"].get(written.of)
        return _date(written, there[index]) if there else None

    return value


def _touch(index: int) -> Value:
    def value(written: Written, view: View, _memory: Memory) -> Any:
        touches = written.touch.every(view) if written.touch is not None else ()
        part = TOUCH_PARTS[written.of](touches[index]) if touches else None
        return _date(written, part) if written.of == "date" else str(part) if part else None

    return value


def _band(written: Written, view: View, _memory: Memory) -> str | None:
    number = view.fit if written.of == "fit" else view.score
    reached = [name for name, bound in written.bands if number is not None and number >= bound]
    return reached[-1] if reached else None


def _days(_written: Written, view: View, memory: Memory) -> int | None:
    since = time_of(memory.get("since"))
    return max(0, (view.now - since).days) if since is not None else None


def _why(index: int) -> Value:
    return lambda _written, _view, memory: (memory["why"] or ("", ""))[index] or None


WRITERS: dict[str, Value] = {
    "date_of": _came(1),
    "first_date_of": _came(0),
    "times": lambda written, _view, memory: memory["times"].get(written.of, 0),
    "previous_stage": lambda _written, _view, memory: memory["previous"],
    "rule": _why(0),
    "reason": _why(1),
    "since": lambda written, _view, memory: _date(written, memory.get("since")),
    "days_in_stage": _days,
    "first_touch": _touch(0),
    "last_touch": _touch(-1),
    "touches": lambda written, view, _memory: len(written.touch.every(view)) if written.touch else 0,
    "band": _band,
    CLEARED: lambda written, _view, memory: KEEP if memory.get("at") in written.stages else None,
}


def beside_values(written: Sequence[Written], object_name: str, memory: Memory) -> list[tuple[str, str, Any, bool]]:
    """Track, field, value, and whether it is worth a write of its own: days in a stage are not, they change every
    day."""
    values = memory.get("beside", {})
    found = []
    for each in written:
        name = each.fields.get(object_name, "")
        if name in values:
            found.append((each.track, name, values[name], each.what != "days_in_stage"))
    return found


def is_anothers(value: Any, change: Change) -> bool:
    """Whether what stands in a field is neither what stood there when the change was decided, nor what it sets."""
    return not same(value, change.old) and not same(value, change.new)


def written_over(change: RecordChange, stood: JsonMap, who: str, *, again: bool = False) -> Outcome:
    """The outcome of a row that was written, where ``stood`` is what its fields had right before, as far as that was
    seen: what somebody, ``who`` changed the record last, had set there by then takes the place of what was read."""
    changes = tuple(
        replace(each, old=stood[each.field]) if each.field in stood and is_anothers(stood[each.field], each) else each
        for each in change.changes
    )
    replaced = tuple(now.field for now, each in zip(changes, change.changes, strict=True) if now is not each)
    if not replaced:
        return Outcome(change, Result.APPLIED, again=again)
    said = f"replaced what {who or 'somebody'} set a moment before"
    return Outcome(replace(change, changes=changes), Result.APPLIED, "", said, again, replaced=replaced)


def same(old: Any, new: Any) -> bool:
    """Whether a field already holds a value; Salesforce gives numbers back as floats."""
    if old in (None, "") or new in (None, ""):
        return old in (None, "") and new in (None, "")
    if isinstance(new, int):
        return number_of(old) == float(new)
    at, other = time_of(new), time_of(old)
    return at == other if at is not None and other is not None else str(old) == str(new)
