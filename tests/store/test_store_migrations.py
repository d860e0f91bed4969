"""Older states are brought to the present schema when they are opened."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import make_url
from sqlmodel import SQLModel

from connector.base import logs
from connector.base.clock import FrozenClock
from connector.base.errors import StateError
from connector.store import migrations, open_store, schema
from connector.store.dialect import make_engine
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
