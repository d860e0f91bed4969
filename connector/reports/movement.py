"""Who came to each stage and left it, week by week, and from where to where."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import datetime

from connector.base.facts import Stay
from connector.reports.paths import Asked, Path, name_of, stages_in
from connector.reports.table import Figure, Report, Table, people

NEW, GONE = "(new)", "(gone)"
_WAYS = {"rule": "by rule", "person": "by hand", "first sight": "first sight", "taken over": "taken over"}


def moves_of(path: Path) -> Iterator[tuple[datetime, str, str, Stay | None]]:
    """When, from, to, and the stay that begins."""
    before = NEW
    for stay in path.stays:
        yield stay.entered, before, name_of(stay.stage), stay
        before = name_of(stay.stage)
    if path.went is not None:
        yield path.went, before, GONE, None


def movement(paths: Sequence[Path], asked: Asked) -> Report:
    period, stages = asked.period, asked.stages
    shown = [name_of(each) for each in stages.shown(stages_in(paths))]
    came: dict[tuple[str, str, str], list[str]] = defaultdict(list)
    matrix: dict[tuple[str, str], list[str]] = defaultdict(list)
    weeks = period.weeks()
    labels = {week: f"{week.since:%Y-%m-%d}" for week in weeks}
    for path in paths:
        for at, old, new, stay in moves_of(path):
            if not weeks[0].since <= at < period.until:
                continue
            label = labels[weeks[min((at - weeks[0].since).days // 7, len(weeks) - 1)]]
            came[label, new, "entered"].append(path.person)
            came[label, old, "left"].append(path.person)
            if stay is not None:
                came[label, new, _WAYS.get(stay.by, stay.by)].append(path.person)
            if period.has(at):
                matrix[old, new].append(path.person)
    table = Table(
        "weeks",
        "By week",
        ("week", "stage", "entered", "left", "balance", *_WAYS.values()),
        note="weeks begin on Monday, UTC, and count whole, the first one too; who came to a stage twice in a week"
        " counts twice",
        picture="lines",
        drawn="entered",
    )
    for label in labels.values():
        for stage in shown:
            entered, left = came[label, stage, "entered"], came[label, stage, "left"]
            ways = [people(came[label, stage, way]) for way in _WAYS.values()]
            table.add(label, stage, people(entered), people(left), Figure(len(entered) - len(left), "number"), *ways)
    return Report("movement", "Movement", [table, _matrix(matrix, shown)])


def _matrix(found: dict[tuple[str, str], list[str]], shown: Sequence[str]) -> Table:
    columns = [each for each in (*shown, GONE) if any(new == each for _, new in found)]
    rows = [each for each in (NEW, *shown) if any(old == each for old, _ in found)]
    table = Table(
        "matrix",
        "From one stage to another",
        ("from", *(f"to {each}" for each in columns)),
        note=f"moves in the period; {NEW}: seen for the first time; {GONE}: deleted, or became another record",
    )
    for old in rows:
        table.add(old, *(people(found.get((old, new), [])) for new in columns))
    return table
