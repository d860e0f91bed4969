"""Business time: spans that only count while somebody works, by hours, holidays and days off, in one time zone.

A business hour counts while the calendar is open. A business day later is the same time of the day on the next open
day: from Friday 15:00 one business day ends on Monday at 15:00. What begins while nobody works begins at the next
opening. A span is added to a time with ``+``; ``now - span`` is the latest time from which the span is over by now.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cached_property, lru_cache
from typing import Any
from zoneinfo import ZoneInfo

_FAR = 3660  # days that are looked through for an open one
Hours = tuple[tuple[time, time], ...]
MIDNIGHT = time(0)
WEEK: tuple[Hours, ...] = (((MIDNIGHT, MIDNIGHT),),) * 5 + ((),) * 2  # Monday to Friday, all day


@dataclass(frozen=True)
class Calendar:
    """``hours``: for each weekday, Monday first, from when to when; an end at midnight is that of the day.
    ``holidays``: (country, part of it or ""), closed on their public holidays. ``off``: further days."""

    zone: str = "UTC"
    hours: tuple[Hours, ...] = WEEK
    holidays: tuple[tuple[str, str], ...] = ()
    off: frozenset[date] = frozenset()

    @cached_property
    def _zone(self) -> ZoneInfo:
        return ZoneInfo(self.zone)

    @cached_property
    def _known(self) -> dict[date, tuple[tuple[datetime, datetime], ...]]:
        return {}

    @cached_property
    def _closed(self) -> list[Any]:
        return [public_holidays(country, part) for country, part in self.holidays]

    def open(self, day: date) -> tuple[tuple[datetime, datetime], ...]:
        """From when to when, in UTC, the calendar is open on a day of its zone."""
        found = self._known.get(day)
        if found is None:
            is_closed = day in self.off or any(day in each for each in self._closed)
            found = () if is_closed else tuple(self._at(day, *each) for each in self.hours[day.weekday()])
            self._known[day] = found
        return found

    def _at(self, day: date, start: time, end: time) -> tuple[datetime, datetime]:
        ends_on = day + timedelta(days=1) if end == MIDNIGHT else day
        first, last = datetime.combine(day, start, self._zone), datetime.combine(ends_on, end, self._zone)
        return first.astimezone(UTC), last.astimezone(UTC)

    def day_of(self, at: datetime) -> date:
        return at.astimezone(self._zone).date()

    def opens(self, at: datetime) -> datetime:
        """The time itself while the calendar is open, else the next opening."""
        day = self.day_of(at)
        for _ in range(_FAR):
            for start, end in self.open(day):
                if at < end:
                    return max(at, start)
            day += timedelta(days=1)
        return at + timedelta(days=_FAR)

    def after_hours(self, at: datetime, hours: float) -> datetime:
        """The first moment at which so many open hours are over."""
        left, day = timedelta(hours=hours), self.day_of(at)
        for _ in range(_FAR):
            for start, end in self.open(day):
                begin = max(start, at)
                if begin < end:
                    if left <= end - begin:
                        return begin + left
                    left -= end - begin
            day += timedelta(days=1)
        return at + timedelta(days=_FAR)

    def after_days(self, at: datetime, days: int) -> datetime:
        """The same time of the day, so many open days later; not before that day opens, nor after it closes."""
        start = self.opens(at)
        day, clock = self.day_of(start), start.astimezone(self._zone).timetz()
        for _ in range(_FAR):
            day += timedelta(days=1)
            if opened := self.open(day):
                days -= 1
                if days == 0:
                    same = datetime.combine(day, clock.replace(tzinfo=None), self._zone).astimezone(UTC)
                    return min(max(same, opened[0][0]), opened[-1][1])
        return at + timedelta(days=_FAR)


@lru_cache(maxsize=64)
def public_holidays(country: str, part: str) -> Any:
    """Days that are public holidays; contains dates. Raises NotImplementedError for a place that nobody knows."""
    import holidays  # noqa: PLC0415 - half a second that only those pay who name a country

    return holidays.country_holidays(country, subdiv=part or None)


@dataclass(frozen=True)
class BusinessSpan:
    """So many business days or hours."""

    amount: int
    unit: str  # "day" | "hour"
    calendar: Calendar = Calendar()

    def __radd__(self, at: datetime) -> datetime:
        if self.unit == "day":
            return self.calendar.after_days(at, self.amount)
        return self.calendar.after_hours(at, self.amount)

    def __rsub__(self, now: datetime) -> datetime:
        return _latest_start(self, now)

    def __str__(self) -> str:
        return f"{self.amount} business {self.unit}" + ("" if self.amount == 1 else "s")


Span = timedelta | BusinessSpan


def is_no_longer(a: Span, b: Span) -> bool:
    """Whether a span is surely no longer than another."""
    if isinstance(a, BusinessSpan) and isinstance(b, BusinessSpan):
        return a.unit == b.unit and a.amount <= b.amount
    return isinstance(a, timedelta) and isinstance(b, timedelta) and a <= b


@lru_cache(maxsize=4096)
def _latest_start(span: BusinessSpan, now: datetime) -> datetime:
    """The latest time from which the span is over at ``now``: ends never come earlier from a later start."""

    def is_over(back: int) -> bool:
        return now - timedelta(microseconds=back) + span <= now

    step = 1_000_000
    while not is_over(step):
        step *= 2
    back = bisect_right(range(step), 0, key=is_over)
    return now - timedelta(microseconds=back)
