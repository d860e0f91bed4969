"""What every new practice org has: itself, its first user, a queue, statuses, stages and the connector's fields."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

from practice_org.salesforce.schema import FieldSpec, ObjectSpec, Value

LIFECYCLE_STAGES = (
    "Anonymous", "Suspect", "Engaged", "Marketing Qualified", "Sales Qualified", "Opportunity", "Customer",
    "Evangelist", "Disqualified", "Other",
)  # fmt: skip
CONTACT_STATUSES = ("New", "Working", "Nurture", "Qualified", "Unqualified", "Recycled")
_LEAD_STATUSES = ("Open - Not Contacted", "Working - Contacted", "Closed - Converted", "Closed - Not Converted")
_TASK_STATUSES = ("Not Started", "In Progress", "Completed", "Waiting on someone else", "Deferred")
_STAGES = (
    ("Prospecting", 10, "Pipeline"), ("Qualification", 10, "Pipeline"), ("Needs Analysis", 20, "Pipeline"),
    ("Value Proposition", 50, "Pipeline"), ("Id. Decision Makers", 60, "Pipeline"),
    ("Perception Analysis", 70, "Pipeline"), ("Proposal/Price Quote", 75, "Pipeline"),
    ("Negotiation/Review", 90, "Pipeline"), ("Closed Won", 100, "Closed"), ("Closed Lost", 0, "Omitted"),
)  # fmt: skip
USERNAME = "connector@practice.example"


class Founded(Protocol):
    """A new org: nothing is in it yet."""

    user_id: str

    def create(
        self, object_name: str, rows: Sequence[Mapping[str, Any]], *, at: datetime | None = None
    ) -> list[str]: ...

    def define(self, object_name: str, fields: Iterable[FieldSpec] = (), *, prefix: str = "") -> ObjectSpec: ...


def found(org: Founded) -> None:
    org.create("Organization", [{"Name": "Practice Org", "Country": "US"}])
    profile = org.create("Profile", [{"Name": "System Administrator"}])[0]
    user = {
        "Username": USERNAME,
        "LastName": "Connector",
        "FirstName": "Lifecycle",
        "Email": USERNAME,
        "Alias": "lconn",
    }
    org.create("User", [{"Id": org.user_id, "ProfileId": profile, **user}])
    org.create("Group", [{"Name": "Inbound Leads", "DeveloperName": "Inbound_Leads", "Type": "Queue"}])
    for name, labels, flag, flagged in (
        ("LeadStatus", _LEAD_STATUSES, "IsConverted", "Closed - Converted"),
        ("TaskStatus", _TASK_STATUSES, "IsClosed", "Completed"),
    ):
        rows = [
            {**_labelled(label, order), "IsDefault": order == 1, flag: label == flagged}
            for order, label in enumerate(labels, 1)
        ]
        org.create(name, rows)
    org.create("OpportunityStage", [_stage(order, *stage) for order, stage in enumerate(_STAGES, 1)])
    lifecycle = FieldSpec("Lifecycle_Stage__c", "picklist", values=tuple(Value(v, v) for v in LIFECYCLE_STAGES))
    status = FieldSpec("Lead_Status__c", "picklist", values=tuple(Value(v, v) for v in CONTACT_STATUSES))
    org.define("Contact", [lifecycle, status])
    org.define("Lead", [lifecycle])


def _labelled(label: str, order: int) -> dict[str, object]:
    return {"MasterLabel": label, "ApiName": label, "SortOrder": order}


def _stage(order: int, label: str, probability: int, forecast: str) -> dict[str, object]:
    flags = {"IsClosed": label.startswith("Closed"), "IsWon": label == "Closed Won", "DefaultProbability": probability}
    return {**_labelled(label, order), **flags, "ForecastCategory": forecast, "ForecastCategoryName": forecast}
