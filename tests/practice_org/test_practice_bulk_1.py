"""Bulk API 1.0 over HTTP: as a client with JSON asks, and as one with XML and CSV."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest
import requests
from simple_salesforce.api import Salesforce
from simple_salesforce.exceptions import SalesforceMalformedRequest

from practice_org.salesforce.org import PracticeOrg
from practice_org.salesforce.schema import FieldSpec
from practice_org.serving.server import Server

JOB = (
    '<?xml version="1.0" encoding="UTF-8"?><jobInfo xmlns="http://www.force.com/2009/06/asyncapi/dataload">'
    "<operation>{}</operation><object>Contact</object>{}<contentType>CSV</contentType></jobInfo>"
)


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    org = PracticeOrg()
    org.define("Contact", [FieldSpec("Ext__c", "string", length=40, external_id=True, unique=True)])
    with Server(org) as server:
        yield server
    org.close()


@pytest.fixture
def org(server: Server) -> PracticeOrg:
    server.org.faults.off()
    server.org.delete("Contact", [row["Id"] for row in server.org.rows("SELECT Id FROM Contact")])
    return server.org


class Old:
    """A client that speaks XML about jobs and CSV about rows."""

    def __init__(self, server: Server, session: requests.Session) -> None:
        self.session, self.base = session, f"{server.url}/services/async/60.0/job"
        session.headers["X-SFDC-Session"] = server.org.credentials.access_token

    def call(self, method: str, path: str, text: str = "", kind: str = "application/xml") -> requests.Response:
        headers = {"Content-Type": f"{kind}; charset=UTF-8"}
        return self.session.request(method, self.base + path, data=text.encode(), headers=headers, timeout=10)

    def job(self, operation: str, more: str = "") -> str:
        made = self.call("POST", "", JOB.format(operation, more))
        assert (made.status_code, tag(made, "state")) == (201, "Open"), made.text
        return f"/{tag(made, 'id')}"

    def batch(self, job: str, text: str) -> str:
        made = self.call("POST", f"{job}/batch", text, "text/csv")
        assert (made.status_code, tag(made, "state")) == (201, "Queued")
        return f"{job}/batch/{tag(made, 'id')}"

    def rows(self, path: str) -> list[dict[str, str]]:
        return list(csv.DictReader(io.StringIO(self.call("GET", f"{path}/result").text)))


def tag(response: requests.Response, name: str) -> str:
    found = re.search(rf"<{name}>([^<]*)</{name}>", response.text)
    assert found, response.text
    return found[1]


@pytest.fixture
def old(server: Server) -> Iterator[Old]:
    with requests.Session() as session:
        yield Old(server, session)


@pytest.fixture
def bulk(server: Server) -> Iterator[Any]:
    with requests.Session() as session:
        plain = Salesforce(instance_url=server.url, session_id=server.org.credentials.access_token, session=session)
        handler = plain.bulk
        handler.bulk_url = handler.bulk_url.replace("https://", "http://")
        yield handler.Contact


def test_simple_salesforce_writes_and_reads_in_bulk(org: PracticeOrg, bulk: Any) -> None:
    made = bulk.insert([{"LastName": "Ada", "Ext__c": "1"}, {"FirstName": "no last name"}])
    assert [each["success"] for each in made] == [True, False]
    assert made[1]["errors"][0]["statusCode"] == "REQUIRED_FIELD_MISSING"
    changed = bulk.upsert([{"Ext__c": "1", "LastName": "Bo"}, {"Ext__c": "2", "LastName": "Cy"}], "Ext__c")
    assert [(each["success"], each["created"]) for each in changed] == [(True, False), (True, True)]
    bulk.update([{"Id": made[0]["id"], "Title": "CEO"}])
    found = bulk.query("SELECT Id, LastName, Title, CreatedDate FROM Contact ORDER BY LastName")
    [at] = {row["CreatedDate"] for row in org.rows("SELECT CreatedDate FROM Contact WHERE LastName = 'Bo'")}
    assert found[0]["CreatedDate"] == datetime.fromisoformat(at).timestamp() * 1000
    assert [(each["LastName"], each["Title"]) for each in found] == [("Bo", "CEO"), ("Cy", None)]
    bulk.delete([{"Id": made[0]["id"]}])
    assert [row["LastName"] for row in org.rows("SELECT LastName FROM Contact")] == ["Cy"]
    assert len(bulk.query_all("SELECT Id FROM Contact WHERE LastName = 'Bo'")) == 1


def test_rows_come_and_go_as_csv_under_jobs_in_xml(org: PracticeOrg, old: Old) -> None:
    job = old.job("insert")
    path = old.batch(job, 'LastName,Email\n"Ada","ada@example.com"\n"","b@example.com"\n')
    assert tag(old.call("GET", path), "state") == "Completed"
    good, bad = old.rows(path)
    assert (good["Success"], good["Created"], good["Error"]) == ("true", "true", "")
    assert (bad["Id"], bad["Success"], bad["Error"].partition(":")[0]) == ("", "false", "REQUIRED_FIELD_MISSING")
    told = old.call("GET", job)
    assert (tag(told, "numberRecordsProcessed"), tag(told, "numberRecordsFailed")) == ("2", "1")
    assert tag(old.call("POST", job, "<jobInfo><state>Closed</state></jobInfo>"), "state") == "Closed"
    assert tag(old.call("POST", f"{job}/batch", "LastName\nB\n", "text/csv"), "exceptionCode") == "InvalidJobState"
    assert [row["Email"] for row in org.rows("SELECT Email FROM Contact")] == ["ada@example.com"]


def test_a_query_is_a_batch_whose_result_has_an_id(org: PracticeOrg, old: Old) -> None:
    org.create("Contact", [{"LastName": "Ada", "DoNotCall": True}])
    path = old.batch(old.job("query"), "SELECT LastName, DoNotCall, Account.Name FROM Contact")
    listed = old.call("GET", path.rpartition("/")[0])
    assert tag(listed, "state") == "Completed"
    part = tag(old.call("GET", f"{path}/result"), "result")
    text = old.call("GET", f"{path}/result/{part}").text
    assert text.splitlines() == ['"LastName","DoNotCall","Account.Name"', '"Ada","true",""']
    assert old.call("GET", f"{path}/request").text.startswith("SELECT LastName")


def test_a_batch_that_cannot_run_says_why(org: PracticeOrg, old: Old) -> None:
    for operation, text, why in (
        ("query", "SELECT Nope FROM Contact", "Nope"),
        ("query", "SELECT Id FROM Lead", "Contact"),
        ("insert", "LastName,Email\nAda\n", "number of columns"),
        ("insert", "LastName\n" + "A\n" * 10_001, "10000"),
    ):
        path = old.batch(old.job(operation), text)
        told = old.call("GET", path)
        assert tag(told, "state") == "Failed"
        assert why in tag(told, "stateMessage")
        assert tag(old.call("GET", f"{path}/result"), "exceptionCode") == "InvalidBatch"


def test_a_batch_with_nothing_in_it_is_the_clients_mistake(old: Old) -> None:
    refused = old.call("POST", f"{old.job('update')}/batch", "", "text/csv")
    assert (refused.status_code, tag(refused, "exceptionCode")) == (400, "ClientInputError")


def test_an_aborted_job_leaves_what_waits_undone(org: PracticeOrg, old: Old) -> None:
    job = old.job("insert")
    path = old.batch(job, "LastName\nAda\n")
    old.call("POST", job, "<jobInfo><state>Aborted</state></jobInfo>")
    assert tag(old.call("GET", path), "state") == "NotProcessed"
    assert org.rows("SELECT Id FROM Contact") == []


def test_a_slow_job_is_in_progress_for_some_looks(org: PracticeOrg, old: Old) -> None:
    path = old.batch(old.job("insert"), "LastName\nAda\n")
    org.faults.on("slow_job", times=2)
    states = [tag(old.call("GET", path), "state") for _ in range(3)]
    assert states == ["InProgress", "InProgress", "Completed"]


def test_who_is_not_signed_in_is_told_in_the_words_that_clients_look_for(server: Server, old: Old, bulk: Any) -> None:
    old.session.headers["X-SFDC-Session"] = "nobody"
    refused = old.call("GET", "/750000000000001AAA")
    assert (refused.status_code, tag(refused, "exceptionCode")) == (400, "InvalidSessionId")
    bulk.headers["X-SFDC-Session"] = "nobody"
    with pytest.raises(SalesforceMalformedRequest, match="InvalidSessionId"):
        bulk.insert([{"LastName": "Ada"}])


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (JOB.format("explode", ""), "Unknown operation"),
        (JOB.format("upsert", "<externalIdFieldName>Title</externalIdFieldName>"), "externalIdFieldName"),
        (JOB.format("insert", "").replace("Contact", "Nope"), "Nope"),
        (JOB.format("insert", "").replace("CSV", "XML"), "XML"),
        ("no xml", "parse"),
    ],
)
def test_a_job_that_cannot_be_is_refused(old: Old, body: str, why: str) -> None:
    refused = old.call("POST", "", body)
    assert (refused.status_code, tag(refused, "exceptionCode")) == (400, "InvalidJob")
    assert why in tag(refused, "exceptionMessage")
    assert tag(old.call("GET", "/7501"), "exceptionCode") == "InvalidJob"
    assert tag(old.call("GET", ""), "exceptionCode")
