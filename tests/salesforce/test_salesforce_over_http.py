"""The client against the practice org over real HTTP, with the faults that real orgs have."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from connector.base.clock import FrozenClock
from connector.base.errors import SIGN_IN, LimitReached, Refused, Transient
from connector.base.facts import Change, RecordChange, Result
from connector.base.ports import DeletedSince, LocatorExpired, Read
from connector.base.settings import Settings
from connector.salesforce import SalesforceClient, open_salesforce
from connector.salesforce.activities import (
    CAMPAIGN_MEMBER_FIELDS,
    EVENT_FIELDS,
    EVENT_OPTIONAL_FIELDS,
    TASK_FIELDS,
    TASK_OPTIONAL_FIELDS,
    event_activity,
    task_activity,
)
from practice_org.salesforce.org import PracticeOrg
from practice_org.serving.server import Server

STAGE = "Lifecycle_Stage__c"
OBJECTS = ("Account", "Contact", "Lead", "Opportunity", "OpportunityContactRole", "Task", "Event")


@pytest.fixture
def org(clock: FrozenClock) -> Iterator[PracticeOrg]:
    with closing(PracticeOrg(clock=clock)) as org:
        yield org


@pytest.fixture
def server(org: PracticeOrg) -> Iterator[Server]:
    with Server(org) as server:
        yield server


def settings(server: Server, **more: Any) -> Settings:
    """Signs in by client credentials, unless told otherwise."""
    own = server.org.credentials
    given = {
        "salesforce_login_url": server.url,
        "salesforce_client_id": own.client_id,
        "salesforce_client_secret": own.client_secret,
    }
    return Settings(**{**given, **more})


@pytest.fixture
def client(server: Server, clock: FrozenClock) -> Iterator[SalesforceClient]:
    client = open_salesforce(settings(server), clock)
    yield client
    client.close()


def leads(org: PracticeOrg, count: int) -> list[str]:
    return org.create(
        "Lead", [{"LastName": f"L{i}", "Company": "C", "Email": f"l{i}@example.com"} for i in range(count)]
    )


def change(record_id: str, value: Any, object_name: str = "Lead", field: str = STAGE) -> RecordChange:
    return RecordChange(record_id, object_name, record_id, (Change("stage", field, None, value),))


def results(client: SalesforceClient, changes: list[RecordChange]) -> dict[str, tuple[str, str]]:
    return {one.change.id: (one.result.value, one.code) for many in client.update(changes) for one in many}


def stages(org: PracticeOrg) -> dict[str, Any]:
    return {row["Id"]: row[STAGE] for row in org.rows(f"SELECT Id, {STAGE} FROM Lead")}


READ = [Read("Lead", f"SELECT Id, {STAGE}, Owner.Name FROM Lead ORDER BY SystemModstamp, Id", all_rows=True)]


@pytest.mark.parametrize("flow", ["jwt", "credentials", "token"])
def test_each_way_to_sign_in_works(server: Server, org: PracticeOrg, clock: FrozenClock, flow: str) -> None:
    own, no_secret = org.credentials, {"salesforce_client_secret": None}
    ways: dict[str, dict[str, Any]] = {
        "jwt": {
            **no_secret,
            "salesforce_username": own.username,
            "salesforce_private_key_file": own.private_key_file,
        },
        "credentials": {},
        "token": {
            **no_secret,
            "salesforce_access_token": own.access_token,
            "salesforce_instance_url": server.url,
        },
    }
    client = open_salesforce(settings(server, **ways[flow]), clock)
    assert client.identity() == org.organization_id
    client.read(READ)
    assert client.calls() == {"composite": 1}
    client.close()


def test_wrong_credentials_are_refused_with_a_hint(server: Server, clock: FrozenClock) -> None:
    client = open_salesforce(settings(server, salesforce_client_secret="wrong"), clock)
    with pytest.raises(Refused, match="invalid_client") as caught:
        client.identity()
    assert "CONNECTOR_SALESFORCE_CLIENT_SECRET" in caught.value.hint
    assert "wrong" not in str(caught.value)
    client.close()


def test_an_idle_cycle_costs_two_calls_counted_by_the_org(client: SalesforceClient, org: PracticeOrg) -> None:
    before = org.calls["total"]
    now = org.clock.now()
    reads = [Read(name, f"SELECT Id FROM {name} WHERE SystemModstamp > 2026-05-01T11:00:00Z") for name in OBJECTS]
    deleted = [DeletedSince(name, name, now - timedelta(minutes=10), now) for name in OBJECTS]
    answers = client.read(reads, deleted)
    assert answers.pages.keys() == answers.deleted.keys() == set(OBJECTS)
    assert answers.server_time == now
    assert org.calls["total"] - before == 2 == sum(client.calls().values())


def test_four_hundred_people_cost_one_call_counted_by_the_org(client: SalesforceClient, org: PracticeOrg) -> None:
    ids = leads(org, 400)
    client.read(READ)
    before = org.calls["total"]
    found = results(client, [change(one, "Engaged") for one in ids])
    assert set(found.values()) == {("applied", "")}
    assert org.calls["total"] - before == 1
    assert set(stages(org).values()) == {"Engaged"}


def test_pages_go_on_by_locator_to_the_last_row(client: SalesforceClient, org: PracticeOrg) -> None:
    ids = leads(org, 4100)
    page = client.read(READ).pages["Lead"]
    seen, total = [row["Id"] for row in page.rows], page.total
    while page.next:
        page = client.more(page.next)
        seen += [row["Id"] for row in page.rows]
    assert (sorted(seen), total) == (sorted(ids), 4100)
    assert page.rows[0].keys() == {"Id", STAGE, "Owner.Name"}
    assert client.calls() == {"composite": 1, "query_more": 2}


def test_a_read_that_is_refused_alone_delays_no_other(
    client: SalesforceClient, org: PracticeOrg, clock: FrozenClock
) -> None:
    ids = leads(org, 3)
    hidden = Read("Secret__c", "SELECT Id FROM Secret__c", alone=True)
    since = DeletedSince("Secret__c", "Secret__c", clock.now() - timedelta(hours=1), clock.now())
    answers = client.read([hidden, *READ], [since])
    assert sorted(row["Id"] for row in answers.pages["Lead"].rows) == sorted(ids)
    refused = {name: error.code for name, error in answers.refused.items()}
    assert refused == {"Secret__c": "INVALID_TYPE", "Secret__c:deleted": "NOT_FOUND"}
    with pytest.raises(Refused):
        client.read([Read("Secret__c", hidden.soql), *READ])


def test_a_forgotten_locator_is_said(client: SalesforceClient, org: PracticeOrg) -> None:
    leads(org, 2001)
    page = client.read(READ).pages["Lead"]
    assert page.next
    org.faults.on("locator_expired")
    with pytest.raises(LocatorExpired):
        client.more(page.next)


@pytest.mark.parametrize(
    ("fault", "values"),
    [
        ("server_error", {"times": 2}),
        ("server_error", {"times": 1, "status": 500}),
        ("edge", {"times": 2}),
        ("cut_off", {"times": 2}),
        ("cut_off", {"times": 1, "after": 3}),
        ("reset", {"times": 2}),
        ("concurrent_limit", {"times": 2}),
        ("stale_session", {"times": 1}),
        ("stale_session", {"times": 1, "token": True}),
    ],
)
def test_a_fault_that_passes_changes_nothing(
    client: SalesforceClient, org: PracticeOrg, fault: str, values: dict[str, Any]
) -> None:
    ids = leads(org, 3)
    client.read(READ)
    for _ in range(2):
        met = org.faults.on(fault, path="/services/data/v", **values)
        assert {row["Id"] for row in client.read(READ).pages["Lead"].rows} == set(ids)
        assert met.met > 0
        org.faults.on(fault, path="/services/data/v", **values)
        assert set(results(client, [change(one, "Engaged") for one in ids]).values()) == {("applied", "")}
        org.faults.off()
    assert set(stages(org).values()) == {"Engaged"}


def test_a_write_whose_answer_was_lost_once_says_that_it_may_come_twice(
    client: SalesforceClient, org: PracticeOrg
) -> None:
    one, other = leads(org, 2)
    client.read(READ)
    org.faults.on("cut_off", times=1)
    [[lost]] = client.update([change(one, "Engaged")])
    [[at_once]] = client.update([change(other, "Engaged")])
    assert (lost.result, lost.again, at_once.again) == (Result.APPLIED, True, False)


def test_an_ended_session_is_renewed_while_pages_are_read(client: SalesforceClient, org: PracticeOrg) -> None:
    leads(org, 2001)
    page = client.read(READ).pages["Lead"]
    org.credentials.expire()
    assert page.next
    assert len(client.more(page.next).rows) == 1


def test_a_given_token_that_ended_is_refused(server: Server, org: PracticeOrg, clock: FrozenClock) -> None:
    own = org.credentials
    more = {"salesforce_client_secret": None, "salesforce_access_token": own.access_token}
    client = open_salesforce(settings(server, **more, salesforce_instance_url=server.url), clock)
    own.expire()
    with pytest.raises(Refused, match="no longer takes") as caught:
        client.read(READ)
    assert own.access_token not in str(caught.value)
    assert caught.value.what.startswith(SIGN_IN)  # by which it is told as trouble with the sign-in
    client.close()


def test_the_daily_limit_parks(client: SalesforceClient, org: PracticeOrg) -> None:
    client.read(READ)
    org.faults.on("daily_limit")
    with pytest.raises(LimitReached) as caught:
        client.read(READ)
    assert caught.value.code == "REQUEST_LIMIT_EXCEEDED"
    with pytest.raises(LimitReached):
        results(client, [change(leads(org, 1)[0], "Engaged")])


def test_an_org_that_stays_down_is_a_passing_fault_in_bounded_time(client: SalesforceClient, org: PracticeOrg) -> None:
    client.read(READ)
    org.faults.on("server_error")
    began = org.clock.now()
    with pytest.raises(Transient):
        client.read(READ)
    assert org.clock.now() - began <= timedelta(minutes=3)
    [one] = leads(org, 1)
    assert results(client, [change(one, "Engaged")]) == {one: ("waiting", "")}


def test_locked_rows_are_written_when_the_lock_is_gone(client: SalesforceClient, org: PracticeOrg) -> None:
    ids = leads(org, 10)
    org.faults.on("row_lock", ids=ids[:2], times=3)
    assert set(results(client, [change(one, "Engaged") for one in ids]).values()) == {("applied", "")}
    assert client.calls() == {"collections": 4}


def test_rows_that_stay_locked_wait_and_the_others_are_written(client: SalesforceClient, org: PracticeOrg) -> None:
    ids = leads(org, 10)
    org.faults.on("row_lock", ids=ids[:1])
    found = results(client, [change(one, "Engaged") for one in ids])
    assert found.pop(ids[0]) == ("waiting", "UNABLE_TO_LOCK_ROW")
    assert set(found.values()) == {("applied", "")}


def test_packs_shrink_to_what_the_orgs_automation_bears(client: SalesforceClient, org: PracticeOrg) -> None:
    ids = leads(org, 900)
    org.faults.on("governor", object="Lead", rows=120)
    assert set(results(client, [change(one, "Engaged") for one in ids]).values()) == {("applied", "")}
    assert set(stages(org).values()) == {"Engaged"}


def test_a_refused_row_is_set_aside_with_salesforces_words(client: SalesforceClient, org: PracticeOrg) -> None:
    ids = leads(org, 3)
    converted = org.convert_lead(ids[1])
    assert converted
    found = results(client, [change(one, "Engaged") for one in ids])
    assert found[ids[1]] == (Result.SET_ASIDE.value, "CANNOT_UPDATE_CONVERTED_LEAD")
    assert found[ids[0]] == found[ids[2]] == ("applied", "")


def test_the_owner_stays_when_assignment_rules_would_change_it(client: SalesforceClient, org: PracticeOrg) -> None:
    [one] = leads(org, 1)
    [owner] = org.rows("SELECT OwnerId FROM Lead")
    other = org.create("User", [{"LastName": "Other", "Username": "other@example.com", "Email": "o@example.com"}])[0]
    org.assignment["Lead"] = other
    assert results(client, [change(one, "Engaged")]) == {one: ("applied", "")}
    assert org.rows("SELECT OwnerId FROM Lead") == [owner]


def test_a_null_clears_a_field(client: SalesforceClient, org: PracticeOrg) -> None:
    [one] = leads(org, 1)
    results(client, [change(one, "Engaged")])
    results(client, [change(one, None)])
    assert stages(org) == {one: None}


def test_deletions_are_found_and_a_short_log_is_said(
    client: SalesforceClient, org: PracticeOrg, clock: FrozenClock
) -> None:
    ids = leads(org, 2)
    start = clock.now()
    clock.sleep(60)
    org.delete("Lead", ids[:1])
    clock.sleep(60)
    window = [DeletedSince("Lead", "Lead", start, clock.now())]
    found = client.read([], window).deleted["Lead"]
    assert (found.ids, found.complete) == ((ids[0],), True)
    org.deleted_log_from = clock.now()
    assert not client.read([], window).deleted["Lead"].complete
    long_ago = [DeletedSince("Lead", "Lead", start - timedelta(days=20), clock.now())]
    assert not client.read([], long_ago).deleted["Lead"].complete


def test_a_query_for_a_missing_field_is_refused_with_its_name(client: SalesforceClient) -> None:
    with pytest.raises(Refused, match="Nonsense__c") as caught:
        client.read([Read("Lead", "SELECT Id, Nonsense__c FROM Lead")])
    assert caught.value.code == "INVALID_FIELD"


def test_a_long_list_of_ids_travels_in_one_query(client: SalesforceClient, org: PracticeOrg) -> None:
    ids = leads(org, 1500)
    quoted = ", ".join(f"'{one}'" for one in ids)
    assert client.read([Read("x", f"SELECT Id FROM Lead WHERE Id IN ({quoted})")]).pages["x"].total == 1500


def test_describe_tells_the_fields(client: SalesforceClient) -> None:
    fields = {field["name"] for field in client.describe("Lead")["fields"]}
    assert {"Id", "Status", STAGE} <= fields
    with pytest.raises(Refused):
        client.describe("Nothing__c")


def test_the_limits_and_the_usage_are_told(client: SalesforceClient, org: PracticeOrg) -> None:
    limits = client.limits()["DailyApiRequests"]
    usage = client.usage()
    assert limits["Max"] == org.daily_limit
    assert usage is not None
    assert usage[1] == org.daily_limit


def test_the_fields_of_activities_exist_and_rows_become_activities(client: SalesforceClient, org: PracticeOrg) -> None:
    [lead] = leads(org, 1)
    org.create("Task", [{"WhoId": lead, "Subject": "Call", "TaskSubtype": "Call", "Status": "Completed"}])
    org.create(
        "Event",
        [{"WhoId": lead, "Subject": "Demo", "StartDateTime": "2026-05-02T09:00:00Z", "DurationInMinutes": 30}],
    )
    described = {name: {field["name"] for field in client.describe(name)["fields"]} for name in ("Task", "Event")}
    task_fields = [*TASK_FIELDS, *(field for field in TASK_OPTIONAL_FIELDS if field in described["Task"])]
    event_fields = [*EVENT_FIELDS, *(field for field in EVENT_OPTIONAL_FIELDS if field in described["Event"])]
    answers = client.read(
        [
            Read("Task", f"SELECT Id, SystemModstamp, IsDeleted, {', '.join(task_fields)} FROM Task"),
            Read("Event", f"SELECT Id, SystemModstamp, IsDeleted, {', '.join(event_fields)} FROM Event"),
            Read("Member", f"SELECT Id, {', '.join(CAMPAIGN_MEMBER_FIELDS)} FROM CampaignMember"),
        ]
    )
    call = task_activity(answers.pages["Task"].rows[0])
    demo = event_activity(answers.pages["Event"].rows[0])
    assert call is not None
    assert demo is not None
    assert (call.kind, call.crm_id) == ("call", lead)
    assert (demo.kind, demo.occurred_at) == ("meeting", datetime(2026, 5, 2, 9, tzinfo=UTC))


def test_an_older_org_is_spoken_to_in_its_own_version(
    client: SalesforceClient, server: Server, clock: FrozenClock
) -> None:
    newer = open_salesforce(settings(server, salesforce_api_version="199.0"), clock)
    older = open_salesforce(settings(server, salesforce_api_version="61.0"), clock)
    newer.read(READ)
    with pytest.raises(Refused, match="no API version"):
        older.read(READ)
    newer.close()
    older.close()
