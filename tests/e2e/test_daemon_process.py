"""The daemon as a process beside the commands that an operator runs: health, what is held back, and letting it pass."""

import json
import signal
from typing import Any

import pytest
import requests

from tests.e2e.test_practice_command import environment, started


@pytest.fixture
def practice(tmp_path):
    """What a served company says of itself: the variables of a connector to it."""
    with started("practice", "--sample", "small", folder=tmp_path) as process:
        assert process.stdout is not None
        yield environment(json.loads(process.stdout.readline())) | {"CONNECTOR_INTERVAL": "1"}


def lines_until(daemon, event: str) -> list[dict[str, Any]]:
    """What it logs up to the first such line; ends, too, where the daemon does."""
    lines: list[dict[str, Any]] = []
    while text := daemon.stderr.readline():
        lines.append(json.loads(text))
        if lines[-1]["event"] == event:
            return lines
    raise AssertionError(f"no {event}: {lines}")


def ran(*words: str, folder, known) -> tuple[int, str]:
    with started(*words, folder=folder, **known) as command:
        printed, _ = command.communicate(timeout=60)
        return command.returncode, printed


def test_a_plan_that_is_held_back_is_let_pass_by_another_process(tmp_path, practice):
    known = practice | {"CONNECTOR_MAX_CHANGES": "5"}
    with started("run", folder=tmp_path, **known) as daemon:
        held = lines_until(daemon, "cycle held")[-1]
        assert held["written"] == 0
        assert lines_until(daemon, "cycle held")[-1]["held_back"] == held["held_back"], "every cycle says so"
        code, text = ran("status", folder=tmp_path, known=known)
        assert code == 0
        assert "connector approve" in text
        code, text = ran("status", "--max-age", "600", folder=tmp_path, known=known)
        assert code == 0
        assert "held back" in text
        code, text = ran("approve", folder=tmp_path, known=known)
        assert code == 0
        done = lines_until(daemon, "cycle done")[-1]
        assert done["written"] > 300
        daemon.send_signal(signal.SIGTERM)
        daemon.communicate(timeout=30)
        assert daemon.returncode == 0
    assert ran("status", "--max-age", "600", folder=tmp_path, known=known)[0] == 1, "it was stopped"


def test_a_daemon_whose_sign_in_fails_is_not_healthy(tmp_path, practice):
    known = practice | {"CONNECTOR_SALESFORCE_USERNAME": "nobody@example.com"}
    with started("run", folder=tmp_path, **known) as daemon:
        lines = lines_until(daemon, "trouble")
        assert [line["event"] for line in lines if line["level"] in ("error", "warning")] == [
            "cycle failed",
            "refused",
            "trouble",
        ]
        daemon.send_signal(signal.SIGHUP)
        assert lines_until(daemon, "refused")[-1]["times"] == 2, "asked at once, and not a minute later"
        code, text = ran("status", "--max-age", "600", folder=tmp_path, known=known)
        assert code == 1
        assert "not healthy: no cycle went well yet" in text


def test_an_edited_mapping_is_taken_at_once_on_sighup(tmp_path, practice):
    mapping = tmp_path / "mine.yaml"
    mapping.write_text("include: [lead-liaison]\n")
    known = practice | {"CONNECTOR_MAPPING": str(mapping), "CONNECTOR_INTERVAL": "3600"}
    with started("run", folder=tmp_path, **known) as daemon:
        lines_until(daemon, "cycle done")
        mapping.write_text("include: [lead-liaison]\nstages: [{name: Suspect, drop: yes please}]\n")
        daemon.send_signal(signal.SIGHUP)
        lines_until(daemon, "mapping not taken")
        lines_until(daemon, "cycle done")
        code, text = ran("status", folder=tmp_path, known=practice)
        assert "the edited mapping is not taken" in text
        mapping.write_text("include: [lead-liaison]\nstages: [{name: Late, when: {email: present}}]\n")
        daemon.send_signal(signal.SIGHUP)
        taken = lines_until(daemon, "mapping taken")[-1]
        assert taken["version"] != taken["before"]
        lines_until(daemon, "cycle done")
        code, text = ran("status", folder=tmp_path, known=practice)
        assert (code, f"mapping version {taken['version']} since" in text) == (0, True)
        assert "not taken" not in text
        daemon.send_signal(signal.SIGTERM)
        daemon.communicate(timeout=30)
        assert daemon.returncode == 0


def test_the_daemon_answers_machines_over_http(tmp_path, practice):
    known = practice | {"CONNECTOR_HTTP_PORT": "0"}
    with started("run", folder=tmp_path, **known) as daemon:
        url = lines_until(daemon, "metrics listen")[-1]["url"]
        assert requests.get(f"{url}/healthz", timeout=10).status_code == 200
        lines_until(daemon, "cycle done")
        lines_until(daemon, "cycle done")  # the first one is taken in by now
        assert requests.get(f"{url}/readyz", timeout=10).status_code == 200
        text = requests.get(f"{url}/metrics", timeout=10).text
        assert 'connector_cycles_total{result="done"}' in text
        assert "connector_state_size_bytes" in text
        daemon.send_signal(signal.SIGTERM)
        daemon.communicate(timeout=30)
        assert daemon.returncode == 0
