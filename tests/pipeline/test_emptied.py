"""An empty field is empty, however it is said."""

import pytest

from connector.lifecycle.written import same
from connector.pipeline.restored import UNSURE
from tests.fakes import SIGNED_IN
from tests.pipeline.conftest import MANUAL_FOREVER


@pytest.mark.parametrize("old", [None, ""])
@pytest.mark.parametrize("new", [None, ""])
def test_nothing_is_nothing(old, new):
    assert same(old, new)
    assert not same(old, 0)
    assert not same("0", new)


def test_who_was_emptied_by_hand_before_a_backup_is_decided_afresh_when_it_is_put_back(world):
    """Our user wrote another field of the record last, and no logbook tells what: what stands there stood there."""
    world.mapping = MANUAL_FOREVER
    ada = world.contact()
    world.cycle()
    world.set_by_hand(ada, "Engaged")
    world.cycle()
    world.set_by_hand(ada, None)
    world.org.refuse = {ada: "FIELD_CUSTOM_VALIDATION_EXCEPTION"}
    world.cycle()
    world.org.refuse = {}
    world.org.put("Contact", {"Id": ada, "Email": "new@example.com"}, by=SIGNED_IN)
    world.store.set_cursor(UNSURE, {"since": world.clock.now().isoformat()})
    world.cycle()
    assert world.stage(ada) == "Suspect"
