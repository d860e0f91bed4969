"""All that a state says, and all files beside it, as texts: packed columns and the logbook unpacked."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from sqlalchemy import inspect, select
from sqlmodel import SQLModel

from connector.store import Logbook
from connector.store.dialect import make_engine
from connector.store.opening import parse_url


def tables_of(state: str) -> Iterator[tuple[str, str]]:
    """Name and rows of each table; none where it is no state."""
    engine = make_engine(parse_url(state))
    try:
        with engine.connect() as connection:
            there = inspect(connection).get_table_names()
            for name, table in SQLModel.metadata.tables.items():
                if name in there:
                    yield name, str(connection.execute(select(table)).all())
    finally:
        engine.dispose()


def files_in(folder: Path) -> Iterator[tuple[str, str]]:
    """Name and bytes of each file, and what the packed ones hold."""
    for each in sorted(folder.rglob("*")):
        if each.is_file():
            yield each.name, each.read_text("latin-1")
            if each.suffix == ".written":
                yield each.name, str(list(Logbook(each).after(0)))
            if each.suffix == ".sqlite3":
                yield from ((f"{each.name}: {name}", rows) for name, rows in tables_of(str(each)))
