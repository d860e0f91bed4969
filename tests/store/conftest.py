"""A real state, on SQLite in a temporary folder and on PostgreSQL. Its empty tables are made once and copied, which is
faster."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from connector.base.clock import FrozenClock
from connector.store import Store, open_store
from tests.postgres import BOTH, plain
from tests.store.store_facts import START


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


@pytest.fixture(params=BOTH)
def no_state(request: pytest.FixtureRequest, path: Path) -> Iterator[str]:
    """The address of a state that is not made yet."""
    if request.param == "sqlite":
        yield f"sqlite:///{path}"
    else:
        with request.getfixturevalue("postgres").database() as url:
            yield plain(url)


@pytest.fixture(params=BOTH)
def store(request: pytest.FixtureRequest) -> Store:
    opened: Store = request.getfixturevalue(f"{request.param}_store")
    return opened


@pytest.fixture
def sqlite_store(path: Path, empty_state: Path, clock: FrozenClock) -> Iterator[Store]:
    path.parent.mkdir()
    shutil.copyfile(empty_state, path)
    with open_store(str(path), clock=clock) as opened:
        yield opened


@pytest.fixture
def postgresql_store(emptied_state: str, clock: FrozenClock) -> Iterator[Store]:
    with open_store(emptied_state, clock=clock) as opened:
        yield opened
