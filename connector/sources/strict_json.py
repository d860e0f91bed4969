"""JSON from outside, read strictly: what readers could understand differently, or could not store, is refused.

That is a key that is there twice, NaN and infinities (also as 1e999), and what is nested so deeply that writing it out
again would fail.
"""

from __future__ import annotations

import json
import math
from typing import Any

from connector.base.json import Json, JsonObject

DEEPEST = 20  # levels of objects and lists within each other


def strict_loads(text: bytes | str) -> Any:
    """Raises ValueError that says what is wrong; UnicodeDecodeError, which is one, for bytes that are not UTF-8."""
    try:
        decoded = text.decode("utf-8") if isinstance(text, bytes) else text
        value = json.loads(decoded, object_pairs_hook=_object, parse_constant=_constant, parse_float=_float)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    if is_deep(value):
        raise ValueError("nested too deeply")
    return value


def is_deep(value: Json) -> bool:
    level = [value]
    for _ in range(DEEPEST):
        level = [inner for each in level for inner in _inside(each)]
        if not level:
            return False
    return True


def _inside(value: Json) -> Any:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


def _object(pairs: list[tuple[str, Any]]) -> JsonObject:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the key {twice[:40]!r} is there twice")
    return found


def _constant(text: str) -> None:
    raise ValueError(f"{text} is no JSON value")


def _float(text: str) -> float:
    if math.isinf(number := float(text)):
        raise ValueError(f"{text[:40]} is no number that can be kept")
    return number
