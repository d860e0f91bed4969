"""The practice org's objects and fields agree with describe answers recorded from a real org."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from practice_org.salesforce import describe
from practice_org.salesforce.org import PracticeOrg
from practice_org.salesforce.schema import FieldSpec, Value

RECORDED = Path(__file__).parents[2].parent / "shared/data/describe"
OBJECTS = ("Account", "Case", "Contact", "Event", "Lead", "Opportunity", "OpportunityContactRole")
LEFT_OUT = ("CleanStatus", "DandbCompanyId", "OperatingHoursId", "ChannelProgram", "Recurrence", "IsRecurrence2",
            "Pricebook2Id", "AssetId")  # fmt: skip
SAME = ("type", "length", "nillable", "createable", "updateable", "defaultedOnCreate", "restrictedPicklist",
        "precision", "scale", "digits", "label", "soapType", "externalId")  # fmt: skip

needs_recordings = pytest.mark.skipif(not RECORDED.exists(), reason="no ../shared/data/describe to compare with")


def recorded(name: str) -> dict[str, Any]:
    return json.loads((RECORDED / f"{name}.json").read_text())


def by_name(described: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {field["name"]: field for field in described["fields"]}


@needs_recordings
@pytest.mark.parametrize("name", OBJECTS)
def test_fields_have_the_recorded_types_lengths_and_flags(org: PracticeOrg, name: str) -> None:
    ours, theirs = by_name(describe.full(org, org.schema.get(name), "")), by_name(recorded(name))
    shared = set(ours) & set(theirs)
    missing = {field for field in set(theirs) - shared if not field.endswith("__c")}
    assert {field for field in missing if not field.startswith(LEFT_OUT)} == set()
    differing = {
        f"{field}.{key}": (ours[field][key], theirs[field][key])
        for field in shared
        for key in SAME
        if ours[field][key] != theirs[field][key]
    }
    for field in shared:
        if ours[field]["referenceTo"] and ours[field]["relationshipName"] != theirs[field]["relationshipName"]:
            differing[field] = (ours[field]["relationshipName"], theirs[field]["relationshipName"])
    assert differing == {}


@needs_recordings
@pytest.mark.parametrize("name", OBJECTS)
def test_picklists_hold_the_recorded_values(org: PracticeOrg, name: str) -> None:
    ours, theirs = by_name(describe.full(org, org.schema.get(name), "")), by_name(recorded(name))
    assert any(theirs[field]["picklistValues"] for field in set(ours) & set(theirs)), name
    for field in set(ours) & set(theirs):
        assert [(v["value"], v["label"], v["defaultValue"]) for v in ours[field]["picklistValues"]] == [
            (v["value"], v["label"], v["defaultValue"]) for v in theirs[field]["picklistValues"]
        ], field


@needs_recordings
def test_answers_have_every_recorded_key(org: PracticeOrg) -> None:
    ours, theirs = describe.full(org, org.schema.get("Lead"), ""), recorded("Lead")
    assert set(theirs) <= set(ours)
    assert set(theirs["fields"][0]) <= set(ours["fields"][0])
    assert set(theirs["childRelationships"][0]) == set(ours["childRelationships"][0])
    assert ours["keyPrefix"] == theirs["keyPrefix"]
    flags = [key for key, value in theirs.items() if isinstance(value, bool)]
    assert {key: ours[key] for key in flags} == {key: theirs[key] for key in flags}


def test_a_hidden_field_is_not_described(org: PracticeOrg) -> None:
    org.set_field_access("Contact", "Lifecycle_Stage__c", visible=False)
    assert "Lifecycle_Stage__c" not in by_name(describe.full(org, org.schema.get("Contact"), ""))


def test_stages_added_as_records_become_picklist_values(org: PracticeOrg) -> None:
    org.create("OpportunityStage", [{"MasterLabel": "Pilot", "SortOrder": 99, "DefaultProbability": 40}])
    stages = by_name(describe.full(org, org.schema.get("Opportunity"), ""))["StageName"]["picklistValues"]
    assert stages[-1]["value"] == "Pilot"


def test_a_custom_object_has_a_prefix_an_owner_and_a_name(org: PracticeOrg) -> None:
    org.define("Visit__c", [FieldSpec("Person__c", "reference", reference_to=("Contact",))])
    contact = org.create("Contact", [{"LastName": "Doe"}])[0]
    [visit] = org.create("Visit__c", [{"Name": "First", "Person__c": contact}])
    assert visit.startswith("a00")
    [row] = org.rows("SELECT Name, Person__r.Name, Owner.Name FROM Visit__c")
    assert row["Person__r"]["Name"] == "Doe"
    [parent] = org.rows("SELECT Id, (SELECT Name FROM Visits__r) FROM Contact")
    assert parent["Visits__r"]["records"][0]["Name"] == "First"


def test_configuration_outlives_a_restart(tmp_path: Path) -> None:
    path = str(tmp_path / "org.sqlite3")
    org = PracticeOrg(path)
    org.define("Contact", [FieldSpec("Tier__c", "picklist", values=(Value("Gold"), Value("Lead")), restricted=True)])
    [first] = org.create("Contact", [{"LastName": "A", "Tier__c": "Gold"}])
    organization = org.organization_id
    org.close()
    again = PracticeOrg(path)
    [second] = again.create("Contact", [{"LastName": "B"}])
    assert again.rows("SELECT Id, Tier__c FROM Contact ORDER BY Id") == [
        {"Id": first, "Tier__c": "Gold"},
        {"Id": second, "Tier__c": None},
    ]
    assert again.schema.get("Contact").find("tier__c") == org.schema.get("Contact").find("Tier__c")
    assert again.organization_id == organization
    again.close()
