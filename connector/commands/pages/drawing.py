"""Templates, and pictures as inline SVG. Whatever comes from outside is escaped by Jinja, in pictures too."""

from __future__ import annotations

import base64
import hashlib
import re
from collections import defaultdict
from collections.abc import Collection, Sequence
from functools import cache
from itertools import takewhile
from typing import Any, NamedTuple

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from connector.base.text import count, fit_lines
from connector.commands.fitting import told_aside
from connector.commands.report_text import said
from connector.reports.table import Cell, Figure, Table

_LINE = (160, 32)  # width and height of a line's picture
_MOMENT = re.compile(r"\d{4}-\d\d-\d\d( \d\d:\d\d(:\d\d)?)?")
_LONG = 16  # characters
_A_SENTENCE = 30
_ROOM = 120  # characters beside each other


@cache
def environment() -> Environment:
    made = Environment(
        loader=PackageLoader("connector.commands.pages"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters["said"] = said
    made.globals["picture"] = picture
    made.globals |= {
        "class_of": _class_of,
        "count": count,
        "laid_out": laid_out,
    }
    return made


def render(template: str, **values: Any) -> str:
    """No name in it turns the reading around, or hides what stands beside it."""
    return fit_lines(environment().get_template(template).render(**values))


@cache
def style() -> str:
    source = environment().loader
    assert source is not None  # noqa: S101 - given above
    return source.get_source(environment(), "style.css")[0]


@cache
def policy() -> str:
    """Nothing is fetched from anywhere, no script runs, and only our own style counts."""
    digest = base64.b64encode(hashlib.sha256(style().encode()).digest()).decode()
    return f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'self'"


def _class_of(text: str) -> str:
    """Moments stay on one line; addresses, ids and sentences need not."""
    return "d" if _MOMENT.fullmatch(text) else "w" if len(text) > _LONG else ""


class ShownCell(NamedTuple):
    """Of a table as it is shown: what stands there, under which heading; and of which row and column it is."""

    cell: Cell
    head: str
    row: Sequence[Cell]
    column: str

    @property
    def is_figure(self) -> bool:
        return isinstance(self.cell, Figure)


class Layout(NamedTuple):
    """``keys``: so many of the first columns say what a row is about. ``numbers``: the headings of numbers.
    ``is_wordy``: has sentences in it. ``aside``: what would be the same again and again. ``left_out``: rows in which
    nothing is."""

    heads: Sequence[str]
    keys: int
    numbers: Collection[str]
    rows: Sequence[Sequence[ShownCell]]
    is_wordy: bool
    aside: Sequence[str]
    left_out: int


def laid_out(table: Table) -> Layout:
    rows = table.rows
    if table.picture == "lines":
        if len(table.units()) == 1:
            return _across(table)
        rows = [row for row in rows if any(_value(cell) for cell in row)]
    numbers, heads = table.units(), table.heads()
    texts = [[said(cell) for cell in row] for row in rows]
    kept, _, _, aside = told_aside([*table.columns], texts, [*numbers], _ROOM)
    places = [index for index, name in enumerate(table.columns) if name in kept]
    is_wordy = any(isinstance(cell := row[each], str) and len(cell) > _A_SENTENCE for row in rows for each in places)
    return Layout(
        [heads[each] for each in places],
        len([*takewhile(lambda each: each not in numbers, places)]),
        {heads[each] for each in numbers},
        [[ShownCell(row[each], heads[each], row, table.columns[each]) for each in places] for row in rows],
        is_wordy,
        aside,
        len(table.rows) - len(rows),
    )


def _across(table: Table) -> Layout:
    """One number a week: the weeks side by side."""
    weeks = list(dict.fromkeys(str(row[0]) for row in table.rows))
    lines: dict[str, list[ShownCell]] = {}
    for row in table.rows:
        week, what, figure = row
        begun = lines.setdefault(str(what), [ShownCell(what, table.columns[1], row, table.columns[1])])
        begun.append(ShownCell(figure, str(week), row, table.columns[2]))
    return Layout([table.columns[1], *weeks], 1, {*weeks}, [*lines.values()], False, (), 0)


def picture(table: Table) -> Markup:
    """A picture of the table's drawn column; the table itself stands below, for whoever does not see it."""
    if not table.picture or not any(_value(row[table.columns.index(table.drawn)]) for row in table.rows):
        return Markup()
    return _bars(table) if table.picture == "bars" else _lines(table)


def _bars(table: Table) -> Markup:
    drawn = table.columns.index(table.drawn)
    names = [" ".join(cell for cell in row[:drawn] if isinstance(cell, str)) for row in table.rows]
    values = [_value(row[drawn]) for row in table.rows]
    largest = max(values, default=0) or 1
    rows = Markup().join(
        Markup(
            '<text x="0" y="{label}">{name}</text><rect x="0" y="{top}" width="{width}%" height="12" rx="2"/>'
            '<text x="{after}%" dx="6" y="{number}">{said}</text>'
        ).format(
            label=40 * index + 12,
            name=name[:60],
            top=40 * index + 18,
            width=f"{max(value, 0) / largest * 86:.2f}",
            after=f"{max(value, 0) / largest * 86:.2f}",
            number=40 * index + 28,
            said=said(row[drawn]),
        )
        for index, (name, value, row) in enumerate(zip(names, values, table.rows, strict=True))
    )
    return Markup('<svg class="bars" role="img" aria-label="{}" width="100%" height="{}">{}</svg>').format(
        f"{table.title}: {table.drawn}, as bars; the table below has the numbers", 40 * len(names), rows
    )


def _lines(table: Table) -> Markup:
    """A small picture for each line: a dozen of lines in one are no picture."""
    drawn = table.columns.index(table.drawn)
    weeks = list(dict.fromkeys(str(row[0]) for row in table.rows))
    found: dict[str, list[float]] = defaultdict(lambda: [0.0] * len(weeks))
    for row in table.rows:
        found[str(row[1])][weeks.index(str(row[0]))] = _value(row[drawn])
    parts = [
        Markup("<figure><figcaption>{} <b>{}</b></figcaption>{}</figure>").format(
            name, f"{values[-1]:,.0f}", _line(name, values)
        )
        for name, values in found.items()
        if any(values)
    ]
    said_of = f"{table.drawn} by week, {weeks[0]} to {weeks[-1]}; the last week in bold"
    return Markup('<div class="lines"><p class="note">{}</p>{}</div>').format(said_of, Markup().join(parts))


def _line(name: str, values: Sequence[float]) -> Markup:
    width, height = _LINE
    largest = max(values) or 1
    step = width / max(len(values) - 1, 1)
    points = " ".join(
        f"{index * step:.1f},{height - 2 - max(value, 0) / largest * (height - 4):.1f}"
        for index, value in enumerate(values)
    )
    label = f"{name}: from {values[0]:,.0f} to {values[-1]:,.0f}, at most {largest:,.0f}"
    return Markup(
        '<svg role="img" aria-label="{}" viewBox="0 0 {} {}" preserveAspectRatio="none"><polyline points="{}"/></svg>'
    ).format(label, width, height, points)


def _value(cell: object) -> float:
    return (cell.value or 0.0) if isinstance(cell, Figure) else 0.0


def safe_link(address: str, record: str) -> str:
    """Where Salesforce shows a record; nothing for an address that is none."""
    if not address.startswith(("https://", "http://")):
        return ""
    return str(escape(f"{address.rstrip('/')}/{record}")) if record.isalnum() else ""
