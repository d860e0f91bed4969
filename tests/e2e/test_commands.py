"""The commands as a person or a script runs them: what they print where, and how they end."""

import json
import os
import re
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from connector.base.clock import SystemClock
from connector.commands import practice
from connector.store import open_store
from connector.wiring import load_mapping
from practice_org.salesforce.core import Rule
from tests.e2e.shell import Shell, held_against_its_schema

SHIPPED = Path(__file__).parent.parent.parent / "mappings" / "lead-liaison.yaml"


def process(shell: Shell, *words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """The same as a process of its own, with nothing else in its environment."""
    env = {"HOME": str(shell.folder), "PYTHONPATH": str(SHIPPED.parent.parent), **shell.env, **variables}
    command = [sys.executable, "-m", "connector", *words]
    return subprocess.run(command, cwd=shell.folder, env=env, capture_output=True, text=True, timeout=60, check=False)


@pytest.fixture
def served(tmp_path):
    with practice.serve() as made:
        practice.add_fields(made.org, load_mapping(made.settings()))
        made.org.create("Contact", [{"LastName": "Ada", "Email": "ada@example.com"}, {"LastName": "Nobody"}])
        yield made


@pytest.fixture
def connected(shell, served):
    shell.env = served.environment()
    return shell


def only_document(done):
    return json.loads(done.stdout)


def test_a_backfill_a_look_and_a_second_backfill(connected, served):
    first = connected("backfill", "--json")
    assert (first.returncode, only_document(first)["written"]) == (0, 2)
    assert {row["Lifecycle_Stage__c"] for row in served.org.rows("SELECT Lifecycle_Stage__c FROM Contact")} == {
        "Suspect",
        "Anonymous",
    }
    status = only_document(connected("status", "--json"))
    assert status["people"]["stage"] == {"Anonymous": 1, "Suspect": 1}
    assert status["out_of_reports"] == ["Anonymous"]
    shown = connected("status").stdout
    assert "left out, because the mapping says reports: hidden: 1 Anonymous" in shown
    assert " Suspect " in shown
    assert " Anonymous  " not in shown
    assert only_document(connected("backfill", "--json"))["written"] == 0
    assert only_document(connected("sync", "--json"))["written"] == 0


def test_a_dry_run_shows_every_move_and_touches_nothing(connected, served):
    done = connected("backfill", "--dry-run", "--json")
    assert done.returncode == 0
    assert only_document(done)["changes"]["stage"] == {"(empty) -> Suspect": 1, "(empty) -> Anonymous": 1}
    assert not (connected.folder / "state").exists()
    assert served.org.rows("SELECT Id FROM Contact WHERE Lifecycle_Stage__c != null") == []


def test_a_dry_run_over_an_existing_state_leaves_it_as_it_is(connected, served):
    connected("sync")
    served.org.create("Contact", [{"LastName": "Bob", "Email": "bob@example.com"}])
    with closing(sqlite3.connect(connected.folder / "state" / "connector.sqlite3")) as state:
        before = list(state.iterdump())
    assert only_document(connected("sync", "--dry-run", "--json"))["people_to_change"] == 1
    with closing(sqlite3.connect(connected.folder / "state" / "connector.sqlite3")) as state:
        assert list(state.iterdump()) == before


def test_a_plan_shows_what_another_mapping_would_change_and_asks_nobody(connected, served):
    connected("sync")
    (connected.folder / "new.yaml").write_text(
        """
fields:
  stage: {Contact: Lifecycle_Stage__c, Lead: Lifecycle_Stage__c}
stages:
  - {name: Anonymous, when: {email: missing}}
  - {name: Suspect, when: {email: present}}
  - {name: Engaged, when: {field: {LastName: Ada}}}
  - {name: Opportunity, when: {email: present}}
"""
    )
    before = served.org.calls["total"]
    done = connected("plan", "--mapping", "new.yaml", "--json")
    told = only_document(done)
    assert done.returncode == 0
    assert told["changes"]["stage"] == {"Suspect -> Opportunity": 1}
    assert told["rules"]["stage"] == {"Opportunity": 1}
    assert told["missing_fields"]["Contact"] == ["LastName"]
    assert told["write_calls"] == 2
    assert served.org.calls["total"] == before
    assert connected("plan", "--mapping", "new.yaml", "--max-changes", "0").returncode == 2
    assert only_document(connected("plan", "--json"))["people_to_change"] == 0


def test_explain_says_why_and_since_when(connected):
    connected("sync")
    done = connected("explain", "Ada@Example.com", "--json")
    [person] = only_document(done)["people"]
    assert person["email"] == "ada@example.com"
    assert person["decided"][0]["value"] == "Suspect"
    assert [(each["old"], each["new"], each["result"]) for each in person["history"]] == [(None, "Suspect", "applied")]
    assert "Suspect" in connected("explain", "ada@example.com").stdout


def test_explain_says_what_would_change_the_answer_and_works_for_a_past_date(connected, served):
    old = {"LastName": "Eve", "Email": "eve@example.com", "CreatedDate": "2025-12-01T00:00:00Z"}
    contact = served.org.create("Contact", [old])[0]
    deal = {"Name": "Deal", "StageName": "Closed Won", "CloseDate": "2026-03-01", "CreatedDate": "2026-02-01T00:00:00Z"}
    role = {"OpportunityId": served.org.create("Opportunity", [deal])[0], "ContactId": contact}
    served.org.create("OpportunityContactRole", [role | {"CreatedDate": "2026-02-02T00:00:00Z"}])
    connected("sync")
    now = only_document(connected("explain", contact, "--json"))["people"][0]["now"]["tracks"][0]
    assert (now["value"], now["rules"][0]["matched"]) == ("Customer", True)
    then = only_document(connected("explain", contact, "--at", "2026-01-01", "--json"))["people"][0]
    assert then["history"] == []
    rule = then["now"]["tracks"][0]["rules"][0]
    assert (rule["to"], rule["matched"]) == ("Customer", False)
    assert "role" in rule["would_change"]
    told = connected("explain", "eve@example.com", "--at", "2026-01-01").stdout
    assert "it takes" in told
    assert told.count("eve@example.com") < 4, "what was found is not told twice"
    assert "fields as first read, which was later: Contact on 20" in told
    nobody = connected("explain", contact, "--at", "2025-11-01")
    assert (nobody.returncode, "nobody of that name was there on 2025-11-01" in nobody.stderr) == (2, True)


def test_a_prospect_was_there_since_the_first_thing_known_of_them(connected, served):
    prospect = served.pardot.add_prospects([{"email": "eve@example.com"}])[0]
    served.pardot.add_activities([{"type": 1, "prospectId": prospect, "createdAt": "2026-03-01T10:00:00Z"}])
    served.org.create(
        "Contact", [{"LastName": "Eve", "Email": "eve@example.com", "CreatedDate": "2026-05-01T00:00:00Z"}]
    )
    connected("sync")
    then = only_document(connected("explain", "eve@example.com", "--at", "2026-04-01", "--json"))
    assert [each["object"] for each in then["people"]] == ["Prospect"]
    nobody = connected("explain", "eve@example.com", "--at", "2026-02-01")
    assert (nobody.returncode, "nobody of that name was there on 2026-02-01" in nobody.stderr) == (2, True)


def test_status_says_how_each_source_did_in_the_last_cycle(connected, served):
    served.pardot.add_prospects([{"email": "ann@example.com"}])
    connected("sync")
    assert re.search(r"pardot +20[\d-]+ [\d:]+, \d+ rows?", connected("status").stdout)
    served.org.faults.on("server_error", path="/api/v5/", status=503)
    assert connected("sync").returncode == 4
    assert re.search(r"pardot +down in the cycle of 20[\d-]+ [\d:]+: .*", connected("status").stdout)


def test_status_reports_opportunities_that_move_nobody(connected, served):
    deals = [{"Name": f"Deal {n}", "StageName": "Prospecting", "CloseDate": "2026-03-01"} for n in range(2)]
    lonely, role = served.org.create("Opportunity", deals)
    contact = served.org.rows("SELECT Id FROM Contact LIMIT 1")[0]["Id"]
    served.org.create("OpportunityContactRole", [{"OpportunityId": role, "ContactId": contact}])
    connected("sync")
    told = only_document(connected("status", "--json"))["opportunities_without_roles"]
    assert (told["count"], [each["id"] for each in told["last_changed"]]) == (1, [lonely])
    assert "Deal 0" in connected("status").stdout


def test_check_finds_what_the_org_lacks(connected, served):
    assert connected("check").returncode == 0
    served.org.set_field_access("Contact", "Lifecycle_Stage__c", updateable=False)
    done = connected("check", "--json")
    assert done.returncode == 2
    assert any("Lifecycle_Stage__c" in each["what"] for each in only_document(done)["mistakes"])


def test_check_counts_values_in_use_that_the_mapping_does_not_know(connected, served):
    for contact in served.org.rows("SELECT Id FROM Contact LIMIT 2"):
        served.org.update("Contact", [{"Id": contact["Id"], "Lead_Status__c": "Parked"}])
    told = [each for each in only_document(connected("check", "--json"))["warnings"] if "Parked" in each]
    assert told == [
        "2 x Contact.Lead_Status__c is Parked, which is no status of the mapping: they are left alone;"
        " to take them over write migrate: {status: {Parked: ...}}"
    ]
    (connected.folder / "mine.yaml").write_text(
        "include: lead-liaison\nmigrate: {status: {Parked: Open - Not Contacted}}\n"
    )
    assert "Parked" not in connected("check", "--mapping", "mine.yaml").stdout


def test_check_counts_no_values_of_converted_leads(connected, served):
    [lead] = served.org.create("Lead", [{"LastName": "Eve", "Company": "Example", "Status": "Open - Not Contacted"}])
    served.org.convert_lead(lead)
    (connected.folder / "mine.yaml").write_text(
        "fields: {status: {Lead: Status}}\nstages: [{name: Suspect, when: always}]\n"
        "statuses: [{name: Open - Not Contacted, when: always}]\n"
    )
    warnings = only_document(connected("check", "--mapping", "mine.yaml", "--json"))["warnings"]
    assert not [each for each in warnings if "Converted" in each]


def test_status_says_what_reading_again_costs(connected, served):
    (connected.folder / "mine.yaml").write_text("include: lead-liaison\nrefresh: {Contact: 6h}\n")
    mine = {"CONNECTOR_MAPPING": "mine.yaml"}
    connected("sync", **mine)
    told = only_document(connected("status", "--json", **mine))["refresh"]["Contact"]
    people = len(served.org.rows("SELECT Id FROM Contact"))
    assert (told["every"], told["rows"], told["calls"]) == ("6 hours", people, 1)
    said = connected("status", **mine).stdout
    assert f"Contact is read again in full every 6 hours: {people} rows, 1 API calls each time; last 20" in said


HANDED = """
include: lead-liaison
handoff: {when: {stage: Engaged}, owner: [{user: nobody@example.com}]}
"""


def test_check_names_owners_that_the_org_does_not_have(connected):
    (connected.folder / "mine.yaml").write_text(HANDED)
    done = connected("check", "--mapping", "mine.yaml")
    assert done.returncode == 2
    assert "nobody@example.com" in done.stdout
    assert "try:" in done.stdout


def test_check_says_which_field_the_user_cannot_see(connected, served):
    served.org.set_field_access("Contact", "Lead_Status__c", visible=False)
    done = connected("check", "--json")
    assert done.returncode == 2
    assert any("Lead_Status__c" in each["what"] for each in only_document(done)["mistakes"])


def test_check_of_an_org_that_refuses_to_be_asked_ends_with_4(connected, served):
    served.org.faults.on("daily_limit", path="describe")
    done = connected("check")
    assert done.returncode == 4
    assert "try:" in done.stderr


def test_check_says_when_an_org_tells_no_bounces(connected, served):
    (connected.folder / "mine.yaml").write_text(
        "include: lead-liaison\nstages: [{name: Engaged, when: {activity: {kind: email_bounce}}}]\n"
    )
    served.org.set_field_access("Contact", "EmailBouncedDate", visible=False)
    done = connected("check", "--mapping", "mine.yaml")
    assert "no EmailBouncedDate on Contact" in done.stdout


@pytest.mark.parametrize("command", ["sync", "backfill", "run"])
def test_missing_credentials_end_with_2_and_leave_nothing_behind(shell, command):
    done = shell(command)
    assert done.returncode == 2
    assert "no Salesforce credentials" in done.stderr
    assert "CONNECTOR_SALESFORCE_CLIENT_ID" in done.stderr
    assert list(shell.folder.iterdir()) == []


def test_a_wrong_secret_ends_with_4_and_is_not_shown(connected, served):
    connected.env.pop("CONNECTOR_SALESFORCE_PRIVATE_KEY_FILE")
    done = connected("sync", CONNECTOR_SALESFORCE_CLIENT_SECRET="hush-hush")
    assert done.returncode == 4
    assert "hush-hush" not in done.stdout + done.stderr
    assert "try:" in done.stderr


def test_a_wrong_mapping_gets_all_its_mistakes_with_lines_and_nothing_is_read(connected, served):
    mapping = connected.folder / "mine.yaml"
    mapping.write_text(SHIPPED.read_text().replace("reports: hidden", "raports: hidden").replace("won}", "wonn}"))
    before = served.org.calls["total"]
    for command in ("check", "sync", "backfill", "run"):
        done = connected(command, CONNECTOR_MAPPING="mine.yaml")
        assert done.returncode == 2, command
        assert len(re.findall(r"mine\.yaml:\d+", done.stdout + done.stderr)) == 2, command
        assert "Traceback" not in done.stderr
    assert served.org.calls["total"] == before
    assert not (connected.folder / "state").exists()


def test_a_limit_of_changes_stops_and_says_so(connected, served):
    done = connected("sync", "--max-changes", "1")
    assert done.returncode == 2
    assert "2 people" in done.stderr
    assert served.org.rows("SELECT Id FROM Contact WHERE Lifecycle_Stage__c != null") == []


def test_records_that_salesforce_refuses_end_with_3_and_are_listed(connected, served):
    served.org.set_validation("Contact", Rule("no change today", lambda _old, new: new.get("LastName") == "Ada"))
    done = connected("sync", "--json")
    assert done.returncode == 3
    assert only_document(done)["set_aside"] == {"FIELD_CUSTOM_VALIDATION_EXCEPTION": 1}
    assert "no change today" in connected("status").stdout
    served.org.rules.clear()
    assert connected("retry").returncode == 0
    assert only_document(connected("sync", "--json"))["written"] == 1


@pytest.mark.parametrize(
    ("content", "said"), [(b"not a database, but long enough to be one" * 50, "database"), (None, "folder")]
)
def test_a_state_that_cannot_be_used_is_said_plainly_and_left_alone(connected, content, said):
    path = connected.folder / "mine.sqlite3"
    if content is None:
        path.mkdir()
    else:
        path.write_bytes(content)
    done = connected("sync", CONNECTOR_STATE=str(path))
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert content is None or path.read_bytes() == content


def test_a_second_instance_over_one_state_is_refused_and_names_the_first(connected):
    path = connected.folder / "mine.sqlite3"
    with open_store(str(path), clock=SystemClock(), exclusive=True):
        for command in ("sync", "backfill", "run"):
            done = connected(command, CONNECTOR_STATE=str(path))
            assert done.returncode == 2
            assert str(os.getpid()) in done.stderr
        assert connected("status", CONNECTOR_STATE=str(path)).returncode == 0  # looking is allowed


def test_status_before_the_first_cycle_says_what_to_do(shell):
    done = shell("status")
    assert done.returncode == 2
    assert "try:" in done.stderr


@pytest.mark.parametrize(
    "words", [("nonsense",), ("sync", "--nonsense"), ("backfill", "--since", "yesterday-ish"), ("explain",)]
)
def test_wrong_usage_ends_with_2(connected, words):
    done = connected(*words)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


def test_no_traceback_unless_asked_for(connected):
    broken = {"CONNECTOR_SALESFORCE_PRIVATE_KEY_FILE": str(connected.folder)}
    assert "Traceback" not in process(connected, "sync", **broken).stderr
    assert "Traceback" in process(connected, "sync", "--debug", **broken).stderr


def test_the_demo_needs_no_settings_and_works_beside_wrong_ones(shell):
    done = process(shell, "demo", "--json", CONNECTOR_INTERVAL="nonsense", CONNECTOR_MAX_CHANGES="0")
    assert done.returncode == 0, done.stderr
    told = only_document(done)
    held_against_its_schema(done.stdout)
    assert len(told["explained"]) == 3
    assert all(person["decided"][0]["evidence"] for person in told["explained"])
    heard_by = {each["source"] for each in told["heard_of_everywhere"]["timeline"]}
    assert heard_by >= {"pardot", "marketo", "hubspot"}
    funnel = told["funnel"]
    assert funnel["after_backfill"]["Customer"] > 0
    assert told["changes"]["stage"]["Opportunity -> Customer"] > 0  # whatever else the day brings
    assert sum(told["changes"]["stage"].values()) > 300
    assert Path(told["state"]).exists()


def test_json_logs_are_json_on_stderr(connected, served):
    done = connected("sync", "--json", CONNECTOR_LOG_FORMAT="json")
    lines = [json.loads(line) for line in done.stderr.splitlines()]
    assert [line["event"] for line in lines] == ["cycle done"]
    assert only_document(done)["written"] == 2
    status = only_document(connected("status", "--json"))
    [org] = served.org.rows("SELECT Id FROM Organization")
    assert (lines[0]["cycle"], lines[0]["org"], lines[0]["mapping"]) == (1, org["Id"], status["mapping"])


def test_an_error_is_one_json_line_where_the_logs_are(connected):
    done = connected("sync", CONNECTOR_LOG_FORMAT="json", CONNECTOR_SALESFORCE_USERNAME="nobody@example.com")
    *_, last = [json.loads(line) for line in done.stderr.splitlines()]
    assert (done.returncode, last["event"], last["level"], last["exit_code"]) == (4, "command failed", "error", 4)
    assert "user hasn't approved" in last["error"]
    assert last["hint"]


@pytest.mark.parametrize(
    ("words", "known"),
    [(("report", "--where", "owner"), {}), (("status",), {"CONNECTOR_INTERVAL": "soon"})],
    ids=["an option", "a setting"],
)
def test_what_is_wrong_before_the_settings_are_known_is_json_too(shell, words, known):
    done = shell(*words, CONNECTOR_LOG_FORMAT="json", **known)
    [last] = map(json.loads, done.stderr.splitlines())
    assert (done.returncode, last["event"], last["exit_code"]) == (2, "command failed", 2)
