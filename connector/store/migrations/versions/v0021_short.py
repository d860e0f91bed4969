"""Times as numbers, and texts that come again and again told once, on SQLite. A stay does not say twice whose it is."""

from __future__ import annotations

import re
from typing import Any

import sqlalchemy as sa
from alembic import op

from connector.store.types import Plain, Vocabulary, seconds
from connector.store.views import drop_views, make_views

revision = "0021"
down_revision = "0020"

_TIMES = {
    "record": ("stamp",),
    "activity": ("occurred_at",),
    "prospect": ("recorded_at", "since"),
    "address": ("since", "until"),
    "history": ("until",),
    "settled": ("review_at", "settled_at"),
    "track": ("at", "since"),
    "log": ("at",),
    "stay": ("entered_at", "left_at", "seen_at"),
}
_WORDS = {
    "record": ("object", "owner_id"),
    "activity": ("kind", "direction", "feed"),
    "address": ("whence",),
    "history": ("track",),
    "settled": ("mapping_version",),
    "track": ("track", "value", "current", "stands", "rule", "verdict", "reason", "mapping_version"),
    "log": ("track", "mapping_version", "result", "old", "new", "rule", "reason", "object", "code"),
    "stay": ("track", "stage", "how", "by", "rule"),
}
_LINE = "CASE WHEN line <> person_id THEN line END"


def upgrade() -> None:
    op.create_table(
        "word",
        sa.Column("number", sa.Integer, primary_key=True, nullable=False),
        sa.Column("text", Plain, nullable=False),
    )
    drop_views(op.get_bind())
    if op.get_bind().dialect.name == "sqlite":
        _rewrite()
    else:
        op.alter_column("stay", "line", nullable=True)
        op.execute(f"UPDATE stay SET line = {_LINE}")
    make_views(op.get_bind())


def _rewrite() -> None:
    connection, words = op.get_bind(), Vocabulary()
    words.write()
    driver: Any = connection.connection.driver_connection
    driver.create_function("seconds", 1, seconds, deterministic=True)
    driver.create_function("word_number", 1, words.number)
    for table in _TIMES:
        _rewrite_table(connection, table)
    driver.executemany("INSERT INTO word (number, text) VALUES (?, ?)", words.added())


def _rewrite_table(connection: sa.Connection, table: str) -> None:
    """A new table from the old one's own text, with other types."""
    asked = sa.text("SELECT type, sql, name FROM sqlite_master WHERE tbl_name = :name AND sql IS NOT NULL")
    made = connection.execute(asked, {"name": table}).all()
    new = next(each.sql for each in made if each.type == "table")
    told = {each["name"]: each["name"] for each in sa.inspect(connection).get_columns(table)}
    for name in _TIMES[table]:
        new = re.sub(rf"\b{name} TEXT", f"{name} INTEGER", new)
        told[name] = f"seconds({name})"
    for name in _WORDS.get(table, ()):
        new = re.sub(rf'("{name}"|\b{name}) TEXT', r"\1 BLOB", new)
        told[name] = f'word_number("{name}")'
    if table == "stay":
        new = new.replace("line TEXT NOT NULL", "line TEXT")
        told["line"] = _LINE
    indexes = [each for each in made if each.type == "index"]
    for each in indexes:
        op.drop_index(each.name, table)
    op.rename_table(table, f"{table}_before")
    op.execute(new)
    into = ", ".join(f'"{name}"' for name in told)
    op.execute(f"INSERT INTO {table} ({into}) SELECT {', '.join(told.values())} FROM {table}_before")
    op.drop_table(f"{table}_before")
    for each in indexes:
        op.execute(each.sql)
