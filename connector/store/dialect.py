"""Where SQLite and PostgreSQL differ, beside what columns hold (``types.py``): upserts, locks, and connections.

SQLite: WAL so that `status` reads while the daemon writes, synchronous FULL (what is about to be written to Salesforce,
and what it answered, is there also after a power cut), a busy timeout, and BEGIN IMMEDIATE for transactions that write,
because a transaction that first reads and then writes cannot be upgraded once somebody else wrote.

PostgreSQL: the same promises by its own means. Reading transactions see one moment (REPEATABLE READ); writing ones wait
for each other at an advisory lock. The lock of an exclusive opener belongs to the one connection that it writes with,
so it is there whenever something is written, also after the server was restarted. A state is a schema of a database.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from sqlalchemy import (
    Connection,
    Engine,
    Table,
    Text,
    any_,
    bindparam,
    create_engine,
    event,
    func,
    select,
    text,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import URL, Dialect
from sqlalchemy.sql import Executable
from sqlalchemy.sql.dml import UpdateBase
from sqlalchemy.sql.elements import BinaryExpression
from sqlalchemy.sql.operators import in_op
from sqlalchemy.sql.visitors import replacement_traverse

from connector.base.json import JsonMap
from connector.store.ids import IdOrRef, id_number
from connector.store.packing import unpack
from connector.store.types import Plain, Vocabulary, vocabulary_of

BUSY_SECONDS = 15
WAL_KEPT = 16 * 2**20  # bytes of the file beside the state that stay once what was in it is in the state
_IDS = "ids"  # parameter of statements that are asked for thousands of ids
_STORED = "ids_stored"  # the same, of columns where SQLite has them shorter
ROWS = "rows_as_json"  # parameter of PostgreSQL's upserts
WRITES = "connector_writes"  # execution option of connections whose transaction will write

PRAGMAS = (
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=FULL",
    f"PRAGMA busy_timeout={BUSY_SECONDS * 1000}",
    f"PRAGMA journal_size_limit={WAL_KEPT}",
    "PRAGMA cache_size=-65536",  # KiB, negative by SQLite's convention
    "PRAGMA temp_store=MEMORY",
)


def make_engine(url: URL) -> Engine:
    """``hide_parameters`` keeps record values out of tracebacks."""
    if url.get_backend_name() != "sqlite":
        engine = create_engine(url, hide_parameters=True, pool_pre_ping=True)
        event.listen(engine, "begin", _begin_on_a_server)
        return engine
    engine = create_engine(url, hide_parameters=True, connect_args={"timeout": BUSY_SECONDS})

    @event.listens_for(engine, "connect")
    def set_up(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # we say BEGIN ourselves; the driver would begin too late
        connection.create_function("unpacked", 1, unpack, deterministic=True)
        for pragma in PRAGMAS:
            connection.execute(pragma)

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        writes = _writes(connection)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
        words = vocabulary_of(connection.dialect)
        if writes:
            words.end()
        _learn(connection, words)
        if writes:
            words.write()

    @event.listens_for(engine, "commit")
    def commit(connection: Connection) -> None:
        if _writes(connection) and (added := vocabulary_of(connection.dialect).added()):
            connection.exec_driver_sql("INSERT INTO word (number, text) VALUES (?, ?)", added)

    @event.listens_for(engine, "rollback")
    def roll_back(connection: Connection) -> None:
        if _writes(connection):
            vocabulary_of(connection.dialect).end()

    return engine


def _learn(connection: Connection, words: Vocabulary) -> None:
    """A state that is new, or older, has none. One that was put in its place has others, as the last known tells."""
    if not connection.exec_driver_sql("PRAGMA table_info(word)").first():
        words.learn(())
        return
    asked = "SELECT number, text FROM word WHERE number >= ? ORDER BY number"
    if not words.learn(connection.exec_driver_sql(asked, (words.read,)).all()):
        words.learn(connection.exec_driver_sql(asked, (0,)).all())


def _writes(connection: Connection) -> bool:
    return bool(connection.get_execution_options().get(WRITES, False))


# Any two constants of ours, and the schema: advisory locks are a database's, a state is a schema's.
_WRITING = "1818846051, hashtext(current_schema())"
_HOLDING = "1818846052, hashtext(current_schema())"


def _begin_on_a_server(connection: Connection) -> None:
    if _writes(connection):
        wait = f"set_config('lock_timeout', '{BUSY_SECONDS}s', true)"  # for this transaction
        connection.exec_driver_sql(f"SELECT {wait}, pg_advisory_xact_lock({_WRITING})")
    else:
        connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")


def make_holder(url: URL, refusal: Callable[[], Exception]) -> Engine:
    """PostgreSQL's stand-in for the lock file: an engine of one connection, which holds the state while it is open.
    Whenever it connects and the state is another's it raises ``refusal()``."""
    engine = create_engine(url, hide_parameters=True, pool_pre_ping=True, pool_size=1, max_overflow=0)
    event.listen(engine, "begin", _begin_on_a_server)

    @event.listens_for(engine, "connect")
    def hold(connection: Any, _record: Any) -> None:
        cursor = connection.cursor()
        cursor.execute(f"SELECT pg_try_advisory_lock({_HOLDING})")
        is_ours = cursor.fetchone()[0]
        cursor.close()
        connection.rollback()  # the lock is the session's, not the transaction's
        if not is_ours:
            connection.close()
            raise refusal()

    return engine


def put_together(engine: Engine) -> None:
    """What SQLite keeps beside its file goes into it, as far as nobody reads it now; waits for nobody."""
    connection = engine.raw_connection()
    try:
        cursor: Any = connection.cursor()
        cursor.execute("PRAGMA busy_timeout=0")
        cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        cursor.execute(f"PRAGMA busy_timeout={BUSY_SECONDS * 1000}")
        cursor.close()
    finally:
        connection.close()


def last_in_file(path: Path) -> int | None:
    """The last cycle in the file alone, whatever is kept beside it, or in memory; None where nobody can tell. SQLite
    itself must read it: whoever else closes the file drops the locks that this process has on it."""
    try:
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?immutable=1", uri=True)) as file:
            row = file.execute("SELECT max(id) FROM cycle").fetchone()
    except sqlite3.Error:
        return None
    return row[0] if row else None


def upsert(connection: Connection, table: Table, rows: Sequence[JsonMap], *, keep: frozenset[str]) -> None:
    """Inserts, or overwrites by primary key all columns but those in ``keep``. All rows have the same keys."""
    if not rows:
        return
    statement = _upsert(connection.dialect, table, tuple(rows[0]), keep)
    if connection.dialect.name == "postgresql":  # all rows in one value: its executemany is a message a row
        key = [column.name for column in table.primary_key]
        last = {tuple(row[name] for name in key): row for row in rows}  # one statement takes a key only once
        connection.execute(statement, {ROWS: json.dumps([*last.values()])})
    else:
        run_many(connection, statement, rows)


def run_many(connection: Connection, statement: UpdateBase, rows: Sequence[JsonMap]) -> None:
    """The driver's executemany on our rows. SQLAlchemy's own walks every parameter of every row in Python, which is
    half the time of a batch; our values are texts, ints, bools and None, which need no conversion, but for what SQLite
    has shorter."""
    if not rows:
        return
    text, order = _compiled(connection.dialect, statement)
    if order is None:
        connection.exec_driver_sql(text, [dict(row) for row in rows])
        return
    columns = ([encode(row[name]) for row in rows] if encode else [row[name] for row in rows] for name, encode in order)
    connection.exec_driver_sql(text, list(zip(*columns, strict=True)))


class _Compiled(NamedTuple):
    """A statement's text, and where its parameters have no names, their order and how each is written down."""

    text: str
    order: tuple[tuple[str, Callable[[Any], Any] | None], ...] | None


@cache
def _compiled(dialect: Dialect, statement: UpdateBase) -> _Compiled:
    compiled: Any = statement.compile(dialect=dialect)
    if not compiled.positional:
        return _Compiled(str(compiled), None)
    types = {name: bound.type for bound, name in compiled.bind_names.items()}
    encoders = {name: kind.bind_processor(dialect) for name, kind in types.items() if isinstance(kind, Plain)}
    return _Compiled(str(compiled), tuple((name, encoders.get(name)) for name in compiled.positiontup))


@cache
def _upsert(dialect: Dialect, table: Table, columns: tuple[str, ...], keep: frozenset[str]) -> UpdateBase:
    insert = (postgresql if dialect.name == "postgresql" else sqlite).insert(table)
    key = [column.name for column in table.primary_key]
    new = {name: insert.excluded[name] for name in columns if name not in key and name not in keep}
    if dialect.name == "postgresql":
        types = ", ".join(f"{name} {table.c[name].type.compile(dialect)}" for name in columns)
        found = text(f"SELECT * FROM json_to_recordset(:{ROWS}) AS new({types})")
        insert = insert.from_select(columns, found.columns(*(table.c[name] for name in columns)))
    else:
        insert = insert.values(dict.fromkeys(columns))
    made: UpdateBase = insert.on_conflict_do_nothing(index_elements=key)
    if new:
        made = insert.on_conflict_do_update(index_elements=key, set_=new)
    return made


def number_on(connection: Connection, table: Table, after: int) -> int:
    """The number of a row behind ``after``, from which on a table is numbered."""
    if connection.dialect.name == "postgresql":
        number = text("SELECT setval(pg_get_serial_sequence(:name, 'id'), :id)")
        connection.execute(number, {"name": table.name, "id": after + 1})
    return after + 1


def with_ids(connection: Connection, statement: Executable, ids: Sequence[str]) -> tuple[Executable, JsonMap]:
    """A statement with ``IN :ids`` that gets its ids in one value, and that parameter: thousands of parameters would be
    walked one by one by SQLAlchemy and by what parses the statement."""
    is_array = connection.dialect.name == "postgresql"
    made, names = _with_one_value(statement, is_array=is_array)
    if is_array:
        return made, {_IDS: list(ids)}
    words = vocabulary_of(connection.dialect)
    told = {name: [id_number(words, each) for each in ids] if name == _STORED else list(ids) for name in names}
    return made, {name: json.dumps(each) for name, each in told.items()}


@lru_cache(200)
def _with_one_value(statement: Any, *, is_array: bool) -> tuple[Any, frozenset[str]]:
    """It, and the names of its parameters."""
    names = set()

    def replace(element: Any, **_: Any) -> Any:
        if isinstance(element, BinaryExpression) and element.operator is in_op and element.right.key == _IDS:
            if is_array:
                return element.left == any_(bindparam(_IDS, type_=postgresql.ARRAY(Text)))
            names.add(name := _STORED if isinstance(element.left.type, IdOrRef) else _IDS)
            told = func.json_each(bindparam(name, type_=Text)).table_valued("value")
            return element.left.in_(select(told.c.value))
        return None

    return replacement_traverse(statement, {}, replace), frozenset(names)


def add_up(connection: Connection, table: Table, row: JsonMap, column: str) -> None:
    """Inserts the row, or adds its ``column`` to the one that is there."""
    insert = (postgresql if connection.dialect.name == "postgresql" else sqlite).insert(table).values(**row)
    key = [each.name for each in table.primary_key]
    total = {column: table.c[column] + insert.excluded[column]}
    connection.execute(insert.on_conflict_do_update(index_elements=key, set_=total))


def mark_from_select(connection: Connection, table: Table, columns: Sequence[str], select: Any) -> int:
    """INSERT .. SELECT that overwrites ``seq`` of rows already there; returns how many rows it touched."""
    insert = (postgresql if connection.dialect.name == "postgresql" else sqlite).insert(table)
    statement = insert.from_select(list(columns), select).on_conflict_do_update(
        index_elements=[each.name for each in table.primary_key], set_={"seq": insert.excluded.seq}
    )
    return int(connection.execute(statement, execution_options={"preserve_rowcount": True}).rowcount)
