"""How the daemon behaves when a cycle does not go well, and how it stops."""

import json
import signal
import subprocess
import sys
from dataclasses import replace
from datetime import timedelta

import pytest

from connector.base import heartbeat, logs
from connector.base.errors import LimitReached, Refused, StateError
from connector.pipeline.approval import approve, held_back
from connector.pipeline.cycle import run_cycle
from connector.pipeline.daemon import PARK, Daemon, Stop, run_daemon


@pytest.fixture
def beat(tmp_path):
    return tmp_path / "beat"


def told(beat, clock):
    """(status, seconds ago) of the last sign of life."""
    last = heartbeat.read_heartbeat(beat)
    return (last.status, (clock.now() - last.at).total_seconds()) if last else None


def failing(world, error):
    def identity():
        raise error

    world.org.identity = identity


def test_a_good_cycle_beats(world, beat):
    Daemon(world.pipeline, beats=beat).tick()
    assert told(beat, world.clock) == ("ok", 0.0)


def test_a_cycle_that_fails_is_tried_again(world, beat):
    ada = world.contact()
    daemon = Daemon(world.pipeline, beats=beat)
    world.org.fail = lambda _kind: True
    daemon.tick()
    assert told(beat, world.clock) == ("failed", 0.0)
    world.org.fail = lambda _kind: False
    daemon.tick()
    assert world.stage(ada) == "Suspect"


def test_an_unexpected_error_does_not_end_the_daemon(world, beat):
    failing(world, RuntimeError("a bug"))
    daemon = Daemon(world.pipeline, beats=beat)
    daemon.tick()
    assert daemon.fatal is None


@pytest.mark.parametrize("until", [None, timedelta(hours=2)])
def test_a_limit_parks_until_it_may_ask_again(world, beat, until):
    world.contact()
    identity = world.org.identity
    failing(world, LimitReached("used up", until=world.clock.now() + until if until else None))
    daemon = Daemon(world.pipeline, beats=beat)
    daemon.tick()
    world.org.identity = identity
    world.wait((until or PARK).total_seconds() - 1)
    daemon.tick()
    assert world.org.calls() == {}
    world.wait(2)
    daemon.tick()
    assert world.org.calls()["composite"]


def test_what_a_person_must_change_ends_the_daemon(world, beat):
    failing(world, StateError("another org"))
    stop = Stop()
    daemon = Daemon(world.pipeline, beats=beat)
    daemon.tick()
    with pytest.raises(StateError):
        run_daemon(daemon, stop, interval=1)


def test_a_refusal_is_reported_and_tried_again(world, beat):
    failing(world, Refused("no permission"))
    daemon = Daemon(world.pipeline, beats=beat)
    daemon.tick()
    assert daemon.fatal is None
    assert told(beat, world.clock)[0] == "failed"


def healthy(beat, clock, max_age=600):
    return heartbeat.health(heartbeat.read_heartbeat(beat), clock.now(), max_age)["healthy"]


def test_healthy_is_who_had_a_good_cycle_not_who_lives(world, beat):
    daemon = Daemon(world.pipeline, beats=beat)
    assert not healthy(beat, world.clock)
    daemon.tick()
    assert healthy(beat, world.clock)
    failing(world, Refused("the sign-in was refused"))
    for _ in range(11):
        world.wait(60)
        daemon.tick()
    assert told(beat, world.clock) == ("failed", 0.0)
    assert not healthy(beat, world.clock)
    assert (
        "the sign-in was refused" in heartbeat.health(heartbeat.read_heartbeat(beat), world.clock.now(), 600)["because"]
    )


def test_a_daemon_that_was_started_again_is_as_healthy_as_its_last_good_cycle(world, beat):
    Daemon(world.pipeline, beats=beat).tick()
    failing(world, Refused("no permission"))
    world.wait(300)
    Daemon(world.pipeline, beats=beat).tick()
    assert healthy(beat, world.clock)
    assert not healthy(beat, world.clock, max_age=200)


def test_a_cycle_that_was_interrupted_is_no_good_one(world, beat):
    Daemon(replace(world.pipeline, stop=lambda: True), beats=beat).tick()
    assert heartbeat.read_heartbeat(beat).last_good is None


def test_a_daemon_that_stopped_is_not_healthy(world, beat):
    daemon, stop = Daemon(world.pipeline, beats=beat), Stop()
    daemon.tick()
    stop.set()
    run_daemon(daemon, stop, interval=1)
    assert not healthy(beat, world.clock)


def test_a_plan_above_the_limit_is_held_back_while_reading_goes_on_until_it_is_approved(world, beat):
    people = [world.contact(f"p{number}@example.com") for number in range(3)]
    world.max_changes = 2
    daemon = Daemon(world.pipeline, beats=beat)
    daemon.tick()
    assert (daemon.fatal, world.org.updates) == (None, [])
    assert told(beat, world.clock) == ("held", 0.0)
    assert healthy(beat, world.clock)
    held = held_back(world.store)
    assert (held.to_change, held.limit) == (3, 2)
    people.append(world.contact("late@example.com"))
    world.wait(60)
    daemon.tick()
    assert held_back(world.store).to_change == 4, "what came meanwhile is read"
    assert held_back(world.store).since == held.since
    approve(world.store, world.clock.now())
    world.wait(60)
    daemon.tick()
    assert [world.stage(each) for each in people] == ["Suspect"] * 4
    assert held_back(world.store) is None
    assert told(beat, world.clock)[0] == "ok"


def test_why_the_last_cycle_did_not_go_well_is_told_while_the_next_one_works(world, beat):
    [world.contact(f"p{number}@example.com") for number in range(3)]
    world.max_changes = 2
    daemon, identity, seen = Daemon(world.pipeline, beats=beat), world.org.identity, []

    def looked_at():
        seen.append(heartbeat.read_heartbeat(beat))
        return identity()

    world.org.identity = looked_at
    daemon.tick()
    daemon.tick()
    assert [each.status for each in seen] == ["working", "working"]
    assert (seen[0].why, "held back" in seen[1].why) == ("", True)


def test_an_approval_is_for_one_write_of_that_size_within_a_day(world, beat):
    world.max_changes = 1
    daemon = Daemon(world.pipeline, beats=beat)
    approve(world.store, world.clock.now(), up_to=3)
    [world.contact(f"p{number}@example.com") for number in range(3)]
    daemon.tick()
    assert len(world.org.updates) == 3
    [world.contact(f"q{number}@example.com") for number in range(3)]
    world.wait(60)
    daemon.tick()
    assert len(world.org.updates) == 3, "it was used up"
    approve(world.store, world.clock.now(), up_to=2)
    daemon.tick()
    assert len(world.org.updates) == 3, "the plan is larger"
    approve(world.store, world.clock.now())
    world.wait(timedelta(days=1, seconds=1).total_seconds())
    daemon.tick()
    assert len(world.org.updates) == 3, "it is too old"


def test_a_held_plan_goes_on_when_it_shrinks(world, beat):
    people = [world.contact(f"p{number}@example.com") for number in range(3)]
    world.max_changes = 2
    daemon = Daemon(world.pipeline, beats=beat)
    daemon.tick()
    world.org.remove("Contact", people[0])
    world.wait(60)
    daemon.tick()
    assert [world.stage(each) for each in people[1:]] == ["Suspect"] * 2
    assert held_back(world.store) is None


def logged(capsys):
    """The last word of each line about a cycle."""
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    return [line["event"] for line in lines if line["event"].startswith("cycle")]


def test_each_cycle_logs_one_line_that_says_how_it_went(world, beat, capsys):
    logs.configure("json", "INFO")
    daemon = Daemon(world.pipeline, beats=beat)
    identity = world.org.identity
    daemon.tick()
    failing(world, Refused("no permission"))
    daemon.tick()
    failing(world, RuntimeError("a bug with a secret in it"))
    daemon.tick(at_once=True)
    world.org.identity = identity
    [world.contact(f"p{number}@example.com") for number in range(3)]
    world.max_changes = 2
    Daemon(world.pipeline, beats=beat).tick()
    assert logged(capsys) == ["cycle done", "cycle failed", "cycle failed", "cycle held"]
    results = [each["report"]["result"] for each in world.store.cycles(4)]
    assert results == ["held", "failed", "failed", "done"]
    assert world.store.cycles(2)[1]["report"]["error"].startswith("unexpected RuntimeError")


def test_a_cycle_that_was_asked_to_stop_says_so(world, capsys):
    logs.configure("json", "INFO")
    world.contact()
    report = run_cycle(replace(world.pipeline, stop=lambda: True))
    assert report.result == "interrupted"
    assert logged(capsys) == ["cycle interrupted"]


def test_who_is_told_to_stop_while_a_plan_is_counted_writes_no_part_of_it(world):
    [world.contact(f"p{number}@example.com") for number in range(1001)]  # a batch is 1,000
    world.max_changes = 1000
    assert run_cycle(world.pipeline, holds_back=True).result == "held"
    report = run_cycle(replace(world.pipeline, stop=lambda: True), holds_back=True)
    assert (report.result, report.written, world.org.updates) == ("interrupted", 0, [])
    assert held_back(world.store).to_change == 1001


def test_there_is_no_heartbeat_before_the_first_one(world, beat):
    assert told(beat, world.clock) is None
    beat.write_text("half a")
    assert told(beat, world.clock) is None


SIGNALS = """
import os, signal, sys
from connector.base import logs
from connector.pipeline.daemon import Stop
logs.configure("json", "INFO")
stop = Stop()
with stop.on_signals():
    os.kill(os.getpid(), signal.SIGTERM)
    assert stop.wait(5)
    if sys.argv[1] == "twice":
        os.kill(os.getpid(), signal.SIGTERM)
        stop.wait(5)
print("finished")
"""


@pytest.mark.parametrize(("times", "code", "printed"), [("once", 0, "finished\n"), ("twice", 130, "")])
def test_the_first_signal_lets_it_finish_and_the_second_interrupts(times, code, printed):
    done = subprocess.run(
        [sys.executable, "-c", SIGNALS, times], capture_output=True, text=True, timeout=30, check=False
    )
    assert (done.returncode, done.stdout) == (code, printed)
    assert signal.SIGTERM.name in done.stderr
