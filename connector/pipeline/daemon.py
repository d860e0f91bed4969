"""The daemon: one cycle every interval, until a signal.

The first SIGTERM or SIGINT lets the step in hand finish (a batch is decided, a pack written and settled) and ends with
exit code 0; the second ends the process at once, which loses nothing: what was not settled is still dirty. A cycle that
fails is logged and tried again at the next interval; a limit that was reached parks the daemon until it may ask again;
what is refused for good is asked with growing pauses; a plan above ``max_changes`` is held back while reading goes on.
Two things end it: a state that is not the one it began with, or of another org; and, before its first good cycle, what
a person must change (settings, mapping). Between two cycles an edited mapping is taken; SIGHUP begins a cycle at once.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from types import FrameType

import structlog
from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler

from connector.base import heartbeat
from connector.base.clock import SystemClock
from connector.base.errors import ConfigurationError, ConnectorError, LimitReached, Refused, StateError
from connector.pipeline.cycle import Pipeline, run_cycle
from connector.pipeline.patience import Pause
from connector.pipeline.remapping import Remapping

log = structlog.get_logger(__name__)

PARK = timedelta(minutes=10)  # after a limit whose end nobody tells: Salesforce counts a rolling 24 hours


class Stop:
    """Set by the first signal; the second ends the process. ``hurry``: SIGHUP came."""

    def __init__(self) -> None:
        self._event = threading.Event()
        self.hurry = threading.Event()

    def __call__(self) -> bool:
        return self._event.is_set()

    def set(self) -> None:
        self._event.set()

    def wait(self, seconds: float | None = None) -> bool:
        """Whether it was set within ``seconds`` (None: waits for it). In slices, so that signals are handled."""
        left = float("inf") if seconds is None else seconds
        while left > 0 and not self._event.wait(min(left, 1.0)):
            left -= 1.0
        return self._event.is_set()

    @contextmanager
    def on_signals(self) -> Iterator[None]:
        """Handles SIGTERM, SIGINT and SIGHUP for the duration."""

        def handle(number: int, _frame: FrameType | None) -> None:
            name = signal.Signals(number).name
            if self():
                log.warning("interrupted", signal=name)
                os._exit(130)  # nothing is half written: the state commits per batch
            log.info("stopping", signal=name, note="finishing the step in hand; a second signal interrupts")
            self.set()

        before = {number: signal.signal(number, handle) for number in (signal.SIGTERM, signal.SIGINT)}
        before[signal.SIGHUP] = signal.signal(signal.SIGHUP, lambda _number, _frame: self.hurry.set())
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


class Daemon:
    """Runs cycles of a pipeline and tells whoever watches how the last one went: ``after`` is called when one ended."""

    def __init__(
        self,
        pipeline: Pipeline,
        *,
        beats: Path,
        after: Sequence[Callable[[], None]] = (),
        remapping: Remapping | None = None,
    ) -> None:
        self._pipeline, self._beats, self._after, self._remapping = pipeline, beats, after, remapping
        self._parked_until: datetime | None = None
        self._pause, self._went_well = Pause(), False
        before = heartbeat.read_heartbeat(beats)
        self._last_good = before.last_good if before else None
        self._why = ""
        self.fatal: ConnectorError | None = None

    def tick(self, *, at_once: bool = False) -> None:
        """One cycle, and what is to come ``after`` it. ``at_once``: also where it would wait. Never raises."""
        if at_once:
            self._pipeline.patience.ask_at_once()
            self._pause.until = self._parked_until = None
        self._take_edits()
        self._tick()
        for each in self._after:
            try:
                each()
            except Exception as error:  # noqa: BLE001 - who watches must not stop what is watched
                log.error("what comes after a cycle failed", error=f"{type(error).__name__}: {error}")

    def _take_edits(self) -> None:
        """With another mapping, a source that refused is asked at once."""
        try:
            if self._remapping and (taken := self._remapping.between_cycles(self._pipeline)) is not self._pipeline:
                self._pipeline = taken
                taken.patience.ask_at_once()
        except Exception as error:  # noqa: BLE001 - the mapping in force goes on
            log.error("mapping not taken", error=f"{type(error).__name__}: {error}")

    def _tick(self) -> None:
        """One cycle, unless parked. Never raises: what must end the daemon is left in ``fatal``. The cycle itself logs
        how it went."""
        if self._pause.holds(self.now()):
            self.beat("failed", self._why)
            return
        if self._parked_until and self.now() < self._parked_until:
            self.beat("parked", f"parked until {self._parked_until:%Y-%m-%d %H:%M} UTC")
            return
        self._parked_until = None
        self.beat("working", self._why)  # what was so is so until this cycle says otherwise
        try:
            report = run_cycle(self._pipeline, holds_back=True)
        except LimitReached as error:
            self._parked_until = error.until or self.now() + PARK
            log.warning("parked", reason=error.what, until=self._parked_until.isoformat(timespec="seconds"))
            self.beat("parked", error.what)
        except (ConfigurationError, Refused) as error:
            self._refused(error)
        except ConnectorError as error:
            self.beat("failed", error.what)
        except Exception as error:  # noqa: BLE001 - the cycle logged it; the next one tries again
            self.beat("failed", f"unexpected {type(error).__name__}")
        else:
            self._went_well = True
            self._pause.over()
            if report.result != "interrupted":  # what was cut short says nothing of the rest
                self._last_good = self.now()
            if held := report.held_back:
                self.beat("held", held.said)
            elif report.sources_failed:
                self.beat("partly", f"not read: {', '.join(sorted(report.sources_failed))}")
            else:
                self.beat("ok")

    def _refused(self, error: ConfigurationError | Refused) -> None:
        """Asking again does not help until somebody changed something: here, or where the refusal came from."""
        if isinstance(error, StateError) or (isinstance(error, ConfigurationError) and not self._went_well):
            self.fatal = error
            self.beat("stopped", error.what)
            return
        self._pause.refused(self.now())
        times, until = self._pause.times, self._pause.until
        log.warning("refused", reason=error.what, times=times, asked_again=f"{until:%Y-%m-%dT%H:%M:%S+00:00}")
        said = f", {times} times" if times > 1 else ""
        self.beat("failed", f"{error.what}{said}; asked again at {until:%Y-%m-%d %H:%M} UTC")

    def now(self) -> datetime:
        return self._pipeline.clock.now()

    def beat(self, status: heartbeat.Status, why: str = "") -> None:
        self._why = why
        broken = self._remapping.broken if self._remapping else ""
        try:
            told = heartbeat.Heartbeat(self.now(), status, self._last_good, why, broken)
            heartbeat.write_heartbeat(self._beats, told)
        except OSError as error:  # a disk without room: whoever looks sees that the last sign of life is old
            log.warning("no sign of life could be written", file=str(self._beats), error=error.strerror)


def run_daemon(daemon: Daemon, stop: Stop, interval: float) -> None:
    """Cycles until ``stop``; a cycle that takes longer than the interval delays the next one. Raises what is fatal."""
    scheduler = BackgroundScheduler(executors={"default": ThreadPoolExecutor(1)}, timezone="UTC")

    def tick() -> None:
        at_once = stop.hurry.is_set()
        stop.hurry.clear()
        if not stop():
            daemon.tick(at_once=at_once)
        if daemon.fatal:
            stop.set()

    job = scheduler.add_job(
        tick,
        "interval",
        seconds=interval,
        next_run_time=SystemClock().now(),  # the first one now, not after an interval
        max_instances=1,
        coalesce=True,
        misfire_grace_time=None,
    )
    log.info("daemon started", interval=interval, pid=os.getpid())
    with stop.on_signals():
        scheduler.start()
        while not stop.wait(1.0):
            if stop.hurry.is_set():
                job.modify(next_run_time=SystemClock().now())
        scheduler.shutdown(wait=True)
    daemon.beat("stopped", daemon.fatal.what if daemon.fatal else "")
    log.info("daemon stopped")
    if daemon.fatal:
        raise daemon.fatal
