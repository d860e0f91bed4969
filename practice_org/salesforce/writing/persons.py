"""Person accounts: an Account that is a human, with the one Contact that goes with it.

The two say the same under two names (``Email`` and ``PersonEmail``, ``X__c`` and ``X__pc``), and whoever changes one
moves the stamps of both. UNCONFIRMED on a live org: through which of the two its custom fields may be written, so both
can be had; what is not the person's own (owner, record type, standard fields) is written through the Account.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Literal

from practice_org.salesforce import values
from practice_org.salesforce.core import OrgCore
from practice_org.salesforce.problems import Problem
from practice_org.salesforce.schema import ObjectSpec, field_from
from practice_org.salesforce.storage import Statement, quoted
from practice_org.salesforce.writing.results import Row, Written

Way = Literal["contact", "account"]
_SETTING = "person_accounts"
_FIELDS = {
    "Contact": [field_from("IsPersonAccount", "boolean", "", "d", "", "Is Person Account")],
    "Account": [
        field_from("IsPersonAccount", "boolean", "", "d", "", "Is Person Account"),
        field_from("PersonContactId", "reference", "", "n", "Contact", "Contact ID"),
        field_from("FirstName", "string", "40", "ncu"),
        field_from("LastName", "string", "80", "ncu"),
        field_from("Salutation", "picklist", "40", "ncu", "Mr.|Ms.|Mrs.|Dr.|Prof."),
        field_from("PersonEmail", "email", "80", "ncu", "", "Email"),
        field_from("PersonTitle", "string", "80", "ncu", "", "Title"),
    ],
}
_SAME = {"FirstName": "FirstName", "LastName": "LastName", "Salutation": "Salutation", "Name": "Name"}
_SAME |= {"Email": "PersonEmail", "Title": "PersonTitle", "Phone": "Phone", "OwnerId": "OwnerId"}
_STAMPS = "SystemModstamp = ?, LastModifiedDate = ?, LastModifiedById = ?"


def enable(org: OrgCore, writes: Way = "contact") -> None:
    """Switches person accounts on, for good, as in a real org. Kept with the org."""
    org.db.write([org.db.set_meta(_SETTING, writes)])
    restore(org)


def restore(org: OrgCore) -> None:
    """Gives the objects their fields, where person accounts are on."""
    if not org.db.meta(_SETTING):
        return
    for name, fields in _FIELDS.items():
        for made in fields:
            org.schema.get(name).add(made)
    for contact_field, account_field in _names(org).items():
        if contact_field.endswith("__c"):
            found = org.schema.get("Contact").fields[contact_field.lower()]
            mirrored = replace(found, name=account_field, external_id=False, unique=False, indexed=False)
            org.schema.get("Account").add(mirrored)
    for name in _FIELDS:
        org.db.table(org.schema.get(name))
        org.db.write([(f"UPDATE {name} SET IsPersonAccount = 0 WHERE IsPersonAccount IS NULL", [()])])
    org.schema_changed = org.clock.now()


def _names(org: OrgCore) -> dict[str, str]:
    """Field of the Contact -> of the Account."""
    custom = [each.name for each in org.schema.get("Contact").fields.values() if each.name.endswith("__c")]
    return {**_SAME, **{name: name.removesuffix("__c") + "__pc" for name in custom}}


def _is_on(org: OrgCore) -> bool:
    return org.schema.get("Contact").find("IsPersonAccount") is not None


def account(org: OrgCore, row: Written, stamp: str) -> None:
    """Completes an Account before it is written: one with a last name is a person."""
    if not _is_on(org):
        return
    if row.old is None and row.new.get("LastName"):
        row.new["IsPersonAccount"] = 1
    if row.now("IsPersonAccount") and (row.changed("FirstName") or row.changed("LastName")):
        row.new["Name"] = " ".join(part for part in (row.now("FirstName"), row.now("LastName")) if part)


def refuse(org: OrgCore, spec: ObjectSpec, row: Written) -> None:
    """Raises for what cannot be written through the Contact of a person account."""
    if spec.name != "Contact" or not (row.old or {}).get("IsPersonAccount"):
        return
    changed = [name for name in row.new if row.changed(name)]
    if org.db.meta(_SETTING) == "account" or any(not name.endswith("__c") for name in changed):
        text = "insufficient access rights on object id"
        raise Problem(400, "INSUFFICIENT_ACCESS_OR_READONLY", text, ())


def after(org: OrgCore, spec: ObjectSpec, rows: Sequence[Written], stamp: str) -> list[Statement]:
    """The other one of the two, in the same transaction."""
    if not _is_on(org) or spec.name not in _FIELDS:
        return []
    names = _names(org)
    if spec.name == "Account":
        names = {theirs: own for own, theirs in names.items()}
    found: list[Statement] = []
    for row in rows:
        if row.now("IsPersonAccount") and row.old is not None:
            found += _changed(org, spec, row, names, stamp)
        elif row.now("IsPersonAccount") and spec.name == "Account":
            found += _made(org, row, names, stamp)
    return found


def _changed(org: OrgCore, spec: ObjectSpec, row: Written, names: dict[str, str], stamp: str) -> Iterator[Statement]:
    other, key = ("Contact", "PersonContactId") if spec.name == "Account" else ("Account", "AccountId")
    told = {names[name]: value for name, value in row.new.items() if name in names}
    sets = ", ".join([*(f"{quoted(name)} = ?" for name in told), _STAMPS])
    parameters = (*told.values(), stamp, stamp, org.user_id, row.now(key))
    yield f"UPDATE {other} SET {sets} WHERE Id = ?", [parameters]


def _made(org: OrgCore, row: Written, names: dict[str, str], stamp: str) -> Iterator[Statement]:
    contact = org.new_id("Contact")
    told = {names[name]: value for name, value in row.new.items() if name in names}
    made: Row = {**values.defaults(org.schema.get("Contact")), **told, "Id": contact, "AccountId": row.id}
    audit = ("CreatedDate", "CreatedById", "LastModifiedDate", "LastModifiedById", "SystemModstamp")
    made |= {"IsPersonAccount": 1, **{name: row.new[name] for name in audit}}
    columns, marks = ", ".join(map(quoted, made)), ", ".join("?" * len(made))
    yield f"INSERT INTO Contact ({columns}) VALUES ({marks})", [tuple(made.values())]
    yield "UPDATE Account SET PersonContactId = ? WHERE Id = ?", [(contact, row.id)]


def merged(org: OrgCore, spec: ObjectSpec, winner: str, losers: Sequence[str], stamp: str) -> list[Statement]:
    """What happens to the Contacts of person accounts that are merged: UNCONFIRMED, the losers' keep their account and
    name no winner themselves."""
    if spec.name != "Account" or not _is_on(org):
        return []
    marks = ", ".join("?" * (1 + len(losers)))
    rows = org.db.read(f"SELECT Id, PersonContactId FROM Account WHERE Id IN ({marks})", (winner, *losers))
    contacts = {account: contact for account, contact in rows if contact}
    statements: list[Statement] = []
    for loser in losers:
        if loser not in contacts or winner not in contacts:
            continue
        gone, left = contacts[loser], contacts[winner]
        for child, reference in org.schema.children("Contact"):
            if reference.name not in ("MasterRecordId", "PersonContactId") and not child.view:
                column = quoted(reference.name)
                statements.append((f"UPDATE {quoted(child.name)} SET {column} = ? WHERE {column} = ?", [(left, gone)]))
        sql = f"UPDATE Contact SET AccountId = ?, IsDeleted = 1, {_STAMPS} WHERE Id = ?"
        statements.append((sql, [(loser, stamp, stamp, org.user_id, gone)]))
        statements.append(("INSERT OR REPLACE INTO _deleted VALUES (?, ?, ?, ?)", [("Contact", gone, stamp, loser)]))
    return statements
