"""Queries over HTTP: pages, locators, headers."""

from __future__ import annotations

import gzip
from datetime import timedelta

import pytest
import requests

from connector.base.clock import FrozenClock
from practice_org.salesforce.org import PracticeOrg
from tests.practice_org.practice_api import Api

FIELDS = (
    "Id, FirstName, LastName, Email, Title, AccountId, OwnerId, CreatedDate, SystemModstamp, LeadSource, DoNotCall, "
    "Account.Name"
)


def people(org: PracticeOrg, number: int) -> list[str]:
    return org.create("Contact", [{"LastName": f"P{i:05}", "Email": f"p{i}@example.com"} for i in range(number)])


def test_pages_follow_each_other_to_the_end(api: Api, org: PracticeOrg) -> None:
    wanted = people(org, 450)
    body = api.get(
        "query", {"Sforce-Query-Options": "batchSize=200"}, q="SELECT Id FROM Contact ORDER BY LastName"
    ).json()
    sizes, found = [len(body["records"])], [record["Id"] for record in body["records"]]
    while not body["done"]:
        assert body["nextRecordsUrl"].startswith("/services/data/v67.0/query/0r8")
        body = api.get(body["nextRecordsUrl"]).json()
        sizes.append(len(body["records"]))
        found += [record["Id"] for record in body["records"]]
    assert sizes == [200, 200, 50]
    assert found == wanted
    assert "nextRecordsUrl" not in body
    assert body["totalSize"] == 450


@pytest.mark.parametrize(("asked", "size"), [("200", 200), ("1", 200), ("9999", 300), ("250", 250)])
def test_the_batch_size_is_kept_within_its_bounds(api: Api, org: PracticeOrg, asked: str, size: int) -> None:
    people(org, 300)
    body = api.query("SELECT Id FROM Contact", **{"Sforce-Query-Options": f"batchSize={asked}"})
    assert len(body["records"]) == size


def test_a_result_of_exactly_one_page_is_done(api: Api, org: PracticeOrg) -> None:
    people(org, 200)
    body = api.query("SELECT Id FROM Contact", **{"Sforce-Query-Options": "batchSize=200"})
    assert (body["totalSize"], body["done"], "nextRecordsUrl" in body) == (200, True, False)


def test_a_snapshot_keeps_its_rows_though_values_move_on(api: Api, org: PracticeOrg) -> None:
    wanted = people(org, 401)
    body = api.get("query", {"Sforce-Query-Options": "batchSize=200"}, q="SELECT Id, Title FROM Contact").json()
    people(org, 10)
    org.update("Contact", [{"Id": wanted[-1], "Title": "Chief"}])
    org.delete("Contact", [wanted[300]], hard=True)
    second = api.get(body["nextRecordsUrl"]).json()
    third = api.get(second["nextRecordsUrl"]).json()
    assert [record["Id"] for record in second["records"]] == [one for one in wanted[200:400] if one != wanted[300]]
    assert [(record["Id"], record["Title"]) for record in third["records"]] == [(wanted[-1], "Chief")]


def test_a_locator_lives_two_days_and_a_wrong_one_not_at_all(api: Api, org: PracticeOrg, clock: FrozenClock) -> None:
    people(org, 201)
    body = api.get("query", {"Sforce-Query-Options": "batchSize=200"}, q="SELECT Id FROM Contact").json()
    clock.at += timedelta(hours=1)
    assert api.get(body["nextRecordsUrl"]).status_code == 200
    for _ in range(48):
        clock.at += timedelta(hours=1)
        api.get("limits")  # keeps the session
    for path in (body["nextRecordsUrl"], "query/0r8PO0000000009YAA-2000", "query/nonsense"):
        refused = api.get(path)
        assert refused.status_code == 400
        assert refused.json() == [{"message": "invalid query locator", "errorCode": "INVALID_QUERY_LOCATOR"}]


def test_a_query_all_goes_on_with_deleted_rows(api: Api, org: PracticeOrg) -> None:
    wanted = people(org, 300)
    org.delete("Contact", wanted[150:])
    body = api.get("queryAll", {"Sforce-Query-Options": "batchSize=200"}, q="SELECT Id, IsDeleted FROM Contact").json()
    later = api.get(body["nextRecordsUrl"]).json()
    assert "/query/" in body["nextRecordsUrl"]
    assert sum(record["IsDeleted"] for record in body["records"] + later["records"]) == 150


def test_attributes_lead_to_the_record_in_the_asked_version(server: object, org: PracticeOrg) -> None:
    [one] = people(org, 1)
    for version in ("50.0", "68.0"):
        old = Api(server, version)  # type: ignore[arg-type] # the fixture's value
        [record] = old.query("SELECT Id FROM Contact")["records"]
        assert record["attributes"] == {"type": "Contact", "url": f"/services/data/v{version}/sobjects/Contact/{one}"}
        assert old.get(record["attributes"]["url"]).json()["Id"] == one
        old.session.close()


def test_count_and_nothing_found_have_their_shapes(api: Api, org: PracticeOrg) -> None:
    people(org, 3)
    assert api.query("SELECT COUNT() FROM Contact") == {"totalSize": 3, "done": True, "records": []}
    assert api.query("SELECT Id FROM Lead") == {"totalSize": 0, "done": True, "records": []}
    [record] = api.query("SELECT COUNT(Id) FROM Contact")["records"]
    assert record == {"attributes": {"type": "AggregateResult"}, "expr0": 3}


def test_hidden_fields_are_unknown_to_the_api_but_not_to_the_handle(api: Api, org: PracticeOrg) -> None:
    org.set_field_access("Contact", "Lifecycle_Stage__c", visible=False)
    refused = api.get("query", q="SELECT Lifecycle_Stage__c FROM Contact")
    assert (refused.status_code, refused.json()[0]["errorCode"]) == (400, "INVALID_FIELD")
    assert org.rows("SELECT Lifecycle_Stage__c FROM Contact") == []


def test_every_answer_has_the_recorded_headers_and_the_orgs_time(api: Api, clock: FrozenClock) -> None:
    answer = api.get("query", q="SELECT Id FROM Contact")
    assert answer.headers["Date"] == "Mon, 04 May 2026 12:00:00 GMT"
    assert answer.headers["Content-Type"] == "application/json;charset=UTF-8"
    assert answer.headers["Sforce-Limit-Info"].startswith("api-usage=1/15000")
    assert "no-store" in answer.headers["Cache-Control"]


def test_the_limit_header_is_not_monotonic_and_may_have_more_parts(api: Api) -> None:
    shown = [api.get("limits").headers["Sforce-Limit-Info"] for _ in range(20)]
    used = [int(text.removeprefix("api-usage=").split("/")[0]) for text in shown]
    assert used != sorted(used)
    assert any("; per-app-api-usage=" in text for text in shown)


def test_versions_need_no_session_and_are_not_counted(api: Api, org: PracticeOrg) -> None:
    answer = requests.get(f"{api.server.url}/services/data/", timeout=10)
    assert {"label": "Spring '24", "url": "/services/data/v60.0", "version": "60.0"} in answer.json()
    assert {"label": "Summer '26", "url": "/services/data/v67.0", "version": "67.0"} in answer.json()
    assert "Sforce-Limit-Info" not in answer.headers
    assert org.calls["total"] == 0


def test_a_retired_version_is_gone_and_a_future_one_not_there(api: Api) -> None:
    gone = api.get("/services/data/v30.0/limits")
    assert (gone.status_code, gone.json()[0]["errorCode"]) == (410, "UNSUPPORTED_API_VERSION")
    assert api.get("/services/data/v99.0/limits").status_code == 404


def test_an_address_line_that_is_too_long_needs_a_composite(api: Api) -> None:
    long = "SELECT Id FROM Contact WHERE LastName IN (" + ", ".join(["'abcdefgh'"] * 1500) + ")"
    assert api.get("query", q=long).status_code == 414
    request = {"method": "GET", "url": f"/services/data/v67.0/query?q={long.replace(' ', '+')}", "referenceId": "q"}
    answer = api.call("POST", "composite", json={"compositeRequest": [request]})
    assert answer.json()["compositeResponse"][0]["httpStatusCode"] == 200


def test_gzip_is_understood_both_ways(api: Api, org: PracticeOrg) -> None:
    people(org, 50)
    answer = api.get("query", q=f"SELECT {FIELDS} FROM Contact")
    assert answer.headers["Content-Encoding"] == "gzip"
    body, headers = gzip.compress(b'{"LastName": "Packed"}'), {"Content-Encoding": "gzip"}
    assert api.call("POST", "sobjects/Contact", data=body, headers=headers).status_code == 201
    plain = api.call(
        "GET", "query", params={"q": f"SELECT {FIELDS} FROM Contact"}, headers={"Accept-Encoding": "identity"}
    )
    assert "Content-Encoding" not in plain.headers


def test_records_are_counted_by_object(api: Api, org: PracticeOrg) -> None:
    org.create("Contact", [{"LastName": "a"}, {"LastName": "b"}])
    assert api.get("limits/recordCount", sObjects="Contact,Nope,Lead").json() == {
        "sObjects": [{"count": 2, "name": "Contact"}, {"count": 0, "name": "Lead"}]
    }
    assert {"count": 2, "name": "Contact"} in api.get("limits/recordCount").json()["sObjects"]


def test_an_object_has_one_empty_layout_of_each_kind(api: Api) -> None:
    about = "sobjects/Contact/describe"
    found = api.get(f"{about}/layouts").json()
    [layout] = found["layouts"]
    assert (layout["relatedLists"], layout["quickActionList"]) == ([], {"quickActionListItems": []})
    assert found["recordTypeSelectorRequired"] == [False]
    compact = api.get(f"{about}/compactLayouts").json()
    assert [(one["objectType"], one["fieldItems"][0]["label"]) for one in compact["compactLayouts"]] == [
        ("Contact", "Name")
    ]
    assert api.get(f"{about}/approvalLayouts").json() == {"approvalLayouts": []}
    assert api.get("sobjects/User/describe/namedLayouts/UserAlt").json()["layouts"] == [layout]
    for absent in (
        "sobjects/Nope/describe/layouts",
        f"{about}/namedLayouts/UserAlt",
        "sobjects/X/describe/compactLayouts",
    ):
        assert api.get(absent).status_code == 404


def test_query_all_reads_archived_activities(api: Api, org: PracticeOrg) -> None:
    org.create("Task", [{"Subject": "old", "IsArchived": True}])
    assert api.query("SELECT Id FROM Task")["totalSize"] == 0
    assert api.get("queryAll", q="SELECT Subject FROM Task").json()["records"][0]["Subject"] == "old"


def test_a_query_is_explained_without_being_answered(api: Api, org: PracticeOrg) -> None:
    org.create("Contact", [{"LastName": name} for name in "aab"])
    [plan] = api.get("query", explain="SELECT Id FROM Contact WHERE LastName = 'a'").json()["plans"]
    assert (plan["cardinality"], plan["sobjectCardinality"], plan["sobjectType"]) == (2, 3, "Contact")
    assert api.get("query", explain="SELECT Nope FROM Contact").json()[0]["errorCode"] == "INVALID_FIELD"


def test_the_columns_of_a_query_are_told(api: Api) -> None:
    text = "SELECT Id, IsDeleted, Account.Name FROM Contact"
    told = api.get("query", q=text, columns="true").json()
    assert (told["entityName"], told["idSelected"], told["keyPrefix"]) == ("Contact", True, "003")
    first, flag, account = told["columnMetadata"]
    assert (first["columnName"], first["textType"], flag["booleanType"]) == ("Id", True, True)
    assert [one["columnName"] for one in account["joinColumns"]] == ["Name"]
    children = api.get("query", q="SELECT (SELECT LastName FROM Contacts) FROM Account", columns="true").json()
    [child] = children["columnMetadata"]
    assert (child["columnName"], child["aggregate"], child["joinColumns"][0]["columnName"]) == (
        "Contacts", True, "LastName",
    )  # fmt: skip
    [count] = api.get("query", q="SELECT COUNT(Id) n FROM Contact", columns="true").json()["columnMetadata"]
    assert (count["columnName"], count["aggregate"], count["numberType"]) == ("n", True, True)
