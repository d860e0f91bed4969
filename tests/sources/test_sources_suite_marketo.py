"""Marketo keeps every promise of a source, over real HTTP with the service's own traps."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from connector.base.clock import FrozenClock
from connector.base.errors import LimitReached, Refused
from tests.sources.marketo_bench import CONTACT, MarketoBench
from tests.sources.source_suite import MANY, Bench, Polls, SourceSuite, activities, ids


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

    def test_requests_keep_below_the_limit_of_twenty_seconds(
        self, bench: MarketoBench, capsys: pytest.CaptureFixture[str]
    ) -> None:
        bench.switch(scan_rows=29)
        bench.add(MANY)
        source = bench.source()
        list(source.poll(None, bench.clock.now()))
        assert sum(source.calls().values()) > 250
        assert "asking again" not in capsys.readouterr().out, "none was refused"

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
