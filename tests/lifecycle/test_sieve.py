"""What counts of each source is decided when a person is looked at, and nothing else of them changes."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from connector.base.facts import Prospect
from connector.lifecycle import decide, explain
from connector.mapping import loads
from tests.cases import cases
from tests.lifecycle.someone import DAY, NOW, did, person, stage_of, track, written
from tests.lifecycle.stories import STORY, changed, compiled, later, mapping_values, somebody

LADDER = """
stages:
  - {name: Known, when: always}
  - {name: Engaged, when: {activity: inbound}}
sources: %s
"""


def engaged(sources, *activities, **facts):
    mapping = loads(LADDER % sources)
    someone = replace(person(), activities=activities, **facts)
    stage = stage_of(someone, mapping)
    rules = {each.rule: each.finding.matched for each in explain(someone, mapping, NOW).tracks[0].rules}
    assert rules["Engaged"] == (stage == "Engaged"), "explain sees what deciding sees"
    return stage == "Engaged"


@pytest.mark.parametrize(
    ("sources", "counts"),
    [
        ("{pardot: off}", True),
        ("{marketo: off}", False),
        ("{marketo: {kinds: [form_submit]}}", True),
        ("{marketo: {kinds: form_submit}}", True),
        ("{marketo: {kinds: [email_click]}}", False),
        ("{marketo: {kinds: none}}", False),
        ("{marketo: {kinds: {not: [email_click]}}}", True),
        ("{marketo: {kinds: {not: form_submit}}}", False),
        ("{marketo: {name: {not: {contains: test}}}}", False),
        ("{marketo: {name: {starts_with: Test}}}", True),
        ("{marketo: {where: {program: [Spring, Summer]}}}", True),
        ("{marketo: {where: {program: Spring, score: '>= 10'}}}", False),
        ("{marketo: {where: {other: missing}}}", True),
        ("{marketo: {}}", True),
    ],
)
def test_kinds_names_and_attributes_say_what_counts(sources, counts):
    assert engaged(sources, did("form_submit", name="Test form", source="marketo", program="spring", score=5)) is counts


CLICK = did("email_click", source="marketo")
BY_ID = replace(CLICK, crm_id="003000000000001AAA", prospect_id="1", email="ann@example.com")
BY_PROSPECT = replace(CLICK, prospect_id="1", email="ann@example.com")
BY_EMAIL = replace(CLICK, email="ann@example.com")
LINKED = Prospect("marketo", "1", "ann@example.com", crm_id="003000000000001AAA")
SAME_ADDRESS = Prospect("marketo", "1", "ann@example.com")


@pytest.mark.parametrize(
    ("match", "activity", "prospects", "counts"),
    [
        ("[crm_id]", BY_ID, (), True),
        ("[crm_id]", BY_PROSPECT, (LINKED,), False),
        ("[crm_id]", BY_EMAIL, (), False),
        ("[crm_id, prospect]", BY_PROSPECT, (LINKED,), True),
        ("[crm_id, prospect]", BY_PROSPECT, (SAME_ADDRESS,), False),
        ("[crm_id, prospect]", BY_EMAIL, (), False),
        ("[prospect, email]", BY_ID, (LINKED,), False),
        ("[prospect, email]", BY_PROSPECT, (SAME_ADDRESS,), True),
        ("[crm_id, prospect, email]", BY_EMAIL, (), True),
        ("email", BY_EMAIL, (), True),
    ],
)
def test_an_activity_counts_only_if_its_person_was_found_in_an_allowed_way(match, activity, prospects, counts):
    assert engaged(f"{{marketo: {{match: {match}}}}}", activity, prospects=prospects) is counts


@pytest.mark.parametrize(("prospect", "counts"), [(LINKED, True), (SAME_ADDRESS, False)])
def test_what_a_deleted_prospect_did_counts_if_it_was_not_found_by_address(prospect, counts):
    former = (replace(prospect, deleted=True),)
    assert engaged("{marketo: {match: [crm_id, prospect]}}", BY_PROSPECT, former_prospects=former) is counts


def test_a_prospect_that_is_the_person_itself_was_not_found_by_address():
    mapping = loads(LADDER % "{pardot: {match: [crm_id, prospect]}}")
    alone = person(object_name="Prospect", did=[replace(did("email_click", source="pardot"), prospect_id="1")])
    alone = replace(alone, prospects=(Prospect("pardot", "1", "ann@example.com"),))
    assert stage_of(alone, mapping) == "Engaged"


@pytest.mark.parametrize(
    ("sources", "stage"),
    [
        ("{}", "Good"),
        ("{pardot: off}", "Known"),
        ("{pardot: {match: [crm_id]}}", "Known"),
        ("{pardot: {match: [crm_id, prospect]}}", "Known"),
        ("{pardot: {match: [prospect, email]}}", "Good"),
    ],
)
def test_what_a_prospect_says_counts_as_its_activities_do(sources, stage):
    mapping = loads(
        "stages: [{name: Known, when: always}, {name: Good, when: {prospect: {score: '>= 50'}}}]\n"
        + (f"sources: {sources}\n" if sources != "{}" else "")
    )
    assert stage_of(person(score=80), mapping) == stage


def test_a_sender_is_declared_apart_from_the_source_through_which_it_comes():
    sources = "{webhook: {kinds: [call]}, Lead-Liaison: {through: [webhook, files], kinds: [form_submit]}}"
    assert engaged(sources, did("form_submit", source="webhook", hook="lead-liaison"))
    assert engaged(sources, did("form_submit", source="files"))
    assert not engaged(sources, did("form_submit", source="webhook", hook="other"))
    assert not engaged(sources, did("email_click", source="webhook", hook="lead-liaison"))
    of_files = replace(did("email_click", source="files"), attributes={"source": " Lead-liaison"})
    assert not engaged(sources, of_files)
    assert engaged(sources, replace(of_files, attributes={"source": ["odd"]}))


def test_the_sieve_leaves_the_person_as_it_is_where_everything_counts():
    sieve = loads(LADDER % "{marketo: {kinds: [email_click]}}").programs["Contact"].sieve
    someone = person(did=[CLICK, did("form_submit")], score=5)
    assert sieve.sift(someone) is someone


SCORES = """
stages: [{name: Known, when: always}]
score: {from: %s, max: 200}
sources:
  pardot: {score: %s}
  hubspot: {score: hubspotscore}
  my-tool: {through: [webhook, files], score: points}
"""


def score_of(taken, pardot, someone):
    return track(decide(someone, loads(SCORES % (taken, pardot)), NOW), "score").value


@pytest.mark.parametrize(
    ("taken", "pardot", "score"),
    [
        ("sources", "score", "80"),
        ("sources", "grade", "55"),
        ("sources", "none", "55"),
        ("{prospect: score}", "none", "55"),
        ("{prospect: grade}", "score", "80"),
    ],
)
def test_each_source_calls_its_score_as_it_likes_and_the_largest_counts(taken, pardot, score):
    prospects = (
        Prospect("pardot", "1", attributes={"score": 80, "hubspotscore": 199}),
        Prospect("hubspot", "1", attributes={"hubspotscore": "55", "score": 199}),
    )
    assert score_of(taken, pardot, replace(person(), prospects=prospects)) == score


def test_a_source_that_says_no_score_of_its_own_has_it_where_the_score_is_taken_from():
    assert (
        score_of(
            "{prospect: fit}", "none", replace(person(), prospects=(Prospect("marketo", "1", attributes={"fit": 7}),))
        )
        == "7"
    )


def test_a_sender_tells_its_score_with_its_newest_activity():
    told = [
        did("call", 9, source="webhook", hook="my-tool", points="90"),
        did("call", 5, source="webhook", hook="my-tool", points="60"),
        did("call", 3, source="webhook", hook="my-tool"),
        did("call", 2, source="webhook", hook="other", points="150"),
    ]
    assert score_of("sources", "none", person(did=told)) == "60"
    ahead = did("call", -2, source="webhook", hook="my-tool", points="95")
    decision = decide(person(did=[*told, ahead]), loads(SCORES % ("sources", "none")), NOW)
    assert (track(decision, "score").value, decision.review_at) == ("60", ahead.occurred_at)
    later = decide(person(did=[*told, ahead]), loads(SCORES % ("sources", "none")), ahead.occurred_at)
    assert track(later, "score").value == "95"


SOURCES = st.fixed_dictionaries(
    {},
    optional={
        "files": st.fixed_dictionaries(
            {"deals": st.just("opportunities")},
            optional={
                "kinds": st.sampled_from([["deal", "call", "form_submit"], {"not": ["email_click"]}]),
                "name": st.just({"not": {"contains": "test"}}),
                "match": st.sampled_from([["crm_id"], ["crm_id", "email"]]),
            },
        ),
        "salesforce": st.just("off"),
        "my-tool": st.fixed_dictionaries({"through": st.just("files"), "deals": st.just("opportunities")}),
    },
)
TOLD = st.lists(
    st.builds(
        lambda state, key, ago, sender, name: replace(
            did("deal", ago, f"d{key}", name, state=state, amount=500, source_name=sender), email="ann@example.com"
        ),
        st.sampled_from(["open", "won", "lost"]),
        st.integers(1, 3),
        st.integers(-3, 40),
        st.sampled_from([None, "my-tool"]),
        st.sampled_from(["Big", "A test"]),
    ),
    max_size=3,
    unique_by=lambda each: each.id,
)


@settings(
    max_examples=cases(60),
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
@given(mapping_values(later=True), SOURCES, somebody(), TOLD, STORY, st.floats(0, 1))
def test_what_must_always_hold_holds_with_a_sieve_too(values, sources, someone, told, story, part):
    mapping = compiled({**values, "sources": sources} if sources else values)
    told = [replace(each, attributes={**each.attributes, "source": each.attributes["source_name"]}) for each in told]
    activities = sorted((*someone.activities, *told), key=lambda each: (each.occurred_at, each.source, each.id))
    someone, now = replace(someone, activities=tuple(activities)), NOW
    for step in [{"days": 0}, *story]:
        now = later(now, step)
        someone = changed(someone, step, now)
        settled, decision = written(someone, mapping, now)
        assert decide(someone, mapping, now) == decision
        assert tuple(each.decision for each in explain(someone, mapping, now).tracks) == decision.tracks
        again = decide(settled, mapping, now)
        end = again.review_at or now + 400 * DAY
        between = min(now + (end - now) * part, end - timedelta(microseconds=1))
        told_then = decide(settled, mapping, between).tracks
        assert [(each.track, each.value, each.verdict, each.rule) for each in told_then] == [
            (each.track, each.value, each.verdict, each.rule) for each in again.tracks
        ]
        someone = settled
