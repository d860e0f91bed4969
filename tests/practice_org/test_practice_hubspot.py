"""HubSpot's CRM API as the practice org imitates it, over real HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
import requests

from connector.base.clock import FrozenClock
from practice_org.hubspot.gate import Switches
from practice_org.hubspot.system import HubSpot
from practice_org.salesforce.org import PracticeOrg
from practice_org.serving.server import Server

CONTACTS = "/crm/v3/objects/contacts"
LOOSE = Switches(ten_seconds_limit=0, search_limit=0)


class Client:
    def __init__(self, hub: HubSpot, url: str) -> None:
        self.hub, self.url = hub, url
        self.session = requests.Session()
        self.session.headers["Authorization"] = f"Bearer {hub.token}"

    def call(self, method: str, path: str, body: Any = None, **params: Any) -> requests.Response:
        return self.session.request(method, self.url + path, json=body, params=params, timeout=10)

    def ok(self, method: str, path: str, body: Any = None, status: int = 200, **params: Any) -> Any:
        response = self.call(method, path, body, **params)
        assert response.status_code == status, response.text
        return response.json() if response.content else None

    def refused(self, status: int, method: str, path: str, body: Any = None, **params: Any) -> dict[str, Any]:
        found: dict[str, Any] = self.ok(method, path, body, status, **params)
        assert found["status"] == "error"
        assert found["correlationId"]
        return found

    def search(self, *filters: tuple[Any, ...], name: str = "contacts", **more: Any) -> dict[str, Any]:
        keys = ("propertyName", "operator", "value", "highValue")
        group = {"filters": [dict(zip(keys, each, strict=False)) for each in filters]}
        body = {"filterGroups": [group], **more}
        found: dict[str, Any] = self.ok("POST", f"/crm/v3/objects/{name}/search", body)
        return found


@pytest.fixture
def hub(org: PracticeOrg) -> HubSpot:
    hub = HubSpot(org)
    hub.switches = LOOSE
    return hub


@pytest.fixture
def client(hub: HubSpot) -> Iterator[Client]:
    with Server(hub.org, extra_routes=hub.routes) as server:
        client = Client(hub, server.url)
        yield client
        client.session.close()


def ids(found: dict[str, Any]) -> list[int]:
    return [int(each["id"]) for each in found["results"]]


def test_a_record_has_the_shape_that_was_recorded(client: Client) -> None:
    [one] = client.hub.add_contacts([{"email": "Ann@Example.com", "lifecyclestage": "lead"}])
    found = client.search(("email", "EQ", "ann@example.com"), properties=["email", "hs_lead_status", "no_such_one"])
    at = "2026-05-04T12:00:00.000Z"
    properties = {"createdate": at, "email": "ann@example.com", "hs_lead_status": None}
    assert found == {
        "total": 1,
        "results": [
            {
                "id": str(one),
                "properties": {**properties, "hs_object_id": str(one), "lastmodifieddate": at},
                "createdAt": at,
                "updatedAt": at,
                "archived": False,
            }
        ],
    }


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (("firstname", "EQ", "ANN"), "a"),
        (("firstname", "NEQ", "ann"), "b"),
        (("hubspotscore", "GT", "9"), "a"),
        (("hubspotscore", "LTE", "9"), "b"),
        (("hubspotscore", "BETWEEN", "8", "9.5"), "b"),
        (("lastname", "HAS_PROPERTY"), "b"),
        (("lastname", "NOT_HAS_PROPERTY"), "ac"),
        (("email", "CONTAINS_TOKEN", "*@one.example"), "ab"),
        (("company", "CONTAINS_TOKEN", "works"), "a"),
        (("company", "CONTAINS_TOKEN", "work"), ""),
        (("company", "NOT_CONTAINS_TOKEN", "works"), "bc"),
        (("lastmodifieddate", "GTE", "1777896000000"), "abc"),
        (("createdate", "LT", "2026-05-04T12:00:00Z"), ""),
    ],
)
def test_operators(client: Client, given: tuple[str, ...], expected: str) -> None:
    rows: list[dict[str, Any]] = [
        {"email": "a@one.example", "firstname": "Ann", "hubspotscore": 10, "company": "Iron Works Ltd"},
        {"email": "b@one.example", "firstname": "Bob", "hubspotscore": 9, "lastname": "Wood"},
        {"email": "c@two.example"},
    ]
    by_id = dict(zip(client.hub.add_contacts(rows), "abc", strict=True))
    assert "".join(by_id[one] for one in ids(client.search(given))) == expected


def test_values_of_in_and_groups_that_are_alternatives(client: Client) -> None:
    a, b, c = client.hub.add_contacts([{"firstname": name} for name in ("Ann", "Bob", "Cy")])
    some = {"propertyName": "firstname", "operator": "IN", "values": ["ann", "bob"]}
    cy = {"propertyName": "firstname", "operator": "EQ", "value": "Cy"}
    path = f"{CONTACTS}/search"
    assert ids(client.ok("POST", path, {"filterGroups": [{"filters": [some]}]})) == [a, b]
    assert ids(client.ok("POST", path, {"filterGroups": [{"filters": [some]}, {"filters": [cy]}]})) == [a, b, c]
    assert ids(client.ok("POST", path, {"query": "cy"})) == [c]


def test_pages_go_on_by_a_number_as_text_and_end_without_paging(client: Client) -> None:
    added = client.hub.add_contacts([{} for _ in range(450)])
    sort = [{"propertyName": "hs_object_id", "direction": "DESCENDING"}]
    seen: list[int] = []
    after = "0"
    for _ in range(3):
        found = client.search(limit=200, after=after, sorts=sort)
        seen += ids(found)
        after = found.get("paging", {}).get("next", {}).get("after", "")
    assert (seen, after, found["total"]) == (added[::-1], "", 450)


@pytest.mark.parametrize(
    "body",
    [
        {"limit": 201},
        {"limit": 0},
        {"after": "x"},
        {"after": "9900", "limit": 200},
        {"sorts": ["createdate", "email"]},
        {"filterGroups": [{"filters": []}] * 6},
        {"filterGroups": [{"filters": [{"propertyName": "email", "operator": "EQ", "value": "x"}] * 7}]},
        {"filterGroups": [{"filters": [{"propertyName": "nonsense", "operator": "EQ", "value": "x"}]}]},
        {"filterGroups": [{"filters": [{"propertyName": "email", "operator": "LIKE", "value": "x"}]}]},
        {"filterGroups": [{"filters": [{"propertyName": "email", "operator": "EQ"}]}]},
        {"filterGroups": [{"filters": [{"propertyName": "createdate", "operator": "EQ", "value": "soon"}]}]},
        {"filterGroups": [{"filters": [{"propertyName": "email", "operator": "EQ", "value": "x" * 3000}]}]},
    ],
)
def test_a_search_that_asks_too_much_or_wrongly_is_refused(client: Client, body: dict[str, Any]) -> None:
    assert client.refused(400, "POST", f"{CONTACTS}/search", body)["category"] == "VALIDATION_ERROR"


def test_ten_thousand_rows_are_the_most_of_a_query(client: Client) -> None:
    path = f"{CONTACTS}/search"
    assert client.call("POST", path, {"after": "9800", "limit": 200}).status_code == 200
    client.refused(400, "POST", path, {"after": "9801", "limit": 200})


def test_search_is_behind_and_reading_is_not(client: Client, clock: FrozenClock) -> None:
    client.hub.switches = Switches(index_lag_seconds=30, search_limit=0)
    [one] = client.hub.add_contacts([{"firstname": "Old"}])
    assert client.search()["total"] == 0
    assert client.ok("GET", f"{CONTACTS}/{one}")["properties"]["firstname"] == "Old"
    clock.sleep(31)
    client.hub.update_contacts([{"id": one, "firstname": "New"}])
    assert client.search()["results"][0]["properties"]["firstname"] == "Old"


def test_a_page_of_the_list_names_associations(client: Client) -> None:
    ann, bob = client.hub.add_contacts([{}, {}])
    calls = client.hub.add_engagements("calls", [{"contacts": [ann, bob]}, {}, {"contacts": [bob]}])
    found = client.ok("GET", "/crm/v3/objects/calls", limit="2", associations="contacts")
    results = found["results"][0]["associations"]["contacts"]["results"]
    assert results == [{"id": str(each), "type": "call_to_contact"} for each in (ann, bob)]
    assert "associations" not in found["results"][1]
    assert ids(client.ok("GET", "/crm/v3/objects/calls", after=found["paging"]["next"]["after"])) == calls[2:]


def test_a_contact_is_found_by_its_address_and_shows_its_past(client: Client, clock: FrozenClock) -> None:
    [one] = client.hub.add_contacts([{"email": "ann@example.com", "lifecyclestage": "lead"}])
    clock.sleep(60)
    client.hub.update_contacts([{"id": one, "lifecyclestage": "customer"}])
    path = f"{CONTACTS}/Ann@example.com"
    wanted = "hs_v2_date_entered_customer"
    more: dict[str, Any] = {"properties": wanted, "propertiesWithHistory": "lifecyclestage"}
    found = client.ok("GET", path, idProperty="email", **more)
    past = [(each["value"], each["timestamp"]) for each in found["propertiesWithHistory"]["lifecyclestage"]]
    assert past == [("customer", "2026-05-04T12:01:00.000Z"), ("lead", "2026-05-04T12:00:00.000Z")]
    assert found["properties"][wanted] == "2026-05-04T12:01:00.000Z"
    assert client.refused(404, "GET", f"{CONTACTS}/1")["category"] == "OBJECT_NOT_FOUND"


@pytest.mark.parametrize(("refuse", "status"), [(0, 200), (1, 400)])
def test_a_stage_goes_back_only_after_it_was_cleared(client: Client, refuse: int, status: int) -> None:
    client.hub.switches = Switches(refuse_backward=refuse)
    [one] = client.hub.add_contacts([{"lifecyclestage": "customer"}])

    def write(value: str) -> requests.Response:
        return client.call("PATCH", f"{CONTACTS}/{one}", {"properties": {"lifecyclestage": value}})

    def stage() -> Any:
        return client.ok("GET", f"{CONTACTS}/{one}", properties="lifecyclestage")["properties"]["lifecyclestage"]

    assert (write("lead").status_code, stage()) == (status, "customer")
    assert (write("").status_code, stage()) == (200, None)
    assert (write("lead").status_code, stage()) == (200, "lead")
    assert (write("opportunity").status_code, stage()) == (200, "opportunity")


def test_stages_of_ones_own_have_their_place_in_the_order(client: Client) -> None:
    client.hub.add_property(
        "lifecyclestage", "enumeration", (("lead", "Lead"), ("90210", "Nurtured"), ("customer", "C"))
    )
    options = client.ok("GET", "/crm/v3/properties/contacts/lifecyclestage")["options"]
    assert [(each["value"], each["displayOrder"]) for each in options] == [("lead", 0), ("90210", 1), ("customer", 2)]
    [one] = client.hub.add_contacts([{"lifecyclestage": "90210"}])
    shown = client.ok("PATCH", f"{CONTACTS}/{one}", {"properties": {"lifecyclestage": "lead"}})
    assert shown["properties"]["lifecyclestage"] == "90210"


def test_every_wrong_property_is_named_and_nothing_is_written(client: Client) -> None:
    [one] = client.hub.add_contacts([{"firstname": "Ann"}])
    given = {"firstname": "Eve", "hs_lead_status": "HOT", "email": "nobody", "hubspotscore": "x", "nope": "1",
             "hs_object_id": "7", "salesforcelastsynctime": "soon"}  # fmt: skip
    message = client.refused(400, "PATCH", f"{CONTACTS}/{one}", {"properties": given})["message"]
    errors = (
        "INVALID_OPTION",
        "INVALID_EMAIL",
        "INVALID_DOUBLE",
        "PROPERTY_DOESNT_EXIST",
        "READ_ONLY_VALUE",
        "INVALID_LONG",
    )
    assert all(f'"error":"{each}"' in message for each in errors)
    assert client.ok("GET", f"{CONTACTS}/{one}")["properties"]["firstname"] == "Ann"


def test_a_batch_with_missing_and_wrong_rows_says_207(client: Client) -> None:
    a, b = client.hub.add_contacts([{}, {}])
    rows = [(a, "NEW"), (1, "NEW"), (b, "HOT")]
    inputs = [{"id": str(one), "properties": {"hs_lead_status": status}} for one, status in rows]
    found = client.ok("POST", f"{CONTACTS}/batch/update", {"inputs": inputs}, status=207)
    assert (ids(found), found["numErrors"]) == ([a], 2)
    assert [(each["category"], each["context"]["ids"]) for each in found["errors"]] == [
        ("OBJECT_NOT_FOUND", ["1"]),
        ("VALIDATION_ERROR", [str(b)]),
    ]
    found = client.ok("POST", f"{CONTACTS}/batch/update", {"inputs": inputs[:1]})
    assert found["status"] == "COMPLETE"
    inputs = [{"id": str(one)} for one in (a, b, 2)]
    found = client.ok(
        "POST", f"{CONTACTS}/batch/read", {"inputs": inputs, "properties": ["hs_lead_status"]}, status=207
    )
    assert [each["properties"]["hs_lead_status"] for each in found["results"]] == ["NEW", None]
    client.refused(400, "POST", f"{CONTACTS}/batch/read", {"inputs": inputs * 40})


def test_an_address_belongs_to_one_contact(client: Client) -> None:
    [one] = client.hub.add_contacts([{"email": "ann@example.com"}])
    found = client.refused(409, "POST", CONTACTS, {"properties": {"email": "ANN@example.com"}})
    assert (found["category"], str(one) in found["message"]) == ("CONFLICT", True)
    made = client.ok("POST", CONTACTS, {"properties": {"email": "bob@example.com"}}, status=201)
    assert made["properties"]["email"] == "bob@example.com"


def test_archived_contacts_leave_search_and_are_listed_as_archived(client: Client) -> None:
    a, b = client.hub.add_contacts([{"email": "a@x.example"}, {}])
    client.ok("DELETE", f"{CONTACTS}/{a}", status=204)
    assert ids(client.search()) == ids(client.ok("GET", CONTACTS)) == [b]
    [gone] = client.ok("GET", CONTACTS, archived="true", properties="email")["results"]
    assert (gone["id"], gone["archived"], gone["archivedAt"]) == (str(a), True, "2026-05-04T12:00:00.000Z")
    assert client.call("GET", f"{CONTACTS}/{a}").status_code == 404
    assert client.ok("GET", f"{CONTACTS}/{a}", archived="true")["id"] == str(a)


def test_a_merged_id_finds_the_winner_with_its_activities(client: Client) -> None:
    winner, loser = client.hub.add_contacts([{"email": "a@x.example"}, {"email": "b@x.example"}])
    [call] = client.hub.add_engagements("calls", [{"contacts": [loser]}])
    body = {"primaryObjectId": str(winner), "objectIdToMerge": str(loser)}
    client.ok("POST", f"{CONTACTS}/merge", body)
    found = client.ok("GET", f"{CONTACTS}/{loser}", properties="hs_merged_object_ids")
    assert (found["id"], found["properties"]["hs_merged_object_ids"]) == (str(winner), str(loser))
    assert ids(client.search()) == [winner]
    assert ids(client.ok("GET", CONTACTS, archived="true")) == []
    found = client.ok("POST", "/crm/v4/associations/calls/contacts/batch/read", {"inputs": [{"id": str(call)}]})
    assert [each["toObjectId"] for each in found["results"][0]["to"]] == [str(winner)]


@pytest.mark.parametrize(
    ("path", "key"),
    [
        ("/crm/v3/associations/emails/contacts/batch/read", "id"),
        ("/crm/v4/associations/emails/contacts/batch/read", "toObjectId"),
        ("/crm/associations/2026-03/email/contact/batch/read", "toObjectId"),
    ],
)
def test_associations_are_read_in_batches_and_missing_ones_are_named(client: Client, path: str, key: str) -> None:
    [ann] = client.hub.add_contacts([{}])
    one, other = client.hub.add_engagements("emails", [{"contacts": [ann]}, {}])
    found = client.ok("POST", path, {"inputs": [{"id": str(one)}, {"id": str(other)}]}, status=207)
    assert [(each["from"]["id"], [to[key] for to in each["to"]]) for each in found["results"]] == [
        (str(one), [str(ann)])
    ]
    assert [each["context"]["fromObjectId"] for each in found["errors"]] == [[str(other)]]


def test_dated_paths_answer_as_the_old_ones(client: Client) -> None:
    [one] = client.hub.add_contacts([{"firstname": "Ann"}])
    for base in ("/crm/objects/2026-03/contacts", "/crm/objects/2026-09/0-1", "/crm/v3/objects/CONTACT"):
        assert ids(client.ok("POST", f"{base}/search", {})) == [one]
        assert client.ok("GET", f"{base}/{one}")["properties"]["firstname"] == "Ann"
    assert client.ok("GET", "/crm/properties/2026-03/contacts/email")["name"] == "email"
    assert client.ok("GET", "/crm/v3/owners/")["results"][0]["email"]
    client.refused(400, "GET", "/crm/v3/objects/unicorns")
    client.refused(404, "GET", "/crm/v9/nothing")


def test_email_events_come_newest_first_page_by_page(client: Client, hub: HubSpot, clock: FrozenClock) -> None:
    start = clock.now()
    for place in range(5):
        hub.add_email_events([{"type": "OPEN" if place % 2 else "CLICK", "recipient": f"{place}@x.example"}])
        clock.sleep(1)
    path = "/email/public/v1/events"
    first = client.ok("GET", path, limit="3")
    second = client.ok("GET", path, limit="3", offset=first["offset"])
    assert [each["recipient"][0] for each in first["events"] + second["events"]] == list("43210")
    assert (first["hasMore"], second["hasMore"]) == (True, False)
    since = str(int((start + timedelta(seconds=2)).timestamp() * 1000))
    until = str(int((start + timedelta(seconds=3)).timestamp() * 1000))
    assert len(client.ok("GET", path, startTimestamp=since, endTimestamp=until)["events"]) == 2
    assert len(client.ok("GET", path, eventType="OPEN")["events"]) == 2
    client.refused(400, "GET", path, limit="1001")
    client.refused(400, "GET", path, offset="nonsense")


def test_who_has_no_service_key_is_sent_away(client: Client) -> None:
    client.session.headers["Authorization"] = "Bearer pat-na1-other"
    assert client.refused(401, "GET", CONTACTS)["category"] == "INVALID_AUTHENTICATION"


def test_a_scope_that_is_missing_is_named(client: Client) -> None:
    client.hub.missing_scopes = {"content", "crm.objects.contacts.write"}
    [one] = client.hub.add_contacts([{}])
    client.ok("POST", f"{CONTACTS}/search", {})
    for method, path, scope in (
        ("GET", "/email/public/v1/events", "content"),
        ("PATCH", f"{CONTACTS}/{one}", "crm.objects.contacts.write"),
    ):
        found = client.refused(403, method, path, {})
        assert found["category"] == "MISSING_SCOPES"
        assert found["errors"][0]["context"] == {"requiredGranularScopes": [scope]}


def test_search_has_a_limit_of_its_own_and_says_not_when_to_come_back(client: Client, clock: FrozenClock) -> None:
    client.hub.switches = Switches()
    answers = [client.call("POST", f"{CONTACTS}/search", {}) for _ in range(6)]
    assert [each.status_code for each in answers] == [200] * 5 + [429]
    assert "Retry-After" not in answers[5].headers
    assert answers[5].json()["message"] == "You have reached your secondly limit."
    named = {name for name in answers[0].headers if "ratelimit" in name.lower()}
    assert {name.lower() for name in named} == {"x-hubspot-ratelimit-daily", "x-hubspot-ratelimit-daily-remaining"}
    assert client.call("GET", CONTACTS).status_code == 200
    clock.sleep(1)
    assert client.call("POST", f"{CONTACTS}/search", {}).status_code == 200


def test_ten_seconds_have_so_many_requests_and_the_day_has_too(client: Client, clock: FrozenClock) -> None:
    client.hub.switches = Switches(ten_seconds_limit=2, daily_limit=5)
    first = client.call("GET", CONTACTS)
    names = ("Daily", "Daily-Remaining", "Interval-Milliseconds", "Max", "Remaining")
    shown = [first.headers[f"X-HubSpot-RateLimit-{name}"] for name in names]
    assert shown == ["5", "4", "10000", "2", "1"]
    client.call("GET", CONTACTS)
    assert client.refused(429, "GET", CONTACTS)["policyName"] == "TEN_SECONDLY_ROLLING"
    clock.sleep(10)
    client.ok("GET", CONTACTS)
    client.ok("GET", CONTACTS)
    assert client.refused(429, "GET", CONTACTS)["policyName"] == "DAILY"
    clock.sleep(86400)
    client.ok("GET", CONTACTS)


@pytest.mark.parametrize(
    ("fault", "status", "category"),
    [
        ({"kind": "stale_session"}, 401, "EXPIRED_AUTHENTICATION"),
        ({"kind": "concurrent_limit"}, 429, "RATE_LIMITS"),
        ({"kind": "daily_limit"}, 429, "RATE_LIMITS"),
        ({"kind": "server_error", "status": 502}, 502, "INTERNAL_ERROR"),
    ],
)
def test_faults_of_the_org_show_here_in_hubspots_words(
    client: Client, fault: dict[str, Any], status: int, category: str
) -> None:
    client.ok("POST", "/practice/faults", {**fault, "times": 1, "path": "/crm/"})
    assert client.refused(status, "GET", CONTACTS)["category"] == category
    client.ok("GET", CONTACTS)


def test_switches_are_set_over_http(client: Client) -> None:
    assert client.ok("POST", "/practice/hubspot", {"daily_limit": 7})["daily_limit"] == 7
    assert client.ok("GET", "/practice/hubspot")["daily_limit"] == 7
    assert "switches" in client.ok("POST", "/practice/hubspot", {"daily_limit": "x"}, status=400)["error"]


def test_what_is_no_json_is_refused(client: Client) -> None:
    response = client.session.post(f"{client.url}{CONTACTS}/search", data="{", timeout=10)
    assert (response.status_code, response.json()["message"]) == (400, "Invalid input JSON")


def test_a_kept_org_keeps_its_contacts_and_its_key(tmp_path: Any, clock: FrozenClock) -> None:
    keys = set()
    for expected in (0, 1):
        org = PracticeOrg(str(tmp_path / "org.sqlite3"), clock=clock)
        hub = HubSpot(org)
        assert hub.count() == expected
        hub.add_contacts([{}])
        keys.add(hub.token)
        org.close()
    assert len(keys) == 1


def test_a_sort_may_be_a_name_with_a_minus_before_it(client: Client) -> None:
    made = client.hub.add_contacts([{"email": f"{name}@example.com"} for name in "bac"])
    by_address = [made[1], made[0], made[2]]
    assert ids(client.search(sorts=["email"])) == by_address
    assert ids(client.search(sorts=["-email"])) == by_address[::-1]
    client.refused(400, "POST", f"{CONTACTS}/search", {"sorts": [["email"]]})


def test_ties_of_a_record_are_read_page_by_page(client: Client) -> None:
    people = client.hub.add_contacts([{"email": f"{name}@example.com"} for name in "abcde"])
    [deal] = client.hub.add_deals([{"dealname": "Pilot", "contacts": people}])
    path = f"/crm/v4/objects/deals/{deal}/associations/contacts"
    first = client.ok("GET", path, limit=3)
    rest = client.ok("GET", path, limit=3, after=first["paging"]["next"]["after"])
    assert [int(each["toObjectId"]) for each in (*first["results"], *rest["results"])] == people
    assert (rest.get("paging"), first["results"][0]["associationTypes"][0]["typeId"]) == (None, 3)
    client.refused(404, "GET", "/crm/v4/objects/deals/7/associations/contacts")


def test_a_tie_is_made_and_taken_away(client: Client) -> None:
    [ada] = client.hub.add_contacts([{"email": "ada@example.com"}])
    [deal] = client.hub.add_deals([{"dealname": "Pilot"}])
    made = client.ok("PUT", f"/crm/v4/objects/deals/{deal}/associations/default/contacts/{ada}")
    assert [(each["from"]["id"], each["to"]["id"]) for each in made["results"]] == [
        (str(deal), str(ada)), (str(ada), str(deal)),
    ]  # fmt: skip
    back = f"/crm/v4/objects/contacts/{ada}/associations/deals"
    assert [each["toObjectId"] for each in client.ok("GET", back)["results"]] == [str(deal)]
    client.ok("DELETE", f"{back}/{deal}", status=204)
    assert client.ok("GET", back)["results"] == []


def test_deals_have_a_pipeline_whose_stages_say_what_is_closed(client: Client) -> None:
    [sales] = client.ok("GET", "/crm/v3/pipelines/deals")["results"]
    closed = {each["id"] for each in sales["stages"] if each["metadata"]["isClosed"] == "true"}
    assert (sales["id"], closed, len(sales["stages"])) == ("default", {"closedwon", "closedlost"}, 7)
    assert client.ok("GET", "/crm/v3/pipelines/contacts")["results"] == []


@pytest.mark.parametrize("name", ["contacts", "deals", "calls", "meetings", "emails", "notes", "tasks"])
def test_every_object_lists_what_was_archived(client: Client, name: str) -> None:
    if name == "contacts":
        made = client.hub.add_contacts([{"email": "a@example.com"}, {"email": "b@example.com"}])
    else:
        made = client.hub.add_deals([{}, {}]) if name == "deals" else client.hub.add_engagements(name, [{}, {}])
    client.hub.archive(made[:1], name)
    path = f"/crm/v3/objects/{name}"
    assert (ids(client.ok("GET", path)), ids(client.ok("GET", path, archived="true"))) == (made[1:], made[:1])
