"""Objects of the org's own as evidence, over real HTTP: custom ones with a lookup or an address, and orders."""

import json

import pytest

from connector.commands.check import run_check
from practice_org.salesforce.schema import FieldSpec, Value

MAPPING = """
include: lead-liaison
records:
  Subscription__c: {person: Contact__c, date: Start__c}
  Trial__c: {person: Lead__c, email: Email__c}
  Order: {account: AccountId, date: EffectiveDate}
gate: {stage: {direction: both}}
rules:
  - {name: on trial, when: {record: Trial__c}, then: {stage: Engaged}}
  - {name: ordered, when: {record: {of: Order, where: {Status: Activated}, sum: {TotalAmount: ">= 1000"}}},
     then: {stage: Opportunity}}
  - {name: subscribes, when: {record: {of: Subscription__c, where: {Status__c: Active}}}, then: {stage: Customer}}
"""


@pytest.fixture
def shop(site, tmp_path):
    """An org with subscriptions and trials, and the mapping above."""
    status = FieldSpec("Status__c", "picklist", values=(Value("Active"), Value("Cancelled")))
    contact = FieldSpec("Contact__c", "reference", reference_to=("Contact",), relationship="Contact__r")
    lead = FieldSpec("Lead__c", "reference", reference_to=("Lead",), relationship="Lead__r")
    site.org.define("Subscription__c", [contact, status, FieldSpec("Start__c", "date")])
    site.org.define("Trial__c", [lead, FieldSpec("Email__c", "email", length=80)])
    path = tmp_path / "mine.yaml"
    path.write_text(MAPPING)
    site.mine = {"mapping": str(path)}
    return site


def people(shop):
    [account] = shop.org.create("Account", [{"Name": "Acme"}])
    ann, ben = shop.contacts(2)
    shop.org.update("Contact", [{"Id": ben, "AccountId": account}])
    [lea] = shop.org.create("Lead", [{"LastName": "Lea", "Company": "Lea", "Email": "lea@example.com"}])
    return account, ann, ben, lea


def everybody(shop):
    return shop.stages() | shop.stages("Lead")


def test_whom_records_name_is_moved_by_the_backfill_and_by_the_cycles_after_it(shop):
    account, ann, ben, lea = people(shop)
    [one] = shop.org.create("Subscription__c", [{"Contact__c": ann, "Status__c": "Active", "Start__c": "2026-01-01"}])
    shop.org.create("Trial__c", [{"Email__c": "LEA@example.com"}])
    order = {"AccountId": account, "EffectiveDate": "2026-02-01", "Status": "Activated", "TotalAmount": 2000}
    [bought] = shop.org.create("Order", [order])
    report = shop.backfill(**shop.mine)
    assert everybody(shop) == {ann: "Customer", ben: "Opportunity", lea: "Engaged"}
    assert {name: report.read[name] for name in ("Subscription__c", "Trial__c", "Order")} == {
        "Subscription__c": 1, "Trial__c": 1, "Order": 1,
    }  # fmt: skip
    shop.org.update("Subscription__c", [{"Id": one, "Status__c": "Cancelled"}])
    shop.org.delete("Order", [bought])
    shop.sync(**shop.mine)
    assert everybody(shop) == {ann: "Suspect", ben: "Suspect", lea: "Engaged"}
    shop.org.undelete("Order", [bought])
    shop.org.delete("Subscription__c", [one], hard=True)
    shop.sync(**shop.mine)
    assert everybody(shop) == {ann: "Suspect", ben: "Opportunity", lea: "Engaged"}


def test_a_lead_that_is_converted_takes_its_trial_along(shop):
    *_, lea = people(shop)
    shop.org.create("Trial__c", [{"Lead__c": lea}])
    shop.sync(**shop.mine)
    contact = shop.org.convert_lead(lea, opportunity=False)["ContactId"]
    shop.sync(**shop.mine)
    assert shop.stages()[contact] == "Engaged"


def test_a_state_that_began_before_the_mapping_asked_reads_them_by_itself(shop):
    _, ann, *_ = people(shop)
    shop.org.create("Subscription__c", [{"Contact__c": ann, "Status__c": "Active"}])
    shop.sync(mapping="lead-liaison")
    assert shop.stages()[ann] == "Suspect"
    shop.sync(**shop.mine)
    assert shop.stages()[ann] == "Customer"


def test_an_idle_cycle_costs_two_calls_with_ten_objects(shop):
    people(shop)
    shop.backfill(**shop.mine)
    shop.sync(**shop.mine)
    with shop.pipeline(**shop.mine) as pipeline:
        assert len(pipeline.objects) >= 10  # with those that say who an activity is with
    assert shop.calls_of(lambda: shop.sync(**shop.mine)) == 2


def test_check_names_what_the_org_lacks_of_them(shop):
    shop.org.set_field_access("Trial__c", "Email__c", visible=False)
    path = shop.mine["mapping"]
    with open(path, "a") as file:
        file.write(
            "  - {name: x, when: {record: {of: Subscription__c, where: {Plan__c: Gold}}}, then: {stage: Engaged}}\n"
        )
    found = {each.what for each in run_check(shop.settings(**shop.mine)).mistakes}
    assert "Trial__c has no field Email__c, or the integration user cannot see it" in found
    assert "Subscription__c has no field Plan__c, or the integration user cannot see it" in found


def test_check_says_that_a_lookup_leads_to_nobody(shop, tmp_path):
    path = tmp_path / "wrong.yaml"
    path.write_text(MAPPING.replace("person: Contact__c", "person: OwnerId"))
    found = {each.what for each in run_check(shop.settings(mapping=str(path))).mistakes}
    assert "records: Subscription__c: person: OwnerId is no lookup to Contact or Lead" in found


def test_explain_shows_the_record_and_what_was_asked_of_it(shop, shell):
    _, ann, *_ = people(shop)
    [one] = shop.org.create("Subscription__c", [{"Contact__c": ann, "Status__c": "Active", "Start__c": "2026-01-01"}])
    shop.sync(**shop.mine)
    given = {"CONNECTOR_STATE": str(shop.state), "CONNECTOR_MAPPING": shop.mine["mapping"]}
    shell.env = shop.practice.environment() | given
    said = shell("explain", ann, "--json")
    text = json.dumps(json.loads(said.stdout))
    assert one in text
    assert "Subscription__c: Status__c Active" in text
    assert "2026-01-01" in shell("explain", ann).stdout
