"""Opportunities without contact roles, for a mapping that asks for them."""

import pytest

MAPPING = """
fields:
  stage: {{Contact: Lifecycle_Stage__c, Lead: Lifecycle_Stage__c}}
stages:
  - {{name: Suspect, when: {{email: present}}}}
  - {{name: Opportunity, when: {{opportunity: any}}}}
  - {{name: Customer, when: {{opportunity: won}}}}
opportunities:
  without_roles: {policy}
"""
ACCOUNT = "001000000000001AAA"


@pytest.fixture
def by(world):
    """A world whose mapping has this policy, with a contact in an account that has a deal without roles."""

    def made(policy):
        world.mapping = MAPPING.format(policy=policy)
        ada = world.contact("ada@example.com", AccountId=ACCOUNT)
        deal = world.deal()
        world.org.put("Opportunity", {"Id": deal, "AccountId": ACCOUNT})
        return ada, deal

    return made


def test_they_move_nobody_unless_asked(world, by):
    ada, _ = by("ignore")
    world.cycle()
    assert world.stage(ada) == "Suspect"


def test_they_move_the_active_people_of_the_account(world, by):
    ada, deal = by("active_contacts")
    bob = world.contact("bob@example.com", AccountId=ACCOUNT)
    world.click("ada@example.com")
    world.cycle()
    assert [world.stage(each) for each in (ada, bob)] == ["Opportunity", "Suspect"]
    world.win(deal)
    assert world.cycle().people_decided == 2
    assert world.stage(ada) == "Customer"


def test_an_opportunity_that_gets_a_role_no_longer_moves_the_others(world, by):
    ada, deal = by("active_contacts")
    eve = world.contact("eve@example.com", AccountId=ACCOUNT)
    for email in ("ada@example.com", "eve@example.com"):
        world.click(email)
    world.cycle()
    role = world.role(eve, deal)
    world.win(deal)
    world.cycle()
    assert [world.stage(each) for each in (ada, eve)] == ["Opportunity", "Customer"]
    world.org.remove("OpportunityContactRole", role, hard=True)
    world.cycle()
    assert world.stage(ada) == "Customer"


def test_they_move_the_contact_of_the_lead_that_was_converted_into_them(world, by):
    ada, deal = by("converted_lead")
    world.org.put(
        "Lead",
        {"Id": world.lead(), "IsConverted": True, "ConvertedContactId": ada, "ConvertedOpportunityId": deal},
    )
    world.cycle()
    assert world.stage(ada) == "Opportunity"
