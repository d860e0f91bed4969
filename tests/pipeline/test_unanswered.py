"""What was sent and never answered is found out, is in the log once, and is nobody's edit."""

from contextlib import suppress
from dataclasses import replace

import pytest

from connector.base.errors import Transient
from connector.base.facts import Outcome, Result

MAPPING = """
gate:
  stage: {direction: forward, manual: forever}
fields:
  stage: {Contact: Lifecycle_Stage__c, Lead: Lifecycle_Stage__c}
stages:
  - {name: Suspect, when: {email: present}}
  - {name: Engaged, when: {activity: {direction: inbound}}}
  - {name: Customer, when: {field: {Title: Customer}}}
"""


class Killed(BaseException):
    """The process ends here."""


def killed(_outcomes):
    raise Killed


def no_json(_outcomes):
    raise Transient("Salesforce's Composite answer is not complete")


def lost(outcomes):
    return [Outcome(each.change, Result.WAITING, "", "Salesforce did not answer") for each in outcomes]


@pytest.fixture
def forever(world):
    """A hand that sets a stage sets it for good: whoever is taken for one freezes people."""
    world.mapping = MAPPING
    return world


def unanswered(world, what):
    """Salesforce takes the rows of the next cycle, and its answer comes to nothing."""
    update = world.org.update

    def takes(changes):
        for outcomes in update(changes):
            yield what(outcomes)

    world.org.update = takes
    try:
        world.cycle()
    except (Killed, Transient):
        pass
    finally:
        world.org.update = update


@pytest.mark.parametrize("what", [killed, no_json, lost])
def test_what_the_org_took_is_in_the_log_once_and_by_no_hand(forever, state, what):
    world = forever
    ada = world.contact()
    unanswered(world, what)
    assert world.stage(ada) == "Suspect"
    world.restart(state)
    world.cycle()
    (entry,) = world.store.history(ada)
    assert (entry["old"], entry["new"], entry["result"], entry["cycle_id"]) == (None, "Suspect", "applied", 1)
    assert world.store.intents() == []
    world.click("ada@example.com")
    world.cycle()
    assert world.stage(ada) == "Engaged"


def test_what_the_org_did_not_take_is_written_by_the_next_cycle(forever, state):
    world = forever
    ada = world.contact()
    world.org.fail = lambda kind: kind == "collections"
    world.cycle()
    assert [each.change.id for each in world.store.intents()] == [ada]
    world.org.fail = lambda _kind: False
    world.restart(state)
    world.cycle()
    assert (world.stage(ada), len(world.store.history(ada)), world.store.intents()) == ("Suspect", 1, [])


def test_what_a_person_set_after_an_unanswered_write_is_by_hand(forever, state):
    world = forever
    ada = world.contact()
    world.cycle()
    world.click("ada@example.com")
    unanswered(world, killed)
    world.set_by_hand(ada, "Customer")
    world.restart(state)
    for _ in range(2):
        world.cycle()
    assert world.stage(ada) == "Customer"
    (stage,) = world.store.latest(ada)
    assert stage["verdict"] == "held"
    world.wait(3600)
    world.cycle()
    assert (world.stage(ada), world.store.intents()) == ("Customer", [])


def test_a_cycle_after_answered_writes_asks_nothing_more(forever):
    world = forever
    world.contact()
    world.cycle()
    world.cycle()
    assert world.cycle().api_calls["total"] == 1


def test_what_was_refused_of_a_row_that_was_taken_is_not_logged_as_written(world):
    world.mapping = """
fields:
  stage: {Contact: Lifecycle_Stage__c, Lead: Lifecycle_Stage__c}
  status: {Contact: Lead_Status__c, Lead: Status}
stages: [{name: Suspect, when: {email: present}}]
statuses: [{name: New, when: {email: present}}]
"""
    ada = world.contact()
    update = world.org.update

    def takes_the_stage_alone(changes):
        """The status is refused, the row sent again without it, and the process killed before the answer."""
        [change] = changes
        stage = tuple(each for each in change.changes if each.track == "stage")
        for outcomes in update([replace(change, changes=stage)]):
            yield killed(outcomes)

    world.org.update = takes_the_stage_alone
    with suppress(Killed):
        world.cycle()
    world.org.update = update
    world.cycle()
    log = [(each["track"], each["new"], each["result"], each["cycle_id"]) for each in world.store.history(ada)]
    assert sorted(log) == [("stage", "Suspect", "applied", 1), ("status", "New", "applied", 2)]


def timed_out(world):
    """A cycle whose write is never answered, and which Salesforce has not taken yet; what may still commit."""
    update = world.org.update
    world.org.update = lambda changes: iter([lost([Outcome(each, Result.WAITING) for each in changes])])
    try:
        world.cycle()
    finally:
        world.org.update = update
    return [each.change for each in world.store.intents()]


def test_a_write_that_commits_after_the_next_one_is_nobodys_hand(forever, state):
    world = forever
    ada = world.contact()
    late = timed_out(world)
    world.click("ada@example.com")
    world.cycle()
    assert world.stage(ada) == "Engaged"
    list(world.org.update(late))
    assert world.stage(ada) == "Suspect"
    world.restart(state)
    world.cycle()
    world.cycle()
    assert world.stage(ada) == "Engaged"
    said = [(each["old"], each["new"]) for each in reversed(world.store.history(ada))]
    assert said == [(None, "Engaged"), ("Engaged", "Suspect"), ("Suspect", "Engaged")]


def test_several_writes_that_timed_out_are_each_open(forever):
    world = forever
    ada = world.contact()
    first = timed_out(world)
    world.click("ada@example.com")
    second = timed_out(world)[-1:]
    assert [each.changes[0].new for each in (*first, *second)] == ["Suspect", "Engaged"]
    list(world.org.update(second))
    list(world.org.update(first))
    for _ in range(2):
        world.cycle()
    assert world.stage(ada) == "Engaged"
    assert {each["new"] for each in world.store.history(ada)} <= {"Suspect", "Engaged"}
    assert world.store.latest(ada)[0]["verdict"] != "held"


def test_the_same_write_sent_again_and_taken_leaves_nothing_open(forever):
    world = forever
    ada = world.contact()
    assert timed_out(world)
    world.cycle()
    assert (len(world.store.history(ada)), world.store.intents()) == (1, [])


def test_what_may_still_commit_is_not_looked_for_when_the_overlap_is_over(forever):
    world = forever
    world.contact()
    assert timed_out(world)
    world.click("ada@example.com")
    world.cycle()
    assert len(world.store.intents()) == 1
    world.wait(3600)
    world.cycle()
    assert world.store.intents() == []
