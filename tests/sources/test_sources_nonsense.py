"""Whatever a service answers, a source gives pages or one of our errors: one that has gone mad stops nobody else."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connector.base.clock import FrozenClock
from connector.base.errors import ConnectorError
from connector.base.facts import SourcePage
from connector.base.ports import Source
from connector.sources.hubspot.source import HubSpotSource
from connector.sources.marketo.source import MarketoSource
from connector.sources.pardot import PardotSource
from tests.cases import cases
from tests.salesforce.http_player import Asked, Player, Reply

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)


class Ready:
    def get(self) -> str:
        return "a token"

    def renew(self, stale: str) -> str:
        return stale


def marketo(url: str, *, extracts: bool) -> Source:
    return MarketoSource(url, "id", "secret", FrozenClock(NOW), extracts=extracts)


SOURCES: dict[str, Callable[[str], Source]] = {
    "pardot": lambda url: PardotSource(url, "0Uv000000000001AAA", Ready(), FrozenClock(NOW)),
    "hubspot": lambda url: HubSpotSource(url, "a token", FrozenClock(NOW)),
    "marketo": lambda url: marketo(url, extracts=False),
    "marketo extracts": lambda url: marketo(url, extracts=True),
}
LEAVES = st.none() | st.booleans() | st.integers(-1, 10**20) | st.text(max_size=4) | st.just("2026-05-01T00:00:00Z")
KEYS = st.sampled_from([
    "id", "properties", "email", "type", "prospectId", "createdAt", "leadId", "activityDate", "activityTypeId",
    "attributes", "hs_timestamp", "from", "to", "name", "rest", "exportId", "status", "fileSize", "toObjectId",
    "created", "recipient", "next", "after",
])  # fmt: skip
JSON = st.recursive(LEAVES, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(KEYS, inner, max_size=4))
ENVELOPES = st.fixed_dictionaries(
    {},
    optional={
        **dict.fromkeys(("values", "results", "result", "events"), st.lists(JSON, max_size=2) | JSON),
        **dict.fromkeys(("paging", "offset", "nextPageToken"), JSON),
        **dict.fromkeys(("hasMore", "moreResult", "success"), st.booleans()),
    },
)


@pytest.fixture(scope="module")
def player() -> Iterator[Player]:
    with closing(Player()) as served:
        yield served


@dataclass(frozen=True)
class Met:
    """What came of a poll: its pages, the error that ended it, and how many answers it had to make sense of."""

    pages: list[SourcePage]
    error: ConnectorError | None
    answers: int


def poll(player: Player, name: str, answer: Any) -> Met:
    """A poll that is answered alike again and again, but for the sign-in; it may go on for ever, and is not let."""
    answers = 0

    def reply(asked: Asked) -> Reply:
        nonlocal answers
        if "/oauth/" in asked.path:
            return Reply({"access_token": "a token", "expires_in": 3600})
        answers += 1
        headers = {"Content-Type": "application/json", "Date": "Fri, 01 May 2026 12:00:00 GMT"}
        return Reply(answer, headers=headers)

    player.replies = [reply]
    pages, error = [], None
    try:
        for page in islice(SOURCES[name](player.url).poll(None, NOW), 20):
            json.dumps(page.cursor)
            pages.append(page)
    except ConnectorError as raised:
        error = raised
    return Met(pages, error, answers)


NO_JSON = [b"{", b"<html>"]  # an answer that was cut off, or is a page of a proxy
NO_MAP = [b"null", b"[]", b"7", b'"x"']


@pytest.mark.parametrize("name", SOURCES)
@pytest.mark.parametrize(
    "answer",
    [
        None, b"", b"null", b"[]", b"7", b'"x"', b"{", b"<html>",
        {"values": None}, {"values": [None, 7, {}, {"id": "x"}, {"id": 1}], "nextPageToken": "x"},
        {"results": None}, {"results": [None, 7, {}, {"id": "x"}, {"id": "1", "properties": None}]},
        {"results": [{"id": "1", "properties": {"email": 7}}], "events": [None, {}]}, {"results": [], "paging": 7},
        {"results": [{"id": "1", "properties": {}}], "paging": {}, "events": 3},
        {"success": True, "result": 7}, {"success": True, "result": [None, 7, {}, {"id": "x"}]},
        {"success": True, "result": [{"id": 1, "exportId": 7, "status": "Completed", "fileSize": "x"}],
         "nextPageToken": "T"},
        {"success": False, "errors": 7}, {"success": False, "errors": [None]},
    ],
)  # fmt: skip
def test_an_answer_of_another_shape_is_no_crash(player: Player, name: str, answer: Any) -> None:
    met = poll(player, name, answer)
    assert met.answers > 0, "it was asked"
    assert met.pages or met.error, "something came of it"


@pytest.mark.parametrize("name", SOURCES)
@pytest.mark.parametrize("answer", [*NO_JSON, *NO_MAP])
def test_an_answer_that_is_no_json_object_is_an_error_with_a_hint(player: Player, name: str, answer: bytes) -> None:
    met = poll(player, name, answer)
    assert met.answers > 0
    assert met.pages == []
    assert met.error is not None
    assert met.error.what


ODD_ROWS = {
    "pardot": {"values": [None, 7, {}], "nextPageToken": None},
    "hubspot": {"results": [None, 7, {}]},
}


@pytest.mark.parametrize("name", ODD_ROWS)
def test_rows_that_cannot_be_read_are_counted(player: Player, name: str) -> None:
    met = poll(player, name, ODD_ROWS[name])
    counted = sum((Counter(page.unknown) for page in met.pages), Counter[str]())
    assert sum(counted.values()) >= 3
    assert all("unreadable" in kind for kind in counted)


@pytest.mark.parametrize("name", SOURCES)
@settings(max_examples=cases(30))
@given(answer=ENVELOPES)
def test_no_answer_at_all_is_a_crash(player: Player, name: str, answer: Any) -> None:
    met = poll(player, name, answer)
    assert met.answers > 0
    assert met.pages or met.error
