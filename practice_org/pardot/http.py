"""The routes of the Account Engagement imitation: pages and records as JSON, refusals with their codes.

``GET /practice/pardot`` shows the switches, POST sets them; no Account Engagement has that path.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime, tzinfo
from email.utils import format_datetime, parsedate_to_datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from practice_org.pardot import rows as pardot_rows
from practice_org.pardot.business_unit import BusinessUnit
from practice_org.pardot.gate import admitted, authorise, strike
from practice_org.pardot.objects import OBJECTS, TIME_FIELDS, ObjectType
from practice_org.pardot.query import PardotError, Query, page_token, read_fields, read_query
from practice_org.serving.gate import changed

METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]
WARNING = "203;The query has reached the number of records one chain of pages may have"


def routes(pardot: BusinessUnit) -> list[Route]:
    """Sync endpoints: each request has a thread, so that five of them can be in hand at once."""

    def objects(request: Request) -> Response:
        return _guarded(pardot, request, _page)

    def record(request: Request) -> Response:
        return _guarded(pardot, request, _record)

    async def practice(request: Request) -> Response:
        return await _practice(pardot, request)

    return [
        Route("/practice/pardot", practice, methods=["GET", "POST"]),
        Route("/api/v5/objects/{object}", objects, methods=METHODS),
        Route("/api/v5/objects/{object}/{id}", record, methods=METHODS),
    ]


Answer = Callable[["BusinessUnit", Request, ObjectType], Response]


def _guarded(pardot: BusinessUnit, request: Request, answer: Answer) -> Response:
    """Everything that is checked before an object is looked at, in the service's order."""
    now = pardot.org.clock.now()
    try:
        authorise(pardot.org, pardot.business_unit_id, request)
        with admitted(pardot.gate, now, pardot.zone, pardot.switches):
            strike(pardot.org, request.url.path)
            kind = OBJECTS.get(request.path_params["object"])
            if kind is None:
                raise PardotError(198, f"There is no endpoint {request.url.path}", 404)
            if request.method not in {"GET", "HEAD"}:
                raise PardotError(198, f"{request.method} is not allowed here", 405)
            response = answer(pardot, request, kind)
    except PardotError as error:
        response = JSONResponse({"code": error.code, "message": error.message}, error.status)
    if request.headers.get("x-return-api-usage") == "1":
        response.headers["x-api-usage"] = f"{pardot.gate.used}/{pardot.switches.daily_limit}"
    response.headers["Date"] = format_datetime(now, usegmt=True)
    return response


async def _practice(pardot: BusinessUnit, request: Request) -> Response:
    """The switches as JSON."""
    if request.method == "POST":
        try:
            pardot.switches = changed(pardot.switches, await request.json())
        except ValueError as error:
            return JSONResponse({"error": str(error)}, 400)
    return JSONResponse(asdict(pardot.switches))


def _page(pardot: BusinessUnit, request: Request, kind: ObjectType) -> Response:
    params = dict(request.query_params)
    now = pardot.org.clock.now()
    fields = read_fields(params, kind)
    query = read_query(params, kind, now=now, zone=pardot.zone)
    horizon = _horizon(pardot)
    query = replace(query, limit=max(1, min(query.limit, pardot.switches.chain_limit - query.served)))
    db = pardot.org.db
    with db.lock:
        since = _modified_since(request)
        if since is not None and pardot_rows.newest_change(db.connection, query, horizon) <= since:
            return Response(status_code=304)
        bodies, more = pardot_rows.read(db.connection, query, horizon)
        related = _related(pardot, kind, fields, bodies, horizon)
    served = query.served + len(bodies)
    ended = more and served >= pardot.switches.chain_limit
    token = page_token(query, _place(query, bodies[-1]), served, now) if more and not ended else None
    url = request.url.replace(query=f"fields={','.join(fields)}&nextPageToken={token}") if token else None
    values = [_render(body, fields, related, kind, pardot.zone) for body in bodies]
    content = {"nextPageToken": token, "nextPageUrl": str(url) if url else None, "values": values}
    return JSONResponse(content, headers={"Pardot-Warning": WARNING} if ended else None)


def _record(pardot: BusinessUnit, request: Request, kind: ObjectType) -> Response:
    fields = read_fields(dict(request.query_params), kind)
    text = request.path_params["id"]
    if not text.isascii() or not text.isdigit():
        raise PardotError(192, f"{text!r} is no id")
    horizon = _horizon(pardot)
    db = pardot.org.db
    with db.lock:
        body = pardot_rows.many(db.connection, kind.name, [int(text)], horizon).get(int(text))
        if body is None or body.get("isDeleted"):
            raise PardotError(109, f"There is no record {text} in {kind.name}", 404)
        related = _related(pardot, kind, fields, [body], horizon)
    return JSONResponse(_render(body, fields, related, kind, pardot.zone))


def _horizon(pardot: BusinessUnit) -> int:
    """What was written later is not seen yet."""
    return pardot.epoch() - pardot.switches.stale_seconds


def _modified_since(request: Request) -> float | None:
    """If-Modified-Since, which is about the newest record that the query returns."""
    try:
        return parsedate_to_datetime(request.headers.get("if-modified-since", "")).timestamp()
    except ValueError:
        return None


def _place(query: Query, body: Mapping[str, Any]) -> tuple[int, int]:
    return body[query.order], body["id"]


Related = dict[str, dict[int, dict[str, Any]]]


def _related(
    pardot: BusinessUnit, kind: ObjectType, fields: Sequence[str], bodies: Sequence[Mapping[str, Any]], horizon: int
) -> Related:
    """The records that asked fields like ``campaign.name`` are taken from, by relation and id."""
    asked = {name.partition(".")[0] for name in fields if "." in name}
    return {
        name: pardot_rows.many(
            pardot.org.db.connection, target, {body[key] for body in bodies if body.get(key)}, horizon
        )
        for name, target, key in kind.related
        if name in asked
    }


def _render(
    body: Mapping[str, Any], fields: Sequence[str], related: Related, kind: ObjectType, zone: tzinfo
) -> dict[str, Any]:
    """One record as JSON: the asked fields in order, times in the API user's zone, related fields nested."""
    shown: dict[str, Any] = {}
    keys = {name: key for name, _, key in kind.related}
    for name in fields:
        parent, dot, child = name.partition(".")
        if not dot:
            shown[name] = _value(name, body.get(name), zone)
            continue
        other = related[parent].get(body.get(keys[parent], 0))
        if other is None:
            shown[parent] = None
        else:
            shown.setdefault(parent, {})[child] = _value(child, other.get(child), zone)
    return shown


def _value(name: str, value: Any, zone: tzinfo) -> Any:
    if value is None or name not in TIME_FIELDS:
        return value
    return datetime.fromtimestamp(value, UTC).astimezone(zone).isoformat(timespec="seconds")
