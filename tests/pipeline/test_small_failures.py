"""A failure is as small as its cause: one field, one object. Everything else goes on, and it is told."""

import re
from dataclasses import dataclass, field, replace
from datetime import timedelta

import pytest

from connector.base.errors import Refused
from connector.mapping import loads
from connector.pipeline.blind import BLIND
from connector.pipeline.hidden import HIDDEN_FIELDS
from connector.salesforce.objects import polled_objects
from tests.fakes import FakeSalesforce

BOTH_WAYS = """
gate:
  stage: {direction: both}
fields:
  stage: {Contact: Lifecycle_Stage__c, Lead: Lifecycle_Stage__c}
stages:
  - {name: Suspect, when: {email: present}}
  - {name: Rated, when: {field: {Rating__c: Hot}}}
  - {name: Opportunity, when: {opportunity: open}}
"""


PARENTS = {"AccountId": "Account"}


@dataclass
class Secretive(FakeSalesforce):
    """Hides fields, and takes too long over objects with more rows than it can bear."""

    hides: set[tuple[str, str]] = field(default_factory=set)
    bears: dict[str, int] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def describe(self, object_name):
        names = {
            field for each in polled_objects(loads(BOTH_WAYS)) if each.name == object_name for field in each.fields
        }
        hidden = {name for of, name in self.hides if of == object_name}
        return {
            "name": object_name,
            "fields": [{"name": name, "relationshipName": PARENTS.get(name)} for name in sorted(names - hidden)],
        }

    def read(self, reads, windows=()):
        refused, rest = {}, []
        for each in reads:
            self.asked.append(each.soql)
            if error := self._refusal(each):
                if not each.alone:
                    raise error
                refused[each.name] = error
            else:
                rest.append(each)
        answers = super().read(rest, windows)
        return replace(answers, refused={**answers.refused, **refused})

    def _refusal(self, each):
        columns = re.findall(r"[\w.]+", each.soql.partition(" FROM ")[0])
        for name in columns:
            if (each.name.partition(":")[0], name) in self.hides:
                return Refused(
                    f"400 INVALID_FIELD: No such column '{name.rpartition('.')[2]}' on entity", code="INVALID_FIELD"
                )
        if each.name in self.bears and len(self._select(each)) > self.bears[each.name]:
            return Refused("400 QUERY_TIMEOUT: running for too long", code="QUERY_TIMEOUT")
        return None


@pytest.fixture
def org(world):
    world.org = Secretive()
    world.mapping = BOTH_WAYS
    world.ann = world.contact("ann@example.com", Rating__c="Hot", AccountId="001000000000001AAA")
    world.ben = world.contact("ben@example.com", Rating__c=None, AccountId="001000000000001AAA")
    world.role(world.ben, world.deal())
    return world


def stages(org):
    return [org.stage(each) for each in (org.ann, org.ben)]


@pytest.mark.parametrize(
    "hidden",
    [("Contact", "AccountId"), ("OpportunityContactRole", "IsPrimary"), ("Event", "IsRecurrence"), ("Lead", "Name")],
)
def test_one_field_that_is_hidden_stops_nobody(org, hidden):
    org.org.hides.add(hidden)
    report = org.cycle()
    assert (stages(org), report.exit_code) == (["Rated", "Opportunity"], 3)
    assert report.hidden == {hidden[0]: [hidden[1]]}
    assert report.as_dict()["hidden_fields"] == {hidden[0]: [hidden[1]]}


def test_a_field_that_is_withdrawn_counts_as_it_was_last_seen(org):
    org.cycle()
    org.org.hides |= {("Contact", "Rating__c"), ("Contact", "AccountId")}
    org.org.put("Contact", {"Id": org.ann, "Phone": "1"})
    report = org.cycle()
    assert (stages(org), report.blind) == (["Rated", "Opportunity"], [])
    assert org.store.records([org.ann])[org.ann]["Rating__c"] == "Hot"


def test_without_a_field_an_idle_cycle_costs_no_more(org):
    org.org.hides.add(("Contact", "AccountId"))
    org.cycle()
    org.cycle()
    before = sum(org.org.calls().values())
    asked = len(org.org.asked)
    org.cycle()
    first = sum(org.org.calls().values()) - before
    assert not any("AccountId" in soql for soql in org.org.asked[asked:] if "FROM Contact" in soql)
    org.org.hides.clear()
    org.wait(86400)
    org.cycle()
    before = sum(org.org.calls().values())
    org.cycle()
    assert sum(org.org.calls().values()) - before == first


def test_a_field_that_is_shown_again_is_read_of_every_row(org):
    org.cycle()
    org.org.hides.add(("Contact", "Rating__c"))
    org.org.put("Contact", {"Id": org.ann, "Phone": "1"})
    org.cycle()
    org.org.rows["Contact"][org.ben]["Rating__c"] = "Hot"
    org.org.hides.clear()
    org.wait(86400)
    report = org.cycle()
    assert (report.hidden, report.exit_code, org.store.cursor(HIDDEN_FIELDS)) == ({}, 0, {})
    assert org.store.records([org.ben])[org.ben]["Rating__c"] == "Hot"


def test_a_field_that_was_never_seen_moves_nobody_back_until_it_is(org):
    org.set_by_hand(org.ann, "Rated")
    org.set_by_hand(org.ben, "Opportunity")
    org.org.hides |= {("Contact", "Rating__c"), ("OpportunityContactRole", "ContactId")}
    report = org.cycle()
    assert stages(org) == ["Rated", "Opportunity"]
    assert report.blind == ["Contact.Rating__c", "OpportunityContactRole.ContactId"]
    org.org.rows["Contact"][org.ann]["Rating__c"] = "Cold"
    org.org.hides.clear()
    org.wait(86400)
    org.cycle()
    assert org.store.cursor(BLIND) == {"of": []}


def test_a_parents_field_that_is_hidden_is_left_out_and_asked_for_once_a_day(org):
    org.mapping = BOTH_WAYS.replace("Rating__c", "Account.Rating")
    org.org.hides.add(("Contact", "Account.Rating"))
    for _ in range(3):
        org.cycle()
    assert tries(org) == 1
    org.wait(86400)
    org.cycle()
    assert tries(org) == 2


def tries(org):
    return sum("Account.Rating" in soql and "FROM Contact" in soql for soql in org.org.asked)


def tasks(org, count):
    for number in range(count):
        org.wait(3600)
        org.org.put("Task", {"Id": org.id("Task"), "WhoId": org.ann, "Subject": str(number), "TaskSubtype": "Call"})


def test_an_object_that_takes_too_long_is_read_in_smaller_and_smaller_windows(org):
    tasks(org, 9)
    org.org.bears["Task"] = 2
    cycles = 0
    while (report := org.cycle()).unread:
        cycles += 1
        assert (stages(org), report.exit_code, report.blind) == (["Rated", "Opportunity"], 3, ["Task"])
        assert cycles < 20
    assert (cycles > 0, report.blind, report.exit_code) == (True, [], 0)
    [ann] = org.store.facts_of([org.ann])
    assert sorted(each.name for each in ann.activities) == [str(number) for number in range(9)]
    cursor = org.store.cursor("Task")
    assert (cursor["window"], cursor["full"], cursor["at"]) == (0, False, None)


def test_the_place_reached_is_kept_over_a_restart(org, state):
    tasks(org, 9)
    org.org.bears["Task"] = 2
    org.cycle()
    window = org.store.cursor("Task")["window"]
    org.restart(state)
    org.cycle()
    assert 0 < org.store.cursor("Task")["window"] < window


def test_an_object_that_will_not_be_read_at_all_is_told_and_everything_else_goes_on(org):
    tasks(org, 1)
    org.org.bears["Task"] = -1
    for _ in range(12):
        report = org.cycle()
    assert "QUERY_TIMEOUT" in report.unread["Task"]
    assert stages(org) == ["Rated", "Opportunity"]
    assert org.store.cursor("Task")["window"] >= 60


def test_late_rows_behind_a_window_are_still_read(org):
    tasks(org, 3)
    org.org.bears["Task"] = 2
    late = {"Id": org.id("Task"), "WhoId": org.ben, "Subject": "late", "TaskSubtype": "Call"}
    org.org.put("Task", late, visible_in=timedelta(seconds=90))
    while org.cycle().unread:
        pass
    org.org.bears.clear()
    org.wait(60)
    org.cycle()
    org.cycle()
    [ben] = org.store.facts_of([org.ben])
    assert [each.name for each in ben.activities] == ["late"]
