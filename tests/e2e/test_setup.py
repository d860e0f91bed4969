"""From an org without anything of the mapping to one in which it runs, by ``connector setup`` and nothing by hand."""

import io
import json
import signal
from xml.etree import ElementTree as Xml

import pytest

from connector.commands import practice
from connector.mapping import load
from practice_org.salesforce.schema import FieldSpec, Value
from tests.e2e.test_daemon_process import lines_until
from tests.e2e.test_practice_command import started
from tests.e2e.test_practice_fields import MAPPINGS


@pytest.fixture
def served():
    with practice.serve() as made:
        practice.fill(made, sample="small")
        yield made


@pytest.mark.parametrize("name", MAPPINGS)
def test_the_whole_way_of_a_shipped_mapping_needs_no_step_by_hand(name, served, shell, tmp_path):
    practice.add_owners(served.org, load(name))  # a company has its people before it has a connector
    shell.env = {**served.environment(), "CONNECTOR_MAPPING": name, "CONNECTOR_STATE": "state.sqlite3"}
    assert shell("check").returncode == 2
    done = shell("setup", "--deploy", "--yes", "--json")
    assert done.returncode == 0, done.stderr + done.stdout
    report = json.loads(done.stdout)
    assert (report["deployed"], report["problems"]) == ("Succeeded", [])
    assert report["assigned_to"] == "connector@practice.example"
    check = json.loads(shell("check", "--json").stdout)
    assert check["mistakes"] == []
    assert shell("backfill", "--dry-run").returncode == 0
    backfill = json.loads(shell("backfill", "--json").stdout)
    assert backfill["written"] > 300
    assert backfill["set_aside"] == {}
    again = json.loads(shell("setup", "--deploy", "--yes", "--json").stdout)
    assert (again["adds"], again["assigned_to"]) == ([], None)
    [lead] = served.org.create("Lead", [{"LastName": "Late", "Company": "Late", "Email": "late@example.com"}])
    running = shell.env | {"CONNECTOR_INTERVAL": "1", "CONNECTOR_LOG_FORMAT": "json", "CONNECTOR_OVERLAP": "0"}
    with started("run", folder=tmp_path, **running) as daemon:
        done = lines_until(daemon, "cycle done")[-1]
        daemon.send_signal(signal.SIGTERM)
        daemon.communicate(timeout=30)
    assert (done["set_aside"], done["waiting"], daemon.returncode) == ({}, 0, 0)
    assert done["written"] >= 1
    written = load(name).writes["stage"]["Lead"]
    assert served.org.rows(f"SELECT {written} FROM Lead WHERE Id = '{lead}'")[0][written]


def test_the_project_has_every_field_with_its_type_and_values(tmp_path, shell):
    (tmp_path / "mine.yaml").write_text(
        """
fields: {stage: Stage__c, tags: Labels__c, score: {Contact: Points__c}, account_stage: Furthest__c}
dates: {entered: "{stage}_In__c", days: "{stage}_Days__c", how: "{stage}_How__c"}
score: {points: [{activity: form_submit, points: 5}]}
stages: [{name: Known, when: {email: present}}, {name: R&D, value: {Lead: Hot}, when: {activity: inbound}}]
tags: [{name: Active, when: {activity: inbound}}]
"""
    )
    done = shell("setup", "--out", "org", "--mapping", "mine.yaml")
    assert done.returncode == 0, done.stderr
    folder = tmp_path / "org" / "force-app" / "main" / "default"
    types = {
        path.name.partition(".")[0]: _field(path)["type"] for path in (folder / "objects" / "Contact").rglob("*.xml")
    }
    assert types == {
        "Stage__c": "Picklist",
        "Labels__c": "MultiselectPicklist",
        "Points__c": "Number",
        "Known_In__c": "Date",
        "R_D_In__c": "Date",
        "Known_Days__c": "Number",
        "R_D_Days__c": "Number",
        "Known_How__c": "Text",
        "R_D_How__c": "Text",
    }
    assert _values(folder / "objects/Contact/fields/Stage__c.field-meta.xml") == ["Known", "R&D"]
    assert _values(folder / "objects/Lead/fields/Stage__c.field-meta.xml") == ["Known", "Hot"]
    assert _values(folder / "objects/Account/fields/Furthest__c.field-meta.xml") == ["Known", "R&D"]
    assert not (folder / "objects/Lead/fields/Points__c.field-meta.xml").exists()
    readme = (tmp_path / "org" / "README.md").read_text()
    assert "- the field Contact.Labels__c" in readme
    assert "without looking at an org" in readme


def test_the_permission_set_names_what_is_read_and_written_and_nothing_else(tmp_path, shell):
    (tmp_path / "mine.yaml").write_text(
        "fields: {stage: {Contact: Stage__c}}\n"
        "stages: [{name: Hot, when: {field: {Rating: Hot, Account.Region__c: EMEA}, opportunity: won}}]\n"
    )
    assert shell("setup", "--out", "org", "--mapping", "mine.yaml").returncode == 0
    root = _parsed(next((tmp_path / "org").rglob("*.permissionset-meta.xml")))
    fields = {_text(each, "field"): _text(each, "editable") for each in root.iter(f"{NAMESPACE}fieldPermissions")}
    assert {name for name, editable in fields.items() if editable == "true"} == {"Contact.Stage__c"}
    assert fields.keys() >= {"Contact.Email", "Contact.Rating", "Account.Region__c", "Opportunity.AccountId"}
    assert not {"Contact.Name", "Opportunity.IsWon", "Contact.OwnerId", "Lead.Status"} & fields.keys()
    objects = {_text(each, "object"): _text(each, "allowEdit") for each in root.iter(f"{NAMESPACE}objectPermissions")}
    assert objects.pop("Contact") == "true"
    assert set(objects.values()) == {"false"}
    assert {_text(each, "allowDelete") for each in root.iter(f"{NAMESPACE}objectPermissions")} == {"false"}
    rights = {_text(each, "name") for each in root.iter(f"{NAMESPACE}userPermissions")}
    assert rights == {"ApiEnabled", "ActivitiesAccess"}


def test_a_picklist_keeps_what_it_has_when_it_gets_values(served, shell):
    served.org.define(
        "Contact",
        [
            FieldSpec(
                "Lead_State__c",
                "picklist",
                "State",
                values=(Value("Old", "Very old"), Value("New", "New", active=False)),
            )
        ],
    )
    practice.add_owners(served.org, load("states"))
    shell.env = {**served.environment(), "CONNECTOR_MAPPING": "states"}
    report = json.loads(shell("setup", "--deploy", "--yes", "--json").stdout)
    assert any("to Contact.Lead_State__c" in each and "the values New, Assigned" in each for each in report["adds"])
    found = served.org.schema.get("Contact").find("Lead_State__c")
    assert (found.label, found.values[0]) == ("State", Value("Old", "Very old"))
    assert all(each.active for each in found.values)
    assert [each.value for each in found.values][:3] == ["Old", "New", "Assigned"]


def test_lead_statuses_are_added_and_the_converted_one_stays(served, shell):
    practice.add_owners(served.org, load("score-handoff"))
    before = served.org.rows("SELECT MasterLabel, IsConverted FROM LeadStatus")
    shell.env = {**served.environment(), "CONNECTOR_MAPPING": "score-handoff"}
    assert shell("setup", "--deploy", "--yes").returncode == 0
    after = served.org.rows("SELECT MasterLabel, IsConverted FROM LeadStatus")
    assert [row for row in after if row in before] == before
    assert {row["MasterLabel"] for row in after if row not in before} == {"Open - Sales Ready"}


def test_a_field_that_is_hidden_from_who_deploys_is_not_replaced(served, shell):
    served.org.set_field_access("Contact", "Lifecycle_Stage__c", visible=False)
    shell.env = served.environment()
    done = shell("setup", "--deploy", "--yes")
    assert done.returncode == 2
    assert "Contact.Lifecycle_Stage__c, hidden from the user who asked; nothing was sent" in done.stderr
    assert len(served.org.schema.get("Contact").find("Lifecycle_Stage__c").values) == 10
    assert served.org.rows("SELECT Id FROM PermissionSet") == []


def test_what_the_org_refuses_is_told_and_nothing_is_sent(served, shell, tmp_path):
    (tmp_path / "mine.yaml").write_text(
        "fields: {stage: {Contact: Ladder__c}}\nstages: [{name: A, when: {field: {Nowhere__c: x}}}]\n"
    )
    shell.env = {**served.environment(), "CONNECTOR_MAPPING": "mine.yaml"}
    done = shell("setup", "--deploy", "--yes")
    assert done.returncode == 2
    assert "refused: Lifecycle_Connector: In field: field - no CustomField named Contact.Nowhere__c" in done.stdout
    assert served.org.schema.get("Contact").find("Ladder__c") is None


def test_a_folder_with_something_in_it_is_left_alone(shell, tmp_path):
    (tmp_path / "org").mkdir()
    (tmp_path / "org" / "mine.txt").write_text("mine")
    done = shell("setup", "--out", "org")
    assert (done.returncode, "is not empty; nothing was written" in done.stderr) == (2, True)
    assert [each.name for each in (tmp_path / "org").iterdir()] == ["mine.txt"]


def test_with_credentials_the_project_holds_only_what_the_org_lacks(served, shell, tmp_path):
    shell.env = served.environment()
    assert shell("setup", "--out", "org", "--json").returncode == 0
    fields = {path.name for path in (tmp_path / "org").rglob("*.field-meta.xml")}
    assert fields == {"Lead_Status__c.field-meta.xml"}  # it lacks values; the stages are all there


NAMESPACE = "{http://soap.sforce.com/2006/04/metadata}"


def _parsed(path):
    return Xml.parse(path).getroot()  # noqa: S314 - we wrote it


def _text(element, tag):
    return element.findtext(f"{NAMESPACE}{tag}")


def _field(path):
    return {each.tag.removeprefix(NAMESPACE): each.text for each in _parsed(path)}


def _values(path):
    return [_text(each, "fullName") for each in _parsed(path).iter(f"{NAMESPACE}value")]


SF = """#!/bin/sh
case "$*" in
  "org display --target-org my-admin --json")
    echo '{"status": 0, "result": {"accessToken": "%s", "instanceUrl": "%s"}}' ;;
  "org auth show-access-token --target-org my-admin --json")
    echo '{"status": 0, "result": {"accessToken": "%s"}}' ;;
  *) echo '{"status": 1, "message": "No authorization information found for nobody."}'; exit 1 ;;
esac
"""


@pytest.mark.parametrize("shown", [True, False], ids=["a token that is displayed", "one that must be asked for"])
def test_the_session_of_an_admin_sends_and_the_connectors_user_gets_the_rights(shown, served, shell, tmp_path):
    token = served.org.credentials.access_token
    script = tmp_path / "bin" / "sf"
    script.parent.mkdir()
    script.write_text(SF % (token if shown else "[REDACTED]", served.url, token))
    script.chmod(0o755)
    shell.env = {**served.environment(), "PATH": f"{script.parent}:/usr/bin:/bin"}
    done = shell("setup", "--deploy", "--yes", "--org", "my-admin", "--json")
    assert json.loads(done.stdout)["assigned_to"] == "connector@practice.example"
    assert token not in done.stdout + done.stderr
    unknown = shell("setup", "--deploy", "--yes", "--org", "nobody")
    assert (unknown.returncode, "No authorization information found" in unknown.stderr) == (2, True)


def test_without_the_command_line_of_salesforce_it_says_so(served, shell, tmp_path):
    shell.env = {**served.environment(), "PATH": str(tmp_path)}
    done = shell("setup", "--deploy", "--org", "my-admin")
    assert (done.returncode, "sf, is not installed" in done.stderr) == (2, True)


def test_nothing_is_sent_without_a_yes(served, shell, monkeypatch):
    shell.env = {**served.environment(), "CONNECTOR_MAPPING": "customer-lifecycle"}
    monkeypatch.setattr("sys.stdin", io.StringIO("n\n"))
    done = shell("setup", "--deploy")
    assert (done.returncode, "the org says not sent" in done.stdout) == (2, True)
    assert "+ the field Contact.Customer_Lifecycle__c" in done.stderr, "shown before it is asked"
    assert "+ the field" not in done.stdout, "and once"
    assert served.org.schema.get("Contact").find("Customer_Lifecycle__c") is None
