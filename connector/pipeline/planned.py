"""What is planned of one person or account, and how it is told to people."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TextIO

from connector.base.facts import Decision, RecordChange
from connector.base.text import printable
from connector.lifecycle.plan import NUMBERS

EMPTY = "(empty)"
BAND = 10  # points of a score that are told as one
SHOWN = 20  # people named where not all are asked for
COLUMNS = ("id", "object", "name", "track", "from", "to", "verdict", "rule", "reason", "link")
FORMULA = ("=", "+", "-", "@", "\t", "\r")  # what a spreadsheet takes for the beginning of a formula
WORDS = ("stage", "status", "owner", "tags", "highest_stage", "account_stage")  # tracks told value by value


class Planned(NamedTuple):
    """A person or an account; ``mark`` is the number of the dirty mark (0: none)."""

    id: str
    mark: int
    decision: Decision
    change: RecordChange | None
    object: str = "Account"
    name: str = ""


def told(track: str, value: Any) -> str:
    """A value as it is counted: scores in bands, and dates and numbers beside the stage as what they are."""
    if value is None or value == "":
        return EMPTY
    if track in NUMBERS and isinstance(value, int | float):
        low = int(value // BAND * BAND)
        return f"{low} to {low + BAND - 1}"
    if track in NUMBERS or track in WORDS:
        return str(value)
    kind = track.partition(" ")[0]
    return {"days": "a number", "how": str(value)}.get(kind, "a date")


@dataclass
class Listing:
    """Who a plan changes and whom it holds, a row a change. The first ``keep`` of each are kept (None: all); with
    ``csv_file`` each is written there as it comes, so that half a million need no memory."""

    keep: int | None = SHOWN
    csv_file: TextIO | None = None
    owners: Mapping[str, str] = field(default_factory=dict)  # id -> name
    address: str = ""  # of the org
    changes: list[dict[str, str]] = field(default_factory=list)
    held: list[dict[str, str]] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=lambda: {"changes": 0, "held": 0})

    def __post_init__(self) -> None:
        self._csv = csv.writer(self.csv_file) if self.csv_file else None
        if self._csv:
            self._csv.writerow(COLUMNS)

    def of_org(self, address: str, owners: Mapping[str, str]) -> None:
        """What makes names and links of ids."""
        self.address, self.owners = address, owners

    def add(self, batch: Iterable[Planned]) -> None:
        for planned in batch:
            for row in self._rows(planned):
                kind = "held" if row["verdict"] == "held" else "changes"
                self.counts[kind] += 1
                rows = self.held if kind == "held" else self.changes
                if self.keep is None or len(rows) < self.keep:
                    rows.append(row)
                if self._csv:
                    self._csv.writerow([_harmless(row[name]) for name in COLUMNS])

    def as_dict(self) -> dict[str, Any]:
        return {"people": self.changes, "people_held": self.held, "rows": dict(self.counts)}

    def _rows(self, planned: Planned) -> Iterator[dict[str, str]]:
        tracks = {track.track: track for track in planned.decision.tracks}
        for change in planned.change.changes if planned.change else ():
            track = tracks.get(change.track)
            rule, reason = (track.rule, track.reason) if track else ("", "")
            yield self._row(planned, change.track, change.old, change.new, "moves", rule, reason)
        for track in planned.decision.tracks:
            if track.verdict == "held":
                yield self._row(planned, track.track, track.current, track.current, "held", track.rule, track.reason)

    def _row(
        self, planned: Planned, track: str, old: Any, new: Any, verdict: str, rule: str, reason: str
    ) -> dict[str, str]:
        values = (planned.id, planned.object, planned.name or planned.id, track, *map(self._value, (old, new)))
        link = f"{self.address}/{planned.id}" if self.address and ":" not in planned.id else ""
        return dict(zip(COLUMNS, (*values, verdict, rule, reason, link), strict=True))

    def _value(self, value: Any) -> str:
        text = EMPTY if value is None or value == "" else str(value)
        return self.owners.get(text, text)


def _harmless(cell: str) -> str:
    """A cell that no spreadsheet takes for a formula and no terminal for a command."""
    text = printable(cell)
    return f"'{text}" if text.startswith(FORMULA) else text
