"""The first read of Marketo: extracts of a month each, newest month first, which cost a handful of calls a month
instead of one for 300 rows.

A job is made, queued, and waited for; its file is fetched in pieces, so that a broken piece is fetched again and no
other, and nothing of it counts before its checksum fits. Then it is read in pieces, too; an interrupted read goes on
there. The place is JSON: ``from`` and ``until`` bound what is still to read; ``job``, ``made``, ``size``, ``sum`` and
``offset`` belong to the month at the end; ``rest_until`` is how long nothing is asked after the day's 500 MB.
Source: developer.adobe.com, "Bulk Extract", "Bulk Activity Extract".
"""

from __future__ import annotations

import csv
import hashlib
import io
import tempfile
from collections.abc import Collection, Iterator
from datetime import UTC, datetime, timedelta
from typing import IO

import structlog

from connector.base.answers import unreadable
from connector.base.clock import Clock
from connector.base.errors import LimitReached, Refused, Transient
from connector.base.json import JsonObject
from connector.sources.marketo.api import MARKETO, MarketoApi
from connector.sources.marketo.chains import HISTORY_CHAIN

log = structlog.get_logger(__name__)

MONTH = timedelta(days=31)  # the longest range of an extract
_KEPT = timedelta(days=6)  # a file is kept for seven days
PIECE = 1_000_000  # bytes, some thousand rows
_IN_MEMORY = 32 * PIECE  # a bigger file waits on disk until it is read
STATUS_EVERY = 60.0  # seconds; a status changes no faster
_PATIENCE = timedelta(minutes=5)  # how long a poll waits for jobs; the next one goes on waiting
RESTED = timedelta(hours=1)  # after the day's quota; asking costs a call
WAITING = frozenset({"Created", "Queued", "Processing"})
TRIES = 3  # jobs that fail in one poll
FETCHES = 2  # of a file, in one poll
QUEUE = "1029"  # too many jobs of any kind in the queue, the quota of the day, or queued already
UNAVAILABLE = frozenset({"603", "610", "703"})  # this user or instance has no extracts

EXTRACT_COLUMNS = (
    "marketoGUID", "leadId", "activityDate", "activityTypeId", "campaignId", "primaryAttributeValueId",
    "primaryAttributeValue", "attributes",
)  # fmt: skip

_Place = JsonObject
_Row = JsonObject


def begin_history(now: datetime) -> _Place:
    return {"from": (now - HISTORY_CHAIN).isoformat(), "until": now.isoformat(), "job": None}


def is_finished(place: _Place) -> bool:
    return datetime.fromisoformat(place["until"]) <= datetime.fromisoformat(place["from"])


class History:
    """Reads what ``place`` says is left; ``place`` moves along with each batch of rows that is given."""

    def __init__(self, api: MarketoApi, clock: Clock, types: Collection[int]) -> None:
        self._api, self._clock, self._types = api, clock, sorted(types)
        self._patience = _PATIENCE

    def rows(self, place: _Place) -> Iterator[list[_Row]]:
        """Batches of rows, maybe empty, until all is read or Marketo needs more time. Raises Refused with a code of
        ``UNAVAILABLE``, or Transient when jobs fail again and again."""
        if place.get("rest_until") and self._clock.now() < datetime.fromisoformat(place["rest_until"]):
            return
        failures = 0
        try:
            while not is_finished(place):
                if not place["job"]:
                    self._make(place)
                    yield []
                status = self._wait(place)
                if status == "Completed":
                    yield from self._file(place)
                    place.update(until=_start(place).isoformat(), job=None)
                    yield []
                elif status in WAITING:
                    return
                else:
                    place["job"], failures = None, failures + 1
                    if failures == TRIES:
                        raise Transient(
                            f"Marketo's extract came to nothing: {status}", "the next cycle asks for another"
                        )
        except LimitReached as error:
            if error.code != QUEUE:
                raise
            place["rest_until"] = (self._clock.now() + RESTED).isoformat()
            log.warning("day's quota of extracts used up", source="marketo", until=place["rest_until"])
            yield []

    def _make(self, place: _Place) -> None:
        end = datetime.fromisoformat(place["until"])
        asked = {
            "format": "CSV",
            "fields": list(EXTRACT_COLUMNS),
            "filter": {
                "createdAt": {"startAt": _stamp(_start(place)), "endAt": _stamp(end)},
                "activityTypeIds": self._types,
            },
        }
        job = self._api.export("POST", "create.json", asked)
        place.update(
            job=str(job["exportId"]), made=self._clock.now().isoformat(), size=0, sum="", offset=0, rest_until=None
        )

    def _wait(self, place: _Place) -> str:
        """The job's status, at the latest when the patience of this poll is at its end."""
        if self._clock.now() - datetime.fromisoformat(place["made"]) > _KEPT:
            return "Too old"
        while True:
            try:
                job = self._api.export("GET", f"{place['job']}/status.json")
            except Refused as error:
                if isinstance(error, LimitReached) or error.code in UNAVAILABLE:
                    raise
                return f"Refused {error.code}"
            status = str(job.get("status"))
            size = job.get("fileSize", 0 if job.get("numberOfRecords") == 0 else None)
            if status == "Completed" and not isinstance(size, int):
                raise unreadable(MARKETO)
            place.update(size=size, sum=str(job.get("fileChecksum") or ""))
            if status == "Created" and self._is_enqueued(place):
                continue
            if status not in WAITING or self._patience <= timedelta():
                return status
            self._clock.sleep(STATUS_EVERY)
            self._patience -= timedelta(seconds=STATUS_EVERY)

    def _is_enqueued(self, place: _Place) -> bool:
        """False while the queue, which is shared with everything that extracts, is full."""
        try:
            self._api.export("POST", f"{place['job']}/enqueue.json")
        except Refused as error:
            if isinstance(error, LimitReached) or error.code != QUEUE:
                raise
            return False
        return True

    def _file(self, place: _Place) -> Iterator[list[_Row]]:
        with tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY) as file:
            self._fetch(place, file)
            while place["offset"] < place["size"]:
                first = place["offset"]
                file.seek(first)
                piece = file.read(PIECE)
                taken = whole_lines(piece, is_last=first + len(piece) >= place["size"])
                rows = read_piece(piece[:taken], has_header=first == 0)
                place["offset"] = first + taken
                yield rows

    def _fetch(self, place: _Place, file: IO[bytes]) -> None:
        """Raises Transient when the file ends early or is not the one of which Marketo gave the checksum."""
        for _ in range(FETCHES):
            file.seek(0)
            digest = hashlib.sha256()
            while (first := file.tell()) < place["size"]:
                piece = self._api.piece(place["job"], first, min(first + PIECE, place["size"]) - 1)
                if not piece:
                    raise Transient("Marketo's extract ends before its end", "the next cycle asks again")
                digest.update(piece)
                file.write(piece)
            if not place["sum"] or place["sum"].rpartition(":")[2].lower() == digest.hexdigest():
                return
            log.warning("extract does not fit its checksum", source="marketo", job=place["job"])
        raise Transient("Marketo's extract does not fit its checksum", "the next cycle fetches it again")


def whole_lines(piece: bytes, *, is_last: bool) -> int:
    """How many bytes of a piece are whole records: a line break between quotes ends none. All, when none is whole."""
    end = len(piece)
    quotes = piece.count(b'"')
    while not is_last and (at := piece.rfind(b"\n", 0, end)) >= 0:
        quotes -= piece.count(b'"', at, end)
        if quotes % 2 == 0:
            return at + 1
        end = at
    return len(piece)


def read_piece(piece: bytes, *, has_header: bool) -> list[_Row]:
    """Rows as the REST API has them; ``null`` is no value. A record that is no CSV ends the piece, and is a row without
    anything, which is counted as unreadable."""
    rows: list[_Row] = []
    reader = csv.reader(io.StringIO(piece.decode("utf-8", "replace"), newline=""))
    try:
        for number, values in enumerate(reader):
            if values and not (has_header and number == 0):
                pairs = zip(EXTRACT_COLUMNS, values, strict=False)
                rows.append({name: None if value == "null" else value for name, value in pairs})
    except csv.Error:
        rows.append({})
    return rows


def _start(place: _Place) -> datetime:
    """The beginning of the month that is read now."""
    return max(datetime.fromisoformat(place["from"]), datetime.fromisoformat(place["until"]) - MONTH)


def _stamp(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
