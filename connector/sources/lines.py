"""Reading CSV and JSONL record by record, with the byte where each ends, so that reading can go on from there.

A file in UTF-16, as spreadsheets save "Unicode text", is read as the UTF-8 that it would be.
"""

from __future__ import annotations

import csv
import re
from codecs import BOM_UTF16_BE, BOM_UTF16_LE, getincrementaldecoder
from collections import deque
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import BinaryIO

from connector.base.json import JsonMap, strict_loads
from connector.sources.columns import Columns
from connector.sources.events import KNOWN

BOM = b"\xef\xbb\xbf"
SEPARATORS = ",;\t"
NO_TEXT = "neither UTF-8 nor Windows-1252"
_SEPARATOR = re.compile(rb'"?sep=(.|\t)"?')
_COMMA = re.compile(r"-?(?:\d{1,3}(?:\.\d{3})+|\d+),\d+")


@dataclass(frozen=True, slots=True)
class Record:
    """``values``: the record, the reason why these bytes are none, or None for empty lines at the file's end.
    ``line`` counts from 1; ``line_after`` is the number of lines up to and with this record. ``torn``: the file ends
    here without a line end, or within a quoted cell."""

    values: JsonMap | str | None
    raw: bytes
    line: int
    line_after: int
    end: int
    torn: bool


def records_of_lines(
    path: Path, offset: int, lines: int, size: int, columns: Columns, type_: str | None
) -> Generator[Record, None, None]:
    """Records from byte ``offset`` (which is behind ``lines`` lines) to byte ``size``. Empty lines belong to the record
    behind them. ``type_``: what the file's name says its records are."""
    with path.open("rb") as file:
        top = file.readline() if path.suffix.lower() == ".csv" else b""
        if top:
            said = _SEPARATOR.fullmatch(top.removeprefix(BOM).strip(b"\r\n"))
            header = file.readline() if said else top
            before = [top] if said else []
            found = _header(header, columns, type_, said[1].decode("latin-1") if said else None)
            yield from _csv_records(file, [*before, header], found, offset, lines, size)
        else:
            file.seek(offset)
            yield from _json_records(_Lines(file, offset, lines, size))


@contextmanager
def as_utf8(path: Path) -> Iterator[Path]:
    """The file, or while this lasts a copy in UTF-8 of one whose first bytes say that it is UTF-16."""
    with path.open("rb") as file:
        if file.read(2) not in (BOM_UTF16_LE, BOM_UTF16_BE):
            yield path
            return
        file.seek(0)
        with TemporaryDirectory(prefix="connector-") as folder:
            copy, decoder = Path(folder) / path.name, getincrementaldecoder("utf-16")("replace")
            with copy.open("wb") as into:
                while chunk := file.read(1 << 20):
                    into.write(decoder.decode(chunk).encode("utf-8", "replace"))
            yield copy


class _Lines:
    """Physical lines, which can be put back, with the place behind the last one taken."""

    def __init__(self, file: BinaryIO, offset: int, lines: int, size: int) -> None:
        self._file, self._size, self._back = file, size, deque[bytes]()
        self.offset, self.count = offset, lines

    def take(self) -> bytes:
        """b"" at the end."""
        room = self._size - self.offset
        line = self._back.popleft() if self._back else self._file.readline(max(room, 0))
        self.offset += len(line)
        self.count += bool(line)
        return line

    def put_back(self, lines: list[bytes]) -> None:
        self._back.extendleft(reversed(lines))
        self.offset -= sum(map(len, lines))
        self.count -= len(lines)


def _record(values: JsonMap | str | None, raw: list[bytes], lines: _Lines, first: int, torn: bool = False) -> Record:
    torn = torn or not raw[-1].endswith(b"\n")
    return Record(values, b"".join(raw), first, lines.count, lines.offset, torn)


def _json_records(lines: _Lines) -> Iterator[Record]:
    raw: list[bytes] = []
    while line := lines.take():
        raw.append(line)
        if line.strip().removeprefix(BOM):
            yield _record(_parse_json(line.removeprefix(BOM)), raw, lines, lines.count)
            raw = []
    if raw:
        yield _record(None, raw, lines, lines.count)


def _parse_json(line: bytes) -> JsonMap | str:
    try:
        values = strict_loads(line)
    except UnicodeDecodeError:
        return "not UTF-8"
    except ValueError as error:
        return f"not JSON: {error}"
    return values if isinstance(values, dict) else "not a JSON object"


def _csv_records(
    file: BinaryIO, head: list[bytes], read: tuple[list[str] | str, str], offset: int, count: int, size: int
) -> Iterator[Record]:
    """``head``: the header, and before it the line that names the separator, where there is one."""
    if not head[-1].endswith(b"\n"):
        return  # no record yet
    names, separator = read
    if isinstance(names, str):  # the whole file is one bad record
        file.seek(offset)
        if rest := file.read(size - offset):
            yield Record(names, rest, count + 1, count + rest.count(b"\n"), size, False)
        return
    raw = [] if offset else [*head]
    lines = _Lines(file, max(offset, sum(map(len, head))), max(count, len(head)), size)
    file.seek(lines.offset)
    while line := lines.take():
        raw.append(line)
        if not line.strip():
            continue
        first, body = lines.count, [line]
        values, torn = _parse_csv(body, names, separator, lines)
        if isinstance(values, str) and len(body) > 1:  # a quote that is never closed must not swallow what follows
            lines.put_back(body[1:])
            body = body[:1]
        yield _record(values, raw + body[1:], lines, first, torn)
        raw = []
    if raw:
        yield _record(None, raw, lines, lines.count)


def _header(raw: bytes, columns: Columns, type_: str | None, said: str | None) -> tuple[list[str] | str, str]:
    """The column names in our words, or why there are none; and the separator: what the file says it is, or of which
    the header has most."""
    try:
        text = _decoded(raw.removeprefix(BOM))
    except UnicodeDecodeError:
        return NO_TEXT, ","
    separator = said or max(SEPARATORS, key=text.count)
    try:
        names = [columns.name(cell) for cell in next(csv.reader([text], delimiter=separator), [])]
    except csv.Error as error:
        return f"not CSV: {error}", ","
    return columns.problem(names, type_) or names, separator


def _decoded(line: bytes) -> str:
    """Spreadsheets write what Windows calls ANSI, in the west Windows-1252, where nobody asks them for UTF-8."""
    try:
        return line.decode("utf-8")
    except UnicodeDecodeError:
        return line.decode("cp1252")


def _with_points(values: dict[str, str]) -> dict[str, str]:
    """Numbers of attributes as they are written elsewhere: where cells are not divided by commas, commas divide
    numbers."""
    return {
        name: cell.replace(".", "").replace(",", ".") if name not in KNOWN and _COMMA.fullmatch(cell) else cell
        for name, cell in values.items()
    }


def _parse_csv(body: list[bytes], names: list[str], separator: str, lines: _Lines) -> tuple[JsonMap | str, bool]:
    """Parses the record that begins with ``body``'s only line, and adds the lines it goes on over. Also says whether
    the file ended before the record did."""
    ended = False

    def text() -> Iterator[str]:
        nonlocal ended
        yield _decoded(body[0])
        while line := lines.take():
            body.append(line)
            yield _decoded(line)
        ended = True

    try:
        cells = next(csv.reader(text(), delimiter=separator, strict=True))
    except UnicodeDecodeError:
        return NO_TEXT, False
    except csv.Error as error:
        return f"not CSV: {error}", ended
    if len(cells) != len(names):
        return f"{len(cells)} columns where the header has {len(names)}", False
    values = dict(zip(names, cells, strict=True))
    return values if separator == "," else _with_points(values), False
