"""Each system of docs/sources.md is set up by exactly what its part of the page says, and one's own keys."""

import os
import re
import signal
import socket
from contextlib import closing
from pathlib import Path

import pytest
import requests

from connector.commands import practice
from tests.e2e.conftest import serving
from tests.e2e.test_daemon_process import lines_until
from tests.e2e.test_practice_command import started

PAGE = (Path(__file__).parents[2] / "docs/sources.md").read_text()
SIGN_IN = ("CONNECTOR_SALESFORCE_LOGIN_URL", "CONNECTOR_SALESFORCE_CLIENT_ID", "CONNECTOR_SALESFORCE_USERNAME",
           "CONNECTOR_SALESFORCE_PRIVATE_KEY_FILE")  # fmt: skip
TOKEN = "a-token-of-more-than-twenty"


def part(heading, kind):
    """The first block of this kind under a heading; "" where there is none."""
    text = PAGE.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    found = re.search(rf"```{kind}\n(.*?)```", text, re.DOTALL)
    return found[1] if found else ""


@pytest.fixture
def place(tmp_path):
    with serving(tmp_path, systems=practice.SYSTEMS) as made:
        yield made


@pytest.fixture
def set_up(place, shell):
    """Writes the ``.env`` and the mapping that the page asks for. Keys are the practice org's, and so are addresses."""

    def write(heading, **more):
        known = place.practice.environment() | {"CONNECTOR_WEBHOOK_TOKEN": TOKEN}
        lines = [f"{name}={known[name]}" for name in SIGN_IN]
        for line in part(heading, "sh").splitlines():
            name, _, value = line.partition("=")
            is_ones_own = "<" in value or value.startswith("https://")
            lines.append(f"{name}={known[name] if is_ones_own else value}")
        lines += [f"{name}={value}" for name, value in more.items()]
        (shell.folder / "mine.yaml").write_text("include: lead-liaison\n" + part(heading, "yaml"))
        lines += ["CONNECTOR_MAPPING=mine.yaml"]
        (shell.folder / ".env").write_text("\n".join(lines) + "\n")

    return write


def goes_well(shell):
    """The three commands that the page gives for every source."""
    first = PAGE.partition("```sh\n")[2].partition("```")[0]
    commands = [line.partition("#")[0].split()[1:] for line in first.splitlines()]
    assert [" ".join(each) for each in commands] == ["check --sources", "backfill", "status"]
    for words in commands:
        done = shell(*words)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "Traceback" not in done.stderr


def test_account_engagement(place, shell, set_up):
    [ann] = place.contacts(1)
    [prospect] = place.practice.pardot.add_prospects([{"email": "p0@example.com"}])
    place.practice.pardot.add_activities([{"type": 4, "typeName": "Form", "details": "Demo", "prospectId": prospect}])
    set_up("Account Engagement (Pardot)")
    goes_well(shell)
    assert place.stages() == {ann: "Engaged"}


def test_marketo(place, shell, set_up):
    [ann] = place.contacts(1)
    [lead] = place.practice.marketo.add_leads([{"email": "p0@example.com"}])
    place.practice.marketo.add_activities([{"leadId": lead, "activityTypeId": 2}])
    set_up("Marketo")
    goes_well(shell)
    assert place.stages() == {ann: "Engaged"}


def test_hubspot(place, shell, set_up):
    [ann] = place.contacts(1)
    [contact] = place.practice.hubspot.add_contacts([{"email": "p0@example.com"}])
    place.practice.hubspot.add_engagements("calls", [{"hs_call_direction": "INBOUND", "contacts": [contact]}])
    set_up("HubSpot", CONNECTOR_HUBSPOT_URL=place.practice.url)
    goes_well(shell)
    assert place.stages() == {ann: "Engaged"}


def test_files(place, shell, set_up):
    ann, bob = place.contacts(2)
    folder = shell.folder / "inbound"
    folder.mkdir()
    for name, kind in (("one.jsonl", "json"), ("two.csv", "csv")):
        text = part("Files", kind).replace("ann@example.com", "p0@example.com" if kind == "json" else "p1@example.com")
        (folder / name).write_text(text)
        os.utime(folder / name, (0, 0))
    set_up("Files")
    goes_well(shell)
    assert place.stages() == {ann: "Engaged", bob: "Engaged"}


def test_lead_liaison(place, shell, set_up):
    """It sends to the daemon."""
    ann, bob = place.contacts(2)
    set_up("Lead Liaison")
    address = re.search(r"`https://hooks\.example\.com(/hooks/v1/lead-liaison/)<token>(\?type=form_submit)`", PAGE)
    assert address is not None
    with closing(socket.create_server(("127.0.0.1", 0))) as free:
        port = free.getsockname()[1]
    sent = (
        (address[2], {"email": "p0@example.com", "name": "Demo", "prospect_id": "17"}),
        ("?type=deal&state=won", {"event_id": "D-1", "email": "p1@example.com", "name": "Big", "amount": "5000"}),
    )
    known = {"CONNECTOR_INTERVAL": "1", "CONNECTOR_WEBHOOK_PORT": str(port)}
    with started("run", folder=shell.folder, **known) as daemon, requests.Session() as http:
        lines_until(daemon, "cycle done")
        http.trust_env = False
        for query, form in sent:
            url = f"http://127.0.0.1:{port}{address[1]}{TOKEN}{query}"
            assert http.post(url, data=form, timeout=10).status_code == 202
        while place.stages() != {ann: "Engaged", bob: "Customer"}:
            lines_until(daemon, "cycle done")
        daemon.send_signal(signal.SIGTERM)
        daemon.communicate(timeout=30)
    assert shell("source", "webhook").returncode == 0
