"""What is left of a row when its person is forgotten: ids, dates, numbers and stages; no name, address or text."""

from __future__ import annotations

import json
import re
from collections.abc import Collection
from typing import Any

from connector.base.json import JsonMap, JsonObject
from connector.store.rows import dumps

_GONE = "(forgotten)"
_ID = re.compile(r"[A-Za-z0-9]{15}(?:[A-Za-z0-9]{3})?")
_DATE = re.compile(r"\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d.{0,20})?")
_BORN = re.compile("birth", re.IGNORECASE)
_NAMED = ("Name", "name", "full_name", "FullName")
_PARTS = (("FirstName", "LastName"), ("first_name", "last_name"), ("firstName", "lastName"), ("firstname", "lastname"))
_REACHED = re.compile(r"phone|mobile|fax", re.IGNORECASE)
_SHORTEST = 4  # characters of a text that is looked for elsewhere


def bare(fields: JsonMap, keep: Collection[str] = ()) -> JsonObject:
    """Of a row that is the person's: what says nothing of who it is. ``keep``: fields that hold stages and the like."""
    return {name: value for name, value in fields.items() if _stays(name, value, keep)}


def _stays(name: str, value: Any, keep: Collection[str]) -> bool:
    if _BORN.search(name):
        return False
    if value is None or isinstance(value, bool) or name in keep:
        return True
    if isinstance(value, int | float):
        return not _REACHED.search(name)
    if not isinstance(value, str):
        return False
    return bool((name.endswith("Id") and _ID.fullmatch(value)) or _DATE.fullmatch(value))


def telling(fields: JsonMap) -> set[str]:
    """The texts of a row by which somebody would be found in other rows: name, addresses, numbers to call."""
    found = [str(fields.get(name) or "") for name in _NAMED]
    found += [" ".join(str(fields.get(part) or "") for part in parts).strip() for parts in _PARTS]
    found += [str(value) for name, value in fields.items() if value and _REACHED.search(name)]
    found += [value for value in fields.values() if isinstance(value, str) and "@" in value and " " not in value]
    return {each for each in found if len(each) >= _SHORTEST and not _ID.fullmatch(each)}


class Redactor:
    """Takes these texts out of others, however they are written."""

    def __init__(self, texts: Collection[str]) -> None:
        ordered = sorted(texts, key=lambda each: (-len(each), each))
        said = "|".join(re.escape(each) for each in ordered) or r"(?!)"
        self._found = re.compile(rf"(?<!\w)(?:{said})(?!\w)", re.IGNORECASE)

    def finds(self, text: str) -> bool:
        return self._found.search(text) is not None

    def __call__(self, value: Any) -> Any:
        """Of JSON values, too."""
        if isinstance(value, str):
            return self._found.sub(_GONE, value)
        if isinstance(value, dict):
            return {self(name): self(each) for name, each in value.items()}
        return [self(each) for each in value] if isinstance(value, list) else value

    def column(self, text: str) -> str:
        """Of a column, which may hold JSON."""
        if text[:1] in {"{", "["}:
            try:
                return dumps(self(json.loads(text)))
            except ValueError:
                pass
        return str(self(text))
