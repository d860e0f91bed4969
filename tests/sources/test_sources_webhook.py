"""Webhooks: only those who may send, stored before it is said, recorded once."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from connector.base.clock import FrozenClock
from connector.base.errors import ConfigurationError
from connector.base.settings import Settings
from connector.sources.events import Bad
from connector.sources.webhook.inbox import Inbox
from connector.sources.webhook.server import serve_webhooks
from connector.sources.webhook.source import parse_message, signature_problem
from tests.sources.hook_bench import OLDER, SECRET, TOKEN, HookBench, event, sign
from tests.sources.source_suite import Bench, Polls, SourceSuite

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)


@pytest.fixture
def bench(tmp_path: Path, clock: FrozenClock) -> Iterator[Bench]:
    bench = HookBench(tmp_path, clock)
    yield bench
    bench.close()


class TestWebhook(SourceSuite):
    """See the suite."""

    def test_a_signed_message_is_stored_and_recorded(self, bench: HookBench) -> None:
        body = json.dumps({"type": "activity.created", "data": [event("e1"), event("e2")]}).encode()
        answer = bench.post(body, **sign(body, bench.clock.now()))
        assert (answer.status_code, answer.json()) == (202, {"accepted": 2, "duplicates": 0})
        found = bench.poll()
        assert found.keys() == {"tool:form_submit:e1:a@example.com", "tool:form_submit:e2:a@example.com"}
        assert found["tool:form_submit:e1:a@example.com"].attributes == {"hook": "tool"}

    def test_a_message_sent_again_is_welcome_and_counts_once(self, bench: HookBench) -> None:
        body = json.dumps(event("e1")).encode()
        for duplicates in (0, 1, 1):
            answer = bench.post(body, **sign(body, bench.clock.now()))
            assert answer.json() == {"accepted": 1 - duplicates, "duplicates": duplicates}
        for duplicates in (0, 1):
            assert bench.post({"type": "call", "email": "b@example.com"}).json()["duplicates"] == duplicates
            bench.clock.sleep(10)
        bench.clock.sleep(600)
        assert bench.post({"type": "call", "email": "b@example.com"}).json()["accepted"] == 1
        assert len(bench.poll()) == 3

    @pytest.mark.parametrize("secret", [SECRET, OLDER])
    def test_secrets_can_be_exchanged_side_by_side(self, bench: HookBench, secret: str) -> None:
        body = json.dumps(event("e1")).encode()
        assert bench.post(body, **sign(body, bench.clock.now(), secret)).status_code == 202

    def test_a_token_is_shown_in_the_header_or_in_the_path(self, bench: HookBench) -> None:
        assert bench.post(event("e1")).status_code == 202
        assert bench.post(event("e2"), f"{bench.url}/{TOKEN}", Accept="*/*").status_code == 202
        assert bench.poll().keys() == {"tool:form_submit:e1:a@example.com", "tool:form_submit:e2:a@example.com"}

    def test_a_form_is_an_activity_with_what_the_address_adds(self, bench: HookBench) -> None:
        answer = bench.http.post(
            f"{bench.url}/{TOKEN}?type=form_submit&name=Demo",
            {"email": "Ann@Example.com", "company": "Acme", "name": ""},
        )
        assert answer.status_code == 202
        [found] = bench.poll().values()
        assert (found.kind, found.name, found.email) == ("form_submit", "Demo", "ann@example.com")
        assert found.occurred_at == bench.clock.now()
        assert found.attributes == {"company": "Acme", "hook": "tool"}

    def test_an_inbox_that_was_lost_and_begun_anew_is_read_from_its_beginning(self, bench: HookBench) -> None:
        bench.add(300)
        polls = Polls(bench)
        polls.poll()
        bench.inbox.unlink()
        bench.clock.sleep(3600)
        assert bench.post(event("e1")).status_code == 202
        assert polls.poll() == {"tool:form_submit:e1:a@example.com"}
        assert bench.post(event("e2")).status_code == 202
        assert polls.poll() == {"tool:form_submit:e2:a@example.com"}

    def test_a_place_from_before_inboxes_had_identities_is_believed(self, bench: HookBench) -> None:
        bench.add(300)
        assert len(Polls(bench, {"seq": 2}).poll()) == 100

    def test_a_person_may_be_told_too(self, bench: HookBench) -> None:
        ann = {"type": "person", "event_id": "p7", "email": "Ann@Example.com", "score": 71, "name": "Ann"}
        assert bench.post([ann, event("e1")]).json()["accepted"] == 2
        [page] = bench.source().poll(None, bench.clock.now())
        [found] = page.prospects
        assert (found.source, found.id, found.email) == ("webhook", "tool:p7", "ann@example.com")
        assert found.attributes == {"score": 71, "name": "Ann", "hook": "tool"}

    def test_other_methods_and_paths_are_not_there(self, bench: HookBench) -> None:
        assert bench.http.get(bench.url).status_code == 405
        assert bench.http.post(bench.url.replace("hooks", "x")).status_code == 404
        assert bench.post(event("e1"), f"{bench.url}%20x").status_code == 404

    def test_an_inbox_that_cannot_be_written_asks_to_send_again(self, bench: HookBench) -> None:
        bench.inbox.parent.mkdir(exist_ok=True)
        bench.inbox.write_bytes(b"no database at all, but long enough" * 100)
        answer = bench.post(event("e1"))
        assert answer.status_code == 503
        assert "Retry-After" in answer.headers

    def test_nobody_else_can_read_the_inbox(self, bench: HookBench) -> None:
        bench.add(1)
        assert bench.inbox.stat().st_mode & 0o777 == 0o600

    def test_recorded_messages_are_forgotten_after_a_week(self, bench: HookBench) -> None:
        bench.add(180)
        polls = Polls(bench)
        polls.poll()
        bench.clock.sleep(timedelta(days=8).total_seconds())
        later = bench.add(4)
        assert polls.poll() == later
        assert {message.seq for message in Inbox(bench.inbox).after(0, 100)} == {3}
        assert polls.poll() == set()


BODY = b'{"a": 1}'


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({}, None),
        ({"webhook-signature": "v1,AAAA " + sign(BODY, NOW)["webhook-signature"] + " v1a,BBBB"}, None),
        ({"webhook-signature": "v1,AAAA"}, "does not fit"),
        ({"webhook-signature": ""}, "does not fit"),
        ({"webhook-signature": sign(b"other", NOW)["webhook-signature"]}, "does not fit"),
        ({"webhook-id": "msg_2"}, "does not fit"),
        ({"webhook-id": ""}, "missing"),
        ({"webhook-timestamp": "soon"}, "missing"),
        ({"webhook-timestamp": "1"}, "too old"),
        (sign(BODY, NOW - timedelta(minutes=4)), None),
        (sign(BODY, NOW + timedelta(minutes=4)), None),
        (sign(BODY, NOW - timedelta(minutes=6)), "too old"),
        (sign(BODY, NOW + timedelta(minutes=6)), "too old"),
    ],
)
def test_a_signature_holds_for_id_time_and_body(change: dict[str, str], problem: str | None) -> None:
    found = signature_problem([SECRET], {**sign(BODY, NOW), **change}, BODY, NOW)
    assert found == problem or (problem is not None and found is not None and problem in found)


def test_a_body_may_be_one_activity_a_list_or_an_envelope() -> None:
    one = event("e1")
    for content in (one, [one], {"data": one}, {"data": [one], "type": "activity.created", "timestamp": "x"}):
        assert parse_message(json.dumps(content).encode(), "application/json", {}, NOW) == [one]
    envelope = {"type": "call", "timestamp": "2026-04-01T00:00:00Z", "data": {"email": "a@example.com"}}
    assert parse_message(json.dumps(envelope).encode(), "", {}, NOW) == [
        {"occurred_at": "2026-04-01T00:00:00Z", "type": "call", "email": "a@example.com"}
    ]
    assert isinstance(parse_message(b"\x81", "application/x-www-form-urlencoded", {}, NOW), Bad)


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({}, "anybody"),
        ({"webhook_token": "short"}, "too short"),
        ({"webhook_secret": "whsec_!!"}, "no secret"),
        ({"webhook_secret": "whsec_AAAA"}, "no secret"),
        ({"webhook_secret": "whsec_" + "QUJD" * 8 + "!"}, "no secret"),  # one character is not base64
        ({"webhook_secret": "whsec_" + "QUJD" * 4 + "-" + "QUJD" * 4}, "no secret"),
    ],
)
def test_an_open_door_is_refused(clock: FrozenClock, more: dict[str, Any], words: str) -> None:
    settings = Settings(webhook_port=0, **more)
    with pytest.raises(ConfigurationError, match=words), serve_webhooks(settings, clock):
        pass


def test_a_taken_port_is_said(clock: FrozenClock) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        settings = Settings(webhook_port=taken.getsockname()[1], webhook_token=TOKEN)
        with pytest.raises(ConfigurationError, match="cannot listen"), serve_webhooks(settings, clock):
            pass


def test_without_a_port_there_is_no_endpoint(clock: FrozenClock) -> None:
    with serve_webhooks(Settings(), clock) as url:
        assert url is None
