"""Marketo's imitation with handles to put things into it and to make it fail, for the suite and beside it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from connector.base.clock import FrozenClock
from connector.base.ports import Source
from connector.sources.marketo.source import MarketoSource
from practice_org.marketo.gate import Switches
from practice_org.marketo.system import Marketo
from practice_org.salesforce.org import PracticeOrg
from practice_org.serving.server import Server
from tests.sources.source_suite import Switch

CONTACT = "003000000000001AAA"


class MarketoBench:
    """Reads the history page by page; ``extracting`` reads it by extracts."""

    def __init__(self, clock: FrozenClock) -> None:
        self.clock = clock
        self.org = PracticeOrg(clock=clock)
        self.marketo = Marketo(self.org)
        self.server = Server(self.org, extra_routes=self.marketo.routes).start()
        self.secret = self.marketo.client_secret
        token, _ = self.marketo.tokens.issue(clock.now(), 3600)  # everybody is given the same one
        self.secrets = (self.secret, token)
        [self.lead] = self.marketo.add_leads([{"email": "Ann@Example.com", "sfdcContactId": CONTACT, "leadScore": 40}])

    def source(self) -> Source:
        return MarketoSource(self.server.url, self.marketo.client_id, self.secret, self.clock, extracts=False)

    def extracting(self) -> Source:
        return MarketoSource(self.server.url, self.marketo.client_id, self.secret, self.clock)

    def add(self, count: int) -> set[str]:
        rows = [self.row((1, 2, 101)[n % 3]) for n in range(count)]
        return {str(one) for one in self.marketo.add_activities(rows)}

    def row(self, type_: int, **more: Any) -> dict[str, Any]:
        return {"leadId": self.lead, "activityTypeId": type_, "primaryAttributeValue": "Spring", **more}

    def add_unknown(self) -> str:
        [new] = self.marketo.add_activity_types([("Shown Hologram", "Hologram", ["Colour"])])
        self.marketo.add_activities([self.row(new, attributes={"Colour": "blue"})])
        return f"{new} Shown Hologram"

    def faults(self) -> list[Switch]:
        on, off = self.org.faults.on, self.org.faults.off
        return [
            Switch("one cut off answer", lambda: on("cut_off", times=2, path="/rest/v1"), off, passes=True),
            Switch("one reset", lambda: on("reset", times=2, path="/rest/v1"), off, passes=True),
            Switch("down", lambda: on("reset", path="/rest/v1"), off),
            Switch("one outage page", lambda: on("edge", times=2, path="/rest/v1"), off, passes=True),
            Switch("system error", lambda: on("server_error", times=2, path="/rest/v1"), off, passes=True),
            Switch("invalid token", lambda: on("stale_session", times=1, path="/rest/v1"), off, passes=True),
            Switch(
                "expired token", lambda: on("stale_session", times=1, token=True, path="/rest/v1"), off, passes=True
            ),
            Switch("daily limit", lambda: self.switch(daily_limit=0), self.switch),
            Switch("always busy", lambda: self.switch(concurrency=0), self.switch),
            Switch("rate limit", lambda: self.switch(rate_limit=1), self.switch, passes=True),
            Switch("token of two seconds", lambda: self.switch(token_seconds=2), self.switch, passes=True),
            Switch("empty pages", lambda: self.switch(scan_rows=7), self.switch, passes=True),
            Switch("refused page token", self._refuse_one_token, off, passes=True),
            Switch("another secret", lambda: self._change_secret("x" * 32), lambda: self._change_secret(self.secret)),
        ]

    def switch(self, **values: int) -> None:
        self.marketo.switches = replace(Switches(), **values)

    def _refuse_one_token(self) -> None:
        self.org.faults.on("locator_expired", times=1, path="/rest/v1/activities.json")

    def _change_secret(self, secret: str) -> None:
        self.marketo.client_secret = secret
        self.marketo.tokens.expire_in(self.clock.now(), 0)

    def close(self) -> None:
        self.server.stop()
        self.org.close()
