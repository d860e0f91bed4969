"""What is refused for good is not hammered: a sign-in that is no longer taken locks accounts and fills logs.

It is asked again after a minute, then after more and more, up to every four hours. A restart or SIGHUP asks at once.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from connector.base.clock import Clock
from connector.base.errors import LimitReached, Refused
from connector.base.facts import SourcePage
from connector.base.json import JsonMap
from connector.base.ports import Metered, Source

PAUSES = tuple(timedelta(minutes=each) for each in (1, 5, 15, 60, 240))  # after the first refusal, the second ...


class StillRefused(Refused):
    """What a source said when it was asked; it is not asked now."""


@dataclass
class Pause:
    """``times``: refusals in a row; ``until``: when to ask again."""

    times: int = 0
    until: datetime | None = None

    def refused(self, now: datetime) -> None:
        self.until = now + PAUSES[min(self.times, len(PAUSES) - 1)]
        self.times += 1

    def over(self) -> None:
        self.times, self.until = 0, None

    def holds(self, now: datetime) -> bool:
        return self.until is not None and now < self.until


class Patient:
    """A source that is asked with pauses while it refuses."""

    def __init__(self, source: Source, clock: Clock) -> None:
        self.name = source.name
        self.pause = Pause()
        self.source, self._clock = source, clock
        self._said: Refused | None = None

    def account(self) -> str | None:
        self._wait()
        try:
            return self.source.account()
        except Refused as error:
            raise self._noted(error) from None

    def poll(self, cursor: JsonMap | None, now: datetime) -> Iterator[SourcePage]:
        self._wait()
        try:
            yield from self.source.poll(cursor, now)
        except Refused as error:
            raise self._noted(error) from None
        self.pause.over()

    def calls(self) -> Mapping[str, int]:
        return self.source.calls()

    def allowance(self) -> tuple[int, int] | None:
        return self.source.allowance() if isinstance(self.source, Metered) else None

    def _wait(self) -> None:
        if self._said is not None and self.pause.holds(self._clock.now()):
            raise StillRefused(self._said.what, self._said.hint, code=self._said.code)

    def _noted(self, error: Refused) -> Refused:
        if isinstance(error, LimitReached):  # it says itself how long
            return error
        self.pause.refused(self._clock.now())
        times, until = self.pause.times, self.pause.until
        what = error.what if times == 1 else f"{error.what} ({times} times)"
        self._said = Refused(what, f"{error.hint}; asked again at {until:%Y-%m-%d %H:%M} UTC", code=error.code)
        return self._said
