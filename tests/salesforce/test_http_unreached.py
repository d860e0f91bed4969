"""A server that is not reached: which one, why, whether a person must act, and no waiting where that cannot help."""

from __future__ import annotations

import contextlib
import errno
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from connector.base.clock import FrozenClock
from connector.base.errors import ConfigurationError, ConnectorError, Transient
from connector.base.http import TAKEN, Policy, Session
from practice_org.serving.tls import Certificates

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
Answer = Callable[[socket.socket], object]


def session(clock: FrozenClock, **more: Any) -> Session:
    return Session("The API", lambda _status, _body: TAKEN, clock, policy=Policy(attempts=3), **more)


@contextlib.contextmanager
def serving(answer: Answer) -> Iterator[str]:
    """``host:port`` where each connection is answered so and closed."""

    def serve(listener: socket.socket) -> None:
        while True:
            try:
                connection = listener.accept()[0]
            except OSError:
                return
            with connection, contextlib.suppress(OSError):
                answer(connection)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, args=(listener,))
        thread.start()
        try:
            yield f"127.0.0.1:{listener.getsockname()[1]}"
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()


def plainly(connection: socket.socket) -> None:
    connection.recv(9999)
    connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")


def no_entry(connection: socket.socket) -> None:
    connection.recv(9999)
    connection.sendall(b"HTTP/1.1 403 Forbidden\r\n\r\n")


def reset(connection: socket.socket) -> None:
    connection.recv(1)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def hang_up(connection: socket.socket) -> None:
    connection.recv(9999)


def fails(
    clock: FrozenClock, url: str, kind: type[ConnectorError], said: str, hint: str = "", **more: Any
) -> ConnectorError:
    """What a request ends with; ``said`` follows the name of the API."""
    with session(clock, **more) as http, pytest.raises(kind) as caught:
        http.request("GET", url, timeout=(2, 0.2))
    assert caught.value.what.endswith(said)
    assert hint in caught.value.hint
    return caught.value


def nobody() -> str:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{unused.getsockname()[1]}"


def test_a_server_that_speaks_no_tls_needs_another_address(clock: FrozenClock) -> None:
    with serving(plainly) as host:
        fails(clock, f"https://{host}", ConfigurationError, f"The API: {host} failed TLS: WRONG_VERSION_NUMBER")
    assert clock.now() == NOW


@pytest.mark.parametrize("answer", [reset, hang_up])
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_connection_that_is_cut_is_asked_for_again_and_ends_nothing(
    clock: FrozenClock, scheme: str, answer: Answer
) -> None:
    with serving(answer) as host:
        fails(
            clock,
            f"{scheme}://{host}",
            Transient,
            f"failed 3 times, the last time with CONNECTION: {host} cut the connection",
        )
    assert clock.now() > NOW


def test_a_server_that_never_answered_is_not_waited_for_twice(clock: FrozenClock) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        host = f"127.0.0.1:{silent.getsockname()[1]}"
        fails(clock, f"http://{host}", Transient, f"The API: {host} gave no answer in time")
    assert clock.now() == NOW


def test_a_connection_that_is_not_taken_in_time_is_told_so(clock: FrozenClock, monkeypatch: pytest.MonkeyPatch) -> None:
    def late(*_args: object) -> None:
        raise TimeoutError(errno.ETIMEDOUT, "Connection timed out")

    monkeypatch.setattr(socket.socket, "connect", late)
    fails(clock, "http://127.0.0.1:1", Transient, "The API: 127.0.0.1:1 did not take the connection in time")
    assert clock.now() == NOW


@pytest.fixture
def certificates() -> Iterator[Certificates]:
    with contextlib.closing(Certificates()) as made:
        yield made


def secured(certificates: Certificates) -> Answer:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates.certificate_file, certificates.key_file)

    def answer(connection: socket.socket) -> None:
        with context.wrap_socket(connection, server_side=True) as secure:
            secure.recv(9999)
            secure.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}")

    return answer


def test_what_is_wrong_with_a_certificate_is_said(clock: FrozenClock, certificates: Certificates) -> None:
    with serving(secured(certificates)) as host:
        said = f"{host} failed TLS: its certificate is not trusted (unable to get local issuer certificate)"
        fails(clock, f"https://{host}", ConfigurationError, said, "CONNECTOR_CA_BUNDLE")
    assert clock.now() == NOW


def test_a_certificate_that_turns_bad_under_a_running_connector_passes(
    clock: FrozenClock, certificates: Certificates
) -> None:
    with serving(secured(certificates)) as host, session(clock, ca_bundle=certificates.ca_file) as http:
        http.request("GET", f"https://{host}")
        http._ca_bundle = None  # trusted no longer
        with pytest.raises(Transient, match="certificate is not trusted"):
            http.request("GET", f"https://{host}")


@pytest.fixture
def proxied(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    for name in ("HTTPS_PROXY", "https_proxy", "NO_PROXY", "no_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    return lambda host: monkeypatch.setenv("HTTPS_PROXY", f"http://{host}")


def test_a_proxy_that_is_not_there_is_not_taken_for_the_server(
    clock: FrozenClock, proxied: Callable[[str], None]
) -> None:
    proxied(nobody())
    said = "The API: the proxy on the way to org.example refused the connection"
    fails(clock, "https://org.example/x", Transient, said, "HTTPS_PROXY")
    assert clock.now() == NOW


def test_a_proxy_that_leads_nobody_there_says_why(clock: FrozenClock, proxied: Callable[[str], None]) -> None:
    with serving(no_entry) as host:
        proxied(host)
        said = (
            "The API: the proxy on the way to org.example gives no connection: Tunnel connection failed: 403 Forbidden"
        )
        fails(clock, "https://org.example/x", Transient, said)
    assert clock.now() == NOW


def test_a_password_in_an_address_is_not_shown(clock: FrozenClock) -> None:
    host = nobody()
    error = fails(clock, f"http://ann:hush@{host}", Transient, f"The API: {host} refused the connection")
    assert "hush" not in str(error)


def test_a_file_of_authorities_that_is_not_there_is_no_unexpected_error(
    clock: FrozenClock, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "none.pem"))
    fails(clock, "https://org.example", ConfigurationError, "none.pem", "REQUESTS_CA_BUNDLE")
