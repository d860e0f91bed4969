"""Views of the state, row by row into files: nothing is held in memory."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, TextIO

from connector.base.errors import ConfigurationError
from connector.base.settings import Settings
from connector.commands.report_text import harmless
from connector.wiring import open_state


def run_export(settings: Settings, names: Sequence[str], kind: str, folder: Path) -> Iterator[tuple[Path, int]]:
    """Writes one file a view, whole or not at all; yields its path and how many rows it has. Raises ConfigurationError
    where it cannot be written."""
    with open_state(settings) as store:
        for name in names:
            path = folder / f"{name}.{kind}"
            scratch = path.with_name(f"{path.name}.tmp")
            try:
                folder.mkdir(parents=True, exist_ok=True)
                made = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)  # it holds personal data
                with os.fdopen(made, "w", encoding="utf-8", newline="") as file:
                    count = _write_rows(file, kind, store.view_rows(name))
                scratch.replace(path)
            except OSError as error:
                raise ConfigurationError(f"{path} cannot be written: {error.strerror}", "name another --out") from None
            finally:
                scratch.unlink(missing_ok=True)
            yield path, count


def _write_rows(file: TextIO, kind: str, rows: Iterator[tuple[Any, ...]]) -> int:
    """The first of ``rows`` has the names; returns how many follow."""
    columns, count, writer = next(rows), 0, csv.writer(file)
    if kind == "csv":
        writer.writerow(columns)
    for row in rows:
        count += 1
        if kind == "csv":
            writer.writerow([harmless(each) for each in row])
        else:
            file.write(json.dumps(dict(zip(columns, row, strict=True)), ensure_ascii=False) + "\n")
    return count
