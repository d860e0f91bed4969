"""Whatever surprise an answer is, of whichever service: a fault that passes, told in one clear line. Who sends by
itself, as Lead Liaison does, is in ``test_sources_webhook_hostile.py``."""

from __future__ import annotations

import contextlib
import gzip
import socketserver
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from typing import Any

import pytest

from connector.base.clock import FrozenClock
from connector.base.errors import Transient
from connector.base.http import Session
from connector.base.ports import Read
from connector.base.settings import Settings
from connector.salesforce import open_salesforce
from connector.sources.hubspot.source import HubSpotSource
from connector.sources.marketo.source import MarketoSource
from connector.sources.pardot import PardotSource
from tests.salesforce.http_player import Asked, Player, Reply

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
LARGEST, LONGEST = 1_000_000, 40.0  # bytes and seconds of an answer here


class Ticking(FrozenClock):
    """A second passes whenever it is looked at how long something takes."""

    def monotonic(self) -> float:
        self.sleep(1)
        return super().monotonic()


class Ready:
    def get(self) -> str:
        return "a token"

    def renew(self, stale: str) -> str:
        return stale


def salesforce(url: str) -> None:
    known = Settings(salesforce_access_token="not one of an org", salesforce_instance_url=url)
    with closing(open_salesforce(known, Ticking(NOW))) as client:
        client.read([Read("Contact", "SELECT Id, SystemModstamp FROM Contact", alone=True)])


def polled(make: Callable[[str], Any]) -> Callable[[str], None]:
    def poll(url: str) -> None:
        for _ in make(url).poll(None, NOW):
            pass

    return poll


SERVICES: dict[str, tuple[str, Callable[[str], None]]] = {
    "salesforce": ("Salesforce", salesforce),
    "pardot": (
        "Account Engagement",
        polled(lambda url: PardotSource(url, "0Uv000000000001AAA", Ready(), Ticking(NOW))),
    ),
    "hubspot": ("HubSpot", polled(lambda url: HubSpotSource(url, "a token", Ticking(NOW)))),
    "marketo": ("Marketo", polled(lambda url: MarketoSource(url, "id", "secret", Ticking(NOW), extracts=False))),
    "marketo extracts": (
        "Marketo",
        polled(lambda url: MarketoSource(url, "id", "secret", Ticking(NOW), extracts=True)),
    ),
}
_PACKED = {"Content-Encoding": "gzip"}
SURPRISES = {
    "nothing": Reply(b""),
    "null": Reply(b"null"),
    "a list where a map belongs": Reply(b"[]"),
    "a map where a list belongs": Reply(
        {
            "records": {},
            "compositeResponse": {},
            "results": {},
            "values": {},
            "result": {},
            "success": True,
            "events": {},
        }
    ),
    "null where a list belongs": Reply(
        {
            **dict.fromkeys(("records", "compositeResponse", "results", "values", "events"), None),
            **{"success": True, "result": 7},
        }
    ),
    "no JSON": Reply(b"<html>we are setting things up</html>", headers={"Content-Type": "text/html"}),
    "half of it": Reply(b'{"results": [{"id": "1"}, '),
    "fewer bytes than promised": Reply(b'{"results": []}', cut=True),
    "NaN": Reply(b'{"results": [NaN]}'),
    "infinity": Reply(b'{"results": [1e999]}'),
    "deep": Reply(b'{"results": ' + b"[" * 90_000 + b"]" * 90_000 + b"}"),
    "another charset": Reply(b'{"results": "\xff"}', headers={"Content-Type": "application/json; charset=utf-8"}),
    "a charset that is none": Reply(b'{"a": "\xff"}', headers={"Content-Type": "application/json; charset=klingon"}),
    "half a gzip": Reply(gzip.compress(b'{"a": 1}' * 99)[:30], headers=_PACKED),
    "a bomb": Reply(gzip.compress(b" " * (LARGEST * 50)), headers=_PACKED),
    "an odd Retry-After": Reply(b"busy", status=503, headers={"Retry-After": "NaN"}),
    "a Retry-After of years": Reply(b"busy", status=503, headers={"Retry-After": "99999999999"}),
    "a Retry-After before time began": Reply(
        b"busy", status=503, headers={"Retry-After": "Mon, 01 Jan 0001 00:00:00 +2359"}
    ),
    "a chunk that is no number": Reply(b"zz\r\n{}", headers={"Transfer-Encoding": "chunked", "Connection": "close"}),
}


@pytest.fixture(autouse=True)
def smaller_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    defaults = Session.__init__.__kwdefaults__ or {}
    assert {"largest", "longest"} <= defaults.keys()
    monkeypatch.setitem(defaults, "largest", LARGEST)
    monkeypatch.setitem(defaults, "longest", LONGEST)


@pytest.fixture(scope="module")
def player() -> Iterator[Player]:
    with closing(Player()) as served:
        yield served


def told(service: str, url: str, word: str = "") -> None:
    """One short line that names the service, with what to do, and nothing of the machinery."""
    name, ask = SERVICES[service]
    with pytest.raises(Transient) as caught:
        ask(url)
    said = caught.value.what
    assert said.startswith(name)
    assert len(said) < 250
    assert "\n" not in said
    assert "Error" not in said
    assert word in said
    assert caught.value.hint


@pytest.mark.parametrize("surprise", SURPRISES)
@pytest.mark.parametrize("service", SERVICES)
def test_a_surprise_is_a_fault_that_passes(player: Player, service: str, surprise: str) -> None:
    def reply(asked: Asked) -> Reply:
        if asked.path.endswith("/services/data/"):
            return Reply([{"version": "67.0"}])
        if "/oauth/" in asked.path:
            return Reply({"access_token": "a token", "expires_in": 3600})
        return SURPRISES[surprise]

    player.replies = [reply]
    told(service, player.url, {"a bomb": "TOO_LARGE"}.get(surprise, ""))


@contextlib.contextmanager
def dripping(begin: bytes, drop: bytes) -> Iterator[str]:
    """A server that sends a byte at a time, for good, to whoever asks."""
    over = threading.Event()

    class Drip(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            self.request.recv(9999)
            with contextlib.suppress(OSError):
                self.request.sendall(begin)
                while not over.wait(0.002):
                    self.request.sendall(drop)

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads, block_on_close = True, False

    with Server(("127.0.0.1", 0), Drip) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            over.set()
            server.shutdown()
            thread.join()


@pytest.mark.parametrize(
    "begin", [b"HTTP/1.1 200 OK\r\nX-Long: ", b"HTTP/1.1 200 OK\r\nContent-Length: 900000\r\n\r\n"]
)
@pytest.mark.parametrize("service", SERVICES)
def test_a_drip_has_an_end(service: str, begin: bytes) -> None:
    with dripping(begin, b"1") as url:
        told(service, url, "in time")
