"""Time that passes without anybody waiting: each look at the clock takes a moment, each sleep as long as it says.

The connector and the practice org of one world share it, over all the processes of that world.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import connector.base.clock
import practice_org.clock

_LOOK = 0.001  # seconds
_begun = datetime(2026, 3, 2, 9, tzinfo=UTC)
_passed = 0.0


def passed() -> float:
    """Seconds, since this world began."""
    return _passed


def begin() -> None:
    """Of a world: the same one again has the same time."""
    global _passed  # noqa: PLW0603 - a process has one time
    _passed = 0.0


def go_to(seconds: float) -> None:
    global _passed  # noqa: PLW0603 - a process has one time
    _passed = max(_passed, seconds)


def pass_by(seconds: float) -> None:
    go_to(_passed + seconds)


def now() -> datetime:
    pass_by(_LOOK)
    return _begun + timedelta(seconds=_passed)


def without_waiting() -> None:
    """From now on, in this process and its forks."""
    ours: Any = connector.base.clock.SystemClock
    theirs: Any = practice_org.clock.SystemClock
    ours.now = theirs.now = lambda _: now()
    ours.monotonic = lambda _: passed()
    ours.sleep = lambda _, seconds: pass_by(max(0.0, seconds))
