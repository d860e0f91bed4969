"""What records and memories were before they became what they are."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from connector.store.types import Plain

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.create_table(
        "history",
        sa.Column("id", sa.Integer, primary_key=True),
        *(sa.Column(name, Plain, nullable=False) for name in ("ref", "track", "until")),
        sa.Column("live", sa.Boolean, nullable=False),
        sa.Column("said", Plain, nullable=False),
    )
    op.create_index("history_ref", "history", ["ref", "id"])
    op.add_column("track", sa.Column("since", Plain, nullable=True))
