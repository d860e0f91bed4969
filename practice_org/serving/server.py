"""The practice org over real HTTP: one catch-all endpoint a service, and a server in a thread for tests and demos."""

from __future__ import annotations

import asyncio
import gzip
import json
import re
import socket
import threading
from collections.abc import Callable, Sequence
from email.utils import format_datetime
from functools import partial
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qsl, unquote

import structlog
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route
from starlette.types import Receive, Scope, Send

from practice_org.salesforce.org import PracticeOrg
from practice_org.salesforce.problems import Problem, not_found
from practice_org.salesforce.rest import absent, bulk_1, oauth
from practice_org.salesforce.rest import calls as rest
from practice_org.salesforce.rest.calls import Call, Reply
from practice_org.salesforce.rest.resources import ROUTER
from practice_org.serving import admin, status, wire
from practice_org.serving.tls import Certificates

log = structlog.get_logger(__name__)
_ALL = ["GET", "HEAD", "POST", "PATCH", "PUT", "DELETE"]
_VERSION = re.compile(r"/services/(?:data/v|async/)([^/]+)(?:/(.*))?\Z", re.DOTALL)


class PracticeApp(Starlette):
    """Starlette, but for the faults that happen on the wire itself."""

    def __init__(self, org: PracticeOrg, routes: Sequence[BaseRoute], url: str) -> None:
        super().__init__(routes=routes)
        self.org, self.url = org, url

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and not scope["path"].startswith("/practice"):
            scope = normalised(scope)
            path = scope["path"]
            seconds = self.org.faults.seconds(path)
            if seconds:
                await asyncio.sleep(seconds)
            if self.org.faults.take("reset", path):
                wire.reset(send)
                return
            cut = self.org.faults.take("cut_off", path)
            if cut is not None:
                send = wire.cutting(send, cut.values.get("after"))
            drip = self.org.faults.take("drip", path)
            if drip is not None:
                send = wire.dripping(send, float(drip.values.get("seconds", 1)))
        await super().__call__(scope, receive, send)


def app(org: PracticeOrg, *, extra_routes: Sequence[BaseRoute] = (), url: str = "") -> PracticeApp:
    """The ASGI application. ``url`` is what sign-in answers as the instance (else what the client asked)."""

    async def data(request: Request) -> Response:
        call = await _call(request, url)
        return _respond(org, request, answer(org, call, request.url.path))

    async def bulk(request: Request) -> Response:
        call = bulk_1.signed(await _call(request, url))
        refuse = partial(bulk_1.refusal, call)
        return _respond(org, request, answer(org, call, request.url.path, bulk_1.dispatch, refuse))

    async def token(request: Request) -> Response:
        form = {**request.query_params, **await _form(request)}
        org.faults.path = request.url.path
        host = request.headers.get("host", "").partition(":")[0]
        reply = oauth.token(
            org, form, request.headers.get("authorization", ""), host, _moved(org, _instance(request, url))
        )
        org.faults.path = ""
        return _respond(org, request, reply)

    async def revoke(request: Request) -> Response:
        return _respond(org, request, oauth.revoke(org, {**request.query_params, **await _form(request)}))

    async def introspect(request: Request) -> Response:
        form = await _form(request)
        reply = oauth.introspect(org, form, request.headers.get("authorization", ""), _instance(request, url))
        return _respond(org, request, reply)

    async def beside(request: Request) -> Response:
        return _respond(org, request, absent.outside(request.url.path))

    async def userinfo(request: Request) -> Response:
        if not org.accepts(_bearer(request)):
            return _respond(org, request, Reply(403, "Bad_OAuth_Token", content_type="text/plain"))
        return _respond(org, request, Reply(body=oauth.userinfo(org, _instance(request, url))))

    async def practice(request: Request) -> Response:
        return _respond(org, request, admin.answer(org, request.method, request.url.path, await _body(request)))

    async def status_page(request: Request) -> Response:
        beside = [route.path for route in extra_routes if isinstance(route, Route) and route.path[:10] == "/practice/"]
        text = status.page(org, _instance(request, url), beside)
        return _respond(org, request, Reply(body=text, content_type="text/html;charset=UTF-8"))

    async def health(request: Request) -> Response:
        return _respond(org, request, Reply(body={"status": "ok"}))

    routes: list[BaseRoute] = [
        *extra_routes,
        Route("/services/oauth2/token", token, methods=["POST"]),
        Route("/services/oauth2/revoke", revoke, methods=["GET", "POST"]),
        Route("/services/oauth2/introspect", introspect, methods=["POST"]),
        Route("/services/oauth2/userinfo", userinfo, methods=["GET", "POST"]),
        Route("/id/{organization}/{user}", userinfo, methods=["GET"]),
        Route("/practice", status_page),
        Route("/practice/", status_page),
        Route("/practice/{rest:path}", practice, methods=_ALL),
        Route("/health", health),
        Route("/services/data{rest:path}", data, methods=_ALL),
        Route("/services/async/{rest:path}", bulk, methods=_ALL),
        Route("/services/{kind}/{rest:path}", beside, methods=_ALL),
    ]
    return PracticeApp(org, routes, url)


def _moved(org: PracticeOrg, instance: str) -> str:
    """The address that sign in tells."""
    fault = org.faults.peek("moved")
    return wire.other_address(fault) if fault is not None else instance


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


def normalised(scope: Scope) -> Scope:
    """The request with one slash before its path and no ``..`` in it, as clients that join addresses send them; a
    sign-in resource may also end with a slash. Inside a path an empty part stays one, and is not found."""
    kept: list[str] = []
    for part in scope["raw_path"].decode("latin-1").lstrip("/").split("/"):
        if part == "..":
            del kept[-1:]
        elif part != ".":
            kept.append(part)
    path = "/" + "/".join(kept)
    if path.startswith(("/services/oauth2/", "/id/")):
        path = path.rstrip("/")
    return {**scope, "raw_path": path.encode("latin-1"), "path": unquote(path)}


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


class _Uvicorn(uvicorn.Server):
    """Stops at once and leaves no open connection behind: idle ones would outlive the loop, and warn."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop = asyncio.Event()

    async def main_loop(self) -> None:
        self._loop = asyncio.get_running_loop()
        if not self.should_exit:
            await self._stop.wait()

    def stop(self) -> None:
        """From any thread."""
        self.should_exit = True
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._stop.set)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for listening in self.servers:
            listening.close()
        for connection in list(self.server_state.connections):
            if connection.transport is not None:
                connection.transport.abort()
        await asyncio.sleep(0.001)  # the aborted ones are told so in the loop's next turns


class Server:
    """Serves an org on 127.0.0.1 in a thread: ``with Server(org) as server: server.url``.

    ``tls`` serves https with a certificate of our own authority (``ca_file``), good for the names in
    :mod:`practice_org.serving.tls`, because some clients know no other scheme. Raises OSError when the port is
    taken.
    """

    def __init__(
        self,
        org: PracticeOrg,
        *,
        port: int = 0,
        tls: bool = False,
        extra_routes: Sequence[BaseRoute] = (),
    ) -> None:
        self.org = org
        # Named as TCP, or asyncio leaves Nagle on and every answer waits 40 ms for an acknowledgement.
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            self._socket.bind(("127.0.0.1", port))
        except OSError:
            self._socket.close()
            raise
        self.certificates = Certificates() if tls else None
        self.port: int = self._socket.getsockname()[1]
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self.port}"
        secure: dict[str, Any] = {}
        if self.certificates is not None:
            secure = {"ssl_keyfile": self.certificates.key_file, "ssl_certfile": self.certificates.certificate_file}
        config = uvicorn.Config(
            app(org, extra_routes=extra_routes, url=self.url),
            log_config=None,
            log_level="critical",
            access_log=False,
            date_header=False,
            server_header=False,
            lifespan="off",
            h11_max_incomplete_event_size=1 << 17,
            timeout_keep_alive=60,
            **secure,
        )
        self._server = _Uvicorn(config)
        self._thread = threading.Thread(target=self._server.run, args=([self._socket],), daemon=True)

    @property
    def ca_file(self) -> str:
        """PEM of the authority to trust. Raises ValueError without ``tls``."""
        if self.certificates is None:
            raise ValueError("this server speaks plain http")
        return str(self.certificates.ca_file)

    def start(self) -> Self:
        self._socket.listen(128)  # connections queue until the loop runs, so nobody need wait for it
        self._thread.start()
        return self

    def stop(self) -> None:
        """Also of one that was never started: its port is given back."""
        self._server.stop()
        if self._thread.ident is not None:
            self._thread.join(timeout=10)
        self._socket.close()
        if self.certificates is not None:
            self.certificates.close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
