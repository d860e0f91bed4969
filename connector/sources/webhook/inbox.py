"""Where messages of webhooks are kept from the moment they are accepted until they are recorded: one SQLite file.

A message is stored before its sender is told that it was accepted, so nothing accepted is lost, whatever happens to the
process. A file that was lost and begun anew has another identity, so that no cursor of the old one passes over it. The
same message sent again is recognised: by its id, or, where a sender gives none, by its content within
five minutes.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from connector.base.json import JsonMap
from connector.base.private import private_file, private_folder

_SCHEMA = """
CREATE TABLE IF NOT EXISTS message (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,  -- never used again, so that a cursor stays true
    hook TEXT NOT NULL,
    message_id TEXT NOT NULL,
    received_at TEXT NOT NULL,  -- UTC, ISO
    records TEXT NOT NULL  -- JSON list
);
CREATE INDEX IF NOT EXISTS message_known ON message (hook, message_id);
CREATE TABLE IF NOT EXISTS identity (id TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS used (  -- signatures by a secret of no hook's own; the first hook that takes one has it
    signature TEXT NOT NULL PRIMARY KEY,
    hook TEXT NOT NULL,
    at TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS refusal (  -- of senders that may send, and sent what is no activity
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    hook TEXT NOT NULL,
    at TEXT NOT NULL,
    reason TEXT NOT NULL
);
"""
NAME_IT = "INSERT INTO identity SELECT lower(hex(randomblob(8))) WHERE NOT EXISTS (SELECT 1 FROM identity)"
SAME_CONTENT = timedelta(minutes=5)
REFUSALS_KEPT = 1000
KEPT_SIGNATURES = timedelta(hours=1)  # they are good for ten minutes: five before their time, five after it
_KEPT = timedelta(days=7)  # after it was recorded, so that late repeats are recognised too


@dataclass(frozen=True, slots=True)
class Message:
    seq: int
    hook: str
    records: Sequence[JsonMap]


class Inbox:
    """Safe to use from several threads and processes: each call has a connection of its own. Raises sqlite3.Error."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def put(self, hook: str, message_id: str | None, content: bytes, records: Sequence[JsonMap], now: datetime) -> bool:
        """Stores the records of a message; False when it is known already. On disk when this returns. ``content`` is
        what the sender sent."""
        since = ""
        if message_id is None:
            message_id = "sha256:" + hashlib.sha256(content).hexdigest()
            since = (now - SAME_CONTENT).isoformat()
        with self._open() as database:
            known = database.execute(
                "SELECT 1 FROM message WHERE hook = ? AND message_id = ? AND received_at >= ?",
                (hook, message_id, since),
            ).fetchone()
            if known:
                return False
            database.execute(
                "INSERT INTO message (hook, message_id, received_at, records) VALUES (?, ?, ?, ?)",
                (hook, message_id, now.isoformat(), json.dumps(records)),
            )
            return True

    def claim(self, hook: str, signatures: Sequence[str], now: datetime) -> str | None:
        """These signatures are the hook's from now on; returns the other hook that has one of them already."""
        if not signatures:
            return None
        with self._open() as database:
            database.execute("DELETE FROM used WHERE at < ?", ((now - KEPT_SIGNATURES).isoformat(),))
            for each in signatures:
                row = (each, hook, now.isoformat())
                database.execute("INSERT OR IGNORE INTO used (signature, hook, at) VALUES (?, ?, ?)", row)
                found = database.execute("SELECT hook FROM used WHERE signature = ?", (each,)).fetchone()
                if found[0] != hook:
                    return str(found[0])
        return None

    def refuse(self, hook: str, reason: str, now: datetime) -> None:
        """Notes that a message was no activity; the newest thousand are kept."""
        with self._open() as database:
            row = (hook, now.isoformat(), reason)
            seq = database.execute("INSERT INTO refusal (hook, at, reason) VALUES (?, ?, ?)", row).lastrowid or 0
            database.execute("DELETE FROM refusal WHERE seq <= ?", (seq - REFUSALS_KEPT,))

    def refusals(self, seq: int) -> list[int]:
        """Numbers of those behind ``seq``."""
        if not self._path.exists():
            return []
        with self._open() as database:
            return [row[0] for row in database.execute("SELECT seq FROM refusal WHERE seq > ? ORDER BY seq", (seq,))]

    def identity(self) -> str | None:
        """Of this file; None before the first message."""
        if not self._path.exists():
            return None
        with self._open() as database:
            return str(database.execute("SELECT id FROM identity").fetchone()[0])

    def after(self, seq: int, limit: int) -> list[Message]:
        """Messages in the order of their arrival."""
        if not self._path.exists():
            return []
        with self._open() as database:
            rows = database.execute(
                "SELECT seq, hook, records FROM message WHERE seq > ? ORDER BY seq LIMIT ?", (seq, limit)
            ).fetchall()
        return [Message(number, hook, json.loads(records)) for number, hook, records in rows]

    def forget(self, recorded: int, now: datetime) -> None:
        """Removes old messages up to ``recorded``."""
        if not self._path.exists():
            return
        with self._open() as database:
            before = (now - _KEPT).isoformat()
            database.execute("DELETE FROM message WHERE seq <= ? AND received_at < ?", (recorded, before))

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        """One transaction; the write lock is taken at its begin, so that no two threads store the same message."""
        private_folder(self._path.parent)
        private_file(self._path)
        with closing(sqlite3.connect(self._path, timeout=10, isolation_level=None)) as database:
            database.execute("PRAGMA synchronous = FULL")
            database.executescript(_SCHEMA)
            database.execute("BEGIN IMMEDIATE")
            try:
                database.execute(NAME_IT)
                yield database
            except BaseException:
                database.execute("ROLLBACK")
                raise
            database.execute("COMMIT")
