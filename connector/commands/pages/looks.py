"""Figures as of the last change, computed by one thread of their own: once, whoever asks, and never in a click.

Whoever asks for what is not computed yet waits a moment. Then they get the figures before it, if there are any, or are
told to come again.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import Future
from datetime import datetime, timedelta
from itertools import count
from queue import PriorityQueue
from typing import NamedTuple

import structlog

from connector.base.clock import Clock
from connector.base.errors import ConnectorError
from connector.base.settings import Settings
from connector.commands.ground import Ground
from connector.commands.pages.views import Views
from connector.commands.reporting import Reporter, Wanted
from connector.mapping import CompiledMapping
from connector.store import Store

log = structlog.get_logger(__name__)

WHAT_MOST_ASK = Wanted()  # what is asked for when nothing is
_KEPT = 8  # periods and filters that are kept computed
_STALE = timedelta(minutes=10)  # after which "now" is another one
_WATCHED = timedelta(hours=1)  # so long after somebody looked, figures are renewed after a cycle
A_CLICK = 0.7  # seconds
_CLICK, _BESIDE = 0, 1  # what is computed first


class StillComputing(ConnectorError):
    """There will be something to show in a moment."""


class _Job(NamedTuple):
    urgency: int
    number: int
    views: Views
    need: str
    done: Future[None]


class Looks:
    """What was computed of the state, by what was asked."""

    def __init__(
        self, store: Store, mapping: CompiledMapping, settings: Settings, clock: Clock, patience: float = A_CLICK
    ) -> None:
        self._store, self._mapping, self._settings, self._clock = store, mapping, settings, clock
        self.patience = patience
        self._now: dict[Wanted, Views] = {}
        self._before: Views | None = None  # of what is usually asked
        self._ground: Ground | None = None
        self._looked: datetime | None = None
        self._lock, self._numbers = threading.Lock(), count()
        self._jobs: PriorityQueue[_Job] = PriorityQueue()
        self._worker: threading.Thread | None = None

    def take(self, mapping: CompiledMapping) -> None:
        """What was computed by another mapping is not shown any more."""
        with self._lock:
            self._mapping, self._now, self._before, self._ground = mapping, {}, None, None

    def changed(self) -> None:
        """What was computed is of the past; where somebody looks, it is computed again."""
        with self._lock:
            before = self._now.get(WHAT_MOST_ASK) or self._before
            self._now, self._ground, self._before = {}, None, before
        if before is not None and self._looked is not None and self._clock.now() - self._looked < _WATCHED:
            self.prepare(before.computed())

    def prepare(self, reports: Sequence[str]) -> None:
        """Computes these beside what is asked for."""
        views = self._newest(WHAT_MOST_ASK)
        for need in ("", *reports):
            self._order(views, need, _BESIDE)

    def look(self, wanted: Wanted, need: str = "") -> Views:
        """With this report, or with who is there and where they stand. Raises StillComputing, and what computing it
        raises."""
        self._looked = self._clock.now()
        views = self._newest(wanted)
        needs = [each for each in dict.fromkeys(("", need)) if not _has(views, each)]
        try:
            for each in [self._order(views, each, _CLICK) for each in needs]:
                each.result(timeout=self.patience)
        except TimeoutError:
            before = self._before
            if wanted == WHAT_MOST_ASK and before is not None and _has(before, "") and _has(before, need):
                return before
            raise StillComputing("The figures are being computed", "the page comes again by itself") from None
        return views

    def _newest(self, wanted: Wanted) -> Views:
        now = self._clock.now()
        with self._lock:
            views = self._now.get(wanted)
            if views is not None and now - views.now <= _STALE:
                return views
            if wanted == WHAT_MOST_ASK and views is not None:
                self._now, self._ground, self._before = {}, None, views
            self._ground = self._ground or Ground(self._store, self._mapping)
            reporter = Reporter(self._store, self._mapping, self._settings, wanted, now, self._ground)
            views = Views(reporter)
            _ = reporter.asked  # what cannot be asked is said now
            while len(self._now) > _KEPT:
                self._now.pop(next(each for each in self._now if each != WHAT_MOST_ASK))
            self._now[wanted] = views
            return views

    def _order(self, views: Views, need: str, urgency: int) -> Future[None]:
        done: Future[None] = Future()
        self._jobs.put(_Job(urgency, next(self._numbers), views, need, done))
        with self._lock:
            if self._worker is None:
                self._worker = threading.Thread(target=self._work, name="reports", daemon=True)
                self._worker.start()
        return done

    def _work(self) -> None:
        while True:
            job = self._jobs.get()
            try:
                if job.need:
                    job.views.report(job.need)
                else:
                    job.views.read()
                job.done.set_result(None)
            except Exception as error:  # noqa: BLE001 - whoever asked gets it; nobody else is disturbed
                log.debug("a report could not be computed", report=job.need, because=type(error).__name__)
                job.done.set_exception(error)
            self._forget_before(job.views)

    def _forget_before(self, views: Views) -> None:
        """Once all that was known before is known again."""
        with self._lock:
            before, is_newest = self._before, views is self._now.get(WHAT_MOST_ASK)
            if before is not None and is_newest and all(_has(views, each) for each in ("", *before.computed())):
                self._before = None


def _has(views: Views, need: str) -> bool:
    return need in views.computed() if need else views.is_read
