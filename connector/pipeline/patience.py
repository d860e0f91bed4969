"""What is refused for good is not hammered: a sign-in that is no longer taken locks accounts and fills logs.

It is asked again after a minute, then after more and more, up to every four hours. A restart or SIGHUP asks at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from connector.base.errors import ConnectorError, LimitReached, Refused

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


class Patience:
    """With sources, each by its name."""

    def __init__(self) -> None:
        self._pauses: dict[str, Pause] = {}
        self._said: dict[str, Refused] = {}

    def ask(self, source: str, now: datetime) -> None:
        """Raises StillRefused while the source is not to be asked."""
        if source in self._said and self._pauses[source].holds(now):
            said = self._said[source]
            raise StillRefused(said.what, said.hint, code=said.code)

    def noted(self, source: str, error: ConnectorError, now: datetime) -> ConnectorError:
        """What to tell of an error; a refusal begins a pause, but for a limit, which says itself how long."""
        if not isinstance(error, Refused) or isinstance(error, LimitReached | StillRefused):
            return error
        pause = self._pauses.setdefault(source, Pause())
        pause.refused(now)
        what = error.what if pause.times == 1 else f"{error.what} ({pause.times} times)"
        hint = f"{error.hint}; asked again at {pause.until:%Y-%m-%d %H:%M} UTC"
        self._said[source] = Refused(what, hint, code=error.code)
        return self._said[source]

    def over(self, source: str) -> None:
        """It went well."""
        self._pauses.pop(source, None)
        self._said.pop(source, None)

    def ask_at_once(self) -> None:
        """All of them, whatever they said."""
        self._pauses.clear()
        self._said.clear()
