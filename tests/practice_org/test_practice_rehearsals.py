"""An outage, a rule or a missing right can be rehearsed from outside, over HTTP alone."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import requests

from practice_org.practice import Practice, serve
from practice_org.salesforce.faults import KINDS
from practice_org.salesforce.refusals import (
    ELSEWHERE,
    OF_HUBSPOT,
    OF_MARKETO,
    OF_PARDOT,
    OF_REQUESTS,
    OF_ROWS,
    OF_SIGN_IN,
)
from practice_org.serving.server import Server
from tests.practice_org.practice_api import Api

PAGE = Path(__file__).parents[2] / "docs" / "practice-faults.md"
Ask = Callable[..., Any]


@pytest.fixture
def practice(server: Server) -> Ask:
    """``practice("POST", "faults", kind=...)``: the answer, which has to be a good one."""

    def ask(method: str, what: str, **body: Any) -> Any:
        answer = requests.request(method, f"{server.url}/practice/{what}", json=body, timeout=10)
        assert answer.ok, answer.text
        return answer.json() if answer.content else None

    return ask


@pytest.fixture
def ada(api: Api) -> str:
    return str(
        api.call("POST", "sobjects/Contact", json={"LastName": "Ada", "Email": "ada@practice.example"}).json()["id"]
    )


def code(answer: requests.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()[0]["errorCode"]


def change(api: Api, record: str, **values: Any) -> requests.Response:
    return api.call("PATCH", f"sobjects/Contact/{record}", json=values)


@pytest.mark.parametrize("wanted", OF_REQUESTS)
def test_every_code_of_a_request_can_be_had(api: Api, practice: Ask, wanted: str) -> None:
    practice("POST", "faults", kind="refusal", code=wanted, times=1)
    answer = api.get("limits")
    assert code(answer) == (OF_REQUESTS[wanted][0], wanted)
    assert answer.json()[0]["message"] == OF_REQUESTS[wanted][1]
    assert api.get("limits").status_code == 200


@pytest.mark.parametrize("wanted", OF_ROWS)
def test_every_code_of_a_row_can_be_had(api: Api, practice: Ask, ada: str, wanted: str) -> None:
    practice("POST", "faults", kind="row_error", code=wanted, object="contact", field="Title")
    assert code(change(api, ada, Title="x")) in {(OF_ROWS[wanted][0], wanted), (404, "NOT_FOUND")}
    rows = [{"attributes": {"type": "Contact"}, "id": ada, "Title": "x"}]
    [told] = api.call("PATCH", "composite/sobjects", json={"records": rows}).json()
    assert told["errors"] == [{"statusCode": wanted, "message": OF_ROWS[wanted][1], "fields": ["Title"]}]
    practice("DELETE", "faults", kind="row_error")
    assert change(api, ada, Title="x").status_code == 204


@pytest.mark.parametrize("error", OF_SIGN_IN)
def test_every_refusal_to_sign_in_can_be_had(server: Server, practice: Ask, error: str) -> None:
    practice("POST", "faults", kind="sign_in", error=error, times=1)
    form = {"grant_type": "client_credentials", "client_id": server.org.credentials.client_id,
            "client_secret": server.org.credentials.client_secret}  # fmt: skip
    url = f"{server.url}/services/oauth2/token"
    told = requests.post(url, data=form, timeout=10)
    assert (told.status_code, told.json()) == (400, {"error": error, "error_description": OF_SIGN_IN[error]})
    assert requests.post(url, data=form, timeout=10).status_code == 200


@pytest.fixture(scope="module")
def four() -> Iterator[Practice]:
    with serve(systems=("pardot", "marketo", "hubspot")) as practice:
        assert practice.marketo is not None
        practice.marketo.switches = replace(practice.marketo.switches, rate_limit=0)
        yield practice


def ask_system(four: Practice, code: str) -> tuple[int, str]:
    """Status and code of a read of the system that a code is of."""
    assert four.marketo is not None
    assert four.hubspot is not None
    if code in OF_MARKETO:
        token = four.marketo.tokens.issue(four.org.clock.now(), 3600)[0]
        answer = bearing(four, "/rest/v1/activities/types.json", token)
        return answer.status_code, next(iter(answer.json().get("errors", [{}]))).get("code", "")
    if code in OF_HUBSPOT:
        answer = bearing(four, "/crm/v3/objects/contacts", four.hubspot.token)
        return answer.status_code, answer.json().get("category", "")
    unit = {"Pardot-Business-Unit-Id": four.pardot.business_unit_id}
    answer = bearing(four, "/api/v5/objects/prospects?fields=id", four.org.credentials.access_token, **unit)
    return answer.status_code, str(answer.json().get("code", ""))


def bearing(four: Practice, path: str, token: str, **headers: str) -> requests.Response:
    return requests.get(four.url + path, headers={"Authorization": f"Bearer {token}", **headers}, timeout=10)


@pytest.mark.parametrize("wanted", ELSEWHERE)
def test_every_code_of_a_marketing_system_can_be_had_and_leaves_the_others_alone(four: Practice, wanted: str) -> None:
    body = {"kind": "refusal", "code": wanted, "times": 1}
    assert requests.post(f"{four.url}/practice/faults", json=body, timeout=10).status_code == 200
    assert bearing(four, "/services/data/v67.0/limits", four.org.credentials.access_token).status_code == 200
    assert ask_system(four, wanted) == (ELSEWHERE[wanted][0], wanted)
    assert ask_system(four, wanted) == (200, "")


def test_a_refusal_of_salesforce_leaves_the_marketing_systems_alone(four: Practice) -> None:
    requests.post(f"{four.url}/practice/faults", json={"kind": "refusal", "code": "QUERY_TIMEOUT"}, timeout=10)
    assert [ask_system(four, next(iter(codes))) for codes in (OF_MARKETO, OF_HUBSPOT, OF_PARDOT)] == [(200, "")] * 3
    requests.delete(f"{four.url}/practice/faults", timeout=10)
    status = {"kind": "refusal", "status": 423, "path": "/crm/", "times": 1}
    requests.post(f"{four.url}/practice/faults", json=status, timeout=10)
    assert ask_system(four, "CONFLICT")[0] == 423


@pytest.mark.parametrize(
    ("body", "kind", "text"),
    [
        ("html", "text/html", "<html>"),
        ("xml", "application/xml;charset=UTF-8", "<errorCode>API_ERROR<"),
        ("empty", None, ""),
    ],
)
def test_a_refusal_need_not_be_json(api: Api, practice: Ask, body: str, kind: str | None, text: str) -> None:
    practice("POST", "faults", kind="refusal", code="API_ERROR", status=429, body=body)
    answer = api.get("limits")
    assert (answer.status_code, answer.headers.get("Content-Type")) == (429, kind)
    assert text in answer.text


def test_a_refusal_strikes_inside_a_composite_too(api: Api, practice: Ask) -> None:
    practice("POST", "faults", kind="refusal", code="QUERY_TIMEOUT", path="/query")
    url = "/services/data/v67.0/query?q=SELECT+Id+FROM+Lead"
    part = {"method": "GET", "url": url, "referenceId": "one"}
    [told] = api.call("POST", "composite", json={"compositeRequest": [part]}).json()["compositeResponse"]
    assert (told["httpStatusCode"], told["body"][0]["errorCode"]) == (400, "QUERY_TIMEOUT")


def test_a_validation_rule_asks_what_the_row_would_be(api: Api, practice: Ask, ada: str) -> None:
    rule = {"kind": "row_error", "object": "Contact", "when": "Title = 'x' AND Email != null", "field": "Title"}
    practice("POST", "faults", **rule, message="no such title")
    practice("POST", "faults", **rule, message="nor this one", changed="Title")
    answer = change(api, ada, Title="X")
    assert [one["message"] for one in answer.json()] == ["no such title", "nor this one"]
    assert change(api, ada, Title="x", Email=None).status_code == 204
    assert [one["message"] for one in change(api, ada, Email="ada@practice.example").json()] == ["no such title"]
    assert api.query("SELECT Email FROM Contact")["records"][0]["Email"] is None


def test_some_rows_of_many_are_refused(api: Api, practice: Ask, ada: str) -> None:
    practice(
        "POST", "faults", kind="row_error", object="Contact", when="Account.Name = 'Acme'", code="ENTITY_IS_LOCKED"
    )
    acme = api.call("POST", "sobjects/Account", json={"Name": "Acme"}).json()["id"]
    rows = [{"attributes": {"type": "Contact"}, "LastName": "B", "AccountId": each} for each in (acme, None)]
    told = api.call("POST", "composite/sobjects", json={"records": rows}).json()
    assert [one["success"] for one in told] == [False, True]


def test_a_removal_can_be_refused(api: Api, practice: Ask, ada: str) -> None:
    practice("POST", "faults", kind="row_error", object="Contact", code="DELETE_FAILED", on=["delete"], times=1)
    assert change(api, ada, Title="x").status_code == 204
    assert code(api.call("DELETE", f"sobjects/Contact/{ada}")) == (400, "DELETE_FAILED")
    assert api.call("DELETE", f"sobjects/Contact/{ada}").status_code == 204


def test_a_duplicate_rule_warns_or_blocks(api: Api, practice: Ask, ada: str) -> None:
    practice("POST", "faults", kind="duplicate_rule", object="Contact", fields=["Email"], allow_save=True)
    double = {"LastName": "Ada", "Email": "ADA@practice.example"}
    saves = {"Sforce-Duplicate-Rule-Header": "allowSave=true"}
    assert code(api.call("POST", "sobjects/Contact", json=double)) == (400, "DUPLICATES_DETECTED")
    assert api.call("POST", "sobjects/Contact", json=double, headers=saves).status_code == 201
    assert change(api, ada, Title="x").status_code == 204
    practice("POST", "faults", kind="duplicate_rule", object="Contact", fields=["Email"])
    assert api.call("POST", "sobjects/Contact", json=double, headers=saves).status_code == 400
    assert api.call("POST", "sobjects/Contact", json={"LastName": "Bo", "Email": "bo@practice.example"}).ok


def test_a_picklist_can_be_restricted(api: Api, practice: Ask, ada: str) -> None:
    practice("POST", "picklist", object="Contact", field="LeadSource", values=["Web"], restricted=True)
    refused = change(api, ada, LeadSource="Radio")
    assert code(refused) == (400, "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST")
    assert change(api, ada, LeadSource="Web").status_code == 204


def test_rights_to_fields_and_objects_can_be_taken_and_given_back(api: Api, practice: Ask, ada: str) -> None:
    practice("POST", "access", object="Contact", field="Title", updateable=False)
    assert code(change(api, ada, Title="x")) == (400, "INVALID_FIELD_FOR_INSERT_UPDATE")
    practice("POST", "access", object="Contact", field="Title", visible=False)
    assert code(api.get("query", q="SELECT Title FROM Contact")) == (400, "INVALID_FIELD")
    practice("POST", "access", object="Contact", createable=False, updateable=False, deletable=False)
    assert api.get("sobjects/Contact/describe").json()["updateable"] is False
    assert change(api, ada, Phone="1").status_code == 400
    assert api.call("DELETE", f"sobjects/Contact/{ada}").status_code == 400
    practice("POST", "access", object="Contact", readable=False)
    assert code(api.get("query", q="SELECT Id FROM Contact")) == (400, "INVALID_TYPE")
    assert code(api.get("query", q="SELECT Contact.Id FROM OpportunityContactRole")) == (400, "INVALID_FIELD")
    assert api.get("sobjects/Contact/describe").status_code == 404
    assert "Contact" not in [one["name"] for one in api.get("sobjects").json()["sobjects"]]
    practice("POST", "access", object="Contact", readable=True, createable=True, updateable=True, deletable=True)
    assert api.call("DELETE", f"sobjects/Contact/{ada}").status_code == 204


@pytest.mark.parametrize("status", [401, 302])
def test_an_org_moves_to_another_address(server: Server, api: Api, practice: Ask, status: int) -> None:
    there = server.url.replace("127.0.0.1", "localhost")
    practice("POST", "faults", kind="moved", to=there, status=status)
    answer = api.call("GET", "query", params={"q": "SELECT Id FROM Lead"}, allow_redirects=False)
    assert answer.status_code == status
    if status == 302:
        assert answer.headers["Location"] == f"{there}/services/data/v67.0/query?q=SELECT+Id+FROM+Lead"
    form = {"grant_type": "client_credentials", "client_id": server.org.credentials.client_id,
            "client_secret": server.org.credentials.client_secret}  # fmt: skip
    told = requests.post(f"{server.url}/services/oauth2/token", data=form, timeout=10).json()
    assert told["instance_url"] == there
    assert api.session.get(f"{there}/services/data/v67.0/limits", timeout=10).status_code == 200


def test_slow_answers_vary_around_their_middle(server: Server, practice: Ask) -> None:
    practice("POST", "faults", kind="slow", seconds=0.2, p95=0.8)
    drawn = sorted(server.org.faults.seconds("/") for _ in range(1000))
    assert 0.18 < drawn[500] < 0.22
    assert 0.6 < drawn[950] < 1.1


def test_a_body_may_drip(api: Api, practice: Ask) -> None:
    practice("POST", "faults", kind="drip", seconds=0.1, times=1)
    started = time.monotonic()
    assert len(api.get("sobjects").json()["sobjects"]) > 20
    assert time.monotonic() - started >= 0.1


def test_a_bulk_job_fails_as_a_whole(api: Api, practice: Ask) -> None:
    practice("POST", "faults", kind="failed_job", times=1, message="InternalServerError : no")
    job = api.call("POST", "jobs/query", json={"operation": "query", "query": "SELECT Id FROM Lead"}).json()["id"]
    told = api.get(f"jobs/query/{job}").json()
    assert (told["state"], told["errorMessage"]) == ("Failed", "InternalServerError : no")


def test_settings_are_told_and_changed(api: Api, server: Server, practice: Ask) -> None:
    before = practice("GET", "settings")
    assert practice("POST", "settings", daily_limit=2, run_as_user=False) == {
        **before, "daily_limit": 2, "run_as_user": False,
    }  # fmt: skip
    assert [api.get("limits").status_code for _ in range(3)] == [200, 200, 403]
    for wrong in ({"daily_limit": "two"}, {"nonsense": 1}, {"session_minutes": -1}):
        refused = requests.post(f"{server.url}/practice/settings", json=wrong, timeout=10)
        assert code(refused) == (400, "INVALID_SETTING")


@pytest.mark.parametrize(
    "wrong",
    [
        {"kind": "slow", "second": 1}, {"kind": "slow", "seconds": "long"}, {"kind": "refusal"},
        {"kind": "refusal", "code": "NO_SUCH"}, {"kind": "refusal", "status": 42}, {"kind": "moved"},
        {"kind": "refusal", "status": 500, "body": "pdf"}, {"kind": "row_error", "code": "NO_SUCH"},
        {"kind": "row_error", "when": "Title = 'x'"}, {"kind": "duplicate_rule", "object": "Contact"},
        {"kind": "sign_in", "error": "no_such"}, {"kind": "row_error", "object": "Nothing"},
        {"kind": "row_error", "object": "Contact", "when": "Nothing = 1"},
    ],
)  # fmt: skip
def test_a_fault_that_makes_no_sense_is_refused_at_once(server: Server, wrong: dict[str, Any]) -> None:
    answer = requests.post(f"{server.url}/practice/faults", json=wrong, timeout=10)
    assert answer.status_code == 400
    assert len(answer.json()[0]["message"]) > 10
    assert requests.get(f"{server.url}/practice/faults", timeout=10).json() == []


def test_the_page_tells_every_fault_with_its_parameters(practice: Ask) -> None:
    page = PAGE.read_text("utf-8")
    rows = dict(re.findall(r"^\| `(\w+)` \|(.*?) ?\|", page, re.M))
    assert rows.keys() == KINDS.keys()
    for kind, names in KINDS.items():
        assert re.findall(r"`(\w+)`", rows[kind]) == list(names)
    assert all(f"`{code}`" in page for code in (*OF_REQUESTS, *ELSEWHERE, *OF_ROWS, *OF_SIGN_IN))
    assert practice("GET", "faults/kinds")["kinds"].keys() == KINDS.keys()
