"""Static lists, partitions, opportunities and their roles, and the day's refusals, over HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

import pytest

from connector.base.clock import FrozenClock
from practice_org.marketo.lists import add_lists
from practice_org.marketo.system import Marketo
from practice_org.salesforce.org import PracticeOrg
from practice_org.serving.server import Server
from tests.practice_org.marketo_service import NOON, Service

DEAL = {"externalOpportunityId": "D-1", "name": "Acme - Pilot", "amount": 500, "isWon": False}


@pytest.fixture
def service() -> Iterator[Service]:
    clock = FrozenClock(datetime.fromisoformat(NOON))
    org = PracticeOrg(clock=clock)
    marketo = Marketo(org)
    with Server(org, extra_routes=marketo.routes) as server:
        made = Service(server, marketo, clock)
        with made.session:
            yield made
    org.close()


def happened(service: Service, kind: int, **params) -> list[tuple[int, int]]:
    page = service.get("activities", nextPageToken=service.since(), activityTypeIds=kind, **params)
    return [(each["leadId"], each["primaryAttributeValueId"]) for each in page.get("result", [])]


def statuses(answer) -> list[str]:
    return [each["status"] for each in answer["result"]]


def test_who_is_in_a_list_is_read_page_by_page(service: Service) -> None:
    [newsletter, other] = add_lists(service.marketo, ["Newsletter", "Other"])
    ids = service.marketo.add_leads([{"email": f"a{number}@practice.example"} for number in range(5)])
    assert (
        statuses(service.post(f"lists/{newsletter}/leads", {"input": [{"id": each} for each in ids]})) == ["added"] * 5
    )
    first = service.get(f"list/{newsletter}/leads", fields="email", batchSize=3)
    rest = service.get(f"lists/{newsletter}/leads", fields="email", batchSize=3, nextPageToken=first["nextPageToken"])
    assert [each["id"] for each in (*first["result"], *rest["result"])] == ids
    assert (first["moreResult"], "moreResult" in rest) == (True, False)
    assert service.get(f"lists/{other}/leads")["result"] == []


def test_adding_and_removing_say_what_was_done_and_leave_activities(service: Service) -> None:
    [newsletter] = add_lists(service.marketo, ["Newsletter"])
    ada, bo = service.marketo.add_leads([{"email": "ada@practice.example"}, {"email": "bo@practice.example"}])
    path = f"lists/{newsletter}/leads"
    assert statuses(service.post(path, {"input": [{"id": ada}, {"id": 99}]})) == ["added", "skipped"]
    assert statuses(service.post(path, {"input": [{"id": ada}]})) == ["skipped"]
    removed = service.call("DELETE", path, json={"input": [{"id": ada}, {"id": bo}]}).json()
    assert statuses(removed) == ["removed", "skipped"]
    assert removed["result"][1]["reasons"][0]["code"] == "1015"
    assert happened(service, 24) == happened(service, 25) == [(ada, newsletter)]
    members = service.get(f"{path}/ismember", id=f"{ada},{bo}")
    assert statuses(members) == ["notmemberof", "notmemberof"]


def test_activities_can_be_asked_of_a_list(service: Service) -> None:
    [newsletter] = add_lists(service.marketo, ["Newsletter"])
    ada, bo = service.marketo.add_leads([{"email": "ada@practice.example"}, {"email": "bo@practice.example"}])
    service.post(f"lists/{newsletter}/leads", {"input": [{"id": bo}]})
    assert [lead for lead, _ in happened(service, 12)] == [ada, bo]
    assert [lead for lead, _ in happened(service, 12, listId=newsletter)] == [bo]
    assert service.code("activities", nextPageToken=service.since(), activityTypeIds=12, listId=7) == "1013"


def test_lists_are_found_by_id_and_name_and_partitions_are_told(service: Service) -> None:
    [newsletter, other] = add_lists(service.marketo, ["Newsletter", "Other"])
    assert [each["id"] for each in service.get("lists")["result"]] == [newsletter, other]
    assert [each["id"] for each in service.get("lists", name="Other")["result"]] == [other]
    assert service.get(f"lists/{newsletter}")["result"][0]["name"] == "Newsletter"
    assert service.code("lists/7") == "1013"
    assert [each["name"] for each in service.get("leads/partitions")["result"]] == ["Default"]


def test_a_deal_and_its_roles_are_synchronised_read_and_deleted(service: Service) -> None:
    [ada] = service.marketo.add_leads([{"email": "ada@practice.example"}])
    made = service.post("opportunities", {"input": [DEAL]})
    assert statuses(made) == ["created"]
    role = {"externalOpportunityId": "D-1", "leadId": ada, "role": "Decision Maker", "isPrimary": True}
    assert statuses(service.post("opportunities/roles", {"input": [role, {**role, "leadId": 99}]})) == [
        "created",
        "skipped",
    ]
    assert statuses(service.post("opportunities", {"input": [{**DEAL, "isWon": "true"}]})) == ["updated"]
    asked = {"filterType": "externalOpportunityId", "filterValues": "D-1", "fields": "name,isWon"}
    [deal] = service.get("opportunities", **asked)["result"]
    assert (deal["marketoGUID"], deal["name"], deal["isWon"]) == (made["result"][0]["marketoGUID"], DEAL["name"], True)
    [found] = service.get("opportunities/roles", filterType="leadId", filterValues=ada)["result"]
    assert found["role"] == "Decision Maker"
    assert [lead for lead, _ in happened(service, 34)] == [lead for lead, _ in happened(service, 36)] == [ada]
    gone = service.post("opportunities/delete", {"input": [{"externalOpportunityId": "D-1"}]})
    assert statuses(gone) == ["deleted"]
    assert [lead for lead, _ in happened(service, 35)] == [ada]
    assert service.get("opportunities/roles", filterType="leadId", filterValues=ada)["result"] == []


@pytest.mark.parametrize(
    ("path", "content", "code"),
    [
        ("opportunities", {"input": [DEAL], "action": "updateOnly"}, "1013"),
        ("opportunities", {"input": [{"name": "no key"}]}, "1003"),
        ("opportunities", {"input": [{**DEAL, "colour": "red"}]}, "1006"),
        ("opportunities", {"input": [{**DEAL, "amount": "much"}]}, "1003"),
        ("opportunities/roles", {"input": [{"externalOpportunityId": "D-9", "leadId": 1, "role": "x"}]}, "1013"),
    ],
)
def test_a_refused_row_says_why(service: Service, path: str, content, code: str) -> None:
    [row] = service.post(path, content)["result"]
    assert (row["status"], row["reasons"][0]["code"]) == ("skipped", code)


def test_what_can_be_asked_of_deals_is_described(service: Service) -> None:
    [deals] = service.get("opportunities/describe")["result"]
    [roles] = service.get("opportunities/roles/describe")["result"]
    assert deals["dedupeFields"] == ["externalOpportunityId"]
    assert roles["dedupeFields"] == ["externalOpportunityId", "leadId", "role"]
    assert service.code("opportunities", filterType="name", filterValues="x") == "1003"


def test_the_days_refusals_are_counted_by_code(service: Service) -> None:
    for _ in range(2):
        service.code("activities", activityTypeIds=1)
    assert service.code("lists/7") == "1013"
    [day] = service.get("stats/errors")["result"]
    assert {each["errorCode"]: each["count"] for each in day["errors"]} == {"1002": 2, "1013": 1}
    assert service.get("stats/usage/last7days")["result"][0]["total"] >= 4
