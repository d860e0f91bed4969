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
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress

import structlog
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from connector.base.clock import Clock
from connector.base.errors import ConfigurationError
from connector.base.serving import PATIENCE, serving
from connector.base.settings import Settings
from connector.sources.events import Bad
from connector.sources.webhook.inbox import Inbox
from connector.sources.webhook.source import (
    HOOK,
    fitting,
    parse_message,
    problems,
    read_form,
    secret_key,
    signature_problem,
)

log = structlog.get_logger(__name__)

ANY_HOOK = ""  # whose the secrets are that name no hook
LARGEST = 1_000_000  # bytes of a body
RATE, BURST = 20.0, 100.0  # requests a second in the long run, and at once


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
    """What happens to one request. ``secrets`` sign, by hook ("": for any); ``tokens`` are shown; either is enough."""

    def __init__(self, inbox: Inbox, clock: Clock, secrets: Mapping[str, Sequence[str]], tokens: Sequence[str]) -> None:
        self._inbox, self._clock, self._secrets, self._tokens = inbox, clock, secrets, tokens
        self._rate, self._strangers = Rate(clock), Rate(clock)

    async def __call__(self, request: Request) -> Response:
        hook = request.path_params["hook"]
        try:
            async with asyncio.timeout(PATIENCE):
                body = await _body(request)
        except TimeoutError:
            return _refuse(408, f"the body did not arrive within {PATIENCE:g} seconds", {"Connection": "close"})
        if body is None:
            return _refuse(413, f"the body has more than {LARGEST} bytes")
        headers = {key.lower(): value for key, value in request.headers.items()}
        reason = self._stranger(hook, headers, request.path_params.get("token"), body)
        if not (self._strangers if reason else self._rate).admits():
            return _refuse(429, "too many requests", {"Retry-After": "5"})
        if reason:
            log.warning("webhook refused", hook=hook if HOOK.fullmatch(hook) else "?", reason=reason)
            return _refuse(401, reason)
        if not HOOK.fullmatch(hook):
            return _refuse(404, "a hook's name has letters, digits, - and _")
        return await run_in_threadpool(self._accept, hook, headers, request.url.query, body)

    def _stranger(self, hook: str, headers: Mapping[str, str], path_token: str | None, body: bytes) -> str | None:
        """Why the sender may not, or None."""
        if self._secrets and "webhook-signature" in headers:
            secrets = [*self._secrets.get(hook, ()), *self._secrets.get(ANY_HOOK, ())]
            return signature_problem(secrets, headers, body, self._clock.now())
        scheme, _, bearer = headers.get("authorization", "").partition(" ")
        shown = path_token or (bearer.strip() if scheme.lower() == "bearer" else "")
        if any(hmac.compare_digest(shown.encode(), token.encode()) for token in self._tokens):
            return None
        return "no signature, and no token that is known"

    def _accept(self, hook: str, headers: Mapping[str, str], query: str, body: bytes) -> Response:
        now = self._clock.now()
        try:
            defaults = read_form(query.encode())
        except UnicodeDecodeError:
            return _refuse(400, "the parameters of the address are neither UTF-8 nor Windows-1252")
        try:
            if taken := self._inbox.claim(hook, fitting(self._secrets.get(ANY_HOOK, ()), headers, body), now):
                log.warning("webhook refused", hook=hook, reason="signed for another hook", other=taken)
                return _refuse(401, "webhook-signature was used at another hook")
        except (sqlite3.Error, OSError) as error:
            return _not_stored(error)
        records = parse_message(body, headers.get("content-type", ""), defaults, now)
        wrong = [records.reason] if isinstance(records, Bad) else problems(hook, records)
        if wrong or isinstance(records, Bad):
            log.warning("webhook message is no activity", hook=hook, reason=wrong[0])
            with suppress(sqlite3.Error, OSError):  # the sender is told, whatever can be noted
                self._inbox.refuse(hook, wrong[0], now)
            return JSONResponse({"errors": wrong[:20]}, 400)
        try:
            content = repr(sorted(defaults.items())).encode() + body
            is_new = self._inbox.put(hook, headers.get("webhook-id"), content, records, now)
        except (sqlite3.Error, OSError) as error:
            return _not_stored(error)
        count = len(records)
        return JSONResponse({"accepted": count if is_new else 0, "duplicates": 0 if is_new else count}, 202)


async def _body(request: Request) -> bytes | None:
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > LARGEST:
            return None
    return body


def _not_stored(error: Exception) -> Response:
    log.error("webhook inbox cannot be written", error=str(error))
    return _refuse(503, "the message cannot be stored now; send it again", {"Retry-After": "30"})


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
    names = ("CONNECTOR_WEBHOOK_HOST", "CONNECTOR_WEBHOOK_PORT")
    with serving(application(endpoint), settings.webhook_host, settings.webhook_port, "webhooks", names) as url:
        log.info("webhooks listen", url=url)
        yield url


def _credentials(settings: Settings) -> tuple[dict[str, list[str]], list[str]]:
    """Secrets by hook, and tokens; several of each may stand side by side, separated by spaces, while they are
    exchanged."""
    secrets: dict[str, list[str]] = {}
    for each in settings.webhook_secret.get_secret_value().split() if settings.webhook_secret else ():
        hook, _, secret = each.rpartition(":")
        if hook and not HOOK.fullmatch(hook):
            raise ConfigurationError(
                "CONNECTOR_WEBHOOK_SECRET names a hook that can be none", "write it like webinar-tool:whsec_..."
            )
        secrets.setdefault(hook, []).append(secret)
    tokens = settings.webhook_token.get_secret_value().split() if settings.webhook_token else []
    if not secrets and not tokens:
        raise ConfigurationError(
            "the webhooks' endpoint would let anybody in",
            "set CONNECTOR_WEBHOOK_SECRET, CONNECTOR_WEBHOOK_TOKEN or both",
        )
    if any(len(token) < 20 for token in tokens):
        raise ConfigurationError("CONNECTOR_WEBHOOK_TOKEN is too short", "take at least 20 random characters")
    try:
        short = any(len(secret_key(secret)) < 16 for of_hook in secrets.values() for secret in of_hook)
    except ValueError:
        short = True
    if short:
        raise ConfigurationError(
            "CONNECTOR_WEBHOOK_SECRET is no secret of Standard Webhooks", "write whsec_ and 24 to 64 bytes in base64"
        )
    return secrets, tokens
