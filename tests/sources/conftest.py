"""What the tests of the sources share."""

from __future__ import annotations

from datetime import UTC, datetime

import hypothesis
import pytest

from connector.clock import FrozenClock

hypothesis.settings.register_profile("unhurried", deadline=None)  # two busy cores make any example slow
hypothesis.settings.load_profile("unhurried")


@pytest.fixture
def clock() -> FrozenClock:
    return FrozenClock(datetime(2026, 5, 1, 12, tzinfo=UTC))
