"""Times as numbers, and texts that come again and again told once, on SQLite. A stay does not say twice whose it is."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

from connector.store.migrations.rewriting import rewrite
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
    words = Vocabulary()
    words.write()
    driver: Any = op.get_bind().connection.driver_connection
    driver.create_function("seconds", 1, seconds, deterministic=True)
    driver.create_function("word_number", 1, words.number)
    for table, times in _TIMES.items():
        names = _WORDS.get(table, ())
        told = {name: f'seconds("{name}")' for name in times} | {name: f'word_number("{name}")' for name in names}
        also = {"line": _LINE} if table == "stay" else {}
        rewrite(table, dict.fromkeys(times, "INTEGER") | dict.fromkeys(names, "BLOB"), told | also, nullable=also)
    driver.executemany("INSERT INTO word (number, text) VALUES (?, ?)", words.added())
