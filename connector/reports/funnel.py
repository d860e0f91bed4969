"""Where people are, now and then; who came how far in a period, and who went on from there."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from datetime import datetime

from connector.reports.cohort import cohort
from connector.reports.paths import Asked, Path, Period, name_of, stages_in, stands
from connector.reports.table import Figure, Report, Table, people, share

ReachedWhen = Callable[[Path], dict[str, list[datetime]]]  # stage -> when it was reached, in time


def funnel(paths: Sequence[Path], asked: Asked) -> Report:
    stages, period = asked.stages, asked.period
    through, own = passing_through(asked), _own
    shown = stages.shown(stages_in(paths))
    then, now = _standing(paths, period.since), _standing(paths, period.until)
    readings = {name: reached_in(paths, read, period) for name, read in (("through", through), ("own", own))}
    before = reached_in(paths, through, period.before)
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
        reached = readings["through"].get(stage, [])
        has_place = stage in stages.position
        table.add(
            name_of(stage),
            people(end),
            people(start),
            Figure(len(end) - len(start), "number"),
            people(reached) if has_place else "",
            people(before.get(stage, [])) if has_place else "",
            people(readings["own"].get(stage, [])),
        )
    said = "; who skipped a stage counts as having passed through it"
    tables = [table, conversion(paths, through, asked, "conversion", "Conversion, passed through", said)]
    said = "; who skipped a stage counts neither as having been there nor as having gone on to it"
    tables.append(conversion(paths, own, asked, "conversion_own", "Conversion, stood there", said))
    tables.append(cohort(paths, asked))
    return Report("funnel", "Funnel", tables)


def _standing(paths: Sequence[Path], moment: datetime) -> dict[str, list[str]]:
    found: dict[str, list[str]] = defaultdict(list)
    for path in paths:
        for stay in path.stays:
            if stands(stay, moment):
                found[stay.stage].append(path.person)
    return found


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
            for number in range(furthest + 1, position.get(stay.stage, -1) + 1):
                found[order[number]] = [stay.entered]
                furthest = number
        return found

    return read


def reached_in(paths: Sequence[Path], read: ReachedWhen, period: Period) -> dict[str, list[str]]:
    """Stage -> who reached it in the period."""
    found: dict[str, list[str]] = defaultdict(list)
    for path in paths:
        for stage, times in read(path).items():
            if any(period.has(each) for each in times):
                found[stage].append(path.person)
    return found


def cohorts(paths: Sequence[Path], read: ReachedWhen, asked: Asked, period: Period) -> dict[tuple[str, str], list[str]]:
    """(S, T) -> of those who reached S in the period, who reached T then or later, by now; (S, S): all of them."""
    order = asked.stages.funnel
    found: dict[tuple[str, str], list[str]] = defaultdict(list)
    for path in paths:
        times = read(path)
        for number, stage in enumerate(order):
            start = next((each for each in times.get(stage, ()) if period.has(each)), None)
            if start is None:
                continue
            found[stage, stage].append(path.person)
            for further in order[number + 1 :]:
                if any(start <= each < asked.now for each in times.get(further, ())):
                    found[stage, further].append(path.person)
    return found


def conversion(paths: Sequence[Path], read: ReachedWhen, asked: Asked, name: str, title: str, said: str) -> Table:
    order = asked.stages.funnel
    found, earlier = cohorts(paths, read, asked, asked.period), cohorts(paths, read, asked, asked.period.before)
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
