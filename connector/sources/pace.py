"""Asking no faster than a service allows: what is refused for its haste counts against the day all the same."""

from __future__ import annotations

from collections import deque

from connector.base.clock import Clock


class Pace:
    """At most ``most`` requests within ``seconds``, of whatever the service lets everybody have together."""

    def __init__(self, clock: Clock, most: int, seconds: float) -> None:
        self._clock, self._seconds = clock, seconds
        self._asked: deque[float] = deque(maxlen=most)

    def wait(self) -> None:
        """Until one more request may be sent, which is taken to be sent then."""
        if len(self._asked) == self._asked.maxlen:
            early = self._asked[0] + self._seconds - self._clock.monotonic()
            if early > 0:
                self._clock.sleep(early)
        self._asked.append(self._clock.monotonic())
