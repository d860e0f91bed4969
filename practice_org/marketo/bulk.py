"""Bulk extracts of the Marketo imitation: activities and leads of up to 31 days as one file.

A job is created, enqueued, waits for one of two workers, and leaves a file for seven days. Not documented, so chosen
here (UNCONFIRMED): both ends of a range are included; a file that is not there answers HTTP 404; ids of jobs that
nobody knows answer 1013.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Mapping
from datetime import timedelta
from functools import partial
from typing import Any

from starlette.responses import Response

from practice_org.marketo import query
from practice_org.marketo import rows as rows_of
from practice_org.marketo.exports import Job
from practice_org.marketo.gate import CENTRAL
from practice_org.marketo.instance import Instance
from practice_org.marketo.objects import DELETE
from practice_org.marketo.query import Ask, MarketoError
from practice_org.marketo.reads import given, lead_value

QUEUE, WORKERS, KEPT = 10, 2, timedelta(days=7)
ACTIVITY_COLUMNS = (
    "marketoGUID", "leadId", "activityDate", "activityTypeId", "campaignId", "primaryAttributeValueId",
    "primaryAttributeValue", "attributes",
)  # fmt: skip
DELIMITERS = {"CSV": ",", "TSV": "\t", "SSV": " "}
_RANGE = re.compile(r"bytes=(\d+)-(\d*)\Z")


def create(marketo: Instance, ask: Ask, kind: str) -> dict[str, Any]:
    content, org = ask.content(), marketo.org
    style = str(content.get("format") or "CSV").upper()
    if style not in DELIMITERS:
        raise MarketoError("1003", f"Invalid data: format '{style}'")
    filters = content.get("filter")
    if not isinstance(filters, dict):
        raise MarketoError("1002", "Missing value for the required parameter 'filter'")
    span = _span(filters, ("createdAt",) if kind == "activities" else ("createdAt", "updatedAt"))
    types = frozenset(filters.get("activityTypeIds") or ())
    if not types <= marketo.types.keys() - {DELETE}:
        raise MarketoError("1003", "Invalid data: activityTypeIds")
    known, default = (ACTIVITY_COLUMNS, ACTIVITY_COLUMNS) if kind == "activities" else (tuple(marketo.fields), ())
    fields = query.known_fields(",".join(content.get("fields") or ()), known, default)
    if not fields:
        raise MarketoError("1002", "Missing value for the required parameter 'fields'")
    _check_quota(marketo)
    job = Job(kind, style, fields, content.get("columnHeaderNames") or {}, span, types, marketo.epoch())
    with org.db.lock:
        marketo.exports.jobs[job.id] = job
    return {"result": [job.as_json()]}


def _span(filters: Mapping[str, Any], names: tuple[str, ...]) -> tuple[str, int, int]:
    chosen = [name for name in names if name in filters]
    if len(chosen) != 1:
        raise MarketoError("1003", f"Invalid data: exactly one filter of {', '.join(names)} is needed")
    ends = filters[chosen[0]]
    if not isinstance(ends, dict) or not {"startAt", "endAt"} <= ends.keys():
        raise MarketoError("1003", f"Invalid data: {chosen[0]} needs startAt and endAt")
    start, end = (query.moment(name, str(ends[name])) for name in ("startAt", "endAt"))
    if not 0 <= end - start <= query.LONGEST_RANGE.total_seconds():
        raise MarketoError("1003", f"Invalid data: the range of {chosen[0]} is longer than 31 days, or ends first")
    return chosen[0], start, end


def _check_quota(marketo: Instance) -> None:
    """What was exported since midnight, of every kind."""
    midnight = marketo.org.clock.now().astimezone(CENTRAL).replace(hour=0, minute=0, second=0).timestamp()
    used = sum(len(job.content) for job in marketo.exports.jobs.values() if (job.finished_at or 0) >= midnight)
    megabytes = marketo.switches.export_megabytes
    if used >= megabytes * 1024 * 1024:
        raise MarketoError("1029", f"Export daily quota {megabytes}MB exceeded.")


def enqueue(marketo: Instance, ask: Ask, kind: str, job_id: str) -> dict[str, Any]:
    with marketo.org.db.lock:
        job = marketo.exports.find(kind, job_id)
        _advance(marketo, ask.path)
        if job.status != "Created":
            raise MarketoError("1029", "Job already queued")
        if len(marketo.exports.at_work("Queued", "Processing")) >= QUEUE:
            raise MarketoError("1029", f"Too many jobs ({QUEUE}) in queue")
        _check_quota(marketo)
        job.status, job.queued_at = "Queued", marketo.epoch()
        return {"result": [job.as_json()]}


def cancel(marketo: Instance, ask: Ask, kind: str, job_id: str) -> dict[str, Any]:
    with marketo.org.db.lock:
        job = marketo.exports.find(kind, job_id)
        if job.status in ("Created", "Queued", "Processing"):
            job.status = "Cancelled"
        return {"result": [job.as_json()]}


def status(marketo: Instance, ask: Ask, kind: str, job_id: str) -> dict[str, Any]:
    with marketo.org.db.lock:
        job = marketo.exports.find(kind, job_id)
        _advance(marketo, ask.path)
        return {"result": [job.as_json()]}


def listing(marketo: Instance, ask: Ask, kind: str) -> dict[str, Any]:
    with marketo.org.db.lock:
        _advance(marketo, ask.path)
        return {"result": [job.as_json() for job in marketo.exports.jobs.values() if job.kind == kind]}


def _advance(marketo: Instance, path: str) -> None:
    """What the workers did since anybody looked."""
    now = marketo.epoch()
    waiting = marketo.exports.at_work("Queued", "Processing")
    slow = marketo.org.faults.take("slow_job", path) if waiting else None
    for job in waiting[:WORKERS]:
        if job.status == "Queued":
            job.status, job.started_at = "Processing", now
        if slow is not None and slow.values.get("failed"):
            job.status = "Failed"
        elif slow is None and now - (job.started_at or now) >= marketo.switches.job_seconds:
            job.content, job.records = _file(marketo, job)
            job.status, job.finished_at = "Completed", now


def _file(marketo: Instance, job: Job) -> tuple[bytes, int]:
    """The file and how many records it holds; null where a field has no value."""
    db, (name, start, end) = marketo.org.db.connection, job.span
    if job.kind == "leads":
        found = rows_of.leads_between(db, name, start, end)
    else:
        found = rows_of.activities_between(db, start, end, marketo.epoch())
        allowed = job.types or marketo.types.keys() - {DELETE}
        found = [body for body in found if body["activityTypeId"] in allowed]
    text = io.StringIO()
    writer = csv.writer(text, delimiter=DELIMITERS[job.format], lineterminator="\n")
    writer.writerow([job.titles.get(each, each) for each in job.fields])
    cell = _activity_cell if job.kind == "activities" else partial(lead_value, marketo)
    writer.writerows([_text(cell(body, each)) for each in job.fields] for body in found)
    return text.getvalue().encode(), len(found)


def _activity_cell(body: Mapping[str, Any], name: str) -> Any:
    if name == "attributes":
        return json.dumps(given(body), ensure_ascii=False, separators=(",", ":"))
    if name == "activityDate":
        return query.stamp(body[name])
    return body["id"] if name == "marketoGUID" else body.get(name)


def _text(value: Any) -> str:
    if value is None:
        return "null"
    return str(value).lower() if isinstance(value, bool) else str(value)


def download(marketo: Instance, ask: Ask, kind: str, job_id: str) -> Response:
    """The file, or the part of it that Range asks for."""
    job = marketo.exports.find(kind, job_id)
    lost = marketo.org.faults.take("locator_expired", ask.path)
    old = marketo.epoch() - (job.finished_at or 0) > KEPT.total_seconds()
    if job.status != "Completed" or lost or old:
        raise MarketoError("404", "Not Found", 404)
    content, size = job.content, len(job.content)
    if marketo.switches.spoil_files:
        content = content[: size // 2] + b"#" + content[size // 2 + 1 :]
    part = _RANGE.match(ask.headers.get("range", ""))
    if part is None:
        return Response(content, media_type="text/csv", headers={"Accept-Ranges": "bytes"})
    first, last = int(part[1]), min(int(part[2] or size - 1), size - 1)
    if first > last:
        return Response(status_code=416, headers={"Content-Range": f"bytes */{size}"})
    headers = {"Content-Range": f"bytes {first}-{last}/{size}"}
    return Response(content[first : last + 1], 206, headers=headers, media_type="text/csv")
