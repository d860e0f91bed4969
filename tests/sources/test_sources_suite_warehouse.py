"""A warehouse keeps every promise of a source, whatever form its stamps have."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from connector.base.clock import FrozenClock
from connector.base.errors import ConfigurationError, Refused, Transient
from connector.base.ports import Source
from connector.sources.warehouse.source import WarehouseSource, earlier
from connector.store import Store
from connector.store.apart import SAME_IDS
from tests.sources.source_suite import ANN, Bench, Polls, SourceSuite, Switch, activities

QUERY = "SELECT id AS event_id, at AS occurred_at, type, email, stamp AS updated_at FROM events -- all of them\n;"
FORMS: dict[str, Callable[[datetime], Any]] = {
    "ISO text": lambda at: at.isoformat(),
    "SQL text": lambda at: at.strftime("%Y-%m-%d %H:%M:%S"),
    "text with fractions": lambda at: at.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
    "seconds": lambda at: int(at.timestamp()),
    "milliseconds": lambda at: int(at.timestamp() * 1000),
    "fractions of seconds": lambda at: at.timestamp(),
}


class WarehouseBench:
    secrets = ("the-password",)

    def __init__(self, path: Path, clock: FrozenClock, form: str) -> None:
        self.path, self.clock, self.form = path, clock, FORMS[form]
        self._number = 0
        with self.open() as database:
            database.execute("CREATE TABLE events (id INTEGER, at TEXT, type TEXT, email TEXT, stamp)")

    def open(self) -> Any:
        return closing(sqlite3.connect(self.path, isolation_level=None))

    def source(self) -> Source:
        return WarehouseSource(f"sqlite:///{self.path}", QUERY)

    def add(self, count: int, type_: str | None = "form_submit", late: timedelta = timedelta(0)) -> set[str]:
        """All in one load, with one stamp, ``late`` before now."""
        ids = range(self._number, self._number + count)
        self._number += count
        stamp = self.form(self.clock.now() - late)
        with self.open() as database:
            database.execute("BEGIN")
            rows = [(i, "2026-04-30T10:00:00Z", type_, "a@example.com", stamp) for i in ids]
            database.executemany("INSERT INTO events VALUES (?, ?, ?, ?, ?)", rows)
            database.execute("COMMIT")
        return {f"{type_}:{i}:a@example.com" for i in ids}

    def add_unknown(self) -> str:
        self.add(1, "fax")
        return "fax"

    def faults(self) -> list[Switch]:
        rename = "ALTER TABLE {} RENAME TO {}"
        gone, back = rename.format("events", "gone"), rename.format("gone", "events")
        return [Switch("dropped table", lambda: self._run(gone), lambda: self._run(back))]

    def _run(self, statement: str) -> None:
        with self.open() as database:
            database.execute(statement)


@pytest.fixture(params=["ISO text", "milliseconds"])
def bench(tmp_path: Path, clock: FrozenClock, request: pytest.FixtureRequest) -> Bench:
    return WarehouseBench(tmp_path / "warehouse.sqlite3", clock, request.param)


class TestWarehouse(SourceSuite):
    """See the suite."""

    def test_rows_that_are_committed_late_are_read(self, bench: WarehouseBench) -> None:
        added = bench.add(3)
        polls = Polls(bench)
        for _ in range(9):
            polls.poll()
            bench.clock.sleep(60)
        late = bench.add(2, late=timedelta(minutes=9, seconds=50))
        bench.clock.sleep(7200)
        assert late <= polls.poll()
        assert activities(polls.pages).keys() == added | late

    def test_a_big_load_is_not_read_for_ever(self, bench: WarehouseBench) -> None:
        bench.add(300)
        polls = Polls(bench)
        polls.poll()
        bench.clock.sleep(700)
        assert len(polls.poll()) == 300
        assert polls.poll() == set()
        assert bench.add(1) == polls.poll()

    def test_a_row_that_is_no_activity_is_counted_and_delays_nobody(self, bench: WarehouseBench) -> None:
        bench.add(1, type_=None)
        good = bench.add(1)
        polls = Polls(bench)
        assert polls.poll() == good
        assert polls.pages[0].bad == 1

    def test_a_row_that_is_no_activity_is_counted_once(self, bench: WarehouseBench) -> None:
        """While the polls go back over it."""
        bench.add(1, None)
        polls = Polls(bench)
        for _ in range(3):
            polls.poll()
        bench.add(1, None)
        polls.poll()
        assert [page.bad for page in polls.pages] == [1, 0, 0, 1]

    def test_rows_without_a_stamp_are_left_out(self, bench: WarehouseBench) -> None:
        good = bench.add(1)
        bench._run("INSERT INTO events VALUES (77, '2026-04-30T10:00:00Z', 'call', 'a@example.com', NULL)")
        assert Polls(bench).poll() == good


def recorded(bench: WarehouseBench, store: Store, polls: Polls) -> list[tuple[str, str]]:
    """What the store holds of Ann after a poll: each fact's time and name."""
    at = len(polls.pages)
    polls.poll()
    for page in polls.pages[at:]:
        store.record_page("warehouse", page)
    bench.clock.sleep(3600)
    [ann] = store.facts_of([ANN["Id"]])
    return [(each.occurred_at.strftime("%d.%m."), each.name) for each in ann.activities]


UNION = """SELECT 'form_submit' AS type, id AS event_id, at AS occurred_at, name, email, stamp AS updated_at FROM forms
UNION ALL SELECT 'form_submit', id, at, name, email, stamp FROM guides"""


@pytest.mark.parametrize("name", ["", "Guide"])
def test_halves_of_a_union_that_both_count_from_1_destroy_nothing(
    tmp_path: Path, clock: FrozenClock, store: Store, name: str
) -> None:
    """Be they there at first or come later; an edit of one row stays an edit, and what is known is known again."""
    bench, polls = WarehouseBench(tmp_path / "warehouse.sqlite3", clock, "ISO text"), None
    bench.source = lambda: WarehouseSource(f"sqlite:///{bench.path}", UNION)  # type: ignore[method-assign]

    def row(table: str, number: int, at: str, name: str) -> None:
        values = f"{number}, '2026-{at}T10:00:00Z', '{name}', 'a@example.com', '{clock.now().isoformat()}'"
        bench._run(f"INSERT OR REPLACE INTO {table} VALUES ({values})")

    for table in ("forms", "guides"):
        bench._run(f"CREATE TABLE {table} (id INTEGER PRIMARY KEY, at TEXT, name TEXT, email TEXT, stamp TEXT)")
    store.record_rows("Contact", [ANN])
    polls = Polls(bench)
    row("forms", 1, "01-01", "")
    row("guides", 1, "02-01", name)
    row("forms", 2, "01-02", "")
    assert recorded(bench, store, polls) == [("01.01.", ""), ("02.01.", ""), ("01.02.", name)]
    row("guides", 2, "02-02", name)
    everything = [("01.01.", ""), ("02.01.", ""), ("01.02.", name), ("02.02.", name)]
    assert recorded(bench, store, polls) == everything
    row("forms", 1, "01-01", "Form")
    edited = [("01.01.", "Form"), *everything[1:]]
    assert recorded(bench, store, polls) == edited
    assert recorded(bench, store, Polls(bench)) == edited
    assert store.cursor(SAME_IDS) == {"warehouse": 2}


def test_a_row_that_says_another_time_and_other_words_now_is_still_one(
    tmp_path: Path, clock: FrozenClock, store: Store
) -> None:
    bench = WarehouseBench(tmp_path / "warehouse.sqlite3", clock, "ISO text")
    store.record_rows("Contact", [ANN])
    bench.add(1)
    polls = Polls(bench)
    recorded(bench, store, polls)
    bench._run(f"UPDATE events SET at = '2026-02-01T10:00:00Z', stamp = '{clock.now().isoformat()}'")
    assert recorded(bench, store, polls) == [("01.02.", "")]


def test_rows_that_share_stamp_and_id_across_a_page_are_all_read(tmp_path: Path, clock: FrozenClock) -> None:
    """One Event ID, a load with one stamp, and more who came than a page holds."""
    bench = WarehouseBench(tmp_path / "warehouse.sqlite3", clock, "ISO text")
    rows = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {}) INSERT INTO events SELECT"
    same = f"'2026-04-30T10:00:00Z', 'event_attend', 'a' || i || '@example.com', '{clock.now().isoformat()}' FROM n"
    bench._run(f"{rows.format(999)} i + 1, {same}")
    bench._run(f"{rows.format(1500)} 5000, {same}")
    polls = Polls(bench)
    assert len(polls.poll()) == 2499
    bench._run(f"{rows.format(9000)} 6000, {same}")
    assert len(polls.poll()) == 11_499, "where ids are no activity's, each row still comes"


class Slow(FrozenClock):
    """Each look at it is three seconds after the one before."""

    def now(self) -> datetime:
        self.sleep(3)
        return super().now()


def test_a_look_at_a_warehouse_tells_whether_ids_need_an_index(tmp_path: Path, clock: FrozenClock) -> None:
    bench = WarehouseBench(tmp_path / "warehouse.sqlite3", clock, "ISO text")

    def looked(clock: FrozenClock) -> list[tuple[str, str]]:
        source = WarehouseSource(f"sqlite:///{bench.path}", QUERY, clock=clock)
        return [(each.what, each.note) for each in source.inspect(clock.now())]

    assert looked(clock) == [("rows", "there is none yet")]
    bench.add(3)
    assert looked(clock) == [("the first row", "")]
    (_, (what, note)) = looked(Slow(clock.now()))
    assert (what, note[:35]) == ("event_id", "each poll with news takes 3 s: it l")
    assert "an index on event_id makes that quick" in note


class Releasing(FrozenClock):
    """The load job commits while it sleeps."""

    def __init__(self, clock: FrozenClock, job: sqlite3.Connection) -> None:
        super().__init__(clock.now())
        self.job = job

    def sleep(self, seconds: float) -> None:
        super().sleep(seconds)
        if self.job.in_transaction:
            self.job.execute("COMMIT")


def test_a_file_that_its_load_job_has_locked_is_waited_for(tmp_path: Path, clock: FrozenClock) -> None:
    bench = WarehouseBench(tmp_path / "warehouse.sqlite3", clock, "ISO text")
    added = bench.add(3)
    with bench.open() as job:
        job.execute("BEGIN EXCLUSIVE")
        url = f"sqlite:///{bench.path}?timeout=0.01"
        bench.source = lambda: WarehouseSource(url, QUERY, clock=clock)  # type: ignore[method-assign]
        with pytest.raises(Transient, match="file is locked"):
            Polls(bench).poll()
        waiting = Releasing(clock, job)
        bench.source = lambda: WarehouseSource(url, QUERY, clock=waiting)  # type: ignore[method-assign]
        assert Polls(bench).poll() == added
        assert waiting.monotonic() == 1


@pytest.mark.parametrize("form", FORMS)
def test_stamps_of_any_form_are_gone_on_from(tmp_path: Path, clock: FrozenClock, form: str) -> None:
    bench = WarehouseBench(tmp_path / "warehouse.sqlite3", clock, form)
    added, polls = bench.add(1500), Polls(bench)
    assert polls.poll() == added
    bench.clock.sleep(3600)
    late = bench.add(2, late=timedelta(hours=1, minutes=9))
    assert late <= polls.poll()


@pytest.mark.parametrize(
    ("stamp", "before"),
    [
        (datetime(2026, 5, 1, 12, 0, 7, 9, UTC), datetime(2026, 5, 1, 11, 50, 7, 9, UTC)),
        ("2026-05-01T12:00:07.5Z", "2026-05-01T11:50:07"),
        ("2026-05-01 12:00:07+02", "2026-05-01 11:50:07"),
        ("2026-05-01", "2026-04-30T23:50:00"),
        (1_777_636_800, 1_777_636_200),
        (1_777_636_800.5, 1_777_636_200.5),
        (1_777_636_800_000, 1_777_636_200_000),
    ],
)
def test_a_stamp_goes_back_in_its_own_form(stamp: Any, before: Any) -> None:
    assert earlier(stamp, timedelta(minutes=10)) == before


@pytest.mark.parametrize(
    ("url", "query", "error", "words"),
    [
        ("nonsense", QUERY, ConfigurationError, "WAREHOUSE_URL"),
        ("nosuch+driver://u:the-password@h/d", QUERY, ConfigurationError, "WAREHOUSE_URL"),
        ("sqlite:////nowhere/at/all.sqlite3", QUERY, Transient, "did not answer"),
        ("sqlite://", "SELECT 1 AS event_id, 'soon' AS updated_at", Refused, "no time"),
    ],
)
def test_what_is_wrong_is_said_without_the_password(url: str, query: str, error: type[Exception], words: str) -> None:
    def poll_once() -> None:
        list(WarehouseSource(url, query).poll(None, datetime(2026, 5, 1, tzinfo=UTC)))

    with pytest.raises(error, match=words) as caught:
        poll_once()
    assert "the-password" not in str(caught.value)
