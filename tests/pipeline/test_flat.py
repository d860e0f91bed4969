"""A daemon runs for months: what it keeps, on disk and in memory, does not grow with the number of its cycles."""

from __future__ import annotations

import gc
import sys
from datetime import timedelta
from functools import _lru_cache_wrapper
from pathlib import Path

import pytest
from sqlalchemy import func, select
from sqlmodel import SQLModel

from connector.base import logs
from connector.pipeline.daemon import Daemon
from connector.store import books
from tests.fakes import START
from tests.pipeline.conftest import World

KEPT = 10  # reports of cycles, here; ten thousand otherwise
CYCLES = 60
LONGEST_WAL = 8_000_000


@pytest.fixture
def living(world: World, monkeypatch: pytest.MonkeyPatch) -> World:
    """Somebody of each kind, all settled; one whose write is refused each time, and a few reports kept."""
    if world.address:
        pytest.skip("the rows are the same, and a server gives room back when it likes")
    logs.configure("json", "ERROR")
    monkeypatch.setattr(books, "CYCLES_KEPT", KEPT)
    ada = world.contact()
    world.role(ada, world.deal(won=True, closed=True))
    world.lead()
    world.click("ada@example.com")
    world.org.refuse[world.contact("refused@example.com")] = "FIELD_CUSTOM_VALIDATION_EXCEPTION"
    return world


def rows(world: World) -> dict[str, int]:
    with world.store._read() as connection:
        tables = SQLModel.metadata.tables.values()
        return {each.name: connection.execute(select(func.count()).select_from(each)).scalar_one() for each in tables}


def pages(world: World) -> int:
    with world.store._read() as connection:
        return int(connection.exec_driver_sql("PRAGMA page_count").scalar_one())


def beside(folder: Path) -> dict[str, int]:
    """Files beside the state, and how long they are; the WAL is written over from its beginning."""
    assert (folder / "state.sqlite3-wal").stat().st_size < LONGEST_WAL
    return {
        each.name: each.stat().st_size for each in folder.glob("*") if each.suffix not in (".sqlite3", ".sqlite3-wal")
    }


def cycles(world: World, daemon: Daemon, count: int) -> None:
    for _ in range(count):
        daemon.tick()
        world.wait(60)


def blocks() -> int:
    """Pieces of memory that Python holds, but for what functions remember of a bounded number of calls."""
    for each in gc.get_objects():
        if isinstance(each, _lru_cache_wrapper) and each.cache_parameters()["maxsize"] is not None:
            each.cache_clear()
    gc.collect()
    return sys.getallocatedblocks()


def test_idle_cycles_leave_no_row_no_page_no_file_and_no_memory_behind(living: World, tmp_path: Path) -> None:
    """``benchmarks/idle.py`` does the same ten thousand times, over HTTP."""
    daemon = Daemon(living.pipeline, beats=tmp_path / "beat")
    cycles(living, daemon, 2 * KEPT)
    before, size, files = rows(living), pages(living), beside(tmp_path)
    assert before["cycle"] == KEPT
    held = []
    for _ in range(8):  # the first two fill what is remembered
        cycles(living, daemon, CYCLES // 6)
        held.append(blocks())
    after = rows(living)
    assert after.pop("calls") <= before.pop("calls") + 2, "one a kind of call and day"
    assert after == before
    assert pages(living) <= size + 1
    assert beside(tmp_path) == files
    grown = min(held[5:]) - min(held[2:5])  # it comes and goes
    assert grown < 2 * CYCLES, f"{grown} pieces of memory more after {CYCLES // 2} cycles"


def test_counted_calls_are_kept_for_a_year(world: World) -> None:
    for days in (0, 200, 399, 500):
        now = START + timedelta(days=days)
        cycle = world.store.begin_cycle("sync", now)
        world.store.add_calls(now.date(), {"query": 2}, source="salesforce")
        world.store.end_cycle(cycle, now, {})
    kept = [days for days in (0, 200, 399, 500) if world.store.calls_on((START + timedelta(days=days)).date())]
    assert kept == [200, 399, 500]
