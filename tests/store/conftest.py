"""A real state, on SQLite in a temporary folder and on PostgreSQL. Its empty tables are made once and copied, which is
faster."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlmodel import SQLModel
from store_facts import START

from connector.clock import FrozenClock
from connector.store import Store, open_store
from tests.postgres import BOTH, Server, plain, run


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


@pytest.fixture(scope="session")
def empty_database(postgres: Server) -> Iterator[str]:
    """The name of a PostgreSQL database with empty tables."""
    with postgres.database() as url:
        open_store(plain(url), clock=FrozenClock(START)).close()
        yield str(url.database)


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


@pytest.fixture(scope="session")
def used_database(postgres: Server, empty_database: str) -> Iterator[str]:
    with postgres.database(template=empty_database) as url:
        yield plain(url)


@pytest.fixture
def emptied(used_database: str) -> str:
    """A state with empty tables: one and the same database, since making one takes longer than most tests."""
    numbers = ("ALTER SEQUENCE log_id_seq RESTART", "ALTER SEQUENCE cycle_id_seq RESTART")
    run(used_database, "; ".join((*(f"DELETE FROM {name}" for name in SQLModel.metadata.tables), *numbers)))
    return used_database


@pytest.fixture
def postgresql_store(emptied: str, clock: FrozenClock) -> Iterator[Store]:
    with open_store(emptied, clock=clock) as opened:
        yield opened
