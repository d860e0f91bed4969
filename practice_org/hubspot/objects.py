"""What HubSpot's CRM objects hold: properties with their types and options, and how objects are tied to contacts.

From HubSpot's object guides and its OpenAPI collection (contacts, emails, calls, meetings, notes, tasks,
communications, companies, deals); association type ids from the associations guide. Only the properties are here that a
lifecycle connector looks at: ``HubSpot.add_property`` adds others.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

Options = tuple[tuple[str, str], ...]  # (value, label), in display order


@dataclass(frozen=True, slots=True)
class Property:
    """``type``: string, enumeration, datetime, number or bool. Values are kept as text, datetimes as milliseconds."""

    name: str
    type: str = "string"
    options: Options = ()
    read_only: bool = False
    label: str = ""


@dataclass(frozen=True, slots=True)
class ObjectType:
    """``modified`` is the property that holds the last change; ``shown`` come when a client asks for none;
    ``to_contact`` is the type id of the association from this object to a contact."""

    name: str
    singular: str
    type_id: str
    properties: dict[str, Property]
    shown: tuple[str, ...]
    modified: str = "hs_lastmodifieddate"
    to_contact: int = 0

    @property
    def always(self) -> tuple[str, ...]:
        return ("createdate" if "createdate" in self.properties else "hs_createdate", "hs_object_id", self.modified)


LIFECYCLE_STAGES: Options = (
    ("subscriber", "Subscriber"),
    ("lead", "Lead"),
    ("marketingqualifiedlead", "Marketing Qualified Lead"),
    ("salesqualifiedlead", "Sales Qualified Lead"),
    ("opportunity", "Opportunity"),
    ("customer", "Customer"),
    ("evangelist", "Evangelist"),
    ("other", "Other"),
)


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


def _same(words: str) -> Options:
    return tuple((word, word.replace("_", " ").capitalize()) for word in words.split())


LEAD_STATUSES = _same("NEW OPEN IN_PROGRESS OPEN_DEAL UNQUALIFIED ATTEMPTED_TO_CONTACT CONNECTED BAD_TIMING")
CALL_DISPOSITIONS: Options = (  # the same ids in every account; an account may add its own
    ("9d9162e7-6cf3-4944-bf63-4dff82258764", "Busy"),
    ("f240bbac-87c9-4f6e-bf70-924b57d47db7", "Connected"),
    ("a4c4c377-d246-4b32-a13b-75a56a4cd0ff", "Left live message"),
    ("b2cf5968-551e-4856-9783-52b3da59a7d0", "Left voicemail"),
    ("73a0d17f-1163-4015-bdd5-ec830791da20", "No answer"),
    ("17b47fee-58de-441e-a44c-c6300d46f273", "Wrong number"),
)

_CONTACT = (
    "email firstname lastname phone company jobtitle city state country hubspot_owner_id salesforcecontactid"
    " salesforceleadid salesforceaccountid salesforceownerid hs_additional_emails hs_merged_object_ids"
    " hs_calculated_merged_vids"
)
_OPTIONS = {
    "lifecyclestage": LIFECYCLE_STAGES,
    "hs_lead_status": LEAD_STATUSES,
    "hs_email_direction": _same("EMAIL INCOMING_EMAIL FORWARDED_EMAIL DRAFT_EMAIL"),
    "hs_email_status": _same("BOUNCED FAILED SCHEDULED SENDING SENT"),
    "hs_call_direction": _same("INBOUND OUTBOUND"),
    "hs_call_status": _same(
        "BUSY CALLING_CRM_USER CANCELED COMPLETED CONNECTING FAILED IN_PROGRESS NO_ANSWER QUEUED RINGING"
    ),
    "hs_meeting_outcome": _same("SCHEDULED COMPLETED RESCHEDULED NO_SHOW CANCELED"),
    "hs_task_status": _same("NOT_STARTED IN_PROGRESS WAITING COMPLETED DEFERRED"),
    "hs_task_type": _same("EMAIL CALL TODO"),
    "hs_task_priority": _same("LOW MEDIUM HIGH NONE"),
    "hs_communication_channel_type": _same("WHATS_APP LINKEDIN_MESSAGE SMS"),
}
_DATETIMES = _words(
    "createdate lastmodifieddate hs_createdate hs_lastmodifieddate closedate hs_timestamp hs_meeting_start_time"
    " hs_meeting_end_time salesforcelastsynctime notes_last_contacted"
)
_NUMBERS = _words("hubspotscore hs_call_duration amount num_associated_deals hs_object_id")
_BOOLS = _words("hs_email_optout hs_is_closed hs_is_closed_won")
_READ_ONLY = _words(
    "hs_object_id lastmodifieddate hs_lastmodifieddate hs_merged_object_ids hs_is_closed hs_is_closed_won"
)


def _property(name: str) -> Property:
    entered = name.startswith("hs_v2_date_")
    kind = (
        "datetime"
        if name in _DATETIMES or entered
        else "number"
        if name in _NUMBERS
        else "bool"
        if name in _BOOLS
        else "enumeration"
        if name in _OPTIONS
        else "string"
    )
    return Property(name, kind, _OPTIONS.get(name, ()), name in _READ_ONLY or entered)


def _properties(words: str, more: Iterable[str] = ()) -> dict[str, Property]:
    return {name: _property(name) for name in (*words.split(), *more)}


def _engagement(name: str, type_id: str, to_contact: int, words: str) -> ObjectType:
    common = "hs_object_id hs_createdate hs_lastmodifieddate hs_timestamp hubspot_owner_id "
    shown = ("hs_createdate", "hs_lastmodifieddate", "hs_object_id")
    singular = name.removesuffix("s").upper()
    return ObjectType(name, singular, type_id, _properties(common + words), shown, to_contact=to_contact)


_OBJECTS = (
    ObjectType(
        "contacts",
        "CONTACT",
        "0-1",
        _properties(
            _CONTACT + " createdate lastmodifieddate hs_object_id lifecyclestage hs_lead_status hubspotscore"
            " hs_email_optout salesforcelastsynctime notes_last_contacted num_associated_deals",
            (f"hs_v2_date_{what}_{value}" for what in ("entered", "exited") for value, _ in LIFECYCLE_STAGES),
        ),
        ("createdate", "email", "firstname", "hs_object_id", "lastmodifieddate", "lastname"),
        modified="lastmodifieddate",
    ),
    ObjectType(
        "companies",
        "COMPANY",
        "0-2",
        _properties("name domain industry createdate hs_lastmodifieddate hs_object_id lifecyclestage"),
        ("createdate", "domain", "hs_lastmodifieddate", "hs_object_id", "name"),
    ),
    ObjectType(
        "deals",
        "DEAL",
        "0-3",
        _properties(
            "dealname dealstage pipeline amount closedate createdate hs_lastmodifieddate hs_object_id hs_is_closed"
            " hs_is_closed_won hubspot_owner_id"
        ),
        ("amount", "closedate", "createdate", "dealname", "dealstage", "hs_lastmodifieddate", "hs_object_id"),
        to_contact=3,
    ),
    _engagement("emails", "0-49", 198, "hs_email_direction hs_email_status hs_email_subject hs_email_text"),
    _engagement(
        "calls", "0-48", 194, "hs_call_title hs_call_direction hs_call_disposition hs_call_status hs_call_duration"
    ),
    _engagement(
        "meetings", "0-47", 200, "hs_meeting_title hs_meeting_outcome hs_meeting_start_time hs_meeting_end_time"
    ),
    _engagement("notes", "0-46", 202, "hs_note_body"),
    _engagement("tasks", "0-27", 204, "hs_task_subject hs_task_status hs_task_type hs_task_priority"),
    _engagement("communications", "0-18", 81, "hs_communication_channel_type hs_communication_body"),
)
OBJECTS: dict[str, ObjectType] = {each.name: each for each in _OBJECTS}
ALIASES = {alias: each.name for each in _OBJECTS for alias in (each.name, each.singular.lower(), each.type_id)}
ENGAGEMENTS = tuple(each.name for each in _OBJECTS if "hs_timestamp" in each.properties)
