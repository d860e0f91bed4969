"""Marketo's activity types and lead fields, as ``types.json`` and ``describe.json`` list them.

Ids and names of types, fields and attributes as the vendor documents them and as real instances answered; the data
types of attributes follow from their names. An instance has more types, and its own from :data:`FIRST_CUSTOM` on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

FIRST_CUSTOM = 100_001

_WEB = "Client IP Address, Query Parameters, Referrer URL, User Agent, "
_MAILING = "Campaign Run ID, Choice Number, Step ID, Test Variant"
_SEEN = "Bot Activity, Bot Activity Pattern, Device, Is Mobile Device, Platform, User Agent, " + _MAILING
_CHANGE = "API Method Name, Modifying User, New Value, Old Value, Reason, Request Id, Source"

# id: name; primary attribute; other attributes
_TYPES = {
    1: ("Visit Webpage", "Webpage ID", _WEB + "Search Engine, Search Query, Webpage URL"),
    2: ("Fill Out Form", "Webform ID", _WEB + "Form Fields, Webpage ID"),
    3: ("Click Link", "Link ID", _WEB + "Webpage ID"),
    6: ("Send Email", "Mailing ID", _MAILING),
    7: ("Email Delivered", "Mailing ID", _MAILING),
    8: ("Email Bounced", "Mailing ID", "Category, Details, Email, Subcategory, " + _MAILING),
    9: ("Unsubscribe Email", "Mailing ID", _WEB + "Campaign Run ID, Form Fields, Webform ID, Webpage ID"),
    10: ("Open Email", "Mailing ID", _SEEN),
    11: ("Click Email", "Mailing ID", "Link, Link ID, " + _SEEN),
    12: ("New Lead", "Lead ID", "Created Date, Form Name, Lead Source, SFDC Type, Source Type"),
    13: ("Change Data Value", "Attribute Name", _CHANGE),
    19: ("Sync Lead to SFDC", "Lead ID", "Assign To, Source"),
    21: ("Convert Lead", "Lead ID", "Converted Status, Opportunity Name"),
    22: ("Change Score", "Score Name", "Change Value, New Value, Old Value, Priority, Reason, Relative Score, Urgency"),
    23: ("Change Owner", "Lead ID", "New Owner, Old Owner"),
    24: ("Add to List", "List ID", "Source"),
    25: ("Remove from List", "List ID", "Source"),
    27: ("Email Bounced Soft", "Mailing ID", "Category, Details, Email, Subcategory, " + _MAILING),
    29: ("Delete Lead from SFDC", "Lead ID", "Campaign"),  # its number as in real rows, its name as we remember it
    32: ("Merge Leads", "Lead ID", "Master Updated, Merge IDs, Merge Source, Merged in Sales"),
    34: ("Add to Opportunity", "Opportunity ID", "Is Primary, Role"),
    35: ("Remove from Opportunity", "Opportunity ID", "Is Primary, Role"),
    36: ("Update Opportunity", "Opportunity ID", "Data Value Changes"),
    37: ("Delete Lead", "Lead ID", "Remove from CRM"),
    38: ("Send Alert", "Mailing ID", "Send To List, Send To Owner"),
    39: ("Send Sales Email", "Sales Email ID", "Sent By, Source"),
    40: ("Open Sales Email", "Sales Email ID", "Sent By, Source"),
    41: ("Click Sales Email", "Sales Email ID", "Link, Sent By, Source"),
    45: ("Receive Sales Email", "Sales Email ID", "Received By, Source"),
    46: ("Interesting Moment", "Milestone ID", "Date, Description, Source"),
    47: ("Request Campaign", "Campaign ID", "Source"),
    48: ("Sales Email Bounced", "Sales Email ID", "Category, Details, Subcategory"),
    101: ("Change Revenue Stage", "Model ID", "New Stage, Old Stage, Reason, SLA Expiration"),
    102: ("Change Revenue Stage Manually", "Model ID", "New Stage, Old Stage, Reason"),
    104: ("Change Status in Progression", "Program ID", "Acquired By, New Status, New Status ID, Old Status,"
          " Old Status ID, Program Member ID, Reason, Success"),
    110: ("Call Webhook", "Webhook", "Error Type, Response"),
    113: ("Add to Nurture", "Program ID", "Track ID, Track Name"),
    131: ("Fill Out Facebook Lead Ads Form", "Lead Ad Form ID", "Lead Ad Form Name"),
    132: ("Click RTP Call to Action", "Asset ID", "Type"),
    147: ("Fill Out LinkedIn Lead Gen Form", "Lead Gen Form ID", "Lead Gen Account Name, Lead Gen Campaign Name"),
    405: ("Click Shared Link", "Social App ID", "Social Network, Webpage ID"),
}  # fmt: skip
_DATA_TYPES = {
    "integer": "Webpage ID, Webform ID, Link ID, Mailing ID, Campaign Run ID, Choice Number, Step ID, Test Variant,"
    " Lead ID, Priority, Relative Score, List ID, Opportunity ID, Sales Email ID, Milestone ID, Campaign ID, Model ID,"
    " Program ID, New Status ID, Old Status ID, Program Member ID, Webhook, Track ID",
    "boolean": "Bot Activity, Is Mobile Device, Is Primary, Master Updated, Merged in Sales, Remove from CRM,"
    " Acquired By, Success",
    "text": "Form Fields, Details, Description, Response, Data Value Changes",
    "datetime": "Created Date, Date, SLA Expiration",
    "email": "Email",
}
_TYPE_OF = {name: kind for kind, names in _DATA_TYPES.items() for name in names.split(", ")}

STANDARD_TYPES: dict[int, dict[str, Any]] = {
    number: {
        "id": number,
        "name": name,
        "description": name,
        "primaryAttribute": {"name": primary, "dataType": _TYPE_OF.get(primary, "string")},
        "attributes": [{"name": each, "dataType": _TYPE_OF.get(each, "string")} for each in sorted(others.split(", "))],
    }
    for number, (name, primary, others) in _TYPES.items()
}


@dataclass(frozen=True, slots=True)
class LeadField:
    """``searchable`` fields may be a filterType or a lookupField."""

    name: str
    id: int
    label: str
    type: str = "string"
    read_only: bool = False
    searchable: bool = False

    def described(self) -> dict[str, Any]:
        """As an element of describe.json."""
        sized = {"length": 255} if self.type in {"string", "email", "phone", "url"} else {}
        rest = {"name": self.name, "readOnly": self.read_only}
        return {"id": self.id, "displayName": self.label, "dataType": self.type, **sized, "rest": rest}


LEAD_FIELDS: Mapping[str, LeadField] = {
    each.name: each
    for each in (
        LeadField("id", 44, "Id", "integer", read_only=True, searchable=True),
        LeadField("email", 56, "Email Address", "email", searchable=True),
        LeadField("firstName", 53, "First Name"),
        LeadField("lastName", 55, "Last Name"),
        LeadField("company", 4, "Company Name"),
        LeadField("title", 60, "Job Title"),
        LeadField("phone", 57, "Phone Number", "phone"),
        LeadField("industry", 17, "Industry"),
        LeadField("country", 66, "Country"),
        LeadField("leadSource", 144, "Lead Source"),
        LeadField("leadStatus", 145, "Lead Status"),
        LeadField("leadScore", 146, "Lead Score", "integer"),
        LeadField("urgency", 147, "Urgency", "float"),
        LeadField("priority", 148, "Priority", "integer"),
        LeadField("relativeScore", 149, "Relative Score", "integer"),
        LeadField("rating", 160, "Lead Rating"),
        LeadField("unsubscribed", 79, "Unsubscribed", "boolean"),
        LeadField("emailInvalid", 77, "Email Invalid", "boolean"),
        LeadField("doNotCall", 82, "Do Not Call", "boolean"),
        LeadField("marketingSuspended", 85, "Marketing Suspended", "boolean"),
        LeadField("isAnonymous", 51, "Is Anonymous", "boolean"),
        LeadField("createdAt", 130, "Created At", "datetime", read_only=True),
        LeadField("updatedAt", 131, "Updated At", "datetime", read_only=True),
        # The numbers of the next ones are made up: no recorded instance was connected to Salesforce.
        LeadField("sfdcType", 901, "SFDC Type"),
        LeadField("sfdcContactId", 902, "SFDC Contact Id", searchable=True),
        LeadField("sfdcLeadId", 903, "SFDC Lead Id", searchable=True),
        LeadField("sfdcAccountId", 904, "SFDC Account Id", searchable=True),
    )
}
FIRST_OWN_FIELD = 1001
DEFAULT_LEAD_FIELDS = ("id", "email", "updatedAt", "createdAt", "firstName", "lastName")

NEW_LEAD, CHANGE_VALUE, CHANGE_SCORE, MERGE, DELETE = 12, 13, 22, 32, 37
