"""The shipped lead-liaison mapping does what its page says."""

from __future__ import annotations

from dataclasses import replace

import pytest

from connector.lifecycle import decide, plan
from connector.mapping import load
from tests.lifecycle.someone import DAY, NOW, deal, did, person, stage_of, track, written


@pytest.fixture(scope="module")
def mapping():
    return load("lead-liaison")


def test_without_an_email_address_a_person_is_anonymous(mapping):
    assert stage_of(person(email=None), mapping) == "Anonymous"


def test_with_an_email_address_and_no_activity_a_person_is_a_suspect(mapping):
    assert stage_of(person(), mapping) == "Suspect"


def test_any_inbound_activity_engages(mapping):
    assert stage_of(person(did=[did("email_click", ago=900)]), mapping) == "Engaged"


@pytest.mark.parametrize("kind", ["email_sent", "call", "unsubscribe", "email_open"])
def test_what_was_done_to_a_person_and_opens_by_scanners_engage_nobody(mapping, kind):
    assert stage_of(person(did=[did(kind)]), mapping) == "Suspect"


@pytest.mark.parametrize("state", ["open", "lost"])
def test_a_contact_role_makes_an_opportunity_and_a_lost_one_does_not_take_it_back(mapping, state):
    assert stage_of(person(deals=[deal(state)]), mapping) == "Opportunity"


def test_a_won_deal_makes_a_customer_also_beside_open_and_lost_ones(mapping):
    assert stage_of(person(deals=[deal("open"), deal("won", "2"), deal("lost", "3")]), mapping) == "Customer"


def test_a_removed_role_takes_nobody_back(mapping):
    someone, _ = written(person(deals=[deal("open")]), mapping)
    decided = track(decide(replace(someone, opportunities=()), mapping, NOW))
    assert (decided.value, decided.verdict) == ("Opportunity", "held")
    assert "forward only" in decided.reason


@pytest.mark.parametrize("stage", ["Marketing Qualified", "Sales Qualified", "Evangelist", "Disqualified", "Other"])
def test_stages_that_people_set_are_kept(mapping, stage):
    assert stage_of(person(stage, did=[did("email_click")]), mapping) == stage


def test_a_person_who_was_sales_qualified_by_hand_goes_on_with_the_deal(mapping):
    someone, _ = written(person(did=[did("email_click")]), mapping)
    qualified = replace(someone, fields={**someone.fields, "Lifecycle_Stage__c": "Sales Qualified"})
    qualified, decision = written(qualified, mapping)
    assert track(decision).value == "Sales Qualified"
    assert stage_of(replace(qualified, opportunities=(deal("open", ago=-1),)), mapping, NOW + 2 * DAY) == "Opportunity"


def test_a_value_the_mapping_does_not_know_is_held_and_reported(mapping):
    decision = decide(person("Prospecting hard"), mapping, NOW)
    decided = track(decision)
    assert (decided.value, decided.verdict, decided.current) == (None, "held", "Prospecting hard")
    assert "not a stage of the mapping" in decided.reason
    assert plan(person("Prospecting hard"), decision, mapping) is None


def test_a_lead_is_written_to_its_own_fields(mapping):
    lead = person(object_name="Lead", did=[did("call", source="salesforce")], Status="Open - Not Contacted")
    change = plan(lead, decide(lead, mapping, NOW), mapping)
    assert change.values() == {"Lifecycle_Stage__c": "Suspect", "Status": "Working - Contacted"}


def test_a_customer_has_no_lead_status_of_ours(mapping):
    someone = person(deals=[deal("won")], did=[did("call", source="salesforce")], Lead_Status__c="Open - Not Contacted")
    assert track(decide(someone, mapping, NOW), "status").value == "Open - Not Contacted"


def test_nothing_is_written_twice(mapping):
    someone, _ = written(person(deals=[deal("won")]), mapping)
    assert plan(someone, decide(someone, mapping, NOW), mapping) is None


def test_a_prospect_without_a_record_is_decided_and_never_written(mapping):
    someone = person(object_name="Prospect", did=[did("form_submit")])
    decision = decide(someone, mapping, NOW)
    assert track(decision).value == "Engaged"
    assert plan(someone, decision, mapping) is None
