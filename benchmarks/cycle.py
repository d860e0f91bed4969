"""How long a whole backfill, its echo and an idle cycle take, in calls, seconds and memory.

    python benchmarks/cycle.py [small|large]

The practice org runs in a process of its own, so that memory is the connector's alone. The peer of reading is
simple-salesforce, which fetches the same objects and fields with ``query_all_iter`` and keeps nothing.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

import requests
from simple_salesforce.api import Salesforce

from connector.base import settings
from connector.pipeline.backfill import Scope, run_backfill
from connector.pipeline.cycle import run_cycle
from connector.wiring import open_pipeline


def served(sample: str):
    return started([sys.executable, "-m", "connector", "practice", "--sample", sample])


@contextmanager
def started(command: list[str]):
    """A practice org that a command serves: what it says of itself."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        yield json.loads(process.stdout.readline())
    finally:
        process.terminate()
        process.wait()


def settings_for(given, state: Path | str) -> settings.Settings:
    return settings.explicit(
        state=str(state),
        salesforce_instance_url=given["url"],
        salesforce_access_token=given["access_token"],
        pardot_url=given["url"],
        pardot_business_unit_id=given["pardot_business_unit_id"],
    )


def org_calls(given) -> int:
    headers = {"Authorization": f"Bearer {given['access_token']}"}
    return requests.get(f"{given['url']}/practice/calls", headers=headers, timeout=10).json()["total"]


def line(what: str, seconds: float, rows: int, calls: int, note: str = "") -> None:
    print(f"{what:<34}{seconds:>8.2f} s {rows:>10,} rows {rows / seconds:>10,.0f} rows/s {calls:>6,} calls  {note}")


def connector_cycles(given, folder: str) -> dict[str, list[str]]:
    """The objects that were read, and the fields."""
    with open_pipeline(settings_for(given, Path(folder) / "state.sqlite3")) as pipeline:
        for what in ("backfill", "cycle: our writes come back", "idle cycle", "second backfill"):
            before, start = org_calls(given), time.perf_counter()
            report = run_backfill(pipeline, Scope()) if "backfill" in what else run_cycle(pipeline)
            note = f"{report.people_decided:,} decided, {report.written:,} written"
            line(what, time.perf_counter() - start, sum(report.read.values()), org_calls(given) - before, note)
            time.sleep(1.1)  # so that the next cycle's stamps are later ones
        cursors = {each.name: pipeline.store.cursor(each.name) for each in pipeline.objects}
        return {name: cursor["fields"] for name, cursor in cursors.items() if cursor}


class ToLoopback(requests.adapters.HTTPAdapter):
    """simple-salesforce always says https; the practice org here speaks http."""

    def send(self, request, *args, **kwargs):
        request.url = request.url.replace("https://", "http://", 1)
        return super().send(request, *args, **kwargs)


def peer(given, objects) -> None:
    with requests.Session() as session:
        session.mount("https://127.0.0.1", ToLoopback())
        client = Salesforce(instance_url=given["url"].replace("http:", "https:"), session_id=given["access_token"],
                            session=session)  # fmt: skip
        before, start, rows = org_calls(given), time.perf_counter(), 0
        for name, fields in objects.items():
            columns = ", ".join(dict.fromkeys(["Id", "SystemModstamp", *fields]))
            rows += sum(1 for _ in client.query_all_iter(f"SELECT {columns} FROM {name}", include_deleted=True))
        line("simple-salesforce reads the same", time.perf_counter() - start, rows, org_calls(given) - before)


def main() -> None:
    sample = sys.argv[1] if len(sys.argv) > 1 else "small"
    with served(sample) as given, tempfile.TemporaryDirectory() as folder:
        objects = connector_cycles(given, folder)
        print(f"{'peak memory':<34}{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:>8.0f} MiB")
        peer(given, objects)


if __name__ == "__main__":
    main()
