"""Reports on what people did, where they came from and what to repair, over third-party data: each figure is what the
raw lists say, which hold every form, touch, session and role."""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from connector.base.clock import SystemClock
from connector.base.settings import explicit
from tests.data import oracle
from tests.data.data_leadforge import leadforge
from tests.data.data_olist import olist
from tests.data.datasets import Dataset, Key
from tests.data.oracle import differences, of_report
from tests.data.origins import sources
from tests.data.test_data_living import BESIDE
from tests.data.test_data_reports import SPANS, STAGES, figures
from tests.data.test_data_stages import Load, Loaded, backfill, load

__all__ = ["load"]  # the fixture


def done_by(loaded: Loaded) -> dict[str, list[tuple[datetime, str]]]:
    """Person -> when they did what, from the raw rows: by the id of a lead, or of whom it became, or by the address."""
    tables, people = loaded.dataset.tables, loaded.dataset.expected
    became = {row["Id"]: row["ConvertedContactId"] for row in tables["Lead"] if row["IsConverted"]}
    by_address = {row["Email"]: (name, row["Id"]) for name in ("Lead", "Contact") for row in tables[name]}
    done: dict[str, list[tuple[datetime, str]]] = defaultdict(list)
    for each in loaded.dataset.activities:
        if each.get("direction", "inbound") != "inbound":
            continue
        key: Key = each["crm"] if each.get("crm") else by_address[each["email"]]
        if key[0] == "Lead" and key[1] in became:
            key = "Contact", became[key[1]]
        assert key in people
        at = datetime.fromisoformat(each["occurred_at"])
        done[loaded.ids[key]].append((at, f"files {each['type']}"))
    return done


def lists_of(loaded: Loaded, name: str) -> oracle.Lists:
    state = sqlite3.connect(loaded.settings["state"].removeprefix("sqlite:///"))
    humans = oracle.humans_of(state, STAGES)
    state.close()
    since, until = (datetime.fromisoformat(each).replace(tzinfo=UTC) for each in SPANS[name])
    return oracle.Lists(humans, STAGES, sorted(BESIDE), since, until, SystemClock().now())


BUILD = [(lambda: olist(seed=14), "olist"), (leadforge, "leadforge"), (lambda: leadforge(seed=5), "leadforge")]


@pytest.mark.parametrize(("build", "name"), BUILD, ids=["olist", "leadforge", "without roles"])
def test_what_people_did_and_where_they_came_from_is_what_the_raw_lists_say(
    build: Callable[[], Dataset], name: str, load: Load
) -> None:
    loaded = load(build())
    backfill(explicit(**loaded.settings))
    done, lists = done_by(loaded), lists_of(loaded, name)
    source_of = {
        loaded.ids[object_name, row["Id"]]: str(row.get("LeadSource") or "")
        for object_name in ("Contact", "Lead")
        for row in loaded.dataset.tables[object_name]
    }
    what = [each for theirs in done.values() for each in theirs]
    told = oracle.activities(lists, what) | sources(lists, source_of, done)
    assert {key[1] for key in told if key[0] == "sources"} == {"lead source", "first touch", "last touch"}
    [report] = figures(loaded, "engagement", since=lists.since, until=lists.until, hidden=True)
    assert differences(told, of_report(report, activity=2, sources=2)) == []


@pytest.mark.parametrize(("build", "name"), BUILD, ids=["olist", "leadforge", "without roles"])
def test_what_is_to_be_repaired_and_how_the_connector_fares_is_what_the_raw_lists_say(
    build: Callable[[], Dataset], name: str, load: Load
) -> None:
    loaded = load(build())
    done = backfill(explicit(**loaded.settings))
    deals = {row["Id"]: float(row.get("Amount") or 0) for row in loaded.dataset.tables["Opportunity"]}
    bare = deals.keys() - {row["OpportunityId"] for row in loaded.dataset.tables["OpportunityContactRole"]}
    repair, health, response = figures(loaded, "repair", "health", "response")
    told = of_report(repair, deals_by_owner=1)
    assert sum(value for key, (value, _) in told.items() if key[-1] == "deals") == len(bare)
    amounts = sum(value for key, (value, _) in told.items() if key[-1] == "amount")
    assert amounts == pytest.approx(sum(deals[each] for each in bare))
    todo = {row[0]: row[1].value for row in repair.table("todo").rows}
    assert todo.pop("opportunities without contact roles") == len(bare)
    assert set(todo.values()) == {0}, "the first read refuses nobody, and nobody set anything by hand"
    cycles = of_report(health, cycles=1)
    people = len(loaded.dataset.expected)
    assert (cycles["cycles", "done", "cycles"][0], done.people_decided) == (1, people)
    assert cycles["cycles", "done", "people decided"][0] == people
    assert cycles["cycles", "done", "records written"][0] == done.written
    assert response.table("owners").rows == response.table("waiting").rows == [], "nobody was handed over"
