"""Single records over HTTP: create, read, change, delete, upsert, conditional requests, and what is refused."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from connector.base.clock import FrozenClock
from practice_org.salesforce.core import Rule
from practice_org.salesforce.org import PracticeOrg
from practice_org.salesforce.schema import FieldSpec, Value
from tests.practice_org.practice_api import Api


def codes(answer: Any) -> list[str]:
    return [error["errorCode"] for error in answer.json()]


@pytest.fixture
def lead(org: PracticeOrg) -> str:
    return org.create("Lead", [{"LastName": "Lee", "Company": "Acme"}])[0]


@pytest.fixture
def contact(org: PracticeOrg) -> str:
    org.define("Contact", [FieldSpec("Ext__c", "string", length=40, external_id=True)])
    return org.create("Contact", [{"LastName": "Doe", "Ext__c": "x-1"}])[0]


def test_a_record_is_made_with_defaults(api: Api, org: PracticeOrg) -> None:
    answer = api.call("POST", "sobjects/Lead", json={"LastName": "Lee", "FirstName": "Al", "Company": "Acme"})
    assert answer.status_code == 201
    assert answer.json() == {"id": answer.json()["id"], "success": True, "errors": []}
    record = api.get(f"sobjects/Lead/{answer.json()['id']}").json()
    wanted = {"Name": "Al Lee", "Status": "Open - Not Contacted", "IsConverted": False, "IsUnreadByOwner": True}
    wanted |= dict.fromkeys(("CreatedDate", "LastModifiedDate", "SystemModstamp"), "2026-05-04T12:00:00.000+0000")
    assert {key: record[key] for key in wanted} == wanted


def test_a_change_is_204_and_moves_the_stamps(api: Api, org: PracticeOrg, contact: str, clock: FrozenClock) -> None:
    clock.at += timedelta(minutes=5)
    answer = api.call("PATCH", f"sobjects/Contact/{contact[:15]}", json={"Title": "CEO", "Email": None})
    assert (answer.status_code, answer.content) == (204, b"")
    [row] = org.rows("SELECT Title, CreatedDate, LastModifiedDate, SystemModstamp FROM Contact")
    assert row["SystemModstamp"] == row["LastModifiedDate"] == "2026-05-04T12:05:00.000+0000"
    assert row["CreatedDate"] == "2026-05-04T12:00:00.000+0000"


def test_named_fields_only_are_read(api: Api, contact: str) -> None:
    answer = api.get(f"sobjects/Contact/{contact}", fields="Id,LastName")
    assert set(answer.json()) == {"attributes", "Id", "LastName"}
    assert answer.headers["Last-Modified"] == "Mon, 04 May 2026 12:00:00 GMT"
    assert codes(api.get(f"sobjects/Contact/{contact}", fields="Id,Nope")) == ["INVALID_FIELD"]


def test_what_is_gone_or_never_was_is_not_found(api: Api, org: PracticeOrg, contact: str) -> None:
    org.delete("Contact", [contact])
    for path in ("Contact/" + contact, "Contact/003000000000000AAA", "Contact/x", "Nope/x"):
        answer = api.get(f"sobjects/{path}")
        assert answer.status_code == 404
        assert answer.json() == [{"errorCode": "NOT_FOUND", "message": "The requested resource does not exist"}]
    gone = api.call("PATCH", f"sobjects/Contact/{contact}", json={"Title": "x"})
    assert (gone.status_code, codes(gone)) == (404, ["ENTITY_IS_DELETED"])
    assert api.call("PATCH", "sobjects/Contact/003000000000000AAA", json={"Title": "x"}).status_code == 404


def test_a_method_that_is_not_allowed_says_which_are(api: Api) -> None:
    answer = api.call("PATCH", "sobjects/Lead", json={})
    text = "HTTP Method 'PATCH' not allowed. Allowed are HEAD,GET,POST"
    assert (answer.status_code, answer.json()) == (405, [{"errorCode": "METHOD_NOT_ALLOWED", "message": text}])


@pytest.mark.parametrize(
    ("row", "code", "fields"),
    [
        ({"LastName": None}, "REQUIRED_FIELD_MISSING", ["LastName"]),
        ({"Company": ""}, "REQUIRED_FIELD_MISSING", ["Company"]),
        ({"LastName": "x" * 81}, "STRING_TOO_LONG", ["LastName"]),
        ({"Email": "badone"}, "INVALID_EMAIL_ADDRESS", ["Email"]),
        ({"ConvertedDate": "2026-01-01"}, "INVALID_FIELD_FOR_INSERT_UPDATE", ["ConvertedDate"]),
        ({"AnnualRevenue": "much"}, "JSON_PARSER_ERROR", ["AnnualRevenue"]),
        ({"OwnerId": "me"}, "MALFORMED_ID", ["Owner ID"]),
        ({"OwnerId": "005000000000000AAA"}, "INVALID_CROSS_REFERENCE_KEY", ["OwnerId"]),
        ({"OwnerId": "001000000000000AAA"}, "MALFORMED_ID", ["OwnerId"]),
        ({"Nope": 1}, "INVALID_FIELD", []),
        ({"Id": "00Q000000000000AAA"}, "INVALID_FIELD_FOR_INSERT_UPDATE", ["Id"]),
    ],
)  # fmt: skip
def test_a_bad_row_is_refused_with_its_fields(api: Api, row: dict[str, Any], code: str, fields: list[str]) -> None:
    answer = api.call("POST", "sobjects/Lead", json={"LastName": "x", "Company": "x", **row})
    assert answer.status_code in (400, 404)
    [error] = answer.json()
    assert (error["errorCode"], error["fields"]) == (code, fields)


def test_a_body_that_is_no_json_is_a_parser_error(api: Api) -> None:
    assert codes(api.call("POST", "sobjects/Lead", data=b"{")) == ["JSON_PARSER_ERROR"]
    assert codes(api.call("POST", "sobjects/Lead", data=b"[]")) == ["JSON_PARSER_ERROR"]


def test_only_restricted_picklists_refuse_unknown_values(api: Api, org: PracticeOrg, lead: str) -> None:
    assert api.call("PATCH", f"sobjects/Lead/{lead}", json={"Status": "Made up"}).status_code == 204
    org.set_picklist("Lead", "Lifecycle_Stage__c", ["Customer"], restricted=True)
    answer = api.call("PATCH", f"sobjects/Lead/{lead}", json={"Lifecycle_Stage__c": "Foo"})
    assert codes(answer) == ["INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST"]
    assert answer.json()[0]["message"] == "Lifecycle Stage: bad value for restricted picklist field: Foo"


def test_several_validation_rules_may_refuse_one_row(api: Api, org: PracticeOrg, lead: str) -> None:
    org.set_validation("Lead", Rule("no titles", lambda old, new: bool(new.get("Title")), "Title"))
    org.set_validation("Lead", Rule("no ratings", lambda old, new: bool(new.get("Rating"))))
    answer = api.call("PATCH", f"sobjects/Lead/{lead}", json={"Title": "x", "Rating": "Hot"})
    assert answer.json() == [
        {"errorCode": "FIELD_CUSTOM_VALIDATION_EXCEPTION", "message": "no titles", "fields": ["Title"]},
        {"errorCode": "FIELD_CUSTOM_VALIDATION_EXCEPTION", "message": "no ratings", "fields": []},
    ]
    org.update("Lead", [{"Id": lead, "Title": "x"}])  # the handle is trusted


def test_a_converted_lead_refuses_edits(api: Api, org: PracticeOrg, lead: str) -> None:
    org.convert_lead(lead)
    answer = api.call("PATCH", f"sobjects/Lead/{lead}", json={"Title": "x"})
    assert answer.json() == [
        {"errorCode": "CANNOT_UPDATE_CONVERTED_LEAD", "message": "cannot reference converted lead", "fields": []}
    ]


def test_field_level_security_hides_or_refuses(api: Api, org: PracticeOrg, lead: str) -> None:
    org.set_field_access("Lead", "Lifecycle_Stage__c", updateable=False)
    answer = api.call("PATCH", f"sobjects/Lead/{lead}", json={"Lifecycle_Stage__c": "Customer"})
    assert codes(answer) == ["INVALID_FIELD_FOR_INSERT_UPDATE"]
    org.set_field_access("Lead", "Lifecycle_Stage__c", visible=False)
    answer = api.call("PATCH", f"sobjects/Lead/{lead}", json={"Lifecycle_Stage__c": "Customer"})
    assert answer.json()[0]["message"] == "No such column 'Lifecycle_Stage__c' on sobject of type Lead"


@pytest.mark.parametrize(("header", "stolen"), [(None, True), ("TRUE", True), ("false", False), ("FALSE", False)])
def test_assignment_rules_steal_the_owner_unless_told(
    api: Api, org: PracticeOrg, lead: str, header: str | None, *, stolen: bool
) -> None:
    headers = {"Sforce-Auto-Assign": header} if header else {}
    api.call("PATCH", f"sobjects/Lead/{lead}", json={"Title": "x"}, headers=headers)
    [row] = org.rows("SELECT OwnerId FROM Lead")
    assert row["OwnerId"].startswith("00G" if stolen else "005")


def test_upsert_is_created_changed_or_ambiguous(api: Api, org: PracticeOrg, contact: str) -> None:
    made = api.call("PATCH", "sobjects/Contact/Ext__c/new%20one", json={"LastName": "New"})
    assert (made.status_code, made.json()["created"]) == (201, True)
    changed = api.call("PATCH", "sobjects/Contact/Ext__c/x-1", json={"LastName": "Roe"})
    assert changed.status_code == 200
    assert changed.json() == {"id": contact, "success": True, "errors": [], "created": False}
    [twin] = org.create("Contact", [{"LastName": "Twin", "Ext__c": "x-1"}])
    several = api.call("PATCH", "sobjects/Contact/Ext__c/x-1", json={"LastName": "?"})
    assert several.status_code == 300
    assert several.json() == [f"/services/data/v67.0/sobjects/Contact/{one}" for one in (contact, twin)]
    assert api.get("sobjects/Contact/Ext__c/new%20one").json()["LastName"] == "New"
    assert codes(api.call("PATCH", "sobjects/Contact/Title/x", json={"LastName": "?"})) == ["NOT_FOUND"]


def test_unique_fields_refuse_a_second_holder(api: Api, org: PracticeOrg, contact: str) -> None:
    org.define("Contact", [FieldSpec("Number__c", "string", unique=True)])
    org.update("Contact", [{"Id": contact, "Number__c": "7"}])
    answer = api.call("POST", "sobjects/Contact", json={"LastName": "Roe", "Number__c": "7"})
    assert codes(answer) == ["DUPLICATE_VALUE"]
    assert contact in answer.json()[0]["message"]


def test_conditional_requests(api: Api, org: PracticeOrg, contact: str, clock: FrozenClock) -> None:
    path, seen = f"sobjects/Contact/{contact}", "Mon, 04 May 2026 12:00:00 GMT"
    assert api.get(path, {"If-Modified-Since": seen}).status_code == 304
    assert api.call("PATCH", path, json={"Title": "a"}, headers={"If-Unmodified-Since": seen}).status_code == 204
    clock.at += timedelta(seconds=1)
    org.update("Contact", [{"Id": contact, "Title": "b"}])
    assert api.get(path, {"If-Modified-Since": seen}).status_code == 200
    assert api.call("PATCH", path, json={"Title": "c"}, headers={"If-Unmodified-Since": seen}).status_code == 412
    assert api.get(path, {"If-Modified-Since": "yesterday"}).status_code == 400
    assert org.rows("SELECT Title FROM Contact") == [{"Title": "b"}]


def test_a_parent_may_be_named_by_its_external_id(api: Api, org: PracticeOrg) -> None:
    org.define("Account", [FieldSpec("Key__c", "string", external_id=True)])
    [account] = org.create("Account", [{"Name": "Acme", "Key__c": "k"}])
    answer = api.call("POST", "sobjects/Contact", json={"LastName": "Doe", "Account": {"Key__c": "k"}})
    assert answer.status_code == 201
    assert org.rows("SELECT AccountId FROM Contact") == [{"AccountId": account}]


def test_a_stage_decides_what_an_opportunity_is(api: Api, org: PracticeOrg) -> None:
    org.create("OpportunityStage", [{"MasterLabel": "Signed", "SortOrder": 50, "IsClosed": True, "IsWon": True,
                                     "DefaultProbability": 100, "ForecastCategory": "Closed"}])  # fmt: skip
    made = api.call(
        "POST", "sobjects/Opportunity", json={"Name": "D", "StageName": "Prospecting", "CloseDate": "2026-06-30"}
    )
    path = f"sobjects/Opportunity/{made.json()['id']}"
    fields = "IsClosed,IsWon,Probability,ForecastCategory"
    for stage, wanted in {
        "Closed Lost": (True, False, 0.0, "Omitted"),
        "signed": (True, True, 100.0, "Closed"),
        "Negotiation/Review": (False, False, 90.0, "Pipeline"),
    }.items():
        assert api.call("PATCH", path, json={"StageName": stage}).status_code == 204
        record = api.get(path, fields=fields).json()
        assert tuple(record[name] for name in fields.split(",")) == wanted
    assert codes(api.call("PATCH", path, json={"IsWon": True})) == ["INVALID_FIELD_FOR_INSERT_UPDATE"]
    history = org.rows("SELECT StageName FROM OpportunityHistory ORDER BY Id")
    assert [row["StageName"] for row in history] == ["Prospecting", "Closed Lost", "signed", "Negotiation/Review"]


def test_an_opportunity_has_one_primary_contact_at_most(api: Api, org: PracticeOrg, contact: str) -> None:
    [deal] = org.create("Opportunity", [{"Name": "D", "StageName": "Prospecting", "CloseDate": "2026-06-30"}])
    role = {"OpportunityId": deal, "ContactId": contact, "IsPrimary": True}
    first, second = (api.call("POST", "sobjects/OpportunityContactRole", json=role).json()["id"] for _ in range(2))
    rows = org.rows("SELECT Id, IsPrimary FROM OpportunityContactRole ORDER BY Id")
    assert {row["Id"]: row["IsPrimary"] for row in rows} == {first: False, second: True}
    refused = api.call("PATCH", f"sobjects/OpportunityContactRole/{first}", json={"OpportunityId": deal})
    assert codes(refused) == ["INVALID_FIELD_FOR_INSERT_UPDATE"]


def test_custom_picklists_are_described_and_taken(api: Api, org: PracticeOrg, contact: str) -> None:
    org.define("Contact", [FieldSpec("Tier__c", "picklist", values=(Value("Gold"),))])
    assert api.call("PATCH", f"sobjects/Contact/{contact}", json={"tier__C": "Gold"}).status_code == 204
    fields = api.get("sobjects/Contact/describe").json()["fields"]
    assert next(f for f in fields if f["name"] == "Tier__c")["picklistValues"][0]["value"] == "Gold"


def test_an_inactive_user_owns_nothing_new(api: Api, org: PracticeOrg, lead: str) -> None:
    user = {"LastName": "Gone", "Alias": "gone", "Username": "gone@example.com", "Email": "gone@example.com"}
    active, inactive = org.create("User", [user, {**user, "IsActive": False}])
    headers = {"Sforce-Auto-Assign": "FALSE"}
    assert api.call("PATCH", f"sobjects/Lead/{lead}", json={"OwnerId": active}, headers=headers).status_code == 204
    answer = api.call("PATCH", f"sobjects/Lead/{lead}", json={"OwnerId": inactive}, headers=headers)
    assert codes(answer) == ["INACTIVE_OWNER_OR_USER"]


def test_a_describe_is_sent_once_until_something_changes(api: Api, org: PracticeOrg, clock: FrozenClock) -> None:
    seen = {"If-Modified-Since": api.get("sobjects/Lead/describe").headers["Last-Modified"]}
    assert api.get("sobjects/Lead/describe", seen).status_code == 304
    clock.at += timedelta(seconds=1)
    org.set_picklist("Lead", "Status", ["Open - Not Contacted", "Nurture"])
    described = api.get("sobjects/Lead/describe", seen).json()
    values = next(field for field in described["fields"] if field["name"] == "Status")["picklistValues"]
    assert [value["value"] for value in values][-2:] == ["Closed - Not Converted", "Nurture"]
