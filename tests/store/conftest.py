"""A real SQLite state in a temporary folder. Its empty tables are made once and copied, which is faster."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from store_facts import START

from connector.clock import FrozenClock
from connector.store import Store, open_store


@pytest.fixture
def clock() -> FrozenClock:
    return FrozenClock(START)


@pytest.fixture(scope="session")
def empty_state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("empty") / "state.sqlite3"
    open_store(str(path), clock=FrozenClock(START)).close()
    return path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where no state is yet."""
    return tmp_path / "state" / "connector.sqlite3"


@pytest.fixture
def store(path: Path, empty_state: Path, clock: FrozenClock) -> Iterator[Store]:
    path.parent.mkdir()
    shutil.copyfile(empty_state, path)
    with open_store(str(path), clock=clock) as opened:
        yield opened
