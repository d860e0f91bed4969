"""Who may ask the Marketo imitation, how often, and the faults it shows.

One token at a time: whoever asks gets the same one until it expires, with the seconds that are left of it. Limits are
the vendor's; the quota begins anew at midnight of US Central standard time. Only the header carries a token: the query
parameter ``access_token`` is not read. Refusals for want of a token do not count against the limits.

The org's faults work here too (give them ``path`` "/rest/v1" to spare Salesforce): ``stale_session`` answers 601,
with ``token`` True 602 until a new token is asked; ``concurrent_limit`` 615; ``daily_limit`` 607; ``server_error``
611 or the ``code`` given (604, 606, 608, 713 ...), with a ``status`` an HTML page instead; ``refusal`` any code;
``edge`` such a page with 502; ``late_commits`` holds back new activities; ``locator_expired`` refuses page tokens;
``slow_job`` holds an export.
"""

from __future__ import annotations

import threading
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone

from practice_org.marketo.query import MarketoError
from practice_org.salesforce.org import PracticeOrg
from practice_org.salesforce.refusals import OF_MARKETO
from practice_org.serving.gate import Gate, LimitReached, Limits, Which

CENTRAL = timezone(timedelta(hours=-6))
_LIMITS: dict[Which, str] = {"window": "606", "day": "607", "concurrency": "615"}
_FAULTS = (("concurrent_limit", "615"), ("daily_limit", "607"), ("server_error", "611"))


@dataclass(frozen=True, slots=True)
class Switches:
    """How strict it is; the limits are the real ones.

    ``scan_rows``: so many activities of any type one answer looks through, which is how pages come out short or empty
    with more behind them. ``page_token_seconds``: how long such a token holds, 0 for ever. ``job_seconds``: how long an
    export takes. ``export_megabytes``: what exports may hold in a day. ``guid_only`` 1: activities come without ``id``,
    as instances do that moved to the vendor's newer store. ``spoil_files`` 1: one byte of each download is another.
    """

    concurrency: int = 10
    rate_limit: int = 100
    rate_seconds: int = 20
    daily_limit: int = 50_000
    scan_rows: int = 1000
    token_seconds: int = 3599
    page_token_seconds: int = 0
    job_seconds: int = 0
    export_megabytes: int = 500
    guid_only: int = 0
    spoil_files: int = 0

    def limits(self) -> Limits:
        return Limits(self.concurrency, self.daily_limit, self.rate_limit, self.rate_seconds)


@dataclass
class Tokens:
    """The token of the day, and those that were."""

    current: str = ""
    expires_at: float = 0.0
    _former: set[str] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def issue(self, now: datetime, life: int) -> tuple[str, int]:
        """The token and the whole seconds left of it; a new one when the old one has none left."""
        with self._lock:
            if not self.current or self.expires_at - now.timestamp() < 1:
                self._former.add(self.current)
                self.current, self.expires_at = f"{uuid.uuid4()}:int", now.timestamp() + life
            return self.current, int(self.expires_at - now.timestamp())

    def expire_in(self, now: datetime, seconds: int) -> None:
        """The token has so many seconds left; 0 ends it."""
        self.expires_at = now.timestamp() + seconds

    def check(self, token: str, now: datetime) -> None:
        """Raises MarketoError 600, 601 or 602."""
        if not token:
            raise MarketoError("600", "Access token not specified")
        if token in self._former or (token == self.current and now.timestamp() >= self.expires_at):
            raise MarketoError("602", "Access token expired")
        if token != self.current:
            raise MarketoError("601", "Access token invalid")


def authorise(org: PracticeOrg, tokens: Tokens, headers: Mapping[str, str], path: str) -> None:
    """Raises MarketoError 600, 601 or 602."""
    now = org.clock.now()
    scheme, _, token = headers.get("authorization", "").partition(" ")
    stale = org.faults.take("stale_session", path)
    if stale is not None and not stale.values.get("token"):
        raise MarketoError("601", "Access token invalid")
    if stale is not None:
        tokens.expire_in(now, 0)
    tokens.check(token.strip() if scheme.lower() == "bearer" else "", now)


@contextmanager
def admitted(gate: Gate, now: datetime, switches: Switches) -> Iterator[None]:
    """Counts a request in and out. Raises MarketoError 606, 607 or 615."""
    try:
        with gate.admit(now, CENTRAL, switches.limits()):
            yield
    except LimitReached as limit:
        raise refusal(_LIMITS[limit.which], switches) from None


def refusal(code: str, switches: Switches) -> MarketoError:
    text = OF_MARKETO.get(code, "Not possible")
    limits = {"rate_limit": switches.rate_limit, "rate_seconds": switches.rate_seconds}
    return MarketoError(code, text.format(**limits))


def strike(org: PracticeOrg, switches: Switches, path: str) -> None:
    """The faults that are on for this path, each as its own refusal."""
    if org.faults.take("edge", path) is not None:
        raise MarketoError("502", "Bad Gateway", 502)
    if (told := org.faults.elsewhere(path)) is not None:
        code, status, words = told
        is_usual = status == 200 and words == OF_MARKETO.get(code)
        raise refusal(code, switches) if is_usual else MarketoError(code, words, status)
    for kind, code in _FAULTS:
        fault = org.faults.take(kind, path)
        if fault is not None and "status" in fault.values:
            raise MarketoError("502", "The service is not available", int(fault.values["status"]))
        if fault is not None:
            raise refusal(str(fault.values.get("code", code)), switches)
