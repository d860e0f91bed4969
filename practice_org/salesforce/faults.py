"""Faults that a test, or an admin over HTTP, switches on. Each was met by a real client.

kind               parameters                      what happens
refusal            code and/or status, message,    the request is refused with any code of :mod:`refusals`; ``body``
                   body (json)                     html, xml or empty instead of Salesforce's JSON
row_error          code, object, ids, when,        the rows that match are refused, as by a validation rule or a flow;
                   changed, field, message, on     ``when`` is a SOQL condition on the row as it would be
duplicate_rule     object, fields, allow_save      DUPLICATES_DETECTED where another record has the same values
sign_in            error, description              the token endpoint refuses
moved              to, status                      the org has another address: the old one answers 401, or redirects
late_commits       seconds                         writes carry the stamp of now and appear that much later
stale_session      -                               401 INVALID_SESSION_ID; ``token`` True: until a new token is asked
refresh_busy       -                               the token endpoint: "token request is already being processed"
row_lock           ids (none: any row)             500 on a single PATCH, a row error in Collections
governor           object, rows                    a transaction of more than ``rows`` rows fails, all of it
daily_limit        -                               403 REQUEST_LIMIT_EXCEEDED, TotalRequests
concurrent_limit   -                               403 REQUEST_LIMIT_EXCEEDED, ConcurrentRequests
server_error       status (503)                    SERVER_UNAVAILABLE or UNKNOWN_EXCEPTION
edge               -                               420 with an HTML page
cut_off            after (bytes; none: half)       the body ends early, the connection is closed
slow               seconds, p95                    the answer takes that long; with ``p95`` about that long, one in
                                                   twenty longer than ``p95``
drip               seconds                         the body comes in small pieces over that time
locator_expired    -                               nextRecordsUrl answers INVALID_QUERY_LOCATOR
reset              -                               the connection ends without an answer
query_timeout      object, rows                    a query of the object with more than ``rows`` rows takes too long
too_large          object, rows                      400 OPERATION_TOO_LARGE, as users without View All meet it
slow_job           -                               a bulk job still says InProgress when asked
failed_job         message                         a bulk job ends Failed

All take ``times`` (none: until switched off) and ``path``, a regular expression searched in the request's path.
"""

from __future__ import annotations

import math
import random
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from practice_org.salesforce.problems import Problem
from practice_org.salesforce.refusals import ELSEWHERE, OF_REQUESTS, OF_ROWS, OF_SIGN_IN

BODIES = ("json", "html", "xml", "empty")
Values = Mapping[str, Any]
_LONGEST = 600
_P95 = 1.645  # standard deviations above the middle
KINDS: dict[str, tuple[str, ...]] = {  # and the parameters of each, beside times and path
    "refusal": ("code", "status", "message", "body"),
    "row_error": ("code", "object", "ids", "when", "changed", "field", "message", "status", "on"),
    "duplicate_rule": ("object", "fields", "allow_save", "message"),
    "sign_in": ("error", "description"),
    "moved": ("to", "status"),
    "late_commits": ("seconds",),
    "stale_session": ("token",),
    "refresh_busy": (),
    "row_lock": ("ids", "object"),
    "governor": ("object", "rows"),
    "daily_limit": ("status", "code"),
    "concurrent_limit": ("status", "code"),
    "server_error": ("status", "code"),
    "edge": (),
    "cut_off": ("after",),
    "slow": ("seconds", "p95"),
    "drip": ("seconds",),
    "locator_expired": (),
    "reset": (),
    "query_timeout": ("object", "rows"),
    "too_large": ("object", "rows"),
    "slow_job": ("failed",),
    "failed_job": ("message",),
}


@dataclass(slots=True)
class Fault:
    kind: str
    times: int | None = None
    path: str = ""
    values: dict[str, Any] = field(default_factory=dict)
    met: int = 0  # how often it happened

    def as_json(self) -> dict[str, Any]:
        return {"kind": self.kind, "times": self.times, "path": self.path, "met": self.met, **self.values}


def _invalid(text: str) -> Problem:
    return Problem(400, "INVALID_FAULT", text)


def _timed(values: Values) -> str:
    for name in ("seconds", "p95"):
        if not isinstance(values.get(name, 0), int | float) or not 0 <= values.get(name, 0) <= _LONGEST:
            return f"{name} is a number of seconds up to {_LONGEST}"
    return ""


def _refusal(values: Values) -> str:
    code, status = values.get("code"), values.get("status")
    if code is None and status is None:
        return "refusal needs a code or a status"
    if status is None and str(code) not in OF_REQUESTS | ELSEWHERE:
        return f"with code {code} a status is needed; known by themselves are {', '.join((*OF_REQUESTS, *ELSEWHERE))}"
    if status is not None and not (isinstance(status, int) and 300 <= status <= 599):
        return "status is a number from 300 to 599"
    return "" if values.get("body", "json") in BODIES else f"body is one of {', '.join(BODIES)}"


def _row_error(values: Values) -> str:
    code = values.get("code", "FIELD_CUSTOM_VALIDATION_EXCEPTION")
    if code not in OF_ROWS and "message" not in values:
        return f"with code {code} a message is needed; known by themselves are {', '.join(OF_ROWS)}"
    return "when needs the object whose fields it names" if values.get("when") and not values.get("object") else ""


def _duplicate_rule(values: Values) -> str:
    is_whole = values.get("object") and isinstance(values.get("fields"), list)
    return "" if is_whole else "duplicate_rule needs an object and a list of fields"


def _moved(values: Values) -> str:
    is_address = str(values.get("to", "")).startswith("http")
    return "" if is_address else "moved needs to, this server by another name, like http://localhost:PORT"


def _sign_in(values: Values) -> str:
    is_known = values.get("error", "invalid_grant") in OF_SIGN_IN or "description" in values
    return "" if is_known else f"that error needs a description; known by themselves are {', '.join(OF_SIGN_IN)}"


_WRONG: dict[str, Callable[[Values], str]] = {  # what is wrong with the parameters of a kind, "" for nothing
    "slow": _timed,
    "drip": _timed,
    "late_commits": _timed,
    "refusal": _refusal,
    "row_error": _row_error,
    "duplicate_rule": _duplicate_rule,
    "moved": _moved,
    "sign_in": _sign_in,
}


class Faults:
    """The faults that are on. ``path`` is that of the HTTP request in hand, "" for the Python handle."""

    def __init__(self) -> None:
        self.active: list[Fault] = []
        self.path = ""
        self._dice = random.Random(0)

    def on(self, kind: str, *, times: int | None = None, path: str = "", **values: Any) -> Fault:
        """Switches a fault on. Raises a problem for an unknown kind or a broken pattern."""
        if kind not in KINDS:
            raise _invalid(f"unknown fault {kind!r}; known are {', '.join(KINDS)}")
        if unknown := [name for name in values if name not in KINDS[kind]]:
            known = ", ".join((*KINDS[kind], "times", "path"))
            raise _invalid(f"{kind} has no {', '.join(unknown)}; it has {known}")
        try:
            re.compile(path)
        except re.error as error:
            raise _invalid(f"path is no regular expression: {error}") from None
        check = _WRONG.get(kind)
        if check is not None and (wrong := check(values)):
            raise _invalid(wrong)
        if kind == "refusal" and not path:
            path = ELSEWHERE.get(str(values.get("code")), (0, "", ""))[2]
        fault = Fault(kind, times, path, values)
        self.active.append(fault)
        return fault

    def off(self, kind: str | None = None) -> None:
        self.active = [fault for fault in self.active if kind is not None and fault.kind != kind]

    def peek(self, kind: str, path: str | None = None) -> Fault | None:
        where = self.path if path is None else path
        return next((f for f in self.active if f.kind == kind and re.search(f.path, where)), None)

    def take(self, kind: str, path: str | None = None) -> Fault | None:
        """The fault, if it strikes now; counts as one of its ``times``."""
        fault = self.peek(kind, path)
        if fault is not None:
            self.met(fault)
        return fault

    def elsewhere(self, path: str) -> tuple[str, int, str] | None:
        """Code, status and words of a refusal that is meant for a marketing system: it names where it strikes."""
        fault = self.peek("refusal", path)
        if fault is None or not fault.path:
            return None
        self.met(fault)
        code = str(fault.values.get("code", ""))
        usual, words, _ = ELSEWHERE.get(code, (400, "", ""))
        return code, int(fault.values.get("status", usual)), str(fault.values.get("message", words))

    def striking(self, kind: str) -> list[Fault]:
        """Every fault of a kind that is on here."""
        return [fault for fault in self.active if fault.kind == kind and re.search(fault.path, self.path)]

    def met(self, fault: Fault) -> None:
        """It struck: once more, and once less to come."""
        fault.met += 1
        if fault.times is not None:
            fault.times -= 1
            if fault.times <= 0:
                self.active.remove(fault)

    def seconds(self, path: str) -> float:
        """How long the answer to a request takes beyond its own time."""
        fault = self.take("slow", path)
        if fault is None:
            return 0
        middle = float(fault.values.get("seconds", 1))
        slowest = float(fault.values.get("p95", 0))
        if slowest <= middle or middle <= 0:
            return middle
        return self._dice.lognormvariate(math.log(middle), math.log(slowest / middle) / _P95)

    def locked(self, object_name: str, ids: Sequence[str]) -> dict[str, Problem]:
        """The rows of one request that another transaction holds."""
        fault = self.peek("row_lock")
        if fault is None or fault.values.get("object") not in (None, object_name):
            return {}
        wanted = fault.values.get("ids")
        hit = [one for one in ids if not wanted or one in wanted or one[:15] in wanted]
        if hit:
            self.take("row_lock")
        text = "unable to obtain exclusive access to this record or 1 records: "
        return {one: Problem(500, "UNABLE_TO_LOCK_ROW", text + one, ()) for one in hit}

    def query(self, object_name: str, rows: int) -> None:
        """Raises what becomes of a query that takes too long."""
        told = {
            "query_timeout": ("QUERY_TIMEOUT", "Your query request was running for too long."),
            "too_large": ("OPERATION_TOO_LARGE", "exceeded 100000 distinct who/what's"),
        }
        for kind, (code, text) in told.items():
            fault = self.peek(kind)
            if fault and fault.values.get("object", object_name) == object_name and rows > fault.values.get("rows", -1):
                self.take(kind)
                raise Problem(400, code, text)

    def governor(self, object_name: str, rows: int) -> Problem | None:
        fault = self.peek("governor")
        if (
            fault is None
            or fault.values.get("object", object_name) != object_name
            or rows <= fault.values.get("rows", 0)
        ):
            return None
        self.take("governor")
        text = (
            f"{object_name}Automation: execution of BeforeUpdate caused by: System.LimitException: "
            "Apex CPU time limit exceeded: (System Code)"
        )
        return Problem(400, "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY", text, ())
