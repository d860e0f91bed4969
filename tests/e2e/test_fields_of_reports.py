"""Reports know owner, lead source and amount under every mapping; an org that hides them loses no more than that."""

import json
from xml.etree import ElementTree as Xml

import pytest

MINE = """
fields: {stage: {Contact: Lifecycle_Stage__c}}
stages: [{name: Suspect, when: {email: present}}, {name: Opportunity, when: {opportunity: open}}]
"""
TOLD = {  # what `check` says is lost
    "Contact.LeadSource": "know no lead source",
    "Contact.OwnerId": "do not know whose they are",
    "Opportunity.Amount": "listed without an amount",
}


@pytest.fixture
def office(site, shell):
    """A mapping that names none of these fields, an org, and commands that know both."""
    (shell.folder / "mine.yaml").write_text(MINE)
    shell.env = {**site.practice.environment(), "CONNECTOR_MAPPING": "mine.yaml", "CONNECTOR_STATE": str(site.state)}
    deal = {"Name": "Deal", "StageName": "Prospecting", "CloseDate": "2027-01-01", "Amount": 1200}
    site.org.create("Opportunity", [deal])
    site.org.create("Contact", [{"LastName": "Ada", "Email": "ada@example.com", "LeadSource": "Web"}])
    return shell


def report(shell, *words):
    return json.loads(shell("report", *words, "--json").stdout)["reports"]


def test_a_mapping_that_names_none_of_them_has_figures_by_owner_source_and_amount(office):
    assert office("sync").returncode == 0
    [row] = report(office, "funnel", "--by", "lead source", "--where", "LeadSource=Web")["funnel"]["tables"]["stages"][
        :1
    ]
    assert (row["lead source"], row["at the end"]) == ("Web", 1)
    [deal] = report(office, "repair")["repair"]["tables"]["deals"]
    assert (deal["amount"], deal["owner"] != "") == (1200, True)


@pytest.mark.parametrize("field", sorted(TOLD))
def test_one_that_is_hidden_stops_nothing_and_check_says_what_is_lost(field, office, site):
    site.org.set_field_access(*field.split("."), visible=False)
    done = office("check", "--json")
    assert done.returncode == 0
    [said] = [each for each in json.loads(done.stdout)["warnings"] if field in each]
    assert TOLD[field] in said
    assert json.loads(office("sync", "--json").stdout)["written"] == 1
    assert site.stages().popitem()[1] == "Suspect"


def test_the_permission_set_lets_them_be_read_with_and_without_an_org(office, site):
    assert office("setup", "--out", "with").returncode == 0
    office.env = {"CONNECTOR_MAPPING": "mine.yaml"}
    assert office("setup", "--out", "without").returncode == 0
    for folder in ("with", "without"):
        path = next((office.folder / folder).rglob("*.permissionset-meta.xml"))
        told = Xml.parse(path).getroot()  # noqa: S314 - we wrote it
        space = "{http://soap.sforce.com/2006/04/metadata}"
        fields = {each.findtext(f"{space}field"): each.findtext(f"{space}editable")
                  for each in told.iter(f"{space}fieldPermissions")}  # fmt: skip
        wanted = {"Contact.LeadSource", "Lead.LeadSource", "Opportunity.Amount"}
        assert {name: fields[name] for name in wanted} == dict.fromkeys(wanted, "false")


def test_an_attribute_is_the_field_that_the_mapping_says_on_each_object(office, site, shell):
    near = "{name: Near, when: {email: present, country: Germany}}"
    mine = MINE.replace("stages: [", f"stages: [{near}, ")
    mine = mine.replace("{Contact: Lifecycle_Stage__c}", "Lifecycle_Stage__c")  # of leads, too
    (shell.folder / "mine.yaml").write_text(mine)
    site.org.create("Contact", [{"LastName": "Bo", "Email": "bo@example.com", "MailingCountry": "Germany"}])
    site.org.create("Lead", [{"LastName": "Cy", "Company": "C", "Email": "cy@example.com", "Country": "Germany"}])
    assert office("sync").returncode == 0
    for words in (["--where", "country=Germany"], ["--by", "Country", "--where", "country!=France"]):
        rows = report(office, "funnel", *words)["funnel"]["tables"]["stages"]
        there = [row["at the end"] for row in rows if row.get("Country", "Germany") == "Germany"]
        assert sum(there) == 2, (words, rows)
