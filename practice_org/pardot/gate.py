"""Who may ask the Account Engagement imitation, how often, and the faults it shows.

The org's faults work here too (give them ``path`` "/api/v5" to spare Salesforce): ``stale_session`` answers 184,
``concurrent_limit`` 66, ``daily_limit`` 122, ``server_error`` 183 with its status, ``refusal`` any code; slow, reset
and cut-off answers are the server's. Not documented, so chosen here (UNCONFIRMED): a wrong business unit answers 400,
and every authenticated request counts against the limits, refused ones too.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, tzinfo

from starlette.requests import Request

from practice_org.pardot.query import PardotError
from practice_org.salesforce import ids
from practice_org.salesforce.org import PracticeOrg
from practice_org.serving.gate import Gate, LimitReached, Limits, Which

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

    def limits(self) -> Limits:
        return Limits(self.concurrency, self.daily_limit, self.minute_limit)


REFUSALS: dict[Which, tuple[int, str]] = {
    "concurrency": (66, "More requests at once than are allowed"),
    "day": (122, "The daily API request limit of the account is reached"),
    "window": (202, "Too many requests this minute; access is blocked for a while"),
}


@contextmanager
def admitted(gate: Gate, now: datetime, zone: tzinfo, switches: Switches) -> Iterator[None]:
    """Counts a request in and out. Raises PardotError 122, 202 or 66."""
    try:
        with gate.admit(now, zone, switches.limits()):
            yield
    except LimitReached as limit:
        raise PardotError(*REFUSALS[limit.which]) from None


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
    if (told := org.faults.elsewhere(path)) is not None:
        text, status, words = told
        raise PardotError(int(text) if text.isdigit() else 183, words or "An internal error occurred", status)
    for kind, code, message, status in FAULTS:
        fault = org.faults.take(kind, path)
        if fault is not None:
            raise PardotError(code, message, int(fault.values.get("status", status)))
