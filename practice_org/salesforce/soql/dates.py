"""SOQL's relative dates (TODAY, LAST_N_DAYS:30 ...) as half-open ranges of days. The org's users live in UTC.

Weeks begin on Sunday (the en_US locale), the fiscal year is the calendar year.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta

from practice_org.salesforce.problems import malformed_query

Range = tuple[date, date]  # first day, first day after


def _day(today: date, by: int) -> date:
    return today + timedelta(days=by)


def _week(today: date, by: int) -> date:
    return today - timedelta(days=(today.weekday() + 1) % 7) + timedelta(weeks=by)


def _month(today: date, by: int) -> date:
    months = today.year * 12 + today.month - 1 + by
    return date(months // 12, months % 12 + 1, 1)


def _quarter(today: date, by: int) -> date:
    return _month(date(today.year, (today.month - 1) // 3 * 3 + 1, 1), 3 * by)


def _year(today: date, by: int) -> date:
    return date(today.year + by, 1, 1)


_UNITS: dict[str, Callable[[date, int], date]] = {
    "DAY": _day,
    "WEEK": _week,
    "MONTH": _month,
    "QUARTER": _quarter,
    "YEAR": _year,
    "FISCAL_QUARTER": _quarter,
    "FISCAL_YEAR": _year,
}
_DAYS = {"YESTERDAY": -1, "TODAY": 0, "TOMORROW": 1}
_STEPS = {"LAST": -1, "THIS": 0, "NEXT": 1}


def relative(text: str, today: date) -> Range:
    """Raises MALFORMED_QUERY for a word that is no date literal, or leads out of the calendar."""
    try:
        return _range(text, today)
    except (OverflowError, ValueError):
        raise malformed_query(f"date literal out of range: '{text}'") from None


def _range(text: str, today: date) -> Range:
    name, _, number = text.upper().partition(":")
    if name in _DAYS:
        return _day(today, _DAYS[name]), _day(today, _DAYS[name] + 1)
    if name in ("LAST_90_DAYS", "NEXT_90_DAYS"):
        return (_day(today, -90), _day(today, 1)) if name[0] == "L" else (_day(today, 1), _day(today, 91))
    if number:
        return _counted(text, name, int(number), today)
    step, _, unit = name.partition("_")
    if step in _STEPS and unit in _UNITS and unit != "DAY":
        start = _UNITS[unit]
        return start(today, _STEPS[step]), start(today, _STEPS[step] + 1)
    raise malformed_query(f"unexpected token: '{text}'")


def _counted(text: str, name: str, number: int, today: date) -> Range:
    step, _, rest = name.partition("_N_")
    ago = name.startswith("N_") and name.endswith("_AGO")
    unit = (name[2:-4] if ago else rest).removesuffix("S")
    start = _UNITS.get(unit)
    if start is None or (not ago and step not in ("LAST", "NEXT")):
        raise malformed_query(f"unexpected token: '{text}'")
    if ago:
        return start(today, -number), start(today, 1 - number)
    if step == "NEXT":
        return start(today, 1), start(today, number + 1)
    # LAST_N_DAYS reaches to the end of today, the longer units end where the current one begins
    return start(today, -number), start(today, 1 if unit == "DAY" else 0)
