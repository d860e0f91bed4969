"""What HubSpot says later of rows that it told before: ties, deletions, restorations; over real HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from connector.base.clock import FrozenClock
from connector.pipeline.source_sweep import SWEEP_PAGES
from connector.sources.hubspot.ties import Ties
from connector.wiring import open_pipeline
from tests.sources.source_suite import Polls, activities
from tests.sources.test_sources_suite_hubspot import HubSpotBench
from tests.sources.test_sources_together import Site

READS = "calls,deals"
HOUR, DAY = 3600, 86_400


@pytest.fixture
def hubspot(clock: FrozenClock) -> Iterator[HubSpotBench]:
    bench = HubSpotBench(clock)
    bench.given = {"reads": ("calls",)}
    yield bench
    bench.close()


class DealsSite(Site):
    """Deals of HubSpot count, and people go back where nothing holds them."""

    def __init__(self, state: Path, clock: FrozenClock) -> None:
        super().__init__(state, clock)
        self.mapping = state.parent / "deals.yaml"
        said = "include: lead-liaison\nsources: {hubspot: {deals: opportunities}}\ngate: {stage: {direction: both}}\n"
        self.mapping.write_text(said)

    def stage_after(self, seconds: int, **more: Any) -> str | None:
        """Of Ann, one cycle later."""
        self.clock.sleep(seconds)
        self.cycle(mapping=str(self.mapping), hubspot_reads=READS, **more)
        return self.stage()

    def logged(self) -> Any:
        """Ann's last change."""
        with open_pipeline(self.practice.settings(state=str(self.state)), clock=self.clock) as pipeline:
            return pipeline.store.history(self.ann)[0]


@pytest.fixture
def site(tmp_path: Path, clock: FrozenClock) -> Iterator[DealsSite]:
    made = DealsSite(tmp_path / "state.sqlite3", clock)
    yield made
    made.close()


@pytest.mark.situation(1)
def test_a_call_and_a_deal_that_get_their_contact_late_count_after_the_next_sync(site: DealsSite) -> None:
    [call] = site.hubspot.add_engagements("calls", [{"hs_call_direction": "INBOUND"}])
    [deal] = site.hubspot.add_deals([{"dealname": "Big", "dealstage": "appointmentscheduled"}])
    assert site.stage_after(40 * 60) == "Suspect"
    site.hubspot.associate("calls", {call: [site.contact]})
    assert site.stage_after(HOUR) == "Engaged"
    site.hubspot.associate("deals", {deal: [site.contact]})
    assert site.stage_after(DAY) == "Opportunity"


@pytest.mark.situation(2)
def test_a_won_deal_and_a_call_that_are_deleted_count_no_longer(site: DealsSite) -> None:
    [call] = site.hubspot.add_engagements("calls", [{"hs_call_direction": "INBOUND", "contacts": [site.contact]}])
    [deal] = site.hubspot.add_deals([{"dealstage": "closedwon", "contacts": [site.contact]}])
    assert site.stage_after(HOUR) == "Customer"
    site.hubspot.archive([deal], "deals")
    assert site.stage_after(2 * HOUR) == "Engaged"
    told = site.logged()
    assert (told["old"], told["new"], told["rule"]) == ("Customer", "Engaged", "Engaged")
    assert "call" in str(told["evidence"])
    site.hubspot.archive([call], "calls")
    assert site.stage_after(2 * HOUR) == "Suspect"


def test_what_has_a_contact_is_asked_for_no_more_and_what_has_none_for_a_week(hubspot: HubSpotBench) -> None:
    hubspot.hub.add_engagements("calls", [{"contacts": [hubspot.ann]}, {}])
    hubspot.clock.sleep(HOUR)
    polls, asked = Polls(hubspot), []
    for seconds in (0, 60, 600, 60, 7 * DAY, 600):
        hubspot.clock.sleep(seconds)
        source = hubspot.source()
        for page in source.poll(polls.cursor, polls.now()):
            polls.cursor = page.cursor
        asked.append(source.calls().get("associations", 0))
    assert asked == [2, 0, 1, 0, 0, 0]


def test_a_thousand_without_a_contact_are_asked_for_in_one_call(hubspot: HubSpotBench) -> None:
    calls = hubspot.hub.add_engagements("calls", [{}] * 1200)
    hubspot.clock.sleep(HOUR)
    polls = Polls(hubspot)
    polls.poll()
    hubspot.hub.associate("calls", {calls[-1]: [hubspot.ann], calls[0]: [hubspot.ann]})
    hubspot.clock.sleep(HOUR)
    source = hubspot.source()
    found = activities(source.poll(polls.cursor, polls.now()))
    assert found.keys() == {f"calls:{calls[-1]}:{hubspot.ann}"}, "the first of them are left to the sweep"
    assert {name: count for name, count in source.calls().items() if name in {"associations", "late_ties"}} == {
        "associations": 1,
        "late_ties": 1,
    }


@pytest.mark.parametrize("errors", [[{"category": "TIMEOUT"}], "nonsense", ["nonsense"], [{"context": 1}]])
def test_an_answer_that_leaves_rows_out_is_certain_of_none(errors: Any) -> None:
    said = {"results": [{"from": {"id": "1"}, "to": [{"toObjectId": 7}]}], "errors": errors}
    ties = Ties(lambda *_, **__: (said, None), lambda *_: "")
    assert ties.of("calls", ["1", "2"]) == ({"1": ["7"]}, set())


def test_a_row_that_the_answer_has_an_error_for_is_not_certain() -> None:
    wrong = {"subCategory": "crm.associations.TOO_BUSY", "context": {"fromObjectId": ["2"]}}
    nobody = {"subCategory": "crm.associations.NO_ASSOCIATIONS_FOUND", "context": {"fromObjectId": ["3"]}}
    ties = Ties(lambda *_, **__: ({"results": [], "errors": [wrong, nobody]}, None), lambda *_: "")
    assert ties.of("calls", ["1", "2", "3"]) == ({}, {"1", "3"})


def test_a_long_list_of_archived_rows_is_read_seldom(hubspot: HubSpotBench) -> None:
    hubspot.hub.archive(hubspot.hub.add_engagements("calls", [{}] * 9_000), "calls")
    polls, listed = Polls(hubspot), []
    for seconds in (0, 61 * 60, 15 * 60, 15 * 60):
        hubspot.clock.sleep(seconds)
        source = hubspot.source()
        for page in source.poll(polls.cursor, polls.now()):
            polls.cursor = page.cursor
        listed.append(source.calls().get("archived", 0))
    assert listed == [91, 1, 0, 90], "90 pages are read again after 90 minutes"


@pytest.mark.situation(1)
def test_a_sweep_finds_ties_and_deletions_that_nothing_told_of_and_tells_them(site: DealsSite) -> None:
    [bob] = site.hubspot.add_contacts([{"email": "bob@example.com"}])
    calls = [{"hs_call_direction": "INBOUND", "contacts": [bob]}] * 2
    tied, purged = site.hubspot.add_engagements("calls", calls)
    site.clock.sleep(HOUR)
    assert site.stage_after(DAY) == "Suspect"
    site.hubspot.associate("calls", {tied: [site.contact]})
    with site.org.db.transaction():
        site.org.db.connection.execute("DELETE FROM hubspot_row WHERE id = ?", (purged,))
    assert site.stage_after(5 * DAY) == "Suspect", "nothing tells of either"
    site.clock.sleep(2 * DAY)
    report, _ = site.cycle(mapping=str(site.mapping), hubspot_reads=READS)
    found = report.swept["hubspot"]
    assert (found["missed"], found["gone"], found["unseen"], found["uncertain"]) == (1, 1, 0, 0)
    assert site.stage() == "Engaged"
    site.clock.sleep(DAY)
    assert site.cycle(mapping=str(site.mapping), hubspot_reads=READS)[0].swept == {}, "the next is in a week"


def test_what_may_be_hidden_stays_and_is_told(site: DealsSite) -> None:
    inbound = {"hs_call_direction": "INBOUND", "contacts": [site.contact]}
    calls = site.hubspot.add_engagements("calls", [inbound] * 30)
    site.clock.sleep(HOUR)
    assert site.stage_after(DAY) == "Engaged"
    with site.org.db.transaction():
        site.org.db.connection.execute("DELETE FROM hubspot_row WHERE id > ? AND object = 'calls'", (calls[0],))
    site.clock.sleep(8 * DAY)
    report, known = site.cycle(mapping=str(site.mapping), hubspot_reads=READS)
    assert (report.swept["hubspot"]["gone"], report.swept["hubspot"]["unseen"], known) == (0, 29, {"hubspot": 30})


def test_a_sweep_of_many_pages_goes_on_in_the_next_cycle(site: DealsSite) -> None:
    site.hubspot.add_engagements("calls", [{"contacts": [site.contact]}] * (SWEEP_PAGES * 200))
    site.clock.sleep(HOUR)
    site.stage_after(DAY)
    site.clock.sleep(8 * DAY)
    told = [site.cycle(mapping=str(site.mapping), hubspot_reads=READS)[0] for _ in range(2)]
    assert [each.swept.get("hubspot", {}).get("unseen") for each in told] == [None, 0]
    assert told[0].source_calls["hubspot"]["search"] <= SWEEP_PAGES + 4
