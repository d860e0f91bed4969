"""Templates, and pictures as inline SVG. Whatever comes from outside is escaped by Jinja, in pictures too."""

from __future__ import annotations

import base64
import hashlib
import re
from collections import defaultdict
from collections.abc import Sequence
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from connector.base.text import count, fit_lines
from connector.commands.report_text import said
from connector.reports.table import Cell, Figure, Table

_LINE = (160, 32)  # width and height of a line's picture
_MOMENT = re.compile(r"\d{4}-\d\d-\d\d( \d\d:\d\d(:\d\d)?)?")
_LONG = 16  # characters
_A_SENTENCE = 30


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
        "is_figure": lambda cell: isinstance(cell, Figure),
        "class_of": _class_of,
        "count": count,
        "rows_shown": _rows_shown,
        "is_wordy": _is_wordy,
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


def _is_wordy(table: Table) -> bool:
    """Has sentences in it."""
    return any(isinstance(cell, str) and len(cell) > _A_SENTENCE for row in table.rows for cell in row)


def _rows_shown(table: Table) -> Sequence[Sequence[Cell]]:
    """Of a table of weeks, those in which something was."""
    if table.picture != "lines":
        return table.rows
    return [row for row in table.rows if any(_value(cell) for cell in row)]


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
