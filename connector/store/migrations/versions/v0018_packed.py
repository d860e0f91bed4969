"""JSON packed on SQLite, with what views show of a person in columns; no index twice, no key beside its row."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

from connector.store.packing import pack
from connector.store.types import Plain
from connector.store.views import drop_views, make_views, value_in

revision = "0018"
down_revision = "0017"

_PACKED = {
    "record": ("fields",),
    "activity": ("attributes",),
    "prospect": ("attributes",),
    "history": ("said",),
    "log": ("evidence", "changes"),
    "cycle": ("report",),
}
_TRACK = ("value", "current", "stands", "rule", "verdict", "reason", "evidence", "memory", "at", "cycle_id")


def upgrade() -> None:
    connection = op.get_bind()
    is_sqlite = connection.dialect.name == "sqlite"
    drop_views(connection)
    _tell_people()
    op.drop_index("record_object", "record")
    op.drop_index("record_stamp", "record")
    op.create_index("record_stamp", "record", ["object", "stamp", "live"])
    op.drop_index("stay_open", "stay")
    if is_sqlite:
        driver: Any = connection.connection.driver_connection
        driver.create_function("packed", 1, pack, deterministic=True)
        for table, columns in _PACKED.items():
            op.execute(f"UPDATE {table} SET {', '.join(f'{name} = packed({name})' for name in columns)}")
        _rebuild_settled()
        _rebuild_track()
    make_views(connection)


def _tell_people() -> None:
    for name in ("name", "owner_id"):
        op.add_column("record", sa.Column(name, Plain, nullable=True))
    record = sa.table("record", *(sa.column(name, Plain) for name in ("object", "fields", "name", "owner_id")))
    called, owner = (value_in(op.get_bind().dialect.name, record.c.fields, key) for key in ("Name", "OwnerId"))
    op.execute(record.update().where(record.c.object.in_(("Contact", "Lead"))).values(name=called, owner_id=owner))


def _rebuild_settled() -> None:
    op.drop_index("settled_review_at", "settled")
    op.rename_table("settled", "settled_before")
    op.create_table(
        "settled",
        sa.Column("person_id", Plain, primary_key=True, nullable=False),
        sa.Column("review_at", Plain, nullable=True),
        sa.Column("settled_at", Plain, nullable=False),
        sa.Column("cycle_id", sa.Integer, nullable=False),
        sa.Column("mapping_version", Plain, nullable=False),
        sqlite_with_rowid=False,
    )
    op.execute("INSERT INTO settled SELECT * FROM settled_before ORDER BY person_id")
    op.drop_table("settled_before")
    op.create_index("settled_review_at", "settled", ["review_at"], sqlite_where=sa.text("review_at IS NOT NULL"))


def _rebuild_track() -> None:
    op.drop_index("track_stands", "track")
    op.rename_table("track", "track_before")
    nullable = {"value", "current", "since"}
    op.create_table(
        "track",
        *(sa.Column(name, Plain, primary_key=True, nullable=False) for name in ("person_id", "track")),
        *(
            sa.Column(name, sa.Integer if name == "cycle_id" else Plain, nullable=name in nullable)
            for name in (*_TRACK, "mapping_version", "since")
        ),
        sqlite_with_rowid=False,
    )
    into = ", ".join(("person_id", "track", *_TRACK, "mapping_version", "since"))
    told = into.replace("evidence", "packed(evidence)").replace("memory", "packed(memory)")
    op.execute(f"INSERT INTO track ({into}) SELECT {told} FROM track_before ORDER BY person_id, track")
    op.drop_table("track_before")
    op.create_index("track_stands", "track", ["track", "stands"])
