"""What a request to Marketo asks, pure: parameters and page tokens to values, or a refusal.

Codes as in the vendor's list of error codes. Not documented, so chosen here (UNCONFIRMED): a page token that is damaged
or too old, and an activity type that the instance does not have, answer 1003; wordings beyond the documented ones.
"""

from __future__ import annotations

import base64
import binascii
import json
import struct
import zlib
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

MAX_TYPES, MAX_LEADS, MAX_VALUES, MAX_BATCH, MAX_MATCHES = 10, 30, 300, 300, 1000
LONGEST_RANGE = timedelta(days=31)


class MarketoError(Exception):
    """A refusal: ``code`` inside HTTP 200, or, with a ``status``, an HTTP error with an HTML page."""

    def __init__(self, code: str, message: str, status: int = 200) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status


@dataclass(frozen=True, slots=True)
class Ask:
    """A request: a POST with ``_method`` GET or DELETE has become one; a repeated parameter is a comma list."""

    method: str
    path: str
    params: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes = b""

    def content(self) -> dict[str, Any]:
        """The JSON object of the body. Raises 612 or 609."""
        if not self.headers.get("content-type", "").startswith("application/json"):
            raise MarketoError("612", "Invalid Content Type")
        try:
            found = json.loads(self.body)
        except ValueError:
            found = None
        if not isinstance(found, dict):
            raise MarketoError("609", "Invalid JSON")
        return found


@dataclass(frozen=True, slots=True)
class Place:
    """A position in the log of activities, or of leads when ``at`` is 0. ``issued``: epoch seconds."""

    at: int
    id: int
    issued: int

    def token(self) -> str:
        """Opaque, and of the same look as the vendor's: upper case and digits, ``====`` at the end."""
        packed = struct.pack(">qqq", self.at, self.id, self.issued)
        return base64.b32encode(packed + _check(packed)).decode()


def _check(packed: bytes) -> bytes:
    return zlib.crc32(packed).to_bytes(4)[1:]


def read_place(params: Mapping[str, str], now: datetime, life: int) -> Place:
    """The place a ``nextPageToken`` stands for; ``life`` in seconds, 0 for ever."""
    token = required(params, "nextPageToken")
    try:
        raw = base64.b32decode(token.strip())
        packed, check = raw[:-3], raw[-3:]
        place = Place(*struct.unpack(">qqq", packed))
    except (binascii.Error, ValueError, struct.error):
        raise MarketoError("1003", "Invalid data: nextPageToken") from None
    expired = life and now.timestamp() - place.issued > life
    if check != _check(packed) or expired:
        raise MarketoError("1003", "Invalid data: nextPageToken")
    return place


def required(params: Mapping[str, str], name: str) -> str:
    if name not in params:
        raise MarketoError("1002", f"Missing value for the required parameter '{name}'")
    if not params[name].strip():
        raise MarketoError("701", f"{name} cannot be blank")
    return params[name]


def listed(text: str) -> list[str]:
    return [each.strip() for each in text.split(",") if each.strip()]


def numbers(params: Mapping[str, str], name: str, most: int) -> list[int]:
    """A comma list of ids; empty when the parameter is not given."""
    found = [number(name, each) for each in listed(params.get(name, ""))]
    if len(found) > most:
        raise MarketoError("1003", f"Invalid data: at most {most} values are allowed for {name}")
    return found


def number(name: str, text: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 18:
        raise MarketoError("1001", f"Invalid value '{text}'. Required of type 'integer' ({name})")
    return int(text)


def batch_size(params: Mapping[str, str]) -> int:
    """More than the most is the most; the vendor names no error for it."""
    asked = number("batchSize", params.get("batchSize", str(MAX_BATCH)))
    return min(max(asked, 1), MAX_BATCH)


def rows_given(content: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The rows of a body's ``input``. Raises 1002 and 1003."""
    rows = content.get("input")
    if not isinstance(rows, list) or not rows or not all(isinstance(row, dict) for row in rows):
        raise MarketoError("1002", "Missing value for the required parameter 'input'")
    if len(rows) > MAX_BATCH:
        raise MarketoError("1003", f"Invalid data: at most {MAX_BATCH} rows are allowed")
    return rows


def moment(name: str, text: str) -> int:
    """Epoch seconds of an ISO 8601 time; without an offset it is UTC."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise MarketoError("704", f"Invalid date format: {name}") from None
    return int((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp())


def known_fields(text: str, known: Collection[str], default: Collection[str]) -> list[str]:
    """The fields of a comma list, each once; the default for an empty one. Raises 1006."""
    asked = list(dict.fromkeys(listed(text))) or list(default)
    for each in asked:
        if each not in known:
            raise MarketoError("1006", f"Field '{each}' not found")
    return asked


def field_value(name: str, kind: str, value: Any) -> Any:
    """A value as a lead's field of that type keeps it. Raises 1003, in the words of recorded answers."""
    if value is None or kind not in _READERS:
        return value
    try:
        return _READERS[kind](value)
    except (ValueError, TypeError, KeyError):
        raise MarketoError("1003", f"Invalid value for field '{name}' and value '{value}'") from None


def _whole(value: Any) -> int:
    if isinstance(value, bool) or float(value) != int(float(value)):
        raise ValueError(value)
    return int(float(value))


def _real(value: Any) -> float | int:
    if isinstance(value, bool):
        raise TypeError(value)
    return value if isinstance(value, int) else float(value)


def _boolean(value: Any) -> bool:
    return {"true": True, "false": False, "1": True, "0": False}[str(value).lower()]


def _email(value: Any) -> str:
    if "@" not in value:
        raise ValueError(value)
    return str(value)


def _datetime(value: Any) -> str:
    at = datetime.fromisoformat(value)
    return stamp(int((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()))


_READERS: dict[str, Callable[[Any], Any]] = {
    "integer": _whole,
    "percent": _whole,
    "float": _real,
    "currency": _real,
    "boolean": _boolean,
    "email": _email,
    "datetime": _datetime,
}


def stamp(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
