"""Person accounts over HTTP: read, decided, and written through whichever of the two the org takes."""

import pytest

from connector.commands.check import run_check
from connector.commands.explain import explain_people
from connector.pipeline.cycle import run_cycle

STAGE, OF_ACCOUNT = "Lifecycle_Stage__c", "Lifecycle_Stage__pc"
MAPPING = """
gate: {stage: {direction: both}}
fields: {stage: {Contact: Lifecycle_Stage__c, Lead: Lifecycle_Stage__c}}
stages:
  - {name: Suspect, when: {email: present}}
  - {name: Engaged, when: {activity: {kind: call}}}
  - {name: Opportunity, when: {opportunity: open}}
  - {name: Customer, when: {account: {Industry: Energy}}}
"""
OWNED = """
fields:
  stage: {Contact: Lifecycle_Stage__c, Lead: Lifecycle_Stage__c}
  status: {Contact: Lead_Status__c, Lead: Status}
stages:
  - {name: Suspect, when: {email: present}}
statuses: [{name: New, set_by: people}]
handoff: [{name: sales, when: {stage: Suspect}, status: New, owner: [{round_robin: [rep@example.com]}]}]
"""
CALL = {"Subject": "Call", "Status": "Completed", "TaskSubtype": "Call"}


@pytest.fixture
def place(site, tmp_path):
    site.org.enable_person_accounts()
    site.file = tmp_path / "mine.yaml"
    site.file.write_text(MAPPING)
    site.mine = {"mapping": str(site.file)}
    return site


def person(place, name="Ann", **fields):
    """The person account, and its contact."""
    row = {"LastName": name, "PersonEmail": f"{name}@example.com".lower(), **fields}
    [account] = place.org.create("Account", [row])
    [found] = place.org.rows(f"SELECT PersonContactId FROM Account WHERE Id = '{account}'")
    return account, found["PersonContactId"]


def sync(place):
    return place.sync(**place.mine)


def stages(place, account, contact):
    """As the account and the contact say it."""
    [row] = place.org.rows(f"SELECT {OF_ACCOUNT} FROM Account WHERE Id = '{account}'")
    return row[OF_ACCOUNT], place.stages()[contact]


def test_a_person_is_decided_and_written_like_any_contact(place):
    ann, bob = person(place, "Ann"), person(place, "Bob", Industry="Energy")
    [company] = place.contacts(1)
    place.org.create("Task", [{"WhoId": ann[1], **CALL}])
    report = sync(place)
    assert (stages(place, *ann), stages(place, *bob)) == (("Engaged",) * 2, ("Customer",) * 2)
    assert place.stages()[company] == "Suspect"
    assert (report.written, report.api_calls["collections"], report.exit_code) == (3, 1, 0)


def test_an_org_that_refuses_the_contact_gets_it_through_the_account(place):
    place.org.enable_person_accounts("account")
    ann, [company] = person(place), place.contacts(1)
    report = sync(place)
    assert stages(place, *ann) == ("Suspect", "Suspect")
    assert place.stages()[company] == "Suspect"
    assert (report.written, report.set_aside, report.exit_code) == (2, {}, 0)
    (told,) = explain_people(place.settings(**place.mine), ann[1])
    assert (told["object"], told["decided"][0]["outcome"]) == ("Contact", "written")
    assert told["history"][0]["record_id"] == ann[1]


def test_what_an_org_refuses_is_tried_once_a_run_and_no_more(place):
    place.org.enable_person_accounts("account")
    ann, bob = person(place, "Ann"), person(place, "Bob")
    with place.pipeline(**place.mine) as made:
        assert run_cycle(made).api_calls["collections"] == 2
        place.org.create("Task", [{"WhoId": each[1], **CALL} for each in (ann, bob)])
        assert run_cycle(made).api_calls["collections"] == 1
    assert (stages(place, *ann), stages(place, *bob)) == (("Engaged",) * 2, ("Engaged",) * 2)


def test_what_neither_of_the_two_takes_is_set_aside(place):
    place.org.enable_person_accounts("account")
    ann = person(place)
    place.org.set_field_access("Account", OF_ACCOUNT, updateable=False)
    report = sync(place)
    assert stages(place, *ann) == (None, None)
    assert sum(report.set_aside.values()) == 1


def test_an_owner_is_written_through_the_account(place):
    place.file.write_text(OWNED)
    [profile] = place.org.rows("SELECT Id FROM Profile LIMIT 1")
    user = {"Username": "rep@example.com", "LastName": "Rep", "Email": "rep@example.com", "ProfileId": profile["Id"]}
    [rep] = place.org.create("User", [user])
    account, contact = person(place)
    report = sync(place)
    assert report.set_aside == {}
    [row] = place.org.rows(f"SELECT OwnerId, Lead_Status__pc FROM Account WHERE Id = '{account}'")
    assert (row["OwnerId"], row["Lead_Status__pc"]) == (rep, "New")
    assert place.org.rows(f"SELECT OwnerId FROM Contact WHERE Id = '{contact}'") == [{"OwnerId": rep}]


def test_merged_persons_take_their_facts_along(place):
    ann, double = person(place, "Ann"), person(place, "Double")
    place.org.create("Task", [{"WhoId": double[1], **CALL}])
    sync(place)
    assert stages(place, *ann) == ("Suspect", "Suspect")
    place.org.merge("Account", ann[0], [double[0]])
    sync(place)
    assert stages(place, *ann) == ("Engaged", "Engaged")
    (told,) = explain_people(place.settings(**place.mine), double[1])
    assert (told["person"], told["aliases"]) == (ann[1], [double[1]])


def test_a_lead_without_a_company_goes_on_as_the_person_it_became(place):
    [lead] = place.org.create("Lead", [{"LastName": "Lea", "Email": "lea@example.com"}])
    place.org.create("Task", [{"WhoId": lead, **CALL}])
    sync(place)
    made = place.org.convert_lead(lead, opportunity=False)
    sync(place)
    assert stages(place, made["AccountId"], made["ContactId"]) == ("Engaged", "Engaged")


def test_an_opportunity_of_a_person_moves_the_person_where_the_mapping_says_so(place):
    account, contact = person(place)
    deal = {"Name": "D", "StageName": "Prospecting", "CloseDate": "2030-01-01", "AccountId": account}
    place.org.create("Opportunity", [deal])
    sync(place)
    assert place.stages()[contact] == "Suspect"
    [first, second] = run_check(place.settings(**place.mine)).notes
    assert first.startswith("person accounts are on")
    said = second.partition("write ")[2]
    place.file.write_text(f"{MAPPING}{said}\n")
    sync(place)
    assert place.stages()[contact] == "Opportunity"
    assert len(run_check(place.settings(**place.mine)).notes) == 1


def test_an_idle_cycle_with_persons_costs_two_calls(place):
    person(place)
    for _ in range(3):
        sync(place)
    assert place.calls_of(lambda: sync(place)) <= 2


def test_without_person_accounts_nothing_is_said_of_them(site):
    report = run_check(site.settings())
    assert (report.notes, "IsPersonAccount" in report.reads["Contact"]) == ([], False)
