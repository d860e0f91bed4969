"""Requests to the REST API as values, and the table of who answers which.

A :class:`Call` is one request, or one subrequest of a Composite; a handler takes the org and the call and returns a
:class:`Reply` or raises a Problem. Nothing here knows HTTP's wire: that is ``server``'s.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote
from xml.sax.saxutils import escape  # writes, parses nothing

from practice_org.salesforce import values
from practice_org.salesforce.org import PracticeOrg
from practice_org.salesforce.problems import Problem, each, not_found
from practice_org.salesforce.refusals import OF_REQUESTS
from practice_org.salesforce.writing.results import Options

NEWEST, OLDEST = 68, 31  # API versions that answer; 21 to 30 retired in Summer '25
_RELEASES = ("Spring", "Summer", "Winter")


@dataclass(frozen=True, slots=True)
class Call:
    """``path`` is what follows ``/services/data/v60.0/``, still percent-encoded; header names are lower case;
    ``content`` is the parsed body of a subrequest; ``instance`` is the org's address as the client knows it.
    ``transaction`` counts rows by object over a whole Composite request."""

    method: str
    version: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    content: Any = None
    transaction: Mapping[str, int] = field(default_factory=dict)
    instance: str = ""

    @property
    def base(self) -> str:
        return f"/services/data/v{self.version}"

    def json(self) -> Any:
        """The body. Raises JSON_PARSER_ERROR for what is no JSON."""
        if self.content is not None:
            return self.content
        try:
            return json.loads(self.body)
        except ValueError as error:
            raise parser_error(f"Unexpected character or end of input: {error}") from None

    def mapping(self) -> dict[str, Any]:
        found = self.json()
        if not isinstance(found, dict):
            raise parser_error("The HTTP entity body is required to be a JSON object")
        return found

    def options(self, *, all_or_none: bool = False) -> Options:
        auto_assign = self.headers.get("sforce-auto-assign", "TRUE").strip().upper() != "FALSE"
        saves = "allowsave=true" in self.headers.get("sforce-duplicate-rule-header", "").replace(" ", "").lower()
        return Options(
            auto_assign=auto_assign, allow_duplicates=saves, all_or_none=all_or_none, transaction=self.transaction
        )


@dataclass(slots=True)
class Reply:
    """``body`` becomes JSON; None is an empty answer, a str is sent as it is (``content_type`` says what it is)."""

    status: int = 200
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    content_type: str = "application/json;charset=UTF-8"


Handler = Callable[..., Reply]


def parser_error(text: str) -> Problem:
    return Problem(400, "JSON_PARSER_ERROR", text)


def refusal(problem: Problem) -> Reply:
    return Reply(problem.status, [one.as_error() for one in each(problem)])


def refused(org: PracticeOrg, path: str) -> Reply | None:
    """The answer of a ``refusal`` that is on for a path."""
    fault = org.faults.take("refusal", path)
    if fault is None:
        return None
    code = fault.values.get("code")
    usual, text = OF_REQUESTS.get(str(code), (400, ""))
    problem = Problem(int(fault.values.get("status", usual)), str(code), str(fault.values.get("message", text)))
    kind = fault.values.get("body", "json" if code else "empty")
    if kind == "empty":
        return Reply(problem.status)
    if kind == "html":
        return Reply(problem.status, f"<html><body><h1>{problem.message}</h1></body></html>", content_type="text/html")
    if kind == "xml":
        said = f"<errorCode>{code}</errorCode><message>{escape(problem.message)}</message>"
        page = f'<?xml version="1.0" encoding="UTF-8"?><Errors><Error>{said}</Error></Errors>'
        return Reply(problem.status, page, content_type="application/xml;charset=UTF-8")
    return refusal(problem)


def boolean(text: Any) -> bool:
    return str(text).lower() == "true"


class Router:
    """``add("sobjects/(?P<name>\\w+)", GET=handler)``; the first pattern that matches the whole path wins."""

    def __init__(self) -> None:
        self.routes: list[tuple[re.Pattern[str], dict[str, Handler]]] = []

    def add(self, pattern: str, **handlers: Handler) -> None:
        self.routes.append((re.compile(pattern + r"/?\Z"), handlers))

    def dispatch(self, org: PracticeOrg, call: Call) -> Reply:
        """The answer; problems become refusals."""
        try:
            return self.find(org, call)
        except Problem as problem:
            return refusal(problem)

    def find(self, org: PracticeOrg, call: Call) -> Reply:
        """The answer, or a problem."""
        for pattern, handlers in self.routes:
            match = pattern.match(call.path)
            if match:
                handler = handlers.get("GET" if call.method == "HEAD" else call.method)
                if handler is None:
                    raise _not_allowed(call.method, handlers)
                return handler(org, call, **{key: unquote(text) for key, text in match.groupdict().items()})
        raise not_found()


def _not_allowed(method: str, handlers: Mapping[str, Handler]) -> Problem:
    allowed = ",".join([*(["HEAD"] if "GET" in handlers else []), *handlers])
    return Problem(405, "METHOD_NOT_ALLOWED", f"HTTP Method '{method}' not allowed. Allowed are {allowed}")


def versions() -> list[dict[str, str]]:
    """The answer of ``/services/data/``: three releases a year, Spring '24 being 60."""
    found = []
    for number in range(OLDEST, NEWEST + 1):
        label = f"{_RELEASES[number % 3]} '{24 + (number - 60) // 3 + (number % 3 == 2):02d}"
        found.append({"label": label, "url": f"/services/data/v{number}.0", "version": f"{number}.0"})
    return found


def check_version(text: str) -> None:
    """Raises 410 for a retired version and 404 for one that does not exist yet."""
    match = re.fullmatch(r"(\d{1,3})\.0", text)
    number = int(match[1]) if match else 0
    if not match or number > NEWEST:
        raise not_found()
    if number < OLDEST:
        raise Problem(410, "UNSUPPORTED_API_VERSION", f"API version {text} is retired and no longer available")


def resource(path: str) -> str:
    """What a call is counted as: ``query``, ``query_more``, ``composite``, ``composite/sobjects``, ``describe`` ..."""
    parts = [part for part in path.split("/") if part]
    if not parts:
        return "resources"
    if parts[0] in ("query", "queryAll"):
        return "query_more" if len(parts) > 1 else "query"
    if parts[0] == "composite":
        return "/".join(parts[:2])
    if parts[0] == "sobjects" and len(parts) > 2 and parts[2] in ("describe", "updated", "deleted"):
        return parts[2]
    return parts[0]


def count_rows(rows: list[Any]) -> Counter[str]:
    """Rows by object of one Collections body."""
    return Counter(_kind(row) for row in rows)


def _kind(row: Any) -> str:
    attributes = row.get("attributes") if isinstance(row, dict) else None
    return str(attributes.get("type", "")) if isinstance(attributes, dict) else ""


def since(text: str) -> Any:
    """A date of a URL parameter or header in ISO form. Raises the problem Salesforce does."""
    try:
        return values.moment(text.replace(" ", "+"))
    except ValueError:
        raise Problem(400, "INVALID_FIELD", f"Invalid date: {text}") from None
