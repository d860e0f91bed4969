"""Explain: which rules hold, which clause failed, and what would change the answer."""

from __future__ import annotations

import json
from dataclasses import replace

from connector.base.facts import Prospect
from connector.lifecycle import explain
from connector.mapping import loads
from tests.lifecycle.someone import DAY, NOW, deal, did, person, written

MAPPING = loads(
    """
score: {from: {prospect: score}}
thresholds: {ready: {at: 71}}
fields: {tags: Tags__c}
stages:
  - {name: Known, when: {email: present}}
  - {name: Busy, when: {activity: {kind: form_submit, count: 3, within: 30d}}}
  - {name: Ready, when: {all: [{score: ">= 71"}, {country: [DE, AT]}]}}
  - {name: Opportunity, when: {opportunity: any}}
moves: [{from: Opportunity, to: Known, when: {opportunity: all_lost}}]
handoff: {name: to sales, when: {threshold: ready}}
tags: [{name: German, when: {country: DE}}]
statuses: [{name: New, when: {stage: Known}}]
"""
)


def explained(someone, name="stage", now=NOW):
    document = explain(someone, MAPPING, now).as_dict()
    json.dumps(document)
    return next(each for each in document["tracks"] if each["track"] == name)


def rule(document, name):
    return next(each for each in document["rules"] if each["rule"] == name)


def scored(score, **facts):
    return replace(person(**facts), prospects=(Prospect("pardot", "1", None, attributes={"score": score}),))


def test_every_rule_says_whether_it_held_with_record_ids_and_values():
    document = explained(person(deals=[deal("open", "7")]))
    assert [each["rule"] for each in document["rules"]] == ["Opportunity", "Ready", "Busy", "Known"]
    won = rule(document, "Opportunity")
    assert won["matched"]
    assert won["evidence"][0]["ref"] == "0067"
    assert not rule(document, "Ready")["matched"]


def test_a_failed_clause_is_named_with_what_would_change_it():
    ready = rule(explained(scored(67, MailingCountry="FR")), "Ready")
    assert [part["matched"] for part in ready["parts"]] == [False, False]
    assert ready["parts"][0]["would_change"] == "4 more points of score"
    assert ready["parts"][1]["would_change"] == "country one of DE, AT (it is FR)"
    assert ready["would_change"] == "4 more points of score and country one of DE, AT (it is FR)"


def test_a_missing_role_and_missing_activities_are_said():
    document = explained(person(did=[did("form_submit", 3)]))
    assert rule(document, "Opportunity")["would_change"] == "a contact role on an opportunity"
    assert rule(document, "Busy")["would_change"] == "2 more: at least 3 form submit within the last 30 days"


def test_moves_out_of_where_the_person_stands_are_explained_too():
    document = explained(person("Opportunity", deals=[deal("open")]))
    (move,) = document["moves"]
    assert (move["to"], move["matched"], move["found"]) == ("Known", False, "0061 (Prospecting)")


def test_the_other_tracks_are_explained_by_their_rules():
    someone = scored(80, MailingCountry="DE")
    assert rule(explained(someone, "owner"), "to sales")["matched"]
    assert rule(explained(someone, "tags"), "German")["matched"]
    assert not rule(explained(someone, "status"), "New")["matched"], "it looks at the stage as decided"
    assert explained(someone, "score")["value"] == "80"


def test_a_past_date_is_explained_as_it_was():
    someone, _ = written(person(did=[did("form_submit", 1), did("form_submit", 2), did("form_submit", 3)]), MAPPING)
    assert rule(explained(someone), "Busy")["matched"]
    assert not rule(explained(someone, now=NOW - 2.5 * DAY), "Busy")["matched"]
    assert not rule(explained(someone, now=NOW + 60 * DAY), "Busy")["matched"]


def test_the_decision_explained_is_the_decision():
    explanation = explain(person(deals=[deal("open")]), MAPPING, NOW)
    assert {each.decision.track: each.decision.value for each in explanation.tracks}["stage"] == "Opportunity"
