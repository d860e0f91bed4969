"""A tiny HTTP server that plays back answers, for what must be tested below the practice org's level."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Asked:
    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Reply:
    """``body``: bytes as they are, None for nothing, anything else as JSON. ``cut``: promise more bytes than come."""

    body: Any = field(default_factory=dict)
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    cut: bool = False

    def payload(self) -> bytes:
        if self.body is None:
            return b""
        return self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()


Rule = Reply | Callable[[Asked], Reply]


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Who asked went away before the end of the answer."""


class Player:
    """Answers requests with ``replies`` in order; the last one stays. Keeps what it was asked."""

    def __init__(self) -> None:
        self.replies: list[Rule] = [Reply()]
        self.asked: list[Asked] = []
        player = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _answer(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                asked = Asked(self.command, self.path, dict(self.headers), self.rfile.read(length))
                player.asked.append(asked)
                rule = player.replies.pop(0) if len(player.replies) > 1 else player.replies[0]
                reply = rule if isinstance(rule, Reply) else rule(asked)
                payload = reply.payload()
                self.send_response_only(reply.status)
                for key, value in {"Content-Type": "application/json", **reply.headers}.items():
                    self.send_header(key, value)
                self.send_header("Content-Length", str(len(payload) + (10 if reply.cut else 0)))
                self.end_headers()
                self.wfile.write(payload)
                self.close_connection = self.close_connection or reply.cut

            do_GET = do_POST = do_PATCH = _answer

            def log_message(self, *_args: object) -> None:
                pass

        self._server = _Server(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def play(self, *replies: Rule) -> None:
        self.replies = list(replies)

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
