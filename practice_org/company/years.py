"""Who sells for the sample company, and what becomes of its customers: they renew, leave, and some come back."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any, Protocol

from practice_org.company import words

Row = dict[str, Any]
HABITS = ((18, 5), (24, 2), (30, 4), (36, 1), (48, 3))  # won of a rep's deals against 70 others; most tasks a person
_YEAR = timedelta(days=365)


class Scene(Protocol):
    """What is needed of the builder's scene."""

    rng: random.Random
    now: datetime

    def create(self, name: str, rows: Sequence[Row]) -> list[Row]: ...

    def chance(self, share: float) -> bool: ...


def reps(scene: Scene) -> list[Row]:
    """Five users, each with a hand for closing (``wins``) and for writing things down (``diligence``) of their own."""
    rows, habits = [], []
    since = (scene.now - 3 * _YEAR).strftime("%Y-%m-%dT%H:%M:%S.000+0000")
    for number, (wins, diligence) in enumerate(HABITS):
        first, last = words.FIRST_NAMES[7 * number + 3], f"{words.LAST_BEGIN[5 * number]}{words.LAST_END[3 * number]}"
        address = f"{first}.{last}@sales.practice.example".lower()
        user = {"FirstName": first, "LastName": last, "Username": address, "Email": address, "Alias": f"rep{number}"}
        rows.append({**user, "IsActive": True, "CreatedDate": since, "Title": "Account Executive"})
        habits.append({"wins": wins, "diligence": diligence})
    return [{**user, **each} for user, each in zip(scene.create("User", rows), habits, strict=True)]


def pass_by(scene: Scene, accounts: Sequence[Row], contacts: Sequence[Row]) -> None:
    """Some older accounts became customers, and were asked to renew a year later."""
    first = {contact["AccountId"]: contact for contact in reversed(contacts)}
    rows = [row for each in accounts if scene.chance(0.4) for row in _customer(scene, each)]
    deals = scene.create("Opportunity", rows)
    roles = [
        {
            "OpportunityId": deal["Id"],
            "ContactId": contact["Id"],
            "Role": "Decision Maker",
            "IsPrimary": True,
            "CreatedDate": max(deal["CreatedDate"], contact["CreatedDate"]),
        }
        for deal in deals
        if (contact := first.get(deal["AccountId"]))
    ]
    scene.create("OpportunityContactRole", roles)


def _customer(scene: Scene, account: Row) -> Iterator[Row]:
    at = datetime.fromisoformat(account["CreatedDate"]) + timedelta(days=scene.rng.randint(20, 90))
    won = at + _YEAR < scene.now
    if not won:  # too young to have been asked again
        return
    amount = scene.rng.randint(8, 200) * 500
    yield _deal(account, "Platform", "Closed Won", amount, at)
    asked = at + _YEAR
    if scene.chance(0.65):
        yield _deal(account, "Renewal", "Closed Won", round(amount * scene.rng.uniform(0.9, 1.3), -2), asked)
        return
    yield _deal(account, "Renewal", "Closed Lost", amount, asked)
    back = asked + timedelta(days=scene.rng.randint(45, 150))
    if back < scene.now and scene.chance(0.5):
        yield _deal(account, "Comeback", "Closed Won", round(amount * 0.8, -2), back)


def _deal(account: Row, what: str, stage: str, amount: float, closed: datetime) -> Row:
    created = closed - timedelta(days=15)
    return {
        "AccountId": account["Id"],
        "OwnerId": account["OwnerId"],
        "Name": f"{account['Name']} - {what}",
        "StageName": stage,
        "Amount": amount,
        "CloseDate": closed.date().isoformat(),
        "CreatedDate": created.strftime("%Y-%m-%dT%H:%M:%S.000+0000"),
    }
