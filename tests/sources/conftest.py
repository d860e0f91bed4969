"""What the tests of the sources share."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from connector.base.clock import FrozenClock
from connector.store import Store, open_store


@pytest.fixture
def clock() -> FrozenClock:
    return FrozenClock(datetime(2026, 5, 1, 12, tzinfo=UTC))


@pytest.fixture
def store(tmp_path: Path, clock: FrozenClock) -> Iterator[Store]:
    with open_store(str(tmp_path / "state.sqlite3"), clock=clock) as opened:
        yield opened
