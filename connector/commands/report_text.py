"""Reports for people at a terminal, for machines (JSON), and for spreadsheets (CSV)."""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from connector.base.errors import ConfigurationError
from connector.base.json import JsonObject
from connector.base.private import open_private
from connector.base.text import harmless
from connector.commands.fitting import AT_THE_ENDS, BETWEEN_COLUMNS, parts_of, told_aside
from connector.commands.screen import grid, out, print_json, shown
from connector.reports.paths import Asked
from connector.reports.table import Cell, Figure, Report, Table, plain_value

_ROWS = 40  # of a table on the screen
_BARS, _SPARKS = "▏▎▍▌▋▊▉█", "▁▂▃▄▅▆▇█"
_WIDTH, _LEAST = 24, 8  # of a bar


def show_reports(reports: Sequence[Report], asked: Asked, *, as_json: bool) -> None:
    if as_json:
        print_json("report", as_document(reports, asked))
        return
    console = out()
    for report in reports:
        since, until = asked.period
        console.print(f"[bold]{report.title}[/bold], {since:%Y-%m-%d %H:%M} to {until:%Y-%m-%d %H:%M} UTC")
        for note in report.notes:
            console.print(f"[yellow]note:[/yellow] {shown(note)}", soft_wrap=True)
        if report.good is not None:
            console.print(f"[{'green' if report.good else 'red'}]{shown(report.said)}[/]", soft_wrap=True)
        if not any(table.rows for table in report.tables):
            for said_of in dict.fromkeys(table.empty for table in report.tables):
                console.print(shown(said_of), soft_wrap=not console.is_terminal)
        for table in report.tables:
            if table.rows:
                _show(console, table)


def as_document(reports: Sequence[Report], asked: Asked) -> JsonObject:
    return {
        "since": asked.period.since.isoformat(),
        "until": asked.period.until.isoformat(),
        "reports": {each.name: each.as_dict() for each in reports},
    }


def _show(console: Console, table: Table) -> None:
    columns, rows = table.heads(), [[said(cell) for cell in row] for row in table.rows]
    numbers = sorted(table.units())
    if table.picture == "lines":
        columns, rows, numbers = _as_lines(table)
    columns, rows, numbers, aside = told_aside(columns, rows, numbers, console.width)
    more = f" (the first {_ROWS} of {len(rows):,}; --csv and --json have all)" if len(rows) > _ROWS else ""
    shown_rows, pictured = rows[:_ROWS], table.picture == "bars"
    for part in parts_of(columns, shown_rows, numbers, console.width):
        names, cells = [columns[each] for each in part], [[row[each] for each in part] for row in shown_rows]
        if pictured:
            names, cells, pictured = *_with_bars(table, names, cells, console.width), False
        right = [place for place, each in enumerate(part) if each in numbers]
        console.print(grid(f"{table.title}{more}", names, cells, right=right))
    for each in aside:
        console.print(f"[dim]{shown(each)}[/dim]", soft_wrap=not console.is_terminal)
    if table.note:
        console.print(f"[dim]{shown(table.note)}[/dim]\n", soft_wrap=not console.is_terminal)


def _with_bars(table: Table, columns: list[str], rows: list[list[str]], room: int) -> tuple[list[str], list[list[str]]]:
    """With a bar for each row, where there is room for one beside the numbers."""
    widths = [max(map(len, each)) for each in zip(columns, *rows, strict=True)]
    width = min(_WIDTH, room - sum(widths) - BETWEEN_COLUMNS * len(widths) - AT_THE_ENDS)
    drawn = table.columns.index(table.drawn)
    measured = [cell.value or 0 if isinstance(cell := row[drawn], Figure) else 0 for row in table.rows]
    if width < _LEAST or not any(measured):
        return columns, rows
    bars = [bar(each, max(measured), width) for each in measured]
    return [*columns, ""], [[*row, each] for row, each in zip(rows, bars, strict=False)]


def said(cell: Cell) -> str:
    if isinstance(cell, str):
        return cell
    if cell.value is None:
        return "-"
    if cell.unit == "share":
        return f"{cell.value:.0%} ({len(cell.people):,})"  # eight of ten is another thing than 800 of 1,000
    if cell.unit in {"people", "number"}:
        return f"{cell.value:,.0f}"
    return f"{cell.value:,.1f}"


def bar(value: float, largest: float, width: int = _WIDTH) -> str:
    """Eighths of a character, so that little differences are seen."""
    eighths = round(value / largest * width * 8) if largest > 0 else 0
    return _BARS[-1] * (eighths // 8) + (_BARS[eighths % 8 - 1] if eighths % 8 else "")


def _as_lines(table: Table) -> tuple[list[str], list[list[str]], list[int]]:
    """One row for each line of the picture: what is drawn, week by week."""
    drawn = table.columns.index(table.drawn)
    found: dict[str, dict[str, float]] = defaultdict(dict)
    weeks = list(dict.fromkeys(str(row[0]) for row in table.rows))
    for row in table.rows:
        cell = row[drawn]
        found[str(row[1])][str(row[0])] = (cell.value or 0) if isinstance(cell, Figure) else 0
    rows = []
    for name, values in found.items():
        line = [values.get(week, 0) for week in weeks]
        told = (line[0], line[-1]) if table.is_level else (line[0], line[-1], sum(line))
        rows.append([name, spark(line), *(f"{each:,.0f}" for each in told)])
    named = ["first", "last"] if table.is_level else ["first", "last", "sum"]
    return [table.columns[1], f"{table.drawn}, {weeks[0]} to {weeks[-1]}", *named], rows, [2, 3, 4][: len(named)]


def spark(values: Sequence[float]) -> str:
    largest = max(values, default=0)
    if largest <= 0:
        return _SPARKS[0] * len(values)
    return "".join(_SPARKS[round(max(each, 0) / largest * (len(_SPARKS) - 1))] for each in values)


def write_csv(reports: Sequence[Report], file: Path) -> list[Path]:
    """The first table into this file, each further one beside it, with its name in the file's; an empty one
    has its heading. Returns all."""
    written = []
    tables = [(report, table) for report in reports for table in report.tables]
    for number, (report, table) in enumerate(tables):
        name = table.name if len(reports) == 1 else f"{report.name}.{table.name}"
        path = file if number == 0 else file.with_name(f"{file.stem}.{name}{file.suffix or '.csv'}")
        try:
            with open_private(path) as opened:
                writer = csv.writer(opened)
                writer.writerow([harmless(each) for each in table.columns])
                writer.writerows([harmless(plain_value(cell)) for cell in row] for row in table.rows)
        except OSError as error:
            raise ConfigurationError(f"{path} cannot be written: {error.strerror}", "name another file") from None
        written.append(path)
    return written
