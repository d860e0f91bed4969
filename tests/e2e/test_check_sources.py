"""`connector check --sources` signs in, says what is missing or misspelt, and shows a row of each with its person."""

import json
import os

import pytest

from connector.commands import practice
from practice_org.hubspot.ties import TIES_A_PAGE
from tests.e2e.conftest import serving


@pytest.fixture
def site(tmp_path):
    with serving(tmp_path, systems=practice.SYSTEMS) as made:
        yield made


@pytest.fixture
def check(site, shell):
    """What it says of each source, by its name."""
    shell.env = {**site.practice.environment(), "CONNECTOR_STATE": str(site.state)}

    def run(**variables):
        done = shell("check", "--sources", "--json", **variables)
        told = {each["source"]: each for each in json.loads(done.stdout)["sources"]}
        assert done.returncode == (2 if any(each["problems"] for each in told.values()) else 0)
        return told

    return run


def problems(told, name):
    return [f"{each['what']} {each['hint']}" for each in told[name]["problems"]]


def test_each_source_shows_a_row_of_each_thing_with_the_person_it_reaches(site, check):
    [ann] = site.contacts(1)
    served = site.practice
    [contact, eve] = served.hubspot.add_contacts(
        [{"email": "p0@example.com", "hubspotscore": 7}, {"email": "eve@elsewhere.example"}]
    )
    served.hubspot.add_engagements("calls", [{"hs_call_title": "Hello", "contacts": [contact]}])
    served.hubspot.add_engagements("meetings", [{"contacts": [eve]}])
    [prospect] = served.pardot.add_prospects([{"email": "other@example.com", "salesforceContactId": ann}])
    served.pardot.add_activities([{"type": 4, "typeName": "Form", "details": "Demo", "prospectId": prospect}])
    [lead] = served.marketo.add_leads([{"email": "p0@example.com"}])
    served.marketo.add_activities([{"leadId": lead, "activityTypeId": 2}])
    told = check()
    assert all(each["problems"] == [] for each in told.values()), told
    assert told["hubspot"]["account"] == str(served.hubspot.portal)
    rows = told["hubspot"]["rows"]
    assert rows["calls"].startswith("call of ")
    assert rows["calls"].endswith(f'"Hello", which is Contact {ann} P0 (by address)')
    assert rows["meetings"].endswith("of eve@elsewhere.example, whom Salesforce does not have")
    assert "tasks: there is none yet" in told["hubspot"]["notes"]
    shown = told["pardot"]["rows"]["visitor activities"]
    assert shown.endswith(f'"Demo", which is Contact {ann} P0 (by its Salesforce id)')
    assert f"Contact {ann} P0" in told["marketo"]["rows"]["activities"]


@pytest.mark.situation(23)
def test_a_wrong_token_and_a_wrong_secret_are_told_of_their_sources_alone(site, check):
    told = check(CONNECTOR_HUBSPOT_TOKEN="pat-wrong", CONNECTOR_MARKETO_CLIENT_SECRET="wrong")
    [hubspot], [marketo] = problems(told, "hubspot"), problems(told, "marketo")
    assert "401" in hubspot
    assert "CONNECTOR_HUBSPOT_TOKEN" in hubspot
    assert "401" in marketo
    assert "CONNECTOR_MARKETO_CLIENT_SECRET" in marketo
    assert told["pardot"]["problems"] == []


@pytest.mark.situation(23)
def test_a_misspelt_property_is_told_with_the_one_that_was_meant(check):
    [score, more] = problems(
        check(CONNECTOR_HUBSPOT_SCORE="hubspotscroe", CONNECTOR_HUBSPOT_PROPERTIES="phoen_number_x"), "hubspot"
    )
    assert "no contact property hubspotscroe" in score
    assert "did you mean hubspotscore? (in CONNECTOR_HUBSPOT_SCORE)" in score
    assert "phoen_number_x" in more


def test_every_scope_that_is_missing_is_told_at_once(site, check):
    site.practice.hubspot.missing_scopes = {"sales-email-read", "content"}
    told = check()
    assert [each.partition(":")[0] for each in problems(told, "hubspot")] == ["emails", "email_events"]
    assert "sales-email-read" in problems(told, "hubspot")[0]
    site.practice.hubspot.missing_scopes = {"crm.objects.deals.read"}
    [deals] = problems(check(CONNECTOR_HUBSPOT_READS="calls,deals"), "hubspot")
    assert "crm.objects.deals.read" in deals


def test_a_score_that_the_mapping_misspells_is_told_of_each_system(site, check, tmp_path):
    path = tmp_path / "mine.yaml"
    scores = "{hubspot: {score: scroe}, marketo: {score: leadScroe}, pardot: {score: grad}}"
    path.write_text(
        f"stages:\n  - {{name: Suspect, when: {{email: present}}}}\nscore: {{from: sources}}\nsources: {scores}\n"
    )
    told = check(CONNECTOR_MAPPING=str(path))
    for name, meant in (("hubspot", "score"), ("marketo", "leadScore"), ("pardot", "grade")):
        [said] = problems(told, name)
        assert "mine.yaml:4: score:" in said
        assert said.endswith(f"did you mean {meant}?"), said


def test_files_show_their_first_row_and_a_folder_that_is_not_there_is_told(check, tmp_path):
    told = check(CONNECTOR_ACTIVITY_FOLDER=str(tmp_path / "nowhere"))
    assert len(problems(told, "files")) == 1
    folder = tmp_path / "in"
    folder.mkdir()
    text = "event_id,occurred_at,email\r\n1,2026-01-01T10:00:00Z,who@example.com\r\n"
    for name, encoding in (("form_submit.csv", "utf-8"), ("form_submit-unicode.csv", "utf-16")):
        (folder / name).write_bytes(text.encode(encoding))
        os.utime(folder / name, (1_700_000_000, 1_700_000_000))
    told = check(CONNECTOR_ACTIVITY_FOLDER=str(folder))
    assert problems(told, "files") == []
    first, second = told["files"]["rows"].values()
    assert first == second
    assert first == "form_submit of 2026-01-01 10:00, of who@example.com, whom Salesforce does not have"


def test_check_of_sources_writes_nothing_and_makes_no_state(site, check):
    check()
    assert not site.state.exists()


def test_a_call_with_more_contacts_than_a_page_of_ties_reaches_all(site):
    hub = site.practice.hubspot
    many = hub.add_contacts([{"email": f"m{n}@example.com"} for n in range(TIES_A_PAGE * 2 + 5)])
    hub.add_engagements("calls", [{"contacts": many}])
    assert site.sync(marketo_extracts=False).read["hubspot"] == len(many) * 2
