"""A report beside the same of the period before."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from itertools import takewhile

from connector.reports.table import Cell, Figure, Report, Table

COMPARED = frozenset(
    {
        "stages",
        "conversion",
        "conversion_own",
        "cohort",
        "matrix",
        "in_stage",
        "between",
        "owners",
        "sources",
        "cycles",
        "lateness",
    }
)  # fmt: skip - others are by week or day, a list, or of now
_TOLD_ALREADY = frozenset({"at the start", "change", "before", "reached before", "next step before"})
_COUNTS = frozenset({"people", "number"})


def with_before(report: Report, before: Report) -> Report:
    tables = [_beside(each, before.table(each.name)) if each.name in COMPARED else each for each in report.tables]
    return replace(report, tables=tables)


def _beside(here: Table, there: Table) -> Table:
    """Each number, and behind it what it was; a row that only one of them has is a row."""
    numbers = {**_numbers(here), **_numbers(there)}
    names = [*here.columns, *(each for each in there.columns if each not in here.columns)]
    ours, theirs = _by_key(here, numbers), _by_key(there, numbers)
    columns: list[str] = []
    for name in names:
        columns += [name, f"{name}, before"] if name in numbers and name not in _TOLD_ALREADY else [name]
    table = replace(here, columns=tuple(columns), rows=[])
    for key in dict.fromkeys([*ours, *theirs]):
        row, old = ours.get(key, {}), theirs.get(key, {})
        cells: list[Cell] = []
        for name in names:
            if name not in numbers:
                cells.append(row.get(name, old.get(name, "")))
                continue
            cells.append(row.get(name, numbers[name]))
            if name not in _TOLD_ALREADY:
                cells.append(old.get(name, numbers[name]))
        table.add(*cells)
    return table


def _numbers(table: Table) -> dict[str, Figure]:
    """Columns with numbers -> what is nothing there."""
    units = {
        name: cell.unit
        for row in table.rows
        for name, cell in zip(table.columns, row, strict=True)
        if isinstance(cell, Figure)
    }
    return {name: Figure(0 if unit in _COUNTS else None, unit) for name, unit in units.items()}


def _by_key(table: Table, numbers: Collection[str]) -> dict[tuple[Cell, ...], dict[str, Cell]]:
    front = len(list(takewhile(lambda name: name not in numbers, table.columns)))
    return {row[:front]: dict(zip(table.columns, row, strict=True)) for row in table.rows}
