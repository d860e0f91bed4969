"""The logbook: a file beside the state with what Salesforce took, in the order in which it was settled.

A backup of the state that is put back is older than the org. The logbook, which was not put back, has what was written
since, with its decisions: settled again from there, the state knows it. One line a settling: its number, then the rest,
packed. The state keeps the number of the last one that it knows. Two files of bounded size are kept, the older one with
``.1`` behind its name.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

import structlog
from sqlalchemy import Connection
from sqlalchemy.engine import make_url

from connector.base.errors import StateError
from connector.base.json import JsonMap, JsonObject
from connector.base.private import open_private, private_folder
from connector.store import books
from connector.store.journal import Intent, intent_of, row_of
from connector.store.settling import HAS_IT_NOW, Books, Settled

log = structlog.get_logger(__name__)

LARGEST_LOGBOOK = 32 * 2**20  # bytes of one of the two files
_MISSED = "unseen"  # the key of tracks that were refused, where the rest of the row was taken
_END = " .\n"  # of a line that is whole


@dataclass(frozen=True, slots=True)
class Noted:
    """One settling, as it is to be settled again. ``run``: that of then; 0 where nothing of it is left."""

    number: int
    run: int
    at: datetime
    mapping_version: str
    settled: tuple[Settled, ...]
    cursors: tuple[tuple[str, JsonMap], ...]


class Logbook:
    """Raises StateError where the file cannot be read. What cannot be written there is missing, and known to be."""

    def __init__(self, path: Path, *, largest: int = LARGEST_LOGBOOK) -> None:
        self.path, self._largest = path, largest
        self._last: int | None = None

    @property
    def last(self) -> int:
        """Number of the last line; 0 without any."""
        if self._last is None:
            self._last = max((number for number, _ in self._lines()), default=0)
        return self._last

    def note(
        self,
        settled: Sequence[Settled],
        run: Books,
        cursors: Sequence[tuple[str, JsonMap]],
        *,
        after: int,
    ) -> int | None:
        """The number of the line; None where Salesforce took nothing. ``after``: what the state knows."""
        at, version = datetime.fromisoformat(run.at), run.mapping_version
        rows = [
            row_of(Intent(outcome.change, each.decision, 0, run.cycle_id, version, at)) | _missed(each)
            for each in settled
            for outcome in each.outcomes
            if outcome.result in HAS_IT_NOW
        ]
        if not rows:
            return None
        number = max(self.last, after) + 1
        told = {"at": run.at, "version": version, "rows": rows, "cursors": list(cursors)}
        try:
            self._append(_line(number, told))
        except OSError as error:  # a full disk; what Salesforce took is in the state all the same
            log.warning("the logbook cannot be written", file=str(self.path), reason=error.strerror)
        self._last = number
        return number

    def after(self, number: int) -> Iterator[Noted]:
        """What was settled later."""
        for each, told in self._lines():
            if each > number:
                rows = told()["rows"]
                run = rows[0]["cycle_id"] if rows else 0
                settled = tuple(_settled(row) for row in rows)
                cursors = tuple((name, value) for name, value in told()["cursors"])
                yield Noted(each, run, datetime.fromisoformat(told()["at"]), told()["version"], settled, cursors)

    def has_all_after(self, number: int) -> bool:
        """Whether nothing is missing between what the state knows and its last line."""
        there = {each for each, _ in self._lines() if each > number}
        return self.last >= number and len(there) == self.last - number

    def take_out(self, is_theirs: Callable[[JsonObject], bool]) -> list[Path]:
        """Removes rows, and leaves the others. Returns the files in which there were some."""
        touched = []
        try:
            for path in self._files():
                lines = [(number, told()) for number, told in _read(path)]
                left = [(number, {**told, "rows": _others(told["rows"], is_theirs)}) for number, told in lines]
                if left == lines:
                    continue
                scratch = path.with_name(f"{path.name}.tmp")
                with open_private(scratch) as into:
                    into.writelines(_line(number, told) for number, told in left)
                scratch.replace(path)
                touched.append(path)
        except OSError as error:
            raise _unusable(self.path, error) from None
        return touched

    def naming(self, is_theirs: Callable[[JsonObject], bool]) -> list[Path]:
        """The files in which there are some."""
        return [path for path in self._files() if any(is_theirs(r) for _, told in _read(path) for r in told()["rows"])]

    def _append(self, line: str) -> None:
        private_folder(self.path.parent)
        if self.path.exists() and self.path.stat().st_size > self._largest:
            self.path.replace(self._older)
        with open_private(self.path, "a") as file:
            if file.tell() and not _ends_a_line(self.path):
                file.write("\n")  # a line that a crash cut off stays one that cannot be read
            file.write(line)
            file.flush()
            os.fsync(file.fileno())

    @property
    def _older(self) -> Path:
        return self.path.with_name(f"{self.path.name}.1")

    def _files(self) -> list[Path]:
        return [each for each in (self._older, self.path) if each.is_file()]

    def _lines(self) -> Iterator[tuple[int, Callable[[], JsonObject]]]:
        try:
            for path in self._files():
                yield from _read(path)
        except OSError as error:
            raise _unusable(self.path, error) from None


def keep_noted(
    connection: Connection,
    logbook: Logbook | None,
    noted: int | None,
    settled: Sequence[Settled],
    run: Books,
    cursors: Sequence[tuple[str, JsonMap]],
) -> None:
    """In the transaction that settles it. ``noted``: its number, where it comes from the logbook."""
    if logbook is not None and noted is None:
        noted = logbook.note(settled, run, cursors, after=books.noted(connection) or 0)
    if noted is not None:
        books.set_setting(connection, books.LOGBOOK, str(noted))


def logbook_beside(heartbeat: Path, url: str) -> Path:
    """Where it is: beside the heartbeat, under the state's name. States on servers may share a folder."""
    state = make_url(url)
    if state.get_backend_name() == "sqlite":
        return heartbeat.with_suffix(".written")
    which = hashlib.blake2b(str(state.set(password=None)).encode(), digest_size=6).hexdigest()
    return heartbeat.with_suffix(f".{which}.written")


def _line(number: int, told: JsonMap) -> str:
    packed = base64.b64encode(zlib.compress(json.dumps(told).encode(), 1)).decode()
    return f"{number} {packed}{_END}"


def _read(path: Path) -> Iterator[tuple[int, Callable[[], JsonObject]]]:
    """Number and what is told, which is unpacked when it is asked for. What a crash cut off is passed over."""
    with path.open(encoding="ascii", errors="replace") as file:
        for line in file:
            number, _, packed = line.removesuffix(_END).partition(" ")
            if number.isdigit() and line.endswith(_END):
                yield int(number), _Unpacked(packed, path)


def _missed(settled: Settled) -> JsonObject:
    return {_MISSED: sorted(settled.missed)} if settled.missed else {}


def _settled(row: JsonObject) -> Settled:
    intent = intent_of({"id": 0, **row})
    return replace(intent.taken(intent.change.changes), unseen=frozenset(row.get(_MISSED, ())))


def _others(rows: Sequence[JsonObject], is_theirs: Callable[[JsonObject], bool]) -> list[JsonObject]:
    return [each for each in rows if not is_theirs(each)]


class _Unpacked:
    def __init__(self, packed: str, path: Path) -> None:
        self._packed, self._path = packed, path
        self._told: JsonObject | None = None

    def __call__(self) -> JsonObject:
        if self._told is None:
            try:
                self._told = json.loads(zlib.decompress(base64.b64decode(self._packed)))
            except (ValueError, zlib.error):
                raise StateError(
                    f"the logbook {self._path} is damaged", "move it away: the org is asked instead, once"
                ) from None
        return self._told


def _ends_a_line(path: Path) -> bool:
    with path.open("rb") as file:
        file.seek(-1, os.SEEK_END)
        return file.read(1) == b"\n"


def _unusable(path: Path, error: OSError) -> StateError:
    return StateError(
        f"the logbook {path} cannot be used: {error.strerror or error}",
        "check that there is room, and that the user running the connector may write the folder",
    )
