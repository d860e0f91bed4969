"""What stands between a request and its answer: headers, sessions, limits, and faults of the edge and the wire."""

from __future__ import annotations

import asyncio
from collections.abc import MutableMapping
from typing import Any
from urllib.parse import urlencode

from starlette.types import Message, Send

from practice_org.salesforce.faults import Fault
from practice_org.salesforce.org import PracticeOrg
from practice_org.salesforce.problems import Problem
from practice_org.salesforce.rest.calls import Call, Reply, refusal

UNCOUNTED = (301, 302, 307, 308, 401, 410, 414, 431)  # statuses of requests that are no API calls
_PIECES = 10
LONGEST_HEAD = 16_384  # bytes of URL and headers together
STANDARD_HEADERS = {
    "Strict-Transport-Security": "max-age=63072000; includeSubDomains",
    "X-Content-Type-Options": "nosniff",
    "X-XSS-Protection": "1; mode=block",
    "X-Robots-Tag": "none",
    "Cache-Control": "no-cache,must-revalidate,max-age=0,no-store,private",
    "Set-Cookie": "CookieConsentPolicy=0:1; path=/; SameSite=None",
    "Vary": "Accept-Encoding",
}
_EDGE_PAGE = "<html><head><title>Setting up</title></head><body><h1>We are setting things up</h1></body></html>"


def authenticate(org: PracticeOrg, call: Call) -> None:
    """Raises 401 for a token that does not hold, or no longer."""
    scheme, _, token = call.headers.get("authorization", "").partition(" ")
    if scheme.lower() not in ("bearer", "oauth"):
        raise Problem(401, "INVALID_AUTH_HEADER", "INVALID_HEADER_TYPE")
    stale = org.faults.take("stale_session")
    if stale is not None and stale.values.get("token"):
        org.credentials.expire()
    if stale is not None or not org.accepts(token.strip()):
        raise Problem(401, "INVALID_SESSION_ID", "Session expired or invalid")


def refusing(org: PracticeOrg) -> Reply | None:
    """The answer where a limit or a fault refuses the whole request. Raises the limits."""
    if org.used_today() > org.daily_limit or org.faults.take("daily_limit"):
        raise Problem(403, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.")
    if org.faults.take("concurrent_limit"):
        text = "ConcurrentRequests (Concurrent API Requests) Limit exceeded."
        raise Problem(403, "REQUEST_LIMIT_EXCEEDED", text)
    broken = org.faults.take("server_error")
    if broken is not None:
        status = int(broken.values.get("status", 503))
        code, text = ("SERVER_UNAVAILABLE", "Server is too busy, please try again later.")
        if status == 500:
            code, text = (
                "UNKNOWN_EXCEPTION",
                "An unexpected error occurred. Please include this ErrorId if you contact support",
            )
        raise Problem(status, code, text)
    if org.faults.take("edge"):
        return Reply(420, _EDGE_PAGE, content_type="text/html")
    return None


def other_address(fault: Fault) -> str:
    """Where a moved org is now."""
    return str(fault.values["to"]).rstrip("/")


def gone_elsewhere(org: PracticeOrg, call: Call, path: str) -> Reply | None:
    """What the old address of a moved org says: 401, or a redirect where ``status`` is one."""
    fault = org.faults.peek("moved")
    if fault is None or other_address(fault) == call.instance:
        return None
    org.faults.met(fault)
    status = int(fault.values.get("status", 401))
    if status < 400:
        query = f"?{urlencode(call.query)}" if call.query else ""
        return Reply(status, headers={"Location": other_address(fault) + path + query})
    return refusal(Problem(status, "INVALID_SESSION_ID", "Session expired or invalid"))


def dripping(send: Send, seconds: float) -> Send:
    """A ``send`` that gives a body in small pieces."""

    async def part(message: Message) -> None:
        body = message.get("body", b"")
        if message["type"] != "http.response.body" or len(body) < _PIECES:
            await send(message)
            return
        size = -(-len(body) // _PIECES)
        for start in range(0, len(body), size):
            await asyncio.sleep(seconds / _PIECES)
            more = message.get("more_body", False) or start + size < len(body)
            await send({**message, "body": body[start : start + size], "more_body": more})

    return part


def reset(send: Send) -> None:
    """Ends the connection without an answer. ``send`` is uvicorn's own; elsewhere nothing is sent at all."""
    cycle = getattr(send, "__self__", None)
    transport = getattr(cycle, "transport", None)
    if transport is not None:
        transport.abort()


def cutting(send: Send, after: int | None) -> Send:
    """A ``send`` that promises the whole body, gives a part of it and closes the connection."""
    cut = False

    async def part(message: Message) -> None:
        nonlocal cut
        body = message.get("body", b"")
        if cut or message["type"] != "http.response.body" or len(body) < 2:
            if not cut:
                await send(message)
            return
        cut = True
        kept = body[: min(len(body) - 1, after if after is not None else len(body) // 2)]
        shown: MutableMapping[str, Any] = {**message, "body": kept, "more_body": True}
        await send(shown)
        _close_softly(send)

    return part


def _close_softly(send: Send) -> None:
    transport = getattr(getattr(send, "__self__", None), "transport", None)
    if transport is not None:
        transport.close()  # what was written still goes out
