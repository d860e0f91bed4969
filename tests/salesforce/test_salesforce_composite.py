"""Composite requests are built within Salesforce's limits, and their answers understood."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.base.errors import ConfigurationError
from connector.base.facts import Change, RecordChange
from connector.base.ports import Deleted, DeletedSince, Read, Updated, UpdatedSince
from connector.salesforce.composite import (
    Answer,
    answers,
    collections,
    deletions,
    flatten,
    groups,
    page_of_answer,
    read_request,
    updates,
    with_looks,
    write_request,
)

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
BASE = "/services/data/v67.0"


def gone(name: str = "Contact", start: datetime = NOW) -> DeletedSince:
    return DeletedSince(name, name, start, NOW + timedelta(hours=1))


@given(st.integers(0, 40), st.integers(0, 60))
def test_reads_travel_in_as_few_requests_as_the_limits_allow(reads: int, deleted: int) -> None:
    queries = [Read(f"q{i}", "SELECT Id FROM Lead") for i in range(reads)]
    together = groups(queries, [gone(f"d{i}") for i in range(deleted)])
    assert [each for group in together for each in group if isinstance(each, Read)] == queries
    assert sum(map(len, together)) == reads + deleted
    assert all(len(group) <= 25 and sum(isinstance(each, Read) for each in group) <= 5 for group in together)


def test_an_idle_cycle_of_seven_objects_is_two_requests() -> None:
    objects = ["Account", "Contact", "Lead", "Opportunity", "OpportunityContactRole", "Task", "Event"]
    assert len(groups([Read(name, "") for name in objects], [gone(name) for name in objects])) == 2


def test_ten_queries_and_a_look_at_ten_further_objects_are_two_requests() -> None:
    queries, more = [Read(f"q{i}", "") for i in range(10)], [f"m{i}" for i in range(10)]
    window = [UpdatedSince(name, name, NOW, NOW) for name in more] + [gone(name) for name in ["q"] * 10 + more]
    assert [len(each) for each in groups(queries, window)] == [15, 25]


def test_what_getupdated_answers_is_whether_something_changed_and_up_to_when_that_is_certain() -> None:
    asked = UpdatedSince("Order", "Order", NOW, NOW + timedelta(hours=1))
    [part] = read_request([asked], BASE)["compositeRequest"]
    assert urlsplit(part["url"]).path == f"{BASE}/sobjects/Order/updated/"
    for ids in ([], ["801000000000001AAA"]):
        body = {"ids": ids, "latestDateCovered": "2026-05-01T12:30:00.000+0000"}
        assert updates(Answer(200, body), asked) == Updated(bool(ids), NOW + timedelta(minutes=30))
    assert updates(Answer(400, [{"errorCode": "INVALID_TYPE", "message": ""}]), asked) == Updated(True, NOW)


def test_a_query_survives_its_address() -> None:
    soql = "SELECT Id FROM Lead WHERE Name = 'a+b & c=d/é' AND SystemModstamp > 2026-05-01T00:00:00Z"
    [part] = read_request([Read("x", soql, all_rows=True)], BASE)["compositeRequest"]
    parts = urlsplit(part["url"])
    assert parts.path == f"{BASE}/queryAll"
    assert parse_qs(parts.query) == {"q": [soql]}


def test_a_window_of_deletions_is_asked_in_utc_seconds() -> None:
    [part] = read_request([gone(start=datetime(2026, 4, 30, 1, 2, 3, 4, tzinfo=UTC))], BASE)["compositeRequest"]
    parts = urlsplit(part["url"])
    assert parts.path == f"{BASE}/sobjects/Contact/deleted/"
    assert parse_qs(parts.query) == {"start": ["2026-04-30T01:02:03+00:00"], "end": ["2026-05-01T13:00:00+00:00"]}


def test_an_objects_name_cannot_become_a_path() -> None:
    with pytest.raises(ConfigurationError):
        read_request([gone("../limits")], BASE)


def test_a_write_names_type_id_and_only_the_changed_fields() -> None:
    change = RecordChange("p", "Lead", "00Q1", (Change("status", "Status", "New", None),))
    _look, part = write_request([[change]], BASE, {"Sforce-Auto-Assign": "FALSE"})["compositeRequest"]
    assert part == {
        "method": "PATCH",
        "url": f"{BASE}/composite/sobjects",
        "referenceId": "part1",
        "httpHeaders": {"Sforce-Auto-Assign": "FALSE"},
        "body": {"allOrNone": False, "records": [{"attributes": {"type": "Lead"}, "id": "00Q1", "Status": None}]},
    }


def test_each_collection_is_looked_at_right_before_it_is_written() -> None:
    rows = [RecordChange("p", "Lead", f"00Q{i}", (Change("status", "Status", "New", None),)) for i in range(2)]
    more = RecordChange("p", "Contact", "0031", (Change("stage", "Stage__c", None, "x"),))
    request = write_request([rows, [more]], BASE, {})
    parts = request["compositeRequest"]
    assert request["collateSubrequests"] is False
    assert [part["method"] for part in parts] == ["GET", "PATCH", "GET", "PATCH"]
    asked = [parse_qs(urlsplit(part["url"]).query)["q"][0] for part in parts[::2]]
    assert asked == [
        "SELECT Id, Status, LastModifiedById FROM Lead WHERE Id IN ('00Q0', '00Q1')",
        "SELECT Id, Stage__c, LastModifiedById FROM Contact WHERE Id IN ('0031')",
    ]


def test_what_stood_there_is_told_as_far_as_it_was_seen() -> None:
    seen = Answer(200, {"records": [{"attributes": {}, "Id": "00Q0", "Status": "New"}]})
    hidden = Answer(400, [{"errorCode": "INVALID_FIELD", "message": "No such column"}])
    done = Answer(200, [{"success": True}])
    told = with_looks([seen, done, hidden, done])
    assert [each.stood for each in told] == [{"00Q0": {"Id": "00Q0", "Status": "New"}}, {}]
    assert [each.body for each in told] == [done.body, done.body]


@given(st.integers(0, 1100))
def test_collections_hold_two_hundred_rows(count: int) -> None:
    changes = [RecordChange(str(i), "Lead", str(i), ()) for i in range(count)]
    parts = list(collections(changes))
    assert [row for rows in parts for row in rows] == changes
    assert all(0 < len(rows) <= 200 for rows in parts)


def part(reference: str, body: Any = None, status: int = 200) -> dict[str, Any]:
    return {"body": body, "httpHeaders": {}, "httpStatusCode": status, "referenceId": reference}


def test_answers_come_back_under_their_reference_in_any_order() -> None:
    body = {"compositeResponse": [part("part1", "b"), part("part0", "a")]}
    assert answers(body, 2) == [Answer(200, "a"), Answer(200, "b")]


@pytest.mark.parametrize("body", [None, [], {}, {"compositeResponse": [part("part0")]}, {"compositeResponse": [None]}])
def test_an_answer_that_lacks_a_part_is_none(body: Any) -> None:
    assert answers(body, 2) is None


def test_rows_are_flat() -> None:
    record = {
        "attributes": {"type": "Contact"},
        "Id": "003",
        "Account": {"attributes": {}, "Industry": "Media", "Owner": {"attributes": {}, "Name": "Ann"}},
        "ReportsTo": None,
        "MailingAddress": {"city": "Berlin", "street": None},
        "Roles": {"totalSize": 1, "done": True, "records": [{"attributes": {}, "Role": "Decider"}]},
    }
    assert flatten(record) == {
        "Id": "003",
        "Account.Industry": "Media",
        "Account.Owner.Name": "Ann",
        "ReportsTo": None,
        "MailingAddress.city": "Berlin",
        "MailingAddress.street": None,
        "Roles": [{"Role": "Decider"}],
    }


def test_a_page_knows_its_continuation_and_the_whole() -> None:
    body = {"totalSize": 2150, "done": False, "nextRecordsUrl": "/next", "records": [{"attributes": {}, "Id": "1"}]}
    found = page_of_answer(body, NOW)
    assert (found.rows, found.next, found.total, found.server_time) == (({"Id": "1"},), "/next", 2150, NOW)
    assert page_of_answer({"totalSize": 0, "done": True, "records": []}, NOW).rows == ()


def deleted_body(earliest: str) -> dict[str, Any]:
    return {
        "deletedRecords": [{"id": "003000000000001AAA", "deletedDate": "2026-05-01T08:00:00.000+0000"}],
        "earliestDateAvailable": earliest,
        "latestDateCovered": "2026-05-01T11:59:00.000+0000",
    }


@pytest.mark.parametrize(
    ("earliest", "complete"),
    [
        ("2026-05-01T12:00:00.000+0000", True),
        ("2026-05-01T13:59:59.000+0200", True),
        ("2026-05-01T12:00:01.000+0000", False),
    ],
)
def test_deletions_are_complete_when_the_log_reaches_back_to_the_start(earliest: str, complete: bool) -> None:
    found = deletions(Answer(200, deleted_body(earliest)), gone(start=NOW.replace(microsecond=5)))
    covered = datetime(2026, 5, 1, 11, 59, tzinfo=UTC)
    assert found == Deleted(("003000000000001AAA",), complete=complete, covered_until=covered)


@pytest.mark.parametrize(
    ("code", "known"), [("INVALID_REPLICATION_DATE", True), ("EXCEEDED_ID_LIMIT", True), ("INVALID_TYPE", False)]
)
def test_a_window_that_the_log_cannot_answer_is_incomplete(code: str, known: bool) -> None:
    found = deletions(Answer(400, [{"errorCode": code, "message": ""}]), gone())
    assert found == (Deleted((), complete=False, covered_until=gone().end) if known else None)
