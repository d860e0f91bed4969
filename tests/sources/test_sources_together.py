"""Several sources in one pipeline, over real HTTP: one that is down delays nobody else, and misses nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from connector.base.clock import FrozenClock
from connector.commands.practice import Practice, add_fields
from connector.pipeline.cycle import run_cycle
from connector.pipeline.report import CycleReport
from connector.wiring import load_mapping, open_pipeline
from practice_org.hubspot.system import HubSpot
from practice_org.marketo.system import Marketo
from practice_org.pardot.system import Pardot
from practice_org.salesforce.org import PracticeOrg
from practice_org.serving.server import Server

SYSTEMS = {"pardot": "/api/v5", "marketo": "/rest/v1", "hubspot": "/crm/"}  # and where each is asked


class Site:
    """A practice org with three marketing systems, on a clock that stands still; Ann is known to all of them."""

    def __init__(self, state: Path, clock: FrozenClock) -> None:
        self.clock, self.state = clock, state
        self.org = PracticeOrg(clock=clock)
        self.pardot, self.marketo, self.hubspot = Pardot(self.org), Marketo(self.org), HubSpot(self.org)
        routes = [route for each in (self.pardot, self.marketo, self.hubspot) for route in each.routes]
        self.server = Server(self.org, extra_routes=routes).start()
        self.practice = Practice(self.org, self.pardot, self.server.url, self.marketo, self.hubspot)
        add_fields(self.org, load_mapping(self.practice.settings(state=str(state))))
        [self.ann] = self.org.create("Contact", [{"LastName": "Ann", "Email": "ann@example.com"}])
        ann = {"email": "ann@example.com"}
        [self.prospect] = self.pardot.add_prospects([ann])
        [self.lead] = self.marketo.add_leads([ann])
        [self.contact] = self.hubspot.add_contacts([ann])

    def act(self, name: str) -> None:
        """Something that counts, in one of the systems."""
        acts: dict[str, Callable[[], Any]] = {
            "pardot": lambda: self.pardot.add_activities(
                [{"type": 4, "typeName": "Form", "prospectId": self.prospect}]
            ),
            "marketo": lambda: self.marketo.add_activities([{"leadId": self.lead, "activityTypeId": 2}]),
            "hubspot": lambda: self.hubspot.add_engagements(
                "calls", [{"hs_call_direction": "INBOUND", "contacts": [self.contact]}]
            ),
        }
        acts[name]()

    def cycle(self, **off: Any) -> tuple[CycleReport, dict[str, int]]:
        """One cycle as after a restart, and how much of Ann the state then knows, by source."""
        with open_pipeline(self.practice.settings(state=str(self.state), **off), clock=self.clock) as pipeline:
            report = run_cycle(pipeline)
            [ann] = pipeline.store.facts_of([self.ann])
        self.clock.sleep(60)
        found = [each.source for each in ann.activities]
        return report, {name: found.count(name) for name in dict.fromkeys(found)}

    def stage(self) -> str | None:
        [row] = self.org.rows(f"SELECT Lifecycle_Stage__c FROM Contact WHERE Id = '{self.ann}'")
        stage: str | None = row["Lifecycle_Stage__c"]
        return stage

    def close(self) -> None:
        self.server.stop()
        self.org.close()


@pytest.fixture
def site(tmp_path: Path, clock: FrozenClock) -> Iterator[Site]:
    made = Site(tmp_path / "state.sqlite3", clock)
    yield made
    made.close()


@pytest.mark.parametrize("down", SYSTEMS)
@pytest.mark.parametrize("how", ["reset", "daily_limit"])
def test_one_that_is_down_delays_nobody_and_misses_nothing(site: Site, down: str, how: str) -> None:
    site.cycle()
    site.org.faults.on(how, path=SYSTEMS[down])
    for name in SYSTEMS:
        site.act(name)
    report, known = site.cycle()
    assert known == {name: 1 for name in SYSTEMS if name != down}
    assert set(report.sources_failed) == {down}
    assert (report.exit_code, site.stage()) == (4, "Engaged")
    site.act(down)
    assert set(site.cycle()[0].sources_failed) == {down}, "every cycle says so"
    site.org.faults.off()
    report, known = site.cycle()
    assert known == {name: 1 + (name == down) for name in SYSTEMS}
    assert (report.sources_failed, report.exit_code) == ({}, 0)


@pytest.mark.parametrize("later", SYSTEMS)
def test_one_that_is_added_later_is_read_from_its_beginning_by_itself(site: Site, later: str) -> None:
    for name in SYSTEMS:
        site.act(name)
    site.clock.sleep(40 * 86_400)
    others = {"pardot": "pardot_url", "marketo": "marketo_url", "hubspot": "hubspot_token"}
    without: dict[str, Any] = {others[later]: None}
    if later == "marketo":
        without |= {"marketo_client_id": None, "marketo_client_secret": None}
    if later == "pardot":
        without["pardot_business_unit_id"] = None
    for _ in range(2):
        _, known = site.cycle(**without)
        assert known == {name: 1 for name in SYSTEMS if name != later}
    report, known = site.cycle()
    assert known == dict.fromkeys(SYSTEMS, 1)
    assert report.exit_code == 0


def test_all_that_are_down_leave_salesforce_at_work(site: Site) -> None:
    site.cycle()
    for path in SYSTEMS.values():
        site.org.faults.on("reset", path=path)
    [bob] = site.org.create("Contact", [{"LastName": "Bob", "Email": "bob@example.com"}])
    report, _ = site.cycle()
    assert set(report.sources_failed) == set(SYSTEMS)
    [row] = site.org.rows(f"SELECT Lifecycle_Stage__c FROM Contact WHERE Id = '{bob}'")
    assert row["Lifecycle_Stage__c"] == "Suspect"


def test_a_state_that_heard_it_bit_by_bit_knows_what_one_knows_that_hears_it_all_at_once(site: Site) -> None:
    """With persons merged, a tie made late, another address, and a source that fails in the middle."""
    for name in SYSTEMS:
        site.act(name)
    [call] = site.hubspot.add_engagements("calls", [{"hs_call_direction": "INBOUND"}])
    [private] = site.hubspot.add_contacts([{"email": "ann@private.example"}])
    site.hubspot.add_engagements("calls", [{"hs_call_direction": "INBOUND", "contacts": [private]}])
    assert site.cycle()[1] == dict.fromkeys(SYSTEMS, 1)
    site.hubspot.associate("calls", {call: [site.contact]})
    site.hubspot.merge(site.contact, private)
    site.org.faults.on("server_error", path="/calls/search", status=503)
    assert "hubspot" in site.cycle()[0].sources_failed
    site.org.faults.off()
    site.hubspot.update_contacts([{"id": site.contact, "email": "ann@new.example"}])
    site.pardot.update_prospects([{"id": site.prospect, "email": "ann@new.example"}])
    site.marketo.update_leads([{"id": site.lead, "email": "ann@new.example"}])
    site.org.update("Contact", [{"Id": site.ann, "Email": "ann@new.example"}])
    for name in SYSTEMS:
        site.act(name)
    for _ in range(3):
        site.clock.sleep(4000)
        _, known = site.cycle()
    assert known == {"pardot": 2, "marketo": 2, "hubspot": 4}
    stage, site.state = site.stage(), site.state.with_name("new.sqlite3")
    assert site.cycle()[1] == known
    assert site.stage() == stage
