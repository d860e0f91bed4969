"""Whatever happens in HubSpot, in whatever order and however late its index: in the end the source has told it all."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime

from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from connector.base.clock import FrozenClock
from connector.base.errors import Transient
from practice_org.hubspot import rows as hubspot_rows
from tests.cases import cases
from tests.sources.source_suite import Polls, standing
from tests.sources.test_sources_suite_hubspot import HubSpotBench

WITH_CONTACTS = ["contacts", "calls", "update", "archive", "merge", "meet", "cancel"]
LATE = ["nobody's call", "tie", "delete call"]
STEPS = st.sampled_from([*WITH_CONTACTS, *LATE, "poll", "break", "wait"])


class Story:
    """A bench, the contacts that are there, and what the polls told so far."""

    def __init__(self) -> None:
        self.bench = HubSpotBench(FrozenClock(datetime(2026, 5, 1, 12, tzinfo=UTC)))
        self.bench.given = {"reads": ("calls", "meetings")}
        self.bench.switch(index_lag_seconds=120)
        self.polls = Polls(self.bench)
        self.live, self.calls, self.meetings = [self.bench.ann], set[str](), dict[int, str]()
        self.nobodys, self.tied = list[int](), dict[int, str]()  # calls without a contact, and those that got Ann late

    def step(self, name: str, seconds: int) -> None:
        hub, last = self.bench.hub, self.live[-1]
        if name == "contacts":
            self.live += hub.add_contacts([{"hs_lead_status": "NEW"}] * 3)
        elif name == "calls":
            self.calls |= {f"calls:{one}:{last}" for one in hub.add_engagements("calls", [{"contacts": [last]}] * 2)}
        elif name == "update":
            hub.update_contacts([{"id": last, "hs_lead_status": "CONNECTED"}])
        elif name == "archive" and len(self.live) > 1:
            hub.archive([self.live.pop()])
        elif name == "merge" and len(self.live) > 1:
            hub.merge(self.live[0], self.live.pop())
        elif name == "meet":
            [one] = hub.add_engagements("meetings", [{"contacts": [self.live[0]]}])
            self.meetings[one] = f"meetings:{one}:{self.live[0]}"
        elif name == "cancel" and self.meetings:
            hub.update_engagements("meetings", [{"id": self.meetings.popitem()[0], "hs_meeting_outcome": "CANCELED"}])
        elif name == "nobody's call":
            self.nobodys += hub.add_engagements("calls", [{}])
        elif name == "tie" and self.nobodys:
            one = self.nobodys.pop()
            hub.associate("calls", {one: [self.live[0]]})
            self.tied[one] = f"calls:{one}:{self.live[0]}"
        elif name == "delete call" and self.tied:
            hub.archive([self.tied.popitem()[0]], "calls")
        elif name in {"poll", "break"}:
            self.poll(broken=name == "break")
        self.bench.clock.sleep(seconds)

    def poll(self, *, broken: bool = False) -> None:
        if broken:
            self.bench.org.faults.on("server_error", path="/calls/search", status=503)
        with suppress(Transient):
            self.polls.poll()
        self.bench.org.faults.off()


@settings(max_examples=cases(12), phases=(Phase.explicit, Phase.reuse, Phase.generate))  # to shrink takes minutes
@given(st.lists(st.tuples(STEPS, st.integers(0, 400)), max_size=14))
def test_in_the_end_everything_was_told(steps: list[tuple[str, int]]) -> None:
    story = Story()
    try:
        for name, seconds in steps:
            story.step(name, seconds)
        for seconds in (4000, 4000, 0):
            story.bench.clock.sleep(seconds)
            story.poll()
        rows = hubspot_rows.many(story.bench.org.db.connection, "contacts", story.live)
    finally:
        story.bench.close()
    known, taking_part = {}, set(standing(story.polls.pages))
    for page in story.polls.pages:
        known.update({each.id: each for each in page.prospects if not each.deleted})
        for gone in (*(each.id for each in page.prospects if each.deleted), *page.gone):
            known.pop(gone, None)
    assert known.keys() == {str(one) for one in story.live}
    statuses = {str(one): row.body.get("hs_lead_status") for one, row in rows.items()}
    assert {one: each.attributes.get("hs_lead_status") for one, each in known.items()} == statuses
    calls = {*story.calls, *story.tied.values()}
    assert {each for each in taking_part if each.startswith("meetings")} == set(story.meetings.values())
    assert {each.split(":")[1] for each in taking_part if each.startswith("calls")} == {c.split(":")[1] for c in calls}
