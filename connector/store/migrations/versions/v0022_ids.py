"""Ids and refs as numbers on SQLite."""

from __future__ import annotations

from typing import Any

from alembic import op

from connector.store.ids import id_number
from connector.store.migrations.rewriting import rewrite
from connector.store.types import Vocabulary
from connector.store.views import drop_views, make_views

revision = "0022"
down_revision = "0021"

_IDS = {
    "record": ("id", "moved_to", "alias_of", "account_id", "contact_id", "opportunity_id"),
    "activity": ("ref", "crm_id", "prospect"),
    "prospect": ("ref", "crm_id"),
    "address": ("owner",),
    "history": ("ref",),
    "dirty": ("person_id",),
    "settled": ("person_id",),
    "track": ("person_id",),
    "log": ("person_id", "record_id"),
    "stay": ("person_id", "line", "became"),
    "set_aside": ("person_id", "record_id"),
    "intent": ("record_id", "person_id"),
    "unread_roles": ("opportunity_id",),
    "forgotten": ("key",),
}


def upgrade() -> None:
    connection = op.get_bind()
    drop_views(connection)
    if connection.dialect.name == "sqlite":
        words = Vocabulary()
        words.learn(connection.exec_driver_sql("SELECT number, text FROM word ORDER BY number").all())
        words.write()
        driver: Any = connection.connection.driver_connection
        driver.create_function("id_number", 1, lambda text: id_number(words, text))
        for table, names in _IDS.items():
            rewrite(table, dict.fromkeys(names, "BLOB"), {name: f'id_number("{name}")' for name in names})
        driver.executemany("INSERT INTO word (number, text) VALUES (?, ?)", words.added())
    make_views(connection)
