"""Numbers of senders collide with nobody's: each fact once and as itself, over real HTTP."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from connector.base.clock import FrozenClock
from connector.base.errors import ConfigurationError
from connector.base.facts import SourcePage
from connector.commands.source_one import read_source
from connector.commands.status import read_status
from connector.pipeline.backfill import Scope, run_backfill
from connector.sources.marketo.source import MarketoSource
from connector.wiring import open_pipeline
from tests.sources.test_sources_addresses import drop
from tests.sources.test_sources_together import Site

AT = "2026-01-01T10:00:00Z"


@pytest.fixture
def site(tmp_path: Path, clock: FrozenClock) -> Iterator[Site]:
    made = Site(tmp_path / "state.sqlite3", clock)
    yield made
    made.close()


def stages(site: Site) -> dict[str, Any]:
    rows = site.org.rows("SELECT Email, Lifecycle_Stage__c FROM Contact")
    return {row["Email"].partition("@")[0]: row["Lifecycle_Stage__c"] for row in rows}


def people(site: Site, *names: str) -> None:
    site.org.create("Contact", [{"LastName": each, "Email": f"{each}@example.com"} for each in names])


def deals(site: Site, *lines: dict[str, Any]) -> dict[str, Any]:
    path = site.state.parent / "deals.yaml"
    path.write_text("include: lead-liaison\nsources: {files: {deals: opportunities}}\n")
    told = ({"occurred_at": AT, "type": "deal", "event_id": "12", **each} for each in lines)
    return {**drop(site, f"deals{len(lines)}.jsonl", *told), "mapping": str(path)}


def test_exports_that_count_from_one_and_a_webinar_with_one_id_destroy_nothing(site: Site) -> None:
    people(site, "bob", "eve")
    names = ("ann", "bob", "eve")
    forms = [{"type": "form_submit", "event_id": each, "email": "ann@example.com"} for each in ("1", "2")]
    bounces = [{"type": "email_bounce", "event_id": each, "email": "ann@example.com"} for each in ("1", "2")]
    webinar = [{"type": "event_attend", "event_id": "W1", "email": f"{each}@example.com"} for each in names]
    drop(site, "form_submit-May.jsonl", *({"occurred_at": AT, **each} for each in forms))
    drop(site, "email_bounce-May.jsonl", *({"occurred_at": AT, **each} for each in bounces))
    _, known = site.cycle(**drop(site, "webinar.jsonl", *({"occurred_at": AT, **each} for each in webinar)))
    assert known == {"files": 5}
    assert stages(site) == dict.fromkeys(names, "Engaged")


@pytest.mark.parametrize("direction", ["forward", "both"])
def test_a_deal_won_by_two_people_makes_both_customers(site: Site, direction: str) -> None:
    people(site, "bob")
    told = deals(site, *({"state": "won", "email": f"{each}@example.com"} for each in ("ann", "bob")))
    with Path(told["mapping"]).open("a") as more:
        more.write(f"gate: {{stage: {{direction: {direction}}}}}\n")
    site.cycle(**told)
    assert stages(site) == {"ann": "Customer", "bob": "Customer"}


@pytest.mark.parametrize("cycles", [1, 2])
def test_news_that_a_deal_was_made_which_come_after_it_was_won_open_nothing(site: Site, cycles: int) -> None:
    won, made = ({"state": state, "email": "ann@example.com"} for state in ("won", "open"))
    late = {**made, "occurred_at": "2026-01-03T10:00:00Z"}
    told = {}
    for lines in ([won, late],) if cycles == 1 else ([won], [late, late]):
        told = deals(site, *lines)
        with Path(told["mapping"]).open("a") as more:
            more.write("gate: {stage: {direction: both}}\n")
        site.cycle(**told)
    site.cycle(**told)
    assert stages(site) == {"ann": "Customer"}


def test_another_portal_behind_the_same_setting_is_refused_and_moves_nobody(site: Site) -> None:
    site.cycle()
    site.hubspot.portal += 1
    site.act("hubspot")
    report, known = site.cycle()
    said = report.sources_failed["hubspot"]
    assert "hubspot is the account 8900002 now, and this state holds what the account 8900001 told" in str(said)
    assert (known, site.stage()) == ({}, "Suspect")
    site.hubspot.portal -= 1
    assert site.cycle()[1] == {"hubspot": 1}


def test_a_marketo_instance_is_known_by_its_address_and_a_business_unit_by_its_id(clock: FrozenClock) -> None:
    marketo = MarketoSource("https://123-abc-456.mktorest.com", "id", "secret", clock)
    assert (marketo.account(), MarketoSource("http://127.0.0.1", "id", "x", clock).account()) == ("123-ABC-456", None)


def test_what_reached_somebody_by_two_of_their_ids_happened_once(site: Site) -> None:
    seen = {"type": "event_attend", "event_id": "W1", "occurred_at": AT, "email": "ann@example.com"}
    _, known = site.cycle(**drop(site, "webinar.jsonl", seen, {**seen, "crm_id": site.ann}))
    assert known == {"files": 1}


def test_what_two_senders_that_count_from_1_say_of_two_addresses_of_one_person_are_two_facts(site: Site) -> None:
    attended = {"type": "event_attend", "event_id": "1", "occurred_at": AT, "crm_id": site.ann}
    later = {**attended, "occurred_at": "2026-01-21T10:00:00Z", "email": "ann@example.com"}
    del later["crm_id"]
    _, known = site.cycle(**drop(site, "webinars.jsonl", attended, later))
    assert known == {"files": 2}


def backfill(site: Site, *sources: str, **more: Any) -> int:
    """Returns how many people were written."""
    with open_pipeline(site.practice.settings(state=str(site.state), **more), clock=site.clock) as pipeline:
        return run_backfill(pipeline, Scope(sources=sources)).written


def test_a_backfill_of_one_source_reads_that_one_from_its_beginning(site: Site) -> None:
    [call] = site.hubspot.add_engagements("calls", [{"hs_call_direction": "INBOUND"}])
    site.clock.sleep(8 * 86_400)
    assert backfill(site) == 1
    site.clock.sleep(8 * 86_400)
    site.cycle()
    site.hubspot.associate("calls", {call: [site.contact]})
    site.clock.sleep(3600)
    site.cycle()
    assert site.stage() == "Suspect", "nothing tells of a tie that is made after a week"
    assert backfill(site, "pardot") == 0, "another source is read again"
    with pytest.raises(ConfigurationError, match="no source hubspott is read"):
        backfill(site, "hubspott")
    assert backfill(site, "hubspot") == 1
    assert site.stage() == "Engaged"


def test_a_backfill_reads_files_again_and_counts_no_line_twice(site: Site) -> None:
    form = {"type": "form_submit", "event_id": "1", "occurred_at": AT, "email": "ann@example.com"}
    files = drop(site, "a.jsonl", form, {"type": "form_submit"})
    backfill(site, **files)
    again, known = backfill(site, **files), site.cycle(**files)[1]
    assert (again, known) == (0, {"files": 1})
    kept = (site.state.parent / "drop" / "quarantine" / "a.jsonl.jsonl").read_text()
    assert len(kept.splitlines()) == 1


FORM = {"type": "form_submit", "event_id": "1", "occurred_at": AT, "email": "ann@example.com", "name": "Demo"}
OTHER_FORM = {**FORM, "occurred_at": "2026-02-01T10:00:00Z", "name": "Pricing"}


@pytest.mark.parametrize("files", [1, 2])
def test_an_id_that_comes_back_as_something_else_loses_neither_and_is_told(site: Site, files: int) -> None:
    for number, lines in enumerate([[FORM, OTHER_FORM]] if files == 1 else [[FORM], [OTHER_FORM]]):
        report, known = site.cycle(**drop(site, f"{number}.jsonl", *lines))
    assert (known, report.same_ids, report.as_dict()["same_ids"]) == ({"files": 2}, {"files": 1}, {"files": 1})
    told = site.practice.settings(state=str(site.state))
    assert read_status(told)["same_ids"] == {"files": 1}
    assert read_source(told, "files")["same_ids"] == 1
    report, known = site.cycle(**drop(site, "again.jsonl", OTHER_FORM, FORM))
    assert (known, report.same_ids) == ({"files": 2}, {}), "whatever comes again is known"
    assert read_source(told, "files")["same_ids"] == 1


def test_two_exports_that_differ_in_nothing_but_times_are_two_facts_each(site: Site) -> None:
    site.cycle(**drop(site, "a.jsonl", FORM))
    report, known = site.cycle(**drop(site, "b.jsonl", {**FORM, "occurred_at": OTHER_FORM["occurred_at"]}))
    assert (known, report.same_ids) == ({"files": 2}, {"files": 1})


@pytest.mark.parametrize("edit", [{"occurred_at": "2026-01-01T21:00:00Z"}, {"name": "Demo 2"}])
def test_a_corrected_time_or_a_better_name_is_an_edit(site: Site, edit: dict[str, Any]) -> None:
    site.cycle(**drop(site, "a.jsonl", FORM))
    report, known = site.cycle(**drop(site, "b.jsonl", {**FORM, **edit}))
    assert (known, report.same_ids) == ({"files": 1}, {})


def test_later_news_of_a_deal_are_an_edit(site: Site) -> None:
    told = deals(site, {"state": "won", "email": "ann@example.com", "amount": 5})
    site.cycle(**told)
    again = {"state": "won", "email": "ann@example.com", "amount": 7, "occurred_at": OTHER_FORM["occurred_at"]}
    assert site.cycle(**{**told, **deals(site, again, again)})[0].same_ids == {}


def test_an_activity_of_account_engagement_that_is_another_kind_now_is_kept_beside_the_first(site: Site) -> None:
    [form] = site.pardot.add_activities([{"type": 4, "typeName": "Form", "prospectId": site.prospect}])
    site.cycle()
    site.pardot._change("visitor-activities", [{"id": form, "type": 1, "typeName": "Email"}])
    report, known = site.cycle()
    assert (known, report.same_ids) == ({"pardot": 2}, {"pardot": 1})


class Killed(BaseException):
    pass


def killed_at(boundary: int) -> Callable[[], bool]:
    """The process ends when it comes to a boundary for the nth time."""
    left = iter(range(boundary))

    def stop() -> bool:
        if next(left, None) is None:
            raise Killed
        return False

    return stop


def test_a_backfill_reads_every_source_again_also_when_it_is_killed(site: Site) -> None:
    """What is known of each is lost, and nothing tells of it; it is killed three times on its way."""
    files = drop(site, "forms.jsonl", FORM)
    for name in ("pardot", "marketo", "hubspot"):
        site.act(name)
    everything = {"files": 1, "pardot": 1, "marketo": 1, "hubspot": 1}
    assert site.cycle(**files)[1] == everything
    for _ in range(2):  # beyond what every poll looks back
        site.clock.sleep(6 * 3600)
        site.cycle(**files)
    with open_pipeline(site.practice.settings(state=str(site.state), **files), clock=site.clock) as pipeline:
        store = pipeline.store
        [ann] = store.facts_of([site.ann])
        for each in ann.activities:
            store.record_page(each.source, SourcePage(store.cursor(each.source) or {}, removed=(each.id,)))
    assert site.cycle(**files)[1] == {}, "an ordinary cycle looks at what is new"
    for boundary in (1, 3, 5):
        settings = site.practice.settings(state=str(site.state), **files)
        with (
            pytest.raises(Killed),
            open_pipeline(settings, clock=site.clock, stop=killed_at(boundary)) as pipeline,
        ):
            run_backfill(pipeline, Scope())
    backfill(site, **files)
    assert site.cycle(**files)[1] == everything
