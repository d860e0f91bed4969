"""The console script itself: quick to start, and no traceback reaches anybody who did not ask for one."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

import pytest
import structlog
from typer.testing import CliRunner

from connector import cli
from connector.base import settings
from connector.base.errors import ConfigurationError, StateError
from tests.store.store_facts import first_state

HEAVY = ("sqlalchemy", "sqlmodel", "alembic", "psycopg", "requests", "urllib3", "simple_salesforce", "starlette")
SLOW = ("structlog", "rich")  # half a second of CPU
LOADED = "import sys; from connector import cli; print(*sorted({name.split('.')[0] for name in sys.modules}))"


def test_the_commands_load_no_database_and_no_http_client_before_they_need_one() -> None:
    done = subprocess.run([sys.executable, "-c", LOADED], capture_output=True, text=True, check=True, timeout=60)
    assert {*HEAVY, *SLOW, "pydantic"}.isdisjoint(done.stdout.split())


def connector(words: list[str], folder: Path, *, stdout: TextIO) -> subprocess.CompletedProcess[str]:
    """The console script as a shell runs it."""
    command = [sys.executable, "-m", "connector", *words]
    return subprocess.run(
        command, cwd=folder, stdout=stdout, stderr=subprocess.PIPE, text=True, check=False, timeout=60
    )


HEALTH = LOADED.replace(
    "print", "sys.argv[1:] = ['status', '--max-age', '60']\ntry: cli.main()\nexcept SystemExit: pass\nprint"
)


def test_neither_does_the_health_check(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", HEALTH], cwd=tmp_path, capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.startswith("not healthy: no daemon has run here")
    assert {*HEAVY, *SLOW}.isdisjoint(done.stdout.split())


@contextmanager
def raising(monkeypatch: pytest.MonkeyPatch, error: BaseException, *words: str) -> Iterator[None]:
    """The console script, where reading the settings ends with an error nobody foresaw."""

    def fail(**_overrides: Any) -> None:
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(settings, "load_settings", fail)
        patch.setattr(sys, "argv", ["connector", *words])
        yield


def test_an_error_nobody_foresaw_ends_with_one_and_without_a_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with raising(monkeypatch, KeyError("hush"), "status"), pytest.raises(SystemExit) as ended:
        cli.main()
    told = capsys.readouterr()
    assert (ended.value.code, told.out) == (1, "")
    assert "error: unexpected KeyError" in told.err
    assert "--debug" in told.err
    assert "Traceback" not in told.err
    assert "hush" not in told.err


@pytest.mark.parametrize(
    ("words", "said", "hint"),
    [
        (["status", "--nope"], "No such option: --nope", "connector status --help"),
        (["nope"], "No such command 'nope'.", "connector --help"),
        (["backup"], "Missing argument 'file'.", "connector backup --help"),
        (["setup"], "say --out DIR, or --deploy", "connector setup --help"),
        (["failures"], "no command is given", "connector failures --help"),
        ([], "no command is given", "connector --help"),
    ],
)
def test_a_command_line_that_is_none_is_one_json_line_where_the_logs_are(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], words: list[str], said: str, hint: str
) -> None:
    monkeypatch.setattr(sys, "argv", ["connector", *words])
    for form in ("console", "json"):
        monkeypatch.setenv("CONNECTOR_LOG_FORMAT", form)
        structlog.reset_defaults()
        with pytest.raises(SystemExit) as ended:
            cli.main()
        told = capsys.readouterr()
        assert (ended.value.code, told.out) == (2, "")
        if form == "console":
            assert told.err.startswith("Usage: connector")
    [line] = told.err.splitlines()
    assert said in json.loads(line)["error"]
    assert (json.loads(line)["hint"], json.loads(line)["exit_code"]) == (hint, 2)


def test_an_error_nobody_foresaw_is_one_json_line_where_the_logs_are(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CONNECTOR_LOG_FORMAT", "json")
    structlog.reset_defaults()
    with raising(monkeypatch, KeyError("hush"), "status"), pytest.raises(SystemExit):
        cli.main()
    [line] = capsys.readouterr().err.splitlines()
    assert json.loads(line)["error"] == "unexpected KeyError"


def test_debug_anywhere_shows_it(monkeypatch: pytest.MonkeyPatch) -> None:
    with raising(monkeypatch, KeyError("hush"), "status", "--debug"), pytest.raises(KeyError):
        cli.main()


@pytest.mark.parametrize("words", [["--version"], ["-h"], ["check", "lead-liaison"], ["check", "--json"]])
def test_a_reader_that_went_away_is_no_error(tmp_path: Path, words: list[str]) -> None:
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "w") as nobody:
        done = connector(words, tmp_path, stdout=nobody)
    assert (done.returncode, done.stderr) == (0, "")


def test_who_closed_its_output_before_it_began_wants_none(tmp_path: Path) -> None:
    words = ["sh", "-c", '"$0" -m connector check lead-liaison none >&- 2>&-', sys.executable]
    assert subprocess.run(words, cwd=tmp_path, check=False, timeout=60).returncode == 2


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
def test_an_output_that_cannot_be_written_is_told_once(tmp_path: Path) -> None:
    with Path("/dev/full").open("w") as full:
        done = connector(["check", "--json"], tmp_path, stdout=full)
    assert done.returncode == 1
    assert done.stderr.splitlines()[0] == "error: unexpected OSError: No space left on device"
    assert len(done.stderr.splitlines()) == 2


@pytest.mark.parametrize("command", [[], *([each] for each in sorted(cli.commands()))])
def test_help_has_a_short_way(command: list[str]) -> None:
    done = CliRunner().invoke(cli.app, [*command, "-h"])
    assert done.exit_code == 0
    assert "Usage:" in done.output


def test_the_practice_org_also_answers_to_its_old_name_which_is_not_shown() -> None:
    runner = CliRunner()
    assert "Serve a practice org" in runner.invoke(cli.app, ["sandbox", "-h"]).output
    assert "sandbox" not in runner.invoke(cli.app, ["-h"]).output


def test_completion_can_be_installed() -> None:
    assert "--install-completion" in CliRunner().invoke(cli.app, ["-h"]).output


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_init_writes_what_check_finds_right_and_overwrites_nothing(here: Path) -> None:
    runner = CliRunner()
    assert runner.invoke(cli.app, ["init", "states"]).exit_code == 0
    assert sorted(each.name for each in here.iterdir()) == [".env", "mapping.schema.json", "states.yaml"]
    assert (here / ".env").stat().st_mode & 0o777 == 0o600
    assert runner.invoke(cli.app, ["check"]).exit_code == 0, "the .env names the mapping"
    assert "yaml-language-server: $schema=mapping.schema.json" in (here / "states.yaml").read_text()
    (here / "states.yaml").write_text("mine")
    again = runner.invoke(cli.app, ["init", "states"])
    assert isinstance(again.exception, ConfigurationError)
    assert (here / "states.yaml").read_text() == "mine"


def test_init_of_a_mapping_that_is_not_shipped_names_those_that_are(here: Path) -> None:
    refused = CliRunner().invoke(cli.app, ["init", "state"]).exception
    assert isinstance(refused, ConfigurationError)
    assert "states" in refused.hint
    assert list(here.iterdir()) == []


def test_check_takes_files_as_a_hook_gives_them(here: Path) -> None:
    (here / "good.yaml").write_text("stages: [{name: A, when: always}]\n")
    (here / "bad.yaml").write_text("stages:\n  - {name: A, wen: always}\n")
    runner = CliRunner()
    assert runner.invoke(cli.app, ["check", "good.yaml"]).exit_code == 0
    done = runner.invoke(cli.app, ["check", "good.yaml", "bad.yaml", "none.yaml"])
    assert done.exit_code == 2
    assert "good.yaml is right" in done.output
    assert "bad.yaml:2" in done.output
    assert "none.yaml" in done.output
    assert runner.invoke(cli.app, ["check", "--mapping", "good.yaml"]).exit_code == 0


def test_what_is_wrong_is_told_as_editors_read_it(here: Path) -> None:
    (here / "bad.yaml").write_text("stages:\n  - {name: A, wen: always}\n")
    (here / "latin.yaml").write_bytes(b"name: m\xfcller\n")
    done = CliRunner().invoke(cli.app, ["check", "bad.yaml", "latin.yaml", "none.yaml"])
    assert [line for line in done.output.splitlines() if not line.startswith("  try:")] == [
        "bad.yaml:2: stage has no key wen",
        "latin.yaml:1: the file is not UTF-8 text",
        "none.yaml: there is no such mapping",
    ]
    told = json.loads(CliRunner().invoke(cli.app, ["check", "--json", "bad.yaml", "states"]).output)
    assert [[each["line"] for each in report["mistakes"]] for report in told["mappings"]] == [[2], []]


def test_files_are_checked_by_themselves_whatever_the_settings_say(here: Path) -> None:
    (here / ".env").write_text("CONNECTOR_NONSENSE=1\n")
    assert CliRunner().invoke(cli.app, ["check", "states"]).exit_code == 0
    both = CliRunner().invoke(cli.app, ["check", "states", "--mapping", "states"])
    assert (both.exit_code, "not both" in both.output) == (2, True)


def test_an_edited_copy_that_is_missing_is_not_replaced_by_the_shipped_mapping(here: Path) -> None:
    (here / ".env").write_text("CONNECTOR_MAPPING=states.yaml\n")
    done = CliRunner().invoke(cli.app, ["check"])
    assert done.exit_code == 2
    assert "states.yaml: there is no such mapping" in done.output


def test_every_setting_that_init_writes_exists(here: Path) -> None:
    CliRunner().invoke(cli.app, ["init"])
    named = set(re.findall(r"CONNECTOR_[A-Z_]+", (here / ".env").read_text()))
    assert named <= {settings.variable_of(name) for name in settings.Settings.model_fields}
    assert len(named) > 5


@pytest.fixture
def old_state(here: Path) -> Path:
    """A state of an older connector, where commands look for one."""
    path = here / "state" / "connector.sqlite3"
    path.parent.mkdir()
    first_state(path, '{"Id":"C1"}')
    return path


@pytest.mark.parametrize("words", [["status"], ["explain", "C1"], ["plan"]])
def test_commands_that_read_leave_an_old_state_alone(old_state: Path, words: list[str]) -> None:
    before = old_state.read_bytes()
    done = CliRunner().invoke(cli.app, words)
    assert isinstance(done.exception, StateError)
    assert "of an older connector" in done.exception.what
    assert [each.name for each in old_state.parent.iterdir()] == [old_state.name]
    assert old_state.read_bytes() == before


@pytest.mark.parametrize("words", [["retry"], ["approve", "--up-to", "5"]])
def test_commands_that_write_bring_it_up_to_date(old_state: Path, words: list[str]) -> None:
    assert CliRunner().invoke(cli.app, words).exit_code == 0
    assert old_state.with_name(f"{old_state.name}.schema-0001").is_file()
    assert CliRunner().invoke(cli.app, ["status"]).exit_code == 0
