"""``sources:`` in a mapping: what is wrong with it is said by line; without it everything is as it was."""

from __future__ import annotations

import pickle

import pytest

from connector.mapping import MappingInvalid, loads
from connector.mapping.kinds import KNOWN_SOURCES

GOOD = "stages:\n  - {name: A, when: {email: missing}}\n  - {name: B, when: {activity: inbound}}\n"


def mistakes(text):
    with pytest.raises(MappingInvalid) as caught:
        loads(GOOD + text, "my.yaml")
    return [(each.line, each.what, each.hint) for each in caught.value.mistakes]


@pytest.mark.parametrize(
    ("text", "line", "says", "hint"),
    [
        ("sources: [marketo]\n", 4, "a list is not", "kinds:"),
        ("sources:\n  marketto: off\n", 5, "there is no source marketto", "did you mean marketo?"),
        ("sources:\n  marketto:\n    kinds: [call]\n", 5, "there is no source marketto", "did you mean marketo?"),
        ("sources:\n  lead-liaison: {deals: opportunities}\n", 5, "there is no source lead-liaison", "through:"),
        ("sources:\n  marketo: on\n", 5, "on is not one of off", "off"),
        ("sources:\n  marketo: {kind: [call]}\n", 5, "source has no key kind", "did you mean kinds?"),
        ("sources:\n  marketo:\n    kinds: [form_submitt]\n", 6, "no activity kind form_submitt", "form_submit?"),
        ("sources:\n  marketo:\n    kinds: {but: [call]}\n", 6, "kinds but has no key but", "not"),
        ("sources:\n  marketo:\n    kinds: []\n", 6, "an empty list", ""),
        ("sources:\n  marketo:\n    match: [email, crm_id]\n", 6, "in another order", "[crm_id, email]"),
        ("sources:\n  marketo:\n    match: [address]\n", 6, "address is not one of", "known are"),
        ("sources:\n  marketo:\n    name: {within: 30d}\n", 5, "has no clock", "condition"),
        ("sources:\n  marketo:\n    where: {at: {not: {ahead: 30d}}}\n", 5, "has no clock (at)", "condition"),
        ("sources:\n  marketo: {deals: yes please}\n", 5, "not one of opportunities", "opportunities"),
        ("sources:\n  marketo: {through: webhook}\n", 5, "marketo is a source itself", "through"),
        ("sources:\n  my-tool: {through: marketo}\n", 5, "marketo is not one of webhook", "known are"),
        ("sources:\n  salesforce: {match: [crm_id], score: x}\n", 5, "match and score means nothing", "leave"),
        ("sources:\n  files: {deals: opportunities, kinds: [call]}\n", 5, "leave deals out", "add deal"),
        ("sources:\n  files: {deals: opportunities, kinds: {not: deal}}\n", 5, "leave deals out", "add deal"),
        ("sources:\n  webhook: off\n  my-tool: {through: webhook}\n", 6, "which is off", "drop one"),
        ("sources:\n  marketo: {score: s}\n", 5, "the score of the mapping is not there", "from: sources"),
        (
            "score: {points: [{activity: call, points: 5}]}\nsources:\n  marketo: {score: s}\n",
            6,
            "the score of the mapping is counted",
            "from: sources",
        ),
        (
            "score: {from: {field: S__c}}\nsources:\n  marketo: {score: s}\n",
            6,
            "is taken from a field",
            "from: sources",
        ),
        ("score: {from: sources}\n", 4, "no source has a score", "sources:"),
        ("fit: {from: sources}\n", 4, "not the fit", "prospect"),
        ("sources:\n  marketo:\n", 5, "marketo has no value", "off"),
    ],
)
def test_each_of_these_gets_a_message_with_its_line(text, line, says, hint):
    found = mistakes(text)
    assert [(at, what) for at, what, _ in found if says in what] == [(line, found[0][1])], found
    assert hint in found[0][2]


def test_a_sender_is_no_source_of_a_condition():
    text = "sources: {my-tool: {through: webhook}}\nconditions:\n  x: {activity: {kind: call, source: my-tool}}\n"
    assert any("my-tool is a sender" in what and "hook: my-tool" in hint for _, what, hint in mistakes(text))


def test_several_mistakes_are_told_at_once():
    text = "sources:\n  marketto: off\n  hubspot: {kind: call}\n  files: {match: [email, crm_id]}\n"
    assert [line for line, _, _ in mistakes(text)] == [5, 6, 7]


def test_without_the_section_nothing_is_sifted():
    mapping = loads(GOOD)
    assert mapping.model.sources == ()
    assert all(program.sieve is None for program in mapping.programs.values())


def test_every_source_may_be_named_and_the_declaration_survives_pickling():
    mapping = loads(GOOD + "sources: {" + ", ".join(f"{name}: off" for name in KNOWN_SOURCES) + "}\n")
    again = pickle.loads(pickle.dumps(mapping))  # noqa: S301 - our own value
    assert again.model.sources == mapping.model.sources
    assert {each.name for each in again.model.sources} == set(KNOWN_SOURCES)


def test_what_counts_belongs_to_the_version_of_the_mapping():
    assert loads(GOOD + "sources: {hubspot: off}\n").version != loads(GOOD).version


def test_a_mapping_that_includes_another_adds_to_its_sources():
    base = GOOD + "sources: {hubspot: off, marketo: {kinds: [call]}}\n"
    over = "include: base.yaml\nsources: {marketo: {score: none}}\n"
    found = {each.name: each for each in loads(over, "my.yaml", {"base.yaml": base}).model.sources}
    assert found["hubspot"].is_off
    assert (found["marketo"].kinds, found["marketo"].score) == (frozenset({"call"}), "")
