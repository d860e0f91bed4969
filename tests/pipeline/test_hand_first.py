"""Somebody of whom nothing was decided yet, whose first write got no answer, and whom a hand then sets."""

from contextlib import suppress

import pytest

from tests.pipeline.conftest import STAGE
from tests.pipeline.test_stays import report_of, stays_of, wrong_in
from tests.pipeline.test_unanswered import MAPPING, Killed, by_hand, killed, lost, timed_out, unanswered


@pytest.fixture
def forever(world):
    """A hand that sets a stage sets it for good."""
    world.mapping = MAPPING
    return world


def not_taken(world, what):
    """Salesforce takes nothing of the next cycle's rows, and does not answer."""
    update = world.org.update

    def sends(changes):
        yield what([Sent(each) for each in changes])

    world.org.update = sends
    with suppress(Killed):
        world.cycle()
    world.org.update = update


class Sent:
    def __init__(self, change):
        self.change = change


def refused(world, _what):
    world.org.refuse = dict.fromkeys(world.org.rows["Contact"], "FIELD_CUSTOM_VALIDATION_EXCEPTION")
    world.cycle()
    world.org.refuse = {}


@pytest.mark.parametrize("what", [killed, lost])
@pytest.mark.parametrize("came", [unanswered, not_taken, refused])
@pytest.mark.parametrize("stood", [None, "Suspect"])
def test_what_a_hand_sets_after_a_first_write_without_an_answer_holds(forever, state, what, came, stood):
    world = forever
    ada = world.contact(Title="Customer", **{STAGE: stood} if stood else {})
    came(world, what)
    world.set_by_hand(ada, "Engaged")
    world.restart(state)
    for _ in range(2):
        world.cycle()
    assert world.stage(ada) == "Engaged"
    assert world.store.latest(ada)[0]["memory"]["hold"]["by"] == "person"
    assert stays_of(world, ada)[-1][:2] == ("Engaged", "person")
    assert [each["new"] for each in world.store.history(ada) if each["result"] == "applied"] == []
    assert wrong_in(report_of(world, "ledger")) == []
    assert world.store.dirty_count() == 0


def test_a_first_write_that_comes_late_is_no_hands(forever):
    world = forever
    ada = world.contact()
    kept = timed_out(world)
    list(world.org.update([kept]))
    world.cycle()
    assert (world.stage(ada), by_hand(world)) == ("Suspect", [])
    world.click("ada@example.com")
    world.cycle()
    assert world.stage(ada) == "Engaged"


def test_what_stands_in_another_field_that_a_mapping_names_after_a_refusal_is_no_hands(forever):
    world = forever
    ada = world.contact(Title="Customer", Other__c="Engaged")
    refused(world, None)
    world.mapping = MAPPING.replace("{Contact: Lifecycle_Stage__c,", "{Contact: Other__c,")
    world.cycle()
    assert world.field(ada, "Other__c") == "Customer"


def test_what_a_hand_empties_after_a_refusal_is_decided_afresh(forever):
    world = forever
    ada = world.contact(Title="Customer", **{STAGE: "Suspect"})
    refused(world, None)
    world.set_by_hand(ada, None)
    world.cycle()
    assert world.stage(ada) == "Customer"


@pytest.mark.parametrize("what", [killed, lost])
@pytest.mark.parametrize("came", [unanswered, not_taken, refused])
def test_what_a_hand_sets_on_the_contact_of_a_converted_lead_after_a_lost_write_holds(forever, state, what, came):
    world = forever
    lead = world.lead(Title="Customer")
    world.cycle()
    assert world.stage(lead) == "Customer"
    ada = world.contact()
    world.org.put("Lead", {"Id": lead, "IsConverted": True, "ConvertedContactId": ada})
    came(world, what)
    world.set_by_hand(ada, "Engaged")
    world.restart(state)
    for _ in range(2):
        world.cycle()
    assert world.stage(ada) == "Engaged"
    assert world.store.latest(ada)[0]["memory"]["hold"]["by"] == "person"
    assert world.store.dirty_count() == 0
