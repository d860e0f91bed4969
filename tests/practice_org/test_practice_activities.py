"""Activities of several people: relations of tasks, events and mails, with shared activities off and on."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from connector.base.clock import FrozenClock
from practice_org.salesforce.org import PracticeOrg
from tests.practice_org.practice_api import NOW, Api

CALL = {"Subject": "Call", "Status": "Completed", "TaskSubtype": "Call"}
MEETING = {"Subject": "Demo", "StartDateTime": "2026-05-04T10:00:00Z", "DurationInMinutes": 30}


@pytest.fixture
def people(org: PracticeOrg) -> list[str]:
    return org.create("Contact", [{"LastName": name} for name in ("Ann", "Bob", "Cleo")])


def shared(api: Api, *, on: bool = True) -> None:
    assert api.call("POST", "/practice/shared", json={"on": on}).status_code == 204


def create(api: Api, name: str, **row: Any) -> str:
    answer = api.call("POST", f"sobjects/{name}", json=row)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def deleted(api: Api, name: str) -> list[str]:
    window = {"start": (NOW - timedelta(days=1)).isoformat(), "end": (NOW + timedelta(days=1)).isoformat()}
    answer = api.get(f"sobjects/{name}/deleted/", **window)
    assert answer.status_code == 200, answer.text
    return [each["id"] for each in answer.json()["deletedRecords"]]


def whos(api: Api, task: str) -> list[str]:
    found = api.query(f"SELECT RelationId FROM TaskRelation WHERE TaskId = '{task}' AND IsWhat = false ORDER BY Id")
    return [row["RelationId"] for row in found["records"]]


def who_id(api: Api, name: str, activity: str) -> Any:
    return api.query(f"SELECT WhoId FROM {name} WHERE Id = '{activity}'")["records"][0]["WhoId"]


@pytest.mark.parametrize("name", ["TaskRelation", "TaskWhoRelation", "EventWhoRelation"])
def test_without_shared_activities_their_objects_do_not_exist(api: Api, name: str) -> None:
    assert api.get(f"sobjects/{name}/describe").status_code == 404
    assert api.get("query", q=f"SELECT Id FROM {name}").json()[0]["errorCode"] == "INVALID_TYPE"
    shared(api)
    assert api.get(f"sobjects/{name}/describe").json()["replicateable"] is (name == "TaskRelation")
    assert api.query(f"SELECT Id FROM {name}")["totalSize"] == 0
    shared(api, on=False)
    assert api.get(f"sobjects/{name}/describe").status_code == 404


def test_a_call_has_several_contacts_and_the_first_is_its_who(api: Api, people: list[str]) -> None:
    shared(api)
    task = create(api, "Task", WhoId=people[0], **CALL)
    create(api, "TaskRelation", TaskId=task, RelationId=people[1])
    assert whos(api, task) == people[:2]
    assert who_id(api, "Task", task) == people[0]
    found = api.query(f"SELECT RelationId, Type FROM TaskWhoRelation WHERE TaskId = '{task}' ORDER BY RelationId")
    assert [(row["RelationId"], row["Type"]) for row in found["records"]] == [(each, "Contact") for each in people[:2]]


def test_the_next_contact_is_promoted_when_the_first_is_taken_off(api: Api, people: list[str]) -> None:
    shared(api)
    task = create(api, "Task", WhoId=people[0], **CALL)
    create(api, "TaskRelation", TaskId=task, RelationId=people[1])
    [first] = api.query(f"SELECT Id FROM TaskRelation WHERE RelationId = '{people[0]}'")["records"]
    assert api.call("DELETE", f"sobjects/TaskRelation/{first['Id']}").status_code == 204
    assert who_id(api, "Task", task) == people[1]
    assert deleted(api, "TaskRelation") == [first["Id"]]
    gone = api.get("queryAll", q=f"SELECT Id FROM TaskRelation WHERE Id = '{first['Id']}'").json()
    assert gone["totalSize"] == 0


def test_a_changed_who_takes_the_place_of_the_old_one(api: Api, people: list[str]) -> None:
    shared(api)
    task = create(api, "Task", WhoId=people[0], **CALL)
    assert api.call("PATCH", f"sobjects/Task/{task}", json={"WhoId": people[2]}).status_code == 204
    assert whos(api, task) == [people[2]]
    assert len(deleted(api, "TaskRelation")) == 1


def test_what_a_task_is_about_is_a_relation_too(api: Api, org: PracticeOrg, people: list[str]) -> None:
    shared(api)
    [account] = org.create("Account", [{"Name": "Acme"}])
    create(api, "Task", WhoId=people[0], WhatId=account, **CALL)
    found = api.query("SELECT RelationId, IsWhat FROM TaskRelation ORDER BY IsWhat")["records"]
    assert [(row["RelationId"], row["IsWhat"]) for row in found] == [(people[0], False), (account, True)]
    assert api.query("SELECT Id FROM TaskWhoRelation")["totalSize"] == 1


def test_what_was_there_gets_its_relations_when_activities_are_shared(api: Api, people: list[str]) -> None:
    task = create(api, "Task", WhoId=people[0], **CALL)
    event = create(api, "Event", WhoId=people[1], **MEETING)
    assert api.query("SELECT Id FROM EventRelation")["totalSize"] == 0
    shared(api)
    shared(api)
    assert whos(api, task) == [people[0]]
    [row] = api.query(f"SELECT RelationId, IsParent, IsInvitee FROM EventRelation WHERE EventId = '{event}'")["records"]
    assert (row["RelationId"], row["IsParent"], row["IsInvitee"]) == (people[1], True, False)


@pytest.mark.parametrize("on", [False, True])
def test_an_event_has_invitees_who_answer(api: Api, people: list[str], *, on: bool) -> None:
    shared(api, on=on)
    event = create(api, "Event", **MEETING)
    invited = [create(api, "EventRelation", EventId=event, RelationId=each) for each in people]
    answer = api.call("PATCH", f"sobjects/EventRelation/{invited[2]}", json={"Status": "Declined"})
    assert answer.status_code == 204
    found = api.query("SELECT RelationId, Status, IsInvitee, IsParent FROM EventRelation ORDER BY RelationId")
    assert [(row["Status"], row["IsInvitee"], row["IsParent"]) for row in found["records"]] == [
        ("New", True, False),
        ("New", True, False),
        ("Declined", True, False),
    ]
    assert who_id(api, "Event", event) is None
    if on:
        assert api.query("SELECT Id FROM EventWhoRelation")["totalSize"] == 0


def test_an_event_takes_its_relations_to_the_bin_and_back(api: Api, org: PracticeOrg, people: list[str]) -> None:
    event = create(api, "Event", **MEETING)
    relation = create(api, "EventRelation", EventId=event, RelationId=people[0])
    assert api.call("DELETE", f"sobjects/Event/{event}").status_code == 204
    assert api.query("SELECT Id FROM EventRelation")["totalSize"] == 0
    assert deleted(api, "EventRelation") == [relation]
    org.undelete("Event", [event])
    assert api.query("SELECT Id FROM EventRelation")["totalSize"] == 1


@pytest.mark.parametrize("on", [False, True])
def test_a_mail_makes_a_task_that_does_not_tell_its_direction(api: Api, people: list[str], *, on: bool) -> None:
    shared(api, on=on)
    mail = create(api, "EmailMessage", Subject="Hello", FromAddress="ann@example.com", Incoming=True, Status="1")
    for who, how in ((people[0], "FromAddress"), (people[1], "CcAddress")):
        create(api, "EmailMessageRelation", EmailMessageId=mail, RelationId=who, RelationType=how)
    [row] = api.query("SELECT ActivityId, Incoming, MessageDate FROM EmailMessage")["records"]
    assert row["Incoming"] is True
    assert row["MessageDate"] == "2026-05-04T12:00:00.000+0000"
    [task] = api.query("SELECT Id, WhoId, TaskSubtype, Subject, IsClosed FROM Task")["records"]
    assert task["Id"] == row["ActivityId"]
    assert (task["WhoId"], task["TaskSubtype"], task["Subject"], task["IsClosed"]) == (
        people[0],
        "Email",
        "Hello",
        True,
    )
    if on:
        assert whos(api, task["Id"]) == people[:2]
    kinds = api.query("SELECT RelationObjectType FROM EmailMessageRelation")["records"]
    assert {each["RelationObjectType"] for each in kinds} == {"Contact"}


def test_a_draft_and_a_mail_of_a_case_make_no_task(api: Api, org: PracticeOrg) -> None:
    [case] = org.create("Case", [{"Subject": "Help"}])
    create(api, "EmailMessage", Subject="Not yet", Status="5")
    create(api, "EmailMessage", Subject="Help", ParentId=case, Incoming=True, Status="0")
    assert api.query("SELECT Id FROM Task")["totalSize"] == 0


def test_a_deleted_mail_takes_its_people_and_the_log_tells_of_the_mail(api: Api, people: list[str]) -> None:
    mail = create(api, "EmailMessage", Subject="Hello", Status="3")
    create(api, "EmailMessageRelation", EmailMessageId=mail, RelationId=people[0], RelationType="ToAddress")
    assert api.call("DELETE", f"sobjects/EmailMessage/{mail}").status_code == 204
    assert deleted(api, "EmailMessage") == [mail]
    assert api.query("SELECT Id FROM EmailMessageRelation")["totalSize"] == 0
    assert api.get("sobjects/EmailMessageRelation/describe").json()["replicateable"] is False


def test_merged_contacts_and_a_converted_lead_keep_their_activities(api: Api, org: PracticeOrg) -> None:
    ann, double = org.create("Contact", [{"LastName": "Ann"}, {"LastName": "Ann"}])
    [lead] = org.create("Lead", [{"LastName": "Bob", "Company": "B"}])
    shared(api)
    task = create(api, "Task", WhoId=double, **CALL)
    event = create(api, "Event", **MEETING)
    create(api, "EventRelation", EventId=event, RelationId=lead)
    org.merge("Contact", ann, [double])
    contact = org.convert_lead(lead)["ContactId"]
    assert whos(api, task) == [ann]
    [invited] = api.query(f"SELECT RelationId FROM EventRelation WHERE EventId = '{event}'")["records"]
    assert invited["RelationId"] == contact


def test_shared_activities_outlive_a_restart(tmp_path: Any, clock: FrozenClock) -> None:
    path = str(tmp_path / "org.sqlite3")
    for on in (False, True):
        org = PracticeOrg(path, clock=clock)
        assert (org.schema.find("TaskRelation") is not None) is on
        org.share_activities()
        org.close()
