"""A failure is as small as its cause: one field, one object. Everything else goes on, and it is told."""

import re
from dataclasses import dataclass, field, replace
from datetime import timedelta

import pytest

from connector.base.errors import Refused
from connector.base.facts import Outcome, Result
from connector.base.ports import LocatorExpired
from connector.mapping import loads
from connector.pipeline.blind import BLIND
from connector.pipeline.cycle import run_cycle
from connector.pipeline.hidden import HIDDEN_FIELDS
from connector.pipeline.object_reader import POLL_PAGE
from connector.salesforce.objects import polled_objects
from tests.fakes import SIGNED_IN, FakeSalesforce
from tests.pipeline.conftest import STAGE
from tests.pipeline.test_unanswered import killed, unanswered

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


FOREVER = BOTH_WAYS.replace("{direction: both}", "{direction: forward, manual: forever}").replace(
    "stages:", "  highest_stage: {Contact: Highest__c}\nstages:", 1
)
WAY = ("Suspect", "Rated", "Opportunity")
PARENTS = {"AccountId": "Account"}


@dataclass
class Secretive(FakeSalesforce):
    """Hides fields, and takes too long over objects with more rows than it can bear."""

    hides: set[tuple[str, str]] = field(default_factory=set)
    bears: dict[str, int] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def describe(self, object_name):
        names = {field for each in polled_objects(loads(FOREVER)) if each.name == object_name for field in each.fields}
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

    def update(self, changes):
        """As Salesforce does it: what is hidden is refused, the rest of the row written."""
        parts = [(each, [(each.object, one.field) in self.hides for one in each.changes]) for each in changes]
        aside, rest = (
            [
                replace(
                    each, changes=tuple(one for one, is_gone in zip(each.changes, gone, strict=True) if is_gone is it)
                )
                for each, gone in parts
                if it in gone
            ]
            for it in (True, False)
        )
        yield from super().update(rest) if rest else ()
        if aside:
            yield [Outcome(each, Result.SET_ASIDE, "INVALID_FIELD", "No such column") for each in aside]

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


def test_a_record_that_is_read_once_more_before_it_is_written_keeps_what_was_seen_of_a_hidden_field(org):
    org.cycle()
    org.org.hides.add(("Contact", "Rating__c"))
    org.role(org.ann, org.deal())

    def set_by_hand(what, _done, _total):
        if what == "deciding":
            org.set_by_hand(org.ann, "Suspect")

    report = run_cycle(replace(org.pipeline, progress=set_by_hand))
    assert report.waiting == 1
    assert org.store.records([org.ann])[org.ann]["Rating__c"] == "Hot"


@pytest.mark.parametrize("minutes", [1, 15])
@pytest.mark.parametrize("hidden", [{"Rating__c"}, {STAGE}, {"Highest__c"}, {STAGE, "Highest__c"}])
def test_what_was_never_answered_is_nobodys_hand_whatever_is_hidden_meanwhile(org, state, hidden, minutes):
    """What cannot be seen is looked for when it is shown again; the rest of the row at once."""
    org.mapping = FOREVER
    eve = org.contact("eve@example.com", Rating__c=None)
    org.cycle()
    org.org.put("Contact", {"Id": eve, "Rating__c": "Hot"})
    unanswered(org, killed)
    assert (org.stage(eve), org.field(eve, "Highest__c")) == ("Rated", "Rated")
    org.org.hides |= {("Contact", name) for name in hidden}
    org.restart(state)
    for _ in range(minutes):
        org.cycle()
    org.org.hides.clear()
    org.wait(86400)
    for _ in range(2):
        org.cycle()
    assert [stay for stay in org.store.stays("stage") if stay.by == "person"] == []
    org.role(eve, org.deal())
    org.cycle()
    assert org.stage(eve) == "Opportunity"
    applied = [(each["track"], each["new"]) for each in org.store.history(eve) if each["result"] == "applied"]
    assert sorted(applied) == sorted((track, value) for track in ("stage", "highest_stage") for value in WAY)


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
    assert org.store.cursor(BLIND)["of"] == []


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


@dataclass
class Tired(FakeSalesforce):
    """A further page of more than ``bears`` rows of an object takes too long, or its locator is forgotten."""

    of: str = "003"
    bears: int = 0
    fault: type[Exception] = LocatorExpired
    met: int = 0

    def more(self, locator):
        left = self._locators.get(locator, [])
        is_polled = left and left[0].get("Id", "").startswith(self.of) and "LastModifiedById" not in left[0]
        if is_polled and len(left) > self.bears:
            self.met += 1
            if self.fault is LocatorExpired:
                raise LocatorExpired
            raise Refused("400 QUERY_TIMEOUT: running for too long", code="QUERY_TIMEOUT")
        return super().more(locator)


@pytest.mark.parametrize("fault", [LocatorExpired, Refused])
def test_a_later_page_that_does_not_come_is_read_in_less_and_nothing_is_lost_or_told_twice(world, fault):
    world.org = Tired(page_size=10, bears=15, fault=fault)
    people = []
    for number in range(60):
        people.append(world.contact(f"p{number}@example.com"))
        world.wait(3600)
    report = world.cycle()
    assert world.org.met
    assert (report.unread, report.exit_code) == ({}, 0)
    assert [world.stage(each) for each in people] == ["Suspect"] * 60
    assert [len(world.store.latest(each)) for each in people] == [len(world.store.latest(people[0]))] * 60
    assert world.cycle().people_decided == 0
    assert world.store.cursor("Contact")["window"] == 0


def test_a_later_page_that_never_comes_is_told_and_goes_on_from_where_it_stands(world):
    world.org = Tired(page_size=10, bears=-1, fault=Refused)
    people = [world.contact(f"p{number}@example.com") for number in range(100)]
    lead = world.lead()
    report = world.cycle()
    assert (list(report.unread), report.blind, report.exit_code) == (["Contact"], ["Contact"], 3)
    assert (world.stage(people[0]), world.stage(lead)) == (None, "Suspect")
    world.org.bears = 100
    assert (world.cycle().exit_code, {world.stage(each) for each in people}) == (0, {"Suspect"})


def test_a_later_page_of_a_crowded_overlap_that_does_not_come_loses_no_late_update(world):
    """Begun without our own writes, what is left of it is read with them: one of our user may commit late."""
    world.org = Tired(of="006", bears=10_000, fault=Refused)
    ada, deals = world.contact(), [world.deal() for _ in range(POLL_PAGE + 100)]
    world.role(ada, deals[0])
    world.cycle()
    won = {"Id": deals[0], "StageName": "Closed Won", "IsWon": True, "IsClosed": True}
    world.org.put("Opportunity", won, by=SIGNED_IN, visible_in=timedelta(seconds=50))
    world.wait(10)
    for deal in deals[1:]:
        world.org.put("Opportunity", {"Id": deal, "NextStep": "call"})
    world.cycle()
    world.org.bears = 0
    for deal in deals[1:]:
        world.org.put("Opportunity", {"Id": deal, "NextStep": "meet"})
    world.cycle()
    assert world.org.met
    assert world.stage(ada) == "Customer"
