"""Addresses that people have beside their Email."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from connector.store.types import Plain

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.create_table(
        "address",
        sa.Column("owner", Plain, primary_key=True),
        sa.Column("address", Plain, primary_key=True),
        sa.Column("whence", Plain, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_index("address_address", "address", ["address"])
