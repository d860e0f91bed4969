"""What is in the way of right numbers, planted into an org and beside it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from practice_org.salesforce.core import Rule
from practice_org.salesforce.org import PracticeOrg

REFUSES, STAGE, STATUS = "Ask the back office first", "Very Important", "Somewhere"
BAD_LINES = ("no line of JSON", '{"type": "form_submit"}', '{"id": "1", "type": "form_submit", "occurred_at": "soon"}')


@dataclass(frozen=True)
class Planted:
    """Contacts with a stage that nobody knows, a lead with such a status, contacts whose stage was set by hand, and
    contacts whom a rule of the org lets nobody write."""

    strange: Sequence[str] = ()
    strange_status: Sequence[str] = ()
    by_hand: Sequence[str] = ()
    refused: Sequence[str] = ()


def plant(org: PracticeOrg, folder: Path, now: datetime) -> Planted:
    """``folder``: of activities; a file there has three lines that are none."""
    quiet = "SELECT Id FROM Contact WHERE Lifecycle_Stage__c IN ('Suspect', 'Engaged') ORDER BY Id LIMIT 8"
    people = [str(row["Id"]) for row in org.rows(quiet)]
    leads = org.rows("SELECT Id FROM Lead WHERE IsConverted = false ORDER BY Id LIMIT 1")
    found = Planted(people[:2], [str(row["Id"]) for row in leads], people[2:5], people[5:8])
    org.update("Contact", [{"Id": who, "Lifecycle_Stage__c": STAGE} for who in found.strange])
    org.update("Contact", [{"Id": who, "Lifecycle_Stage__c": "Sales Qualified"} for who in found.by_hand])
    org.update("Lead", [{"Id": who, "Status": STATUS} for who in found.strange_status])
    deal = {"Name": "Held up", "StageName": "Prospecting", "CloseDate": "2026-02-01", "Amount": 100}
    [made] = org.create("Opportunity", [deal])
    org.create("OpportunityContactRole", [{"OpportunityId": made, "ContactId": who} for who in found.refused])
    org.set_validation("Contact", Rule(REFUSES, lambda _, new: new["Id"] in found.refused))
    file = folder / "late.jsonl"
    file.write_text("\n".join(BAD_LINES) + "\n")
    rested = (now - timedelta(days=1)).timestamp()
    os.utime(file, (rested, rested))
    return found
