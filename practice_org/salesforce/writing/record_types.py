"""Record types: kinds of one object's records, each with values of its own in a picklist."""

from __future__ import annotations

from practice_org.salesforce.core import OrgCore
from practice_org.salesforce.problems import Problem
from practice_org.salesforce.schema import ObjectSpec
from practice_org.salesforce.writing.results import Written

RECORD_TYPE_ID = "RecordTypeId"


def refuse(org: OrgCore, spec: ObjectSpec, row: Written) -> None:
    """A value that a restricted picklist has, and not for records of this type."""
    for name, allowed in org.record_types.get(str(row.now(RECORD_TYPE_ID)), {}).items():
        found, value = spec.find(name), row.new.get(name)
        if found is not None and found.restricted and value and row.changed(found.name) and value not in allowed:
            text = f"{found.label}: bad value for restricted picklist field: {value}"
            raise Problem(400, "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST", text, (found.name,))
