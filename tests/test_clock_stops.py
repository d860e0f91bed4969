"""A process that was asked to stop waits for nothing, and says that what it waited for is still to be done."""

from __future__ import annotations

from contextlib import closing
from datetime import timedelta

import pytest

from connector.base.clock import SystemClock
from connector.base.errors import Transient
from connector.base.http import Judgement, Reaction, Session
from tests.salesforce.http_player import Player

AGAIN = Judgement(Reaction.AGAIN, "BUSY", "later")


def test_sleeping_ends_at_once_when_asked_to_stop() -> None:
    clock = SystemClock(stopped=lambda: True)
    begun = clock.now()
    with pytest.raises(Transient, match="asked to stop"):
        clock.sleep(60)
    assert clock.now() - begun < timedelta(seconds=5)


def test_sleeping_ends_when_asked_to_stop_in_the_middle() -> None:
    answers = iter([False, True])
    with pytest.raises(Transient):
        SystemClock(stopped=lambda: next(answers)).sleep(60)


def test_sleeping_lasts_as_long_as_it_should() -> None:
    clock = SystemClock()
    begun = clock.monotonic()
    clock.sleep(0.01)
    assert clock.monotonic() - begun >= 0.01


def test_a_request_is_not_tried_again_once_asked_to_stop() -> None:
    sent: list[str] = []
    with (
        closing(Player()) as player,
        Session("The API", lambda _status, _body: AGAIN, SystemClock(lambda: True), before=sent.append) as http,
        pytest.raises(Transient, match="asked to stop"),
    ):
        http.request("GET", player.url, kind="query")
    assert sent == ["query"]
