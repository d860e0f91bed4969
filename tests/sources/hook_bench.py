"""The webhooks' endpoint served for tests, and senders of it."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import socket
from datetime import datetime
from pathlib import Path
from typing import Any

import requests

from connector.base.clock import FrozenClock
from connector.base.ports import Source
from connector.base.settings import Settings
from connector.sources.webhook.inbox import Inbox
from connector.sources.webhook.server import serve_webhooks
from connector.sources.webhook.source import WebhookSource, secret_key
from tests.sources.source_suite import Polls, Switch, activities

SECRET = "whsec_" + base64.b64encode(b"0123456789abcdef0123456789abcdef").decode()
OLDER = "whsec_" + base64.b64encode(b"fedcba9876543210fedcba9876543210").decode()
TOKEN = "a-token-of-more-than-twenty"


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

    def __init__(self, folder: Path, clock: FrozenClock, secret: str = f"{OLDER} {SECRET}") -> None:
        self.clock = clock
        self.inbox = folder / "state" / "webhooks.sqlite3"
        self.settings = Settings(
            webhook_port=0,
            webhook_inbox=self.inbox,
            webhook_secret=secret,
            webhook_token=TOKEN,
        )
        self._number = 0
        self.serve()
        self.http = requests.Session()
        self.http.trust_env = False

    def serve(self) -> None:
        self._serving = serve_webhooks(self.settings, self.clock)
        self.url = f"{self._serving.__enter__()}/hooks/v1/tool"

    def restart(self) -> None:
        self._serving.__exit__(None, None, None)
        self.serve()

    def connect(self) -> socket.socket:
        """A sender that writes what it likes, when it likes."""
        port = int(self.url.split(":")[2].partition("/")[0])
        return socket.create_connection(("127.0.0.1", port), timeout=10)

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
        return {f"tool:{type_}:{one}:a@example.com" for one in ids}

    def add_unknown(self) -> str:
        assert self.post(event("fax", type="fax")).status_code == 202
        return "fax"

    def faults(self) -> list[Switch]:
        away = self.inbox.with_suffix(".away")

        def spoil() -> None:
            self.inbox.rename(away)
            self.inbox.write_bytes(b"no database at all, but long enough" * 100)

        return [
            Switch("unmounted", lambda: self.inbox.rename(away), lambda: away.rename(self.inbox), passes=True),
            Switch("spoilt", spoil, lambda: away.rename(self.inbox)),
        ]

    def poll(self) -> dict[str, Any]:
        polls = Polls(self)
        polls.poll()
        return activities(polls.pages)
