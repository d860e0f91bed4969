"""Activities in a database: any SQLAlchemy URL, and a query that gives one row an activity.

The query's columns are those of an activity (``events.py``), and two more roles: ``event_id`` must be there and be
unique, ``updated_at`` says when the row was written: a timestamp, ISO text that is always written alike, or epoch
(milli)seconds. Rows are read by (updated_at, event_id), a page a query; the next poll goes back by an overlap, because
a load job may commit rows later than it stamps them. Nothing is ever written.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import structlog
from sqlalchemy import Engine, Select, and_, column, create_engine, literal_column, or_, select, text
from sqlalchemy.exc import ArgumentError, DBAPIError, InterfaceError, NoSuchModuleError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.types import NullType

from connector.errors import ConfigurationError, Passing, Refused
from connector.facts import Activity, SourcePage
from connector.sources.events import Bad, activity, unknown_type

log = structlog.get_logger(__name__)

PAGE = 1000
OVERLAP = timedelta(minutes=10)  # longer than a load job takes from its stamps to its commit
STAMP, KEY = "updated_at", "event_id"
MILLISECONDS = 100_000_000_000  # epoch numbers beyond this are milliseconds

Stamp = str | int | float | datetime


class WarehouseSource:
    """See the module. ``zone`` is for times without an offset; ``declared``: the mapping's own kinds."""

    name = "warehouse"

    def __init__(self, url: str, query: str, zone: ZoneInfo | None = None, declared: Collection[str] = ()) -> None:
        """Raises ConfigurationError for a URL without a driver; connects when first polled."""
        self._query, self._zone, self._declared = query.strip().rstrip(";"), zone, declared
        self._queries = 0
        self._engine = open_engine(url)

    def poll(self, cursor: Mapping[str, Any] | None, now: datetime) -> Iterator[SourcePage]:
        """The cursor: ``since``, where the sweep began; ``at``, the updated_at and event_id it reached; ``top``, the
        newest updated_at ever seen, and ``seen``, when it was. No connection is held between polls."""
        place: dict[str, Any] = dict(cursor or {"since": None, "at": None, "top": None, "seen": None})
        try:
            while True:
                rows = self._page(place)
                if rows:
                    stamp = _to_json(_stamp(rows[-1][STAMP]))
                    place.update(at=[stamp, _plain(rows[-1][KEY])])
                    if stamp != place["top"]:
                        place.update(top=stamp, seen=now.isoformat())
                is_last = len(rows) < PAGE
                if is_last:
                    place.update(_next_sweep(place, now))
                yield self._to_page(rows, dict(place))
                if is_last:
                    return
        finally:
            self._engine.dispose()

    def calls(self) -> Mapping[str, int]:
        return {"query": self._queries}

    def _page(self, place: Mapping[str, Any]) -> list[dict[str, Any]]:
        among = text(self._query).columns(column(STAMP, NullType()), column(KEY, NullType())).subquery("activity")
        stamp, key = among.c[STAMP], among.c[KEY]
        wanted: Select[Any] = select(literal_column("activity.*")).select_from(among).where(stamp.is_not(None))
        if place["at"]:
            at, last = _from_json(place["at"][0]), place["at"][1]
            wanted = wanted.where(or_(stamp > at, and_(stamp == at, key > last)))
        elif place["since"] is not None:
            wanted = wanted.where(stamp >= _from_json(place["since"]))
        wanted = wanted.order_by(stamp, key).limit(PAGE)
        self._queries += 1
        try:
            with self._engine.connect() as connection:
                return [dict(row) for row in connection.execute(wanted).mappings()]
        except (OperationalError, InterfaceError, PoolTimeout) as error:
            raise Passing(
                f"the warehouse did not answer: {_words(error)}", "check that it is up and reachable"
            ) from None
        except DBAPIError as error:
            raise Refused(
                f"the warehouse refuses the query: {_words(error)}", "check CONNECTOR_WAREHOUSE_QUERY_FILE"
            ) from None

    def _to_page(self, rows: list[dict[str, Any]], cursor: dict[str, Any]) -> SourcePage:
        found: list[Activity] = []
        unknown: Counter[str] = Counter()
        for row in rows:
            record = {name: _plain(value) for name, value in row.items() if name != STAMP}
            made = activity(self.name, record, self._zone)
            if isinstance(made, Bad):
                unknown["(no activity)"] += 1
                log.warning("warehouse row is no activity", event_id=record.get(KEY), reason=made.reason)
                continue
            found.append(made)
            if (kind := unknown_type(made, self._declared)) is not None:
                unknown[kind] += 1
        return SourcePage(cursor, tuple(found), unknown=unknown)


def _next_sweep(place: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    """Where the next sweep begins. Once the newest row was first seen longer ago than a load job takes to commit, all
    rows before it are there too, and only newer ones need be asked for."""
    if place["top"] is None or now - datetime.fromisoformat(place["seen"]) >= OVERLAP:
        return {}
    return {"since": _to_json(earlier(_from_json(place["top"]), OVERLAP)), "at": None}


def open_engine(url: str) -> Engine:
    """Raises ConfigurationError that never repeats the URL, which may hold a password."""
    try:
        return create_engine(url, pool_pre_ping=True)
    except (ArgumentError, NoSuchModuleError, ImportError) as error:
        missing = f": {error}" if isinstance(error, ImportError | NoSuchModuleError) else ""
        raise ConfigurationError(
            f"CONNECTOR_WAREHOUSE_URL cannot be used{missing}",
            "write it like postgresql+psycopg://user:password@host/database, and install that driver",
        ) from None


def earlier(stamp: Stamp, by: timedelta) -> Stamp:
    """A stamp so much earlier, of the same form. Text loses its fraction and offset, so that it sorts before any row of
    that second."""
    if isinstance(stamp, datetime):
        return stamp - by
    if isinstance(stamp, str):
        at = datetime.fromisoformat(stamp).replace(tzinfo=None, microsecond=0) - by
        return at.isoformat(stamp[10:11] or "T")
    seconds = by.total_seconds()
    return stamp - type(stamp)(seconds * 1000 if stamp > MILLISECONDS else seconds)


def _stamp(value: Any) -> Stamp:
    """Raises Refused for what :func:`earlier` could not go back from."""
    stamp = value if isinstance(value, datetime) else _plain(value)
    try:
        earlier(stamp, OVERLAP)
    except (ValueError, TypeError, OverflowError):
        raise Refused(
            f"the warehouse's updated_at is no time: {str(value)[:40]}",
            "make it a timestamp, ISO text or epoch seconds",
        ) from None
    return stamp


def _to_json(stamp: Stamp) -> Any:
    return {"time": stamp.isoformat()} if isinstance(stamp, datetime) else stamp


def _from_json(stamp: Any) -> Stamp:
    """As it came from the database: drivers compare times with times only."""
    return datetime.fromisoformat(stamp["time"]) if isinstance(stamp, dict) else stamp


def _plain(value: Any) -> Any:
    """As JSON has it."""
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    return value if isinstance(value, str | int | float | bool | None) else str(value)


def _words(error: Exception) -> str:
    """The driver's words on one line; SQLAlchemy's own text repeats the statement and its values."""
    return " ".join(str(getattr(error, "orig", None) or error).split())[:300]
