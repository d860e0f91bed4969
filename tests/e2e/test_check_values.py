"""`connector check` looks at the values of each record type, and `--dry-row` has the org try them and keeps none."""

import json

import pytest

from practice_org.salesforce.core import Rule
from tests.e2e.conftest import serving

STAGE = "Lifecycle_Stage__c"
NAMES = ["Anonymous", "Suspect", "Engaged", "Marketing Qualified", "Sales Qualified", "Opportunity", "Customer",
         "Evangelist", "Disqualified", "Other"]  # fmt: skip


@pytest.fixture
def site(tmp_path):
    with serving(tmp_path) as made:
        yield made


@pytest.fixture
def check(site, shell):
    shell.env = {**site.practice.environment(), "CONNECTOR_STATE": str(site.state)}

    def run(*words, **variables):
        done = shell("check", "--json", *words, **variables)
        assert done.stdout, done.stderr
        return done.returncode, json.loads(done.stdout)

    return run


def about(texts, what):
    return [each for each in texts if what in each]


@pytest.mark.parametrize(
    "is_strict", [True, False], ids=["a picklist that takes its values only", "one that takes any"]
)
def test_a_value_that_records_of_one_type_may_not_have_is_told(is_strict, site, check):
    site.org.set_picklist("Contact", STAGE, NAMES, restricted=is_strict)
    site.org.set_record_type("Contact", "Partner", {STAGE: [each for each in NAMES if each != "Evangelist"]})
    site.org.set_record_type("Contact", "Buyer", {})
    code, told = check()
    said = "Contact.Lifecycle_Stage__c has not for the record type Partner: Evangelist"
    assert (code, [each["what"] for each in told["mistakes"]]) == ((2, [said]) if is_strict else (0, []))
    assert len(about(told["warnings"], said)) == (not is_strict)
    assert not about(told["warnings"], "Buyer")


def test_values_that_cannot_be_read_by_record_type_are_a_warning(site, check):
    site.org.set_record_type("Lead", "Partner", {})
    site.org.faults.on("refusal", code="INSUFFICIENT_ACCESS", path="picklist-values")
    code, told = check()
    [said] = about(told["warnings"], "record type")
    assert (code, said[:75]) == (0, "the picklist values of Lead for the record type Partner could not be read: ")


def kept(org):
    """Everything of the people, with who changed it last and when."""
    return [
        org.rows(f"SELECT Id, {STAGE}, OwnerId, SystemModstamp, LastModifiedById FROM {name} ORDER BY Id")
        for name in ("Contact", "Lead")
    ]


def test_a_dry_row_says_what_the_org_would_refuse_and_leaves_nothing(site, check):
    [ann] = site.contacts(1)
    site.org.create("Lead", [{"LastName": "L", "Company": "C", "Email": "l@example.com"}])
    rule = Rule("A customer needs a phone number.", lambda _old, new: new.get(STAGE) == "Customer" and not new["Phone"])
    site.org.set_validation("Contact", rule)
    before = kept(site.org)
    code, told = check("--dry-row")
    assert (code, told["mistakes"]) == (0, [])
    [said] = about(told["warnings"], "dry row")
    assert said.startswith(f"dry row: Contact {ann} does not take Customer in {STAGE} (stage): Salesforce answered")
    assert "A customer needs a phone number." in said
    assert "fill in what the validation rule asks of the record" in said
    assert f"values tried on the Contact {ann}, 1 refused" in " ".join(told["notes"])
    assert kept(site.org) == before
    code, told = check()
    assert not about([*told["warnings"], *told["notes"]], "dry row"), "nobody asked for one"


def test_what_a_dry_row_tried_is_told_in_a_workflow_too(site, check, shell):
    [ann] = site.contacts(1)
    done = shell("check", "--dry-row", "--format", "github")
    notices = [line for line in done.stdout.splitlines() if line.startswith("::notice::dry row: ")]
    assert done.returncode == 0
    assert [line.partition("tried on the ")[2] for line in notices if ann in line] == [f"Contact {ann}, 0 refused"]


def test_each_record_type_has_a_dry_row_of_its_own(site, check):
    site.org.set_picklist("Contact", STAGE, NAMES)
    partner = site.org.set_record_type("Contact", "Partner", {})
    site.org.set_record_type("Contact", "Buyer", {})
    [ann] = site.contacts(1, RecordTypeId=partner)
    code, told = check("--dry-row")
    assert code == 0
    assert about(told["notes"], f"on the Contact of the record type Partner {ann}, 0 refused")
    assert about(told["notes"], "there is no Contact of the record type Buyer to try values on")
    assert about(told["notes"], "there is no Lead to try values on")


def test_what_stays_of_a_dry_row_is_a_mistake_that_names_the_record(site, check, monkeypatch):
    [ann] = site.contacts(1)
    nothing_is_undone = "practice_org.salesforce.rest.composite.boolean"
    monkeypatch.setattr(nothing_is_undone, lambda _value: False)
    code, told = check("--dry-row")
    assert code == 2
    said = f"Contact {ann}: {STAGE} was None before the dry row, and is Other now"
    assert said in [each["what"] for each in told["mistakes"]]


def test_users_and_queues_that_nobody_has_are_told(site, check, tmp_path):
    (tmp_path / "mine.yaml").write_text(
        "fields: {stage: {Contact: Lifecycle_Stage__c}}\n"
        "stages: [{name: Suspect, when: {email: present}}]\n"
        "handoff: {when: {stage: Suspect}, owner: [{queue: Nowhere}, {user: nobody@example.com}]}\n"
    )
    code, told = check("--mapping", "mine.yaml")
    said = (
        "the mapping hands people to Nowhere, nobody@example.com, and the org has no active user or queue of that name"
    )
    [mistake] = told["mistakes"]
    assert (code, mistake["file"], mistake["line"], mistake["what"]) == (2, "mine.yaml", 3, said)
