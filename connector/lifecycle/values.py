"""Values as Salesforce and marketing systems send them, read for comparing: texts without case, times in UTC."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

from connector.base.money import Money, shown_number
from connector.lifecycle.calendar import BusinessSpan, Span

ONE_DAY = timedelta(days=1)


def fold(text: str) -> str:
    """Texts are compared as Salesforce compares them: without case, without spaces around them."""
    return text.strip().casefold()


def kind_of(word: str) -> str:
    """A word for a type of activity as kinds are written: "Page View" is ``page_view``; "" where it has no letter."""
    parts = re.findall(r"[^\W_]+", word.lower())
    return "_".join(parts)[:64] if parts and parts[0][0].isalpha() else ""


def is_missing(value: Any) -> bool:
    return value is None or value == ""


def number_of(value: Any) -> float | None:
    """The number a value stands for; None when it is none. A checkbox is not a number."""
    if isinstance(value, bool):
        return None
    if isinstance(value, float):  # an amount stays one
        return value
    if isinstance(value, int):
        return float(value)
    if isinstance(value, str):
        try:
            return float(value)
        except ValueError:
            return None
    return None


def time_of(value: Any) -> datetime | None:
    """A Salesforce date (its start in UTC) or date and time; None when it is neither."""
    if not isinstance(value, str):
        return value if isinstance(value, datetime) else None
    try:
        parsed = datetime.fromisoformat(value)
    except ValueError:
        return None
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)


def show(value: Any) -> str:
    """A value for people."""
    if is_missing(value):
        return "empty"
    if isinstance(value, bool):
        return "ticked" if value else "not ticked"
    if isinstance(value, float) and not isinstance(value, Money):
        return shown_number(value)
    return str(value)


def show_time(at: datetime) -> str:
    return at.strftime("%Y-%m-%d") if at.hour == at.minute == at.second == 0 else at.strftime("%Y-%m-%d %H:%M")


def show_duration(span: Span) -> str:
    """30 days, 12 hours, 10 minutes, 2 business days: the largest unit that divides it."""
    if isinstance(span, BusinessSpan):
        return str(span)
    seconds = int(span.total_seconds())
    for unit, size in (("day", 86400), ("hour", 3600), ("minute", 60)):
        if seconds % size == 0 and seconds >= size:
            count = seconds // size
            return f"{count} {unit}" + ("" if count == 1 else "s")
    return f"{seconds} seconds"
