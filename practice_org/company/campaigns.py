"""The sample company's campaigns: the same ones each year, each in its season, and who was asked and came."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from practice_org.company import words

Row = dict[str, Any]
_ASKED = timedelta(days=21)  # so long before it begins


class Scene(Protocol):
    """What is needed of the builder's scene."""

    rng: random.Random
    now: datetime

    def create(self, name: str, rows: Sequence[Row]) -> list[Row]: ...

    def chance(self, share: float) -> bool: ...


def held(scene: Scene, since: datetime) -> list[Row]:
    """Those that began after ``since``, in order."""
    rows = [
        _campaign(scene.now, name, year) for year in range(since.year, scene.now.year + 1) for name in words.CAMPAIGNS
    ]
    rows = [row for row in rows if since < row["begins"] < scene.now]
    made = scene.create("Campaign", [{key: row[key] for key in row if key not in _OURS} for row in rows])
    return [{**row, "Id": one["Id"]} for row, one in zip(rows, made, strict=True)]


_OURS = ("begins", "ends", "responds")


def _campaign(now: datetime, name: str, year: int) -> Row:
    kind, month, days, responds = words.CAMPAIGNS[name]
    begins = datetime(year, month, 12, 9, tzinfo=UTC)
    ends = begins + timedelta(days=days)
    is_over = ends < now
    return {
        "Name": f"{name} {year}",
        "Type": kind,
        "Status": "Completed" if is_over else "In Progress",
        "IsActive": not is_over,
        "StartDate": begins.date().isoformat(),
        "EndDate": ends.date().isoformat(),
        "CreatedDate": _written(begins - _ASKED),
        "begins": begins,
        "ends": min(ends, now),
        "responds": responds,
    }


def members(scene: Scene, campaigns: Sequence[Row], people: Sequence[Row]) -> None:
    """Some of those who were known in time were asked, and some of them responded while it lasted."""
    rows = []
    for person in people:
        known = datetime.fromisoformat(person["CreatedDate"])
        for campaign in campaigns:
            if known < campaign["ends"] and scene.chance(0.08):
                rows.append(_member(scene, campaign, person, known))
    scene.create("CampaignMember", rows)


def _member(scene: Scene, campaign: Row, person: Row, known: datetime) -> Row:
    responded = scene.chance(campaign["responds"])
    first = max(known, campaign["begins"] if responded else campaign["begins"] - _ASKED)
    at = first + (campaign["ends"] - first) * scene.rng.random() if responded else first
    return {
        "CampaignId": campaign["Id"],
        "LeadId" if "Company" in person else "ContactId": person["Id"],
        "Status": "Responded" if responded else "Sent",
        "CreatedDate": _written(at),
    }


def _written(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%S.000+0000")
