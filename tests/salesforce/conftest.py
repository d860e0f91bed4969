"""What the tests of the Salesforce edge share."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from connector.base.clock import FrozenClock
from tests.salesforce.http_player import Player


@pytest.fixture
def player() -> Iterator[Player]:
    player = Player()
    yield player
    player.close()


@pytest.fixture
def clock() -> FrozenClock:
    return FrozenClock(datetime(2026, 5, 1, 12, tzinfo=UTC))
