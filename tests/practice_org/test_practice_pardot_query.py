"""How Account Engagement v5 reads a URL: each parameter, each refusal with its code."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from practice_org.pardot.objects import ACTIVITY_TYPES, OBJECTS, PROSPECTS, VISITOR_ACTIVITIES
from practice_org.pardot.query import PardotError, Query, page_token, read_fields, read_query

NOW = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)
NEW_YORK = timezone(timedelta(hours=-4))


def query(**params: str) -> Query:
    return read_query(params, VISITOR_ACTIVITIES, now=NOW, zone=NEW_YORK)


def code(**params: str) -> int:
    with pytest.raises(PardotError) as caught:
        query(**params)
    return caught.value.code


def test_a_plain_query_is_by_id_and_200_rows() -> None:
    assert query() == Query("visitor-activities", order="id", limit=200, deleted="false")


def test_order_limit_and_deleted_are_read() -> None:
    assert query(orderBy="createdAt desc", limit="1000", deleted="all") == Query(
        "visitor-activities", order="createdAt", descending=True, limit=1000, deleted="all"
    )


@pytest.mark.parametrize(
    ("params", "filters"),
    [
        ({"createdAtAfter": "2026-05-01T00:00:00+00:00"}, (("createdAt", ">", 1777593600),)),
        ({"createdAtAfterOrEqualTo": "2026-04-30T20:00:00-04:00"}, (("createdAt", ">=", 1777593600),)),
        ({"updatedAtBefore": "2026-05-01T00:00:00Z"}, (("updatedAt", "<", 1777593600),)),
        ({"updatedAtBeforeOrEqualTo": "2026-04-30T20:00:00"}, (("updatedAt", "<=", 1777593600),)),  # the user's zone
        ({"idGreaterThan": "7"}, (("id", ">", 7),)),
        ({"idGreaterThanOrEqualTo": "7"}, (("id", ">=", 7),)),
        ({"idLessThan": "7"}, (("id", "<", 7),)),
        ({"idLessThanOrEqualTo": "7"}, (("id", "<=", 7),)),
        ({"type": "4", "prospectId": "9"}, (("type", "=", 4), ("prospectId", "=", 9))),
    ],
)
def test_filters_are_read(params: dict[str, str], filters: tuple[tuple[str, str, int], ...]) -> None:
    assert query(**params).filters == filters


def test_three_filtered_fields_are_allowed_and_four_are_not() -> None:
    window = {"createdAtAfter": "2026-05-01T00:00:00Z", "createdAtBefore": "2026-05-02T00:00:00Z"}  # one field
    assert len(query(**window, type="1", campaignId="2").filters) == 4
    assert code(**window, type="1", campaignId="2", prospectId="3") == 209


@pytest.mark.parametrize(
    "params",
    [
        {"limit": "1001"},
        {"limit": "0"},
        {"limit": "many"},
        {"offset": "2001"},
        {"orderBy": "details"},
        {"orderBy": "id sideways"},
        {"createdAtAfter": "2026-05-01T00:00:00 00:00"},  # a plus sign that was not sent as %2B
        {"createdAtSince": "2026-05-01T00:00:00Z"},
        {"idGreaterThan": "-1"},
        {"idGreaterThan": "٣"},
        {"deleted": "maybe"},
        {"formId": "1"},
    ],
)
def test_what_is_not_understood_is_refused(params: dict[str, str]) -> None:
    assert code(**params) == 224


def test_fields_are_required_and_checked() -> None:
    assert read_fields({"fields": "id, type,id,campaign.name"}, VISITOR_ACTIVITIES) == ["id", "type", "campaign.name"]
    for fields, expected in (("", 13), ("id,nonsense", 224), ("campaign.nonsense", 224), ("form.name", 224)):
        with pytest.raises(PardotError) as caught:
            read_fields({"fields": fields}, VISITOR_ACTIVITIES)
        assert caught.value.code == expected


def token(of: Query, issued: datetime = NOW) -> str:
    return page_token(of, (5, 9), 200, issued)


def test_a_page_token_carries_the_whole_query() -> None:
    first = query(orderBy="createdAt desc", type="4", createdAtAfter="2026-05-01T00:00:00Z", limit="10")
    following = query(nextPageToken=token(first), fields="id")
    assert following.filters == first.filters
    assert (following.order, following.descending, following.limit) == ("createdAt", True, 10)
    assert (following.after, following.served) == ((5, 9), 200)


def test_only_fields_may_accompany_a_page_token() -> None:
    assert code(nextPageToken=token(query()), fields="id", limit="10") == 211


def test_a_page_token_lives_four_hours() -> None:
    assert query(nextPageToken=token(query(), NOW - timedelta(hours=4))).served == 200
    assert code(nextPageToken=token(query(), NOW - timedelta(hours=4, seconds=1))) == 210


def test_a_token_of_another_object_or_with_another_filter_is_invalid() -> None:
    assert code(nextPageToken=token(Query("prospects"))) == 211
    assert code(nextPageToken=token(Query("visitor-activities", filters=(("body", "=", 1),)))) == 211
    assert code(nextPageToken=token(Query("visitor-activities", order="body"))) == 211
    assert code(nextPageToken=token(Query("visitor-activities", limit="many"))) == 211  # type: ignore[arg-type] # forged


@given(st.text(min_size=1, max_size=80))
def test_any_other_text_is_an_invalid_token(text: str) -> None:
    assert code(nextPageToken=text) == 211


def test_every_type_from_1_to_37_is_known() -> None:
    assert list(ACTIVITY_TYPES) == list(range(1, 38))


def test_every_object_can_be_ordered_and_filtered_by_fields_it_has() -> None:
    for kind in OBJECTS.values():
        assert kind.orders | kind.equals | kind.ranges <= kind.fields
    assert {"salesforceId", "salesforceContactId", "salesforceLeadId", "score", "isDeleted"} <= PROSPECTS.fields
