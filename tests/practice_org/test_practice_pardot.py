"""The imitation of Account Engagement v5 over real HTTP: pages, times, limits, refusals, and the traps clients met."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from email.utils import format_datetime, parsedate_to_datetime
from pathlib import Path
from typing import Any

import pytest
import requests

from connector.base.clock import FrozenClock
from practice_org.errors import PracticeError
from practice_org.pardot.gate import Switches
from practice_org.pardot.system import Pardot
from practice_org.salesforce.ids import generate
from practice_org.salesforce.org import PracticeOrg
from practice_org.serving.gate import Gate
from practice_org.serving.server import Server

NOW = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)
ACTIVITIES = "visitor-activities"


@dataclass
class Service:
    """The served imitation, and a client with good headers."""

    org: PracticeOrg
    pardot: Pardot
    clock: FrozenClock
    url: str = ""
    session: requests.Session = field(default_factory=requests.Session)

    def get(self, path: str, headers: dict[str, str | None] | None = None, **params: Any) -> requests.Response:
        return self.session.get(f"{self.url}/api/v5/objects/{path}", params=params, headers=headers or {}, timeout=10)

    def values(self, path: str, **params: Any) -> list[dict[str, Any]]:
        response = self.get(path, **{"fields": "id", **params})
        assert response.status_code == 200, response.text
        return list(response.json()["values"])

    def ids(self, path: str, **params: Any) -> list[int]:
        return [row["id"] for row in self.values(path, **params)]

    def code(self, path: str, headers: dict[str, str | None] | None = None, **params: Any) -> tuple[int, int]:
        response = self.get(path, headers, **{"fields": "id", **params})
        return response.status_code, response.json()["code"]

    def chain(self, **params: Any) -> Iterator[requests.Response]:
        """All pages of a chain."""
        response = self.get(ACTIVITIES, fields="id", **params)
        yield response
        while token := response.json()["nextPageToken"]:
            response = self.get(ACTIVITIES, fields="id", nextPageToken=token)
            yield response

    def activities(self, count: int, **fields: Any) -> list[int]:
        return self.pardot.add_activities([{"type": 4, "prospectId": 1, **fields} for _ in range(count)])

    def wait(self, **duration: float) -> None:
        self.clock.sleep(timedelta(**duration).total_seconds())


@pytest.fixture(scope="module")
def served() -> Iterator[Service]:
    clock = FrozenClock(NOW)
    org = PracticeOrg(clock=clock)
    made = Service(org, Pardot(org), clock)
    with Server(org, extra_routes=made.pardot.routes) as server, made.session:
        made.url = server.url
        yield made
    org.close()


@pytest.fixture
def service(served: Service) -> Service:
    """Empty again, at the same time again, nothing switched."""
    served.clock.at = NOW
    served.org.faults.off()
    served.org.db.write([("DELETE FROM pardot_row WHERE object <> 'lifecycle-stages'", [()])])
    served.org.credentials.session = timedelta(hours=2)
    served.pardot.switches, served.pardot.gate = Switches(), Gate()
    served.pardot.zone = timezone(timedelta(hours=-5))
    served.session.headers["Authorization"] = f"Bearer {served.org.credentials.issue()}"
    served.session.headers["Pardot-Business-Unit-Id"] = served.pardot.business_unit_id
    return served


def test_an_activity_reads_as_the_real_service_writes_it(service: Service) -> None:
    service.pardot.zone = timezone(timedelta(hours=-4))
    created = datetime(2026, 5, 1, 7, 24, 17, tzinfo=UTC)
    row = {"type": 11, "details": "Spring newsletter", "prospectId": 395861995, "emailId": 5, "createdAt": created}
    (record,) = service.pardot.add_activities([row])
    fields = "id,type,typeName,details,prospectId,formId,createdAt,updatedAt"
    body = service.get(ACTIVITIES, fields=fields).json()
    assert body == {
        "nextPageToken": None,
        "nextPageUrl": None,
        "values": [
            {
                "id": record,
                "type": 11,
                "typeName": "Email",
                "details": "Spring newsletter",
                "prospectId": 395861995,
                "formId": None,
                "createdAt": "2026-05-01T03:24:17-04:00",
                "updatedAt": "2026-05-01T03:24:17-04:00",
            }
        ],
    }


def test_nothing_found_is_an_empty_page(service: Service) -> None:
    assert service.get("prospects", fields="id").json() == {"nextPageToken": None, "nextPageUrl": None, "values": []}


def test_related_fields_are_nested(service: Service) -> None:
    (campaign,) = service.pardot.add_campaigns([{"name": "Spring"}])
    service.pardot.add_activities([{"type": 4, "campaignId": campaign}, {"type": 4}])
    shown = service.values(ACTIVITIES, fields="id,campaign.name,campaign.id")
    assert [row["campaign"] for row in shown] == [{"name": "Spring", "id": campaign}, None]


def test_a_prospect_knows_its_contact_or_lead(service: Service) -> None:
    rows = [{"email": "a@practice.example", "salesforceContactId": "003A"}, {"salesforceLeadId": "00QB"}, {}]
    service.pardot.add_prospects(rows)
    shown = service.values("prospects", fields="salesforceId,score,isDeleted,grade")
    assert [row["salesforceId"] for row in shown] == ["003A", "00QB", None]
    assert shown[2] == {"salesforceId": None, "score": 0, "isDeleted": False, "grade": None}


def test_stages_and_single_records_can_be_read(service: Service) -> None:
    assert [row["name"] for row in service.values("lifecycle-stages", fields="name", orderBy="id")] == [
        "Visitor",
        "Prospect",
        "MQL",
        "SQL",
        "Won",
    ]
    (known,) = service.pardot.add_prospects([{"email": "a@practice.example"}])
    assert service.get(f"prospects/{known}", fields="email").json() == {"email": "a@practice.example"}
    assert service.code(f"prospects/{known + 1}") == (404, 109)
    assert service.code("prospects/mine") == (400, 192)


# -- pages -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("order", ["id", "id desc", "createdAt", "createdAt desc"])
def test_a_chain_of_pages_has_every_record_once_also_when_many_share_a_second(service: Service, order: str) -> None:
    made = service.activities(25, createdAt=NOW) + service.activities(25, createdAt=NOW - timedelta(days=1))
    pages = [[row["id"] for row in page.json()["values"]] for page in service.chain(orderBy=order, limit=7)]
    assert [len(page) for page in pages] == [7] * 7 + [1]
    expected = made if order.startswith("id") else made[25:] + made[:25]
    seen = [record for page in pages for record in page]
    assert seen == (expected[::-1] if order.endswith("desc") else expected)


def test_pages_have_200_records_unless_asked_and_1000_at_most(service: Service) -> None:
    service.activities(1100)
    assert len(service.ids(ACTIVITIES)) == 200
    assert len(service.ids(ACTIVITIES, limit=1000)) == 1000
    assert service.code(ACTIVITIES, limit=1001) == (400, 224)


def test_the_next_page_url_works_as_it_stands(service: Service) -> None:
    made = service.activities(3)
    first = service.get(ACTIVITIES, fields="id,type", limit=2).json()
    second = service.session.get(first["nextPageUrl"], timeout=10).json()
    assert second["values"] == [{"id": made[2], "type": 4}]


def test_a_page_token_dies_after_four_hours(service: Service) -> None:
    service.activities(3)
    token = service.get(ACTIVITIES, fields="id", limit=2).json()["nextPageToken"]
    service.org.credentials.session = timedelta(days=1)
    service.wait(hours=4, seconds=1)
    assert service.code(ACTIVITIES, nextPageToken=token) == (400, 210)
    assert service.code(ACTIVITIES, nextPageToken="nonsense") == (400, 211)
    assert service.code(ACTIVITIES, nextPageToken=token, limit=2) == (400, 211)


def test_a_chain_ends_early_with_a_warning(service: Service) -> None:
    made = service.activities(25)
    service.pardot.switches = Switches(chain_limit=15)
    pages = list(service.chain(limit=10))
    seen = [row["id"] for page in pages for row in page.json()["values"]]
    assert seen == made[:15]
    assert [page.headers.get("Pardot-Warning", "")[:4] for page in pages] == ["", "203;"]
    rest = service.get(ACTIVITIES, fields="id", idGreaterThan=seen[-1])
    assert [row["id"] for row in rest.json()["values"]] == made[15:]
    assert "Pardot-Warning" not in rest.headers


# -- filters -----------------------------------------------------------------------------------------------------------


def test_filters_select(service: Service) -> None:
    old, new = service.activities(1, createdAt=NOW - timedelta(days=2))[0], service.activities(1, type=1)[0]
    assert service.ids(ACTIVITIES, createdAtAfterOrEqualTo=NOW.isoformat()) == [new]
    assert service.ids(ACTIVITIES, createdAtBefore=NOW.isoformat()) == [old]
    assert service.ids(ACTIVITIES, type=1) == [new]
    assert service.ids(ACTIVITIES, idGreaterThan=old) == [new]
    assert service.ids(ACTIVITIES, id=old) == [old]
    assert service.ids(ACTIVITIES, campaignId=9) == []
    assert service.code(ACTIVITIES, type=1, campaignId=2, prospectId=3, idGreaterThan=4) == (400, 209)


def test_a_change_moves_updated_at_and_nothing_else(service: Service) -> None:
    first, second = service.pardot.add_prospects([{"email": "a@practice.example"}, {"email": "b@practice.example"}])
    service.wait(minutes=10)
    service.pardot.update_prospects([{"id": first, "score": 50}])
    fields = "id,email,score,createdAt,updatedAt"
    shown = service.values("prospects", fields=fields, updatedAtAfter=NOW.isoformat(), orderBy="updatedAt")
    assert shown == [
        {
            "id": first,
            "email": "a@practice.example",
            "score": 50,
            "createdAt": "2026-05-01T07:00:00-05:00",
            "updatedAt": "2026-05-01T07:10:00-05:00",
        }
    ]
    assert service.ids("prospects", orderBy="updatedAt") == [second, first]


def test_deleted_records_show_only_when_asked_for(service: Service) -> None:
    kept, gone = service.pardot.add_prospects([{}, {}])
    service.pardot.delete_prospects([gone])
    assert service.ids("prospects") == [kept]
    assert service.ids("prospects", deleted="true") == [gone]
    assert service.ids("prospects", deleted="all") == [kept, gone]
    assert service.code(f"prospects/{gone}") == (404, 109)
    (activity,) = service.activities(1)
    service.pardot.delete_activities([activity])
    assert service.ids(ACTIVITIES) == []


def test_if_modified_since_answers_304(service: Service) -> None:
    service.activities(1)
    service.wait(seconds=5)
    later = format_datetime(service.clock.now(), usegmt=True)
    assert service.get(ACTIVITIES, {"If-Modified-Since": later}, fields="id").status_code == 304
    service.wait(seconds=5)
    service.activities(1)
    assert service.get(ACTIVITIES, {"If-Modified-Since": later}, fields="id").status_code == 200


def test_reads_may_be_a_minute_old(service: Service) -> None:
    (known,) = service.pardot.add_prospects([{"score": 1}])
    service.wait(minutes=2)
    service.pardot.update_prospects([{"id": known, "score": 2}])
    service.activities(1)
    service.pardot.switches = Switches(stale_seconds=60)
    service.wait(seconds=59)
    assert service.values("prospects", fields="score") == [{"score": 1}]
    assert service.ids(ACTIVITIES) == []
    service.wait(seconds=1)
    assert service.values("prospects", fields="score") == [{"score": 2}]
    assert len(service.ids(ACTIVITIES)) == 1


# -- refusals ----------------------------------------------------------------------------------------------------------


def test_who_may_not_ask_is_told_by_code(service: Service) -> None:
    unit = "Pardot-Business-Unit-Id"
    other = generate("0Uv", 2)
    assert service.code(ACTIVITIES, {"Authorization": None}) == (401, 184)
    assert service.code(ACTIVITIES, {"Authorization": "Bearer nonsense"}) == (401, 184)
    assert service.code(ACTIVITIES, {unit: None}) == (400, 181)
    assert service.code(ACTIVITIES, {unit: "0Uv"}) == (400, 182)
    assert service.code(ACTIVITIES, {unit: other}) == (400, 201)


def test_a_token_dies_with_the_salesforce_session(service: Service) -> None:
    service.org.credentials.expire()
    assert service.code(ACTIVITIES) == (401, 184)
    service.session.headers["Authorization"] = f"Bearer {service.org.credentials.issue()}"
    assert service.ids(ACTIVITIES) == []


def test_wrong_requests_are_told_by_code(service: Service) -> None:
    assert service.code(ACTIVITIES, fields="") == (400, 13)
    assert service.code(ACTIVITIES, fields="id,nonsense") == (400, 224)
    assert service.code("nonsense") == (404, 198)
    response = service.session.post(f"{service.url}/api/v5/objects/prospects", json={}, timeout=10)
    assert (response.status_code, response.json()["code"]) == (405, 198)


def test_a_sixth_request_at_once_is_refused(service: Service) -> None:
    with ExitStack() as others:
        for _ in range(5):
            others.enter_context(service.pardot.gate.admit(NOW, UTC, service.pardot.switches.limits()))
        assert service.code(ACTIVITIES) == (400, 66)
    assert service.ids(ACTIVITIES) == []


def test_limits_come_back_with_the_minute_and_the_local_midnight(service: Service) -> None:
    service.pardot.switches = Switches(minute_limit=2)
    service.ids(ACTIVITIES)
    service.ids(ACTIVITIES)
    assert service.code(ACTIVITIES) == (400, 202)
    service.wait(seconds=61)
    assert service.ids(ACTIVITIES) == []
    service.pardot.switches = Switches(daily_limit=4)
    assert service.code(ACTIVITIES) == (400, 122)
    service.org.credentials.session = timedelta(days=2)
    service.wait(hours=13)  # past midnight UTC, before midnight in the account's time zone
    assert service.code(ACTIVITIES) == (400, 122)
    service.wait(hours=5)
    assert service.ids(ACTIVITIES) == []


def test_usage_is_told_on_request(service: Service) -> None:
    assert "x-api-usage" not in service.get(ACTIVITIES, fields="id").headers
    assert service.get(ACTIVITIES, {"X-Return-Api-Usage": "1"}, fields="id").headers["x-api-usage"] == "2/50000"


def test_the_date_is_the_orgs(service: Service) -> None:
    assert parsedate_to_datetime(service.get(ACTIVITIES, fields="id").headers["Date"]) == NOW


@pytest.mark.parametrize(
    ("kind", "values", "answer"),
    [
        ("stale_session", {}, (401, 184)),
        ("concurrent_limit", {}, (400, 66)),
        ("daily_limit", {}, (400, 122)),
        ("server_error", {}, (500, 183)),
        ("server_error", {"status": 503}, (503, 183)),
    ],
)
def test_a_fault_strikes_here_and_spares_salesforce(
    service: Service, kind: str, values: dict[str, int], answer: tuple[int, int]
) -> None:
    service.org.faults.on(kind, times=1, path="/api/v5", **values)
    limits = service.session.get(f"{service.url}/services/data/v67.0/limits", timeout=10)
    assert limits.status_code == 200
    assert service.code(ACTIVITIES) == answer
    assert service.ids(ACTIVITIES) == []


def test_cut_off_and_broken_answers_happen_here_too(service: Service) -> None:
    service.activities(5)
    for kind in ("cut_off", "reset"):
        service.org.faults.on(kind, times=1, path="/api/v5")
        with pytest.raises(requests.RequestException):
            service.get(ACTIVITIES, fields="id")
        assert len(service.ids(ACTIVITIES)) == 5


def test_switches_can_be_set_from_outside(service: Service) -> None:
    url = f"{service.url}/practice/pardot"
    assert service.session.post(url, json={"stale_seconds": 60, "chain_limit": 10}, timeout=10).status_code == 200
    assert service.pardot.switches == Switches(stale_seconds=60, chain_limit=10)
    assert service.session.get(url, timeout=10).json()["chain_limit"] == 10
    assert service.session.post(url, json={"stale": 60}, timeout=10).status_code == 400
    assert service.session.post(url, data="no JSON", timeout=10).status_code == 400


def test_unknown_fields_of_a_row_are_an_error(service: Service) -> None:
    with pytest.raises(PracticeError, match="nonsense"):
        service.pardot.add_prospects([{"nonsense": 1}])


def test_a_kept_org_keeps_its_prospects(tmp_path: Path) -> None:
    for expected in ([], [390_000_001]):
        org = PracticeOrg(str(tmp_path / "org.sqlite3"), clock=FrozenClock(NOW))
        pardot = Pardot(org)
        assert [row["id"] for row in pardot.prospects()] == expected
        pardot.add_prospects([{"email": "a@practice.example"}])
        assert pardot.count("lifecycle-stages") == 5
        org.close()


ASKED = {  # what a reader in the field asks of each object; every name must be known here
    "campaigns": "id,name,isDeleted,folderId,cost,parentCampaignId,createdById,updatedById,salesforceId",
    "lists": "id,name,title,description,isPublic,folderId,campaignId,isDynamic,createdById",
    "list-memberships": "id,listId,prospectId,optedOut,createdAt,updatedAt,createdById,updatedById",
    "prospect-accounts": "id,name,salesforceId,annualRevenue,billingCity,employees,industry,website,assignedToId",
    "prospects": "id,salutation,isReviewed,doNotSell,website,industry,employees,notes,createdById,updatedById,userId",
    "users": "id,email,username,isDeleted,firstName,jobTitle,role,roleName,salesforceId",
    "visitor-activities": "id,visitId,prospectId,visitorId,emailId,type,typeName,details,campaignId",
    "visitors": "id,prospectId,pageViewCount,isIdentified,doNotSell,hostname,ipAddress,campaignId",
    "visits": "id,visitorId,prospectId,visitorPageViewCount,firstVisitorPageViewAt,durationInSeconds",
}


@pytest.mark.parametrize("name", ASKED)
def test_every_object_reads_by_when_it_changed(service: Service, name: str) -> None:
    rows = [{"type": 4} if name == "visitor-activities" else {} for _ in range(3)]
    made = service.pardot.add(name, rows)
    since = (NOW - timedelta(hours=1)).isoformat()
    asked = {"deleted": "all", "orderBy": "updatedAt ASC", "updatedAtAfterOrEqualTo": since}
    shown = service.values(name, **{**asked, "fields": ASKED[name]})
    assert [row["id"] for row in shown] == made
    assert all(list(row) == ASKED[name].split(",") for row in shown)


def test_a_prospect_that_changes_its_stage_has_a_history(service: Service) -> None:
    [ada, bo] = service.pardot.add_prospects([{"email": "a@practice.example", "lifecycleStageId": 2}, {}])
    service.wait(minutes=10)
    service.pardot.update_prospects([{"id": ada, "lifecycleStageId": 3}, {"id": bo, "score": 5}])
    service.pardot.update_prospects([{"id": ada, "lifecycleStageId": 3}])
    fields = "prospectId,previousStageId,nextStageId,secondsElapsed,createdAt"
    shown = service.values("lifecycle-histories", fields=fields, prospectId=ada)
    moved = {"prospectId": ada, "previousStageId": 2, "nextStageId": 3, "secondsElapsed": 600}
    assert shown == [{**moved, "createdAt": "2026-05-01T07:10:00-05:00"}]
    assert service.ids("lifecycle-histories", prospectId=bo) == []
