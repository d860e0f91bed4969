"""Situations with a service in them that no test of one room holds as a whole, over real HTTP."""

import os
from dataclasses import replace
from datetime import timedelta

import pytest
from structlog.testing import capture_logs

from connector.base.clock import SystemClock
from connector.commands import practice
from connector.commands.check import run_check
from connector.commands.status import read_status
from connector.pipeline.cycle import run_cycle
from connector.wiring import load_mapping, open_pipeline
from practice_org.salesforce.schema import FieldSpec
from tests.e2e.conftest import serving

CALL = {"hs_call_direction": "INBOUND", "hs_timestamp": "2026-01-05T10:00:00Z"}
BOTH = "include: lead-liaison\ngate: {stage: {direction: both}}\n"


@pytest.fixture
def mine(tmp_path):
    def write(text=BOTH, **others):
        path = tmp_path / "mine.yaml"
        path.write_text(text)
        return {"mapping": str(path), **others}

    return write


def on_a_deal(site, people, **fields):
    """A deal with a role of each. Gives the roles."""
    deal = {"Name": "D", "StageName": "Prospecting", "CloseDate": "2027-01-31", **fields}
    [made] = site.org.create("Opportunity", [deal])
    return made, site.org.create(
        "OpportunityContactRole", [{"OpportunityId": made, "ContactId": one} for one in people]
    )


@pytest.mark.situation(5)
def test_roles_whose_locator_is_forgotten_are_read_again_and_the_cycle_is_done(site):
    """More than a page of them, the last of which is Ben's."""
    ada, ben = site.contacts(2)
    deal, _ = on_a_deal(site, [ada])
    with site.pipeline() as pipeline:
        run_cycle(pipeline)
        roles = [{"OpportunityId": deal, "ContactId": each} for each in (*[ada] * 2_000, ben)]
        site.org.create("OpportunityContactRole", roles)
        site.org.update("Opportunity", [{"Id": deal, "StageName": "Negotiation/Review"}])
        site.org.faults.on("locator_expired", times=1)
        with capture_logs() as logs:
            report = run_cycle(pipeline)
    assert not site.org.faults.take("locator_expired"), "it was met"
    assert (report.result, report.exit_code) == ("done", 0)
    assert [each["event"] for each in logs if each["log_level"] != "debug"] == [
        "locator expired",
        "cycle done",
    ]
    assert site.stages() == {ada: "Opportunity", ben: "Opportunity"}


@pytest.mark.situation(8)
def test_events_that_are_hidden_are_told_by_check_report_and_status_and_stop_nobody(site):
    ada, ben = site.contacts(2)
    on_a_deal(site, [ada])
    site.org.set_object_access("Event", readable=False)
    [told] = [each for each in run_check(site.settings()).warnings if "Event:" in each]
    assert "give the permission set Read on Event" in told
    report = site.sync()
    assert site.stages() == {ada: "Opportunity", ben: "Suspect"}
    assert (list(report.unread), report.exit_code) == (["Event"], 3)
    assert "Event" in str(read_status(site.settings())["cycles"][0])


FIELDS = """
fields:
  stage: {Contact: Lifecycle_Stage__c}
  status: {Contact: Sales_Status__c}
  tags: {Contact: Tags__c}
stages: [{name: Suspect, when: {email: present}}]
statuses: [{name: Open, when: {email: present}}]
tags: [{name: warm, when: {email: present}}, {name: known by name, when: {email: present}}]
"""


@pytest.mark.situation(9)
def test_what_cannot_be_written_costs_no_more_than_itself_and_check_knows_beforehand(site, mine):
    settings = mine(FIELDS)
    site.org.define("Contact", [FieldSpec("Tags__c", "string", length=15)])
    practice.add_fields(site.org, load_mapping(site.settings(**settings)))
    [ada] = site.contacts(1)
    [said] = run_check(site.settings(**settings)).warnings
    assert "Contact.Tags__c (tags) holds 15 characters, and all tags together have 18" in said
    for access, wanted in (({"updateable": False}, "cannot be written"), ({"visible": False}, "cannot see it")):
        site.org.set_field_access("Contact", "Sales_Status__c", **access)
        said = "\n".join(each.what for each in run_check(site.settings(**settings)).mistakes)
        assert "Sales_Status__c" in said
        assert wanted in said
    site.org.set_field_access("Contact", "Sales_Status__c", updateable=False)
    report = site.sync(**settings)
    assert (site.stages()[ada], report.exit_code) == ("Suspect", 3)
    [refused] = read_status(site.settings(**settings))["refused"]
    assert "Sales_Status__c" in refused["message"]
    assert "STRING_TOO_LONG: Tags" in refused["message"]
    assert site.sync(**settings).exit_code == 0, "told once"


@pytest.mark.situation(12)
@pytest.mark.parametrize("encoding", ["utf-16", "cp1252"])
def test_a_spreadsheets_file_is_read_and_what_is_not_understood_is_counted(site, mine, tmp_path, encoding):
    ann, bob, eve = site.contacts(3)
    folder = tmp_path / "inbound"
    folder.mkdir()
    lines = [
        "sep=;",
        "Event ID;Date;Type;Email;State;Amount",
        "1;05.01.2026 10:30;form_submit;p0@example.com;;",
        "2;05.01.2026 10:30;deal;p1@example.com;won;12.345,50",
        "3;gestern;form_submit;p2@example.com;;",
    ]
    (folder / "Bücher.csv").write_bytes("\r\n".join([*lines, ""]).encode(encoding))
    os.utime(folder / "Bücher.csv", (0, 0))
    text = BOTH + "sources: {files: {deals: opportunities}}\n"
    given = mine(
        text,
        activity_folder=str(folder),
        activity_columns="Date=occurred_at",
        activity_time_format="%d.%m.%Y %H:%M",
        activity_time_zone="Europe/Berlin",
    )
    report = site.sync(**given)
    assert site.stages() == {ann: "Engaged", bob: "Customer", eve: "Suspect"}
    assert (report.not_understood, report.exit_code) == ({"files": 1}, 3)
    assert read_status(site.settings(**given))["not_understood"] == {"Bücher.csv": 1}
    with site.pipeline(**given) as pipeline:
        [known] = pipeline.store.facts_of([bob])
    assert [each.attributes["Amount"] for each in known.activities] == ["12345.50"]


@pytest.mark.situation(15)
def test_ten_thousand_contacts_of_one_stamp_are_all_read(site):
    site.contacts(10_500, Lifecycle_Stage__c="Suspect")
    assert len({row["SystemModstamp"] for row in site.org.rows("SELECT SystemModstamp FROM Contact")}) == 1
    report = site.sync()
    assert (report.read["Contact"], report.people_decided, report.exit_code) == (10_500, 10_500, 0)


@pytest.mark.situation(15)
def test_roles_that_are_deleted_restored_with_their_deal_and_made_anew_are_followed(site, mine):
    [ada] = site.contacts(1)
    deal, roles = on_a_deal(site, [ada])
    org, seen = site.org, []
    acts = [
        lambda: org.delete("Opportunity", [deal]),
        lambda: org.undelete("Opportunity", [deal]),
        lambda: org.delete("OpportunityContactRole", roles),
        lambda: org.create("OpportunityContactRole", [{"OpportunityId": deal, "ContactId": ada}]),
    ]
    with site.pipeline(**mine()) as pipeline:
        run_cycle(pipeline)
        for act in acts:
            act()
            run_cycle(pipeline)
            seen.append(site.stages()[ada])
    assert seen == ["Suspect", "Opportunity"] * 2


@pytest.mark.situation(15)
def test_who_is_merged_away_during_the_write_is_the_winner_in_the_next_cycle(site):
    ada, twin = site.contacts(2)
    site.org.create("Task", [{"Subject": "Call", "WhoId": twin, "TaskSubtype": "Call", "CallType": "Inbound"}])

    def merge(what, _done, _total):
        if what == "deciding" and len(site.stages()) > 1:
            site.org.merge("Contact", ada, [twin])

    with site.pipeline() as pipeline:
        run_cycle(replace(pipeline, progress=merge))
        assert run_cycle(pipeline).exit_code == 0
        assert pipeline.store.set_aside(None) == []
    assert site.stages() == {ada: "Engaged"}


@pytest.mark.situation(15)
def test_an_archived_task_counts(site):
    [ada] = site.contacts(1)
    call = {"Subject": "Call", "WhoId": ada, "TaskSubtype": "Call", "CallType": "Inbound", "Status": "Completed"}
    site.org.create("Task", [{**call, "IsArchived": True, "ActivityDate": "2020-01-01"}])
    assert site.org.rows("SELECT Id FROM Task") == []
    site.sync()
    assert site.stages() == {ada: "Engaged"}


class Off(SystemClock):
    """A machine's clock that goes wrong by some minutes."""

    def __init__(self, minutes):
        self.off = timedelta(minutes=minutes)

    def now(self):
        return super().now() + self.off


@pytest.mark.situation(16)
@pytest.mark.parametrize("minutes", [4, -4])
def test_a_machine_whose_clock_is_off_signs_in_by_the_servers_and_says_so(site, minutes):
    [ada] = site.contacts(1)
    with capture_logs() as logs, open_pipeline(site.settings(), clock=Off(minutes)) as pipeline:
        assert run_cycle(pipeline).exit_code == 0
    assert site.stages() == {ada: "Suspect"}
    [said] = [each for each in logs if "clock is off" in each["event"]]
    assert said["clock"] == ("ahead" if minutes > 0 else "behind")


@pytest.mark.situation(22)
def test_another_portal_is_refused_with_what_to_do_and_moves_nobody(tmp_path, shell):
    """Its contacts have the numbers of the first one's, and are other people."""
    with serving(tmp_path, systems=("hubspot",)) as first:
        ann, bob = first.contacts(2)
        hub = first.practice.hubspot
        [here] = hub.add_contacts([{"email": "p0@example.com"}])
        assert first.sync().exit_code == 0
        with serving(tmp_path / "other", systems=("hubspot",)) as second:
            other = second.practice.hubspot
            other.portal, other.token = hub.portal + 1, "pat-of-the-other-portal"
            [there] = other.add_contacts([{"email": "p1@example.com"}])
            assert here == there
            other.add_engagements("calls", [CALL | {"contacts": [there]}])
            others = {"hubspot_url": second.practice.url, "hubspot_token": other.token}
            report = first.sync(**others)
            said = report.sources_failed["hubspot"]
            assert f"hubspot is the account {other.portal} now" in said
            assert f"sign in to {hub.portal} again, or begin a new state (CONNECTOR_STATE)" in said
            assert report.exit_code == 4
            assert first.stages() == {ann: "Suspect", bob: "Suspect"}
            told = read_status(first.settings(**others))["failing_sources"]["hubspot"]
            assert str(other.portal) in told["why"]
            assert "CONNECTOR_STATE" in told["hint"]
            shell.env = first.practice.environment() | {"CONNECTOR_STATE": str(first.state)}
            urls = {"CONNECTOR_HUBSPOT_URL": second.practice.url, "CONNECTOR_HUBSPOT_TOKEN": other.token}
            done = shell("check", "--sources", **urls)
            assert (done.returncode, f"this state holds what the account {hub.portal} told" in done.stdout) == (2, True)
        hub.add_engagements("calls", [CALL | {"contacts": [here]}])
        assert first.sync().exit_code == 0
        assert first.stages() == {ann: "Engaged", bob: "Suspect"}


def test_contacts_that_are_hidden_altogether_wait_and_leads_go_on(site):
    [ada] = site.contacts(1)
    site.sync()
    site.org.set_object_access("Contact", readable=False)
    on_a_deal(site, [ada])
    [lead] = site.org.create("Lead", [{"LastName": "Lea", "Company": "L", "Email": "lea@example.com"}])
    report = site.sync()
    assert (list(report.unread), report.exit_code) == (["Contact"], 3)
    assert site.stages()[ada] == "Suspect"
    [row] = site.org.rows(f"SELECT Lifecycle_Stage__c FROM Lead WHERE Id = '{lead}'")
    assert row["Lifecycle_Stage__c"] == "Suspect"
    site.org.set_object_access("Contact", readable=True)
    assert site.sync().exit_code == 0
    assert site.stages()[ada] == "Opportunity"
