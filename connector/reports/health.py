"""How the connector does: its cycles, how late a change is written, its sources, and what it spends."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import date, datetime, time, timedelta

from connector.base.facts import Stay
from connector.base.json import JsonMap
from connector.reports.paths import A_DAY, Asked, Path
from connector.reports.table import Figure, Report, Table, quantile

_SECOND = timedelta(seconds=1)


def health_report(
    paths: Sequence[Path],
    asked: Asked,
    cycles: Sequence[JsonMap],
    calls: Mapping[date, Mapping[str, int]],
    budget: int | None,
) -> Report:
    """``calls``: day -> API -> how many."""
    return Report(
        "health",
        "Health",
        [_cycles(cycles), lateness(paths, asked), _sources(cycles), spent(calls, budget, asked.now)],
    )


def _cycles(cycles: Sequence[JsonMap]) -> Table:
    table = Table(
        "cycles",
        "Cycles",
        ("result", "cycles", "median seconds", "95th percentile", "people decided", "records written", "refused"),
        note="of the cycles in the period that are still known",
    )
    by_result: dict[str, list[JsonMap]] = {}
    for each in cycles:
        report = each.get("report") or {}
        by_result.setdefault(str(report.get("result", "did not end")), []).append(report)
    for result, reports in sorted(by_result.items()):
        took = sorted(float(each.get("duration", 0)) for each in reports)
        sums = (sum(each.get(name) or 0 for each in reports) for name in ("people_decided", "written"))
        refused = sum(sum((each.get("set_aside") or {}).values()) for each in reports)
        table.add(
            result,
            Figure(len(reports), "number"),
            Figure(quantile(took, 0.5), "seconds"),
            Figure(quantile(took, 0.95), "seconds"),
            *(Figure(each, "number") for each in sums),
            Figure(refused, "number"),
        )
    return table


def lateness(paths: Sequence[Path], asked: Asked) -> Table:
    """From when the facts say that somebody came to a stage until it was settled."""
    spans = [
        (stay.seen - stay.entered) / _SECOND
        for path in paths
        for stay in path.stays
        if _is_timed(stay) and stay.seen is not None and asked.period.has(stay.seen)
    ]
    table = Table(
        "lateness",
        "How late a change is written",
        ("moves", "median", "95th percentile", "latest"),
        note="seconds from what happened until it was settled, of moves by rules that the connector saw, without those"
        " of which only the day is known (the close date of a deal)",
    )
    spans.sort()
    numbers = [Figure(quantile(spans, part), "seconds") for part in (0.5, 0.95, 1.0)]
    table.add(Figure(len(spans), "number"), *numbers)
    return table


def _is_timed(stay: Stay) -> bool:
    """What has a date alone is dated by its midnight, and would be hours late whenever it was written."""
    return stay.by == "rule" and stay.how == "observed" and stay.entered.time() != time()


def _sources(cycles: Sequence[JsonMap]) -> Table:
    read: Counter[str] = Counter()
    failed: Counter[str] = Counter()
    said: dict[str, str] = {}
    for each in cycles:
        report = each.get("report") or {}
        read.update(report.get("read") or {})
        failed.update((report.get("sources_failed") or {}).keys())
        said |= report.get("sources_failed") or {}
    last = ((cycles[-1].get("report") or {}).get("sources_failed") or {}) if cycles else {}
    table = Table("sources", "Objects and sources", ("name", "rows read", "cycles it was down", "now", "said last"))
    for name in sorted({*read, *failed}):
        state = "down" if name in last else "up"
        table.add(name, Figure(read[name], "number"), Figure(failed[name], "number"), state, said.get(name, ""))
    return table


def spent(calls: Mapping[date, Mapping[str, int]], budget: int | None, now: datetime) -> Table:
    """Calls a day; for today also how many it will be if it goes on like this."""
    table = Table(
        "calls",
        "API calls",
        ("day", "api", "calls", "forecast", "budget", "left"),
        note="days are UTC; the forecast takes the rest of the day to be like the day so far; the budget is that of"
        " Salesforce",
    )
    start = now.replace(hour=0, minute=0, second=0, microsecond=0)
    gone = max((now - start) / A_DAY, 1 / 1440)
    for day, apis in sorted(calls.items(), reverse=True):
        for api, made in sorted(apis.items()):
            is_ours = budget is not None and api == "salesforce"
            table.add(
                f"{day}",
                api,
                Figure(made, "number"),
                Figure(round(made / gone), "number") if day == now.date() else "",
                Figure(budget, "number") if is_ours else "",
                Figure((budget or 0) - made, "number") if is_ours else "",
            )
    return table
