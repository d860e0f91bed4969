"""What each path of the practice org leads to: sign-in, the two APIs, its own pages, and everything beside them.

Answers are made in :mod:`practice_org.salesforce.rest` and :mod:`practice_org.serving.admin`; here a request becomes a
call, is signed in and counted, meets the faults that are on, and a reply becomes a response.
"""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Callable, Sequence
from email.utils import format_datetime
from functools import partial
from urllib.parse import parse_qsl

import structlog
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from practice_org.salesforce.org import PracticeOrg
from practice_org.salesforce.problems import Problem, not_found
from practice_org.salesforce.rest import absent, bulk_1, oauth, soap
from practice_org.salesforce.rest import calls as rest
from practice_org.salesforce.rest.calls import Call, Reply
from practice_org.salesforce.rest.resources import ROUTER
from practice_org.serving import admin, status, wire

log = structlog.get_logger(__name__)
_ALL = ["GET", "HEAD", "POST", "PATCH", "PUT", "DELETE"]
_VERSION = re.compile(r"/services/(?:data/v|async/)([^/]+)(?:/(.*))?\Z", re.DOTALL)


class Doors:
    """The endpoints of one org. ``url`` is what sign-in answers as the instance (else what the client asked);
    ``systems`` are the paths of what is served beside it."""

    def __init__(self, org: PracticeOrg, url: str, systems: Sequence[str] = ()) -> None:
        self.org, self.url, self.systems = org, url, systems

    def routes(self) -> list[BaseRoute]:
        return [
            Route("/services/oauth2/token", self.token, methods=["POST"]),
            Route("/services/oauth2/revoke", self.revoke, methods=["GET", "POST"]),
            Route("/services/oauth2/introspect", self.introspect, methods=["POST"]),
            Route("/services/oauth2/userinfo", self.userinfo, methods=["GET", "POST"]),
            Route("/services/oauth2/singleaccess", self.single_access, methods=["GET", "POST"]),
            Route("/secur/frontdoor.jsp", self.front_door),
            Route("/id/{organization}/{user}", self.userinfo, methods=["GET"]),
            Route("/practice", self.status_page),
            Route("/practice/", self.status_page),
            Route("/practice/{rest:path}", self.practice, methods=_ALL),
            Route("/health", self.health),
            Route("/services/data{rest:path}", self.data, methods=_ALL),
            Route("/services/async/{rest:path}", self.bulk, methods=_ALL),
            Route("/services/{kind:str}/{rest:path}", self.soap_or_beside, methods=_ALL),
            Route("/{rest:path}", self.beside, methods=_ALL),
        ]

    # -- the APIs ------------------------------------------------------------------------------------------------------

    async def data(self, request: Request) -> Response:
        call = await _call(request, self.url)
        return self._respond(request, answer(self.org, call, request.url.path))

    async def bulk(self, request: Request) -> Response:
        call = bulk_1.signed(await _call(request, self.url))
        refuse = partial(bulk_1.refusal, call)
        return self._respond(request, answer(self.org, call, request.url.path, bulk_1.dispatch, refuse))

    async def soap_or_beside(self, request: Request) -> Response:
        if request.path_params["kind"].lower() != "soap":
            return await self.beside(request)
        return self._respond(request, soap.answer(self.org, request.url.path, await _body(request)))

    async def beside(self, request: Request) -> Response:
        return self._respond(request, absent.outside(request.url.path))

    # -- sign-in -------------------------------------------------------------------------------------------------------

    async def token(self, request: Request) -> Response:
        form = {**request.query_params, **await _form(request)}
        self.org.faults.path = request.url.path
        host = request.headers.get("host", "").partition(":")[0]
        moved = self.org.faults.peek("moved")
        there = wire.other_address(moved) if moved is not None else self._instance(request)
        reply = oauth.token(self.org, form, request.headers.get("authorization", ""), host, there)
        self.org.faults.path = ""
        return self._respond(request, reply)

    async def revoke(self, request: Request) -> Response:
        return self._respond(request, oauth.revoke(self.org, {**request.query_params, **await _form(request)}))

    async def introspect(self, request: Request) -> Response:
        form, basic = await _form(request), request.headers.get("authorization", "")
        return self._respond(request, oauth.introspect(self.org, form, basic, self._instance(request)))

    async def userinfo(self, request: Request) -> Response:
        if not self.org.accepts(_bearer(request)):
            return self._respond(request, Reply(403, "Bad_OAuth_Token", content_type="text/plain"))
        return self._respond(request, Reply(body=oauth.userinfo(self.org, self._instance(request))))

    async def single_access(self, request: Request) -> Response:
        """The address that opens the org in a browser."""
        if not self.org.accepts(_bearer(request)):
            return self._respond(request, Reply(403, "Bad_OAuth_Token", content_type="text/plain"))
        return self._respond(request, Reply(body={"frontdoor_uri": f"{self._instance(request)}/secur/frontdoor.jsp"}))

    async def front_door(self, request: Request) -> Response:
        return self._respond(request, Reply(302, headers={"Location": "/practice"}))

    # -- the practice org's own ----------------------------------------------------------------------------------------

    async def practice(self, request: Request) -> Response:
        reply = admin.answer(self.org, request.method, request.url.path, await _body(request))
        return self._respond(request, reply)

    async def status_page(self, request: Request) -> Response:
        text = status.page(self.org, self._instance(request), self.systems)
        return self._respond(request, Reply(body=text, content_type="text/html;charset=UTF-8"))

    async def health(self, request: Request) -> Response:
        return self._respond(request, Reply(body={"status": "ok"}))

    def _instance(self, request: Request) -> str:
        return _instance(request, self.url)

    def _respond(self, request: Request, reply: Reply) -> Response:
        return _respond(self.org, request, reply)


def _instance(request: Request, url: str) -> str:
    host = request.headers.get("host", "")
    local = host.partition(":")[0] in ("127.0.0.1", "localhost")
    return f"{request.url.scheme}://{host}" if local or not url else url


def _bearer(request: Request) -> str:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() in ("bearer", "oauth") else ""


async def _body(request: Request) -> bytes:
    body = await request.body()
    return gzip.decompress(body) if request.headers.get("content-encoding", "").lower() == "gzip" else body


async def _form(request: Request) -> dict[str, str]:
    return dict(parse_qsl((await _body(request)).decode("utf-8", "replace"), keep_blank_values=True))


async def _call(request: Request, url: str) -> Call:
    match = _VERSION.match(request.scope["raw_path"].decode("latin-1"))
    headers = {name.lower(): value for name, value in request.headers.items()}
    try:
        body = await _body(request)
    except (OSError, EOFError):
        body = b""
    return Call(
        request.query_params.get("_HttpMethod", request.method).upper(),  # for clients that cannot send PATCH
        match[1] if match else "",
        (match[2] or "") if match else "",
        dict(request.query_params),
        headers,
        body,
        instance=_instance(request, url),
    )


def answer(
    org: PracticeOrg,
    call: Call,
    path: str,
    dispatch: Callable[[PracticeOrg, Call], Reply] = ROUTER.dispatch,
    refuse: Callable[[Problem], Reply] = rest.refusal,
) -> Reply:
    """One authenticated, counted request, with the faults that are on."""
    org.faults.path = path
    if not call.version:
        return Reply(body=rest.versions()) if path.strip("/") == "services/data" else refuse(not_found())
    try:
        if (
            sum(len(k) + len(v) + 4 for k, v in call.headers.items())
            + len(path)
            + sum(len(k) + len(v) + 2 for k, v in call.query.items())
            > wire.LONGEST_HEAD
        ):
            return Reply(414, "", content_type="text/html")
        rest.check_version(call.version)
        struck = wire.gone_elsewhere(org, call, path) or rest.refused(org, path)
        if struck is not None:
            if struck.status not in wire.UNCOUNTED:
                org.count(rest.resource(call.path))
            return struck
        wire.authenticate(org, call)
        org.count(rest.resource(call.path))
        edge = wire.refusing(org)
        reply = edge if edge is not None else dispatch(org, call)
    except Problem as problem:
        reply = refuse(problem)
    except Exception:  # a mistake of the practice org's own: the client gets Salesforce's words, the log the rest
        log.exception("practice_org_failed", path=path)
        text = "An unexpected error occurred. Please include this ErrorId if you contact support"
        reply = refuse(Problem(500, "UNKNOWN_EXCEPTION", text))
    finally:
        org.faults.path = ""
    reply.headers["Sforce-Limit-Info"] = org.limit_info()
    return reply


def _respond(org: PracticeOrg, request: Request, reply: Reply) -> Response:
    """Headers as recorded from real orgs; the date is the org's."""
    if reply.body is None:
        content = b""
    elif isinstance(reply.body, str):
        content = reply.body.encode()
    else:
        content = json.dumps(reply.body, separators=(",", ":"), ensure_ascii=False).encode()
    headers = {**wire.STANDARD_HEADERS, "Date": format_datetime(org.clock.now(), usegmt=True), **reply.headers}
    if reply.body is not None:
        headers["Content-Type"] = reply.content_type
    if len(content) > 1024 and "gzip" in request.headers.get("accept-encoding", ""):
        content = gzip.compress(content, compresslevel=1, mtime=0)
        headers["Content-Encoding"] = "gzip"
    response = Response(status_code=reply.status)
    response.body = content
    if reply.status not in (204, 304):
        headers["Content-Length"] = str(len(content))
    # As Salesforce writes them: clients exist that look for "Content-Type" and not for "content-type".
    response.raw_headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
    return response
