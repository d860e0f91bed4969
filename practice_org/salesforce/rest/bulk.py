"""Bulk API 2.0: query jobs and ingest jobs. A job runs when it is started and says so from the next look on.

The ``slow_job`` fault keeps it InProgress for some looks; one that takes longer than the org allows ends Failed.
Results asked for before the end are 204 without content, as the newer manual says (the older one: 412).
"""

from __future__ import annotations

import base64
from datetime import timedelta
from typing import Any

from practice_org.salesforce import ids
from practice_org.salesforce.jobs import Job
from practice_org.salesforce.org import PracticeOrg
from practice_org.salesforce.problems import Problem, not_found
from practice_org.salesforce.rest import bulk_csv, bulk_ingest
from practice_org.salesforce.rest.calls import Call, Reply, Router
from practice_org.salesforce.rest.rows import typed
from practice_org.salesforce.soql import parse as soql
from practice_org.salesforce.soql import run as soql_run

_FAILED = "InternalServerError : Error while processing the job"
_CSV = "text/csv"
_PAGE = 50_000
_SIDE_BY_SIDE = 5
_NOT_QUERYABLE = ("TaskStatus", "LeadStatus", "OpportunityStage")
_OPERATIONS = ("insert", "update", "upsert", "delete", "hardDelete")


def routes(router: Router) -> None:
    router.add("jobs/query", POST=create_query, GET=list_jobs)
    router.add("jobs/ingest", POST=create_ingest, GET=list_jobs)
    router.add(r"jobs/(?P<kind>query|ingest)/(?P<job>\w+)", GET=show, PATCH=change, DELETE=remove)
    router.add(r"jobs/query/(?P<job>\w+)/results", GET=results)
    router.add(r"jobs/query/(?P<job>\w+)/resultPages", GET=result_pages)
    router.add(r"jobs/ingest/(?P<job>\w+)/batches", PUT=upload)
    router.add(r"jobs/ingest/(?P<job>\w+)/(?P<file>successfulResults|failedResults|unprocessed[Rr]ecords)", GET=files)


def _new(org: PracticeOrg, call: Call, kind: str, settings: dict[str, Any]) -> Job:
    settings = {
        "contentType": "CSV",
        "lineEnding": "LF",
        "columnDelimiter": "COMMA",
        "concurrencyMode": "Parallel",
        **settings,
    }
    if settings["columnDelimiter"] not in bulk_csv.DELIMITERS or settings["lineEnding"] not in bulk_csv.ENDINGS:
        raise Problem(400, "INVALIDJOB", "columnDelimiter or lineEnding is not one of those that are known")
    job = Job(ids.generate("750", org.number("750")), kind, call.version, org.stamp(), settings)
    org.jobs[job.id] = job
    return job


def _found(org: PracticeOrg, call: Call, kind: str, text: str) -> Job:
    job = org.jobs.get(ids.full(text)) if ids.is_id(text) else None
    if job is None or job.kind != kind:
        raise not_found()
    if job.version != call.version:
        raise Problem(409, "API_ERROR", f"the job was made with API version {job.version}")
    return job


def _info(org: PracticeOrg, job: Job, *, brief: bool = False) -> dict[str, Any]:
    shown = {
        "id": job.id,
        **{name: value for name, value in job.settings.items() if value is not None and name != "query"},
        "createdById": org.user_id,
        "createdDate": job.created,
        "systemModstamp": job.created,
        "state": job.state,
        "apiVersion": float(job.version),
    }
    if job.kind == "ingest":
        shown["contentUrl"] = f"services/data/v{job.version}/jobs/ingest/{job.id}/batches"
        shown["jobType"] = "V2Ingest"
    if brief:
        return shown
    if job.kind == "query":
        shown |= {"jobType": "V2Query", "isPkChunkingSupported": True}
    counts: dict[str, Any] = {"numberRecordsProcessed": 0, "retries": 0, "totalProcessingTime": 0}
    if job.kind == "ingest":
        counts |= {"numberRecordsFailed": 0, "apexProcessingTime": 0, "apiActiveProcessingTime": 0}
    return {**shown, **counts, **(job.counts if job.state in ("JobComplete", "Failed") else {})}


def create_query(org: PracticeOrg, call: Call) -> Reply:
    body = call.mapping()
    text, operation = str(body.get("query") or ""), body.get("operation")
    if operation not in ("query", "queryAll"):
        raise Problem(400, "INVALIDJOB", f"operation {operation!r} is not one of query, queryAll")
    query = soql.parse(text)
    name = query.source.names[0]
    spec = typed(org, name)
    if spec.name in _NOT_QUERYABLE:
        raise Problem(400, "INVALIDENTITY", f"Entity '{spec.name}' is not supported by the Bulk API.")
    _refuse_unsupported(query)
    settings = {"operation": operation, "query": text, "object": spec.name}
    settings |= {name: body[name] for name in ("contentType", "lineEnding", "columnDelimiter") if name in body}
    result = soql_run.snapshot(org, text, all_rows=operation == "queryAll")
    if any(what.spec.type == "address" for _, what in bulk_csv.flat(result.plan.root)):
        raise Problem(400, "API_ERROR", "Selecting compound data not supported in Bulk Query")
    job = _new(org, call, "query", settings)
    job.result, job.state, job.started = result, "UploadComplete", org.clock.now()
    job.counts = {"numberRecordsProcessed": result.total, "totalProcessingTime": 1 + result.total // 100}
    return Reply(body=_info(org, job, brief=True))


def _refuse_unsupported(query: soql.Query) -> None:
    for feature, used in (
        ("GROUP BY", bool(query.group)),
        ("OFFSET", query.offset > 0),
        (
            "Aggregate functions",
            any(isinstance(one, soql.Item) and isinstance(one.of, soql.Call) for one in query.select),
        ),
        ("Aggregate Relationships", any(isinstance(one, soql.Query) for one in query.select)),
        ("TYPEOF", any(isinstance(one, soql.TypeOf) for one in query.select)),
    ):
        if used:
            raise Problem(400, "API_ERROR", f"{feature} not supported in Bulk Query")


def list_jobs(org: PracticeOrg, call: Call) -> Reply:
    kind = call.path.strip("/").removeprefix("jobs/")
    found = [_info(org, job, brief=True) for job in org.jobs.values() if job.kind == kind]
    return Reply(body={"done": True, "records": found, "nextRecordsUrl": None})


def show(org: PracticeOrg, call: Call, kind: str, job: str) -> Reply:
    found = _found(org, call, kind, job)
    if found.state in ("UploadComplete", "InProgress"):
        found.state = "InProgress"
        if _too_late(org, found):
            # The words are UNCONFIRMED; ten retries are documented.
            _fail(found, f"InternalServerError : the job took longer than {org.bulk.minutes} minutes", retries=10)
        elif not org.faults.take("slow_job"):
            failed = org.faults.take("failed_job")
            if failed is not None:
                _fail(found, str(failed.values.get("message", _FAILED)))
            elif found.kind == "ingest":
                bulk_ingest.work(org, found)
            else:
                found.state = "JobComplete"
    return Reply(body=_info(org, found))


def _too_late(org: PracticeOrg, job: Job) -> bool:
    return job.started is not None and org.clock.now() - job.started > timedelta(minutes=org.bulk.minutes)


def _fail(job: Job, message: str, retries: int = 0) -> None:
    job.state, job.counts = "Failed", {"errorMessage": message, "retries": retries}
    job.unprocessed = (job.content or b"").decode("utf-8", "replace")


def change(org: PracticeOrg, call: Call, kind: str, job: str) -> Reply:
    found = _found(org, call, kind, job)
    state = str(call.mapping().get("state"))
    ended = found.state in ("JobComplete", "Failed", "Aborted")
    allowed = state == "Aborted" or (kind == "ingest" and state == "UploadComplete" and found.state == "Open")
    if not allowed or ended:
        raise Problem(400, "INVALIDJOBSTATE", f"a job that is {found.state} cannot become {state}")
    if state == "UploadComplete" and found.content is None:
        raise Problem(400, "INVALIDJOBSTATE", "nothing was uploaded")
    found.state = state
    if state == "UploadComplete":
        found.started = org.clock.now()
    return Reply(body=_info(org, found, brief=True))


def remove(org: PracticeOrg, call: Call, kind: str, job: str) -> Reply:
    found = _found(org, call, kind, job)
    if found.state not in ("UploadComplete", "JobComplete", "Failed", "Aborted"):
        raise Problem(400, "INVALIDJOBSTATE", f"a job that is {found.state} cannot be deleted")
    del org.jobs[found.id]
    return Reply(204)


def results(org: PracticeOrg, call: Call, job: str) -> Reply:
    found = _found(org, call, "query", job)
    if found.state != "JobComplete" or found.result is None:
        return Reply(204)
    start = _start(call.query.get("locator"))
    asked = call.query.get("maxRecords", "")
    most = int(asked) if asked.isdigit() and int(asked) > 0 else _PAGE
    text, number = bulk_csv.page(org, found.result, start, most, found.settings)
    after = start + most
    more = after < found.result.total
    locator = _locator(after) if more else "null"
    return Reply(200, text, {"Sforce-NumberOfRecords": str(number), "Sforce-Locator": locator}, _CSV)


def _locator(start: int) -> str:
    return base64.urlsafe_b64encode(str(start).encode()).decode().rstrip("=")


def result_pages(org: PracticeOrg, call: Call, job: str) -> Reply:
    """Up to five addresses of results, to be read side by side."""
    found = _found(org, call, "query", job)
    if found.state != "JobComplete" or found.result is None:
        return Reply(204)
    own = f"{call.base}/jobs/query/{found.id}"
    starts = range(_start(call.query.get("locator")), max(1, found.result.total), _PAGE)
    pages = [{"resultUrl": f"{own}/results?locator={_locator(start)}"} for start in starts[:_SIDE_BY_SIDE]]
    body: dict[str, Any] = {"resultPages": pages, "done": len(starts) <= _SIDE_BY_SIDE}
    if not body["done"]:
        body["nextRecordUrl"] = f"{own}/resultPages?locator={_locator(starts[_SIDE_BY_SIDE])}"
    return Reply(body=body)


def _start(locator: str | None) -> int:
    if not locator or locator == "null":
        return 0
    try:
        return int(base64.urlsafe_b64decode(locator + "=" * (-len(locator) % 4)))
    except ValueError:
        raise Problem(400, "INVALID_QUERY_LOCATOR", "invalid query locator") from None


def create_ingest(org: PracticeOrg, call: Call) -> Reply:
    body = call.mapping()
    operation = body.get("operation")
    if operation not in _OPERATIONS:
        raise Problem(400, "INVALIDJOB", f"operation {operation!r} is not one of {', '.join(_OPERATIONS)}")
    spec = typed(org, str(body.get("object", "")))
    external = body.get("externalIdFieldName")
    if operation == "upsert":
        key = spec.find(str(external or ""))
        if key is None or not (key.external_id or key.type == "id"):
            raise Problem(400, "INVALIDJOB", "upsert needs externalIdFieldName, the name of an external id field")
    names = ("contentType", "lineEnding", "columnDelimiter", "externalIdFieldName", "assignmentRuleId")
    settings = {"operation": operation, "object": spec.name, **{name: body[name] for name in names if name in body}}
    return Reply(body=_info(org, _new(org, call, "ingest", settings), brief=True))


def upload(org: PracticeOrg, call: Call, job: str) -> Reply:
    found = _found(org, call, "ingest", job)
    if found.state != "Open" or found.content is not None:
        raise Problem(400, "INVALIDJOBSTATE", "the content of a job is uploaded once, while it is Open")
    if -(-len(call.body) // 3) * 4 > org.bulk.megabytes * 1_000_000:  # status and words are UNCONFIRMED
        text = f"Maximum size of request reached. Maximum size of request is {org.bulk.megabytes}MB"
        raise Problem(400, "EXCEEDED_MAX_SIZE_REQUEST", text)
    found.content = call.body
    return Reply(201)


def files(org: PracticeOrg, call: Call, job: str, file: str) -> Reply:
    found = _found(org, call, "ingest", job)
    if found.state not in ("JobComplete", "Failed", "Aborted"):
        return Reply(204)
    text = {"successfulResults": found.successful, "failedResults": found.failed}.get(file, found.unprocessed)
    return Reply(200, text, content_type=_CSV)
