"""Sends notices of trouble, and pings after good cycles, each channel from a thread of its own: one that is dead delays
neither the cycles nor another one."""

from __future__ import annotations

import json
import queue
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import structlog

from connector.base import heartbeat
from connector.base.clock import Clock
from connector.base.errors import ConfigurationError, ConnectorError
from connector.base.http import TAKEN, Judgement, Policy, Reaction, Session
from connector.base.settings import Settings, variable_of
from connector.base.web import check_url
from connector.commands.services import services
from connector.pipeline.alerts import Notice
from connector.sources.webhook.source import secret_key, signature

log = structlog.get_logger(__name__)

_MOST_WAITING = 100  # notices; what comes on top is logged and dropped
_LAST_SECONDS = 5.0  # in which what waits is still sent, when the daemon ends
_POLICY = Policy(attempts=5, patience=60.0)
_TIMEOUT = (5.0, 10.0)


class _Lane:
    """What one channel is to send, one after another."""

    def __init__(self, name: str) -> None:
        self.waiting: queue.Queue[Callable[[], None] | None] = queue.Queue(_MOST_WAITING)
        self.thread = threading.Thread(target=self._work, name=name, daemon=True)

    def put(self, job: Callable[[], None] | None) -> bool:
        """Whether there is room for it. None ends the thread."""
        try:
            self.waiting.put_nowait(job)
        except queue.Full:
            return False
        return True

    def _work(self) -> None:
        while (job := self.waiting.get()) is not None:
            try:
                job()
            except ConnectorError as error:
                log.warning("notice not delivered", error=error.what)
            finally:
                self.waiting.task_done()
        self.waiting.task_done()


class Channels:
    """Where notices go. ``send`` and ``ping`` only queue."""

    def __init__(self, settings: Settings, clock: Clock, beats: Path) -> None:
        self._clock, self._beats = clock, beats
        url, ping_url = _address(settings, "alert_webhook_url"), _address(settings, "ping_url")
        key = _key(settings)
        if url and not key:
            raise ConfigurationError("notices would not be signed", "set CONNECTOR_ALERT_WEBHOOK_SECRET")
        told = services(settings.alerts.get_secret_value() if settings.alerts else "", clock)
        if url:
            told.append(partial(self._post, self._session(settings, "the alerts' webhook"), url, key))
        self._told = [(_Lane(f"notices {number}"), each) for number, each in enumerate(told, 1)]
        self._pinged = _Lane("ping")
        self._ping_url, self._ping_session = ping_url, self._session(settings, "the ping's address")

    def _session(self, settings: Settings, name: str) -> Session:
        return Session(name, _judge, self._clock, ca_bundle=settings.ca_bundle, policy=_POLICY)

    @property
    def _lanes(self) -> list[_Lane]:
        return [self._pinged, *(lane for lane, _ in self._told)]

    def send(self, notice: Notice) -> None:
        log.warning("trouble" if notice.began else "trouble is over", alert=notice.alert, what=notice.what)
        for lane, tell in self._told:
            if not lane.put(partial(tell, notice)):
                log.warning("notice not delivered", error="too many wait already")

    def ping(self) -> None:
        """After a cycle: where it went well, the ping, if none waits: it would say the same."""
        beat = heartbeat.read_heartbeat(self._beats)
        is_well = beat is not None and beat.status in {"ok", "partly", "held"}
        if self._ping_url and is_well and self._pinged.waiting.empty():
            self._pinged.put(lambda: self._ask(self._ping_session, "GET", self._ping_url))

    def start(self) -> None:
        for lane in self._lanes:
            lane.thread.start()

    def drain(self) -> None:
        """Waits until all that is queued was tried."""
        for lane in self._lanes:
            lane.waiting.join()

    def end(self) -> None:
        """Gives what waits a last moment."""
        last = self._clock.monotonic() + _LAST_SECONDS
        for lane in self._lanes:
            lane.put(None)
        for lane in self._lanes:
            lane.thread.join(timeout=max(0.0, last - self._clock.monotonic()))
        if waiting := sum(lane.waiting.qsize() for lane, _ in self._told):
            log.warning("notices not delivered", waiting=waiting)

    def _post(self, session: Session, url: str, key: bytes, notice: Notice) -> None:
        body = json.dumps(notice.as_dict())
        message, at = f"msg_{uuid.uuid4().hex}", str(int(self._clock.now().timestamp()))
        signed = f"v1,{signature(key, message, at, body.encode()).decode()}"
        headers = {"webhook-id": message, "webhook-timestamp": at, "webhook-signature": signed}
        headers["Content-Type"] = "application/json"
        self._ask(session, "POST", url, data=body, headers=headers)

    def _ask(self, session: Session, method: str, url: str, **kwargs: Any) -> None:
        session.request(method, url, timeout=_TIMEOUT, **kwargs)


@contextmanager
def open_channels(settings: Settings, clock: Clock, beats: Path) -> Iterator[Channels]:
    """Works in threads while the context is open. Raises ConfigurationError."""
    channels = Channels(settings, clock, beats)
    channels.start()
    try:
        yield channels
    finally:
        channels.end()


def _key(settings: Settings) -> bytes:
    secret = settings.alert_webhook_secret.get_secret_value() if settings.alert_webhook_secret else ""
    try:
        return secret_key(secret) if secret else b""
    except ValueError:
        raise ConfigurationError(
            "CONNECTOR_ALERT_WEBHOOK_SECRET is no secret of Standard Webhooks", "write whsec_ and base64"
        ) from None


def _address(settings: Settings, name: str) -> str:
    given = getattr(settings, name)
    return check_url(given.get_secret_value(), variable_of(name)) if given else ""


def _judge(status: int, _body: Any) -> Judgement:
    if status < 300:
        return TAKEN
    return Judgement(Reaction.AGAIN if status == 429 or status >= 500 else Reaction.REFUSE, str(status))
