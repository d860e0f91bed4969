"""Any JSON value or bytes at any endpoint gives a value or one of our errors, and every answer has an end."""

from __future__ import annotations

import contextlib
import gzip
import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connector.base.clock import FrozenClock, SystemClock
from connector.base.errors import ConnectorError, Transient
from connector.base.facts import Change, RecordChange
from connector.base.http import TAKEN, Policy, Session, TimedOut
from connector.base.ports import DeletedSince, Read, UpdatedSince
from connector.base.settings import Settings
from connector.salesforce import SalesforceClient, open_salesforce
from connector.sources.marketo.api import MarketoToken
from tests.cases import cases
from tests.salesforce.http_player import Asked, Player, Reply

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
ONCE = Policy(attempts=1)


def session(clock: Any, **more: Any) -> Session:
    return Session("The API", lambda _status, _body: TAKEN, clock, policy=ONCE, **more)


ODD = {
    "nothing": Reply(b""),
    "null": Reply(b"null"),
    "a list": Reply(b"[1]"),
    "half of it": Reply(b'{"a": '),
    "NaN": Reply(b'{"a": NaN}'),
    "infinity": Reply(b'{"a": 1e999}'),
    "deep": Reply(b'{"a": ' + b"[" * 900 + b"]" * 900 + b"}"),
    "deeper": Reply(b'{"a": ' + b"[" * 90_000 + b"]" * 90_000 + b"}"),
    "a page": Reply(b"<html>we are setting things up</html>", headers={"Content-Type": "text/html"}),
    "a page that says it is JSON": Reply(b"<html>"),
    "another charset": Reply(b'{"a": "\xff"}', headers={"Content-Type": "application/json; charset=utf-8"}),
    "no charset": Reply(b'{"a": "\xff"}', headers={"Content-Type": "application/json; charset=klingon"}),
    "half a gzip": Reply(gzip.compress(b'{"a": 1}' * 99)[:30], headers={"Content-Encoding": "gzip"}),
    "a gzip in name": Reply(b'{"a": 1}', headers={"Content-Encoding": "gzip"}),
    "no content": Reply(None, status=204),
    "a chunk that is no number": Reply(
        b"zz\r\n{}\r\n", headers={"Transfer-Encoding": "chunked", "Connection": "close"}
    ),
    "a broken header": Reply(b"", headers={"Connection": "close", "X": "y\r\n\r\n\r\n{"}),
}


@pytest.fixture(scope="module")
def player() -> Iterator[Player]:
    with closing(Player()) as served:
        yield served


@pytest.mark.parametrize("name", ODD)
def test_what_is_not_of_the_asked_shape_is_a_passing_fault(player: Player, name: str) -> None:
    player.play(ODD[name])
    with session(FrozenClock(NOW)) as http, pytest.raises(Transient) as caught:
        http.request("GET", player.url, shape=dict)
    assert "failed 1 times, the last time with" in caught.value.what


def test_a_charset_that_is_named_is_read(player: Player) -> None:
    said = {"Content-Type": "application/json; charset=windows-1252"}
    player.play(Reply('{"a": "Zoë"}'.encode("cp1252"), headers=said), Reply('{"a": "Zoë"}'.encode("utf-16")))
    with session(FrozenClock(NOW)) as http:
        assert http.request("GET", player.url, shape=dict).json() == {"a": "Zoë"}
        assert http.request("GET", player.url, shape=dict).json() == {"a": "Zoë"}


def test_a_bomb_is_not_unpacked_beyond_the_bound(player: Player) -> None:
    player.play(Reply(gzip.compress(b" " * 50_000_000), headers={"Content-Encoding": "gzip"}))
    with session(FrozenClock(NOW), largest=1_000_000) as http, pytest.raises(Transient, match="TOO_LARGE"):
        http.request("GET", player.url)


@pytest.mark.parametrize(
    "said",
    ["-5", "NaN", "1e9", "Fri, 31 Dec 9999 23:59:59 -2359", "Mon, 01 Jan 0001 00:00:00 +2359", "٣", "\t", "5, 6"],
)
def test_an_odd_retry_after_or_date_is_no_crash(player: Player, said: str) -> None:
    odd = {"Retry-After": said.encode().decode("latin-1"), "Date": said.encode().decode("latin-1")}
    player.play(Reply({}, headers=odd))
    with session(FrozenClock(NOW)) as http:
        assert http.request("GET", player.url, shape=dict).json() == {}


@contextlib.contextmanager
def dripping(begin: bytes, drop: bytes) -> Iterator[str]:
    """A server that sends a few bytes every few milliseconds, for good."""
    over = threading.Event()

    def drip(listener: socket.socket) -> None:
        with contextlib.suppress(OSError), listener.accept()[0] as connection:
            connection.recv(9999)
            connection.sendall(begin)
            while not over.wait(0.005):
                connection.sendall(drop)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=drip, args=(listener,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            over.set()
            thread.join(10)
    assert not thread.is_alive()


@pytest.mark.parametrize(
    ("begin", "drop"),
    [
        (b"", b"H"),
        (b"HTTP/1.1 200 OK\r\n", b"X-More: 1\r\n"),
        (b"HTTP/1.1 200 OK\r\nX-Long: ", b"1"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n", b" "),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n"),
    ],
    ids=["status line", "headers", "a header", "body", "chunks"],
)
def test_a_server_that_drips_is_given_up_wherever_it_drips(begin: bytes, drop: bytes) -> None:
    with dripping(begin, drop) as url, session(SystemClock(), longest=0.1) as http, pytest.raises(ConnectorError) as e:
        http.request("GET", url, timeout=(5, 5), once_timed_out=True)
    assert isinstance(e.value, TimedOut | Transient)


# -- Salesforce --------------------------------------------------------------------------------------------------------

LEAVES = st.none() | st.booleans() | st.integers(-1, 10**400) | st.text(max_size=4) | st.just("2026-05-01T00:00:00Z")
KEYS = st.sampled_from([
    "id", "Id", "attributes", "records", "nextRecordsUrl", "totalSize", "SystemModstamp", "Email", "compositeResponse",
    "httpStatusCode", "body", "referenceId", "deletedRecords", "earliestDateAvailable", "latestDateCovered", "ids",
    "fields", "name", "success", "errors", "message", "statusCode", "errorCode", "features", "version", "identity",
    "access_token", "instance_url", "deployResult",
])  # fmt: skip
JSON = st.recursive(LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4))
PARTS = st.lists(
    st.fixed_dictionaries(
        {"referenceId": st.sampled_from(["part0", "part1", "part2"])},
        optional={"httpStatusCode": st.sampled_from([200, 400, 404, 500, "200", None]), "body": JSON},
    ),
    max_size=3,
)
ANSWERS = JSON | PARTS.map(lambda parts: {"compositeResponse": parts}) | st.binary(max_size=8)
STATUS = st.sampled_from([200, 200, 200, 201, 204, 302, 400, 401, 403, 404, 429, 500, 503])
VERSIONS = [{"version": "62.0"}]

CHANGE = Change("stage", "Lifecycle_Stage__c", None, "Suspect")
ASKED: dict[str, Callable[[SalesforceClient], Any]] = {
    "read": lambda client: client.read(
        [Read("Contact", "SELECT Id, SystemModstamp FROM Contact", alone=True)],
        [DeletedSince("Contact", "Contact", NOW, NOW + timedelta(1)), UpdatedSince("Lead", "Lead", NOW, NOW)],
    ),
    "more": lambda client: client.more("/services/data/v62.0/query/01g-2000"),
    "update": lambda client: [*client.update([RecordChange("p", "Contact", "003" + "0" * 12 + "AAA", (CHANGE,))])],
    "describe": lambda client: [each["name"] for each in client.describe("Contact")["fields"]],
    "create": lambda client: client.create("Contact", {}),
    "limits": lambda client: client.limits(),
    "identity": lambda client: client.identity(),
    "currency": lambda client: client.single_currency(),
    "user": lambda client: client.user(),
    "deployment": lambda client: client.deploy_result("0Af"),
}


@pytest.mark.parametrize("asked", ASKED)
@given(answer=ANSWERS, status=STATUS)
@settings(max_examples=cases(40), suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_salesforce_answers_is_a_value_or_an_error_of_ours(
    player: Player, asked: str, answer: Any, status: int
) -> None:
    def reply(request: Asked) -> Reply:
        if request.path.endswith("/services/data/"):
            return Reply(VERSIONS)
        return Reply(answer, status=status, headers={"Location": "http://["} if status == 302 else {})

    player.replies = [reply]
    known = Settings(salesforce_access_token="not one of an org", salesforce_instance_url=player.url)
    with closing(open_salesforce(known, FrozenClock(NOW))) as client, contextlib.suppress(ConnectorError):
        ASKED[asked](client)


@given(answer=ANSWERS, status=STATUS)
@settings(max_examples=cases(40), suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_is_answered_instead_of_versions_or_a_token_is_an_error_of_ours(
    player: Player, answer: Any, status: int
) -> None:
    player.replies = [Reply(answer, status=status)]
    known = Settings(salesforce_client_id="id", salesforce_client_secret="secret", salesforce_login_url=player.url)
    given_token = Settings(salesforce_access_token="not one of an org", salesforce_instance_url=player.url)
    for each in (known, given_token):
        with closing(open_salesforce(each, FrozenClock(NOW))) as client, contextlib.suppress(ConnectorError):
            client.api_version()
    marketo = MarketoToken(player.url, "id", "secret", FrozenClock(NOW), None)
    with closing(marketo), contextlib.suppress(ConnectorError):
        assert isinstance(marketo.get(), str)


@pytest.mark.parametrize("told", [7, "a\nb", " x", "Zoë", ["t"], {"t": 1}, True])
def test_a_token_that_no_header_can_hold_is_a_passing_fault(player: Player, told: Any) -> None:
    answer = {"access_token": told, "instance_url": player.url, "expires_in": 3600}
    player.play(Reply(json.dumps(answer).encode()))
    known = Settings(salesforce_client_id="id", salesforce_client_secret="secret", salesforce_login_url=player.url)
    with closing(open_salesforce(known, FrozenClock(NOW))) as client, pytest.raises(Transient):
        client.api_version()
    with closing(MarketoToken(player.url, "id", "secret", FrozenClock(NOW), None)) as token, pytest.raises(Transient):
        token.get()
