"""Bulk API 2.0 over HTTP."""

from __future__ import annotations

import csv
import io
from datetime import timedelta
from typing import Any

import pytest
import requests

from connector.base.clock import FrozenClock
from practice_org.salesforce.org import PracticeOrg
from practice_org.salesforce.schema import FieldSpec
from practice_org.serving.server import Server
from tests.practice_org.practice_api import Api


@pytest.fixture
def people(org: PracticeOrg) -> list[str]:
    [account] = org.create("Account", [{"Name": 'Acme "A", Inc'}])
    return org.create("Contact", [{"LastName": f"P{i}", "AccountId": account if i == 0 else None} for i in range(25)])


def started(api: Api, soql: str, operation: str = "query") -> dict[str, Any]:
    answer = api.call("POST", "jobs/query", json={"operation": operation, "query": soql})
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_a_query_job_is_made_watched_and_read_in_pages(api: Api, org: PracticeOrg, people: list[str]) -> None:
    job = started(api, "SELECT Id, Account.Name, DoNotCall, SystemModstamp FROM Contact ORDER BY Id")
    assert (job["state"], job["object"], job["apiVersion"]) == ("UploadComplete", "Contact", 67.0)
    org.faults.on("slow_job", times=1)
    path = f"jobs/query/{job['id']}"
    assert api.get(f"{path}/results").status_code == 204
    shown = [api.get(path).json() for _ in range(2)]
    assert [one["state"] for one in shown] == ["InProgress", "JobComplete"]
    assert shown[1]["numberRecordsProcessed"] == 25
    rows: list[dict[str, str]] = []
    pages, locator = [], ""
    while locator != "null":
        answer = api.get(f"{path}/results", maxRecords="10", **({"locator": locator} if locator else {}))
        assert answer.headers["Content-Type"] == "text/csv"
        pages.append(int(answer.headers["Sforce-NumberOfRecords"]))
        locator = answer.headers["Sforce-Locator"]
        rows += csv.DictReader(io.StringIO(answer.text))
    assert pages == [10, 10, 5]
    assert rows[0] == {
        "Id": people[0], "Account.Name": 'Acme "A", Inc', "DoNotCall": "false",
        "SystemModstamp": "2026-05-04T12:00:00.000Z",
    }  # fmt: skip
    assert rows[1]["Account.Name"] == ""
    assert [row["Id"] for row in rows] == people
    assert (
        api.get(f"{path}/results", maxRecords="1").text.splitlines()[0]
        == '"Id","Account.Name","DoNotCall","SystemModstamp"'
    )


def test_query_all_jobs_read_deleted_rows(api: Api, org: PracticeOrg, people: list[str]) -> None:
    org.delete("Contact", people[:5])
    counts = []
    for operation in ("query", "queryAll"):
        job = started(api, "SELECT Id FROM Contact", operation)
        counts.append(api.get(f"jobs/query/{job['id']}").json()["numberRecordsProcessed"])
    assert counts == [20, 25]


@pytest.mark.parametrize(
    "soql",
    [
        "SELECT COUNT(Id) FROM Contact",
        "SELECT Title FROM Contact GROUP BY Title",
        "SELECT Id FROM Contact OFFSET 5",
        "SELECT Id, (SELECT Id FROM Contacts) FROM Account",
        "SELECT MailingAddress FROM Contact",
        "SELECT MasterLabel FROM TaskStatus",
        "SELECT Nope FROM Contact",
        "SELECT",
    ],
)
def test_what_bulk_cannot_query_is_refused(api: Api, soql: str) -> None:
    answer = api.call("POST", "jobs/query", json={"operation": "query", "query": soql})
    assert answer.status_code == 400
    assert answer.json()[0]["errorCode"]


def test_jobs_are_listed_aborted_deleted_and_bound_to_their_version(api: Api, people: list[str]) -> None:
    job = started(api, "SELECT Id FROM Contact")
    path = f"jobs/query/{job['id']}"
    assert [one["id"] for one in api.get("jobs/query").json()["records"]] == [job["id"]]
    assert api.get(f"/services/data/v60.0/{path}").status_code == 409
    assert api.call("PATCH", path, json={"state": "Aborted"}).json()["state"] == "Aborted"
    assert api.call("PATCH", path, json={"state": "Aborted"}).status_code == 400
    assert api.call("DELETE", path).status_code == 204
    assert api.get(path).status_code == 404


def ingest(api: Api, text: str, operation: str = "update", **settings: Any) -> tuple[str, dict[str, Any]]:
    job = api.call("POST", "jobs/ingest", json={"object": "Contact", "operation": operation, **settings}).json()
    path = f"jobs/ingest/{job['id']}"
    assert job["state"] == "Open"
    assert job["contentUrl"] == f"services/data/v67.0/{path}/batches"
    headers = {"Content-Type": "text/csv"}
    uploaded = api.call("PUT", "/" + job["contentUrl"], data=text.encode(), headers=headers)
    assert (uploaded.status_code, uploaded.content) == (201, b"")
    assert api.call("PUT", "/" + job["contentUrl"], data=b"again").status_code == 400
    assert api.call("PATCH", path, json={"state": "UploadComplete"}).json()["state"] == "UploadComplete"
    assert api.get(f"{path}/successfulResults").status_code == 204
    return path, api.get(path).json()


def test_a_complete_job_may_hold_failed_rows(api: Api, org: PracticeOrg, people: list[str]) -> None:
    org.update("Contact", [{"Id": people[0], "Title": "Old", "Phone": "1"}])
    text = f"Id,Title,Email,Phone\n{people[0]},,,#N/A\n{people[1]},CEO,bad,\n003000000000000AAA,x,,\n"
    path, job = ingest(api, text)
    assert (job["state"], job["numberRecordsProcessed"], job["numberRecordsFailed"]) == ("JobComplete", 3, 2)
    good = list(csv.DictReader(io.StringIO(api.get(f"{path}/successfulResults/").text)))
    bad = list(csv.DictReader(io.StringIO(api.get(f"{path}/failedResults/").text)))
    assert [(row["sf__Id"], row["sf__Created"]) for row in good] == [(people[0], "false")]
    assert [row["sf__Error"].split(":")[0] for row in bad] == ["INVALID_EMAIL_ADDRESS", "INVALID_CROSS_REFERENCE_KEY"]
    assert bad[0]["sf__Error"] == "INVALID_EMAIL_ADDRESS:Email: invalid email address: bad:Email --"
    assert api.get(f"{path}/unprocessedrecords/").text == '"Id","Title","Email","Phone"\n'
    # an empty cell leaves the field, #N/A clears it
    assert org.rows(f"SELECT Title, Phone FROM Contact WHERE Id = '{people[0]}'") == [{"Title": "Old", "Phone": None}]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("Id,Nope\n003000000000000AAA,x\n", "Field name not found : Nope"),
        ("Id,Title\r\n003000000000000AAA,x\r\n", "LineEnding is invalid"),
        ("Id,Title\n003000000000000AAA\n", "number of columns"),
    ],
)
def test_a_file_that_cannot_be_read_fails_the_job(api: Api, text: str, message: str) -> None:
    _, job = ingest(api, text)
    assert job["state"] == "Failed"
    assert message in job["errorMessage"]


def test_rows_are_inserted_upserted_and_deleted(api: Api, org: PracticeOrg) -> None:
    org.define("Contact", [FieldSpec("Ext__c", "string", external_id=True)])
    ingest(api, "LastName;Ext__c\r\nA;1\r\n", "insert", columnDelimiter="SEMICOLON", lineEnding="CRLF")
    path, _ = ingest(api, "LastName,Ext__c\nA2,1\nB,2\n", "upsert", externalIdFieldName="Ext__c")
    done = list(csv.DictReader(io.StringIO(api.get(f"{path}/successfulResults").text)))
    assert [row["sf__Created"] for row in done] == ["false", "true"]
    ingest(api, f"Id\n{done[0]['sf__Id']}\n", "delete")
    ingest(api, f"Id\n{done[1]['sf__Id']}\n", "hardDelete")
    assert org.rows("SELECT LastName, IsDeleted FROM Contact", all_rows=True) == [{"LastName": "A2", "IsDeleted": True}]


def test_a_job_that_makes_no_sense_is_refused(api: Api) -> None:
    for body in (
        {"object": "Contact", "operation": "replace"},
        {"object": "Nope", "operation": "insert"},
        {"object": "Contact", "operation": "upsert", "externalIdFieldName": "Title"},
        {"object": "Contact", "operation": "insert", "columnDelimiter": "COLON"},
    ):
        assert api.call("POST", "jobs/ingest", json=body).status_code == 400
    job = api.call("POST", "jobs/ingest", json={"object": "Contact", "operation": "insert"}).json()
    assert api.call("PATCH", f"jobs/ingest/{job['id']}", json={"state": "UploadComplete"}).status_code == 400


def test_an_upload_with_nothing_in_it_is_a_job_of_no_rows(api: Api) -> None:
    for text in ("", "Id,Title\n"):
        path, job = ingest(api, text)
        assert (job["state"], job["numberRecordsProcessed"], job["numberRecordsFailed"]) == ("JobComplete", 0, 0)
        assert api.get(f"{path}/failedResults").status_code == 200


def test_rows_that_were_not_worked_are_read_under_both_spellings(api: Api) -> None:
    path, _ = ingest(api, "Id,Title\n")
    texts = {api.get(f"{path}/{name}/").text for name in ("unprocessedrecords", "unprocessedRecords")}
    assert texts == {'"Id","Title"\n'}


def test_rows_are_upserted_by_id(api: Api, org: PracticeOrg, people: list[str]) -> None:
    text = f"Id,LastName\n{people[0]},Changed\n,Fresh\n003000000000000AAA,Gone\n"
    path, job = ingest(api, text, "upsert", externalIdFieldName="Id")
    assert (job["numberRecordsProcessed"], job["numberRecordsFailed"]) == (3, 1)
    done = list(csv.DictReader(io.StringIO(api.get(f"{path}/successfulResults").text)))
    assert [row["sf__Created"] for row in done] == ["false", "true"]


def test_a_parent_is_named_by_its_external_id(api: Api, org: PracticeOrg) -> None:
    org.define("Account", [FieldSpec("Ext__c", "string", external_id=True)])
    org.create("Account", [{"Name": "Acme", "Ext__c": "A1"}])
    _, job = ingest(api, "LastName,Account.Ext__c\nAda,A1\nBo,none\n", "insert")
    assert (job["numberRecordsProcessed"], job["numberRecordsFailed"]) == (2, 1)
    assert org.rows("SELECT Account.Name FROM Contact WHERE LastName = 'Ada'")[0]["Account"]["Name"] == "Acme"


def test_results_may_be_read_side_by_side(api: Api, people: list[str]) -> None:
    job = started(api, "SELECT Id FROM Contact")
    path = f"jobs/query/{job['id']}"
    assert api.get(f"{path}/resultPages").status_code == 204
    assert api.get(path).json()["state"] == "JobComplete"
    found = api.get(f"{path}/resultPages").json()
    assert (len(found["resultPages"]), found["done"]) == (1, True)
    assert api.get(found["resultPages"][0]["resultUrl"]).text.count("\n") == len(people) + 1


def limited(server: Server, **values: int) -> None:
    assert requests.post(f"{server.url}/practice/settings", json=values, timeout=10).status_code == 200


def test_an_upload_is_at_most_150_megabytes_as_base64(server: Server, api: Api, org: PracticeOrg) -> None:
    assert requests.get(f"{server.url}/practice/settings", timeout=10).json()["bulk_megabytes"] == 150
    limited(server, bulk_megabytes=1)
    job = api.call("POST", "jobs/ingest", json={"object": "Contact", "operation": "insert"}).json()
    rows = b"LastName\n" + b"A\n" * 400_000
    refused = api.call("PUT", "/" + job["contentUrl"], data=rows)
    assert (refused.status_code, refused.json()[0]["errorCode"]) == (400, "EXCEEDED_MAX_SIZE_REQUEST")
    assert "1MB" in refused.json()[0]["message"]
    assert api.call("PUT", "/" + job["contentUrl"], data=rows[:740_000]).status_code == 201


@pytest.mark.parametrize("kind", ["query", "ingest"])
def test_a_job_that_takes_longer_than_ten_minutes_fails(
    server: Server, api: Api, org: PracticeOrg, clock: FrozenClock, kind: str
) -> None:
    org.faults.on("slow_job")
    if kind == "query":
        path = f"jobs/query/{started(api, 'SELECT Id FROM Contact')['id']}"
        assert api.get(path).json()["state"] == "InProgress"
    else:
        path, job = ingest(api, "LastName\nAda\n", "insert")
        assert job["state"] == "InProgress"
    clock.at += timedelta(minutes=10)
    assert api.get(path).json()["state"] == "InProgress"
    clock.at += timedelta(seconds=1)
    told = api.get(path).json()
    assert (told["state"], told["retries"], "10 minutes" in told["errorMessage"]) == ("Failed", 10, True)
    assert org.rows("SELECT Id FROM Contact") == []
    if kind == "ingest":
        assert api.get(f"{path}/unprocessedrecords").text == "LastName\nAda\n"


def test_the_minutes_of_a_job_are_a_setting(server: Server, api: Api, org: PracticeOrg, clock: FrozenClock) -> None:
    limited(server, bulk_minutes=30)
    org.faults.on("slow_job", times=1)
    path = f"jobs/query/{started(api, 'SELECT Id FROM Contact')['id']}"
    api.get(path)
    clock.at += timedelta(minutes=29)
    assert api.get(path).json()["state"] == "JobComplete"
