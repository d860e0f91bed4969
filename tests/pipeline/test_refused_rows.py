"""A row that Salesforce refuses or delays is written as a whole later: nothing of it counts as done before."""

from collections.abc import Sequence

import pytest

from connector.base.clock import FrozenClock
from connector.base.errors import LimitReached
from connector.base.facts import Activity, Direction, SourcePage
from connector.base.ports import Answers, DeletedSince, Page, Read, UpdatedSince
from connector.store import open_store
from tests.fakes import START, FakeSalesforce
from tests.pipeline.conftest import World

MAPPING = """
fields:
  stage: {Contact: Lifecycle_Stage__c, Lead: Lifecycle_Stage__c}
  status: {Contact: Lead_Status__c, Lead: Status}
  tags: {Contact: Tags__c, Lead: Tags__c}
dates: {entered: "Entered_{stage}__c"}
stages:
  - {name: Suspect, when: {email: present}}
  - {name: Engaged, when: {activity: inbound}}
statuses: [{name: New, set_by: people}]
handoff:
  - name: to sales
    when: {stage: ">= Engaged"}
    status: New
    owner: [{round_robin: [ann@example.com, ben@example.com, cat@example.com]}]
tags:
  - {name: warm, when: {activity: inbound}}
"""
REPS = {name: f"005{number:012d}AAA" for number, name in enumerate(("ann", "ben", "cat"), 1)}


class Office(FakeSalesforce):
    """An org that has the three owners."""

    def read(self, reads: Sequence[Read], windows: Sequence[DeletedSince | UpdatedSince] = ()) -> Answers:
        if reads[0].name == "users":
            rows = tuple(
                {"Id": each, "Username": f"{name}@example.com", "Email": f"{name}@example.com", "IsActive": True}
                for name, each in REPS.items()
            )
            pages = {"users": rows, "every user": rows, "every queue": ()}
            return Answers({name: Page(found, None, self.now) for name, found in pages.items()}, {}, self.now)
        return super().read(reads, windows)


@pytest.fixture
def office(state):
    clock = FrozenClock(START)
    with open_store(f"sqlite:///{state}", clock=clock) as store:
        yield World(store, org=Office(), clock=clock, mapping=MAPPING)


def clicked(world, number: int) -> list[str]:
    """So many contacts, with one click each."""
    people = [world.contact(f"p{n}@example.com") for n in range(number)]
    clicks = tuple(
        Activity("fake", person, "email_click", Direction.INBOUND, world.clock.now(), crm_id=person)
        for person in people
    )
    world.source.pages.append(SourcePage({}, clicks))
    return people


def owners(world, people):
    return [world.field(each, "OwnerId") for each in people]


def fails_once(world):
    """Salesforce answers none of the next writes."""
    rest = ["collections"]
    world.org.fail = lambda kind: bool(rest) and kind == rest[0] and bool(rest.pop())


def test_a_refused_hand_off_happens_again_to_the_same_owner(office):
    people = clicked(office, 5)
    for each in people[1:3]:
        office.org.refuse[each] = "FIELD_CUSTOM_VALIDATION_EXCEPTION"
    office.cycle()
    ann, ben, cat = REPS.values()
    assert owners(office, people) == [ann, None, None, ann, ben]
    del office.org.refuse[people[2]]
    office.store.retry_set_aside()
    office.cycle()
    assert owners(office, people) == [ann, None, cat, ann, ben]
    office.org.refuse.clear()
    office.store.retry_set_aside()
    office.cycle()
    assert owners(office, people) == [ann, ben, cat, ann, ben]
    assert [office.field(each, "Lead_Status__c") for each in people] == ["New"] * 5


def test_a_hand_off_that_waits_goes_to_the_same_owner_and_takes_one_turn(office):
    people = clicked(office, 2)
    fails_once(office)
    office.cycle()
    assert owners(office, people) == [None, None]
    office.cycle()
    ann, ben, cat = REPS.values()
    assert owners(office, people) == [ann, ben]
    [last] = clicked(office, 1)
    office.cycle()
    assert owners(office, [last]) == [cat]
    assert office.store.cursor("promised") == {}


def test_a_promise_is_kept_by_a_later_run_of_the_program(office, state):
    people = clicked(office, 2)
    office.org.refuse[people[1]] = "NO"
    office.cycle()
    office.restart(state)
    [newcomer] = clicked(office, 1)
    office.org.refuse.clear()
    office.store.retry_set_aside()
    office.cycle()
    ann, ben, cat = REPS.values()
    assert owners(office, [*people, newcomer]) == [ann, ben, cat]
    office.store.close()


@pytest.mark.parametrize("change", ["the stage", "another field"])
def test_stage_dates_of_a_refused_row_are_written_when_it_goes_through(office, change):
    [person] = [office.contact("p@example.com")]
    office.cycle()
    if change == "another field":  # only the tag is new: the stage was set by hand in the same minute
        office.set_by_hand(person, "Engaged")
    office.click("p@example.com")
    office.org.refuse[person] = "NO"
    office.cycle()
    assert office.field(person, "Entered_Engaged__c") is None
    office.org.refuse.clear()
    office.wait(86400)
    office.store.retry_set_aside()
    office.cycle()
    assert office.stage(person) == "Engaged"
    assert office.field(person, "Entered_Engaged__c") == START.date().isoformat()
    assert office.field(person, "Tags__c") == "warm"


def test_a_row_that_is_refused_for_ever_comes_to_rest(office):
    people = clicked(office, 3)
    office.org.refuse[people[0]] = "NO"
    office.cycle()
    assert [office.cycle().people_decided for _ in range(3)] == [0, 0, 0]


def test_a_hand_off_to_the_owner_somebody_has_already_sets_the_status_when_the_row_goes_through(office):
    [person] = clicked(office, 1)
    office.org.put("Contact", {"Id": person, "OwnerId": REPS["ann"]})
    office.org.refuse[person] = "NO"
    office.cycle()
    office.org.refuse.clear()
    office.store.retry_set_aside()
    office.cycle()
    assert (office.field(person, "OwnerId"), office.field(person, "Lead_Status__c")) == (REPS["ann"], "New")


def test_turns_that_a_stopped_run_dealt_out_are_dealt_again(office):
    people = clicked(office, 4)
    office.pack = 1
    calls: list[str] = []

    def stops(kind):
        if kind == "collections" and len(calls) == 2:
            raise LimitReached("the budget is used up", "")
        calls.extend(["call"] if kind == "collections" else [])
        return False

    office.org.fail = stops
    with pytest.raises(LimitReached):
        office.cycle()
    ann, ben, cat = REPS.values()
    assert owners(office, people) == [ann, ben, None, None]
    office.org.fail = lambda _kind: False
    office.cycle()
    assert owners(office, people) == [ann, ben, cat, ann]
