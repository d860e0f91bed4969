"""A query as Account Engagement v5 reads it from a URL: pure, from parameters to a :class:`Query` or a refusal.

Codes and rules as in the vendor's overview of version 5. Two things are not documented and chosen here (UNCONFIRMED):
a parameter nobody knows and a value that does not parse answer 400 with code 224; a time without an offset is taken
in the API user's time zone.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any

from practice_org.pardot.objects import OBJECTS, RANGE_FIELDS, ObjectType

DEFAULT_LIMIT = 200
MAX_LIMIT = 1000
MAX_OFFSET = 2000
MAX_FILTER_FIELDS = 3
TOKEN_LIFE = timedelta(hours=4)

_TIME_SUFFIXES = {"AfterOrEqualTo": ">=", "BeforeOrEqualTo": "<=", "After": ">", "Before": "<"}
_NUMBER_SUFFIXES = {"GreaterThanOrEqualTo": ">=", "LessThanOrEqualTo": "<=", "GreaterThan": ">", "LessThan": "<"}
_DELETED = frozenset({"true", "false", "all"})
_PLAIN = frozenset({"fields", "limit", "orderBy", "deleted", "offset", "nextPageToken"})


class PardotError(Exception):
    """An answer with Account Engagement's error body ``{"code", "message"}``."""

    def __init__(self, code: int, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status


@dataclass(frozen=True, slots=True)
class Query:
    """``filters`` are (field, operator, value) with times as epoch seconds; ``deleted`` is "false", "true" or "all".
    ``after`` is the (order value, id) of the last row of the page before, ``served`` how many rows the chain of pages
    has had."""

    object: str
    order: str = "id"
    descending: bool = False
    limit: int = DEFAULT_LIMIT
    offset: int = 0
    deleted: str = "false"
    filters: tuple[tuple[str, str, int], ...] = ()
    after: tuple[int, int] | None = None
    served: int = 0


def read_fields(params: Mapping[str, str], kind: ObjectType) -> list[str]:
    """The asked fields in order, related ones as ``campaign.name``."""
    asked = [name.strip() for name in params.get("fields", "").split(",") if name.strip()]
    if not asked:
        raise PardotError(13, "The parameter fields is missing; it is required.")
    related = {name: OBJECTS[target] for name, target, _ in kind.related}
    wrong = [name for name in asked if not _has_field(kind, related, name)]
    if wrong:
        raise PardotError(224, f"Invalid field names for {kind.name}: {', '.join(wrong)}")
    return list(dict.fromkeys(asked))


def _has_field(kind: ObjectType, related: Mapping[str, ObjectType], name: str) -> bool:
    parent, dot, child = name.partition(".")
    return (parent in related and child in related[parent].fields) if dot else name in kind.fields


def read_query(params: Mapping[str, str], kind: ObjectType, *, now: datetime, zone: tzinfo) -> Query:
    """The query itself, or the one a page token carries. Raises PardotError."""
    if token := params.get("nextPageToken"):
        others = sorted(params.keys() - {"fields", "nextPageToken"})
        if others:
            raise PardotError(211, f"Only fields may accompany nextPageToken, not {', '.join(others)}")
        return _read_token(token, kind, now)
    order, descending = _read_order(params.get("orderBy", "id"), kind)
    filters = tuple(_read_filter(name, value, kind, zone) for name, value in params.items() if name not in _PLAIN)
    if len({field for field, _, _ in filters}) > MAX_FILTER_FIELDS:
        raise PardotError(209, f"At most {MAX_FILTER_FIELDS} different fields may be filtered")
    deleted = params.get("deleted", "false")
    if deleted not in _DELETED:
        raise PardotError(224, "deleted is true, false or all")
    limit = _number("limit", params.get("limit", str(DEFAULT_LIMIT)), 1, MAX_LIMIT)
    offset = _number("offset", params.get("offset", "0"), 0, MAX_OFFSET)
    return Query(kind.name, order, descending, limit, offset, deleted, filters)


def _read_order(text: str, kind: ObjectType) -> tuple[str, bool]:
    field, _, direction = text.strip().partition(" ")
    if field not in kind.orders or direction.strip().lower() not in {"", "asc", "desc"}:
        raise PardotError(
            224, f"{kind.name} cannot be ordered by {text!r}; use one of {', '.join(sorted(kind.orders))}"
        )
    return field, direction.strip().lower() == "desc"


def _read_filter(name: str, value: str, kind: ObjectType, zone: tzinfo) -> tuple[str, str, int]:
    if name in kind.equals or name == "id":
        return name, "=", _number(name, value)
    for field in kind.ranges:
        suffixes = _TIME_SUFFIXES if RANGE_FIELDS[field] == "time" else _NUMBER_SUFFIXES
        operator = suffixes.get(name.removeprefix(field)) if name.startswith(field) else None
        if operator:
            return field, operator, _epoch(name, value, zone) if suffixes is _TIME_SUFFIXES else _number(name, value)
    raise PardotError(224, f"{kind.name} has no parameter {name}")


def _number(name: str, text: str, low: int = 0, high: int = 2**62) -> int:
    if not text.isascii() or not text.isdigit() or not low <= int(text) <= high:
        raise PardotError(224, f"{name} is not a number in range: {text!r}")
    return int(text)


def _epoch(name: str, text: str, zone: tzinfo) -> int:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise PardotError(224, f"{name} is not an ISO 8601 time: {text!r} (a plus sign is sent as %2B)") from None
    return int((at if at.tzinfo else at.replace(tzinfo=zone)).timestamp())


def page_token(query: Query, last: tuple[int, int], served: int, now: datetime) -> str:
    """Where the next page begins, for :data:`TOKEN_LIFE`; opaque to clients."""
    content = {**asdict(query), "after": last, "served": served, "offset": 0, "issued": int(now.timestamp())}
    return base64.urlsafe_b64encode(json.dumps(content).encode()).decode().rstrip("=")


def _read_token(token: str, kind: ObjectType, now: datetime) -> Query:
    try:
        content: dict[str, Any] = json.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
        issued = datetime.fromtimestamp(content.pop("issued"), UTC)
        content["filters"] = tuple((field, operator, value) for field, operator, value in content["filters"])
        content["after"] = tuple(content["after"])
        numbers = [content["limit"], content["served"], *content["after"], *(each[2] for each in content["filters"])]
        is_whole = len(content["after"]) == 2 and all(isinstance(number, int) for number in numbers)
        query = Query(**content)
    except (binascii.Error, ValueError, TypeError, KeyError, AttributeError):
        raise PardotError(211, "nextPageToken is invalid") from None
    if not is_whole or not {query.order, *(field for field, _, _ in query.filters)} <= kind.equals | kind.ranges:
        raise PardotError(211, "nextPageToken is invalid")
    if query.object != kind.name:
        raise PardotError(211, "nextPageToken belongs to another object")
    if now - issued > TOKEN_LIFE:
        raise PardotError(210, "nextPageToken has expired; start the query again")
    return query
