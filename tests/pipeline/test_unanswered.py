"""What was sent and never answered is found out, is in the log once, and is nobody's edit."""

from contextlib import suppress
from dataclasses import replace

import pytest

from connector.base.errors import Transient
from connector.base.facts import Outcome, RecordChange, Result


class Killed(BaseException):
    """The process ends here."""


def killed(_outcomes):
    raise Killed


def no_json(_outcomes):
    raise Transient("Salesforce's Composite answer is not complete")


def lost(outcomes):
    return [Outcome(each.change, Result.WAITING, "", "Salesforce did not answer") for each in outcomes]


class Sent:
    def __init__(self, change):
        self.change = change


def unanswered(world, what, taken=True):
    """Salesforce takes the rows of the next cycle, or does not, and its answer comes to nothing."""
    update = world.org.update

    def takes(changes):
        for outcomes in update(changes) if taken else [[Sent(each) for each in changes]]:
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
    assert (world.stage(ada), len(world.store.history(ada)), len(world.store.intents())) == ("Suspect", 1, 1)
    for _ in range(12):
        world.cycle()
    assert (len(world.store.history(ada)), world.store.intents()) == (1, [])
    assert world.cycle().api_calls["total"] == 1, "once it can no longer come, nobody looks for it"


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


def by_hand(world):
    return [stay for stay in world.store.stays("stage") if stay.by == "person"]


def timed_out(world):
    """A write of the next cycle that the org takes later, if at all."""
    world.org.fail = lambda kind: kind == "collections"
    world.cycle()
    world.org.fail = lambda _kind: False
    return world.store.intents()[-1].change


def test_a_write_that_commits_after_a_newer_one_is_no_hands_and_is_put_right(forever, state):
    world = forever
    ada = world.contact()
    kept = timed_out(world)
    world.click("ada@example.com")
    world.cycle()
    assert world.stage(ada) == "Engaged"
    list(world.org.update([kept]))
    assert world.stage(ada) == "Suspect"
    world.restart(state)
    for _ in range(2):
        world.cycle()
    assert world.stage(ada) == "Engaged"
    written = [(each["old"], each["new"], each["cycle_id"]) for each in reversed(world.store.history(ada))]
    assert written == [(None, "Engaged", 2), ("Engaged", "Suspect", 1), ("Suspect", "Engaged", 3)]
    assert by_hand(world) == []
    world.set_by_hand(ada, "Customer")
    for _ in range(12):
        world.cycle()
    assert (world.stage(ada), world.store.intents()) == ("Customer", [])


def test_a_write_that_commits_after_a_hand_does_not_undo_it(forever):
    world = forever
    ada = world.contact()
    world.cycle()
    world.click("ada@example.com")
    kept = timed_out(world)
    world.set_by_hand(ada, "Customer")
    world.cycle()
    list(world.org.update([kept]))
    for _ in range(3):
        world.cycle()
    assert world.stage(ada) == "Customer"
    (stage,) = world.store.latest(ada)
    assert stage["memory"]["hold"]["by"] == "person"
    written = [(each["old"], each["new"]) for each in reversed(world.store.history(ada))]
    assert written == [(None, "Suspect"), ("Customer", "Engaged"), ("Engaged", "Customer")]


def test_what_comes_twice_is_logged_once(forever):
    """Sent again with the same value, taken, and then the first one comes, too."""
    world = forever
    ada = world.contact()
    kept = timed_out(world)
    world.cycle()
    list(world.org.update([kept]))
    for _ in range(2):
        world.cycle()
    assert (world.stage(ada), len(world.store.history(ada))) == ("Suspect", 1)


def test_of_two_writes_without_an_answer_the_last_is_settled_and_the_first_is_no_hands(forever):
    world = forever
    ada = world.contact()
    first = timed_out(world)
    world.click("ada@example.com")
    second = timed_out(world)
    list(world.org.update([second]))
    world.cycle()
    assert (world.stage(ada), [each["new"] for each in world.store.history(ada)]) == ("Engaged", ["Engaged"])
    list(world.org.update([first]))
    for _ in range(2):
        world.cycle()
    assert (world.stage(ada), by_hand(world)) == ("Engaged", [])


def test_two_writes_that_come_in_the_wrong_order_are_ours_both(forever):
    world = forever
    ada = world.contact()
    first = timed_out(world)
    world.click("ada@example.com")
    second = timed_out(world)
    list(world.org.update([second]))
    list(world.org.update([first]))
    for _ in range(2):
        world.cycle()
    assert (world.stage(ada), by_hand(world)) == ("Engaged", [])
    assert world.store.latest(ada)[0]["verdict"] != "held"


def test_a_write_that_was_sent_twice_may_come_after_the_third(forever):
    """The same value was sent again and taken: should the first one come later still, it is ours."""
    world = forever
    ada = world.contact()
    kept = timed_out(world)
    world.cycle()
    world.click("ada@example.com")
    world.cycle()
    list(world.org.update([kept]))
    for _ in range(2):
        world.cycle()
    assert (world.stage(ada), by_hand(world)) == ("Engaged", [])


def test_what_was_sent_again_after_a_time_out_may_come_twice(forever):
    """Within one cycle: the second sending was answered, and the first comes after the next write."""
    world = forever
    ada = world.contact()
    update = world.org.update
    kept: list[RecordChange] = []

    def twice(changes):
        for outcomes in update(changes):
            kept.extend(each.change for each in outcomes)
            yield [replace(each, again=True) for each in outcomes]

    world.org.update = twice
    world.cycle()
    world.org.update = update
    world.click("ada@example.com")
    world.cycle()
    list(update(kept))
    for _ in range(2):
        world.cycle()
    assert (world.stage(ada), by_hand(world)) == ("Engaged", [])


def test_a_cycle_after_answered_writes_asks_nothing_more(forever):
    world = forever
    world.contact()
    world.cycle()
    world.cycle()
    assert world.cycle().api_calls["total"] == 1


@pytest.mark.parametrize("what", [killed, lost])
def test_what_the_org_took_of_a_record_that_is_deleted_since_is_in_the_log(forever, state, what):
    world = forever
    ada = world.contact()
    unanswered(world, what)
    world.org.remove("Contact", ada)
    world.restart(state)
    for _ in range(2):
        world.cycle()
    (entry,) = world.store.history(ada)
    assert (entry["old"], entry["new"], entry["result"], entry["cycle_id"]) == (None, "Suspect", "applied", 1)
    assert world.store.intents() == []
    assert world.store.people_in() == []


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
