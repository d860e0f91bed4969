"""An object that Salesforce refuses whole: everything else goes on, and whom we cannot read we do not write."""

import pytest

from connector.base.errors import Refused
from connector.pipeline.backfill import Scope, run_backfill
from tests.pipeline.conftest import STAGE

ACCOUNT = "001000000000001AAA"
ROLLS_UP = """
gate:
  stage: {direction: both}
fields:
  stage: {Contact: Lifecycle_Stage__c, Lead: Lifecycle_Stage__c}
  account_stage: Stage__c
stages:
  - {name: Suspect, when: {email: present}}
  - {name: Banker, when: {account: {Industry: Banking}}}
  - {name: Vip, when: {field: {Vip__c: "yes"}}}
"""


@pytest.fixture
def org(world):
    """Ten people with a deal each."""
    world.people = [world.contact(f"p{index}@example.com") for index in range(10)]
    world.deals = [world.deal() for _ in world.people]
    for person, deal in zip(world.people, world.deals, strict=True):
        world.role(person, deal)
    world.cycle()
    return world


def stages(world):
    return [world.stage(each) for each in world.people]


def backfill(world):
    report = run_backfill(world.pipeline, Scope())
    world.wait(60)
    return report


def written(world, since):
    return {each["Id"] for each in world.org.updates[since:]}


def test_in_a_backfill_people_who_cannot_be_read_stay_and_are_decided_once_they_can(org):
    org.org.hidden.add("Contact")
    lead = org.lead("lea@example.com")
    report = backfill(org)
    assert (org.stage(lead), stages(org), report.exit_code) == ("Suspect", ["Opportunity"] * 10, 3)
    assert len(org.store.records(org.people)) == 10
    org.org.hidden.clear()
    report = org.cycle()
    assert (report.exit_code, report.people_decided) == (0, 11)


def test_when_people_are_refused_from_the_first_day_nobody_is_blamed_and_all_of_it_comes_later(world):
    world.org.hidden.add("Contact")
    world.lead("lea@example.com", **{STAGE: "Opportunity"})
    ada, deal = world.contact(), world.deal()
    world.role(ada, deal)
    report = world.cycle()
    assert (list(report.unread), report.blind, world.stage(ada)) == (["Contact"], ["Contact"], None)
    world.org.hidden.clear()
    assert (world.cycle().exit_code, world.stage(ada)) == (0, "Opportunity")


def test_accounts_that_are_refused_stay_as_known_and_none_is_written(world):
    world.mapping = ROLLS_UP
    world.org.put("Account", {"Id": ACCOUNT, "Name": "A", "Industry": "Banking"})
    ada = world.contact(AccountId=ACCOUNT)
    world.cycle()
    assert (world.stage(ada), world.org.rows["Account"][ACCOUNT]["Stage__c"]) == ("Banker", "Banker")
    world.org.hidden.add("Account")
    ben, before = world.contact("ben@example.com", AccountId=ACCOUNT, Vip__c="yes"), len(world.org.updates)
    report = world.cycle()
    assert (world.stage(ada), world.stage(ben)) == ("Banker", "Vip")
    assert (written(world, before), list(report.unread), report.exit_code) == ({ben}, ["Account"], 3)
    assert world.cycle().accounts_to_change == 0
    world.org.hidden.clear()
    assert world.cycle().exit_code == 0
    assert world.org.rows["Account"][ACCOUNT]["Stage__c"] == "Vip"


def test_what_refuses_every_object_ends_the_cycle(world):
    world.org.hidden |= {each.name for each in world.pipeline.objects}
    with pytest.raises(Refused):
        world.cycle()
