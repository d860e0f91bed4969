"""A wrong mapping gets one message a mistake, all at once, with file and line; never a traceback."""

from __future__ import annotations

import pickle

import pytest

from connector.mapping import MappingInvalid, load, loads

GOOD = "stages:\n  - {name: A, when: {email: missing}}\n  - {name: B, when: {email: present}}\n"


def mistakes(text):
    with pytest.raises(MappingInvalid) as caught:
        loads(text, "my.yaml")
    return [(each.line, each.what, each.hint) for each in caught.value.mistakes]


def test_ten_mistakes_get_ten_messages_at_once():
    found = mistakes(
        """\
stages:
  - name: Suspect
    wen: {email: present}
  - name: Engaged
    when: {activty: inbound}
  - name: Engaged
    when: {opportunity: wonn}
  - {name: Hot, when: {condition: hot}}
conditions:
  hot: {condition: warm}
  warm: {condition: hot}
fields:
  stage: {Contact: Lifecycle Stage, Lead: Lifecycle_Stage__c}
moves:
  - {from: Nowhere, to: Suspect, when: {email: missing}, after: 3 months}
gate:
  stage: {direction: sideways}
stagez: 1
"""
    )
    assert [line for line, _, _ in found] == [3, 5, 6, 7, 11, 13, 15, 15, 17, 18]
    assert found[0] == (3, "stage has no key wen", "did you mean when?")
    assert "hot -> warm -> hot" in found[4][1]
    assert all(hint for _, _, hint in found)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "the file is empty"),
        ("# nothing\n", "the file is empty"),
        ("- a\n", "a list of keys with values"),
        ("just text", "a list of keys with values"),
        ("stages: [", "not valid YAML"),
        ("stages:\n\t- a", "not valid YAML"),
        (b"stages: \xff", "not UTF-8"),
        (GOOD + "stages: [C]\n", "said twice"),
        (GOOD + "---\nstages: [C]\n", "one document"),
        ("a: " + "[" * 5000, "nested too deeply"),
        ("stages:\n" + "".join(f"{' ' * 2 * n}- \n" for n in range(1, 200)), "nested too deeply"),
        ("a: " + "x" * 1_100_000, "larger than"),
        (GOOD + "name: !!python/object:os.system x\n", "the tag"),
        ("stages: []\n", "an empty list"),
        ("stages: 7\n", "7 is not a list"),
        ("stages:\n  - {name: A, when: [{email: missing}]}\n", "neither any nor all"),
        ("stages:\n  - {name: A, when: {email: }}\n", "email has no value"),
        ("stages:\n  - {name: A, when: {activity: {kind: form_submitt}}}\n", "no activity kind form_submitt"),
        ("stages:\n  - {name: A, when: {activity: {kind: call, within: soon}}}\n", "not a length of time"),
        ("stages:\n  - {name: A, when: {field: {Annual Revenue: 5}}}\n", "not the API name of a field"),
        ("stages:\n  - {name: A, when: {email: '>= many'}}\n", "needs a number or a date"),
        ("stages:\n  - {name: A, when: {email: missing}, set_by: people}\n", "set by people"),
        ("stages: [A, {name: B, value: a}]\n", "same value"),
        ("stages:\n  - {name: A, when: {created: '> 2026-02-30'}}\n", "2026-02-30 is no date"),
        ("stages:\n  - {name: A, when: {field: {A__c: 2026-02-30}}}\n", "2026-02-30 is no date"),
        ("stages:\n  - {name: A, when: {created: 31.12.2026}}\n", "no date as they are written here"),
        ("stages:\n  - {name: A, when: {opportunity: {where: {Amount: lots}}}}\n", "lots is no number"),
        ("stages:\n  - {name: A, when: {opportunity: {where: {Amount: '> 10k $'}}}}\n", "$ may be USD, CAD or AUD"),
        ("stages:\n  - {name: A, when: {opportunity: {where: {Amount: '> 10.000 EUR'}}}}\n", "10 to some and 10000"),
        ("stages:\n  - {name: A, when: {opportunity: {where: {CloseDate: '> 10 EUR'}}}}\n", "makes no sense of a date"),
        ("score: {from: {prospect: score}}\nstages:\n  - {name: A, when: {score: '> 1 EUR'}}\n", "no amount in EUR"),
        ("stages:\n  - {name: A, when: {activity: {where: {x: '> 1 EUR'}}}}\n", "x is no amount in EUR"),
        ("stages:\n  - {name: A, when: {opportunity: {where: {Amount: '> 10.000'}}}}\n", "10 to some and 10000 to"),
        ("stages:\n  - {name: A, when: {opportunity: {where: {IsWon: perhaps}}}}\n", "a checkbox is never perhaps"),
        ("stages:\n  - {name: A, when: {opportunity: {where: {Amount: {contains: x}}}}}\n", "no sense of a number"),
        ("stages:\n  - {name: A, when: {opportunity: {where: {Type: '>= 5'}}}}\n", "no sense of a text"),
        ("stages:\n  - {name: A, when: {account: {activity: inbound}}}\n", "activity is not the API name"),
        ("stages:\n  - {name: A, when: {field: {A__c: {after: {feld: B__c}}}}}\n", "not a number, a date, today or"),
        (GOOD + "accounts: {counts: {account_stage: A}}\n", "which follows from it"),
        (GOOD + "segments: [{name: s, for: {country: DE}}]\n", "the segment s has no ladder"),
        (GOOD + "segments: [{name: s, for: {country: DE}, stages: [A, A]}]\n", "two stage entries are called A"),
        (
            GOOD
            + "segments: [{name: s, for: {country: DE}, stages: [A]}, {name: S, for: {country: FR}, stages: [A]}]\n",
            "two segments are called S",
        ),
        (
            GOOD + "segments: [{name: s, for: {any: [{country: DE}, {stage: B}]}, stages: [A]}]\n",
            "which follows from it",
        ),
        (GOOD + "segments: [{name: s, for: {all: [{country: DE}, {country: FR}]}, stages: [A]}]\n", "s can never hold"),
        (GOOD + "migrate: {stage: {Old: Q}}\n", "no stage Q"),
        (GOOD + "migrate: {stage: {a: B}}\n", "a is a stage of the mapping, and stays one"),
        (GOOD + "refresh: {Contact: 1min}\n", "not a length of time"),
        (GOOD + "refresh: {Task: 1h}\n", "Task"),
        (GOOD + "calendar: {time_zone: Mars/Olympus}\n", "no time zone Mars/Olympus"),
        (GOOD + "calendar: {hours: {mon-fri: 9 to 5}}\n", "9 to 5 is not days and hours"),
        (GOOD + "calendar: {hours: {fri-mon: 09:00-17:00}}\n", "is not days and hours"),
        (GOOD + "calendar: {holidays: Utopia}\n", "no holidays are known"),
        (GOOD + "calendar: {holidays: {DE: ZZ}}\n", "no holidays are known"),
        (GOOD + "calendar: {days_off: [2026-02-30]}\n", "2026-02-30 is no date"),
        (GOOD + "write: [{field: A__c}]\n", "write needs one of date_of"),
        (GOOD + "write: [{field: A__c, times: A, value: rule}]\n", "write needs one of date_of"),
        (GOOD + "write: [{field: A__c, times: A}, {field: A__c, times: B}]\n", "A__c is written twice"),
        (GOOD + "write: [{field: A__c, band: {Cold: 0}}]\n", "there is no score"),
        (GOOD + "write: [{field: A__c, date_of: C}]\n", "no stage C"),
        (GOOD + "write: [{field: A__c, first_touch: name, with_time: true}]\n", "first_touch: name is no date"),
        (GOOD + "write: [{field: A__c, value: reason, with_time: true}]\n", "value: reason is no date"),
        (
            GOOD + "fit: {points: [{when: always, points: 5}]}\nwrite: [{field: A__c, of: fit, band: {B: 1, C: 1}}]\n",
            "two bands",
        ),
        (
            GOOD + "write: [{field: Lifecycle_Stage__c, value: rule}]\n",
            "Lifecycle_Stage__c is where the stage is written",
        ),
        ("score: {from: {prospect: score}}\nstages:\n  - {name: A, when: {score: many}}\n", "many is no number"),
        ("include: nothing.yaml\n" + GOOD, "cannot read nothing.yaml"),
        ("include: my.yaml\n" + GOOD, "include each other"),
    ],
)
def test_each_of_these_gets_a_message(text, says):
    found = mistakes(text)
    assert any(says in what for _, what, _ in found), found
    assert all(line >= 0 for line, _, _ in found)


@pytest.mark.parametrize(
    ("line", "hint"),
    [
        ("score: >= 71", "quote it: '>= 71'"),
        ("country: != DE", "quote it: '!= DE'"),
        ("\tcountry: DE", "indent with spaces, not with tabs"),
        ("created: '>= 31.12.2026'", "write 2026-12-31"),
    ],
)
def test_what_yaml_itself_refuses_is_told_with_what_was_meant(line, hint):
    assert mistakes(f"stages:\n  - name: A\n    when:\n      {line}\n")[0][2] == hint


def test_a_bomb_of_aliases_is_refused_quickly():
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    assert any("too large" in what for _, what, _ in mistakes("\n".join(lines)))


def test_a_missing_file_says_what_is_shipped(tmp_path):
    with pytest.raises(MappingInvalid) as caught:
        load("lead-liasion")
    assert "did you mean lead-liaison?" in str(caught.value)
    with pytest.raises(MappingInvalid):
        load(tmp_path / "none.yaml")
    with pytest.raises(MappingInvalid):
        load(tmp_path)


def test_the_version_follows_what_is_decided_and_not_the_layout():
    version = loads(GOOD).version
    assert loads("# a comment\n" + GOOD + "description: words\n").version == version
    assert loads(GOOD.replace("missing", "present", 1)).version != version


def test_a_mapping_pickles_as_its_text():
    mapping = load("lead-liaison")
    again = pickle.loads(pickle.dumps(mapping))  # noqa: S301 - our own value
    assert (again.name, again.version, again.texts) == (mapping.name, mapping.version, mapping.texts)


INCLUDING = """
include: lead-liaison
stages:
  - {name: Evangelist, drop: true}
  - {name: Alumni, before: Disqualified, when: {country: XX}}
  - {name: Engaged, after: Marketing Qualified}
moves: [{name: put on a deal later, from: [Disqualified, Other]}, {name: won a deal later, drop: true}]
"""


def test_an_including_file_drops_and_places_entries():
    mapping = loads(INCLUDING)
    names = [stage.name for stage in mapping.stages]
    assert names[1:5] == ["Suspect", "Marketing Qualified", "Engaged", "Sales Qualified"]
    assert names[-3:] == ["Alumni", "Disqualified", "Other"]
    assert [move.name for move in mapping.model.stage.moves] == ["put on a deal later"]
    assert not mapping.warnings


def test_what_an_including_file_cannot_place_or_drop_is_told():
    found = mistakes(INCLUDING.replace("name: Evangelist", "name: Evangalist").replace("before: Dis", "before: Dus"))
    assert (4, "there is no Evangalist to drop", "did you mean Evangelist?") in found
    assert (5, "there is no Dusqualified to stand before", "did you mean Disqualified?") in found
    kept = mistakes("include: lead-liaison\nstages: [{name: Evangelist, drop: false}]\n")
    assert kept == [(2, "drop of Evangelist is not true", "write drop: true, or leave drop out")]
    both = mistakes("include: lead-liaison\nstages: [{name: Engaged, before: Suspect, after: Anonymous}]\n")
    assert both == [(2, "Engaged is placed before one and after another", "keep before, or after")]
    more = mistakes("include: lead-liaison\nstages: [{name: Evangelist, drop: true, when: {country: XX}}]\n")
    assert (2, "Evangelist is dropped, and says when too", "keep drop, or the rest") in more
    assert "stage has no key drop" in mistakes(GOOD.replace("name: A,", "name: A, drop: true,"))[0][1]


def test_a_stage_that_lands_behind_those_beside_the_funnel_is_told():
    [warning] = loads("include: lead-liaison\nstages: [{name: Alumni, when: {country: XX}}]\n").warnings
    assert "the stage Alumni comes after Evangelist, which is beside the funnel: place it with before: Evang" in warning


def test_the_tests_of_an_included_file_are_run_and_what_differs_is_told():
    assert loads("include: lead-liaison\n").differs == ()
    differs = loads("include: lead-liaison\nactivities: {ignore: none}\n").differs
    assert len(differs) == 1
    assert "stage is Engaged, not Suspect" in differs[0]
    assert differs[0].startswith("lead-liaison: the test 'nobody without an address")


def test_a_file_that_includes_another_adds_to_it_and_overrides_it(tmp_path):
    (tmp_path / "mine.yaml").write_text(
        "include: lead-liaison\nstages:\n  - {name: Engaged, when: {activity: form_submit}}\n  - name: Alumni\n"
    )
    mapping = load(tmp_path / "mine.yaml")
    names = [stage.name for stage in mapping.stages]
    assert (names[2], names[-1]) == ("Engaged", "Alumni")
    assert mapping.stages[2].rules[0].when.words() == "form submit"


def test_what_an_entry_says_again_replaces_what_was_said():
    base = "name: base\nstages:\n  - {name: A, when: {email: present, activity: inbound}, description: old}\n"
    over = "include: base.yaml\nstages: [{name: A, when: {opportunity: open}}]\n"
    (stage,) = loads(over, "my.yaml", {"base.yaml": base}).stages
    assert (stage.rules[0].when.words(), stage.description) == ("an open opportunity", "old")


def test_included_files_are_found_beside_the_file_that_names_them(tmp_path):
    (tmp_path / "team").mkdir()
    (tmp_path / "mine.yaml").write_text("include: team/base.yaml\nstages: [{name: Extra, set_by: people}]\n")
    (tmp_path / "team" / "base.yaml").write_text("include: ladder.yaml\nactivities: {ignore: none}\n")
    (tmp_path / "team" / "ladder.yaml").write_text("name: ladder\n" + GOOD)
    mapping = load(tmp_path / "mine.yaml")
    assert (mapping.name, [stage.name for stage in mapping.stages]) == ("mine", ["A", "B", "Extra"])
    again = pickle.loads(pickle.dumps(mapping))  # noqa: S301 - our own value
    assert (again.version, len(again.texts)) == (mapping.version, 3)


def test_an_included_mapping_keeps_its_tests_to_itself():
    changed = "include: lead-liaison\nstages: [{name: Customer, when: {opportunity: open}}]\n"
    assert loads(changed, "my.yaml").name == "my"


SCORED = GOOD + "score: {%s}\n"
HANDED = GOOD + "handoff: {when: {activity: call}, owner: [%s]}\n"
WHEN = "stages: [{name: A, when: {%s}}]\n"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (SCORED % "from: {}", "from needs either prospect or field"),
        (SCORED % "from: {prospect: score, field: Score__c}", "from needs either prospect or field"),
        (SCORED % "points: [{points: 5}]", "points need either activity or when"),
        (SCORED % "points: [{activity: call, when: always, points: 5}]", "points need either activity or when"),
        (SCORED % "points: [{activity: {kind: call, count: 2}, points: 5}]", "count means nothing here"),
        (SCORED % "points: [{when: always, points: 5, cap: 9}]", "cap is for points of activities"),
        (SCORED % "from: {prospect: score}, points: [{activity: call, points: 5}]", "either taken (from) or counted"),
        (SCORED % "from: {prospect: score}, half_life: 30d", "has no half_life"),
        (SCORED % "points: [{activity: call, points: 5}], min: 9, max: 3", "min is not below max"),
        (GOOD + "score: {from: {prospect: s}}\nthresholds: {t: {at: 5, again_below: 9}}\n", "again_below is above at"),
        (HANDED % "{user: a@example.com, queue: Inbound}", "names one of user, queue"),
        (HANDED % "{round_robin: [a@example.com, a@example.com]}", "an owner is named twice"),
        (HANDED % "{weights: {a@example.com: 0}}", "every number is 0"),
        (GOOD + "opportunities: {without_roles: [ignore, active_contacts]}\n", "says ignore and something else"),
        (GOOD + "opportunities: {without_roles: primary_contact}\n", "primary_contact and primary_contact_field go"),
        (GOOD + "opportunities: {counts: {count: 2}}\n", "counts is asked of each opportunity by itself"),
        (GOOD + "dates: {}\n", "dates needs patterns"),
        (GOOD + "dates: {entered: Entered__c}\n", "is not a pattern of field names"),
        (GOOD + "gate: {stage: {manual: soon}}\n", "is not until_promotion, forever, ignored"),
        (GOOD + "opportunities: {precedence: won > lost}\n", "is not won, open and lost in an order"),
        (WHEN % "activity: {upcoming: true, within: 5d}", "upcoming activities have no within"),
        (WHEN % "activity: {latest_of: [call]}", "latest_of needs kind"),
        (WHEN % "opportunity: {state: all_lost, count: 2}", "all_lost cannot be counted"),
        ("opportunities: {pipeline: [One, Two]}\n" + WHEN % "opportunity: {past: Two}", "nothing comes after Two"),
        (
            "sources: {ours: {through: webhook}}\n" + WHEN % "activity: {kind: call, source: ours}",
            "ours is a sender, not the source",
        ),
        ("stages:\n  - {name: A, when: {? [x] : 1}}\n", "a key must be a plain word"),
    ],
)
def test_what_does_not_go_together_is_told_with_what_to_do(text, says):
    found = mistakes(text)
    assert any(says in what and hint for _, what, hint in found), found


def test_anchors_and_merge_keys_mean_what_yaml_says():
    mapping = loads("""
conditions:
  base: &base {country: DE, title: {contains: head}}
stages:
  - {name: A, when: {<<: *base, country: FR}}
  - {name: B, when: {<<: [{country: AT}, *base]}}
""")
    said = [stage.rules[0].when.words() for stage in mapping.stages]
    assert ("FR" in said[0], "DE" in said[0], "head" in said[0]) == (True, False, True), "what is said here wins"
    assert ("AT" in said[1], "DE" in said[1], "head" in said[1]) == (True, False, True), "the first source wins"
