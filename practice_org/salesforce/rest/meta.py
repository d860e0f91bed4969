"""What an org says of itself: resources, objects, fields, limits; and what changed or went away in a window."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from practice_org.salesforce import currencies, describe, values
from practice_org.salesforce.org import PracticeOrg
from practice_org.salesforce.problems import Problem
from practice_org.salesforce.rest.calls import Call, Reply, Router, since
from practice_org.salesforce.rest.rows import create, last_modified, record, spec_of, unchanged
from practice_org.salesforce.schema import ObjectSpec
from practice_org.salesforce.storage import quoted

_RESOURCES = (
    "sobjects",
    "query",
    "queryAll",
    "composite",
    "limits",
    "search",
    "parameterizedSearch",
    "jobs",
    "recent",
    "identity",
)
_UPDATED_BACK, _DELETED_BACK = timedelta(days=30), timedelta(days=15)
_MOST_IDS = 600_000
_LIMITS = {
    "ConcurrentAsyncGetReportInstances": 200,
    "ConcurrentSyncReportRuns": 20,
    "DailyAsyncApexExecutions": 250000,
    "DailyBulkApiBatches": 15000,
    "DailyBulkV2QueryFileStorageMB": 976562,
    "DailyBulkV2QueryJobs": 10000,
    "DailyGenericStreamingApiEvents": 10000,
    "DailyStreamingApiEvents": 10000,
    "DataStorageMB": 5,
    "FileStorageMB": 20,
    "HourlyODataCallout": 1000,
    "MassEmail": 10,
    "SingleEmail": 15,
}


def routes(router: Router) -> None:
    router.add("", GET=resources)
    router.add("sobjects", GET=describe_global)
    router.add("limits", GET=limits)
    router.add("limits/recordCount", GET=record_count)
    router.add("recent", GET=recent)
    router.add("connect/organization", GET=organization)
    router.add(r"sobjects/(?P<name>\w+)", GET=basic, POST=create)
    router.add(r"sobjects/(?P<name>\w+)/describe", GET=describe_one)
    router.add(r"sobjects/(?P<name>\w+)/updated", GET=updated)
    router.add(r"sobjects/(?P<name>\w+)/deleted", GET=deleted)


def resources(org: PracticeOrg, call: Call) -> Reply:
    found = {name: f"{call.base}/{name}" for name in _RESOURCES}
    return Reply(body={**found, "identity": f"{call.instance}/id/{org.organization_id}/{org.user_id}"})


def organization(org: PracticeOrg, call: Call) -> Reply:
    """What Connect REST says of the org: the one place that names the currency of an org with a single one."""
    several = currencies.codes(org)
    features = {"multiCurrency": bool(several), "defaultCurrencyIsoCode": None if several else currencies.only(org)}
    name = org.db.read("SELECT Name FROM Organization")[0][0]
    return Reply(body={"orgId": org.organization_id, "name": name, "features": features})


def _shown(org: PracticeOrg) -> list[ObjectSpec]:
    return sorted((one for one in org.schema.objects.values() if org.schema.shown(one.name)), key=lambda one: one.name)


def describe_global(org: PracticeOrg, call: Call) -> Reply:
    found = [describe.brief(spec, call.base) for spec in _shown(org)]
    return Reply(body={"encoding": "UTF-8", "maxBatchSize": 200, "sobjects": found})


def describe_one(org: PracticeOrg, call: Call, name: str) -> Reply:
    spec = spec_of(org, name)
    if unchanged(call, org.schema_changed):
        return Reply(304)
    return Reply(body=describe.full(org, spec, call.base), headers=last_modified(org.schema_changed))


def basic(org: PracticeOrg, call: Call, name: str) -> Reply:
    spec = spec_of(org, name)
    sql = f"SELECT Id FROM {quoted(spec.name)} WHERE IsDeleted = 0 ORDER BY SystemModstamp DESC, Id DESC LIMIT 5"
    fields = "Id,Name" if spec.find("Name") else "Id"
    found = [record(org, spec, row[0], fields, call.base) for row in org.db.read(sql)]
    return Reply(body={"objectDescribe": describe.brief(spec, call.base), "recentItems": found})


def recent(org: PracticeOrg, call: Call) -> Reply:
    """The records last written, as a stand-in for those last viewed."""
    asked = call.query.get("limit", "")
    most = min(200, int(asked)) if asked.isascii() and asked.isdigit() else 200
    found: list[dict[str, Any]] = []
    for name in ("Account", "Contact", "Lead", "Opportunity"):
        spec = org.schema.get(name)
        sql = f"SELECT Id FROM {quoted(name)} WHERE IsDeleted = 0 ORDER BY SystemModstamp DESC, Id DESC LIMIT {most}"
        found += [row for (one,) in org.db.read(sql) if (row := record(org, spec, one, "Id,Name", call.base))]
    return Reply(body=found[:most])


def limits(org: PracticeOrg, call: Call) -> Reply:
    daily = {"Max": org.daily_limit, "Remaining": max(0, org.daily_limit - org.used_today())}
    others = {name: {"Max": most, "Remaining": most} for name, most in _LIMITS.items()}
    return Reply(body={"DailyApiRequests": daily, **others})


def record_count(org: PracticeOrg, call: Call) -> Reply:
    """Rows by object, of those asked for or of all; a name that is none is left out."""
    asked = [name for name in call.query.get("sObjects", "").split(",") if name]
    specs = [org.schema.shown(name) for name in asked] if asked else list(org.schema.objects.values())
    found = []
    for spec in specs:
        if spec is not None:
            sql = f"SELECT COUNT(*) FROM {quoted(spec.name)} WHERE IsDeleted = 0"
            found.append({"count": org.db.read(sql)[0][0], "name": spec.name})
    return Reply(body={"sObjects": found})


def _window(org: PracticeOrg, call: Call, back: timedelta) -> tuple[datetime, datetime]:
    if "start" not in call.query or "end" not in call.query:
        raise Problem(400, "MISSING_ARGUMENT", "start and end are needed")
    start, end = (since(call.query[name]).replace(microsecond=0) for name in ("start", "end"))
    if start >= end or (end - start) < timedelta(minutes=1):
        raise Problem(400, "INVALID_REPLICATION_DATE", "startDate must be before the endDate by more than one minute")
    if start < org.clock.now() - back:
        text = f"startDate before org replication enablement date: not more than {back.days} days ago"
        raise Problem(400, "INVALID_REPLICATION_DATE", text)
    return start, end


def _covered(org: PracticeOrg, end: datetime) -> str:
    """Up to where the answer is complete: the start of the oldest transaction that is still open."""
    return values.stamp(min(end, org.clock.now(), org.db.oldest_open() or end))


def _replicated(org: PracticeOrg, name: str) -> ObjectSpec:
    spec = spec_of(org, name)
    if "r" not in spec.flags:
        raise Problem(400, "INVALID_TYPE", f"sObject type '{spec.name}' is not replicateable")
    return spec


def updated(org: PracticeOrg, call: Call, name: str) -> Reply:
    spec = _replicated(org, name)
    start, end = _window(org, call, _UPDATED_BACK)
    sql = f"SELECT Id FROM {quoted(spec.name)} WHERE IsDeleted = 0 AND SystemModstamp >= ? AND SystemModstamp < ?"
    found = [row[0] for row in org.db.read(sql, (values.stamp(start), values.stamp(end)))]
    if len(found) > _MOST_IDS:
        raise Problem(400, "EXCEEDED_ID_LIMIT", f"more than {_MOST_IDS} ids; ask for a shorter window")
    return Reply(body={"ids": found, "latestDateCovered": _covered(org, end)})


def deleted(org: PracticeOrg, call: Call, name: str) -> Reply:
    spec = _replicated(org, name)
    start, end = _window(org, call, _DELETED_BACK)
    earliest = max(org.deleted_log_from, org.clock.now() - _DELETED_BACK)
    sql = "SELECT id, deleted_date FROM _deleted WHERE object = ? AND deleted_date >= ? AND deleted_date < ?"
    window = (spec.name, values.stamp(max(start, org.deleted_log_from)), values.stamp(end))
    found = [{"id": one, "deletedDate": date} for one, date in org.db.read(f"{sql} ORDER BY 2, 1", window)]
    covered = {"earliestDateAvailable": values.stamp(earliest), "latestDateCovered": _covered(org, end)}
    return Reply(body={"deletedRecords": found, **covered})
