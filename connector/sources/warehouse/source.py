"""Activities in a database: any SQLAlchemy URL, and a query that gives one row an activity.

The query's columns are those of an activity (``events.py``), and two more roles: ``event_id`` must be there and be
unique, ``updated_at`` says when the row was written: a timestamp, ISO text that is always written alike, or epoch
(milli)seconds. Rows are read by (updated_at, event_id), a page a query (``sql.py``); the next poll goes back
by an overlap, because a load job may commit rows later than it stamps them. A row that is written anew replaces what it
was. Whether ids are unique is looked up, since halves of a UNION may both count from 1: all rows that have an id of the
page are read with it, and several that say the same id of one person are facts of their own. Nothing is ever written.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any
from zoneinfo import ZoneInfo

import structlog

from connector.base.clock import Clock, SystemClock
from connector.base.errors import Refused
from connector.base.facts import Activity, Prospect, SourcePage
from connector.base.json import Json, JsonMap, JsonObject
from connector.base.ports import Glimpse
from connector.sources.events import (
    Bad,
    happened_once,
    is_in_milliseconds,
    of_epoch,
    read_event,
    unknown_type,
    visitors,
)
from connector.sources.warehouse import sql
from connector.sources.warehouse.sql import KEY_COLUMN, STAMP, Locked, ReadRows, from_json

log = structlog.get_logger(__name__)

_PAGE = 1000
_BILLED = {"bigquery"}  # by what a query scans, and one by id scans the table
_NAMESAKES = 5 * _PAGE  # rows; where more have the ids of a page, these are no ids of activities
_OVERLAP = timedelta(minutes=10)  # longer than a load job takes from its stamps to its commit
WAITS = (1, 2, 4, 8, 15)  # seconds, for a file that somebody writes
_LOOKED_AT = 5  # pages, until one has a row
_SLOW = timedelta(seconds=2)
_NEEDS_INDEX = "it looks for all rows that have the ids of the new ones, and an index on event_id makes that quick"
_REMEMBERED = 200  # places of rows that are no activities: the next poll goes back over them
_DAY = timedelta(days=1)  # what a stamp may be ahead of the clock, for the sake of times without a zone

Stamp = str | int | float | datetime


class WarehouseSource:
    """See the module. ``zone`` is for times without an offset; ``declared``: the mapping's own kinds."""

    name = "warehouse"

    def __init__(
        self,
        url: str,
        query: str,
        zone: ZoneInfo | None = None,
        declared: Collection[str] = (),
        clock: Clock | None = None,
    ) -> None:
        """Raises ConfigurationError for a URL without a driver; connects when first polled."""
        self._clock = clock or SystemClock()
        self._query, self._zone, self._declared = query.strip().rstrip(";"), zone, declared
        self._queries = 0
        self._engine = sql.open_engine(url)
        self._are_common = self._engine.dialect.name in _BILLED  # ids: so nobody asks who else has them
        self._looked_up: set[str] = set()  # places of the page before, which the next poll may go back over

    def poll(self, cursor: JsonMap | None, now: datetime) -> Iterator[SourcePage]:
        """The cursor: ``since``, where the sweep began; ``at``, the updated_at and event_id it reached; ``top``, the
        newest updated_at ever seen, and ``seen``, when it was; ``bad``: places of rows that were counted already. No
        connection is held between polls."""
        place: JsonObject = dict(cursor or {"since": None, "at": None, "top": None, "seen": None})
        try:
            while True:
                rows, is_last = self._rows(place)
                if rows:
                    stamp = _checked(rows[-1].record[STAMP])
                    place.update(at=rows[-1].place)
                    if stamp != place["top"]:
                        place.update(top=stamp, seen=now.isoformat())
                if is_last:
                    place.update(_next_sweep(place, now))
                page = self._to_page(rows, dict(place))
                place["bad"] = page.cursor.get("bad", [])
                yield page
                self._looked_up = {str(row.place) for row in rows}  # and what was found is recorded
                if is_last:
                    return
        finally:
            self._engine.dispose()

    def inspect(self, now: datetime) -> Iterator[Glimpse]:
        """The first page with a row, and how long it takes to find all rows with the ids of a page."""
        with closing(self.poll(None, now)) as pages:  # type: ignore[type-var]
            shown = next((each for each in islice(pages, _LOOKED_AT) if each.activities or each.prospects), None)
            if shown is None:
                yield Glimpse("rows", note="there is none yet")
                return
            yield Glimpse("the first row", shown)
            self._looked_up, began = set(), self._clock.now()
            self._with_namesakes(self._rows({"since": None, "at": None})[0])
            if (took := self._clock.now() - began) > _SLOW:
                yield Glimpse(
                    "event_id", note=f"each poll with news takes {took.total_seconds():.0f} s: {_NEEDS_INDEX}"
                )

    def _rows(self, place: JsonMap) -> tuple[list[ReadRows], bool]:
        """The next rows, and whether they are the last. A page ends between two places, never among rows that share
        one: the next goes on behind it."""
        limit = _PAGE
        while True:
            rows = self._asked(sql.warehouse_page, place, limit + 1)
            if len(rows) <= limit:
                return rows, True
            end = limit
            while end and rows[end - 1].place == rows[limit].place:
                end -= 1
            if end:
                return rows[:end], False
            limit *= 2

    def _with_namesakes(self, rows: list[ReadRows]) -> list[ReadRows]:
        """All rows there are of the ids of these, as one query sees them."""
        ids = list({str(row.place[1]): row.place[1] for row in rows if str(row.place) not in self._looked_up}.values())
        if not ids or self._are_common:
            return rows
        found = self._asked(sql.warehouse_namesakes, ids, _NAMESAKES + 1)
        if len(found) > _NAMESAKES:
            self._are_common = True
            log.warning("many rows of the warehouse share an event_id, which should be one activity's")
            return rows
        there = {str(each.place) for each in found}
        return [*found, *(row for row in rows if str(row.place) not in there)]  # whose id no driver gives back as it is

    def _asked(self, read: Callable[..., list[ReadRows]], about: Any, limit: int) -> list[ReadRows]:
        """While a load job has the file locked, it is waited for. Raises Locked after half a minute."""
        self._queries += 1
        for wait in WAITS:
            try:
                return read(self._engine, self._query, about, limit)
            except Locked as error:
                log.warning("warehouse locked, waiting", wait=wait, error=error.what)
                self._clock.sleep(wait)
        return read(self._engine, self._query, about, limit)

    def account(self) -> str | None:
        return None

    def calls(self) -> Mapping[str, int]:
        return {"query": self._queries}

    def _to_page(self, page: list[ReadRows], cursor: JsonObject) -> SourcePage:
        found: list[Activity] = []
        people: list[Prospect] = []
        unknown: Counter[str] = Counter()
        known: list[str] = list(cursor.get("bad", ()))
        bad: list[str] = []
        new = {str(row.place) for row in page} - {*known}  # the others were counted in their turn
        for row in self._with_namesakes(page):
            record = {name: value for name, value in row.record.items() if name != STAMP}
            made = read_event(self.name, record, self._zone)
            if isinstance(made, Bad):
                if str(row.place) in new:
                    bad.append(str(row.place))
                    log.warning("warehouse row is no activity", event_id=record.get(KEY_COLUMN), reason=made.reason)
                continue
            if isinstance(made, Prospect):
                people.append(made)
                continue
            found.append(made)
            kind = unknown_type(made, self._declared)
            if kind is not None and str(row.place) in new:
                unknown[kind] += 1
        if bad:
            cursor["bad"] = [*known, *bad][-_REMEMBERED:]
        told = (*people, *visitors(found))
        together = _several(found) & happened_once(found)
        return SourcePage(cursor, tuple(found), told, unknown=unknown, bad=len(bad), together=together)


def _several(found: Sequence[Activity]) -> frozenset[str]:
    """Ids that more than one of these has."""
    return frozenset(one for one, times in Counter(each.id for each in found).items() if times > 1)


def _next_sweep(place: JsonMap, now: datetime) -> JsonObject:
    """Where the next sweep begins. Once the newest row was first seen longer ago than a load job takes to commit, all
    rows before it are there too, and only newer ones need be asked for. A row from the far future (an open end, a wrong
    clock) would end that for good; while there is one, each sweep reads the last day."""
    if place["top"] is None:
        return {}
    top = from_json(place["top"])
    if (ahead := _utc(top) - now.astimezone(UTC).replace(tzinfo=None)) > _DAY:
        return {"since": _to_json(earlier(top, ahead + _DAY)), "at": None}
    if now - datetime.fromisoformat(place["seen"]) >= _OVERLAP:
        return {}
    return {"since": _to_json(earlier(top, _OVERLAP)), "at": None}


def earlier(stamp: Stamp, by: timedelta) -> Stamp:
    """A stamp so much earlier, of the same form. Text loses its fraction and offset, so that it sorts before any row of
    that second."""
    if isinstance(stamp, datetime):
        return stamp - by
    if isinstance(stamp, str):
        at = datetime.fromisoformat(stamp).replace(tzinfo=None, microsecond=0) - by
        return at.isoformat(stamp[10:11] or "T")
    seconds = by.total_seconds()
    return stamp - type(stamp)(seconds * 1000 if is_in_milliseconds(stamp) else seconds)


def _utc(stamp: Stamp) -> datetime:
    """The time that a stamp says, without a zone; what says no zone counts as UTC."""
    if isinstance(stamp, int | float):
        return of_epoch(stamp).replace(tzinfo=None)
    at = datetime.fromisoformat(stamp) if isinstance(stamp, str) else stamp
    return at.astimezone(UTC).replace(tzinfo=None) if at.tzinfo else at


def _checked(stamp: Json) -> Any:
    """A stamp as JSON has it. Raises Refused for what :func:`earlier` could not go back from."""
    try:
        earlier(from_json(stamp), _OVERLAP)
        _utc(from_json(stamp))
    except (ValueError, TypeError, OverflowError, OSError):
        raise Refused(
            f"the warehouse's updated_at is no time: {str(stamp)[:40]}",
            "make it a timestamp, ISO text or epoch seconds",
        ) from None
    return stamp


def _to_json(stamp: Stamp) -> Any:
    return {"time": stamp.isoformat()} if isinstance(stamp, datetime) else stamp
