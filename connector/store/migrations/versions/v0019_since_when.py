"""Since when, and until when, an address or a prospect is somebody's. Of what is known already nobody can say it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from connector.store.types import Plain

revision = "0019"
down_revision = "0018"


def upgrade() -> None:
    op.add_column("address", sa.Column("since", Plain, nullable=True))
    op.add_column("address", sa.Column("until", Plain, nullable=True))
    op.add_column("prospect", sa.Column("since", Plain, nullable=True))
