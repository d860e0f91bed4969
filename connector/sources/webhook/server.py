"""The webhooks' endpoint over HTTP: who may send, how much and how fast, and what each sender is told.

202 {"accepted": n, "duplicates": m}   stored on disk     401   signature or token is wrong
400 {"errors": [...]}                  nothing stored     413   more than a megabyte
408                                    the body stopped   503   the inbox cannot be written, or too many send at
429, with Retry-After                  too fast                 once: send again

Strangers use up a measure of their own, so that they keep nobody out. No request may take its time: a connection on
which none arrives is closed.
"""

from __future__ import annotations

import asyncio
import hmac
import socket
import sqlite3
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import structlog
import uvicorn
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from uvicorn.protocols.http.h11_impl import H11Protocol

from connector.base.clock import Clock
from connector.base.errors import ConfigurationError
from connector.base.settings import Settings
from connector.sources.events import Bad
from connector.sources.webhook.inbox import Inbox
from connector.sources.webhook.source import HOOK, parse_message, problems, secret_key, signature_problem

log = structlog.get_logger(__name__)

LARGEST = 1_000_000  # bytes of a body
RATE, BURST = 20.0, 100.0  # requests a second in the long run, and at once
_PATIENCE = 20.0  # seconds that the head of a request may take, and then its body
AT_ONCE = 200  # connections


class Rate:
    """A token bucket."""

    def __init__(self, clock: Clock) -> None:
        self._clock, self._left, self._at = clock, BURST, clock.monotonic()

    def admits(self) -> bool:
        now = self._clock.monotonic()
        self._left = min(BURST, self._left + (now - self._at) * RATE)
        self._at = now
        if self._left < 1:
            return False
        self._left -= 1
        return True


class Endpoint:
    """What happens to one request. ``secrets`` sign, ``tokens`` are shown; either is enough."""

    def __init__(self, inbox: Inbox, clock: Clock, secrets: Sequence[str], tokens: Sequence[str]) -> None:
        self._inbox, self._clock, self._secrets, self._tokens = inbox, clock, secrets, tokens
        self._rate, self._strangers = Rate(clock), Rate(clock)

    async def __call__(self, request: Request) -> Response:
        hook = request.path_params["hook"]
        try:
            async with asyncio.timeout(_PATIENCE):
                body = await _body(request)
        except TimeoutError:
            return _refuse(408, f"the body did not arrive within {_PATIENCE:g} seconds", {"Connection": "close"})
        if body is None:
            return _refuse(413, f"the body has more than {LARGEST} bytes")
        headers = {key.lower(): value for key, value in request.headers.items()}
        reason = self._stranger(headers, request.path_params.get("token"), body)
        if not (self._strangers if reason else self._rate).admits():
            return _refuse(429, "too many requests", {"Retry-After": "5"})
        if reason:
            log.warning("webhook refused", hook=hook if HOOK.fullmatch(hook) else "?", reason=reason)
            return _refuse(401, reason)
        if not HOOK.fullmatch(hook):
            return _refuse(404, "a hook's name has letters, digits, - and _")
        return await run_in_threadpool(self._accept, hook, headers, dict(request.query_params), body)

    def _stranger(self, headers: Mapping[str, str], path_token: str | None, body: bytes) -> str | None:
        """Why the sender may not, or None."""
        if self._secrets and "webhook-signature" in headers:
            return signature_problem(self._secrets, headers, body, self._clock.now())
        scheme, _, bearer = headers.get("authorization", "").partition(" ")
        shown = path_token or (bearer.strip() if scheme.lower() == "bearer" else "")
        if any(hmac.compare_digest(shown.encode(), token.encode()) for token in self._tokens):
            return None
        return "no signature, and no token that is known"

    def _accept(self, hook: str, headers: Mapping[str, str], defaults: Mapping[str, str], body: bytes) -> Response:
        now = self._clock.now()
        records = parse_message(body, headers.get("content-type", ""), defaults, now)
        if isinstance(records, Bad):
            return _refuse(400, records.reason)
        if wrong := problems(hook, records):
            return JSONResponse({"errors": wrong[:20]}, 400)
        try:
            content = repr(sorted(defaults.items())).encode() + body
            is_new = self._inbox.put(hook, headers.get("webhook-id"), content, records, now)
        except (sqlite3.Error, OSError) as error:
            log.error("webhook inbox cannot be written", error=str(error))
            return _refuse(503, "the message cannot be stored now; send it again", {"Retry-After": "30"})
        count = len(records)
        return JSONResponse({"accepted": count if is_new else 0, "duplicates": 0 if is_new else count}, 202)


class Impatient(H11Protocol):
    """Closes a connection on which no whole head of a request arrives; uvicorn itself waits for it for ever."""

    _waiting: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        super().connection_made(transport)
        self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._waiting is not None:
            self._waiting.cancel()
        super().connection_lost(exc)

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._wait()

    def _wait(self) -> None:
        if self._waiting is not None:
            self._waiting.cancel()
        self._waiting = self.loop.call_later(_PATIENCE, self._end)

    def _end(self) -> None:
        if self.cycle is None or self.cycle.response_complete:
            self.transport.close()


async def _body(request: Request) -> bytes | None:
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > LARGEST:
            return None
    return body


def _refuse(status: int, reason: str, headers: Mapping[str, str] | None = None) -> Response:
    return JSONResponse({"errors": [reason]}, status, headers)


def application(endpoint: Endpoint) -> Starlette:
    return Starlette(
        routes=[
            Route("/hooks/v1/{hook}", endpoint.__call__, methods=["POST"]),
            Route("/hooks/v1/{hook}/{token}", endpoint.__call__, methods=["POST"]),
        ]
    )


@contextmanager
def serve_webhooks(settings: Settings, clock: Clock) -> Iterator[str | None]:
    """Serves the endpoint in a thread while the context is open; yields its address, None when it is off. Raises
    ConfigurationError when the settings do not say who may send, or the port is taken."""
    if settings.webhook_port is None:
        yield None
        return
    endpoint = Endpoint(Inbox(settings.webhook_inbox), clock, *_credentials(settings))
    with _listen(settings.webhook_host, settings.webhook_port) as listener:
        config = uvicorn.Config(
            application(endpoint), log_config=None, access_log=False, server_header=False, lifespan="off",
            timeout_graceful_shutdown=2, http=Impatient, limit_concurrency=AT_ONCE,
        )  # fmt: skip
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, args=([listener],), name="webhooks", daemon=True)
        thread.start()
        url = f"http://{settings.webhook_host}:{listener.getsockname()[1]}"
        log.info("webhooks listen", url=url)
        try:
            yield url
        finally:
            server.should_exit = True
            thread.join(timeout=10)


def _credentials(settings: Settings) -> tuple[list[str], list[str]]:
    """Secrets and tokens; several of each may stand side by side, separated by spaces, while they are exchanged."""
    secrets = settings.webhook_secret.get_secret_value().split() if settings.webhook_secret else []
    tokens = settings.webhook_token.get_secret_value().split() if settings.webhook_token else []
    if not secrets and not tokens:
        raise ConfigurationError(
            "the webhooks' endpoint would let anybody in",
            "set CONNECTOR_WEBHOOK_SECRET, CONNECTOR_WEBHOOK_TOKEN or both",
        )
    if any(len(token) < 20 for token in tokens):
        raise ConfigurationError("CONNECTOR_WEBHOOK_TOKEN is too short", "take at least 20 random characters")
    try:
        short = any(len(secret_key(secret)) < 16 for secret in secrets)
    except ValueError:
        short = True
    if short:
        raise ConfigurationError(
            "CONNECTOR_WEBHOOK_SECRET is no secret of Standard Webhooks", "write whsec_ and 24 to 64 bytes in base64"
        )
    return secrets, tokens


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)  # asyncio turns Nagle off only then
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(128)
    except OSError as error:
        listener.close()
        raise ConfigurationError(
            f"the webhooks' endpoint cannot listen on {host}:{port}: {error.strerror}",
            "check CONNECTOR_WEBHOOK_HOST and CONNECTOR_WEBHOOK_PORT",
        ) from None
    return listener
