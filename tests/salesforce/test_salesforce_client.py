"""The client's own promises, against played answers: what travels, what is counted, what is raised."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from connector.base.clock import FrozenClock
from connector.base.errors import LimitReached, Refused, Transient
from connector.base.facts import Change, RecordChange, Result
from connector.base.ports import DeletedSince, LocatorExpired, Read
from connector.base.settings import Settings
from connector.salesforce import SalesforceClient, open_salesforce
from connector.salesforce.client import choose_version, parse_usage
from tests.salesforce.http_player import Asked, Player, Reply

VERSIONS = [{"version": "61.0"}, {"version": "66.0"}, {"version": "67.0"}, {"version": "68.0"}]
DELETED = {
    "deletedRecords": [{"id": "003000000000001AAA", "deletedDate": "2026-05-01T08:00:00.000+0000"}],
    "earliestDateAvailable": "2026-04-20T00:00:00.000+0000",
    "latestDateCovered": "2026-05-01T11:59:00.000+0000",
}
NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)


class Org:
    """Answers paths; a test replaces ``parts`` to say what each Composite part answers."""

    def __init__(self, player: Player) -> None:
        self.player = player
        self.headers: dict[str, str] = {"Date": "Fri, 01 May 2026 12:34:56 GMT"}
        self.routes: dict[str, Reply] = {"/services/data/": Reply(VERSIONS)}
        player.play(self._answer)

    def part(self, part: dict[str, Any]) -> tuple[int, Any]:
        if "/deleted/" in part["url"]:
            return 200, DELETED
        if part["method"] == "GET":
            return 200, {"totalSize": 1, "done": True, "records": [{"attributes": {}, "Id": part["url"][-1]}]}
        return 200, [{"id": row["id"], "success": True, "errors": []} for row in part["body"]["records"]]

    def _answer(self, asked: Asked) -> Reply:
        if asked.path.endswith("/composite"):
            found = []
            for part in asked.json()["compositeRequest"]:
                status, body = self.part(part)
                found.append({"httpStatusCode": status, "body": body, "referenceId": part["referenceId"]})
            return Reply({"compositeResponse": found}, headers=self.headers)
        missing = Reply([{"errorCode": "NOT_FOUND", "message": "The requested resource does not exist"}], status=404)
        return self.routes.get(asked.path, missing)

    def paths(self) -> list[str]:
        return [asked.path for asked in self.player.asked]


@pytest.fixture
def org(player: Player) -> Org:
    return Org(player)


def settings(player: Player, **more: Any) -> Settings:
    given = {"salesforce_access_token": "00DXX0000000001!secret", "salesforce_instance_url": player.url}
    return Settings(**{**given, **more})


@pytest.fixture
def client(player: Player, org: Org, clock: FrozenClock) -> Iterator[SalesforceClient]:
    del org
    client = open_salesforce(settings(player), clock)
    yield client
    client.close()


def reads(count: int) -> list[Read]:
    return [Read(f"r{i}", f"SELECT Id FROM Lead LIMIT {i}", all_rows=True) for i in range(count)]


def changes(count: int) -> list[RecordChange]:
    return [RecordChange(f"p{i}", "Lead", f"00Q{i}", (Change("status", "Status", None, "New"),)) for i in range(count)]


def test_nothing_is_sent_before_it_is_needed(client: SalesforceClient, player: Player) -> None:
    assert client.identity() == "00DXX00000000012AA"
    assert player.asked == []


def test_seven_reads_and_their_deletions_are_two_calls(client: SalesforceClient, org: Org) -> None:
    answers = client.read(reads(7), [DeletedSince(f"d{i}", "Lead", NOW, NOW) for i in range(7)])
    assert {name: page.rows for name, page in answers.pages.items()} == {f"r{i}": ({"Id": str(i)},) for i in range(7)}
    assert answers.deleted["d3"].ids == ("003000000000001AAA",)
    assert answers.server_time == answers.pages["r0"].server_time == datetime(2026, 5, 1, 12, 34, 56, tzinfo=UTC)
    assert client.calls() == {"composite": 2}
    assert org.paths() == ["/services/data/"] + ["/services/data/v67.0/composite"] * 2


def test_four_hundred_rows_are_one_call_that_leaves_owners_alone(client: SalesforceClient, player: Player) -> None:
    [outcomes] = client.update(changes(400))
    assert {outcome.result for outcome in outcomes} == {Result.APPLIED}
    assert client.calls() == {"collections": 1}
    sent = player.asked[-1]
    assert sent.headers["Sforce-Auto-Assign"] == "FALSE"
    assert sent.headers["Sforce-Call-Options"] == "client=lifecycle-connector"
    parts = sent.json()["compositeRequest"]
    assert [part["method"] for part in parts] == ["GET", "PATCH"] * 2
    assert [part["httpHeaders"]["Sforce-Auto-Assign"] for part in parts[1::2]] == ["FALSE"] * 2
    assert sent.json()["collateSubrequests"] is False  # each look comes before its write
    assert "X-PrettyPrint" not in sent.headers


def test_a_read_that_is_refused_raises_for_all_and_names_itself(client: SalesforceClient, org: Org) -> None:
    org.part = lambda part: (400, [{"errorCode": "INVALID_FIELD", "message": "No such column 'X'"}])  # type: ignore[method-assign]  # what the test is about
    with pytest.raises(Refused, match=r"INVALID_FIELD: No such column 'X' \(reading r0\)") as caught:
        client.read(reads(2))
    assert caught.value.code == "INVALID_FIELD"
    assert "connector check" in caught.value.hint


def test_a_composite_answer_with_a_missing_part_is_a_passing_fault(client: SalesforceClient, player: Player) -> None:
    player.play(Reply(VERSIONS), Reply({"compositeResponse": []}))
    with pytest.raises(Transient):
        client.read(reads(1))


def test_the_next_page_comes_by_locator(client: SalesforceClient, org: Org) -> None:
    body = {"totalSize": 2, "done": True, "records": [{"attributes": {}, "Id": "2"}]}
    org.routes["/services/data/v67.0/query/0r8-2000"] = Reply(body, headers=org.headers)
    page = client.more("/services/data/v67.0/query/0r8-2000")
    assert (page.rows, page.next, page.total) == (({"Id": "2"},), None, 2)
    assert page.server_time == datetime(2026, 5, 1, 12, 34, 56, tzinfo=UTC)
    assert client.calls() == {"query_more": 1}


def test_a_forgotten_locator_is_said(client: SalesforceClient, org: Org) -> None:
    gone = Reply([{"errorCode": "INVALID_QUERY_LOCATOR", "message": "invalid query locator"}], status=400)
    org.routes["/services/data/v67.0/query/0r8-2000"] = gone
    with pytest.raises(LocatorExpired):
        client.more("/services/data/v67.0/query/0r8-2000")


def test_describe_is_asked_once(client: SalesforceClient, org: Org) -> None:
    org.routes["/services/data/v67.0/sobjects/Lead/describe"] = Reply({"name": "Lead", "fields": []})
    assert client.describe("Lead") == client.describe("Lead") == {"name": "Lead", "fields": []}
    assert client.calls() == {"describe": 1}
    with pytest.raises(Refused) as caught:
        client.describe("Nothing__c")
    assert caught.value.code == "NOT_FOUND"


def test_limits_are_told(client: SalesforceClient, org: Org) -> None:
    org.routes["/services/data/v67.0/limits/"] = Reply({"DailyApiRequests": {"Max": 15000, "Remaining": 7}})
    assert client.limits()["DailyApiRequests"]["Remaining"] == 7


def test_an_org_that_hides_itself_in_the_token_is_asked(player: Player, org: Org, clock: FrozenClock) -> None:
    org.part = lambda part: (200, {"records": [{"Id": "00DXX0000000001"}]})  # type: ignore[method-assign]  # what the test is about
    client = open_salesforce(settings(player, salesforce_access_token="opaque"), clock)
    assert client.identity() == client.identity() == "00DXX00000000012AA"
    assert client.calls() == {"composite": 1}
    client.close()


def test_a_used_up_budget_sends_nothing(player: Player, org: Org, clock: FrozenClock) -> None:
    left = [1, 0]
    made: list[str] = []
    client = open_salesforce(settings(player), clock, budget=lambda: left.pop(0), on_call=made.append)
    client.read(reads(1))
    with pytest.raises(LimitReached, match="budget"):
        client.read(reads(1))
    assert made == ["composite"]
    assert len(org.paths()) == 2
    client.close()


def test_the_most_used_calls_ever_seen_count(client: SalesforceClient, org: Org) -> None:
    for used in (8408, 8398, 8433, 8402):
        org.headers["Sforce-Limit-Info"] = f"api-usage={used}/15000; per-app-api-usage=99999/250(appName=x)"
        client.read(reads(1))
    assert client.usage() == (8433, 15000)


@pytest.mark.parametrize(
    ("header", "usage"),
    [
        ("api-usage=25/5000", (25, 5000)),
        ("api-usage=25/5000; per-app-api-usage=17/250(appName=x)", (25, 5000)),
        ("per-app-api-usage=17/250(appName=x); api-usage=25/5000", (25, 5000)),
        ("api-bursts=1/750,api-usage=25/5000", (25, 5000)),
        ("per-app-api-usage=17/250(appName=x)", None),
        ("", None),
    ],
)
def test_usage_is_found_among_other_parts(header: str, usage: tuple[int, int] | None) -> None:
    assert parse_usage(header) == usage


@pytest.mark.parametrize(
    ("offered", "pinned", "chosen"),
    [
        (["61.0", "66.0", "67.0", "68.0"], "67.0", "67.0"),
        (["61.0", "66.0"], "67.0", "66.0"),
        (["100.0", "99.0"], "100.0", "100.0"),
        (["60.0", "61.0"], "67.0", None),
        (["68.0"], "67.0", None),
        ([], "67.0", None),
    ],
)
def test_the_highest_version_up_to_the_pinned_one_is_spoken(
    offered: list[str], pinned: str, chosen: str | None
) -> None:
    if chosen is not None:
        assert choose_version(offered, pinned) == chosen
        return
    with pytest.raises(Refused, match="no API version"):
        choose_version(offered, pinned)
