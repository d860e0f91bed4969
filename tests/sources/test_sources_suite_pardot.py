"""Account Engagement keeps every promise of a source, over real HTTP with the service's own traps."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from connector.base.clock import FrozenClock
from connector.base.errors import LimitReached, Refused
from connector.base.ports import Source
from connector.base.settings import Settings
from connector.salesforce import Auth
from connector.sources.pardot import PardotSource
from practice_org.pardot.gate import Switches
from practice_org.pardot.objects import ACTIVITY_TYPES
from practice_org.pardot.system import Pardot
from practice_org.salesforce.org import PracticeOrg
from practice_org.serving.server import Server
from tests.sources.source_suite import MANY, Bench, Polls, SourceSuite, Switch, activities

NEW = 99  # an activity type of the day after tomorrow


class PardotBench:
    def __init__(self, clock: FrozenClock) -> None:
        self.clock = clock
        self.org = PracticeOrg(clock=clock)
        self.pardot = Pardot(self.org)
        self.server = Server(self.org, extra_routes=self.pardot.routes).start()
        own = self.org.credentials
        self.secrets = (own.client_secret, own.access_token)
        settings = Settings(
            salesforce_login_url=self.server.url,
            salesforce_client_id=own.client_id,
            salesforce_client_secret=own.client_secret,
        )
        self.auth = Auth(settings, clock)
        self.unit = self.pardot.business_unit_id
        [self.prospect] = self.pardot.add_prospects(
            [{"email": "Ann@Example.com", "salesforceContactId": "003000000000001AAA", "score": 40, "grade": "B+"}]
        )

    def source(self) -> Source:
        return PardotSource(self.server.url, self.unit, self.auth, self.clock)

    def add(self, count: int) -> set[str]:
        return {str(one) for one in self.pardot.add_activities([self.row(n % 2 + 1) for n in range(count)])}

    def row(self, type_: int, **more: Any) -> dict[str, Any]:
        return {"type": type_, "details": "Spring", "prospectId": self.prospect, **more}

    def add_unknown(self) -> str:
        ACTIVITY_TYPES[NEW] = ("Shown", "Hologram")
        self.pardot.add_activities([self.row(NEW)])
        del ACTIVITY_TYPES[NEW]
        return "99 Hologram"

    def faults(self) -> list[Switch]:
        on, off = self.org.faults.on, self.org.faults.off
        return [
            Switch("one cut off answer", lambda: on("cut_off", times=2, path="/api/v5"), off, passes=True),
            Switch("one reset", lambda: on("reset", times=2, path="/api/v5"), off, passes=True),
            Switch("down", lambda: on("reset", path="/api/v5"), off),
            Switch("ended session", self.org.credentials.expire, off, passes=True),
            Switch("daily limit", lambda: self.switch(daily_limit=0), self.switch),
            Switch("always busy", lambda: self.switch(concurrency=0), self.switch),
            Switch("minute limit", lambda: self.switch(minute_limit=1), self.switch, passes=True),
            Switch("moved business unit", lambda: self._move("0Uv000000000009"), lambda: self._move(self.unit)),
        ]

    def switch(self, **values: int) -> None:
        self.pardot.switches = Switches(**values)

    def _move(self, unit: str) -> None:
        self.pardot.business_unit_id = unit

    def close(self) -> None:
        self.auth.close()
        self.server.stop()
        self.org.close()


@pytest.fixture
def bench(clock: FrozenClock) -> Iterator[Bench]:
    bench = PardotBench(clock)
    yield bench
    bench.close()


class TestPardot(SourceSuite):
    """See the suite."""

    def test_prospects_come_before_the_activities_that_name_them(self, bench: PardotBench) -> None:
        bench.add(1)
        polls = Polls(bench)
        polls.poll()
        assert [(len(page.prospects), len(page.activities)) for page in polls.pages] == [(1, 0), (0, 1)]
        [found] = polls.pages[0].prospects
        assert (found.email, found.crm_id) == ("ann@example.com", "003000000000001AAA")
        assert (found.attributes["score"], found.attributes["grade"]) == (40, "B+")
        [activity] = activities(polls.pages).values()
        assert activity.prospect_id == found.id
        assert activity.occurred_at == bench.clock.now()

    def test_a_changed_and_a_deleted_prospect_are_read_again(self, bench: PardotBench) -> None:
        polls = Polls(bench)
        polls.poll()
        bench.clock.sleep(3600)
        bench.pardot.update_prospects([{"id": bench.prospect, "score": 80}])
        polls.poll()
        assert [page for page in polls.pages if page.prospects][-1].prospects[0].attributes["score"] == 80
        bench.clock.sleep(3600)
        bench.pardot.delete_prospects([bench.prospect])
        polls.poll()
        assert [page for page in polls.pages if page.prospects][-1].prospects[0].deleted

    def test_reads_from_an_old_copy_lose_nothing(self, bench: PardotBench) -> None:
        bench.switch(stale_seconds=60)
        polls, added, seen = Polls(bench), set(), set()
        for _ in range(20):
            added |= bench.add(3)
            seen |= polls.poll()
            bench.clock.sleep(25)
        bench.clock.sleep(60)
        assert seen | polls.poll() == added

    def test_a_chain_that_may_not_grow_long_loses_nothing(self, bench: PardotBench) -> None:
        bench.switch(chain_limit=1000)
        added = bench.add(MANY)
        assert Polls(bench).poll() == added

    def test_an_activity_whose_visitor_becomes_known_later_is_read_then(self, bench: PardotBench) -> None:
        [one] = bench.pardot.add_activities([bench.row(20, prospectId=None)])
        polls = Polls(bench)
        assert polls.poll() == set()
        bench.clock.sleep(7200)
        bench.pardot._change("visitor-activities", [{"id": one, "prospectId": bench.prospect}])
        assert polls.poll() == {str(one)}

    def test_after_the_daily_limit_nothing_is_asked_for_a_while(self, bench: PardotBench) -> None:
        bench.switch(daily_limit=0)
        source = bench.source()
        for _ in range(3):
            with pytest.raises(LimitReached) as caught:
                list(source.poll(None, bench.clock.now()))
        assert caught.value.code == "122"
        assert bench.pardot.gate.used == 1
        bench.clock.sleep(1000)
        bench.switch()
        assert list(source.poll(None, bench.clock.now()))

    def test_calls_are_counted_as_the_service_counts_them(self, bench: PardotBench) -> None:
        bench.add(MANY)
        source = bench.source()
        list(source.poll(None, bench.clock.now()))
        assert source.calls() == {"prospects": 1, "visitor_activities": 3}
        assert bench.pardot.gate.used == 4

    def test_a_wrong_business_unit_says_which_setting(self, bench: PardotBench) -> None:
        bench.unit = "0Uv000000000009"
        with pytest.raises(Refused) as caught:
            list(bench.source().poll(None, bench.clock.now()))
        assert "CONNECTOR_PARDOT_BUSINESS_UNIT_ID" in caught.value.hint

    def test_local_offsets_are_understood(self, bench: PardotBench) -> None:
        bench.pardot.add_activities([bench.row(4, createdAt=datetime(2026, 3, 8, 7, 30, tzinfo=UTC))])
        polls = Polls(bench)
        polls.poll()
        [found] = activities(polls.pages).values()
        assert found.occurred_at == datetime(2026, 3, 8, 7, 30, tzinfo=UTC)
