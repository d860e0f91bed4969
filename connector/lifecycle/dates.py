"""When a person came to each stage and left it: back-dated from the evidence where there is some."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

from connector.base.json import JsonObject
from connector.lifecycle.ladder import Ladder, Memory
from connector.lifecycle.values import time_of
from connector.lifecycle.view import View

OBSERVED = "observed"  # the connector saw the change
INFERRED = "inferred"  # it was so before the connector looked
Entered = dict[str, list[str]]  # stage -> [when, observed or inferred]


@dataclass(frozen=True)
class DateFields:
    """Patterns of field names, ``{stage}`` standing for the stage's name with _ for what is no letter or digit.
    ``as_date``: the fields are dates, not dates with times."""

    entered: str = ""
    exited: str = ""
    days: str = ""
    how: str = ""
    as_date: bool = True

    def fields(self, stage: str) -> dict[str, str]:
        """What -> field, for one stage."""
        word = "_".join("".join(c if c.isascii() and c.isalnum() else " " for c in stage).split())
        patterns = {"entered": self.entered, "exited": self.exited, "days": self.days, "how": self.how}
        return {what: pattern.replace("{stage}", word) for what, pattern in patterns.items() if pattern}


def stage_dates(
    view: View, ladder: Ladder, memory: Memory, origin: int, target: int, entered_at: datetime | None
) -> JsonObject:
    """``{"entered": ..., "left": ...}`` after a decision. Stages on the way that the facts vouch for count as passed
    through, on the day the facts say."""
    entered: Entered = dict(memory.get("entered", {}))
    left: dict[str, str] = dict(memory.get("left", {}))
    name = ladder.names[target]
    how = OBSERVED if memory else INFERRED
    if entered_at is not None and name is not None and (target != origin or name not in entered):
        _passed(view, ladder, target, entered_at, entered)
        entered[name] = [entered_at.isoformat(), how]
        left.pop(name, None)
        _leave_others(ladder, name, entered, left)
    return {"entered": entered, "left": left} if entered else {}


def steps_on_the_way(
    view: View, ladder: Ladder, memory: Memory, origin: int, target: int, entered_at: datetime | None
) -> JsonObject:
    """``{"entered": ...}`` where nobody asks for the dates of stages: only what the last move passed through, for the
    stays that reports count."""
    kept: Entered = memory.get("entered", {})
    if entered_at is None or ladder.names[target] is None or (memory and target == origin):
        return {"entered": kept} if kept else {}
    came_from, since = memory.get("at"), memory.get("since")
    entered: Entered = {came_from: [since, OBSERVED]} if came_from and since else {}
    before = ladder.positions.get(str(came_from), -1) if entered else -1
    _passed(view, ladder, target, entered_at, entered, since=before if before < target else -1)
    passed = {step: told for step, told in entered.items() if told[1] == INFERRED}
    return {"entered": passed} if passed else {}


def _passed(view: View, ladder: Ladder, target: int, entered_at: datetime, entered: Entered, since: int = -1) -> None:
    """``since``: the position that they came from."""
    latest = entered_at
    for position in range(target - 1, since, -1):
        step = ladder.steps[position]
        if step.name in entered:
            latest = min(latest, time_of(entered[step.name][0]) or latest)  # nobody was at an earlier stage after it
            continue
        if not step.funnel:
            continue
        times = [at for rule in step.rules if rule.when.holds(view) and (at := rule.when.true_since(view))]
        if times and min(times) <= latest:
            latest = min(times)
            entered[step.name] = [latest.isoformat(), INFERRED]


def _leave_others(ladder: Ladder, name: str, entered: Mapping[str, list[str]], left: dict[str, str]) -> None:
    """A stage was left when the next one was entered."""
    in_time = sorted(entered, key=lambda each: (entered[each][0], ladder.positions.get(each, 0)))
    in_time = [each for each in in_time if each != name] + [name]
    for stage, following in pairwise(in_time):
        left.setdefault(stage, entered[following][0])


def date_values(dates: DateFields, memory: Memory) -> JsonObject:
    """Field -> value to write, from what is remembered of the stage track."""
    values: JsonObject = {}
    left: Mapping[str, str] = memory.get("left", {})
    for stage, (at, how) in memory.get("entered", {}).items():
        start, end = time_of(at), time_of(left.get(stage))
        said: JsonObject = {"entered": _text(start, dates.as_date), "how": how}
        if end is not None and start is not None:
            said |= {"exited": _text(end, dates.as_date), "days": max(0, (end - start).days)}
        elif end is None:
            said |= {"exited": None, "days": None}
        values |= {field: said.get(what) for what, field in dates.fields(stage).items()}
    return values


def _text(at: datetime | None, as_date: bool) -> str | None:
    if at is None:
        return None
    return at.date().isoformat() if as_date else at.strftime("%Y-%m-%dT%H:%M:%S.000+0000")
