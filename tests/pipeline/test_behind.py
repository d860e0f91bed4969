"""A state that knows less than the logbook beside it, on either database."""

from sqlalchemy import text

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
    before, run = world.store.latest(ada), world.store.cycles(1)[0]["id"]
    world.store.set_noted(1)
    assert catch_up(world.store, Logbook(book.path), world.clock.now()) == 1
    assert catch_up(world.store, Logbook(book.path), world.clock.now()) == 0
    assert world.store.cycles(1)[0]["kind"] == "restored"
    after = world.store.latest(ada)
    assert [(each["value"], each["rule"], each["memory"]) for each in after] == [
        (each["value"], each["rule"], each["memory"]) for each in before
    ]
    assert [each["new"] for each in world.store.written(run, None, None)] == ["Engaged", "Engaged"]
    assert world.cycle().written == 0


def test_runs_are_numbered_on_behind_those_that_the_logbook_knows(world, tmp_path):
    world.store.logbook = book = Logbook(tmp_path / "beside.written")
    catch_up(world.store, book, world.clock.now())
    ada = world.contact()
    world.cycle()
    world.click("ada@example.com")
    world.cycle()
    world.store.set_noted(1)
    with world.store._write() as connection:  # as a backup from before the last cycle is
        connection.execute(text("DELETE FROM cycle WHERE id > 1"))
        connection.execute(text("DELETE FROM log WHERE cycle_id > 1"))
    world.store._last_cycle = None
    catch_up(world.store, Logbook(book.path), world.clock.now())
    assert world.store.cycles(1)[0]["id"] == 3
    assert [each["record_id"] for each in world.store.written(2, None, None)] == [ada]
    world.cycle()
    assert world.store.cycles(1)[0]["id"] == 4


def test_a_cycle_in_which_nothing_is_written_adds_no_line(world, tmp_path):
    world.store.logbook = book = Logbook(tmp_path / "beside.written")
    world.contact()
    world.cycle()
    size = book.path.stat().st_size
    for _ in range(3):
        world.cycle()
    assert (book.path.stat().st_size, world.store.noted()) == (size, 1)
