"""The way between the connector and the practice org without a network: each connection that urllib3 would open is a
:class:`Socket`, which hands the bytes of a request to :data:`Serve` and gives the bytes of its answer back.

Everything above a socket is the real thing: http.client, urllib3, requests, our sessions and their judges. So what goes
wrong on a wire is done here, to bytes, and time passes without waiting (``moments.py``).
"""

from __future__ import annotations

import io
import socket
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Literal
from urllib.parse import unquote

import starlette.routing
import urllib3.util.connection

from tests.torture import moments

HOME = "http://127.0.0.1:8080"  # nobody listens there
_SLOW = 1.0  # seconds a byte that drips
Then = Literal["kept", "closed", "reset", "silent"]


@dataclass(frozen=True)
class Answer:
    """``then``: what becomes of the connection after these bytes."""

    raw: bytes
    then: Then = "kept"
    drips: bool = False


Serve = Callable[[bytes], Answer]
Faults = Callable[[Serve], Serve]


def no_faults(serve: Serve) -> Serve:
    return serve


class _Raw(io.RawIOBase):
    def __init__(self, owner: Socket) -> None:
        super().__init__()
        self._owner = owner

    def readable(self) -> bool:
        return True

    def readinto(self, into: Any) -> int:
        part = self._owner.take(len(into))
        into[: len(part)] = part
        return len(part)


class Socket:
    """As far as http.client and urllib3 look at one."""

    def __init__(self, serve: Serve, timeout: Any) -> None:
        self._serve = serve
        self._near, self._far = socket.socketpair()  # by which urllib3 sees whether something came unasked
        self._sent, self._coming = b"", b""
        self._last, self._is_told = Answer(b""), False
        self.settimeout(timeout)

    def settimeout(self, timeout: Any) -> None:
        self._timeout = timeout if isinstance(timeout, int | float) else 120.0

    def sendall(self, data: bytes) -> None:
        self._sent += bytes(data)

    def makefile(self, _mode: str, buffering: int = -1) -> io.RawIOBase:
        assert buffering == 0
        return _Raw(self)

    def take(self, most: int) -> bytes:
        if self._sent:
            request, self._sent = self._sent, b""
            self._last = self._serve(request)
            self._coming += self._last.raw
        if not self._coming:
            if self._last.then == "reset":
                raise ConnectionResetError(104, "Connection reset by peer")
            if self._last.then in ("silent", "kept"):
                moments.pass_by(self._timeout)
                raise TimeoutError("timed out")
            return b""
        if self._last.drips:
            moments.pass_by(_SLOW)
            most = 1
        part, self._coming = self._coming[:most], self._coming[most:]
        if not self._coming and self._last.then != "kept":
            self._far.close()
        elif bool(self._coming) != self._is_told:
            self._is_told = bool(self._coming)
            _ = self._far.send(b"-") if self._is_told else self._near.recv(1)
        return part

    def fileno(self) -> int:
        return self._near.fileno()

    def setsockopt(self, *_args: object) -> None: ...

    def shutdown(self, _how: int) -> None: ...

    def close(self) -> None:
        self._near.close()
        self._far.close()


def through(serve: Serve) -> None:
    """From now on, every connection of this process is served so."""

    def create_connection(_address: object, timeout: Any = None, **_others: object) -> Socket:
        return Socket(serve, timeout)

    urllib3.util.connection.create_connection = create_connection  # type: ignore[assignment]


async def _at_once(does: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    return does(*args, **kwargs)


def without_threads() -> None:
    """Of an application that is made from now on, endpoints that are no coroutines are called where they stand."""
    routing: Any = starlette.routing
    routing.run_in_threadpool = _at_once


def _without_a_loop(running: Coroutine[Any, Any, None]) -> None:
    try:
        running.send(None)
    except StopIteration:
        return
    raise AssertionError("an endpoint waits")


def served_by(app: Any, run: Callable[[Coroutine[Any, Any, None]], None] = _without_a_loop) -> Serve:
    """An ASGI application. Where its endpoints wait for nothing, no loop is needed to ``run`` them."""

    def serve(request: bytes) -> Answer:
        head, _, body = request.partition(b"\r\n\r\n")
        first, *lines = head.split(b"\r\n")
        method, target, _ = first.decode("latin-1").split(" ")
        path, _, query = target.partition("?")
        headers = [(name.lower(), value.strip()) for name, _, value in (line.partition(b":") for line in lines)]
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": unquote(path),
            "raw_path": path.encode("latin-1"),
            "root_path": "",
            "query_string": query.encode("latin-1"),
            "headers": headers,
            "client": ("127.0.0.1", 1),
            "server": ("127.0.0.1", 8080),
        }
        told: list[Any] = []

        async def receive() -> Any:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: Any) -> None:
            told.append(message)

        run(app(scope, receive, send))
        return Answer(_raw(told))

    return serve


def _raw(told: list[Any]) -> bytes:
    start, body = told[0], b"".join(each.get("body", b"") for each in told[1:])
    names = {name.lower() for name, _ in start["headers"]}
    lines = [f"HTTP/1.1 {start['status']} {HTTPStatus(start['status']).phrase}".encode()]
    lines += [name + b": " + value for name, value in start["headers"]]
    if b"content-length" not in names and start["status"] not in (204, 304):
        lines.append(b"Content-Length: " + str(len(body)).encode())
    return b"\r\n".join(lines) + b"\r\n\r\n" + body
