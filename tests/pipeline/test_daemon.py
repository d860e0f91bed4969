"""How the daemon behaves when a cycle does not go well, and how it stops."""

import signal
import subprocess
import sys
from datetime import timedelta

import pytest

from connector.base.errors import LimitReached, Refused, StateError
from connector.pipeline.daemon import PARK, Daemon, Stop, read_heartbeat, run


@pytest.fixture
def beat(tmp_path):
    return tmp_path / "beat"


def failing(world, error):
    def identity():
        raise error

    world.org.identity = identity


def test_a_good_cycle_beats(world, beat):
    Daemon(world.pipeline, heartbeat=beat).tick()
    assert read_heartbeat(beat, world.clock) == ("ok", 0.0)


def test_a_cycle_that_fails_is_tried_again(world, beat):
    ada = world.contact()
    daemon = Daemon(world.pipeline, heartbeat=beat)
    world.org.fail = lambda _kind: True
    daemon.tick()
    assert read_heartbeat(beat, world.clock) == ("failed", 0.0)
    world.org.fail = lambda _kind: False
    daemon.tick()
    assert world.stage(ada) == "Suspect"


def test_an_unexpected_error_does_not_end_the_daemon(world, beat):
    failing(world, RuntimeError("a bug"))
    daemon = Daemon(world.pipeline, heartbeat=beat)
    daemon.tick()
    assert daemon.fatal is None


@pytest.mark.parametrize("until", [None, timedelta(hours=2)])
def test_a_limit_parks_until_it_may_ask_again(world, beat, until):
    world.contact()
    identity = world.org.identity
    failing(world, LimitReached("used up", until=world.clock.now() + until if until else None))
    daemon = Daemon(world.pipeline, heartbeat=beat)
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
    daemon = Daemon(world.pipeline, heartbeat=beat)
    daemon.tick()
    with pytest.raises(StateError):
        run(daemon, stop, interval=1)


def test_a_refusal_is_reported_and_tried_again(world, beat):
    failing(world, Refused("no permission"))
    daemon = Daemon(world.pipeline, heartbeat=beat)
    daemon.tick()
    assert daemon.fatal is None
    assert read_heartbeat(beat, world.clock)[0] == "failed"


def test_there_is_no_heartbeat_before_the_first_one(world, beat):
    assert read_heartbeat(beat, world.clock) is None
    beat.write_text("half a")
    assert read_heartbeat(beat, world.clock) is None


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
