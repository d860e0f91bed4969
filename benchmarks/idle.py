"""Whether months of cycles make a daemon larger: ``python benchmarks/idle.py [cycles]``, 10,000 if nothing is said.

Over HTTP, with the small practice company. Ten times on the way it tells the size of the state, its WAL and this
process (what is resident now, not at its peak), and the milliseconds and calls of a cycle since the last time.
"""

from __future__ import annotations

import os
import resource
import sys
import tempfile
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

from cycle import org_calls, settings_for, started  # type: ignore[import-not-found]  # beside this file

from connector import cli
from connector.base import heartbeat, logs
from connector.base.clock import FrozenClock, SystemClock
from connector.pipeline.backfill import Scope, run_backfill
from connector.pipeline.daemon import Daemon
from connector.wiring import open_pipeline
from practice_org.salesforce.core import OrgCore

SERVE = "--serve"


def resident() -> float:
    """MiB; where there is no /proc, the peak."""
    told = Path("/proc/self/statm")
    if told.exists():
        return int(told.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def serve() -> None:
    """The practice company, in a process of its own, with calls enough for all these cycles within one real day."""
    begin = OrgCore.__init__

    def with_calls(self: OrgCore, *words: Any, **named: Any) -> None:
        begin(self, *words, **named)
        self.daily_limit = 10**9

    OrgCore.__init__ = with_calls  # type: ignore[method-assign]
    sys.argv = ["connector", "practice", "--sample", "small"]
    cli.main()


def main() -> None:
    if SERVE in sys.argv:
        return serve()
    wanted = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    logs.configure("json", "ERROR")
    with started([sys.executable, __file__, SERVE]) as given, tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "state.sqlite3"
        clock = FrozenClock(SystemClock().now())
        with open_pipeline(settings_for(given, path), clock=clock) as pipeline:
            run_backfill(pipeline, Scope())
            daemon = Daemon(pipeline, beats=heartbeat.beside(str(path)))
            print(f"{'cycles':>8}{'state KB':>10}{'WAL KB':>8}{'MiB':>8}{'ms each':>9}{'calls each':>12}")
            for step in range(1, 11):
                calls, start = org_calls(given), time.perf_counter()
                for _ in range(wanted // 10):
                    daemon.tick()
                    clock.sleep(timedelta(minutes=1).total_seconds())
                each, made = (time.perf_counter() - start) / (wanted // 10), org_calls(given) - calls
                sizes = [Path(f"{path}{end}").stat().st_size // 1024 for end in ("", "-wal")]
                print(f"{step * wanted // 10:>8,}{sizes[0]:>10,}{sizes[1]:>8,}{resident():>8.1f}", end="")
                print(f"{each * 1000:>9.1f}{made / (wanted // 10):>12.2f}", flush=True)
    return None


if __name__ == "__main__":
    main()
