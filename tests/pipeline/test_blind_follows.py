"""What follows from a stage, a score or a hand-off waits as they do while something was never seen."""

import pytest

from tests.pipeline.test_refused_rows import REPS, Office

TRACKS = """
name: everything
fields:
  stage: {Contact: Lifecycle_Stage__c, Lead: Lifecycle_Stage__c}
  status: {Contact: Lead_Status__c, Lead: Status}
  score: {Contact: Score__c, Lead: Score__c}
  tags: {Contact: Tags__c, Lead: Tags__c}
score:
  points: [{activity: email_click, points: 10}]
stages:
  - {name: Suspect, when: {email: present}}
  - {name: Engaged, when: {activity: inbound}}
  - {name: Customer, when: {opportunity: won}}
statuses:
  - {name: Warm, when: {stage: Customer}}
  - {name: Cold, when: {stage: Suspect}}
gate:
  stage: {direction: both}
  LOCK
  status: {direction: both}
write:
  - {field: {Contact: Touches__c}, touches: inbound}
tags:
  - {name: Quiet, when: {not: {activity: inbound}}}
"""


def seen(world, person):
    row = world.org.rows["Contact"][person]
    return {name: row.get(f"{name}__c") for name in ("Lifecycle_Stage", "Lead_Status", "Score", "Tags", "Touches")}


def test_nothing_of_somebody_is_written_that_rests_on_a_source_that_is_down_since_the_start(world):
    world.mapping = TRACKS.replace("LOCK", "")
    stands = {"Lifecycle_Stage": "Customer", "Lead_Status": "Warm", "Score": 57.0, "Tags": "VIP", "Touches": 4.0}
    ada = world.contact(**{f"{name}__c": value for name, value in stands.items()})
    world.role(ada, world.deal(won=True))
    world.source.fail = True
    report = world.cycle()
    assert (seen(world, ada), report.blind) == (stands, ["source fake"])
    world.source.fail = False
    world.cycle()
    assert seen(world, ada) == {**stands, "Score": 0, "Tags": "VIP;Quiet", "Touches": 0}


def asking_more(world):
    """The mapping looks at a field of deals while the object is hidden."""
    world.mapping = world.mapping.replace("opportunity: won", "opportunity: {state: won, where: {Forecast__c: Sure}}")
    world.org.hidden.add("Opportunity")


def test_a_status_that_follows_from_a_stage_waits_with_it(world):
    world.mapping = TRACKS.replace("LOCK", "")
    ada = world.contact()
    world.role(ada, world.deal(won=True))
    world.cycle()
    assert (world.stage(ada), world.field(ada, "Lead_Status__c")) == ("Customer", "Warm")
    asking_more(world)
    world.cycle()
    assert (world.stage(ada), world.field(ada, "Lead_Status__c")) == ("Customer", "Warm")
    world.org.hidden.clear()
    world.cycle()
    assert (world.stage(ada), world.field(ada, "Lead_Status__c")) == ("Suspect", "Cold")


def test_who_is_in_no_segment_goes_back_no_more_than_who_is(world):
    own = "[{name: Registered, when: {email: present}}, {name: Selling, when: {opportunity: won}}]"
    segment = f"segments: [{{name: partners, for: {{field: {{Title: Partner}}}}, stages: {own}}}]"
    world.mapping = TRACKS.replace("LOCK", "") + segment + "\n"
    ada, ben = world.contact(), world.contact("b@x.com", Title="Partner")
    for person in (ada, ben):
        world.role(person, world.deal(won=True))
    world.cycle()
    asking_more(world)
    world.cycle()
    assert (world.stage(ada), world.stage(ben)) == ("Customer", "Selling")
    world.org.hidden.clear()
    world.cycle()
    assert (world.stage(ada), world.stage(ben)) == ("Suspect", "Registered")


@pytest.mark.parametrize(
    ("lock", "segments"),
    [
        ("lock: {activity: unsubscribe}", ""),
        ("", "segments: [{name: own, for: {activity: call}, stages: [{name: Elsewhere, when: {email: present}}]}]\n"),
    ],
)
def test_nobody_moves_who_may_be_locked_or_decided_by_another_ladder(world, lock, segments):
    world.mapping = TRACKS.replace("LOCK", lock) + segments
    world.source.fail = True
    ada = world.contact()
    world.cycle()
    assert world.stage(ada) is None
    world.source.fail = False
    world.cycle()
    assert world.stage(ada) == "Suspect"


HANDED = """
name: handed
fields:
  stage: {Contact: Lifecycle_Stage__c, Lead: Lifecycle_Stage__c}
  status: {Contact: Lead_Status__c, Lead: Status}
stages: [{name: Suspect, when: {email: present}}]
statuses:
  - {name: Open, when: {not: {handed_off: true}}}
  - {name: New, set_by: people}
score:
  points: [{activity: email_click, points: 10}]
handoff:
  - name: to sales
    when: {WHEN}
    status: New
    owner: [{WHOSE user: ann@example.com}]
    UNLESS
"""


@pytest.mark.parametrize(
    ("when", "whose", "unless"),
    [
        ("score: '< 20'", "", "unless: {status: New}"),
        ("not: {activity: email_click}", "", "unless: {status: New}"),
        ("email: present", "", "unless: {activity: {kind: call}}"),
        ("email: present", "when: {not: {activity: call}},", "unless: {status: New}"),
    ],
)
def test_nobody_is_handed_off_for_the_lack_of_what_was_never_seen(world, when, whose, unless):
    world.mapping = HANDED.replace("WHEN", when).replace("WHOSE", whose).replace("UNLESS", unless)
    world.org = Office()
    world.source.fail = True
    ada = world.contact(OwnerId=None)
    world.cycle()
    assert (world.field(ada, "OwnerId"), world.field(ada, "Lead_Status__c")) == (None, None)
    world.source.fail = False
    world.cycle()
    assert (world.field(ada, "OwnerId"), world.field(ada, "Lead_Status__c")) == (REPS["ann"], "New")
