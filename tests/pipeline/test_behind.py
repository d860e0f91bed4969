"""A state that knows less than the logbook beside it, on either database."""

from connector.pipeline.restored import catch_up
from connector.store import Logbook


def test_what_the_state_does_not_know_is_settled_again_once(world, tmp_path):
    world.store.logbook = book = Logbook(tmp_path / "beside.written")
    assert catch_up(world.store, book, world.clock.now()) == 0
    ada = world.contact()
    world.cycle()
    world.click("ada@example.com")
    world.cycle()
    assert (world.store.noted(), book.last, world.stage(ada)) == (2, 2, "Engaged")
    before = world.store.latest(ada)
    world.store.set_noted(1)
    assert catch_up(world.store, Logbook(book.path), world.clock.now()) == 1
    assert catch_up(world.store, Logbook(book.path), world.clock.now()) == 0
    assert world.store.cycles(1)[0]["kind"] == "restored"
    after = world.store.latest(ada)
    assert [(each["value"], each["rule"], each["memory"]) for each in after] == [
        (each["value"], each["rule"], each["memory"]) for each in before
    ]
    assert world.cycle().written == 0


def test_a_cycle_in_which_nothing_is_written_adds_no_line(world, tmp_path):
    world.store.logbook = book = Logbook(tmp_path / "beside.written")
    world.contact()
    world.cycle()
    size = book.path.stat().st_size
    for _ in range(3):
        world.cycle()
    assert (book.path.stat().st_size, world.store.noted()) == (size, 1)
