"""What was sent in one row and never answered, and stands in part: of the rest nobody can say whether it was taken."""

from contextlib import suppress
from dataclasses import replace

import pytest

from tests.pipeline.conftest import STAGE
from tests.pipeline.test_stays import report_of, stays_of, wrong_in
from tests.pipeline.test_unanswered import Killed, by_hand, killed, lost, unanswered

MAPPING = """
gate:
  stage: {direction: forward, manual: forever}
fields:
  stage: {Contact: Lifecycle_Stage__c, Lead: Lifecycle_Stage__c}
  status: {Contact: Lead_Status__c, Lead: Status}
stages:
  - {name: Suspect, when: {email: present}}
  - {name: Engaged, when: {activity: {direction: inbound}}}
  - {name: Customer, set_by: people}
  - {name: Evangelist, set_by: people, funnel: false}
statuses:
  - {name: New, when: {email: present}}
  - {name: Working, when: {activity: {direction: inbound}}}
"""


@pytest.fixture
def both(world):
    """A stage and a status in one row; a hand that sets a stage sets it for good."""
    world.mapping = MAPPING
    return world


def wrote(world, person):
    return [(each["track"], each["new"]) for each in reversed(world.store.history(person))]


@pytest.mark.parametrize("what", [killed, lost])
@pytest.mark.parametrize("known", [True, False], ids=["decided before", "never decided"])
@pytest.mark.parametrize("stage", ["Customer", "Evangelist"])
def test_who_is_set_by_hand_before_the_answer_is_looked_for_stays_so_and_the_books_agree(
    both, state, what, known, stage
):
    world = both
    ada = world.contact(**({} if known else {STAGE: "Suspect"}))
    if known:
        world.cycle()
    world.click("ada@example.com")
    unanswered(world, what)
    world.set_by_hand(ada, stage)
    world.restart(state)
    for _ in range(2):
        world.cycle()
    assert (world.stage(ada), world.field(ada, "Lead_Status__c")) == (stage, "Working")
    assert world.store.latest(ada)[0]["memory"]["hold"]["by"] == "person"
    assert ("stage", "Engaged") not in wrote(world, ada), "nobody saw it there"
    assert stays_of(world, ada)[-1][:2] == (stage, "person")
    assert wrong_in(report_of(world, "ledger")) == []


@pytest.mark.parametrize("known", [True, False], ids=["decided before", "never decided"])
def test_a_stage_that_was_refused_before_the_answer_was_lost_is_nobodys_hand(both, state, known):
    """The status was taken, and the stage stands as it stood."""
    world = both
    ada = world.contact(**({} if known else {STAGE: "Suspect"}))
    if known:
        world.cycle()
    world.click("ada@example.com")
    update = world.org.update

    def takes_the_status_alone(changes):
        """The stage is refused, the row sent again without it, and the process killed before the answer."""
        [change] = changes
        status = tuple(each for each in change.changes if each.track == "status")
        for outcomes in update([replace(change, changes=status)]):
            yield killed(outcomes)

    world.org.update = takes_the_status_alone
    with suppress(Killed):
        world.cycle()
    world.org.update = update
    assert (world.stage(ada), world.field(ada, "Lead_Status__c")) == ("Suspect", "Working")
    world.restart(state)
    for _ in range(2):
        world.cycle()
    assert by_hand(world) == []
    assert world.stage(ada) == "Engaged"
    assert wrote(world, ada)[-2:] == [("status", "Working"), ("stage", "Engaged")]
    assert wrong_in(report_of(world, "ledger")) == []
