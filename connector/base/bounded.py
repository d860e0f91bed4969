"""Connections whose answers have an end: their headers and body must come within a time, however steadily they drip.

The time-out of a socket is that between two bytes, so a server that sends one byte a minute would hold a reader for
good. Here the clock is looked at before each read of the socket.
"""

from __future__ import annotations

import http.client
import io
import socket
from typing import Any

from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from connector.base.clock import Clock


class _UntilThen(io.RawIOBase):
    """What comes from a socket until a moment, and TimeoutError from then on."""

    def __init__(self, raw: Any, clock: Clock, longest: float) -> None:
        super().__init__()
        self._raw, self._clock, self._end = raw, clock, clock.monotonic() + longest

    def readable(self) -> bool:
        return True

    def readinto(self, into: Any) -> int:
        if self._clock.monotonic() > self._end:
            raise TimeoutError("the answer took too long")
        return int(self._raw.readinto(into))

    def close(self) -> None:
        self._raw.close()
        super().close()


class _Socket:
    """Stands for a socket where an answer begins to be read."""

    def __init__(self, real: socket.socket, clock: Clock, longest: float) -> None:
        self._real, self._clock, self._longest = real, clock, longest

    def makefile(self, _mode: str) -> io.BufferedReader:
        raw = self._real.makefile("rb", buffering=0)
        return io.BufferedReader(_UntilThen(raw, self._clock, self._longest), io.DEFAULT_BUFFER_SIZE)


class BoundedAdapter(HTTPAdapter):
    """``longest``: seconds from the end of a request to the end of its answer."""

    def __init__(self, clock: Clock, longest: float) -> None:
        self._pools = _pools(clock, longest)
        super().__init__()

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = self._pools

    def proxy_manager_for(self, *args: Any, **kwargs: Any) -> Any:
        manager = super().proxy_manager_for(*args, **kwargs)
        manager.pool_classes_by_scheme = self._pools
        return manager


def _pools(clock: Clock, longest: float) -> dict[str, Any]:
    class Answer(http.client.HTTPResponse):
        def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
            super().__init__(_Socket(sock, clock, longest), *args, **kwargs)  # type: ignore[arg-type]

    class Plain(HTTPConnection):
        response_class = Answer

    class Secure(HTTPSConnection):
        response_class = Answer

    class PlainPool(HTTPConnectionPool):
        ConnectionCls = Plain

    class SecurePool(HTTPSConnectionPool):
        ConnectionCls = Secure

    return {"http": PlainPool, "https": SecurePool}
