"""What a backfill does, over the fake org and a real state."""

from datetime import timedelta

import pytest

from connector.base.errors import ConfigurationError
from connector.pipeline.backfill import Scope, run_backfill
from tests.fakes import START


def backfill(world, **scope):
    report = run_backfill(world.pipeline, Scope(**scope))
    world.wait(60)
    return report


def test_everybody_is_decided(world):
    people = [world.contact(f"p{index}@example.com") for index in range(25)]
    report = backfill(world)
    assert report.people_decided == 25
    assert {world.stage(each) for each in people} == {"Suspect"}


def test_a_second_backfill_decides_everybody_and_writes_nothing(world):
    world.role(world.contact(), world.deal())
    world.lead()
    backfill(world)
    world.org.updates.clear()
    report = backfill(world)
    assert (report.people_decided, report.written) == (2, 0)
    assert world.org.updates == []
    assert world.cycle().written == 0


def test_what_a_backfill_left_empty_in_the_state_is_given_back(world):
    if world.address:
        pytest.skip("a server sees to that by itself")
    for index in range(600):
        world.contact(f"p{index}@example.com")

    def empty_pages():
        with world.store._read() as connection:
            return connection.exec_driver_sql("PRAGMA freelist_count").scalar_one()

    world.cycle()
    assert empty_pages() > 0  # where the marks were
    backfill(world)
    assert empty_pages() == 0


def test_what_the_delete_log_forgot_is_found_by_a_backfill(world):
    ada, deal = world.contact(), world.deal()
    role = world.role(ada, deal)
    backfill(world)
    del world.org.rows["OpportunityContactRole"][role]
    world.cycle()
    assert len(world.store.facts_of([ada])[0].opportunities) == 1
    backfill(world)
    assert world.store.facts_of([ada])[0].opportunities == ()


def test_an_interrupted_backfill_goes_on_with_those_not_yet_written(world, state):
    world.pack = 10
    for index in range(40):
        world.contact(f"p{index:02}@example.com")
    update = world.org.update

    def dies(changes):
        if len(world.org.updates) >= 20:
            raise KeyboardInterrupt
        return update(changes)

    world.org.update = dies
    with pytest.raises(KeyboardInterrupt):
        backfill(world)
    world.org.update = update
    world.restart(state)
    report = backfill(world)
    assert report.people_decided == 20
    assert len(world.org.updates) == 40
    assert len({each["Id"] for each in world.org.updates}) == 40


def test_only_one_object_is_decided_when_asked(world):
    ada, lea = world.contact(), world.lead()
    backfill(world, object_name="Lead")
    assert (world.stage(ada), world.stage(lea)) == (None, "Suspect")
    world.cycle()
    assert world.stage(ada) == "Suspect"


def test_only_the_people_named_are_decided(world):
    ada, bob, lea = world.contact("ada@example.com"), world.contact("bob@example.com"), world.lead()
    backfill(world, ids=(ada, "lea@example.com"))
    assert [world.stage(each) for each in (ada, bob, lea)] == ["Suspect", None, "Suspect"]


def test_only_people_with_facts_since_a_date_are_decided(world):
    ada = world.contact("ada@example.com")
    world.wait(3600)
    bob = world.contact("bob@example.com")
    backfill(world, since=START + timedelta(minutes=30))
    assert [world.stage(each) for each in (ada, bob)] == [None, "Suspect"]


def test_a_person_nobody_knows_is_an_error_that_names_them(world):
    with pytest.raises(ConfigurationError, match=r"nobody@example\.com"):
        backfill(world, ids=("nobody@example.com",))


def test_an_object_without_people_is_an_error(world):
    with pytest.raises(ConfigurationError, match="Opportunity"):
        backfill(world, object_name="Opportunity")
