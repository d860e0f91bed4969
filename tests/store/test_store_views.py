"""Views say the same as the verbs of the store, on both databases, and every column is on the page."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path
from typing import Any

import duckdb
import pytest

from connector.base.clock import FrozenClock
from connector.base.facts import Result
from connector.base.settings import Settings
from connector.commands.exporting import run_export
from connector.store import Store, open_store
from connector.store.views import VIEW_NUMBERS, VIEWS
from tests.store.store_facts import START, answered, click, decided, page, prospect, row, settle

DOCS = Path(__file__).parent.parent.parent / "docs" / "reports.md"
MEMORY = {"at": "Engaged", "written": "Engaged", "record": "C1", "since": START.isoformat()}
HANDED = {"at": START.isoformat(), "by": "Demo", "to": "005A", "written": "005A"}
HALF_AN_EMOJI = "Ada \ud83d"


@pytest.fixture
def told(store: Store) -> Store:
    store.record_rows("Contact", [row("C1", Name="Ada", Email="ada@example.com"), row("C2", Name=HALF_AN_EMOJI)])
    store.record_page("pardot", page(click("1", crm_id="C1"), prospect("9", "alone@example.com")))
    stage = decided("Engaged", memory=MEMORY)
    settle(store, answered(store, "C1", stage, decided("005A", track="owner", memory=HANDED), result=Result.APPLIED))
    settle(store, answered(store, "C2", decided("Engaged"), result=Result.SET_ASIDE, code="NO", message="no"))
    return store


def rows(store: Store, name: str) -> list[dict[str, Any]]:
    found = store.view_rows(name)
    columns = next(found)
    return [dict(zip(columns, each, strict=True)) for each in found]


def test_people_are_those_who_are_there(told: Store) -> None:
    people = {each["person_id"]: each for each in rows(told, "report_person")}
    assert people.keys() == told.existing() == {"C1", "C2", "pardot:9"}
    assert people["C1"]["name"] == "Ada"
    assert people["C1"]["stage"] == "Engaged"
    assert people["C1"]["stage_since"] == START.isoformat()
    assert people["pardot:9"]["object"] == "Prospect"


def test_stays_are_those_of_the_reports(told: Store) -> None:
    [stay] = [each for each in rows(told, "report_stay") if each["person_id"] == "C1"]
    [same] = [each for each in told.stays() if each.person == "C1"]
    assert (stay["stage"], stay["how"], stay["moved_by"], stay["left_at"]) == (same.stage, same.how, same.by, None)


def test_days_add_up_to_who_stands_there(told: Store) -> None:
    standing = {each["stage"]: each["standing"] for each in rows(told, "report_stage_day") if each["track"] == "stage"}
    assert {stage: int(count) for stage, count in standing.items()} == {"": 1, "Engaged": 1}


def test_hand_offs_activities_and_refusals(told: Store) -> None:
    assert rows(told, "report_handoff") == [
        {"person_id": "C1", "at": START.isoformat(), "handoff": "Demo", "owner_id": "005A"}
    ]
    assert [each["kind"] for each in rows(told, "report_activity")] == ["email_click"]
    assert [(each["record_id"], each["code"]) for each in rows(told, "report_refused")] == [("C2", "NO")]


def test_every_column_is_on_the_page_and_no_other(told: Store) -> None:
    lines = re.findall(r"^\| `(report_\w+)` \|[^|]*\|(.*)\|$", DOCS.read_text(encoding="utf-8"), re.M)
    assert [name for name, _ in lines] == [*VIEWS]
    for name, columns in lines:
        assert tuple(re.findall(r"`(\w+)`", columns)) == tuple(next(told.view_rows(name))), name


def test_export_writes_what_the_views_say(tmp_path: Path, clock: FrozenClock) -> None:
    state = tmp_path / "state.sqlite3"
    with open_store(str(state), clock=clock) as store:
        store.record_rows("Contact", [row("C1", Name="=1+1", Email="ada@example.com")])
    settings = Settings(state=str(state))
    assert [count for _, count in run_export(settings, ["report_person", "report_stay"], "csv", tmp_path / "out")] == [
        1,
        0,
    ]
    with (tmp_path / "out" / "report_person.csv").open(encoding="utf-8", newline="") as file:
        [person] = csv.DictReader(file)
    assert person["name"] == "'=1+1", "a spreadsheet takes it for no formula"
    assert (tmp_path / "out" / "report_stay.csv").read_text(encoding="utf-8").startswith("person_id,line,track")
    [*_] = run_export(settings, ["report_person"], "jsonl", tmp_path / "out")
    told = json.loads((tmp_path / "out" / "report_person.jsonl").read_text(encoding="utf-8"))
    assert (told["name"], told["email"]) == ("=1+1", "ada@example.com")
    assert not [each for each in (tmp_path / "out").iterdir() if each.suffix == ".tmp"]


@pytest.fixture
def address(request: pytest.FixtureRequest, store: Store, path: Path) -> str:
    """Where the state of ``store`` is."""
    return str(path) if path.exists() else str(request.getfixturevalue("emptied_state"))


@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])
def test_another_engine_finds_the_same_rows_in_what_is_exported(
    tmp_path: Path, told: Store, address: str, kind: str
) -> None:
    files = run_export(Settings(state=address), [*VIEWS], kind, tmp_path / "out")
    for path, count in files:
        found, expected = duckdb.sql(f"SELECT * FROM '{path}'"), rows(told, path.stem)
        assert (found.columns, len(found.fetchall())) == ([*next(told.view_rows(path.stem))], count)
        if kind == "parquet":
            assert sorted(found.fetchall(), key=str) == sorted((tuple(each.values()) for each in expected), key=str)
            numbers = {name for name, kind in zip(found.columns, found.types, strict=True) if kind == "BIGINT"}
            assert numbers == VIEW_NUMBERS & {*found.columns}
    assert {each.suffix for each in (tmp_path / "out").iterdir()} == {f".{kind}"}
    assert {each.stat().st_mode & 0o777 for each in (tmp_path / "out").iterdir()} == {0o600}
