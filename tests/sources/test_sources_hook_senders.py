"""Hooks as senders send them: understood, or refused, logged and counted; never taken and of nobody."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from connector.base.clock import FrozenClock
from connector.base.facts import Activity, Prospect
from tests.sources.hook_bench import TOKEN, HookBench

FORM = "application/x-www-form-urlencoded"
CONTACT = "003000000000001AAA"


@pytest.fixture
def bench(tmp_path: Path, clock: FrozenClock) -> Iterator[HookBench]:
    made = HookBench(tmp_path, clock)
    yield made
    made.close()


def post(bench: HookBench, body: bytes, kind: str = FORM) -> int:
    url = f"{bench.url}/{TOKEN}"
    return bench.http.post(url, data=body, headers={"Content-Type": kind}, timeout=10).status_code


def told(bench: HookBench, clock: FrozenClock) -> tuple[list[Activity], list[Prospect], int]:
    pages = list(bench.source().poll(None, clock.now()))
    activities = [each for page in pages for each in page.activities]
    return activities, [each for page in pages for each in page.prospects], sum(page.bad for page in pages)


@pytest.mark.parametrize(
    ("body", "email"),
    [
        (b"type=call&email=ann+crm@example.com", "ann+crm@example.com"),
        (b"type=call&email=ann%2Bcrm%40example.com", "ann+crm@example.com"),
        (b"type=call&email=+Ann@Example.com+", "ann@example.com"),
        (b"type=call&email=Ann+Lee+%3Cann%40example.com%3E", "ann@example.com"),
        (b"type=call&email=ann@example.com&name=M\xfcller", "ann@example.com"),
        (b"type=call&email=ann@example.com&name=M%FCller", "ann@example.com"),
        (b"type=call&email=ann@example.com&sf_contact_id=N/A&crm_id=null", "ann@example.com"),
        (b"type=call&email=ann@example.com;", "ann@example.com"),
    ],
)
def test_a_form_is_understood_as_its_sender_meant_it(
    bench: HookBench, clock: FrozenClock, body: bytes, email: str
) -> None:
    assert post(bench, body) == 202
    ([activity], _, bad) = told(bench, clock)
    assert (activity.email, activity.crm_id, bad) == (email, None, 0)
    assert activity.name in {"", "Müller"}


@pytest.mark.parametrize("words", ["email=ann+crm@example.com&name=M%FCller", "email=ann%2Bcrm%40example.com"])
def test_a_sender_may_put_everything_into_the_address(bench: HookBench, clock: FrozenClock, words: str) -> None:
    url = f"{bench.url}/{TOKEN}?type=call&{words}"
    assert bench.http.post(url, timeout=10).status_code == 202
    assert bench.http.post(f"{bench.url}/{TOKEN}?name=%81", timeout=10).status_code == 400
    ([activity], _, bad) = told(bench, clock)
    assert activity.email == "ann+crm@example.com"
    assert (activity.name, bad) in {("", 0), ("Müller", 0)}


def test_a_good_id_beside_an_empty_word_counts(bench: HookBench, clock: FrozenClock) -> None:
    assert post(bench, f"type=call&email=N/A&sf_lead_id=-&sf_contact_id={CONTACT}".encode()) == 202
    ([activity], _, _) = told(bench, clock)
    assert (activity.email, activity.crm_id) == (None, CONTACT)


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"type=call&email=a@example.com,b@example.com", "several addresses"),
        (b"type=call&email=nobody", "not an e-mail address"),
        (b"type=call&email=a@b@example.com", "not an e-mail address"),
        (b"type=call&email=N/A&sf_contact_id=N/A", "says nobody"),
        (b"type=call&email=ann@example.com&sf_contact_id=17", "not a Salesforce record id"),
    ],
)
def test_what_names_nobody_is_refused_logged_and_counted_once(
    bench: HookBench, clock: FrozenClock, body: bytes, why: str
) -> None:
    with structlog.testing.capture_logs() as logged:
        assert post(bench, body) == 400
    assert [why in each["reason"] for each in logged if "no activity" in each["event"]] == [True]
    assert told(bench, clock) == ([], [], 1)
    [page] = bench.source().poll(None, clock.now())
    assert list(bench.source().poll(page.cursor, clock.now())) == []


def test_a_person_may_have_several_addresses(bench: HookBench, clock: FrozenClock) -> None:
    assert post(bench, b"type=person&event_id=7&email=a@example.com;+B@example.com") == 202
    (_, [person], _) = told(bench, clock)
    assert (person.email, person.addresses) == ("a@example.com", ("b@example.com",))
