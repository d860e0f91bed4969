"""The ledger: for every stage and week, who was there, came, left and is there; and whether all books say the same."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from itertools import groupby, pairwise
from typing import NamedTuple

from connector.base.facts import Stay
from connector.base.json import JsonMap
from connector.reports.paths import Asked, Path, name_of, stages_in
from connector.reports.table import Cell, Figure, Report, Table, people

Accepts = Callable[[str, str], bool]  # (stage, Salesforce's value): whether it may be written so


class Wrong(NamedTuple):
    """Somebody for whom two books say different things."""

    check: str
    person: str
    said: str


CHECKS = {
    "one stage each": "everybody stands at exactly one stage, without a gap and without an overlap",
    "what stands": "the stage is what the record in Salesforce says, as last read or written",
    "what is remembered": "the stays are those that follow from what is remembered of each decision",
    "what was written": "every stage that Salesforce took is the one that the person stood at from then on",
    "Salesforce": "Salesforce counts as many records for each value",
}


def ledger(paths: Sequence[Path], asked: Asked, wrong: Sequence[Wrong], checked: Collection[str]) -> Report:
    """``checked``: the checks that were made."""
    weeks = _weeks(paths, asked)
    checks = Table("checks", "Checks", ("check", "wrong", "what is right"))
    for name in (each for each in CHECKS if each in checked):
        checks.add(name, people([each.person for each in wrong if each.check == name]), CHECKS[name])
    names = Table("wrong", "What is wrong", ("who", "check", "what it says"))
    for each in wrong:
        names.add(each.person, each.check, each.said)
    open_sums = [row for row in weeks.rows if _sum(row) != 0]
    good = not wrong and not open_sums
    said = "every week closes, and all books agree" if good else _said(wrong, open_sums)
    return Report("ledger", "Ledger", [checks, names, weeks], good, said)


def _said(wrong: Sequence[Wrong], open_sums: Sequence[object]) -> str:
    told = f"{len({each.person for each in wrong}):,} people or values are wrong in a book" if wrong else ""
    sums = f"{len(open_sums):,} sums do not close" if open_sums else ""
    return "; ".join(each for each in (told, sums) if each)


def _sum(row: tuple[Cell, ...]) -> float:
    opening, entered, left, closing = (each.value or 0 for each in row[2:6] if isinstance(each, Figure))
    return opening + entered - left - closing


def _weeks(paths: Sequence[Path], asked: Asked) -> Table:
    """Each number is counted by itself from the stays, so that the sum is a check."""
    weeks = asked.period.weeks()
    starts = [week.since for week in weeks]
    edges = [*starts, asked.period.until]
    standing: dict[tuple[str, int], list[str]] = defaultdict(list)
    entered: dict[tuple[str, int], list[str]] = defaultdict(list)
    left: dict[tuple[str, int], list[str]] = defaultdict(list)
    for path in paths:
        for stay in path.stays:
            last = len(edges) if stay.left is None else bisect_right(edges, stay.left)
            for edge in range(bisect_right(edges, stay.entered), last):
                standing[stay.stage, edge].append(path.person)
            for times, at in ((entered, stay.entered), (left, stay.left)):
                if at is not None and starts[0] <= at < edges[-1]:
                    times[stay.stage, bisect_right(starts, at) - 1].append(path.person)
    table = Table(
        "weeks",
        "By week",
        ("week", "stage", "opening", "entered", "left", "closing"),
        note="weeks begin on Monday, UTC; opening + entered - left = closing",
        picture="lines",
        drawn="closing",
        is_level=True,
    )
    anybody = {stage for stage, _ in (*standing, *entered, *left)}
    stages = [each for each in asked.stages.shown(stages_in(paths)) if each in anybody]
    for number, week in enumerate(weeks):
        for stage in stages:
            begins, ends = standing[stage, number], standing[stage, number + 1]
            counted = (begins, entered[stage, number], left[stage, number], ends)
            table.add(f"{week.since:%Y-%m-%d}", name_of(stage), *map(people, counted))
    return table


def one_stage_each(stays: Sequence[Stay], paths: Sequence[Path], exist: Collection[str]) -> list[Wrong]:
    check = "one stage each"
    standing = Counter(each.person for each in stays if each.left is None)
    wrong = [Wrong(check, each, "is there, and stands at no stage") for each in exist if standing[each] == 0]
    wrong += [Wrong(check, each, f"stands at {count} stages at once") for each, count in standing.items() if count > 1]
    wrong += [Wrong(check, each, "stands at a stage, and is not there") for each in standing if each not in exist]
    for path in paths:
        for before, after in pairwise(path.stays):
            if before.left != after.entered:
                came = f"came to {name_of(after.stage)} {_on(after.entered)}"
                wrong.append(Wrong(check, path.person, f"left {name_of(before.stage)} {_on(before.left)} and {came}"))
    return sorted(wrong)


def _on(at: datetime | None) -> str:
    return "never" if at is None else f"on {at:%Y-%m-%d %H:%M:%S}"


def what_stands(
    stays: Sequence[Stay], values: Mapping[str, str], tracks: Mapping[str, JsonMap], accepts: Accepts
) -> list[Wrong]:
    """``values``: person -> the value of the record's field; who is not in it is not looked at."""
    check, wrong = "what stands", []
    for each in (stay for stay in stays if stay.left is None and stay.person in values):
        value, track = values[each.person], tracks.get(each.person, {})
        if not accepts(each.stage, value):
            said = f"stands at {name_of(each.stage)}, and the record says {name_of(value)}"
            wrong.append(Wrong(check, each.person, said))
        elif track and (track["stands"] or "") != value:
            said = f"the last decision left {name_of(track['stands'] or '')}, and the record says {name_of(value)}"
            wrong.append(Wrong(check, each.person, said))
    return sorted(wrong)


def what_is_remembered(kept: Mapping[str, Sequence[str]], remembered: Mapping[str, Sequence[str]]) -> list[Wrong]:
    check, wrong = "what is remembered", []
    for person in sorted({*kept, *remembered}):
        here, there = (_in_turn(each.get(person, ())) for each in (kept, remembered))
        if here != there:
            said = f"stood at {_row(here)}, and {_row(there)} is remembered"
            wrong.append(Wrong(check, person, said))
    return wrong


def _in_turn(stages: Sequence[str]) -> list[str]:
    return [stage for stage, _ in groupby(stages)]


def _row(stages: Sequence[str]) -> str:
    return " > ".join(map(name_of, stages)) or "nothing"


def what_was_written(
    stays: Sequence[Stay], logged: Sequence[tuple[str, str, str, str]], accepts: Accepts, known: Collection[str]
) -> list[Wrong]:
    """``known``: the values that the mapping has today; others were written by another one."""
    check = "what was written"
    by_person: dict[str, list[Stay]] = defaultdict(list)
    for each in stays:
        by_person[each.person].append(each)
    wrong = []
    for person, at, _, new in logged:
        moment = datetime.fromisoformat(at)
        there = [each for each in by_person.get(person, ()) if each.seen is not None and each.seen <= moment]
        if there and new in known and not accepts(there[-1].stage, new):
            said = f"{new} was written on {moment:%Y-%m-%d %H:%M:%S}, and they stood at {name_of(there[-1].stage)}"
            wrong.append(Wrong(check, person, said))
    return sorted(wrong)


def what_salesforce_counts(
    object_name: str, here: Mapping[str, Sequence[str]], there: Mapping[str, int]
) -> tuple[list[Wrong], list[str]]:
    """Values that are counted differently, and which."""
    wrong, values = [], []
    for value in sorted({*here, *there}):
        ours, theirs = len(here.get(value, ())), there.get(value, 0)
        if ours != theirs:
            said = f"{object_name} {name_of(value)}: {ours:,} here, {theirs:,} in Salesforce"
            wrong.append(Wrong("Salesforce", f"{object_name} {name_of(value)}", said))
            values.append(value)
    return wrong, values
