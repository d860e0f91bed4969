"""A living company: each kind of event can happen, the same dice give the same life, an empty org stays quiet."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from connector.base.clock import FrozenClock
from practice_org.company.build import build_company
from practice_org.company.life import EVENTS, Event, World, live
from practice_org.pardot.system import Pardot
from practice_org.salesforce.org import PracticeOrg

NOW = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
LATER = NOW + timedelta(minutes=5)
Company = tuple[PracticeOrg, Pardot]


def dice(seed: int) -> random.Random:
    return random.Random(seed)  # noqa: S311 - the same life each time is the point


def company() -> Company:
    org = PracticeOrg(clock=FrozenClock(NOW))
    pardot = Pardot(org)
    build_company(org, pardot, now=NOW)
    org.clock = FrozenClock(LATER)
    return org, pardot


@pytest.fixture
def alive() -> Iterator[Company]:
    made = company()
    yield made
    made[0].close()


@pytest.mark.parametrize("event", list(EVENTS), ids=lambda event: event.__qualname__)
def test_each_kind_of_event_can_happen(alive: Company, event: Event) -> None:
    tried = [event(World(*alive, dice(seed), LATER)) for seed in range(5)]
    assert any(tried)
    assert all(line is None or (": " in line and "\n" not in line) for line in tried)


def test_as_many_events_as_asked_for(alive: Company) -> None:
    lines = live(*alive, dice(1), LATER, events=60)
    assert len(lines) == 60
    assert len({line.partition(":")[0] for line in lines}) > 10


def test_the_same_dice_give_the_same_life() -> None:
    (first, one), (second, other) = company(), company()
    try:
        assert live(first, one, dice(3), LATER, events=30) == live(second, other, dice(3), LATER, events=30)
    finally:
        first.close()
        second.close()


def test_what_happens_is_seen_by_the_next_poll(alive: Company) -> None:
    org, _ = alive
    lines = live(*alive, dice(2), LATER, events=40)
    changed = org.rows("SELECT Name, IsWon FROM Opportunity WHERE SystemModstamp >= 2026-06-01T12:05:00Z")
    won = {line.removeprefix("Deal won: ") for line in lines if line.startswith("Deal won")}
    assert won <= {row["Name"] for row in changed}
    assert won


def test_an_empty_org_stays_quiet_but_for_new_leads() -> None:
    org = PracticeOrg(clock=FrozenClock(NOW))
    lines = live(org, Pardot(org), dice(1), NOW, events=3)
    assert lines[0].startswith("New lead")
    org.close()
