"""The whole connector with its state on PostgreSQL."""

import json
import os
import signal
import subprocess
import sys

import pytest

from connector.base import heartbeat
from connector.base.clock import SystemClock
from connector.base.errors import StateError
from connector.pipeline.backfill import Scope, run_backfill
from connector.pipeline.daemon import Daemon
from connector.store import open_store
from connector.wiring import open_pipeline
from tests.e2e.test_daemon_process import lines_until, ran
from tests.e2e.test_practice_command import started
from tests.postgres import cut, needs_server, own_server

pytestmark = needs_server


@pytest.fixture
def site(site, emptied_state):
    site.state = emptied_state
    return site


def test_a_backfill_a_dry_run_and_a_cycle(site):
    site.contacts(3)
    with open_pipeline(site.settings(), dry_run=True) as pipeline:
        assert run_backfill(pipeline, Scope(), dry_run=True).people_to_change == 3
    with open_store(site.state, clock=SystemClock()) as store:
        assert store.counts()["people"] == 0, "a dry run leaves nothing"
    assert site.backfill().written == 3
    assert set(site.stages().values()) == {"Suspect"}
    site.contacts(1)
    assert site.sync().written == 1
    assert site.sync().written == 0
    with site.pipeline(), pytest.raises(StateError, match="in use"):
        site.sync()


def test_commands_read_it(site):
    site.contacts(2)
    site.backfill()
    env = {name: os.environ[name] for name in ("PATH",)} | site.practice.environment()  # noqa: TID251 - a child's
    command = [sys.executable, "-m", "connector", "status", "--json"]
    done = subprocess.run(
        command, env=env | {"CONNECTOR_STATE": site.state}, capture_output=True, text=True, timeout=60, check=False
    )
    assert json.loads(done.stdout)["people"]["stage"] == {"Suspect": 2}, done.stderr


def test_a_daemon_outlives_its_database(site, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    settings = site.settings()
    with open_pipeline(settings) as pipeline:
        daemon = Daemon(pipeline, beats=heartbeat.beside(settings.state))
        daemon.tick()
        site.contacts(1)
        cut(site.state)
        daemon.tick()
        daemon.tick()
        assert daemon.fatal is None
        assert sum(each["report"].get("written", 0) for each in pipeline.store.cycles(5)) == 1
    assert (tmp_path / "state" / "connector.heartbeat").is_file()


def test_a_daemon_waits_for_a_server_that_is_stopped_and_goes_on_when_it_is_back(site, tmp_path):
    """Its own server, because the others of this run need theirs: that takes seconds to make."""
    with own_server() as postgres:
        known = site.practice.environment() | {"CONNECTOR_STATE": postgres.address, "CONNECTOR_INTERVAL": "1"}
        site.contacts(1)
        with started("run", folder=tmp_path, **known) as daemon:
            assert lines_until(daemon, "cycle done")[-1]["written"] == 1
            postgres.stop()
            failed = lines_until(daemon, "cycle failed")[-1]
            assert "did not answer" in failed["error"]
            site.contacts(1)
            lines_until(daemon, "cycle failed")
            code, text = ran("status", folder=tmp_path, known=known)
            assert (code, "Traceback" in text) == (4, False), "asked later, it may answer"
            postgres.start()
            assert lines_until(daemon, "cycle done")[-1]["written"] == 1
            daemon.send_signal(signal.SIGTERM)
            daemon.communicate(timeout=30)
            assert daemon.returncode == 0
    assert set(site.stages().values()) == {"Suspect"}
