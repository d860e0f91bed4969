"""Accounts as far as the furthest of their people, for a mapping that asks."""

import pytest

MAPPING = """
fields:
  stage: {Contact: Lifecycle_Stage__c, Lead: Lifecycle_Stage__c}
  account_stage: Lifecycle_Stage__c
stages:
  - {name: Suspect, when: {email: present}}
  - {name: Engaged, when: {any: [{activity: inbound}, {account_stage: ">= Opportunity"}]}}
  - {name: Opportunity, when: {opportunity: any}}
  - {name: Customer, when: {opportunity: won}}
"""
ACCOUNT = "001000000000001AAA"


@pytest.fixture
def acme(world):
    """An account with two people, and a mapping that lifts colleagues of an opportunity to Engaged."""
    world.mapping = MAPPING
    world.org.put("Account", {"Id": ACCOUNT, "Name": "Acme"})
    return [world.contact(f"{name}@example.com", AccountId=ACCOUNT) for name in ("ada", "bob")]


def account_stage(world):
    return world.org.rows["Account"][ACCOUNT].get("Lifecycle_Stage__c")


def test_the_account_s_field_is_the_furthest_stage_of_its_people(world, acme):
    ada, _ = acme
    world.cycle()
    assert account_stage(world) == "Suspect"
    deal = world.deal()
    world.role(ada, deal)
    world.cycle()
    assert account_stage(world) == "Opportunity"
    world.win(deal)
    world.cycle()
    assert account_stage(world) == "Customer"


def test_colleagues_are_looked_at_again_in_the_next_cycle(world, acme):
    ada, bob = acme
    world.cycle()
    world.role(ada, world.deal())
    world.cycle()
    world.cycle()
    assert [world.stage(each) for each in (ada, bob)] == ["Opportunity", "Engaged"]


def test_what_the_account_lends_lifts_nobody_and_comes_to_rest(world, acme):
    ada, _ = acme
    world.role(ada, world.deal())
    for _ in range(3):
        world.cycle()
    world.org.updates.clear()
    assert [world.cycle().people_decided for _ in range(3)] == [0, 0, 0]
    assert world.org.updates == []


def test_without_being_asked_no_account_is_written(world, acme):
    world.mapping = "lead-liaison"
    world.cycle()
    assert {each["object"] for each in world.org.updates} == {"Contact"}
