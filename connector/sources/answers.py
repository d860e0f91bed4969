"""What a service answers may be of any shape: an answer without its list is a passing fault, and a row that cannot be
read is counted and takes no other with it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

import requests

from connector.base.errors import Transient
from connector.base.http import body_of
from connector.base.json import JsonObject

MALFORMED = (AttributeError, IndexError, KeyError, OverflowError, TypeError, ValueError)
_T = TypeVar("_T")


def envelope(response: requests.Response, api: str) -> JsonObject:
    """The answer's JSON object. Raises Transient when it is none."""
    body = body_of(response)
    if not isinstance(body, dict):
        raise unreadable(api)
    return body


def listed(body: JsonObject, key: str, api: str, default: list[Any] | None = None) -> list[Any]:
    """Raises Transient when there is no such list; ``default`` is for services that leave an empty one out."""
    rows = body.get(key, default)
    if not isinstance(rows, list):
        raise unreadable(api)
    return rows


def unreadable(api: str) -> Transient:
    return Transient(f"{api} answered with nothing that can be read", "it usually passes; the next cycle asks again")


def readable(read: Callable[[Any], _T], rows: Iterable[Any], unknown: Counter[str], name: str) -> Iterator[_T]:
    """Each row as ``read`` has it; the others are counted under ``name``."""
    for row in rows:
        try:
            found = read(row)
        except MALFORMED:
            unknown[name] += 1
        else:
            yield found
