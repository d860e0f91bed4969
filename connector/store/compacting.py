"""Giving room back: a state put together anew has no page that is half empty, and nothing of what was removed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import structlog
from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from connector.store.faults import FAULTS, translate

log = structlog.get_logger(__name__)


def compact(engine: Engine, tables: Sequence[str], *, scratch: str = "MEMORY") -> None:
    """Gives the room of what was removed back, so that its bytes are gone from the file and what is beside it. On
    PostgreSQL from the tables; what its log and its backups hold leaves with them. ``scratch``: where SQLite puts the
    database together meanwhile."""
    connection = engine.raw_connection()
    try:
        cursor: Any = connection.cursor()
        if engine.dialect.name == "postgresql":
            driver: Any = connection.driver_connection
            driver.autocommit = True
            cursor.execute(f"VACUUM (FULL) {', '.join(tables)}")
            driver.autocommit = False
        else:
            cursor.execute(f"PRAGMA temp_store={scratch}")
            cursor.execute("VACUUM")
            cursor.execute("PRAGMA temp_store=MEMORY")
            cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        cursor.close()
    except engine.dialect.loaded_dbapi.Error as error:
        connection.invalidate()
        raise DBAPIError.instance("VACUUM", None, error, engine.dialect.loaded_dbapi.Error) from error
    finally:
        connection.close()


def give_room_back(engine: Engine, where: str) -> None:
    """Puts a SQLite state together anew, which takes about as long as a copy. Where that fails, what comes next uses
    the room."""
    try:
        compact(engine, (), scratch="FILE")
    except FAULTS as error:
        log.warning(
            "room that is free in the state was not given back", state=where, error=str(translate(error, where))
        )
