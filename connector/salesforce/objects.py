"""What is read of each Salesforce object: for identity, for activities, and for what the mapping looks at."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

from connector.base.facts import PEOPLE, Activity, Row
from connector.base.ports import PolledObject
from connector.lifecycle.mapping import CompiledMapping
from connector.lifecycle.sources import SALESFORCE
from connector.salesforce.activities import (
    BOUNCE_FIELDS,
    CAMPAIGN_MEMBER_FIELDS,
    EVENT_FIELDS,
    EVENT_OPTIONAL_FIELDS,
    TASK_FIELDS,
    TASK_OPTIONAL_FIELDS,
    bounce_activity,
    campaign_member_activity,
    event_activity,
    task_activity,
)

# In the order they are read: people first, so that a role never waits for its contact; roles in the second request.
_OBJECTS = ("Account", "Contact", "Lead", "Opportunity", "OpportunityContactRole", "Task", "Event", "CampaignMember")
_ACTIVITIES: dict[str, tuple[tuple[str, ...], Callable[[Row], Activity | None]]] = {
    "Task": (TASK_FIELDS, task_activity),
    "Event": (EVENT_FIELDS, event_activity),
    "CampaignMember": (CAMPAIGN_MEMBER_FIELDS, campaign_member_activity),
}
OPTIONAL = {"Task": TASK_OPTIONAL_FIELDS, "Event": EVENT_OPTIONAL_FIELDS}
# Read only when the mapping asks: accounts when a rule looks at their fields, bounces when one names their kind, and
# members when one names theirs, or means all inbound activity; then only where the org shows them.
CAMPAIGN_RESPONSE, EMAIL_BOUNCE = "campaign_response", "email_bounce"
_IDENTITY = {  # what is needed of an object to know who is who and to say so, whatever the mapping says
    "Account": ("Name",),
    "Contact": ("AccountId", "Email", "MasterRecordId", "Name", "CreatedDate"),
    "Lead": (
        "Email",
        "MasterRecordId",
        "Name",
        "CreatedDate",
        "IsConverted",
        "ConvertedContactId",
        "ConvertedDate",
        "ConvertedOpportunityId",
    ),
    "Opportunity": ("AccountId", "Name", "StageName", "IsWon", "IsClosed", "CloseDate", "CreatedDate"),
    "OpportunityContactRole": ("OpportunityId", "ContactId", "Role", "IsPrimary", "CreatedDate"),
}


def polled_objects(mapping: CompiledMapping) -> list[PolledObject]:
    """What to read of each object: what identity needs, and what the mapping's rules look at."""
    objects = []
    is_off, named = SALESFORCE in mapping.off, mapping.kinds_named(SALESFORCE)
    needless = set() if CAMPAIGN_RESPONSE in named or mapping.means_all_inbound else {"CampaignMember"}
    needless |= set() if mapping.reads.get("Account") else {"Account"}
    needless |= set(_ACTIVITIES) if is_off else set()
    for name in (each for each in _OBJECTS if each not in needless):
        asked = mapping.reads.get(name, frozenset())
        always, to_activity = _ACTIVITIES.get(name, (_IDENTITY.get(name, ()), None))
        optional = OPTIONAL.get(name, ())
        may_lack = name == "CampaignMember" and CAMPAIGN_RESPONSE not in named
        fields = tuple(sorted({*always, *asked}))
        refresh = mapping.model.refresh.get(name)
        objects.append(PolledObject(name, fields, to_activity, optional, may_lack=may_lack, refresh=refresh))
    for name in (each for each in mapping.model.records if each in mapping.reads):
        refresh = mapping.model.refresh.get(name)
        objects.append(PolledObject(name, tuple(sorted(mapping.reads[name])), refresh=refresh, can_wait=True))
    if EMAIL_BOUNCE in named and not is_off:
        objects = [with_bounces(each) if each.name in PEOPLE else each for each in objects]
    return objects


def with_bounces(each: PolledObject) -> PolledObject:
    return replace(each, optional=(*each.optional, *BOUNCE_FIELDS), also=partial(bounce_activity, each.name))
