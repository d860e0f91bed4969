"""What is about to be written, and the opportunities whose roles are still to be read again."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from connector.store.types import Plain

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.create_table(
        "intent",
        sa.Column("record_id", Plain, primary_key=True),
        sa.Column("object", Plain, nullable=False),
        sa.Column("person_id", Plain, nullable=False),
        sa.Column("seq", sa.Integer, nullable=False),
        *(sa.Column(name, Plain, nullable=False) for name in ("changes", "decision")),
        sa.Column("cycle_id", sa.Integer, nullable=False),
        *(sa.Column(name, Plain, nullable=False) for name in ("mapping_version", "at")),
    )
    op.create_table("unread_roles", sa.Column("opportunity_id", Plain, primary_key=True))
