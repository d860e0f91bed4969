"""The section ``calendar:``: when people work."""

from __future__ import annotations

import re
from datetime import date, time
from typing import Any
from zoneinfo import ZoneInfo

from connector.base.json import JsonObject
from connector.lifecycle.calendar import WEEK, Calendar, Hours, public_holidays
from connector.mapping.mistakes import Place
from connector.mapping.shape import Block, Key, ListOf, Reading, Shape, Text
from connector.mapping.tree import Map, Scalar, Seq, Tree

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_SPAN = re.compile(r"(\d{1,2}):(\d{2})\s*[-–]\s*(\d{1,2}):(\d{2})")


class WeekShape(Shape):
    """``{mon-fri: 09:00-18:00, sat: 10:00-14:00}``"""

    words = "days and hours, like {mon-fri: 09:00-18:00}"

    def read(self, tree: Tree, reading: Reading) -> Any:
        if not isinstance(tree, Map) or not tree.items:
            return self._mismatch(tree, reading)
        week: list[Hours] = [()] * 7
        for key, value in tree.items.items():
            days, hours = _days(key), _hours(value)
            if days is None or hours is None:
                what = f"{key}: {value.text if isinstance(value, Scalar) else 'a list'}"
                return reading.bad(tree.at(key), f"{what} is not {self.words}", "write mon-fri: 09:00-18:00")
            for day in days:
                week[day] = hours
        return tuple(week) if any(week) else reading.bad(tree.place, "nobody ever works", "say when")

    def schema(self) -> JsonObject:
        return {"type": "object"}


def _days(text: str) -> list[int] | None:
    ends = [each.strip().lower()[:3] for each in re.split("[-–]", text)]
    if len(ends) > 2 or any(each not in _DAYS for each in ends):
        return None
    first, last = _DAYS.index(ends[0]), _DAYS.index(ends[-1])
    return list(range(first, last + 1)) if first <= last else None


def _hours(tree: Tree) -> Hours | None:
    items = tree.items if isinstance(tree, Seq) else (tree,)
    found = []
    for item in items:
        span = _SPAN.fullmatch(item.text.strip()) if isinstance(item, Scalar) else None
        if span is None:
            return None
        numbers = [int(each) for each in span.groups()]
        if numbers[0] > 23 or numbers[2] > 24 or max(numbers[1], numbers[3]) > 59 or (numbers[2] == 24 and numbers[3]):
            return None
        start, end = time(numbers[0], numbers[1]), time(numbers[2] % 24, numbers[3])
        if end != time(0) and start >= end:
            return None
        found.append((start, end))
    return tuple(sorted(found))


class HolidaysShape(Shape):
    """``DE``, ``[DE, AT]``, or ``{DE: BY}`` with a part of the country."""

    words = "countries by their two letters, like DE or {DE: BY}"

    def read(self, tree: Tree, reading: Reading) -> Any:
        if isinstance(tree, Map):
            pairs = [(key, value.text if isinstance(value, Scalar) else "?") for key, value in tree.items.items()]
        else:
            items = tree.items if isinstance(tree, Seq) else (tree,)
            pairs = [(item.text if isinstance(item, Scalar) else "?", "") for item in items]
        for country, part in pairs:
            try:
                public_holidays(country, part)
            except NotImplementedError as error:
                return reading.bad(tree.place, f"no holidays are known: {error}", f"name {self.words}")
        return tuple(pairs)

    def schema(self) -> JsonObject:
        return {"anyOf": [{"type": "string"}, {"type": "array"}, {"type": "object"}]}


def _calendar(values: JsonObject, place: Place, reading: Reading) -> Any:
    try:
        ZoneInfo(values["time_zone"])
    except (ValueError, OSError, KeyError):  # a ZoneInfoNotFoundError is a KeyError
        return reading.bad(place, f"there is no time zone {values['time_zone']}", "write it like Europe/Berlin")
    off = []
    for day in values["days_off"]:
        try:
            off.append(date.fromisoformat(day))
        except ValueError:
            return reading.bad(place, f"{day} is no date", "write it like 2026-12-31")
    return Calendar(values["time_zone"], values["hours"] or WEEK, values["holidays"], frozenset(off))


CALENDAR = Block(
    "calendar",
    {
        "time_zone": Key(Text(), "where people work", "UTC", example="time_zone: Europe/Berlin"),
        "hours": Key(
            WeekShape(),
            "when, several times a day as a list; else from Monday to Friday, all day",
            example="hours: {mon-fri: 09:00-18:00}",
        ),
        "holidays": Key(HolidaysShape(), "closed on public holidays", (), example="holidays: {DE: BY}"),
        "days_off": Key(ListOf(Text()), "further days", (), example="days_off: [2026-12-24]"),
    },
    _calendar,
    doc="when people work, for spans like 2 business days (2bd) and 4 business hours (4bh)",
)
