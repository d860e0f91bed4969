"""Salesforce Account Engagement (Pardot), API v5: prospects, then visitor activities.

Both are read in sweeps by id over everything updated since the sweep before, with an overlap, because reads may come
from a copy a minute old. Each page is a query of its own behind the last id, so nothing depends on page tokens, which
die after four hours and after 100,000 records, and an interrupted sweep goes on where it was. A row that moves while a
sweep is under way is in the next one, which begins where this one began. Deleted prospects are in it; activities do not
say that they are deleted, so those that are get listed by themselves, once an hour. UNCONFIRMED: that a deletion, or a
visitor who gets known, moves an activity's ``updatedAt``; the comparison of everything, once a week, finds both.
Sources: developer.salesforce.com/docs/marketing/pardot, "Version 5 Overview", "Visitor Activity", "Prospect".
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from connector.base.answers import envelope, listed, readable, unreadable
from connector.base.clock import Clock
from connector.base.facts import Activity, Prospect, SourcePage
from connector.base.http import TAKEN, Judgement, Reaction, Session, Token, server_time
from connector.base.ids import id18
from connector.base.json import Json, JsonMap, JsonObject
from connector.base.ports import Glimpse
from connector.sources.kinds import KINDS, OTHER
from connector.sources.parking import Parking

_API = "Account Engagement"
_PAGE = 1000  # the most that v5 gives
_DELETED, _DELETED_EVERY = "deleted visitor-activities", timedelta(hours=1)
_READS = {  # what is read -> the object, and which of its rows
    "prospects": ("prospects", "all"),
    "visitor-activities": ("visitor-activities", "false"),
    _DELETED: ("visitor-activities", "true"),
}
_OVERLAP = timedelta(minutes=10)  # behind a sweep's beginning; reads may be 60 seconds old

PROSPECT_ATTRIBUTES = (
    "firstName", "lastName", "company", "jobTitle", "score", "grade", "isDoNotEmail", "isDoNotCall", "optedOut",
    "isEmailHardBounced", "lifecycleStageId", "campaignId", "assignedToId", "lastActivityAt", "convertedAt",
    "createdAt",
)  # fmt: skip
PROSPECT_FIELDS = (
    "id", "email", "salesforceId", "salesforceContactId", "salesforceLeadId", "isDeleted", *PROSPECT_ATTRIBUTES,
)  # fmt: skip
ACTIVITY_ATTRIBUTES = (
    "type", "typeName", "campaignId", "emailId", "emailTemplateId", "listEmailId", "formId", "formHandlerId",
    "landingPageId", "fileId", "customRedirectId", "opportunityId", "visitorId", "visitId",
)  # fmt: skip
ACTIVITY_FIELDS = ("id", "details", "prospectId", "createdAt", *ACTIVITY_ATTRIBUTES)

# (type, typeName) -> kind. typeName is the kind of asset, not what was done to it; "" stands for every other one.
PARDOT_KINDS: dict[tuple[int, str], str] = {
    (1, "Email"): "email_click", (1, "Email Tracker"): "email_click", (1, ""): "link_click",
    (2, "Form"): "form_view", (2, "Form Handler"): "form_view", (2, "File"): "file_download", (2, ""): "page_view",
    (3, ""): "form_error",
    (4, ""): "form_submit",
    (5, ""): "visit",
    (6, ""): "email_sent",
    (7, ""): "site_search",
    (8, ""): "opportunity", (9, ""): "opportunity", (10, ""): "opportunity",
    (11, ""): "email_open",
    (12, ""): "unsubscribe",
    (13, ""): "email_bounce",
    (14, ""): "spam_complaint",
    (15, ""): "email_preferences",
    (16, ""): "resubscribe",
    (17, ""): "email_click",
    (18, ""): "opportunity", (19, ""): "opportunity",
    (20, ""): "visit",
    (21, ""): "link_click",
    (22, ""): "chat",
    (23, ""): "event_invite",
    (24, ""): "event_attend",
    (25, ""): "event_register",
    (26, ""): "social_click",
    (27, ""): "video_view",
    (28, ""): "event_register",
    (29, ""): "event_attend",
    (30, ""): "video_view",
    (31, ""): "support", (32, ""): "support", (33, ""): "support",
    (34, ""): "video_view",
    (35, ""): "unsubscribe",  # 35 to 37: seen in exported data, in no manual
    (36, ""): "email_bounce",
    (37, ""): "resubscribe",
}  # fmt: skip

_SETTINGS = "check CONNECTOR_PARDOT_URL and CONNECTOR_PARDOT_BUSINESS_UNIT_ID"
_PERMISSION = "give the integration user access to Account Engagement, and the app the scope pardot_api"
PARDOT_CODES: dict[int, Judgement] = {
    66: Judgement(Reaction.AGAIN, wait=2),  # five requests at once; others use the account too
    122: Judgement(Reaction.LIMIT, hint="the account's daily calls are used up; they come back at its midnight"),
    183: Judgement(Reaction.AGAIN),
    184: Judgement(Reaction.RENEW, hint=_PERMISSION),
    202: Judgement(Reaction.AGAIN, wait=60),
    214: Judgement(Reaction.AGAIN),
    46: Judgement(Reaction.REFUSE, hint=_PERMISSION),
    49: Judgement(Reaction.REFUSE, hint=_PERMISSION),
    181: Judgement(Reaction.REFUSE, hint=_SETTINGS),
    182: Judgement(Reaction.REFUSE, hint=_SETTINGS),
    201: Judgement(Reaction.REFUSE, hint=_SETTINGS + "; sandboxes live on pi.demo.pardot.com"),
}


def judge_pardot(status: int, body: Json) -> Judgement:
    """The code in the body decides, whatever the status (mostly 400). No 429 is documented; one counts as passing."""
    if status < 300:
        return TAKEN
    code = body.get("code") if isinstance(body, dict) else None
    message = str(body.get("message") or "") if isinstance(body, dict) else ""
    known = PARDOT_CODES.get(code) if isinstance(code, int) else None
    if known is None:
        passes = status >= 500 or status in {408, 429}
        known = Judgement(Reaction.AGAIN if passes else Reaction.REFUSE, hint="" if passes else _SETTINGS)
    return Judgement(known.verdict, str(code or ""), message, known.hint, known.wait)


class PardotSource:
    """See the module. ``token`` is the Salesforce sign-in, whose token Account Engagement takes too."""

    name = "pardot"

    def __init__(
        self, url: str, business_unit_id: str, token: Token, clock: Clock, ca_bundle: Path | None = None
    ) -> None:
        self._url, self._clock = url.rstrip("/"), clock
        self._calls: Counter[str] = Counter()
        self._session = Session(_API, judge_pardot, clock, token=token, ca_bundle=ca_bundle, before=self._count)
        self._parking = Parking(self._session.close)
        self._session.headers["Pardot-Business-Unit-Id"] = self._unit = business_unit_id

    def poll(self, cursor: JsonMap | None, now: datetime) -> Iterator[SourcePage]:
        """Prospects first, so that an activity's prospect is known when it is recorded."""
        places = {name: dict(place) for name, place in (cursor or {}).items()}
        asked = (self._clock.now() - _OVERLAP).isoformat()  # of deletions before the first time, none is known
        places.setdefault(_DELETED, {"since": asked, "id": 0, "started": None})
        with self._parking.poll(now):
            yield from self._all(places)
            yield from self._gone(places)

    @property
    def listed(self) -> tuple[str, ...]:
        return ("",)

    def sweep(self, cursor: JsonMap | None, now: datetime) -> Iterator[SourcePage]:
        """All prospects and activities."""
        places = {name: dict(place) for name, place in (cursor or {}).items()}
        with self._parking.poll(now):
            yield from self._all(places)

    def _all(self, places: dict[str, JsonObject]) -> Iterator[SourcePage]:
        for rows in self._sweep("prospects", PROSPECT_FIELDS, places):
            unknown: Counter[str] = Counter()
            people = tuple(readable(pardot_prospect, rows, unknown, "prospect (unreadable)"))
            yield SourcePage(_copy(places), prospects=people, unknown=unknown)
        for rows in self._sweep("visitor-activities", ACTIVITY_FIELDS, places):
            unknown = Counter()
            read = readable(visitor_activity, rows, unknown, "activity (unreadable)")
            found = tuple(each for each in read if each is not None)
            unknown.update(_unknown(each) for each in found if each.kind == OTHER)
            yield SourcePage(_copy(places), found, unknown=unknown, once=frozenset(each.id for each in found))

    def _gone(self, places: dict[str, JsonObject]) -> Iterator[SourcePage]:
        """Activities that were deleted since it was last asked."""
        place = places[_DELETED]
        asked = datetime.fromisoformat(place["since"]) + _OVERLAP
        if self._clock.now() < asked + _DELETED_EVERY and place["started"] is None:
            return
        for rows in self._sweep(_DELETED, ("id",), places):
            yield SourcePage(_copy(places), removed=tuple(str(row["id"]) for row in rows))

    def account(self) -> str | None:
        return self._unit

    def inspect(self, now: datetime) -> Iterator[Glimpse]:
        """A field that the user may not see is refused by its name."""
        del now
        with closing(self._session):
            rows = self._rows("prospects", PROSPECT_FIELDS, "updatedAt desc")
            people = tuple(readable(pardot_prospect, rows, Counter(), ""))
            yield Glimpse("prospects", SourcePage({}, prospects=people[:1]), attributes=PROSPECT_ATTRIBUTES)
            rows = self._rows("visitor-activities", ACTIVITY_FIELDS, "createdAt desc")
            found = [each for each in readable(visitor_activity, rows, Counter(), "") if each]
            if not found:
                yield Glimpse("visitor activities", note="there is none yet")
                return
            one = str(found[0].prospect_id)
            rows = self._rows("prospects", PROSPECT_FIELDS, "id asc", idGreaterThan=int(one) - 1)
            people = tuple(readable(pardot_prospect, rows, Counter(), ""))
            yield Glimpse("visitor activities", SourcePage({}, (found[0],), people[:1]))

    def _rows(self, name: str, fields: Sequence[str], order: str, **more: int) -> list[Any]:
        params = {"fields": ",".join(fields), "orderBy": order, "limit": 10, **more}
        url = f"{self._url}/api/v5/objects/{name}"
        return listed(envelope(self._session.request("GET", url, params=params, kind="check"), _API), "values", _API)

    def calls(self) -> Mapping[str, int]:
        return Counter(self._calls)

    def _sweep(self, name: str, fields: Sequence[str], places: dict[str, JsonObject]) -> Iterator[list[Any]]:
        """Pages of rows; ``places[name]`` moves along. ``since``: updates the sweep looks for (None: all rows);
        ``id``: how far it is; ``started``: the service's time when it began."""
        place = places.setdefault(name, {"since": None, "id": 0, "started": None})
        while True:
            rows, more, at = self._page(name, fields, place)
            place["started"] = place["started"] or at.isoformat()
            if not more:
                since = datetime.fromisoformat(place["started"]) - _OVERLAP
                place.update(since=since.isoformat(), id=0, started=None)
                yield rows
                return
            place["id"] = _last_id(rows)
            yield rows

    def _page(self, name: str, fields: Sequence[str], place: JsonMap) -> tuple[list[Any], bool, datetime]:
        """Rows, whether there are more behind them, and the service's time."""
        of, deleted = _READS[name]
        params: JsonObject = {"fields": ",".join(fields), "orderBy": "id asc", "limit": _PAGE, "deleted": deleted}
        if place["id"]:
            params["idGreaterThan"] = place["id"]
        if place["since"]:
            params["updatedAtAfterOrEqualTo"] = place["since"]
        response = self._session.request(
            "GET", f"{self._url}/api/v5/objects/{of}", params=params, kind=name.replace("-", "_").replace(" ", "_")
        )
        body = envelope(response, _API)
        rows = listed(body, "values", _API)
        more = (
            bool(body.get("nextPageToken")) if len(rows) < _PAGE else True
        )  # a chain of pages may end before the rows
        return rows, more and bool(rows), server_time(response.headers, self._clock.now())

    def _count(self, kind: str) -> None:
        self._calls[kind] += 1


def _last_id(rows: Sequence[Any]) -> int:
    """Raises Transient when a page of rows cannot be gone on from."""
    ids: list[int] = [row["id"] for row in rows if isinstance(row, dict) and isinstance(row.get("id"), int)]
    if not ids:
        raise unreadable(_API)
    return max(ids)


def pardot_prospect(row: JsonMap) -> Prospect:
    crm_ids = (row.get(key) for key in ("salesforceContactId", "salesforceLeadId", "salesforceId"))
    return Prospect(
        source=PardotSource.name,
        id=str(row["id"]),
        email=(row.get("email") or "").strip().lower() or None,
        crm_id=next((found for each in crm_ids if each and (found := id18(each))), None),
        attributes={key: row[key] for key in PROSPECT_ATTRIBUTES if row.get(key) is not None},
        deleted=bool(row.get("isDeleted")),
    )


def visitor_activity(row: JsonMap) -> Activity | None:
    """None for a visitor's whom nobody knows yet."""
    if not row.get("prospectId"):
        return None
    kind = pardot_kind(row["type"], row.get("typeName") or "")
    return Activity(
        source=PardotSource.name,
        id=str(row["id"]),
        kind=kind,
        direction=KINDS[kind],
        occurred_at=datetime.fromisoformat(row["createdAt"]).astimezone(UTC),
        name=row.get("details") or "",
        attributes={key: row[key] for key in ACTIVITY_ATTRIBUTES if row.get(key) is not None},
        prospect_id=str(row["prospectId"]),
    )


def pardot_kind(type_: int, type_name: str) -> str:
    return PARDOT_KINDS.get((type_, type_name)) or PARDOT_KINDS.get((type_, "")) or OTHER


def _unknown(found: Activity) -> str:
    return f"{found.attributes['type']} {found.attributes.get('typeName', '')}".strip()


def _copy(places: Mapping[str, JsonMap]) -> dict[str, JsonObject]:
    return {name: dict(place) for name, place in places.items()}
