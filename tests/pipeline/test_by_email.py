"""Lead and Contact with one e-mail address, through whole cycles; and prospects until their record appears."""

from __future__ import annotations

import pytest

from connector.base.facts import Activity, Direction, Prospect, SourcePage
from tests.fakes import sf_time

MAPPING = """
fields:
  stage: {Contact: Lifecycle_Stage__c, Lead: Lifecycle_Stage__c}
stages:
  - {name: Anonymous, when: {email: missing}, reports: hidden}
  - {name: Suspect, when: {email: present}}
  - {name: Engaged, when: {activity: {kind: email_click}}}
  - {name: Marketing Qualified, when: {activity: {kind: form_submit}}}
"""
BY_EMAIL = MAPPING + "identity: {by_email: true}\n"
ADA = "ada@example.com"


@pytest.fixture
def apart(world):
    world.mapping = MAPPING
    return world


@pytest.fixture
def joined(world):
    world.mapping = BY_EMAIL
    return world


def does(world, kind: str, **who) -> None:
    number = world.id("Task")
    page = SourcePage({}, (Activity("fake", number, kind, Direction.INBOUND, world.clock.now(), **who),))
    world.source.pages.append(page)


def knows(world, name: str, *, email: str | None = None, crm_id: str | None = None) -> None:
    world.source.pages.append(SourcePage({}, prospects=(Prospect("fake", name, email, crm_id),)))


def written(world) -> set[str]:
    return {each["Id"] for each in world.org.updates}


def test_what_the_lead_does_moves_the_contact_and_the_lead_is_left_alone(joined):
    lead, contact = joined.lead(ADA), joined.contact(ADA)
    joined.cycle()
    assert written(joined) == {contact}
    does(joined, "form_submit", crm_id=lead)
    joined.cycle()
    assert (joined.stage(contact), joined.stage(lead)) == ("Marketing Qualified", None)
    assert written(joined) == {contact}
    assert joined.cycle().written == 0


def test_without_by_email_each_goes_its_own_way(apart):
    lead, contact = apart.lead(ADA), apart.contact(ADA)
    does(apart, "form_submit", crm_id=lead)
    apart.cycle()
    assert (apart.stage(contact), apart.stage(lead)) == ("Suspect", "Marketing Qualified")


def test_a_mapping_that_begins_and_ceases_to_join_decides_again_whom_that_concerns(world):
    world.mapping = MAPPING
    lead, contact = world.lead(ADA), world.contact(ADA)
    other = world.lead("ben@example.com")
    does(world, "form_submit", crm_id=lead)
    world.cycle()
    world.mapping = BY_EMAIL
    assert world.cycle().people_decided == 2
    assert (world.stage(contact), world.stage(lead)) == ("Marketing Qualified", "Marketing Qualified")
    world.mapping = MAPPING
    does(world, "email_click", crm_id=other)
    assert world.cycle().people_decided == 3
    assert world.stage(contact) == "Marketing Qualified"  # forward only
    assert world.store.counts()["joined_by_email"] == 0


def test_a_record_that_is_parted_goes_on_where_it_stood(joined):
    lead = joined.lead(ADA)
    does(joined, "form_submit", crm_id=lead)
    joined.cycle()
    contact = joined.contact(ADA)
    joined.cycle()
    assert joined.stage(contact) == "Marketing Qualified"
    joined.org.put("Lead", {"Id": lead, "Email": "new@example.com"})
    joined.cycle()
    [parted] = joined.store.facts_of([lead])
    assert parted.memory["stage"]["record"] == lead
    assert (joined.stage(contact), joined.stage(lead)) == ("Marketing Qualified", "Marketing Qualified")
    new = joined.contact("new@example.com")
    joined.cycle()
    assert (joined.stage(new), joined.store.find_people(lead)) == ("Marketing Qualified", [new])


def test_without_the_contact_the_lead_is_a_person_again_and_nothing_it_did_is_lost(joined):
    lead, contact = joined.lead(ADA), joined.contact(ADA)
    joined.cycle()
    does(joined, "form_submit", crm_id=lead)
    does(joined, "email_click", email=ADA)
    joined.cycle()
    joined.org.remove("Contact", contact)
    joined.cycle()
    assert joined.stage(lead) == "Marketing Qualified"
    [person] = joined.store.facts_of([lead])
    assert {each.kind for each in person.activities} == {"form_submit", "email_click"}


def test_converting_the_lead_into_another_contact_takes_its_past_there(joined):
    lead, contact = joined.lead(ADA), joined.contact(ADA)
    other = joined.contact("other@example.com")
    joined.cycle()
    does(joined, "email_click", crm_id=lead)
    joined.cycle()
    joined.org.put("Lead", {"Id": lead, "IsConverted": True, "ConvertedContactId": other})
    joined.cycle()
    assert (joined.stage(other), joined.stage(contact)) == ("Engaged", "Engaged")  # who stood there stays: forward only
    assert joined.store.facts_of([contact])[0].activities == ()


def test_a_prospect_without_a_record_is_kept_and_counted_by_stage_until_its_record_appears(apart):
    knows(apart, "1")
    knows(apart, "2", email=ADA)
    knows(apart, "3", email="ben@example.com")
    does(apart, "form_submit", prospect_id="2")
    does(apart, "email_click", prospect_id="1")
    apart.cycle()
    alone = {"Marketing Qualified": 1, "Engaged": 1, "Suspect": 1}
    assert apart.store.people_by("stage") == apart.store.people_by("stage", only_alone=True) == alone
    assert apart.store.counts()["prospects_alone"] == 3
    assert not apart.org.updates
    contact, lead = apart.contact(ADA), apart.lead("other@example.com")
    knows(apart, "1", crm_id=lead)
    apart.cycle()
    assert (apart.stage(contact), apart.stage(lead)) == ("Marketing Qualified", "Engaged")
    assert apart.store.people_by("stage", only_alone=True) == {"Suspect": 1}
    assert apart.store.people_by("stage") == alone
    apart.org.remove("Contact", contact)
    apart.cycle()
    assert apart.store.people_by("stage", only_alone=True) == {"Marketing Qualified": 1, "Suspect": 1}


def test_a_prospect_without_an_address_or_a_deed_is_anonymous(apart):
    knows(apart, "1")
    apart.cycle()
    assert apart.store.people_by("stage", only_alone=True) == {"Anonymous": 1}


@pytest.mark.parametrize(("then", "leads"), [("oldest", 0), ("newest", 1)])
def test_the_oldest_or_newest_of_several_leads_is_written(world, then, leads):
    world.mapping = MAPPING + f"identity: {{by_email: true, then: {then}}}\n"
    records = [world.lead(ADA, CreatedDate=sf_time(world.clock.now().replace(day=day))) for day in (2, 3)]
    world.cycle()
    assert written(world) == {records[leads]}
