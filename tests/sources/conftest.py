"""What the tests of the sources share."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from connector.clock import FrozenClock


@pytest.fixture
def clock() -> FrozenClock:
    return FrozenClock(datetime(2026, 5, 1, 12, tzinfo=UTC))
