"""What the tests of the Salesforce edge share."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import hypothesis
import pytest
from http_player import Player

from connector.base.clock import FrozenClock

hypothesis.settings.register_profile("unhurried", deadline=None)  # two busy cores make any example slow
hypothesis.settings.load_profile("unhurried")


@pytest.fixture
def player() -> Iterator[Player]:
    player = Player()
    yield player
    player.close()


@pytest.fixture
def clock() -> FrozenClock:
    return FrozenClock(datetime(2026, 5, 1, 12, tzinfo=UTC))
