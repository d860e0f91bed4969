"""What is read of each Salesforce object: for identity, for activities, and for what the mapping looks at."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial

from connector.base.facts import PEOPLE, Activity, Direction, Row
from connector.base.ids import PERSON_PREFIXES
from connector.base.ports import PolledObject
from connector.lifecycle.mapping import CompiledMapping
from connector.lifecycle.sources import SALESFORCE
from connector.salesforce.activities import (
    BOUNCE_FIELDS,
    CAMPAIGN_MEMBER_FIELDS,
    EMAIL_FIELDS,
    EMAIL_OPTIONAL_FIELDS,
    EVENT_FIELDS,
    EVENT_OPTIONAL_FIELDS,
    GROUP_EVENT,
    SALESFORCE_EVENT_KINDS,
    TASK_FIELDS,
    TASK_KINDS,
    TASK_OPTIONAL_FIELDS,
    bounce_activity,
    campaign_member_activity,
    email_activity,
    event_activity,
    group_event_activity,
    task_activity,
)
from connector.salesforce.persons import IS_PERSON, PERSON_PATHS

# In the order they are read: people first, so that a role never waits for its contact; roles in the second request.
_OBJECTS = ("Account", "Contact", "Lead", "Opportunity", "OpportunityContactRole", "Task", "Event", "CampaignMember")
_ACTIVITIES: dict[str, tuple[tuple[str, ...], Callable[[Row], Activity | None]]] = {
    "Task": (TASK_FIELDS, task_activity),
    "Event": (EVENT_FIELDS, event_activity),
    "CampaignMember": (CAMPAIGN_MEMBER_FIELDS, campaign_member_activity),
}
TASK_RELATION, EVENT_RELATION, MAIL, MAIL_RELATION = RELATED = (
    "TaskRelation",
    "EventRelation",
    "EmailMessage",
    "EmailMessageRelation",
)
_LACKING = {  # where the org lacks one of them
    TASK_RELATION: "",  # shared activities are off: there are no further people
    EVENT_RELATION: "an event counts for its WhoId alone, and not for those invited",
    MAIL: "whether a mail came in is told by the subject of its task",
    MAIL_RELATION: "a mail counts for who has its sender's address, and for the WhoId of its task",
}
_WHO = ("RelationId", "CreatedDate")
_RELATED_FIELDS = {
    TASK_RELATION: ("TaskId", *_WHO),
    EVENT_RELATION: ("EventId", "Status", *_WHO),
    MAIL: EMAIL_FIELDS,
    MAIL_RELATION: ("EmailMessageId", "RelationType", *_WHO),
}
# What reports need whatever the mapping looks at: object -> field -> what they lose where the org hides it.
_SOURCES_OF_WINS = "sources of wins and --by 'lead source' know no lead source of theirs"
_BY_OWNER = "figures by owner do not know whose they are"
FOR_REPORTS: Mapping[str, Mapping[str, str]] = {
    "Contact": {"LeadSource": _SOURCES_OF_WINS, "OwnerId": _BY_OWNER},
    "Lead": {"LeadSource": _SOURCES_OF_WINS, "OwnerId": _BY_OWNER},
    "Opportunity": {"Amount": "opportunities without roles are listed without an amount", "OwnerId": _BY_OWNER},
}
_OPTIONAL = {
    "Task": TASK_OPTIONAL_FIELDS,
    "Event": EVENT_OPTIONAL_FIELDS,
    **{name: tuple(fields) for name, fields in FOR_REPORTS.items()},
}
# Read only when the mapping asks: accounts when a rule looks at their fields, bounces when one names their kind, and
# members when one names theirs, or means all inbound activity; then only where the org shows them.
CAMPAIGN_RESPONSE, EMAIL_BOUNCE = "campaign_response", "email_bounce"
_KINDS_OF = {"Task": TASK_KINDS, "Event": SALESFORCE_EVENT_KINDS}
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
    needless = set() if CAMPAIGN_RESPONSE in named or Direction.INBOUND in mapping.means_all else {"CampaignMember"}
    needless |= set() if mapping.reads.get("Account") else {"Account"}
    needless |= set(_ACTIVITIES) if is_off else set()
    for name in (each for each in _OBJECTS if each not in needless):
        asked = mapping.reads.get(name, frozenset())
        always, to_activity = _ACTIVITIES.get(name, (_IDENTITY.get(name, ()), None))
        optional = tuple(each for each in _OPTIONAL.get(name, ()) if each not in asked)
        may_lack = name == "CampaignMember" and CAMPAIGN_RESPONSE not in named
        fields = tuple(sorted({*always, *asked}))
        refresh = mapping.model.refresh.get(name)
        made = PolledObject(name, fields, to_activity, optional, may_lack=may_lack, refresh=refresh)
        objects.append(
            replace(made, optional=(*optional, IS_PERSON), along=PERSON_PATHS) if name == "Contact" else made
        )
    if not is_off:
        objects = [*_with_invitees(objects, related := _related(mapping, named)), *related]
    for name in (each for each in mapping.model.records if each in mapping.reads):
        refresh = mapping.model.refresh.get(name)
        objects.append(PolledObject(name, tuple(sorted(mapping.reads[name])), refresh=refresh, can_wait=True))
    if EMAIL_BOUNCE in named and not is_off:
        objects = [with_bounces(each) if each.name in PEOPLE else each for each in objects]
    return objects


def _related(mapping: CompiledMapping, named: frozenset[str]) -> list[PolledObject]:
    """Who else tasks, events and mails are with, where the mapping looks at any of them."""
    kinds = {name: {kind for _, _, kind, _ in rules} for name, rules in _KINDS_OF.items()}
    looks_at_mail = named & {"email_sent", "email_reply"} or mapping.means_all
    asked = {
        TASK_RELATION: named & kinds["Task"] or mapping.means_all,
        EVENT_RELATION: named & kinds["Event"] or Direction.OUTBOUND in mapping.means_all,
        MAIL: looks_at_mail,
        MAIL_RELATION: looks_at_mail,
    }
    return [
        PolledObject(
            name,
            tuple(sorted(_RELATED_FIELDS[name])),
            email_activity if name == MAIL else None,
            EMAIL_OPTIONAL_FIELDS if name == MAIL else (),
            may_lack=True,
            lacking=_LACKING[name],
            keeps=None if name == MAIL else _is_with_a_person,
            can_wait=name != MAIL_RELATION,  # neither getUpdated nor getDeleted knows that one
            logs_deletions=name != MAIL_RELATION,
        )
        for name in RELATED
        if asked[name]
    ]


def _is_with_a_person(row: Row) -> bool:
    return str(row.get("RelationId") or "").startswith(tuple(PERSON_PREFIXES.values()))


def _with_invitees(objects: Sequence[PolledObject], related: Sequence[PolledObject]) -> Iterator[PolledObject]:
    """Events that have nobody but those invited are activities, too. The further field has all of them read again."""
    invites = any(each.name == EVENT_RELATION for each in related)
    for each in objects:
        if each.name == "Event" and invites:
            yield replace(each, to_activity=group_event_activity, optional=(*each.optional, GROUP_EVENT))
        else:
            yield each


def with_bounces(each: PolledObject) -> PolledObject:
    return replace(each, optional=(*each.optional, *BOUNCE_FIELDS), also=partial(bounce_activity, each.name))
