"""What to do about a write that Salesforce refused, by its status code."""

from __future__ import annotations

from connector.base.facts import CONTESTED

OTHERWISE = "read Salesforce's message, mend what it names, then let it be tried again"
ADVICE = {
    CONTESTED: "another tool or a person sets the value back each time: stop that, or leave the field out of the"
    " mapping; then let it be tried again",
    "FIELD_CUSTOM_VALIDATION_EXCEPTION": "fill in what the validation rule asks of the record, or let the rule pass the"
    " connector's user",
    "FIELD_FILTER_VALIDATION_EXCEPTION": "the value does not pass the lookup's filter: choose another one in the"
    " mapping, or widen the filter",
    "REQUIRED_FIELD_MISSING": "fill in the required field of the record",
    "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST": "add the value to the picklist (connector check names it;"
    " connector setup adds it)",
    "INVALID_FIELD_FOR_INSERT_UPDATE": "give the connector's user edit of the field (connector setup makes the"
    " permission set)",
    "INSUFFICIENT_ACCESS_OR_READONLY": "give the connector's user edit of the record: sharing, or Modify All on the"
    " object",
    "INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY": "give the connector's user access to the record that this one"
    " points at",
    "TRANSFER_REQUIRES_READ": "the new owner cannot read the object: give them Read, or take them out of the mapping",
    "INVALID_CROSS_REFERENCE_KEY": "what the value points at is not there: mend the owner or the queue in the mapping",
    "INACTIVE_OWNER_OR_USER": "the owner is inactive: name another one in the mapping, or in the record",
    "OP_WITH_INVALID_USER_TYPE_EXCEPTION": "this user may own no such record: name another one in the mapping",
    "DUPLICATES_DETECTED": "merge the duplicates, or let the duplicate rule pass the connector's user",
    "DUPLICATE_VALUE": "another record has this value already: merge the two, or mend one",
    "STRING_TOO_LONG": "make the field longer, or the text shorter: length: in the mapping",
    "NUMBER_OUTSIDE_VALID_RANGE": "give the number field more digits, or cap the score in the mapping",
    "INVALID_EMAIL_ADDRESS": "mend the e-mail address of the record",
    "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY": "an Apex trigger failed: show its message to whoever maintains it",
    "CANNOT_EXECUTE_FLOW_TRIGGER": "a flow failed: show its message to whoever maintains it",
    "CANNOT_UPDATE_CONVERTED_LEAD": "the lead is converted: the next cycle goes on with its contact",
    "ENTITY_IS_DELETED": "the record is in the recycle bin: it leaves this list once that is read",
    "ENTITY_IS_LOCKED": "an approval process locks the record: finish it, or unlock the record",
    "UNABLE_TO_LOCK_ROW": "something else keeps the record locked: find what writes to its account all the time",
    "STORAGE_LIMIT_EXCEEDED": "the org is full: free storage",
}


def advice(code: str) -> str:
    return ADVICE.get(code, OTHERWISE)
