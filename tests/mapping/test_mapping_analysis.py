"""What a mapping says that cannot be meant is found before it touches an org."""

from __future__ import annotations

import pytest

from connector.mapping import MappingInvalid, loads


def warnings(text):
    return loads(text, "my.yaml").warnings


def mistakes(text):
    with pytest.raises(MappingInvalid) as caught:
        loads(text, "my.yaml")
    return [(each.line, each.what) for each in caught.value.mistakes]


@pytest.mark.parametrize(
    "when",
    [
        "{all: [{email: missing}, {email: present}]}",
        "{all: [{country: DE}, {country: [FR, US]}]}",
        "{all: [{country: DE}, {country: missing}]}",
        "{all: [{country: DE}, {not: {country: [DE, FR]}}]}",
        "{all: [{account: {Size__c: '>= 10'}}, {account: {Size__c: '< 5'}}]}",
        "{all: [{score: '>= 71'}, {any: [{score: '< 71'}, {score: '< 10'}]}]}",
        "{all: [{opportunity: won}, {opportunity: none}]}",
        "{all: [{opportunity: all_lost}, {opportunity: open}]}",
        "{all: [{object: Lead}, {object: Contact}]}",
        "{all: [{activity: {kind: call, within: 5d}}, {not: {activity: {kind: [call, meeting], within: 10d}}}]}",
        "{any: [never, {all: [{email: missing}, {email: present}]}]}",
        "never",
        "{not: always}",
    ],
)
def test_a_rule_that_can_never_hold_is_a_mistake(when):
    text = f"score: {{from: {{prospect: score}}}}\nstages:\n  - Somebody\n  - {{name: Nobody, when: {when}}}\n"
    ((line, what),) = mistakes(text)
    assert line == 4
    assert "the rule Nobody can never hold" in what


@pytest.mark.parametrize(
    ("when", "who"),
    [
        ("{all: [{country: [DE, FR]}, {country: [FR, US]}]}", "person: {country: FR}"),
        ("{all: [{account: {Size__c: '>= 5'}}, {account: {Size__c: '<= 5'}}]}", "account: {Size__c: 5}"),
        ("{all: [{opportunity: won}, {opportunity: open}]}", "opportunities: [won, open]"),
        (
            "{all: [{activity: {kind: call}}, {not: {activity: {kind: call, within: 10d}}}]}",
            "activities: [{kind: call, ago: 20d}]",
        ),
        ("{all: [{title: {contains: a}}, {title: {contains: b}}]}", "person: {title: ab}"),
        (
            "{all: [{opportunity: {state: won, where: {Type: A}}},"
            " {opportunity: {state: all_lost, where: {Type: B}}}]}",
            "opportunities: [{state: won, fields: {Type: A}}, {state: lost, fields: {Type: B}}]",
        ),
    ],
)
def test_a_rule_that_somebody_fits_is_no_mistake(when, who):
    text = f"stages:\n  - {{name: Somebody, when: {when}}}\ntests:\n  - {{name: x, {who}, expect: {{stage: %s}}}}\n"
    assert not warnings(text % "Somebody")
    ((_, what),) = mistakes(text % "none")  # the test in the mapping does look
    assert "stage is Somebody, not none" in what


@pytest.mark.parametrize(
    ("near", "far"),
    [
        ("{email: present, activity: inbound}", "{email: present}"),
        ("{opportunity: won}", "{opportunity: any}"),
        ("{opportunity: {state: won, where: {Amount: '> 5'}, count: 2}}", "{opportunity: won}"),
        ("{activity: {kind: call, within: 5d, count: 2}}", "{activity: {kind: [call, meeting], within: 10d}}"),
        ("{activity: {kind: form_submit, direction: inbound}}", "{activity: inbound}"),
        ("{country: DE}", "{country: present}"),
        ("{country: DE}", "{country: '!= FR'}"),
        ("{account: {Size__c: '> 10'}}", "{account: {Size__c: '>= 10'}}"),
        ("{any: [{country: DE}, {country: FR}]}", "{country: [DE, FR, US]}"),
    ],
)
def test_a_rule_that_can_never_win_is_a_warning(near, far):
    (warning,) = warnings(f"stages:\n  - {{name: Near, when: {near}}}\n  - {{name: Far, when: {far}}}\n")
    assert warning.startswith("my.yaml:2: the rule Near can never win")
    assert not warnings(f"stages:\n  - {{name: Near, when: {far}}}\n  - {{name: Far, when: {near}}}\n")


def test_opens_do_not_make_any_inbound_activity():
    near, far = "{activity: {kind: email_open, direction: inbound}}", "{activity: inbound}"
    assert not warnings(f"stages:\n  - {{name: Near, when: {near}}}\n  - {{name: Far, when: {far}}}\n")


def test_a_step_that_nothing_leads_to_is_a_warning():
    text = "stages: [{name: A, when: always}]\nstatuses: [{name: New, when: always}, Lost]\n"
    (warning,) = warnings(text)
    assert "nothing leads to the status Lost" in warning


def test_moves_that_lead_back_and_forth_are_a_warning():
    stages = "stages: [{name: A, when: always}, {name: B, set_by: people}]\n"
    moves = (
        "moves:\n  - {name: on, from: A, to: B, when: {email: present}}\n  - {name: off, from: B, to: A, when: %s}\n"
    )
    (warning,) = warnings(stages + moves % "{country: DE}")
    assert "the moves on and off lead round in a circle" in warning
    assert not warnings(stages + moves % "{email: missing}")


def test_the_shipped_mappings_have_no_warnings():
    from connector.mapping.load import load, shipped_names  # noqa: PLC0415 - only here

    assert {name: load(name).warnings for name in shipped_names()} == dict.fromkeys(shipped_names(), ())
