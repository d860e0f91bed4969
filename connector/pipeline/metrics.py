"""Numbers for machines: what the state and the last cycle say, gathered once a cycle and served as often as asked."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info, ProcessCollector

from connector import __version__
from connector.base.facts import CONTESTED
from connector.base.json import JsonMap
from connector.pipeline.approval import held_back
from connector.pipeline.cycle import SALESFORCE_CALLS, Pipeline, calls_forecast, calls_spent
from connector.pipeline.reconcile import DRIFTS

_PREFIX = "connector"
_LAGS = (60, 120, 300, 600, 1200, 3600, 3 * 3600, 6 * 3600, 86_400, 7 * 86_400)  # seconds
_WENT_WELL = {"done", "held"}


class Metrics:
    """``registry`` holds them all. Names end as OpenMetrics wants: a unit, and _total where they only grow."""

    def __init__(self, pipeline: Pipeline, *, budget: int | None = None, state_file: Path | None = None) -> None:
        self._pipeline, self._budget, self._state_file = pipeline, budget, state_file
        self._last_cycle: int | None = None
        self._last_stay: int | None = None
        self.registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)

        def gauge(name: str, what: str, *labels: str) -> Gauge:
            made = Gauge(f"{_PREFIX}_{name}", what, labels, registry=registry)
            if not labels:
                made.set(float("nan"))  # not known yet, which is no 0: no alert compares with it
            return made

        def counter(name: str, what: str, *labels: str) -> Counter:
            return Counter(f"{_PREFIX}_{name}", what, labels, registry=registry)

        self._info = Info(_PREFIX, "Which connector, with which mapping, for which org.", registry=registry)
        self._cycles = counter("cycles", "Cycles by how they went.", "result")
        self._ended = gauge("cycle_last_end_timestamp_seconds", "When the last cycle ended.")
        self._good = gauge("cycle_last_good_timestamp_seconds", "When the last cycle that went well ended.")
        self._took = gauge("cycle_duration_seconds", "How long the last cycle took.")
        self._read = counter("rows_read", "Rows and activities read.", "source")
        self._drift = counter("drift_rows", "Rows that differed from the org, and were repaired.", "object", "how")
        self._moves = counter("moves", "Values written, by track.", "track")
        self._written = counter("records_written", "Records that Salesforce took.")
        self._refusals = counter("records_refused", "Records that Salesforce refused, by its code.", "code")
        self._refused = gauge("refused_records", "Records that are set aside now.")
        self._contested = gauge("contested_records", "Records to which somebody sets back what is written.")
        self._waiting = gauge("waiting_people", "People who wait to be decided and written.")
        self._held = gauge("held_back_changes", "Changes of the plan that is held back; 0 where none is.")
        self._people = gauge("people", "People by the value that stands.", "track", "value")
        self._calls = counter("api_calls", "Calls made, by API and kind.", "api", "kind")
        self._lag = Histogram(
            f"{_PREFIX}_write_lag_seconds",
            "How late a move by rules that was seen to happen is settled.",
            buckets=_LAGS,
            registry=registry,
        )
        self._forecast = gauge(
            "api_forecast_calls", "Calls to Salesforce this day (UTC), if its rest is like until now."
        )
        self._left = gauge("api_budget_left_calls", "Calls left today of CONNECTOR_API_DAILY_BUDGET.")
        self._org_used = gauge("org_api_used_calls", "Calls that the whole org made in 24 hours.")
        self._org_allowed = gauge("org_api_allowed_calls", "Calls that the org may make in 24 hours.")
        self._up = gauge("source_up", "Whether the last read of a source went well.", "source")
        self._source_good = gauge("source_last_good_timestamp_seconds", "When it last went well.", "source")
        self._size = gauge("state_size_bytes", "Size of the state, where it is a file.")
        for each in pipeline.objects:
            for how in DRIFTS:
                self._drift.labels(each.name, how)  # 0 until then: an alert sees the first one grow

    def take(self, pipeline: Pipeline) -> None:
        """That of the same state, with another mapping."""
        self._pipeline = pipeline

    def after_cycle(self) -> None:
        """Takes in the cycle that just ended, once; how it went is in the state, also where it failed."""
        store, now = self._pipeline.store, self._pipeline.clock.now()
        last = next(iter(store.cycles(1)), None)
        if last is None or last["id"] == self._last_cycle:
            return
        is_first, self._last_cycle = self._last_cycle is None, last["id"]
        report: JsonMap = last.get("report") or {}
        self._cycle(report, now)
        self._last_stay, moves = store.moves_after(self._last_stay)
        for happened, settled in moves:
            self._lag.observe(max(0.0, (settled - happened).total_seconds()))
        self._sources(report, now)
        self._waiting.set(store.dirty_count())
        held = held_back(store)
        self._held.set(held.to_change if held else 0)
        self._budgets(now)
        if is_first or report.get("written") or report.get("refused") or any(report.get("facts_changed", {}).values()):
            self._count_people()
        if self._state_file is not None and self._state_file.exists():
            self._size.set(self._state_file.stat().st_size)

    def _cycle(self, report: JsonMap, now: datetime) -> None:
        mapping, version = self._pipeline.mapping, self._pipeline.mapping.version
        self._info.info({"version": __version__, "mapping": mapping.name, "mapping_version": version})
        result = str(report.get("result", "interrupted"))
        self._cycles.labels(result).inc()
        self._ended.set(now.timestamp())
        if result in _WENT_WELL:
            self._good.set(now.timestamp())
        self._took.set(report.get("duration", 0.0))
        for source, count in report.get("read", {}).items():
            self._read.labels(source).inc(count)
        for name, told in report.get("drift", {}).items():
            for how, count in told.items():
                self._drift.labels(name, how).inc(count)
        for track, moves in report.get("changes", {}).items() if not report.get("held_back") else ():
            self._moves.labels(track).inc(sum(moves.values()))
        self._written.inc(report.get("written", 0))
        for code, count in report.get("set_aside", {}).items():
            self._refusals.labels(code).inc(count)
        every = {SALESFORCE_CALLS: report.get("api_calls", {}), **report.get("source_calls", {})}
        for api, calls in every.items():
            for kind, count in calls.items():
                if kind != "total":
                    self._calls.labels(api, kind).inc(count)

    def _sources(self, report: JsonMap, now: datetime) -> None:
        failed = report.get("sources_failed", {})
        for source in self._pipeline.sources if "read" in report else ():
            self._up.labels(source.name).set(0 if source.name in failed else 1)
            if source.name not in failed and report.get("result") != "failed":
                self._source_good.labels(source.name).set(now.timestamp())

    def _budgets(self, now: datetime) -> None:
        spent = calls_spent(self._pipeline.store, now)
        self._forecast.set(calls_forecast(spent, now))
        if self._budget is not None:
            self._left.set(max(0, self._budget - spent))
        if usage := self._pipeline.salesforce.usage():
            self._org_used.set(usage[0])
            self._org_allowed.set(usage[1])

    def _count_people(self) -> None:
        store = self._pipeline.store
        aside = store.set_aside(None)
        self._refused.set(len(aside))
        self._contested.set(sum(each["code"] == CONTESTED for each in aside))
        self._people.clear()
        for track in sorted({each.name for each in self._pipeline.mapping.model.tracks}):
            for value, people in store.people_by(track).items():
                self._people.labels(track, value).set(people)
