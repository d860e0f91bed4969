"""Tasks, Events, mails, CampaignMembers and bounces of Salesforce as canonical activities. Pure: a function each.

Who else a task, an event or a mail is with is told by rows of its relations, which are records of their own.

They take a row as :mod:`connector.salesforce.composite` gives it and return None for a row that is nobody's activity:
one without a person, the template of a recurring series, an invitee's copy of an Event, a campaign's member who did not
respond.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime

from connector.base.facts import Activity, Direction, Row
from connector.base.json import JsonObject

_SOURCE = "salesforce"

TASK_FIELDS = (
    "WhoId", "WhatId", "Subject", "Status", "IsClosed", "Priority", "ActivityDate", "OwnerId", "AccountId",
    "TaskSubtype", "CallType", "CallDisposition", "CallDurationInSeconds", "IsRecurrence", "CreatedDate",
)  # fmt: skip
EVENT_FIELDS = (
    "WhoId", "WhatId", "Subject", "ActivityDate", "ActivityDateTime", "StartDateTime", "EndDateTime", "OwnerId",
    "AccountId", "IsChild", "IsRecurrence", "ShowAs", "CreatedDate",
)  # fmt: skip
CAMPAIGN_MEMBER_FIELDS = (
    "CampaignId", "Campaign.Name", "Campaign.Type", "ContactId", "LeadId", "Status", "HasResponded",
    "FirstRespondedDate", "CreatedDate",
)  # fmt: skip
# Not the texts of a mail; its sender only to find who wrote it.
EMAIL_FIELDS = ("Subject", "Incoming", "MessageDate", "Status", "ActivityId", "FromAddress", "CreatedDate")
# Read too where describe lists them: newer fields, and ones that an org can hide.
TASK_OPTIONAL_FIELDS = ("CompletedDateTime", "Type")
EVENT_OPTIONAL_FIELDS = ("EventSubtype", "Type")
GROUP_EVENT = "IsGroupEvent"
EMAIL_OPTIONAL_FIELDS = ("ParentId", "RelatedToId")
_DRAFT = "5"
# Of Contact and Lead, where bounce management is on. Salesforce keeps the last bounce only, and forgets it when the
# address changes. UNCONFIRMED: whether an org without bounce management has these fields.
BOUNCED, WHY_BOUNCED = BOUNCE_FIELDS = ("EmailBouncedDate", "EmailBouncedReason")

_NOT_ATTRIBUTES = frozenset({"Id", "SystemModstamp", "IsDeleted", "WhoId", "ContactId", "LeadId", "FromAddress"})

# Salesforce has no field for "they did not come" or "they wrote to us", so the subject decides. UNCONFIRMED: these are
# the wordings of common tools; an admin who uses another word writes a rule on the attribute Subject.
_NO_SHOW = re.compile(r"\bno[ -]?show\b|\bmissed\b|\bdid not attend\b", re.IGNORECASE)
_INBOUND = re.compile(r"\[in\]|^\s*(?:\[?inbound|incoming|received|reply)\b|^\s*email: <<", re.IGNORECASE)

_IN, _OUT = Direction.INBOUND, Direction.OUTBOUND


def _is_inbound(row: Row) -> bool:
    return row.get("CallType") == "Inbound" or bool(_INBOUND.search(str(row.get("Subject") or "")))


def _is_no_show(row: Row) -> bool:
    return any(_NO_SHOW.search(str(row.get(key) or "")) for key in ("Subject", "Status", "CallDisposition", "Type"))


def _always(_row: Row) -> bool:
    return True


# (subtype, or the admin's Type where there is no telling subtype), condition -> kind, direction. The first fit wins.
_Rule = tuple[str, Callable[[Row], bool], str, Direction]
TASK_KINDS: tuple[_Rule, ...] = (
    ("Email", _is_inbound, "email_reply", _IN),
    ("Email", _always, "email_sent", _OUT),
    ("ListEmail", _always, "email_sent", _OUT),
    ("Call", _is_inbound, "call", _IN),
    ("Call", _always, "call", _OUT),
    ("LinkedIn", _is_inbound, "social_message", _IN),
    ("LinkedIn", _always, "social_message", _OUT),
    ("Meeting", _is_no_show, "meeting_no_show", _OUT),
    ("Meeting", _always, "meeting", _OUT),
    ("", _always, "task", _OUT),
)
SALESFORCE_EVENT_KINDS: tuple[_Rule, ...] = (
    ("", _is_no_show, "meeting_no_show", _OUT),
    ("Call", _always, "call", _OUT),
    ("", _always, "meeting", _OUT),
)


def task_activity(row: Row) -> Activity | None:
    """A closed task happened when it was completed, or on its date; an open one is a plan, and dates from its
    creation, because its own date is when it is due."""
    if not row.get("WhoId") or row.get("IsRecurrence"):
        return None
    stamps = ("CompletedDateTime", "ActivityDate", "CreatedDate") if row.get("IsClosed") else ("CreatedDate",)
    return _activity(row, TASK_KINDS, "TaskSubtype", stamps)


def event_activity(row: Row) -> Activity | None:
    """An event happens when it starts, which may be in the future."""
    return group_event_activity(row) if row.get("WhoId") else None


def group_event_activity(row: Row) -> Activity | None:
    """The same, also of an event that may have nobody but those invited to it (EventRelation)."""
    if row.get("IsChild") or row.get("IsRecurrence"):
        return None
    return _activity(
        row,
        SALESFORCE_EVENT_KINDS,
        "EventSubtype",
        ("StartDateTime", "ActivityDateTime", "ActivityDate", "CreatedDate"),
    )


def email_activity(row: Row) -> Activity | None:
    """A mail that was sent or came in; its people are told by EmailMessageRelation, else the sender by the address."""
    at = row.get("MessageDate") or row.get("CreatedDate")
    if not at or row.get("Status") == _DRAFT:
        return None
    came_in = bool(row.get("Incoming"))
    return Activity(
        source=_SOURCE,
        id=row["Id"],
        kind="email_reply" if came_in else "email_sent",
        direction=_IN if came_in else _OUT,
        occurred_at=_time(at),
        name=str(row.get("Subject") or ""),
        attributes=_attributes(row),
        email=row.get("FromAddress") if came_in else None,
    )


def campaign_member_activity(row: Row) -> Activity | None:
    """A response to a campaign. A converted lead's member carries both ids: the contact's counts."""
    crm_id = row.get("ContactId") or row.get("LeadId")
    at = row.get("FirstRespondedDate") or row.get("CreatedDate")
    if not crm_id or not at or not row.get("HasResponded"):
        return None
    return Activity(
        source=_SOURCE,
        id=row["Id"],
        kind="campaign_response",
        direction=_IN,
        occurred_at=_time(at),
        name=str(row.get("Campaign.Name") or ""),
        attributes=_attributes(row),
        crm_id=crm_id,
    )


def bounce_activity(object_name: str, row: Row) -> Activity | None:
    """The last bounce that Salesforce itself noted of a Contact or Lead. One with a later date is another activity."""
    at = row.get(BOUNCED)
    if not at:
        return None
    return Activity(
        source=_SOURCE,
        id=f"{row['Id']}:bounce:{at}",
        kind="email_bounce",
        direction=_OUT,
        occurred_at=_time(at),
        name=str(row.get(WHY_BOUNCED) or ""),
        attributes={"object": object_name},
        crm_id=row["Id"],
    )


def _activity(row: Row, kinds: tuple[_Rule, ...], subtype: str, stamps: tuple[str, ...]) -> Activity | None:
    at = next((row[key] for key in stamps if row.get(key)), None)
    if at is None:
        return None
    said = {row.get(subtype), row.get("Type")}
    kind, direction = next((kind, way) for said_by, fits, kind, way in kinds if said_by in {"", *said} and fits(row))
    return Activity(
        source=_SOURCE,
        id=row["Id"],
        kind=kind,
        direction=direction,
        occurred_at=_time(at),
        name=str(row.get("Subject") or ""),
        attributes=_attributes(row),
        crm_id=row.get("WhoId") or None,
    )


def _attributes(row: Row) -> JsonObject:
    return {key: value for key, value in row.items() if key not in _NOT_ATTRIBUTES and value is not None}


def _time(text: str) -> datetime:
    """``2026-01-31T23:01:01.000+0000``, or a date, which counts from its midnight in UTC."""
    at = datetime.fromisoformat(text)
    return at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)
