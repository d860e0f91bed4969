"""Another tool that sets back what we write is recognised, told and left alone; over real HTTP."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count, repeat
from typing import Any

import pytest

from connector.commands import practice
from connector.pipeline.cycle import run_cycle
from connector.wiring import load_mapping

MAPPING = """
fields:
  stage: {Contact: Lifecycle_Stage__c, Lead: Lifecycle_Stage__c}
  tags: {Contact: Tags__c, Lead: Tags__c}
stages: [{name: Suspect, when: {email: present}}, {name: Engaged, when: {field: {Title: Boss}}}]
tags: [{name: warm, when: {email: present}}]
"""
TOOL = "005000000000002AAA"


@dataclass
class Fought:
    """Cycles, and what another tool does to the tags behind each."""

    site: Any
    mapping: str
    ada: str
    sets: Iterator[str | None] = field(default_factory=lambda: repeat(None))
    tool: str | None = TOOL  # who does it; None: somebody who signs in as we do, or a flow of the org

    def __call__(self, *, undone=True, **more):
        """What the cycle did."""
        org = self.site.org
        with self.site.pipeline(mapping=self.mapping, **more) as pipeline:
            report = run_cycle(pipeline)
        if undone and tags(self.site) is not None:
            us, org.user_id = org.user_id, self.tool or org.user_id
            org.update("Contact", [{"Id": self.ada, "Tags__c": next(self.sets)}])
            org.user_id = us
        return report

    def aside(self):
        """What is set aside of her, and how often the log tells of it."""
        with self.site.pipeline(mapping=self.mapping) as pipeline:
            [aside] = pipeline.store.set_aside(None)
            told = [each for each in pipeline.store.history(self.ada) if each["code"] == "CONTESTED"]
        return aside, len(told)


@pytest.fixture
def fought(site, tmp_path):
    mapping = tmp_path / "mapping.yaml"
    mapping.write_text(MAPPING)
    practice.add_fields(site.org, load_mapping(site.settings(mapping=str(mapping))))
    [ada] = site.contacts(1)
    return Fought(site, str(mapping), ada)


def tags(site):
    return site.org.rows("SELECT Tags__c FROM Contact")[0]["Tags__c"]


def test_a_value_that_is_set_back_three_times_is_left_alone_and_told(site, fought, shell):
    assert [fought().written for _ in range(3)] == [1, 1, 1]
    report = fought()
    assert (report.written, dict(report.set_aside), report.exit_code) == (0, {"CONTESTED": 1}, 3)
    assert tags(site) is None
    for number in range(3):
        site.org.update("Contact", [{"Id": fought.ada, "Email": f"ada{number}@example.com"}])
        report = fought()
        assert (report.people_decided, report.api_calls.get("collections")) == (1, None), "it is not written again"
    aside, told = fought.aside()
    assert TOOL in aside["message"]
    assert "Tags__c was set back 3 times since 20" in aside["message"]
    assert (told, aside["attempts"]) == (1, 1)
    shell.env = site.practice.environment() | {
        "CONNECTOR_STATE": str(site.state),
        "CONNECTOR_MAPPING": fought.mapping,
    }
    assert "CONTESTED" in shell("status").stdout
    assert TOOL in shell("failures", "list").stdout
    assert json.loads(shell("failures", "list", "--json").stdout)


def test_a_tool_that_sets_another_value_each_time_is_recognised_and_told_once(site, fought):
    fought.sets = (f"tool {number}" for number in count(1))
    assert [fought().written for _ in range(3)] == [1, 1, 1]
    for _ in range(5):
        assert fought().written == 0
        site.org.update("Contact", [{"Id": fought.ada, "Tags__c": f"more {next(fought.sets)}"}])
    aside, told = fought.aside()
    assert ("set back 3 times" in aside["message"], told) == (True, 1)


def test_how_often_is_a_count_and_not_the_setting(site, fought):
    assert [fought(contested_rounds=9).written for _ in range(5)] == [1] * 5
    fought(contested_rounds=2)
    aside, _ = fought.aside()
    assert "set back 5 times since " in aside["message"]


def test_what_the_org_itself_sets_back_is_not_said_to_be_us(site, fought):
    fought.tool = None
    for _ in range(4):
        fought()
    aside, _ = fought.aside()
    assert site.org.user_id not in aside["message"]
    assert "a flow, a trigger" in aside["message"]


def test_the_rest_of_the_row_is_still_written(site, fought):
    for _ in range(4):
        fought()
    site.org.update("Contact", [{"Id": fought.ada, "Title": "Boss"}])
    report = fought()
    assert (report.written, dict(report.set_aside)) == (1, {"CONTESTED": 1})
    assert site.stages() == {fought.ada: "Engaged"}
    assert tags(site) is None


def test_it_is_written_again_when_somebody_asks_for_it(site, fought):
    for _ in range(4):
        fought()
    with site.pipeline(mapping=fought.mapping) as pipeline:
        pipeline.store.retry_set_aside()
    assert fought(undone=False).written == 1
    assert tags(site) == "warm"
    with site.pipeline(mapping=fought.mapping) as pipeline:
        assert pipeline.store.set_aside(None) == []


def test_it_can_be_switched_off(site, fought):
    assert [fought(contested_rounds=0).written for _ in range(5)] == [1] * 5
