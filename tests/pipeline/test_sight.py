"""Rows that are hidden by rights or filters are no deletions: nobody is moved by what cannot be seen."""

import json
from datetime import timedelta

import pytest

from connector.base import logs
from connector.lifecycle import Owners
from connector.pipeline.backfill import Scope, run_backfill
from connector.pipeline.decisions import Decisions

BOTH_WAYS = """
gate:
  stage: {direction: both}
fields:
  stage: {Contact: Lifecycle_Stage__c, Lead: Lifecycle_Stage__c}
stages:
  - {name: Suspect, when: {email: present}}
  - {name: Opportunity, when: {opportunity: open}}
"""


@pytest.fixture(params=["lead-liaison", BOTH_WAYS], ids=["forward", "both ways"])
def org(world, request):
    """Ten people with a deal each, known for an hour."""
    world.mapping = request.param
    world.people = [world.contact(f"p{index}@example.com") for index in range(10)]
    world.deals = [world.deal() for _ in world.people]
    for person, deal in zip(world.people, world.deals, strict=True):
        world.role(person, deal)
    world.cycle()
    world.wait(3600)
    world.cycle()
    return world


def hide(world, deals):
    """From the user's eyes, with their roles, as sharing does; nothing is deleted."""
    far = world.clock.now() + timedelta(days=365)
    roles = world.org.rows["OpportunityContactRole"].values()
    hidden = [*deals, *(row["Id"] for row in roles if row["OpportunityId"] in deals)]
    world.org.visible_from.update(dict.fromkeys(hidden, far))


def after_winning(world):
    return "Customer" if world.mapping == "lead-liaison" else "Suspect"


def stages(world):
    return [world.stage(each) for each in world.people]


def backfill(world, **options):
    report = run_backfill(world.pipeline, Scope(), **options)
    world.wait(60)
    return report


@pytest.mark.parametrize("hidden", [1, 10])
def test_nobody_is_moved_when_deals_are_hidden_and_it_is_told(org, hidden):
    hide(org, org.deals[:hidden])
    report = backfill(org)
    assert stages(org) == ["Opportunity"] * 10
    assert (report.unseen, report.exit_code) == ({"Opportunity": hidden, "OpportunityContactRole": hidden}, 3)
    since = org.store.cursor("Opportunity")["unseen_since"]
    assert backfill(org).exit_code == 3
    assert org.store.cursor("Opportunity")["unseen_since"] == since


def test_what_is_shown_again_is_read_within_a_day_although_it_did_not_change(org):
    hide(org, org.deals)
    org.win(org.deals[0])  # while it cannot be seen
    backfill(org)
    org.org.visible_from.clear()
    org.wait(86400)
    report = org.cycle()
    assert (report.unseen, report.exit_code) == ({}, 0)
    assert org.store.records(org.deals[:1])[org.deals[0]]["IsWon"] is True


def test_what_was_deleted_is_no_blindness(org):
    org.org.remove("Opportunity", org.deals[0], hard=True)
    assert backfill(org).unseen == {}
    assert org.store.records(org.deals[:1]) == {}


def test_a_role_that_left_without_a_trace_is_gone_where_its_deal_is_seen(org):
    role = next(
        row["Id"] for row in org.org.rows["OpportunityContactRole"].values() if row["ContactId"] == org.people[0]
    )
    org.org.remove("OpportunityContactRole", role)
    assert backfill(org).unseen == {}
    assert org.store.records([role]) == {}


def test_an_admin_can_say_that_what_is_hidden_is_gone(org):
    hide(org, org.deals)
    backfill(org)
    report = backfill(org, gone=True)
    assert (report.unseen, report.exit_code) == ({}, 0)
    assert org.store.records(org.deals) == {}


@pytest.mark.parametrize("name", ["Opportunity", "OpportunityContactRole", "Task"])
def test_an_object_that_is_hidden_altogether_stops_nobody_else(org, name):
    org.org.put("Task", {"Id": org.id("Task")})
    org.org.hidden.add(name)
    new = org.contact("new@example.com")
    report = org.cycle()
    assert (org.stage(new), stages(org)) == ("Suspect", ["Opportunity"] * 10)
    assert (list(report.unread), report.exit_code) == ([name], 3)
    org.org.hidden.clear()
    report = org.cycle()
    assert (report.unread, report.exit_code) == ({}, 0)


@pytest.mark.parametrize("name", ["Contact", "Lead"])
def test_people_who_cannot_be_read_wait_and_nobody_else_does(org, name):
    org.lead("old@example.com")
    org.cycle()
    org.click("p0@example.com")
    org.click("old@example.com")
    lead, contact = org.lead("new@example.com"), org.contact("other@example.com")
    org.org.hidden.add(name)
    before = stages(org)
    report = org.cycle()
    assert (list(report.unread), report.exit_code) == ([name], 3)
    assert "nothing of it is decided or written" in report.unread[name]
    assert (stages(org) == before, org.stage(contact)) == ((True, None) if name == "Contact" else (True, "Suspect"))
    assert org.stage(lead) == (None if name == "Lead" else "Suspect")
    org.org.hidden.clear()
    report = org.cycle()
    assert (report.unread, report.exit_code) == ({}, 0)
    assert (org.stage(lead), org.stage(contact)) == ("Suspect", "Suspect")


def test_what_was_set_by_hand_while_contacts_could_not_be_read_is_kept(org):
    org.org.hidden.add("Contact")
    org.win(org.deals[0])
    org.cycle()
    org.set_by_hand(org.people[0], "Evangelist")
    for _ in range(2):
        org.cycle()
    assert org.stage(org.people[0]) == "Evangelist"
    org.org.hidden.clear()
    org.cycle()
    assert org.stage(org.people[0]) == "Evangelist"


def test_who_waits_is_not_in_the_plan_and_explain_says_why(org):
    org.org.hidden.add("Contact")
    org.win(org.deals[0])
    org.cycle()
    decisions = Decisions(org.pipeline.mapping, org.store, Owners(), org.clock.now())
    assert decisions.coming() == []
    [planned] = decisions.batch(org.people[:1], {})
    assert planned.change is None
    assert "Contact cannot be read now" in planned.decision.tracks[0].reason
    org.org.hidden.clear()
    org.cycle()
    assert org.stage(org.people[0]) == after_winning(org)


def test_an_unanswered_write_to_people_who_cannot_be_read_stays_in_the_journal(org):
    org.win(org.deals[0])
    org.org.fail = lambda kind: kind == "collections"
    org.cycle()
    org.org.fail = lambda _kind: False
    org.org.hidden.add("Contact")
    assert org.cycle().exit_code == 3
    assert len(org.store.intents()) == 1
    org.org.hidden.clear()
    org.cycle()
    assert org.stage(org.people[0]) == after_winning(org)


def test_what_was_never_read_moves_nobody_back_and_stops_nobody_else(org):
    org.mapping = BOTH_WAYS.replace("opportunity: open", "opportunity: {state: open, where: {Forecast__c: Sure}}")
    org.org.hidden.add("Opportunity")
    new = org.contact("new@example.com")
    report = org.cycle()
    assert (stages(org), org.stage(new)) == (["Opportunity"] * 10, "Suspect")
    assert (report.blind, list(report.unread), report.exit_code) == (["Opportunity"], ["Opportunity"], 3)
    [stage] = [each for each in org.store.latest(org.people[0]) if each["track"] == "stage"]
    assert "could not be read yet" in stage["reason"]
    org.org.hidden.clear()
    report = org.cycle()
    assert (stages(org), report.exit_code) == (["Suspect"] * 10, 0)


ABSENT = """
gate:
  stage: {direction: forward}
fields:
  stage: {Contact: Lifecycle_Stage__c, Lead: Lifecycle_Stage__c}
stages:
  - {name: Suspect, when: {email: present}}
  - {name: Prospect, when: {email: present, RULE}}
"""


COUNTED = """
score:
  points:
    - {activity: email_click, points: 10}
    - {activity: call, points: 10}
"""


@pytest.mark.parametrize(
    "rule",
    [
        "not: {opportunity: any}",
        "opportunity: none",
        "not: {any: [{opportunity: won}, {field: {Title: VIP}}]}",
        "not: {not: {opportunity: none}}",
        "not: {activity: {kind: call}}",
        "not: {account: {opportunity: open}}",
        "opportunity: {state: none, where: {StageName: Prospecting}}",
        "score: '< 20'",
        "score: {not: '>= 20'}",
        "score: {not: '>= 1'}",
        "not: {score: '>= 20'}",
        "any: [{activity: call}, {all: [{email: present}, {not: {activity: {count: 2}}}]}]",
    ],
)
def test_nobody_moves_forward_for_the_lack_of_what_was_never_seen(world, rule):
    world.mapping = ABSENT.replace("RULE", rule) + COUNTED
    world.org.hidden.update({"Opportunity", "Task"})
    new = world.contact("new@example.com")
    report = world.cycle()
    assert (world.stage(new), report.exit_code) == (None, 3)
    world.org.hidden.clear()
    world.cycle()
    assert world.stage(new) == "Prospect"


@pytest.mark.parametrize(
    "rule",
    [
        "not: {activity: {kind: email_click}}",
        "prospect: {grade: missing}",
        "not: {prospect: {grade: A}}",
        "score: '< 20'",
        "not: {activity: {kind: email_click, source: fake}}",
    ],
)
def test_nobody_moves_forward_for_the_lack_of_what_a_source_told_that_is_down_since_the_start(world, rule):
    world.mapping = ABSENT.replace("RULE", rule) + COUNTED
    world.source.fail = True
    new = world.contact("new@example.com")
    report = world.cycle()
    assert (world.stage(new), report.blind) == (None, ["source fake"])
    world.source.fail = False
    world.cycle()
    assert world.stage(new) == "Prospect"
    world.source.fail = True  # it was seen: what it told is known
    other = world.contact("other@example.com")
    assert (world.cycle().blind, world.stage(other)) == ([], "Prospect")


@pytest.mark.parametrize("rule", ["not: {activity: {source: salesforce}}", "opportunity: none", "score: '>= 0'"])
def test_a_source_that_is_down_holds_nobody_who_is_moved_without_it(world, rule):
    world.mapping = ABSENT.replace("RULE", rule) + COUNTED
    world.source.fail = True
    new = world.contact("new@example.com")
    world.cycle()
    assert world.stage(new) == "Prospect"


def test_a_source_that_the_mapping_switched_off_holds_nobody(world):
    rule = "not: {activity: {kind: email_click}}"
    world.mapping = ABSENT.replace("RULE", rule) + "sources: {marketo: off}\n"
    world.source.fail, world.source.name = True, "marketo"
    new = world.contact("new@example.com")
    assert (world.cycle().blind, world.stage(new)) == ([], "Prospect")


def test_points_that_are_taken_away_for_what_was_never_seen_keep_people_from_a_score_above(world):
    world.mapping = (
        ABSENT.replace("RULE", "score: '>= 10'")
        + """
score:
  points:
    - {when: {field: {Title: VIP}}, points: 30}
    - {activity: unsubscribe, points: -30}
"""
    )
    world.source.fail = True
    new = world.contact("new@example.com", Title="VIP")
    world.cycle()
    assert world.stage(new) is None
    world.source.fail = False
    world.cycle()
    assert world.stage(new) == "Prospect"


@pytest.mark.parametrize("rule", ["not: {field: {Title: VIP}}", "field: {Title: missing}"])
def test_what_is_seen_to_be_missing_counts_whatever_else_is_blind(world, rule):
    world.mapping = ABSENT.replace("RULE", rule)
    world.org.hidden.update({"Opportunity", "Task"})
    new = world.contact("new@example.com")
    world.cycle()
    assert world.stage(new) == "Prospect"


def test_an_object_that_cannot_be_read_is_logged_when_it_begins_and_when_it_ends(world, capsys):
    logs.configure("json", "WARNING")
    world.cycle()
    world.org.hidden.add("Opportunity")
    for _ in range(4):
        world.cycle()
    world.org.hidden.clear()
    world.cycle()
    world.cycle()
    said = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    told = [(each["event"], each.get("cycles_without")) for each in said if each.get("object") == "Opportunity"]
    assert told == [("an object cannot be read, and stays as it was", None), ("an object can be read again", 4)]
