"""What one marketing source told, counted: for ``connector source NAME``, which no cycle needs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import Connection, func, not_, select

from connector.base.facts import PEOPLE
from connector.base.json import JsonObject
from connector.store import books, links
from connector.store.ids import behind
from connector.store.links import FACT, IDS, people_where, rows_in
from connector.store.schema import ACTIVITY, FURTHER, PROSPECT, RECORD

_IDS_KNOWN = people_where(FACT.c.id.in_(IDS)).with_only_columns(FACT.c.id)
_EMAILS_KNOWN = select(RECORD.c.email).where(RECORD.c.email.in_(IDS), RECORD.c.live, RECORD.c.object.in_(PEOPLE))
_ADDRESSES_KNOWN = select(FURTHER.c.address).where(FURTHER.c.address.in_(IDS))
_PROSPECTS = select(PROSPECT.c.ref, PROSPECT.c.email).where(PROSPECT.c.ref.in_(IDS))
_ALONE = select(PROSPECT.c.ref).where(PROSPECT.c.ref.in_(IDS), links.is_alone())


def told_by(connection: Connection, name: str, most: int) -> JsonObject:
    """``account``; ``kinds``: kind -> how many and the newest; ``prospects``; ``activities`` that reach somebody in
    Salesforce and those that do not; ``unmatched``: the first of whom these are, the busiest first."""
    mine = (behind(connection, ACTIVITY.c.ref, name), ACTIVITY.c.feed.is_(None))
    by_kind = (
        select(ACTIVITY.c.kind, func.count(), func.max(ACTIVITY.c.occurred_at)).where(*mine).group_by(ACTIVITY.c.kind)
    )
    kinds = {kind: {"count": int(count), "newest": at} for kind, count, at in connection.execute(by_kind)}
    who = (ACTIVITY.c.crm_id, ACTIVITY.c.prospect, ACTIVITY.c.email)
    owners = connection.execute(select(*who, func.count()).where(*mine).group_by(*who)).all()
    unmatched, matched = _unmatched(connection, owners)
    there = behind(connection, PROSPECT.c.ref, name)
    prospects = select(func.count()).select_from(PROSPECT).where(there, not_(PROSPECT.c.deleted))
    alone = select(func.count()).select_from(PROSPECT).where(there, links.is_alone())
    return {
        "account": books.setting(connection, f"account {name}"),
        "kinds": dict(sorted(kinds.items(), key=lambda each: (-each[1]["count"], each[0]))),
        "newest": max((each["newest"] for each in kinds.values()), default=None),
        "prospects": {
            "known": int(connection.execute(prospects).scalar() or 0),
            "not_in_salesforce": int(connection.execute(alone).scalar() or 0),
        },
        "activities": {"matched": matched, "unmatched": sum(unmatched.values())},
        "unmatched": [{"who": each, "activities": count} for each, count in unmatched.most_common(most)],
    }


def _unmatched(connection: Connection, owners: Sequence[Any]) -> tuple[Counter[str], int]:
    """Whom activities are of that reach no record -> how many; and how many do."""
    ids = _known(connection, _IDS_KNOWN, {each.crm_id for each in owners if each.crm_id})
    by_address = {each.email for each in owners if each.email and not each.crm_id and not each.prospect}
    emails = _known(connection, _EMAILS_KNOWN, by_address) | _known(connection, _ADDRESSES_KNOWN, by_address)
    refs = {each.prospect for each in owners if each.prospect}
    told = {row.ref: row.email for row in rows_in(connection, _PROSPECTS, refs)}
    alone = _known(connection, _ALONE, refs)
    unmatched: Counter[str] = Counter()
    matched = 0
    for crm_id, prospect, email, count in owners:
        by_person = prospect in told and prospect not in alone
        if crm_id in ids or by_person or (not crm_id and not prospect and email in emails):
            matched += count
        else:
            unmatched[told.get(prospect) or email or prospect or crm_id or "nobody"] += count
    return unmatched, matched


def _known(connection: Connection, query: Any, ids: Collection[str]) -> set[str]:
    return {row[0] for row in rows_in(connection, query, ids)}
