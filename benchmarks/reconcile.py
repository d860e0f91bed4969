"""What it costs to compare the state with the org: ``python benchmarks/reconcile.py [records]``, 100,000 if nothing
is said.

Opportunities are read over HTTP from a practice org in a process of its own, then compared: as they are, after one in a
hundred was taken out of the state, and id by id, as ``connector reconcile`` does. Told are calls as the org counts,
seconds of wall and processor, and the peak of memory.
"""

from __future__ import annotations

import json
import resource
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cycle import org_calls, settings_for, started  # type: ignore[import-not-found]  # beside this file
from sqlalchemy import create_engine, text

from connector import mapping as mappings
from connector.base import logs
from connector.commands import practice
from connector.pipeline.backfill import Scope, run_backfill
from connector.pipeline.cycle import Pipeline, run_cycle
from connector.pipeline.reconcile import Rhythm, drift_text
from connector.pipeline.report import CycleReport
from connector.wiring import open_pipeline, reconciling

SERVE = "--serve"
_ONE_IN = 100
_BEGAN = datetime(2023, 1, 1, tzinfo=UTC)
_DEAL = {"StageName": "Prospecting", "CloseDate": "2027-01-31"}


def serve(records: int) -> None:
    """An org with so many opportunities, a thousand an hour in turns over three years."""
    with practice.serve() as served:
        for start in range(0, records, 1000):
            rows = [{"Name": f"D{number}", **_DEAL} for number in range(start, min(records, start + 1000))]
            served.org.create("Opportunity", rows, at=_BEGAN + timedelta(hours=start * 26_000 // records))
        practice.add_fields(served.org, mappings.load("lead-liaison"))
        print(json.dumps({"url": served.url, **served.credentials()}), flush=True)
        signal.pause()


def damage(path: Path) -> None:
    engine = create_engine(f"sqlite:///{path}")
    with engine.begin() as connection:
        gone = connection.execute(text("DELETE FROM record WHERE rowid % :one_in = 0"), {"one_in": _ONE_IN})
        print(f"{gone.rowcount:,} of the state's records are taken away")
    engine.dispose()


def measured(given, what: str, work: Callable[[], CycleReport]) -> None:
    calls, cpu, start = org_calls(given), time.process_time(), time.perf_counter()
    report = work()
    spent = f"{time.perf_counter() - start:>8.1f} s {time.process_time() - cpu:>8.1f} s of a processor"
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{what:<36}{org_calls(given) - calls:>6,} calls {spent} {peak:>6.0f} MiB  {drift_text(report.drift)}")


def daily(pipeline: Pipeline) -> Pipeline:
    return replace(pipeline, rhythm=Rhythm(timedelta(0), None))


def main() -> None:
    numbers = [int(each) for each in sys.argv[1:] if each.isdigit()]
    records = numbers[0] if numbers else 100_000
    if SERVE in sys.argv:
        return serve(records)
    logs.configure("json", "ERROR")
    command = [sys.executable, __file__, SERVE, str(records)]
    with started(command) as given, tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "state.sqlite3"
        with open_pipeline(settings_for(given, path)) as opened:
            pipeline = replace(opened, overlap=timedelta(0), rhythm=None)
            measured(given, "backfill", lambda: run_backfill(pipeline, Scope()))
            time.sleep(1.1)  # so that the next cycle's stamps are later ones
            measured(given, "idle cycle", lambda: run_cycle(pipeline))
            measured(given, "compared, nothing differs", lambda: run_cycle(daily(pipeline)))
            damage(path)
            measured(given, "compared, one in a hundred is gone", lambda: run_cycle(daily(pipeline)))
            measured(given, "every id, what is left", lambda: run_cycle(reconciling(pipeline)))
            measured(given, "every id, nothing differs", lambda: run_cycle(reconciling(pipeline)))
    return None


if __name__ == "__main__":
    main()
