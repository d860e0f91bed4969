"""A real SQLite state in a temporary folder, and facts in as few words as a test needs."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from connector.clock import FrozenClock
from connector.store import Store, open_store

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def clock() -> FrozenClock:
    return FrozenClock(NOW)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "connector.sqlite3"


@pytest.fixture
def store(path: Path, clock: FrozenClock) -> Iterator[Store]:
    with open_store(str(path), clock=clock) as opened:
        yield opened
