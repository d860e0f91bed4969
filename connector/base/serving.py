"""The only way in: an application served over HTTP in a thread, for as long as a context is open.

No request may take its time: a connection on which none arrives is closed.
"""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import uvicorn
from starlette.applications import Starlette
from uvicorn.protocols.http.h11_impl import H11Protocol

from connector.base.errors import ConfigurationError

PATIENCE = 20.0  # seconds that the head of a request may take, and then its body
AT_ONCE = 200  # connections


class Impatient(H11Protocol):
    """Closes a connection on which no whole head of a request arrives; uvicorn itself waits for it for ever."""

    _waiting: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        super().connection_made(transport)
        self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._waiting is not None:
            self._waiting.cancel()
        super().connection_lost(exc)

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._wait()

    def _wait(self) -> None:
        if self._waiting is not None:
            self._waiting.cancel()
        self._waiting = self.loop.call_later(PATIENCE, self._end)

    def _end(self) -> None:
        if self.cycle is None or self.cycle.response_complete:
            self.transport.close()


@contextmanager
def serving(app: Starlette, host: str, port: int, what: str, names: Sequence[str]) -> Iterator[str]:
    """Yields its address. ``names``: the settings of host and port. Raises ConfigurationError where it cannot."""
    with _listen(host, port, what, names) as listener:
        config = uvicorn.Config(
            app, log_config=None, access_log=False, server_header=False, lifespan="off",
            timeout_graceful_shutdown=2, http=Impatient, limit_concurrency=AT_ONCE,
        )  # fmt: skip
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, args=([listener],), name=what, daemon=True)
        thread.start()
        try:
            yield f"http://{host}:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join(timeout=10)


def _listen(host: str, port: int, what: str, names: Sequence[str]) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)  # asyncio turns Nagle off only then
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(128)
    except OSError as error:
        listener.close()
        raise ConfigurationError(
            f"the {what}' endpoint cannot listen on {host}:{port}: {error.strerror}", f"check {' and '.join(names)}"
        ) from None
    return listener
