"""Deletes, merges, conversion, and what getUpdated and getDeleted say of them."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from connector.base.clock import FrozenClock
from practice_org.salesforce.org import PracticeOrg
from practice_org.salesforce.problems import Problem
from tests.practice_org.practice_api import NOW, Api


@pytest.fixture
def deal(org: PracticeOrg) -> dict[str, str]:
    """An account with a contact, who has two roles on its opportunity."""
    [account] = org.create("Account", [{"Name": "Acme"}])
    [contact] = org.create("Contact", [{"LastName": "Doe", "AccountId": account}])
    row = {"Name": "D", "StageName": "Prospecting", "CloseDate": "2026-06-30", "AccountId": account}
    [opportunity] = org.create("Opportunity", [row])
    role = {"OpportunityId": opportunity, "ContactId": contact}
    first, second = org.create("OpportunityContactRole", [role, role])
    return {"account": account, "contact": contact, "opportunity": opportunity, "first": first, "second": second}


def window(api: Api, name: str, what: str, start: datetime, end: datetime) -> Any:
    return api.get(f"sobjects/{name}/{what}/", start=start.isoformat(), end=end.isoformat())


def deleted(api: Api, name: str) -> list[str]:
    answer = window(api, name, "deleted", NOW - timedelta(days=1), NOW + timedelta(days=1))
    return [one["id"] for one in answer.json()["deletedRecords"]]


def roles(org: PracticeOrg, *, all_rows: bool = False) -> list[str]:
    return [row["Id"] for row in org.rows("SELECT Id FROM OpportunityContactRole ORDER BY Id", all_rows=all_rows)]


def test_a_removed_role_is_seen_by_get_deleted_only(api: Api, org: PracticeOrg, deal: dict[str, str]) -> None:
    assert api.call("DELETE", f"sobjects/OpportunityContactRole/{deal['first']}").status_code == 204
    assert roles(org) == roles(org, all_rows=True) == [deal["second"]]
    assert deleted(api, "OpportunityContactRole") == [deal["first"]]
    org.role_removals_listed = False
    org.delete("OpportunityContactRole", [deal["second"]])
    assert deleted(api, "OpportunityContactRole") == [deal["first"]]


def test_an_opportunity_takes_its_roles_to_the_bin_and_back(api: Api, org: PracticeOrg, deal: dict[str, str]) -> None:
    org.delete("Opportunity", [deal["opportunity"]])
    assert roles(org) == []
    assert roles(org, all_rows=True) == [deal["first"], deal["second"]]
    assert sorted(deleted(api, "OpportunityContactRole")) == [deal["first"], deal["second"]]
    org.undelete("Opportunity", [deal["opportunity"]])
    assert roles(org) == [deal["first"], deal["second"]]
    assert deleted(api, "OpportunityContactRole") == deleted(api, "Opportunity") == []


def test_an_account_takes_everything_below_it(org: PracticeOrg, deal: dict[str, str]) -> None:
    org.delete("Account", [deal["account"]])
    for name in ("Contact", "Opportunity", "OpportunityContactRole"):
        assert org.rows(f"SELECT Id FROM {name}") == []
    org.undelete("Account", [deal["account"]])
    for name in ("Contact", "Opportunity", "OpportunityContactRole"):
        assert len(org.rows(f"SELECT Id FROM {name}")) >= 1


def test_a_deleted_contact_keeps_its_roles(org: PracticeOrg, deal: dict[str, str]) -> None:
    org.delete("Contact", [deal["contact"]])
    [row, _] = org.rows("SELECT ContactId, Contact.Name FROM OpportunityContactRole")
    assert row == {"ContactId": deal["contact"], "Contact": None}


def test_a_delete_moves_the_stamp(org: PracticeOrg, deal: dict[str, str], clock: FrozenClock) -> None:
    clock.at += timedelta(minutes=1)
    org.delete("Contact", [deal["contact"]])
    [row] = org.rows("SELECT IsDeleted, SystemModstamp FROM Contact", all_rows=True)
    assert row == {"IsDeleted": True, "SystemModstamp": "2026-05-04T12:01:00.000+0000"}


def test_merge_losers_point_at_the_winner_and_children_follow(
    org: PracticeOrg, deal: dict[str, str], clock: FrozenClock
) -> None:
    winner, third = org.create("Contact", [{"LastName": "Roe"}, {"LastName": "Poe"}])
    [task] = org.create("Task", [{"WhoId": deal["contact"], "Subject": "Call"}])
    before = org.rows("SELECT SystemModstamp FROM OpportunityContactRole")
    clock.at += timedelta(minutes=1)
    org.merge("Contact", winner, [deal["contact"]])
    org.merge("Contact", third, [winner])  # a chain: Doe -> Roe -> Poe
    masters = org.rows("SELECT Id, MasterRecordId FROM Contact WHERE IsDeleted = true", all_rows=True)
    assert {row["Id"]: row["MasterRecordId"] for row in masters} == {deal["contact"]: winner, winner: third}
    assert {row["ContactId"] for row in org.rows("SELECT ContactId FROM OpportunityContactRole")} == {third}
    assert org.rows("SELECT Id, WhoId FROM Task") == [{"Id": task, "WhoId": third}]
    assert org.rows("SELECT SystemModstamp FROM OpportunityContactRole") == before  # no trigger ran for them
    assert org.rows("SELECT SystemModstamp FROM Contact")[0]["SystemModstamp"].startswith("2026-05-04T12:01")
    with pytest.raises(Problem):
        org.merge("Contact", third, [winner])


def test_a_converted_lead_becomes_account_contact_and_opportunity(org: PracticeOrg) -> None:
    [lead] = org.create(
        "Lead", [{"LastName": "Lee", "FirstName": "Al", "Company": "Acme", "Lifecycle_Stage__c": "Engaged"}]
    )
    org.create("Task", [{"WhoId": lead, "Subject": "Call"}])
    made = org.convert_lead(lead)
    [row] = org.rows("SELECT IsConverted, ConvertedDate, Status, ConvertedContactId FROM Lead")
    assert row == {
        "IsConverted": True,
        "ConvertedDate": "2026-05-04",
        "Status": "Closed - Converted",
        "ConvertedContactId": made["ContactId"],
    }
    [contact] = org.rows("SELECT Name, Account.Name, Lifecycle_Stage__c FROM Contact")
    assert (contact["Name"], contact["Account"]["Name"], contact["Lifecycle_Stage__c"]) == ("Al Lee", "Acme", "Engaged")
    [role] = org.rows("SELECT OpportunityId, ContactId, IsPrimary FROM OpportunityContactRole")
    assert role == {"OpportunityId": made["OpportunityId"], "ContactId": made["ContactId"], "IsPrimary": True}
    assert org.rows("SELECT WhoId FROM Task") == [{"WhoId": made["ContactId"]}]
    with pytest.raises(Problem, match="CANNOT_UPDATE_CONVERTED_LEAD"):
        org.convert_lead(lead)


def test_a_lead_may_convert_without_an_opportunity_or_into_one_that_is_told(org: PracticeOrg) -> None:
    first, second = org.create("Lead", [{"LastName": name, "Company": "Acme"} for name in "ab"])
    assert org.convert_lead(first, opportunity=False)["OpportunityId"] is None
    org.convert_lead(second, opportunity={"StageName": "Closed Won"})
    assert org.rows("SELECT IsWon FROM Opportunity") == [{"IsWon": True}]


def test_get_updated_lists_what_moved_in_the_window(api: Api, org: PracticeOrg, clock: FrozenClock) -> None:
    _, new = org.create("Contact", [{"LastName": "a"}, {"LastName": "b"}])
    clock.at += timedelta(hours=2)
    org.update("Contact", [{"Id": new, "Title": "x"}])
    api.session.headers["Authorization"] = f"Bearer {org.credentials.issue()}"
    answer = window(api, "Contact", "updated", clock.at - timedelta(hours=1), clock.at + timedelta(hours=1)).json()
    assert answer == {"ids": [new], "latestDateCovered": "2026-05-04T14:00:00.000+0000"}


def test_coverage_ends_where_the_oldest_open_transaction_began(api: Api, org: PracticeOrg, clock: FrozenClock) -> None:
    org.faults.on("late_commits", times=1, seconds=600)
    org.create("Contact", [{"LastName": "late"}])
    clock.at += timedelta(minutes=5)
    for what in ("updated", "deleted"):
        body = window(api, "Contact", what, NOW - timedelta(hours=1), clock.at).json()
        assert body["latestDateCovered"] == "2026-05-04T12:00:00.000+0000"


def test_the_deletion_log_may_begin_after_the_asked_start(
    api: Api, org: PracticeOrg, deal: dict[str, str], clock: FrozenClock
) -> None:
    org.delete("OpportunityContactRole", [deal["first"]])
    clock.at += timedelta(minutes=10)
    org.deleted_log_from = clock.at
    body = window(api, "OpportunityContactRole", "deleted", NOW - timedelta(days=2), clock.at).json()
    assert body["earliestDateAvailable"] == "2026-05-04T12:10:00.000+0000"
    assert body["deletedRecords"] == []


@pytest.mark.parametrize(
    ("what", "start", "end"),
    [
        ("updated", timedelta(days=-31), timedelta()),
        ("deleted", timedelta(days=-16), timedelta()),
        ("deleted", timedelta(hours=1), timedelta()),
        ("updated", timedelta(), timedelta()),
    ],
)
def test_a_window_has_to_make_sense(api: Api, what: str, start: timedelta, end: timedelta) -> None:
    answer = window(api, "Contact", what, NOW + start, NOW + end)
    assert (answer.status_code, answer.json()[0]["errorCode"]) == (400, "INVALID_REPLICATION_DATE")


def test_metadata_objects_cannot_be_replicated_and_a_double_slash_leads_nowhere(api: Api) -> None:
    assert window(api, "LeadStatus", "updated", NOW - timedelta(days=1), NOW).status_code == 400
    assert window(api, "Contact/", "updated", NOW - timedelta(days=1), NOW).status_code == 404
