"""Older states are brought to the present schema when they are opened."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import make_url
from sqlalchemy.exc import OperationalError
from sqlmodel import SQLModel

from connector.base import logs
from connector.base.clock import FrozenClock
from connector.base.errors import StateError, Transient
from connector.store import Upgrade, copy_state, migrations, open_store, schema
from connector.store.dialect import make_engine
from connector.store.faults import translate
from connector.store.opening import schema_of
from tests.store.store_facts import first_state

FOLDER = Path(migrations.__file__).parent


def test_the_head_in_the_schema_is_the_newest_migration() -> None:
    config = Config()
    config.set_main_option("script_location", str(FOLDER))
    assert ScriptDirectory.from_config(config).get_heads() == [schema.HEAD]
    assert migrations.is_known(schema.HEAD)
    assert not migrations.is_known("9999")


def test_migrations_make_exactly_the_tables_of_the_schema(empty_state: Path, tmp_path: Path) -> None:
    copy = shutil.copyfile(empty_state, tmp_path / "copy.sqlite3")
    engine = make_engine(make_url(f"sqlite:///{copy}"))
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, SQLModel.metadata) == []
    engine.dispose()


def test_a_state_made_by_the_first_migration_opens_with_its_facts(tmp_path: Path, clock: FrozenClock) -> None:
    path = tmp_path / "old.sqlite3"
    first_state(path, '{"Id":"C1"}')
    with open_store(str(path), clock=clock, create=False) as store:
        assert [each.id for each in store.facts_of(["C1"])] == ["C1"]


def test_a_state_is_not_migrated_under_a_running_connector(
    empty_state: Path, tmp_path: Path, clock: FrozenClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = shutil.copyfile(empty_state, tmp_path / "state.sqlite3")
    with open_store(str(path), clock=clock, exclusive=True):
        monkeypatch.setattr("connector.store.opening.HEAD", "9999")
        with pytest.raises(StateError, match="in use by another connector"):
            open_store(str(path), clock=clock)


def test_a_state_is_copied_beside_itself_before_it_is_brought_up_to_date_and_it_is_said(
    tmp_path: Path, clock: FrozenClock, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "old.sqlite3"
    first_state(path, '{"Id":"C1"}')
    logs.configure("json", "INFO")
    open_store(str(path), clock=clock, create=False).close()
    open_store(str(path), clock=clock, create=False).close()
    copy = tmp_path / "old.sqlite3.schema-0001"
    engine = make_engine(make_url(f"sqlite:///{copy}"))
    assert schema_of(engine, "") == "0001"
    engine.dispose()
    assert copy.stat().st_mode & 0o777 == 0o600
    (line,) = capsys.readouterr().err.splitlines()
    assert "state brought up to date" in line
    assert str(copy) in line


def test_whoever_only_reads_leaves_an_old_state_alone_and_is_told_what_to_run(
    tmp_path: Path, clock: FrozenClock
) -> None:
    path = tmp_path / "old.sqlite3"
    first_state(path, '{"Id":"C1"}')
    before = path.read_bytes()
    with pytest.raises(StateError, match="of an older connector") as caught:
        open_store(str(path), clock=clock, create=False, upgrade="never")
    assert "connector sync" in caught.value.hint
    assert path.read_bytes() == before
    assert [each.name for each in tmp_path.iterdir()] == ["old.sqlite3"]


def test_a_throwaway_copy_is_brought_up_to_date_without_a_word(
    tmp_path: Path, clock: FrozenClock, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "old.sqlite3"
    first_state(path, '{"Id":"C1"}')
    logs.configure("json", "INFO")
    open_store(str(path), clock=clock, create=False, upgrade="quietly").close()
    assert capsys.readouterr().err == ""
    assert not list(tmp_path.glob("*.schema-*"))


def test_the_copy_is_of_the_state_as_it_is_now_not_of_an_earlier_upgrade(tmp_path: Path, clock: FrozenClock) -> None:
    path, copy = tmp_path / "old.sqlite3", tmp_path / "old.sqlite3.schema-0001"
    first_state(copy, '{"Id":"C1","LastName":"Then"}')
    first_state(path, '{"Id":"C1","LastName":"Now"}')
    open_store(str(path), clock=clock, create=False).close()
    with open_store(str(copy), clock=clock) as kept:
        assert [each.fields["LastName"] for each in kept.facts_of(["C1"])] == ["Now"]


def test_a_state_is_not_brought_up_to_date_where_no_copy_can_be_kept(tmp_path: Path, clock: FrozenClock) -> None:
    path = tmp_path / "old.sqlite3"
    first_state(path, '{"Id":"C1"}')
    (tmp_path / "old.sqlite3.schema-0001").mkdir()
    with pytest.raises(StateError, match=r"schema-0001 cannot be written: .*left as it is"):
        open_store(str(path), clock=clock, create=False)
    assert sorted(each.name for each in tmp_path.iterdir()) == [
        path.name,
        f"{path.name}.lock",
        f"{path.name}.schema-0001",
    ]
    with pytest.raises(StateError, match="of an older connector"):
        open_store(str(path), clock=clock, create=False, upgrade="never")


@pytest.mark.parametrize("upgrade", ["with a copy", "quietly", "never"])
def test_a_state_of_a_newer_connector_is_refused_and_left_alone(
    tmp_path: Path, clock: FrozenClock, upgrade: Upgrade
) -> None:
    path = tmp_path / "new.sqlite3"
    newer_state(path)
    with pytest.raises(StateError, match="written by a newer connector"):
        open_store(str(path), clock=clock, upgrade=upgrade)
    assert not list(tmp_path.glob("*.schema-*"))


def test_a_copy_of_a_newer_state_is_refused_by_the_name_of_the_state(tmp_path: Path) -> None:
    path = tmp_path / "new.sqlite3"
    newer_state(path)
    with pytest.raises(StateError, match=rf"^the state {path} was written by a newer connector"):
        copy_state(str(path), tmp_path / "copy.sqlite3")


def newer_state(path: Path) -> None:
    first_state(path, '{"Id":"C1"}')
    with closing(sqlite3.connect(path)) as state:
        state.execute("UPDATE alembic_version SET version_num = '9999'")
        state.commit()


@pytest.mark.parametrize(
    "said",
    [
        "failed to resolve host 'db.example': [Errno -2] Name or service not known",
        'could not translate host name "db.example" to address: Temporary failure in name resolution',
        'connection to server at "10.0.0.1", port 5432 failed: Network is unreachable',
    ],
)
def test_a_server_that_cannot_be_found_for_a_moment_ends_no_daemon(said: str) -> None:
    assert isinstance(translate(OperationalError("SELECT 1", {}, Exception(said)), "s"), Transient)
