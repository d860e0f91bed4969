"""What is rolled back stays so until something newer speaks for what was taken back."""

from dataclasses import replace
from datetime import timedelta

import pytest

from connector.base.facts import Decision, Evidence, Person, TrackDecision
from connector.pipeline.undone import keep_undone, without_undone
from tests.fakes import START

UNDONE = {"value": "Customer", "run": "7", "at": START.isoformat(), "mapping": "m1"}
MEMORY = {"at": "Suspect", "written": "Suspect"}
PERSON = Person("003", "Contact", {}, memory={"stage": {**MEMORY, "undone": UNDONE}, "tags": {}})


def decided(value="Customer", at=None) -> Decision:
    evidence = (Evidence("activity", "a:1", "a click", at),)
    return Decision(
        "003", (TrackDecision("stage", value, "Suspect", "rule", "moves", "because", evidence, {"at": value}),)
    )


@pytest.mark.parametrize("at", [None, START - timedelta(days=1), START])
def test_the_same_by_what_was_known_is_held(at):
    (track,) = keep_undone(PERSON, decided(at=at), "m1").tracks
    assert (track.value, track.verdict, track.rule) == ("Suspect", "held", "")
    assert "(run 7)" in track.reason
    assert track.memory == PERSON.memory["stage"]


@pytest.mark.parametrize(
    ("decision", "version"),
    [
        (decided(at=START + timedelta(seconds=1)), "m1"),
        (decided("Engaged"), "m1"),
        (decided(), "m2"),
    ],
)
def test_newer_evidence_another_value_or_another_mapping_go_on(decision, version):
    assert keep_undone(PERSON, decision, version) == decision


def test_people_are_decided_without_it():
    assert without_undone(PERSON).memory == {"stage": MEMORY}
    only = replace(PERSON, memory={"stage": {"undone": UNDONE}})
    assert without_undone(only).memory == {}
