"""Marketo's sign-in, and its history by extracts: queues, quotas, lost and broken jobs, files in pieces."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from connector.base.clock import FrozenClock
from connector.base.errors import Transient
from connector.base.facts import Activity, SourcePage
from connector.sources.marketo import history as marketo_history
from connector.sources.marketo.api import MarketoApi, MarketoToken
from practice_org.marketo.gate import Switches
from tests.sources.marketo_bench import MarketoBench
from tests.sources.source_suite import activities, ids


@pytest.fixture
def bench(clock: FrozenClock) -> Iterator[MarketoBench]:
    bench = MarketoBench(clock)
    yield bench
    bench.close()


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


def test_nothing_of_a_file_counts_before_its_checksum_fits(bench: MarketoBench) -> None:
    added = {str(one) for one in bench.marketo.add_activities(
        [bench.row(2, activityDate=bench.clock.now() - timedelta(days=1, minutes=n)) for n in range(200)]
    )}  # fmt: skip
    bench.switch(spoil_files=1)
    pages: list[SourcePage] = []
    with pytest.raises(Transient, match="checksum"):
        pages.extend(bench.extracting().poll(None, bench.clock.now()))
    assert not ids(pages)
    bench.switch()
    assert ids(bench.extracting().poll(pages[-1].cursor if pages else None, bench.clock.now())) == added


def test_a_broken_piece_is_fetched_again_and_no_other(bench: MarketoBench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(marketo_history, "PIECE", 1000)
    added = {str(one) for one in bench.marketo.add_activities(
        [bench.row(2, activityDate=bench.clock.now() - timedelta(days=1, minutes=n)) for n in range(200)]
    )}  # fmt: skip
    whole = bench.extracting()
    assert ids(whole.poll(None, bench.clock.now())) == added
    fault = bench.org.faults.on("cut_off", times=3, path="file.json", after=200)
    broken = bench.extracting()
    assert ids(broken.poll(None, bench.clock.now())) == added
    assert fault.met == 3
    assert broken.calls()["export"] == whole.calls()["export"] + 3


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
    for other in list(bench.marketo.exports.jobs.values())[:10]:
        other.status = "Cancelled"
    bench.switch()
    assert ids(bench.extracting().poll(cursor, bench.clock.now())) | ids(pages) == added


def test_a_failed_job_is_made_again_but_not_for_ever(bench: MarketoBench) -> None:
    added = year(bench)
    bench.org.faults.on("slow_job", times=1, failed=True)
    pages, _ = until_read(bench)
    assert ids(pages) == added
    assert len(bench.marketo.exports.jobs) == 26
    bench.org.faults.on("slow_job", failed=True)
    with pytest.raises(Transient, match="Failed"):
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
