"""A Lead and a Contact with one e-mail address, in a practice org over real HTTP: one person if the mapping says so."""

import pytest

from connector.commands import explain_text, status_text
from connector.commands.explain import explain_people
from connector.commands.plan import run_preview
from connector.commands.status import read_status

MAPPING = """
include: lead-liaison
stages:
  - name: Marketing Qualified
    set_by: rules
    when: {activity: {kind: form_submit}}
"""
BY_EMAIL = MAPPING + "identity: {by_email: true}\n"
FORM_SUBMIT = 4


def mapping(tmp_path, text: str) -> dict[str, str]:
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    return {"mapping": str(path)}


@pytest.fixture
def ada(site):
    """The id of her Contact and of her Lead; the Lead submitted a form."""
    [contact] = site.org.create("Contact", [{"LastName": "Ada", "Email": "Ada@example.com"}])
    [lead] = site.org.create("Lead", [{"LastName": "Ada", "Company": "Acme", "Email": "ada@example.com"}])
    [prospect] = site.practice.pardot.add_prospects([{"email": "ada@example.com", "salesforceLeadId": lead}])
    site.practice.pardot.add_activities([{"type": FORM_SUBMIT, "prospectId": prospect}])
    return contact, lead


def stamp(site, lead: str) -> tuple[str, str]:
    [row] = site.org.rows(f"SELECT SystemModstamp, Status FROM Lead WHERE Id = '{lead}'")
    return row["SystemModstamp"], row["Status"]


def test_a_form_of_the_lead_makes_the_contact_marketing_qualified_and_leaves_the_lead_alone(site, ada, tmp_path):
    contact, lead = ada
    before = stamp(site, lead)
    mine = mapping(tmp_path, BY_EMAIL)
    assert site.sync(**mine).people_decided == 1
    assert site.stages() == {contact: "Marketing Qualified"}
    assert site.stages("Lead") == {lead: None}
    assert stamp(site, lead) == before
    assert site.sync(**mine).written == 0


def test_without_by_email_both_are_decided_apart(site, ada, tmp_path):
    contact, lead = ada
    site.sync(**mapping(tmp_path, MAPPING))
    assert site.stages() == {contact: "Suspect"}
    assert site.stages("Lead") == {lead: "Marketing Qualified"}


def test_explain_and_status_tell_of_the_join(site, ada, tmp_path, capsys):
    contact, lead = ada
    settings = site.settings(**mapping(tmp_path, BY_EMAIL))
    site.practice.pardot.add_prospects([{"email": "nobody@example.com"}])
    site.sync(mapping=settings.mapping)
    [person] = explain_people(settings, lead)
    assert (person["person"], person["joined_by_email"]) == (contact, [{"id": lead, "object": "Lead"}])
    status = read_status(settings)
    assert (status["counts"]["joined_by_email"], status["counts"]["people"]) == (1, 2)
    assert status["prospects"] == {"Suspect": 1}
    explain_text.explanations([person], as_json=False)
    status_text.show_status(status, as_json=False)
    said = capsys.readouterr().out
    assert f"the same e-mail address as Lead {lead}" in said
    assert "the same e-mail address (identity: by_email): 1\n" in said
    assert "who are people too: 1 (1 Suspect)\n" in said


def test_a_plan_shows_what_joining_by_email_would_change_and_joins_nobody(site, ada, tmp_path):
    contact, _ = ada
    apart = mapping(tmp_path, MAPPING)
    site.sync(**apart)
    (tmp_path / "new.yaml").write_text(BY_EMAIL)
    plan = run_preview(site.settings(**apart), str(tmp_path / "new.yaml"), lambda *_: None)
    assert plan.report.people_decided == 1
    assert plan.report.changes["stage"] == {"Suspect -> Marketing Qualified": 1}
    assert len(explain_people(site.settings(**apart), contact)) == 1
    assert read_status(site.settings(**apart))["counts"]["joined_by_email"] == 0
