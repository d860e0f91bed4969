"""Figures as of the last change, computed one after the other beside everything else: once, whoever asks, and never in
a click.

Whoever asks for what is not computed yet waits a moment. Then they get the figures before it, if there are any, or are
told to come again.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import Future
from concurrent.futures import wait as wait_for
from datetime import datetime, timedelta
from itertools import count
from queue import Empty, PriorityQueue
from typing import NamedTuple, cast

import structlog

from connector.base.clock import Clock
from connector.base.errors import ConnectorError
from connector.commands.pages.computing import Computing, Everybody, Task
from connector.commands.pages.views import Views
from connector.commands.reporting import Wanted, asked_of
from connector.mapping import CompiledMapping
from connector.reports.paths import Asked
from connector.reports.table import Report
from connector.store import Store

log = structlog.get_logger(__name__)

WHAT_MOST_ASK = Wanted()  # what is asked for when nothing is
WHO_THERE_IS = ""  # needed beside a report
_KEPT = 8  # periods and filters that are kept computed
_STALE = timedelta(minutes=10)  # after which "now" is another one
_WATCHED = timedelta(hours=1)  # so long after somebody looked, figures are renewed after a cycle
_RESTS = 600.0  # seconds without anything to compute
A_CLICK = 0.4  # seconds
_CLICK, _BESIDE = 0, 1  # what is computed first

_Key = tuple[Wanted, str]  # a report of a period and of some people


class StillComputing(ConnectorError):
    """There will be something to show in a moment."""


class _Made(NamedTuple):
    moment: int
    asked: Asked
    result: Report | Everybody


class _Job(NamedTuple):
    urgency: int
    number: int
    key: _Key
    done: Future[None]


class Looks:
    """What was computed of the state, by what was asked."""

    def __init__(
        self, computing: Computing, store: Store, mapping: CompiledMapping, clock: Clock, patience: float = A_CLICK
    ) -> None:
        self._computing, self._store, self._mapping, self._clock = computing, store, mapping, clock
        self.patience = patience
        self._moment = 0
        self._made: dict[_Key, _Made] = {}
        self._ordered: dict[_Key, _Job] = {}  # and not begun
        self._begun: tuple[_Job, int] | None = None  # and of which moment
        self._looked: datetime | None = None
        self._lock, self._numbers = threading.RLock(), count()
        self._jobs: PriorityQueue[_Job] = PriorityQueue()
        self._worker: threading.Thread | None = None

    def take(self, mapping: CompiledMapping) -> None:
        """What was computed by another mapping is not shown any more."""
        with self._lock:
            self._mapping, self._made = mapping, {}
            self._moment += 1

    def changed(self) -> None:
        """What was computed is of the past; where somebody looks, it is computed again."""
        with self._lock:
            self._moment += 1
            usual = [need for wanted, need in self._made if wanted == WHAT_MOST_ASK]
        if self._looked is not None and self._clock.now() - self._looked < _WATCHED:
            self.prepare(usual)

    def prepare(self, reports: Sequence[str]) -> None:
        """Computes these beside what is asked for."""
        for need in (WHO_THERE_IS, *reports):
            self._order((WHAT_MOST_ASK, need), _BESIDE)

    def look(self, wanted: Wanted, need: str = WHO_THERE_IS) -> Views:
        """With this report, and with who is there and where they stand. Raises StillComputing, and what computing it
        raises."""
        self._looked = self._clock.now()
        asked = asked_of(self._mapping, wanted, self._looked)  # what cannot be asked is said now
        keys = [(WHAT_MOST_ASK, WHO_THERE_IS), *([(wanted, need)] if need else [])]
        done = wait_for([self._order(each, _CLICK) for each in keys if not self._is_new(each)], self.patience).done
        for each in done:
            each.result()
        with self._lock:
            made = [self._made.get(each) for each in keys]
        if None in made:
            raise StillComputing("The figures are being computed", "the page comes again by itself")
        people, report = cast("_Made", made[0]), made[1] if need else None
        views = Views(self._store, self._mapping, report.asked if report else asked, cast("Everybody", people.result))
        if report:
            views.reports[need] = cast("Report", report.result)
        return views

    def _is_new(self, key: _Key) -> bool:
        with self._lock:
            made = self._made.get(key)
            return made is not None and made.moment == self._moment and self._clock.now() - made.asked.now <= _STALE

    def _order(self, key: _Key, urgency: int) -> Future[None]:
        """What waits to be computed is ordered again only where that hastens it, and what is being computed only after
        a change."""
        with self._lock:
            if self._begun and self._begun[0].key == key and self._begun[1] == self._moment:
                return self._begun[0].done
            job = self._ordered.get(key)
            if job is None or urgency < job.urgency:
                job = _Job(urgency, next(self._numbers), key, job.done if job else Future())
                self._ordered[key] = job
                self._jobs.put(job)
            if self._worker is None:
                self._worker = threading.Thread(target=self._work, name="reports", daemon=True)
                self._worker.start()
            return job.done

    def _work(self) -> None:
        while True:
            try:
                job = self._jobs.get(timeout=_RESTS)
            except Empty:
                self._computing.rest()
                continue
            with self._lock:
                if self._ordered.get(job.key) is not job:  # it was hastened
                    continue
            self._compute(job)

    def _compute(self, job: _Job) -> None:
        wanted, need = job.key
        try:
            with self._lock:
                del self._ordered[job.key]
                mapping, moment = self._mapping, self._moment
                self._begun = job, moment
            now = self._clock.now()
            result = self._computing.compute(mapping, Task(moment, wanted, need, now))
            with self._lock:
                if mapping is self._mapping:
                    self._keep(job.key, _Made(moment, asked_of(mapping, wanted, now), result))
                self._begun = None
            job.done.set_result(None)
        except Exception as error:  # noqa: BLE001 - whoever asked gets it; nobody else is disturbed
            log.debug("a report could not be computed", report=need, because=type(error).__name__)
            self._begun = None
            job.done.set_exception(error)

    def _keep(self, key: _Key, made: _Made) -> None:
        self._made[key] = made
        others = dict.fromkeys(wanted for wanted, _ in self._made if wanted != WHAT_MOST_ASK)
        for old in [*others][: max(0, len(others) - _KEPT)]:
            self._made = {each: kept for each, kept in self._made.items() if each[0] != old}
