"""A record may have several intents: one that was never answered, and the next one."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from connector.store.types import Plain

revision = "0016"
down_revision = "0015"

_SAID = ("object", "person_id", "seq", "changes", "decision", "cycle_id", "mapping_version", "at")


def upgrade() -> None:
    op.rename_table("intent", "intent_before")
    op.create_table(
        "intent",
        sa.Column("id", sa.Integer, primary_key=True),
        *(sa.Column(name, Plain, nullable=False) for name in ("record_id", "object", "person_id")),
        sa.Column("seq", sa.Integer, nullable=False),
        *(sa.Column(name, Plain, nullable=False) for name in ("changes", "decision")),
        sa.Column("cycle_id", sa.Integer, nullable=False),
        *(sa.Column(name, Plain, nullable=False) for name in ("mapping_version", "at")),
    )
    op.create_index("intent_record", "intent", ["record_id"])
    columns = ", ".join(("record_id", *_SAID))
    op.execute(f"INSERT INTO intent ({columns}) SELECT {columns} FROM intent_before")
    op.drop_table("intent_before")
