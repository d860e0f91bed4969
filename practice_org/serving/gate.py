"""The limits of an imitated API: so many requests at once, in a sliding window, and in a day.

    with gate.admit(now, zone, Limits(concurrency=5, per_day=50_000)):
        ...

Every request counts, refused ones too. An imitation says in its own words which limit it was.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, fields, replace
from datetime import datetime, tzinfo
from typing import TYPE_CHECKING, Any, Literal, TypeVar

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

S = TypeVar("S", bound="DataclassInstance")

Which = Literal["concurrency", "window", "day"]


@dataclass(frozen=True, slots=True)
class Limits:
    """``per_window`` requests in ``window`` seconds, 0 for as many as one likes; a day begins at midnight in a zone."""

    concurrency: int
    per_day: int
    per_window: int = 0
    window: int = 60


class LimitReached(Exception):
    def __init__(self, which: Which) -> None:
        super().__init__(which)
        self.which: Which = which


@dataclass
class Gate:
    """``used`` are the requests of the day, ``in_flight`` those that are being answered."""

    used: int = 0
    in_flight: int = 0
    _day: str = ""
    _recent: deque[float] = field(default_factory=deque)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @contextmanager
    def admit(self, now: datetime, zone: tzinfo, limits: Limits) -> Iterator[None]:
        """Counts a request in and out. Raises LimitReached."""
        with self._lock:
            self._count(now, zone, limits)
            self.in_flight += 1
        try:
            if self.in_flight > limits.concurrency:
                raise LimitReached("concurrency")
            yield
        finally:
            with self._lock:
                self.in_flight -= 1

    def _count(self, now: datetime, zone: tzinfo, limits: Limits) -> None:
        day = now.astimezone(zone).date().isoformat()
        self._day, self.used = day, self.used + 1 if day == self._day else 1
        if self.used > limits.per_day:
            raise LimitReached("day")
        moment = now.timestamp()
        self._recent.append(moment)
        while self._recent[0] <= moment - limits.window:
            self._recent.popleft()
        if 0 < limits.per_window < len(self._recent):
            raise LimitReached("window")


def changed(switches: S, given: Any) -> S:
    """Switches with other values. Raises ValueError for anything but an object of known switches and whole numbers."""
    known = {each.name for each in fields(switches)}
    if not isinstance(given, dict) or not given.keys() <= known:
        raise ValueError(f"a JSON object of {', '.join(sorted(known))} is needed")
    if not all(isinstance(value, int) and value >= 0 for value in given.values()):
        raise ValueError("switches are whole numbers")
    return replace(switches, **given)
