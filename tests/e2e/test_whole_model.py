"""What a mapping can say comes true in an org, over real HTTP: tags, dates, attributes, metrics, conversions, merges,
hand-offs by weight, recycling and time. The org, its marketing system and the connector follow one clock."""

from datetime import UTC, datetime, timedelta

import pytest

from connector.base.clock import FrozenClock
from connector.commands import practice
from connector.commands.practice import Practice
from connector.pipeline.cycle import run_cycle
from connector.wiring import load_mapping, open_pipeline
from practice_org.pardot.system import Pardot
from practice_org.salesforce.org import PracticeOrg
from practice_org.salesforce.schema import FieldSpec, Value
from practice_org.serving.server import Server

START = datetime(2026, 5, 4, 9, tzinfo=UTC)
CLICK, FORM = 1, 4  # visitor activity types
STAGE = "Lifecycle_Stage__c"


class Company:
    """An org with a mapping, and a clock for all."""

    def __init__(self, served, clock, folder):
        self.served, self.clock, self.folder = served, clock, folder
        self.org, self.pardot = served.org, served.pardot

    def says(self, mapping, **types):
        """The mapping; the fields that it writes, of the given types (else picklists)."""
        path = self.folder / "mine.yaml"
        path.write_text(mapping)
        self.settings = self.served.settings(state=str(self.folder / "state.sqlite3"), mapping=str(path))
        for name, spec in types.items():
            for object_name in ("Contact", "Lead"):
                self.org.define(object_name, [FieldSpec(name, **spec)])
        practice.add_fields(self.org, load_mapping(self.settings))

    def cycle(self, after=timedelta(0)):
        self.clock.sleep(after.total_seconds())
        with open_pipeline(self.settings, clock=self.clock) as pipeline:
            return run_cycle(pipeline)

    def contact(self, email="ann@example.com", **fields):
        return self.org.create("Contact", [{"LastName": "Ann", "Email": email, **fields}])[0]

    def lead(self, email="lea@example.com", **fields):
        return self.org.create("Lead", [{"LastName": "Lea", "Company": "Acme", "Email": email, **fields}])[0]

    def does(self, email, kind=CLICK, **fields):
        known = {each["email"]: each["id"] for each in self.pardot.prospects()}
        prospect = known.get(email) or self.pardot.add_prospects([{"email": email}])[0]
        self.pardot.add_activities([{"type": kind, "prospectId": prospect, **fields}])

    def deal(self, contact, stage="Prospecting", **fields):
        row = {"Name": "Deal", "StageName": stage, "CloseDate": self.clock.now().date().isoformat(), **fields}
        deal = self.org.create("Opportunity", [row])[0]
        self.org.create("OpportunityContactRole", [{"ContactId": contact, "OpportunityId": deal}])
        return deal

    def user(self, name):
        row = {"LastName": name, "Username": f"{name}@sales.example", "Email": f"{name}@example.com", "IsActive": True}
        return self.org.create("User", [row])[0]

    def row(self, record, *fields):
        name = {"003": "Contact", "00Q": "Lead"}[record[:3]]
        (row,) = self.org.rows(f"SELECT {', '.join(fields or (STAGE,))} FROM {name} WHERE Id = '{record}'")
        found = tuple(row[field] for field in fields or (STAGE,))
        return found if fields else found[0]


@pytest.fixture
def company(tmp_path):
    clock = FrozenClock(START)
    org = PracticeOrg(clock=clock)
    pardot = Pardot(org)
    try:
        with Server(org, port=0, extra_routes=pardot.routes) as server:
            yield Company(Practice(org, pardot, server.url), clock, tmp_path)
    finally:
        org.close()


DAY = timedelta(days=1)
DATE, NUMBER = {"type": "date"}, {"type": "double", "precision": 18, "scale": 0}
LABELS = ("Webinar", "Active", "VIP", "Press")
TAGS = {"type": "multipicklist", "values": tuple(Value(each, each) for each in LABELS), "restricted": True}


def test_tags_in_a_multi_select_come_and_go_and_those_of_others_stay(company):
    company.says(
        """
stages: [{name: Known, when: always}]
fields: {tags: Tags__c}
tags:
  - {name: Webinar, when: {activity: form_submit}, keep: true}
  - {name: Active, when: {activity: {direction: inbound, within: 30d}}}
""",
        Tags__c=TAGS,
    )
    ann = company.contact(Tags__c="VIP;Press")
    company.does("ann@example.com", FORM)
    company.cycle()
    assert set(company.row(ann, "Tags__c")[0].split(";")) == {"VIP", "Press", "Webinar", "Active"}
    company.org.update("Contact", [{"Id": ann, "Tags__c": "VIP;Webinar;Active"}])  # somebody takes Press away
    company.cycle(DAY)
    company.cycle(30 * DAY)
    assert set(company.row(ann, "Tags__c")[0].split(";")) == {"VIP", "Webinar"}


def test_stage_dates_are_written_inferred_at_first_and_observed_later(company):
    company.says(
        """
include: lead-liaison
fields: {highest_stage: Highest__c}
dates: {entered: "{stage}_In__c", exited: "{stage}_Out__c", days: "{stage}_Days__c", how: "{stage}_How__c"}
moves: [{from: Opportunity, to: Engaged, when: {opportunity: all_lost}}]
""",
        **{f"{stage}_{what}__c": DATE for stage in ("Suspect", "Engaged", "Opportunity") for what in ("In", "Out")},
        **{f"{stage}_Days__c": NUMBER for stage in ("Suspect", "Engaged", "Opportunity")},
    )
    ann = company.contact()
    company.does("ann@example.com", createdAt=int((START - 10 * DAY).timestamp()))
    company.cycle()
    assert company.row(ann, STAGE, "Engaged_In__c", "Engaged_How__c") == ("Engaged", "2026-05-04", "inferred")
    company.clock.sleep((5 * DAY).total_seconds())
    deal = company.deal(ann)
    company.cycle()
    assert company.row(ann, "Engaged_Out__c", "Engaged_Days__c", "Opportunity_In__c", "Opportunity_How__c") == (
        *("2026-05-09", 5),
        *("2026-05-09", "observed"),
    )
    company.org.update("Opportunity", [{"Id": deal, "StageName": "Closed Lost"}])
    company.cycle(DAY)
    assert company.row(ann, STAGE, "Highest__c", "Opportunity_Days__c") == ("Engaged", "Opportunity", 1)
    assert company.cycle(DAY).written == 0


def test_attributes_and_metrics_of_the_record_and_its_account_decide(company):
    company.says("""
stages:
  - {name: Known, when: {email: present}}
  - {name: Busy, when: {activity: {direction: inbound, within: 7d, count: 3}}}
  - {name: Target, when: {all: [{title: {contains: head}}, {account: {Industry: Banking}}, {score: ">= 20"}]}}
score: {points: [{activity: inbound, points: 10}]}
gate: {stage: {direction: both}}
""")
    bank, shop = company.org.create(
        "Account", [{"Name": "Bank", "Industry": "Banking"}, {"Name": "Shop", "Industry": "Retail"}]
    )
    one = company.contact("one@example.com", Title="Head of IT", AccountId=bank)
    two = company.contact("two@example.com", Title="Head of IT", AccountId=shop)
    for email, times in (("one@example.com", 2), ("two@example.com", 3)):
        for _ in range(times):
            company.does(email)
            company.clock.sleep(60)  # a scanner does several within a second
    company.cycle()
    assert [company.row(each) for each in (one, two)] == ["Target", "Busy"]
    company.org.update("Account", [{"Id": bank, "Industry": "Energy"}])
    company.cycle(8 * DAY)
    assert [company.row(each) for each in (one, two)] == ["Known", "Known"]


HAND_OFF = """
include: lead-liaison
stages: [{name: Sales Qualified, set_by: people}]
score: {points: [{activity: form_submit, points: 40}]}
thresholds: {ready: {at: 40}}
handoff: {when: {threshold: ready}, unless: never, owner: [{user: ann@sales.example}]}
fields: {score: Score__c}
"""


def test_a_converted_lead_carries_its_history_to_the_contact(company):
    company.says(HAND_OFF, Score__c=NUMBER)
    ann, ben = company.user("ann"), company.user("ben")
    lea = company.lead()
    company.does("lea@example.com", FORM)
    company.cycle()
    assert company.row(lea, STAGE, "OwnerId", "Score__c") == ("Engaged", ann, 40)
    company.org.update("Lead", [{"Id": lea, STAGE: "Sales Qualified"}])
    company.cycle(DAY)
    contact = company.org.convert_lead(lea, opportunity=False)["ContactId"]
    company.org.update("Contact", [{"Id": contact, "OwnerId": ben}])
    company.cycle(DAY)
    assert company.row(contact, STAGE, "Score__c", "OwnerId") == ("Sales Qualified", 40, ben), "handed over once"
    with open_pipeline(company.settings, clock=company.clock) as pipeline:
        history = pipeline.store.history(contact)
    assert "Engaged" in {each["new"] for each in history if each["track"] == "stage"}, "as a lead"


def test_what_two_duplicates_did_counts_together_after_the_merge(company):
    company.says(HAND_OFF.replace("at: 40", "at: 80"), Score__c=NUMBER)
    ann = company.user("ann")
    winner, loser = company.contact("a@example.com"), company.contact("b@example.com")
    for email in ("a@example.com", "b@example.com"):
        company.does(email, FORM)
    deal = company.deal(loser)
    company.cycle()
    assert [company.row(each) for each in (winner, loser)] == ["Engaged", "Opportunity"]
    company.org.merge("Contact", winner, [loser])
    company.cycle(DAY)
    assert company.row(winner, STAGE, "Score__c", "OwnerId") == ("Opportunity", 80, ann)
    company.org.update("Opportunity", [{"Id": deal, "StageName": "Closed Won"}])
    company.cycle(DAY)
    assert company.row(winner) == "Customer"


@pytest.mark.parametrize("how", ["merge", "conversion"])
def test_who_becomes_a_contact_known_before_brings_the_further_stage(company, how):
    company.says("include: lead-liaison\n")
    known = company.contact("a@example.com")
    other = company.contact("b@example.com") if how == "merge" else company.lead("b@example.com")
    company.does("a@example.com")
    company.cycle()
    company.org.update("Contact" if how == "merge" else "Lead", [{"Id": other, STAGE: "Sales Qualified"}])
    company.cycle(DAY)
    assert [company.row(each) for each in (known, other)] == ["Engaged", "Sales Qualified"]
    if how == "merge":
        company.org.merge("Contact", known, [other])
    else:
        account = company.org.create("Account", [{"Name": "Acme"}])[0]
        company.org.update("Contact", [{"Id": known, "AccountId": account}])
        company.org.convert_lead(other, contact_id=known, account_id=account, opportunity=False)
    company.cycle(DAY)
    assert company.row(known) == "Sales Qualified"
    company.org.update("Contact", [{"Id": known, STAGE: "Engaged"}])
    company.cycle(DAY)
    company.cycle(DAY)
    assert company.row(known) == "Engaged", "a person set it back"


def test_owners_get_leads_by_weight_and_the_rest_goes_to_a_queue(company):
    company.says("""
stages: [{name: Lead, when: always}]
handoff:
  when: {email: present}
  owner:
    - {when: {country: DE}, weights: {ann@sales.example: 3, ben@sales.example: 1}}
    - {queue: Inbound Leads}
""")
    ann, ben = company.user("ann"), company.user("ben")
    queue = company.org.rows("SELECT Id FROM Group WHERE Type = 'Queue'")[0]["Id"]
    german = [company.lead(f"de{n}@example.com", Country="DE") for n in range(12)]
    french = [company.lead(f"fr{n}@example.com", Country="FR") for n in range(3)]
    company.cycle()
    owners = [company.row(each, "OwnerId")[0] for each in german]
    assert (owners.count(ann), owners.count(ben)) == (9, 3)
    assert {company.row(each, "OwnerId")[0] for each in french} == {queue}


def test_recycling_waits_for_its_cool_off_and_starts_the_score_afresh(company):
    company.says(
        """
stages:
  - {name: Lead, when: always}
  - {name: Ready, when: {threshold: ready}}
  - {name: Recycled, set_by: people}
score: {points: [{activity: form_submit, points: 40}, {activity: email_click, points: 10}]}
thresholds: {ready: {at: 40}}
fields: {score: Score__c}
moves:
  - {from: Recycled, to: Lead, when: {activity: {direction: inbound, since: stage}}, cool_off: 30d, restart: true}
""",
        Score__c=NUMBER,
    )
    ann = company.contact()
    company.does("ann@example.com", FORM)
    company.cycle()
    assert company.row(ann, STAGE, "Score__c") == ("Ready", 40)
    company.org.update("Contact", [{"Id": ann, STAGE: "Recycled"}])
    company.cycle(DAY)
    company.clock.sleep((9 * DAY).total_seconds())
    company.does("ann@example.com")
    company.cycle()
    assert company.row(ann) == "Recycled"
    company.cycle(22 * DAY)
    assert company.row(ann, STAGE, "Score__c") == ("Lead", 0)
    company.clock.sleep(DAY.total_seconds())
    company.does("ann@example.com", FORM)
    company.cycle()
    assert company.row(ann, STAGE, "Score__c") == ("Ready", 40)


def test_time_in_a_stage_is_noticed_without_a_new_fact_and_without_looking_at_everybody(company):
    company.says(
        """
include: lead-liaison
fields: {tags: Tags__c}
tags: [{name: Active, when: {stage: Opportunity, stage_for: 14d}}]
""",
        Tags__c=TAGS,
    )
    ann = company.contact()
    for number in range(20):
        company.contact(f"other{number}@example.com")
    company.deal(ann)
    company.cycle()
    company.cycle(DAY)
    calm = company.cycle(12 * DAY)
    assert (calm.people_decided, company.row(ann, "Tags__c")[0]) == (0, None)
    late = company.cycle(2 * DAY)
    assert (late.people_decided, late.written, company.row(ann, "Tags__c")[0]) == (1, 1, "Active")


def test_fields_of_parents_count_wherever_a_field_is_named(company):
    company.says(
        """
include: lead-liaison
stages:
  - {name: Marketing Qualified, set_by: rules, when: {field: {Owner.Title: Account Executive}}}
  - name: Sales Qualified
    set_by: rules
    when: {activity: {kind: campaign_response, where: {Campaign.Type: Webinar, Status: Attended}}}
  - {name: Customer, when: {account: {Owner.Title: Account Executive}}}
"""
    )
    [executive] = company.org.create(
        "User", [{"LastName": "Anna", "Username": "anna@sales.example", "Title": "Account Executive", "IsActive": True}]
    )
    account = company.org.create("Account", [{"Name": "Acme", "OwnerId": executive}])[0]
    campaign = company.org.create("Campaign", [{"Name": "Autumn", "Type": "Webinar"}])[0]
    owned, lead = company.contact(OwnerId=executive), company.lead(OwnerId=executive)
    guest, colleague = company.contact("ben@example.com"), company.contact("clara@example.com", AccountId=account)
    member = {"CampaignId": campaign, "ContactId": guest, "Status": "Attended", "HasResponded": True}
    company.org.create("CampaignMember", [member])
    company.cycle()
    assert [company.row(each) for each in (owned, lead)] == ["Marketing Qualified"] * 2
    assert company.row(guest) == "Sales Qualified"
    assert company.row(colleague) == "Customer"
