"""How long people stay at a stage and take from one to another; and who is at one for too long."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import pairwise

from connector.base.facts import Stay
from connector.base.json import JsonMap
from connector.reports.funnel import passing_through
from connector.reports.paths import A_DAY, Asked, Path, name_of, stages_in, where
from connector.reports.table import Figure, Report, Table, people, quantile

_HOW = ("observed", "inferred")
_FEW = 5  # a 90th percentile of fewer people says nothing
_LEAST = 1.0  # days: who has been there since this morning is not stuck, however fast others are


def days(span: timedelta) -> float:
    return span / A_DAY


def velocity(paths: Sequence[Path], asked: Asked) -> Report:
    at_stage = Table(
        "in_stage",
        "Days at a stage",
        ("stage", "how", "left", "median", "90th percentile", "longest"),
        note="of the stays that ended in the period; inferred: dated by evidence from before the connector looked",
        picture="bars",
        drawn="median",
        empty="Nobody left a stage in this period.",
    )
    spans = _spans(paths, asked)
    for stage in asked.stages.shown(stages_in(paths)):
        for how in _HOW:
            _add(at_stage, (name_of(stage), how), spans.get((stage, how), []))
    between = Table(
        "between",
        "Days from one stage to another",
        ("from", "to", "how", "came", "median", "90th percentile", "longest"),
        note="from the first time at a stage to the first time at the other, or past it, of those who stood at the one"
        " and came to the other in the period; observed: both were",
        empty="Nobody came from one stage to another in this period.",
    )
    ways = _ways(paths, asked)
    funnel = asked.stages.funnel
    pairs = [*pairwise(funnel), *([(funnel[0], funnel[-1])] if len(funnel) > 2 else [])]
    for old, new in pairs:
        for how in _HOW:
            _add(between, (old, new, how), ways.get((old, new, how), []))
    return Report("velocity", "Velocity", [at_stage, between])


Spans = list[tuple[float, str]]  # days, person


def _spans(paths: Iterable[Path], asked: Asked) -> dict[tuple[str, str], Spans]:
    found: dict[tuple[str, str], Spans] = defaultdict(list)
    for path in paths:
        for stay in path.stays:
            if stay.left is not None and asked.period.has(stay.left):
                found[stay.stage, stay.how].append((days(stay.left - stay.entered), path.person))
    return found


def _ways(paths: Iterable[Path], asked: Asked) -> dict[tuple[str, str, str], Spans]:
    read, funnel = passing_through(asked), asked.stages.funnel
    pairs = [*pairwise(funnel), *([(funnel[0], funnel[-1])] if len(funnel) > 2 else [])]
    found: dict[tuple[str, str, str], Spans] = defaultdict(list)
    for path in paths:
        first: dict[str, Stay] = {}
        for stay in path.stays:
            first.setdefault(stay.stage, stay)
        times, how_came = read(path), {stay.entered: stay.how for stay in reversed(path.stays)}
        for old, new in pairs:
            end = times[new][0] if new in times else None
            if old in first and end is not None and asked.period.has(end) and first[old].entered <= end:
                is_seen = first[old].how == how_came[end] == "observed"
                spent = days(end - first[old].entered)
                found[old, new, "observed" if is_seen else "inferred"].append((spent, path.person))
    return found


def _add(table: Table, names: tuple[str, ...], spans: Spans) -> None:
    if not spans:
        return
    spans = sorted(spans)
    measured, who = [each[0] for each in spans], [each[1] for each in spans]
    numbers = [Figure(quantile(measured, part), "days", who, measured) for part in (0.5, 0.9)]
    table.add(*names, people(who), *numbers, Figure(measured[-1], "days", who[-1:], measured[-1:]))


def stuck(paths: Sequence[Path], asked: Asked, rows: Mapping[str, JsonMap], limits: Mapping[str, timedelta]) -> Report:
    """Whoever stands longer at a stage than its limit, or than nine in ten of those who left it."""
    usual = _usual(paths)
    table = Table(
        "people",
        "Longer at a stage than usual",
        ("who", "name", "stage", "days", "limit", "because", "owner", "next step"),
        note=f"limit: what --limit says, else the 90th percentile of the days of those who left (of {_FEW} or more),"
        " a day at the least",
        empty="Nobody stands at a stage for longer than its limit, where there is one.",
    )
    counts = Table(
        "stages", "By stage", ("stage", "stand there", "too long", "limit"), picture="bars", drawn="too long"
    )
    late: list[tuple[float, Path, str, float, str]] = []
    for stage in (each for each in asked.stages.shown(stages_in(paths)) if each not in asked.stages.ends):
        limit = days(limits[stage]) if stage in limits else usual.get(stage)
        because = "the limit" if stage in limits else "longer than nine in ten who left"
        there = [(path, stay) for path in paths if (stay := path.at(asked.period.until)) and stay.stage == stage]
        over = [
            (spent, path, stage, limit, because)
            for path, stay in there
            if limit is not None and (spent := _spent(stay.entered, asked.period.until)) > limit
        ]
        late += over
        counts.add(
            name_of(stage),
            people([path.person for path, _ in there]),
            people([each[1].person for each in over]),
            Figure(limit, "days"),
        )
    for spent, path, stage, limit, because in sorted(late, key=lambda each: (-each[0], each[1].person)):
        row = rows.get(path.person, {})
        table.add(
            path.person,
            str(row.get("Name") or row.get("Email") or ""),
            name_of(stage),
            Figure(spent, "days", (path.person,)),
            Figure(limit, "days"),
            because,
            where(rows, path.person, "owner"),
            _next(asked, stage),
        )
    return Report("stuck", "Stuck", [counts, table])


def _spent(since: datetime, until: datetime) -> float:
    return days(until - since)


def _usual(paths: Iterable[Path]) -> dict[str, float]:
    """Of those who stood there: a stage that was passed in one moment says nothing of waiting."""
    spans: dict[str, list[float]] = defaultdict(list)
    for path in paths:
        for stay in path.stays:
            if stay.left is not None and stay.left > stay.entered and not (stay.became and stay is path.stays[-1]):
                spans[stay.stage].append(days(stay.left - stay.entered))
    found = {stage: quantile(sorted(measured), 0.9) for stage, measured in spans.items() if len(measured) >= _FEW}
    return {stage: max(limit, _LEAST) for stage, limit in found.items() if limit is not None}


def _next(asked: Asked, stage: str) -> str:
    """The next stage that rules lead to, and what it takes."""
    funnel, takes = asked.stages.funnel, asked.stages.takes or {}
    for further in funnel[asked.stages.position.get(stage, len(funnel)) + 1 :]:
        if further in takes:
            return f"{further}: {takes[further]}"
    return ""
