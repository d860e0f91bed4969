"""Until when what was never answered may still come."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from connector.store.types import Plain

revision = "0017"
down_revision = "0016"


def upgrade() -> None:
    op.add_column("intent", sa.Column("until", Plain, nullable=True))
