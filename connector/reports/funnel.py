"""Where people are, now and then; who came how far in a period, and who went on from there."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from connector.reports.cohort import cohort
from connector.reports.paths import Asked, Path, Period, name_of, stages_in, stands
from connector.reports.table import Figure, Report, Table, people, share

ReachedWhen = Callable[[Path], dict[str, list[datetime]]]  # stage -> when it was reached, in time
WhoReached = Sequence[tuple[str, Mapping[str, Sequence[datetime]]]]  # the same of everybody, with who it is


def funnel(paths: Sequence[Path], asked: Asked) -> Report:
    stages, period = asked.stages, asked.period
    through, own = everybody_s(paths, passing_through(asked)), everybody_s(paths, _own)
    shown = stages.shown(stages_in(paths))
    then, now = _standing(paths, period.since), _standing(paths, period.until)
    reached_now, entered = reached_in(through, period), reached_in(own, period)
    before = reached_in(through, period.before)
    table = Table(
        "stages",
        "People by stage",
        ("stage", "at the end", "at the start", "change", "reached", "reached before", "entered"),
        note="reached: came to the stage, or past it, for the first time in the period; before: in the period of the"
        " same length before it; entered: stood at the stage itself, from the period on",
        picture="bars",
        drawn="at the end",
    )
    for stage in shown:
        end, start = now.get(stage, []), then.get(stage, [])
        reached = reached_now.get(stage, [])
        has_place = stage in stages.position
        table.add(
            name_of(stage),
            people(end),
            people(start),
            Figure(len(end) - len(start), "number"),
            people(reached) if has_place else "",
            people(before.get(stage, [])) if has_place else "",
            people(entered.get(stage, [])),
        )
    said = "; who skipped a stage counts as having passed through it"
    tables = [table, conversion(through, asked, "conversion", "Conversion, passed through", said)]
    said = "; who skipped a stage counts neither as having been there nor as having gone on to it"
    tables.append(conversion(own, asked, "conversion_own", "Conversion, stood there", said))
    tables.append(cohort(paths, asked))
    return Report("funnel", "Funnel", tables)


def _standing(paths: Sequence[Path], moment: datetime) -> dict[str, list[str]]:
    found: dict[str, list[str]] = defaultdict(list)
    for path in paths:
        for stay in path.stays:
            if stands(stay, moment):
                found[stay.stage].append(path.person)
    return found


def everybody_s(paths: Sequence[Path], read: ReachedWhen) -> WhoReached:
    return [(path.person, read(path)) for path in paths]


def _own(path: Path) -> dict[str, list[datetime]]:
    """Every time that somebody came to a stage."""
    found: dict[str, list[datetime]] = defaultdict(list)
    for stay in path.stays:
        found[stay.stage].append(stay.entered)
    return found


def passing_through(asked: Asked) -> ReachedWhen:
    """The first time that somebody was at a stage of the funnel or further on."""
    order, position = asked.stages.funnel, asked.stages.position

    def read(path: Path) -> dict[str, list[datetime]]:
        found: dict[str, list[datetime]] = {}
        furthest = -1
        for stay in path.stays:
            reached = position.get(stay.stage, -1)
            while furthest < reached:
                furthest += 1
                found[order[furthest]] = [stay.entered]
        return found

    return read


def reached_in(reached: WhoReached, period: Period) -> dict[str, list[str]]:
    """Stage -> who reached it in the period."""
    found: dict[str, list[str]] = defaultdict(list)
    for person, times in reached:
        for stage, moments in times.items():
            if _first(moments, period) is not None:
                found[stage].append(person)
    return found


def cohorts(reached: WhoReached, asked: Asked, period: Period) -> dict[tuple[str, str], list[str]]:
    """(S, T) -> of those who reached S in the period, who reached T then or later, by now; (S, S): all of them."""
    order, position = asked.stages.funnel, asked.stages.position
    found: dict[tuple[str, str], list[str]] = defaultdict(list)
    for person, times in reached:
        for stage, moments in times.items():
            start = _first(moments, period) if stage in position else None
            if start is None:
                continue
            found[stage, stage].append(person)
            later = Period(start, asked.now)
            for further in order[position[stage] + 1 :]:
                if further in times and _first(times[further], later) is not None:
                    found[stage, further].append(person)
    return found


def _first(moments: Sequence[datetime], period: Period) -> datetime | None:
    since, until = period
    for each in moments:
        if since <= each < until:
            return each
    return None


def conversion(reached: WhoReached, asked: Asked, name: str, title: str, said: str) -> Table:
    order = asked.stages.funnel
    found, earlier = cohorts(reached, asked, asked.period), cohorts(reached, asked, asked.period.before)
    table = Table(
        name,
        title,
        ("stage", "came in", "next step", "next step before", *(f"to {each}" for each in order[1:])),
        note="of those who came in during the period, the share that reached each further stage by now" + said,
    )
    for number, stage in enumerate(order):
        whole, further = found[stage, stage], order[number + 1 : number + 2]
        following = [share(found[stage, each], whole) for each in further]
        followed = [share(earlier[stage, each], earlier[stage, stage]) for each in further]
        nothing: list[Figure | str] = [""]
        table.add(
            stage,
            people(whole),
            *(following or nothing),
            *(followed or nothing),
            *(share(found[stage, each], whole) if each in order[number + 1 :] else "" for each in order[1:]),
        )
    return table
