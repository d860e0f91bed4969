"""query, queryAll and the pages behind nextRecordsUrl."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

from practice_org.salesforce import ids
from practice_org.salesforce.jobs import Open
from practice_org.salesforce.org import PracticeOrg
from practice_org.salesforce.problems import Problem
from practice_org.salesforce.rest.calls import Call, Reply, Router
from practice_org.salesforce.soql import run as soql_run

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
    text = call.query.get("q")
    if not text:
        raise Problem(400, "MALFORMED_QUERY", "A query string has to be specified")
    size = batch_size(call)
    result = soql_run.run(org, text, all_rows=all_rows, page=size, base=call.base)
    body: dict[str, Any] = {"totalSize": result.total, "done": result.rowids is None}
    if result.rowids is not None:
        locator = ids.generate("0r8", org.number("0r8"))
        org.locators[locator] = Open(result, size, org.clock.now())
        while len(org.locators) > _KEPT:
            del org.locators[next(iter(org.locators))]
        body["nextRecordsUrl"] = f"{call.base}/query/{locator}-{size}"
    return Reply(body={**body, "records": result.first})


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
