"""What a report is made of: tables whose numbers know the people behind them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from connector.base.json import JsonObject

Unit = Literal["people", "share", "days", "hours", "seconds", "number"]
Picture = Literal["bars", "lines", ""]
_SPANS = frozenset({"days", "hours", "seconds"})


@dataclass(frozen=True, slots=True)
class Figure:
    """``people``: who it is, where it counts people; ``each``: what was measured of each of them. None: there is
    nothing to divide by, or nobody to measure."""

    value: float | None
    unit: Unit = "people"
    people: Sequence[str] = ()
    each: Sequence[float] = ()


Cell = Figure | str


@dataclass
class Table:
    """``note`` says what the numbers mean; ``empty``: why there are none. ``picture``: how the column ``drawn`` is
    shown, by the first column (bars), or as one line for each value of the second column (lines). ``is_level``: what is
    drawn is how many there are, and has no sum over time."""

    name: str
    title: str
    columns: tuple[str, ...]
    rows: list[tuple[Cell, ...]] = field(default_factory=list)
    note: str = ""
    picture: Picture = ""
    drawn: str = ""
    is_level: bool = False
    empty: str = "None."

    def add(self, *cells: Cell) -> None:
        self.rows.append(cells)

    def units(self) -> dict[int, Unit]:
        """Of the columns that have numbers."""
        found: dict[int, Unit] = {}
        for row in self.rows:
            for index, cell in enumerate(row):
                if isinstance(cell, Figure):
                    found.setdefault(index, cell.unit)
        return found

    def heads(self) -> list[str]:
        """The columns' names, as people read them: with the unit of a span where neither they nor the title say it."""
        said, units = [f"{self.title} {name}".casefold() for name in self.columns], self.units()
        return [
            f"{name} ({units[index]})" if units.get(index) in _SPANS and units[index] not in said[index] else name
            for index, name in enumerate(self.columns)
        ]

    def as_rows(self) -> list[JsonObject]:
        return [dict(zip(self.columns, map(plain_value, row), strict=True)) for row in self.rows]


@dataclass
class Report:
    """``good``: None where there is nothing to be green or red about; ``said``: why, in one line. ``notes``: what was
    asked for and the figures do not show."""

    name: str
    title: str
    tables: list[Table]
    good: bool | None = None
    said: str = ""
    notes: Sequence[str] = ()

    def table(self, name: str) -> Table:
        return next(each for each in self.tables if each.name == name)

    def as_dict(self) -> JsonObject:
        told: JsonObject = {"report": self.name, "tables": {each.name: each.as_rows() for each in self.tables}}
        told |= {"notes": [*self.notes]} if self.notes else {}
        return told if self.good is None else {**told, "good": self.good, "said": self.said}


def plain_value(cell: Cell) -> str | float | None:
    if isinstance(cell, str):
        return cell
    if cell.value is None or cell.unit in {"people", "number"}:
        return cell.value
    return round(cell.value, 4)


def people(ids: Sequence[str]) -> Figure:
    return Figure(len(ids), "people", ids)


def share(part: Sequence[str], whole: Sequence[str]) -> Figure:
    """Of these people, how many are those."""
    return Figure(len(part) / len(whole) if whole else None, "share", part)


def quantile(values: Sequence[float], part: float) -> float | None:
    """Of sorted values; between two neighbours in proportion, as spreadsheets do (PERCENTILE.INC)."""
    if not values:
        return None
    place = (len(values) - 1) * part
    low = int(place)
    high = min(low + 1, len(values) - 1)
    return values[low] + (values[high] - values[low]) * (place - low)


def side_by_side(report: Report, by: str, parts: Sequence[tuple[str, Report]]) -> Report:
    """The same report of several groups: each row with its group in front."""
    tables = []
    for each in report.tables:
        own = [(group, table) for group, part in parts for table in part.tables if table.name == each.name]
        columns = tuple(dict.fromkeys([*each.columns, *(name for _, table in own for name in table.columns)]))
        made = Table(each.name, each.title, (by, *columns), note=each.note, empty=each.empty)
        for group, table in own:
            for row in table.rows:
                named = dict(zip(table.columns, row, strict=True))
                made.add(group, *(named.get(name, Figure(0)) for name in columns))
        tables.append(made)
    return Report(report.name, report.title, tables, report.good, report.said)
