"""Faults that a test, or an admin over HTTP, switches on. Each was met by a real client.

kind               parameters                      what happens
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
slow               seconds                         the answer takes that long
locator_expired    -                               nextRecordsUrl answers INVALID_QUERY_LOCATOR
reset              -                               the connection ends without an answer
slow_job           -                               a bulk job still says InProgress when asked

All take ``times`` (none: until switched off) and ``path``, a regular expression searched in the request's path.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from practice_org.salesforce.problems import Problem

KINDS = (
    "late_commits", "stale_session", "refresh_busy", "row_lock", "governor", "daily_limit", "concurrent_limit",
    "server_error", "edge", "cut_off", "slow", "locator_expired", "reset", "slow_job",
)  # fmt: skip


@dataclass(slots=True)
class Fault:
    kind: str
    times: int | None = None
    path: str = ""
    values: dict[str, Any] = field(default_factory=dict)
    met: int = 0  # how often it happened

    def as_json(self) -> dict[str, Any]:
        return {"kind": self.kind, "times": self.times, "path": self.path, "met": self.met, **self.values}


class Faults:
    """The faults that are on. ``path`` is that of the HTTP request in hand, "" for the Python handle."""

    def __init__(self) -> None:
        self.active: list[Fault] = []
        self.path = ""

    def on(self, kind: str, *, times: int | None = None, path: str = "", **values: Any) -> Fault:
        """Switches a fault on. Raises a problem for an unknown kind or a broken pattern."""
        if kind not in KINDS:
            raise Problem(400, "INVALID_FAULT", f"unknown fault {kind!r}; known are {', '.join(KINDS)}")
        try:
            re.compile(path)
        except re.error as error:
            raise Problem(400, "INVALID_FAULT", f"path is no regular expression: {error}") from None
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
            fault.met += 1
            if fault.times is not None:
                fault.times -= 1
                if fault.times <= 0:
                    self.active.remove(fault)
        return fault

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
