"""HubSpot keeps every promise of a source, over real HTTP with the service's own traps."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from connector.base.clock import FrozenClock
from connector.base.errors import ConfigurationError, LimitReached, Refused, Transient
from connector.base.facts import Direction, Prospect
from connector.base.ports import Source
from connector.sources.hubspot.rows import Kept
from connector.sources.hubspot.source import HubSpotSource
from practice_org.hubspot.gate import Switches
from practice_org.hubspot.system import HubSpot
from practice_org.salesforce.org import PracticeOrg
from practice_org.serving.server import Server
from tests.sources.source_suite import MANY, Bench, Polls, SourceSuite, Switch, activities

CONTACT = "003000000000001AAA"


class HubSpotBench:
    """``what`` is put in by the suite: calls, or e-mail events."""

    def __init__(self, clock: FrozenClock, what: str = "calls") -> None:
        self.clock, self.what = clock, what
        self.org = PracticeOrg(clock=clock)
        self.hub = HubSpot(self.org)
        self.server = Server(self.org, extra_routes=self.hub.routes).start()
        self.secrets: tuple[str, ...] = (self.hub.token,)
        self.given: dict[str, Any] = {}
        ann = {"email": "Ann@Example.com", "salesforcecontactid": CONTACT[:15], "hubspotscore": 40}
        [self.ann] = self.hub.add_contacts([{**ann, "lifecyclestage": "lead", "hs_lead_status": "NEW"}])

    def source(self) -> Source:
        return HubSpotSource(self.server.url, self.hub.token, self.clock, **self.given)

    def add(self, count: int) -> set[str]:
        if self.what == "calls":
            calls = self.hub.add_engagements("calls", [{"contacts": [self.ann]} for _ in range(count)])
            return {f"calls:{one}:{self.ann}" for one in calls}
        rows = [{"type": ("CLICK", "SENT")[place % 2], "recipient": "A@example.com"} for place in range(count)]
        created = self.hub.now()
        return {f"event:{one}:{created}" for one in self.hub.add_email_events(rows)}

    def add_unknown(self) -> str:
        if self.what == "calls":
            self.hub.add_property("hs_call_direction", object_name="calls")
            self.hub.add_engagements("calls", [{"hs_call_direction": "SIDEWAYS", "contacts": [self.ann]}])
            return "calls SIDEWAYS"
        self.hub.add_email_events([{"type": "HOLOGRAM", "recipient": "ann@example.com"}])
        return "HOLOGRAM"

    def faults(self) -> list[Switch]:
        on, off = self.org.faults.on, self.org.faults.off
        path = "/calls|/email/"
        token = self.hub.token
        return [
            Switch("one cut off answer", lambda: on("cut_off", times=2, path=path), off, passes=True),
            Switch("one reset", lambda: on("reset", times=2, path=path), off, passes=True),
            Switch("bad gateway", lambda: on("server_error", times=2, path=path, status=502), off, passes=True),
            Switch("ten seconds", lambda: on("concurrent_limit", times=3, path=path), off, passes=True),
            Switch("down", lambda: on("reset", path=path), off),
            Switch("always busy", lambda: on("concurrent_limit", path=path), off),
            Switch("daily limit", lambda: self.switch(daily_limit=1), self.switch),
            Switch("withdrawn key", lambda: setattr(self.hub, "token", "pat-other"), lambda: self._key(token)),
            Switch("slow index", lambda: self.switch(index_lag_seconds=60), self.switch, passes=True),
        ]

    def switch(self, **values: int) -> None:
        self.hub.switches = Switches(**values)

    def _key(self, token: str) -> None:
        self.hub.token = token

    def close(self) -> None:
        self.server.stop()
        self.org.close()


@pytest.fixture(params=["calls", "e-mail events"])
def bench(clock: FrozenClock, request: pytest.FixtureRequest) -> Iterator[Bench]:
    bench = HubSpotBench(clock, request.param)
    yield bench
    bench.close()


@pytest.fixture
def hubspot(clock: FrozenClock) -> Iterator[HubSpotBench]:
    bench = HubSpotBench(clock)
    yield bench
    bench.close()


class TestHubSpot(SourceSuite):
    """See the suite."""


def prospects(polls: Polls) -> dict[str, Prospect]:
    """As the store has them: the last word counts."""
    return {each.id: each for page in polls.pages for each in page.prospects}


def test_a_contact_brings_stage_status_score_and_its_salesforce_id(hubspot: HubSpotBench) -> None:
    hubspot.hub.add_property("fit_score", "number")
    hubspot.hub.update_contacts([{"id": hubspot.ann, "fit_score": 71.5}])
    hubspot.given = {"kept": Kept(score="fit_score", more=("hubspotscore",))}
    polls = Polls(hubspot)
    polls.poll()
    [found] = prospects(polls).values()
    assert (found.email, found.crm_id, found.deleted) == ("ann@example.com", CONTACT, False)
    wanted = ("lifecyclestage", "hs_lead_status", "score", "fit_score", "hubspotscore")
    assert [found.attributes[name] for name in wanted] == ["lead", "NEW", 71.5, "71.5", "40"]


def test_salesforce_ids_are_found_where_the_account_keeps_them(hubspot: HubSpotBench) -> None:
    hubspot.hub.add_property("sf_person")
    [bob] = hubspot.hub.add_contacts([{"salesforceleadid": "00Q000000000001", "sf_person": "nonsense"}])
    [eve] = hubspot.hub.add_contacts([{"salesforceleadid": "00Q000000000001", "sf_person": CONTACT}])
    hubspot.given = {"kept": Kept(crm_ids=("sf_person", "salesforceleadid"))}
    polls = Polls(hubspot)
    polls.poll()
    found = prospects(polls)
    assert (found[str(bob)].crm_id, found[str(eve)].crm_id) == ("00Q000000000001EAA", CONTACT)


def test_contacts_come_before_the_activities_that_name_them(hubspot: HubSpotBench) -> None:
    hubspot.add(1)
    polls = Polls(hubspot)
    polls.poll()
    told = [(len(page.prospects), len(page.activities)) for page in polls.pages]
    assert told[0] == (1, 0)
    assert sorted(told[1:]) == [(0, 0)] * (len(told) - 2) + [(0, 1)]


def test_more_than_ten_thousand_contacts_of_one_moment_are_read(hubspot: HubSpotBench) -> None:
    added = hubspot.hub.add_contacts([{"firstname": "x"}] * 10_300)
    hubspot.given = {"reads": ()}
    polls = Polls(hubspot)
    polls.poll()
    assert prospects(polls).keys() == {str(one) for one in (hubspot.ann, *added)}


def test_a_sweep_of_many_pages_is_followed_by_one_from_the_first_id(hubspot: HubSpotBench) -> None:
    hubspot.hub.add_contacts([{}] * 450)
    polls = Polls(hubspot)
    polls.poll()
    hubspot.clock.sleep(3600)
    hubspot.hub.update_contacts([{"id": hubspot.ann, "hs_lead_status": "CONNECTED"}])
    polls.pages.clear()
    polls.poll()
    assert prospects(polls)[str(hubspot.ann)].attributes["hs_lead_status"] == "CONNECTED"


def test_a_lagging_index_loses_nothing(hubspot: HubSpotBench) -> None:
    hubspot.switch(index_lag_seconds=240)
    hubspot.given = {"reads": ("calls",)}
    polls, added = Polls(hubspot), set()
    for _ in range(8):
        added |= hubspot.add(3)
        polls.poll()
        hubspot.clock.sleep(100)
    hubspot.clock.sleep(240)
    polls.poll()
    assert activities(polls.pages).keys() == added


def test_a_page_that_lacks_archived_rows_is_not_the_last(hubspot: HubSpotBench) -> None:
    calls = hubspot.hub.add_engagements("calls", [{"contacts": [hubspot.ann]} for _ in range(450)])
    hubspot.clock.sleep(3600)
    hubspot.switch(index_lag_seconds=60)
    hubspot.hub.archive(calls[50:150], "calls")
    assert len(Polls(hubspot).poll()) == 350


def test_a_page_of_archived_rows_alone_is_asked_for_again(hubspot: HubSpotBench) -> None:
    calls = hubspot.hub.add_engagements("calls", [{"contacts": [hubspot.ann]} for _ in range(450)])
    hubspot.clock.sleep(3600)
    hubspot.switch(index_lag_seconds=60)
    hubspot.hub.archive(calls[:300], "calls")
    polls = Polls(hubspot)
    with pytest.raises(Transient, match="archived"):
        polls.poll()
    hubspot.clock.sleep(60)
    assert len(polls.poll()) == 150


def test_archived_contacts_are_forgotten_and_keep_their_activities(hubspot: HubSpotBench) -> None:
    hubspot.hub.add_contacts([{"email": f"{place}@x.example"} for place in range(250)])
    polls = Polls(hubspot)
    polls.poll()
    hubspot.clock.sleep(1800)
    hubspot.hub.archive(range(hubspot.ann, hubspot.ann + 150))
    polls.poll()
    assert not any(each.deleted for each in prospects(polls).values()), "the list is read once an hour"
    hubspot.clock.sleep(1800)
    polls.poll()
    assert sum(each.deleted for each in prospects(polls).values()) == 150
    ann = prospects(polls)[str(hubspot.ann)]
    assert (ann.deleted, ann.email, ann.crm_id) == (True, "ann@example.com", CONTACT)
    hubspot.clock.sleep(7200)
    polls.pages.clear()
    polls.poll()
    assert prospects(polls) == {}, "told once"


def test_the_list_of_archived_contacts_goes_on_where_it_was_interrupted(hubspot: HubSpotBench) -> None:
    hubspot.hub.archive(hubspot.hub.add_contacts([{"email": f"{place}@x.example"} for place in range(250)]))
    polls = Polls(hubspot)
    hubspot.org.faults.on("server_error", path="/contacts$", status=503, times=8)
    with pytest.raises(Transient):
        polls.poll()
    polls.poll()
    assert sum(each.deleted for each in prospects(polls).values()) == 250


def test_a_merged_contact_is_the_one_it_became(hubspot: HubSpotBench) -> None:
    [old] = hubspot.hub.add_contacts([{"email": "old@example.com"}])
    polls = Polls(hubspot)
    polls.poll()
    hubspot.clock.sleep(3600)
    hubspot.hub.merge(hubspot.ann, old)
    polls.poll()
    found = prospects(polls)[str(old)]
    assert (found.deleted, found.crm_id) == (True, CONTACT)
    assert not prospects(polls)[str(hubspot.ann)].deleted


def test_engagements_tell_direction_and_outcome(hubspot: HubSpotBench) -> None:
    connected = "f240bbac-87c9-4f6e-bf70-924b57d47db7"
    rows: list[tuple[str, dict[str, Any], tuple[str, str] | None]] = [
        ("calls", {"hs_call_direction": "INBOUND"}, ("call", "inbound")),
        ("calls", {"hs_call_direction": "OUTBOUND", "hs_call_disposition": connected}, ("call", "outbound")),
        ("meetings", {"hs_meeting_outcome": "COMPLETED"}, ("meeting", "outbound")),
        ("meetings", {"hs_meeting_outcome": "NO_SHOW"}, ("meeting_no_show", "outbound")),
        ("meetings", {"hs_meeting_outcome": "CANCELED"}, None),
        ("emails", {"hs_email_direction": "EMAIL", "hs_email_status": "SENT"}, ("email_sent", "outbound")),
        ("emails", {"hs_email_direction": "EMAIL", "hs_email_status": "BOUNCED"}, ("email_bounce", "outbound")),
        ("emails", {"hs_email_direction": "EMAIL", "hs_email_status": "FAILED"}, None),
        ("emails", {"hs_email_direction": "INCOMING_EMAIL"}, ("email_reply", "inbound")),
        ("communications", {"hs_communication_channel_type": "SMS"}, ("social_message", "outbound")),
        ("tasks", {"hs_task_subject": "Look them up"}, ("task", "outbound")),
        ("notes", {"hs_note_body": "private"}, None),
    ]
    expected = {}
    for name, values, told in rows:
        [one] = hubspot.hub.add_engagements(name, [{**values, "contacts": [hubspot.ann]}])
        if told:
            expected[f"{name}:{one}:{hubspot.ann}"] = told
    polls = Polls(hubspot)
    polls.poll()
    found = activities(polls.pages)
    assert {one: (each.kind, each.direction) for one, each in found.items()} == expected
    assert [each.attributes.get("CallDisposition") for each in found.values() if each.kind == "call"] == [
        None,
        "Connected",
    ]
    assert {each.prospect_id for each in found.values()} == {str(hubspot.ann)}
    assert not any(page.unknown for page in polls.pages)


def test_a_meeting_counts_when_it_takes_place_and_is_taken_back_when_it_does_not(hubspot: HubSpotBench) -> None:
    start = datetime(2026, 6, 1, 9, tzinfo=UTC)
    [one] = hubspot.hub.add_engagements("meetings", [{"hs_meeting_start_time": start, "contacts": [hubspot.ann]}])
    polls = Polls(hubspot)
    [name] = polls.poll()
    assert activities(polls.pages)[name].occurred_at == start
    hubspot.clock.sleep(60)
    hubspot.hub.update_engagements("meetings", [{"id": one, "hs_meeting_outcome": "CANCELED"}])
    polls.pages.clear()
    polls.poll()
    assert name.startswith(f"meetings:{one}:")
    [page] = [page for page in polls.pages if page.whole]
    assert (page.whole, page.activities) == ((f"meetings:{one}",), ())


def test_deals_are_open_won_or_lost_and_are_read_only_when_asked_for(hubspot: HubSpotBench) -> None:
    closed = datetime(2026, 4, 20, 9, tzinfo=UTC)
    big = {"dealname": "Big", "amount": "1200.5", "pipeline": "default", "contacts": [hubspot.ann]}
    stages = {"appointmentscheduled": "open", "closedwon": "won", "closedlost": "lost"}
    created = hubspot.clock.now()
    ids = hubspot.hub.add_deals([{**big, "dealstage": stage, "closedate": closed} for stage in stages])
    assert Polls(hubspot).poll() == set()
    hubspot.given = {"reads": ("deals",)}
    polls = Polls(hubspot)
    polls.poll()
    found = activities(polls.pages)
    for one, (stage, state) in zip(ids, stages.items(), strict=True):
        each = found[f"deals:{one}:{hubspot.ann}"]
        assert (each.kind, each.direction, each.name) == ("deal", "outbound", "Big")
        told = {key: each.attributes[key] for key in ("state", "stage", "amount", "pipeline")}
        assert told == {"state": state, "stage": stage, "amount": "1200.5", "pipeline": "default"}
        assert each.occurred_at == (created if state == "open" else closed)
    hubspot.clock.sleep(3600)
    hubspot.hub.update_engagements("deals", [{"id": ids[0], "dealstage": "closedwon"}])
    polls.poll()
    assert activities(polls.pages)[f"deals:{ids[0]}:{hubspot.ann}"].attributes["state"] == "won"


def test_an_engagement_with_two_people_is_an_activity_of_each(hubspot: HubSpotBench) -> None:
    [bob] = hubspot.hub.add_contacts([{}])
    [one] = hubspot.hub.add_engagements("meetings", [{"contacts": [hubspot.ann, bob]}])
    assert Polls(hubspot).poll() == {f"meetings:{one}:{each}" for each in (hubspot.ann, bob)}


def test_events_of_machines_are_no_engagement_and_steps_of_delivery_no_activities(hubspot: HubSpotBench) -> None:
    unsubscribed = [{"id": 1, "status": "UNSUBSCRIBED"}]
    rows: list[dict[str, Any]] = [
        {"type": "CLICK", "filteredEvent": True},
        {"type": "CLICK", "url": "https://example.com/"},
        {"type": "OPEN"},
        {"type": "DELIVERED"},
        {"type": "STATUSCHANGE", "subscriptions": unsubscribed},
        {"type": "STATUSCHANGE", "portalSubscriptionStatus": "SUBSCRIBED"},
        {"type": "SPAMREPORT"},
    ]
    hubspot.hub.add_email_events([{"recipient": "Ann@Example.com", "id": str(i), **row} for i, row in enumerate(rows)])
    polls = Polls(hubspot)
    polls.poll()
    found = [each for _, each in sorted(activities(polls.pages).items())]
    assert [(each.kind, each.direction == Direction.INBOUND) for each in found] == [
        ("email_click", False), ("email_click", True), ("email_open", True), ("unsubscribe", False),
        ("resubscribe", False), ("spam_complaint", False),
    ]  # fmt: skip
    assert {each.email for each in found} == {"ann@example.com"}


def test_an_offset_that_died_begins_its_window_again(hubspot: HubSpotBench) -> None:
    hubspot.what = "e-mail events"
    added = hubspot.add(MANY)
    polls = Polls(hubspot)
    polls.poll()
    page = next(page for page in polls.pages if page.activities)
    place = {**page.cursor["email_events"], "offset": "dead"}
    assert Polls(hubspot, {**page.cursor, "email_events": place}).poll() == added


def test_searches_keep_below_the_limit_of_a_second(hubspot: HubSpotBench) -> None:
    hubspot.add(MANY)
    source = hubspot.source()
    list(source.poll(None, hubspot.clock.now()))
    calls = source.calls()
    assert calls == {"search": 17, "associations": 12, "archived": 6, "email_events": 1}
    assert hubspot.hub.gate.used == sum(calls.values()), "none was refused and asked again"


def test_other_searches_of_the_account_are_waited_for(hubspot: HubSpotBench) -> None:
    hubspot.switch(search_limit=1)
    assert len(hubspot.add(300) & Polls(hubspot).poll()) == 300


def test_after_the_daily_limit_nothing_is_asked_for_a_while(hubspot: HubSpotBench) -> None:
    hubspot.switch(daily_limit=1)
    source = hubspot.source()
    for _ in range(3):
        with pytest.raises(LimitReached):
            list(source.poll(None, hubspot.clock.now()))
    assert hubspot.hub.gate.used == 2
    hubspot.clock.sleep(1000)
    hubspot.switch()
    assert list(source.poll(None, hubspot.clock.now()))


def test_a_wrong_key_says_which_setting(hubspot: HubSpotBench) -> None:
    hubspot.hub.token = "pat-na1-of-somebody-else"
    with pytest.raises(Refused) as caught:
        list(HubSpotSource(hubspot.server.url, "pat-na1-old", hubspot.clock).poll(None, hubspot.clock.now()))
    assert "CONNECTOR_HUBSPOT_TOKEN" in caught.value.hint


def test_a_scope_that_is_missing_is_told_after_what_may_be_read(hubspot: HubSpotBench) -> None:
    added = hubspot.add(3)
    hubspot.hub.missing_scopes = {"content"}
    polls = Polls(hubspot)
    with pytest.raises(Refused, match="content") as caught:
        polls.poll()
    assert "CONNECTOR_HUBSPOT_READS" in caught.value.hint
    assert activities(polls.pages).keys() == added


def test_an_archived_contact_of_which_nothing_is_left_stays_who_it_was(hubspot: HubSpotBench) -> None:
    [one] = hubspot.hub.add_contacts([{}])
    hubspot.hub.archive([one])
    polls = Polls(hubspot)
    polls.poll()
    assert [each for page in polls.pages for each in page.gone] == [str(one)]
    assert str(one) not in prospects(polls)


def test_only_what_is_asked_for_is_read_and_a_misspelt_name_is_told(hubspot: HubSpotBench) -> None:
    hubspot.add(1)
    hubspot.given = {"reads": ("emails",)}
    assert Polls(hubspot).poll() == set()
    hubspot.given = {"reads": ("email",)}
    with pytest.raises(ConfigurationError, match="email"):
        hubspot.source()


def test_dated_paths_read_the_same(hubspot: HubSpotBench) -> None:
    added = hubspot.add(3)
    hubspot.given = {"version": "2026-03"}
    assert Polls(hubspot).poll() == added
