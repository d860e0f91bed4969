"""query, queryAll and the pages behind nextRecordsUrl."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

from practice_org.salesforce import ids
from practice_org.salesforce.jobs import Open
from practice_org.salesforce.org import PracticeOrg
from practice_org.salesforce.problems import Problem
from practice_org.salesforce.rest.calls import Call, Reply, Router, boolean
from practice_org.salesforce.soql import run as soql_run
from practice_org.salesforce.soql.parse import Item, Path
from practice_org.salesforce.soql.select import Child, Node, Plan, Slot
from practice_org.salesforce.storage import quoted

LIFE = timedelta(days=2)
_KEPT = 500  # open locators; the oldest goes first, where a real org would go on for ever
_LOCATOR = re.compile(r"(?P<id>[0-9A-Za-z]{15,18})-(?P<start>\d+)\Z")


def routes(router: Router) -> None:
    router.add("query", GET=query)
    router.add("queryAll", GET=query_all)
    router.add("query(?:All)?/(?P<locator>[^/]+)", GET=more)


def batch_size(call: Call, default: int = 2000) -> int:
    """``Sforce-Query-Options: batchSize=N``, 200 to 2000. Raises for anything else."""
    text = call.headers.get("sforce-query-options", "")
    match = re.search(r"batchSize\s*=\s*(\d+)", text, re.IGNORECASE)
    if not match:
        return default
    return min(2000, max(200, int(match[1])))


def query(org: PracticeOrg, call: Call, *, all_rows: bool = False) -> Reply:
    if "explain" in call.query:
        return _explained(org, call.query["explain"], all_rows=all_rows)
    text = call.query.get("q")
    if not text:
        raise Problem(400, "MALFORMED_QUERY", "A query string has to be specified")
    if boolean(call.query.get("columns")):
        return _columns(soql_run.snapshot(org, text, all_rows=all_rows).plan)
    size = batch_size(call)
    result = soql_run.run(org, text, all_rows=all_rows, page=size, base=call.base)
    org.faults.query(result.plan.spec.name, result.total)
    body: dict[str, Any] = {"totalSize": result.total, "done": result.rowids is None}
    if result.rowids is not None:
        locator = ids.generate("0r8", org.number("0r8"))
        org.locators[locator] = Open(result, size, org.clock.now())
        while len(org.locators) > _KEPT:
            del org.locators[next(iter(org.locators))]
        body["nextRecordsUrl"] = f"{call.base}/query/{locator}-{size}"
    return Reply(body={**body, "records": result.first})


def _explained(org: PracticeOrg, text: str, *, all_rows: bool) -> Reply:
    """One plan, the reading of the whole table: the practice org has no optimizer to ask."""
    result = soql_run.snapshot(org, text, all_rows=all_rows)
    spec = result.plan.spec
    whole = int(org.db.read(f"SELECT COUNT(*) FROM {quoted(spec.name)} WHERE IsDeleted = 0")[0][0])
    plan = {
        "cardinality": result.total,
        "fields": [],
        "leadingOperationType": "TableScan",
        "notes": [],
        "relativeCost": round(result.total / max(1, whole), 3),
        "sobjectCardinality": whole,
        "sobjectType": spec.name,
    }
    return Reply(body={"plans": [plan], "sourceQuery": text})


def _columns(plan: Plan) -> Reply:
    """What a query would give, without a row of it."""
    body = {
        "columnMetadata": [_column(key, what, aggregate=plan.aggregate) for key, what in plan.root.keys],
        "entityName": plan.spec.name,
        "groupBy": plan.aggregate,
        "idSelected": any(key == "Id" for key, _ in plan.root.keys),
        "keyPrefix": plan.spec.prefix,
    }
    return Reply(body=body)


def _column(name: str, what: Slot | Node | Child, *, aggregate: bool = False) -> dict[str, Any]:
    kind, custom, inner = "", False, []
    if isinstance(what, Slot):
        kind, custom = what.spec.type, what.spec.custom
    elif isinstance(what, Node):
        inner = [_column(key, one) for key, one in what.keys]
    else:
        names = [one.of.names[-1] for one in what.query.select if isinstance(one, Item) and isinstance(one.of, Path)]
        inner = [_column(found.name, Slot(0, found)) for name in names if (found := what.spec.find(name))]
    number = kind in ("int", "double", "currency", "percent")
    return {
        "aggregate": aggregate or isinstance(what, Child),
        "booleanType": kind == "boolean",
        "columnName": name,
        "custom": custom,
        "displayName": name,
        "foreignKeyName": what.spec.name if isinstance(what, Child) else None,
        "insertable": isinstance(what, Slot) and what.spec.createable,
        "joinColumns": inner,
        "numberType": number,
        "textType": bool(kind) and not number and kind not in ("boolean", "date", "datetime"),
        "updatable": isinstance(what, Slot) and what.spec.updateable,
    }


def query_all(org: PracticeOrg, call: Call) -> Reply:
    return query(org, call, all_rows=True)


def more(org: PracticeOrg, call: Call, locator: str) -> Reply:
    match = _LOCATOR.match(locator)
    found = org.locators.get(ids.full(match["id"])) if match and ids.is_id(match["id"]) else None
    gone = found is None or org.clock.now() - found.since > LIFE or org.faults.take("locator_expired")
    if not match or found is None or gone:  # the status is UNCONFIRMED
        raise Problem(400, "INVALID_QUERY_LOCATOR", "invalid query locator")
    start, size = int(match["start"]), batch_size(call, found.size)
    records = soql_run.later(org, found.result, start, size, call.base)
    after = start + size
    body: dict[str, Any] = {"totalSize": found.result.total, "done": after >= found.result.total}
    if not body["done"]:
        body["nextRecordsUrl"] = f"{call.base}/query/{match['id']}-{after}"
    return Reply(body={**body, "records": records})
