"""What HubSpot's rows mean: contacts as prospects; engagements, deals and e-mail events as activities. Tables.

Values are text or null. Sources: HubSpot's guides to contacts, calls, emails, meetings, tasks, communications and
deals, and the reference of the e-mail events API (v1).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from math import isfinite
from typing import Any

from connector.base.facts import Activity, Direction, Prospect
from connector.base.ids import id18
from connector.base.json import Json, JsonMap, JsonObject
from connector.sources.kinds import INBOUND_KINDS, KINDS, OTHER, OUTBOUND_KINDS

HUBSPOT = "hubspot"

CONTACT_PROPERTIES = (
    "firstname", "lastname", "company", "jobtitle", "country", "lifecyclestage", "hs_lead_status", "hubspot_owner_id",
    "createdate",
)  # fmt: skip
# Ids that became this contact: "12;34", "12:1700000000000;34:1700000000001"; the last one names the contact itself too.
MERGED = ("hs_merged_object_ids", "hs_calculated_merged_vids", "hs_all_contact_vids")
FURTHER_EMAILS = "hs_additional_emails"  # "b@x.com;c@x.com"; those of merged contacts are among them
CALL_OUTCOMES = {  # the same ids in every account; an account's own outcomes stay ids
    "9d9162e7-6cf3-4944-bf63-4dff82258764": "Busy",
    "f240bbac-87c9-4f6e-bf70-924b57d47db7": "Connected",
    "a4c4c377-d246-4b32-a13b-75a56a4cd0ff": "Left live message",
    "b2cf5968-551e-4856-9783-52b3da59a7d0": "Left voicemail",
    "73a0d17f-1163-4015-bdd5-ec830791da20": "No answer",
    "17b47fee-58de-441e-a44c-c6300d46f273": "Wrong number",
}


@dataclass(frozen=True, slots=True)
class Kept:
    """Which properties of a contact count: ``score`` is the main score's, ``crm_ids`` hold Salesforce ids in order of
    trust, ``more`` become attributes beside the usual ones."""

    score: str = "hubspotscore"
    crm_ids: tuple[str, ...] = ("salesforcecontactid", "salesforceleadid")
    more: tuple[str, ...] = ()

    @property
    def attributes(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys((*CONTACT_PROPERTIES, self.score, *self.more)))

    @property
    def asked(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(("email", FURTHER_EMAILS, *self.crm_ids, *MERGED, *self.attributes)))


def contact(row: JsonMap, kept: Kept) -> list[Prospect]:
    """The contact, and those that were merged into it: gone themselves, their activities are its person's."""
    values = row["properties"]
    email = (values.get("email") or "").strip().lower() or None
    crm_id = next((found for name in kept.crm_ids if (found := id18((values.get(name) or "").strip()))), None)
    attributes = {name: values[name] for name in kept.attributes if values.get(name) not in (None, "")}
    if kept.score in attributes:
        attributes["score"] = _number(attributes[kept.score])
    further = tuple(each for each in (values.get(FURTHER_EMAILS) or "").split(";") if "@" in each)
    own = Prospect(HUBSPOT, str(row["id"]), email, crm_id, attributes, bool(row.get("archived")), further)
    merged = {each.partition(":")[0].strip() for name in MERGED for each in (values.get(name) or "").split(";")}
    return [own, *(Prospect(HUBSPOT, each, email, crm_id, {}, True) for each in sorted(merged - {"", own.id}))]


def _number(text: Json) -> Any:
    """A number where it is one: what float() takes beyond that (nan, inf, 1_000) no JSON holds, or nobody means."""
    try:
        number = float(text)
    except ValueError:
        return text
    return number if isfinite(number) and "_" not in str(text) else text


@dataclass(frozen=True, slots=True)
class Engagement:
    """How an object becomes activities. ``decider``: the property whose value chooses kind and direction in ``kinds``
    ("": no value); None there means that nothing took place (yet)."""

    decider: str
    kinds: Mapping[str, tuple[str, Direction] | None]
    name: str
    attributes: tuple[str, ...]
    times: tuple[str, ...] = ("hs_timestamp",)

    @property
    def asked(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys((self.decider, self.name, *self.attributes, *self.times)))


_MEETING, _TASK, _MESSAGE = ("meeting", OUTBOUND_KINDS), ("task", OUTBOUND_KINDS), ("social_message", OUTBOUND_KINDS)
ENGAGEMENTS: dict[str, Engagement] = {
    "calls": Engagement(
        "hs_call_direction",
        {"": ("call", OUTBOUND_KINDS), "OUTBOUND": ("call", OUTBOUND_KINDS), "INBOUND": ("call", INBOUND_KINDS)},
        "hs_call_title",
        ("hs_call_direction", "hs_call_disposition", "hs_call_status", "hs_call_duration", "hubspot_owner_id"),
    ),
    "meetings": Engagement(
        "hs_meeting_outcome",
        {
            "": _MEETING, "SCHEDULED": _MEETING, "COMPLETED": _MEETING, "NO_SHOW": ("meeting_no_show", OUTBOUND_KINDS),
            "CANCELED": None, "CANCELLED": None, "RESCHEDULED": None,
        },
        "hs_meeting_title",
        ("hs_meeting_outcome", "hs_meeting_start_time", "hs_meeting_end_time", "hubspot_owner_id"),
        ("hs_meeting_start_time", "hs_timestamp"),
    ),
    "emails": Engagement(
        "hs_email_direction",
        # A mail is forwarded to HubSpot's address when it came from the person. UNCONFIRMED: all such mails.
        {
            "": ("email_sent", OUTBOUND_KINDS), "EMAIL": ("email_sent", OUTBOUND_KINDS),
            "INCOMING_EMAIL": ("email_reply", INBOUND_KINDS),
            "FORWARDED_EMAIL": ("email_reply", INBOUND_KINDS), "DRAFT_EMAIL": None,
        },
        "hs_email_subject",
        ("hs_email_direction", "hs_email_status", "hubspot_owner_id"),
    ),
    "communications": Engagement(
        "hs_communication_channel_type",
        {"": _MESSAGE, "LINKEDIN_MESSAGE": _MESSAGE, "SMS": _MESSAGE, "WHATS_APP": _MESSAGE},
        "",
        ("hs_communication_channel_type", "hubspot_owner_id"),
    ),
    "tasks": Engagement(
        "",
        {"": _TASK},
        "hs_task_subject",
        ("hs_task_status", "hs_task_type", "hs_task_priority", "hubspot_owner_id"),
    ),
    "deals": Engagement(
        "",
        {"": ("deal", OUTBOUND_KINDS)},
        "dealname",
        ("dealstage", "pipeline", "amount", "closedate", "hs_is_closed", "hs_is_closed_won", "hubspot_owner_id"),
        ("createdate",),
    ),
}  # fmt: skip
# As deals of any system have them. UNCONFIRMED: hs_is_closed and hs_is_closed_won, which HubSpot calculates from the
# stage; without them the stages of the first pipeline tell.
DEAL_NAMES = {"dealstage": "stage", "closedate": "close_date", "createdate": "created_date"}
DEAL_STAGES = {"closedwon": "won", "closedlost": "lost"}
EMAIL_STATUSES: dict[str, tuple[str, Direction] | None] = {  # they decide before the direction does
    "BOUNCED": ("email_bounce", OUTBOUND_KINDS), "FAILED": None, "SCHEDULED": None, "SENDING": None,
}  # fmt: skip

UNREADABLE = "(no activity)"  # as such rows are counted

_Found = tuple[list[Activity], list[str]]  # activities, unknown types


def engagement(name: str, row: JsonMap, contacts: Iterable[str]) -> _Found:
    """One activity for each contact that took part; none where it did not take place."""
    form, values = ENGAGEMENTS[name], row["properties"]
    decided = values.get(form.decider) or ""
    status = values.get("hs_email_status") or ""
    known = EMAIL_STATUSES.get(status, ...) if name == "emails" else ...
    if known is ...:
        known = form.kinds.get(decided, (OTHER, OUTBOUND_KINDS))
    ids = {f"{name}:{row['id']}:{each}": each for each in contacts}
    if known is None:
        return [], []
    kind, direction = known
    at = next((time for each in form.times if (time := hubspot_time(values.get(each)))), None) or hubspot_time(
        row.get("createdAt")
    )
    if at is None:
        return [], [f"{name} {UNREADABLE}"]
    attributes = {each: values[each] for each in form.attributes if values.get(each) not in (None, "")}
    outcome = CALL_OUTCOMES.get(attributes.get("hs_call_disposition", ""))
    if outcome:
        attributes["CallDisposition"] = outcome  # as Salesforce's calls have it, so one rule serves both
    if name == "deals":
        attributes = _deal(values, attributes)
        at = hubspot_time(values.get("closedate")) or at if attributes["state"] != "open" else at
    found = [
        Activity(HUBSPOT, one, kind, direction, at, values.get(form.name) or "", attributes, prospect_id=each)
        for one, each in ids.items()
    ]
    return found, [f"{name} {decided}"] if kind == OTHER and found else []


def _deal(values: JsonMap, attributes: JsonMap) -> JsonObject:
    named = {DEAL_NAMES.get(key, key): value for key, value in attributes.items()}
    is_won, is_closed = (str(values.get(key)).lower() == "true" for key in ("hs_is_closed_won", "hs_is_closed"))
    state = "won" if is_won else "lost" if is_closed else DEAL_STAGES.get(str(values.get("dealstage")), "open")
    return {**named, "state": state}


# None: known, and no activity of its own; each such mail has one of the others too.
_EVENT_KINDS: dict[str, str | None] = {
    "SENT": "email_sent", "OPEN": "email_open", "CLICK": "email_click", "PRINT": "email_open", "FORWARD": "email_open",
    "BOUNCE": "email_bounce", "SPAMREPORT": "spam_complaint", "STATUSCHANGE": "email_preferences",
    "PROCESSED": None, "DELIVERED": None, "DEFERRED": None, "DROPPED": None, "UNBOUNCE": None,
}  # fmt: skip
EVENT_ATTRIBUTES = (
    "type", "emailCampaignId", "emailCampaignGroupId", "appId", "appName", "url", "filteredEvent", "category",
    "status", "response", "source", "portalSubscriptionStatus", "subscriptions",
)  # fmt: skip


def email_event(row: JsonMap, declared: Collection[str] = ()) -> Activity | None:
    """A marketing e-mail event; None for a step of delivery, for nobody's, and for what has no time or id. What HubSpot
    takes for a machine (``filteredEvent``) is no engagement."""
    type_, at = str(row.get("type")), hubspot_time(row.get("created"))
    email = str(row.get("recipient") or "").strip().lower()
    kind = _EVENT_KINDS.get(type_, type_.lower() if type_.lower() in declared else OTHER)
    if kind is None or not email or at is None or not row.get("id"):
        return None
    if type_ == "STATUSCHANGE":
        kind = _subscription(row)
    return Activity(
        source=HUBSPOT,
        id=f"event:{row['id']}:{row['created']}",  # an id is only one together with its time
        kind=kind,
        direction=OUTBOUND_KINDS if row.get("filteredEvent") else KINDS.get(kind, INBOUND_KINDS),
        occurred_at=at,
        name=str(row.get("subject") or ""),
        attributes=_sent(row) | {name: row[name] for name in EVENT_ATTRIBUTES if row.get(name) not in (None, "", [])},
        email=email,
    )


def _sent(row: JsonMap) -> JsonObject:
    """When the mail went out that the event is of: clicks seconds later are no person's."""
    said = row.get("sentBy")
    at = hubspot_time(said.get("created")) if isinstance(said, Mapping) else None
    return {"sent_at": at.isoformat()} if at else {}


def _subscription(row: JsonMap) -> str:
    """UNCONFIRMED: where a change of one subscription says what it was."""
    said = {str(row.get("portalSubscriptionStatus") or "")}
    subscriptions = row.get("subscriptions")
    changes = subscriptions if isinstance(subscriptions, list) else []
    said |= {str(each.get("status") or "") for each in changes if isinstance(each, Mapping)}
    if "UNSUBSCRIBED" in said:
        return "unsubscribe"
    return "resubscribe" if "SUBSCRIBED" in said else "email_preferences"


def hubspot_time(value: Json) -> datetime | None:
    """``2026-05-01T23:32:19.400Z``, or milliseconds as text or number; None when it is no time."""
    text = str(value or "")
    try:
        if text.isdigit():
            return datetime.fromtimestamp(int(text) / 1000, UTC)
        at = datetime.fromisoformat(text)
        return (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError, OSError):
        return None
