"""Amounts of several currencies over real HTTP: compared in the rule's own, by the org's rates, and shown as both."""

from __future__ import annotations

import json
import os
from datetime import timedelta

import pytest

from connector.base.clock import FrozenClock
from connector.base.errors import ConfigurationError
from connector.commands.check import run_check
from connector.commands.explain import explain_people
from connector.commands.status import read_status
from connector.pipeline.cycle import run_cycle
from connector.pipeline.daemon import Daemon
from connector.wiring import open_pipeline
from practice_org.salesforce.schema import FieldSpec

MAPPING = """
include: lead-liaison
gate: {stage: {direction: both}}
stages: [{name: Opportunity, when: {opportunity: {where: {Amount: ">= 10000"}}}}]
"""
IN_EUROS = MAPPING.replace(">= 10000", ">= 10k EUR")


@pytest.fixture
def mine(tmp_path):
    def write(text=MAPPING):
        path = tmp_path / "mine.yaml"
        path.write_text(text)
        return {"mapping": str(path)}

    return write


@pytest.fixture
def several(site):
    site.org.use_currencies({"EUR": 1, "JPY": 160})
    return site


def deal(site, contact, amount, code=None, closes="2030-01-01"):
    row = {"Name": "Big", "StageName": "Prospecting", "CloseDate": closes, "Amount": amount}
    [made] = site.org.create("Opportunity", [row | ({"CurrencyIsoCode": code} if code else {})])
    site.org.create("OpportunityContactRole", [{"OpportunityId": made, "ContactId": contact, "Role": "Champion"}])
    return made


@pytest.mark.situation(11)
def test_fifty_thousand_yen_are_no_ten_thousand_euros(several, mine):
    ann, ben, cat = several.contacts(3)
    deal(several, ann, 50_000, "JPY")
    deal(several, ben, 1_600_000, "JPY")
    deal(several, cat, 10_000)
    several.backfill(**mine())
    assert several.stages() == {ann: "Suspect", ben: "Opportunity", cat: "Opportunity"}


@pytest.mark.situation(11)
def test_check_and_explain_show_the_amount_as_it_is_and_converted(several, mine):
    [ann] = several.contacts(1)
    yen = deal(several, ann, 50_000, "JPY")
    settings = mine()
    several.sync(**settings)
    report = run_check(several.settings(**settings))
    assert report.mistakes == []
    assert "Opportunity.Amount >= 10000 EUR = 1600000 JPY" in report.amounts
    assert "CurrencyIsoCode" in report.reads["Opportunity"]
    [found] = explain_people(several.settings(**settings), ann)
    assert f"{yen} (Prospecting, Amount 50000 JPY = 312.5 EUR)" in json.dumps(found)
    several.org.update("Opportunity", [{"Id": yen, "Amount": 3_200_000}])
    several.sync(**settings)
    [found] = explain_people(several.settings(**settings), ann)
    assert "Champion on the opportunity Big (Prospecting), Amount 3200000 JPY = 20000 EUR" in json.dumps(found)


def test_dated_rates_count_by_the_close_date(several, mine):
    several.org.use_currencies({"EUR": 1, "JPY": 160}, {"JPY": {"2026-01-01": 100}})
    old, new = several.contacts(2)
    deal(several, old, 1_000_000, "JPY", closes="2025-12-31")
    deal(several, new, 1_000_000, "JPY", closes="2026-01-01")
    several.sync(**mine())
    assert several.stages() == {old: "Suspect", new: "Opportunity"}


def test_a_changed_rate_has_people_decided_again_and_an_idle_cycle_costs_two_calls(several, mine):
    ann, ben = several.contacts(2)
    deal(several, ann, 1_000_000, "JPY")
    settings = several.settings(**mine())
    clock = FrozenClock(several.org.clock.now())
    with open_pipeline(settings, clock=clock) as pipeline:
        run_cycle(pipeline)
        run_cycle(pipeline)
        assert several.stages() == {ann: "Suspect", ben: "Suspect"}
        several.org.use_currencies({"JPY": 100})
        assert several.calls_of(lambda: run_cycle(pipeline)) == 2
        assert several.stages()[ann] == "Suspect"
        clock.sleep(timedelta(hours=1, minutes=1).total_seconds())
        report = run_cycle(pipeline)
        assert report.summary()["decided"] == 1
    assert several.stages() == {ann: "Opportunity", ben: "Suspect"}


def test_a_rule_in_another_currency_than_the_corporate_one_is_compared_in_its_own(several, mine):
    [ann] = several.contacts(1)
    deal(several, ann, 9_999)
    settings = mine(MAPPING.replace(">= 10000", ">= 1600000 JPY"))
    several.sync(**settings)
    assert several.stages()[ann] == "Suspect"
    deal(several, ann, 10_000)
    several.sync(**settings)
    assert several.stages()[ann] == "Opportunity"


def test_an_org_with_one_currency_takes_rules_in_it_and_check_tells_of_another(site, mine):
    site.org.set_only_currency("EUR")
    [ann] = site.contacts(1)
    deal(site, ann, 10_000)
    settings = mine(IN_EUROS)
    site.sync(**settings)
    assert site.stages()[ann] == "Opportunity"
    assert run_check(site.settings(**settings)).mistakes == []
    [found] = run_check(site.settings(**mine(MAPPING.replace(">= 10000", ">= 10k USD")))).mistakes
    assert found.what == "the mapping compares with amounts in USD, and the org has EUR"
    assert found.hint == "name one of EUR"


def test_a_currency_that_the_org_has_not_stops_the_cycle_and_is_told(several, mine):
    settings = mine(MAPPING.replace(">= 10000", ">= 10k CHF"))
    with pytest.raises(ConfigurationError, match="amounts in CHF, and the org has EUR, JPY"):
        several.sync(**settings)


def test_fields_of_accounts_and_of_other_objects_are_converted_and_plain_numbers_are_not(several, mine):
    [account] = several.org.create("Account", [{"Name": "A", "AnnualRevenue": 1_600_000, "CurrencyIsoCode": "JPY"}])
    several.org.update("Account", [{"Id": account, "NumberOfEmployees": 50}])
    ann, _ = several.contacts(2)
    several.org.update("Contact", [{"Id": ann, "AccountId": account}])
    rule = "{account: {AnnualRevenue: '>= 10k EUR', NumberOfEmployees: '>= 50'}}"
    several.sync(**mine("include: lead-liaison\nstages: [{name: Engaged, when: " + rule + "}]\n"))
    assert several.stages()[ann] == "Engaged"


def test_a_number_that_is_no_amount_has_no_currency_and_check_says_so(several, mine):
    rule = "include: lead-liaison\nstages: [{name: Engaged, when: {account: {NumberOfEmployees: '>= 5 EUR'}}}]\n"
    found = {each.what for each in run_check(several.settings(**mine(rule))).mistakes}
    assert "Account.NumberOfEmployees is no currency field, so nothing is in EUR" in found


def test_status_lists_objects_and_sources_and_not_the_rates(several, mine):
    several.sync(**mine())
    known = read_status(several.settings(**mine()))["cursors"]
    assert "Opportunity" in known
    assert "currencies" not in known


OF_PARENTS = """
fields: {stage: {Contact: Lifecycle_Stage__c}}
attributes: {revenue: {Contact: Account.AnnualRevenue}}
stages: [{name: Suspect, when: {email: present}}, {name: Engaged, when: RULE}]
"""
OF_ACCOUNTS = [
    "{revenue: '>= 10000'}",
    "{revenue: '>= 10k EUR'}",
    "{opportunity: {where: {Account.AnnualRevenue: '>= 10000'}}}",
    "{account: {Parent.AnnualRevenue: '>= 10k EUR'}}",
]


@pytest.mark.parametrize("rule", OF_ACCOUNTS)
def test_amounts_of_parents_are_converted_by_the_parents_currency(several, mine, rule):
    """Contacts and deals are in euros, their accounts and the parents of these in yen."""
    ann, ben = several.contacts(2)
    for contact, amount in ((ann, 1_600_000), (ben, 50_000)):
        yen = {"Name": "A", "AnnualRevenue": amount, "CurrencyIsoCode": "JPY"}
        [parent] = several.org.create("Account", [yen])
        [account] = several.org.create("Account", [yen | {"ParentId": parent}])
        several.org.update("Contact", [{"Id": contact, "AccountId": account}])
        several.org.update("Opportunity", [{"Id": deal(several, contact, 1), "AccountId": account}])
    settings = mine(OF_PARENTS.replace("RULE", rule))
    found = run_check(several.settings(**settings))
    assert found.mistakes == []
    assert any(each.endswith("AnnualRevenue >= 10000 EUR = 1600000 JPY") for each in found.amounts)
    several.sync(**settings)
    assert several.stages() == {ann: "Engaged", ben: "Suspect"}
    for person, shown in ((ann, "1600000 JPY = 10000 EUR"), (ben, "50000 JPY = 312.5 EUR")):
        [told] = explain_people(several.settings(**settings), person)
        assert shown in json.dumps(told)


def test_a_changed_rate_decides_again_whose_parents_are_in_that_currency(several, mine):
    [ann] = several.contacts(1)
    [account] = several.org.create("Account", [{"Name": "A", "AnnualRevenue": 1_000_000, "CurrencyIsoCode": "JPY"}])
    several.org.update("Contact", [{"Id": ann, "AccountId": account}])
    settings = several.settings(**mine(OF_PARENTS.replace("RULE", OF_ACCOUNTS[0])))
    clock = FrozenClock(several.org.clock.now())
    with open_pipeline(settings, clock=clock) as pipeline:
        run_cycle(pipeline)
        assert several.stages() == {ann: "Suspect"}
        several.org.use_currencies({"JPY": 100})
        clock.sleep(3660)
        run_cycle(pipeline)
    assert several.stages() == {ann: "Engaged"}


def test_an_org_with_several_currencies_is_set_up_from_check_to_the_daemon(several, mine, shell):
    several.org.use_currencies({"EUR": 1, "JPY": 160}, {"JPY": {"2026-01-01": 100}})
    old, new, later = several.contacts(3)
    deal(several, old, 1_000_000, "JPY", closes="2025-12-31")
    deal(several, new, 1_000_000, "JPY", closes="2026-01-01")
    settings = mine(IN_EUROS)
    shell.env = several.practice.environment() | {
        "CONNECTOR_STATE": str(several.state), "CONNECTOR_MAPPING": settings["mapping"],
    }  # fmt: skip
    done = shell("check")
    assert (done.returncode, "compared: Opportunity.Amount >= 10000 EUR = 1600000 JPY" in done.stdout) == (0, True)
    assert shell("backfill").returncode == 0
    assert several.stages() == {old: "Suspect", new: "Opportunity", later: "Suspect"}
    deal(several, later, 1_000_000, "JPY", closes="2026-02-01")
    with several.pipeline(**settings) as pipeline:
        Daemon(pipeline, beats=several.state.parent / "beats").tick()
    assert several.stages()[later] == "Opportunity"
    said = {each: " ".join(shell("explain", each).stdout.split()) for each in (old, later)}
    assert "Amount 1000000 JPY = 6250 EUR" in said[old]
    assert "Amount 1000000 JPY = 10000 EUR" in said[later]


OF_ACTIVITIES = """
fields: {stage: {Contact: Lifecycle_Stage__c}}
stages: [{name: Suspect, when: {email: present}}, {name: Engaged, when: RULE}]
"""
BUDGETS = [
    ("Task", "{activity: {kind: task, where: {Budget__c: '>= 10000'}}}"),
    ("Event", "{activity: {kind: meeting, where: {Budget__c: '>= 10k EUR'}}}"),
    ("CampaignMember", "{activity: {kind: campaign_response, where: {Budget__c: '>= 10k EUR'}}}"),
    ("OpportunityContactRole", "{opportunity: {role_where: {Budget__c: '>= 10k EUR'}}}"),
]


def budget(org, of, person, amount):
    """A record of somebody with an amount in yen."""
    row = {"Budget__c": amount, "CurrencyIsoCode": "JPY"}
    day = "2026-01-01T09:00:00Z"
    if of == "Task":
        row |= {"WhoId": person, "Subject": "Offer", "Status": "Completed"}
    elif of == "Event":
        row |= {"WhoId": person, "Subject": "Visit", "StartDateTime": day, "DurationInMinutes": 30}
    elif of == "CampaignMember":
        [campaign] = org.create("Campaign", [{"Name": "Fair"}])
        row |= {"CampaignId": campaign, "ContactId": person, "Status": "Responded"}
    else:
        [deal] = org.create("Opportunity", [{"Name": "Big", "StageName": "Prospecting", "CloseDate": "2030-01-01"}])
        row |= {"OpportunityId": deal, "ContactId": person, "Role": "Champion"}
    org.create(of, [row])


@pytest.mark.parametrize(("of", "rule"), BUDGETS)
def test_amounts_of_activities_and_of_roles_are_converted(several, mine, of, rule):
    for each in ("Task", "Event") if of in {"Task", "Event"} else (of,):  # which have the same custom fields
        several.org.define(each, [FieldSpec("Budget__c", "currency", precision=18, scale=2)])
    several.org.use_currencies({"EUR": 1, "JPY": 160})
    ann, ben = several.contacts(2)
    budget(several.org, of, ann, 1_600_000)
    budget(several.org, of, ben, 50_000)
    settings = several.settings(**mine(OF_ACTIVITIES.replace("RULE", rule)))
    found = run_check(settings)
    assert found.mistakes == []
    assert f"{of}.Budget__c >= 10000 EUR = 1600000 JPY" in found.amounts
    clock = FrozenClock(several.org.clock.now())
    with open_pipeline(settings, clock=clock) as pipeline:
        run_cycle(pipeline)
        assert several.stages() == {ann: "Engaged", ben: "Suspect"}
        [told] = explain_people(settings, ann)
        assert "Budget__c 1600000 JPY = 10000 EUR" in json.dumps(told)
        [told] = explain_people(settings, ben)
        assert "Budget__c 50000 JPY = 312.5 EUR" in json.dumps(told)
        several.org.use_currencies({"JPY": 5})
        clock.sleep(3660)
        run_cycle(pipeline)
    assert several.stages() == {ann: "Engaged", ben: "Engaged"}


@pytest.mark.parametrize("bound", [">= 10000", ">= 10k EUR"])
def test_the_amount_of_another_systems_deal_is_converted_where_a_rule_looks_at_it_as_an_activity(
    several, mine, tmp_path, bound
):
    ann, ben = several.contacts(2)
    addresses = [several.org.rows(f"SELECT Email FROM Contact WHERE Id = '{each}'")[0]["Email"] for each in (ann, ben)]
    rows = zip(addresses, (1_600_000, 50_000), strict=True)
    lines = [f"d-{email},2026-01-01T09:00:00Z,deal,{email},{amount},JPY\n" for email, amount in rows]
    (tmp_path / "drop").mkdir()
    (tmp_path / "drop" / "deals.csv").write_text("event_id,occurred_at,type,email,amount,currency\n" + "".join(lines))
    os.utime(tmp_path / "drop" / "deals.csv", (0, 0))
    rule = "{activity: {kind: deal, where: {amount: '" + bound + "'}}}"
    several.sync(activity_folder=str(tmp_path / "drop"), **mine(OF_ACTIVITIES.replace("RULE", rule)))
    assert several.stages() == {ann: "Engaged", ben: "Suspect"}
