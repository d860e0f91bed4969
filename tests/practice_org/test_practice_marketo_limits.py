"""The Marketo imitation over real HTTP: tokens, limits, faults and bulk extracts, as the real one has them."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

from practice_org.marketo.gate import CENTRAL, Switches
from practice_org.marketo.system import Marketo
from practice_org.serving.gate import Gate
from tests.practice_org.marketo_service import NOON, Service

# -- token -------------------------------------------------------------------------------------------------------------


def test_everybody_gets_the_same_token_until_it_expires(mkto: Service) -> None:
    first = mkto.token().json()
    mkto.wait(seconds=3597)
    second = mkto.token().json()
    assert (second["access_token"], first["expires_in"], second["expires_in"]) == (first["access_token"], 3599, 2)
    mkto.wait(seconds=2)
    assert mkto.code("activities/types") == "602"
    mkto.token()  # another client renews it
    assert mkto.code("activities/types") == "602"
    mkto.sign_in()
    assert mkto.get("activities/types")["success"]


def test_a_wrong_client_is_refused_by_status(mkto: Service) -> None:
    response = mkto.token(client_secret="wrong")
    assert (response.status_code, response.json()["error"]) == (401, "unauthorized")


def test_only_the_header_carries_a_token(mkto: Service) -> None:
    token = mkto.session.headers.pop("Authorization")
    assert mkto.code("activities/types", access_token=str(token).split()[1]) == "600"
    mkto.session.headers["Authorization"] = "Bearer nonsense"
    assert mkto.code("activities/types") == "601"


# -- limits and faults -------------------------------------------------------------------------------------------------


def test_rate_quota_and_concurrency_are_limited(mkto: Service, marketo: Marketo) -> None:
    marketo.gate = Gate()
    marketo.switches = Switches(rate_limit=3, daily_limit=8, concurrency=1)
    assert [mkto.get("activities/types")["success"] for _ in range(3)] == [True] * 3
    assert mkto.code("activities/types") == "606"
    mkto.wait(seconds=21)
    assert mkto.get("stats/usage")["result"][0]["total"] == 5  # a refusal counts
    with marketo.gate.admit(mkto.clock.now(), CENTRAL, marketo.switches.limits()):
        assert mkto.code("activities/types") == "615"
    mkto.wait(seconds=21)
    assert mkto.get("activities/types")["success"]
    assert mkto.code("activities/types") == "607"
    mkto.wait(hours=18)  # midnight of US Central standard time is over
    mkto.sign_in()
    assert mkto.get("stats/usage")["result"] == [
        {"date": "2026-05-05", "total": 1, "users": [{"userId": "api.user@practice.example", "count": 1}]}
    ]


def test_faults_show_as_marketo_shows_them(mkto: Service, marketo: Marketo) -> None:
    on = marketo.org.faults.on
    for kind, code, values in (
        ("daily_limit", "607", {}), ("concurrent_limit", "615", {}), ("server_error", "611", {}),
        ("server_error", "713", {"code": "713"}), ("stale_session", "601", {}),
    ):  # fmt: skip
        on(kind, times=1, path="/rest/v1", **values)
        assert mkto.code("activities/types") == code
    faults: tuple[tuple[str, int, dict[str, Any]], ...] = (("edge", 502, {}), ("server_error", 503, {"status": 503}))
    for kind, status, values in faults:
        on(kind, times=1, path="/rest/v1", **values)
        response = mkto.call("GET", "activities/types")
        assert (response.status_code, response.headers["content-type"][:9]) == (status, "text/html")
    on("locator_expired", times=1)
    assert mkto.code("activities", activityTypeIds="1", nextPageToken=mkto.since()) == "1003"
    on("stale_session", times=1, path="/rest/v1", token=True)
    assert [mkto.code("activities/types") for _ in range(2)] == ["602", "602"]
    mkto.sign_in()
    assert mkto.get("activities/types")["success"]


def test_activities_may_come_without_their_old_id(mkto: Service, marketo: Marketo, lead_ids: list[int]) -> None:
    marketo.switches = Switches(guid_only=1)
    shown = mkto.get("activities", activityTypeIds="12", nextPageToken=mkto.since())["result"]
    assert ["id" in each for each in shown] == [False] * len(lead_ids)
    assert len({each["marketoGUID"] for each in shown}) == len(lead_ids)


def test_unknown_paths_and_methods_are_told_by_code(mkto: Service) -> None:
    assert mkto.code("nonsense") == "610"
    assert mkto.call("DELETE", "activities/types").json()["errors"][0]["code"] == "605"


def test_switches_are_set_over_http(mkto: Service) -> None:
    shown = mkto.call("POST", "/practice/marketo", json={"scan_rows": 5}).json()
    assert (shown["switches"]["scan_rows"], shown["client_id"]) == (5, mkto.marketo.client_id)
    assert mkto.call("POST", "/practice/marketo", json={"nonsense": 1}).status_code == 400


# -- bulk extracts -----------------------------------------------------------------------------------------------------

MAY = {"startAt": "2026-05-01T00:00:00Z", "endAt": "2026-05-31T00:00:00Z"}
BULK = "/bulk/v1/activities/export"


def created(mkto: Service, **filters: Any) -> str:
    answer = mkto.post(f"{BULK}/create.json", {"format": "CSV", "filter": {"createdAt": MAY, **filters}})
    return answer["result"][0]["exportId"]


def test_an_extract_is_made_enqueued_looked_after_and_fetched(
    mkto: Service, marketo: Marketo, lead_ids: list[int]
) -> None:
    told = {"Form Fields": 'a "b", c', "Webpage ID": 7}
    [form] = marketo.add_activities([{"leadId": lead_ids[0], "activityTypeId": 2, "attributes": told}])
    marketo.switches = Switches(job_seconds=90)
    job = f"{BULK}/{created(mkto, activityTypeIds=[2])}"
    assert mkto.call("GET", f"{job}/file.json").status_code == 404
    assert mkto.post(f"{job}/enqueue.json", None)["result"][0]["status"] == "Queued"
    assert mkto.get(f"{job}/status.json")["result"][0]["status"] == "Processing"
    mkto.wait(seconds=90)
    [done] = mkto.get(f"{job}/status.json")["result"]
    whole = mkto.call("GET", f"{job}/file.json")
    assert (done["status"], done["numberOfRecords"], done["fileSize"]) == ("Completed", 1, len(whole.content))
    [row] = csv.DictReader(io.StringIO(whole.text))
    assert (row["marketoGUID"], row["campaignId"], row["activityDate"]) == (str(form), "null", NOON)
    assert json.loads(row["attributes"]) == told
    parts = [mkto.call("GET", f"{job}/file.json", headers={"Range": f"bytes={r}"}) for r in ("0-9", "10-")]
    assert [part.status_code for part in parts] == [206, 206]
    assert b"".join(part.content for part in parts) == whole.content
    mkto.wait(days=8)
    mkto.sign_in()
    assert mkto.call("GET", f"{job}/file.json").status_code == 404


def test_extracts_are_limited(mkto: Service, marketo: Marketo) -> None:
    def refused(path: str, content: Any = None) -> str:
        return mkto.post(path, content)["errors"][0]["code"]

    long = {"startAt": MAY["startAt"], "endAt": "2026-06-02T00:00:00Z"}
    assert refused(f"{BULK}/create.json", {"filter": {"createdAt": long}}) == "1003"
    assert refused(f"{BULK}/create.json", {"filter": {"activityTypeIds": [1]}}) == "1003"
    marketo.switches = Switches(job_seconds=60)
    jobs = [created(mkto) for _ in range(11)]
    for job in jobs[:10]:
        mkto.post(f"{BULK}/{job}/enqueue.json", None)
    assert refused(f"{BULK}/{jobs[10]}/enqueue.json") == "1029"
    assert refused(f"{BULK}/{jobs[0]}/enqueue.json") == "1029"
    states = [each["status"] for each in mkto.get(f"{BULK}.json")["result"]]
    assert states == ["Processing"] * 2 + ["Queued"] * 8 + ["Created"]
    assert mkto.post(f"{BULK}/{jobs[3]}/cancel.json", None)["result"][0]["status"] == "Cancelled"
    marketo.switches = Switches(export_megabytes=0)
    answer = mkto.post(f"{BULK}/create.json", {"filter": {"createdAt": MAY}})
    assert answer["errors"][0]["message"] == "Export daily quota 0MB exceeded."


def test_deletions_are_not_extracted(mkto: Service, marketo: Marketo, lead_ids: list[int]) -> None:
    marketo.delete_leads(lead_ids[:1])
    job = f"{BULK}/{created(mkto)}"
    mkto.post(f"{job}/enqueue.json", None)
    assert mkto.get(f"{job}/status.json")["result"][0]["numberOfRecords"] == len(lead_ids)
    answer = mkto.post(f"{BULK}/create.json", {"filter": {"createdAt": MAY, "activityTypeIds": [37]}})
    assert answer["errors"][0]["code"] == "1003"


def test_leads_are_extracted_by_their_last_change(mkto: Service, marketo: Marketo, lead_ids: list[int]) -> None:
    mkto.wait(days=1)
    marketo.update_leads([{"id": lead_ids[1], "unsubscribed": True}])
    bulk = "/bulk/v1/leads/export"
    span = {"startAt": "2026-05-05T00:00:00Z", "endAt": "2026-05-06T00:00:00Z"}
    mkto.sign_in()
    asked = {"fields": ["id", "unsubscribed", "phone"], "filter": {"updatedAt": span}}
    job = mkto.post(f"{bulk}/create.json", asked)["result"][0]["exportId"]
    mkto.post(f"{bulk}/{job}/enqueue.json", None)
    mkto.get(f"{bulk}/{job}/status.json")
    file = mkto.call("GET", f"{bulk}/{job}/file.json").text
    assert file == f"id,unsubscribed,phone\n{lead_ids[1]},true,null\n"
