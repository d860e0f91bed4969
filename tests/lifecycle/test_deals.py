"""Opportunities: filters, precedence, without contact roles; the account's stage."""

from __future__ import annotations

from dataclasses import replace

import pytest

from connector.base.facts import OpportunityRole
from connector.lifecycle import decide, roll_up
from connector.mapping import loads
from tests.lifecycle.someone import DAY, NOW, deal, did, person, stage_of, track, written

LADDER = """
stages:
  - {name: Known, when: always}
  - {name: Opportunity, when: {opportunity: %s}}
  - {name: Customer, when: {opportunity: won}}
"""


@pytest.mark.parametrize(
    ("asked", "fits", "does_not"),
    [
        ("{role: [Champion]}", {"role": {"Role": "Champion"}}, {"role": {"Role": "Other"}}),
        ("{primary: true}", {"role": {"IsPrimary": True}}, {"role": {"IsPrimary": False}}),
        ("{role_where: {Region__c: North}}", {"role": {"Region__c": "North"}}, {"role": {}}),
        ("{where: {RecordTypeId: 012A}}", {"RecordTypeId": "012A"}, {"RecordTypeId": "012B"}),
        ("{where: {Type: New Business}}", {"Type": "New Business"}, {"Type": "Renewal"}),
        ("{where: {Amount: '>= 1000'}}", {"Amount": 1000.0}, {"Amount": 999.9}),
        ("{where: {Amount: '>= 1000'}}", {"Amount": 1000.0}, {"Amount": None}),
        ("{where: {Pipeline__c: [EU, US]}}", {"Pipeline__c": "eu"}, {"Pipeline__c": "Asia"}),
    ],
)
def test_filters_look_at_the_opportunity_and_at_the_role(asked, fits, does_not):
    mapping = loads(LADDER % asked)
    assert stage_of(person(deals=[deal("open", **fits)]), mapping) == "Opportunity"
    assert stage_of(person(deals=[deal("open", **does_not)]), mapping) == "Known"


def test_two_roles_on_one_opportunity_count_once_and_several_primaries_change_nothing():
    twice = [deal("open"), replace(deal("open"), role_id="00K9")]
    mapping = loads(LADDER % "{state: any, count: 2}")
    assert stage_of(person(deals=twice), mapping) == "Known"
    assert stage_of(person(deals=[deal("open"), deal("open", "2")]), mapping) == "Opportunity"
    decided = track(decide(person(deals=twice), loads(LADDER % "any"), NOW))
    assert len(decided.evidence) == 1


@pytest.mark.parametrize(
    ("precedence", "stage"),
    [
        ("won > open > lost", "Customer"),
        ("open > won > lost", "Opportunity"),
        ("newest", "Opportunity"),
        ("primary", "Customer"),
    ],
)
def test_precedence_among_several_is_an_explicit_choice(precedence, stage):
    mapping = loads(
        LADDER % "open" + f"opportunities: {{precedence: {precedence}}}\ngate: {{stage: {{direction: both}}}}\n"
    )
    deals = [deal("won", "1", ago=50), deal("open", "2", ago=5, role={"IsPrimary": False}), deal("lost", "3", ago=90)]
    assert stage_of(person(deals=deals), mapping) == stage


def test_all_lost_needs_a_deal_and_every_one_of_them_lost():
    mapping = loads("stages: [{name: Known, when: always}, {name: Lost, when: {opportunity: all_lost}}]\n")
    assert stage_of(person(), mapping) == "Known"
    assert stage_of(person(deals=[deal("lost"), deal("open", "2")]), mapping) == "Known"
    assert stage_of(person(deals=[deal("lost"), deal("lost", "2")]), mapping) == "Lost"


def test_a_removed_role_and_a_deleted_deal_are_the_same_to_a_rule():
    mapping = loads(LADDER % "any" + "moves: [{from: Opportunity, to: Known, when: {opportunity: none}}]\n")
    someone, _ = written(person(deals=[deal("open")]), mapping)
    assert stage_of(replace(someone, opportunities=()), mapping) == "Known"


ROLELESS = OpportunityRole("", "0069", {"Via": "account"}, deal("open", "9").opportunity)
CONVERTED = replace(ROLELESS, role={"Via": "conversion"})


def roleless(policy, *roles, **facts):
    mapping = loads(LADDER % "any" + f"opportunities: {{{policy}}}\n")
    return stage_of(replace(person(**facts), account_opportunities=roles), mapping)


def test_opportunities_without_contact_roles_move_nobody_unless_asked():
    assert roleless("without_roles: ignore", ROLELESS, CONVERTED) == "Known"


def test_they_move_the_primary_contact_of_the_account():
    policy = "without_roles: primary_contact, primary_contact_field: Primary__c"
    assert roleless(policy, ROLELESS, account={"Primary__c": "003000000000001"}) == "Opportunity"
    assert roleless(policy, ROLELESS, account={"Primary__c": "003000000000002AAA"}) == "Known"


def test_they_move_contacts_with_recent_activity():
    policy = "without_roles: active_contacts, active_within: 90d"
    assert roleless(policy, ROLELESS, did=[did("call", 20)]) == "Opportunity"
    assert roleless(policy, ROLELESS, did=[did("call", 100)]) == "Known"


def test_they_move_the_contact_of_the_converted_lead():
    assert roleless("without_roles: [converted_lead]", CONVERTED) == "Opportunity"
    assert roleless("without_roles: [converted_lead]", ROLELESS) == "Known"


LIFT = LADDER % "any" + "rules: [{name: lift, when: {account_stage: '>= Opportunity'}, then: {stage: Opportunity}}]\n"


def test_an_account_is_as_far_as_its_furthest_person():
    mapping = loads(LIFT)
    assert roll_up(["Known", None, "Customer", "Nonsense"], mapping) == "Customer"
    assert roll_up([None], mapping) is None


def test_what_the_account_gives_does_not_lift_those_who_gave_it():
    mapping = loads(LIFT)
    _, lifted = written(replace(person(), account_stage="Customer"), mapping)
    assert track(lifted).value == "Opportunity"
    assert track(lifted).memory["own"] == "Known"
    _, own = written(person(deals=[deal("won")]), mapping)
    assert track(own).memory["own"] == "Customer"


def test_a_planned_closing_date_changes_the_answer_when_it_comes():
    mapping = loads(LADDER % "{where: {CloseDate: {ahead: 10d}}}" + "gate: {stage: {direction: both}}\n")
    someone, decision = written(person(deals=[deal("open", CloseDate="2026-06-20")]), mapping)
    assert (track(decision).value, decision.review_at) == ("Known", NOW.replace(hour=0) + 9 * DAY)
    assert stage_of(someone, mapping, NOW.replace(hour=0) + 9 * DAY) == "Opportunity"
    assert stage_of(someone, mapping, NOW + 30 * DAY) == "Known"


DEALS = "sources: {lead-liaison: {through: webhook, deals: opportunities}}\n"


def told(state, key="7", ago=10, name="Big one", **attributes):
    """A deal as the hook of another system tells it."""
    key = f"lead-liaison:deal-{key}"
    return did("deal", ago, key, name, source="webhook", hook="lead-liaison", state=state, **attributes)


@pytest.mark.parametrize(("state", "stage"), [("open", "Opportunity"), ("won", "Customer"), ("lost", "Known")])
def test_a_deal_of_another_system_counts_like_an_opportunity_where_the_mapping_says_so(state, stage):
    someone = person(did=[told(state)])
    assert stage_of(someone, loads(LADDER % "open" + DEALS)) == stage
    assert stage_of(someone, loads(LADDER % "open")) == "Known"
    assert stage_of(someone, loads(LADDER % "open" + DEALS.replace("opportunities", "activities"))) == "Known"
    assert (
        stage_of(person(did=[replace(told(state), attributes={"state": state})]), loads(LADDER % "open" + DEALS))
        == "Known"
    )


@pytest.mark.parametrize(
    ("asked", "fits", "does_not"),
    [
        ("{where: {Amount: '>= 1000'}}", {"amount": "1500.50"}, {"amount": "999"}),
        ("{where: {Amount: '>= 1000'}}", {"Amount": 1000}, {"amount": "a lot"}),
        ("{where: {StageName: Proposal}}", {"stage": "proposal"}, {"stage": "Demo"}),
        ("{where: {Name: {contains: big}}}", {"name": "Big one"}, {"name": "Small"}),
        ("{where: {CloseDate: {ahead: 10d}}}", {"close_date": "2026-06-05"}, {"close_date": "2026-07-05"}),
        ("{where: {LeadSource: Web}}", {"lead_source": "web"}, {"lead_source": "Fair"}),
        ("{where: {Region__c: North}}", {"Region__c": "North"}, {"region": "North"}),
    ],
)
def test_its_attributes_are_fields_as_salesforce_writes_them(asked, fits, does_not):
    mapping = loads(LADDER % asked + DEALS)
    assert stage_of(person(did=[told("open", **fits)]), mapping) == "Opportunity"
    assert stage_of(person(did=[told("open", **does_not)]), mapping) == "Known"


@pytest.mark.parametrize("asked", ["{role: [Champion]}", "{primary: true}", "{primary: false}"])
def test_it_has_no_contact_role_and_is_neither_primary_nor_not(asked):
    assert stage_of(person(did=[told("open")]), loads(LADDER % asked + DEALS)) == "Known"


def test_it_counts_together_with_the_opportunities_of_salesforce():
    two = loads(LADDER % "{state: any, count: 2}" + DEALS)
    assert stage_of(person(deals=[deal("open")]), two) == "Known"
    assert stage_of(person(deals=[deal("open")], did=[told("open")]), two) == "Opportunity"
    lost = loads("stages: [{name: Known, when: always}, {name: Lost, when: {opportunity: all_lost}}]\n" + DEALS)
    assert stage_of(person(deals=[deal("lost")], did=[told("lost")]), lost) == "Lost"
    assert stage_of(person(deals=[deal("lost")], did=[told("open")]), lost) == "Known"
    nothing = loads("stages: [{name: Known, when: always}, {name: No, when: {opportunity: none}}]\n" + DEALS)
    assert stage_of(person(did=[told("open")]), nothing) == "Known"


@pytest.mark.parametrize(
    ("precedence", "stage"),
    [("won > open > lost", "Customer"), ("open > won > lost", "Opportunity"), ("newest", "Opportunity")],
)
def test_precedence_ranks_deals_and_opportunities_alike(precedence, stage):
    mapping = loads(
        LADDER % "open" + f"opportunities: {{precedence: {precedence}}}\ngate: {{stage: {{direction: both}}}}\n" + DEALS
    )
    assert stage_of(person(deals=[deal("won", ago=50)], did=[told("open", ago=5)]), mapping) == stage


def test_a_move_waits_until_all_deals_are_lost_in_both_systems():
    move = "moves: [{from: Opportunity, to: Known, when: {opportunity: all_lost}, after: 5d}]\n"
    mapping = loads(LADDER % "any" + move + DEALS)
    someone, _ = written(person(deals=[deal("lost", ago=20)], did=[told("open")]), mapping)
    assert stage_of(someone, mapping, NOW + 30 * DAY) == "Opportunity"
    lost, decision = written(replace(someone, activities=(told("lost", ago=1),)), mapping)
    assert (track(decision).value, decision.review_at) == ("Opportunity", NOW + 4 * DAY)
    assert stage_of(lost, mapping, NOW + 6 * DAY) == "Known"


def test_the_evidence_names_the_source_and_the_deal():
    decided = track(decide(person(did=[told("won", stage="Closed Won")]), loads(LADDER % "open" + DEALS), NOW))
    (evidence,) = decided.evidence
    assert (evidence.kind, evidence.ref) == ("opportunity", "webhook:lead-liaison:deal-7")
    assert evidence.text == "deal of lead-liaison: Big one (Closed Won)"
    assert evidence.at == NOW - 10 * DAY


def test_the_evidence_says_how_an_opportunity_without_roles_came_to_the_person():
    mapping = loads(LADDER % "any" + "opportunities: {without_roles: [converted_lead]}\n")
    decided = track(decide(replace(person(), account_opportunities=(CONVERTED,)), mapping, NOW))
    assert decided.evidence[0].text == "opportunity of the converted lead Deal 9 (Prospecting)"
