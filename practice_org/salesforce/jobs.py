"""What is under way in an org: results under a locator, and bulk jobs."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from practice_org.salesforce.soql import run as soql_run


@dataclass(frozen=True, slots=True)
class Open:
    """A result under a locator."""

    result: soql_run.Result
    size: int
    since: datetime


@dataclass(slots=True)
class Batch:
    """One batch of a job of Bulk API 1.0: what was sent and what came of it; ``part`` is the id of a query's result."""

    id: str
    created: str
    content: bytes
    state: str = "Queued"
    message: str = ""
    result: str = ""
    part: str = ""
    processed: int = 0
    failed: int = 0


@dataclass(slots=True)
class Job:
    """One job. ``result`` belongs to a query, ``content`` and the three files to an ingest, ``batches`` to one of Bulk
    API 1.0; ``started`` is when it was given to the org to work on."""

    id: str
    kind: str  # query | ingest | bulk 1
    version: str
    created: str
    settings: dict[str, Any]
    state: str = "Open"
    result: soql_run.Result | None = None
    content: bytes | None = None
    successful: str = ""
    failed: str = ""
    unprocessed: str = ""
    counts: dict[str, Any] = field(default_factory=dict)
    batches: list[Batch] = field(default_factory=list)
    started: datetime | None = None


@dataclass(slots=True)
class BulkLimits:
    """Of Bulk API 2.0: the size of one upload, counted as base64, and how long a job may take."""

    megabytes: int = 150
    minutes: int = 10
