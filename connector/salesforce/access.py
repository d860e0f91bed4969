"""The least rights that the integration user needs for a mapping, by object and field."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from connector.base.json import JsonMap
from connector.base.ports import PolledObject
from connector.lifecycle.mapping import CompiledMapping
from connector.lifecycle.needs import NeededField
from connector.salesforce.metadata import Access
from connector.salesforce.objects import FOR_REPORTS
from connector.salesforce.persons import IS_PERSON

Describes = Mapping[str, JsonMap | None]

# Standard fields that everybody sees who sees the object; Salesforce refuses a permission set that names one.
_ALWAYS_SEEN = frozenset((
    "Id", "IsDeleted", "Name", "FirstName", "LastName", "Salutation", "Company", "Status", "StageName", "CloseDate",
    "IsWon", "IsClosed", "Subject", "ForecastCategory", "ForecastCategoryName", "Fiscal", "FiscalQuarter",
    "FiscalYear", "HasOpportunityLineItem", "LastStageChangeDate", "MasterRecordId", "OwnerId", "RecordTypeId",
    "IndividualId", "PhotoUrl", "IsConverted", "ConvertedDate", "ConvertedAccountId", "ConvertedContactId",
    "ConvertedOpportunityId", "CreatedDate", "CreatedById", "LastModifiedDate", "LastModifiedById", "SystemModstamp",
    "LastActivityDate", "LastViewedDate", "LastReferencedDate", "EmailBouncedReason", "EmailBouncedDate",
    "IsEmailBounced", "IsUnreadByOwner", "JigsawContactId", "IsPersonAccount",
))  # fmt: skip
_FIELDS_SEEN = {  # objects whose own fields are seen with the object, but for these
    "OpportunityContactRole": frozenset[str](),
    "CampaignMember": frozenset[str](),
    "RecordType": frozenset[str](),
    "User": frozenset[str](),
    "TaskRelation": frozenset[str](),
    "EventRelation": frozenset[str](),
    "EmailMessage": frozenset[str](),
    "EmailMessageRelation": frozenset[str](),
    "Task": frozenset({"WhoId", "WhatId", "Description"}),
    "Event": frozenset({"WhoId", "WhatId", "Description", "Location"}),
}
_GRANTED_BY = {  # objects that no permission set names, and the objects and rights that show them
    "OpportunityContactRole": ("Opportunity",),
    "CampaignMember": ("Campaign",),
    "Task": (),
    "Event": (),
    "TaskRelation": (),
    "EventRelation": (),
    "EmailMessage": (),  # its case or task decides
    "EmailMessageRelation": (),
    "User": (),
    "RecordType": (),
}
_WITH = {"Contact": ("Account",), "Opportunity": ("Account",)}  # who sees these must see those
_PARENTS = {"Account": "Account", "Campaign": "Campaign", "Owner": "User", "RecordType": "RecordType"}


def access_of(
    mapping: CompiledMapping, objects: Sequence[PolledObject], needs: Sequence[NeededField], described: Describes
) -> Access:
    """``described``: as far as an org was asked."""
    read = {(name, field) for each in objects for name, field in _read(each, described)}
    written = {(each.object_name, each.name) for each in needs}
    fields = {pair: pair in written for pair in sorted(read | written) if _is_granted(*pair, described)}
    shown = _objects(read | written, written)
    contact = {field["name"] for field in (described.get("Contact") or {}).get("fields", ())}
    if IS_PERSON in contact and any(name == "Contact" for name, _ in written):
        shown["Account"] = True  # whoever writes a person account must be able to edit both
    return Access(shown, fields, _rights(mapping, objects))


def _read(each: PolledObject, described: Describes) -> Iterator[tuple[str, str]]:
    known = {field["name"]: field for field in (described.get(each.name) or {}).get("fields", ())}
    optional = (name for name in each.optional if name in known or name in FOR_REPORTS.get(each.name, ()))
    for name in (*each.fields, *optional):
        relation, is_path, rest = name.partition(".")
        if not is_path:
            yield each.name, name
            continue
        named = [
            str(to)
            for field in known.values()
            if field.get("relationshipName") == relation
            for to in field["referenceTo"]
        ]
        targets = [_PARENTS[relation]] if relation in _PARENTS else named
        yield from ((target, rest) for target in targets if "." not in rest)


def _is_granted(object_name: str, name: str, described: Describes) -> bool:
    """Whether a permission set may name the field. One that the org did not show may be hidden, so it is asked for."""
    fields = (described.get(object_name) or {}).get("fields", ())
    if found := next((each for each in fields if each["name"] == name), None):
        return bool(found.get("permissionable"))
    if name.endswith("__c"):
        return True
    if object_name in _FIELDS_SEEN:
        return name in _FIELDS_SEEN[object_name]
    return name not in _ALWAYS_SEEN


def _objects(used: set[tuple[str, str]], written: set[tuple[str, str]]) -> dict[str, bool]:
    found: dict[str, bool] = {}
    changed = {name for name, _ in written}
    for name in sorted({name for name, _ in used}):
        for shown in _GRANTED_BY.get(name, (name,)):
            for each in (shown, *_WITH.get(shown, ())):
                found[each] = found.get(each, False) or each in changed
    return found


def _rights(mapping: CompiledMapping, objects: Sequence[PolledObject]) -> list[str]:
    rights = ["ApiEnabled"]
    if any(each.name in {"Task", "Event"} for each in objects):
        rights.append("ActivitiesAccess")
    if owned := mapping.writes.get("owner"):
        rights += ["TransferAnyLead"] + (["TransferAnyEntity"] if "Contact" in owned else [])
    return rights
