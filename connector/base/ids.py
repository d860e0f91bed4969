"""Salesforce record ids: 15 characters whose case matters, or 18 with a checksum that makes case not matter."""

from __future__ import annotations

import re

_CHECKSUM = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"
PERSON_PREFIXES = {"Contact": "003", "Lead": "00Q"}  # how ids of these objects begin
WRITTEN_PREFIXES = {**PERSON_PREFIXES, "Account": "001"}
_FIFTEEN = re.compile(r"[A-Za-z0-9]{15}")


def id18(text: str) -> str | None:
    """The 18 character form of a record id; None when ``text`` is no record id."""
    head = text[:15]
    if len(text) not in {15, 18} or not _FIFTEEN.fullmatch(head):
        return None
    whole = head + _suffix(head)
    return whole if len(text) == 15 or text[15:].upper() == whole[15:] else None


def _suffix(head: str) -> str:
    """One character for each group of five: bit i is set where the i-th character is A-Z."""
    groups = (head[start : start + 5] for start in (0, 5, 10))
    return "".join(_CHECKSUM[sum(1 << i for i, c in enumerate(group) if "A" <= c <= "Z")] for group in groups)
