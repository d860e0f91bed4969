"""What SQLite is taught for SOQL and SOSL: distances, values as a person reads them, words in a text."""

from __future__ import annotations

import math
import re
import sqlite3
from datetime import datetime

MILES = 0.621371
_RADIUS = 6371.0
_WORD = re.compile(r"[^\W_]+")


def teach(connection: sqlite3.Connection) -> None:
    connection.create_function("sf_distance", 4, distance, deterministic=True)
    connection.create_function("sf_format", 2, shown, deterministic=True)
    connection.create_function("sf_words", 2, has_words, deterministic=True)


def distance(latitude: float | None, longitude: float | None, to_latitude: float, to_longitude: float) -> float | None:
    """Kilometres along the globe; None where there is no place."""
    if latitude is None or longitude is None:
        return None
    a, b = math.radians(latitude), math.radians(to_latitude)
    half = math.sin((b - a) / 2) ** 2
    half += math.cos(a) * math.cos(b) * math.sin(math.radians(to_longitude - longitude) / 2) ** 2
    return 2 * _RADIUS * math.asin(min(1.0, math.sqrt(half)))


def shown(value: object, kind: str) -> str | None:
    """As FORMAT gives it to a user in the United States."""
    if value is None:
        return None
    if kind == "currency":
        return f"${float(str(value)):,.2f}"
    if kind in ("double", "percent", "int"):
        number = float(str(value))
        text = f"{number:,.0f}" if number == int(number) else f"{number:,}"
        return f"{text}%" if kind == "percent" else text
    if kind == "date":
        found = datetime.fromisoformat(str(value))
        return f"{found.month}/{found.day}/{found.year}"
    if kind == "datetime":
        found = datetime.fromisoformat(str(value))
        hour = found.hour % 12 or 12
        return f"{found.month}/{found.day}/{found.year}, {hour}:{found.minute:02d} {'AM' if found.hour < 12 else 'PM'}"
    return str(value)


def has_words(text: str | None, pattern: str) -> int:
    """Whether one word after the other begins somewhere in a text as a pattern asks: ``*`` and ``?`` as in SOSL."""
    if not text:
        return 0
    wanted = [
        re.escape(one).replace(r"\*", r"\w*").replace(r"\?", r"\w") for one in re.split(r"[^\w*?]+", pattern) if one
    ]
    return int(bool(wanted) and re.search(r"\b" + r"\W+".join(wanted) + r"\b", text, re.IGNORECASE) is not None)
