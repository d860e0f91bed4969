"""What ``check --sources`` asks of HubSpot: which properties of contacts there are, and one row of each thing read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from difflib import get_close_matches
from functools import partial
from typing import Any

from connector.base.answers import listed, readable
from connector.base.errors import LimitReached, Refused
from connector.base.facts import Activity, Prospect, SourcePage
from connector.base.ports import Glimpse
from connector.sources.hubspot.api import HUBSPOT_API, HubSpotApi
from connector.sources.hubspot.rows import ENGAGEMENTS, Kept, contact, email_event, engagement
from connector.sources.hubspot.ties import Ties

USUALLY_KEPT = Kept()


class Inspection:
    """``api`` and ``ties`` are the source's own."""

    def __init__(self, api: HubSpotApi, ties: Ties, kept: Kept, reads: Sequence[str]) -> None:
        self._api, self._ties, self._kept, self._reads = api, ties, kept, reads

    def glimpses(self) -> Iterator[Glimpse]:
        """Raises Refused where the token itself is not taken."""
        yield from self._properties()
        yield from self._each("contacts", self._contact)
        for name in self._reads:
            yield from self._each(name, self._event if name == "email_events" else partial(self._engagement, name))

    def _each(self, what: str, look: Callable[[], SourcePage | None]) -> Iterator[Glimpse]:
        try:
            page = look()
        except LimitReached:
            raise
        except Refused as error:
            if error.code in {"INVALID_AUTHENTICATION", "EXPIRED_AUTHENTICATION"}:
                raise
            yield Glimpse(what, problem=error.what, hint=error.hint)
            return
        yield Glimpse(what, page) if page else Glimpse(what, note="there is none yet")

    def _properties(self) -> Iterator[Glimpse]:
        """Those that somebody named must be there; of the usual ones a portal may lack some."""
        try:
            body, _ = self._api.ask("GET", self._api.path("properties", "contacts"), "properties")
        except Refused as error:
            if isinstance(error, LimitReached) or error.code != "MISSING_SCOPES":
                raise
            yield Glimpse("properties of contacts", problem=error.what, hint=error.hint)
            return
        there = [str(each.get("name")) for each in listed(body, "results", HUBSPOT_API) if isinstance(each, dict)]
        for setting, names, usual in (
            ("CONNECTOR_HUBSPOT_SCORE", (self._kept.score,), (USUALLY_KEPT.score,)),
            ("CONNECTOR_HUBSPOT_CRM_IDS", self._kept.crm_ids, USUALLY_KEPT.crm_ids),
            ("CONNECTOR_HUBSPOT_PROPERTIES", self._kept.more, ()),
        ):
            for name in (each for each in names if each not in there):
                near = get_close_matches(name, there, 1)
                said = f"this portal has no contact property {name}"
                if name in usual:
                    yield Glimpse(setting, note=f"{said}, which is asked unless the setting names another")
                    continue
                hint = f"did you mean {near[0]}?" if near else "use the property's internal name"
                yield Glimpse(setting, problem=said, hint=f"{hint} (in {setting})")
        known = {"score", *(name for name in self._kept.attributes if name in there)}
        yield Glimpse("properties of contacts", attributes=tuple(sorted(known)))

    def _contact(self) -> SourcePage | None:
        rows = self._newest("contacts", "lastmodifieddate", self._kept.asked)
        found = readable(lambda row: contact(row, self._kept), rows, Counter(), "")
        people = [each for many in found for each in many if not each.deleted]
        return SourcePage({}, prospects=tuple(people[:1])) if people else None

    def _engagement(self, name: str) -> SourcePage | None:
        rows = self._newest(name, "hs_lastmodifieddate", [each for each in ENGAGEMENTS[name].asked if each])
        ties = self._ties.of(name, [str(row["id"]) for row in rows])[0] if rows else {}
        found: list[Activity] = []
        for row in rows:
            found += engagement(name, row, ties.get(str(row["id"]), ()))[0]
        if not found:
            return None
        return SourcePage({}, (found[0],), self._person(str(found[0].prospect_id)))

    def _event(self) -> SourcePage | None:
        body, _ = self._api.ask("GET", "/email/public/v1/events", "email_events", params={"limit": 10})
        found = [each for each in readable(email_event, listed(body, "events", HUBSPOT_API), Counter(), "") if each]
        return SourcePage({}, (found[0],)) if found else None

    def _newest(self, name: str, modified: str, properties: Sequence[str]) -> list[Any]:
        asked = {
            "filterGroups": [],
            "sorts": [{"propertyName": modified, "direction": "DESCENDING"}],
            "properties": list(properties),
            "limit": 10,
        }
        body, _ = self._api.ask("POST", self._api.path("objects", f"{name}/search"), "search", json=asked)
        return listed(body, "results", HUBSPOT_API)

    def _person(self, one: str) -> tuple[Prospect, ...]:
        params = {"properties": ",".join(self._kept.asked)}
        body, _ = self._api.ask("GET", self._api.path("objects", f"contacts/{one}"), "contact", params=params)
        return tuple(contact(body, self._kept)[:1])
