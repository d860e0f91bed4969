"""Records of the org's other objects as evidence: by a lookup, an address or an account."""

from datetime import timedelta

import pytest

from connector.store.opening import open_past

MAPPING = """
records:
  Subscription__c: {person: Contact__c, date: Start__c}
  Trial__c: {person: Person__c, email: Email__c}
  Order: {account: AccountId}
gate: {stage: {direction: both}}
fields: {stage: {Contact: Lifecycle_Stage__c, Lead: Lifecycle_Stage__c}}
stages:
  - {name: Known, when: always}
  - {name: Trial, when: {record: Trial__c}}
  - {name: Buyer, when: {record: {of: Order, where: {Status: Activated}}}}
  - {name: Subscriber, when: {record: {of: Subscription__c, where: {Status__c: Active}}}}
  - {name: Big, when: {record: {of: Subscription__c, where: {Status__c: Active}, count: 2, sum: {MRR__c: ">= 500"}}}}
  - {name: Fresh, when: {record: {of: Subscription__c, within: 7d, where: {Plan__c: Gold}}}}
"""


@pytest.fixture
def place(world):
    world.mapping = MAPPING
    return world


def subscribe(world, contact, number=1, **fields):
    row = {"Id": f"a01{number:012d}AAA", "Contact__c": contact, "Status__c": "Active", "MRR__c": 100.0}
    return world.org.put("Subscription__c", row | {"Start__c": "2020-01-01", "Plan__c": "Basic"} | fields)


def test_a_record_that_looks_up_a_contact_is_that_contacts(place):
    ada, eve = place.contact("ada@example.com"), place.contact("eve@example.com")
    subscribe(place, ada)
    place.cycle()
    assert [place.stage(each) for each in (ada, eve)] == ["Subscriber", "Known"]


def test_a_record_that_changes_moves_whom_it_named_and_whom_it_names(place):
    ada, eve = place.contact("ada@example.com"), place.contact("eve@example.com")
    one = subscribe(place, ada)
    place.cycle()
    place.org.put("Subscription__c", {"Id": one, "Contact__c": eve})
    place.cycle()
    assert [place.stage(each) for each in (ada, eve)] == ["Known", "Subscriber"]
    place.org.put("Subscription__c", {"Id": one, "Status__c": "Cancelled"})
    place.cycle()
    assert place.stage(eve) == "Known"


def test_a_deleted_record_counts_no_more(place):
    ada = place.contact()
    one = subscribe(place, ada)
    place.cycle()
    place.org.remove("Subscription__c", one)
    place.cycle()
    assert place.stage(ada) == "Known"


def test_counts_and_sums_are_of_all_that_fit(place):
    ada = place.contact()
    subscribe(place, ada, 1, MRR__c=300.0)
    subscribe(place, ada, 2, MRR__c=900.0, Status__c="Cancelled")
    place.cycle()
    assert place.stage(ada) == "Subscriber"
    subscribe(place, ada, 3, MRR__c=200.0)
    place.cycle()
    assert place.stage(ada) == "Big"


def test_what_is_within_a_time_ends_by_time_alone(place):
    ada = place.contact()
    subscribe(place, ada, Plan__c="Gold", Start__c=(place.clock.now() - timedelta(days=6)).date().isoformat())
    place.cycle()
    assert place.stage(ada) == "Fresh"
    place.wait(3 * 86400)
    place.cycle()
    assert place.stage(ada) == "Subscriber"


def test_an_address_counts_for_whoever_has_it_where_there_is_no_lookup(place):
    ada, lea = place.contact("ada@example.com"), place.lead("lea@example.com")
    place.org.put("Trial__c", {"Id": "a02000000000001AAA", "Email__c": "LEA@example.com "})
    place.org.put("Trial__c", {"Id": "a02000000000002AAA", "Email__c": "lea@example.com", "Person__c": ada})
    place.cycle()
    assert [place.stage(each) for each in (ada, lea)] == ["Trial", "Trial"]
    place.org.put("Trial__c", {"Id": "a02000000000001AAA", "Email__c": None})
    place.cycle()
    assert [place.stage(each) for each in (ada, lea)] == ["Trial", "Known"]


def test_a_record_waits_for_its_person(place):
    place.org.put("Trial__c", {"Id": "a02000000000001AAA", "Email__c": "new@example.com"})
    place.cycle()
    new = place.contact("new@example.com")
    place.cycle()
    assert place.stage(new) == "Trial"


def test_a_record_of_an_account_is_all_its_peoples_and_follows_them(place):
    account = "001000000000001AAA"
    ada, eve = place.contact("ada@example.com", AccountId=account), place.contact("eve@example.com")
    place.org.put("Order", {"Id": "801000000000001AAA", "AccountId": account, "Status": "Draft"})
    place.cycle()
    assert [place.stage(each) for each in (ada, eve)] == ["Known", "Known"]
    place.org.put("Order", {"Id": "801000000000001AAA", "Status": "Activated"})
    place.cycle()
    assert [place.stage(each) for each in (ada, eve)] == ["Buyer", "Known"]
    place.org.put("Contact", {"Id": eve, "AccountId": account})
    place.org.put("Contact", {"Id": ada, "AccountId": None})
    place.cycle()
    assert [place.stage(each) for each in (ada, eve)] == ["Known", "Buyer"]


def test_a_lead_that_is_converted_takes_its_records_along(place):
    lead = place.lead("lea@example.com")
    place.org.put("Trial__c", {"Id": "a02000000000001AAA", "Person__c": lead})
    place.cycle()
    contact = place.contact("else@example.com")
    place.org.put("Lead", {"Id": lead, "IsConverted": True, "ConvertedContactId": contact})
    place.cycle()
    assert place.stage(contact) == "Trial"


def test_a_mapping_that_links_otherwise_is_right_at_once(place):
    ada, eve = place.contact("ada@example.com"), place.contact("eve@example.com")
    subscribe(place, ada, Payer__c=eve)
    place.cycle()
    place.mapping = MAPPING.replace("person: Contact__c", "person: Payer__c")
    place.cycle()
    assert [place.stage(each) for each in (ada, eve)] == ["Known", "Subscriber"]


def test_a_mapping_that_asks_for_none_reads_none(place):
    place.contact()
    place.mapping = "stages:\n  - {name: Known, when: always}\n"
    place.cycle()
    assert "Order" not in {each.name for each in place.pipeline.objects}


def test_evidence_names_the_record_and_what_was_asked_of_it(place):
    ada = place.contact()
    one = subscribe(place, ada)
    place.cycle()
    (decided,) = [each for each in place.store.latest(ada) if each["track"] == "stage"]
    assert decided["evidence"] == [
        {"kind": "record", "ref": one, "text": "Subscription__c: Status__c Active", "at": "2020-01-01T00:00:00+00:00"}
    ]


def test_the_past_is_put_together_with_the_records_of_then(place):
    ada = place.contact(CreatedDate="2020-01-01T00:00:00.000+0000")
    one = subscribe(place, ada, CreatedDate="2020-01-01T00:00:00.000+0000")
    place.cycle()
    then = place.clock.now()
    place.wait(3600)
    place.org.put("Subscription__c", {"Id": one, "Status__c": "Cancelled"})
    place.cycle()
    with open_past(place.store, [ada], then) as (past, _):
        (person,) = past.facts_of([ada])
    assert [each.row["Status__c"] for each in person.records] == ["Active"]


def test_an_object_that_is_hidden_later_stays_as_it_was_and_is_told(place):
    ada = place.contact()
    subscribe(place, ada)
    place.cycle()
    place.org.hidden.add("Subscription__c")
    report = place.cycle()
    assert (list(report.unread), report.exit_code, place.stage(ada)) == (["Subscription__c"], 3, "Subscriber")
