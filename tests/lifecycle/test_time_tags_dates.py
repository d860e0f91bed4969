"""Time rules and when to look again, tags, stage dates, the highest stage, measures, identity."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from itertools import permutations
from typing import Any

import pytest

from connector.lifecycle import decide, plan
from connector.lifecycle.identity import Candidate, leading
from connector.mapping import loads
from tests.lifecycle.someone import DAY, NOW, deal, did, person, stage_of, stamp, track, written

HOUR = timedelta(hours=1)


def both(when):
    return loads(
        f"stages: [{{name: No, when: always}}, {{name: 'Yes', when: {when}}}]\ngate: {{stage: {{direction: both}}}}\n"
    )


@pytest.mark.parametrize(
    ("when", "facts", "stage", "review"),
    [
        ("{activity: {kind: call, within: 10d}}", {"did": [did("call", 4)]}, "Yes", 6 * DAY),
        ("{activity: {kind: call, within: 10d, count: 2}}", {"did": [did("call", 4), did("call", 9)]}, "Yes", DAY),
        ("{not: {activity: {within: 10d}}}", {"did": [did("email_click", 4)]}, "No", 6 * DAY),
        ("{activity: {kind: meeting, upcoming: true}}", {"did": [did("meeting", -3)]}, "Yes", 3 * DAY),
        ("{activity: meeting}", {"did": [did("meeting", -3)]}, "No", 3 * DAY),
        ("{field: {Renewal__c: {within: 30d}}}", {"Renewal__c": "2026-05-20"}, "Yes", 17.5 * DAY),
        ("{field: {Renewal__c: {older_than: 30d}}}", {"Renewal__c": "2026-05-20"}, "No", 17.5 * DAY),
        ("{field: {Renewal__c: {ahead: 30d}}}", {"Renewal__c": "2026-06-10"}, "Yes", 8.5 * DAY),
        ("{field: {Renewal__c: '>= 2026-05-01'}}", {"Renewal__c": "2026-06-10"}, "Yes", None),
        ("{activity: {kind: call, after_quiet: 30d}}", {"did": [did("call", 40), did("call", 4)]}, "Yes", None),
        ("{email: present}", {}, "Yes", None),
    ],
)
def test_each_decision_says_when_time_alone_changes_it(when, facts, stage, review):
    mapping = both(when)
    decision = decide(person(**facts), mapping, NOW)
    assert track(decision).value == stage
    assert decision.review_at == (None if review is None else NOW + review)
    if review is not None:
        assert stage_of(person(**facts), mapping, NOW + review) != stage


def tagged(name, when):
    return loads(f"""
stages: [{{name: Known, when: always}}, {{name: Opportunity, when: {{opportunity: open}}}}]
fields: {{tags: Tags__c}}
tags: [{{name: {name}, when: {when}}}]
""")


def test_no_activity_for_n_days_is_a_rule():
    mapping = tagged("Quiet", "{not: {activity: {within: 30d}}}")
    someone, decision = written(person(did=[did("email_click", 10)]), mapping)
    assert (track(decision, "tags").value, decision.review_at) == (None, NOW + 20 * DAY)
    assert track(decide(someone, mapping, NOW + 20 * DAY), "tags").value == "Quiet"


def test_the_time_in_a_stage_begins_with_the_evidence():
    mapping = tagged("Late", "{stage: Opportunity, stage_for: 60d}")
    someone, decision = written(person(deals=[deal("open", ago=20)]), mapping)
    assert decision.review_at == NOW + 40 * DAY
    assert track(decide(someone, mapping, NOW + 40 * DAY), "tags").value == "Late"
    assert track(decide(person(deals=[deal("open", ago=70)]), mapping, NOW), "tags").value == "Late"


RESPONSE = """
stages: [{name: Known, when: always}]
fields: {tags: Tags__c}
handoff: {when: {activity: form_submit}}
tags:
  - {name: Fast, when: {response_time: "<= 4h"}}
  - {name: Slow, when: {response_time: "> 4h"}}
"""


def test_the_response_time_runs_from_the_hand_off_to_the_first_touch():
    mapping = loads(RESPONSE)
    someone, decision = written(person(did=[did("form_submit")]), mapping)
    assert track(decision, "tags").value == "Fast", "so far"
    late, after = written(someone, mapping, NOW + 5 * HOUR)
    assert track(after, "tags").value == "Slow"
    called = replace(someone, activities=(*someone.activities, did("call", -0.1)))
    assert track(decide(called, mapping, NOW + 9 * DAY), "tags").value == "Fast"
    assert (
        track(
            decide(replace(late, activities=(*late.activities, did("call", -1))), mapping, NOW + 9 * DAY), "tags"
        ).value
        == "Slow"
    )


TAGS = """
stages: [{name: Known, when: always}]
fields: {tags: %s}
tags:
  - {name: Hot, when: {activity: {kind: form_submit, within: 5d}}}
  - {name: Guest, when: {activity: event_attend}, keep: true}
"""


@pytest.mark.parametrize(
    ("facts", "before", "after"),
    [
        ([did("form_submit")], None, "Hot"),
        ([did("form_submit")], "VIP;Press", "VIP;Press;Hot"),
        ([], "VIP;Hot;Press", "VIP;Press"),
        ([], "Hot", None),
        ([], "Guest;VIP", "Guest;VIP"),
        ([did("form_submit"), did("event_attend")], "hot;VIP", "hot;VIP;Guest"),
        ([], None, None),
    ],
)
def test_tags_come_and_go_without_touching_those_of_others(facts, before, after):
    mapping = loads(TAGS % "Tags__c")
    someone, _ = written(person("Known", did=facts, Tags__c=before), mapping)
    assert someone.fields["Tags__c"] == after


def test_tags_in_a_text_field_have_their_own_separator():
    mapping = loads(
        (TAGS % "Labels__c").replace("fields: {tags: Labels__c}", 'fields: {tags: Labels__c, tag_separator: ","}')
    )
    someone, _ = written(person("Known", did=[did("form_submit")], Labels__c="VIP, Press"), mapping)
    assert someone.fields["Labels__c"] == "VIP, Press, Hot"


DATES = """
fields: {highest_stage: Highest__c}
dates: {entered: "{stage}_Entered__c", exited: "{stage}_Exited__c", days: "{stage}_Days__c", how: "{stage}_How__c"}
stages:
  - {name: Suspect, when: {email: present}}
  - {name: Marketing Engaged, when: {activity: inbound}}
  - {name: Opportunity, when: {opportunity: open}}
  - {name: Customer, when: {opportunity: won}}
  - {name: Disqualified, set_by: people, funnel: false}
moves: [{from: Customer, to: Suspect, when: {opportunity: none}}]
"""


def test_stage_dates_are_back_dated_from_the_evidence_and_marked():
    mapping = loads(DATES)
    someone, _ = written(
        person(did=[did("email_click", 100), did("email_click", 5)], deals=[deal("won", ago=20)]), mapping
    )
    fields = someone.fields
    assert (fields["Marketing_Engaged_Entered__c"], fields["Customer_Entered__c"]) == ("2026-02-21", "2026-05-12")
    assert fields["Marketing_Engaged_Exited__c"] == "2026-05-12"
    assert (fields["Customer_How__c"], fields["Suspect_How__c"]) == ("inferred", "inferred")
    assert "Opportunity_Entered__c" not in fields, "nothing vouches for it"


def test_a_change_the_connector_saw_is_observed_and_closes_the_stage_before():
    mapping = loads(DATES)
    someone, _ = written(person(CreatedDate=stamp(NOW - 10 * DAY)), mapping)
    someone = replace(someone, activities=(did("email_click", -4),))
    someone, _ = written(someone, mapping, NOW + 5 * DAY)
    fields = someone.fields
    assert (fields["Suspect_Exited__c"], fields["Suspect_Days__c"]) == ("2026-06-05", 14)
    assert (fields["Marketing_Engaged_Entered__c"], fields["Marketing_Engaged_How__c"]) == ("2026-06-05", "observed")
    assert plan(someone, decide(someone, mapping, NOW + 6 * DAY), mapping) is None


def test_the_highest_stage_stays_when_the_person_goes_back_and_leaves_out_what_is_beside_the_funnel():
    mapping = loads(DATES)
    someone, _ = written(person(deals=[deal("won")]), mapping)
    back, decision = written(replace(someone, opportunities=()), mapping)
    assert (track(decision).value, back.fields["Highest__c"]) == ("Suspect", "Customer")
    assert written(person("Disqualified"), mapping)[0].fields.get("Highest__c") is None


def test_conditions_look_at_any_field_of_the_record_and_its_account():
    mapping = both("{account: {Industry: Banking}, contact: {Department: {contains: [sales]}}, field: {Rating: Hot}}")
    facts: dict[str, Any] = {
        "account": {"Id": "001", "Industry": "Banking"},
        "Department": "Inside Sales",
        "Rating": "hot",
    }
    assert stage_of(person(**facts), mapping) == "Yes"
    assert stage_of(person(**{**facts, "account": {}}), mapping) == "No"
    assert stage_of(person(object_name="Lead", **facts), mapping) == "No"
    assert mapping.reads["Account"] == {"Industry"}


def test_one_human_with_several_records_is_led_by_the_one_the_mapping_prefers():
    text = "stages: [{name: Known, when: always}]\nidentity: {by_email: true, prefer: %s, then: %s}\n"
    oldest, newest = loads(text % ("[Contact, Lead]", "oldest")).identity, loads(text % ("Contact", "newest")).identity
    leads_first = loads(text % ("[Lead, Contact]", "oldest")).identity
    old, new, twin = (
        Candidate(f"00300000000000{n}AAA", "Contact", stamp(at)) for n, at in ((1, NOW - 9 * DAY), (2, NOW), (3, NOW))
    )
    undated, lead = Candidate("003000000000000AAA", "Contact", None), Candidate("00Q", "Lead", stamp(NOW - 99 * DAY))
    for records in permutations([lead, new, old, undated, twin]):
        assert leading(records, oldest) == old.id
        assert leading(records, newest) == new.id
        assert leading(records, leads_first) == lead.id
    assert (oldest.by_email, oldest.at_most) == (True, 20)


def test_a_prospect_keeps_its_stage_until_its_record_appears():
    mapping = loads(DATES)
    prospect, decision = written(person(object_name="Prospect", did=[did("form_submit", 3)]), mapping)
    assert track(decision).value == "Marketing Engaged"
    contact = replace(person(), activities=prospect.activities, memory=prospect.memory, aliases=(prospect.id,))
    assert stage_of(contact, mapping) == "Marketing Engaged"
    assert stage_of(replace(prospect, activities=()), mapping) == "Marketing Engaged", "forward only, as everybody"
