"""Marketo: activities behind paging tokens, and the leads that they are about.

An activity request takes at most ten types, so the types that the instance has are spread over several chains of
pages, each with a token of its own as cursor (``marketo_chains``). Leads that did something, or whose data or score
changed, are read anew by id: that gives e-mail address, Salesforce ids and scores as they are now. Deletions come from
an endpoint of their own, behind everything else. What happened before the first poll comes from extracts
(``history``).
Sources: developer.adobe.com, "Activities", "Paging Tokens", "Leads", "Marketo Integration Best Practices".
"""

from __future__ import annotations

import copy
import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import structlog

from connector.base.answers import readable, unreadable
from connector.base.clock import Clock
from connector.base.errors import Refused
from connector.base.facts import Prospect, SourcePage
from connector.base.json import JsonMap, JsonObject
from connector.base.ports import Glimpse
from connector.sources.marketo import history
from connector.sources.marketo.api import MARKETO, MarketoApi, result_of
from connector.sources.marketo.chains import HISTORY_CHAIN, Chain, moved, plan_chains, without_token
from connector.sources.marketo.history import UNAVAILABLE, History, is_finished
from connector.sources.marketo.rows import (
    DELETE,
    MARKETO_SOURCE,
    NOT_READ,
    Batch,
    lead,
    lead_fields,
    merged_away,
    read_rows,
    type_names,
)
from connector.sources.parking import Parking

Places = JsonObject  # "chains", and "history": what is left of it, None when nothing is

log = structlog.get_logger(__name__)

_BATCH = 300  # rows of a page, and ids in one request for leads
_LISTED = timedelta(hours=1)  # how long types and fields are taken for what they were
FRESH = timedelta(minutes=1)  # a lead read so long after it did something need not be read again in the same poll
REMEMBERED = 100_000  # leads
LOOKED_BACK = timedelta(days=30)  # for one row to show
REFUSED_TOKEN = frozenset({"1001", "1003"})  # UNCONFIRMED: no manual says what an old paging token is answered with

_MUNCHKIN = re.compile(r"(\d{3}-[a-z]{3}-\d{3})\.", re.IGNORECASE)  # 123-ABC-456.mktorest.com


class MarketoSource:
    """See the module. ``declared_kinds``: kinds of the mapping's own, which a custom activity type of that name is."""

    name = MARKETO_SOURCE

    def __init__(
        self,
        url: str,
        client_id: str,
        client_secret: str,
        clock: Clock,
        ca_bundle: Path | None = None,
        declared_kinds: Collection[str] = (),
        *,
        extracts: bool = True,
    ) -> None:
        self._clock, self._declared, self._extracts = clock, frozenset(declared_kinds), extracts
        found = _MUNCHKIN.match(urlsplit(url).hostname or "")
        self._munchkin = found[1].upper() if found else None
        self._api = MarketoApi(url, client_id, client_secret, clock, ca_bundle)
        self._parking = Parking(self._api.close)
        self._listed_at: datetime | None = None
        self._types: dict[int, str] = {}
        self._fields: list[str] = []
        self._read_at: dict[str, datetime] = {}  # lead -> when this poll read it

    def poll(self, cursor: JsonMap | None, now: datetime) -> Iterator[SourcePage]:
        """What is new chain by chain, then what is left of the history. A page's prospects are the leads of its rows as
        they are at that moment."""
        self._read_at.clear()
        known = cursor or {"chains": (), "history": history.begin_history(now) if self._extracts else None}
        with self._parking.poll(now):
            self._list(now)
            wanted = self._types.keys() - NOT_READ
            since = now if cursor is None and self._extracts else now - HISTORY_CHAIN
            places: Places = {
                "chains": plan_chains(known["chains"], wanted, DELETE, now, since),
                "history": known.get("history"),
            }
            for number in range(len(places["chains"])):
                yield from self._follow(places, number)
            if places["history"]:
                yield from self._read_history(places, wanted)

    def account(self) -> str | None:
        """The Munchkin id, with which an instance's address begins."""
        return self._munchkin

    def inspect(self, now: datetime) -> Iterator[Glimpse]:
        """The newest activity of the last days, with its lead. A role that may not read them is refused by name."""
        with closing(self._api):
            self._list(now)
            yield Glimpse("fields of leads", attributes=("score", *self._fields))
            wanted = sorted(self._types.keys() - NOT_READ)[:10]
            chain: Chain = {"types": wanted, "token": None, "since": (now - LOOKED_BACK).isoformat(), "done": False}
            body = self._page(self._with_token(chain))
            batch = read_rows(result_of(body)[-1:], self._types, self._declared)
            page = self._sourced(batch, {})
            yield Glimpse("activities", page) if page.activities else Glimpse("activities", note="none of late")

    def calls(self) -> Mapping[str, int]:
        return Counter(self._api.calls)

    def _list(self, now: datetime) -> None:
        """The instance's activity types and lead fields, which people may change at any time."""
        if self._listed_at is None or now - self._listed_at >= _LISTED:
            self._types = type_names(self._api.rows("activities/types.json", "types"))
            self._fields = lead_fields(self._api.rows("leads/describe.json", "describe"))
            self._listed_at = now

    def _read_history(self, places: Places, wanted: Collection[int]) -> Iterator[SourcePage]:
        """By extracts; where Marketo refuses those, chain by chain from the beginning."""
        place = places["history"] = dict(places["history"])
        try:
            for rows in History(self._api, self._clock, wanted).rows(place):
                yield self._sourced(read_rows(rows, self._types, self._declared), places)
            if not is_finished(place):
                return
        except Refused as error:
            if error.code not in UNAVAILABLE:
                raise
            log.warning("no extracts, reading the history page by page", source=MARKETO_SOURCE, code=error.code)
            for chain in places["chains"][:-1]:
                chain.update(token=None, since=place["from"], done=False)
        places["history"] = None
        yield self._sourced(Batch(), places)
        for number, chain in enumerate(places["chains"]):
            if not chain["done"]:
                yield from self._follow(places, number)

    def _follow(self, places: Places, number: int) -> Iterator[SourcePage]:
        """The pages of one chain, which moves along. A page may be short or empty with more behind it."""
        chains = places["chains"]
        has_replaced = False
        while True:
            try:
                chain = self._with_token(chains[number])
                body = self._page(chain)
            except Refused as error:
                if error.code not in REFUSED_TOKEN or has_replaced or chains[number]["token"] is None:
                    raise
                log.warning(
                    "paging token refused", source=MARKETO_SOURCE, code=error.code, since=chains[number]["since"]
                )
                chains[number], has_replaced = without_token(chains[number]), True
                continue
            batch = read_rows(result_of(body), self._types, self._declared)
            token = str(body.get("nextPageToken") or chain["token"])
            more = bool(body.get("moreResult")) and token != chain["token"]  # the same page again would have no end
            chains[number] = moved(chain, token, more, batch.latest)
            yield self._sourced(batch, places)
            if not more:
                return

    def _sourced(self, batch: Batch, places: Places) -> SourcePage:
        prospects = tuple(self._prospects(batch))
        gone = tuple(batch.deleted)
        found, once = tuple(batch.activities), frozenset(each.id for each in batch.activities)
        return SourcePage(copy.deepcopy(places), found, prospects, unknown=batch.unknown, gone=gone, once=once)

    def _with_token(self, chain: Chain) -> Chain:
        if chain["token"]:
            return chain
        since = datetime.fromisoformat(chain["since"]).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        body = self._api.get("activities/pagingtoken.json", "paging_token", {"sinceDatetime": since})
        if not body.get("nextPageToken"):
            raise unreadable(MARKETO)
        return {**chain, "token": str(body["nextPageToken"])}

    def _page(self, chain: Chain) -> JsonObject:
        params = {"nextPageToken": chain["token"], "batchSize": str(_BATCH)}
        if chain["types"] == [DELETE]:
            return self._api.get("activities/deletedleads.json", "deleted_leads", params)
        types = ",".join(str(each) for each in chain["types"])
        return self._api.get("activities.json", "activities", {"activityTypeIds": types, **params})

    def _prospects(self, batch: Batch) -> Iterator[Prospect]:
        """The batch's leads as they are now, and those merged into them."""
        wanted = sorted(each for each, at in batch.leads.items() if self._is_stale(each, at, batch))
        for start in range(0, len(wanted), _BATCH):
            asked = {"filterType": "id", "filterValues": ",".join(wanted[start : start + _BATCH])}
            started = self._clock.now()
            asked |= {"fields": ",".join(self._fields), "batchSize": str(_BATCH)}
            rows = self._api.rows("leads.json", "leads", asked)
            if len(self._read_at) > REMEMBERED:
                self._read_at.clear()
            self._read_at.update(dict.fromkeys(wanted[start : start + _BATCH], started))
            found = list(readable(lead, rows, batch.unknown, "lead (unreadable)"))
            yield from found
            winners = {each.id: each for each in found}
            yield from (merged_away(loser, winners[one]) for loser, one in batch.merged.items() if one in winners)

    def _is_stale(self, lead_id: str, at: datetime, batch: Batch) -> bool:
        read_at = self._read_at.get(lead_id)
        return read_at is None or at > read_at - FRESH or lead_id in batch.merged.values()
