"""The routes of the Account Engagement imitation: who may ask, what is answered, and with which refusals.

Not documented, so chosen here (UNCONFIRMED): an unknown or missing business unit answers 400, the usage header reads
``used/limit``, every authenticated request counts against the limits, refused ones too.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, tzinfo
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from connector.sandbox import ids, pardot_rows
from connector.sandbox.pardot_objects import OBJECTS, TIME_FIELDS, ObjectType
from connector.sandbox.pardot_query import PardotError, Query, page_token, read_fields, read_query

if TYPE_CHECKING:
    from connector.sandbox.pardot import Pardot

METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]
WARNING = "203;The query has reached the number of records one chain of pages may have"


@dataclass
class Gate:
    """The limits on calls: so many at once, a minute (None: any), and a day in the account's time zone."""

    concurrency: int = 5
    minute_limit: int | None = None
    daily_limit: int = 50_000
    used: int = 0
    in_flight: int = 0
    _day: str = ""
    _last_minute: deque[float] = field(default_factory=deque)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @contextmanager
    def admit(self, now: datetime, zone: tzinfo) -> Iterator[None]:
        """Counts a request in and out. Raises PardotError 122, 202 or 66."""
        with self._lock:
            self._count(now, zone)
            self.in_flight += 1
        try:
            if self.in_flight > self.concurrency:
                raise PardotError(66, f"More than {self.concurrency} requests at once are not allowed")
            yield
        finally:
            with self._lock:
                self.in_flight -= 1

    def _count(self, now: datetime, zone: tzinfo) -> None:
        day = now.astimezone(zone).date().isoformat()
        self._day, self.used = day, self.used + 1 if day == self._day else 1
        if self.used > self.daily_limit:
            raise PardotError(122, "The daily API request limit of the account is reached")
        moment = now.timestamp()
        self._last_minute.append(moment)
        while self._last_minute[0] <= moment - 60:
            self._last_minute.popleft()
        if self.minute_limit is not None and len(self._last_minute) > self.minute_limit:
            raise PardotError(202, "Too many requests this minute; access is blocked for a while")


def routes(pardot: Pardot) -> list[Route]:
    """Sync endpoints: each request has a thread, so that five of them can be in hand at once."""

    def objects(request: Request) -> Response:
        return _guarded(pardot, request, _page)

    def record(request: Request) -> Response:
        return _guarded(pardot, request, _record)

    return [
        Route("/api/v5/objects/{object}", objects, methods=METHODS),
        Route("/api/v5/objects/{object}/{id}", record, methods=METHODS),
    ]


Answer = Callable[["Pardot", Request, ObjectType], Response]


def _guarded(pardot: Pardot, request: Request, answer: Answer) -> Response:
    """Everything that is checked before an object is looked at, in the service's order."""
    now = pardot.org.clock.now()
    try:
        _authorise(pardot, request)
        with pardot.gate.admit(now, pardot.zone):
            kind = OBJECTS.get(request.path_params["object"])
            if kind is None:
                raise PardotError(198, f"There is no endpoint {request.url.path}", 404)
            if request.method not in {"GET", "HEAD"}:
                raise PardotError(198, f"{request.method} is not allowed here", 405)
            response = answer(pardot, request, kind)
    except PardotError as error:
        response = JSONResponse({"code": error.code, "message": error.message}, error.status)
    if request.headers.get("x-return-api-usage") == "1":
        response.headers["x-api-usage"] = f"{pardot.gate.used}/{pardot.gate.daily_limit}"
    return response


def _authorise(pardot: Pardot, request: Request) -> None:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not pardot.org.accepts(token):
        raise PardotError(184, "access_token is invalid, unknown, or malformed", 401)
    unit = request.headers.get("pardot-business-unit-id")
    if not unit:
        raise PardotError(181, "The header Pardot-Business-Unit-Id is missing")
    if not (len(unit) == 18 and unit.startswith("0Uv") and ids.is_id(unit)):
        raise PardotError(182, "The header Pardot-Business-Unit-Id is no business unit id")
    if unit != pardot.business_unit_id:
        raise PardotError(201, "The business unit was not found on this host")


def _page(pardot: Pardot, request: Request, kind: ObjectType) -> Response:
    params = dict(request.query_params)
    now = pardot.org.clock.now()
    fields = read_fields(params, kind)
    query = read_query(params, kind, now=now, zone=pardot.zone)
    horizon = int((now - pardot.stale).timestamp())
    query = replace(query, limit=min(query.limit, pardot.chain_limit - query.served))
    db = pardot.org.db
    with db.lock:
        since = _modified_since(request)
        if since is not None and pardot_rows.newest_change(db.connection, query, horizon) <= since:
            return Response(status_code=304)
        bodies, more = pardot_rows.read(db.connection, query, horizon)
        related = _related(pardot, kind, fields, bodies, horizon)
    served = query.served + len(bodies)
    ended = more and served >= pardot.chain_limit
    token = page_token(query, _place(query, bodies[-1]), served, now) if more and not ended else None
    url = request.url.replace(query=f"fields={','.join(fields)}&nextPageToken={token}") if token else None
    values = [_render(body, fields, related, kind, pardot.zone) for body in bodies]
    content = {"nextPageToken": token, "nextPageUrl": str(url) if url else None, "values": values}
    return JSONResponse(content, headers={"Pardot-Warning": WARNING} if ended else None)


def _record(pardot: Pardot, request: Request, kind: ObjectType) -> Response:
    fields = read_fields(dict(request.query_params), kind)
    text = request.path_params["id"]
    if not text.isascii() or not text.isdigit():
        raise PardotError(192, f"{text!r} is no id")
    horizon = int((pardot.org.clock.now() - pardot.stale).timestamp())
    db = pardot.org.db
    with db.lock:
        body = pardot_rows.many(db.connection, kind.name, [int(text)], horizon).get(int(text))
        if body is None or body.get("isDeleted"):
            raise PardotError(109, f"There is no record {text} in {kind.name}", 404)
        related = _related(pardot, kind, fields, [body], horizon)
    return JSONResponse(_render(body, fields, related, kind, pardot.zone))


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
    pardot: Pardot, kind: ObjectType, fields: Sequence[str], bodies: Sequence[Mapping[str, Any]], horizon: int
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
