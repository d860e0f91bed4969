"""What the third-party data sets become: rows of ``<Object>.csv`` files, activities, and who should end at which stage.

Raw ids stay raw in here: the practice org's loader turns them into Salesforce ids, and its report says which became
which. The expected stages are computed over the raw tables in plain SQL by the oracle of each data set, which shares
nothing with the connector but the order of the stages.
"""

from __future__ import annotations

import csv
import json
import random
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"

LADDER = (
    "Anonymous",
    "Suspect",
    "Engaged",
    "Marketing Qualified",
    "Sales Qualified",
    "Opportunity",
    "Customer",
    "Evangelist",
    "Disqualified",
    "Other",
)
SET_BY_PEOPLE = ("Marketing Qualified", "Sales Qualified", "Evangelist", "Disqualified")
OPEN_STAGES = ("Prospecting", "Qualification", "Needs Analysis", "Negotiation/Review")

Key = tuple[str, str]  # (object, raw id)
Row = Mapping[str, Any]


@dataclass(frozen=True)
class Dataset:
    """``activities`` are rows of the generic activity file; ``crm`` in them is a :data:`Key` or absent."""

    name: str
    tables: Mapping[str, Sequence[Row]]
    activities: Sequence[Row]
    expected: Mapping[Key, str]


def raw_folder(name: str) -> Path:
    """The data set's folder; skips the test aloud where it is absent."""
    folder = SHARED / name
    if not folder.is_dir():
        pytest.skip(f"the data set {name} is not at {folder}")
    return folder


def seeded(seed: int | None) -> random.Random:
    return random.Random(seed or 0)  # noqa: S311 - the same company each time is the point


def furthest(*stages: str | None) -> str:
    """The stage furthest down the ladder: people only move forward, whoever set the stage they have."""
    return max((stage for stage in stages if stage), key=LADDER.index)


def csv_tables(folder: Path, names: Iterable[str]) -> sqlite3.Connection:
    """Raw CSV files as SQLite tables of text."""
    db = sqlite3.connect(":memory:")
    db.row_factory = sqlite3.Row
    for name in names:
        with (folder / f"{name}.csv").open(encoding="utf-8-sig", newline="") as file:
            header, *rows = csv.reader(file)
        add_table(db, name, header, rows)
    return db


def add_table(db: sqlite3.Connection, name: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    quoted = ", ".join(columns)
    db.execute(f'CREATE TABLE "{name}" ({quoted})')
    marks = ", ".join("?" * len(columns))
    db.executemany(f'INSERT INTO "{name}" VALUES ({marks})', rows)


def select(db: sqlite3.Connection, sql: str) -> list[dict[str, Any]]:
    cursor = db.execute(sql)
    names = [column[0] for column in cursor.description]
    return [dict(zip(names, row, strict=True)) for row in cursor]


def write_tables(dataset: Dataset, folder: Path) -> None:
    """One ``<Object>.csv`` an object; a row was last changed when it was created, if nothing else is known."""
    for name, given in dataset.tables.items():
        rows = [{"SystemModstamp": row["CreatedDate"], **row} if "CreatedDate" in row else row for row in given]
        columns = list(dict.fromkeys(column for row in rows for column in row))
        with (folder / f"{name}.csv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, columns)
            writer.writeheader()
            writer.writerows(rows)


ACTIVITY_COLUMNS = ("event_id", "occurred_at", "type", "direction", "email", "crm_id", "name")


def write_activities(dataset: Dataset, folder: Path, ids: Mapping[Key, str]) -> None:
    """Every other row goes to a CSV file, the rest to a JSONL file, with Salesforce ids in place of raw ones."""
    rows = [{**row, "crm_id": ids[row["crm"]] if row.get("crm") else ""} for row in dataset.activities]
    with (folder / "activities.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, ACTIVITY_COLUMNS, extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows[::2])
    with (folder / "activities.jsonl").open("w", encoding="utf-8") as file:
        for row in rows[1::2]:
            file.write(json.dumps({column: row[column] for column in ACTIVITY_COLUMNS if row.get(column)}) + "\n")
