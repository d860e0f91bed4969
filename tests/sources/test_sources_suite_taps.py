"""A Singer tap keeps every promise of a source, whatever it does on the way."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from connector.base.clock import FrozenClock
from connector.base.ports import Source
from connector.sources.taps.declared import read_taps
from connector.sources.taps.source import TapSource
from tests.sources.source_suite import Bench, SourceSuite, Switch

TAP = Path(__file__).with_name("singer_tap.py")


class TapBench:
    secrets = ("the-secret-key",)

    def __init__(self, folder: Path, clock: FrozenClock) -> None:
        self.folder, self.clock = folder, clock
        self.rows, self.fault = folder / "rows.jsonl", folder / "fault"
        self.rows.touch()
        self._number = 0
        self.configure()

    def configure(self, more: str = "", **config: object) -> None:
        """Writes the file of taps and the tap's configuration; ``more``: lines of the tap."""
        given = {"folder": str(self.folder), "api_key": self.secrets[0], **config}
        (self.folder / "config.json").write_text(json.dumps(given))
        (self.folder / "taps.yaml").write_text(f"""
tap-forms:
  command: [{sys.executable}, -I, -S, {TAP}]
  config: config.json
  limit: 2
  {more}
  streams:
    submissions:
      columns: {{at: occurred_at, what: type, contact.email: email}}
""")

    def source(self) -> Source:
        [(name, tap)] = read_taps(self.folder / "taps.yaml").items()
        return TapSource(name, tap, self.clock, self.folder / "quarantine")

    def add(self, count: int, type_: str = "form_submit", **more: object) -> set[str]:
        numbers = range(self._number, self._number + count)
        self._number += count
        with self.rows.open("a") as rows:
            for number in numbers:
                row = {"id": number, "at": "2026-04-30T10:00:00Z", "what": type_, "note": "x" * 100, **more}
                row.setdefault("contact", {"email": "a@example.com"})
                rows.write(json.dumps({"type": "RECORD", "stream": "submissions", "record": row}) + "\n")
        return {f"submissions:{number}" for number in numbers}

    def add_unknown(self) -> str:
        self.add(1, "fax")
        return "fax"

    def faults(self) -> list[Switch]:
        passing = {"floods": True, "rubbish": True}
        return [self._fault(name, passing.get(name, False)) for name in ("dies", "killed", "floods", "rubbish", "down")]

    def hanging(self) -> Switch:
        return self._fault("hangs", False)

    def _fault(self, name: str, passes: bool) -> Switch:
        return Switch(name, lambda: self.fault.write_text(name), self.fault.unlink, passes)


@pytest.fixture(params=[(), ("rubbish",)], ids=["plain", "with traps on"])
def bench(tmp_path: Path, clock: FrozenClock, request: pytest.FixtureRequest) -> Bench:
    made = TapBench(tmp_path, clock)
    made.configure(always=request.param)
    return made


class TestTaps(SourceSuite):
    """See the suite."""
