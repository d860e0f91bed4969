"""The routes of the HubSpot imitation: who may ask, what answers, and refusals with HubSpot's error body.

Each path exists twice, as ``/crm/v3/objects/...`` and as ``/crm/objects/2026-03/...``. ``GET /practice/hubspot`` shows
the switches, POST sets them; no HubSpot has that path.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from email.utils import format_datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from practice_org.hubspot import crm as hubspot_crm
from practice_org.hubspot import side as hubspot_side
from practice_org.hubspot import ties as hubspot_ties
from practice_org.hubspot.crm import Call
from practice_org.hubspot.gate import HubSpotError, authorise, check_scopes, invalid, strike
from practice_org.hubspot.portal import Portal
from practice_org.serving.gate import changed

Handler = Callable[["Portal", Call], tuple[int, Any]]
VERSION = r"{version}"  # of the dated paths

OBJECTS = ("/crm/v3/objects", f"/crm/objects/{VERSION}")
PROPERTIES = ("/crm/v3/properties", f"/crm/properties/{VERSION}")
ASSOCIATIONS = ("/crm/v4/associations", f"/crm/associations/{VERSION}")
TIES = ("/crm/v4/objects", f"/crm/objects/{VERSION}")
PIPELINES = ("/crm/v3/pipelines", f"/crm/pipelines/{VERSION}")
OWNERS = ("/crm/v3/owners", f"/crm/owners/{VERSION}")

# (method, bases, rest of the path, handler); the first that fits answers
TABLE: tuple[tuple[str, tuple[str, ...], str, Handler], ...] = (
    ("POST", OBJECTS, "/{object}/search", hubspot_crm.search),
    ("POST", OBJECTS, "/{object}/merge", hubspot_crm.merge),
    ("POST", OBJECTS, "/{object}/batch/read", hubspot_crm.batch_read),
    ("POST", OBJECTS, "/{object}/batch/update", hubspot_crm.batch_update),
    ("POST", OBJECTS, "/{object}/batch/create", hubspot_crm.batch_create),
    ("POST", OBJECTS, "/{object}/batch/archive", hubspot_crm.batch_archive),
    ("GET", OBJECTS, "/{object}", hubspot_crm.page),
    ("POST", OBJECTS, "/{object}", hubspot_crm.create),
    ("GET", OBJECTS, "/{object}/{id}", hubspot_crm.get),
    ("PATCH", OBJECTS, "/{object}/{id}", hubspot_crm.patch),
    ("DELETE", OBJECTS, "/{object}/{id}", hubspot_crm.archive),
    ("GET", PROPERTIES, "/{object}", hubspot_side.properties),
    ("GET", PROPERTIES, "/{object}/{name}", hubspot_side.one_property),
    ("POST", ASSOCIATIONS, "/{from}/{to}/batch/read", hubspot_ties.associations),
    ("POST", ("/crm/v3/associations",), "/{from}/{to}/batch/read", hubspot_ties.associations_v3),
    ("GET", TIES, "/{from}/{id}/associations/{to}", hubspot_ties.of_record),
    ("PUT", TIES, "/{from}/{id}/associations/default/{to}/{other}", hubspot_ties.tie),
    ("DELETE", TIES, "/{from}/{id}/associations/{to}/{other}", hubspot_ties.untie),
    ("GET", PIPELINES, "/{object}", hubspot_ties.pipelines),
    ("GET", ("/account-info/v3/details",), "", hubspot_side.account),
    ("GET", OWNERS, "", hubspot_side.owners),
    ("GET", OWNERS, "/", hubspot_side.owners),
    ("GET", ("/email/public/v1/events",), "", hubspot_side.email_events),
)


def routes(hub: Portal) -> list[Route]:
    async def practice(request: Request) -> Response:
        return await _practice(hub, request)

    def nothing(_hub: Portal, call: Call) -> tuple[int, Any]:
        raise HubSpotError(404, "OBJECT_NOT_FOUND", f"There is nothing at {call.path}")

    made = [
        Route(base + rest, _endpoint(hub, handler), methods=[method])
        for method, bases, rest, handler in TABLE
        for base in bases
    ]
    anything = ["GET", "POST", "PUT", "PATCH", "DELETE"]
    return [
        Route("/practice/hubspot", practice, methods=["GET", "POST"]),
        *made,
        *(Route(f"/{top}/{{rest:path}}", _endpoint(hub, nothing), methods=anything) for top in ("crm", "email")),
    ]


def _endpoint(hub: Portal, handler: Handler) -> Callable[[Request], Any]:
    async def endpoint(request: Request) -> Response:
        return _answer(hub, request, await request.body(), handler)

    return endpoint


def _answer(hub: Portal, request: Request, content: bytes, handler: Handler) -> Response:
    """Everything that is checked before the handler is asked, in the service's order."""
    now, path = hub.org.clock.now(), request.url.path
    correlation_id = hub.gate.correlation_id()
    headers = {"X-HubSpot-Correlation-Id": correlation_id, "Date": format_datetime(now, usegmt=True)}
    try:
        authorise(hub.org, hub.token, request.headers.get("authorization", ""), path)
        headers |= hub.gate.admit(now, hub.switches, search=path.endswith("/search"))
        check_scopes(hub.missing_scopes, request.method, path)
        strike(hub.org, path)
        with hub.org.db.lock:
            status, body = handler(hub, _call(request, content))
    except HubSpotError as error:
        status, body = error.status, {**error.body(), "correlationId": correlation_id}
        if error.more.get("policyName") == "TEN_SECONDLY_ROLLING" and hub.switches.retry_after:
            headers["Retry-After"] = "10"
    if body is None:
        return Response(status_code=status, headers=headers)
    return JSONResponse(body, status, headers=headers, media_type="application/json;charset=utf-8")


def _call(request: Request, content: bytes) -> Call:
    try:
        body = json.loads(content) if content.strip() else {}
    except ValueError:
        raise invalid("Invalid input JSON") from None
    if not isinstance(body, dict):
        raise invalid("Invalid input JSON: an object is needed")
    return Call(request.url.path, request.path_params, request.query_params, body)


async def _practice(hub: Portal, request: Request) -> Response:
    """The switches as JSON."""
    if request.method == "POST":
        try:
            hub.switches = changed(hub.switches, await request.json())
        except ValueError as error:
            return JSONResponse({"error": str(error)}, 400)
    return JSONResponse(asdict(hub.switches))
