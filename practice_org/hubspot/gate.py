"""Who may ask the HubSpot imitation, how often, and the faults it shows.

The org's faults work here too (give them ``path`` "/crm/" to spare Salesforce): ``stale_session`` answers 401,
``concurrent_limit`` the 429 of ten seconds, ``daily_limit`` the 429 of the day, ``server_error`` its status,
``refusal`` any category or status; slow, reset and cut-off answers are the server's. Search has a bucket of its own,
and its 429 says nothing of when to come back.
"""

from __future__ import annotations

import re
import threading
import uuid
from collections import deque
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from practice_org.salesforce.org import PracticeOrg


class HubSpotError(Exception):
    """An answer with HubSpot's error body; ``more`` holds its optional keys (errors, context, policyName ...)."""

    def __init__(self, status: int, category: str, message: str, **more: Any) -> None:
        super().__init__(message)
        self.status, self.category, self.message, self.more = status, category, message, more

    def body(self) -> dict[str, Any]:
        """Without the correlation id, as it stands in the ``errors`` of a batch."""
        return {"status": "error", "category": self.category, "message": self.message, **self.more}


def invalid(message: str, **more: Any) -> HubSpotError:
    return HubSpotError(400, "VALIDATION_ERROR", message, **more)


@dataclass(frozen=True, slots=True)
class Switches:
    """How strict it is; 0 in a limit means none. ``index_lag_seconds`` is how far search is behind. HubSpot's own
    reaction to a lifecycle stage set back is reported both ways: ``refuse_backward`` 1 answers 400, 0 ignores the
    value. ``retry_after`` 1 sends that header with the 429 of ten seconds."""

    ten_seconds_limit: int = 100
    search_limit: int = 5
    daily_limit: int = 250_000
    index_lag_seconds: int = 0
    refuse_backward: int = 0
    retry_after: int = 0


@dataclass
class Gate:
    """Counts requests: within one second (search) or ten (all others), and in a day, which here is one of UTC."""

    used: int = 0
    answered: int = 0
    _day: str = ""
    _search: deque[float] = field(default_factory=deque)
    _others: deque[float] = field(default_factory=deque)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def admit(self, now: datetime, switches: Switches, *, search: bool) -> dict[str, str]:
        """Counts a request; the headers of its answer. Raises HubSpotError 429."""
        with self._lock:
            day = now.date().isoformat()
            self._day, self.used = day, self.used + 1 if day == self._day else 1
            if self.used > switches.daily_limit:
                raise daily()
            seen, seconds = (self._search, 1) if search else (self._others, 10)
            limit = switches.search_limit if search else switches.ten_seconds_limit
            moment = now.timestamp()
            while seen and seen[0] <= moment - seconds:
                seen.popleft()
            if 0 < limit <= len(seen):
                raise secondly() if search else ten_secondly()
            seen.append(moment)
            headers = {
                "X-HubSpot-RateLimit-Daily": str(switches.daily_limit),
                "X-HubSpot-RateLimit-Daily-Remaining": str(max(0, switches.daily_limit - self.used)),
            }
            if search:
                return headers
            last_second = sum(1 for each in seen if each > moment - 1)
            return {
                **headers,
                "X-HubSpot-RateLimit-Interval-Milliseconds": "10000",
                "X-HubSpot-RateLimit-Max": str(limit),
                "X-HubSpot-RateLimit-Remaining": str(max(0, limit - len(seen))),
                "X-HubSpot-RateLimit-Secondly": str(limit // 10),
                "X-HubSpot-RateLimit-Secondly-Remaining": str(max(0, limit // 10 - last_second)),
            }

    def correlation_id(self) -> str:
        self.answered += 1
        return str(uuid.uuid5(uuid.NAMESPACE_OID, str(self.answered)))


def daily() -> HubSpotError:
    return HubSpotError(429, "RATE_LIMITS", "You have reached your daily limit.", policyName="DAILY")


def secondly() -> HubSpotError:
    return HubSpotError(429, "RATE_LIMITS", "You have reached your secondly limit.")


def ten_secondly() -> HubSpotError:
    message = "You have reached your ten_secondly_rolling limit."
    return HubSpotError(429, "RATE_LIMITS", message, policyName="TEN_SECONDLY_ROLLING")


def authorise(org: PracticeOrg, token: str, header: str, path: str) -> None:
    """Raises HubSpotError 401."""
    scheme, _, given = header.partition(" ")
    if org.faults.take("stale_session", path) is not None:
        raise HubSpotError(401, "EXPIRED_AUTHENTICATION", "The OAuth token used to make this call expired.")
    if scheme.lower() != "bearer" or given.strip() != token:
        raise HubSpotError(401, "INVALID_AUTHENTICATION", "Authentication credentials not found or not valid.")


# what a path needs of a key: (pattern, methods, scope); UNCONFIRMED that reading other engagements needs contacts alone
SCOPES = (
    (re.compile(r"^/crm/.*/(contacts?|0-1)(/|$)"), ("PATCH", "DELETE", "PUT"), "crm.objects.contacts.write"),
    (re.compile(r"^/crm/(v3/)?objects/.*"), ("GET", "POST"), "crm.objects.contacts.read"),
    (re.compile(r"^/crm/(v3/)?objects/(.*/)?(emails?|0-49)(/|$)"), ("GET", "POST"), "sales-email-read"),
    (re.compile(r"^/crm/(v3/)?objects/(.*/)?(deals?|0-3)(/|$)"), ("GET", "POST"), "crm.objects.deals.read"),
    (re.compile(r"^/email/"), ("GET",), "content"),
)


def check_scopes(missing: Collection[str], method: str, path: str) -> None:
    """Raises HubSpotError 403."""
    for pattern, methods, scope in SCOPES:
        if scope in missing and method in methods and pattern.search(path):
            wanted = {"message": "One or more of the following scopes are required.",
                      "context": {"requiredGranularScopes": [scope]}}  # fmt: skip
            message = "This app hasn't been granted all required scopes to make this call."
            raise HubSpotError(403, "MISSING_SCOPES", message, errors=[wanted])


def strike(org: PracticeOrg, path: str) -> None:
    """The faults that are on for this path, each as its own refusal."""
    if (told := org.faults.elsewhere(path)) is not None:
        category, status, words = told
        raise HubSpotError(status, category or "INTERNAL_ERROR", words or "internal error")
    if org.faults.take("concurrent_limit", path):
        raise ten_secondly()
    if org.faults.take("daily_limit", path):
        raise daily()
    fault = org.faults.take("server_error", path)
    if fault is not None:
        raise HubSpotError(int(fault.values.get("status", 503)), "INTERNAL_ERROR", "internal error")
