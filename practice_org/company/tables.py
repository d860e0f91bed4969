"""CSV files as tables of text, and which type a custom column has. Knows nothing of an org."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from pathlib import Path

from practice_org.errors import PracticeError

# No leading zeros and at most 15 digits: a post code, a phone or an account number is text.
_NUMBER = re.compile(r"-?(0|[1-9]\d{0,14})(\.\d{1,15})?\Z")
_DATE = re.compile(r"\d{4}-\d\d-\d\d\Z")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d")


@dataclass(frozen=True, slots=True)
class Table:
    """One ``<Object>.csv``. ``lines`` are the line numbers on which the rows begin, ``external`` the columns that are
    external ids."""

    name: str
    path: Path
    columns: tuple[str, ...]
    rows: list[dict[str, str]]
    lines: list[int]
    external: tuple[str, ...] = ()

    def values(self, column: str) -> Iterable[str]:
        return (row[column] for row in self.rows if row[column])

    def wrong(self, place: int, what: str, hint: str) -> PracticeError:
        return PracticeError(f"{self.path}:{self.lines[place]}: {what}", hint)


def read_folder(folder: Path) -> list[Table]:
    """Every ``*.csv`` of a folder, by name. Raises PracticeError naming file and line."""
    if not folder.is_dir():
        raise PracticeError(f"there is no folder {folder}", "give a folder with one <Object>.csv per object")
    paths = sorted(path for path in folder.iterdir() if path.suffix.lower() == ".csv")
    if not paths:
        raise PracticeError(f"{folder} holds no CSV files", "name each file after its object, like Contact.csv")
    return [_headed(read_table(path)) for path in paths]


_EXTERNAL = re.compile(r"(\w+)\s*:\s*external_?id\Z", re.IGNORECASE)


def _headed(table: Table) -> Table:
    """With ``Key__c:externalId`` in the header, the rows without an Id are known by it."""
    named = {column: match[1] for column in table.columns if (match := _EXTERNAL.match(column))}
    if not named:
        return table
    columns = tuple(named.get(column, column) for column in table.columns)
    if repeated := {name for name in columns if columns.count(name) > 1}:
        raise PracticeError(f"{table.path}:1: column {', '.join(sorted(repeated))} comes twice", "rename or remove one")
    rows = [dict(zip(columns, row.values(), strict=True)) for row in table.rows]
    external = tuple(named.values())
    if not any(column.lower() == "id" for column in columns):
        columns = ("Id", *columns)
        rows = [{"Id": row[external[0]] or f"#{line}", **row} for row, line in zip(rows, table.lines, strict=True)]
    return replace(table, columns=columns, rows=rows, external=external)


def read_table(path: Path) -> Table:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            return _read(path, file)
    except UnicodeDecodeError as error:
        raise PracticeError(f"{path} is not UTF-8 (byte {error.start})", "save it as CSV UTF-8") from None
    except csv.Error as error:
        raise PracticeError(f"{path} is not CSV: {error}", "check for a quote that is never closed") from None
    except OSError as error:
        raise PracticeError(f"{path} cannot be read: {error.strerror}", "check its permissions") from None


def _read(path: Path, file: Iterable[str]) -> Table:
    reader = csv.reader(file, strict=True)
    header: Sequence[str] = next(reader, [])
    columns = tuple(name.strip() for name in header)
    if not columns or not all(columns):
        raise PracticeError(f"{path}:1: the header line is missing or has an empty name", "name every column")
    if repeated := {name for name in columns if columns.count(name) > 1}:
        raise PracticeError(f"{path}:1: column {', '.join(sorted(repeated))} comes twice", "rename or remove one")
    rows, lines, line = [], [], 2
    for cells in reader:
        if cells:
            if len(cells) != len(columns):
                raise PracticeError(
                    f"{path}:{line}: {len(cells)} values for {len(columns)} columns",
                    "quote values that hold a comma or a line break",
                )
            rows.append(dict(zip(columns, cells, strict=True)))
            lines.append(line)
        line = reader.line_num + 1
    return Table(path.stem, path, columns, rows, lines)


def infer(values: Iterable[str]) -> str:
    """The Salesforce type of a custom column from all its cells; empty cells say nothing, 0 and 1 are numbers."""
    told = [value for value in values if value]
    if not told:
        return "string"
    tests: tuple[tuple[str, Callable[[str], bool]], ...] = (
        ("boolean", lambda text: text.lower() in {"true", "false"}),
        ("double", lambda text: bool(_NUMBER.match(text))),
        ("date", lambda text: bool(_DATE.match(text)) and _parses(date.fromisoformat, text)),
        ("datetime", lambda text: bool(_TIME.match(text)) and _parses(datetime.fromisoformat, text)),
    )
    for kind, test in tests:
        if all(map(test, told)):
            return kind
    return "textarea" if max(map(len, told)) > 255 else "string"


def _parses(parse: Callable[[str], object], text: str) -> bool:
    try:
        parse(text)
    except ValueError:
        return False
    return True
