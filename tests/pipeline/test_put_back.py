"""A state that is put back under a running daemon, into the same file or as another one: noticed in the next cycle,
and what was put back stays whole."""

import sqlite3
import subprocess
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from connector.base.clock import FrozenClock
from connector.base.errors import StateError
from connector.pipeline.alerts import Notice, Watch
from connector.pipeline.daemon import Daemon
from connector.store import copy_state, open_store
from tests.fakes import START
from tests.pipeline.conftest import World

Put = Callable[[Path, Path], None]


def into_the_same_file(copy: Path, state: Path) -> None:
    inode = state.stat().st_ino
    subprocess.run(["cp", str(copy), str(state)], check=True)  # in a process of its own: closing drops SQLite's locks
    assert state.stat().st_ino == inode


def as_another_file(copy: Path, state: Path) -> None:
    subprocess.run(["cp", "--remove-destination", str(copy), str(state)], check=True)


def all_in(path: Path) -> list[str]:
    with closing(sqlite3.connect(path)) as file:
        assert file.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        return list(file.iterdump())


def cycles_in(path: Path) -> list[int]:
    return [int(each.partition("VALUES(")[2].partition(",")[0]) for each in all_in(path) if 'INTO "cycle"' in each]


@pytest.mark.parametrize("put", [into_the_same_file, as_another_file])
@pytest.mark.parametrize("writes_after", [False, True], ids=["at rest", "written after the cycle"])
def test_a_backup_that_is_put_back_under_the_daemon_ends_it_and_stays_whole(
    tmp_path: Path, put: Put, writes_after: bool
) -> None:
    state, copy = tmp_path / "state.sqlite3", tmp_path / "copy.sqlite3"
    with open_store(str(state), clock=FrozenClock(START), exclusive=True) as store:
        world = World(store)
        beats, notices = tmp_path / "beat.json", list[Notice]()
        watch = Watch(world.pipeline, beats, notices.append)
        daemon = Daemon(world.pipeline, beats=beats, after=[watch.after_cycle])
        people = [world.contact(f"p{number}@example.com") for number in range(300)]
        daemon.tick()
        copy_state(str(state), copy)
        for _ in range(3):
            world.wait(60)
            people += [world.contact(f"q{len(people) + number}@example.com") for number in range(300)]
            daemon.tick()
        assert store.cycles(1)[0]["id"] == 4
        if writes_after:
            store.mark_dirty(people)
        put(copy, state)
        world.wait(60)
        ada = world.contact()
        daemon.tick()
        assert isinstance(daemon.fatal, StateError)
        assert "removed or replaced" in daemon.fatal.what
        assert [each.alert for each in notices] == ["ended"]
        assert world.stage(ada) is None, "nothing more is written"
        with pytest.raises(StateError, match="removed or replaced"):
            store.mark_dirty(people)
    assert all_in(state) == all_in(copy)
    assert cycles_in(state) == [1]
    with open_store(str(state), clock=FrozenClock(START), exclusive=True) as store:
        world.store = store
        report = world.cycle()
        assert (report.result, world.stage(ada), store.cycles(1)[0]["id"]) == ("done", "Suspect", 2)


def test_what_was_put_back_beside_the_state_is_left_there(tmp_path: Path) -> None:
    """A copy of the files of a state that somebody was using: the newest of it is in the second one."""
    state, other = tmp_path / "state.sqlite3", tmp_path / "other.sqlite3"
    with open_store(str(state), clock=FrozenClock(START), exclusive=True) as store:
        world = World(store)
        world.cycle()
        world.cycle()
        with closing(sqlite3.connect(other)) as writer:
            writer.execute("PRAGMA journal_mode=WAL")
            writer.execute("CREATE TABLE told (what TEXT)")
            writer.execute("INSERT INTO told VALUES ('the newest')")
            writer.commit()
            for end in ("", "-wal"):
                as_another_file(Path(f"{other}{end}"), Path(f"{state}{end}"))
        with pytest.raises(StateError, match="removed or replaced"):
            store.begin_cycle("sync", START)
    assert "the newest" in all_in(state)[2]


def test_a_copy_of_this_very_moment_changes_nothing(tmp_path: Path) -> None:
    state, copy = tmp_path / "state.sqlite3", tmp_path / "copy.sqlite3"
    with open_store(str(state), clock=FrozenClock(START), exclusive=True) as store:
        world = World(store)
        world.contact()
        world.cycle()
        copy_state(str(state), copy)
        into_the_same_file(copy, state)
        world.wait(60)
        ben = world.contact("ben@example.com")
        world.cycle()
        assert world.stage(ben) == "Suspect"
    assert cycles_in(state) == [1, 2]


def test_whoever_reads_meanwhile_keeps_nobody_waiting_and_is_no_reason_to_end(tmp_path: Path) -> None:
    state = tmp_path / "state.sqlite3"
    with open_store(str(state), clock=FrozenClock(START), exclusive=True) as store:
        world = World(store)
        world.cycle()
        with open_store(str(state), clock=FrozenClock(START)) as reader, reader._read() as reading:
            assert reading.exec_driver_sql("SELECT count(*) FROM cycle").scalar() == 1
            for number in range(3):
                world.wait(60)
                ada = world.contact(f"p{number}@example.com")
                world.cycle()
                assert world.stage(ada) == "Suspect"
            assert reading.exec_driver_sql("SELECT count(*) FROM cycle").scalar() == 1
        world.wait(60)
        world.cycle()
    assert cycles_in(state) == [1, 2, 3, 4, 5]
