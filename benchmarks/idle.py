"""Whether months of cycles make a daemon larger: ``python benchmarks/idle.py [cycles]``, 10,000 if nothing is said.

Over HTTP, with the small practice company, a minute of its clock and ours a cycle: 10,000 are a week, with all that is
due in one. Ten times on the way it tells the size of the state, its WAL and this process (what is resident now, not at
its peak), the milliseconds and calls of a cycle since the last time, and how many read or wrote a row or were not done.
"""

from __future__ import annotations

import mmap
import os
import resource
import struct
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
from practice_org.clock import SystemClock as OrgClock
from practice_org.salesforce.core import OrgCore

SERVE = "--serve"
MINUTE = timedelta(minutes=1)


class Shared:
    """The time that has passed, for this process and the org's."""

    def __init__(self, path: Path) -> None:
        if not path.exists():
            path.write_bytes(struct.pack("d", 0.0))
        with path.open("r+b") as file:
            self._bytes = mmap.mmap(file.fileno(), 8)

    def passed(self) -> timedelta:
        return timedelta(seconds=struct.unpack("d", self._bytes[:8])[0])

    def pass_time(self, by: timedelta) -> None:
        self._bytes[:8] = struct.pack("d", (self.passed() + by).total_seconds())


def resident() -> float:
    """MiB; where there is no /proc, the peak."""
    told = Path("/proc/self/statm")
    if told.exists():
        return int(told.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def serve(shared: Shared) -> None:
    """The practice company, in a process of its own, with calls enough for all these cycles."""
    begin, now = OrgCore.__init__, OrgClock.now

    def with_calls(self: OrgCore, *words: Any, **named: Any) -> None:
        begin(self, *words, **named)
        self.daily_limit = 10**9

    OrgCore.__init__ = with_calls  # type: ignore[method-assign]
    OrgClock.now = lambda self: now(self) + shared.passed()  # type: ignore[method-assign]
    sys.argv = ["connector", "practice", "--sample", "small"]
    cli.main()


def is_busy(report: Any) -> bool:
    return report["result"] != "done" or bool(report["written"] or sum(report["read"].values()))


def main() -> None:
    if SERVE in sys.argv:
        return serve(Shared(Path(sys.argv[-1])))
    wanted = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    logs.configure("json", "ERROR")
    with tempfile.TemporaryDirectory() as folder:
        path, shared = Path(folder) / "state.sqlite3", Shared(Path(folder) / "clock")
        clock = FrozenClock(SystemClock().now())

        def pass_time(by: timedelta) -> None:
            clock.sleep(by.total_seconds())
            shared.pass_time(by)

        with (
            started([sys.executable, __file__, SERVE, str(Path(folder) / "clock")]) as given,
            open_pipeline(settings_for(given, path), clock=clock) as pipeline,
        ):
            run_backfill(pipeline, Scope())
            pass_time(timedelta(hours=1))  # what was written is read once more, and then it is quiet
            daemon = Daemon(pipeline, beats=heartbeat.beside(str(path)))
            print(
                f"{'cycles':>8}{'state KB':>10}{'WAL KB':>8}{'MiB':>8}{'ms each':>9}{'calls each':>12}{'not idle':>10}"
            )
            for step in range(1, 11):
                calls, start, busy = org_calls(given), time.perf_counter(), 0
                for _ in range(wanted // 10):
                    daemon.tick()
                    busy += is_busy(pipeline.store.cycles(1)[0]["report"])
                    pass_time(MINUTE)
                each, made = (time.perf_counter() - start) / (wanted // 10), org_calls(given) - calls
                sizes = [Path(f"{path}{end}").stat().st_size // 1024 for end in ("", "-wal")]
                print(f"{step * wanted // 10:>8,}{sizes[0]:>10,}{sizes[1]:>8,}{resident():>8.1f}", end="")
                print(f"{each * 1000:>9.1f}{made / (wanted // 10):>12.2f}{busy:>10}", flush=True)
    return None


if __name__ == "__main__":
    main()
