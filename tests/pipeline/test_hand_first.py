"""Somebody of whom nothing was decided yet, whose first write got no answer, and whom a hand then sets."""

import pytest

from tests.pipeline.conftest import MANUAL_FOREVER, STAGE
from tests.pipeline.test_stays import report_of, stays_of, wrong_in
from tests.pipeline.test_unanswered import by_hand, killed, lost, timed_out, unanswered


def not_taken(world, what):
    unanswered(world, what, taken=False)


def refused(world, _what):
    world.org.refuse = dict.fromkeys(world.org.rows["Contact"], "FIELD_CUSTOM_VALIDATION_EXCEPTION")
    world.cycle()
    world.org.refuse = {}


def assert_it_holds(world, state, person):
    """The stage Engaged, which a hand set."""
    world.restart(state)
    for _ in range(2):
        world.cycle()
    assert world.stage(person) == "Engaged"
    assert world.store.latest(person)[0]["memory"]["hold"]["by"] == "person"
    assert world.store.dirty_count() == 0


@pytest.mark.parametrize("what", [killed, lost])
@pytest.mark.parametrize("came", [unanswered, not_taken, refused])
@pytest.mark.parametrize("stood", [None, "Suspect"])
def test_what_a_hand_sets_after_a_first_write_without_an_answer_holds(forever, state, what, came, stood):
    world = forever
    ada = world.contact(Title="Customer", **{STAGE: stood} if stood else {})
    came(world, what)
    world.set_by_hand(ada, "Engaged")
    assert_it_holds(world, state, ada)
    assert stays_of(world, ada)[-1][:2] == ("Engaged", "person")
    assert [each["new"] for each in world.store.history(ada) if each["result"] == "applied"] == []
    assert wrong_in(report_of(world, "ledger")) == []


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
    world.mapping = MANUAL_FOREVER.replace("{Contact: Lifecycle_Stage__c,", "{Contact: Other__c,")
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
    assert_it_holds(world, state, ada)
