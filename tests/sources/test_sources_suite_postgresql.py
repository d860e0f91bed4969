"""A warehouse on a real PostgreSQL server: the promises of the suite, and whatever types, order and faults it has."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.engine import URL
from sqlalchemy.pool import NullPool

from connector.base.clock import FrozenClock
from connector.base.errors import Refused, Transient
from connector.base.ports import Source
from connector.sources.warehouse.source import WarehouseSource
from tests.postgres import Server, needs_server, plain
from tests.sources import test_sources_suite_warehouse as on_sqlite
from tests.sources.source_suite import Bench, Polls, Switch, activities

pytestmark = needs_server

PASSWORD = "the-password"
QUERY = "SELECT id AS event_id, at AS occurred_at, type, email, stamp AS updated_at FROM events -- all of them"
FORMS: dict[str, Callable[[datetime], Any]] = {
    "timestamptz": lambda at: at,
    "timestamp": lambda at: at.replace(tzinfo=None),
    "date": lambda at: at.date(),
    "text": lambda at: at.isoformat(),
    "numeric": lambda at: Decimal(f"{at.timestamp()}") + Decimal("0.000000001"),
    "bigint": lambda at: int(at.timestamp() * 1000),
    "double precision": lambda at: at.timestamp(),
}
IDS: dict[str, Callable[[int], Any]] = {
    "text": lambda number: f"{'aB_é'[number % 4]}{number}",  # whose order is not that of their bytes
    'text COLLATE "C"': lambda number: f"{'aB_é'[number % 4]}{number}",
    "bigint": lambda number: number + 2**40,
    "uuid": lambda number: uuid.UUID(int=(number * 7919) % 2**64),
    "numeric": lambda number: Decimal(number) + Decimal("0.12345678901234567890"),
}


@dataclass
class PostgreSQLBench:
    """A database of its own; the source signs in with a password, as a user who may read one table."""

    server: Server
    url: URL
    clock: FrozenClock
    stamp: str = "timestamptz"
    id: str = "text"
    secrets: tuple[str, ...] = (PASSWORD,)
    sources: list[WarehouseSource] = field(default_factory=list)
    _number: int = 0

    def __post_init__(self) -> None:
        self.reader = f"reader_{self.url.database}"
        self._run(
            f"CREATE TABLE events (id {self.id}, at timestamptz, type text, email text, stamp {self.stamp})",
            "CREATE INDEX ON events (stamp, id)",
            f"CREATE ROLE {self.reader} LOGIN PASSWORD '{PASSWORD}'",
            f"GRANT SELECT ON events TO {self.reader}",
        )

    def close(self) -> None:
        self._run(f"DROP OWNED BY {self.reader}", f"DROP ROLE {self.reader}")

    def source(self, query: str = QUERY) -> Source:
        return WarehouseSource(plain(self.url.set(username=self.reader, password=PASSWORD)), query)

    def add(self, count: int, type_: str | None = "form_submit", late: timedelta = timedelta(0)) -> set[str]:
        """All in one load, with one stamp, ``late`` before now."""
        ids = [IDS[self.id](number) for number in range(self._number, self._number + count)]
        self._number += count
        stamp = FORMS[self.stamp](self.clock.now() - late)
        rows = [{"id": each, "type": type_, "stamp": stamp} for each in ids]
        with self.connect() as connection, connection.begin():
            insert = "INSERT INTO events VALUES (:id, '2026-04-30T10:00:00Z', :type, 'a@example.com', :stamp)"
            connection.execute(text(insert), rows)
        shown = (str(float(each)) if isinstance(each, Decimal) else str(each) for each in ids)
        return {f"{type_}:{each}:a@example.com" for each in shown}

    def add_unknown(self) -> str:
        self.add(1, "fax")
        return "fax"

    def faults(self) -> list[Switch]:
        rename = "ALTER TABLE {} RENAME TO {}"
        gone, back = rename.format("events", "gone"), rename.format("gone", "events")
        return [
            Switch("dropped table", lambda: self._run(gone), lambda: self._run(back)),
            Switch("no permission", lambda: self._run(self._may("REVOKE", "FROM")), self._give_back),
            Switch("session ended", self.cut, lambda: None, passes=True),
            Switch("down", self._shut, lambda: self._doors(True)),
        ]

    def cut(self) -> None:
        sessions = f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{self.reader}'"
        self.server.run(sessions)

    def _shut(self) -> None:
        self._doors(False)
        self.cut()

    def _doors(self, are_open: bool) -> None:
        self.server.run(f"ALTER DATABASE {self.url.database} ALLOW_CONNECTIONS {are_open}")

    def _may(self, verb: str, word: str) -> str:
        return f"{verb} SELECT ON events {word} {self.reader}"

    def _give_back(self) -> None:
        self._run(self._may("GRANT", "TO"))

    @contextmanager
    def connect(self) -> Iterator[Connection]:
        with create_engine(self.url, poolclass=NullPool).connect() as connection:
            yield connection

    def _run(self, *statements: str) -> list[Any]:
        return self.server.run(*statements, database=self.url.database)


@contextmanager
def made(
    server: Server, clock: FrozenClock, stamp: str = "timestamptz", id_: str = "text"
) -> Iterator[PostgreSQLBench]:
    with server.database() as url:
        bench = PostgreSQLBench(server, url, clock, stamp, id_)
        yield bench
        bench.close()


@pytest.fixture(params=[("timestamptz", "text"), ("timestamp", "bigint")], ids=" ".join)
def bench(postgres: Server, clock: FrozenClock, request: pytest.FixtureRequest) -> Iterator[Bench]:
    with made(postgres, clock, *request.param) as each:
        yield each


@pytest.fixture
def simple(postgres: Server, clock: FrozenClock) -> Iterator[PostgreSQLBench]:
    with made(postgres, clock) as each:
        yield each


class TestWarehouseOnPostgreSQL(on_sqlite.TestWarehouse):
    """See there."""


@pytest.mark.parametrize(
    ("stamp", "id_"), [*((form, "text") for form in FORMS), *(("timestamptz", each) for each in IDS)]
)
def test_columns_of_any_type_are_gone_on_from(postgres: Server, clock: FrozenClock, stamp: str, id_: str) -> None:
    """More than a page of one load, so that places are within ties."""
    with made(postgres, clock, stamp, id_) as bench:
        added, polls = bench.add(1500), Polls(bench)
        assert polls.poll() == added
        bench.clock.sleep(3600)
        late = bench.add(2, late=timedelta(hours=1, minutes=9))
        assert late <= polls.poll()
        bench.clock.sleep(86400)
        assert bench.add(1) <= polls.poll()


def test_microseconds_count(simple: PostgreSQLBench) -> None:
    with simple.connect() as connection, connection.begin():
        connection.execute(
            text(
                "INSERT INTO events SELECT n::text, now(), 'visit', 'a@example.com',"
                " '2026-05-01 11:59:59.9Z'::timestamptz + n * interval '1 microsecond' FROM generate_series(1, 2100) n"
            )
        )
    polls = Polls(simple)
    assert len(polls.poll()) == 2100
    assert [len(page.activities) for page in polls.pages] == [1000, 1000, 100]


def test_values_of_any_type_reach_the_activity(simple: PostgreSQLBench) -> None:
    query = (
        "SELECT 'one' AS event_id, '2026-04-30 10:00:00.123456+02'::timestamptz AS occurred_at, 'visit' AS type,"
        """ 'a@example.com' AS email, 12.50::numeric AS price, '{"a": [1, null]}'::jsonb AS attributes,"""
        " '7c9e6679-7425-40de-944b-e07fc1f90ae7'::uuid AS uuid, ARRAY['x', 'y'] AS list, true AS yes, NULL AS nothing,"
        " '2026-05-01'::date AS day, 'infinity'::date AS never, '0044-03-15 BC'::date AS ides, 'it''s 100% :x' AS said,"
        " '2026-05-01T12:00:00Z'::timestamptz AS updated_at WHERE 'a:b' LIKE '%:b' -- x"
    )
    polls = Polls(simple)
    simple.source = partial(PostgreSQLBench.source, simple, query)  # type: ignore[method-assign]
    polls.poll()
    [found] = activities(polls.pages).values()
    assert found.occurred_at == datetime(2026, 4, 30, 8, 0, 0, 123456, UTC)
    assert found.attributes == {
        "a": [1, None],
        "price": 12.5,
        "uuid": "7c9e6679-7425-40de-944b-e07fc1f90ae7",
        "list": ["x", "y"],
        "yes": True,
        "day": "2026-05-01",
        "never": "infinity",
        "ides": "0044-03-15 BC",
        "said": "it's 100% :x",
    }


@pytest.mark.parametrize("stamp", ["timestamptz", "timestamp", "date", "double precision"])
def test_an_endless_stamp_is_none_and_one_from_the_far_future_hides_nobody(
    postgres: Server, clock: FrozenClock, stamp: str
) -> None:
    with made(postgres, clock, stamp) as bench:
        bench._run(*(f"INSERT INTO events VALUES ('{each}', now(), 'visit', 'a@x.com', '{each}')"
                     for each in ("infinity", "-infinity")))  # fmt: skip
        assert Polls(bench).poll() == set()
        far = "20000000000" if stamp == "double precision" else "9999-12-31"
        bench._run(f"INSERT INTO events VALUES ('far', now(), 'visit', 'a@x.com', '{far}')")
        polls = Polls(bench)
        assert polls.poll() == {"visit:far:a@x.com"}
        for _ in range(3):
            bench.clock.sleep(3600)
            assert bench.add(2) <= polls.poll()


def test_an_occurrence_that_is_no_time_is_counted_and_delays_nobody(simple: PostgreSQLBench) -> None:
    for at in ("infinity", "0044-03-15 BC", "20000-01-01"):
        simple._run(f"INSERT INTO events VALUES ('{at}', '{at}', 'visit', 'a@x.com', '2026-05-01')")
    good, polls = simple.add(2), Polls(simple)
    assert polls.poll() == good
    assert polls.pages[0].bad == 3


def test_an_idle_poll_uses_the_index(simple: PostgreSQLBench) -> None:
    """Of a hundred thousand rows it reads a handful."""
    simple._run(
        "INSERT INTO events SELECT n::text, now(), 'visit', 'a@example.com',"
        " '2026-04-01Z'::timestamptz + n * interval '20 seconds' FROM generate_series(1, 100000) n",
        "ANALYZE events",
    )
    polls = Polls(simple, {"since": None, "at": ["2026-04-24T03:30:00+00:00", "99990"], "top": None, "seen": None})
    plans: list[str] = []

    def explain(connection: Any, _cursor: Any, statement: str, values: Any, *_: Any) -> None:
        asks_by_ids = "id IN (" in statement  # where there is news, and not for an idle poll
        if "row_to_json" in statement and not statement.startswith("EXPLAIN") and not asks_by_ids:
            rows = connection.exec_driver_sql(f"EXPLAIN (ANALYZE, BUFFERS, COSTS OFF) {statement}", values)
            plans.append("\n".join(row[0] for row in rows))

    event.listen(Engine, "before_cursor_execute", explain)
    try:
        assert len(polls.poll()) == 10
        simple.clock.sleep(700)
        assert len(polls.poll()) == 31  # the overlap, for the last time
        assert polls.poll() == set()
    finally:
        event.remove(Engine, "before_cursor_execute", explain)
    behind, overlap, idle = (plan.partition("Index Cond: ")[2] for plan in plans)
    assert "(ROW(stamp, id) > ROW(" in behind
    assert "(stamp >= " in overlap
    assert "(ROW(stamp, id) > ROW(" in idle
    assert "rows=0" in plans[-1]
    assert "Seq Scan" not in "".join(plans)


def test_a_query_that_takes_too_long_passes_and_says_what_would_help(simple: PostgreSQLBench) -> None:
    simple.add(3)
    simple._run(f"ALTER ROLE {simple.reader} SET statement_timeout = '50ms'")
    with simple.connect() as blocker, blocker.begin():
        blocker.execute(text("LOCK TABLE events"))
        with pytest.raises(Transient, match="statement timeout") as caught:
            Polls(simple).poll()
    assert "index" in caught.value.hint
    assert len(Polls(simple).poll()) == 3


def test_a_query_is_ended_by_a_cut_with_one_clear_message(simple: PostgreSQLBench) -> None:
    """The session dies while its query runs."""
    simple.add(3)
    died = "SELECT *, pg_terminate_backend(pg_backend_pid()) FROM (" + QUERY + "\n) x"
    with pytest.raises(Transient, match="did not answer") as caught:
        list(simple.source(died).poll(None, simple.clock.now()))
    assert PASSWORD not in f"{caught.value!r} {caught.value.__context__!r}"


def test_nothing_can_be_written(simple: PostgreSQLBench) -> None:
    """Not even by a user who may."""
    simple._run("CREATE FUNCTION spoil() RETURNS text LANGUAGE sql AS 'DELETE FROM events RETURNING id'")
    simple._run(f"GRANT ALL ON events TO {simple.reader}")
    simple.add(1)
    query = "SELECT spoil() AS event_id, now() AS updated_at"
    with pytest.raises(Refused, match="read-only transaction"):
        list(simple.source(query).poll(None, simple.clock.now()))
    assert simple._run("SELECT count(*) FROM events") == [(1,)]


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"password": "wrong-but-the-password"}, Refused, "password authentication failed"),
        ({"database": "not_there"}, Refused, "does not exist"),
        ({"query": {"host": "/nowhere"}}, Transient, "did not answer"),
        ({"host": "127.0.0.1", "port": 1, "query": {}}, Transient, "did not answer"),
    ],
)
def test_a_wrong_address_is_said_without_the_password(
    simple: PostgreSQLBench, change: dict[str, Any], error: type[Exception], words: str
) -> None:
    url = simple.url.set(username=simple.reader, password=PASSWORD).set(**change)
    with pytest.raises(error, match=words) as caught:
        list(WarehouseSource(plain(url), QUERY).poll(None, simple.clock.now()))
    assert PASSWORD not in f"{caught.value} {caught.value!r} {caught.value.__context__!r}"


def test_rows_with_an_empty_event_id_hide_nobody(simple: PostgreSQLBench) -> None:
    simple._run("INSERT INTO events SELECT NULL, now(), 'visit', 'a@x.com', '2026-05-01' FROM generate_series(1, 1500)")
    assert simple.add(2) == Polls(simple).poll()
