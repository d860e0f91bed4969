"""The org's rows in SQLite: one table an object, one column a field, named as in the API.

One connection, one lock: the server's thread and the Python handle take turns. Text compares case-insensitively
(as SOQL does), ids do not. A write may be held back (``due``): its rows carry the stamp of when the transaction began
and appear when it commits, which is how real orgs put rows behind a cursor that already moved on.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from practice_org.clock import Clock
from practice_org.salesforce.schema import VIEWS, FieldSpec, ObjectSpec

Statement = tuple[str, Sequence[Sequence[Any]]]
_AFFINITY = {"boolean": "INTEGER", "int": "INTEGER", "double": "REAL", "currency": "REAL", "percent": "REAL"}
_EXACT = ("id", "reference", "date", "datetime")
_TABLES = """
CREATE TABLE IF NOT EXISTS _meta (key TEXT PRIMARY KEY, value TEXT);
CREATE TABLE IF NOT EXISTS _custom (object TEXT, position INTEGER, definition TEXT, PRIMARY KEY (object, position));
-- every removal, for getDeleted; root is the record whose deletion took this one with it
CREATE TABLE IF NOT EXISTS _deleted (object TEXT, id TEXT, deleted_date TEXT, root TEXT, PRIMARY KEY (object, id));
"""


def quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _column(field: FieldSpec) -> str:
    kind = _AFFINITY.get(field.type, "TEXT" if field.type in _EXACT else "TEXT COLLATE NOCASE")
    return f"{quoted(field.name)} {kind}{' PRIMARY KEY' if field.type == 'id' else ''}"


class Storage:
    """``path`` as for sqlite3. Use :meth:`read` and :meth:`write` from any thread."""

    def __init__(self, path: str, clock: Clock) -> None:
        self.connection = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self.connection.execute("PRAGMA synchronous = OFF")
        self.connection.execute("PRAGMA temp_store = MEMORY")
        if path != ":memory:":
            self.connection.execute("PRAGMA journal_mode = WAL")
        self.connection.executescript(_TABLES)
        self.clock = clock
        self.lock = threading.RLock()
        self._held: list[tuple[datetime, datetime, list[Statement]]] = []  # (due, begun, statements)
        self._depth = 0

    def close(self) -> None:
        self.connection.close()

    def table(self, spec: ObjectSpec) -> None:
        """The table of an object, made, or given the columns it lacks."""
        if spec.view:
            with self.lock:
                self.connection.execute(f"CREATE VIEW IF NOT EXISTS {quoted(spec.name)} AS {VIEWS[spec.name]}")
            return
        with self.lock:
            have = {row[1].lower() for row in self.connection.execute(f"PRAGMA table_info({quoted(spec.name)})")}
            stored = [field for field in spec.fields.values() if field.type != "address"]
            if not have:
                columns = ", ".join(map(_column, stored))
                self.connection.execute(f"CREATE TABLE {quoted(spec.name)} ({columns})")
            for field in stored if have else ():
                if field.name.lower() not in have:
                    self.connection.execute(f"ALTER TABLE {quoted(spec.name)} ADD COLUMN {_column(field)}")
            for field in stored:
                if field.indexed:
                    index = quoted(f"{spec.name}.{field.name}")
                    target = f"{quoted(spec.name)} ({quoted(field.name)}, Id)"
                    self.connection.execute(f"CREATE INDEX IF NOT EXISTS {index} ON {target}")

    def read(self, sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        with self.lock:
            if self._held:
                self.commit_due()
            return self.connection.execute(sql, parameters).fetchall()

    def write(self, statements: Iterable[Statement], *, due: datetime | None = None) -> None:
        """All or nothing. With ``due`` nothing is seen of it before that time."""
        if due is not None:
            with self.lock:
                self._held.append((due, self.clock.now(), list(statements)))
            return
        with self.transaction():
            for sql, rows in statements:
                self.connection.executemany(sql, rows)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Rolled back when the body raises; may be nested."""
        with self.lock:
            name = f"level{self._depth}"
            self.connection.execute(f"SAVEPOINT {name}")
            self._depth += 1
            try:
                yield
            except BaseException:
                self.connection.execute(f"ROLLBACK TO {name}")
                raise
            finally:
                self._depth -= 1
                self.connection.execute(f"RELEASE {name}")

    def commit_due(self, *, everything: bool = False) -> None:
        """Commits the held-back transactions whose time has come."""
        with self.lock:
            now = self.clock.now()
            ready = [held for held in self._held if everything or held[0] <= now]
            self._held = [held for held in self._held if held not in ready]
            for _, _, statements in ready:
                self.write(statements)

    def oldest_open(self) -> datetime | None:
        """When the oldest transaction that is still held back began."""
        with self.lock:
            return min((begun for _, begun, _ in self._held), default=None)

    def meta(self, key: str) -> str | None:
        found = self.read("SELECT value FROM _meta WHERE key = ?", (key,))
        return found[0][0] if found else None

    def set_meta(self, key: str, value: str) -> Statement:
        return (
            "INSERT INTO _meta VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
            [(key, value)],
        )
