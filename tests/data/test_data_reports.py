"""Reports over third-party data: figures are what plain SQL over the raw tables says, and open exactly those people."""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from connector.base.clock import SystemClock
from connector.base.settings import explicit
from connector.commands.reporting import Wanted, run_reports
from connector.reports.table import Figure, Report
from tests.data import oracle
from tests.data.data_leadforge import leadforge
from tests.data.data_olist import olist
from tests.data.datasets import LADDER, Dataset, Key, csv_tables, raw_folder, select
from tests.data.test_data_living import BESIDE
from tests.data.test_data_stages import Load, Loaded, backfill, load

__all__ = ["load"]  # the fixture

# When somebody came to the stage at which they stand: a deal's sellers when it was won, others with their form.
CAME = """
SELECT 'Contact' AS object, mql_id AS id, 'Customer' AS stage, substr(won_date, 1, 7) AS month
    FROM closed_deals
UNION ALL SELECT 'Lead', mql_id, 'Engaged', substr(first_contact_date, 1, 7) FROM mql
    WHERE mql_id NOT IN (SELECT mql_id FROM closed_deals)
"""
Told = dict[str, tuple[float | None, set[str]]]


def told_by(report: Report, table: str, column: str, named: int = 0) -> Told:
    """Value of column number ``named`` -> the figure, and who it is."""
    found = report.table(table)
    index = found.columns.index(column)
    return {
        str(row[named]): (cell.value, set(cell.people))
        for row in found.rows
        if isinstance(cell := row[index], Figure) and cell.value
    }


def figures(loaded: Loaded, *names: str, **wanted: object) -> list[Report]:
    return run_reports(explicit(**loaded.settings), names, Wanted(**wanted))[0]  # type: ignore[arg-type]


def expected_of(groups: Mapping[str, set[Key]], ids: Mapping[Key, str]) -> Told:
    return {name: (len(keys), {ids[key] for key in keys}) for name, keys in groups.items()}


@pytest.mark.parametrize("build", [olist, lambda: olist(seed=14), leadforge], ids=["olist", "quiet", "leadforge"])
def test_who_stands_where_is_what_the_oracle_says_and_the_books_close(build: Callable[[], Dataset], load: Load) -> None:
    loaded = load(build())
    backfill(explicit(**loaded.settings))
    standing: dict[str, set[Key]] = defaultdict(set)
    for key, stage in loaded.dataset.expected.items():
        standing[stage].add(key)
    funnel, ledger = figures(loaded, "funnel", "ledger", verify=True, hidden=True)
    assert told_by(funnel, "stages", "at the end") == expected_of(standing, loaded.ids)
    assert ledger.good, ledger.said
    weeks = [row for row in ledger.table("weeks").rows if row[1] in LADDER]
    for row in weeks:
        opening, entered, left, closing = (cell.value or 0 for cell in row[2:6] if isinstance(cell, Figure))
        assert opening + entered - left == closing, row


def test_who_came_in_which_month_as_what_is_what_the_raw_tables_say(load: Load) -> None:
    raw: sqlite3.Connection = csv_tables(raw_folder("olist"), ("mql", "closed_deals"))
    came = select(raw, CAME)
    raw.close()
    loaded = load(olist())
    expected = loaded.dataset.expected  # who has no address is not engaged, whatever they sent
    backfill(explicit(**loaded.settings))
    for month, after in (("2017-12", "2018-01"), ("2018-01", "2018-02"), ("2018-05", "2018-06")):
        since, until = (datetime.fromisoformat(f"{each}-01").replace(tzinfo=UTC) for each in (month, after))
        theirs = [row for row in came if row["month"] == month and expected[row["object"], row["id"]] == row["stage"]]
        stages: dict[str, set[Key]] = defaultdict(set)
        for row in theirs:
            stages[row["stage"]].add((row["object"], row["id"]))
        [funnel] = figures(loaded, "funnel", since=since, until=until)
        entered = told_by(funnel, "stages", "entered")
        assert {name: entered.get(name) for name in stages} == expected_of(stages, loaded.ids)
        assert stages
        [apart] = figures(loaded, "funnel", since=since, until=until, by="object")
        for object_name, stage in (("Contact", "Customer"), ("Lead", "Engaged")):
            part = [row[1:] for row in apart.table("stages").rows if row[0] == object_name]
            table = replace(funnel.table("stages"), rows=part)
            found = told_by(Report("funnel", "", [table]), "stages", "entered")
            assert found.get(stage) == expected_of(stages, loaded.ids).get(stage)


STAGES = [each for each in LADDER if each not in BESIDE]
SPANS = {"olist": ("2017-11-08", "2018-02-20"), "leadforge": ("2024-02-05", "2024-06-12")}


@pytest.mark.parametrize(("build", "name"), [(olist, "olist"), (leadforge, "leadforge")], ids=["olist", "leadforge"])
def test_every_report_of_stages_is_what_lists_say(build: Callable[[], Dataset], name: str, load: Load) -> None:
    loaded = load(build())
    backfill(explicit(**loaded.settings))
    state = sqlite3.connect(loaded.settings["state"].removeprefix("sqlite:///"))
    humans = oracle.humans_of(state, STAGES)
    state.close()
    now = SystemClock().now()  # everything is long past
    since, until = (datetime.fromisoformat(each).replace(tzinfo=UTC) for each in SPANS[name])
    lists = oracle.Lists(humans, STAGES, sorted(BESIDE), since, until, now)
    for report, (told, tables) in oracle.of_stages(lists, {*BESIDE, STAGES[-1]}).items():
        [found] = figures(loaded, report, since=since, until=until, hidden=True)
        assert any(value for value, _ in told.values()), report
        assert oracle.differences(told, oracle.of_report(found, **tables)) == [], report
