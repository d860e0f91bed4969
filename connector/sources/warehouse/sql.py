"""The warehouse's SQL: one page of a query's rows behind a place, in whatever database.

PostgreSQL gives its rows as JSON and takes places back as text without a type: so columns of every type count, and what
a driver could not turn into Python (an infinite time, a year before Christ) delays nobody. Rows are compared in the
database alone, by the same collation as they are put in order.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any, NamedTuple

from sqlalchemy import (
    Connection,
    Engine,
    Select,
    bindparam,
    column,
    create_engine,
    event,
    literal_column,
    or_,
    select,
    text,
    tuple_,
)
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, InterfaceError, NoSuchModuleError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.pool import NullPool
from sqlalchemy.sql import ColumnElement
from sqlalchemy.types import NullType

from connector.base.errors import ConfigurationError, ConnectorError, Refused, Transient
from connector.base.json import Json, JsonMap, JsonObject

STAMP, KEY_COLUMN = "updated_at", "event_id"
POSTGRESQL = "postgresql"
ROW_VALUES = {POSTGRESQL, "sqlite"}  # where (a, b) > (x, y) is one range of an index
ENDLESS = ("infinity", "-infinity", "nan")  # stamps that are none
SESSION = (  # read only; times in UTC; ten minutes a query, unless the user or the server says something else
    "SET TRANSACTION READ ONLY",
    "SELECT set_config('TimeZone', 'UTC', true),"
    " set_config('statement_timeout', coalesce(nullif(current_setting('statement_timeout'), '0'), '10min'), true)",
)
DUCKDB = "duckdb"
READ_ONLY = {"access_mode": "read_only"}  # beside other readers; a load job that writes keeps everybody out
_LOCKED = ("could not set lock", "database is locked", "different configuration than existing connections")
CONNECTING = {"psycopg": {"connect_timeout": "15"}, "psycopg2": {"connect_timeout": "15"}}  # seconds, by driver

AS_IT_IS: Sequence[ColumnElement[Any]] = (literal_column("activity.*"),)
AS_JSON: Sequence[ColumnElement[Any]] = (
    literal_column("row_to_json(activity.*)::text").label("record"),
    literal_column(f"to_json(activity.{STAMP}) #>> '{{}}'").label("stamp"),
    literal_column(f"to_json(activity.{KEY_COLUMN}) #>> '{{}}'").label("key"),
)


class Locked(Transient):
    """Somebody writes the file: a load job, which ends."""


class ReadRows(NamedTuple):
    """A row: its ``record`` by column, as JSON has it; its ``place``, from which a later page goes on."""

    record: JsonObject
    place: list[Any]  # updated_at, event_id


def open_engine(url: str) -> Engine:
    """Connects when first used. Raises ConfigurationError that never repeats the URL, which may hold a password."""
    try:
        parsed = make_url(url)
        pool = NullPool if parsed.get_backend_name() == DUCKDB else None  # its file is nobody's between two pages
        engine = create_engine(_with_patience(parsed), pool_pre_ping=True, hide_parameters=True, poolclass=pool)
    except (ArgumentError, NoSuchModuleError, ImportError, ValueError) as error:
        missing = f": {error}" if isinstance(error, ImportError | NoSuchModuleError) else ""
        raise ConfigurationError(
            f"CONNECTOR_WAREHOUSE_URL cannot be used{missing}",
            "write it like postgresql+psycopg://user:password@host/database, and install that driver",
        ) from None
    if engine.dialect.name == POSTGRESQL:
        event.listen(engine, "begin", _begin)
    return engine


def _with_patience(url: URL) -> URL:
    given = CONNECTING.get(url.get_driver_name() if url.get_backend_name() == POSTGRESQL else "", {})
    if url.get_backend_name() == DUCKDB and url.database not in (None, "", ":memory:"):
        given = READ_ONLY
    return url.update_query_dict({name: value for name, value in given.items() if name not in url.query})


def _begin(connection: Connection) -> None:
    for statement in SESSION:
        connection.exec_driver_sql(statement)


def warehouse_page(engine: Engine, query: str, place: JsonMap, limit: int) -> list[ReadRows]:
    """The next rows behind ``place["at"]``, else from ``place["since"]`` on. Raises Locked, Transient and Refused."""
    return _read(engine, _statement(engine.dialect.name, query, place, limit))


def _read(engine: Engine, statement: Select[Any]) -> list[ReadRows]:
    try:
        with engine.connect() as connection:
            rows = connection.execute(statement).mappings().all()
    except (OperationalError, InterfaceError, PoolTimeout) as error:
        raise _unanswered(_words(error)) from None
    except DBAPIError as error:
        raise Refused(
            f"the warehouse refuses the query: {_words(error)}", "check CONNECTOR_WAREHOUSE_QUERY_FILE"
        ) from None
    return [_from_json_row(row) if engine.dialect.name == POSTGRESQL else _from_row(row) for row in rows]


def warehouse_namesakes(engine: Engine, query: str, ids: Collection[Json], limit: int) -> list[ReadRows]:
    """All rows that have one of these ids, but no more than ``limit``. Raises as :func:`warehouse_page`."""
    return _read(engine, _of_ids(engine.dialect.name, query, ids, limit))


def _among(dialect: str, query: str) -> tuple[Select[Any], ColumnElement[Any], ColumnElement[Any]]:
    """The query's rows that have a stamp and an id, and those two columns."""
    clause = text(query.replace(":", r"\:") + "\n")  # its colons are no parameters; it may end in a comment
    among = clause.columns(column(STAMP, NullType()), column(KEY_COLUMN, NullType())).subquery("activity")
    stamp, key = among.c[STAMP], among.c[KEY_COLUMN]
    is_postgresql = dialect == POSTGRESQL
    wanted: Select[Any] = select(*(AS_JSON if is_postgresql else AS_IT_IS)).select_from(among)
    wanted = wanted.where(stamp.is_not(None), key.is_not(None))
    if is_postgresql:
        wanted = wanted.where(literal_column(f"lower(activity.{STAMP}::text)").not_in(ENDLESS))
    return wanted, stamp, key


def _of_ids(dialect: str, query: str, ids: Collection[Json], limit: int) -> Select[Any]:
    wanted, stamp, key = _among(dialect, query)
    value = _untyped if dialect == POSTGRESQL else from_json
    return wanted.where(key.in_([value(each) for each in ids])).order_by(stamp, key).limit(limit)


def _statement(dialect: str, query: str, place: JsonMap, limit: int) -> Select[Any]:
    wanted, stamp, key = _among(dialect, query)
    value = _untyped if dialect == POSTGRESQL else from_json
    if place["at"]:
        at, last = (value(each) for each in place["at"])
        if dialect in ROW_VALUES:
            wanted = wanted.where(tuple_(stamp, key) > tuple_(at, last))
        else:
            wanted = wanted.where(stamp >= at, or_(stamp > at, key > last))
    elif place["since"] is not None:
        wanted = wanted.where(stamp >= value(place["since"]))
    return wanted.order_by(stamp, key).limit(limit)


def _untyped(value: Json) -> Any:
    """A parameter that PostgreSQL gives the type of what it is compared with."""
    text_of = value["time"] if isinstance(value, dict) else str(value)
    return bindparam(None, text_of, type_=NullType(), unique=True)


def _from_json_row(row: Mapping[Any, Any]) -> ReadRows:
    return ReadRows(json.loads(row["record"]), [row["stamp"], row["key"]])


def _from_row(row: Mapping[Any, Any]) -> ReadRows:
    record = {str(name): _plain(value) for name, value in row.items()}
    stamp = row[STAMP]
    if isinstance(stamp, datetime):  # drivers compare times with times only
        record[STAMP] = {"time": stamp.isoformat()}
    return ReadRows(record, [record[STAMP], record[KEY_COLUMN]])


def from_json(stamp: Json) -> Any:
    """A stamp of a record or cursor as it came from the database."""
    return datetime.fromisoformat(stamp["time"]) if isinstance(stamp, dict) else stamp


def _plain(value: Json) -> Any:
    """As JSON has it."""
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, dict):
        return {str(name): _plain(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return value if isinstance(value, str | int | float | bool | None) else str(value)


def _words(error: Exception) -> str:
    """The driver's words on one line; SQLAlchemy's own text repeats the statement and its values."""
    return " ".join(str(getattr(error, "orig", None) or error).split())[:300]


def _unanswered(words: str) -> ConnectorError:
    said = words.lower()
    if any(each in said for each in _LOCKED):
        return Locked(f"the warehouse's file is locked: {words}", "it is read when whoever writes it is done")
    hint = next((hint for part, hint in _HINTS.items() if part in said), "check that it is up and reachable")
    if "authentication" in said or "does not exist" in said:
        return Refused(f"the warehouse refuses the connection: {words}", hint)
    return Transient(f"the warehouse did not answer: {words}", hint)


_HINTS = {
    "statement timeout": "an index on (updated_at, event_id) makes the query quick",
    "authentication": "check the user and password in CONNECTOR_WAREHOUSE_URL",
    "does not exist": "check the name in CONNECTOR_WAREHOUSE_URL",
}
