"""Fields that an org may not have are read where it has them, and missed by nobody where it has not."""

from dataclasses import dataclass, field
from datetime import timedelta

import pytest

from connector.base.errors import Refused
from connector.mapping import loads
from connector.pipeline.object_cursor import prepare_cursor
from connector.salesforce.activities import TASK_OPTIONAL_FIELDS
from connector.salesforce.objects import RELATED, polled_objects
from tests.fakes import FakeSalesforce


@dataclass
class Describing(FakeSalesforce):
    """The fake org with fields to describe; a query for another one is refused, as Salesforce does."""

    has: set[str] = field(default_factory=set)
    described: list[str] = field(default_factory=list)
    asked: set[str] = field(default_factory=set)
    unseen: set[str] = field(default_factory=lambda: {"Event"})

    def describe(self, object_name):
        self.described.append(object_name)
        if object_name in self.unseen:
            raise Refused("no such object", code="NOT_FOUND")
        return {"name": object_name, "fields": [{"name": name} for name in sorted(self.has)]}

    def read(self, reads, windows=()):
        for each in reads:
            optional = {name for name in TASK_OPTIONAL_FIELDS if f" {name}," in each.soql.replace(" FROM", ", FROM")}
            if each.name == "Task":
                self.asked = optional
            if optional - self.has:
                raise Refused("No such column", code="INVALID_FIELD")
        return super().read(reads, windows)


@pytest.fixture
def org(world):
    world.org = Describing(has={"CompletedDateTime"})
    return world.org


def task(world, **fields):
    row = {"Id": world.id("Task"), "WhoId": world.contact(), "TaskSubtype": "Call", "IsClosed": True}
    dates = {"ActivityDate": "2026-04-30", "CreatedDate": "2026-04-01T10:00:00.000+0000"}
    return world.org.put("Task", row | dates | fields)


def test_a_field_that_the_org_has_is_read(world, org):
    task(world, CompletedDateTime="2026-04-20T10:00:00.000+0000")
    world.cycle()
    assert org.asked == {"CompletedDateTime"}
    [person] = world.store.facts_of([next(iter(org.rows["Contact"]))])
    assert person.activities[0].occurred_at.isoformat() == "2026-04-20T10:00:00+00:00"


def test_one_that_it_has_not_is_left_out_and_nothing_fails(world, org):
    org.has = set()
    task(world)
    world.cycle()
    assert org.asked == set()
    [person] = world.store.facts_of([next(iter(org.rows["Contact"]))])
    assert person.activities[0].occurred_at.isoformat() == "2026-04-30T00:00:00+00:00"


def test_the_org_is_asked_once_a_day(world, org):
    world.cycle()
    world.cycle()
    assert sorted(org.described) == sorted(
        ["CampaignMember", "Contact", "Event", "Lead", "Opportunity", "Task", *RELATED]
    )
    world.wait(timedelta(days=1).total_seconds())
    world.cycle()
    assert len(org.described) == 20


def test_a_field_that_comes_later_is_read_of_old_rows_too(world, org):
    org.has = set()
    task(world, Type="Meeting", TaskSubtype="Task", CompletedDateTime="2026-04-20T10:00:00.000+0000")
    world.cycle()
    org.has = {"CompletedDateTime", "Type"}
    world.wait(timedelta(days=1).total_seconds())
    world.cycle()
    [person] = world.store.facts_of([next(iter(org.rows["Contact"]))])
    assert [each.kind for each in person.activities] == ["meeting"]


def test_a_field_that_is_taken_away_does_not_stop_the_reading(world, org):
    task(world)
    world.cycle()
    org.has = set()
    world.wait(timedelta(days=1).total_seconds())
    task(world)
    report = world.cycle()
    assert report.error == ""
    assert "CompletedDateTime" not in world.store.cursor("Task")["fields"]
    assert report.facts_changed["Task"] == 1


def test_what_is_absent_leaves_the_cursor_and_its_place_stays():
    stored = {**prepare_cursor(None, ["A", "B"]).as_json(), "full": False, "through": "2026-05-01T00:00:00+00:00"}
    assert prepare_cursor(stored, ["A"], {"B"}).as_json() == {**stored, "fields": ["A"]}
    assert prepare_cursor(stored, ["A"]).as_json() == stored


BOUNCES = "stages: [{name: Known, when: always}, {name: Bounced, when: {activity: email_bounce}}]\n"


def names(mapping):
    return {each.name: {*each.fields, *each.optional} for each in polled_objects(mapping)}


def test_what_is_read_of_salesforce_follows_the_kinds_that_the_mapping_names(world):
    mapping = loads(BOUNCES)
    assert "EmailBouncedDate" in names(mapping)["Contact"] & names(mapping)["Lead"]
    assert "EmailBouncedDate" not in names(loads(BOUNCES.replace("email_bounce", "call")))["Contact"]
    declared = (
        BOUNCES.replace("email_bounce", "call")
        + "sources: {salesforce: {kinds: [call, email_bounce, campaign_response]}}\n"
    )
    assert "EmailBouncedDate" in names(loads(declared))["Lead"]
    assert "CampaignMember" in names(loads(declared))
    other = declared.replace("salesforce", "pardot")
    assert "EmailBouncedDate" not in names(loads(other))["Lead"]
    assert {"email_bounce", "campaign_response"} <= loads(other).kinds_named()
    without = loads(BOUNCES + "sources: {salesforce: off, hubspot: off}\n")
    assert {"Task", "Event", "CampaignMember"}.isdisjoint(names(without))
    assert "EmailBouncedDate" not in names(without)["Contact"]
    assert without.off == {"salesforce", "hubspot"}


def test_all_inbound_activity_is_that_of_campaigns_too_where_the_org_shows_them(world, org):
    assert "CampaignMember" in names(loads(BOUNCES.replace("email_bounce", "inbound")))
    assert "CampaignMember" not in names(loads(BOUNCES.replace("email_bounce", "outbound")))
    member = {"CampaignId": "701000000000001AAA", "ContactId": world.contact(), "HasResponded": True}
    org.put("CampaignMember", {"Id": "00v000000000001AAA", "FirstRespondedDate": "2026-04-20", **member})
    org.unseen = {"CampaignMember"}
    assert "CampaignMember" not in world.cycle().read
    world.wait(timedelta(days=1).total_seconds())
    org.unseen = {"Event"}
    assert world.cycle().read["CampaignMember"] == 1


def test_an_object_is_read_again_in_full_as_often_as_the_mapping_says_for_what_changes_without_it(world):
    hot = "{name: Hot, when: {field: {Score__c: '>= 5'}}}"
    world.mapping = f"refresh: {{Contact: 6h}}\nstages: [{{name: Known, when: always}}, {hot}]\n"
    ann = world.contact(Score__c=1)
    world.cycle()
    world.wait(3600)
    world.cycle()
    world.org.rows["Contact"][ann]["Score__c"] = 9  # a formula: the record's stamp stays
    world.wait(3600)
    world.cycle()
    assert world.org.rows["Contact"][ann]["Lifecycle_Stage__c"] == "Known"
    world.wait(6 * 3600)
    world.cycle()
    assert world.org.rows["Contact"][ann]["Lifecycle_Stage__c"] == "Hot"
    cursor = world.store.cursor("Contact")
    assert (cursor["full"], cursor["full_rows"]) == (False, 1)
