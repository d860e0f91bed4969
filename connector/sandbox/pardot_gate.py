"""Who may ask the Account Engagement imitation, how often, and the faults it shows.

The org's faults work here too (give them ``path`` "/api/v5" to spare Salesforce): ``stale_session`` answers 184,
``concurrent_limit`` 66, ``daily_limit`` 122, ``server_error`` 183 with its status; slow, reset and cut-off answers are
the server's. Not documented, so chosen here (UNCONFIRMED): a wrong business unit answers 400, and every authenticated
request counts against the limits, refused ones too.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, fields, replace
from datetime import datetime, tzinfo
from typing import TYPE_CHECKING, Any

from starlette.requests import Request

from connector.sandbox import ids
from connector.sandbox.pardot_query import PardotError

if TYPE_CHECKING:
    from connector.sandbox.org import PracticeOrg

FAULTS = (  # the org's fault, and the code, words and status with which it shows here
    ("concurrent_limit", 66, "Too many concurrent requests", 400),
    ("daily_limit", 122, "The daily API request limit of the account is reached", 400),
    ("server_error", 183, "An internal error occurred", 500),
)


@dataclass(frozen=True, slots=True)
class Switches:
    """How strict it is. ``minute_limit`` 0 means none; ``stale_seconds`` is how old the copy is that reads come from
    (the real service: up to 60); ``chain_limit`` is how many records one chain of pages may have."""

    concurrency: int = 5
    minute_limit: int = 0
    daily_limit: int = 50_000
    stale_seconds: int = 0
    chain_limit: int = 100_000

    def changed(self, given: Any) -> Switches:
        """With other values. Raises ValueError for anything but an object of known switches and whole numbers."""
        known = {each.name for each in fields(self)}
        if not isinstance(given, dict) or not given.keys() <= known:
            raise ValueError(f"a JSON object of {', '.join(sorted(known))} is needed")
        if not all(isinstance(value, int) and value >= 0 for value in given.values()):
            raise ValueError("switches are whole numbers")
        return replace(self, **given)


@dataclass
class Gate:
    """Counts requests: so many at once, a minute, and a day in the account's time zone."""

    used: int = 0
    in_flight: int = 0
    _day: str = ""
    _last_minute: deque[float] = field(default_factory=deque)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @contextmanager
    def admit(self, now: datetime, zone: tzinfo, switches: Switches) -> Iterator[None]:
        """Counts a request in and out. Raises PardotError 122, 202 or 66."""
        with self._lock:
            self._count(now, zone, switches)
            self.in_flight += 1
        try:
            if self.in_flight > switches.concurrency:
                raise PardotError(66, f"More than {switches.concurrency} requests at once are not allowed")
            yield
        finally:
            with self._lock:
                self.in_flight -= 1

    def _count(self, now: datetime, zone: tzinfo, switches: Switches) -> None:
        day = now.astimezone(zone).date().isoformat()
        self._day, self.used = day, self.used + 1 if day == self._day else 1
        if self.used > switches.daily_limit:
            raise PardotError(122, "The daily API request limit of the account is reached")
        moment = now.timestamp()
        self._last_minute.append(moment)
        while self._last_minute[0] <= moment - 60:
            self._last_minute.popleft()
        if 0 < switches.minute_limit < len(self._last_minute):
            raise PardotError(202, "Too many requests this minute; access is blocked for a while")


def authorise(org: PracticeOrg, business_unit_id: str, request: Request) -> None:
    """Raises PardotError 184, 181, 182 or 201."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    stale = org.faults.take("stale_session", request.url.path)
    if stale is not None and stale.values.get("token"):
        org.credentials.expire()
    if scheme.lower() != "bearer" or stale is not None or not org.accepts(token.strip()):
        raise PardotError(184, "access_token is invalid, unknown, or malformed", 401)
    unit = request.headers.get("pardot-business-unit-id")
    if not unit:
        raise PardotError(181, "The header Pardot-Business-Unit-Id is missing")
    if not (len(unit) == 18 and unit.startswith("0Uv") and ids.is_id(unit)):
        raise PardotError(182, "The header Pardot-Business-Unit-Id is no business unit id")
    if unit != business_unit_id:
        raise PardotError(201, "The business unit was not found on this host")


def strike(org: PracticeOrg, path: str) -> None:
    """The faults that are on for this path, each as its own refusal."""
    for kind, code, message, status in FAULTS:
        fault = org.faults.take(kind, path)
        if fault is not None:
            raise PardotError(code, message, int(fault.values.get("status", status)))
