"""Visitors: known by an id of the sender alone, somebody once they give an address. Over HTTP, and from files."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests
from hypothesis import given, settings
from hypothesis import strategies as st

from connector.base.clock import FrozenClock, SystemClock
from connector.base.facts import Activity, Prospect, SourcePage
from connector.sources.events import read_event, visitors
from connector.sources.webhook.server import serve_webhooks
from connector.store import Store, open_store
from connector.wiring import open_pipeline
from tests.cases import cases
from tests.sources.test_sources_addresses import drop
from tests.sources.test_sources_together import Site

TOKEN = "a-token-of-more-than-twenty"
VIEW = {"type": "page_view", "event_id": "1", "prospect_id": "V7", "occurred_at": "2026-01-01T10:00:00Z"}
FORM = {"type": "form_submit", "event_id": "2", "prospect_id": "V7", "occurred_at": "2026-01-02T10:00:00Z"}
GIVEN = {**FORM, "email": "ann@example.com"}


@pytest.fixture
def site(tmp_path: Path, clock: FrozenClock) -> Iterator[Site]:
    made = Site(tmp_path / "state.sqlite3", clock)
    yield made
    made.close()


@contextmanager
def hooks(site: Site) -> Iterator[tuple[dict[str, Any], Any]]:
    """The settings, and what posts to a hook."""
    inbox = site.state.parent / "inbox.sqlite3"
    given: dict[str, Any] = {"webhook_port": 0, "webhook_token": TOKEN, "webhook_inbox": inbox}
    settings = site.practice.settings(state=str(site.state), **given)
    with serve_webhooks(settings, SystemClock()) as url, requests.Session() as http:
        http.trust_env = False

        def post(hook: str, record: Mapping[str, Any]) -> None:
            answer = http.post(f"{url}/hooks/v1/{hook}/{TOKEN}", json=record, timeout=10)
            assert answer.json() == {"accepted": 1, "duplicates": 0}

        yield given, post


def somebody(site: Site, query: str) -> dict[str, Any]:
    """Who is found so: stage, and what they did."""
    with open_pipeline(site.practice.settings(state=str(site.state)), clock=site.clock) as pipeline:
        found = pipeline.store.find_people(query)
        [person] = pipeline.store.facts_of(found)
        stage = next((each["value"] for each in pipeline.store.latest(person.id) if each["track"] == "stage"), None)
    return {"id": person.id, "stage": stage, "did": [each.kind for each in person.activities]}


@pytest.mark.situation(26)
def test_a_visitor_is_anonymous_and_engaged_with_both_on_the_timeline_once_they_give_an_address(site: Site) -> None:
    with hooks(site) as (settings, post):
        post("web", VIEW)
        site.cycle(**settings)
        assert somebody(site, "webhook:web:V7") == {
            "id": "webhook:web:V7", "stage": "Anonymous", "did": ["page_view"],
        }  # fmt: skip
        post("web", {**FORM, "email": "new@example.com"})
        site.cycle(**settings)
        assert somebody(site, "new@example.com") == {
            "id": "webhook:web:V7", "stage": "Engaged", "did": ["page_view", "form_submit"],
        }  # fmt: skip


@pytest.mark.parametrize("lines", [(VIEW, GIVEN), (GIVEN, VIEW)])
@pytest.mark.parametrize("apart", [False, True])
def test_a_visitor_who_gives_the_address_of_a_record_was_that_person_all_along(
    site: Site, lines: tuple[dict[str, Any], ...], apart: bool
) -> None:
    for number, line in enumerate(lines):
        drop(site, f"{number}.jsonl", line)
        if apart:
            site.cycle(activity_folder=site.state.parent / "drop")
    _, known = site.cycle(activity_folder=site.state.parent / "drop")
    assert known == {"files": 2}
    assert site.stage() == "Engaged"
    assert somebody(site, "files:V7")["id"] == site.ann


def test_a_person_that_the_sender_names_has_what_the_visitor_did(site: Site) -> None:
    person = {"type": "person", "event_id": "V7", "sf_contact_id": site.ann, "score": "80"}
    _, known = site.cycle(**drop(site, "all.jsonl", VIEW, person))
    assert (known, site.stage()) == ({"files": 1}, "Engaged")
    drop(site, "more.jsonl", {**VIEW, "event_id": "9"})
    _, known = site.cycle(activity_folder=site.state.parent / "drop")
    assert known == {"files": 2}, "and what they do takes nothing away from what was said of them"


def test_two_senders_that_count_from_one_have_visitors_of_their_own(site: Site) -> None:
    with hooks(site) as (settings, post):
        post("shop", {**FORM, "email": "ann@example.com"})
        post("blog", {**VIEW, "event_id": "2"})
        _, known = site.cycle(**settings)
    assert known == {"webhook": 1}
    lines = ({**FORM, "source": "shop", "email": "ann@example.com"}, {**VIEW, "source": "blog", "event_id": "2"})
    _, known = site.cycle(**drop(site, "two.jsonl", *lines))
    assert known == {"webhook": 1, "files": 1}


SAID = (
    VIEW,
    {**VIEW, "event_id": "3", "prospect_id": "V8"},
    {**FORM, "email": "ann@example.com"},
    {**FORM, "event_id": "4", "email": "bob@example.com", "prospect_id": "V8"},
    {**FORM, "event_id": "5", "email": "new@example.com"},
    {"type": "person", "event_id": "V8", "email": "eve@example.com", "score": "5"},
)


@settings(max_examples=cases(12), deadline=None)
@given(order=st.permutations(SAID), cuts=st.sets(st.integers(0, len(SAID))))
def test_whatever_the_order_and_the_pages_a_visitor_is_the_same(order: list[dict[str, Any]], cuts: set[int]) -> None:
    def facts(store: Store) -> list[Any]:
        found = [*store.find_people("files:V7"), *store.find_people("files:V8")]
        return [(each.id, each.fields, sorted(each.addresses), each.activities) for each in store.facts_of(found)]

    with open_store("sqlite://", clock=SystemClock()) as wanted, open_store("sqlite://", clock=SystemClock()) as other:
        record(wanted, list(SAID))
        ends = sorted({*cuts, len(order)})
        for start, end in itertools.pairwise([0, *ends]):
            record(other, order[start:end])
        assert facts(other) == facts(wanted)
        assert facts(wanted)


def record(store: Store, lines: list[dict[str, Any]]) -> None:
    found = [read_event("files", line, None) for line in lines]
    activities = tuple(each for each in found if isinstance(each, Activity))
    people = tuple(each for each in found if isinstance(each, Prospect))
    store.record_page("files", SourcePage({}, activities, (*people, *visitors(activities))))
