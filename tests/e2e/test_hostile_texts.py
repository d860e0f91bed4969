"""Texts from elsewhere on every screen: none commands a terminal, turns the reading around, or forges a line."""

import csv
import io
import os
import sys
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connector.base.clock import SystemClock
from connector.base.text import harmless, printable
from connector.commands import screen
from connector.commands.pages.drawing import render
from connector.sources.webhook.inbox import Inbox
from practice_org.salesforce.core import Rule
from tests.cases import cases

UNFIT = [each for each in map(chr, range(sys.maxunicode + 1)) if unicodedata.category(each) in {"Cc", "Cf", "Zl", "Zp"}]
BOLD = "[bold]b[/bold]"  # what rich would take for a command
HOSTILE = (
    f"Ev{''.join(each for each in UNFIT if each not in chr(0))[:150]}il\u202e\u2066\u200b\nFORGED\r\x1b[2J\x9b2J{BOLD}"
)
COMMANDS = (
    *(("backfill", "--list"), ("status",), ("explain", "ev@example.com"), ("plan", "--list"), ("sync", "--dry-run")),
    *(("report", each) for each in ("funnel", "movement", "stuck", "response", "repair", "ledger", "health")),
    *(("report", "--by", "LeadSource"), ("report", "--by", "owner"), ("report", "engagement"), ("failures", "list")),
    *(("source", "files"), ("source", "webhook"), ("check",), ("rollback", "1"), ("forget", "ev@example.com")),
    *(("report", "--html", "page.html"), ("report", "--csv", "table.csv", "--by", "LeadSource"), ("export", "--all")),
    *(("failures", "export", "refused.csv"), ("backfill", "--dry-run", "--csv", "who.csv"), ("explain", HOSTILE)),
)


def unfit_in(text: str) -> set[str]:
    return {each for each in text if each != "\n" and unicodedata.category(each) in {"Cc", "Cf", "Cs", "Zl", "Zp"}}


@pytest.fixture
def besieged(site, shell):
    org, folder = site.org, shell.folder
    shell.env = site.practice.environment() | {
        "CONNECTOR_STATE": str(site.state),
        "CONNECTOR_ACTIVITY_FOLDER": str(folder / "dropped"),
        "CONNECTOR_WEBHOOK_PORT": "0",
        "CONNECTOR_WEBHOOK_TOKEN": "a-token-of-more-than-twenty",
    }
    (user,) = org.create("User", [{"LastName": HOSTILE, "Username": "ev@il.example", "Email": "ev@il.example"}])
    (account,) = org.create("Account", [{"Name": HOSTILE}])
    person, other = org.create(
        "Contact",
        [
            {"FirstName": HOSTILE[:40], "LastName": HOSTILE[-80:], "Email": "ev@example.com", "Title": HOSTILE[-100:]}
            | {"LeadSource": HOSTILE[-40:], "AccountId": account, "OwnerId": user},
            {"LastName": HOSTILE[-80:], "Email": "two@example.com", "LeadSource": HOSTILE[-40:], "OwnerId": user},
        ],
    )
    org.create("Task", [{"WhoId": person, "Subject": HOSTILE[-200:], "Status": "Completed"}])
    (deal,) = org.create(
        "Opportunity", [{"Name": HOSTILE[-100:], "StageName": "Closed Won", "CloseDate": "2026-01-01"}]
    )
    org.create("OpportunityContactRole", [{"OpportunityId": deal, "ContactId": person, "Role": HOSTILE[-40:]}])
    org.set_validation("Contact", Rule(HOSTILE, lambda _old, new: new.get("Id") == other))
    (folder / "dropped").mkdir()
    name = "".join(each for each in HOSTILE if each != "/")[-60:]
    file = folder / "dropped" / f"{name}.csv"
    file.write_text(f'type,occurred_at,email,name\ncall,soon,ev@example.com,"{name}"\n')
    os.utime(file, (1, 1))  # long finished
    event = {"type": HOSTILE[-60:], "occurred_at": "2026-01-01T00:00:00Z", "email": "ev@example.com", "name": HOSTILE}
    Inbox(folder / "state" / "webhooks.sqlite3").put("tool", None, b"1", [event], SystemClock().now())
    return shell


def test_no_screen_and_no_file_for_people_has_one(besieged):
    shown = 0
    for words in COMMANDS:
        done = besieged(*words)
        for said in (done.stdout, done.stderr):
            assert unfit_in(said) == set(), words
            assert not [line for line in said.split("\n") if line.lstrip(" │|").startswith("FORGED")], (words, said)
            shown += said.count(BOLD)
        assert "unexpected" not in done.stderr, (words, done.stderr)
    assert shown > 12
    files = [each for each in besieged.folder.glob("*.*") if each.suffix in {".csv", ".html"}]
    assert len(files) > 6
    for each in files:
        text = each.read_bytes().decode()
        assert unfit_in(text.replace("\r\n", "\n")) == set(), each.name
        if each.suffix == ".csv":
            assert all("\n" not in cell for row in csv.reader(io.StringIO(text)) for cell in row)


TEXTS = st.text(st.one_of(st.sampled_from(UNFIT), st.characters()), max_size=30)


@given(TEXTS)
@settings(max_examples=cases(60))
def test_a_text_is_one_line_that_commands_nothing(text):
    assert printable(text).isprintable() or not unfit_in(printable(text)) - {"\n"}
    assert "\n" not in printable(text)


@given(TEXTS)
@settings(max_examples=cases(60))
def test_a_cell_begins_no_formula(text):
    cell = harmless(text)
    assert not unfit_in(cell)
    assert not cell.lstrip().startswith(("=", "@", "\uff1d", "\uff20"))


@given(TEXTS)
@settings(max_examples=cases(20))
def test_tables_errors_and_pages_are_clean_whoever_forgot_to_clean(text):
    for made in (screen.out(), screen.err()):
        with made.capture() as captured:
            made.print(screen.grid("t", ("a",), [(text,)]))
            made.print(text, markup=False)
        assert unfit_in(captured.get()) == set()
    page = render("message.html", title=text, tabs=[], style="", policy="", said=text, what=text, hint=text)
    assert unfit_in(page) == set()
