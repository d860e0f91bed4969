"""What passes ends no daemon, what is for ever is not hammered, and an edited mapping is taken while it runs."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, make_url

from connector.base import heartbeat, logs
from connector.base.clock import FrozenClock
from connector.base.errors import ConfigurationError, Refused, StateError
from connector.base.facts import SourcePage
from connector.base.json import JsonMap
from connector.mapping import MappingFiles
from connector.pipeline.alerts import Notice, Watch
from connector.pipeline.cycle import Pipeline
from connector.pipeline.daemon import Daemon
from connector.pipeline.patience import PAUSES
from connector.pipeline.remapping import Remapping
from connector.salesforce.objects import polled_objects
from connector.store import open_store
from tests.fakes import START
from tests.pipeline.conftest import World
from tests.postgres import Server, cut

MAPPING = """
fields:
  stage: {Contact: Lifecycle_Stage__c, Lead: Lifecycle_Stage__c}
stages:
  - {name: Anonymous, when: {email: missing}}
  - {name: Suspect, when: {email: present}}
"""
EDITED = MAPPING + "  - {name: Known, when: {email: present}}\n"


@pytest.fixture
def beat(tmp_path: Path) -> Path:
    return tmp_path / "beat"


def status(beat: Path) -> str:
    last = heartbeat.read_heartbeat(beat)
    assert last is not None
    return last.status


def why(beat: Path) -> str:
    last = heartbeat.read_heartbeat(beat)
    assert last is not None
    return last.why


def only_on(world: World, database: str) -> None:
    if world.store._engine.dialect.name != database:
        pytest.skip(f"this is about {database}")


def set_each_connection(world: World, pragma: str) -> None:
    event.listen(world.store._engine, "checkout", lambda connection, *_: connection.execute(pragma))


def test_a_locked_state_is_waited_for_and_gone_on_with(world: World, beat: Path, state: Path) -> None:
    only_on(world, "sqlite")
    ada = world.contact()
    set_each_connection(world, "PRAGMA busy_timeout=1")
    daemon = Daemon(world.pipeline, beats=beat)
    with closing(sqlite3.connect(state, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        daemon.tick()
        assert daemon.fatal is None
        assert (status(beat), "locked" in why(beat)) == ("failed", True)
        other.execute("ROLLBACK")
    daemon.tick()
    assert (status(beat), world.stage(ada)) == ("ok", "Suspect")


def test_a_full_disk_is_waited_for_and_gone_on_with(
    world: World, beat: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    only_on(world, "sqlite")
    logs.configure("json", "INFO")
    daemon = Daemon(world.pipeline, beats=beat)
    daemon.tick()
    people = [world.contact(f"p{number}@example.com", Name="x" * 2000) for number in range(300)]
    engine, pages = world.store._engine, 0
    with engine.connect() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar() or 0
    set_each_connection(world, f"PRAGMA max_page_count={pages + 2}")
    world.wait(60)
    daemon.tick()
    assert daemon.fatal is None
    assert (status(beat), "full" in why(beat)) == ("failed", True)
    assert '"event": "cycle failed"' in capsys.readouterr().err
    set_each_connection(world, "PRAGMA max_page_count=1000000")
    world.wait(60)
    daemon.tick()
    assert status(beat) == "ok"
    assert {world.stage(each) for each in people} == {"Suspect"}


def test_a_sign_of_life_that_cannot_be_written_ends_nothing(world: World, tmp_path: Path) -> None:
    ada = world.contact()
    (tmp_path / "no folder").touch()
    daemon = Daemon(world.pipeline, beats=tmp_path / "no folder" / "beat")
    daemon.tick()
    assert world.stage(ada) == "Suspect"


def test_a_database_that_cut_its_sessions_is_gone_on_with(world: World, beat: Path) -> None:
    only_on(world, "postgresql")
    ada, daemon = world.contact(), Daemon(world.pipeline, beats=beat)
    daemon.tick()
    cut(world.address)
    bob = world.contact("bob@example.com")
    world.wait(60)
    daemon.tick()
    world.wait(60)
    daemon.tick()
    assert daemon.fatal is None
    assert [world.stage(each) for each in (ada, bob)] == ["Suspect", "Suspect"]


def test_a_database_that_is_away_for_a_while_is_gone_on_with(
    world: World, beat: Path, request: pytest.FixtureRequest
) -> None:
    only_on(world, "postgresql")
    postgres: Server = request.getfixturevalue("postgres")
    ada, daemon = world.contact(), Daemon(world.pipeline, beats=beat)
    name = make_url(world.address).database
    cut(world.address)
    postgres.run(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
    try:
        daemon.tick()
        assert (daemon.fatal, status(beat)) == (None, "failed")
        assert "not currently accepting connections" in why(beat)
    finally:
        postgres.run(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
    daemon.tick()
    assert (status(beat), world.stage(ada)) == ("ok", "Suspect")


def refusing(world: World, error: Exception) -> list[int]:
    """From now on who signs in is refused; when it was asked, in seconds."""
    asked: list[int] = []

    def identity() -> str:
        asked.append(round((world.clock.now() - START).total_seconds()))
        raise error

    world.org.identity = identity  # type: ignore[method-assign]
    return asked


def test_a_refused_sign_in_is_asked_again_after_minutes_then_hours(
    world: World, beat: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    logs.configure("json", "INFO")
    identity, ada = world.org.identity, world.contact()
    asked = refusing(world, Refused("Salesforce sign-in answered 400 invalid_grant", "check the user"))
    daemon = Daemon(world.pipeline, beats=beat)
    for _ in range(12 * 60):
        daemon.tick()
        world.wait(60)
    gaps = [timedelta(seconds=later - before) for before, later in pairwise(asked)]
    assert gaps == [*PAUSES, PAUSES[-1]]
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [line["times"] for line in lines if line["event"] == "refused"] == [1, 2, 3, 4, 5, 6, 7]
    assert len(lines) == 14, "a line of the cycle and one of the count each time, and nothing between"
    assert "invalid_grant, 7 times; asked again at" in why(beat)
    world.org.identity = identity  # type: ignore[method-assign]
    daemon.tick(at_once=True)
    assert world.stage(ada) == "Suspect"
    refusing(world, Refused("again"))
    daemon.tick()
    assert "times" not in why(beat), "a good cycle begins the count anew"


def test_a_source_whose_sign_in_is_refused_is_asked_with_pauses_and_stops_nobody(
    world: World, beat: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    logs.configure("json", "INFO")
    asked: list[int] = []
    poll = world.source.poll

    def refuse(_cursor: Any, _now: Any) -> Any:
        asked.append(1)
        raise Refused("HubSpot answered 401", "a new token")

    world.source.poll = refuse  # type: ignore[method-assign, assignment]
    ada = world.contact()
    daemon = Daemon(world.pipeline, beats=beat)
    for _ in range(60):
        daemon.tick()
        world.wait(60)
    assert len(asked) == 4
    assert world.stage(ada) == "Suspect"
    assert status(beat) == "partly"
    lines = [json.loads(line)["event"] for line in capsys.readouterr().err.splitlines()]
    assert lines.count("source failed") == 4
    assert "HubSpot answered 401 (4 times)" in str(world.store.cycles(1)[0]["report"]["sources_failed"])
    world.source.poll = poll  # type: ignore[method-assign]
    daemon.tick(at_once=True)
    assert status(beat) == "ok"


def test_after_a_good_cycle_what_a_person_must_change_ends_no_daemon(world: World, beat: Path) -> None:
    daemon, identity = Daemon(world.pipeline, beats=beat), world.org.identity
    daemon.tick()
    refusing(world, ConfigurationError("the owner Ann is not in the org"))
    daemon.tick()
    assert (daemon.fatal, status(beat)) == (None, "failed")
    world.org.identity = identity  # type: ignore[method-assign]
    world.wait(61)
    daemon.tick()
    assert status(beat) == "ok"


# -- the state ---------------------------------------------------------------------------------------------------------


def remove(state: Path) -> None:
    state.unlink()


def put_another(state: Path) -> None:
    other = state.with_name("other")
    open_store(str(other), clock=clock()).close()
    other.replace(state)


def remove_lock(state: Path) -> None:
    state.with_name(state.name + ".lock").unlink()


def clock() -> Any:
    return FrozenClock(START)


@pytest.mark.parametrize("do", [remove, put_another, remove_lock])
def test_a_state_that_was_removed_or_replaced_ends_the_daemon_in_the_next_cycle(
    tmp_path: Path, beat: Path, do: Callable[[Path], None]
) -> None:
    state = tmp_path / "state.sqlite3"
    with open_store(str(state), clock=clock(), exclusive=True) as store:
        world, notices = World(store), list[Notice]()
        watch = Watch(world.pipeline, beat, notices.append)
        daemon = Daemon(world.pipeline, beats=beat, after=[watch.after_cycle])
        daemon.tick()
        assert status(beat) == "ok"
        do(state)
        ada = world.contact()
        daemon.tick()
        assert isinstance(daemon.fatal, StateError)
        assert "removed or replaced" in daemon.fatal.what
        assert world.stage(ada) is None, "nothing more is written"
        assert [each.alert for each in notices] == ["ended"]


def test_a_database_that_was_put_back_to_an_earlier_moment_ends_the_daemon(world: World, beat: Path) -> None:
    daemon = Daemon(world.pipeline, beats=beat)
    daemon.tick()
    with world.store._write() as connection:
        connection.exec_driver_sql("DELETE FROM cycle")
    daemon.tick()
    assert isinstance(daemon.fatal, StateError)


def test_a_symlink_and_a_relative_path_lead_to_the_same_lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    (tmp_path / "other.sqlite3").symlink_to(tmp_path / "real" / "state.sqlite3")
    monkeypatch.chdir(tmp_path / "real")
    with open_store(str(tmp_path / "real" / "state.sqlite3"), clock=clock(), exclusive=True):
        for path in (tmp_path / "link" / "state.sqlite3", tmp_path / "other.sqlite3", Path("state.sqlite3")):
            with pytest.raises(StateError, match="in use by another connector"):
                open_store(str(path), clock=clock(), exclusive=True)


# -- the mapping -------------------------------------------------------------------------------------------------------


@pytest.fixture
def edited(world: World, beat: Path, tmp_path: Path) -> tuple[Daemon, Path, list[Pipeline]]:
    """A daemon over a mapping in a file that includes another, that file, and what was told of edits."""
    path, told = tmp_path / "mine.yaml", list[Pipeline]()
    path.write_text("include: [base.yaml]\n")
    (tmp_path / "base.yaml").write_text(MAPPING)
    files = MappingFiles(path)
    mapping = files.load()

    def rebuild(pipeline: Pipeline, changed: Any) -> Pipeline:
        return replace(pipeline, mapping=changed, objects=polled_objects(changed))

    first = rebuild(world.pipeline, mapping)
    remapping = Remapping(files, rebuild, [told.append])
    watch = Watch(first, beat, lambda notice: None)
    return Daemon(first, beats=beat, after=[watch.after_cycle], remapping=remapping), path, told


def test_a_valid_edit_is_taken_at_the_next_cycle_also_of_an_included_file(
    world: World, beat: Path, edited: tuple[Daemon, Path, list[Pipeline]]
) -> None:
    daemon, path, told = edited
    ada = world.contact()
    daemon.tick()
    assert world.stage(ada) == "Suspect"
    before, since = world.store.mapping_version(), world.store.mapping_since()
    (path.parent / "base.yaml").write_text(EDITED)
    world.wait(60)
    daemon.tick()
    assert world.stage(ada) == "Known"
    assert [each.mapping.version for each in told] == [world.store.mapping_version()]
    assert before != world.store.mapping_version()
    assert str(since) < str(world.store.mapping_since())
    path.write_text("# a word\ninclude: [base.yaml]\n")
    daemon.tick()
    assert len(told) == 1, "a comment is no other mapping"


@pytest.mark.parametrize("broken", ["stages: [", "include: [gone.yaml]\n", None, b"\xff\xfe\x00"])
def test_a_broken_edit_is_told_and_the_mapping_before_goes_on(
    world: World, beat: Path, edited: tuple[Daemon, Path, list[Pipeline]], broken: Any
) -> None:
    daemon, path, told = edited
    daemon.tick()
    if broken is None:
        path.unlink()
    else:
        path.write_bytes(broken if isinstance(broken, bytes) else broken.encode())
    ada = world.contact()
    world.wait(60)
    daemon.tick()
    assert (world.stage(ada), told) == ("Suspect", [])
    last = heartbeat.read_heartbeat(beat)
    assert last is not None
    assert (last.status, last.mapping_broken != "") == ("ok", True)
    assert "mapping" in (world.store.cursor("alerts") or {})
    world.wait(60)
    daemon.tick()
    path.write_text(EDITED)
    world.wait(60)
    daemon.tick()
    last = heartbeat.read_heartbeat(beat)
    assert last is not None
    assert (last.mapping_broken, world.stage(ada)) == ("", "Known")
    assert "mapping" not in (world.store.cursor("alerts") or {})


def test_an_edit_that_would_change_more_than_the_limit_is_held_back(
    world: World, beat: Path, edited: tuple[Daemon, Path, list[Pipeline]]
) -> None:
    daemon, path, _ = edited
    people = [world.contact(f"p{number}@example.com") for number in range(3)]
    daemon.tick()
    daemon._pipeline = replace(daemon._pipeline, max_changes=2)
    path.write_text(EDITED)
    world.wait(60)
    daemon.tick()
    assert status(beat) == "held"
    assert {world.stage(each) for each in people} == {"Suspect"}
    path.write_text(MAPPING)
    world.wait(60)
    daemon.tick()
    assert status(beat) == "ok", "an edit that is taken back holds nothing back any more"


def test_a_source_is_compared_with_what_is_known_under_the_daemon_too(world: World, beat: Path) -> None:
    swept: list[JsonMap | None] = []

    def sweep(cursor: JsonMap | None, _now: datetime) -> Iterator[SourcePage]:
        swept.append(cursor)
        yield SourcePage({"done": True})

    world.source.listed, world.source.sweep = ("calls",), sweep  # type: ignore[attr-defined]
    daemon = Daemon(replace(world.pipeline, sweep_every=timedelta(hours=1)), beats=beat)
    daemon.tick()
    assert swept == []
    world.wait(3601)
    daemon.tick()
    assert swept == [None]
    assert list(world.store.cycles(1)[0]["report"]["swept"]) == [world.source.name]
