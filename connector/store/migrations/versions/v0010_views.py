"""Views for whoever asks the state with SQL of their own: made since by the newest migration that changed a table below
them."""

from __future__ import annotations

revision = "0010"
down_revision = "0006"


def upgrade() -> None:
    pass
