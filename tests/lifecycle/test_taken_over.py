"""A converted lead or a merged record whose person has a past of its own: the furthest of the two, taken over once."""

from __future__ import annotations

from dataclasses import replace

import pytest

from connector.lifecycle import decide
from connector.mapping import loads
from tests.lifecycle.someone import DAY, NOW, person, stage_of, track, written

LADDER = """
stages:
  - {name: Suspect, when: {email: present}}
  - {name: Engaged, when: {activity: inbound}}
  - {name: Sales Qualified, set_by: people}
  - {name: Customer, when: {opportunity: won}}
  - {name: Disqualified, set_by: people, funnel: false}
moves: [{from: Sales Qualified, to: Suspect, when: {field: {Parked__c: true}}}]
"""
MAPPING = loads(LADDER)


def joined(lead_stage: str, contact_stage: str | None):
    """A contact known for long, and a lead that became it; the lead's stage was set by hand after the first look."""
    lead, _ = written(person(object_name="Lead"), MAPPING)
    lead, _ = written(replace(lead, fields={**lead.fields, "Lifecycle_Stage__c": lead_stage}), MAPPING, NOW + DAY)
    contact, _ = written(person(), MAPPING, NOW)
    if contact_stage is not None:
        contact = replace(contact, fields={**contact.fields, "Lifecycle_Stage__c": contact_stage})
        contact, _ = written(contact, MAPPING, NOW + DAY)
    return replace(contact, aliases=(lead.id,), former={lead.id: lead.memory}), lead


@pytest.mark.parametrize(
    ("lead_stage", "contact_stage", "after"),
    [
        ("Sales Qualified", None, "Sales Qualified"),
        ("Sales Qualified", "Customer", "Customer"),
        ("Disqualified", None, "Suspect"),
        ("Suspect", "Sales Qualified", "Sales Qualified"),
    ],
)
def test_who_becomes_a_contact_with_a_past_brings_the_further_stage_of_the_funnel(lead_stage, contact_stage, after):
    contact, _ = joined(lead_stage, contact_stage)
    assert stage_of(contact, MAPPING, NOW + 2 * DAY) == after


def test_it_is_told_whose_stage_it_was_and_the_doing_of_no_rule():
    contact, lead = joined("Sales Qualified", None)
    decided = track(decide(contact, MAPPING, NOW + 2 * DAY))
    assert (decided.verdict, decided.rule) == ("moves", "")
    assert decided.reason == f"goes on from where {lead.id} stood, which became this person"


def test_it_is_taken_over_once():
    contact, _ = joined("Sales Qualified", None)
    contact, _ = written(contact, MAPPING, NOW + 2 * DAY)
    assert stage_of(contact, MAPPING, NOW + 3 * DAY) == "Sales Qualified"
    back = replace(contact, fields={**contact.fields, "Lifecycle_Stage__c": "Engaged"})
    back, _ = written(back, MAPPING, NOW + 3 * DAY)
    assert stage_of(back, MAPPING, NOW + 4 * DAY) == "Engaged"
    parked = replace(contact, fields={**contact.fields, "Parked__c": True})
    parked, _ = written(parked, MAPPING, NOW + 3 * DAY)
    assert stage_of(replace(parked, fields={**parked.fields, "Parked__c": False}), MAPPING, NOW + 4 * DAY) == "Suspect"


def test_a_write_that_was_refused_takes_it_over_the_next_time():
    contact, _ = joined("Sales Qualified", None)
    decide(contact, MAPPING, NOW + 2 * DAY)
    assert stage_of(contact, MAPPING, NOW + 3 * DAY) == "Sales Qualified"
