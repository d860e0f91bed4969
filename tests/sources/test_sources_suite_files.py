"""Files keep every promise of a source."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from connector.base.clock import FrozenClock
from connector.base.ports import Source
from connector.sources.files import FilesSource
from tests.sources.source_suite import Bench, SourceSuite, Switch


class FilesBench:
    secrets: tuple[str, ...] = ()

    def __init__(self, folder: Path, clock: FrozenClock) -> None:
        self.folder, self.clock = folder, clock
        self._number = 0

    def source(self) -> Source:
        return FilesSource(self.folder, self.clock)

    def add(self, count: int, type_: str = "form_submit") -> set[str]:
        """Half into a file that grows, half into a new one."""
        ids = [f"e{self._number + i:06}" for i in range(count)]
        self._number += count
        half = count // 2
        self._write("grows.csv", "\n".join(f"{i},2026-04-30T10:00:00Z,{type_},a@example.com" for i in ids[:half]))
        self._write(f"new{self._number}.jsonl", "\n".join(self._line(i, type_) for i in ids[half:]))
        return {f"{type_}:{each}:a@example.com" for each in ids}

    def add_unknown(self) -> str:
        self.add(1, "fax")
        return "fax"

    def faults(self) -> list[Switch]:
        gone = self.folder.with_name("gone")
        return [Switch("unmounted", lambda: self.folder.rename(gone), lambda: gone.rename(self.folder))]

    def _line(self, event_id: str, type_: str) -> str:
        return json.dumps(
            {"event_id": event_id, "occurred_at": "2026-04-30T10:00:00Z", "type": type_, "email": "a@example.com"}
        )

    def _write(self, name: str, text: str) -> None:
        file = self.folder / name
        header = "event_id,occurred_at,type,email\n" if name.endswith("csv") and not file.exists() else ""
        with file.open("a") as lines:
            lines.write(header + text + "\n" * bool(text))
        at = self.clock.now().timestamp() - 60
        os.utime(file, (at, at))


@pytest.fixture
def bench(tmp_path: Path, clock: FrozenClock) -> Bench:
    folder = tmp_path / "inbox"
    folder.mkdir()
    return FilesBench(folder, clock)


class TestFiles(SourceSuite):
    """See the suite."""
