"""Bulk API 1.0, ``/services/async/60.0/job``: jobs with batches of CSV or JSON rows, and batches that are a query.

It speaks JSON to who sends or accepts JSON, and XML otherwise; who asks is told by ``X-SFDC-Session``. A batch runs
at the first look on it. Not offered: rows as XML, zipped attachments, PK chunking (its header is not heeded).
UNCONFIRMED: wordings of errors beyond those that clients look for.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any
from xml.etree import ElementTree as Xml
from xml.sax.saxutils import escape  # writes, parses nothing

from practice_org.salesforce import ids
from practice_org.salesforce.jobs import Batch, Job
from practice_org.salesforce.org import PracticeOrg
from practice_org.salesforce.problems import Problem
from practice_org.salesforce.rest import bulk_csv, bulk_ingest
from practice_org.salesforce.rest.calls import Call, Reply, Router
from practice_org.salesforce.rest.rows import typed
from practice_org.salesforce.soql import parse as soql
from practice_org.salesforce.soql import run as soql_run
from practice_org.salesforce.soql.select import Node, Slot

_NAMESPACE = "http://www.force.com/2009/06/asyncapi/dataload"
_QUERIES = ("query", "queryAll")
_OPERATIONS = ("insert", "update", "upsert", "delete", "hardDelete", *_QUERIES)
_MODES = {"0": "Parallel", "1": "Serial"}  # as one client writes them
MOST_ROWS = 10_000
_FILE = {"columnDelimiter": "COMMA", "lineEnding": "LF"}
_CODES = {"INVALID_SESSION_ID": "InvalidSessionId", "INVALID_AUTH_HEADER": "InvalidSessionId",
          "NOT_FOUND": "InvalidUrl", "REQUEST_LIMIT_EXCEEDED": "ExceededQuota"}  # fmt: skip


def routes(router: Router) -> None:
    router.add("job", POST=create)
    router.add(r"job/(?P<job>\w+)", GET=show, POST=change)
    router.add(r"job/(?P<job>\w+)/batch", POST=add_batch, GET=list_batches)
    router.add(r"job/(?P<job>\w+)/batch/(?P<batch>\w+)", GET=show_batch)
    router.add(r"job/(?P<job>\w+)/batch/(?P<batch>\w+)/request", GET=request)
    router.add(r"job/(?P<job>\w+)/batch/(?P<batch>\w+)/result", GET=result)
    router.add(r"job/(?P<job>\w+)/batch/(?P<batch>\w+)/result/(?P<part>\w+)", GET=rows)


def signed(call: Call) -> Call:
    """The session, which comes in a header of its own, where every other resource has it."""
    session = call.headers.get("x-sfdc-session")
    return replace(call, headers={**call.headers, "authorization": f"Bearer {session}"}) if session else call


def refusal(call: Call, problem: Problem) -> Reply:
    """An error as this API writes it: 400 with a code of its own where REST would say 401 or 404."""
    said = {"exceptionCode": _CODES.get(problem.code, problem.code), "exceptionMessage": problem.message}
    status = 400 if problem.status in (401, 404) else problem.status
    return _said(call, "error", said, status)


def _speaks_json(call: Call) -> bool:
    return "json" in f"{call.headers.get('content-type', '')} {call.headers.get('accept', '')}"


def _said(call: Call, name: str, body: Mapping[str, Any], status: int = 200, *, is_json: bool | None = None) -> Reply:
    if _speaks_json(call) if is_json is None else is_json:
        return Reply(status, dict(body))
    inside = _xml(body)
    text = f'<?xml version="1.0" encoding="UTF-8"?><{name} xmlns="{_NAMESPACE}">{inside}</{name}>'
    return Reply(status, text, content_type="application/xml")


def _xml(body: Mapping[str, Any]) -> str:
    parts = []
    for key, value in body.items():
        for each in value if isinstance(value, list) else [value]:
            if each is not None:
                text = _xml(each) if isinstance(each, dict) else escape(bulk_csv.cell(each))
                parts.append(f"<{key}>{text}</{key}>")
    return "".join(parts)


def _asked(call: Call) -> dict[str, Any]:
    """The body's values, from JSON or XML."""
    if "json" in call.headers.get("content-type", ""):
        return call.mapping()
    try:
        root = Xml.fromstring(call.body.decode("utf-8", "replace"))  # noqa: S314 - a practice org trusts its user
    except (Xml.ParseError, ValueError):
        raise Problem(400, "InvalidJob", "Unable to parse the job") from None
    return {each.tag.rpartition("}")[2]: (each.text or "").strip() for each in root}


def create(org: PracticeOrg, call: Call) -> Reply:
    body = _asked(call)
    operation, content = body.get("operation"), str(body.get("contentType") or "XML").upper()
    if operation not in _OPERATIONS:
        raise Problem(400, "InvalidJob", f"Unknown operation: {operation}")
    if content not in ("CSV", "JSON"):
        raise Problem(400, "InvalidJob", f"content type {content} is not offered by the practice org")
    try:
        spec = typed(org, str(body.get("object", "")))
    except Problem:
        raise Problem(400, "InvalidJob", f"Unable to find object: {body.get('object')}") from None
    external = body.get("externalIdFieldName") or None
    key = spec.find(str(external or ""))
    if operation == "upsert" and (key is None or not (key.external_id or key.type == "id")):
        raise Problem(400, "InvalidJob", "externalIdFieldName is missing, or is no external id field")
    mode = str(body.get("concurrencyMode") or "0")
    settings = {"operation": operation, "object": spec.name, "contentType": content, "externalIdFieldName": external,
                "concurrencyMode": _MODES.get(mode, mode), "assignmentRuleId": body.get("assignmentRuleId") or None,
                **_FILE}  # fmt: skip
    job = Job(ids.generate("750", org.number("750")), "bulk 1", call.version, org.stamp(), settings)
    org.jobs[job.id] = job
    return _said(call, "jobInfo", _info(org, job), 201)


def _info(org: PracticeOrg, job: Job) -> dict[str, Any]:
    states = [each.state for each in job.batches]
    named = ("operation", "object", "concurrencyMode", "contentType", "externalIdFieldName", "assignmentRuleId")
    return {
        "id": job.id,
        "createdById": org.user_id,
        "createdDate": job.created,
        "systemModstamp": job.created,
        "state": job.state,
        **{name: job.settings[name] for name in named},
        "apiVersion": float(job.version),
        "numberBatchesQueued": states.count("Queued"),
        "numberBatchesInProgress": states.count("InProgress"),
        "numberBatchesCompleted": states.count("Completed"),
        "numberBatchesFailed": states.count("Failed"),
        "numberBatchesTotal": len(states),
        "numberRecordsProcessed": sum(each.processed for each in job.batches),
        "numberRecordsFailed": sum(each.failed for each in job.batches),
        "numberRetries": 0,
        "totalProcessingTime": 0,
        "apiActiveProcessingTime": 0,
        "apexProcessingTime": 0,
    }


def _job(org: PracticeOrg, text: str) -> Job:
    job = org.jobs.get(ids.full(text)) if ids.is_id(text) else None
    if job is None or job.kind != "bulk 1":
        raise Problem(400, "InvalidJob", f"Invalid job id: {text}")
    return job


def _batch(org: PracticeOrg, job_id: str, batch_id: str) -> tuple[Job, Batch]:
    job = _job(org, job_id)
    full = ids.full(batch_id) if ids.is_id(batch_id) else ""
    batch = next((each for each in job.batches if each.id == full), None)
    if batch is None:
        raise Problem(400, "InvalidBatch", f"Invalid batch id: {batch_id}")
    return job, batch


def show(org: PracticeOrg, call: Call, job: str) -> Reply:
    return _said(call, "jobInfo", _info(org, _job(org, job)))


def change(org: PracticeOrg, call: Call, job: str) -> Reply:
    found, state = _job(org, job), str(_asked(call).get("state"))
    if state not in ("Closed", "Aborted") or found.state != "Open":
        raise Problem(400, "InvalidJobState", f"A job that is {found.state} cannot become {state}")
    found.state = state
    if state == "Aborted":
        for each in found.batches:
            each.state = "NotProcessed" if each.state == "Queued" else each.state
    return _said(call, "jobInfo", _info(org, found))


def add_batch(org: PracticeOrg, call: Call, job: str) -> Reply:
    found = _job(org, job)
    if found.state != "Open":
        raise Problem(400, "InvalidJobState", f"The job is {found.state}: no batch can be added")
    if not call.body:
        raise Problem(400, "ClientInputError", "Failed to read request. Exception: Premature end of file.")
    batch = Batch(ids.generate("751", org.number("751")), org.stamp(), call.body)
    found.batches.append(batch)
    return _batch_said(call, found, batch, 201)


def _batch_info(job: Job, batch: Batch) -> dict[str, Any]:
    return {
        "id": batch.id,
        "jobId": job.id,
        "state": batch.state,
        "stateMessage": batch.message or None,
        "createdDate": batch.created,
        "systemModstamp": batch.created,
        "numberRecordsProcessed": batch.processed,
        "numberRecordsFailed": batch.failed,
        "totalProcessingTime": 0,
        "apiActiveProcessingTime": 0,
        "apexProcessingTime": 0,
    }


def _in_json(call: Call, job: Job) -> bool:
    return job.settings["contentType"] == "JSON" or "json" in call.headers.get("accept", "")


def _batch_said(call: Call, job: Job, batch: Batch, status: int = 200) -> Reply:
    return _said(call, "batchInfo", _batch_info(job, batch), status, is_json=_in_json(call, job))


def list_batches(org: PracticeOrg, call: Call, job: str) -> Reply:
    found = _job(org, job)
    for each in found.batches:
        _advance(org, found, each)
    body = {"batchInfo": [_batch_info(found, each) for each in found.batches]}
    return _said(call, "batchInfoList", body, is_json=_in_json(call, found))


def show_batch(org: PracticeOrg, call: Call, job: str, batch: str) -> Reply:
    found, one = _batch(org, job, batch)
    _advance(org, found, one)
    return _batch_said(call, found, one)


def _advance(org: PracticeOrg, job: Job, batch: Batch) -> None:
    """Runs a batch that waits, unless ``slow_job`` keeps it."""
    if batch.state not in ("Queued", "InProgress"):
        return
    batch.state = "InProgress"
    if org.faults.take("slow_job"):
        return
    failed = org.faults.take("failed_job")
    try:
        if failed is not None:
            raise bulk_ingest.InvalidFile(str(failed.values.get("message", "InternalServerError : try again")))
        (_query if job.settings["operation"] in _QUERIES else _write)(org, job, batch)
        batch.state = "Completed"
    except bulk_ingest.InvalidFile as invalid:
        batch.state, batch.message = "Failed", str(invalid)
    except Problem as problem:
        batch.state, batch.message = "Failed", f"InvalidBatch : Failed to process query: {problem.message}"


def _query(org: PracticeOrg, job: Job, batch: Batch) -> None:
    text = batch.content.decode("utf-8", "replace")
    all_rows = job.settings["operation"] == "queryAll"
    name = soql.parse(text).source.names[0]
    if name.lower() != job.settings["object"].lower():
        raise bulk_ingest.InvalidFile(f"InvalidBatch : Failed to process query: the job is of {job.settings['object']}")
    if job.settings["contentType"] == "JSON":
        base = f"/services/data/v{job.version}"
        found = soql_run.run(org, text, all_rows=all_rows, page=1 << 40, base=base)
        shown = [_in_milliseconds(found.plan.root, each) for each in found.first]
        batch.result, batch.processed = json.dumps(shown), found.total
    else:
        kept = soql_run.snapshot(org, text, all_rows=all_rows)
        batch.result, batch.processed = bulk_csv.page(org, kept, 0, max(1, kept.total), _FILE)
    batch.part = ids.generate("752", org.number("752"))


def _in_milliseconds(node: Node, record: Any) -> Any:
    """JSON of this API has times as milliseconds, as dlt's reader expects them; dates stay texts (UNCONFIRMED)."""
    if not isinstance(record, dict):
        return record
    shown = dict(record)
    for key, what in node.keys:
        if isinstance(what, Node):
            shown[key] = _in_milliseconds(what, record[key])
        elif isinstance(what, Slot) and what.spec.type == "datetime" and record[key]:
            shown[key] = int(datetime.fromisoformat(record[key]).timestamp() * 1000)
    return shown


def _write(org: PracticeOrg, job: Job, batch: Batch) -> None:
    given = _given(job, batch)
    if len(given) > MOST_ROWS:
        raise bulk_ingest.InvalidFile(f"InvalidBatch : At most {MOST_ROWS} records are allowed in a batch")
    results = bulk_ingest.in_batches(org, job, given)
    batch.processed, batch.failed = len(results), sum(not each.success for each in results)
    if job.settings["contentType"] == "CSV":
        told = [(each.id or "", bulk_csv.cell(each.success), bulk_csv.cell(each.success and each.created),
                 "" if each.success else bulk_ingest.error(each.problems[0])) for each in results]  # fmt: skip
        batch.result = bulk_csv.write([("Id", "Success", "Created", "Error"), *told], _FILE)
        return
    batch.result = json.dumps(
        [
            {"success": each.success, "created": each.success and each.created, "id": each.id,
             "errors": [
                 {"message": one.message, "fields": list(one.fields or ()), "statusCode": one.code,
                  "extendedErrorDetails": None}
                 for one in each.problems
             ]}
            for each in results
        ]
    )  # fmt: skip


def _given(job: Job, batch: Batch) -> list[dict[str, Any]]:
    if job.settings["contentType"] == "JSON":
        try:
            found = json.loads(batch.content)
        except ValueError:
            found = None
        if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
            raise bulk_ingest.InvalidFile("InvalidBatch : Records are a JSON list of objects")
        return [{name: value for name, value in each.items() if name != "attributes"} for each in found]
    text = batch.content.decode("utf-8-sig", "replace")
    header, *lines = [row for row in csv.reader(io.StringIO(text, newline="")) if row] or [[]]
    if any(len(line) != len(header) for line in lines):
        raise bulk_ingest.InvalidFile("InvalidBatch : The number of columns in a row does not match the header")
    return [bulk_ingest.row(header, line) for line in lines]


def request(org: PracticeOrg, call: Call, job: str, batch: str) -> Reply:
    found, one = _batch(org, job, batch)
    kind = "application/json" if found.settings["contentType"] == "JSON" else "text/csv"
    return Reply(body=one.content.decode("utf-8", "replace"), content_type=kind)


def result(org: PracticeOrg, call: Call, job: str, batch: str) -> Reply:
    """What became of each row; of a query, the ids of its parts."""
    found, one = _batch(org, job, batch)
    if one.state != "Completed":
        raise Problem(400, "InvalidBatch", f"Batch not completed: {one.state}")
    if found.settings["operation"] not in _QUERIES:
        return _content(found, one)
    if _in_json(call, found):
        return Reply(body=[one.part])
    return _said(call, "result-list", {"result": [one.part]}, is_json=False)


def rows(org: PracticeOrg, call: Call, job: str, batch: str, part: str) -> Reply:
    found, one = _batch(org, job, batch)
    if one.state != "Completed" or part != one.part:
        raise Problem(400, "InvalidBatch", f"Invalid result id: {part}")
    return _content(found, one)


def _content(job: Job, batch: Batch) -> Reply:
    kind = "application/json;charset=UTF-8" if job.settings["contentType"] == "JSON" else "text/csv"
    return Reply(body=batch.result, content_type=kind)


ROUTER = Router()
routes(ROUTER)


def dispatch(org: PracticeOrg, call: Call) -> Reply:
    """The answer; problems become this API's errors."""
    try:
        return ROUTER.find(org, call)
    except Problem as problem:
        return refusal(call, problem)
