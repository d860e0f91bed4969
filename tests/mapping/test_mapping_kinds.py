"""The kinds a mapping may name are those the sources tell of."""

from __future__ import annotations

from connector.mapping import loads
from connector.mapping.kinds import INBOUND, KNOWN_KINDS, KNOWN_SOURCES, OUTBOUND
from connector.sources import SOURCES as REGISTERED
from connector.sources import kinds as sources


def test_the_kinds_are_those_of_the_sources_with_their_usual_direction():
    assert set(KNOWN_KINDS) == set(sources.KINDS)
    assert {kind for kind, way in sources.KINDS.items() if way == "inbound"} == set(INBOUND)
    assert not set(INBOUND) & set(OUTBOUND)


def test_the_sources_are_those_that_are_registered_and_salesforce():
    assert set(KNOWN_SOURCES) == {"salesforce", *REGISTERED}


def test_kinds_of_ones_own_can_be_named():
    text = "activities: {kinds: [webinar_gold]}\nstages: [{name: Gold, when: {activity: webinar_gold}}]\n"
    assert loads(text).stages[0].rules[0].when.words() == "webinar gold"


def test_custom_fields_of_activities_are_read_from_tasks_and_events():
    text = "stages: [{name: A, when: {activity: {kind: %s, where: {Outcome__c: Reached, CallDisposition: x}}}}]\n"
    assert loads(text % "call").reads["Task"] == {"Outcome__c"} == loads(text % "call").reads["Event"]
    assert "Task" not in loads(text % "form_submit").reads
