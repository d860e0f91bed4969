"""HubSpot: contacts, then engagements and deals, then marketing e-mail events.

All but the last are found by search. A search gives at most 10,000 rows, so each page is a query of its own behind the
last id; its index lags, so a sweep begins a quarter of an hour before the last one began; what was archived
a moment ago is missing from a page, so the answer's ``paging`` alone says whether there is more. What is archived is in
no search: a list of it is read once an hour, of each object. Who an engagement is tied to is another question, and an
answer to it moves no date: see ``ties``. E-mail events are read in fixed windows of time.
Sources: developers.hubspot.com, "Search the CRM", "Contacts", "Associations", "Usage guidelines", e-mail events (v1).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Self

from connector.base.answers import listed, readable, unreadable
from connector.base.clock import Clock
from connector.base.errors import ConfigurationError, LimitReached, Refused, Transient
from connector.base.facts import Activity, Prospect, SourcePage
from connector.base.json import JsonMap, JsonObject
from connector.base.ports import Glimpse
from connector.base.settings import Settings
from connector.sources.hubspot.api import ACCOUNT_INFO, HUBSPOT_API, HubSpotApi
from connector.sources.hubspot.inspecting import Inspection
from connector.sources.hubspot.rows import ENGAGEMENTS, HUBSPOT, Kept, contact, email_event, engagement, hubspot_time
from connector.sources.hubspot.ties import (
    Ties,
    TiesFound,
    forget_loose,
    ids_of,
    keep_loose,
    loose_ids,
    next_page,
    repeated,
    ties_are_due,
)
from connector.sources.kinds import OTHER
from connector.sources.parking import Parking

SEARCHED = 200  # rows of a search at most
_LISTED = 100  # rows of a list at most
_EVENTS = 1000  # events of a page at most
LOOK_BACK = timedelta(minutes=15)  # the search index lags "a few moments", nobody says how many
ARCHIVED_EVERY = timedelta(hours=1)
A_PAGE_OF_ARCHIVED = timedelta(minutes=1)  # between two reads of a long list: so it costs at most a call a minute
READS = (*ENGAGEMENTS, "email_events")
USUAL = tuple(each for each in READS if each != "deals")  # these need another scope, and a mapping that looks at them


class HubSpotSource:
    """See the module. ``reads``: which of ``READS`` are read beside contacts; ``version`` is "v3" or that of the dated
    paths, "2026-03"."""

    name = HUBSPOT

    def __init__(
        self,
        url: str,
        token: str,
        clock: Clock,
        ca_bundle: Path | None = None,
        declared_kinds: Collection[str] = (),
        *,
        kept: Kept | None = None,
        reads: Sequence[str] = USUAL,
        version: str = "v3",
    ) -> None:
        wrong = sorted(set(reads) - set(READS))
        if wrong:
            raise ConfigurationError(
                f"CONNECTOR_HUBSPOT_READS has no {', '.join(wrong)}", f"it knows {', '.join(READS)}"
            )
        self._clock = clock
        self._kept, self._reads, self._declared = kept or Kept(), tuple(reads), frozenset(declared_kinds)
        self._portal: str | None = None  # "": HubSpot does not tell
        self._api = HubSpotApi(url, token, clock, ca_bundle, version)
        self._ties = Ties(self._api.ask, self._api.path)
        self._parking = Parking(self._api.close)

    @classmethod
    def from_settings(cls, settings: Settings, clock: Clock, declared_kinds: Collection[str] = ()) -> Self:
        """Raises ConfigurationError for what cannot be read."""
        token = settings.hubspot_token.get_secret_value() if settings.hubspot_token else ""
        kept = Kept(settings.hubspot_score, _words(settings.hubspot_crm_ids), _words(settings.hubspot_properties))
        return cls(
            settings.hubspot_url,
            token,
            clock,
            settings.ca_bundle,
            declared_kinds,
            kept=kept,
            reads=_words(settings.hubspot_reads),
            version=settings.hubspot_api_version,
        )

    def poll(self, cursor: JsonMap | None, now: datetime) -> Iterator[SourcePage]:
        """Contacts first, so that an activity's contact is known when it is recorded."""
        places = {name: dict(place) for name, place in (cursor or {}).items()}
        with self._parking.poll(now):
            yield from self._contacts(places)
            for name in (each for each in self._reads if each in ENGAGEMENTS):
                yield from self._read_engagements(name, places)
            if ties_are_due(places, self._clock.now()):
                for name in (each for each in self._reads if each in ENGAGEMENTS):
                    yield from self._tied_late(name, places)
                yield SourcePage(_copy(places))
            if "email_events" in self._reads:
                yield from self._email_events(places, now)

    @property
    def listed(self) -> tuple[str, ...]:
        return tuple(each for each in self._reads if each in ENGAGEMENTS)

    def sweep(self, cursor: JsonMap | None, now: datetime) -> Iterator[SourcePage]:
        """All contacts, engagements and deals, with whose they are."""
        places = {name: dict(place) for name, place in (cursor or {}).items()}
        with self._parking.poll(now):
            for rows in self._sweep("contacts", "lastmodifieddate", self._kept.asked, places):
                yield SourcePage(_copy(places), prospects=tuple(self._people(rows)[0]))
            for name in self.listed:
                for rows in self._sweep(name, "hs_lastmodifieddate", ENGAGEMENTS[name].asked, places):
                    page = self._engagements(name, rows, *self._ties.of(name, ids_of(rows)), places)
                    yield replace(page, bad=len(rows) - len(page.whole))

    def account(self) -> str | None:
        """The portal. UNCONFIRMED: that every key may ask for it; where it may not, the portal stays unknown."""
        if self._portal is None:
            try:
                body, _ = self._api.ask("GET", ACCOUNT_INFO, "account")
            except Refused:
                body = {}
            self._portal = str(body.get("portalId") or "")
        return self._portal or None

    def calls(self) -> Mapping[str, int]:
        return Counter(self._api.calls)

    def inspect(self, now: datetime) -> Iterator[Glimpse]:
        del now
        with closing(self._api):
            yield from Inspection(self._api, self._ties, self._kept, self._reads).glimpses()

    def allowance(self) -> tuple[int, int] | None:
        return self._api.allowance

    def _contacts(self, places: dict[str, JsonObject]) -> Iterator[SourcePage]:
        """Those that changed, then those that are no more."""
        for rows in self._sweep("contacts", "lastmodifieddate", self._kept.asked, places):
            found, unknown = self._people(rows)
            yield SourcePage(_copy(places), prospects=tuple(found), unknown=unknown)
        for rows in self._archived("contacts", places):
            found, unknown = self._people(rows)
            told = tuple(each for each in found if each.email or each.crm_id)
            gone = tuple(each.id for each in found if not each.email and not each.crm_id)  # nothing is left of them
            yield SourcePage(_copy(places), prospects=told, gone=gone, unknown=unknown)

    def _people(self, rows: Sequence[Any]) -> tuple[list[Prospect], Counter[str]]:
        unknown: Counter[str] = Counter()
        read = readable(lambda row: contact(row, self._kept), rows, unknown, "contacts (unreadable)")
        return [each for people in read for each in people], unknown

    def _sweep(
        self, name: str, modified: str, properties: Sequence[str], places: dict[str, JsonObject]
    ) -> Iterator[list[Any]]:
        """Pages of rows by id; ``places[name]`` moves along. ``since``: changes the sweep looks for (None: all rows);
        ``id``: how far it is; ``started``: the service's time when it began."""
        place = places.setdefault(name, {"since": None, "id": 0, "started": None})
        while True:
            filters = [{"propertyName": "hs_object_id", "operator": "GTE", "value": str(place["id"] + 1)}]
            if place["since"]:
                since = str(_milliseconds(datetime.fromisoformat(place["since"])))
                filters.append({"propertyName": modified, "operator": "GTE", "value": since})
            asked = {
                "filterGroups": [{"filters": filters}],
                "sorts": [{"propertyName": "hs_object_id", "direction": "ASCENDING"}],
                "properties": [each for each in properties if each],
                "limit": SEARCHED,
            }
            body, at = self._api.ask("POST", self._api.path("objects", f"{name}/search"), "search", json=asked)
            rows = listed(body, "results", HUBSPOT_API)
            place["started"] = place["started"] or at.isoformat()
            if not body.get("paging"):
                since_next = datetime.fromisoformat(place["started"]) - LOOK_BACK
                place.update(since=since_next.isoformat(), id=0, started=None)
                yield rows
                return
            if not rows:
                what = f"HubSpot's search index still counts {name} that were archived a moment ago"
                raise Transient(what, "the next cycle asks again")
            place["id"] = _last_id(rows)
            yield rows

    def _archived(self, name: str, places: dict[str, JsonObject]) -> Iterator[list[Any]]:
        """Rows archived since the last such list began; ``after`` is the page that an interrupted one got to, ``pages``
        how long it is: HubSpot gives it from its beginning."""
        key = "archived" if name == "contacts" else f"archived {name}"
        place = places.setdefault(key, {"since": None, "after": None, "started": None})
        since = datetime.fromisoformat(place["since"]) if place["since"] else None
        rest = max(ARCHIVED_EVERY, place.get("pages", 0) * A_PAGE_OF_ARCHIVED)
        if since and not place["started"] and self._clock.now() < since + LOOK_BACK + rest:
            return
        asked = self._kept.asked if name == "contacts" else ()
        while True:
            params = {"archived": "true", "limit": _LISTED, "properties": ",".join(asked)}
            given = {key: value for key, value in {**params, "after": place["after"]}.items() if value}
            body, at = self._api.ask("GET", self._api.path("objects", name), "archived", params=given)
            place["pages"] = 1 + (place.get("pages", 0) if place["started"] else 0)
            place["started"] = place["started"] or at.isoformat()
            rows = [
                row for row in listed(body, "results", HUBSPOT_API) if not since or _archived_at(row, since) >= since
            ]
            after = next_page(body)
            if after is not None and after == place["after"]:
                raise repeated(f"archived {name}")
            if after is None:
                begun = datetime.fromisoformat(place["started"]) - LOOK_BACK
                place.update(since=begun.isoformat(), after=None, started=None)
                yield rows
                return
            place["after"] = after
            yield rows

    def _read_engagements(self, name: str, places: dict[str, JsonObject]) -> Iterator[SourcePage]:
        """Those that changed, then those that are no more. A search names no contacts: one more call tells whose the
        rows are."""
        for rows in self._sweep(name, "hs_lastmodifieddate", ENGAGEMENTS[name].asked, places):
            whose, sure = self._ties.of(name, ids_of(rows))
            keep_loose(places, name, ids_of(rows), whose, self._clock.now())
            yield self._engagements(name, rows, whose, sure, places)
        for rows in self._archived(name, places):
            gone = ids_of(rows)
            forget_loose(places, name, gone)
            yield SourcePage(_copy(places), whole=tuple(f"{name}:{each}" for each in gone))

    def _engagements(
        self, name: str, rows: Sequence[Any], whose: TiesFound, sure: Collection[str], places: dict[str, JsonObject]
    ) -> SourcePage:
        found: list[Activity] = []
        whole: list[str] = []
        unknown: Counter[str] = Counter()
        read = readable(
            lambda row: (str(row["id"]), *engagement(name, row, whose.get(str(row["id"]), ()))),
            rows,
            unknown,
            f"{name} (unreadable)",
        )
        for one, activities, types in read:
            found += activities
            unknown.update(types)
            whole += [f"{name}:{one}"] if one in sure and (activities or not types) else []
        return SourcePage(_copy(places), tuple(found), unknown=unknown, whole=tuple(whole))

    def _tied_late(self, name: str, places: dict[str, JsonObject]) -> Iterator[SourcePage]:
        """Rows that had no contact and have one now."""
        loose = loose_ids(places, name, self._clock.now())
        whose, sure = self._ties.of(name, loose) if loose else ({}, set())
        tied = [each for each in loose if whose.get(each)]
        keep_loose(places, name, tied, whose, self._clock.now())
        path = self._api.path("objects", f"{name}/batch/read")
        for start in range(0, len(tied), _LISTED):
            inputs = [{"id": each} for each in tied[start : start + _LISTED]]
            asked = {"inputs": inputs, "properties": [each for each in ENGAGEMENTS[name].asked if each]}
            body, _ = self._api.ask("POST", path, "late_ties", json=asked)
            yield self._engagements(name, listed(body, "results", HUBSPOT_API), whose, sure, places)

    def _email_events(self, places: dict[str, JsonObject], now: datetime) -> Iterator[SourcePage]:
        """One window, the newest event first. ``since`` and ``until`` in milliseconds; ``offset`` is the service's."""
        place = places.setdefault("email_events", {"since": None, "until": None, "offset": None})
        place["until"] = place["until"] or _milliseconds(now)
        while True:
            params = {"limit": _EVENTS, "endTimestamp": place["until"], "offset": place["offset"]}
            params["startTimestamp"] = place["since"]
            given = {key: value for key, value in params.items() if value is not None}
            try:
                body, _ = self._api.ask("GET", "/email/public/v1/events", "email_events", params=given)
            except LimitReached:
                raise
            except Refused as error:
                if place["offset"] is None or error.code != "VALIDATION_ERROR":
                    raise
                place["offset"] = None  # UNCONFIRMED how long an offset lives: the window from its beginning, then
                continue
            rows = listed(body, "events", HUBSPOT_API)
            offset = body.get("offset") if body.get("hasMore") else None
            if offset is not None and offset == place["offset"]:
                raise repeated("e-mail events")
            if offset is None:
                until = place["until"] - int(LOOK_BACK.total_seconds() * 1000)
                place.update(since=until, until=None, offset=None)
            else:
                place["offset"] = offset
            unknown: Counter[str] = Counter()
            read = readable(lambda row: email_event(row, self._declared), rows, unknown, "email_events (unreadable)")
            found = [each for each in read if each]
            unknown.update(str(each.attributes["type"]) for each in found if each.kind == OTHER)
            once = frozenset(each.id for each in found)
            yield SourcePage(_copy(places), tuple(found), unknown=unknown, once=once)
            if place["offset"] is None:
                return


def _last_id(rows: Sequence[Any]) -> int:
    """Raises Transient when a page of rows cannot be gone on from."""
    ids = [int(row["id"]) for row in rows if isinstance(row, dict) and str(row.get("id")).isdecimal()]
    if not ids:
        raise unreadable(HUBSPOT_API)
    return max(ids)


def _archived_at(row: Any, default: datetime) -> datetime:
    return (hubspot_time(row.get("archivedAt")) if isinstance(row, dict) else None) or default


def _words(text: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in text.split(",") if word.strip())


def _milliseconds(at: datetime) -> int:
    return int(at.timestamp() * 1000)


def _copy(places: Mapping[str, JsonMap]) -> dict[str, JsonObject]:
    return {name: dict(place) for name, place in places.items()}
