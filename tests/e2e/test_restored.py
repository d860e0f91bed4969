"""A backup of the state is put back: what was written since is known to be ours, and a hand's is a hand's."""

import json
import shutil

import pytest

from connector.commands import practice
from connector.pipeline.cycle import run_cycle
from connector.wiring import load_mapping, logbook_of

MAPPING = """
gate:
  stage: {direction: forward, manual: forever}
fields:
  stage: {Contact: Lifecycle_Stage__c, Lead: Lifecycle_Stage__c}
stages:
  - {name: Suspect, when: {email: present}}
  - {name: Engaged, when: {field: {Title: Engaged}}}
  - {name: Opportunity, when: {field: {Department: Buys}}}
  - {name: Customer, when: {field: {Department: Bought}}}
"""
SOMEBODY = "005000000000002AAA"


class Company:
    """Three people, of whom one is moved on, and one set by hand, after the backup."""

    def __init__(self, site, folder, shell):
        self.site, self.folder, self.shell = site, folder, shell
        path = folder / "mapping.yaml"
        path.write_text(MAPPING)
        self.options = {"mapping": str(path)}
        practice.add_fields(site.org, load_mapping(site.settings(**self.options)))
        self.ada, self.bob, self.eve = site.contacts(3)
        shell.env = site.practice.environment() | {
            "CONNECTOR_STATE": str(site.state),
            "CONNECTOR_MAPPING": str(path),
        }

    def sync(self, **more):
        return self.site.sync(**self.options, **more)

    def set(self, person, **fields):
        us, self.site.org.user_id = self.site.org.user_id, SOMEBODY
        self.site.org.update("Contact", [{"Id": person, **fields}])
        self.site.org.user_id = us

    def lives_on_after_a_backup(self):
        self.sync()
        assert self.shell("backup", str(self.folder / "copy.sqlite3")).returncode == 0
        self.set(self.ada, Title="Engaged")
        self.sync()
        self.set(self.bob, Lifecycle_Stage__c="Opportunity")
        self.sync()
        self.set(self.ada, Department="Buys")
        self.sync()
        assert self.stages() == ["Opportunity", "Opportunity", "Suspect"]

    def restore(self):
        for each in self.site.state.parent.glob(f"{self.site.state.name}-*"):
            each.unlink()
        shutil.copyfile(self.folder / "copy.sqlite3", self.site.state)

    @property
    def logbook(self):
        return logbook_of(self.site.settings(**self.options))

    def stages(self):
        stages = self.site.stages()
        return [stages[each] for each in (self.ada, self.bob, self.eve)]

    def holds(self):
        with self.site.pipeline(**self.options) as pipeline:
            return [self.stage_of(pipeline, each)["memory"].get("hold", {}).get("by") for each in (self.ada, self.bob)]

    def stage_of(self, pipeline, person):
        return next(each for each in pipeline.store.latest(person) if each["track"] == "stage")

    def log(self, person):
        with self.site.pipeline(**self.options) as pipeline:
            return [(each["old"], each["new"]) for each in reversed(pipeline.store.history(person))]


@pytest.fixture
def company(site, tmp_path, shell):
    made = Company(site, tmp_path, shell)
    made.lives_on_after_a_backup()
    return made


WRITTEN = [(None, "Suspect"), ("Suspect", "Engaged"), ("Engaged", "Opportunity")]


def goes_on(company):
    """Whoever was moved by us goes on, whoever was set by hand stays."""
    assert company.holds() == [None, "person"]
    for each in (company.ada, company.bob):
        company.set(each, Department="Bought")
    company.sync()
    assert company.stages() == ["Customer", "Opportunity", "Suspect"]


def test_what_was_written_since_is_settled_again_from_the_logbook(company):
    before = company.log(company.ada)
    company.restore()
    assert company.sync().written == 0
    assert company.log(company.ada) == before == WRITTEN
    with company.site.pipeline(**company.options) as pipeline:
        assert [each["kind"] for each in pipeline.store.cycles(2)] == ["sync", "restored"]
        assert company.stage_of(pipeline, company.ada)["rule"]
    assert "restored" in company.shell("status").stdout
    goes_on(company)


def test_a_run_of_before_can_be_rolled_back(company):
    with company.site.pipeline(**company.options) as pipeline:
        run = pipeline.store.history(company.ada)[0]["cycle_id"]
    company.restore()
    company.sync()
    shown = company.shell("rollback", str(run)).stdout
    assert "1 person would be put back" in shown


def test_without_the_logbook_what_our_user_wrote_last_is_ours(company):
    company.restore()
    company.logbook.path.unlink()
    assert company.sync().written == 0
    goes_on(company)
    assert company.sync().written == 0


def test_who_wrote_last_is_asked_once_people_can_be_read_who_cannot_be_now(company):
    company.restore()
    company.logbook.path.unlink()
    company.site.org.set_object_access("Contact", readable=False)
    with company.site.pipeline(**company.options) as daemon:
        report = run_cycle(daemon)
        assert (list(report.unread), report.exit_code) == (["Contact"], 3)
        company.site.org.set_object_access("Contact", readable=True)
        assert run_cycle(daemon).written == 0
    goes_on(company)


def test_a_copy_that_is_used_where_it_is_knows_whose_what_stands_is(company):
    company.site.state = company.folder / "copy.sqlite3"
    assert company.sync().written == 0
    goes_on(company)


def test_a_dry_run_over_a_restored_state_says_the_same_and_changes_nothing(company):
    company.restore()
    company.set(company.ada, Department="Bought")
    looked = json.loads(company.shell("sync", "--dry-run", "--json").stdout)
    assert looked["changes"] == {"stage": {"Opportunity -> Customer": 1}}
    assert company.logbook.last == 3
    company.sync()
    assert company.stages()[0] == "Customer"


def test_a_state_that_was_not_restored_asks_nothing_more(company):
    company.sync()
    assert company.sync().api_calls["total"] == 2
    company.site.state.unlink()
    company.sync()
    assert company.log(company.ada) == [], "a new state begins anew"
