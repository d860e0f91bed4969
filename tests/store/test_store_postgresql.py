"""A state on PostgreSQL keeps the promises that SQLite's file, lock and journal keep."""

from __future__ import annotations

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, Engine, event, make_url, text
from sqlmodel import SQLModel

from connector.base.clock import FrozenClock
from connector.base.errors import StateError, Transient
from connector.base.facts import Result
from connector.store import copy_state, open_store
from connector.store.dialect import make_engine
from tests.postgres import Server, cut, needs_server, plain, run
from tests.store.store_facts import answered, click, decided, dirty, page, prospect, role, row, settle

pytestmark = needs_server


@pytest.fixture
def url(emptied_state: str) -> str:
    return emptied_state


@pytest.fixture
def bare(postgres: Server) -> Iterator[str]:
    with postgres.database() as made:
        yield plain(made)


def with_password(url: str, user: str = "nobody_here") -> str:
    return plain(make_url(url).set(username=user, password="the-password"))


# -- one connector a state -------------------------------------------------------------------------------------------


def test_a_second_exclusive_opener_is_refused_until_the_first_one_closes(bare: str, clock: FrozenClock) -> None:
    with (
        open_store(bare, clock=clock, exclusive=True),
        pytest.raises(StateError, match="in use by another connector"),
    ):
        open_store(bare, clock=clock, exclusive=True)
    open_store(bare, clock=clock, exclusive=True).close()


def test_two_schemas_of_a_database_are_two_states(bare: str, clock: FrozenClock) -> None:
    run(bare, "CREATE SCHEMA one", "CREATE SCHEMA two", "CREATE TABLE public.invoices (id int)")
    urls = [plain(make_url(bare).set(query={**make_url(bare).query, "options": f"-csearch_path={name}"}))
            for name in ("one", "two")]  # fmt: skip
    with (
        open_store(urls[0], clock=clock, exclusive=True) as one,
        open_store(urls[1], clock=clock, exclusive=True) as two,
    ):
        one.mark_dirty(["C1"])
        two.mark_dirty(["C2"])
        assert (dirty(one), dirty(two)) == (["C1"], ["C2"])


def test_the_state_is_held_again_after_all_connections_were_cut(url: str, clock: FrozenClock) -> None:
    with open_store(url, clock=clock, exclusive=True) as store:
        store.mark_dirty(["C1"])
        cut(url)
        store.mark_dirty(["C2"])
        assert dirty(store) == ["C1", "C2"]
        with pytest.raises(StateError, match="in use"):
            open_store(url, clock=clock, exclusive=True)


def test_whoever_lost_the_state_to_another_writes_nothing(url: str, clock: FrozenClock) -> None:
    with open_store(url, clock=clock, exclusive=True) as first:
        cut(url)
        with open_store(url, clock=clock, exclusive=True) as second:
            with pytest.raises(Transient, match="in use by another connector"):
                first.mark_dirty(["C1"])
            assert dirty(second) == []
        first.mark_dirty(["C2"])
        assert dirty(first) == ["C2"]


def test_writers_wait_for_each_other(url: str, clock: FrozenClock) -> None:
    """Each mark is a new one, whoever makes it; the same number twice would forget somebody."""

    def mark(name: int) -> None:
        with open_store(url, clock=clock) as store:
            for number in range(10):
                store.mark_dirty([f"C{name}-{number}"])

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(mark, range(4)))
    with open_store(url, clock=clock) as store:
        assert len({seq for _, seq in store.next_dirty(100)}) == 40


def test_a_writer_does_not_wait_for_ever(url: str, clock: FrozenClock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("connector.store.dialect.BUSY_SECONDS", 0.1)
    with open_store(url, clock=clock) as one, open_store(url, clock=clock) as other, one._write():
        with pytest.raises(Transient, match="lock timeout"):
            other.mark_dirty(["C1"])
        assert other.dirty_count() == 0


def test_a_reader_sees_one_moment_and_writes_nothing(url: str, clock: FrozenClock) -> None:
    with open_store(url, clock=clock) as store, store._read() as connection:
        count = text("SELECT count(*) FROM dirty")
        assert connection.execute(count).scalar() == 0
        store.mark_dirty(["C1"])
        assert connection.execute(count).scalar() == 0
        with pytest.raises(Exception, match="read-only transaction"):
            connection.execute(text("DELETE FROM dirty"))


# -- a server that goes away -------------------------------------------------------------------------------------------


def test_a_cut_in_the_middle_passes_and_leaves_nothing_half_done(url: str, clock: FrozenClock) -> None:
    with open_store(url, clock=clock, exclusive=True) as store:

        def write_and_be_cut() -> None:
            with store._write() as connection:
                connection.execute(text("INSERT INTO dirty VALUES ('C1', 1)"))
                cut(url)
                connection.execute(text("INSERT INTO dirty VALUES ('C2', 1)"))

        with pytest.raises(Transient, match="did not answer"):
            write_and_be_cut()
        assert dirty(store) == []


def test_a_server_that_is_down_passes_and_a_wrong_address_does_not(
    postgres: Server, bare: str, clock: FrozenClock
) -> None:
    nowhere = with_password(bare.split("?", maxsplit=1)[0] + "?host=/nowhere")
    with pytest.raises(Transient, match="did not answer") as caught:
        open_store(nowhere, clock=clock)
    assert "the-password" not in f"{caught.value} {caught.value.__cause__}"
    with pytest.raises(Transient, match="did not answer"):
        open_store("postgresql+psycopg://connector@127.0.0.1:1/connector", clock=clock)
    for wrong in (with_password(bare), plain(make_url(bare).set(database="not_there"))):
        with pytest.raises(StateError, match="cannot be used") as caught_too:
            open_store(wrong, clock=clock)
        assert "the-password" not in f"{caught_too.value} {caught_too.value.__cause__}"


# -- whose database is this --------------------------------------------------------------------------------------------


def test_somebody_elses_database_is_left_as_it_is(bare: str, clock: FrozenClock) -> None:
    run(bare, "CREATE TABLE invoices (id int)")
    with pytest.raises(StateError, match="not a connector state"):
        open_store(bare, clock=clock)
    assert run(bare, "SELECT tablename FROM pg_tables WHERE schemaname = 'public'") == [("invoices",)]


def test_an_empty_database_is_nothing_to_read(bare: str, clock: FrozenClock) -> None:
    with pytest.raises(StateError, match="is empty"):
        open_store(bare, clock=clock, create=False)


def test_a_state_of_a_newer_connector_is_refused(bare: str, clock: FrozenClock) -> None:
    open_store(bare, clock=clock).close()
    run(bare, "UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(StateError, match="written by a newer connector"):
        open_store(bare, clock=clock)


def test_a_user_who_may_make_no_tables_is_told_so(postgres: Server, bare: str, clock: FrozenClock) -> None:
    role = f"plain_{make_url(bare).database}"
    postgres.run(f"CREATE ROLE {role} LOGIN PASSWORD 'the-password'")
    try:
        with pytest.raises(StateError, match="permission denied") as caught:
            open_store(with_password(bare, role), clock=clock)
        assert "make tables" in caught.value.hint
    finally:
        postgres.run(f"DROP ROLE {role}")


def test_migrations_make_exactly_the_tables_of_the_schema(url: str) -> None:
    engine = make_engine(make_url(url))
    with engine.connect() as connection:
        for_here = {"include_object": lambda each, *_: not getattr(each, "_ddl_if", None)}
        context = MigrationContext.configure(connection, opts={"compare_type": True, **for_here})
        assert compare_metadata(context, SQLModel.metadata) == []
    engine.dispose()


# -- values ------------------------------------------------------------------------------------------------------------


def test_texts_are_in_order_of_their_characters_however_the_database_sorts(url: str, clock: FrozenClock) -> None:
    names = ["0_", "0a", "B", "Z", "_", "a", "b", "é"]
    if run(url, "SELECT 'a' < 'B'") != [(True,)]:
        pytest.skip("this PostgreSQL sorts by characters anyway (POSTGRES_FROM=debian has one that sorts as people do)")
    with open_store(url, clock=clock) as store:
        store.mark_dirty(reversed(names))
        assert dirty(store) == names
        after, found = "", []
        while page_of := store.next_dirty(3, after):
            after = page_of[-1][0]
            found += page_of
        assert [name for name, _ in found] == names


def test_what_postgresql_cannot_store_delays_nobody(url: str, clock: FrozenClock) -> None:
    with open_store(url, clock=clock) as store:
        store.record_rows("Contact", [row("C1", Email="a\0b@x.com", Name="nul \0 and \ud83d half")])
        odd = replace(click("1\0", email="c\0d@x.com"), name="x\0y", kind="k\0", attributes={"a": "\0"})
        store.record_page("pardot", page(odd, prospect("7\0", "a\0b@x.com", attributes={"a\0": "\0"})))
        settle(store, answered(store, "C1", decided("\0")))
        [person] = store.facts_of(["C1"])
        assert person.fields["Name"].startswith("nul")
        assert [each.attributes for each in person.prospects] == [{"a\0": "\0"}]


def test_values_may_be_longer_than_an_index_takes(url: str, clock: FrozenClock) -> None:
    long = "".join(chr(0x4E00 + number % 20_000) for number in range(9_000))  # nothing that could be compressed
    with open_store(url, clock=clock) as store:
        store.record_rows("Contact", [row("C1", Email=f"{long}@x.com")])
        store.record_page("pardot", page(click("1", email=f"{long}@y.com"), prospect("7", f"{long}@x.com")))
        settle(store, answered(store, "C1", decided(long), result=Result.APPLIED))
        store.record_page(
            "pardot", page(click(long, crm_id="C1"), click(long, crm_id="C1"), click(f"{long}!", crm_id="C1"))
        )
        assert len(store.facts_of(["C1"])[0].activities) == 2
        assert store.people_by("stage") == {long: 1, "": 1}


# -- a copy to try things on -------------------------------------------------------------------------------------------


def test_a_copy_holds_everything_of_one_moment(url: str, clock: FrozenClock, tmp_path: Path) -> None:
    with open_store(url, clock=clock, exclusive=True) as store:
        store.record_rows("Contact", [row(f"C{number}", Email="a@x.com") for number in range(6000)])
        store.record_page("pardot", page(click("1", email="a@x.com"), prospect("7", "b@x.com", deleted=True)))
        settle(store, answered(store, "C1", decided("A"), result=Result.APPLIED))
        copy_state(url, tmp_path / "copy.sqlite3")
        with open_store(str(tmp_path / "copy.sqlite3"), clock=clock) as copy:
            everybody = store.people_in()
            assert copy.facts_of(everybody) == store.facts_of(everybody)
            assert copy.counts() == store.counts()
            assert copy.history("C1") == store.history("C1")
            assert copy.next_dirty(10_000) == store.next_dirty(10_000)
            settle(copy, answered(copy, "C1", decided("B"), result=Result.APPLIED))
            assert [each["new"] for each in copy.history("C1")] == ["B", "A"]


def test_of_an_empty_database_there_is_no_copy(bare: str, tmp_path: Path) -> None:
    copy_state(bare, tmp_path / "copy.sqlite3")
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_be_copied_is_said(bare: str, tmp_path: Path, clock: FrozenClock) -> None:
    run(bare, "CREATE TABLE invoices (id int)")
    with pytest.raises(StateError, match="not a connector state"):
        copy_state(bare, tmp_path / "copy.sqlite3")
    with pytest.raises(Transient, match="did not answer"):
        copy_state("postgresql+psycopg://connector@127.0.0.1:1/connector", tmp_path / "copy.sqlite3")


@pytest.mark.parametrize(("version", "said"), [("0001", "of an older connector"), ("9999", "by a newer connector")])
def test_a_state_with_another_schema_is_not_copied(
    bare: str, tmp_path: Path, clock: FrozenClock, version: str, said: str
) -> None:
    open_store(bare, clock=clock).close()
    run(bare, f"UPDATE alembic_version SET version_num = '{version}'")
    with pytest.raises(StateError, match=said):
        copy_state(bare, tmp_path / "copy.sqlite3")


# -- what it costs -----------------------------------------------------------------------------------------------------

MANY = (  # enough that walking a table is never the cheapest way
    "INSERT INTO record SELECT 'C' || n, 'Contact', '', '{}', true, 1, n || '@x.com', NULL, NULL, 'A' || n, NULL, NULL"
    " FROM generate_series(100, 30000) n",
    "INSERT INTO record SELECT 'R' || n, 'OpportunityContactRole', '', '{}', true, 1, NULL, NULL, NULL, NULL, 'C' || n,"
    " 'O' || n FROM generate_series(100, 10000) n",
    "INSERT INTO activity SELECT 'pardot:' || n, 'call', 'inbound', '2026-01-01T00:00:00+00:00', '', '{}', NULL, NULL,"
    " n || '@x.com', NULL, 1 FROM generate_series(100, 30000) n",
    "INSERT INTO prospect SELECT 'pardot:' || n, n || '@x.com', NULL, '{}', false, ''"
    " FROM generate_series(100, 30000) n",
    "INSERT INTO settled SELECT 'C' || n, NULL, '', 1, '' FROM generate_series(100, 30000) n",
    "INSERT INTO track SELECT 'C' || n, 'stage', 'A', 'A', 'A', '', '', '', '[]', '{}', '', 1, ''"
    " FROM generate_series(100, 30000) n",
    "INSERT INTO log (person_id, track, at, cycle_id, mapping_version, result, rule, reason, evidence, object,"
    " record_id, changes, code, message) SELECT 'C' || n, 'stage', '', 1, '', 'applied', '', '', '[]', 'Contact',"
    " 'C' || n, '[]', '', '' FROM generate_series(100, 30000) n",
    "ANALYZE",
)
WALKED = re.compile(r"Seq Scan on (record|activity|prospect|settled|track|log)\b")


@contextmanager
def plans(url: str) -> Iterator[dict[str, str]]:
    """How PostgreSQL goes about every statement that is executed meanwhile."""
    seen: dict[str, str] = {}

    def note(connection: Connection, _cursor: Any, statement: str, values: Any, _context: Any, many: bool) -> None:
        if statement.startswith(("SELECT", "INSERT", "UPDATE", "DELETE")) and statement not in seen:
            seen[statement] = ""
            rows = connection.exec_driver_sql(f"EXPLAIN {statement}", values[0] if many else values)
            seen[statement] = "\n".join(row[0] for row in rows)

    event.listen(Engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(Engine, "before_cursor_execute", note)


def test_no_statement_of_a_batch_walks_a_table(url: str, clock: FrozenClock) -> None:
    run(url, *MANY)
    with open_store(url, clock=clock) as store, plans(url) as seen:
        for at in range(2):
            store.record_rows("Account", [row("A200", at, Name=str(at))])
            contacts = [row(f"C{number}", at, Email=f"{at}@x.com", AccountId="A1") for number in range(3)]
            store.record_rows("Contact", contacts, generation=at, cursor=("Contact", {"at": at}))
            store.record_rows("Contact", [row("C9", at, MasterRecordId="C1" if at else None, IsDeleted=bool(at))])
            store.record_rows("OpportunityContactRole", [role("R1", "O1", f"C{at}", at)])
            facts = (click("1", crm_id=f"C{at}"), click("2", prospect_id="7"), click("3", email=f"{at}@x.com"))
            store.record_page("pardot", page(*facts, prospect("7", f"{at}@x.com"), prospect("8", crm_id=f"C{at}")))
            store.replace_roles(["O1"], [role("R2", "O1", "C1", at)])
            people = store.facts_of([person_id for person_id, _ in store.next_dirty(1000)])
            for result in Result:
                settle(store, *(answered(store, each.id, decided(str(at)), result=result) for each in people))
            store.find_people("1@x.com")
            store.history("C1")
            store.latest("C1")
    assert {text: plan for text, plan in seen.items() if WALKED.search(plan)} == {}
    assert len(seen) > 40
