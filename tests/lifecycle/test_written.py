"""Fields that are written from what was decided."""

from __future__ import annotations

from dataclasses import replace

from connector.lifecycle import decide, plan
from connector.mapping import check_org, loads
from tests.lifecycle.someone import DAY, NOW, deal, did, person, track, written

MAPPING = """
stages:
  - {name: Known, when: always}
  - {name: Hot, value: Very hot, when: {activity: {kind: form_submit, within: 5d}}}
  - {name: Customer, when: {opportunity: won}}
gate: {stage: {direction: both}}
score: {points: [{activity: visit, points: 40}]}
write:
  - {field: Hot_Date__c, date_of: Hot}
  - {field: First_Hot__c, first_date_of: Hot, with_time: true}
  - {field: Hot_Count__c, times: Hot}
  - {field: {Contact: Before__c}, value: previous_stage}
  - {field: Why__c, value: reason}
  - {field: Days__c, value: days_in_stage}
"""


def changes(someone, mapping, now=NOW):
    change = plan(someone, decide(someone, mapping, now), mapping)
    return change.values() if change else {}


def test_a_stage_is_counted_and_dated_each_time_it_is_reached():
    mapping = loads(MAPPING)
    someone, _ = written(person(did=[did("form_submit", 1)]), mapping)
    assert (someone.fields["Hot_Count__c"], someone.fields["Hot_Date__c"]) == (1, "2026-05-31")
    someone, _ = written(someone, mapping, NOW + 10 * DAY)
    assert (someone.fields["Lifecycle_Stage__c"], someone.fields["Before__c"]) == ("Known", "Very hot")
    again = replace(someone, activities=(*someone.activities, did("form_submit", -20)))
    someone, _ = written(again, mapping, NOW + 20 * DAY)
    assert (someone.fields["Hot_Count__c"], someone.fields["Hot_Date__c"]) == (2, "2026-06-21")
    assert someone.fields["First_Hot__c"] == "2026-05-31T12:00:00.000+0000"
    assert someone.fields["Before__c"] == "Known"


def test_why_somebody_came_to_a_stage_stands_there_as_long_as_they_do():
    mapping = loads(MAPPING)
    someone, _ = written(person(did=[did("form_submit", 1)]), mapping)
    said = someone.fields["Why__c"]
    assert said.startswith("Hot: form submit")
    someone, _ = written(someone, mapping, NOW + DAY)
    assert someone.fields["Why__c"] == said
    edited = replace(someone, fields={**someone.fields, "Lifecycle_Stage__c": "Customer"})
    someone, _ = written(edited, mapping, NOW + 2 * DAY)
    assert someone.fields["Why__c"].startswith("set by a person on 2026-06-03")


def test_what_changes_every_day_is_only_written_along_with_something_else():
    mapping = loads(MAPPING)
    someone, _ = written(person(), mapping)
    assert someone.fields["Days__c"] == 0
    assert changes(someone, mapping, NOW + 9 * DAY) == {}
    won = replace(someone, opportunities=(deal("won", ago=-9),))
    assert changes(won, mapping, NOW + 9.5 * DAY)["Days__c"] == 1
    edited = replace(someone, fields={**someone.fields, "Hot_Count__c": 7.0})
    assert changes(edited, mapping, NOW + 9 * DAY) == {"Hot_Count__c": 0, "Days__c": 9}, (
        "what people write is overwritten"
    )


def test_a_number_that_salesforce_gives_back_as_a_float_is_the_same():
    mapping = loads(MAPPING)
    someone, _ = written(person(did=[did("form_submit", 1)]), mapping)
    read_back = {**someone.fields, "Hot_Count__c": 1.0, "Days__c": 0.0, "First_Hot__c": "2026-05-31T12:00:00.000Z"}
    assert changes(replace(someone, fields=read_back), mapping) == {}


def test_an_object_that_is_not_named_has_no_such_field():
    mapping = loads(MAPPING)
    lead, _ = written(person(object_name="Lead", did=[did("form_submit", 1)]), mapping)
    assert "Before__c" not in lead.fields
    assert lead.fields["Hot_Count__c"] == 1
    assert "Before__c" not in mapping.reads["Lead"]


def test_a_mapping_that_asks_later_counts_from_then():
    before = loads(MAPPING.split("write:", maxsplit=1)[0])
    someone, _ = written(person(did=[did("form_submit", 1)]), before)
    decided = track(decide(someone, loads(MAPPING), NOW + DAY))
    assert decided.memory["beside"]["Hot_Count__c"] == 1


def test_the_org_must_have_fields_of_the_right_type():
    mapping = loads(MAPPING)

    def field(name, kind, **more):
        return {"name": name, "type": kind, "updateable": True, "length": 255, **more}

    fields = [field("Lifecycle_Stage__c", "string"), field("Hot_Date__c", "datetime"), field("First_Hot__c", "date")]
    fields += [field("Hot_Count__c", "string"), field("Days__c", "double"), field("Why__c", "string", length=80)]
    fields.append(field("Before__c", "picklist", picklistValues=[]))
    found = [each.what for each in check_org(mapping, {"Contact": {"fields": fields}}) if "__c (" in each.what]
    assert [each.split(" ")[0] for each in found] == [
        *("Contact.First_Hot__c", "Contact.Hot_Count__c", "Contact.Hot_Date__c", "Contact.Why__c")
    ]
    told = [each.what for each in check_org(mapping, {"Contact": {"fields": fields}})]
    assert "the picklist Contact.Before__c has no active value Very hot" in told


def beside(fields):
    return loads(f"""
stages: [{{name: Known, when: always}}, {{name: Off, funnel: false, set_by: people}}]
write: {fields}
""")


def test_what_is_written_is_what_salesforce_keeps_of_it():
    mapping = beside("[{field: A__c, first_touch: name, length: 8}, {field: B__c, last_touch: name}]")
    someone, _ = written(person(did=[did("form_submit", 2, name="  Request\n a demo "), did("visit", 1)]), mapping)
    assert (someone.fields["A__c"], someone.fields.get("B__c")) == ("Request", None), (
        "a space at the end is dropped by Salesforce, and would be written in every cycle"
    )


def test_a_touch_is_dated_with_its_time_where_the_field_has_one():
    mapping = beside("[{field: A__c, first_touch: date, with_time: true}, {field: B__c, last_touch: date}]")
    someone, _ = written(person(did=[did("form_submit", 2), did("visit", 1)]), mapping)
    assert (someone.fields["A__c"], someone.fields["B__c"]) == ("2026-05-30T12:00:00.000+0000", "2026-05-31")


def test_nothing_follows_from_a_stage_that_the_mapping_does_not_know():
    mapping = beside("[{field: Reason__c, only_at: 'Off'}]")
    someone = person("Weird", Reason__c="No budget")
    assert changes(someone, mapping) == {}
    someone, decision = written(someone, mapping)
    assert track(decision).memory == {}, "and whoever gets a stage that it knows is seen for the first time"
    known = replace(someone, fields={**someone.fields, "Lifecycle_Stage__c": "Known"})
    assert changes(known, mapping) == {"Reason__c": None}


def test_one_field_may_tell_one_thing_of_contacts_and_another_of_leads():
    mapping = beside("[{field: {Contact: A__c}, times: Known}, {field: {Lead: A__c}, times: 'Off'}]")
    assert {name: "A__c" in mapping.reads[name] for name in ("Contact", "Lead")} == {"Contact": True, "Lead": True}
    contact, _ = written(person(), mapping)
    lead, _ = written(person(object_name="Lead"), mapping)
    assert (contact.fields["A__c"], lead.fields["A__c"]) == (1, 0)


def test_a_text_that_is_cut_to_its_field_is_right_and_a_picklist_takes_no_free_text():
    mapping = beside("[{field: A__c, value: reason, length: 80}, {field: B__c, value: reason}]")
    text = {"name": "A__c", "type": "string", "updateable": True, "length": 80}
    picklist = {"name": "B__c", "type": "picklist", "updateable": True, "length": 255, "restrictedPicklist": True}
    found = [each.what for each in check_org(mapping, {"Contact": {"fields": [text, picklist]}})]
    assert [each for each in found if "A__c" in each or "B__c" in each] == [
        "the picklist Contact.B__c (reason B__c) takes its own values only"
    ]


def test_a_merged_record_brings_its_dates_and_counts_once():
    mapping = loads(MAPPING)
    lead, _ = written(person(object_name="Lead", did=[did("form_submit", 1)]), mapping)
    lead, _ = written(lead, mapping, NOW + 10 * DAY)
    again = did("form_submit", -20)
    lead, _ = written(replace(lead, activities=(*lead.activities, again)), mapping, NOW + 20 * DAY)
    contact, _ = written(person(did=[]), mapping)
    contact, _ = written(replace(contact, activities=(again,)), mapping, NOW + 21 * DAY)
    assert [each.fields["Hot_Count__c"] for each in (lead, contact)] == [2, 1]
    contact = replace(contact, aliases=(lead.id,), former={lead.id: lead.memory})
    for day in (22, 23):
        contact, _ = written(contact, mapping, NOW + day * DAY)
        assert contact.fields["Hot_Count__c"] == 2, "the last time was the same"
        assert contact.fields["First_Hot__c"] == "2026-05-31T12:00:00.000+0000"
        assert contact.fields["Hot_Date__c"] == "2026-06-21"


def test_a_stage_that_is_taken_over_is_not_reached_again():
    mapping = loads(MAPPING.replace("gate: {stage: {direction: both}}\n", ""))
    lead, _ = written(person(object_name="Lead", did=[did("form_submit", 1)]), mapping)
    contact, _ = written(person(), mapping)
    contact = replace(contact, aliases=(lead.id,), former={lead.id: lead.memory})
    contact, decision = written(contact, mapping, NOW + 9 * DAY)
    assert track(decision).value == "Very hot"
    assert (contact.fields["Hot_Count__c"], contact.fields["Hot_Date__c"]) == (1, "2026-05-31")
    assert contact.fields["Before__c"] == "Known"
