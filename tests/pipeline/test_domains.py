"""Leads that are of an account by the domain of their address, for a mapping that asks."""

import pytest

from connector.commands.explain import explain_past
from connector.mapping import loads
from connector.store.domains import link_domain
from connector.store.rows import dumps

MAPPING = """
fields:
  stage: {Contact: Lifecycle_Stage__c, Lead: Lifecycle_Stage__c}
  account_stage: Lifecycle_Stage__c
accounts: {leads_by_domain: true}
stages:
  - {name: Suspect, when: {email: present}}
  - {name: Target, when: {account: {Industry: Steel}}}
  - {name: Aware, when: {account_stage: ">= Opportunity"}}
  - {name: Group, when: {account: {people: {count: 2, activity: inbound}}}}
  - {name: Dealing, when: {account: {opportunity: won}}}
  - {name: Opportunity, when: {opportunity: any}}
"""
FIELD = "Lifecycle_Stage__c"
ACCOUNT, OTHER = "001000000000001AAA", "001000000000002AAA"


@pytest.fixture
def steel(world):
    world.mapping = MAPPING
    world.org.put(
        "Account", {"Id": ACCOUNT, "Name": "Acme", "Website": "https://www.Acme.example/en", "Industry": "Steel"}
    )
    return world


def stage(world, person):
    for _ in range(2):
        world.cycle()
    return world.org.rows["Lead" if person.startswith("00Q") else "Contact"][person].get(FIELD)


def test_a_lead_is_of_the_account_with_its_domain(steel):
    lead, other = steel.lead("ada@acme.example"), steel.lead("bob@sub.acme.example")
    assert (stage(steel, lead), stage(steel, other)) == ("Target", "Suspect")


def test_a_free_mail_domain_is_nobody_s(steel):
    steel.org.put("Account", {"Id": ACCOUNT, "Website": "gmail.com"})
    assert stage(steel, steel.lead("ada@gmail.com")) == "Suspect"


def test_a_domain_of_two_accounts_is_that_of_none_until_one_is_gone(steel):
    steel.org.put("Account", {"Id": OTHER, "Name": "Acme again", "Website": "acme.example"})
    lead = steel.lead("ada@acme.example")
    assert stage(steel, lead) == "Suspect"
    steel.org.put("Account", {"Id": OTHER, "Website": "other.example"})
    assert stage(steel, lead) == "Target"


def test_a_website_that_comes_later_finds_the_leads_that_are_there(steel):
    lead = steel.lead("ada@new.example")
    assert stage(steel, lead) == "Suspect"
    steel.org.put("Account", {"Id": ACCOUNT, "Website": "http://new.example:8080"})
    assert stage(steel, lead) == "Target"


def test_a_mapping_that_begins_to_ask_finds_what_was_read_before(steel):
    steel.mapping = MAPPING.replace("leads_by_domain: true", "leads_by_domain: false")
    lead = steel.lead("ada@acme.example")
    steel.org.put("Account", {"Id": ACCOUNT, "Industry": "Coal"})
    assert stage(steel, lead) == "Suspect"
    steel.mapping = MAPPING.replace("Steel", "Coal")
    assert stage(steel, lead) == "Target"


def test_deals_and_activities_of_the_account_reach_its_leads(steel):
    lead = steel.lead("ada@acme.example")
    contact = steel.contact("bob@elsewhere.example", AccountId=ACCOUNT)
    assert stage(steel, lead) == "Target"
    deal = steel.deal()
    steel.org.put("Opportunity", {"Id": deal, "AccountId": ACCOUNT})
    steel.role(contact, deal)
    assert stage(steel, lead) == "Aware"
    assert steel.org.rows["Account"][ACCOUNT][FIELD] == "Opportunity"
    steel.win(deal)
    assert stage(steel, lead) == "Dealing"


def test_a_lead_counts_for_the_stage_of_its_account(steel):
    lead = steel.lead("ada@acme.example")
    assert stage(steel, lead) == "Target"
    assert steel.org.rows["Account"][ACCOUNT][FIELD] == "Target"
    steel.org.put("Lead", {"Id": lead, "Email": "ada@elsewhere.example"})
    steel.cycle()
    steel.cycle()
    assert steel.org.rows["Account"][ACCOUNT][FIELD] is None
    assert steel.store.dirty_count() == 0


@pytest.mark.parametrize(
    ("website", "domain"),
    [
        ("acme.example", "@acme.example"),
        ("HTTPS://www.acme.example:443/a?b#c", "@acme.example"),
        ("www.acme.example.", "@acme.example"),
        ("http://user@shop.acme.example/", "@shop.acme.example"),
        ("acme", None),
        ("n/a", None),
        ("", None),
        (None, None),
        ("web.de", None),
        ("a" * 400 + ".example", None),
    ],
)
def test_the_domain_of_a_website_is_its_host_without_www(website, domain):
    row = {"object": "Account", "fields": dumps({"Website": website}), "email": None}
    link_domain(row)
    assert row["email"] == domain


def test_what_a_colleague_did_under_an_address_that_comes_later_counts_at_once(steel):
    lead = steel.lead("ada@acme.example")
    steel.click("ada@acme.example")
    steel.click("bob@private.example")
    colleague = steel.contact("bob@elsewhere.example", AccountId=ACCOUNT)
    assert stage(steel, lead) == "Target"
    steel.org.put("Contact", {"Id": colleague, "Email": "bob@private.example"})
    assert (stage(steel, lead), stage(steel, colleague)) == ("Group", "Group")


def test_a_past_moment_knows_the_account_of_a_lead_and_what_its_colleagues_did(steel):
    steel.mapping = MAPPING + "tags: [{name: group, when: {account: {people: {count: 2, activity: inbound}}}}]\n"
    steel.mapping = steel.mapping.replace("fields:", "fields:\n  tags: {Contact: Tags__c, Lead: Tags__c}")
    lead = steel.lead("ada@acme.example")
    steel.contact("bob@elsewhere.example", AccountId=ACCOUNT)
    steel.click("ada@acme.example")
    steel.click("bob@elsewhere.example")
    assert stage(steel, lead) == "Group"
    then = steel.clock.now()
    steel.wait(86_400)
    steel.cycle()
    [told] = explain_past(steel.store, [lead], loads(steel.mapping), then)
    assert [each["value"] for each in told["now"]["tracks"] if each["track"] == "tags"] == ["group"]
