"""Business time: hours, weekends, holidays, days off and daylight saving."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connector.lifecycle import decide
from connector.lifecycle.activity import HasActivity
from connector.lifecycle.calendar import BusinessSpan, Calendar
from connector.mapping import loads
from tests.cases import cases
from tests.lifecycle.someone import DAY, NOW, did, person, stage_of, track, written

BERLIN = ZoneInfo("Europe/Berlin")
NINE_TO_SIX = ((time(9), time(18)),)
OFFICE = Calendar("Europe/Berlin", (*(NINE_TO_SIX,) * 5, ((time(10), time(14)),), ()), (("DE", "BY"),))


def at(text):
    return datetime.fromisoformat(text).replace(tzinfo=BERLIN)


def local(moment):
    return moment.astimezone(BERLIN).strftime("%a %Y-%m-%d %H:%M")


@pytest.mark.parametrize(
    ("start", "span", "ends"),
    [
        ("2026-06-05 15:00", BusinessSpan(4, "hour", OFFICE), "Sat 2026-06-06 11:00"),
        ("2026-06-06 15:00", BusinessSpan(1, "hour", OFFICE), "Mon 2026-06-08 10:00"),
        ("2026-06-03 17:30", BusinessSpan(1, "hour", OFFICE), "Fri 2026-06-05 09:30"),  # Corpus Christi in Bavaria
        ("2026-06-08 07:00", BusinessSpan(9, "hour", OFFICE), "Mon 2026-06-08 18:00"),
        ("2026-06-08 15:00", BusinessSpan(2, "day", OFFICE), "Wed 2026-06-10 15:00"),
        ("2026-06-05 17:00", BusinessSpan(1, "day", OFFICE), "Sat 2026-06-06 14:00"),
        ("2026-06-07 12:00", BusinessSpan(1, "day", OFFICE), "Tue 2026-06-09 09:00"),
        ("2026-12-23 10:00", BusinessSpan(2, "day", OFFICE), "Mon 2026-12-28 10:00"),
        ("2026-03-28 13:00", BusinessSpan(2, "hour", OFFICE), "Mon 2026-03-30 10:00"),  # the clocks went forward
    ],
)
def test_a_span_ends_while_somebody_works(start, span, ends):
    assert local(at(start) + span) == ends


NEW_YEAR = datetime(2026, 1, 1, tzinfo=UTC)
MOMENTS = st.integers(0, 365 * 24 * 60).map(lambda minutes: NEW_YEAR + timedelta(minutes=minutes))
SPANS = st.builds(BusinessSpan, st.integers(1, 12), st.sampled_from(["day", "hour"]), st.just(OFFICE))


@given(MOMENTS, st.timedeltas(timedelta(0), timedelta(days=4)), SPANS)
@settings(max_examples=cases(60))
def test_who_begins_later_never_ends_earlier_and_ends_while_it_is_open(start, later, span):
    end = start + span
    assert end >= start
    assert start + later + span >= end
    assert any(first <= end <= last for first, last in OFFICE.open(OFFICE.day_of(end)))
    back = end - span
    assert back + span <= end < back + timedelta(microseconds=1) + span


@given(MOMENTS, st.integers(1, 30))
@settings(max_examples=cases(25))
def test_hours_are_those_that_a_clock_counts_minute_by_minute(start, hours):
    minutes, now = 0, start
    while minutes < hours * 60:
        opened = OFFICE.open(OFFICE.day_of(now))
        if any(first <= now < last for first, last in opened):
            minutes += 1
        now += timedelta(minutes=1)
    assert start + BusinessSpan(hours, "hour", OFFICE) == now


CALENDAR = """
calendar:
  time_zone: Europe/Berlin
  hours: {mon-thu: 09:00-18:00, fri: 09:00-15:00}
  holidays: {DE: BY}
  days_off: [2026-12-28]
"""


def test_a_calendar_is_written_as_people_say_it():
    mapping = loads(CALENDAR + "stages: [{name: A, when: {activity: {kind: call, within: 2 business days}}}]\n")
    condition = mapping.stages[0].rules[0].when
    assert isinstance(condition, HasActivity)
    assert isinstance(condition.within, BusinessSpan)
    assert condition.words() == "call within the last 2 business days"
    calendar = condition.within.calendar
    assert calendar.holidays == (("DE", "BY"),)
    assert calendar.off == frozenset({date(2026, 12, 28)})
    assert [len(each) for each in calendar.hours] == [1, 1, 1, 1, 1, 0, 0]
    assert calendar.hours[4] == ((time(9), time(15)),)


def test_within_business_time_is_looked_at_again_when_it_ends():
    mapping = loads(CALENDAR + "stages: [{name: A, when: {activity: {kind: call, within: 4bh}}}]\n")
    someone = person(did=[did("call", 0, source="salesforce")])  # Monday 14:00 in Berlin
    decision = decide(someone, mapping, NOW)
    assert track(decision).value == "A"
    assert decision.review_at is not None
    assert local(decision.review_at) == "Mon 2026-06-01 18:00"
    assert stage_of(someone, mapping, decision.review_at - timedelta(seconds=1)) == "A"
    assert stage_of(someone, mapping, decision.review_at) is None


def test_moves_tags_and_response_times_count_business_time_too():
    mapping = loads(
        CALENDAR
        + """
fields: {tags: Tags__c}
stages: [{name: Engaged, when: always}, {name: MQL, when: {activity: form_submit}}]
moves: [{from: MQL, to: Engaged, when: {not: {activity: {kind: call, since: stage}}}, after: 2bd}]
handoff: {when: {stage: MQL}}
tags: [{name: Late, when: {response_time: "> 4 business hours"}}]
"""
    )
    friday = NOW + 4 * DAY  # 14:00 in Berlin
    someone, decision = written(person(did=[did("form_submit", -4)]), mapping, friday)
    assert decision.review_at is not None
    assert local(decision.review_at) == "Mon 2026-06-08 12:00"
    late, decision = written(someone, mapping, decision.review_at)
    assert decision.review_at is not None
    assert "Late" in late.fields["Tags__c"]
    assert local(decision.review_at) == "Tue 2026-06-09 14:00"
    assert stage_of(late, mapping, decision.review_at) == "Engaged"


def test_a_mapping_without_a_calendar_works_from_monday_to_friday():
    mapping = loads("stages: [{name: A, when: {activity: {kind: call, within: 1 business day}}}]\n")
    someone = person(did=[did("call", -4)])  # Friday noon
    assert decide(someone, mapping, NOW + 5 * DAY).review_at == NOW + 7 * DAY
