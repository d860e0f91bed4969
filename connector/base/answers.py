"""The judge of shapes: what a service answers may be anything, and whatever it is becomes a good value or one of our
errors here. An answer of another shape than the one asked for is a fault that passes; a row that cannot be read is
counted and takes no other with it.

Sessions (``http.py``) ask it of every answer; readers of answers read within :func:`reading`.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import requests

from connector.base.errors import Transient
from connector.base.hiding import keep_hidden
from connector.base.json import Json, JsonObject, strict_loads

MALFORMED = (ArithmeticError, AttributeError, IndexError, KeyError, RecursionError, TypeError, ValueError)
_T = TypeVar("_T")
_SAID: dict[type, str] = {dict: "an object", list: "a list"}


def body_of(response: requests.Response) -> Json:
    """The JSON body, None when there is none. Parsed once: ``response.json`` gives the same object from then on."""
    if "json" not in vars(response):
        parsed = _parsed(response)
        response.json = lambda **_kwargs: parsed  # type: ignore[method-assign]  # a page of rows is megabytes
    return response.json()


def _parsed(response: requests.Response) -> Json:
    content = response.content
    try:
        return strict_loads(content.decode(json.detect_encoding(content)), once=False)
    except ValueError:
        pass
    try:
        return strict_loads(content.decode(response.encoding or "utf-8"), once=False)
    except (LookupError, ValueError):
        return None


def misshapen(response: requests.Response, shape: type | None) -> str:
    """What is wrong with a good answer, "" where nothing is. Without a ``shape`` it must be JSON or empty, unless it
    says that it is something else (CSV)."""
    body = body_of(response)
    if shape is not None:
        return "" if isinstance(body, shape) else f"the answer is not {_SAID[shape]} of JSON"
    said = response.headers.get("Content-Type", "")
    if body is None and response.content and ("json" in said or "html" in said):
        return "the answer is not valid JSON"
    return ""


@contextmanager
def reading(api: str) -> Iterator[None]:
    """Around the code that takes an answer apart. Raises Transient when it is of another shape."""
    try:
        yield
    except MALFORMED:
        raise unreadable(api) from None


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


def token_of(body: JsonObject) -> str:
    """The access token. Raises ValueError for what no header can hold."""
    token = body["access_token"]
    if not isinstance(token, str) or not token.isascii() or not token.isprintable() or token != token.strip():
        raise ValueError("no token")
    keep_hidden([token])
    return token


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
