"""Sends notices of trouble, and pings after good cycles, from a thread of its own: a dead channel delays nothing."""

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


class Channels:
    """Where notices go. ``send`` and ``ping`` only queue."""

    def __init__(self, settings: Settings, clock: Clock, beats: Path) -> None:
        self._url, self._ping_url = _address(settings, "alert_webhook_url"), _address(settings, "ping_url")
        secret = settings.alert_webhook_secret.get_secret_value() if settings.alert_webhook_secret else ""
        try:
            self._key = secret_key(secret) if secret else b""
        except ValueError:
            raise ConfigurationError(
                "CONNECTOR_ALERT_WEBHOOK_SECRET is no secret of Standard Webhooks", "write whsec_ and base64"
            ) from None
        if self._url and not self._key:
            raise ConfigurationError("notices would not be signed", "set CONNECTOR_ALERT_WEBHOOK_SECRET")
        self._services = services(settings.alerts.get_secret_value() if settings.alerts else "", clock)
        self._clock, self._beats = clock, beats
        self._waiting: queue.Queue[Callable[[], None] | None] = queue.Queue(_MOST_WAITING)
        self._session = Session("the alerts' webhook", _judge, clock, ca_bundle=settings.ca_bundle, policy=_POLICY)

    def send(self, notice: Notice) -> None:
        log.warning("trouble" if notice.began else "trouble is over", alert=notice.alert, what=notice.what)
        if self._url:
            self._queue(lambda: self._post(notice))
        for each in self._services:
            self._queue(partial(each, notice))

    def ping(self) -> None:
        """After a cycle: where it went well, the ping."""
        beat = heartbeat.read_heartbeat(self._beats)
        if self._ping_url and beat is not None and beat.status in {"ok", "partly", "held"}:
            self._queue(lambda: self._ask("GET", self._ping_url))

    def work(self) -> None:
        """Sends what is queued until None comes."""
        while (job := self._waiting.get()) is not None:
            try:
                job()
            except ConnectorError as error:
                log.warning("notice not delivered", error=error.what)
            finally:
                self._waiting.task_done()
        self._waiting.task_done()

    def drain(self) -> None:
        """Waits until all that is queued was tried."""
        self._waiting.join()

    def end(self) -> None:
        try:
            self._waiting.put_nowait(None)
        except queue.Full:
            log.warning("notices not delivered", waiting=self._waiting.qsize())

    def _queue(self, job: Callable[[], None]) -> None:
        try:
            self._waiting.put_nowait(job)
        except queue.Full:
            log.warning("notice not delivered", error="too many wait already")

    def _post(self, notice: Notice) -> None:
        body = json.dumps(notice.as_dict())
        message, at = f"msg_{uuid.uuid4().hex}", str(int(self._clock.now().timestamp()))
        signed = f"v1,{signature(self._key, message, at, body.encode()).decode()}"
        headers = {"webhook-id": message, "webhook-timestamp": at, "webhook-signature": signed}
        self._ask("POST", self._url, data=body, headers={**headers, "Content-Type": "application/json"})

    def _ask(self, method: str, url: str, **kwargs: Any) -> None:
        self._session.request(method, url, timeout=_TIMEOUT, **kwargs)


@contextmanager
def open_channels(settings: Settings, clock: Clock, beats: Path) -> Iterator[Channels]:
    """Works in a thread while the context is open. Raises ConfigurationError."""
    channels = Channels(settings, clock, beats)
    thread = threading.Thread(target=channels.work, name="notices", daemon=True)
    thread.start()
    try:
        yield channels
    finally:
        channels.end()
        thread.join(timeout=_LAST_SECONDS)


def _address(settings: Settings, name: str) -> str:
    given = getattr(settings, name)
    return check_url(given.get_secret_value(), variable_of(name)) if given else ""


def _judge(status: int, _body: Any) -> Judgement:
    if status < 300:
        return TAKEN
    return Judgement(Reaction.AGAIN if status == 429 or status >= 500 else Reaction.REFUSE, str(status))
