"""What it costs, as the practice org counts it."""

from datetime import timedelta

import pytest

from connector.base.errors import LimitReached
from connector.pipeline.cycle import run_cycle

SOMEBODY = "005000000000002AAA"


def test_an_idle_cycle_costs_at_most_two_calls(site):
    site.contacts(20)
    site.org.create("Lead", [{"LastName": "Lea", "Company": "Acme", "Email": "lea@example.com"}])
    site.backfill()
    site.sync()
    with site.pipeline() as pipeline:
        assert site.calls_of(lambda: run_cycle(pipeline)) <= 2
    assert site.calls_of(site.sync) <= 2  # and also as a process of its own


def test_a_thousand_changed_people_cost_four_calls(site):
    site.contacts(1000)
    with site.pipeline() as pipeline:
        pipeline.store.bind_org(pipeline.salesforce.identity())
        report = run_cycle(pipeline)
    assert report.written == 1000
    assert report.api_calls["collections"] == 3
    # Two to read, one for a second look, three to write; ten describes and the owners' names, which hold for a day.
    assert site.org.calls["total"] == 17
    assert set(site.stages().values()) == {"Suspect"}


def test_our_count_of_calls_is_the_org_s(site):
    site.contacts(2500)
    with site.pipeline() as pipeline:
        run_cycle(pipeline)
        today = pipeline.store.calls_on(pipeline.clock.now().date())["salesforce"]
    assert sum(today.values()) == site.org.calls["total"]


def test_a_spent_budget_stops_before_the_next_call(site):
    site.contacts(5)
    site.sync()
    spent = site.org.calls["total"]
    with pytest.raises(LimitReached):
        site.sync(api_daily_budget=spent)
    assert site.org.calls["total"] == spent


def test_a_cycle_after_thousands_of_writes_is_idle_once_they_have_come_back(site):
    site.contacts(2500)
    site.backfill()
    with site.pipeline() as pipeline:
        assert run_cycle(pipeline).read["Contact"] == 2500
        clock_tick(site)
        run_cycle(pipeline)
        clock_tick(site)
        assert site.calls_of(lambda: run_cycle(pipeline)) <= 2


def test_what_somebody_else_changes_beside_thousands_of_our_writes_is_read_alone(site):
    ada = site.contacts(2500)[0]
    site.backfill()
    with site.pipeline() as pipeline:
        run_cycle(pipeline)
        clock_tick(site)
        run_cycle(pipeline)
        clock_tick(site)
        us, site.org.user_id = site.org.user_id, SOMEBODY
        site.org.update("Contact", [{"Id": ada, "Email": "new@example.com"}])
        site.org.user_id = us
        clock_tick(site)
        run_cycle(pipeline)
        clock_tick(site)
        assert run_cycle(pipeline).read["Contact"] == 1  # the overlap, without what we wrote
        assert site.calls_of(lambda: run_cycle(pipeline)) <= 2
        assert pipeline.store.records([ada])[ada]["Email"] == "new@example.com"


def clock_tick(site, seconds=2):
    """The stamp of what is written next is a later one, without waiting for it."""
    site.org.clock = Ahead(site.org.clock, timedelta(seconds=seconds))


class Ahead:
    def __init__(self, clock, by):
        self._clock, self._by = clock, by

    def now(self):
        return self._clock.now() + self._by


MAPPING = """
fields:
  stage: {Contact: Lifecycle_Stage__c, Lead: Lifecycle_Stage__c}
stages:
  - {name: Suspect, when: {email: present}}
  - {name: Engaged, when: {activity: {kind: campaign_response}}}
  - {name: Marketing Qualified, when: {account: {Industry: Energy}}}
"""


def test_eight_objects_are_still_polled_with_two_calls(site, tmp_path):
    (tmp_path / "mine.yaml").write_text(MAPPING)
    mine = {"mapping": str(tmp_path / "mine.yaml")}
    account = site.org.create("Account", [{"Name": "Acme", "Industry": "Energy"}])[0]
    ada, eve = site.contacts(1, AccountId=account) + site.contacts(1)
    campaign = site.org.create("Campaign", [{"Name": "Fair"}])[0]
    site.org.create("CampaignMember", [{"CampaignId": campaign, "ContactId": eve, "HasResponded": True}])
    report = site.sync(**mine)
    assert (len(report.read), report.api_calls["composite"]) == (9, 4)  # pardot is the ninth; a second look, owners
    assert (site.stages()[ada], site.stages()[eve]) == ("Marketing Qualified", "Engaged")
    assert site.calls_of(lambda: site.sync(**mine)) <= 2
