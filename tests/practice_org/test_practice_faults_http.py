"""Each fault can be switched on, by the handle and over HTTP, strikes as often as told and where told."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import requests

from connector.base.clock import FrozenClock
from practice_org.salesforce.org import PracticeOrg
from practice_org.salesforce.problems import Problem
from practice_org.serving.server import Server
from tests.practice_org.practice_api import Api


@pytest.fixture
def people(org: PracticeOrg) -> list[str]:
    return org.create("Contact", [{"LastName": f"P{i}"} for i in range(300)])


def row(record: str, **values: Any) -> dict[str, Any]:
    return {"attributes": {"type": "Contact"}, "id": record, **values}


def code(answer: requests.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()[0]["errorCode"]


@pytest.mark.parametrize(
    ("kind", "values", "status", "wanted"),
    [
        ("stale_session", {}, 401, "INVALID_SESSION_ID"),
        ("daily_limit", {}, 403, "REQUEST_LIMIT_EXCEEDED"),
        ("concurrent_limit", {}, 403, "REQUEST_LIMIT_EXCEEDED"),
        ("server_error", {}, 503, "SERVER_UNAVAILABLE"),
        ("server_error", {"status": 500}, 500, "UNKNOWN_EXCEPTION"),
    ],
)
def test_a_refusal_strikes_the_told_number_of_times(
    api: Api, org: PracticeOrg, kind: str, values: dict[str, Any], status: int, wanted: str
) -> None:
    fault = org.faults.on(kind, times=2, **values)
    assert [code(api.get("limits")) for _ in range(2)] == [(status, wanted)] * 2
    answer = api.get("limits")
    assert answer.status_code == 200
    assert fault.met == 2
    assert "Retry-After" not in answer.headers


def test_a_fault_keeps_to_its_path(api: Api, org: PracticeOrg) -> None:
    org.faults.on("server_error", path="/query$")
    assert api.get("limits").status_code == 200
    assert api.get("query", q="SELECT Id FROM Lead").status_code == 503
    org.faults.off("edge")
    assert api.get("query", q="SELECT Id FROM Lead").status_code == 503
    org.faults.off("server_error")
    assert api.get("query", q="SELECT Id FROM Lead").status_code == 200


def test_an_expired_token_stays_expired_until_a_new_one(api: Api, org: PracticeOrg) -> None:
    org.faults.on("stale_session", times=1, token=True)
    assert [api.get("limits").status_code for _ in range(2)] == [401, 401]
    api.session.headers["Authorization"] = f"OAuth {org.credentials.issue()}"
    assert api.get("limits").status_code == 200


def test_a_session_ends_after_two_idle_hours(api: Api, clock: FrozenClock) -> None:
    for _ in range(3):
        clock.at += timedelta(minutes=119)
        assert api.get("limits").status_code == 200
    clock.at += timedelta(minutes=121)
    assert code(api.get("limits")) == (401, "INVALID_SESSION_ID")


def test_no_or_a_foreign_token_is_refused(api: Api) -> None:
    api.session.headers["Authorization"] = "Bearer nonsense"
    assert code(api.get("limits")) == (401, "INVALID_SESSION_ID")
    del api.session.headers["Authorization"]
    assert code(api.get("limits")) == (401, "INVALID_AUTH_HEADER")


def test_the_edge_answers_in_html(api: Api, org: PracticeOrg) -> None:
    org.faults.on("edge", times=1)
    answer = api.get("limits")
    assert answer.status_code == 420
    assert answer.headers["Content-Type"] == "text/html"
    assert "<html>" in answer.text


@pytest.mark.parametrize("encoding", ["identity", "gzip"])
def test_a_body_is_cut_off(api: Api, org: PracticeOrg, encoding: str) -> None:
    org.faults.on("cut_off", times=1)
    with pytest.raises(requests.exceptions.RequestException):
        api.get("sobjects", {"Accept-Encoding": encoding})
    assert api.get("sobjects").status_code == 200


def test_a_connection_is_reset(api: Api, org: PracticeOrg) -> None:
    org.faults.on("reset", times=1)
    with pytest.raises(requests.exceptions.ConnectionError):
        api.get("limits")
    assert api.get("limits").status_code == 200


def test_an_answer_is_slow(api: Api, org: PracticeOrg) -> None:
    org.faults.on("slow", times=1, seconds=5)
    with pytest.raises(requests.exceptions.ReadTimeout):
        api.session.get(f"{api.base}/limits", timeout=0.2)
    assert api.get("limits").status_code == 200


def test_a_locator_is_forgotten(api: Api, org: PracticeOrg, people: list[str]) -> None:
    body = api.get("query", {"Sforce-Query-Options": "batchSize=200"}, q="SELECT Id FROM Contact").json()
    org.faults.on("locator_expired", times=1)
    assert code(api.get(body["nextRecordsUrl"])) == (400, "INVALID_QUERY_LOCATOR")
    assert api.get(body["nextRecordsUrl"]).status_code == 200


def test_a_locked_row_is_a_500_alone_and_a_row_error_in_a_collection(
    api: Api, org: PracticeOrg, people: list[str]
) -> None:
    org.faults.on("row_lock", times=2, ids=[people[1]])
    assert code(api.call("PATCH", f"sobjects/Contact/{people[1]}", json={"Title": "x"})) == (500, "UNABLE_TO_LOCK_ROW")
    rows = [row(one, Title="x") for one in people[:3]]
    answer = api.call("PATCH", "composite/sobjects", json={"records": rows}).json()
    assert [one["success"] for one in answer] == [True, False, True]
    assert answer[1]["errors"] == [{
        "statusCode": "UNABLE_TO_LOCK_ROW", "fields": [],
        "message": f"unable to obtain exclusive access to this record or 1 records: {people[1]}",
    }]  # fmt: skip
    answer = api.call("PATCH", "composite/sobjects", json={"records": rows}).json()
    assert all(one["success"] for one in answer)


def test_governor_limits_know_only_the_whole_request(api: Api, org: PracticeOrg, people: list[str]) -> None:
    org.faults.on("governor", object="Contact", rows=200)

    def send(*sizes: int) -> list[bool]:
        parts, start = [], 0
        for n, size in enumerate(sizes):
            records = [row(one, Title="x") for one in people[start : start + size]]
            parts.append({"method": "PATCH", "url": "/services/data/v67.0/composite/sobjects", "referenceId": f"c{n}",
                          "body": {"records": records}})  # fmt: skip
            start += size
        answers = api.call("POST", "composite", json={"compositeRequest": parts}).json()["compositeResponse"]
        errors = [e for answer in answers for one in answer["body"] for e in one["errors"]]
        assert {error["statusCode"] for error in errors} <= {"CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY"}
        assert all("System.LimitException" in error["message"] for error in errors)
        return [one["success"] for answer in answers for one in answer["body"]]

    assert not any(send(150, 100))
    assert all(send(150, 50))
    assert all(send(200))


def test_late_commits_appear_behind_a_cursor(api: Api, org: PracticeOrg, clock: FrozenClock) -> None:
    org.faults.on("late_commits", times=1, seconds=300)
    [late] = org.create("Contact", [{"LastName": "Late"}])
    clock.at += timedelta(seconds=60)
    [prompt] = org.create("Contact", [{"LastName": "Prompt"}])
    soql = "SELECT Id, SystemModstamp FROM Contact ORDER BY SystemModstamp"
    assert [record["Id"] for record in api.get("query", q=soql).json()["records"]] == [prompt]
    clock.at += timedelta(seconds=240)
    records = api.get("query", q=soql).json()["records"]
    assert [(record["Id"], record["SystemModstamp"][11:19]) for record in records] == [
        (late, "12:00:00"),
        (prompt, "12:01:00"),
    ]


def test_a_late_update_shows_the_old_values_till_then(org: PracticeOrg, clock: FrozenClock, people: list[str]) -> None:
    org.faults.on("late_commits", times=1, seconds=30)
    org.update("Contact", [{"Id": people[0], "Title": "New"}])
    assert org.rows("SELECT Id FROM Contact WHERE Title = 'New'") == []
    clock.at += timedelta(seconds=30)
    assert org.rows("SELECT Id FROM Contact WHERE Title = 'New'") == [{"Id": people[0]}]


def test_faults_and_calls_have_admin_paths(server: Server, api: Api, org: PracticeOrg) -> None:
    practice = f"{server.url}/practice"
    made = requests.post(f"{practice}/faults", json={"kind": "server_error", "times": 3, "status": 500}, timeout=10)
    assert made.json() == {"kind": "server_error", "times": 3, "path": "", "met": 0, "status": 500}
    assert api.get("limits").status_code == 500
    assert requests.get(f"{practice}/faults", timeout=10).json()[0]["met"] == 1
    assert requests.delete(f"{practice}/faults", timeout=10).status_code == 204
    assert api.get("limits").status_code == 200
    assert requests.get(f"{practice}/calls", timeout=10).json() == {"total": 2, "limits": 2}
    assert requests.delete(f"{practice}/calls", timeout=10).status_code == 204
    assert org.calls["total"] == 0
    unknown = requests.post(f"{practice}/faults", json={"kind": "nope"}, timeout=10)
    assert code(unknown) == (400, "INVALID_FAULT")
    assert requests.post(f"{practice}/faults", data=b"[]", timeout=10).status_code == 400


def test_an_admin_converts_and_merges_over_http(server: Server, org: PracticeOrg, people: list[str]) -> None:
    [lead] = org.create("Lead", [{"LastName": "Lee", "Company": "Acme"}])
    made = requests.post(f"{server.url}/practice/convert", json={"lead": lead, "opportunity": False}, timeout=10).json()
    assert org.rows("SELECT ConvertedContactId FROM Lead") == [{"ConvertedContactId": made["ContactId"]}]
    body = {"object": "Contact", "winner": people[0], "losers": [people[1]]}
    assert requests.post(f"{server.url}/practice/merge", json=body, timeout=10).status_code == 204
    assert requests.post(f"{server.url}/practice/undelete", json={"object": "Contact"}, timeout=10).status_code == 400


def test_a_daily_limit_is_a_rolling_day(api: Api, org: PracticeOrg, clock: FrozenClock) -> None:
    org.daily_limit = 3
    assert [api.get("limits").status_code for _ in range(4)] == [200, 200, 200, 403]
    assert api.get("limits").json()[0]["message"] == "TotalRequests Limit exceeded."
    clock.at += timedelta(hours=25)
    api.session.headers["Authorization"] = f"Bearer {org.credentials.issue()}"
    assert api.get("limits").json()["DailyApiRequests"] == {"Max": 3, "Remaining": 2}


def test_a_fault_that_is_unknown_or_has_a_broken_pattern_is_refused(org: PracticeOrg) -> None:
    for kind, path in (("nope", ""), ("slow", "(")):
        with pytest.raises(Problem, match="INVALID_FAULT"):
            org.faults.on(kind, path=path)


def test_a_fault_on_a_path_leaves_the_handle_alone(api: Api, org: PracticeOrg) -> None:
    org.faults.on("late_commits", path="/sobjects/", seconds=60)
    api.call("POST", "sobjects/Contact", json={"LastName": "Late"})
    org.create("Contact", [{"LastName": "Prompt"}])
    assert [row["LastName"] for row in org.rows("SELECT LastName FROM Contact")] == ["Prompt"]


def test_a_server_that_was_never_started_gives_its_port_back(org: PracticeOrg) -> None:
    never_started = Server(org)
    never_started.stop()
    with Server(org, port=never_started.port) as again:
        assert requests.get(again.url + "/services/data", timeout=5).ok
