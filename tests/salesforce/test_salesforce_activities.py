"""Tasks and Events become canonical activities."""

from __future__ import annotations

import csv
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from connector.base.facts import Activity
from connector.salesforce.activities import (
    SALESFORCE_EVENT_KINDS,
    TASK_KINDS,
    campaign_member_activity,
    event_activity,
    task_activity,
)
from connector.sources.kinds import KINDS

DATA = Path(__file__).parents[2].parent / "shared" / "data"
ROW = {"Id": "00T000000000001AAA", "WhoId": "003000000000001AAA", "CreatedDate": "2026-04-01T08:00:00.000+0000"}


def task(**more: Any) -> Activity:
    found = task_activity({**ROW, **more})
    assert found is not None
    return found


def event(**more: Any) -> Activity:
    found = event_activity({**ROW, **more})
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("row", "kind", "direction"),
    [
        ({"TaskSubtype": "Call"}, "call", "outbound"),
        ({"TaskSubtype": "Call", "CallType": "Outbound"}, "call", "outbound"),
        ({"TaskSubtype": "Call", "CallType": "Inbound"}, "call", "inbound"),
        ({"TaskSubtype": "Email", "Subject": "Email: Our offer"}, "email_sent", "outbound"),
        ({"TaskSubtype": "Email", "Subject": "[Outreach] [Email] [In] Re: offer"}, "email_reply", "inbound"),
        ({"TaskSubtype": "Email", "Subject": "Reply: yes please"}, "email_reply", "inbound"),
        ({"TaskSubtype": "ListEmail"}, "email_sent", "outbound"),
        ({"TaskSubtype": "LinkedIn"}, "social_message", "outbound"),
        ({"TaskSubtype": "Task"}, "task", "outbound"),
        ({"TaskSubtype": "Task", "Type": "Call"}, "call", "outbound"),
        ({"TaskSubtype": "Task", "Type": "Meeting"}, "meeting", "outbound"),
        ({"TaskSubtype": "Task", "Type": "Meeting", "Status": "No show"}, "meeting_no_show", "outbound"),
        ({"TaskSubtype": "Something new"}, "task", "outbound"),
        ({}, "task", "outbound"),
    ],
)
def test_a_task_is_of_a_kind(row: dict[str, Any], kind: str, direction: str) -> None:
    found = task(**row)
    assert (found.kind, found.direction) == (kind, direction)


@pytest.mark.parametrize(
    ("row", "kind"),
    [
        ({}, "meeting"),
        ({"Subject": "Demo"}, "meeting"),
        ({"Subject": "Demo - NO-SHOW"}, "meeting_no_show"),
        ({"Subject": "missed: demo"}, "meeting_no_show"),
        ({"Subject": "Dismissed ideas"}, "meeting"),
        ({"Type": "Call"}, "call"),
    ],
)
def test_an_event_is_of_a_kind(row: dict[str, Any], kind: str) -> None:
    assert event(**row).kind == kind


@pytest.mark.parametrize(
    ("row", "at"),
    [
        ({"IsClosed": True, "CompletedDateTime": "2026-04-03T10:00:00.000+0200", "ActivityDate": "2026-04-02"},
         datetime(2026, 4, 3, 8, tzinfo=UTC)),
        ({"IsClosed": True, "ActivityDate": "2026-04-02"}, datetime(2026, 4, 2, tzinfo=UTC)),
        ({"IsClosed": True}, datetime(2026, 4, 1, 8, tzinfo=UTC)),
        ({"IsClosed": False, "ActivityDate": "2027-04-02"}, datetime(2026, 4, 1, 8, tzinfo=UTC)),
    ],
)  # fmt: skip
def test_a_closed_task_happened_when_completed_and_an_open_one_when_created(row: dict[str, Any], at: datetime) -> None:
    assert task(**row).occurred_at == at


def test_an_event_happens_when_it_starts() -> None:
    assert event(StartDateTime="2026-06-01T08:00:00.000+0000").occurred_at == datetime(2026, 6, 1, 8, tzinfo=UTC)
    assert event(ActivityDate="2026-06-02").occurred_at == datetime(2026, 6, 2, tzinfo=UTC)


def test_the_rows_fields_are_the_activitys_attributes() -> None:
    found = task(
        Subject="Call Ann", Status="Completed", CallDisposition=None, Custom__c=7, SystemModstamp="x", IsDeleted=False
    )
    assert (found.source, found.id, found.crm_id, found.name) == ("salesforce", ROW["Id"], ROW["WhoId"], "Call Ann")
    assert found.attributes == {
        "CreatedDate": ROW["CreatedDate"],
        "Subject": "Call Ann",
        "Status": "Completed",
        "Custom__c": 7,
    }


@pytest.mark.parametrize("more", [{"WhoId": None}, {"IsRecurrence": True}, {"CreatedDate": None}])
def test_a_row_of_nobody_or_of_no_time_is_no_activity(more: dict[str, Any]) -> None:
    assert task_activity({**ROW, **more}) is None
    assert event_activity({**ROW, **more}) is None


def test_an_invitees_copy_of_an_event_is_no_activity() -> None:
    assert event_activity({**ROW, "IsChild": True}) is None


MEMBER = {
    "Id": "00v000000000001AAA",
    "LeadId": "00Q000000000001EAA",
    "ContactId": None,
    "Campaign.Name": "Webinar",
    "Status": "Attended",
    "HasResponded": True,
    "FirstRespondedDate": "2026-04-02",
    "CreatedDate": "2026-04-01T08:00:00.000+0000",
}


def test_a_campaign_member_who_responded_is_a_response() -> None:
    found = campaign_member_activity(MEMBER)
    assert found is not None
    assert (found.kind, found.direction, found.name, found.crm_id) == (
        "campaign_response",
        "inbound",
        "Webinar",
        "00Q000000000001EAA",
    )
    assert found.occurred_at == datetime(2026, 4, 2, tzinfo=UTC)
    assert found.attributes["Status"] == "Attended"


def test_the_contact_of_a_converted_leads_membership_counts() -> None:
    found = campaign_member_activity({**MEMBER, "ContactId": "003000000000001AAA", "FirstRespondedDate": None})
    assert found is not None
    assert (found.crm_id, found.occurred_at.hour) == ("003000000000001AAA", 8)


@pytest.mark.parametrize("more", [{"HasResponded": False}, {"HasResponded": None}, {"LeadId": None}])
def test_a_member_who_did_not_respond_or_is_nobody_is_no_activity(more: dict[str, Any]) -> None:
    assert campaign_member_activity({**MEMBER, **more}) is None


def test_every_kind_in_the_tables_is_canonical() -> None:
    assert {kind for _, _, kind, _ in (*TASK_KINDS, *SALESFORCE_EVENT_KINDS)} <= KINDS.keys()


@pytest.mark.parametrize(("name", "convert"), [("task", task_activity), ("event", event_activity)])
def test_exported_rows_become_activities(name: str, convert: Any) -> None:
    file = DATA / "rows" / f"sf_{name}_data.csv"
    if not file.exists():
        pytest.skip(f"{file} is not here")
    with file.open(newline="", encoding="utf-8") as lines:
        rows = [{_api_name(key): _value(value) for key, value in row.items()} for row in csv.DictReader(lines)]
    found = [convert(row) for row in rows if row["WhoId"]]
    assert len(found) > 5
    assert all(activity is not None and activity.kind in KINDS for activity in found)


def _api_name(column: str) -> str:
    return re.sub(r"(?:^|_)([a-z0-9])", lambda found: found.group(1).upper(), column)


def _value(cell: str) -> Any:
    return {"": None, "TRUE": True, "FALSE": False}.get(cell, cell)
