"""Whoever is forgotten is gone from every byte that is kept, and counts as before."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from connector.base.clock import SystemClock
from connector.base.private import private_file
from connector.pipeline.cycle import run_cycle
from connector.sources.webhook.inbox import Inbox
from connector.store.packing import unpack
from connector.wiring import open_pipeline
from tests.e2e.shell import Shell

NAME, LAST, MAIL, OLD = "Zoraida Quibblewick", "Quibblewick", "zoraida@quibble.example", "zq.old@quibble.example"
TOLD = (NAME, LAST, "quibble.example", "0170-5551234", "likes herrings")


def bytes_with(folder: Path, texts=TOLD) -> list[str]:
    return [
        f"{each.relative_to(folder)}: {text}"
        for each in sorted(folder.rglob("*"))
        if each.is_file()
        for text in texts
        for form in (text.encode(), text.lower().encode())
        if form in each.read_bytes()
    ] + packed_with(folder, texts)


def packed_with(folder: Path, texts) -> list[str]:
    """In what is packed."""
    with closing(sqlite3.connect(folder / "connector.sqlite3")) as state:
        found = [
            (name, unpack(value))
            for (name,) in state.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
            for row in state.execute(f"SELECT * FROM {name}")
            for value in row
            if isinstance(value, bytes)
        ]
    assert found
    return [f"{name}: {each}" for name, told in found for each in texts if each.lower() in told.lower()]


@pytest.fixture
def known(site, shell: Shell, tmp_path: Path):
    """Zoraida, who has a past under another address, and Ann, who stays."""
    org, state = site.org, tmp_path / "state"
    shell.env = site.practice.environment() | {
        "CONNECTOR_STATE": str(state / "connector.sqlite3"),
        "CONNECTOR_WEBHOOK_INBOX": str(state / "webhooks.sqlite3"),
        "CONNECTOR_WEBHOOK_PORT": "0",
        "CONNECTOR_WEBHOOK_TOKEN": "a-token-of-more-than-twenty",
        "CONNECTOR_TAPS_QUARANTINE": str(state / "quarantine"),
        "CONNECTOR_OVERLAP": "0",
    }
    zoraida, ann = org.create(
        "Contact",
        [
            {"FirstName": "Zoraida", "LastName": LAST, "Email": OLD, "Phone": "0170-5551234"},
            {"FirstName": "Ann", "LastName": "Stays", "Email": "ann@stays.example"},
        ],
    )
    org.create("Task", [{"WhoId": zoraida, "Subject": f"{NAME} likes herrings", "Status": "Completed"}])
    (deal,) = org.create(
        "Opportunity", [{"Name": f"{NAME} - fleet", "StageName": "Closed Won", "CloseDate": "2026-01-01"}]
    )
    org.create("OpportunityContactRole", [{"OpportunityId": deal, "ContactId": zoraida}])
    assert shell("backfill").returncode == 0
    org.update("Contact", [{"Id": zoraida, "Email": MAIL}])
    event = {"type": "form_submit", "occurred_at": "2026-01-01T00:00:00Z", "event_id": MAIL, "email": MAIL}
    inbox, at = Inbox(state / "webhooks.sqlite3"), SystemClock().now()
    inbox.put("tool", None, b"1", [{**event, "name": "likes herrings"}], at)
    inbox.put("tool", None, b"2", [{**event, "event_id": "e2", "prospect_id": f"v-{OLD}", "email": OLD}], at)
    assert shell("sync").returncode == 0
    (state / "quarantine").mkdir(mode=0o700)
    private_file(state / "quarantine" / "tap-x.jsonl").write_text(
        json.dumps({"line": 1, "reason": "nonsense", "text": f'{{"who": "{NAME}"}}'}) + "\n"
    )
    private_file(state / "connector.sqlite3.schema-0001").write_bytes(MAIL.encode())
    site.people = (zoraida, ann, deal)
    return shell


def numbers(shell: Shell, until: str) -> dict[str, object]:
    report = json.loads(shell("report", "--json", "--until", until).stdout)["reports"]
    counts = json.loads(shell("status", "--json").stdout)["counts"]
    return {**report, "counts": {name: counts[name] for name in ("activities", "logged_changes", "prospects")}}


@pytest.mark.situation(13)
def test_names_addresses_and_texts_are_gone_from_every_byte_and_every_number_stays(known, site, tmp_path):
    state, (zoraida, ann, deal) = tmp_path / "state", site.people
    assert bytes_with(state)
    site.org.update("Opportunity", [{"Id": deal, "Name": "Fleet"}])
    site.org.delete("Contact", [zoraida])
    assert known("sync").returncode == 0
    now = SystemClock().now().isoformat()
    before = numbers(known, now)
    preview = known("forget", zoraida)
    assert (preview.returncode, MAIL in preview.stdout, "nothing was changed" in preview.stdout) == (0, True, True)
    assert bytes_with(state)
    done = json.loads(known("forget", MAIL, "--yes", "--json").stdout)
    assert (done["result"], done["records"]) == ("forgotten", [zoraida])
    assert bytes_with(state) == []
    assert numbers(known, now) == before
    assert json.loads(known("explain", ann, "--json").stdout)["people"][0]["email"] == "ann@stays.example"


def test_what_comes_late_does_not_bring_them_back_but_a_new_record_does(known, site, tmp_path):
    state, (zoraida, _, deal) = tmp_path / "state", site.people
    site.org.update("Opportunity", [{"Id": deal, "Name": "Fleet"}])
    assert known("forget", zoraida[:15], "--yes").returncode == 0
    event = {"type": "form_submit", "occurred_at": "2026-01-02T00:00:00Z", "event_id": "late", "email": MAIL}
    site.org.update("Contact", [{"Id": zoraida, "Title": "likes herrings"}])  # they are in Salesforce still
    inbox = Inbox(state / "webhooks.sqlite3")
    inbox.put("tool", None, b"3", [event], SystemClock().now())
    assert known("sync").returncode == 0
    assert known("backfill").returncode == 0
    inbox_bytes = (state / "webhooks.sqlite3").read_bytes()
    assert MAIL.encode() in inbox_bytes  # as the sender sent it, until the message is old
    assert [each for each in bytes_with(state) if "webhooks" not in each] == []
    assert known("explain", MAIL).returncode == 2
    (new,) = site.org.create("Contact", [{"LastName": "Anew", "Email": MAIL}])
    assert known("sync").returncode == 0
    assert json.loads(known("explain", MAIL, "--json").stdout)["people"][0]["person"] == new


def test_a_running_connector_forgets_in_its_next_cycle(known, site, tmp_path):
    state, (zoraida, _, deal) = tmp_path / "state", site.people
    site.org.update("Opportunity", [{"Id": deal, "Name": "Fleet"}])
    settings = site.practice.settings(
        state=str(state / "connector.sqlite3"),
        webhook_inbox=state / "webhooks.sqlite3",
        taps_quarantine=state / "quarantine",
    )
    with open_pipeline(settings) as daemon:
        assert json.loads(known("forget", zoraida, "--yes", "--json").stdout)["result"] == "asked"
        assert bytes_with(state)
        run_cycle(daemon)
    assert bytes_with(state) == []


@pytest.mark.situation(13)
@pytest.mark.parametrize(("days", "gone"), [("0", True), ("20", False), ("", False)])
def test_who_was_deleted_is_forgotten_by_itself_where_the_setting_says_so(known, site, tmp_path, days, gone):
    state, (zoraida, _, deal) = tmp_path / "state", site.people
    site.org.update("Opportunity", [{"Id": deal, "Name": "Fleet"}])
    site.org.delete("Contact", [zoraida])
    assert known("sync").returncode == 0
    assert known("sync", CONNECTOR_FORGET_DELETED_DAYS=days).returncode == 0
    assert (bytes_with(state) == []) is gone


def test_nobody_else_loses_a_word(known, site, tmp_path):
    state, (zoraida, _, _) = tmp_path / "state", site.people
    (namesake,) = site.org.create("Contact", [{"FirstName": "Zoraida", "LastName": LAST, "Email": "other@zq.example"}])
    site.org.create("Lead", [{"LastName": "Shares", "Company": "x", "Email": OLD}])
    assert known("sync").returncode == 0
    told = json.loads(known("forget", zoraida, "--yes", "--json").stdout)
    assert told["addresses_of_others_too"] == [OLD]
    assert json.loads(known("explain", namesake, "--json").stdout)["people"][0]["name"] == NAME
    assert json.loads(known("explain", OLD, "--json").stdout)["people"][0]["name"] == "Shares"
    assert bytes_with(state, (MAIL,)) == []


def test_who_is_not_known_is_said(known):
    done = known("forget", "nobody@example.com", "--yes")
    assert (done.returncode, "knows nobody" in done.stderr) == (2, True)
