"""Delete, undelete, merge and lead conversion: what moves more than one record at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from practice_org.salesforce import ids
from practice_org.salesforce.core import OrgCore
from practice_org.salesforce.problems import Problem
from practice_org.salesforce.schema import ObjectSpec
from practice_org.salesforce.storage import Statement, quoted
from practice_org.salesforce.writing import dml, persons, rehearsed, relations
from practice_org.salesforce.writing.results import RowResult

# A removed contact role, or relation of an activity, is gone at once: neither query nor queryAll shows it again.
_NO_BIN = frozenset((
    "OpportunityContactRole", "GroupMember", "CampaignMemberStatus", "AccountContactRelation",
    "TaskRelation", "EventRelation", "EmailMessageRelation",
))  # fmt: skip
_MARK = "UPDATE {table} SET IsDeleted = 1, SystemModstamp = ?, LastModifiedDate = ? WHERE Id = ?"
_LOG = "INSERT OR REPLACE INTO _deleted VALUES (?, ?, ?, ?)"


def delete(
    org: OrgCore, spec: ObjectSpec, wanted: Sequence[str], *, hard: bool = False, trusted: bool = True
) -> list[RowResult]:
    """Row by row; children named in the schema's cascades go with their parent."""
    if "d" not in spec.flags and not trusted:
        raise Problem(400, "DELETE_FAILED", f"entity type {spec.name} does not support delete", ())
    stamp = org.stamp()
    current = dml.existing(org, spec, wanted)
    kept = {} if trusted else rehearsed.not_deleted(org, spec, list(current))
    results = []
    statements: list[Statement] = []
    for text in wanted:
        result = RowResult()
        results.append(result)
        try:
            found = ids.full(text)
            row = current.get(found)
            if row is None:
                raise Problem(404, "INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id", ())
            if row["IsDeleted"] and not hard:
                raise Problem(404, "ENTITY_IS_DELETED", "entity is deleted", ())
            if found in kept:
                raise kept[found]
        except Problem as problem:
            result.problems = [problem]
            continue
        result.id = found
        if hard or spec.name in _NO_BIN:
            statements.append((f"DELETE FROM {quoted(spec.name)} WHERE Id = ?", [(found,)]))
            statements += relations.removed(org, spec, row, stamp)
        else:
            statements.append((_MARK.format(table=quoted(spec.name)), [(stamp, stamp, found)]))
            statements += _cascade(org, spec, found, found, stamp)
        if spec.name != "OpportunityContactRole" or org.role_removals_listed:
            statements.append((_LOG, [(spec.name, found, stamp, found)]))
    org.commit(spec, statements)
    return results


def _cascade(org: OrgCore, spec: ObjectSpec, parent: str, root: str, stamp: str) -> list[Statement]:
    statements: list[Statement] = []
    for child_name, field_name in spec.cascades:
        child = org.schema.find(child_name)
        if child is None:  # of a feature that is off
            continue
        sql = f"SELECT Id FROM {quoted(child.name)} WHERE {quoted(field_name)} = ? AND IsDeleted = 0"
        found = [row[0] for row in org.db.read(sql, (parent,))]
        if not found:
            continue
        statements.append((_MARK.format(table=quoted(child.name)), [(stamp, stamp, one) for one in found]))
        statements.append((_LOG, [(child.name, one, stamp, root) for one in found]))
        for one in found if child.cascades else ():
            statements += _cascade(org, child, one, root, stamp)
    return statements


def undelete(org: OrgCore, spec: ObjectSpec, wanted: Sequence[str]) -> None:
    """Out of the bin, with everything that was deleted along. Raises UNDELETE_FAILED where there is no bin."""
    if "z" not in spec.flags:
        raise Problem(400, "UNDELETE_FAILED", f"entity type {spec.name} does not support undelete", ())
    stamp = org.stamp()
    for text in wanted:
        found = ids.full(text)
        logged = org.db.read("SELECT object, id FROM _deleted WHERE root = ?", (found,))
        row = dml.existing(org, spec, [found]).get(found)
        if row is None or not row["IsDeleted"]:
            raise Problem(400, "UNDELETE_FAILED", f"{found} is not in the recycle bin", ())
        sql = "UPDATE {table} SET IsDeleted = 0, SystemModstamp = ? WHERE Id = ?"
        statements: list[Statement] = [
            (sql.format(table=quoted(name)), [(stamp, one)]) for name, one in logged or [(spec.name, found)]
        ]
        org.commit(spec, [*statements, ("DELETE FROM _deleted WHERE root = ?", [(found,)])])


def merge(org: OrgCore, spec: ObjectSpec, winner: str, losers: Sequence[str]) -> None:
    """Losers go to the bin with MasterRecordId set; children point to the winner, their stamps stay as they were."""
    if "m" not in spec.flags:
        raise Problem(400, "INVALID_TYPE", f"entity type {spec.name} cannot be merged", ())
    winner, losers = ids.full(winner), [ids.full(one) for one in losers]
    stamp = org.stamp()
    current = dml.existing(org, spec, [winner, *losers])
    if len(current) != len({winner, *losers}) or any(row["IsDeleted"] for row in current.values()):
        raise Problem(400, "INVALID_CROSS_REFERENCE_KEY", "every record of a merge must exist and not be deleted", ())
    statements: list[Statement] = []
    for child, reference in org.schema.children(spec.name):
        if reference.name != "MasterRecordId" and not child.view:
            column = quoted(reference.name)
            sql = f"UPDATE {quoted(child.name)} SET {column} = ? WHERE {column} = ?"
            statements.append((sql, [(winner, one) for one in losers]))
    statements += persons.merged(org, spec, winner, losers, stamp)
    table = quoted(spec.name)
    gone = (
        f"UPDATE {table} SET MasterRecordId = ?, IsDeleted = 1, SystemModstamp = ?, LastModifiedDate = ? WHERE Id = ?"
    )
    statements.append((gone, [(winner, stamp, stamp, one) for one in losers]))
    touched = f"UPDATE {table} SET SystemModstamp = ?, LastModifiedDate = ?, LastModifiedById = ? WHERE Id = ?"
    statements.append((touched, [(stamp, stamp, org.user_id, winner)]))
    statements.append((_LOG, [(spec.name, one, stamp, one) for one in losers]))
    org.commit(spec, statements)


_TO_CONTACT = (
    "FirstName", "LastName", "Salutation", "Email", "Phone", "MobilePhone", "Fax", "Title", "LeadSource", "Description",
    "OwnerId", "HasOptedOutOfEmail", "HasOptedOutOfFax", "DoNotCall",
)  # fmt: skip


def _person_of(org: OrgCore, lead: Mapping[str, Any]) -> tuple[str | None, str | None]:
    """The person account, and its contact, that a lead without a company becomes."""
    if org.schema.get("Account").find("PersonContactId") is None:
        return None, None
    told = {name: lead[name] for name in ("FirstName", "LastName", "Salutation", "OwnerId")}
    [account] = dml.add(org, "Account", [{**told, "PersonEmail": lead["Email"], "PersonTitle": lead["Title"]}])
    [(contact,)] = org.db.read("SELECT PersonContactId FROM Account WHERE Id = ?", (account,))
    return account, contact


def convert_lead(
    org: OrgCore,
    lead_id: str,
    *,
    opportunity: bool | Mapping[str, Any] = True,
    account_id: str | None = None,
    contact_id: str | None = None,
) -> dict[str, str | None]:
    """Converts an open lead. Answers ``{"AccountId", "ContactId", "OpportunityId"}``; custom fields of equal name are
    carried to the contact, its contact role on the opportunity is primary, activities and campaign members follow."""
    lead_spec, contact_spec = org.schema.get("Lead"), org.schema.get("Contact")
    found = ids.full(lead_id)
    lead = dml.existing(org, lead_spec, [found]).get(found)
    if lead is None or lead["IsDeleted"]:
        raise Problem(404, "INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id", ())
    if lead["IsConverted"]:
        raise Problem(400, "CANNOT_UPDATE_CONVERTED_LEAD", "cannot reference converted lead", ())
    owner = lead["OwnerId"] if str(lead["OwnerId"]).startswith("005") else org.user_id
    with org.db.transaction():
        if account_id is None and contact_id is None and not lead["Company"]:
            account_id, contact_id = _person_of(org, lead)
        account_id = account_id or dml.add(org, "Account", [{"Name": lead["Company"], "OwnerId": owner}])[0]
        if contact_id is None:
            custom = [f.name for f in lead_spec.fields.values() if f.custom and contact_spec.find(f.name)]
            contact = {name: lead[name] for name in (*_TO_CONTACT, *custom)}
            contact_id = dml.add(org, "Contact", [{**contact, "AccountId": account_id, "OwnerId": owner}])[0]
        opportunity_id = None
        if opportunity is not False:
            fields = {"Name": f"{lead['Company']}-", "StageName": "Prospecting", "CloseDate": org.stamp()[:10]}
            fields |= {"AccountId": account_id, "OwnerId": owner, "LeadSource": lead["LeadSource"]}
            opportunity_id = dml.add(
                org, "Opportunity", [{**fields, **(opportunity if opportunity is not True else {})}]
            )[0]
            role = {"OpportunityId": opportunity_id, "ContactId": contact_id, "IsPrimary": True}
            dml.add(org, "OpportunityContactRole", [role])
        changes = {"IsConverted": True, "ConvertedDate": org.stamp()[:10], "ConvertedAccountId": account_id}
        changes |= {"ConvertedContactId": contact_id, "ConvertedOpportunityId": opportunity_id}
        status = org.metadata("LeadStatus").first("IsConverted") or lead["Status"]
        dml.change(org, "Lead", [{"Id": found, "Status": status, "IsUnreadByOwner": False, **changes}])
        moves: list[Statement] = [
            (f"UPDATE {table} SET WhoId = ? WHERE WhoId = ?", [(contact_id, found)]) for table in ("Task", "Event")
        ]
        moves += [
            (f"UPDATE {table} SET RelationId = ? WHERE RelationId = ?", [(contact_id, found)])
            for table in ("TaskRelation", "EventRelation", "EmailMessageRelation")
        ]
        moves.append(("UPDATE CampaignMember SET ContactId = ? WHERE LeadId = ?", [(contact_id, found)]))
        org.commit(lead_spec, moves)
    return {"AccountId": account_id, "ContactId": contact_id, "OpportunityId": opportunity_id}
