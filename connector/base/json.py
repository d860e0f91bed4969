"""JSON as ``json`` reads and writes it: checked where it comes from, and looked at where it is used.

What comes from outside is read strictly: NaN and infinities (also as 1e999), and what is nested so deeply that writing
it out again would fail, are refused; so is, in files and messages, a key that is there twice, which readers could
understand differently.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

Json = Any  # None, bool, int, float, str, a list of such, or an object
JsonObject = dict[str, Json]
JsonMap = Mapping[str, Json]  # an object that is only read
DEEPEST = 20  # levels of objects and lists within each other
_NESTED = frozenset({dict, list})


def strict_loads(text: bytes | str, *, once: bool = True) -> Json:
    """Raises ValueError that says what is wrong; UnicodeDecodeError, which is one, for bytes that are not UTF-8.
    ``once``: no key may be there twice, at the price of time."""
    try:
        decoded = text.decode("utf-8") if isinstance(text, bytes) else text
        pairs = _object if once else None
        value = json.loads(decoded, object_pairs_hook=pairs, parse_constant=_constant, parse_float=_float)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    if is_deep(value):
        raise ValueError("nested too deeply")
    return value


def is_deep(value: Json) -> bool:
    """Whatever ``json`` made. Every value of every answer is looked at, so without a call for any of them."""
    level: list[Any] = [value] if value.__class__ in _NESTED else []
    for _ in range(DEEPEST):
        level = [
            inner
            for each in level
            for inner in (each.values() if each.__class__ is dict else each)
            if inner.__class__ in _NESTED
        ]
        if not level:
            return False
    return True


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
