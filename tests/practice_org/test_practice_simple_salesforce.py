"""simple-salesforce from PyPI, as it is, against the practice org over TLS."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests
from simple_salesforce.api import Salesforce
from simple_salesforce.exceptions import SalesforceMalformedRequest, SalesforceResourceNotFound

from connector.base.clock import SystemClock
from practice_org.salesforce.org import PracticeOrg
from practice_org.salesforce.schema import FieldSpec
from practice_org.serving.server import Server


@pytest.fixture
def secure() -> Iterator[Server]:
    org = PracticeOrg()
    org.define("Contact", [FieldSpec("Ext__c", "string", length=40, external_id=True, unique=True)])
    with Server(org, tls=True) as server:
        yield server
    org.close()


@pytest.fixture
def session(secure: Server) -> Iterator[requests.Session]:
    with requests.Session() as session:
        session.verify = secure.ca_file
        session.trust_env = False
        yield session


@pytest.fixture
def sf(secure: Server, session: requests.Session) -> Any:  # its own types know nothing of "sf.Contact"
    token = secure.org.credentials.access_token
    return Salesforce(instance_url=secure.url, session_id=token, session=session, version="62.0")


def people(org: PracticeOrg, number: int) -> list[str]:
    rows = [{"LastName": f"Person {i}", "Email": f"p{i}@example.com", "DoNotCall": i % 2 == 0} for i in range(number)]
    return org.create("Contact", rows)


def test_query_gives_what_is_in_the_org(sf: Any, secure: Server) -> None:
    wanted = people(secure.org, 3)
    answer = sf.query("SELECT Id, LastName, DoNotCall FROM Contact ORDER BY LastName")
    assert [record["Id"] for record in answer["records"]] == wanted
    assert [record["DoNotCall"] for record in answer["records"]] == [True, False, True]
    assert answer["done"] is True


def test_query_all_iter_follows_the_locator_to_the_end(sf: Any, secure: Server) -> None:
    wanted = people(secure.org, 4500)
    found = [record["Id"] for record in sf.query_all_iter("SELECT Id FROM Contact ORDER BY Id")]
    assert found == sorted(wanted)
    assert secure.org.calls["query_more"] == 2


def test_query_all_with_deleted_reads_the_bin(sf: Any, secure: Server) -> None:
    kept, gone = people(secure.org, 2)
    secure.org.delete("Contact", [gone])
    found = sf.query_all("SELECT Id, IsDeleted FROM Contact", include_deleted=True)["records"]
    assert {record["Id"]: record["IsDeleted"] for record in found} == {kept: False, gone: True}
    assert [record["Id"] for record in sf.query_all("SELECT Id FROM Contact")["records"]] == [kept]


def test_a_record_is_made_read_changed_and_deleted(sf: Any, secure: Server) -> None:
    made = sf.Contact.create({"LastName": "Doe", "Email": "doe@example.com"})
    assert made["success"]
    assert sf.Contact.get(made["id"])["Email"] == "doe@example.com"
    assert sf.Contact.update(made["id"], {"Lifecycle_Stage__c": "Engaged"}) == 204
    assert secure.org.rows("SELECT Name, Lifecycle_Stage__c FROM Contact") == [
        {"Name": "Doe", "Lifecycle_Stage__c": "Engaged"}
    ]
    assert sf.Contact.delete(made["id"]) == 204
    with pytest.raises(SalesforceResourceNotFound):
        sf.Contact.get(made["id"])


def test_upsert_creates_then_changes(sf: Any, secure: Server) -> None:
    assert sf.Contact.upsert("Ext__c/a b", {"LastName": "First"}) == 201
    assert sf.Contact.upsert("Ext__c/a b", {"LastName": "Second"}) == 200
    assert secure.org.rows("SELECT LastName, Ext__c FROM Contact") == [{"LastName": "Second", "Ext__c": "a b"}]


def test_describe_limits_and_the_global_list_are_understood(sf: Any) -> None:
    fields = {field["name"]: field for field in sf.Lead.describe()["fields"]}
    assert fields["Status"]["type"] == "picklist"
    assert sf.limits()["DailyApiRequests"]["Max"] == 15000
    assert "OpportunityContactRole" in {one["name"] for one in sf.describe()["sobjects"]}
    assert sf.api_usage["api-usage"].total == 15000


def test_updated_and_deleted_list_the_window(sf: Any, secure: Server) -> None:
    kept, gone = people(secure.org, 2)
    secure.org.delete("Contact", [gone])
    now = SystemClock().now()
    window = now - timedelta(hours=1), now + timedelta(minutes=5)
    assert sf.Contact.updated(*window)["ids"] == [kept]
    assert [one["id"] for one in sf.Contact.deleted(*window)["deletedRecords"]] == [gone]


def test_a_refusal_carries_salesforces_code(sf: Any) -> None:
    with pytest.raises(SalesforceMalformedRequest) as caught:
        sf.query("SELECT Nope FROM Contact")
    content: Any = caught.value.content
    assert content[0]["errorCode"] == "INVALID_FIELD"


def test_bulk2_query_reads_every_row_in_pages(sf: Any, secure: Server) -> None:
    wanted = people(secure.org, 2500)
    pages = list(sf.bulk2.Contact.query("SELECT Id, LastName, DoNotCall FROM Contact", max_records=1000, wait=0))
    rows = [row for page in pages for row in csv.DictReader(io.StringIO(page))]
    assert len(pages) == 3
    assert [row["Id"] for row in rows] == wanted
    assert {row["DoNotCall"] for row in rows} == {"true", "false"}


def test_bulk2_ingest_says_which_rows_failed(sf: Any, secure: Server) -> None:
    first, second = people(secure.org, 2)
    records = [{"Id": first, "Lifecycle_Stage__c": "Customer"}, {"Id": second, "Email": "no address"}]
    records = [{"Lifecycle_Stage__c": "", "Email": "", **record} for record in records]
    done = sf.bulk2.Contact.update(records=records, wait=0)
    assert [(one["numberRecordsProcessed"], one["numberRecordsFailed"]) for one in done] == [(2, 1)]
    failed = list(csv.DictReader(io.StringIO(sf.bulk2.Contact.get_failed_records(done[0]["job_id"]))))
    assert failed[0]["Id"] == second
    assert failed[0]["sf__Error"].startswith("INVALID_EMAIL_ADDRESS:")
    stages = secure.org.rows("SELECT Lifecycle_Stage__c FROM Contact ORDER BY Id")
    assert [row["Lifecycle_Stage__c"] for row in stages] == ["Customer", None]


def test_bulk2_inserts_and_upserts(sf: Any, secure: Server) -> None:
    sf.bulk2.Contact.insert(records=[{"LastName": "A", "Ext__c": "1"}, {"LastName": "B", "Ext__c": "2"}], wait=0)
    changed = [{"LastName": "B2", "Ext__c": "2"}, {"LastName": "C", "Ext__c": "3"}]
    sf.bulk2.Contact.upsert(records=changed, external_id_field="Ext__c", wait=0)
    found = secure.org.rows("SELECT LastName, Ext__c FROM Contact ORDER BY Ext__c")
    assert [(row["LastName"], row["Ext__c"]) for row in found] == [("A", "1"), ("B2", "2"), ("C", "3")]


def test_signing_in_with_a_key_goes_to_the_login_host(secure: Server, session: requests.Session) -> None:
    """simple-salesforce asks login.salesforce.com; here only its assertion is borrowed, and sent to the org."""
    credentials = secure.org.credentials
    import jwt  # noqa: PLC0415 - used by this test only

    claims = {
        "iss": credentials.client_id,
        "sub": credentials.username,
        "aud": "https://login.salesforce.com",
        "exp": int((datetime.now(UTC) + timedelta(minutes=3)).timestamp()),  # noqa: TID251 - a third-party client's clock
    }
    assertion = jwt.encode(claims, credentials.private_key_file.read_bytes(), algorithm="RS256")
    form = {"grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer", "assertion": assertion}
    answer = session.post(f"{secure.url}/services/oauth2/token", data=form, timeout=30).json()
    again = Salesforce(instance_url=answer["instance_url"], session_id=answer["access_token"], session=session)
    assert again.query("SELECT COUNT() FROM User")["totalSize"] == 1
