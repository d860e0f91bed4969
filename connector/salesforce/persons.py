"""Person accounts: what is written to a person goes through the Contact, or through the Account that it is one with.

Custom fields are written through the Contact. The owner and standard fields belong to the Account, and an org may want
the custom ones there, too, where they are called ``X__pc``.
"""

from __future__ import annotations

from dataclasses import replace

from connector.base.facts import Change, RecordChange

IS_PERSON = "IsPersonAccount"  # a field of Contact where person accounts are on
WINNER = "Account.MasterRecord.PersonContactId"  # of a person who was merged: they are merged as accounts
PERSON_PATHS = {IS_PERSON: ("Account.PersonContactId", WINNER)}  # read with that field
NOT_THROUGH_CONTACT = frozenset(
    {"INSUFFICIENT_ACCESS_OR_READONLY", "INVALID_FIELD_FOR_INSERT_UPDATE", "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY"}
)
_SAME_NAME = frozenset(
    {"OwnerId", "RecordTypeId", "FirstName", "LastName", "Salutation", "Phone", "Fax", "Description"}
)


def needs_account(change: RecordChange) -> bool:
    return change.is_person_account and any(not each.field.endswith("__c") for each in change.changes)


def through_account(change: RecordChange) -> RecordChange:
    """The same as a row of the Account."""
    changes = tuple(_of_account(each) for each in change.changes)
    return replace(change, object="Account", id=change.account_id, changes=changes)


def _of_account(change: Change) -> Change:
    name = change.field
    if name.endswith("__c"):
        return replace(change, field=name.removesuffix("__c") + "__pc")
    return change if name in _SAME_NAME else replace(change, field=f"Person{name}")
