"""Views of the state, row by row into files: nothing is held in memory."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from connector.base.errors import ConfigurationError
from connector.base.private import private_folder
from connector.base.settings import Settings
from connector.base.text import harmless
from connector.store.views import VIEW_NUMBERS
from connector.wiring import open_state

_Rows = Iterator[tuple[Any, ...]]


def run_export(settings: Settings, names: Sequence[str], kind: str, folder: Path) -> Iterator[tuple[Path, int]]:
    """Writes one file a view, whole or not at all; yields its path and how many rows it has. Raises ConfigurationError
    where it cannot be written."""
    with open_state(settings) as store:
        for name in names:
            path = folder / f"{name}.{kind}"
            try:
                private_folder(folder)
                with TemporaryDirectory(dir=folder) as private:  # nobody else looks into it: it holds personal data
                    scratch = Path(private) / path.name
                    count = _WRITERS[kind](scratch, store.view_rows(name))
                    scratch.chmod(0o600)
                    scratch.replace(path)
            except OSError as error:
                raise ConfigurationError(f"{path} cannot be written: {error.strerror}", "name another --out") from None
            yield path, count


def _write_csv(path: Path, rows: _Rows) -> int:
    """The first of ``rows`` has the names; returns how many follow, as the other writers do."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer, count = csv.writer(file), 0
        writer.writerow(next(rows))
        for row in rows:
            count += 1
            writer.writerow([harmless(each) for each in row])
    return count


def _write_json_lines(path: Path, rows: _Rows) -> int:
    columns, count = next(rows), 0
    with path.open("w", encoding="utf-8") as file:
        for row in rows:
            count += 1
            one = dict(zip(columns, row, strict=True))
            file.write(json.dumps(one, ensure_ascii=False, default=int) + "\n")  # PostgreSQL adds up to a Decimal
    return count


def _write_parquet(path: Path, rows: _Rows) -> int:
    """By way of lines of JSON, which DuckDB turns into columns. Raises ConfigurationError where it is not installed."""
    try:
        import duckdb  # noqa: PLC0415 - it is optional
    except ImportError:
        raise ConfigurationError(
            "Parquet is written by DuckDB, which is not installed", "install lifecycle-connector[duckdb]"
        ) from None
    columns = next(rows)
    types = {name: "BIGINT" if name in VIEW_NUMBERS else "VARCHAR" for name in columns}
    lines = path.with_suffix(".lines")
    count = _write_json_lines(lines, chain([columns], rows))
    with duckdb.connect() as engine:
        read = engine.read_json(str(lines), format="newline_delimited", columns=types)
        read.write_parquet(str(path), compression="zstd")
    return count


_WRITERS: dict[str, Callable[[Path, _Rows], int]] = {
    "csv": _write_csv,
    "jsonl": _write_json_lines,
    "parquet": _write_parquet,
}
