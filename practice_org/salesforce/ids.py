"""Salesforce record ids: 15 case-sensitive characters, or 18 with a checksum that survives case-folding."""

from __future__ import annotations

import re
from functools import lru_cache

from practice_org.salesforce.problems import Problem

DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_CHECK = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"
_SHAPE = re.compile(r"[0-9A-Za-z]{15}(?:[0-9A-Za-z]{3})?\Z")
INSTANCE = "PO00000"  # where a real id names the instance: ids of this org are told apart from loaded ones


def checksum(id15: str) -> str:
    """Three characters; bit i of each says whether character i of its group of five is an upper case letter."""
    return _letter(id15[:5]) + _letter(id15[5:10]) + _letter(id15[10:15])


@lru_cache(maxsize=65536)
def _letter(group: str) -> str:
    return _CHECK[sum(1 << i for i, char in enumerate(group) if "A" <= char <= "Z")]


def generate(prefix: str, number: int) -> str:
    """The ``number``-th id of this org with a 3 character key prefix."""
    tail = ""
    for _ in range(5):
        number, digit = divmod(number, 62)
        tail = DIGITS[digit] + tail
    id15 = f"{prefix}{INSTANCE}{tail}"
    return id15 + checksum(id15)


def number_of(id18: str) -> int | None:
    """The inverse of :func:`generate`; None for an id that came from another org."""
    if id18[3:10] != INSTANCE:
        return None
    number = 0
    for char in id18[10:15]:
        number = number * 62 + DIGITS.index(char)
    return number


@lru_cache(maxsize=65536)
def is_id(text: str) -> bool:
    """A 15 character id, or an 18 character one whose checksum is right."""
    return bool(_SHAPE.match(text)) and (len(text) == 15 or checksum(text[:15]) == text[15:])


@lru_cache(maxsize=65536)
def full(text: str, what: str = "Id") -> str:
    """The 18 character form. Raises the MALFORMED_ID problem for anything that is not an id."""
    if not is_id(text):
        raise Problem(400, "MALFORMED_ID", f"{what}: id value of incorrect type: {text}", (what,))
    return text if len(text) == 18 else text + checksum(text)
