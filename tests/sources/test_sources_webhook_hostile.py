"""The webhooks' endpoint among strangers, broken senders and a full disk: nothing is let in, lost, or shown."""

from __future__ import annotations

import json
import logging
import resource
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from connector.base import serving
from connector.base.clock import FrozenClock
from connector.sources.webhook import server as webhook_server
from connector.sources.webhook.server import BURST, LARGEST
from tests.sources.hook_bench import OLDER, SECRET, TOKEN, HookBench, event, sign
from tests.sources.source_suite import Polls


@pytest.fixture
def bench(tmp_path: Path, clock: FrozenClock) -> Iterator[HookBench]:
    bench = HookBench(tmp_path, clock)
    yield bench
    bench.close()


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
    bench: HookBench, headers: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert bench.post(event("e1"), **headers).status_code == 401
    assert bench.post(event("e1"), f"{bench.url}/not-the-token", Accept="*/*").status_code == 401
    assert bench.poll() == {}
    printed = capsys.readouterr()
    assert not [secret for secret in bench.secrets if secret in printed.out + printed.err]


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"{", "not JSON"),
        (b"\xff{}", "not UTF-8"),
        (b'{"email": "a@example.com", "email": "b@example.com"}', "'email' is there twice"),
        (b'{"score": NaN}', "NaN"),
        (b'{"score": 1e999}', "1e999"),
        (b"[" * 30 + b"]" * 30, "too deeply"),
        (b'{"attributes": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", "too deeply"),
        (b"[]", "no activity"),
        (b"7", "no activity"),
        (b'{"data": []}', "no activity"),
        (json.dumps([event("e1"), event("e2", email="nobody")]).encode(), "activity 2: email"),
        (json.dumps(event("e1", occurred_at="soon")).encode(), "activity 1: occurred_at"),
    ],
)
def test_a_bad_message_is_told_what_is_wrong_and_nothing_is_stored(bench: HookBench, body: bytes, words: str) -> None:
    answer = bench.post(body)
    assert answer.status_code == 400
    assert words in answer.json()["errors"][0]
    assert bench.poll() == {}


@pytest.mark.parametrize(
    ("content_type", "body", "words"),
    [
        ("text/plain", json.dumps(event("e1")).encode(), None),
        ("application/vnd.tool+json; charset=utf-8", json.dumps(event("e1")).encode(), None),
        ("application/x-www-form-urlencoded; charset=UTF-8", b"type=call&email=a%40example.com", None),
        ("application/xml", b"<event/>", "as its type application/xml says"),
        ("multipart/form-data; boundary=x", b"--x", "send application/json or application/x-www-form-urlencoded"),
        ("application/x-www-form-urlencoded", b"type=call&email=a%40example.com&name=%81", "neither UTF-8 nor"),
        ("application/x-www-form-urlencoded", b"type=call&email=a%40example.com&name=\x81", "neither UTF-8 nor"),
    ],
)
def test_the_content_type_matters_where_the_body_is_no_json(
    bench: HookBench, content_type: str, body: bytes, words: str | None
) -> None:
    headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": content_type}
    answer = bench.post(body, **headers)
    assert answer.status_code == (400 if words else 202)
    if words:
        assert words in answer.json()["errors"][0]


def test_a_message_may_not_be_too_big(bench: HookBench) -> None:
    assert bench.post(b" " * (LARGEST + 1)).status_code == 413


def test_a_body_may_come_in_chunks_and_is_measured_all_the_same(bench: HookBench) -> None:
    headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
    body = json.dumps(event("e1")).encode()
    assert bench.http.post(bench.url, iter([body[:9], body[9:]]), headers=headers).status_code == 202
    with closing(bench.connect()) as sender:
        sender.sendall(b"POST /hooks/v1/tool HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
        chunk = b"40000\r\n" + b" " * 0x40000 + b"\r\n"
        sender.sendall(chunk * 4)
        assert sender.recv(99).startswith(b"HTTP/1.1 413")
    assert bench.poll().keys() == {"tool:form_submit:e1:a@example.com"}


def test_who_stops_in_the_middle_is_not_waited_for(bench: HookBench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving, "PATIENCE", 0.2)
    monkeypatch.setattr(webhook_server, "PATIENCE", 0.2)
    with closing(bench.connect()) as head, closing(bench.connect()) as body, closing(bench.connect()) as second:
        head.sendall(b"POST /hooks/v1/tool HTTP/1.1\r\nHo")
        body.sendall(b"POST /hooks/v1/tool HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n{")
        second.sendall(b"GET /hooks/v1/tool HTTP/1.1\r\nHost: x\r\n\r\nPOST")
        assert head.recv(99) == b""
        assert body.recv(99).startswith(b"HTTP/1.1 408")
        assert second.recv(9999).startswith(b"HTTP/1.1 405")
        assert second.recv(9999) == b""


def test_only_so_many_may_be_connected_at_once(bench: HookBench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving, "AT_ONCE", 3)
    bench.restart()
    with closing(bench.connect()) as one, closing(bench.connect()) as two:
        for each in (one, two):
            each.sendall(b"POST")
        assert bench.post(event("e1")).status_code == 503
    bench.restart()
    assert bench.post(event("e1")).status_code == 202


def test_nobody_may_send_too_fast(bench: HookBench) -> None:
    answers = [bench.post(b"x") for _ in range(int(BURST) + 1)]
    assert answers[-1].status_code == 429
    assert int(answers[-1].headers["Retry-After"]) > 0
    bench.clock.sleep(1)
    assert bench.post(event("e1")).status_code == 202


def test_strangers_keep_nobody_out(bench: HookBench) -> None:
    answers = [bench.post(b"x", Authorization="Bearer wrong").status_code for _ in range(int(BURST) + 1)]
    assert set(answers[:-1]) == {401}
    assert answers[-1] == 429
    assert bench.post(event("e1")).status_code == 202


def test_a_replay_is_known_after_a_restart_and_after_it_was_recorded(bench: HookBench) -> None:
    body = json.dumps(event("e1")).encode()
    polls = Polls(bench)
    for sent in range(3):
        answer = bench.post(body, **sign(body, bench.clock.now()))
        assert answer.json() == {"accepted": int(sent == 0), "duplicates": int(sent > 0)}
        polls.poll()
        bench.restart()
        bench.clock.sleep(timedelta(days=2).total_seconds())
    assert len(polls.pages) == 1


def test_a_captured_message_cannot_be_sent_later_or_as_another(bench: HookBench) -> None:
    body = json.dumps(event("e1")).encode()
    captured = sign(body, bench.clock.now())
    assert bench.post(body, **{**captured, "webhook-id": "msg_2"}).status_code == 401
    bench.clock.sleep(301)
    assert bench.post(body, **captured).status_code == 401


def test_what_is_signed_for_one_hook_is_refused_at_another(bench: HookBench) -> None:
    body = json.dumps(event("e1")).encode()
    signed, other = sign(body, bench.clock.now()), bench.url.replace("/tool", "/other")
    assert bench.post(body, **signed).status_code == 202
    bench.restart()
    other = f"{bench.url.rpartition('/')[0]}/other"
    assert bench.post(body, other, **signed).status_code == 401
    assert bench.post(body, **signed).json()["duplicates"] == 1
    again = sign(body, bench.clock.now(), message_id="msg_2")
    assert bench.post(body, other, **again).status_code == 202


def test_a_secret_of_one_hook_opens_no_other(tmp_path: Path, clock: FrozenClock) -> None:
    bench = HookBench(tmp_path, clock, secret=f"tool:{SECRET} other:{OLDER}")
    with closing(bench):
        body, other = json.dumps(event("e1")).encode(), f"{bench.url.rpartition('/')[0]}/other"
        signed = sign(body, clock.now())
        assert bench.post(body, other, **signed).status_code == 401
        assert bench.post(body, **signed).status_code == 202
        assert bench.post(body, **sign(body, clock.now(), OLDER)).status_code == 401
        assert bench.post(body, other, **sign(body, clock.now(), OLDER)).status_code == 202  # a message to both


@pytest.mark.parametrize("field", ["email", "name", "event_id", "type", "occurred_at", "whatever", "\\ud800"])
def test_half_a_character_is_refused_and_counted(bench: HookBench, field: str) -> None:
    body = json.dumps(event("e1")).removesuffix("}") + f', "more": {{"{field}": "ann\\ud800@example.com"}}}}'
    for each in (body, body.replace(f'"{field}": "', f'"{field}": "\\udc00')):
        answer = bench.post(each.encode())
        assert (answer.status_code, "half of a character" in answer.text) == (400, True)
    polls = Polls(bench)
    polls.poll()
    assert sum(page.bad for page in polls.pages) == 2


def test_no_token_is_ever_logged(
    bench: HookBench, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("", "uvicorn", "uvicorn.access", "uvicorn.error", "asyncio"):
        caplog.set_level(logging.DEBUG, name)
    bench.restart()
    headers = {"Content-Type": "application/json"}
    for path in (TOKEN, f"{TOKEN}/more", f"{TOKEN}x"):
        bench.post(event("e1"), f"{bench.url}/{path}", **headers)
    bench.post(event("e2"))
    with closing(bench.connect()) as sender:
        sender.sendall(f"POST /hooks/v1/tool/{TOKEN} HTTP/9\r\n\r\n".encode())
        assert sender.recv(99).startswith(b"HTTP/1.1 400")
    bench.inbox.write_bytes(b"no database at all, but long enough" * 100)
    assert bench.post(event("e3"), f"{bench.url}/{TOKEN}", **headers).status_code == 503
    ours = [record.getMessage() for record in caplog.records if not record.name.startswith("urllib3")]
    printed = capsys.readouterr()
    assert "webhook refused" in printed.out
    assert not [each for each in (*ours, printed.out, printed.err) for secret in bench.secrets if secret in each]


def test_a_full_disk_asks_to_send_again_and_loses_nothing(bench: HookBench, capsys: pytest.CaptureFixture[str]) -> None:
    assert bench.post(event("e1")).status_code == 202
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (bench.inbox.stat().st_size, hard))
    try:
        answer = bench.post([event(f"x{n}", name="x" * 200) for n in range(200)])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert (answer.status_code, "Retry-After" in answer.headers) == (503, True)
    assert "cannot be written" in capsys.readouterr().out
    assert bench.post(event("e2")).status_code == 202
    assert bench.poll().keys() == {"tool:form_submit:e1:a@example.com", "tool:form_submit:e2:a@example.com"}
