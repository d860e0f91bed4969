"""The only module that asks the machine for the time.

Everything else is handed a :class:`Clock` or a ``now``. Inside, every datetime is aware and in UTC.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Protocol

from connector.base.errors import Transient

SLICE = 0.25  # seconds of sleep after which a sleeper looks up


class Clock(Protocol):
    def now(self) -> datetime:
        """Aware, UTC."""
        ...

    def monotonic(self) -> float:
        """Seconds, for durations."""
        ...

    def sleep(self, seconds: float) -> None: ...


class SystemClock:
    """``stopped`` says whether the process was asked to stop. Then nothing is waited for: sleeping raises Transient, so
    that whoever waited to ask again gives up as after its last retry, and what it was at stays to be done."""

    def __init__(self, stopped: Callable[[], bool] = lambda: False) -> None:
        self._stopped = stopped

    def now(self) -> datetime:
        return datetime.now(UTC)  # noqa: TID251 - the one place

    def monotonic(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        end = self.monotonic() + seconds
        while (left := end - self.monotonic()) > 0:
            if self._stopped():
                raise Transient("asked to stop while waiting to ask again", "the next run goes on here")
            time.sleep(min(left, SLICE))


class FrozenClock:
    """For tests and the demo: stands still until told otherwise; sleeping moves it."""

    def __init__(self, at: datetime) -> None:
        self.at = at
        self._start = at

    def now(self) -> datetime:
        return self.at

    def monotonic(self) -> float:
        return (self.at - self._start).total_seconds()

    def sleep(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)
