"""What people write for a comparison is understood, where it is known what is compared."""

from __future__ import annotations

from datetime import timedelta

import pytest

from connector.lifecycle import decide
from connector.mapping import loads
from tests.lifecycle.someone import DAY, NOW, deal, person, stage_of, stamp, track


def fits(condition, someone, now=NOW):
    text = f"score: {{from: {{field: Score__c}}}}\nstages: [{{name: A, when: {condition}}}]\n"
    return stage_of(someone, loads(text), now) == "A"


@pytest.mark.parametrize(
    "written",
    [
        *("'>= 71'", "'=> 71'", "“>= 71”", "'≥ 71'", "71+", "71 - 100", "71–100", "71 to 100", "between 71 and 100"),
        *("at least 71", "At least 71", "{at_least: 71}", "more than 70", "{above: 70}", "{between: [71, 100]}"),
    ],
)
def test_a_number_and_more_is_said_in_many_ways(written):
    assert [fits(f"{{score: {written}}}", person(Score__c=score)) for score in (70, 71, 100, None)] == [
        *(False, True, True),
        False,
    ]


@pytest.mark.parametrize("written", ["10k-50k", "'10,000 - 50,000'", "{between: [10k, 50k]}", "between 10k and 0.05m"])
def test_amounts_are_written_short(written):
    def condition(amount):
        return fits(f"{{opportunity: {{where: {{Amount: {written}}}}}}}", person(deals=[deal(Amount=amount)]))

    assert [condition(amount) for amount in (9999, 10000, 50000, 50001)] == [False, True, True, False]


@pytest.mark.parametrize(
    ("condition", "yes", "no"),
    [
        ("{domain: example.com}", "ann@Example.com", "ann@mail.example.com"),
        ("{domain: ['@example.com']}", "ann@example.com", "ann@notexample.com"),
        ("{domain: [.edu, .ac.uk]}", "ann@mit.edu", "ann@education.com"),
        ("{domain: [.edu, .ac.uk]}", "ann@cs.ox.ac.uk", "ann@ac.uk.com"),
        ("{ends_with: .org}", "ann@example.ORG", "ann@example.organic"),
        ("{not: {domain: example.com}}", None, "ann@example.com"),
    ],
)
def test_an_address_is_at_a_domain_or_ends_with_a_text(condition, yes, no):
    assert fits(f"{{email: {condition}}}", person(email=yes))
    assert not fits(f"{{email: {condition}}}", person(email=no))


def test_a_field_is_compared_with_another_field():
    def trial(begins, ends, how="after"):
        someone = person(Trial_Start__c=begins, Trial_End__c=ends)
        return fits(f"{{field: {{Trial_End__c: {{{how}: {{field: Trial_Start__c}}}}}}}}", someone)

    assert trial("2026-01-01", "2026-02-01")
    assert not trial("2026-02-01", "2026-01-01")
    assert not trial(None, "2026-01-01")
    assert trial(5, 7, "above")
    assert trial(5, 5, "same_as")
    assert trial("Gold", "gold", "same_as")
    assert not trial("Gold", "Silver", "same_as")
    mapping = loads("stages: [{name: A, when: {field: {A__c: {after: {field: B__c}}}}}]\n")
    assert {"A__c", "B__c"} <= mapping.reads["Contact"], "both are read"


def test_two_fields_of_an_opportunity_or_an_account_are_compared_too():
    above = "{opportunity: {where: {Amount: {above: {field: Target__c}}}}}"
    assert fits(above, person(deals=[deal(Amount=9, Target__c=5)]))
    assert not fits(above, person(deals=[deal(Amount=5, Target__c=9)]))
    not_above = above.replace("{above: {field: Target__c}}", "{not: {above: {field: Target__c}}}")
    assert fits(not_above, person(deals=[deal(Amount=5, Target__c=9)]))
    assert fits("{account: {A__c: {below: {field: B__c}}}}", person(account={"A__c": 1, "B__c": 2}))


def test_a_contract_has_ended_from_the_day_on_which_it_ends():
    mapping = loads("stages: [{name: A, when: {field: {End__c: {older_than: 0d}}}}]\n")
    someone = person(End__c="2026-06-03")
    decision = decide(someone, mapping, NOW)
    assert (track(decision).value, decision.review_at) == (None, NOW.replace(day=3, hour=0))
    assert stage_of(someone, mapping, NOW.replace(day=3, hour=0)) == "A"


@pytest.mark.parametrize(
    ("written", "days"),
    [("today", [0]), ("'<= today'", [-1, 0]), ("{before: today}", [-1]), ("{after: today}", [1])],
)
def test_today_is_a_day_and_the_answer_is_looked_at_again_when_it_changes(written, days):
    mapping = loads(f"stages: [{{name: A, when: {{field: {{Day__c: {written}}}}}}}]\n")
    for day in (-1, 0, 1):
        someone = person(Day__c=(NOW + day * DAY).date().isoformat())
        decision = decide(someone, mapping, NOW)
        assert (track(decision).value == "A") == (day in days)
        while decision.review_at is not None:
            before = decide(someone, mapping, decision.review_at - timedelta(seconds=1))
            assert track(before).value == track(decision).value
            decision = decide(someone, mapping, decision.review_at)


def test_a_date_is_a_whole_day():
    assert fits("{created: 2026-05-02}", person(CreatedDate=stamp(NOW.replace(month=5, day=2))))
    assert not fits("{created: 2026-05-02}", person(CreatedDate=stamp(NOW.replace(month=5, day=3, hour=0))))
    assert fits("{created: {between: [2026-05-01, 2026-05-31]}}", person(CreatedDate="2026-05-31T22:00:00.000+0000"))
    assert fits("{created: since 2026-05-01}", person(CreatedDate="2026-05-31T22:00:00.000+0000"))


def test_and_and_or_are_all_and_any():
    both = "{and: [{email: present}, {or: [{country: DE}, {country: FR}]}]}"
    assert fits(both, person(MailingCountry="FR"))
    assert not fits(both, person(MailingCountry="IT"))


def test_a_text_that_may_be_a_picklist_value_is_taken_literally():
    assert fits("{field: {Size__c: 11-50}}", person(Size__c="11-50"))
    assert fits("{field: {Size__c: 1000+}}", person(Size__c="1000+"))
