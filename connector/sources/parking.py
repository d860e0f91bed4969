"""A poll of a service with a daily limit: once it is reached, nothing is asked for a while."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

from connector.base.errors import LimitReached

PARKED = timedelta(minutes=15)


class Parking:
    """``close`` is called at the end of each poll, and closes connections only: a minute later they would be closed by
    the other side."""

    def __init__(self, close: Callable[[], None]) -> None:
        self._close = close
        self._parked: tuple[datetime, LimitReached] | None = None

    @contextmanager
    def poll(self, now: datetime) -> Iterator[None]:
        """Around a poll. Raises the LimitReached of the last one for as long as it holds."""
        if self._parked and now < self._parked[0]:
            raise self._parked[1]
        try:
            yield
        except LimitReached as error:
            self._parked = (now + PARKED, error)
            raise
        finally:
            self._close()
