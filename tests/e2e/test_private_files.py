"""Whatever holds people is its owner's alone, also where the umask would show it to everybody."""

import os
import signal

import pytest
import requests

from connector.base.clock import SystemClock
from tests.e2e.conftest import serving
from tests.e2e.shell import Shell
from tests.e2e.test_daemon_process import lines_until
from tests.e2e.test_practice_command import started
from tests.e2e.test_secrets_unshown import BESIDE, LATER, LOOKING, Echo, environment

FOR_OTHERS = {"lead-liaison.yaml", "mapping.schema.json"}  # of connector init


def test_every_file_and_folder_that_commands_make_is_its_owners_alone(site, shell: Shell, tmp_path):
    site.contacts(2)
    state, before = tmp_path / "made" / "state", os.umask(0o022)
    shell.env = site.practice.environment() | {"CONNECTOR_STATE": str(state / "connector.sqlite3")}
    try:
        assert shell("backfill", "--csv", "made/who.csv").returncode == 2  # there is no such folder
        assert shell("backfill").returncode == 0
        assert shell("sync", "--csv", str(state / "who.csv")).returncode == 0
        assert shell("backup", str(state / "copy.sqlite3")).returncode == 0
        assert shell("export", "--all", "--out", str(state / "out")).returncode == 0
        assert shell("report", "--csv", str(state / "report.csv")).returncode == 0
        assert shell("report", "--html", str(state / "page.html")).returncode == 0
    finally:
        os.umask(before)
    found = {str(each.relative_to(tmp_path)): each.stat().st_mode & 0o777 for each in (tmp_path / "made").rglob("*")}
    assert len(found) > 10
    wrong = {
        name: oct(mode) for name, mode in found.items() if mode != (0o700 if (tmp_path / name).is_dir() else 0o600)
    }
    assert wrong == {}


@pytest.fixture
def echo():
    made = Echo()
    yield made
    made.close()


def test_the_daemon_and_every_command_make_nothing_that_others_may_read(echo, shell, monkeypatch, tmp_path):
    """Each in a world-readable folder, under the umask that most have. What is for others: a mapping to begin with, and
    the org's project, which name nobody."""
    monkeypatch.setattr(SystemClock, "sleep", lambda _self, _seconds: None)  # nothing waits to ask again
    before = os.umask(0o022)
    try:
        with serving(tmp_path / "org") as site:
            site.contacts(2, Email="a@example.com")
            shell.env = {**environment(echo, tmp_path, *BESIDE), **site.practice.environment()}
            shell.env |= {"CONNECTOR_ACTIVITY_FOLDER": str(tmp_path / "dropped"), "CONNECTOR_WEBHOOK_PORT": "0"}
            (tmp_path / "dropped").mkdir()
            (tmp_path / "dropped" / "calls.csv").write_text("type,occurred_at,email\ncall,soon,a@example.com\n")
            os.utime(tmp_path / "dropped" / "calls.csv", (1, 1))  # long finished
            theirs = set(tmp_path.rglob("*"))
            for words in (*LATER, *LOOKING):
                shell(*words)
            with started("run", folder=tmp_path, **shell.env, CONNECTOR_HTTP_PORT="0") as daemon:
                hook = lines_until(daemon, "webhooks listen")[-1]["url"]
                event = {"type": "call", "occurred_at": "2026-01-01T00:00:00Z", "email": "a@example.com"}
                token = shell.env["CONNECTOR_WEBHOOK_TOKEN"]
                assert requests.post(f"{hook}/hooks/v1/tool/{token}", json=event, timeout=10).status_code == 202
                lines_until(daemon, "cycle done")
                inside = set(tmp_path.rglob("*")) - theirs
                modes = {str(each.relative_to(tmp_path)): each.stat().st_mode & 0o777 for each in inside}
                daemon.send_signal(signal.SIGTERM)
                daemon.communicate(timeout=30)
    finally:
        os.umask(before)
    kinds = {name.rsplit("/", 1)[-1] for name in modes}
    needed = {
        "state.sqlite3",
        "state.sqlite3-wal",
        "state.sqlite3-shm",
        "state.sqlite3.lock",
        "state.sqlite3.heartbeat",
    }
    needed |= {"inbox.sqlite3", "calls.csv.jsonl", "copy.sqlite3", "p.html", "f.csv", "report_person.csv", ".env"}
    assert needed <= kinds, sorted(kinds)
    for_others = {name for name in modes if name in FOR_OTHERS or name.startswith("made/org")}
    assert {name: oct(mode) for name, mode in modes.items() if mode & 0o077 and name not in for_others} == {}
