"""Several requests in one: Composite and Batch. Each counts as one API call."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from practice_org.salesforce.org import PracticeOrg
from practice_org.salesforce.problems import Problem
from practice_org.salesforce.rest.calls import Call, Reply, Router, boolean, count_rows, parser_error, refusal, refused

MOST_PARTS, MOST_QUERIES = 25, 5
MOST_OF_GRAPH = 500
_REFERENCE = re.compile(r"@\{([^}]+)\}")
_COSTLY = re.compile(r"(query|queryAll|composite/sobjects)\b")
_HALTED = "The transaction was rolled back since another operation in the same transaction failed."


def routes(router: Router) -> None:
    router.add("composite", POST=lambda org, call: composite(org, call, router))
    router.add("composite/graph", POST=lambda org, call: graph(org, call, router))
    router.add("composite/batch", POST=lambda org, call: batch(org, call, router))


class _Undo(Exception):
    """Rolls an all-or-none Composite back."""


def composite(org: PracticeOrg, call: Call, router: Router) -> Reply:
    body = call.mapping()
    shown = _answered(org, call, body, router, most=MOST_PARTS, most_queries=MOST_QUERIES)
    return Reply(body={"compositeResponse": shown})


def graph(org: PracticeOrg, call: Call, router: Router) -> Reply:
    """Several graphs, each a Composite of up to 500 parts that is done whole or not at all."""
    asked = call.mapping().get("graphs")
    if not isinstance(asked, list) or not asked or not all(isinstance(one, dict) for one in asked):
        raise parser_error("graphs has to be a list of graphs")
    if len({str(one.get("graphId") or "") for one in asked} - {""}) < len(asked):
        raise Problem(400, "INVALID_REQUEST", "Each graph needs a graphId of its own")
    graphs = []
    for one in asked:
        whole = {**one, "allOrNone": True}
        parts = _answered(org, call, whole, router, most=MOST_OF_GRAPH, most_queries=MOST_OF_GRAPH)
        fine = all(part["httpStatusCode"] < 400 for part in parts)
        graphs.append({"graphId": str(one["graphId"]), "graphResponse": {"compositeResponse": parts},
                       "isSuccessful": fine})  # fmt: skip
    return Reply(body={"graphs": graphs})


def _answered(
    org: PracticeOrg, call: Call, body: Mapping[str, Any], router: Router, *, most: int, most_queries: int
) -> list[dict[str, Any]]:
    """The answers to the subrequests of a Composite or of one graph."""
    parts = body.get("compositeRequest")
    if not isinstance(parts, list) or not parts or not all(isinstance(part, dict) for part in parts):
        raise parser_error("compositeRequest has to be a list of subrequests")
    if len(parts) > most:
        raise _limit(f"The request can't contain more than {most} subrequests")
    names = [str(part.get("referenceId", "")) for part in parts]
    if not all(names) or len(set(names)) < len(names):
        raise Problem(400, "INVALID_REQUEST", "Each subrequest needs a referenceId of its own")
    if sum(bool(_COSTLY.match(_below(part, call)[0])) for part in parts) > most_queries:
        raise _limit(f"The request can't contain more than {most_queries} query or collection subrequests")
    answers: dict[str, Reply] = {}
    try:
        with org.db.transaction():
            rows = _rows(parts)
            for part, name in zip(parts, names, strict=True):
                answers[name] = _part(org, call, part, answers, router, rows)
                if boolean(body.get("allOrNone", False)) and answers[name].status >= 400:
                    raise _Undo
    except _Undo:
        failed = list(answers)[-1]
        halted = refusal(Problem(400, "PROCESSING_HALTED", _HALTED))
        answers = {name: answers[name] if name == failed else halted for name in names}
    return [
        {"body": reply.body, "httpHeaders": reply.headers, "httpStatusCode": reply.status, "referenceId": name}
        for name, reply in answers.items()
    ]


def _limit(text: str) -> Problem:
    return Problem(400, "LIMIT_EXCEEDED", text)


def _below(part: Mapping[str, Any], call: Call) -> tuple[str, str]:
    """Path under the version and query string of a subrequest's URL."""
    url = urlsplit(str(part.get("url", "")))
    match = re.match(r"/?(?:services/data/)?v[\d.]+/(.*)", url.path)
    return match[1] if match else url.path.lstrip("/"), url.query


def _rows(parts: list[Mapping[str, Any]]) -> Counter[str]:
    """Rows by object over all Collections of the request: governor limits know only the whole."""
    total: Counter[str] = Counter()
    for part in parts:
        body = part.get("body")
        if isinstance(body, dict) and isinstance(body.get("records"), list):
            total += count_rows(body["records"])
    return total


def _part(
    org: PracticeOrg,
    call: Call,
    part: Mapping[str, Any],
    answers: Mapping[str, Reply],
    router: Router,
    rows: Mapping[str, int],
) -> Reply:
    try:
        filled = _filled(part, answers)
    except Problem as problem:
        return refusal(problem)
    struck = refused(org, str(filled.get("url", "")))
    if struck is not None:
        return struck
    headers = {str(name).lower(): str(value) for name, value in (filled.get("httpHeaders") or {}).items()}
    return router.dispatch(org, _sub(call, filled, filled.get("body"), headers, rows))


def _sub(
    call: Call, part: Mapping[str, Any], content: Any, headers: Mapping[str, str], rows: Mapping[str, int]
) -> Call:
    """One subrequest as a call; it inherits the headers of the whole request."""
    path, query = _below(part, call)
    parameters = dict(parse_qsl(query, keep_blank_values=True))
    method = str(part.get("method", "GET")).upper()
    merged = {**call.headers, **headers}
    return Call(
        method, call.version, path, parameters, merged, content=content, transaction=rows, instance=call.instance
    )


def _filled(value: Any, answers: Mapping[str, Reply]) -> Any:
    """``@{name.field}`` replaced by what the named answer holds. Raises PROCESSING_HALTED when that one failed."""
    if isinstance(value, dict):
        return {key: _filled(inner, answers) for key, inner in value.items()}
    if isinstance(value, list):
        return [_filled(inner, answers) for inner in value]
    if not isinstance(value, str) or "@{" not in value:
        return value
    whole = _REFERENCE.fullmatch(value)
    if whole:
        return _looked_up(whole[1], answers)
    return _REFERENCE.sub(lambda match: str(_looked_up(match[1], answers)), value)


def _looked_up(text: str, answers: Mapping[str, Reply]) -> Any:
    name, *steps = re.findall(r"[^.\[\]]+", text)
    reply = answers.get(name)
    if reply is None:
        raise Problem(400, "PROCESSING_HALTED", f"Invalid reference specified. No value for {text} found")
    if reply.status >= 400:
        raise Problem(400, "PROCESSING_HALTED", f"The dependent subrequest {name} failed")
    found = reply.body
    for step in steps:
        try:
            found = found[int(step)] if isinstance(found, list) else found[step]
        except (KeyError, IndexError, TypeError, ValueError):
            text = f"Invalid reference specified. No value for {text} found in {name}"
            raise Problem(400, "PROCESSING_HALTED", text) from None
    return found


def batch(org: PracticeOrg, call: Call, router: Router) -> Reply:
    """Up to 25 independent requests."""
    body = call.mapping()
    parts = body.get("batchRequests")
    if not isinstance(parts, list) or not all(isinstance(part, dict) for part in parts):
        raise parser_error("batchRequests has to be a list of requests")
    if not 1 <= len(parts) <= MOST_PARTS:
        raise parser_error(f"batchRequests has to be a list of 1 to {MOST_PARTS} requests")
    results: list[dict[str, Any]] = []
    for part in parts:
        reply = router.dispatch(org, _sub(call, part, part.get("richInput"), {}, {}))
        results.append({"statusCode": reply.status, "result": reply.body})
        if boolean(body.get("haltOnError", False)) and reply.status >= 400:
            halted = {"statusCode": 412, "result": [{"errorCode": "BATCH_PROCESSING_HALTED", "message": "halted"}]}
            results += [halted] * (len(parts) - len(results))
            break
    return Reply(body={"hasErrors": any(one["statusCode"] >= 400 for one in results), "results": results})
