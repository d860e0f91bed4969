"""People for tests, in few words: ``person(email="a@example.com", deals=[deal("won")], did=[did("email_click")])``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from connector.base.facts import Activity, Decision, Direction, OpportunityRole, Person, Prospect
from connector.lifecycle import Assigner, CompiledMapping, Owners, decide, plan

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)
STATES = {"open": (False, False), "won": (True, True), "lost": (True, False)}
OUTBOUND = {"call", "email_sent", "meeting", "meeting_no_show", "email_bounce", "unsubscribe"}


def stamp(at: datetime) -> str:
    """As Salesforce writes it."""
    return at.strftime("%Y-%m-%dT%H:%M:%S.000+0000")


def deal(
    state: str = "open", key: str = "1", ago: float = 30, role: Mapping[str, Any] | None = None, **fields: Any
) -> Any:
    """An opportunity through a contact role; the role is ``ago`` days old, and it was closed then too."""
    is_closed, is_won = STATES[state]
    at = NOW - ago * DAY
    name = {"open": "Prospecting", "won": "Closed Won", "lost": "Closed Lost"}[state]
    row = {"Name": f"Deal {key}", "StageName": name, "IsClosed": is_closed, "IsWon": is_won, "CreatedDate": stamp(at)}
    row |= {"CloseDate": at.date().isoformat(), **fields}
    role_row = {"Role": "Decision Maker", "IsPrimary": True, "CreatedDate": stamp(at), **(role or {})}
    return OpportunityRole(f"00K{key}", f"006{key}", role_row, row)


def did(kind: str, ago: float = 1, key: str = "", name: str = "", source: str = "files", **attributes: Any) -> Activity:
    """An activity ``ago`` days before NOW."""
    way = Direction.OUTBOUND if kind in OUTBOUND else Direction.INBOUND
    return Activity(source, key or f"{kind}-{ago}", kind, way, NOW - ago * DAY, name, attributes)


def person(
    stage: str | None = None,
    *,
    object_name: str = "Contact",
    email: str | None = "ann@example.com",
    deals: Any = (),
    did: Any = (),
    score: float | None = None,
    account: Mapping[str, Any] | None = None,
    memory: Mapping[str, Mapping[str, Any]] | None = None,
    **fields: Any,
) -> Person:
    key = {"Contact": "003000000000001AAA", "Lead": "00Q000000000001AAA", "Prospect": "pardot:1"}[object_name]
    row = {"Id": key, "Email": email, "CreatedDate": stamp(NOW - 400 * DAY), "Lifecycle_Stage__c": stage, **fields}
    prospects = (Prospect("pardot", "1", email, attributes={"score": score}),) if score is not None else ()
    return Person(
        id=key,
        object=object_name,
        fields=row,
        account=account or {},
        opportunities=tuple(deals),
        activities=tuple(sorted(did, key=lambda a: (a.occurred_at, a.source, a.id))),
        prospects=prospects,
        memory=memory or {},
    )


def written(
    someone: Person, mapping: CompiledMapping, now: datetime = NOW, owners: Owners | None = None
) -> tuple[Person, Decision]:
    """The person once the decision was written: fields as planned, memory kept."""
    decision = decide(someone, mapping, now, Assigner(owners or Owners()))
    change = plan(someone, decision, mapping)
    fields = {**someone.fields, **(change.values() if change else {})}
    memory = {track.track: track.memory for track in decision.tracks}
    return replace(someone, fields=fields, memory=memory), decision


def track(decision: Decision, name: str = "stage") -> Any:
    return next(each for each in decision.tracks if each.track == name)


def stage_of(someone: Person, mapping: CompiledMapping, now: datetime = NOW) -> str | None:
    value: str | None = track(decide(someone, mapping, now)).value
    return value
