"""The session acts on what the judge says: it takes, asks again, signs in anew, or raises one of our errors."""

from __future__ import annotations

import contextlib
import gzip
import json
import socket
import ssl
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests

from connector.base.clock import FrozenClock
from connector.base.errors import ConfigurationError, ConnectorError, LimitReached, Refused, Transient
from connector.base.http import (
    TAKEN,
    Judgement,
    Policy,
    Reaction,
    Session,
    TimedOut,
    describe,
    retry_after,
    server_time,
)
from connector.salesforce.errors import judge_salesforce
from practice_org.serving.tls import Certificates
from tests.salesforce.http_player import Player, Reply

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)


def judge(status: int, body: Any) -> Judgement:
    verdicts = {401: Reaction.RENEW, 403: Reaction.LIMIT, 503: Reaction.AGAIN, 429: Reaction.AGAIN}
    return TAKEN if status < 300 else Judgement(verdicts.get(status, Reaction.REFUSE), str(status), "words", "a hint")


class Tokens:
    def __init__(self) -> None:
        self.number = 1

    def get(self) -> str:
        return f"token-{self.number}"

    def renew(self, stale: str) -> str:
        assert stale == self.get()
        self.number += 1
        return self.get()


def session(clock: FrozenClock, **more: Any) -> Session:
    return Session("The API", judge, clock, **more)


def test_a_good_answer_is_taken_at_once(player: Player, clock: FrozenClock) -> None:
    player.play(Reply({"a": 1}))
    with session(clock) as http:
        assert http.request("GET", player.url).json() == {"a": 1}
    assert clock.now() == NOW
    assert player.asked[0].headers["User-Agent"].startswith("lifecycle-connector/")


def test_a_packed_answer_is_unpacked(player: Player, clock: FrozenClock) -> None:
    player.play(Reply(gzip.compress(json.dumps({"a": 1}).encode()), headers={"Content-Encoding": "gzip"}))
    with session(clock) as http:
        assert http.request("GET", player.url).json() == {"a": 1}
    assert player.asked[0].headers["Accept-Encoding"] == "gzip"


@pytest.mark.parametrize(
    "fault",
    [
        Reply({}, status=503),
        Reply({"rows": [1, 2]}, cut=True),
        Reply(b'{"rows": [1, 2'),
        Reply(b"<html>we are setting things up</html>", headers={"Content-Type": "text/html"}),
        Reply(b"not packed", headers={"Content-Encoding": "gzip"}),
    ],
    ids=["5xx", "cut off", "half JSON", "HTML", "damaged gzip"],
)
def test_a_fault_that_passes_is_asked_again_after_a_wait(player: Player, clock: FrozenClock, fault: Reply) -> None:
    player.play(fault, fault, Reply({"a": 1}))
    with session(clock) as http:
        assert http.request("GET", player.url).json() == {"a": 1}
    assert len(player.asked) == 3
    assert clock.now() > NOW


def test_a_fault_that_stays_is_given_up_within_bounds(player: Player, clock: FrozenClock) -> None:
    player.play(Reply({}, status=503))
    with session(clock, policy=Policy(attempts=50, patience=100)) as http, pytest.raises(Transient, match="failed"):
        http.request("GET", player.url)
    assert clock.now() - NOW <= timedelta(seconds=100)
    assert 4 < len(player.asked) < 50


def test_nobody_listening_is_a_passing_fault(clock: FrozenClock) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"
        with session(clock) as http, pytest.raises(Transient, match=r"127\.0\.0\.1:\d+ refused the connection"):
            http.request("GET", url)
    assert clock.now() == NOW, "waiting does not help where nobody ever answered"


def test_a_name_that_does_not_resolve_is_told_at_once(clock: FrozenClock, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_args: object, **_kwargs: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with session(clock) as http, pytest.raises(Transient, match=r"typo\.example does not resolve"):
        http.request("GET", "https://typo.example/services")
    assert clock.now() == NOW


def test_whoever_answered_once_is_asked_again_when_the_connection_is_refused(clock: FrozenClock) -> None:
    player = Player()
    player.play(Reply({}, headers={"Connection": "close"}))
    with session(clock, policy=Policy(attempts=3)) as http:
        http.request("GET", player.url)
        player.close()
        with pytest.raises(Transient, match=r"failed 3 times, the last time with .*refused the connection"):
            http.request("GET", player.url)
    assert clock.now() > NOW


def test_retry_after_sets_the_wait(player: Player, clock: FrozenClock) -> None:
    player.play(Reply({}, status=429, headers={"Retry-After": "17"}), Reply({}))
    with session(clock) as http:
        http.request("GET", player.url)
    assert clock.now() == NOW + timedelta(seconds=17)


def test_a_retry_after_beyond_patience_gives_up_at_once(player: Player, clock: FrozenClock) -> None:
    player.play(Reply({}, status=429, headers={"Retry-After": "7200"}))
    with session(clock) as http, pytest.raises(Transient):
        http.request("GET", player.url)
    assert len(player.asked) == 1
    assert clock.now() == NOW


def test_a_stale_token_is_renewed_once_and_the_request_replayed(player: Player, clock: FrozenClock) -> None:
    player.play(Reply([], status=401), Reply({"a": 1}))
    with session(clock, token=Tokens()) as http:
        http.request("POST", player.url, json={"x": 1})
    assert [asked.headers["Authorization"] for asked in player.asked] == ["Bearer token-1", "Bearer token-2"]
    assert player.asked[0].body == player.asked[1].body


def test_a_token_that_is_refused_twice_is_refused(player: Player, clock: FrozenClock) -> None:
    player.play(Reply([], status=401))
    with session(clock, token=Tokens()) as http, pytest.raises(Refused) as caught:
        http.request("GET", player.url)
    assert len(player.asked) == 2
    assert "token-" not in str(caught.value)


def test_limits_and_refusals_carry_code_words_and_hint(player: Player, clock: FrozenClock) -> None:
    with session(clock) as http:
        for status, error in ((403, LimitReached), (404, Refused)):
            player.play(Reply({}, status=status))
            with pytest.raises(error) as caught:
                http.request("GET", player.url)
            assert (caught.value.code, caught.value.hint) == (str(status), "a hint")
            assert caught.value.what == f"The API answered {status} {status}: words"


def test_a_redirect_is_not_followed(player: Player, clock: FrozenClock) -> None:
    player.play(Reply({}, status=302, headers={"Location": "http://elsewhere.invalid/"}))
    with session(clock, token=Tokens()) as http, pytest.raises(Refused):
        http.request("GET", player.url)


def test_each_request_sent_is_announced_by_kind(player: Player, clock: FrozenClock) -> None:
    kinds: list[str] = []
    player.play(Reply({}, status=503), Reply({}))
    with session(clock, before=kinds.append) as http:
        http.request("GET", player.url, kind="query")
        http.request("GET", player.url)
    assert kinds == ["query", "query"]


def test_what_the_announcement_raises_prevents_the_sending(player: Player, clock: FrozenClock) -> None:
    def no(_kind: str) -> None:
        raise LimitReached("no calls left")

    with session(clock, before=no) as http, pytest.raises(LimitReached):
        http.request("GET", player.url, kind="query")
    assert player.asked == []


class Racing(FrozenClock):
    """Between two looks at the clock minutes go by."""

    def monotonic(self) -> float:
        self.sleep(250)
        return super().monotonic()


def test_an_answer_that_drips_for_ever_is_given_up() -> None:
    def drip(listener: socket.socket) -> None:
        with contextlib.suppress(OSError), listener.accept()[0] as connection:
            connection.recv(9999)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
            for _ in range(1_000_000):
                connection.sendall(b" ")

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=drip, args=(listener,))
        thread.start()
        with session(Racing(NOW)) as http, pytest.raises(TimedOut):
            http.request("GET", f"http://127.0.0.1:{listener.getsockname()[1]}", once_timed_out=True)
        thread.join(10)
    assert not thread.is_alive(), "the connection was ended"


def test_a_time_out_can_be_asked_for_at_once(clock: FrozenClock) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent, session(clock) as http, pytest.raises(TimedOut):
        http.request("GET", f"http://127.0.0.1:{silent.getsockname()[1]}", timeout=(1, 0.05), once_timed_out=True)


@contextlib.contextmanager
def https_server(certificates: Certificates) -> Iterator[str]:
    """Answers one request, or one failed handshake."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates.certificate_file, certificates.key_file)

    def answer(listener: socket.socket) -> None:
        with (
            listener.accept()[0] as connection,
            contextlib.suppress(OSError),
            context.wrap_socket(connection, server_side=True) as secure,
        ):
            secure.recv(10_000)
            secure.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}")
            secure.recv(1)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=answer, args=(listener,))
        thread.start()
        yield f"https://127.0.0.1:{listener.getsockname()[1]}"
        thread.join()


def test_a_certificate_is_checked_against_the_given_authority(clock: FrozenClock) -> None:
    with contextlib.closing(Certificates()) as certificates:
        with https_server(certificates) as url, session(clock, ca_bundle=certificates.ca_file) as http:
            assert http.request("GET", url).json() == {}
            http.close()
        with (
            https_server(certificates) as url,
            session(clock) as http,
            pytest.raises(ConfigurationError, match="not trusted") as caught,
        ):
            http.request("GET", url)
        assert "CONNECTOR_CA_BUNDLE" in caught.value.hint


def test_what_simple_salesforce_takes_for_https_goes_out_as_allowed(player: Player, clock: FrozenClock) -> None:
    with session(clock) as http:
        http.allow_plain_http(player.url)
        http.request("GET", player.url.replace("http:", "https:"))
    assert len(player.asked) == 1


def test_an_unusable_address_is_no_traceback(clock: FrozenClock) -> None:
    with session(clock) as http, pytest.raises(ConnectorError):
        http.request("GET", "http://")


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("5", 5.0),
        (" 5 ", 5.0),
        ("Fri, 01 May 2026 12:00:30 GMT", 30.0),
        ("Fri, 01 May 2026 11:00:00 GMT", 0.0),
        ("soon", None),
        ("", None),
        ("²", None),
        ("9" * 400, None),
    ],
)
def test_retry_after_is_seconds_or_a_date(header: str, seconds: float | None) -> None:
    assert retry_after({"Retry-After": header}, NOW) == seconds


def test_the_servers_time_is_its_date_header() -> None:
    assert server_time({"Date": "Fri, 01 May 2026 12:00:30 GMT"}, NOW) == NOW + timedelta(seconds=30)
    assert server_time({}, NOW) == NOW
    assert server_time({"Date": "?"}, NOW) == NOW


def test_what_is_said_of_an_answer_is_one_short_line() -> None:
    assert describe(403, Judgement(Reaction.REFUSE, "CODE", "a\n b" + "c" * 900)).startswith("403 CODE: a bccc")
    assert len(describe(403, Judgement(Reaction.REFUSE, "CODE", "c" * 900))) < 320
    assert describe(0, Judgement(Reaction.REFUSE)) == "an unknown fault"


def test_the_session_is_a_requests_session(clock: FrozenClock) -> None:
    with session(clock) as http:
        assert isinstance(http, requests.Session)


@pytest.mark.situation(4)
def test_a_redirect_costs_one_new_sign_in_and_the_token_goes_nowhere_else(player: Player, clock: FrozenClock) -> None:
    old, elsewhere = Player(), Player()
    homes = [old.url]

    class Moving(Tokens):
        def renew(self, stale: str) -> str:
            homes[0] = player.url
            return super().renew(stale)

    old.play(Reply({}, status=302, headers={"Location": elsewhere.url + "/x"}))
    player.play(Reply({"a": 1}))
    judge = judge_salesforce
    with Session("The API", judge, clock, token=Moving(), home=lambda: homes[0]) as http:
        assert http.request("GET", old.url + "/x?q=1").json() == {"a": 1}
        http.request("GET", old.url + "/y")
    assert [asked.path for asked in player.asked] == ["/x?q=1", "/y"]
    assert (len(old.asked), elsewhere.asked) == (1, [])
    old.close()
    elsewhere.close()
