"""Tasks, events and mails of several people, over HTTP: each of them has it, and nobody who declined."""

from datetime import timedelta

import pytest

from connector.base.clock import SystemClock
from connector.commands.check import run_check
from connector.commands.explain import explain_people
from tests.e2e.test_api_calls import clock_tick

MAPPING = """
gate: {stage: {direction: both}}
fields: {stage: {Contact: Lifecycle_Stage__c, Lead: Lifecycle_Stage__c}}
stages:
  - {name: Suspect, when: {email: present}}
  - {name: Marketing Qualified, when: {activity: {kind: email_sent}}}
  - {name: Sales Qualified, when: {activity: {kind: call}}}
  - {name: Opportunity, when: {activity: {kind: meeting}}}
  - {name: Engaged, when: {activity: inbound}}
"""
SUSPECT, MAILED, CALLED, MET, ENGAGED = (
    "Suspect", "Marketing Qualified", "Sales Qualified", "Opportunity", "Engaged",
)  # fmt: skip
PAST = (SystemClock().now() - timedelta(days=3)).strftime("%Y-%m-%dT%H:%M:%SZ")
CALL = {"Subject": "Call", "Status": "Completed", "TaskSubtype": "Call"}
MEETING = {"Subject": "Demo", "StartDateTime": PAST, "DurationInMinutes": 30}


@pytest.fixture
def place(site, tmp_path):
    (tmp_path / "mine.yaml").write_text(MAPPING)
    site.mine = {"mapping": str(tmp_path / "mine.yaml")}
    site.people = site.contacts(4)
    return site


def sync(place):
    place.sync(**place.mine)
    return [place.stages()[each] for each in place.people]


def create(place, name, **row):
    return place.org.create(name, [row])[0]


def call(place, *whos):
    task = create(place, "Task", WhoId=whos[0], **CALL)
    return task, [create(place, "TaskRelation", TaskId=task, RelationId=each) for each in whos[1:]]


def meet(place, *invited, **fields):
    event = create(place, "Event", **MEETING, **fields)
    return event, [create(place, "EventRelation", EventId=event, RelationId=each) for each in invited]


def mail(place, sender=None, to=(), cc=(), *, incoming=False, **fields):
    sent = {"Subject": "Hello", "Incoming": incoming, "Status": "1" if incoming else "3", "MessageDate": PAST}
    made = create(place, "EmailMessage", **sent | fields)
    how = [("FromAddress", sender), *(("ToAddress", each) for each in to), *(("CcAddress", each) for each in cc)]
    for kind, who in how:
        if who:
            create(place, "EmailMessageRelation", EmailMessageId=made, RelationId=who, RelationType=kind)
    return made


def timeline(place, person):
    (told,) = explain_people(place.settings(**place.mine), person)
    return [(each["kind"], each["direction"], each["id"]) for each in told["timeline"]]


@pytest.mark.situation(10)
def test_a_call_with_two_contacts_reaches_both(place):
    place.org.share_activities()
    ann, bob, *_ = place.people
    task, _ = call(place, ann, bob)
    assert sync(place) == [CALLED, CALLED, SUSPECT, SUSPECT]
    assert timeline(place, bob) == [("call", "outbound", task)]


def test_an_org_without_shared_activities_goes_on_with_the_who_of_its_tasks(place):
    create(place, "Task", WhoId=place.people[0], **CALL)
    assert sync(place) == [CALLED, SUSPECT, SUSPECT, SUSPECT]
    report = run_check(place.settings(**place.mine))
    assert (report.warnings, "TaskRelation" in report.reads) == ([], False)


def test_activities_that_are_shared_later_are_read_without_being_asked(place):
    ann, bob, *_ = place.people
    create(place, "Task", WhoId=ann, **CALL)
    sync(place)
    place.org.share_activities()
    [task] = place.org.rows("SELECT Id FROM Task")
    create(place, "TaskRelation", TaskId=task["Id"], RelationId=bob)
    with place.pipeline(**place.mine) as made:
        made.store.set_cursor("optional fields", None)  # which is asked for once a day
    assert sync(place)[:2] == [CALLED, CALLED]


def test_a_contact_who_is_added_later_or_taken_off_is_seen(place):
    place.org.share_activities()
    ann, bob, cleo, _ = place.people
    task, [relation] = call(place, ann, bob)
    sync(place)
    create(place, "TaskRelation", TaskId=task, RelationId=cleo)
    place.org.delete("TaskRelation", [relation])
    assert sync(place) == [CALLED, SUSPECT, CALLED, SUSPECT]


def test_a_deleted_call_is_nobodys_any_more(place):
    place.org.share_activities()
    task, _ = call(place, *place.people[:3])
    assert sync(place) == [CALLED, CALLED, CALLED, SUSPECT]
    place.org.delete("Task", [task])
    assert sync(place) == [SUSPECT] * 4
    place.org.undelete("Task", [task])
    assert sync(place) == [CALLED, CALLED, CALLED, SUSPECT]


@pytest.mark.situation(10)
@pytest.mark.parametrize("is_shared", [False, True])
def test_a_meeting_is_of_everybody_invited_but_of_who_declined(place, is_shared):
    place.org.share_activities(on=is_shared)
    *_, dan = place.people
    _, relations = meet(place, *place.people[1:])
    place.org.update("EventRelation", [{"Id": relations[2], "Status": "Declined"}])
    assert sync(place) == [SUSPECT, MET, MET, SUSPECT]
    place.org.update("EventRelation", [{"Id": relations[2], "Status": "Accepted"}])
    place.org.update("EventRelation", [{"Id": relations[0], "Status": "Declined"}])
    assert sync(place) == [SUSPECT, SUSPECT, MET, MET]
    (told,) = explain_people(place.settings(**place.mine), dan)
    assert [each["kind"] for each in told["timeline"]] == ["meeting"]


def test_who_an_event_is_about_does_not_have_it_either_when_they_decline(place):
    place.org.share_activities()
    ann, bob, *_ = place.people
    event = create(place, "Event", WhoId=ann, **MEETING)
    [relation] = place.org.rows(f"SELECT Id FROM EventRelation WHERE EventId = '{event}'")
    create(place, "EventRelation", EventId=event, RelationId=bob)
    assert sync(place)[:2] == [MET, MET]
    place.org.update("EventRelation", [{"Id": relation["Id"], "IsInvitee": True, "Status": "Declined"}])
    assert sync(place)[:2] == [SUSPECT, MET]


def test_a_meeting_that_is_moved_or_deleted_is_so_for_all_who_are_invited(place):
    event, _ = meet(place, *place.people[:2])
    assert sync(place) == [MET, MET, SUSPECT, SUSPECT]
    place.org.update("Event", [{"Id": event, "Subject": "Demo (no show)"}])
    assert sync(place) == [SUSPECT] * 4
    place.org.update("Event", [{"Id": event, "Subject": "Demo"}])
    assert sync(place) == [MET, MET, SUSPECT, SUSPECT]
    place.org.delete("Event", [event])
    assert sync(place) == [SUSPECT] * 4


@pytest.mark.situation(10)
def test_a_mail_that_came_in_is_inbound_for_its_writer_alone(place):
    ann, bob, *_ = place.people
    message = mail(place, ann, cc=[bob], incoming=True, FromAddress="p0@example.com")
    assert sync(place) == [ENGAGED, MAILED, SUSPECT, SUSPECT]
    assert timeline(place, ann) == [("email_reply", "inbound", message)]
    assert timeline(place, bob) == [("email_sent", "outbound", message)]


def test_a_mail_that_went_out_is_outbound_for_all_it_went_to(place):
    ann, bob, cleo, _ = place.people
    mail(place, to=[ann, bob], cc=[cleo], Subject="Received: your order")  # its task alone looks like an answer
    assert sync(place) == [MAILED, MAILED, MAILED, SUSPECT]


def test_a_draft_is_nobodys_until_it_is_sent(place):
    message = mail(place, to=[place.people[0]], Status="5")
    assert sync(place)[0] == SUSPECT
    place.org.update("EmailMessage", [{"Id": message, "Status": "3"}])
    assert sync(place)[0] == MAILED


def test_a_writer_whom_no_relation_names_is_found_by_the_address(place):
    mail(place, incoming=True, FromAddress="P1@example.com")
    assert sync(place) == [SUSPECT, ENGAGED, SUSPECT, SUSPECT]


def test_a_writer_whom_a_relation_names_is_nobody_else_with_that_address(place):
    double = create(place, "Contact", LastName="Double", Email="p0@example.com")
    message = mail(place, incoming=True, FromAddress="p0@example.com")
    sync(place)
    assert place.stages()[double] == ENGAGED
    named = {"EmailMessageId": message, "RelationId": place.people[0], "RelationType": "FromAddress"}
    create(place, "EmailMessageRelation", **named)
    assert sync(place)[0] == ENGAGED
    assert place.stages()[double] == SUSPECT


def test_a_deleted_mail_leaves_what_its_task_says(place):
    message = mail(place, place.people[0], incoming=True)
    assert sync(place)[0] == ENGAGED
    place.org.delete("EmailMessage", [message])
    assert sync(place)[0] == MAILED  # the task does not know that it came in
    place.org.delete("Task", [row["Id"] for row in place.org.rows("SELECT Id FROM Task")])
    assert sync(place)[0] == SUSPECT


def test_merges_and_conversions_keep_what_people_were_invited_to(place):
    ann, bob, *_ = place.people
    lead = create(place, "Lead", LastName="Lea", Company="L", Email="lea@example.com")
    meet(place, bob, lead)
    sync(place)
    contact = place.org.convert_lead(lead, opportunity=False)["ContactId"]
    place.org.merge("Contact", ann, [bob])
    place.sync(**place.mine)
    assert (place.stages()[ann], place.stages()[contact]) == (MET, MET)
    assert len(timeline(place, contact)) == 1


def test_a_backfill_and_a_restart_end_where_the_polls_did(place, tmp_path):
    place.org.share_activities()
    ann, bob, cleo, dan = place.people
    call(place, ann, bob)
    meet(place, cleo)
    mail(place, dan, incoming=True)
    place.backfill(**place.mine)
    assert [place.stages()[each] for each in place.people] == [CALLED, CALLED, MET, ENGAGED]
    place.org.update("Contact", [{"Id": each, "Lifecycle_Stage__c": None} for each in place.people])
    place.state = tmp_path / "another.sqlite3"
    place.backfill(**place.mine)
    assert [place.stages()[each] for each in place.people] == [CALLED, CALLED, MET, ENGAGED]


def test_explain_says_who_was_invited_at_a_past_moment(place):
    _, [relation] = meet(place, place.people[0])
    sync(place)
    moment = SystemClock().now()
    clock_tick(place)
    place.org.update("EventRelation", [{"Id": relation, "Status": "Declined"}])
    sync(place)
    (told,) = explain_people(place.settings(**place.mine), place.people[0], at=moment)
    assert [each["kind"] for each in told["timeline"]] == ["meeting"]
    assert timeline(place, place.people[0]) == []


def test_an_idle_cycle_still_costs_two_calls(place):
    place.org.share_activities()
    call(place, *place.people[:2])
    meet(place, *place.people)
    mail(place, place.people[0], incoming=True)
    for _ in range(3):
        sync(place)
        clock_tick(place)
    assert place.calls_of(lambda: sync(place)) <= 2
    assert len(run_check(place.settings(**place.mine)).reads) == 11


def test_a_mapping_that_looks_at_no_activity_of_salesforce_reads_no_relations(place, tmp_path):
    (tmp_path / "mine.yaml").write_text(MAPPING.partition("  - {name: Marketing")[0])
    assert not {"TaskRelation", "EventRelation", "EmailMessage"} & run_check(place.settings(**place.mine)).reads.keys()


def test_relations_that_are_hidden_later_stay_as_they_were_and_that_is_told(place):
    meet(place, place.people[0])
    assert sync(place)[0] == MET
    place.org.schema.offer(["EventRelation"], on=False)
    create(place, "Task", WhoId=place.people[1], **CALL)
    report = place.sync(**place.mine)
    assert (report.unread.keys(), report.exit_code) == ({"EventRelation"}, 3)
    assert [place.stages()[each] for each in place.people[:2]] == [MET, CALLED]


def test_relations_that_cannot_be_read_are_told_and_everything_else_goes_on(place):
    for name in ("EventRelation", "EmailMessageRelation"):
        place.org.schema.offer([name], on=False)
    create(place, "Event", WhoId=place.people[0], **MEETING)
    create(place, "EmailMessage", Subject="Hello", Incoming=True, FromAddress="p1@example.com", MessageDate=PAST)
    assert sync(place) == [MET, ENGAGED, SUSPECT, SUSPECT]
    warnings = "\n".join(run_check(place.settings(**place.mine)).warnings)
    assert "cannot see EventRelation: an event counts for its WhoId alone" in warnings
    assert "cannot see EmailMessageRelation: a mail counts for who has its sender's address" in warnings
