"""The Marketo imitation over real HTTP: what it answers about activities and leads, and what it is told."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connector.base.clock import FrozenClock
from practice_org.errors import PracticeError
from practice_org.marketo import reads
from practice_org.marketo.gate import Switches
from practice_org.marketo.query import Ask, MarketoError, stamp
from practice_org.marketo.system import Marketo
from practice_org.salesforce.org import PracticeOrg
from practice_org.serving.gate import Gate
from tests.cases import cases
from tests.practice_org.marketo_service import NOON, Service

RECORDED = Path(__file__).parents[3] / "shared/data/recorded/marketo.jsonl"

# -- activities --------------------------------------------------------------------------------------------------------


def test_a_chain_of_pages_goes_on_over_empty_ones_and_its_token_stays(
    mkto: Service, marketo: Marketo, lead_ids: list[int]
) -> None:
    marketo.switches = Switches(scan_rows=2)
    marketo.add_activities([{"leadId": lead_ids[0], "activityTypeId": 2, "primaryAttributeValue": "Demo"}])
    first = mkto.get("activities", activityTypeIds="2", nextPageToken=mkto.since())
    assert (first["moreResult"], "result" in first) == (True, False)
    second = mkto.get("activities", activityTypeIds="2", nextPageToken=first["nextPageToken"])
    third = mkto.get("activities", activityTypeIds="2", nextPageToken=second["nextPageToken"])
    assert [each["primaryAttributeValue"] for each in third["result"]] == ["Demo"]
    assert third["moreResult"] is False
    mkto.wait(minutes=1)
    marketo.add_activities([{"leadId": lead_ids[1], "activityTypeId": 2}])
    later = mkto.get("activities", activityTypeIds="2", nextPageToken=third["nextPageToken"])
    assert [each["leadId"] for each in later["result"]] == [lead_ids[1]]


def test_an_activity_looks_as_documented(mkto: Service, marketo: Marketo, lead_ids: list[int]) -> None:
    [made] = marketo.add_activities([
        {"leadId": lead_ids[0], "activityTypeId": 11, "campaignId": 1036, "primaryAttributeValueId": 71,
         "primaryAttributeValue": "Spring", "attributes": {"Link": "https://practice.example/", "Device": ""}}
    ])  # fmt: skip
    [shown] = mkto.get("activities", activityTypeIds="11", nextPageToken=mkto.since())["result"]
    assert shown == {
        "id": made, "marketoGUID": str(made), "leadId": lead_ids[0], "activityDate": NOON, "activityTypeId": 11,
        "campaignId": 1036, "primaryAttributeValueId": 71, "primaryAttributeValue": "Spring",
        "attributes": [{"name": "Link", "value": "https://practice.example/"}],
    }  # fmt: skip


def test_a_late_activity_appears_behind_the_token(mkto: Service, marketo: Marketo, lead_ids: list[int]) -> None:
    asked = {"activityTypeIds": "6"}
    marketo.org.faults.on("late_commits", times=1, seconds=300)
    marketo.add_activities([{"leadId": lead_ids[0], "activityTypeId": 6}])
    marketo.add_activities([{"leadId": lead_ids[1], "activityTypeId": 6}])
    first = mkto.get("activities", nextPageToken=mkto.since(), **asked)
    assert [each["leadId"] for each in first["result"]] == [lead_ids[1]]
    mkto.wait(minutes=6)
    assert "result" not in mkto.get("activities", nextPageToken=first["nextPageToken"], **asked)
    again = mkto.get("activities", nextPageToken=mkto.since(), **asked)
    assert [each["leadId"] for each in again["result"]] == [lead_ids[0], lead_ids[1]]


def test_questions_about_activities_are_limited(mkto: Service, lead_ids: list[int]) -> None:
    since = mkto.since()
    assert mkto.code("activities", nextPageToken=since) == "1002"
    assert mkto.code("activities", activityTypeIds="1") == "1002"
    assert mkto.code("activities", activityTypeIds="1,2,3,6,7,8,9,10,11,12,13", nextPageToken=since) == "1003"
    many = ",".join(str(number) for number in range(1, 32))
    assert mkto.code("activities", activityTypeIds="1", leadIds=many, nextPageToken=since) == "1003"
    damaged = ("B" if since[20] == "A" else "A").join([since[:20], since[21:]])
    for token in ("nonsense", damaged):
        assert mkto.code("activities", activityTypeIds="1", nextPageToken=token) == "1003"
    assert mkto.code("activities", activityTypeIds="99999", nextPageToken=since) == "1003"
    assert mkto.code("activities/pagingtoken", sinceDatetime="yesterday") == "704"
    two = mkto.get("activities", activityTypeIds=["12", "13"], leadIds=lead_ids[1], nextPageToken=since)
    assert [each["leadId"] for each in two["result"]] == [lead_ids[1]]


def test_page_tokens_can_grow_old(mkto: Service, marketo: Marketo) -> None:
    marketo.switches = Switches(page_token_seconds=60)
    since = mkto.since()
    mkto.wait(seconds=61)
    assert mkto.code("activities", activityTypeIds="1", nextPageToken=since) == "1003"


def test_changes_scores_merges_and_deletions_are_logged(mkto: Service, marketo: Marketo, lead_ids: list[int]) -> None:
    since = mkto.since()
    marketo.update_leads([{"id": lead_ids[0], "leadStatus": "MQL", "title": "CEO"}])
    marketo.set_score(lead_ids[0], 40, reason="visited")
    marketo.set_score(lead_ids[0], 35)
    marketo.merge_leads(lead_ids[0], [lead_ids[1], lead_ids[2]])
    marketo.delete_leads([lead_ids[3]])
    changes = mkto.get("activities/leadchanges", fields="leadStatus", nextPageToken=since)["result"]
    assert [each["fields"] for each in changes if each["activityTypeId"] == 13] == [
        [{"id": 145, "name": "leadStatus", "newValue": "MQL", "oldValue": "Open"}]
    ]
    scores, merge = [], {}
    for each in mkto.get("activities", activityTypeIds="22,32", nextPageToken=since)["result"]:
        told = {one["name"]: one["value"] for one in each["attributes"]}
        if each["activityTypeId"] == 22:
            scores.append((each["primaryAttributeValue"], told["Change Value"], told["New Value"]))
        else:
            merge = {"lead": each["leadId"], "lead_ids": told["Merge IDs"]}
    assert scores == [("Lead Score", "+40", 40), ("Lead Score", "-5", 35)]
    assert merge == {"lead": lead_ids[0], "lead_ids": f"[{lead_ids[1]}, {lead_ids[2]}]"}
    deleted = mkto.get("activities/deletedleads", nextPageToken=since)["result"]
    assert [(each["leadId"], each["activityTypeId"]) for each in deleted] == [(lead_ids[3], 37)]
    left = mkto.get("leads", filterType="id", filterValues=",".join(map(str, lead_ids)))["result"]
    assert [each["id"] for each in left] == [lead_ids[0]]


def test_an_instance_adds_types_and_fields_and_keeps_them(mkto: Service, marketo: Marketo, lead_ids: list[int]) -> None:
    [kind] = marketo.add_activity_types([("Attend Webinar", "Webinar", ["Minutes"])])
    marketo.add_lead_fields({"lifecycleStatus": "string"})
    row = {"leadId": lead_ids[0], "activityTypeId": kind, "activityDate": NOON, "primaryAttributeValue": "Intro",
           "attributes": [{"name": "Minutes", "value": "30"}]}  # fmt: skip
    answer = mkto.post("activities/external", {"input": [row, {**row, "leadId": 1}, {**row, "activityTypeId": 2}]})
    codes = [each.get("reasons", [{"code": each["status"]}])[0]["code"] for each in answer["result"]]
    assert codes == ["added", "1004", "1003"]
    kept = Marketo(marketo.org)
    assert (kept.types[kind]["name"], "lifecycleStatus" in kept.fields) == ("Attend Webinar", True)
    assert kind >= 100_000
    assert kind in {each["id"] for each in mkto.get("activities/types")["result"]}


@settings(max_examples=cases(60))
@given(
    seconds=st.lists(st.integers(0, 5), max_size=30),
    scan=st.integers(1, 7),
    batch=st.integers(1, 5),
    wanted=st.sets(st.sampled_from([1, 2, 10]), min_size=1),
)
def test_however_the_log_is_paged_each_activity_comes_once_in_order(
    seconds: list[int], scan: int, batch: int, wanted: set[int]
) -> None:
    org = PracticeOrg()
    marketo = Marketo(org)
    marketo.switches = Switches(scan_rows=scan)
    marketo.add_activities(
        [{"leadId": 1, "activityTypeId": (1, 2, 10)[place % 3], "activityDate": 1_000_000 + second}
         for place, second in enumerate(seconds)]
    )  # fmt: skip
    params = {"sinceDatetime": stamp(1_000_000)}
    token = reads.paging_token(marketo, Ask("GET", "", params, {}))["nextPageToken"]
    found, more = [], True
    while more:
        asked = {"activityTypeIds": ",".join(map(str, wanted)), "batchSize": str(batch), "nextPageToken": token}
        page = reads.activities(marketo, Ask("GET", "", asked, {}))
        assert not page["moreResult"] or page["nextPageToken"] != token
        found += [each["id"] for each in page.get("result", [])]
        token, more = page["nextPageToken"], page["moreResult"]
    assert found == [each["id"] for each in marketo.activities() if each["activityTypeId"] in wanted]
    org.close()


# -- leads -------------------------------------------------------------------------------------------------------------


def test_leads_are_found_by_searchable_fields_only(mkto: Service, marketo: Marketo, lead_ids: list[int]) -> None:
    marketo.update_leads([{"id": lead_ids[2], "sfdcContactId": "003000000000001AAA"}])
    found = mkto.get("leads", filterType="email", filterValues="P1@practice.example,x@y.example", fields="id,email")
    assert found["result"] == [{"id": lead_ids[1], "email": "p1@practice.example"}]
    assert "nextPageToken" not in found
    by_contact = mkto.get("leads", filterType="sfdcContactId", filterValues="003000000000001AAA")["result"]
    assert [each["id"] for each in by_contact] == [lead_ids[2]]
    assert by_contact[0].keys() == {"id", "email", "updatedAt", "createdAt", "firstName", "lastName"}
    assert mkto.code("leads", filterType="leadStatus", filterValues="Open") == "1011"
    assert mkto.code("leads", filterType="email", filterValues="a@x.example", fields="nonsense") == "1006"
    assert mkto.code("leads", filterType="id", filterValues=",".join(map(str, range(301)))) == "1003"
    assert mkto.get(f"lead/{lead_ids[0]}", fields="leadStatus")["result"] == [{"id": lead_ids[0], "leadStatus": "Open"}]
    assert mkto.code("lead/7") == "1004"


def test_many_leads_come_in_pages_and_too_many_not_at_all(mkto: Service, marketo: Marketo) -> None:
    marketo.add_lead_fields({"region": "string"}, searchable=True)
    made = marketo.add_leads([{"email": f"{n}@practice.example", "region": "EU"} for n in range(700)])
    asked: dict[str, Any] = {"filterType": "region", "filterValues": "EU", "fields": "id"}
    found, answer = [], mkto.get("leads", **asked)
    while True:
        found += [each["id"] for each in answer["result"]]
        if "nextPageToken" not in answer:
            break
        answer = mkto.get("leads", nextPageToken=answer["nextPageToken"], **asked)
    assert found == made
    marketo.add_leads([{"region": "EU"}] * 301)
    assert mkto.code("leads", **asked) == "1003"


def test_leads_are_synchronised_row_by_row(mkto: Service, marketo: Marketo, lead_ids: list[int]) -> None:
    def sync(*rows: dict[str, Any], **how: str) -> list[str]:
        answer = mkto.post("leads", {"input": rows, **how})["result"]
        return [each["reasons"][0]["code"] if each["status"] == "skipped" else each["status"] for each in answer]

    known, new = {"email": "p0@practice.example", "title": "CEO"}, {"email": "new@practice.example"}
    assert sync(known, new, {"nonsense": 1}) == ["updated", "created", "1006"]
    assert sync(known, {"email": "other@practice.example"}, action="createOnly") == ["1005", "created"]
    assert sync({"email": "who@practice.example"}, known, action="updateOnly") == ["1004", "updated"]
    assert sync({"id": lead_ids[1], "title": "CFO"}, action="updateOnly", lookupField="id") == ["updated"]
    marketo.add_leads([new])
    assert sync(new) == ["1007"]
    assert (marketo.lead(lead_ids[0])["title"], marketo.lead(lead_ids[1])["title"]) == ("CEO", "CFO")
    response = mkto.call("POST", "leads", data="{}", headers={"Content-Type": "text/plain"})
    assert response.json()["errors"][0]["code"] == "612"
    response = mkto.call("POST", "leads", data="{", headers={"Content-Type": "application/json"})
    assert response.json()["errors"][0]["code"] == "609"


def test_a_long_question_is_posted_as_a_form(mkto: Service, lead_ids: list[int]) -> None:
    values = ",".join([*(f"{n:0>40}@practice.example" for n in range(250)), "p3@practice.example"])
    asked = {"filterType": "email", "filterValues": values}
    assert mkto.call("GET", "leads", params=asked).status_code == 414
    answer = mkto.call("POST", "leads", params={"_method": "GET"}, data=asked).json()
    assert [each["id"] for each in answer["result"]] == [lead_ids[3]]
    assert mkto.call("POST", "leads", data="x" * (1 << 20 | 1)).status_code == 413


def test_descriptions_have_the_shape_of_recorded_ones(mkto: Service) -> None:
    shown = {each["rest"]["name"]: each for each in mkto.get("leads/describe")["result"]}
    assert shown["leadScore"] == {
        "id": 146, "displayName": "Lead Score", "dataType": "integer", "rest": {"name": "leadScore", "readOnly": False}
    }  # fmt: skip
    assert ["sfdcContactId"] in mkto.get("leads/describe2")["result"][0]["searchableFields"]
    if not RECORDED.exists():
        pytest.skip("no recorded traffic beside the project")
    lines = [json.loads(line) for line in RECORDED.read_text().splitlines()]
    real = next(line["response"]["result"] for line in lines if line["path"].endswith("describe.json"))
    known = [each for each in real if each.get("rest", {}).get("name") in shown.keys() - {"id"}]
    assert len(known) > 10
    for each in known:
        ours = shown[each["rest"]["name"]]
        assert all(ours[key] == each[key] for key in ("id", "displayName", "dataType", "rest"))


def test_recorded_traffic_gets_the_recorded_answers(mkto: Service, marketo: Marketo) -> None:
    if not RECORDED.exists():
        pytest.skip("no recorded traffic beside the project")
    lines = [json.loads(line) for line in RECORDED.read_text().splitlines()]
    described = next(line["response"]["result"] for line in lines if line["path"].endswith("describe.json"))
    own = {each["rest"]["name"]: each["dataType"] for each in described if each["rest"]["name"].endswith("_field")}
    marketo.add_lead_fields({**own, "date_field": "date"})
    known: dict[int, int] = {}  # recorded ids to ours

    def ours(value: Any) -> Any:
        """With our ids for theirs, and without the times."""
        if isinstance(value, dict):
            return {key: ours(one) for key, one in value.items() if key not in {"createdAt", "updatedAt", "requestId"}}
        if isinstance(value, list):
            return [ours(one) for one in value]
        return known.get(value, value) if isinstance(value, int) and not isinstance(value, bool) else value

    compared = 0
    for line in lines:
        if line["path"] != "/rest/v1/leads.json":
            continue
        params = {key: unquote(value) for key, value in line["query"].items()}
        if params.get("filterType") == "id":
            params["filterValues"] = str(known[int(params["filterValues"])])
        marketo.gate = Gate()
        answer = mkto.call(line["method"], "leads", params=params, json=ours(line["body"])).json()
        for real, made in zip(line["response"]["result"], answer["result"], strict=True):
            if real.get("status") == "created":
                known[real["id"]] = made["id"]
        assert ours(answer) == ours(line["response"]), line["body"]
        compared += 1
    assert compared > 50


# -- the handle --------------------------------------------------------------------------------------------------------


def test_the_handle_refuses_what_no_instance_has(marketo: Marketo, lead_ids: list[int]) -> None:
    for work in (
        lambda: marketo.add_leads([{"nonsense": 1}]),
        lambda: marketo.add_activities([{"leadId": lead_ids[0], "activityTypeId": 999}]),
        lambda: marketo.delete_leads([1]),
    ):
        with pytest.raises(PracticeError):
            work()
    with pytest.raises(MarketoError):
        reads.one_lead(marketo, Ask("GET", "", {}, {}), "1")


def test_a_company_lives_in_marketo_too(marketo: Marketo, lead_ids: list[int], clock: FrozenClock) -> None:
    before = marketo.count("activity")
    lines = marketo.live(random.Random(1), clock.now(), events=5)  # noqa: S311 - dice of a practice org
    assert (len(lines), marketo.count("activity") - before, marketo.count("lead")) == (5, 5, len(lead_ids))
