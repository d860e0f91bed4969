"""Marketo keeps every promise of a source, over real HTTP with the service's own traps."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from source_suite import MANY, Bench, Polls, SourceSuite, Switch, activities, ids

from connector.clock import FrozenClock
from connector.errors import LimitReached, Passing, Refused
from connector.facts import Activity, SourcePage
from connector.ports import Source
from connector.sandbox.marketo import Marketo
from connector.sandbox.marketo_gate import Switches
from connector.sandbox.org import PracticeOrg
from connector.sandbox.server import Server
from connector.sources import marketo_history
from connector.sources.marketo import MarketoSource
from connector.sources.marketo_api import MarketoApi, MarketoToken

CONTACT = "003000000000001AAA"


class MarketoBench:
    """Reads the history page by page; how extracts are read is told below the suite."""

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


@pytest.fixture
def bench(clock: FrozenClock) -> Iterator[Bench]:
    bench = MarketoBench(clock)
    yield bench
    bench.close()


class TestMarketo(SourceSuite):
    """See the suite."""

    def test_a_lead_comes_with_its_activities(self, bench: MarketoBench) -> None:
        bench.add(1)
        polls = Polls(bench)
        polls.poll()
        [page] = [each for each in polls.pages if each.activities]
        [found] = page.prospects
        assert (found.id, found.email, found.crm_id) == (str(bench.lead), "ann@example.com", CONTACT)
        assert found.attributes["score"] == 40
        [activity] = page.activities
        assert (activity.prospect_id, activity.kind, activity.name) == (found.id, "page_view", "Spring")
        assert activity.occurred_at == bench.clock.now()

    def test_a_new_score_is_an_activity_and_the_lead_has_it(self, bench: MarketoBench) -> None:
        polls = Polls(bench)
        polls.poll()
        bench.clock.sleep(60)
        bench.marketo.set_score(bench.lead, 80, reason="Web visit")
        polls.poll()
        [page] = [each for each in polls.pages if each.activities]
        assert page.activities[0].kind == "score_change"
        assert page.prospects[0].attributes["score"] == 80

    def test_a_changed_value_reads_the_lead_again(self, bench: MarketoBench) -> None:
        polls = Polls(bench)
        polls.poll()
        bench.clock.sleep(60)
        bench.marketo.update_leads([{"id": bench.lead, "email": "anna@example.com"}])
        place = len(polls.pages)
        assert polls.poll() == set()
        assert [one.email for page in polls.pages[place:] for one in page.prospects] == ["anna@example.com"]

    def test_a_merged_lead_is_where_its_winner_is(self, bench: MarketoBench) -> None:
        [loser] = bench.marketo.add_leads([{"email": "ann@home.example"}])
        polls = Polls(bench)
        polls.poll()
        bench.clock.sleep(60)
        bench.marketo.merge_leads(bench.lead, [loser])
        place = len(polls.pages)
        polls.poll()
        gone = {one.id: one for page in polls.pages[place:] for one in page.prospects if one.deleted}
        assert set(gone) == {str(loser)}
        assert gone[str(loser)].crm_id == CONTACT

    def test_a_lead_that_was_read_before_its_merge_was_still_gives_its_place_to_the_loser(
        self, bench: MarketoBench
    ) -> None:
        [loser] = bench.marketo.add_leads([{"email": "ann@home.example"}])
        bench.add(1)
        bench.marketo.merge_leads(bench.lead, [loser])
        bench.clock.sleep(3600)
        polls = Polls(bench)
        polls.poll()
        assert [one.id for page in polls.pages for one in page.prospects if one.deleted] == [str(loser)]

    def test_a_lead_that_changes_while_a_poll_is_under_way_is_read_again(self, bench: MarketoBench) -> None:
        scores: list[object] = []
        for page in bench.source().poll(None, bench.clock.now()):
            if not scores:
                bench.clock.sleep(1)
                bench.marketo.set_score(bench.lead, 80)
            scores += [one.attributes["score"] for one in page.prospects]
        assert scores == [40, 80]

    def test_a_deleted_lead_is_said_to_be(self, bench: MarketoBench) -> None:
        polls = Polls(bench)
        polls.poll()
        bench.clock.sleep(60)
        bench.marketo.delete_leads([bench.lead])
        polls.poll()
        assert polls.pages[-1].gone == (str(bench.lead),)

    def test_rows_that_become_visible_behind_a_token_are_read(self, bench: MarketoBench) -> None:
        polls, added, seen = Polls(bench), set(), set()
        for round_ in range(12):
            if round_ % 3 == 0:
                bench.org.faults.on("late_commits", times=1, path="/rest/v1/activities.json", seconds=300)
            added |= bench.add(3)
            seen |= polls.poll()
            bench.clock.sleep(60)
        bench.clock.sleep(3600)
        assert seen | polls.poll() == added

    def test_more_types_than_a_request_takes_are_all_read(self, bench: MarketoBench) -> None:
        bench.marketo.add_activity_types([(f"Custom {n}", "What", []) for n in range(25)])
        rows = [bench.row(type_) for type_ in bench.marketo.types if type_ >= 100_000]
        added = {str(one) for one in bench.marketo.add_activities(rows)}
        assert Polls(bench).poll() == added

    def test_a_type_that_is_made_later_is_read(self, bench: MarketoBench) -> None:
        polls = Polls(bench)
        polls.poll()
        bench.clock.sleep(7200)
        bench.add_unknown()
        assert len(polls.poll()) == 1

    def test_a_type_that_is_made_while_the_source_lives_is_read_within_the_hour(self, bench: MarketoBench) -> None:
        source = bench.source()
        [*_, last] = source.poll(None, bench.clock.now())
        bench.add_unknown()
        bench.clock.sleep(3600)
        assert len(ids(source.poll(last.cursor, bench.clock.now()))) == 1

    def test_a_page_that_leads_to_itself_ends_the_poll(self, bench: MarketoBench) -> None:
        bench.switch(scan_rows=0)
        assert len(list(bench.source().poll(None, bench.clock.now()))) < 9

    def test_an_idle_poll_costs_one_call_a_chain(self, bench: MarketoBench) -> None:
        source = bench.source()
        cursor: Any = None
        for page in source.poll(None, bench.clock.now()):
            cursor = page.cursor
        before, used = source.calls(), bench.marketo.gate.used
        bench.clock.sleep(60)
        list(source.poll(cursor, bench.clock.now()))
        spent = {kind: count - before[kind] for kind, count in source.calls().items() if count - before[kind]}
        assert spent == {"activities": len(cursor["chains"]) - 1, "deleted_leads": 1}
        assert bench.marketo.gate.used - used == sum(spent.values()) < 5

    def test_leads_of_a_page_are_asked_by_the_hundreds_and_once(self, bench: MarketoBench) -> None:
        bench.clock.sleep(-7200)
        leads = bench.marketo.add_leads([{"email": f"p{n}@example.com"} for n in range(700)])
        bench.marketo.add_activities([bench.row(2, leadId=lead) for lead in leads])
        bench.clock.sleep(7200)
        source = bench.source()
        pages = list(source.poll(None, bench.clock.now()))
        assert {one.id for page in pages for one in page.prospects} == {str(one) for one in [bench.lead, *leads]}
        assert source.calls()["leads"] <= 5

    def test_after_the_daily_limit_nothing_is_asked_for_a_while(self, bench: MarketoBench) -> None:
        bench.switch(daily_limit=0)
        source = bench.source()
        for _ in range(3):
            with pytest.raises(LimitReached) as caught:
                list(source.poll(None, bench.clock.now()))
        assert caught.value.code == "607"
        assert bench.marketo.gate.used == 1
        bench.clock.sleep(1000)
        bench.switch()
        assert list(source.poll(None, bench.clock.now()))

    def test_a_wrong_secret_says_which_setting(self, bench: MarketoBench) -> None:
        bench.marketo.client_secret = "another"
        with pytest.raises(Refused) as caught:
            list(bench.source().poll(None, bench.clock.now()))
        assert "CONNECTOR_MARKETO_CLIENT_SECRET" in caught.value.hint

    def test_a_page_token_that_is_always_refused_ends_the_poll(self, bench: MarketoBench) -> None:
        bench.org.faults.on("locator_expired", path="/rest/v1/activities.json")
        with pytest.raises(Refused) as caught:
            list(bench.source().poll(None, bench.clock.now()))
        assert caught.value.code == "1003"

    def test_page_tokens_may_die_between_polls(self, bench: MarketoBench) -> None:
        bench.switch(page_token_seconds=600)
        added, polls = bench.add(5), Polls(bench)
        seen = polls.poll()
        for _ in range(3):
            bench.clock.sleep(timedelta(minutes=12).total_seconds())
            added |= bench.add(5)
            seen |= polls.poll()
        assert seen == added == set(activities(polls.pages))

    def test_everything_is_read_through_many_short_pages(self, bench: MarketoBench) -> None:
        bench.switch(scan_rows=99)
        added = bench.add(MANY)
        assert Polls(bench).poll() == added


@pytest.fixture
def token(bench: MarketoBench) -> Iterator[MarketoToken]:
    token = MarketoToken(bench.server.url, bench.marketo.client_id, bench.secret, bench.clock, None)
    yield token
    token.close()


def test_a_refused_token_that_is_handed_out_again_is_waited_out(bench: MarketoBench, token: MarketoToken) -> None:
    stale = token.get()
    bench.marketo.tokens.expire_in(bench.clock.now(), 30)
    assert token.renew(stale) != stale


def test_a_token_is_renewed_before_it_ends(bench: MarketoBench, token: MarketoToken) -> None:
    first = token.get()
    bench.clock.sleep(3600 - 61)
    bench.marketo.tokens.expire_in(bench.clock.now(), 0)
    assert token.get() == first, "it is good for a minute and a second"
    bench.clock.sleep(1)
    assert token.get() != first


def test_long_questions_travel_in_a_form(bench: MarketoBench) -> None:
    api = MarketoApi(bench.server.url, bench.marketo.client_id, bench.secret, bench.clock, None)
    addresses = ["ann@example.com", *(f"{'x' * 40}{n}@example.com" for n in range(299))]
    found = api.get("leads.json", "leads", {"filterType": "email", "filterValues": ",".join(addresses)})
    api.close()
    assert [one["id"] for one in found["result"]] == [bench.lead]


def year(bench: MarketoBench, count: int = 60) -> set[str]:
    """Activities of a year, one in six days, of as many leads."""
    leads = bench.marketo.add_leads([{"email": f"p{n}@example.com"} for n in range(count)])
    rows = [
        bench.row(
            2, leadId=lead, activityDate=bench.clock.now() - timedelta(days=6 * n), attributes={"Note": 'a "b"\n'}
        )
        for n, lead in enumerate(leads)
    ]
    return {str(one) for one in bench.marketo.add_activities(rows)}


def until_read(bench: MarketoBench, polls: int = 9) -> tuple[list[SourcePage], Any]:
    """Pages of polls a minute apart, each by a source as after a restart, until no history is left."""
    pages: list[SourcePage] = []
    cursor: Any = None
    for _ in range(polls):
        for page in bench.extracting().poll(cursor, bench.clock.now()):
            pages.append(page)
            cursor = json.loads(json.dumps(page.cursor))
        if cursor["history"] is None:
            break
        bench.clock.sleep(60)
    return pages, cursor


def test_the_history_comes_from_extracts(bench: MarketoBench) -> None:
    added = year(bench)
    pages, cursor = until_read(bench)
    assert ids(pages) == added
    assert cursor["history"] is None
    assert {one.email for page in pages for one in page.prospects} >= {f"p{n}@example.com" for n in range(60)}
    jobs = bench.marketo.exports.jobs.values()
    assert len(jobs) == 25
    assert all(job.span[2] - job.span[1] <= timedelta(days=31).total_seconds() for job in jobs)


def test_an_extract_says_the_same_as_the_pages(bench: MarketoBench) -> None:
    year(bench)
    bench.marketo.add_activities([bench.row(11, campaignId=7, attributes={"Bot Activity": True, "Link": "/x"})])
    by_extract, _ = until_read(bench)
    by_page = list(bench.source().poll(None, bench.clock.now()))
    flat = [activities(pages) for pages in (by_extract, by_page)]
    assert [{name: _texts(one) for name, one in each.items()} for each in flat] == [
        {name: _texts(one) for name, one in flat[1].items()}
    ] * 2


def _texts(activity: Activity) -> Activity:
    """Numbers and truth values are texts in a file."""
    return replace(activity, attributes={name: str(value) for name, value in activity.attributes.items()})


def test_a_file_is_read_in_pieces_and_from_the_middle(bench: MarketoBench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(marketo_history, "PIECE", 1000)
    added = {str(one) for one in bench.marketo.add_activities(
        [bench.row(2, activityDate=bench.clock.now() - timedelta(days=1, minutes=n)) for n in range(200)]
    )}  # fmt: skip
    pages = list(bench.extracting().poll(None, bench.clock.now()))
    assert len([page for page in pages if page.activities]) > 10
    for place in range(0, len(pages), 5):
        rest = list(bench.extracting().poll(pages[place].cursor, bench.clock.now()))
        assert ids(pages[: place + 1]) | ids(rest) == added


def test_a_slow_job_is_waited_for_over_several_polls(bench: MarketoBench) -> None:
    bench.switch(job_seconds=1000)
    added = year(bench)
    pages, cursor = until_read(bench, polls=99)
    assert (ids(pages), cursor["history"]) == (added, None)
    assert len(bench.marketo.exports.jobs) == 25


def test_a_full_queue_is_waited_for(bench: MarketoBench) -> None:
    bench.marketo.switches = replace(Switches(), job_seconds=100_000)
    others = MarketoApi(bench.server.url, bench.marketo.client_id, bench.secret, bench.clock, None)
    day = {"startAt": "2026-04-01T00:00:00Z", "endAt": "2026-04-02T00:00:00Z"}
    for _ in range(10):
        job = others.export("POST", "create.json", {"filter": {"createdAt": day}})
        others.export("POST", f"{job['exportId']}/enqueue.json")
    others.close()
    added = year(bench)
    pages, cursor = until_read(bench, polls=2)
    assert cursor["history"]["job"]
    assert bench.marketo.exports.jobs[cursor["history"]["job"]].status == "Created"
    for job in list(bench.marketo.exports.jobs.values())[:10]:
        job.status = "Cancelled"
    bench.switch()
    assert ids(bench.extracting().poll(cursor, bench.clock.now())) | ids(pages) == added


def test_a_failed_job_is_made_again_but_not_for_ever(bench: MarketoBench) -> None:
    added = year(bench)
    bench.org.faults.on("slow_job", times=1, failed=True)
    pages, _ = until_read(bench)
    assert ids(pages) == added
    assert len(bench.marketo.exports.jobs) == 26
    bench.org.faults.on("slow_job", failed=True)
    with pytest.raises(Passing, match="Failed"):
        until_read(bench)
    assert len(bench.marketo.exports.jobs) == 29


def test_a_file_that_is_not_there_yet_is_asked_again(bench: MarketoBench) -> None:
    added = year(bench)
    bench.org.faults.on("locator_expired", times=2, path="/bulk")
    assert ids(until_read(bench)[0]) == added


def test_an_old_file_is_made_again(bench: MarketoBench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(marketo_history, "PIECE", 500)
    added = year(bench)
    pages: list[SourcePage] = []
    for page in bench.extracting().poll(None, bench.clock.now()):
        pages.append(page)
        if (page.cursor["history"] or {}).get("offset"):
            break
    bench.clock.sleep(timedelta(days=8).total_seconds())
    rest = list(bench.extracting().poll(pages[-1].cursor, bench.clock.now()))
    assert ids(pages) | ids(rest) == added


def test_after_the_quota_of_extracts_what_is_new_is_read_and_the_history_waits(bench: MarketoBench) -> None:
    added = year(bench)
    bench.switch(export_megabytes=0)
    pages, cursor = until_read(bench, polls=3)
    assert cursor["history"]["rest_until"]
    used = bench.marketo.gate.used
    new = bench.add(3)
    assert new <= ids(bench.extracting().poll(cursor, bench.clock.now()))
    assert bench.marketo.gate.used - used < 10
    bench.switch()
    bench.clock.sleep(7200)
    assert ids(bench.extracting().poll(cursor, bench.clock.now())) | ids(pages) == added | new


def test_who_may_not_extract_reads_page_by_page(bench: MarketoBench) -> None:
    added = year(bench)
    bench.org.faults.on("server_error", code="603", path="/bulk")
    pages, cursor = until_read(bench, polls=1)
    assert (ids(pages), cursor["history"]) == (added, None)


def test_an_extract_that_another_deleted_is_made_again(bench: MarketoBench) -> None:
    added = year(bench)
    [page] = [p for p in bench.extracting().poll(None, bench.clock.now()) if p.cursor["history"]][-1:]
    lost = {
        **page.cursor,
        "history": {**page.cursor["history"], "job": "nobody", "until": bench.clock.now().isoformat()},
    }
    assert ids(bench.extracting().poll(lost, bench.clock.now())) == added
