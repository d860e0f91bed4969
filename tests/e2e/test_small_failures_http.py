"""What the org refuses or hides costs no more than itself, over HTTP."""

import pytest

from connector.commands import practice
from connector.commands.check import run_check
from connector.pipeline.cycle import run_cycle
from connector.wiring import load_mapping


def person(site):
    """A contact with an open deal."""
    [ada] = site.contacts(1)
    [deal] = site.org.create("Opportunity", [{"Name": "D", "StageName": "Prospecting", "CloseDate": "2027-01-31"}])
    site.org.create("OpportunityContactRole", [{"OpportunityId": deal, "ContactId": ada, "IsPrimary": True}])
    return ada


@pytest.mark.parametrize(
    ("name", "field"),
    [("Contact", "AccountId"), ("OpportunityContactRole", "IsPrimary"), ("Event", "IsRecurrence")],
)
def test_one_hidden_field_is_done_without_and_told(site, name, field):
    ada = person(site)
    site.org.set_field_access(name, field, visible=False)
    report = site.sync()
    assert site.stages()[ada] == "Opportunity"
    assert (report.hidden, report.exit_code) == ({name: [field]}, 3)
    found = run_check(site.settings())
    told = [*found.warnings, *(each.what for each in found.mistakes)]
    assert any(name in each and field in each for each in told)


def test_a_field_that_is_hidden_while_the_daemon_runs_is_found_out(site):
    ada = person(site)
    with site.pipeline() as pipeline:
        run_cycle(pipeline)
        site.org.set_field_access("Contact", "AccountId", visible=False)
        [ben] = site.org.create("Contact", [{"LastName": "Ben", "Email": "ben@example.com"}])
        report = run_cycle(pipeline)
    assert report.hidden == {"Contact": ["AccountId"]}
    assert (site.stages()[ada], site.stages()[ben]) == ("Opportunity", "Suspect")


@pytest.mark.situation(6)
def test_tasks_that_always_take_too_long_are_told_and_everything_else_goes_on(site):
    ada = person(site)
    site.org.create("Task", [{"Subject": str(n), "WhoId": ada} for n in range(5)])
    site.org.faults.on("query_timeout", object="Task")
    report = site.sync()
    assert site.stages()[ada] == "Opportunity"
    assert (list(report.unread), report.blind, report.exit_code) == (["Task"], ["Task"], 3)
    assert "QUERY_TIMEOUT" in report.unread["Task"]


@pytest.mark.situation(6)
def test_tasks_that_take_too_long_at_once_are_read_in_windows(site):
    ada = person(site)
    site.org.create("Task", [{"Subject": str(n), "WhoId": ada, "TaskSubtype": "Call"} for n in range(5)])
    site.org.faults.on("query_timeout", object="Task", times=3)
    report = site.sync()
    assert (report.unread, report.exit_code, report.read["Task"]) == ({}, 0, 5)


@pytest.mark.situation(7)
def test_too_much_sharing_to_count_is_told_with_what_to_grant(site):
    ada = person(site)
    site.org.faults.on("too_large", object="Task")
    report = site.sync()
    assert site.stages()[ada] == "Opportunity"
    assert "OPERATION_TOO_LARGE" in report.unread["Task"]
    assert "View All" in report.unread["Task"]
    assert report.exit_code == 3


@pytest.mark.parametrize("name", ["Contact", "Lead", "Account"])
def test_an_object_of_people_that_is_refused_is_told_and_everything_else_goes_on(site, tmp_path, name):
    """While the daemon runs, and in a backfill; ``check`` says it beforehand."""
    text = "include: lead-liaison\nfields: {account_stage: Lifecycle_Stage__c}\n"
    (tmp_path / "mine.yaml").write_text(text)
    given = {"mapping": str(tmp_path / "mine.yaml")}
    practice.add_fields(site.org, load_mapping(site.settings(**given)))
    [account] = site.org.create("Account", [{"Name": "A"}])
    person(site)
    with site.pipeline(**given) as pipeline:
        run_cycle(pipeline)
        before = site.stages(name)
        site.org.set_object_access(name, readable=False)
        new = {"LastName": "New", "Email": "new@example.com"}
        [ben] = site.org.create("Contact", [new | {"AccountId": account}])
        [eve] = site.org.create("Lead", [new | {"Company": "E"}])
        report = run_cycle(pipeline)
    assert (list(report.unread), report.exit_code) == ([name], 3)
    stages = {"Contact": site.stages()[ben], "Lead": site.stages("Lead")[eve], "Account": None}
    assert stages == {"Contact": "Suspect", "Lead": "Suspect", "Account": None, name: None}
    report = site.backfill(**given)
    assert (list(report.unread), report.exit_code) == ([name], 3)
    assert {each: site.stages(name)[each] for each in before} == before
    assert any(name in each.what for each in run_check(site.settings(**given)).mistakes)
    site.org.set_object_access(name, readable=True)
    assert site.sync(**given).exit_code == 0
    assert site.stages()[ben] == site.stages("Lead")[eve] == site.stages("Account")[account] == "Suspect"


def test_a_later_page_that_takes_too_long_over_http_is_read_in_windows(site):
    people = site.contacts(2_100)
    site.org.faults.on("refusal", code="QUERY_TIMEOUT", status=400, path="/query/0", times=1)
    report = site.sync()
    assert not site.org.faults.active, "it was met"
    assert (report.unread, report.exit_code) == ({}, 0)
    assert set(site.stages().values()) == {"Suspect"}
    with site.pipeline() as pipeline:
        assert {len(pipeline.store.latest(each)) for each in people[::500]} == {len(pipeline.store.latest(people[0]))}


@pytest.mark.parametrize("code", ["INSUFFICIENT_ACCESS", "QUERY_TIMEOUT"])
def test_a_delete_log_that_is_refused_costs_only_itself(site, code):
    ada = person(site)
    with site.pipeline() as pipeline:
        run_cycle(pipeline)
        site.org.faults.on("refusal", code=code, status=400, path="Opportunity/deleted", times=1)
        site.org.delete("Opportunity", [row["Id"] for row in site.org.rows("SELECT Id FROM Opportunity")])
        [ben] = site.org.create("Contact", [{"LastName": "Ben", "Email": "ben@example.com"}])
        report = run_cycle(pipeline)
        assert (list(report.unread), report.exit_code) == (["deletions of Opportunity"], 3)
        assert (site.stages()[ada], site.stages()[ben]) == ("Opportunity", "Suspect")
        assert run_cycle(pipeline).exit_code == 0
