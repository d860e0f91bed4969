"""Of those who came to a stage in the period: how many went on to each further one, and how long that took them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import timedelta
from typing import NamedTuple

from connector.reports.paths import A_DAY, Asked, Path
from connector.reports.table import Figure, Table, people, quantile, share


class Went(NamedTuple):
    """``is_seen``: both ends were observed."""

    span: timedelta
    person: str
    is_seen: bool


def cohort(paths: Iterable[Path], asked: Asked) -> Table:
    came, went = _followed(paths, asked)
    table = Table(
        "cohort",
        "Who went on, and how long it took",
        ("from", "to", "came in", "went on", "median", "90th percentile", "longest", "inferred"),
        note="of those who came to the first stage in the period: who came to the second, or past it, afterwards, and"
        " the days until then; inferred: how many of them are dated by evidence from before the connector looked",
        empty="Nobody came to a stage of the funnel in this period.",
    )
    order = asked.stages.funnel
    for number, old in enumerate(order):
        for new in order[number + 1 :]:
            if old not in came:
                continue
            theirs = sorted(went.get((old, new), ()))
            days, who = [each.span / A_DAY for each in theirs], [each.person for each in theirs]
            table.add(
                old,
                new,
                people(came[old]),
                share(who, came[old]),
                *(Figure(quantile(days, part), "days", who, days) for part in (0.5, 0.9)),
                Figure(quantile(days, 1.0), "days", who[-1:], days[-1:]),
                people([each.person for each in theirs if not each.is_seen]),
            )
    return table


def _followed(paths: Iterable[Path], asked: Asked) -> tuple[dict[str, list[str]], dict[tuple[str, str], list[Went]]]:
    """Who came to each stage in the period; and, from each to each further one, who went on."""
    order, position = asked.stages.funnel, asked.stages.position
    came: dict[str, list[str]] = defaultdict(list)
    went: dict[tuple[str, str], list[Went]] = defaultdict(list)
    for path in paths:
        known: set[str] = set()
        for number, first in enumerate(path.stays):
            if first.stage not in position or first.stage in known or not asked.period.has(first.entered):
                continue
            known.add(first.stage)
            came[first.stage].append(path.person)
            furthest = position[first.stage]
            for stay in path.stays[number + 1 :]:
                reached = position.get(stay.stage, -1)
                if reached <= furthest or stay.entered >= asked.now:
                    continue
                seen = first.how == stay.how == "observed"
                for step in order[furthest + 1 : reached + 1]:
                    went[first.stage, step].append(Went(stay.entered - first.entered, path.person, seen))
                furthest = reached
    return came, went
