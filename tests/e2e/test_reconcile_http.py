"""What differs between the state and the org is found, repaired and told, whatever made it differ; over HTTP."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import delete, make_url

from connector.base.clock import SystemClock
from connector.base.errors import LimitReached
from connector.commands.status import read_status
from connector.pipeline.alerts import Notice, Watch
from connector.pipeline.cycle import run_cycle
from connector.store.dialect import WRITES, make_engine
from connector.store.schema import ACTIVITY, RECORD
from connector.wiring import open_state, reconciling
from practice_org.salesforce.schema import FieldSpec
from tests.postgres import BOTH

LONG_AGO = datetime(2024, 3, 5, 7, 8, 9, tzinfo=UTC)


@pytest.fixture(params=BOTH)
def site(request, site):
    """With its state on either database."""
    if request.param == "postgresql":
        site.state = request.getfixturevalue("emptied_state")
    return site


def deals(site, number=3):
    """Not written by us, so their stamps stay."""
    day = {"StageName": "Prospecting", "CloseDate": "2027-01-31"}
    return site.org.create("Opportunity", [{"Name": f"D{n}", **day} for n in range(number)], at=LONG_AGO)


def in_state(site, statement):
    """Damages the state."""
    engine = make_engine(make_url(str(site.state) if "://" in str(site.state) else f"sqlite:///{site.state}"))
    with engine.connect().execution_options(**{WRITES: True}) as connection, connection.begin():
        connection.execute(statement)
    engine.dispose()


def lose(site, object_name, record_id):
    """No log tells of it: hidden by a sharing rule, or purged long ago."""
    site.org.delete(object_name, [record_id], hard=True)
    spec = site.org.schema.get(object_name)
    site.org.commit(spec, [("DELETE FROM _deleted WHERE id = ?", [(record_id,)])])


def known(site, ids):
    with open_state(site.settings()) as store:
        return store.records(ids)


def at_once(site):
    with site.pipeline() as pipeline:
        return run_cycle(reconciling(pipeline), kind="reconcile")


def daily(site, **settings):
    """The cycle in which it is due."""
    return site.sync(reconcile_interval=0.000001, **settings)


@pytest.mark.parametrize("way", [daily, at_once])
def test_a_row_that_the_state_lost_and_one_that_is_old_are_read_again(site, way):
    lost, old, *_ = deals(site)
    site.sync()
    in_state(site, delete(RECORD).where(RECORD.c.id == lost))
    site.org.update("Opportunity", [{"Id": old, "Name": "New"}], at=LONG_AGO + timedelta(days=40))
    assert way(site).drift == {"Opportunity": {"different": 2}}
    found = known(site, [lost, old])
    assert (found[lost]["Name"], found[old]["Name"]) == ("D0", "New")
    status = read_status(site.settings())["reconcile"]
    assert (status["last"]["drift"], status["under_way"]) == ({"Opportunity": {"different": 2}}, [])
    assert status["last"]["calls"] > 0
    assert way(site).drift == {}


def test_drift_is_told_once_and_is_over_when_a_comparison_finds_nothing(site, tmp_path):
    lost, *_ = deals(site)
    site.sync()
    in_state(site, delete(RECORD).where(RECORD.c.id == lost))
    told: list[Notice] = []
    for _ in range(4):  # the first of these repairs it
        with site.pipeline() as pipeline:
            run_cycle(reconciling(pipeline), kind="reconcile")
            Watch(pipeline, tmp_path / "beat", told.append).after_cycle()
            Watch(pipeline, tmp_path / "beat", told.append).after_cycle()
    assert [(each.alert, each.began) for each in told] == [("drift", True), ("drift", False)]


def test_an_activity_that_the_state_lost_is_found_by_its_id(site):
    [ada] = site.contacts(1)
    [call] = site.org.create("Task", [{"Subject": "Call", "TaskSubtype": "Call", "WhoId": ada}], at=LONG_AGO)
    site.sync()
    in_state(site, delete(ACTIVITY))
    assert daily(site).drift == {"Task": {"different": 1}}
    with open_state(site.settings()) as store:
        assert list(store.told_of_activities([call])) == [call]


def test_old_activities_that_left_the_state_are_not_missed_in_it(site):
    [ada] = site.contacts(1)
    calls = [{"Subject": "Call", "TaskSubtype": "Call", "WhoId": ada} for _ in range(5)]
    made = [site.org.create("Task", [call], at=LONG_AGO + timedelta(days=n))[0] for n, call in enumerate(calls)]
    site.sync(evidence_days=100)
    assert daily(site, evidence_days=100).drift == {}
    with open_state(site.settings()) as store:
        assert list(store.told_of_activities(made)) == [made[0], made[-1]]


def test_what_is_not_shown_any_more_is_no_deletion_where_the_log_would_tell_of_one(site):
    hidden, *_ = deals(site)
    site.sync()
    lose(site, "Opportunity", hidden)
    report = daily(site)
    assert (report.drift, report.unseen, report.exit_code) == ({}, {"Opportunity": 1}, 3)
    assert list(known(site, [hidden])) == [hidden]


def test_where_the_log_does_not_reach_back_a_few_rows_are_gone(site):
    purged, *_ = deals(site)
    site.sync()
    lose(site, "Opportunity", purged)
    with site.pipeline() as pipeline:
        cursor = pipeline.store.cursor("Opportunity")
        pipeline.store.set_cursor("Opportunity", {**cursor, "full_at": LONG_AGO.isoformat()})
        report = run_cycle(reconciling(pipeline))
    assert report.drift == {"Opportunity": {"gone": 1}}
    assert known(site, [purged]) == {}


def test_a_role_that_left_unseen_is_gone_where_its_deal_is_seen(site):
    [ada], [deal, *_] = site.contacts(1), deals(site)
    [role] = site.org.create("OpportunityContactRole", [{"OpportunityId": deal, "ContactId": ada}], at=LONG_AGO)
    site.sync()
    lose(site, "OpportunityContactRole", role)
    assert daily(site).drift == {"OpportunityContactRole": {"gone": 1}}
    assert known(site, [role]) == {}


def test_what_is_left_goes_on_in_the_next_cycle_and_nothing_is_asked_in_between(site):
    deals(site)
    site.sync()
    lost = deals(site, 1)
    site.sync()
    in_state(site, delete(RECORD).where(RECORD.c.id == lost[0]))
    settings = {"reconcile_interval": 0.000001, "reconcile_calls": 5}
    reports = [site.sync(**settings)]
    while (left := read_status(site.settings())["reconcile"]["under_way"]) and len(reports) < 10:
        reports.append(site.sync(**settings))
    assert (left, len(reports) > 1) == ([], True)
    assert [each.drift for each in reports if each.drift] == [{"Opportunity": {"different": 1}}]
    assert site.sync().api_calls["total"] == 2


CUSTOM = """
include: lead-liaison
records:
  Subscription__c: {person: Contact__c}
rules:
  - {name: subscribes, when: {record: {of: Subscription__c}}, then: {stage: Customer}}
"""


@pytest.fixture
def subscribed(site, tmp_path):
    """Three people with a subscription each; the org has been read."""
    lookup = FieldSpec("Contact__c", "reference", reference_to=("Contact",), relationship="Contact__r")
    site.org.define("Subscription__c", [lookup, FieldSpec("Plan__c", "string", length=40)])
    (tmp_path / "mine.yaml").write_text(CUSTOM)
    site.mine = {"mapping": str(tmp_path / "mine.yaml")}
    rows = [{"Contact__c": each} for each in site.contacts(3)]
    site.made = site.org.create("Subscription__c", rows, at=LONG_AGO)
    site.sync(**site.mine)
    return site


def test_a_row_of_an_object_of_the_mapping_s_own_that_was_lost_counts_again(subscribed):
    lost, hidden, _ = subscribed.made
    in_state(subscribed, delete(RECORD).where(RECORD.c.id == lost))
    lose(subscribed, "Subscription__c", hidden)
    report = daily(subscribed, **subscribed.mine)
    assert report.drift == {"Subscription__c": {"different": 1}}
    assert (report.unseen, report.exit_code) == ({"Subscription__c": 1}, 3)
    assert sorted(known(subscribed, subscribed.made)) == sorted(subscribed.made)
    assert set(subscribed.stages().values()) == {"Customer"}


INVITED = """
fields: {stage: {Contact: Lifecycle_Stage__c}}
stages:
  - {name: Suspect, when: {email: present}}
  - {name: Engaged, when: {activity: {kind: [call, meeting]}}}
"""


@pytest.mark.parametrize(
    ("name", "of", "link", "activity"),
    [
        ("TaskRelation", "Task", "TaskId", {"Subject": "Call", "Status": "Completed", "TaskSubtype": "Call"}),
        (
            "EventRelation",
            "Event",
            "EventId",
            {"Subject": "Demo", "StartDateTime": "2025-01-01T10:00:00Z", "DurationInMinutes": 30},
        ),
    ],
)
def test_who_else_was_there_is_found_again_by_the_ids_of_relations(site, tmp_path, name, of, link, activity):
    (tmp_path / "mine.yaml").write_text(INVITED)
    mine = {"mapping": str(tmp_path / "mine.yaml")}
    site.org.share_activities()
    ann, ben = site.contacts(2)
    [made] = site.org.create(of, [{**activity, "WhoId": ann}], at=LONG_AGO)
    [relation] = site.org.create(name, [{link: made, "RelationId": ben}], at=LONG_AGO)
    site.sync(**mine)
    assert site.stages() == {ann: "Engaged", ben: "Engaged"}
    in_state(site, delete(RECORD).where(RECORD.c.id == relation))
    assert daily(site, **mine).drift == {name: {"different": 1}}
    assert list(known(site, [relation])) == [relation]
    assert daily(site, **mine).drift == {}


def test_a_role_that_was_lost_and_one_that_is_old_count_as_they_are(site):
    people, [deal, *_] = site.contacts(2), deals(site)
    rows = [{"OpportunityId": deal, "ContactId": each} for each in people]
    lost, old = site.org.create("OpportunityContactRole", rows, at=LONG_AGO)
    site.sync()
    in_state(site, delete(RECORD).where(RECORD.c.id == lost))
    site.org.update("OpportunityContactRole", [{"Id": old, "Role": "Evaluator"}], at=LONG_AGO + timedelta(days=40))
    assert daily(site).drift == {"OpportunityContactRole": {"different": 2}}
    assert known(site, [lost, old])[old]["Role"] == "Evaluator"


def test_a_cycle_asks_no_more_than_its_share_and_its_cost_is_in_status(site):
    """Beside what an idle cycle costs, and the counts by month; drift in six objects."""
    ids = [*deals(site), *site.contacts(3)]
    site.org.create("Task", [{"Subject": "Call", "TaskSubtype": "Call", "WhoId": ids[3]}], at=LONG_AGO)
    site.sync()
    in_state(site, delete(RECORD))
    in_state(site, delete(ACTIVITY))
    settings = {"reconcile_interval": 0.000001, "reconcile_calls": 5}
    spent = []
    for _ in range(12):
        report = site.sync(**settings)
        spent.append(report.api_calls["composite"])
        if not read_status(site.settings())["reconcile"]["under_way"]:
            break
    else:
        pytest.fail("it does not come to its end")
    assert len(spent) > 1
    assert max(spent) <= 2 + 2 + 5 + 1, "one more where an object has what is not seen"
    status = read_status(site.settings())["reconcile"]["last"]
    assert sum(spent) - 2 * len(spent) - 1 <= status["calls"] <= sum(spent)
    assert len(known(site, ids)) == len(ids)


def test_where_the_day_s_calls_are_used_up_the_comparison_goes_on_the_next_day(site):
    made = deals(site)
    site.sync()
    in_state(site, delete(RECORD).where(RECORD.c.id == made[0]))
    with open_state(site.settings()) as store:
        spent = sum(store.calls_on(SystemClock().now().date())["salesforce"].values())
    with pytest.raises(LimitReached, match="budget"):
        daily(site, api_daily_budget=spent + 4)
    kept = read_status(site.settings())["reconcile"]
    assert kept["under_way"], "what it did not come to is left"
    assert not (kept["last"] or {}).get("refused")
    reports = [daily(site)]
    while read_status(site.settings())["reconcile"]["under_way"]:
        reports.append(daily(site))
    assert [each.drift for each in reports if each.drift] == [{"Opportunity": {"different": 1}}]
