"""What the org refuses or hides costs no more than itself, over HTTP."""

import pytest

from connector.commands.check import run_check
from connector.pipeline.cycle import run_cycle


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
