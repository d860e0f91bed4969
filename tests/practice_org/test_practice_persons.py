"""Person accounts: an account and a contact that say the same of one human."""

from __future__ import annotations

from typing import Any

import pytest

from connector.base.clock import FrozenClock
from practice_org.salesforce.org import PracticeOrg
from practice_org.salesforce.schema import FieldSpec
from tests.practice_org.practice_api import Api

STAGE, OF_ACCOUNT = "Lifecycle_Stage__c", "Lifecycle_Stage__pc"


@pytest.fixture
def person(api: Api) -> dict[str, str]:
    assert api.call("POST", "/practice/persons", json={}).status_code == 204
    answer = api.call(
        "POST", "sobjects/Account", json={"FirstName": "Ann", "LastName": "Doe", "PersonEmail": "a@x.com"}
    )
    assert answer.status_code == 201, answer.text
    [row] = api.query("SELECT Id, PersonContactId FROM Account WHERE IsPersonAccount = true")["records"]
    return {"account": row["Id"], "contact": row["PersonContactId"]}


def contact(api: Api, wanted: str, fields: str) -> dict[str, Any]:
    return dict(api.query(f"SELECT {fields} FROM Contact WHERE Id = '{wanted}'")["records"][0])


def test_without_person_accounts_their_fields_do_not_exist(api: Api) -> None:
    assert api.get("query", q="SELECT IsPersonAccount FROM Contact").json()[0]["errorCode"] == "INVALID_FIELD"
    assert api.get("query", q="SELECT PersonContactId FROM Account").json()[0]["errorCode"] == "INVALID_FIELD"


def test_an_account_with_a_last_name_has_a_contact(api: Api, person: dict[str, str]) -> None:
    row = contact(api, person["contact"], "Name, Email, AccountId, IsPersonAccount, Account.Name")
    assert (row["Name"], row["Email"], row["IsPersonAccount"]) == ("Ann Doe", "a@x.com", True)
    assert (row["AccountId"], row["Account"]["Name"]) == (person["account"], "Ann Doe")


def test_a_custom_field_of_contacts_is_one_of_accounts_by_itself(api: Api, org: PracticeOrg) -> None:
    org.enable_person_accounts()
    org.define("Contact", [FieldSpec("Tier__c", "string")])
    fields = {each["name"]: each for each in api.get("sobjects/Account/describe").json()["fields"]}
    assert fields["Tier__pc"]["custom"] is fields[OF_ACCOUNT]["custom"] is True
    assert "Tier__c" not in fields


def test_either_of_the_two_is_written_and_both_have_moved(api: Api, person: dict[str, str], clock: FrozenClock) -> None:
    clock.sleep(60)
    assert api.call("PATCH", f"sobjects/Contact/{person['contact']}", json={STAGE: "Engaged"}).status_code == 204
    [account] = api.query(f"SELECT {OF_ACCOUNT}, SystemModstamp FROM Account")["records"]
    assert (account[OF_ACCOUNT], account["SystemModstamp"][11:16]) == ("Engaged", "12:01")
    clock.sleep(60)
    row = {OF_ACCOUNT: "Customer", "PersonEmail": "b@x.com"}
    assert api.call("PATCH", f"sobjects/Account/{person['account']}", json=row).status_code == 204
    found = contact(api, person["contact"], f"{STAGE}, Email, SystemModstamp")
    assert (found[STAGE], found["Email"], found["SystemModstamp"][11:16]) == ("Customer", "b@x.com", "12:02")


def test_owners_and_standard_fields_are_not_written_through_the_contact(api: Api, person: dict[str, str]) -> None:
    answer = api.call("PATCH", f"sobjects/Contact/{person['contact']}", json={"Title": "CEO"})
    assert answer.json()[0]["errorCode"] == "INSUFFICIENT_ACCESS_OR_READONLY"
    assert api.call("POST", "/practice/persons", json={"writes": "account"}).status_code == 204
    answer = api.call("PATCH", f"sobjects/Contact/{person['contact']}", json={STAGE: "Engaged"})
    assert answer.json()[0]["errorCode"] == "INSUFFICIENT_ACCESS_OR_READONLY"
    assert api.call("PATCH", f"sobjects/Account/{person['account']}", json={OF_ACCOUNT: "Engaged"}).status_code == 204


def test_merged_persons_are_one_and_the_loser_is_found_through_its_account(
    api: Api, org: PracticeOrg, person: dict[str, str]
) -> None:
    [double] = org.create("Account", [{"LastName": "Doe"}])
    [row] = org.rows(f"SELECT PersonContactId FROM Account WHERE Id = '{double}'")
    [task] = org.create("Task", [{"WhoId": row["PersonContactId"], "Subject": "Call"}])
    org.merge("Account", person["account"], [double])
    assert org.rows(f"SELECT WhoId FROM Task WHERE Id = '{task}'") == [{"WhoId": person["contact"]}]
    soql = "SELECT Id, MasterRecordId, Account.MasterRecord.PersonContactId FROM Contact WHERE IsDeleted = true"
    [gone] = api.get("queryAll", q=soql).json()["records"]
    assert (gone["Id"], gone["MasterRecordId"]) == (row["PersonContactId"], None)
    assert gone["Account"]["MasterRecord"]["PersonContactId"] == person["contact"]


def test_a_lead_without_a_company_becomes_a_person(org: PracticeOrg) -> None:
    org.enable_person_accounts()
    [lead] = org.create("Lead", [{"FirstName": "Bob", "LastName": "Roe", "Email": "b@x.com"}])
    made = org.convert_lead(lead, opportunity=False)
    [row] = org.rows("SELECT Id, AccountId, Name, IsPersonAccount FROM Contact")
    assert row == {
        "Id": made["ContactId"],
        "AccountId": made["AccountId"],
        "Name": "Bob Roe",
        "IsPersonAccount": True,
    }


def test_person_accounts_outlive_a_restart(tmp_path: Any, clock: FrozenClock) -> None:
    path = str(tmp_path / "org.sqlite3")
    org = PracticeOrg(path, clock=clock)
    org.enable_person_accounts()
    org.create("Account", [{"LastName": "Doe", OF_ACCOUNT: "Engaged"}])
    org.close()
    again = PracticeOrg(path, clock=clock)
    assert again.rows(f"SELECT {STAGE} FROM Contact") == [{STAGE: "Engaged"}]
    again.close()
