"""Every document that ``--json`` prints is as docs/json.md says. Whatever other tests print is held against it, too."""

import json

import pytest

from connector.commands import practice
from connector.commands.screen import JSON_FORMS
from connector.mapping import load
from practice_org.salesforce.core import Rule
from tests.e2e.shell import held_against_its_schema

NOW = "2099-01-01"


@pytest.fixture
def office(shell):
    """A sample company with all that can go wrong a little."""
    mine = shell.folder / "mine.yaml"
    mine.write_text("include: lead-liaison\nfields: {account_stage: Furthest__c}\n")
    with practice.serve() as served:
        for add in (practice.add_owners, practice.add_fields):
            add(served.org, load(str(mine)))
        practice.fill(served, sample="small")
        served.org.set_validation("Contact", Rule("not this one", lambda _old, new: new.get("LastName") == "Sterneder"))
        shell.env = {**served.environment(), "CONNECTOR_MAPPING": "mine.yaml", "CONNECTOR_STATE": "state.sqlite3"}
        yield shell, served.org


def test_each_command_prints_a_document_of_its_own_and_every_key_is_told(office):
    shell, org = office
    seen = set()

    def told(*words):
        done = shell(*words, "--json")
        assert done.stdout, (words, done.stderr)
        seen.add(held_against_its_schema(done.stdout))
        return json.loads(done.stdout)

    told("status", "--max-age", "60")
    told("backfill", "--dry-run", "--list")
    backfill = told("backfill")
    [contact] = org.rows("SELECT Id, AccountId FROM Contact WHERE Lifecycle_Stage__c = 'Customer' LIMIT 1")
    told("sync")
    told("reconcile")
    [run] = [each["id"] for each in told("status")["cycles"] if each["kind"] == "backfill"]
    told("source", "pardot")
    told("plan", "--mapping", "customer-lifecycle", "--list")
    told("explain", contact["Id"])
    told("explain", contact["AccountId"])
    told("explain", contact["Id"], "--at", NOW)
    told("report")
    told("check")
    told("check", "states")
    told("check", "--sources")
    told("setup", "--out", "org")
    assert len(told("failures", "list")["failures"]) == backfill["refused"] > 0
    told("failures", "retry")
    told("approve", "--up-to", "5")
    told("backup", "copy.sqlite3")
    told("rollback", str(run))
    told("rollback", str(run), "--apply")
    told("forget", contact["Id"])
    assert seen == JSON_FORMS.keys() - {"demo"}  # which test_commands.py runs


@pytest.mark.parametrize(
    "broken",
    [{"more": 1}, {"retried": "2"}, {"form": 2}, {"retried": None}],
    ids=["a key that is not told", "another type", "another form", "nothing"],
)
def test_what_is_not_as_told_is_found(broken):
    right = {"document": "retry", "form": 1, "retried": 2}
    assert held_against_its_schema(json.dumps(right)) == "retry"
    with pytest.raises(ValueError, match="validation error"):
        held_against_its_schema(json.dumps(right | broken))
