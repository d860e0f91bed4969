"""The first tables."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

from connector.store.types import Plain

revision = "0001"
down_revision = None


def upgrade() -> None:
    facts()
    decisions()
    bookkeeping()


def facts() -> None:
    op.create_table(
        "record",
        text("id", key=True),
        *(text(name) for name in ("object", "stamp", "fields")),
        sa.Column("live", sa.Boolean, nullable=False),
        number("generation"),
        *(maybe(name) for name in ("email", "moved_to", "alias_of", "account_id", "contact_id", "opportunity_id")),
    )
    op.create_index("record_object", "record", ["object", "live"])
    op.create_index("record_stamp", "record", ["object", "stamp"])
    for name in ("email", "alias_of", "account_id", "contact_id", "opportunity_id"):
        index(f"record_{name}", "record", name)
    op.create_table(
        "activity",
        text("ref", key=True),
        *(text(name) for name in ("kind", "direction", "occurred_at", "name", "attributes")),
        *(maybe(name) for name in ("crm_id", "prospect", "email", "feed")),
        number("generation"),
    )
    index("activity_crm_id", "activity", "crm_id")
    index("activity_prospect", "activity", "prospect")
    index("activity_email", "activity", "email", "email IS NOT NULL AND crm_id IS NULL AND prospect IS NULL")
    op.create_table(
        "prospect",
        text("ref", key=True),
        maybe("email"),
        maybe("crm_id"),
        text("attributes"),
        sa.Column("deleted", sa.Boolean, nullable=False),
        text("recorded_at"),
    )
    index("prospect_crm_id", "prospect", "crm_id")
    index("prospect_email", "prospect", "email")


def decisions() -> None:
    op.create_table("dirty", text("person_id", key=True), number("seq"), sqlite_with_rowid=False)

    op.create_table(
        "settled",
        text("person_id", key=True),
        maybe("review_at"),
        text("settled_at"),
        number("cycle_id"),
        text("mapping_version"),
    )
    index("settled_review_at", "settled", "review_at")
    op.create_table(
        "track",
        text("person_id", key=True),
        text("track", key=True),
        maybe("value"),
        maybe("current"),
        *(text(name) for name in ("stands", "rule", "verdict", "reason", "evidence", "memory")),
        *made(),
    )
    if op.get_bind().dialect.name == "sqlite":  # an index of PostgreSQL does not hold a long list of tags
        op.create_index("track_stands", "track", ["track", "stands"])
    op.create_table(
        "log",
        sa.Column("id", sa.Integer, primary_key=True),
        text("person_id"),
        text("track"),
        *made(),
        text("result"),
        maybe("old"),
        maybe("new"),
        *(text(name) for name in ("rule", "reason", "evidence", "object", "record_id", "changes", "code", "message")),
    )
    op.create_index("log_person", "log", ["person_id", "id"])
    op.create_table(
        "set_aside",
        text("person_id", key=True),
        text("record_id", key=True),
        *(text(name) for name in ("object", "changes", "code", "message", "since", "last_at")),
        number("attempts"),
    )


def bookkeeping() -> None:
    op.create_table(
        "cycle",
        sa.Column("id", sa.Integer, primary_key=True),
        text("kind"),
        text("started_at"),
        maybe("ended_at"),
        text("report"),
    )
    op.create_table("calls", text("day", key=True), text("source", key=True), text("kind", key=True), number("count"))
    op.create_table("mapping", text("version", key=True), text("text"), text("first_used_at"))
    op.create_table("setting", text("name", key=True), text("value"))
    op.create_table("cursor", text("name", key=True), text("value"))


def made() -> tuple[sa.Column[Any], ...]:
    return text("at"), number("cycle_id"), text("mapping_version")


def text(name: str, *, key: bool = False) -> sa.Column[str]:
    return sa.Column(name, Plain, primary_key=key, nullable=False)


def maybe(name: str) -> sa.Column[str]:
    return sa.Column(name, Plain, nullable=True)


def number(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.Integer, nullable=False)


def index(name: str, table: str, column: str, where: str = "") -> None:
    condition = sa.text(where or f"{column} IS NOT NULL")
    op.create_index(name, table, [column], sqlite_where=condition, postgresql_where=condition)
