"""A practice org made for a mapping has everything that the mapping needs, users included."""

from pathlib import Path

import pytest

from connector.commands import practice
from connector.commands.check import run_check
from connector.mapping import load, loads

MAPPINGS = sorted(path.stem for path in (Path(__file__).parent.parent.parent / "mappings").glob("*.yaml"))


@pytest.mark.parametrize("name", MAPPINGS)
def test_check_finds_nothing_missing_for_a_shipped_mapping(name):
    with practice.serve() as served:
        for _ in range(2):  # twice does no harm
            practice.add_fields(served.org, load(name))
            practice.add_owners(served.org, load(name))
        assert run_check(served.settings(mapping=name)).mistakes == []


def test_dates_numbers_texts_of_tags_and_queues_are_made_too(tmp_path):
    text = """
fields: {stage: Stage__c, tags: Labels__c, highest_stage: Highest__c, account_stage: Furthest__c}
dates: {entered: "{stage}_In__c", days: "{stage}_Days__c", how: "{stage}_How__c"}
stages: [{name: Known, when: {email: present}}, {name: Ready, value: {Lead: Hot}, when: {activity: inbound}}]
tags: [{name: Active, when: {activity: inbound}}]
handoff: {when: {stage: Ready}, owner: [{when: {object: Lead}, queue: Hot Leads}, {user: 005000000000009AAA}]}
"""
    with practice.serve() as served:
        org = served.org
        practice.add_fields(org, loads(text))
        practice.add_owners(org, loads(text))
        contact, lead = org.schema.get("Contact"), org.schema.get("Lead")
        assert {contact.find(f"Ready_{what}__c").type for what in ("In", "Days")} == {"date", "double"}
        assert [each.value for each in lead.find("Stage__c").values] == ["Known", "Hot"]
        assert [each.value for each in contact.find("Labels__c").values] == ["Active"]
        assert [each.value for each in org.schema.get("Account").find("Furthest__c").values] == ["Known", "Ready"]
        assert len(org.rows("SELECT Id FROM Group WHERE Name = 'Hot Leads'")) == 1
        assert len(org.rows("SELECT Id FROM User")) == 1
