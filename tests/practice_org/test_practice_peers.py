"""Readers that others wrote, as they come from PyPI, read incrementally from the practice org.

They run in environments of their own (``make peers``), know no host but https://login.salesforce.com, and are led to
the practice org by a CONNECT proxy and a certificate authority in their environment: not a line of theirs is changed.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from practice_org.salesforce.org import PracticeOrg
from practice_org.serving.server import Server
from tests.practice_org.connect_proxy import ConnectProxy

ROOT = Path(__file__).parents[2]
TAP = ROOT / ".venv-peers/bin/tap-salesforce"
AIRBYTE = ROOT / ".venv-peers-airbyte/bin/source-salesforce"
STREAMS = ("Contact", "Lead", "Opportunity", "OpportunityContactRole", "Task")
BULK_STREAMS = ("Contact", "Lead")  # a bulk job each, which that reader waits for at leisure


@pytest.fixture
def org() -> Iterator[PracticeOrg]:
    """A small company on the machine's clock: the readers go by theirs."""
    org = PracticeOrg()
    account = org.create("Account", [{"Name": "Acme"}])[0]
    people = org.create(
        "Contact", [{"LastName": f"P{i}", "AccountId": account, "DoNotCall": True} for i in range(2345)]
    )
    org.create("Lead", [{"LastName": "L", "Company": "C", "AnnualRevenue": 12.5}])
    deal = {"Name": "Deal", "StageName": "Closed Won", "CloseDate": "2026-01-31", "Amount": 10}
    opportunity = org.create("Opportunity", [deal])[0]
    org.create("OpportunityContactRole", [{"OpportunityId": opportunity, "ContactId": one} for one in people[:3]])
    org.create("Task", [{"WhoId": people[0], "Subject": "Call"}])
    yield org
    org.close()


@pytest.fixture
def surroundings(org: PracticeOrg) -> Iterator[dict[str, str]]:
    """The environment variables that lead a client to the org."""
    with Server(org, tls=True) as server, ConnectProxy(server.port) as proxy:
        kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}  # noqa: TID251 - a child's
        trust = {"REQUESTS_CA_BUNDLE": server.ca_file, "SSL_CERT_FILE": server.ca_file}
        yield {**kept, **trust, "HTTPS_PROXY": proxy.url, "NO_PROXY": "127.0.0.1"}
        assert "login.salesforce.com:443" in proxy.asked


def output(command: list[str], surroundings: dict[str, str]) -> str:
    done = subprocess.run(command, env=surroundings, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stderr[-3000:] + done.stdout[-1000:]
    return done.stdout


def run(command: list[str], surroundings: dict[str, str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in output(command, surroundings).splitlines() if line.startswith("{")]


def ids(org: PracticeOrg, name: str) -> set[str]:
    return {row["Id"] for row in org.rows(f"SELECT Id FROM {name}", all_rows=True)}


def written(path: Path, content: object) -> str:
    path.write_text(json.dumps(content))
    return str(path)


@pytest.mark.skipif(not TAP.exists(), reason="no .venv-peers: `make peers` installs tap-salesforce there")
@pytest.mark.parametrize("api_type", ["REST", "BULK"])
def test_tap_salesforce_reads_everything_then_what_changed(
    org: PracticeOrg, surroundings: dict[str, str], tmp_path: Path, api_type: str
) -> None:
    credentials = org.credentials
    credentials.rotate_refresh_tokens = True  # the tap writes the new one into its configuration
    config = written(tmp_path / "config.json", {
        "client_id": credentials.client_id, "client_secret": credentials.client_secret, "api_type": api_type,
        "refresh_token": credentials.refresh_token, "start_date": "2020-01-01T00:00:00Z",
        "select_fields_by_default": "true",
    })  # fmt: skip
    tap = [str(TAP), "--config", config]
    catalog = json.loads(output([*tap, "--discover"], surroundings))
    for stream in catalog["streams"]:
        chosen = stream["stream"] in STREAMS
        next(m for m in stream["metadata"] if m["breadcrumb"] == [])["metadata"]["selected"] = chosen
    properties = written(tmp_path / "catalog.json", catalog)

    messages = run([*tap, "--properties", properties], surroundings)
    records = [message for message in messages if message["type"] == "RECORD"]
    assert all({r["record"]["Id"] for r in records if r["stream"] == name} == ids(org, name) for name in STREAMS)

    state = next(m["value"] for m in reversed(messages) if m["type"] == "STATE")
    org.update("Lead", [{"Id": next(iter(ids(org, "Lead"))), "Rating": "Hot"}])
    again = run([*tap, "--properties", properties, "--state", written(tmp_path / "state.json", state)], surroundings)
    ratings = [m["record"]["Rating"] for m in again if m["type"] == "RECORD" and m["stream"] == "Lead"]
    assert ratings == ["Hot"]


@pytest.mark.skipif(
    not AIRBYTE.exists(), reason="no .venv-peers-airbyte: `make peers` installs source-salesforce there"
)
def test_airbyte_reads_everything_then_what_changed(
    org: PracticeOrg, surroundings: dict[str, str], tmp_path: Path
) -> None:
    credentials = org.credentials
    config = written(tmp_path / "config.json", {
        "client_id": credentials.client_id, "client_secret": credentials.client_secret, "auth_type": "Client",
        "refresh_token": credentials.refresh_token, "start_date": "2026-01-01T00:00:00Z", "is_sandbox": False,
    })  # fmt: skip
    source = [str(AIRBYTE)]
    discovered = run([*source, "discover", "--config", config], surroundings)
    [catalog] = [message["catalog"] for message in discovered if message["type"] == "CATALOG"]
    mode = {"sync_mode": "incremental", "destination_sync_mode": "append", "cursor_field": ["SystemModstamp"]}
    chosen = [{"stream": stream, **mode} for stream in catalog["streams"] if stream["name"] in BULK_STREAMS]
    configured = written(tmp_path / "catalog.json", {"streams": chosen})
    reading = [*source, "read", "--config", config, "--catalog", configured]
    messages = run(reading, surroundings)
    records = [message["record"] for message in messages if message["type"] == "RECORD"]
    assert all({r["data"]["Id"] for r in records if r["stream"] == name} == ids(org, name) for name in BULK_STREAMS)

    last = {m["state"]["stream"]["stream_descriptor"]["name"]: m["state"] for m in messages if m["type"] == "STATE"}
    org.update("Lead", [{"Id": next(iter(ids(org, "Lead"))), "Rating": "Hot"}])
    again = run([*reading, "--state", written(tmp_path / "state.json", list(last.values()))], surroundings)
    records = [message["record"] for message in again if message["type"] == "RECORD"]
    assert [record["data"]["Rating"] for record in records if record["stream"] == "Lead"] == ["Hot"]
