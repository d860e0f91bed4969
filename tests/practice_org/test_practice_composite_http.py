"""Collections, Composite, Batch and trees over HTTP."""

from __future__ import annotations

from typing import Any

import pytest

from practice_org.salesforce.org import PracticeOrg
from practice_org.salesforce.schema import FieldSpec
from tests.practice_org.practice_api import Api

V = "/services/data/v67.0"


@pytest.fixture
def people(org: PracticeOrg) -> list[str]:
    return org.create("Contact", [{"LastName": f"P{i}"} for i in range(1000)])


@pytest.fixture
def lead(org: PracticeOrg) -> str:
    return org.create("Lead", [{"LastName": "Lee", "Company": "Acme"}])[0]


def row(kind: str, record: str | None, **values: Any) -> dict[str, Any]:
    return {"attributes": {"type": kind}, **({"id": record} if record else {}), **values}


def patch(api: Api, rows: list[dict[str, Any]], **options: Any) -> Any:
    return api.call("PATCH", "composite/sobjects", json={"records": rows, **options})


def compose(api: Api, *parts: dict[str, Any], **options: Any) -> list[dict[str, Any]]:
    answer = api.call("POST", "composite", json={"compositeRequest": list(parts), **options})
    assert answer.status_code == 200, answer.text
    return answer.json()["compositeResponse"]


def part(name: str, path: str, method: str = "GET", body: Any = None) -> dict[str, Any]:
    return {"method": method, "url": f"{V}/{path}", "referenceId": name, **({"body": body} if body else {})}


def test_rows_answer_by_position_and_a_failed_one_has_no_id(
    api: Api, org: PracticeOrg, people: list[str], lead: str
) -> None:
    org.convert_lead(lead)
    rows = [row("Contact", people[0], Title="CEO"), row("Lead", lead, Title="x"), row("Contact", None, Title="x"),
            row("Contact", people[1], Email="bad"), row("Contact", "003000000000000AAA", Title="x")]  # fmt: skip
    answer = patch(api, rows, allOrNone=False)
    assert answer.status_code == 200
    first, *failed = answer.json()
    assert first == {"id": people[0], "success": True, "errors": []}
    converted = {
        "statusCode": "CANNOT_UPDATE_CONVERTED_LEAD",
        "message": "cannot reference converted lead",
        "fields": [],
    }
    assert failed[0] == {"success": False, "errors": [converted]}
    assert [one["errors"][0]["statusCode"] for one in failed[1:]] == [
        "MISSING_ARGUMENT",
        "INVALID_EMAIL_ADDRESS",
        "INVALID_CROSS_REFERENCE_KEY",
    ]
    assert org.rows("SELECT COUNT(Id) FROM Contact WHERE Title = 'CEO'") == [{"expr0": 1}]


def test_all_or_none_rolls_the_innocent_back(api: Api, org: PracticeOrg, people: list[str], lead: str) -> None:
    rows = [
        row("Contact", people[0], Title="CEO"),
        row("Lead", lead, Title="CEO"),
        row("Contact", people[1], Email="bad"),
    ]
    answer = patch(api, rows, allOrNone=True).json()
    assert [one["errors"][0]["statusCode"] for one in answer] == [
        "ALL_OR_NONE_OPERATION_ROLLED_BACK",
        "ALL_OR_NONE_OPERATION_ROLLED_BACK",
        "INVALID_EMAIL_ADDRESS",
    ]
    assert (
        org.rows("SELECT Id FROM Contact WHERE Title = 'CEO'")
        == org.rows("SELECT Id FROM Lead WHERE Title = 'CEO'")
        == []
    )


def test_an_id_may_stand_once_in_a_request(api: Api, people: list[str]) -> None:
    rows = [row("Contact", people[0], Title="a"), row("Contact", people[0][:15], Title="b")]
    assert [one["success"] for one in patch(api, rows).json()] == [True, False]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"records": [row("Contact", None, LastName="x")] * 201}, "EXCEEDED_MAX_SIZE_REQUEST"),
        ({"records": [{"LastName": "x"}]}, "INVALID_REQUEST"),
        ({"records": [row("Nope", None)]}, "INVALID_TYPE"),
        ({"records": "x"}, "JSON_PARSER_ERROR"),
        ({"records": [row(kind, None, LastName="x") for kind in ("Contact", "Lead") * 6]}, "INVALID_REQUEST"),
    ],
)
def test_a_malformed_collection_is_refused_as_a_whole(api: Api, org: PracticeOrg, body: Any, code: str) -> None:
    answer = api.call("POST", "composite/sobjects", json=body)
    assert (answer.status_code, answer.json()[0]["errorCode"]) == (400, code)
    assert org.rows("SELECT Id FROM Contact") == []


def test_collections_create_read_upsert_and_delete(api: Api, org: PracticeOrg) -> None:
    org.define("Contact", [FieldSpec("Ext__c", "string", external_id=True)])
    made = api.call(
        "POST", "composite/sobjects", json={"records": [row("Contact", None, LastName=n) for n in "ab"]}
    ).json()
    first, second = (one["id"] for one in made)
    read = api.get(
        "composite/sobjects/Contact", ids=f"{second},003000000000000AAA,{first}", fields="Id,LastName"
    ).json()
    assert [one and one["LastName"] for one in read] == ["b", None, "a"]
    posted = api.call("POST", "composite/sobjects/Contact", json={"ids": [first], "fields": ["LastName"]}).json()
    assert [one["LastName"] for one in posted] == ["a"]
    rows = [row("Contact", None, Ext__c="1", LastName="x"), row("Contact", None, LastName="no key")]
    upserted = api.call("PATCH", "composite/sobjects/Contact/Ext__c", json={"records": rows}).json()
    assert [(one["success"], one.get("created")) for one in upserted] == [(True, True), (False, False)]
    again = api.call("PATCH", "composite/sobjects/Contact/Ext__c", json={"records": rows[:1]}).json()
    assert (again[0]["id"], again[0]["created"]) == (upserted[0]["id"], False)
    gone = api.call("DELETE", "composite/sobjects", params={"ids": f"{first},{first}"}).json()
    assert [one["success"] for one in gone] == [True, False]
    assert gone[1]["errors"][0]["statusCode"] == "ENTITY_IS_DELETED"


def test_a_row_that_failed_says_whether_it_would_have_been_new(api: Api, org: PracticeOrg) -> None:
    org.define("Contact", [FieldSpec("Ext__c", "string", external_id=True)])
    org.create("Contact", [{"LastName": "old", "Ext__c": "1"}])
    rows = [row("Contact", None, Ext__c=key, OwnerId="INVALID", LastName="x") for key in ("1", "2")]
    for more in ({}, {"allOrNone": True}):
        told = api.call("PATCH", "composite/sobjects/Contact/Ext__c", json={"records": rows, **more}).json()
        assert [(one["success"], one["created"]) for one in told] == [(False, False), (False, True)]


def test_a_composite_of_five_collections_writes_a_thousand_rows_in_one_call(
    api: Api, org: PracticeOrg, people: list[str]
) -> None:
    rows = [row("Contact", one, Title="CEO") for one in people]
    chunks = [rows[start : start + 200] for start in range(0, 1000, 200)]
    parts = [part(f"c{n}", "composite/sobjects", "PATCH", {"records": chunk}) for n, chunk in enumerate(chunks)]
    answers = compose(api, *parts)
    assert all(one["success"] for answer in answers for one in answer["body"])
    assert org.rows("SELECT COUNT(Id) FROM Contact WHERE Title = 'CEO'") == [{"expr0": 1000}]
    assert org.calls["total"] == org.calls["composite"] == 1


def test_subrequests_answer_for_themselves(api: Api, people: list[str]) -> None:
    answers = compose(
        api,
        part("ok", f"query?q=SELECT+Id+FROM+Contact+WHERE+Id+=+'{people[0]}'"),
        part("bad", "query?q=SELECT+Nope+FROM+Contact"),
        part("foo", "sobjects/Foo"),
        part("made", "sobjects/Lead", "POST", {"LastName": "Lee", "Company": "Acme"}),
    )
    assert [answer["httpStatusCode"] for answer in answers] == [200, 400, 404, 201]
    assert [answer["referenceId"] for answer in answers] == ["ok", "bad", "foo", "made"]
    assert answers[0]["body"]["records"][0]["Id"] == people[0]
    assert answers[3]["httpHeaders"]["Location"].startswith(f"{V}/sobjects/Lead/00Q")


def test_a_reference_carries_over_and_a_failed_one_halts(api: Api, org: PracticeOrg) -> None:
    answers = compose(
        api,
        part("account", "sobjects/Account", "POST", {"Name": "Acme"}),
        part("contact", "sobjects/Contact", "POST", {"LastName": "Doe", "AccountId": "@{account.id}"}),
        part("read", "sobjects/Contact/@{contact.id}?fields=AccountId"),
        part("found", "query?q=SELECT+Id+FROM+Account"),
        part("first", "sobjects/Account/@{found.records[0].Id}"),
        part("bad", "sobjects/Contact", "POST", {"Nope": 1}),
        part("halted", "sobjects/Contact/@{bad.id}"),
    )
    assert [answer["httpStatusCode"] for answer in answers] == [201, 201, 200, 200, 200, 400, 400]
    assert answers[2]["body"]["AccountId"] == answers[0]["body"]["id"] == answers[4]["body"]["Id"]
    assert answers[6]["body"][0]["errorCode"] == "PROCESSING_HALTED"


def test_an_all_or_none_composite_undoes_everything(api: Api, org: PracticeOrg) -> None:
    answers = compose(
        api,
        part("account", "sobjects/Account", "POST", {"Name": "Acme"}),
        part("bad", "sobjects/Contact", "POST", {"Nope": 1}),
        part("never", "sobjects/Account", "POST", {"Name": "Beta"}),
        allOrNone=True,
    )
    codes = [answer["body"][0]["errorCode"] for answer in answers]
    assert codes == ["PROCESSING_HALTED", "INVALID_FIELD", "PROCESSING_HALTED"]
    assert org.rows("SELECT Id FROM Account") == []


def test_a_composite_has_its_limits(api: Api) -> None:
    def refused(parts: list[dict[str, Any]]) -> str:
        answer = api.call("POST", "composite", json={"compositeRequest": parts})
        assert answer.status_code == 400
        return str(answer.json()[0]["errorCode"])

    assert refused([part(f"r{i}", "limits") for i in range(26)]) == "LIMIT_EXCEEDED"
    assert refused([part(f"r{i}", "query?q=SELECT+Id+FROM+Lead") for i in range(6)]) == "LIMIT_EXCEEDED"
    assert refused([part("same", "limits"), part("same", "limits")]) == "INVALID_REQUEST"
    assert refused([]) == "JSON_PARSER_ERROR"
    compose(
        api,
        *[part(f"q{i}", "query?q=SELECT+Id+FROM+Lead") for i in range(5)],
        *[part(f"r{i}", "limits") for i in range(20)],
    )


def test_headers_of_the_request_hold_for_its_parts(api: Api, org: PracticeOrg, lead: str) -> None:
    body = {"records": [row("Lead", lead, Title="x")]}
    request = {"compositeRequest": [part("c", "composite/sobjects", "PATCH", body)]}
    api.call("POST", "composite", json=request, headers={"Sforce-Auto-Assign": "FALSE"})
    assert org.rows("SELECT OwnerId FROM Lead")[0]["OwnerId"].startswith("005")
    request["compositeRequest"][0]["httpHeaders"] = {"Sforce-Auto-Assign": "TRUE"}
    api.call("POST", "composite", json=request)
    assert org.rows("SELECT OwnerId FROM Lead")[0]["OwnerId"].startswith("00G")


def test_a_batch_runs_independent_requests(api: Api, people: list[str]) -> None:
    requests = [
        {"method": "GET", "url": "v67.0/limits"},
        {"method": "PATCH", "url": f"v67.0/sobjects/Contact/{people[0]}", "richInput": {"Title": "CEO"}},
        {"method": "GET", "url": "v67.0/sobjects/Foo"},
    ]
    answer = api.call("POST", "composite/batch", json={"batchRequests": requests}).json()
    assert answer["hasErrors"] is True
    assert [one["statusCode"] for one in answer["results"]] == [200, 204, 404]


def test_a_tree_plants_children_or_nothing(api: Api, org: PracticeOrg) -> None:
    child = {"attributes": {"type": "Contact", "referenceId": "c"}, "LastName": "Doe"}
    root = {"attributes": {"type": "Account", "referenceId": "a"}, "Name": "Acme", "Contacts": {"records": [child]}}
    made = api.call("POST", "composite/tree/Account", json={"records": [root]})
    assert made.status_code == 201
    assert [one["referenceId"] for one in made.json()["results"]] == ["a", "c"]
    assert org.rows("SELECT Account.Name FROM Contact")[0]["Account"]["Name"] == "Acme"
    child["Email"] = "bad"
    failed = api.call("POST", "composite/tree/Account", json={"records": [root]})
    assert failed.status_code == 400
    assert failed.json()["results"][0]["errors"][0]["statusCode"] == "INVALID_EMAIL_ADDRESS"
    assert len(org.rows("SELECT Id FROM Account")) == 1


def test_a_collection_may_be_upserted_by_id(api: Api, org: PracticeOrg) -> None:
    [known] = org.create("Contact", [{"LastName": "old"}])
    rows = [row("Contact", None, Id=known, LastName="new"), row("Contact", None, LastName="fresh"),
            row("Contact", None, Id="003000000000000AAA", LastName="gone")]  # fmt: skip
    made = api.call("PATCH", "composite/sobjects/Contact/Id", json={"records": rows}).json()
    assert [(one["success"], one["created"]) for one in made] == [(True, False), (True, True), (False, False)]
    assert made[2]["errors"][0]["statusCode"] == "INVALID_CROSS_REFERENCE_KEY"
    assert [one["LastName"] for one in org.rows("SELECT LastName FROM Contact ORDER BY LastName")] == ["fresh", "new"]


def test_a_graph_is_done_whole_or_not_at_all(api: Api, org: PracticeOrg) -> None:
    def graph(name: str, last: str | None) -> dict[str, Any]:
        account = {"method": "POST", "url": "/services/data/v67.0/sobjects/Account", "referenceId": "a",
                   "body": {"Name": name}}  # fmt: skip
        contact = {"method": "POST", "url": "/services/data/v67.0/sobjects/Contact", "referenceId": "c",
                   "body": {"LastName": last, "AccountId": "@{a.id}"}}  # fmt: skip
        return {"graphId": name, "compositeRequest": [account, contact]}

    body = {"graphs": [graph("whole", "Ada"), graph("broken", None)]}
    whole, broken = api.call("POST", "composite/graph", json=body).json()["graphs"]
    assert (whole["graphId"], whole["isSuccessful"]) == ("whole", True)
    assert [part["httpStatusCode"] for part in whole["graphResponse"]["compositeResponse"]] == [201, 201]
    assert (broken["graphId"], broken["isSuccessful"]) == ("broken", False)
    assert org.rows("SELECT LastName, Account.Name FROM Contact")[0]["Account"]["Name"] == "whole"
    assert [one["Name"] for one in org.rows("SELECT Name FROM Account")] == ["whole"]
    for graphs in (None, [], [graph("x", "a"), graph("x", "b")]):
        assert api.call("POST", "composite/graph", json={"graphs": graphs}).status_code == 400
