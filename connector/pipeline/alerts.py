"""Notices of trouble: one when it begins and one when it is over, whatever number of cycles lies between.

What is open is kept with the state, so that a restart tells nothing twice.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from connector.base import heartbeat
from connector.base.errors import SIGN_IN, ConnectorError
from connector.base.facts import CONTESTED
from connector.base.json import JsonMap, JsonObject
from connector.base.text import count
from connector.pipeline.cycle import Pipeline, calls_forecast, calls_spent
from connector.pipeline.reconcile import RECONCILE, drift_text

ALERTS = "alerts"  # where what is open is kept
IN_A_ROW = 3  # cycles that fail, or fail to read a source, before it is trouble
_FREE = 500_000_000  # bytes on the disk of the state
_FORECAST_FROM = timedelta(hours=2)  # of a day: before, one backfill would look like the whole day


@dataclass(frozen=True)
class Notice:
    """``began``: whether trouble began or is over; ``since``: when it began; ``do``: what helps."""

    alert: str
    began: bool
    at: datetime
    since: datetime
    what: str
    do: str

    def as_text(self) -> tuple[str, str]:
        """A title and what a person is told."""
        if self.began:
            return f"Lifecycle connector: {self.alert}", f"{self.what}\n\nDo: {self.do}"
        return f"Lifecycle connector: {self.alert} is over", f"Since {self.since:%Y-%m-%d %H:%M} UTC: {self.what}"

    def as_dict(self) -> JsonObject:
        return {
            "type": f"connector.alert.{'began' if self.began else 'over'}",
            "timestamp": self.at.isoformat(),
            "data": {"alert": self.alert, "since": self.since.isoformat(), "what": self.what, "do": self.do},
        }


@dataclass(frozen=True)
class Trouble:
    """Something that is so now. ``after``: in how many cycles in a row it must be so before it is told."""

    alert: str
    what: str
    do: str
    after: int = 1


class Watch:
    """Looks after each cycle at what is wrong, and hands on what changed."""

    def __init__(
        self,
        pipeline: Pipeline,
        beats: Path,
        send: Callable[[Notice], None],
        *,
        refused: int = 50,
        budget: int | None = None,
        state_file: Path | None = None,
    ) -> None:
        self._pipeline, self._beats, self._send = pipeline, beats, send
        self._refused, self._budget, self._state_file = refused, budget, state_file
        self._kept: JsonObject = {}

    def after_cycle(self) -> None:
        store, now = self._pipeline.store, self._pipeline.clock.now()
        before, answers = self._kept, True
        found: dict[str, Trouble] = {}
        try:
            before = store.cursor(ALERTS) or {}
            found |= ((each.alert, each) for each in self._troubles(now, before))
        except ConnectorError:  # the state does not answer: that is trouble, too, and the rest stays as it was
            answers = False
            if (beat := heartbeat.read_heartbeat(self._beats)) is not None:
                found |= ((each.alert, each) for each in _of_beat(beat))
        kept: JsonObject = {}
        for alert, each in found.items():
            known = before.get(alert) or {"since": now.isoformat(), "times": 0, "told": False}
            times = known["times"] + 1
            is_told = known["told"] or times >= each.after
            kept[alert] = {"since": known["since"], "times": min(times, each.after), "told": is_told, "what": each.what}
            if is_told and not known["told"]:
                self._send(Notice(alert, True, now, datetime.fromisoformat(known["since"]), each.what, each.do))
        for alert, known in before.items():
            if alert not in found and not answers:
                kept[alert] = known
            elif alert not in found and known["told"]:
                self._send(Notice(alert, False, now, datetime.fromisoformat(known["since"]), known["what"], ""))
        self._kept = kept
        if answers and kept != before:
            store.set_cursor(ALERTS, kept or None)

    def _troubles(self, now: datetime, before: JsonMap) -> Iterator[Trouble]:
        beat = heartbeat.read_heartbeat(self._beats)
        last = self._pipeline.store.cycles(1)
        report: JsonMap = (last[0].get("report") or {}) if last else {}
        if beat is not None:
            yield from _of_beat(beat)
        for name, why in report.get("sources_failed", {}).items():
            what = f"{name} cannot be read: {why}"
            yield Trouble(f"source {name}", what, "see the log lines 'source failed'", IN_A_ROW)
        for name, why in report.get("unread", {}).items():
            what = f"{name} cannot be read, and counts as it was known: {why}"
            yield Trouble(f"object {name}", what, "connector check says what to grant", IN_A_ROW)
        yield from self._of_refusals(report, before)
        yield from self._of_drift()
        yield from self._of_budget(now)
        yield from self._of_disk()

    def _of_refusals(self, report: JsonMap, before: JsonMap) -> Iterator[Trouble]:
        if not report.get("refused") and before.keys().isdisjoint({"refused", "contested"}):
            return  # nothing can have changed
        aside = self._pipeline.store.set_aside(None)
        number = len(aside)
        if fought := [each for each in aside if each["code"] == CONTESTED]:
            what = f"somebody sets back what we write to {count(len(fought), 'record')}: {fought[0]['message']}"
            yield Trouble("contested", what, "connector failures list says of whom; those fields are left alone")
        if number >= self._refused:
            what = f"Salesforce refuses {count(number, 'record')}"
            yield Trouble("refused", what, "connector failures list says why; connector failures retry tries again")

    def _of_drift(self) -> Iterator[Trouble]:
        """Until a comparison finds nothing."""
        last = (self._pipeline.store.cursor(RECONCILE) or {}).get("last") or {}
        if drift := last.get("drift"):
            what = f"the state differed from the org, and was repaired: {drift_text(drift)}"
            yield Trouble("drift", what, "see the log lines 'reconciled with the org'; tell us if it comes again")

    def _of_budget(self, now: datetime) -> Iterator[Trouble]:
        midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
        if self._budget is None or now - midnight < _FORECAST_FROM:
            return
        spent = calls_spent(self._pipeline.store, now)
        if calls_forecast(spent, now) > self._budget:
            what = f"{spent:,} API calls today; at this rate they become more than the {self._budget:,} of the budget"
            yield Trouble("budget", what, "raise CONNECTOR_API_DAILY_BUDGET or CONNECTOR_INTERVAL")

    def _of_disk(self) -> Iterator[Trouble]:
        if self._state_file is not None and self._state_file.parent.exists():
            free = shutil.disk_usage(self._state_file.parent).free
            if free < _FREE:
                yield Trouble("disk", f"the disk of the state has {free // 1_000_000:,} MB left", "make room there")


def _of_beat(beat: heartbeat.Heartbeat) -> Iterator[Trouble]:
    yield from _of_cycle(beat)
    if beat.mapping_broken:
        what = f"the edited mapping is not taken: {beat.mapping_broken}"
        yield Trouble("mapping", what, "connector check names every mistake; the one before goes on")


def _of_cycle(beat: heartbeat.Heartbeat) -> Iterator[Trouble]:
    if beat.status == "failed" and beat.why.startswith(SIGN_IN):
        yield Trouble("sign-in", beat.why, "connector check signs in, and says what is wrong")
    elif beat.status == "stopped" and beat.why:
        yield Trouble("ended", f"the daemon ended: {beat.why}", "see its last log lines, then start it again")
    elif beat.status == "failed":
        yield Trouble("cycles", f"cycles fail: {beat.why}", "see the log lines 'cycle failed'", IN_A_ROW)
    elif beat.status == "parked":
        yield Trouble("parked", beat.why, "it goes on by itself; raise the budget, or wait")
    elif beat.status == "held":
        yield Trouble("held", beat.why, "look with connector plan, then connector approve")
