"""How long people stood at each step of their tracks, as far as what is remembered of them tells."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from connector.store.stays import replayed, versions
from connector.store.types import Plain

revision = "0006"
down_revision = "0004"

_CHUNK = 5000


def upgrade() -> None:
    stay = op.create_table(
        "stay",
        sa.Column("id", sa.Integer, primary_key=True),
        *(sa.Column(name, Plain, nullable=False) for name in ("person_id", "track", "stage", "entered_at")),
        sa.Column("left_at", Plain, nullable=True),
        *(sa.Column(name, Plain, nullable=False) for name in ("how", "by", "rule", "line")),
        sa.Column("became", Plain, nullable=True),
        sa.Column("seen_at", Plain, nullable=False),
    )
    op.create_index("stay_person", "stay", ["person_id"])
    is_open = sa.text("left_at IS NULL")
    op.create_index("stay_open", "stay", ["person_id"], sqlite_where=is_open, postgresql_where=is_open)
    found = replayed(versions(op.get_bind()))
    for start in range(0, len(found), _CHUNK):
        op.bulk_insert(stay, found[start : start + _CHUNK])
