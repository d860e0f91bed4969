"""Marketo's activities and leads as values, pure: which types are read, what they mean, and whom they are about.

Types and names as developer.adobe.com documents them ("Activities", "Lead Database", events of the "Marketo Lead
Activity Data Stream"); instances differ and add their own, so names come from ``types.json`` and a type that no table
knows is kept as "other" and counted.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from connector.base.answers import readable
from connector.base.facts import Activity, Direction, Prospect
from connector.base.ids import id18
from connector.base.json import Json, JsonMap, JsonObject
from connector.sources.kinds import KINDS, OTHER

MARKETO_SOURCE = "marketo"
PERSON_ONLY = ""  # says that the lead changed, and nothing that a rule would look for
NEW_LEAD, CHANGE_VALUE, MERGE, DELETE, PROGRESSION = 12, 13, 32, 37, 104

MARKETO_KINDS: dict[int, str] = {
    1: "page_view", 2: "form_submit", 3: "link_click",
    6: "email_sent", 8: "email_bounce", 9: "unsubscribe", 10: "email_open", 11: "email_click", 27: "email_bounce",
    NEW_LEAD: PERSON_ONLY, CHANGE_VALUE: PERSON_ONLY, MERGE: PERSON_ONLY,
    21: "status_change", 22: "score_change", 101: "status_change", 102: "status_change", PROGRESSION: "status_change",
    34: "opportunity", 35: "opportunity", 36: "opportunity",
    39: "email_sent", 40: "email_open", 41: "email_click", 45: "email_reply", 48: "email_bounce",
    46: OTHER,  # an interesting moment repeats another activity in words for salespeople
    111: "link_click", 112: OTHER,  # forward to a friend: sent by the person, received by them
    123: PERSON_ONLY, 145: PERSON_ONLY,  # changed data of a program's member, a lead pushed by another system
    131: "form_submit", 147: "form_submit",  # forms of lead ads at Facebook and LinkedIn
    132: "link_click", 133: "link_click",  # calls to action and recommended content on one's own pages
    400: "social_click", 401: "social_click", 402: "social_click", 403: "social_click", 405: "social_click",
    407: "social_click", 409: "social_click", 410: "social_click",
    406: OTHER, 408: OTHER,  # what became of somebody in a sweepstake
}  # fmt: skip

# What Marketo does inside: deliveries, syncs to Salesforce and its campaigns, lists, owners, campaigns, alerts,
# partitions, segments, webhooks, nurture, syncs to Microsoft. Deletions have an endpoint of their own.
NOT_READ = frozenset({
    7, 19, 23, 24, 25, 26, 28, 29, 30, 31, DELETE, 38, 42, 43, 44, 47, 100, 106, 108, 110, 113, 114, 115, 300,
})  # fmt: skip

# A program's status, in the words of Marketo's channels, newest word first where one name has two.
PROGRESS = (("attend", "event_attend"), ("regist", "event_register"), ("invite", "event_invite"))
CHANGE_WORTH_A_FACT = re.compile("status|stage|lifecycle", re.IGNORECASE)

LEAD_FIELDS = (
    "id", "email", "sfdcContactId", "sfdcLeadId", "leadScore", "firstName", "lastName", "company", "title", "industry",
    "country", "leadSource", "unsubscribed", "emailInvalid", "doNotCall", "marketingSuspended", "createdAt",
    "updatedAt",
)  # fmt: skip
ALSO = re.compile("score|status|stage|lifecycle|grade|rating|urgency|priority", re.IGNORECASE)
MOST_FIELDS = 80  # the address of a request is at most 8 KB
NO_ATTRIBUTES = frozenset({"id", "email", "sfdcContactId", "sfdcLeadId", "leadScore"})


@dataclass
class Batch:
    """What a page of rows says. ``leads``: lead -> when it last did something; ``merged``: loser -> winner; ``latest``:
    the newest row's date."""

    activities: list[Activity] = field(default_factory=list)
    leads: dict[str, datetime] = field(default_factory=dict)
    merged: dict[str, str] = field(default_factory=dict)
    deleted: list[str] = field(default_factory=list)
    unknown: Counter[str] = field(default_factory=Counter)
    latest: datetime | None = None


def read_rows(rows: Iterable[Any], types: Mapping[int, str], declared: Collection[str] = ()) -> Batch:
    """Rows of any activity endpoint. ``types``: id -> name as the instance has them; ``declared``: the mapping's own
    kinds, of which a custom type of that name is one. A row without lead, date or type is counted as "unreadable"."""
    batch = Batch()
    for _ in readable(lambda row: _add(batch, row, types, declared), rows, batch.unknown, "unreadable"):
        pass
    return batch


def _add(batch: Batch, row: JsonMap, types: Mapping[int, str], declared: Collection[str]) -> None:
    type_, lead_id, at = int(row["activityTypeId"]), str(int(row["leadId"])), _moment(row["activityDate"])
    found = attributes_of(row.get("attributes"))
    batch.latest = max(at, batch.latest or at)
    if type_ == DELETE:
        batch.deleted.append(lead_id)
        return
    kind = _kind_of(type_, types.get(type_, ""), row, found, declared)
    batch.leads[lead_id] = max(at, batch.leads.get(lead_id, at))
    if type_ == MERGE:
        batch.merged.update(dict.fromkeys(re.findall(r"\d+", str(found.get("Merge IDs", ""))), lead_id))
    if kind == PERSON_ONLY:
        return
    name = types.get(type_, str(type_))
    if type_ not in MARKETO_KINDS and kind == OTHER:
        batch.unknown[f"{type_} {types.get(type_, '')}".strip()] += 1
    more = {key: row[key] for key in ("campaignId", "primaryAttributeValueId") if row.get(key) not in (None, "")}
    batch.activities.append(
        Activity(
            source=MARKETO_SOURCE,
            id=str(row.get("marketoGUID") or row["id"]),
            kind=kind,
            direction=direction_of(kind, found),
            occurred_at=at,
            name=str(row.get("primaryAttributeValue") or ""),
            attributes={"type": name, **more, **found},
            prospect_id=lead_id,
        )
    )


def _kind_of(type_: int, name: str, row: JsonMap, attributes: JsonMap, declared: Collection[str] = ()) -> str:
    """The table, but for program statuses and changed fields, where the words decide, and for custom types."""
    if type_ == PROGRESSION:
        status = str(attributes.get("New Status") or "").lower()
        words = next((kind for word, kind in PROGRESS if re.search(rf"\b{word}", status)), None)
        return words or ("campaign_response" if is_true(attributes.get("Success")) else MARKETO_KINDS[type_])
    if type_ == CHANGE_VALUE and CHANGE_WORTH_A_FACT.search(str(row.get("primaryAttributeValue") or "")):
        return "status_change"
    if type_ in MARKETO_KINDS:
        return MARKETO_KINDS[type_]
    slug = "_".join(re.findall(r"[a-z0-9]+", name.lower()))
    return slug if slug in declared else OTHER


def direction_of(kind: str, attributes: JsonMap) -> Direction:
    """As usual for the kind, but what Marketo itself takes for a mail scanner is no engagement."""
    if is_true(attributes.get("Bot Activity")):
        return Direction.OUTBOUND
    return KINDS.get(kind, Direction.INBOUND)


def is_true(value: Json) -> bool:
    return str(value).strip().lower() in {"true", "1", "yes"}


def attributes_of(given: Json) -> JsonObject:
    """A list of name and value from the REST API, an object as JSON text in extracts; without what is empty."""
    given = json.loads(given) if isinstance(given, str) and given else given
    if isinstance(given, Mapping):
        pairs = list(given.items())
    else:
        pairs = [(each["name"], each.get("value")) for each in given or ()]
    return {str(name): value for name, value in pairs if value not in (None, "", [], {})}


def _moment(text: str) -> datetime:
    """``2026-05-01T23:32:19Z``, or without an offset as older answers have it: UTC. Raises ValueError."""
    at = datetime.fromisoformat(text)
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC)


def lead(row: JsonMap) -> Prospect:
    """A lead with the asked fields. Its main score is the attribute ``score``; others keep their names."""
    crm_ids = (str(row.get(key) or "") for key in ("sfdcContactId", "sfdcLeadId"))
    score = {} if row.get("leadScore") in (None, "") else {"score": row["leadScore"]}
    others = {key: value for key, value in row.items() if key not in NO_ATTRIBUTES and value not in (None, "")}
    return Prospect(
        source=MARKETO_SOURCE,
        id=str(row["id"]),
        email=str(row.get("email") or "").strip().lower() or None,
        crm_id=next((found for each in crm_ids if (found := id18(each))), None),
        attributes=score | others,
    )


def merged_away(loser: str, winner: Prospect) -> Prospect:
    """A lead that was merged into another no longer exists, but what it did belongs to the same human."""
    return Prospect(MARKETO_SOURCE, loser, winner.email, winner.crm_id, {"mergedInto": winner.id}, deleted=True)


def lead_fields(described: Iterable[Any]) -> list[str]:
    """Which fields of ``describe.json`` are read: a field that the instance lacks would refuse the whole request, and
    without a Salesforce connection there are no Salesforce ids."""
    names = list(readable(lambda each: str(each["rest"]["name"]), described, Counter(), ""))
    known = [name for name in LEAD_FIELDS if name in set(names)]
    return (known + [name for name in names if name not in known and ALSO.search(name)])[:MOST_FIELDS]


def type_names(listed: Iterable[Any]) -> dict[int, str]:
    return dict(readable(lambda each: (int(each["id"]), str(each.get("name") or "")), listed, Counter(), ""))
