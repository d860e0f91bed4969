"""The practice org over real HTTP: the application with its faults on the wire, and a server in a thread for tests and
demos."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Self
from urllib.parse import unquote

import uvicorn
from starlette.applications import Starlette
from starlette.routing import BaseRoute, Route
from starlette.types import Receive, Scope, Send

from practice_org.salesforce.org import PracticeOrg
from practice_org.serving import wire
from practice_org.serving.doors import Doors
from practice_org.serving.tls import Certificates


class PracticeApp(Starlette):
    """Starlette, but for the faults that happen on the wire itself."""

    def __init__(self, org: PracticeOrg, routes: Sequence[BaseRoute]) -> None:
        super().__init__(routes=routes)
        self.org = org

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and not scope["path"].startswith("/practice"):
            scope = normalised(scope)
            path = scope["path"]
            seconds = self.org.faults.seconds(path)
            if seconds:
                await asyncio.sleep(seconds)
            if self.org.faults.take("reset", path):
                wire.reset(send)
                return
            cut = self.org.faults.take("cut_off", path)
            if cut is not None:
                send = wire.cutting(send, cut.values.get("after"))
            drip = self.org.faults.take("drip", path)
            if drip is not None:
                send = wire.dripping(send, float(drip.values.get("seconds", 1)))
        await super().__call__(scope, receive, send)


def app(org: PracticeOrg, *, extra_routes: Sequence[BaseRoute] = (), url: str = "") -> PracticeApp:
    """The ASGI application. ``url`` is what sign-in answers as the instance (else what the client asked)."""
    systems = [route.path for route in extra_routes if isinstance(route, Route) and route.path[:10] == "/practice/"]
    return PracticeApp(org, [*extra_routes, *Doors(org, url, systems).routes()])


def normalised(scope: Scope) -> Scope:
    """The request with one slash before its path and no ``..`` in it, as clients that join addresses send them; a
    sign-in resource may also end with a slash. Inside a path an empty part stays one, and is not found."""
    kept: list[str] = []
    for part in scope["raw_path"].decode("latin-1").lstrip("/").split("/"):
        if part == "..":
            del kept[-1:]
        elif part != ".":
            kept.append(part)
    path = "/" + "/".join(kept)
    if path.startswith(("/services/oauth2/", "/id/")):
        path = path.rstrip("/")
    return {**scope, "raw_path": path.encode("latin-1"), "path": unquote(path)}


class _Uvicorn(uvicorn.Server):
    """Stops at once and leaves no open connection behind: idle ones would outlive the loop, and warn."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop = asyncio.Event()

    async def main_loop(self) -> None:
        self._loop = asyncio.get_running_loop()
        if not self.should_exit:
            await self._stop.wait()

    def stop(self) -> None:
        """From any thread."""
        self.should_exit = True
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._stop.set)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for listening in self.servers:
            listening.close()
        for connection in list(self.server_state.connections):
            if connection.transport is not None:
                connection.transport.abort()
        await asyncio.sleep(0.001)  # the aborted ones are told so in the loop's next turns


class Server:
    """Serves an org on 127.0.0.1 in a thread: ``with Server(org) as server: server.url``.

    ``tls`` serves https with a certificate of our own authority (``ca_file``), good for the names in
    :mod:`practice_org.serving.tls`, because some clients know no other scheme. Raises OSError when the port is
    taken.
    """

    def __init__(
        self,
        org: PracticeOrg,
        *,
        port: int = 0,
        tls: bool = False,
        extra_routes: Sequence[BaseRoute] = (),
    ) -> None:
        self.org = org
        # Named as TCP, or asyncio leaves Nagle on and every answer waits 40 ms for an acknowledgement.
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            self._socket.bind(("127.0.0.1", port))
        except OSError:
            self._socket.close()
            raise
        self.certificates = Certificates() if tls else None
        self.port: int = self._socket.getsockname()[1]
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self.port}"
        secure: dict[str, Any] = {}
        if self.certificates is not None:
            secure = {"ssl_keyfile": self.certificates.key_file, "ssl_certfile": self.certificates.certificate_file}
        config = uvicorn.Config(
            app(org, extra_routes=extra_routes, url=self.url),
            log_config=None,
            log_level="critical",
            access_log=False,
            date_header=False,
            server_header=False,
            lifespan="off",
            h11_max_incomplete_event_size=1 << 17,
            timeout_keep_alive=60,
            **secure,
        )
        self._server = _Uvicorn(config)
        self._thread = threading.Thread(target=self._server.run, args=([self._socket],), daemon=True)

    @property
    def ca_file(self) -> str:
        """PEM of the authority to trust. Raises ValueError without ``tls``."""
        if self.certificates is None:
            raise ValueError("this server speaks plain http")
        return str(self.certificates.ca_file)

    def start(self) -> Self:
        self._socket.listen(128)  # connections queue until the loop runs, so nobody need wait for it
        self._thread.start()
        return self

    def stop(self) -> None:
        """Also of one that was never started: its port is given back."""
        self._server.stop()
        if self._thread.ident is not None:
            self._thread.join(timeout=10)
        self._socket.close()
        if self.certificates is not None:
            self.certificates.close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
