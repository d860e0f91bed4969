"""Scores, what people do, and where those came from who got somewhere."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import NamedTuple

from connector.reports.funnel import everybody_s, passing_through, reached_in
from connector.reports.paths import Asked, Path
from connector.reports.table import Figure, Report, Table, people

_POINTS = 10  # points
Inbound = Sequence[tuple[str, str, str, int, Sequence[str]]]  # day, source, kind, count, whose they are


class Origin(NamedTuple):
    """Where a person came from: the lead source, and the first and last thing they did until a moment."""

    lead_source: str
    touches: Sequence[tuple[datetime, str]]

    def at(self, moment: datetime) -> dict[str, str]:
        before = [what for at, what in self.touches if at <= moment]
        return {
            "lead source": self.lead_source or "(none)",
            "first touch": before[0] if before else "(none)",
            "last touch": before[-1] if before else "(none)",
        }


def engagement_report(
    paths: Sequence[Path],
    asked: Asked,
    scores: Mapping[str, str],
    inbound: Inbound,
    origins: Mapping[str, Origin],
) -> Report:
    return Report("engagement", "Engagement", [_scores(scores), _activity(asked, inbound), wins(paths, asked, origins)])


def _scores(scores: Mapping[str, str]) -> Table:
    bands: dict[int | None, list[str]] = defaultdict(list)
    for person, text in scores.items():
        try:
            bands[int(float(text) // _POINTS)].append(person)
        except (ValueError, OverflowError):
            bands[None].append(person)
    nobody = "Nobody has a score; the mapping gives points under score:."
    table = Table("scores", "People by score", ("score", "people"), picture="bars", drawn="people", empty=nobody)
    for band in sorted(each for each in bands if each is not None):
        table.add(f"{band * _POINTS} to {band * _POINTS + _POINTS - 1}", people(bands[band]))
    if bands[None]:
        table.add("(none)", people(bands[None]))
    return table


def _activity(asked: Asked, inbound: Inbound) -> Table:
    weeks = asked.period.weeks()
    counted: Counter[tuple[str, str]] = Counter()
    whose: dict[tuple[str, str], dict[str, None]] = defaultdict(dict)
    for day, source, kind, count, theirs in inbound:
        number = (date.fromisoformat(day) - weeks[0].since.date()).days // 7
        key = f"{weeks[min(max(number, 0), len(weeks) - 1)].since:%Y-%m-%d}", f"{source} {kind}"
        counted[key] += count
        whose[key] |= dict.fromkeys(theirs)
    table = Table(
        "activity",
        "What people did",
        ("week", "source and kind", "activities"),
        note="inbound activities of the period that count for somebody, by the week in which they happened",
        picture="lines",
        drawn="activities",
        empty="Nobody did anything in this period, of what is read.",
    )
    for week in weeks:
        label = f"{week.since:%Y-%m-%d}"
        for what in sorted({each for _, each in counted}):
            table.add(label, what, Figure(counted[label, what], "number", [*whose[label, what]]))
    return table


def wins(paths: Sequence[Path], asked: Asked, origins: Mapping[str, Origin]) -> Table:
    """Who reached each stage in the period, by where they came from."""
    read, funnel = passing_through(asked), asked.stages.funnel
    found: dict[tuple[str, str, str], list[str]] = defaultdict(list)
    for path in paths:
        for stage, times in read(path).items():
            at = next((each for each in times if asked.period.has(each)), None)
            if at is not None and path.person in origins:
                for how, what in origins[path.person].at(at).items():
                    found[how, what, stage].append(path.person)
    table = Table(
        "sources",
        "Sources of wins",
        ("by", "what", *funnel),
        note="people who reached each stage in the period, or went past it; touches: the first and the last thing that"
        " the person did until then",
        empty="Nobody reached a stage of the funnel in this period.",
    )
    keys = dict.fromkeys((how, what) for how, what, _ in found)
    order = ("lead source", "first touch", "last touch")
    for how, what in sorted(keys, key=lambda each: (order.index(each[0]), -_total(found, *each), each[1])):
        table.add(how, what, *(people(found.get((how, what, stage), [])) for stage in funnel))
    return table


def _total(found: Mapping[tuple[str, str, str], Sequence[str]], how: str, what: str) -> int:
    return sum(len(who) for key, who in found.items() if key[:2] == (how, what))


def reached_anywhere(paths: Sequence[Path], asked: Asked) -> list[str]:
    """Whose origins are needed."""
    found = reached_in(everybody_s(paths, passing_through(asked)), asked.period)
    return sorted({person for who in found.values() for person in who})
