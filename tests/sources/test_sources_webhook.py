"""Webhooks: only those who may send, stored before it is said, recorded once."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import socket
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests
from source_suite import Bench, Polls, SourceSuite, Switch, activities

from connector.clock import FrozenClock
from connector.errors import ConfigurationError
from connector.ports import Source
from connector.settings import Settings
from connector.sources.events import Bad
from connector.sources.inbox import Inbox
from connector.sources.webhook import WebhookSource, parse, secret_key, signature_problem
from connector.sources.webhook_server import BURST, LARGEST, serve_webhooks

SECRET = "whsec_" + base64.b64encode(b"0123456789abcdef0123456789abcdef").decode()
OLDER = "whsec_" + base64.b64encode(b"fedcba9876543210fedcba9876543210").decode()
TOKEN = "a-token-of-more-than-twenty"
NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)


def event(event_id: str, **more: Any) -> dict[str, Any]:
    known = {
        "event_id": event_id,
        "occurred_at": "2026-04-30T10:00:00Z",
        "type": "form_submit",
        "email": "a@example.com",
    }
    return {**known, **more}


def sign(body: bytes, now: datetime, secret: str = SECRET, message_id: str = "msg_1") -> dict[str, str]:
    stamp = str(int(now.timestamp()))
    signed = f"{message_id}.{stamp}.".encode() + body
    digest = base64.b64encode(hmac.new(secret_key(secret), signed, hashlib.sha256).digest()).decode()
    return {"webhook-id": message_id, "webhook-timestamp": stamp, "webhook-signature": f"v1,{digest}"}


class HookBench:
    secrets = (SECRET, TOKEN)

    def __init__(self, folder: Path, clock: FrozenClock) -> None:
        self.clock = clock
        self.inbox = folder / "state" / "webhooks.sqlite3"
        self.settings = Settings(
            webhook_port=0,
            webhook_inbox=self.inbox,
            webhook_secret=f"{OLDER} {SECRET}",
            webhook_token=TOKEN,
            _env_file=None,
        )
        self._serving = serve_webhooks(self.settings, clock)
        self.url = f"{self._serving.__enter__()}/hooks/v1/tool"
        self._number = 0
        self.http = requests.Session()
        self.http.trust_env = False

    def close(self) -> None:
        self.http.close()
        self._serving.__exit__(None, None, None)

    def source(self) -> Source:
        return WebhookSource(Inbox(self.inbox), page=10)

    def post(self, content: Any, url: str = "", **headers: str) -> requests.Response:
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        sent = headers or {"Authorization": f"Bearer {TOKEN}"}
        return self.http.post(url or self.url, body, headers={"Content-Type": "application/json", **sent})

    def add(self, count: int, type_: str = "form_submit") -> set[str]:
        """In messages of a hundred activities; pages have ten of them."""
        ids = [str(self._number + i) for i in range(count)]
        self._number += count
        inbox = Inbox(self.inbox)
        for start in range(0, count, 100):
            records = [event(one, type=type_) for one in ids[start : start + 100]]
            inbox.put("tool", None, ids[start].encode(), records, self.clock.now())
        return {f"tool:{one}" for one in ids}

    def add_unknown(self) -> str:
        assert self.post(event("fax", type="fax")).status_code == 202
        return "fax"

    def faults(self) -> list[Switch]:
        return []

    def poll(self) -> dict[str, Any]:
        polls = Polls(self)
        polls.poll()
        return activities(polls.pages)


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
        assert found.keys() == {"tool:e1", "tool:e2"}
        assert found["tool:e1"].attributes == {"hook": "tool"}

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
        assert bench.poll().keys() == {"tool:e1", "tool:e2"}

    @pytest.mark.parametrize(
        "headers",
        [
            {"Accept": "*/*"},
            {"Authorization": "Bearer wrong"},
            {"Authorization": f"Basic {TOKEN}"},
            {"webhook-signature": "v1,AAAA"},
        ],
    )
    def test_a_stranger_is_refused_and_nothing_is_stored(
        self, bench: HookBench, headers: dict[str, str], capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert bench.post(event("e1"), **headers).status_code == 401
        assert bench.post(event("e1"), f"{bench.url}/not-the-token", Accept="*/*").status_code == 401
        assert bench.poll() == {}
        printed = capsys.readouterr()
        assert not [secret for secret in bench.secrets if secret in printed.out + printed.err]

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

    @pytest.mark.parametrize(
        ("body", "words"),
        [
            (b"{", "not JSON"),
            (b"[]", "no activity"),
            (b"7", "no activity"),
            (b'{"data": []}', "no activity"),
            (json.dumps([event("e1"), event("e2", email="nobody")]).encode(), "activity 2: email"),
            (json.dumps(event("e1", occurred_at="soon")).encode(), "activity 1: occurred_at"),
        ],
    )
    def test_a_bad_message_is_told_what_is_wrong_and_nothing_is_stored(
        self, bench: HookBench, body: bytes, words: str
    ) -> None:
        answer = bench.post(body)
        assert answer.status_code == 400
        assert words in answer.json()["errors"][0]
        assert bench.poll() == {}

    def test_a_message_may_not_be_too_big(self, bench: HookBench) -> None:
        assert bench.post(b" " * (LARGEST + 1)).status_code == 413

    def test_nobody_may_send_too_fast(self, bench: HookBench) -> None:
        answers = [bench.post(b"x") for _ in range(int(BURST) + 1)]
        assert answers[-1].status_code == 429
        assert int(answers[-1].headers["Retry-After"]) > 0
        bench.clock.sleep(1)
        assert bench.post(event("e1")).status_code == 202

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
        assert parse(json.dumps(content).encode(), "application/json", {}, NOW) == [one]
    envelope = {"type": "call", "timestamp": "2026-04-01T00:00:00Z", "data": {"email": "a@example.com"}}
    assert parse(json.dumps(envelope).encode(), "", {}, NOW) == [
        {"occurred_at": "2026-04-01T00:00:00Z", "type": "call", "email": "a@example.com"}
    ]
    assert isinstance(parse(b"\xff", "application/x-www-form-urlencoded", {}, NOW), Bad)


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({}, "anybody"),
        ({"webhook_token": "short"}, "too short"),
        ({"webhook_secret": "whsec_!!"}, "no secret"),
        ({"webhook_secret": "whsec_AAAA"}, "no secret"),
    ],
)
def test_an_open_door_is_refused(clock: FrozenClock, more: dict[str, str], words: str) -> None:
    settings = Settings(webhook_port=0, **more, _env_file=None)
    with pytest.raises(ConfigurationError, match=words), serve_webhooks(settings, clock):
        pass


def test_a_taken_port_is_said(clock: FrozenClock) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        settings = Settings(webhook_port=taken.getsockname()[1], webhook_token=TOKEN, _env_file=None)
        with pytest.raises(ConfigurationError, match="cannot listen"), serve_webhooks(settings, clock):
            pass


def test_without_a_port_there_is_no_endpoint(clock: FrozenClock) -> None:
    with serve_webhooks(Settings(_env_file=None), clock) as url:
        assert url is None
