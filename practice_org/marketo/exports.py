"""Extract jobs: what they are, and where they are kept."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from practice_org.marketo import query
from practice_org.marketo.query import MarketoError


@dataclass(slots=True)
class Job:
    """``span`` is the field of the range and its ends; times are epoch seconds."""

    kind: str
    format: str
    fields: list[str]
    titles: Mapping[str, str]
    span: tuple[str, int, int]
    types: frozenset[int]
    created_at: int
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    status: str = "Created"
    queued_at: int | None = None
    started_at: int | None = None
    finished_at: int | None = None
    records: int = 0
    content: bytes = b""

    def as_json(self) -> dict[str, Any]:
        times = {"createdAt": self.created_at, "queuedAt": self.queued_at, "startedAt": self.started_at,
                 "finishedAt": self.finished_at}  # fmt: skip
        shown: dict[str, Any] = {"exportId": self.id, "format": self.format, "status": self.status}
        shown.update({name: query.stamp(at) for name, at in times.items() if at is not None})
        if self.status == "Completed":
            digest = hashlib.sha256(self.content).hexdigest()
            shown |= {
                "numberOfRecords": self.records,
                "fileSize": len(self.content),
                "fileChecksum": f"sha256:{digest}",
            }
        return shown


@dataclass
class Exports:
    """The jobs by id, in the order they were made, of every kind together."""

    jobs: dict[str, Job] = field(default_factory=dict)

    def find(self, kind: str, job_id: str) -> Job:
        job = self.jobs.get(job_id)
        if job is None or job.kind != kind:
            raise MarketoError("1013", f"Object not found: export {job_id}")
        return job

    def at_work(self, *states: str) -> list[Job]:
        return sorted((job for job in self.jobs.values() if job.status in states), key=lambda job: job.queued_at or 0)
