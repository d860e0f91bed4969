"""Who was forgotten, and who is to be."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from connector.store.types import Plain

revision = "0015"
down_revision = "0010"


def upgrade() -> None:
    op.create_table(
        "forgotten",
        sa.Column("key", Plain, primary_key=True),
        sa.Column("asked_at", Plain, nullable=False),
        sa.Column("done_at", Plain, nullable=True),
    )
