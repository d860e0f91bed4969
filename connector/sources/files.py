"""Files of activities dropped into a folder: CSV with a header, or JSONL (``docs/sources.md`` shows the columns, and
``columns`` reads those of other systems).

Write a file under another name (``*.tmp``, ``*.part``) and rename it, or let it rest for two seconds: a file that still
grows is not read. Files are never changed or deleted. The cursor keeps, for each file, how far it was read and a hash
of what was read: an appended file goes on behind that place, a replaced one is read from its beginning, and nothing
is lost or counted twice, because an activity is known by its id. What is no activity goes to
``quarantine/<file>.jsonl`` with line number and reason, and delays nothing else.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Collection, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import structlog

from connector.base.clock import Clock
from connector.base.errors import ConfigurationError, ConnectorError, Refused
from connector.base.facts import Activity, Prospect, SourcePage
from connector.base.json import JsonMap, JsonObject
from connector.base.ports import Glimpse
from connector.base.private import open_private, private_folder
from connector.sources.columns import Columns
from connector.sources.events import Bad, happened_once, read_event, unknown_type, visitors
from connector.sources.lines import Record, as_utf8, records_of_lines

log = structlog.get_logger(__name__)

SUFFIXES = frozenset({".csv", ".jsonl", ".ndjson"})
SETTLES = timedelta(seconds=2)  # a file that changed more recently may still be growing
QUIET = timedelta(minutes=15)  # then nobody is going to finish a last line that breaks off
_PAGE = 1000
UNFINISHED = -1
_LOOKED_AT, _FIRST_LINES = 5, 100  # files, and lines of each, that a check looks at
_LONGEST = 10_000  # characters of a bad line that are kept


@dataclass(frozen=True, slots=True)
class _Place:
    """How far a file was read: ``sha256`` of its first ``offset`` bytes, which are ``lines`` lines, ``bad`` of them in
    quarantine. ``size`` is the file's when all of it was looked at, UNFINISHED before; ``text`` that of the file in
    UTF-8, which is what is read."""

    size: int
    mtime: int  # ns
    offset: int = 0
    lines: int = 0
    sha256: str = ""
    bad: int = 0
    text: int = 0

    def as_json(self) -> JsonObject:
        return {
            "size": self.size,
            "mtime": self.mtime,
            "offset": self.offset,
            "lines": self.lines,
            "sha256": self.sha256,
            "text": self.text,
            **({"bad": self.bad} if self.bad else {}),
        }


@dataclass
class _Batch:
    activities: list[Activity] = field(default_factory=list)
    prospects: list[Prospect] = field(default_factory=list)
    bad: list[JsonObject] = field(default_factory=list)
    unknown: dict[str, int] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.activities) + len(self.prospects) + len(self.bad)


class FilesSource:
    """See the module. ``zone`` is for times without an offset; without one they are quarantined. ``declared``: kinds
    beyond the canonical ones that the mapping knows; others are kept too, and counted as unknown."""

    name = "files"

    def __init__(
        self,
        folder: Path,
        clock: Clock,
        zone: ZoneInfo | None = None,
        declared: Collection[str] = (),
        columns: Columns | None = None,
    ) -> None:
        self._folder, self._clock, self._zone, self._declared = folder, clock, zone, declared
        self._columns = columns or Columns(declared=declared)

    def poll(self, cursor: JsonMap | None, now: datetime) -> Iterator[SourcePage]:
        """Raises ConfigurationError without the folder, Refused when a file could not be read; the others were."""
        del now  # a file's age is measured by this machine's clock
        known = {name: _Place(**place) for name, place in (cursor or {}).get("files", {}).items()}
        present = self._present()
        places = {name: place for name, place in known.items() if name in present}
        unreadable: ConnectorError | None = None
        for name, path in present.items():
            try:
                yield from self._read(name, path, places)
            except OSError as error:
                unreadable = Refused(
                    f"the file {name} cannot be read: {error.strerror}",
                    "check its permissions, and those of the folder quarantine beside it",
                )
                log.warning("file unreadable", file=name, error=error.strerror)
        if unreadable is not None:
            raise unreadable

    def inspect(self, now: datetime) -> Iterator[Glimpse]:
        """The first row of the newest files, and what is wrong with those before it. Writes no quarantine."""
        del now
        newest = sorted(self._present().items(), key=lambda each: -each[1].stat().st_mtime)[:_LOOKED_AT]
        for name, path in newest:
            batch, type_ = _Batch(), self._columns.type_of(name)
            with as_utf8(path) as text:
                size = text.stat().st_size
                with closing(records_of_lines(text, 0, 0, size, self._columns, type_)) as records:
                    for record in islice(records, _FIRST_LINES):
                        self._take(record, batch, type_)
                        if batch.activities or batch.prospects:
                            break
            page = SourcePage({}, tuple(batch.activities), tuple(batch.prospects))
            bad = f"line {batch.bad[0]['line']}: {batch.bad[0]['reason']}" if batch.bad else ""
            yield Glimpse(name, page, problem=bad, hint="correct it, or name its columns" if bad else "")
        if not newest:
            yield Glimpse("files", note="there is none yet")

    def account(self) -> str | None:
        return None

    def calls(self) -> Mapping[str, int]:
        return {}

    def _present(self) -> dict[str, Path]:
        try:
            paths = sorted(self._folder.iterdir())
        except OSError as error:
            raise ConfigurationError(
                f"the folder of activities {self._folder} cannot be read: {error.strerror}",
                "check CONNECTOR_ACTIVITY_FOLDER",
            ) from None
        return {path.name: path for path in paths if path.suffix.lower() in SUFFIXES and path.is_file()}

    def _read(self, name: str, path: Path, places: dict[str, _Place]) -> Iterator[SourcePage]:
        """The pages of one file, which move its place along."""
        stat = path.stat()
        known = places.get(name)
        age = self._clock.now() - datetime.fromtimestamp(stat.st_mtime, self._clock.now().tzinfo)
        quiet = age >= QUIET
        if known is not None and (known.size, known.mtime) == (stat.st_size, stat.st_mtime_ns):
            if known.offset == known.text or not quiet:
                return
        elif timedelta(0) <= age < SETTLES:
            return
        with as_utf8(path) as text:
            yield from self._read_on(name, text, known, stat, places, quiet=quiet)

    def _read_on(
        self,
        name: str,
        path: Path,
        known: _Place | None,
        stat: os.stat_result,
        places: dict[str, _Place],
        *,
        quiet: bool,
    ) -> Iterator[SourcePage]:
        """``path``: the file, or what it would be in UTF-8. ``stat`` is the file's own."""
        start, hasher = _resume(path, known)
        quarantine = self._folder / "quarantine" / f"{name}.jsonl"
        _keep_before(quarantine, start.lines)
        size = path.stat().st_size
        place = replace(start, size=UNFINISHED, mtime=stat.st_mtime_ns, sha256=hasher.hexdigest(), text=size)
        batch, type_ = _Batch(), self._columns.type_of(name)
        with closing(records_of_lines(path, start.offset, start.lines, size, self._columns, type_)) as found:
            for record in found:
                if record.torn and not quiet and isinstance(record.values, str):
                    break  # half a line: its other half may come
                bad = place.bad + self._take(record, batch, type_)
                if quiet or not record.torn:  # a last line without an end is read again when the file has grown
                    hasher.update(record.raw)
                    read = {"offset": record.end, "lines": record.line_after, "sha256": hasher.hexdigest(), "bad": bad}
                    place = replace(place, **read)
                if len(batch) >= _PAGE:
                    places[name] = place
                    yield _page(batch, places, quarantine)
                    batch = _Batch()
        place = replace(place, size=stat.st_size)
        if known != place or batch:
            places[name] = place
            yield _page(batch, places, quarantine)

    def _take(self, record: Record, batch: _Batch, type_: str | None) -> bool:
        """Whether it was bad."""
        values = record.values
        if values is None:
            return False
        if isinstance(values, str):
            found: Activity | Prospect | Bad = Bad(values)
        else:
            found = read_event(self.name, self._columns.read(values, type_), self._zone)
        if isinstance(found, Bad):
            text = record.raw.decode("utf-8", "replace").strip("\r\n")[:_LONGEST]
            batch.bad.append({"line": record.line, "reason": found.reason, "text": text})
            return True
        if isinstance(found, Prospect):
            batch.prospects.append(found)
            return False
        batch.activities.append(found)
        if (unknown := unknown_type(found, self._declared)) is not None:
            batch.unknown[unknown] = batch.unknown.get(unknown, 0) + 1
        return False


def _resume(path: Path, known: _Place | None) -> tuple[_Place, Any]:
    """Where to go on, and the hash up to there: behind what was read if that is still the file's beginning, else at
    its start."""
    if known is not None and (hasher := _hash_of(path, known.offset)).hexdigest() == known.sha256:
        return known, hasher
    return _Place(UNFINISHED, 0), hashlib.sha256()


def _hash_of(path: Path, length: int) -> Any:
    hasher = hashlib.sha256()
    with path.open("rb") as file:
        while length > 0 and (chunk := file.read(min(length, 1 << 20))):
            hasher.update(chunk)
            length -= len(chunk)
    return hasher


def _page(batch: _Batch, places: Mapping[str, _Place], quarantine: Path) -> SourcePage:
    if batch.bad:
        private_folder(quarantine.parent)
        with open_private(quarantine, "a") as file:
            file.writelines(json.dumps(bad, ensure_ascii=False) + "\n" for bad in batch.bad)
        log.warning("lines quarantined", file=quarantine.name, lines=len(batch.bad))
    cursor = {"files": {name: place.as_json() for name, place in places.items()}}
    people = (*batch.prospects, *visitors(batch.activities))
    found, once = tuple(batch.activities), happened_once(batch.activities)
    return SourcePage(cursor, found, people, unknown=batch.unknown, bad=len(batch.bad), once=once)


def _keep_before(quarantine: Path, line: int) -> None:
    """Drops what was quarantined behind the place from which reading goes on: it is about to be found again."""
    if not quarantine.exists():
        return
    kept = [
        each for each in quarantine.read_text("utf-8").splitlines(keepends=True) if json.loads(each)["line"] <= line
    ]
    with open_private(quarantine) as file:
        file.writelines(kept)
