"""A copy of a state to try things on, consistent also while a daemon writes the state."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection, Engine, bindparam, insert, select
from sqlalchemy.engine import URL, make_url
from sqlmodel import SQLModel

from connector.base.private import private_file
from connector.store import migrations
from connector.store.dialect import WRITES, make_engine, run_many
from connector.store.faults import FAULTS, translate
from connector.store.opening import copy_file, parse_url, refuse_other, schema_of, shown_address

_CHUNK = 5000  # rows


def copy_state(url: str, to: Path) -> None:
    """Writes the state at a SQLAlchemy URL or path into a new SQLite file; a state that is missing or empty leaves no
    file. One of an older connector stays so in a file, and is refused on a server. Raises StateError, and Transient
    when its server does not answer."""
    parsed = parse_url(url)
    if parsed.get_backend_name() == "sqlite":
        path = Path(parsed.database or "")
        if path.is_file():
            copy_file(path, to)
            _check_copy(to, str(path))
    else:
        _copy_tables(parsed, to)


def _check_copy(copy: Path, where: str) -> None:
    """Now, while it is known what it is a copy of."""
    engine = make_engine(make_url(f"sqlite:///{copy}"))
    try:
        refuse_other(schema_of(engine, where), where, is_read=False)
    except FAULTS as error:
        raise translate(error, where) from error
    finally:
        engine.dispose()


def _copy_tables(url: URL, to: Path) -> None:
    where = shown_address(url)
    source, copy = make_engine(url), make_engine(make_url(f"sqlite:///{to}"))
    try:
        version = schema_of(source, where)
        if version is None:
            return
        refuse_other(version, where, is_read=True)
        private_file(to)
        migrations.upgrade(copy)
        _copy_rows(source, copy)
    except FAULTS as error:
        raise translate(error, where) from error
    finally:
        source.dispose()
        copy.dispose()


def _copy_rows(source: Engine, copy: Engine) -> None:
    """All tables as they are at one moment."""
    with (
        source.connect() as reading,
        copy.connect().execution_options(**{WRITES: True}) as writing,
        writing.begin(),
    ):
        for name in SQLModel.metadata.tables:
            _copy_table(reading, writing, name)


def _copy_table(reading: Connection, writing: Connection, name: str) -> None:
    table = SQLModel.metadata.tables[name]
    into = insert(table).values({each.name: bindparam(each.name) for each in table.columns})
    query = select(table).execution_options(yield_per=_CHUNK)  # or the driver would fetch the whole table
    with reading.execute(query) as found:
        for rows in found.mappings().partitions():
            run_many(writing, into, [dict(row) for row in rows])
