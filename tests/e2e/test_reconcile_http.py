"""What differs between the state and the org is found, repaired and told, whatever made it differ; over HTTP."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import create_engine, text

from connector.commands.status import read_status
from connector.pipeline.alerts import Notice, Watch
from connector.pipeline.cycle import run_cycle
from connector.wiring import open_state, reconciling

LONG_AGO = datetime(2024, 3, 5, 7, 8, 9, tzinfo=UTC)


def deals(site, number=3):
    """Not written by us, so their stamps stay."""
    day = {"StageName": "Prospecting", "CloseDate": "2027-01-31"}
    return site.org.create("Opportunity", [{"Name": f"D{n}", **day} for n in range(number)], at=LONG_AGO)


def in_state(site, statement, **values):
    """Damages the state."""
    engine = create_engine(f"sqlite:///{site.state}")
    with engine.begin() as connection:
        connection.execute(text(statement), values)
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
    in_state(site, "DELETE FROM record WHERE id = :id", id=lost)
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
    in_state(site, "DELETE FROM record WHERE id = :id", id=lost)
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
    in_state(site, "DELETE FROM activity")
    assert daily(site).drift == {"Task": {"different": 1}}
    with open_state(site.settings()) as store:
        assert list(store.told_of_activities([call])) == [call]


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
    in_state(site, "DELETE FROM record WHERE id = :id", id=lost[0])
    settings = {"reconcile_interval": 0.000001, "reconcile_calls": 5}
    reports = [site.sync(**settings)]
    while (left := read_status(site.settings())["reconcile"]["under_way"]) and len(reports) < 10:
        reports.append(site.sync(**settings))
    assert (left, len(reports) > 1) == ([], True)
    assert [each.drift for each in reports if each.drift] == [{"Opportunity": {"different": 1}}]
    assert site.sync().api_calls["total"] == 2
