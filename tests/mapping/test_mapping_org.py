"""The mapping is checked against the org's describe before anything is written."""

from __future__ import annotations

from connector.mapping import check_org, loads, unseen_changes

MAPPING = loads(
    """
fields: {stage: {Contact: Stage__c}}
stages:
  - {name: Suspect, when: {field: {Rating: Hot}}}
  - {name: Customer, when: {opportunity: won}}
"""
)


def field(name, **more):
    return {"name": name, "type": "string", "updateable": True, "length": 255, **more}


def picklist(*active, inactive=()):
    values = [{"value": each, "active": True} for each in active] + [
        {"value": each, "active": False} for each in inactive
    ]
    return field("Stage__c", type="picklist", picklistValues=values)


OTHERS = {
    "Lead": {"fields": [field("Rating")]},
    "Opportunity": {"fields": [field(each) for each in sorted(MAPPING.reads["Opportunity"])]},
    "OpportunityContactRole": {"fields": [field(each) for each in sorted(MAPPING.reads["OpportunityContactRole"])]},
}


def whats(**contact_fields):
    contact = {"fields": [field("Rating"), *contact_fields.values()]}
    return [each.what for each in check_org(MAPPING, {"Contact": contact, **OTHERS})]


def test_an_org_that_has_everything_is_right():
    assert whats(stage=picklist("Suspect", "Customer")) == []


def test_a_missing_field_says_what_to_create_or_grant():
    (found,) = check_org(MAPPING, {"Contact": {"fields": [field("Rating")]}, **OTHERS})
    assert "Contact has no field Stage__c" in found.what
    assert "permission set" in found.hint


def test_a_misspelt_field_names_the_nearest():
    contact = {"fields": [field("Ratings"), picklist("Suspect", "Customer")]}
    (found,) = check_org(MAPPING, {"Contact": contact, **OTHERS})
    assert found.hint == "did you mean Ratings?"


def test_a_field_that_cannot_be_written_is_found():
    assert whats(stage=picklist("Suspect", "Customer") | {"updateable": False}) == [
        "Contact.Stage__c (stage) cannot be written by the integration user"
    ]


def test_a_missing_or_inactive_picklist_value_is_found():
    assert whats(stage=picklist("Suspect", inactive=("Customer",))) == [
        "the picklist Contact.Stage__c has no active value Customer"
    ]


def test_a_value_too_long_for_its_field_is_found():
    assert whats(stage=field("Stage__c", length=7)) == ["Customer is longer than Contact.Stage__c (7 characters)"]


def test_an_object_that_cannot_be_seen_is_found():
    found = check_org(MAPPING, {**OTHERS, "Contact": None})
    assert any("no object Contact" in each.what for each in found)


EXTRAS = loads(
    """
fields:
  {stage: {Contact: Stage__c}, score: {Contact: Score__c}, tags: {Contact: Tags__c}, highest_stage: {Contact: Top__c}}
dates: {entered: "{stage}_On__c"}
stages: [{name: A, when: always}]
score: {from: {prospect: score}}
tags: [{name: Hot, when: always}]
"""
)


def test_fields_of_the_wrong_type_and_tags_that_a_picklist_lacks_are_found():
    values = [{"value": "Cold", "active": True}]
    contact = [
        field("Stage__c"),
        field("Score__c"),
        field("A_On__c", type="datetime"),
        field("Top__c", type="picklist", picklistValues=[{"value": "A", "active": True}]),
        field("Tags__c", type="multipicklist", length=4099, picklistValues=values),
    ]
    assert [each.what for each in check_org(EXTRAS, {"Contact": {"fields": contact}})] == [
        "Contact.A_On__c (entered A) is a datetime field, not one of date",
        "Contact.Score__c (score) is a string field, not one of double, int, currency, percent",
        "the picklist Contact.Tags__c has no active value Hot",
    ]


def test_a_value_that_the_accounts_picklist_lacks_is_found():
    mapping = loads(
        "fields: {stage: {Contact: Stage__c}, account_stage: Furthest__c}\n"
        "stages: [{name: Suspect, when: {email: present}}, {name: Customer, when: {opportunity: won}}]\n"
    )
    account = {"fields": [picklist("Suspect") | {"name": "Furthest__c"}]}
    contact = {"fields": [picklist("Suspect", "Customer"), field("Email")]}
    found = [each.what for each in check_org(mapping, {"Account": account, "Contact": contact})]
    assert found == ["the picklist Account.Furthest__c has no active value Customer"]


def test_a_comparison_that_makes_no_sense_of_what_the_org_has_in_the_field_is_found():
    mapping = loads(
        "stages:\n"
        "  - {name: A, when: {field: {Size__c: '1-10', Ticked__c: maybe, Due__c: '>= 5', Kind__c: {within: 5d}}}}\n"
        "  - {name: B, when: {account: {Size__c: '>= 5', Note__c: '>= 5'}}}\n"
    )
    fields = {
        "Size__c": field("Size__c", type="double"),
        "Ticked__c": field("Ticked__c", type="boolean"),
        "Due__c": field("Due__c", type="date", calculated=True),
        "Kind__c": field("Kind__c", type="picklist", picklistValues=[]),
        "Note__c": field("Note__c"),
    }
    described = {name: {"fields": list(fields.values())} for name in ("Contact", "Account")}
    whats = [each.what for each in check_org(mapping, described) if "__c: " in each.what]
    assert sorted(whats) == [
        "Contact.Due__c: >= 5 makes no sense of a date",
        "Contact.Kind__c: within the last 5 days makes no sense of a text",
        "Contact.Size__c: a number is never 1-10",
        "Contact.Ticked__c: a checkbox is never maybe",
    ]


def test_formulas_and_fields_of_parents_that_are_not_read_again_are_told():
    text = "stages: [{name: A, when: {field: {Score__c: '> 5', Owner.Title: CEO, RecordType.Name: X, Rating: Hot}}}]\n"
    contact = {"fields": [field("Rating"), field("Score__c", type="double", calculated=True)]}
    told, *_ = unseen_changes(loads(text), {"Contact": contact, "Lead": {"fields": []}})
    assert told.startswith("Contact: Owner.Title, Score__c can change without the Contact, and is then seen")
    assert "refresh: {Contact: 6h}" in told
    assert not [*unseen_changes(loads("refresh: {Contact: 6h, Lead: 6h}\n" + text), {"Contact": contact, "Lead": None})]
