"""How much room a state takes, a table and a person: after the backfill of a generated company, or of any state.

    python benchmarks/state.py [small|large]         a state of its own, on SQLite
    python benchmarks/state.py --state PATH_OR_URL   one that is there, on SQLite or PostgreSQL; it is only read

Of a table, its rows and what its indexes take are told apart; "in columns" is the length of what the columns hold, so
that what repeats can be seen. Journals beside the file are not counted.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from cycle import served, settings_for  # type: ignore[import-not-found]  # beside this file
from sqlalchemy import Connection, create_engine, inspect, text

from connector.pipeline.backfill import Scope, run_backfill
from connector.pipeline.cycle import run_cycle
from connector.store.opening import parse_url
from connector.wiring import open_pipeline

LONGEST = 12  # columns that are shown
_SQLITE = "SELECT name, sum(pgsize) FROM dbstat GROUP BY name"
_INDEXES = "SELECT name, tbl_name FROM sqlite_master WHERE type = 'index'"
_POSTGRESQL = """
    SELECT c.relname, pg_table_size(c.oid), pg_indexes_size(c.oid) FROM pg_class c
    WHERE c.relkind = 'r' AND c.relnamespace = current_schema()::regnamespace
"""


def sizes(connection: Connection) -> dict[str, tuple[int, int]]:
    """Bytes of each table's rows, and of its indexes."""
    if connection.dialect.name == "postgresql":
        return {name: (rows, indexes) for name, rows, indexes in connection.execute(text(_POSTGRESQL))}
    table_of = {row.name: row.tbl_name for row in connection.execute(text(_INDEXES))}
    found: dict[str, tuple[int, int]] = {}
    for name, size in connection.execute(text(_SQLITE)):
        rows, indexes = found.get(table_of.get(name, name), (0, 0))
        is_index = name in table_of
        found[table_of.get(name, name)] = (rows + size * (not is_index), indexes + size * is_index)
    return found


def columns(connection: Connection) -> list[tuple[int, str]]:
    found = []
    for table in inspect(connection).get_table_names():
        names = [each["name"] for each in inspect(connection).get_columns(table)]
        kind = "text" if connection.dialect.name == "postgresql" else "blob"  # what is packed is no text
        total = ", ".join(f'sum(length(cast("{name}" AS {kind})))' for name in names)
        row = connection.execute(text(f'SELECT {total} FROM "{table}"')).one()
        found += [(int(size or 0), f"{table}.{name}") for name, size in zip(names, row, strict=True)]
    return sorted(found, reverse=True)


def show(connection: Connection) -> None:
    people = connection.execute(text("SELECT count(*) FROM settled")).scalar_one()
    found = sizes(connection)
    print(f"{'table':<18}{'rows':>12}{'KB':>12}{'indexes KB':>12}{'B a person':>12}")
    for name, (rows, indexes) in sorted(found.items(), key=lambda each: -sum(each[1])):
        if rows + indexes < 32 * 1024:
            continue
        count = connection.execute(text(f'SELECT count(*) FROM "{name}"')).scalar_one() if name[:7] != "sqlite_" else 0
        print(f"{name:<18}{count:>12,}{rows // 1024:>12,}{indexes // 1024:>12,}{(rows + indexes) / people:>12,.0f}")
    total = sum(map(sum, found.values()))
    print(f"{'all':<18}{people:>6,} people{total // 1024:>11,}{'':>12}{total / people:>12,.0f}\n")
    for size, name in columns(connection)[:LONGEST]:
        print(f"{name:<30}{size / people:>12,.0f} B a person in columns")


def fill(sample: str, state: str) -> None:
    with served(sample) as given, open_pipeline(settings_for(given, state)) as pipeline:
        run_backfill(pipeline, Scope())
        run_cycle(pipeline)


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        if sys.argv[1:2] == ["--state"]:
            state = sys.argv[2]
        else:
            state = str(Path(folder) / "state.sqlite3")
            fill(sys.argv[1] if len(sys.argv) > 1 else "small", state)
        engine = create_engine(parse_url(state))
        with engine.connect() as connection:
            show(connection)
        engine.dispose()


if __name__ == "__main__":
    main()
