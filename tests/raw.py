"""What the tables of a SQLite state have, for tests that ask them with nothing of ours but the names."""

from __future__ import annotations

import sqlite3

from connector.store.ids import id_number, id_text
from connector.store.types import Vocabulary


def words_of(state: sqlite3.Connection) -> Vocabulary:
    words = Vocabulary()
    words.learn(state.execute("SELECT number, text FROM word ORDER BY number").fetchall())
    return words


def stored(state: sqlite3.Connection, name: str) -> str | int | None:
    """An id or ref as the tables have it."""
    return id_number(words_of(state), name)


def named(state: sqlite3.Connection, value: str | int) -> str:
    """The id or ref that the tables have so."""
    return str(id_text(words_of(state), value))
