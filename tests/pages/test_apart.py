"""Reports are computed in a process of their own: what is lost when it is killed, and when it ends."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from connector.base.clock import FrozenClock
from connector.base.errors import ConfigurationError, Transient
from connector.base.settings import Settings, explicit
from connector.commands.pages.apart import Apart
from connector.commands.pages.computing import Here, Task
from connector.commands.reporting import REPORTS, Wanted
from connector.store import open_store
from tests.fakes import FakeSalesforce
from tests.pipeline.conftest import World
from tests.torture.places import lives

START = datetime(2026, 1, 5, 12, tzinfo=UTC)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return explicit(http_port=0, state=f"sqlite:///{tmp_path / 'state.sqlite3'}")


@pytest.fixture
def world(settings: Settings) -> Iterator[World]:
    """While it is open, the state is held by the one process that writes."""
    clock = FrozenClock(START)
    with open_store(settings.state, clock=clock, exclusive=True) as store:
        made = World(store, org=FakeSalesforce(now=START), clock=clock)
        for name in ("ada", "bob"):
            made.contact(f"{name}@example.com", Name=name.title())
        made.cycle()
        made.click("ada@example.com")
        made.cycle()
        yield made


@pytest.fixture
def apart(settings: Settings) -> Iterator[Apart]:
    with Apart(settings) as made:
        yield made


def task(world: World, need: str = "funnel", wanted: Wanted | None = None, moment: int = 0) -> Task:
    return Task(moment, wanted or Wanted(), need, world.clock.now())


def test_it_computes_what_would_be_computed_here(world: World, settings: Settings, apart: Apart) -> None:
    here, mapping = Here(world.store, settings), world.pipeline.mapping
    world.clock.sleep(3600)
    for need in ("", *REPORTS):
        asked = task(world, need)
        assert apart.compute(mapping, asked) == here.compute(mapping, asked)


def test_what_is_new_in_the_state_is_there_at_the_next_moment(world: World, apart: Apart) -> None:
    mapping = world.pipeline.mapping
    before = apart.compute(mapping, task(world, ""))
    world.contact("cleo@example.com", Name="Cleo")
    world.cycle()
    assert apart.compute(mapping, task(world, "")) == before
    after = apart.compute(mapping, task(world, "", moment=1))
    assert isinstance(before, dict)
    assert isinstance(after, dict)
    assert {each.name for each in after.values()} - {each.name for each in before.values()} == {"Cleo"}


def test_one_that_was_killed_loses_nothing(world: World, apart: Apart) -> None:
    mapping = world.pipeline.mapping
    told, killed = apart.compute(mapping, task(world)), apart.process
    assert killed is not None
    os.kill(killed, signal.SIGKILL)
    assert apart.compute(mapping, task(world)) == told
    assert apart.process not in {None, killed}


def test_one_that_ends_again_and_again_is_a_passing_fault(
    world: World, apart: Apart, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as broken:
        broken.setattr("connector.commands.pages.apart._PROGRAM", "raise SystemExit")
        with pytest.raises(Transient, match="the process that computes them ended"):
            apart.compute(world.pipeline.mapping, task(world))
    assert apart.compute(world.pipeline.mapping, task(world))


def test_it_ends_with_the_daemon_and_when_nobody_looks(world: World, settings: Settings) -> None:
    with Apart(settings) as apart:
        apart.compute(world.pipeline.mapping, task(world))
        first = apart.process
        apart.rest()
        apart.compute(world.pipeline.mapping, task(world))
        second = apart.process
    assert first is not None
    assert second is not None
    assert not lives(first)
    assert not lives(second)
    with pytest.raises(Transient):
        apart.compute(world.pipeline.mapping, task(world))


def test_it_ends_when_the_daemon_is_gone_without_a_word(world: World, apart: Apart) -> None:
    apart.compute(world.pipeline.mapping, task(world))
    child = apart._child
    assert isinstance(child, subprocess.Popen)
    assert child.stdin is not None
    child.stdin.close()
    assert child.wait(timeout=60) == 0


def test_what_cannot_be_asked_is_told_as_here(world: World, apart: Apart) -> None:
    with pytest.raises(ConfigurationError, match="nobody has a value for Shoe_Size__c") as told:
        apart.compute(world.pipeline.mapping, task(world, wanted=Wanted(by="Shoe_Size__c")))
    assert told.value.hint
    march = Wanted(since=world.clock.now() - timedelta(days=3))
    assert apart.compute(world.pipeline.mapping, task(world, wanted=march))  # and goes on
