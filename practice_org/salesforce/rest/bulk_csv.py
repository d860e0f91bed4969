"""CSV as Bulk API 2.0 writes it: every cell quoted, times with a Z, relationship fields under dotted names."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from practice_org.salesforce.org import PracticeOrg
from practice_org.salesforce.soql import run as soql_run
from practice_org.salesforce.soql.select import Node, Slot

DELIMITERS = {"COMMA": ",", "TAB": "\t", "SEMICOLON": ";", "PIPE": "|", "CARET": "^", "BACKQUOTE": "`"}
ENDINGS = {"LF": "\n", "CRLF": "\r\n"}


def flat(node: Node, prefix: str = "") -> Iterator[tuple[str, Slot]]:
    """The columns of a query's records, in the order asked for."""
    for key, what in node.keys:
        if isinstance(what, Slot):
            yield prefix + key, what
        elif isinstance(what, Node):
            yield from flat(what, f"{prefix}{key}.")


def write(rows: Iterable[Sequence[Any]], settings: Mapping[str, Any]) -> str:
    out = io.StringIO()
    writer = csv.writer(
        out,
        delimiter=DELIMITERS[settings["columnDelimiter"]],
        lineterminator=ENDINGS[settings["lineEnding"]],
        quoting=csv.QUOTE_ALL,
    )
    writer.writerows(rows)
    return out.getvalue()


def page(
    org: PracticeOrg, result: soql_run.Result, start: int, most: int, settings: Mapping[str, Any]
) -> tuple[str, int]:
    """The header and up to ``most`` records from ``start`` on, and how many there are."""
    columns = list(flat(result.plan.root))
    cells = [(slot.at, slot.spec.type) for _, slot in columns]
    rows = soql_run.raw(org, result, start, most)
    shown = ([cell(row[at], kind) for at, kind in cells] for row in rows)
    return write([[name for name, _ in columns], *shown], settings), len(rows)


def cell(value: Any, kind: str = "") -> str:
    """A value as text; ``kind`` is a field's type."""
    if value is None:
        return ""
    if kind == "boolean" or isinstance(value, bool):
        return "true" if value else "false"
    if kind == "datetime":
        return str(value).replace("+0000", "Z")
    return str(value)
