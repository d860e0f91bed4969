"""JSON packed anew on SQLite, with the dictionary that was learned."""

from __future__ import annotations

from typing import Any

from alembic import op

from connector.base.errors import StateError
from connector.store.packing import pack, unpack

revision = "0020"
down_revision = "0019"

_PACKED = {
    "record": ("fields",),
    "activity": ("attributes",),
    "prospect": ("attributes",),
    "history": ("said",),
    "track": ("evidence", "memory"),
    "log": ("evidence", "changes"),
    "cycle": ("report",),
}


def upgrade() -> None:
    connection = op.get_bind()
    if connection.dialect.name != "sqlite":
        return
    driver: Any = connection.connection.driver_connection
    driver.create_function("repacked", 1, _repacked, deterministic=True)
    for table, columns in _PACKED.items():
        op.execute(f"UPDATE {table} SET {', '.join(f'{name} = repacked({name})' for name in columns)}")


def _repacked(packed: str | bytes | None) -> str | bytes | None:
    """What is damaged stays so, for whoever reads it to be told."""
    try:
        told = unpack(packed)
    except StateError:
        return packed
    return None if told is None else pack(told)
