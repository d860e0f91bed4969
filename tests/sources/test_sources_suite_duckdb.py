"""A DuckDB file keeps every promise of a source, beside the load job that writes it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, timedelta
from pathlib import Path
from typing import Any

import pytest

from connector.base.clock import FrozenClock
from connector.base.errors import Transient
from connector.base.ports import Source
from connector.sources.warehouse.source import WarehouseSource
from tests.sources.source_suite import Polls, SourceSuite, Switch, activities

duckdb = pytest.importorskip("duckdb", reason="no DuckDB here: `make install` of the developers brings it")

QUERY = "SELECT id AS event_id, at_ AS occurred_at, type, email, extra AS attributes, loaded AS updated_at FROM events"
HOLD = "import duckdb, sys; held = duckdb.connect(sys.argv[1]); print('held', flush=True); sys.stdin.read()"


class DuckBench:
    secrets = ()

    def __init__(self, path: Path, clock: FrozenClock, stamps: str) -> None:
        self.path, self.clock, self._number = path, clock, 0
        self._job: subprocess.Popen[str] | None = None
        self._run(
            f"CREATE TABLE events (id INTEGER, at_ TIMESTAMPTZ, type TEXT, email TEXT, extra JSON, loaded {stamps})"
        )

    def source(self) -> Source:
        return WarehouseSource(f"duckdb:///{self.path}", QUERY, clock=self.clock)

    def add(self, count: int, type_: str = "form_submit", late: timedelta = timedelta(0)) -> set[str]:
        ids = range(self._number, self._number + count)
        self._number += count
        loaded = (self.clock.now() - late).astimezone(UTC).replace(tzinfo=None)
        self._run(
            "INSERT INTO events SELECT i, TIMESTAMPTZ '2026-04-30 10:00:00+00', ?, 'a@example.com',"
            ' \'{"tags": [1, {"b": null}]}\', ? FROM range(?, ?) AS rows(i)',
            [type_, loaded, ids.start, ids.stop],
        )
        return {f"{type_}:{i}:a@example.com" for i in ids}

    def add_unknown(self) -> str:
        self.add(1, "fax")
        return "fax"

    def faults(self) -> list[Switch]:
        gone, back = "ALTER TABLE events RENAME TO gone", "ALTER TABLE gone RENAME TO events"
        return [
            Switch("dropped table", lambda: self._run(gone), lambda: self._run(back)),
            Switch("locked for long", self.lock, self.unlock),
        ]

    def lock(self) -> None:
        """As a load job does: from another process."""
        command = [sys.executable, "-c", HOLD, str(self.path)]
        self._job = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self._job.stdout.readline() == "held\n"

    def unlock(self) -> None:
        if self._job is not None:
            self._job.communicate()
            self._job = None

    def _run(self, statement: str, values: list[Any] | None = None) -> None:
        with closing(duckdb.connect(str(self.path))) as database:
            database.execute("SET TimeZone = 'UTC'")
            database.execute(statement, values or [])


@pytest.fixture(params=["TIMESTAMP", "TIMESTAMPTZ"])
def bench(tmp_path: Path, clock: FrozenClock, request: pytest.FixtureRequest) -> Iterator[DuckBench]:
    made = DuckBench(tmp_path / "warehouse.duckdb", clock, request.param)
    yield made
    made.unlock()


class TestDuckDB(SourceSuite):
    """See the suite."""


class Waking(FrozenClock):
    """Somebody else goes on while it sleeps."""

    def __init__(self, clock: FrozenClock, meanwhile: Callable[[], object]) -> None:
        super().__init__(clock.now())
        self.slept: list[float] = []
        self._meanwhile = meanwhile

    def sleep(self, seconds: float) -> None:
        super().sleep(seconds)
        self.slept.append(seconds)
        self._meanwhile()


def test_a_load_job_that_writes_the_file_is_waited_for(
    bench: DuckBench, clock: FrozenClock, capsys: pytest.CaptureFixture[str]
) -> None:
    added = bench.add(3)
    bench.lock()
    bench.clock = Waking(clock, bench.unlock)
    polls = Polls(bench)
    assert polls.poll() == added
    assert bench.clock.slept == [1]
    assert "warehouse locked, waiting" in "".join(capsys.readouterr())


def test_one_that_does_not_end_is_told_and_nothing_is_lost(bench: DuckBench) -> None:
    polls, added = Polls(bench), bench.add(3)
    bench.lock()
    with pytest.raises(Transient, match=r"file is locked: .* Could not set lock"):
        polls.poll()
    bench.unlock()
    assert polls.poll() == added


def test_the_file_is_free_for_its_load_job_between_two_pages(bench: DuckBench) -> None:
    bench.add(2300)
    polls = Polls(bench)
    for page in bench.source().poll(None, bench.clock.now()):
        polls.pages.append(page)
        bench.lock()  # raises if somebody holds it
        bench.unlock()
    assert len(activities(polls.pages)) == 2300


def test_columns_of_its_own_types_are_attributes(bench: DuckBench) -> None:
    bench.add(1)
    polls = Polls(bench)
    polls.poll()
    [found] = activities(polls.pages).values()
    assert found.attributes == {"tags": [1, {"b": None}]}
