"""The routes of the Marketo imitation: the token endpoint, and every resource behind one envelope.

Errors come inside HTTP 200, with codes that are strings. ``GET /practice/marketo`` shows the switches and the client's
id and secret, POST sets switches; no Marketo has that path.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterable
from dataclasses import asdict
from email.utils import format_datetime
from typing import Any
from urllib.parse import parse_qsl

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from practice_org.marketo import bulk, deals, lists, reads, writes
from practice_org.marketo.gate import admitted, authorise, strike
from practice_org.marketo.instance import Instance
from practice_org.marketo.query import Ask, MarketoError
from practice_org.serving.gate import changed

METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]
LONGEST_URI, LARGEST_BODY = 8192, 1024 * 1024

Answer = Callable[..., dict[str, Any] | Response]  # the handle, the request, and what the path's groups hold
_DEALS = r"/rest/v1/opportunities(?:/roles)?"
_EXPORT = r"/bulk/v1/(activities|leads)/export"
RESOURCES: list[tuple[str, re.Pattern[str], Answer]] = [
    (method, re.compile(path), answer)
    for method, path, answer in (
        ("GET", r"/rest/v1/activities/types\.json", reads.types),
        ("GET", r"/rest/v1/activities/pagingtoken\.json", reads.paging_token),
        ("GET", r"/rest/v1/activities\.json", reads.activities),
        ("GET", r"/rest/v1/activities/leadchanges\.json", reads.lead_changes),
        ("GET", r"/rest/v1/activities/deletedleads\.json", reads.deleted_leads),
        ("POST", r"/rest/v1/activities/external\.json", writes.add_activities),
        ("GET", r"/rest/v1/leads\.json", reads.leads),
        ("POST", r"/rest/v1/leads\.json", writes.sync_leads),
        ("DELETE", r"/rest/v1/leads\.json", writes.delete_leads),
        ("POST", r"/rest/v1/leads/delete\.json", writes.delete_leads),
        ("POST", r"/rest/v1/leads/(\d+)/merge\.json", writes.merge_leads),
        ("GET", r"/rest/v1/leads/describe\.json", reads.describe),
        ("GET", r"/rest/v1/leads/describe2\.json", reads.describe2),
        ("GET", r"/rest/v1/lead/(\d+)\.json", reads.one_lead),
        ("GET", r"/rest/v1/stats/usage(?:/last7days)?\.json", reads.usage),
        ("GET", r"/rest/v1/stats/errors(?:/last7days)?\.json", reads.errors),
        ("GET", r"/rest/v1/leads/partitions\.json", lists.partitions),
        ("GET", r"/rest/v1/lists\.json", lists.lists),
        ("GET", r"/rest/v1/lists/(\d+)\.json", lists.one_list),
        ("GET", r"/rest/v1/lists?/(\d+)/leads\.json", lists.members),
        ("POST", r"/rest/v1/lists/(\d+)/leads\.json", lists.add_members),
        ("DELETE", r"/rest/v1/lists/(\d+)/leads\.json", lists.remove_members),
        ("GET", r"/rest/v1/lists/(\d+)/leads/ismember\.json", lists.is_member),
        ("GET", rf"{_DEALS}/describe\.json", deals.describe),
        ("GET", rf"{_DEALS}\.json", deals.read),
        ("POST", rf"{_DEALS}\.json", deals.sync),
        ("POST", rf"{_DEALS}/delete\.json", deals.remove),
        ("GET", r"/rest/v1/campaigns\.json", reads.none_at_all),
        ("GET", r"/rest/asset/v1/(?:programs|emails|segmentation)\.json", reads.no_assets),
        ("GET", rf"{_EXPORT}\.json", bulk.listing),
        ("POST", rf"{_EXPORT}/create\.json", bulk.create),
        ("POST", rf"{_EXPORT}/([^/]+)/enqueue\.json", bulk.enqueue),
        ("POST", rf"{_EXPORT}/([^/]+)/cancel\.json", bulk.cancel),
        ("GET", rf"{_EXPORT}/([^/]+)/status\.json", bulk.status),
        ("GET", rf"{_EXPORT}/([^/]+)/file\.json", bulk.download),
    )
]


def routes(marketo: Instance) -> list[Route]:
    """Each request has a thread, so that ten of them can be in hand at once."""
    numbers = itertools.count(1)

    async def resource(request: Request) -> Response:
        body = await request.body()
        return await run_in_threadpool(_guarded, marketo, request, body, next(numbers))

    async def token(request: Request) -> Response:
        form = await request.body() if request.method == "POST" else b""
        return _token(marketo, request, {**request.query_params, **_pairs(form)})

    async def practice(request: Request) -> Response:
        return await _practice(marketo, request)

    return [
        Route("/practice/marketo", practice, methods=["GET", "POST"]),
        Route("/identity/oauth/token", token, methods=["GET", "POST"]),
        Route("/rest/{rest:path}", resource, methods=METHODS),
        Route("/bulk/{rest:path}", resource, methods=METHODS),
    ]


def _guarded(marketo: Instance, request: Request, body: bytes, number: int) -> Response:
    """Everything that is checked before a resource is looked at, then the envelope."""
    now = marketo.org.clock.now()
    request_id = f"{number:x}#{int(now.timestamp() * 1000):x}"
    try:
        if len(request.url.path) + len(request.url.query) > LONGEST_URI:
            raise MarketoError("414", "Request-URI Too Long", 414)
        if len(body) > LARGEST_BODY:
            raise MarketoError("413", "Request Entity Too Large", 413)
        ask = _ask(request, body)
        authorise(marketo.org, marketo.tokens, ask.headers, ask.path)
        with admitted(marketo.gate, now, marketo.switches):
            strike(marketo.org, marketo.switches, ask.path)
            found = _find(ask)(marketo, ask, *_groups(ask))
    except MarketoError as error:
        marketo.refused[marketo.day(), error.code] += 1
        found = _refused(error, request_id)
    if isinstance(found, dict):
        found = JSONResponse({"requestId": request_id, "success": True, **found}, media_type=_JSON)
    found.headers["Date"] = format_datetime(now, usegmt=True)
    return found


_JSON = "application/json;charset=UTF-8"


def _ask(request: Request, body: bytes) -> Ask:
    headers = {name.lower(): value for name, value in request.headers.items()}
    pairs = request.query_params.multi_items()
    form = _pairs(body) if headers.get("content-type", "").startswith("application/x-www-form-urlencoded") else {}
    meant = dict(pairs).get("_method") or form.get("_method")
    method = meant if request.method == "POST" and meant in ("GET", "DELETE") else request.method
    params = _joined([*pairs, *(form.items() if method == "GET" else ())])
    return Ask(method, request.url.path, params, headers, body)


def _pairs(form: bytes) -> dict[str, str]:
    return _joined(parse_qsl(form.decode("utf-8", "replace"), keep_blank_values=True))


def _joined(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Parameters by name; one that is repeated is a comma list."""
    params: dict[str, str] = {}
    for name, value in pairs:
        params[name] = f"{params[name]},{value}" if name in params else value
    return params


def _matching(ask: Ask) -> Iterable[tuple[str, re.Match[str], Answer]]:
    for method, pattern, answer in RESOURCES:
        match = pattern.fullmatch(ask.path)
        if match:
            yield method, match, answer


def _find(ask: Ask) -> Answer:
    """Raises 610 for a path that nobody knows, 605 for a method it does not have."""
    known = list(_matching(ask))
    if not known:
        raise MarketoError("610", "Requested resource not found")
    for method, _, answer in known:
        if method == ask.method:
            return answer
    raise MarketoError("605", f"HTTP Method '{ask.method}' not supported")


def _groups(ask: Ask) -> tuple[str, ...]:
    return next(iter(_matching(ask)))[1].groups()


def _refused(error: MarketoError, request_id: str) -> Response:
    if error.status != 200:
        page = f"<html><head><title>{error.message}</title></head><body><h1>{error.message}</h1></body></html>"
        return Response(page, error.status, media_type="text/html")
    errors = [{"code": error.code, "message": error.message}]
    return JSONResponse({"requestId": request_id, "success": False, "errors": errors}, media_type=_JSON)


def _token(marketo: Instance, request: Request, params: dict[str, str]) -> Response:
    """The one token there is, or 401 for a wrong client."""
    org, now = marketo.org, marketo.org.clock.now()
    try:
        strike(org, marketo.switches, request.url.path)
    except MarketoError as error:
        return _refused(error, "0#0")
    known = params.get("client_id") == marketo.client_id and params.get("client_secret") == marketo.client_secret
    if not known or params.get("grant_type") != "client_credentials":
        text = "No client with requested id, or a wrong secret"
        return JSONResponse({"error": "unauthorized", "error_description": text}, 401)
    token, left = marketo.tokens.issue(now, marketo.switches.token_seconds)
    content = {"access_token": token, "token_type": "bearer", "expires_in": left, "scope": reads.USER}
    return JSONResponse(content, headers={"Cache-Control": "no-store", "Pragma": "no-cache"})


async def _practice(marketo: Instance, request: Request) -> Response:
    """Switches and credentials as JSON."""
    if request.method == "POST":
        try:
            marketo.switches = changed(marketo.switches, await request.json())
        except ValueError as error:
            return JSONResponse({"error": str(error)}, 400)
    given = {"client_id": marketo.client_id, "client_secret": marketo.client_secret}
    return JSONResponse({**given, "switches": asdict(marketo.switches)})
