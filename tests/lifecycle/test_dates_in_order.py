"""Dates of stages on the way are in the order of the way."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from connector.mapping import loads
from tests.lifecycle.someone import DAY, NOW, deal, did, person, stamp, written

MAPPING = """
dates: {entered: "{stage}_Entered__c", exited: "{stage}_Exited__c", days: "{stage}_Days__c"}
stages:
  - {name: Suspect, when: {email: present}}
  - {name: Engaged, when: {activity: inbound}}
  - {name: Opportunity, when: {opportunity: open}}
  - {name: Customer, when: {opportunity: won}}
"""


def test_nobody_comes_to_an_earlier_stage_after_a_later_one_because_the_record_is_younger_than_the_click():
    mapping = loads(MAPPING)
    someone, _ = written(person(did=[did("email_click", 10)], CreatedDate=stamp(NOW)), mapping)
    assert someone.fields["Engaged_Entered__c"] == "2026-05-22"
    someone, _ = written(replace(someone, opportunities=(deal("open", ago=-5),)), mapping, NOW + 5 * DAY)
    assert someone.fields.get("Suspect_Entered__c") is None
    assert (someone.fields["Engaged_Exited__c"], someone.fields["Engaged_Days__c"]) == ("2026-06-06", 15)


def test_a_stage_that_was_passed_unseen_lies_between_those_around_it():
    mapping = loads(MAPPING)
    someone, _ = written(person(CreatedDate=stamp(NOW - 9 * DAY)), mapping)
    facts: dict[str, Any] = {"activities": (did("email_click", -2),), "opportunities": (deal("won", ago=-4),)}
    someone, _ = written(replace(someone, **facts), mapping, NOW + 5 * DAY)
    dates = [someone.fields[f"{stage}_Entered__c"] for stage in ("Suspect", "Engaged", "Customer")]
    assert dates == ["2026-05-23", "2026-06-03", "2026-06-05"]
