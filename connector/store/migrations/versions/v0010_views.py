"""Views for whoever asks the state with SQL of their own."""

from __future__ import annotations

from alembic import op

from connector.store.views import make_views

revision = "0010"
down_revision = "0006"


def upgrade() -> None:
    make_views(op.get_bind())
