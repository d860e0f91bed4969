"""The pages about mappings say what is so: tables from the code, and every example loads and passes its own tests."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from connector.mapping import MappingInvalid, loads
from connector.mapping import reference as pages
from connector.mapping.comparison import FORMS
from connector.mapping.language import CONDITIONS
from connector.mapping.load import shipped_names
from connector.mapping.schema import blocks, json_schema

ROOT = Path(__file__).parents[2]
REFERENCE = (ROOT / "docs" / "mapping.md").read_text(encoding="utf-8")
EXAMPLES = (ROOT / "docs" / "mapping-examples.md").read_text(encoding="utf-8")
SENTENCES = re.findall(r"^### \d+\. (.*?)\n\n```yaml\n(.*?)```", EXAMPLES, re.DOTALL | re.MULTILINE)
SNIPPETS = re.findall(r"```yaml\n(.*?)```", REFERENCE, re.DOTALL)
RENEW = "run: python -m connector.mapping.reference docs/mapping.md mappings/mapping.schema.json"


def test_the_tables_of_the_reference_come_from_the_code():
    assert pages.filled(REFERENCE) == REFERENCE, RENEW


def test_every_kind_of_map_has_its_table_in_the_reference():
    shown = set(re.findall(r"<!-- table: ([^>]+?) -->", REFERENCE))
    alike = {"fit", "status", "then step"}  # said in words beside the table of their likes
    assert {block.name for block in blocks()} - alike <= shown


def test_the_schema_for_editors_comes_from_the_code_and_is_whole():
    assert (ROOT / "mappings" / "mapping.schema.json").read_text(encoding="utf-8") == pages.schema_text(), RENEW
    schema = json_schema()
    used = set(re.findall(r'"#/\$defs/([^"]+)"', json.dumps(schema)))
    assert used == set(schema["$defs"]) | used
    assert used <= set(schema["$defs"])


@pytest.mark.parametrize("text", SNIPPETS)
def test_every_snippet_of_the_reference_loads(text):
    assert not loads(text).warnings


@pytest.mark.parametrize(("sentence", "text"), SENTENCES, ids=[sentence[:60] for sentence, _ in SENTENCES])
def test_every_sentence_is_a_mapping_that_passes_its_own_tests(sentence, text):
    mapping = loads(text)
    assert "expect:" in text, "a sentence shows what becomes of somebody"
    assert not mapping.warnings


SEEDS = {file.stem: file for file in (ROOT / "tests" / "mapping" / "seeds").glob("*.yaml")}


@pytest.mark.parametrize("name", shipped_names())
def test_what_the_seeds_promise_is_kept_by_the_mapping_row_by_row(name):
    text = SEEDS[name].read_text(encoding="utf-8")
    assert f"\ninclude: {name}\n" in text
    assert not loads(text).warnings, "loading a mapping runs its tests"
    section = (ROOT / "docs" / "seeds.md").read_text(encoding="utf-8").split(f": `{name}`\n")[1].split("\n## ")[0]
    rows = re.findall(r"^\| .*? ?\| (.+?) \|$", section, re.MULTILINE)[2:]  # after the heading and the line below it
    assert rows == [each["name"] for each in YAML(typ="safe", pure=True).load(text)["tests"]]


LADDERS = {
    "The ladder of Lead Liaison": "lead-liaison",
    "Stages beside lead status": "hubspot-style",
    "Score and hand-off": "score-handoff",
    "States and allocation": "states",
    "The customer's lifecycle": "customer-lifecycle",
}
CASES = (
    *("Lost deals", "Reopened deals", "Several deals", "Several contacts"),
    *("Late scores", "Manual edits", "Conversions", "Merges"),
)


def parts_of_examples():
    """Part -> its sentences, as (number, mapping text)."""
    parts = {part.splitlines()[0]: part for part in re.split(r"^## ", EXAMPLES, flags=re.MULTILINE)[1:]}
    found = {
        name: re.findall(r"^### (\d+)\. .*?```yaml\n(.*?)```", part, re.DOTALL | re.M) for name, part in parts.items()
    }
    return {name: [(int(number), text) for number, text in said] for name, said in found.items() if name != "Contents"}


def test_every_ladder_and_every_hard_case_has_at_least_five_sentences():
    parts = parts_of_examples()
    assert sum(len(said) for said in parts.values()) == len(SENTENCES) >= 40
    assert {name: len(parts[name]) for name in (*LADDERS, *CASES) if len(parts[name]) < 5} == {}
    assert set(LADDERS.values()) == set(shipped_names())


@pytest.mark.parametrize(("part", "shipped"), LADDERS.items())
def test_at_least_five_sentences_are_about_each_shipped_mapping_itself(part, shipped):
    assert len([text for _, text in parts_of_examples()[part] if f"include: {shipped}\n" in text]) >= 5


def test_every_sentence_is_said_once():
    assert len({sentence for sentence, _ in SENTENCES}) == len({text for _, text in SENTENCES}) == len(SENTENCES)


def test_the_contents_list_every_part_with_its_numbers():
    contents = EXAMPLES.split("\n## ")[1]
    for name, said in parts_of_examples().items():
        anchor = re.sub(r"[^a-z0-9 -]", "", name.lower()).replace(" ", "-")
        assert f"[{name}](#{anchor})" in contents
        assert re.search(rf"\(#{anchor}\).*: {said[0][0]} to {said[-1][0]}$", contents, re.MULTILINE), name
    numbers = [number for said in parts_of_examples().values() for number, _ in said]
    assert numbers == list(range(1, len(numbers) + 1))


EVERYTHING = """
score: {from: {prospect: score}}
fit: {from: {prospect: fit}}
records: {Subscription__c: {person: Contact__c}}
thresholds: {sales_ready: {at: 71}}
conditions: {hot: {email: present}}
handoff: [{name: to sales, when: {email: present}}]
fields: {tags: Tags__c}
opportunities: {pipeline: [Prospecting, Qualification, Proposal]}
stages: [{name: Engaged, set_by: people}, {name: Opportunity, set_by: people}, {name: Hot, when: {%s}}]
statuses: [{name: New, set_by: people}, {name: Open, set_by: people}]
"""
FILTERS = [
    (name, key, spec)
    for name in ("activity", "opportunity", "record")
    for key, spec in next(b for b in blocks() if b.name == name).keys.items()
]


def read_and_not_passed_over(key, example, around="{%s}"):
    """The rule says something of the example, and with its key misspelt the mapping is refused."""
    rule = loads(EVERYTHING % around[1:-1] % example).stages[-1].rules[0]
    assert rule.when.words()
    with pytest.raises(MappingInvalid):
        loads(EVERYTHING % around[1:-1] % example.replace(f"{key}:", f"{key}x:", 1))


@pytest.mark.parametrize("key", CONDITIONS)
def test_the_example_of_every_condition_loads(key):
    example = CONDITIONS[key][0].example
    assert example.startswith(f"{key}:")
    read_and_not_passed_over(key, example)


@pytest.mark.parametrize("key", FORMS)
def test_the_example_of_every_comparison_loads(key):
    assert f"{key}:" in FORMS[key][0].example
    read_and_not_passed_over(key, FORMS[key][0].example, "{field: {Any__c: %s}}")


@pytest.mark.parametrize(("name", "key", "spec"), [each for each in FILTERS if each[2].example])
def test_the_example_of_every_filter_loads(name, key, spec):
    assert spec.example.startswith(f"{key}:")
    besides = {"activity": "kind: call, " if key != "kind" else "", "record": "of: Subscription__c, "}.get(name, "")
    read_and_not_passed_over(key, spec.example, f"{{{name}: {{{besides}%s}}}}")


def test_a_sentence_that_is_not_so_fails():
    wrong = "include: lead-liaison\ntests: [{name: wrong, opportunities: [won], expect: {stage: Suspect}}]\n"
    with pytest.raises(MappingInvalid, match="stage is Customer, not Suspect"):
        loads(wrong)


def test_every_shipped_mapping_is_named_in_the_reference():
    assert all(f"`{name}`" in REFERENCE for name in shipped_names())
