"""A field that cannot be written costs no more than itself: the stage is still written."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from connector.commands import practice
from connector.pipeline.cycle import run_cycle
from connector.store import UNWRITABLE
from connector.wiring import load_mapping

MAPPING = """
fields:
  stage: {Contact: Lifecycle_Stage__c, Lead: Lifecycle_Stage__c}
  tags: {Contact: Tags__c, Lead: Tags__c}
stages: [{name: Suspect, when: {email: present}}]
tags: [{name: warm, when: {email: present}}]
"""


def one_person(site, tmp_path, text):
    """(mapping, contact) of an org that has the fields of the mapping."""
    file = tmp_path / "mapping.yaml"
    file.write_text(text)
    practice.add_fields(site.org, load_mapping(site.settings(mapping=str(file))))
    return str(file), *site.contacts(1)


@pytest.mark.situation(9)
def test_a_read_only_field_leaves_the_stage_written_and_is_told(site, tmp_path):
    mapping, ada = one_person(site, tmp_path, MAPPING)
    site.org.set_field_access("Contact", "Tags__c", updateable=False)
    with site.pipeline(mapping=mapping) as pipeline:
        report = run_cycle(pipeline)
        assert site.stages()[ada] == "Suspect"
        assert (report.written, report.exit_code) == (1, 3)
        assert dict(report.set_aside) == {"INVALID_FIELD_FOR_INSERT_UPDATE": 1}
        assert "Tags__c" in str(pipeline.store.set_aside(None))
        results = {each["track"]: each["result"] for each in pipeline.store.history(ada)}
        assert results == {"stage": "applied", "tags": "set_aside"}
        site.org.set_field_access("Contact", "Tags__c")
        pipeline.store.retry_set_aside()
        assert run_cycle(pipeline).exit_code == 0
        assert (site.stages()[ada], pipeline.store.set_aside(None)) == ("Suspect", [])


@pytest.mark.parametrize("how", [{"updateable": False}, {"visible": False}])
def test_a_field_that_cannot_be_edited_is_sent_once_and_again_when_it_can(site, tmp_path, how):
    mapping, ada = one_person(site, tmp_path, MAPPING)
    site.org.set_field_access("Contact", "Tags__c", **how)

    def cycle(*, days_later=0):
        with site.pipeline(mapping=mapping) as pipeline:
            if days_later:
                pipeline.store.set_cursor(UNWRITABLE, asked_before(pipeline.store.cursor(UNWRITABLE), days_later))
            report = run_cycle(pipeline)
            return report, pipeline.store.set_aside(None), pipeline.store.history(ada)

    cycle()
    for number in range(3):
        site.org.update("Contact", [{"Id": ada, "Email": f"ada{number}@example.com"}])
        report, aside, history = cycle()
        assert (report.written, report.exit_code, len(aside)) == (0, 3, 1)
        assert "collections" not in report.api_calls, "it is not sent again"
    assert [each["result"] for each in history if each["track"] == "tags"] == ["set_aside"]
    site.org.set_field_access("Contact", "Tags__c")
    report, aside, _ = cycle()
    assert (report.written, len(aside)) == (0, 1), "it is not asked for in every cycle"
    report, aside, _ = cycle(days_later=2)
    assert (report.written, aside) == (1, [])
    assert site.org.rows("SELECT Tags__c FROM Contact")[0]["Tags__c"] == "warm"


def asked_before(known, days):
    """What is known of fields that cannot be edited, as if it had been asked for that long ago."""
    for each in (each for fields in known.values() for each in fields.values()):
        each["asked"] = (datetime.fromisoformat(each["asked"]) - timedelta(days=days)).isoformat()
    return known


@pytest.mark.situation(9)
def test_a_field_that_is_hidden_from_the_user_leaves_the_stage_written_and_is_told_once(site, tmp_path):
    mapping, ada = one_person(site, tmp_path, MAPPING)

    def hide(what, _done, _total):
        if what == "deciding":  # everything was read, and described
            site.org.set_field_access("Contact", "Tags__c", visible=False)

    with site.pipeline(mapping=mapping) as pipeline:
        report = run_cycle(replace(pipeline, progress=hide))
        assert site.stages()[ada] == "Suspect"
        assert (report.written, report.exit_code) == (1, 3)
        assert dict(report.set_aside) == {"INVALID_FIELD": 1}
        results = {each["track"]: each["result"] for each in pipeline.store.history(ada)}
        assert results == {"stage": "applied", "tags": "set_aside"}


FOREVER = """
gate:
  stage: {direction: forward, manual: forever}
fields:
  stage: {Contact: Lifecycle_Stage__c, Lead: Lifecycle_Stage__c}
  tags: {Contact: Tags__c, Lead: Tags__c}
stages:
  - {name: Suspect, when: {email: present}}
  - {name: Rated, when: {field: {Title: Hot}}}
tags: [{name: warm, when: {email: present}}, {name: hot, when: {field: {Title: Hot}}}]
"""


@pytest.mark.parametrize("how", [{"updateable": False}, {"visible": False}])
def test_a_stage_that_alone_was_refused_is_nobodys_hand_and_is_written_once_it_can_be(site, tmp_path, how):
    mapping, ada = one_person(site, tmp_path, FOREVER)
    with site.pipeline(mapping=mapping) as pipeline:
        run_cycle(pipeline)
        site.org.set_field_access("Contact", "Lifecycle_Stage__c", **how)
        site.org.update("Contact", [{"Id": ada, "Title": "Hot"}])
        run_cycle(pipeline)
        assert site.org.rows("SELECT Tags__c FROM Contact")[0]["Tags__c"] == "warm;hot"
        site.org.update("Contact", [{"Id": ada, "Email": "ada@example.com"}])
        assert run_cycle(pipeline).exit_code == 3
        assert len(pipeline.store.set_aside(None)) == 1
    site.org.set_field_access("Contact", "Lifecycle_Stage__c")
    with site.pipeline(mapping=mapping) as pipeline:
        pipeline.store.retry_set_aside()
        run_cycle(pipeline)
        assert site.stages()[ada] == "Rated"
        assert [each for each in pipeline.store.stays("stage") if each.by == "person"] == []
