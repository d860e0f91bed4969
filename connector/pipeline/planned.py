"""What is planned of one person or account, and how it is told to people."""

from __future__ import annotations

import csv
import json
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from types import TracebackType
from typing import Any, NamedTuple, Self, TextIO

from connector.base.facts import Decision, RecordChange
from connector.base.text import harmless
from connector.lifecycle.plan import NUMBERS
from connector.lifecycle.written import COUNT_KINDS, DATE_KINDS

EMPTY = "(empty)"
BAND, BANDED = 10, 100  # points of a score that are told as one, from 0 to below 100
SHOWN = 20  # people named where not all are asked for
LISTING_COLUMNS = ("id", "object", "name", "track", "from", "to", "verdict", "rule", "reason", "link")
_WORDS = ("stage", "status", "owner", "tags", "highest_stage", "account_stage")  # tracks told value by value
_TOLD = ("how", "previous_stage", "rule", "band", "first_touch", "last_touch")
_IN_MEMORY = 1_000_000  # characters of rows, before they go to disk
ListingRow = dict[str, str]


class Planned(NamedTuple):
    """A person or an account; ``mark`` is the number of the dirty mark (0: none)."""

    id: str
    mark: int
    decision: Decision
    change: RecordChange | None
    object: str = "Account"
    name: str = ""


def counted_as(track: str, value: Any) -> str:
    """A value as it is counted: scores in bands, and dates and numbers beside the stage as what they are."""
    if value is None or value == "":
        return EMPTY
    if track in NUMBERS and isinstance(value, int | float):
        return _band(value)
    if track in NUMBERS or track in _WORDS:
        return str(value)
    kind = track.partition(" ")[0]
    if kind in {"days", *COUNT_KINDS}:
        return "a number"
    return "a date" if kind in {"entered", "exited", *DATE_KINDS} else str(value) if kind in _TOLD else "a text"


def is_beside(track: str) -> bool:
    """Whether it is no decision of its own, but a date of a stage and what belongs to it."""
    return " " in track


def _band(value: float) -> str:
    if value < 0:
        return "below 0"
    if value >= BANDED:
        return f"{BANDED} or more"
    low = int(value // BAND * BAND)
    return f"{low} to {low + BAND - 1}"


def named(moves: Mapping[str, int], names: Mapping[str, str]) -> dict[str, int]:
    """Counts by "from -> to" of owners, with their names for their ids."""
    found: dict[str, int] = {}
    for move, count in moves.items():
        old, _, new = move.partition(" -> ")
        said = f"{names.get(old, old)} -> {names.get(new, new)}"
        found[said] = found.get(said, 0) + count
    return found


class Rows:
    """Rows in the order they came. Beyond a million characters they lie on disk. Add all of them, then read."""

    def __init__(self) -> None:
        self._file = tempfile.SpooledTemporaryFile(_IN_MEMORY, "w+", encoding="utf-8")  # noqa: SIM115 - closed below

    def append(self, row: ListingRow) -> None:
        self._file.write(json.dumps(row) + "\n")

    def __iter__(self) -> Iterator[ListingRow]:
        self._file.seek(0)
        for line in self._file:
            yield json.loads(line)

    def close(self) -> None:
        self._file.close()


class Listing:
    """Who a plan changes and whom it holds: a row a change. Those of the first ``keep`` people of each kind are kept
    (None: of all); ``csv_file`` gets all of them as they come. Memory stays flat either way."""

    def __init__(self, keep: int | None = SHOWN, csv_file: TextIO | None = None) -> None:
        self.changes, self.held = Rows(), Rows()
        self.people, self.people_held = 0, 0  # all there are
        self.address = ""  # of the org
        self.owners: Mapping[str, str] = {}  # id -> name
        self._keep = keep
        self._csv = csv.writer(csv_file) if csv_file else None
        if self._csv:
            self._csv.writerow(LISTING_COLUMNS)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.changes.close()
        self.held.close()

    def of_org(self, address: str, owners: Mapping[str, str]) -> None:
        """What makes names and links of ids."""
        self.address, self.owners = address, owners

    def add(self, batch: Iterable[Planned]) -> None:
        for planned in batch:
            if moved := list(self._moved(planned)):
                self.people += 1
                self._put(self.changes, self.people, moved)
            if held := list(self._held(planned)):
                self.people_held += 1
                self._put(self.held, self.people_held, held)

    def shown(self, people: int) -> int:
        """How many of so many people are kept."""
        return people if self._keep is None else min(people, self._keep)

    def _put(self, kept: Rows, number: int, rows: Iterable[ListingRow]) -> None:
        for row in rows:
            if self._keep is None or number <= self._keep:
                kept.append(row)
            if self._csv:
                self._csv.writerow([harmless(row[name]) for name in LISTING_COLUMNS])

    def _moved(self, planned: Planned) -> Iterator[ListingRow]:
        tracks = {track.track: track for track in planned.decision.tracks}
        for change in planned.change.changes if planned.change else ():
            track = tracks.get(change.track)
            rule, reason = (track.rule, track.reason) if track else ("", "")
            yield self._row(planned, change.track, change.old, change.new, "moves", rule, reason)

    def _held(self, planned: Planned) -> Iterator[ListingRow]:
        for track in planned.decision.tracks:
            if track.verdict == "held":
                yield self._row(planned, track.track, track.current, track.current, "held", track.rule, track.reason)

    def _row(
        self, planned: Planned, track: str, old: Any, new: Any, verdict: str, rule: str, reason: str
    ) -> ListingRow:
        values = (planned.id, planned.object, planned.name or planned.id, track, *map(self._value, (old, new)))
        link = f"{self.address}/{planned.id}" if self.address and ":" not in planned.id else ""
        return dict(zip(LISTING_COLUMNS, (*values, verdict, rule, reason, link), strict=True))

    def _value(self, value: Any) -> str:
        text = EMPTY if value is None or value == "" else str(value)
        return self.owners.get(text, text)
