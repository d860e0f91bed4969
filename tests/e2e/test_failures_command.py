"""What Salesforce refused: listed with what to do, tried again, exported, and gone with its record."""

import csv
import json
import sqlite3
from contextlib import closing

import pytest

from connector.reports.advice import ADVICE, advice
from tests.e2e.shell import Shell

REFUSED = "FIELD_CUSTOM_VALIDATION_EXCEPTION"
LOCKED = "ENTITY_IS_LOCKED"


@pytest.fixture
def refusing(site, shell: Shell):
    """Ada and Bob are refused by a rule each, Cyd is not."""
    site.org.create("Contact", [{"LastName": name, "Email": f"{name}@example.com"} for name in ("Ada", "Bob", "Cyd")])
    when = "LastName = '{}'"
    site.org.faults.on("row_error", object="Contact", code=REFUSED, message="Phone is missing", when=when.format("Ada"))
    site.org.faults.on("row_error", object="Contact", code=LOCKED, message="=locked", when=when.format("Bob"))
    shell.env = site.practice.environment() | {"CONNECTOR_STATE": str(site.state)}
    assert shell("backfill").returncode == 3
    return shell


def listed(shell, *words):
    return json.loads(shell("failures", "list", "--json", *words).stdout)["failures"]


def test_each_refused_record_is_listed_with_its_link_and_what_to_do(refusing, site):
    rows = {each["code"]: each for each in listed(refusing)}
    ada = rows[REFUSED]
    assert set(rows) == {REFUSED, LOCKED}
    assert (ada["message"], ada["advice"], ada["attempts"]) == ("Phone is missing", ADVICE[REFUSED], 1)
    assert ada["link"].endswith(f"/{ada['record_id']}")
    assert ada["link"].startswith("http")
    assert ada["fields"] == "Lifecycle_Stage__c"
    assert ada["since"]
    shown = refusing("failures", "list").stdout
    assert f"1 with {REFUSED}: Phone is missing" in shown
    assert ADVICE[LOCKED] in shown.replace("\n", " ")
    assert ada["link"] in shown


def test_a_code_that_nobody_knows_has_advice_too():
    assert "message" in advice("SOMETHING_NEW")


def test_status_and_the_report_on_repair_say_what_to_do(refusing):
    groups = json.loads(refusing("status", "--json").stdout)["refused"]
    assert {each["code"]: each["advice"] for each in groups} == {code: ADVICE[code] for code in (REFUSED, LOCKED)}
    report = refusing("report", "repair", "--json").stdout
    assert ADVICE[REFUSED] in report
    assert "connector failures retry" in report


def test_one_all_or_a_code_are_tried_again(refusing, site):
    one = next(each["record_id"] for each in listed(refusing) if each["code"] == LOCKED)
    assert json.loads(refusing("failures", "retry", one[:15], "--json").stdout)["retried"] == 1
    refusing("sync")
    assert {each["code"]: each["attempts"] for each in listed(refusing)} == {REFUSED: 1, LOCKED: 2}
    assert json.loads(refusing("failures", "retry", "--code", REFUSED, "--json").stdout)["retried"] == 1
    refusing("sync")
    assert {each["code"]: each["attempts"] for each in listed(refusing)} == {REFUSED: 2, LOCKED: 2}
    site.org.faults.off("row_error")
    assert json.loads(refusing("failures", "retry", "--json").stdout)["retried"] == 2
    assert refusing("sync").returncode == 0
    assert listed(refusing) == []
    assert "refuses nothing" in refusing("failures", "list").stdout
    strange = refusing("failures", "retry", "003000000000001")
    assert (strange.returncode, "refused no write" in strange.stderr) == (2, True)


def test_they_are_exported_as_csv_and_json_and_nothing_is_overwritten(refusing):
    assert refusing("failures", "export", "all.csv").returncode == 0
    assert refusing("failures", "export", "one.json", "--code", LOCKED).returncode == 0
    with (refusing.folder / "all.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert {each["message"] for each in rows} == {"Phone is missing", "'=locked"}  # no formula
    assert {(refusing.folder / each).stat().st_mode & 0o077 for each in ("all.csv", "one.json")} == {0}
    (one,) = json.loads((refusing.folder / "one.json").read_text())
    assert (one["code"], one["advice"]) == (LOCKED, ADVICE[LOCKED])
    again = refusing("failures", "export", "all.csv")
    assert (again.returncode, "is there already" in again.stderr) == (2, True)


def test_a_row_whose_record_is_gone_leaves_by_itself(refusing, site):
    ada = next(each["record_id"] for each in listed(refusing) if each["code"] == REFUSED)
    site.org.delete("Contact", [ada])
    refusing("sync")
    assert [each["code"] for each in listed(refusing)] == [LOCKED]
    with closing(sqlite3.connect(site.state)) as state:
        assert state.execute("SELECT count(*) FROM set_aside").fetchone() == (1,)
