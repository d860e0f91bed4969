"""``connector practice`` and the daemon as two processes: a company lives, the daemon keeps up, a signal ends both."""

import json
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests

ROOT = Path(__file__).parent.parent.parent
LINES = {"daemon started", "cycle done", "stopping", "daemon stopped"}
QUICKER = "changed since they were read, decided anew in the next cycle"  # the company lives between look and write


@contextmanager
def started(*words: str, folder: Path, **variables: str):
    env = {"HOME": str(folder), "PYTHONPATH": str(ROOT), "CONNECTOR_LOG_FORMAT": "json", **variables}
    command = [sys.executable, "-m", "connector", *words]
    process = subprocess.Popen(command, cwd=folder, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def environment(given: dict[str, str]) -> dict[str, str]:
    return {
        "CONNECTOR_SALESFORCE_LOGIN_URL": given["url"],
        "CONNECTOR_SALESFORCE_CLIENT_ID": given["client_id"],
        "CONNECTOR_SALESFORCE_USERNAME": given["username"],
        "CONNECTOR_SALESFORCE_PRIVATE_KEY_FILE": given["private_key_file"],
        "CONNECTOR_PARDOT_URL": given["url"],
        "CONNECTOR_PARDOT_BUSINESS_UNIT_ID": given["pardot_business_unit_id"],
    }


# The company goes on while a pack is under way: whom it converted or merged since they were read refuses the write.
GONE = {"CANNOT_UPDATE_CONVERTED_LEAD", "ENTITY_IS_DELETED"}


def query(given: dict[str, str], soql: str) -> list[dict[str, Any]]:
    answer = requests.get(
        f"{given['url']}/services/data/v67.0/query",
        {"q": soql},
        headers={"Authorization": f"Bearer {given['access_token']}"},
        timeout=10,
    )
    answer.raise_for_status()
    return answer.json()["records"]


def test_the_daemon_keeps_up_with_a_living_company_and_stops_when_told(tmp_path):
    with started("practice", "--sample", "small", "--live", "0.2", folder=tmp_path) as practice:
        given = json.loads(practice.stdout.readline())
        known = environment(given) | {"CONNECTOR_INTERVAL": "1"}
        with started("run", folder=tmp_path, **known) as daemon:
            lines: list[dict[str, Any]] = []
            while sum(line["event"] == "cycle done" for line in lines) < 4:
                lines.append(json.loads(daemon.stderr.readline()))
            daemon.send_signal(signal.SIGTERM)
            lines += [json.loads(line) for line in daemon.communicate(timeout=30)[1].splitlines()]
        assert daemon.returncode == 0
        assert LINES <= {line["event"] for line in lines} <= LINES | {QUICKER}
        practice.send_signal(signal.SIGINT)
        practice.wait(timeout=30)
        assert practice.returncode == 0
    cycles = [line for line in lines if line["event"] == "cycle done"]
    assert cycles[0]["written"] > 300
    assert sum(line["waiting"] for line in cycles) <= 3  # somebody else was quicker
    assert {code for line in cycles for code in line["set_aside"]} <= GONE
    assert sum(sum(line["set_aside"].values()) for line in cycles) <= 3
    assert sum(cycles[0]["changes"]["stage"].values()) > 300
    assert cycles[0]["api_calls"]["composite"] == 4


def test_a_kept_org_is_served_again_with_what_was_written(tmp_path):
    words = ("practice", "--sample", "small", "--persist", "org.sqlite3")
    with started(*words, folder=tmp_path) as practice:
        given = json.loads(practice.stdout.readline())
        people = len(query(given, "SELECT Id FROM Contact"))
        with started("backfill", "--json", folder=tmp_path, **environment(given)) as backfill:
            printed, _ = backfill.communicate(timeout=60)
        assert json.loads(printed)["written"] > 300
        practice.send_signal(signal.SIGTERM)
        practice.wait(timeout=30)
    with started(*words, folder=tmp_path) as practice:
        given = json.loads(practice.stdout.readline())
        assert len(query(given, "SELECT Id FROM Contact")) == people
        assert query(given, "SELECT Id FROM Contact WHERE Lifecycle_Stage__c = null") == []


def test_the_users_are_those_whom_the_mapping_in_force_names(tmp_path):
    with started("practice", "--bare", folder=tmp_path, CONNECTOR_MAPPING="states") as process:
        assert process.stdout is not None
        given = json.loads(process.stdout.readline())
        names = {each["Username"] for each in query(given, "SELECT Username FROM User WHERE IsActive = true")}
        assert {"anna@example.com", "dora@example.com"} <= names


def test_a_port_that_is_taken_is_said_plainly(tmp_path):
    with started("practice", folder=tmp_path) as practice:
        port = json.loads(practice.stdout.readline())["url"].rpartition(":")[2]
        with started("practice", "--port", port, folder=tmp_path) as second:
            _, said = second.communicate(timeout=30)
        assert second.returncode == 2
        assert port in said
        assert "Traceback" not in said
