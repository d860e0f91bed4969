"""Opening a state: what is made, what is refused, and that nothing is ever overwritten."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import make_url

from connector.base.clock import FrozenClock
from connector.base.errors import StateError, Transient
from connector.store import Store, copy_state, open_store
from connector.store.dialect import WAL_KEPT, make_engine
from tests.postgres import run
from tests.store.store_facts import row


def test_a_missing_folder_and_file_are_made(path: Path, clock: FrozenClock) -> None:
    with open_store(str(path), clock=clock) as store:
        assert store.cursors() == {}
    assert path.read_bytes().startswith(b"SQLite format 3")


def test_a_url_and_a_plain_path_open_the_same_file(path: Path, clock: FrozenClock) -> None:
    with open_store(f"sqlite:///{path}", clock=clock) as store:
        store.set_cursor("Contact", {"at": 1})
    with open_store(str(path), clock=clock) as store:
        assert store.cursor("Contact") == {"at": 1}


def test_a_missing_state_is_not_made_for_a_reader(path: Path, clock: FrozenClock) -> None:
    with pytest.raises(StateError, match="there is no state at"):
        open_store(str(path), clock=clock, create=False)
    assert not path.parent.exists()


def test_an_empty_file_is_a_new_state_but_nothing_to_read(path: Path, clock: FrozenClock) -> None:
    path.parent.mkdir()
    path.touch()
    with pytest.raises(StateError, match="is empty"):
        open_store(str(path), clock=clock, create=False)
    with open_store(str(path), clock=clock) as store:
        assert store.dirty_count() == 0


def test_a_file_that_is_not_sqlite_is_left_as_it_is(path: Path, clock: FrozenClock) -> None:
    path.parent.mkdir()
    path.write_text("the only copy of my thesis")
    with pytest.raises(StateError, match="not a SQLite file"):
        open_store(str(path), clock=clock)
    assert path.read_text() == "the only copy of my thesis"


def test_a_damaged_file_is_left_as_it_is(path: Path, clock: FrozenClock) -> None:
    path.parent.mkdir()
    damaged = b"SQLite format 3\x00" + b"\x07" * 5000
    path.write_bytes(damaged)
    with pytest.raises(StateError, match=r"connector\.sqlite3 cannot be used"):
        open_store(str(path), clock=clock)
    assert path.read_bytes() == damaged


def test_somebody_elses_database_is_left_as_it_is(path: Path, clock: FrozenClock) -> None:
    path.parent.mkdir()
    with closing(sqlite3.connect(path)) as other:
        other.execute("CREATE TABLE invoices (id)")
    with pytest.raises(StateError, match="not a connector state"):
        open_store(str(path), clock=clock)
    with closing(sqlite3.connect(path)) as other:
        assert other.execute("SELECT name FROM sqlite_master").fetchall() == [("invoices",)]


def test_a_state_of_a_newer_connector_is_refused(path: Path, clock: FrozenClock) -> None:
    open_store(str(path), clock=clock).close()
    with closing(sqlite3.connect(path)) as other:
        other.execute("UPDATE alembic_version SET version_num = '9999'")
        other.commit()
    with pytest.raises(StateError, match=r"newer connector.*9999"):
        open_store(str(path), clock=clock)


def test_a_folder_is_not_a_state(tmp_path: Path, clock: FrozenClock) -> None:
    with pytest.raises(StateError, match="is a folder"):
        open_store(str(tmp_path), clock=clock)


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path, clock: FrozenClock) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StateError, match="cannot be opened"):
        open_store(str(tmp_path / "file" / "state.sqlite3"), clock=clock)


@pytest.mark.parametrize("url", ["nonsense://x", "postgresql+nodriver://host/db", "://", "\udcff"])
def test_an_address_nobody_understands_is_named(url: str, clock: FrozenClock) -> None:
    with pytest.raises(StateError, match="CONNECTOR_STATE"):
        open_store(url, clock=clock)


def test_a_second_exclusive_opener_is_told_who_holds_the_state(path: Path, clock: FrozenClock) -> None:
    with (
        open_store(str(path), clock=clock, exclusive=True),
        pytest.raises(StateError, match=rf"in use by another connector \(process {os.getpid()}\)"),
    ):
        open_store(str(path), clock=clock, exclusive=True)
    with open_store(str(path), clock=clock, exclusive=True) as store:
        assert store.dirty_count() == 0


def test_a_reader_may_look_while_a_daemon_holds_the_state(no_state: str, clock: FrozenClock) -> None:
    with open_store(no_state, clock=clock, exclusive=True) as daemon:
        daemon.set_cursor("Contact", {"at": 1})
        with open_store(no_state, clock=clock, create=False) as reader:
            assert reader.cursor("Contact") == {"at": 1}


HOLDER = """
import sys
from connector.base.clock import SystemClock
from connector.store import Store, open_store
from tests.postgres import run
store = open_store(sys.argv[1], clock=SystemClock(), exclusive=True)
print("held", flush=True)
sys.stdin.read()
"""


def test_a_killed_process_leaves_no_lock_behind(no_state: str, clock: FrozenClock) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, no_state], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        who = rf"connector \(process {holder.pid}\)" if no_state.startswith("sqlite") else "connector"
        with pytest.raises(StateError, match=f"in use by another {who}"):
            open_store(no_state, clock=clock, exclusive=True)
        holder.send_signal(signal.SIGKILL)
    with open_store(no_state, clock=clock, exclusive=True) as store:
        assert store.dirty_count() == 0


def test_a_busy_file_is_said_plainly(path: Path, clock: FrozenClock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("connector.store.dialect.PRAGMAS", ("PRAGMA journal_mode=WAL", "PRAGMA busy_timeout=1"))
    with open_store(str(path), clock=clock) as store, closing(sqlite3.connect(path)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(Transient, match="locked") as caught:
            store.set_cursor("Contact", {})
        assert "another process" in caught.value.hint


def test_what_the_driver_says_never_shows_values(no_state: str, clock: FrozenClock) -> None:
    open_store(no_state, clock=clock).close()
    run(no_state, "DROP TABLE cursor")
    with open_store(no_state, clock=clock) as broken, pytest.raises(StateError) as caught:
        broken.set_cursor("Contact", {"secret": "anna@example.com"})
    assert "anna" not in str(caught.value)
    assert "anna" not in str(caught.value.__cause__)


def test_a_state_belongs_to_one_org(no_state: str, clock: FrozenClock) -> None:
    with open_store(no_state, clock=clock) as store:
        store.bind_org("00D000000000001AAA")
        store.bind_org("00D000000000001AAA")
        with pytest.raises(StateError, match="00D000000000001AAA, not to 00D000000000002AAA"):
            store.bind_org("00D000000000002AAA")


def test_what_was_committed_is_there_after_a_power_cut(tmp_path: Path) -> None:
    engine = make_engine(make_url(f"sqlite:///{tmp_path / 'state.sqlite3'}"))
    with engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2, "FULL: every commit waits for the disk"
    engine.dispose()


def test_the_journal_beside_the_state_is_short_again_after_much_was_written(path: Path, clock: FrozenClock) -> None:
    rows = [row(f"003{n:015d}", Name="x" * 2000) for n in range(6_000)]
    with open_store(str(path), clock=clock) as store:
        store.record_rows("Contact", rows)
        journal = path.with_name(path.name + "-wal")
        assert journal.stat().st_size > WAL_KEPT
        for at in range(2):
            store.set_cursor("Contact", {"at": at})
        assert journal.stat().st_size <= WAL_KEPT


def test_only_the_owner_may_read_a_new_state(path: Path, clock: FrozenClock) -> None:
    with open_store(str(path), clock=clock) as store:
        store.set_cursor("Contact", {})
        modes = {each.suffix: oct(each.stat().st_mode & 0o777) for each in path.parent.glob("*.sqlite3*")}
        assert {name: mode for name, mode in modes.items() if name != ".lock"} == {
            ".sqlite3": "0o600",
            ".sqlite3-wal": "0o600",
            ".sqlite3-shm": "0o600",
        }


def test_a_store_may_be_used_from_any_thread(store: Store) -> None:
    def work(thread: int) -> None:
        for number in range(10):
            store.record_rows("Contact", [row(f"C{thread}-{number}")])
            store.facts_of([f"C{thread}-{number}"])

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(4)))
    assert store.dirty_count() == 40


WRITER = """
import sys
from connector.base.clock import SystemClock
from connector.store import Store, open_store
from tests.postgres import run
store = open_store(sys.argv[1], clock=SystemClock(), exclusive=True)
for number in range(1, 100_000):
    rows = [{"Id": f"C{number}-{each}"} for each in range(10)]
    store.record_rows("Contact", rows, cursor=("Contact", {"pages": number}))
    if number == 20:
        print("going", flush=True)
"""


def test_a_killed_process_leaves_whole_pages_with_their_marks_and_cursor(no_state: str, clock: FrozenClock) -> None:
    with subprocess.Popen([sys.executable, "-c", WRITER, no_state], stdout=subprocess.PIPE) as writer:
        assert writer.stdout is not None
        writer.stdout.readline()
        writer.send_signal(signal.SIGKILL)
    with open_store(no_state, clock=clock, exclusive=True) as store:
        cursor = store.cursor("Contact")
        assert cursor is not None
        assert cursor["pages"] >= 20
        assert store.counts()["records"] == {"Contact": cursor["pages"] * 10}
        assert store.dirty_count() == cursor["pages"] * 10


def test_a_copy_of_a_state_with_a_text_that_is_none_is_told_as_damaged(path: Path, clock: FrozenClock) -> None:
    open_store(f"sqlite:///{path}", clock=clock).close()
    with closing(sqlite3.connect(path)) as state:
        state.execute("PRAGMA writable_schema = 1")
        state.execute(
            "UPDATE sqlite_master SET name = CAST(x'ff' AS TEXT), sql = 'CREATE TABLE (' WHERE name = 'cycle'"
        )
        state.commit()
    with pytest.raises(StateError, match="is damaged"):
        copy_state(f"sqlite:///{path}", path.with_name("copy"))


def test_a_text_that_is_no_text_is_a_damaged_state(store: Store) -> None:
    """As SQLite's driver says of a file whose pages have other bytes."""
    with pytest.raises(StateError, match="is damaged"), store._read():
        b"\xff".decode()
