"""Exports of other systems are read as they are: other column names, other times, no column for the type."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from connector.base.clock import FrozenClock
from connector.base.errors import ConfigurationError
from connector.base.facts import SourcePage
from connector.sources.columns import Columns
from connector.sources.files import FilesSource

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
BERLIN = ZoneInfo("Europe/Berlin")


def read(folder: Path, name: str, text: str, columns: str = "", time_format: str | None = None) -> SourcePage:
    file = folder / name
    file.write_text(text)
    os.utime(file, (NOW.timestamp() - 60,) * 2)
    known = Columns.from_settings(columns, time_format, {"roadshow"})
    [page] = FilesSource(folder, FrozenClock(NOW), BERLIN, {"roadshow"}, known).poll(None, NOW)
    return page


def reasons(folder: Path, name: str) -> str:
    return (folder / "quarantine" / f"{name}.jsonl").read_text()


def test_an_export_is_read_with_its_own_column_names_and_times(tmp_path: Path) -> None:
    page = read(
        tmp_path,
        "activities.csv",
        "Activity ID,Activity Date,Activity,E-Mail Address,Asset\n"
        "7,04/30/2026 02:05 PM,Form Submit,Ann@Example.com,Demo\n",
        "Activity ID=event_id, activity date = occurred_at, Activity=type, E-Mail Address=email, Asset=name",
        "%m/%d/%Y %I:%M %p",
    )
    [found] = page.activities
    assert (found.id, found.kind, found.email, found.name) == (
        "form_submit:7:ann@example.com",
        "form_submit",
        "ann@example.com",
        "Demo",
    )
    assert found.occurred_at == datetime(2026, 4, 30, 12, 5, tzinfo=UTC)
    assert found.attributes == {"type": "Form Submit"}


def test_our_own_words_are_known_in_any_case_and_others_stay_attributes(tmp_path: Path) -> None:
    page = read(
        tmp_path, "a.csv", "Event ID,Occurred At,TYPE,Email,CRM_Id,Deal Size\n7,2026-04-30,call,a@example.com,,9\n"
    )
    [found] = page.activities
    assert (found.id, found.email, found.attributes) == ("call:7:a@example.com", "a@example.com", {"Deal Size": "9"})


def test_both_forms_of_time_may_be_in_one_file(tmp_path: Path) -> None:
    rows = "e1,30.04.2026,call,a@example.com\ne2,2026-04-30T10:00:00Z,call,a@example.com\ne3,soon,call,a@example.com\n"
    page = read(tmp_path, "a.csv", "event_id,occurred_at,type,email\n" + rows, "", "%d.%m.%Y")
    assert [each.occurred_at.hour for each in page.activities] == [22, 10]
    assert "not an ISO 8601 time: soon" in reasons(tmp_path, "a.csv")


@pytest.mark.parametrize("name", ["form_submit.csv", "form_submit-May.csv", "Form_Submit 2026.csv"])
def test_a_files_name_gives_the_type_where_no_column_does(tmp_path: Path, name: str) -> None:
    page = read(tmp_path, name, "occurred_at,email\n2026-04-30,a@example.com\n")
    assert [each.kind for each in page.activities] == ["form_submit"]


def test_a_kind_of_the_mappings_own_may_be_a_files_name(tmp_path: Path) -> None:
    page = read(tmp_path, "roadshow-1.jsonl", '{"occurred_at": "2026-04-30", "email": "a@example.com"}\n')
    assert ([each.kind for each in page.activities], page.unknown) == (["roadshow"], {})


def test_a_column_for_the_type_counts_more_than_the_files_name(tmp_path: Path) -> None:
    rows = "2026-04-30,chat,a@example.com\n2026-04-30,,a@example.com\n"
    page = read(tmp_path, "call.csv", "occurred_at,type,email\n" + rows)
    assert [each.kind for each in page.activities] == ["chat"]
    assert "type is missing" in reasons(tmp_path, "call.csv")


def test_a_file_of_persons_tells_who_they_are(tmp_path: Path) -> None:
    page = read(
        tmp_path,
        "person-prospects.csv",
        "Prospect ID,Email,Total Score,SF Contact,Name\n"
        "7,Ann@Example.com,71,003000000000001,Ann\n,b@example.com,5,,\n,,9,,\n",
        "Prospect ID=event_id, Total Score=score, SF Contact=sf_contact_id",
    )
    ann, bob = page.prospects
    assert (ann.source, ann.id, ann.email, ann.crm_id) == ("files", "7", "ann@example.com", "003000000000001AAA")
    assert ann.attributes == {"score": "71", "name": "Ann"}
    assert (bob.id, bob.attributes) == ("b@example.com", {"score": "5"})
    assert "says nobody" in reasons(tmp_path, "person-prospects.csv")


def test_persons_and_activities_may_share_a_file(tmp_path: Path) -> None:
    rows = "2026-04-30,call,a@example.com\n,person,a@example.com\n"
    page = read(tmp_path, "a.csv", "occurred_at,type,email\n" + rows)
    assert (len(page.activities), len(page.prospects)) == (1, 1)


@pytest.mark.parametrize(
    ("header", "columns", "reason"),
    [
        ("when,type,email", "", "no column occurred_at"),
        ("occurred_at,email", "", "no column type"),
        ("occurred_at,type,email,Email", "", "the column email twice"),
        ("occurred_at,type,email,Mail", "Mail=email", "the column email twice"),
    ],
)
def test_a_header_that_will_not_do_says_why(tmp_path: Path, header: str, columns: str, reason: str) -> None:
    page = read(tmp_path, "a.csv", f"{header}\n2026-04-30,call,a@example.com,b@example.com\n", columns)
    assert page.activities == ()
    assert reason in reasons(tmp_path, "a.csv")


@pytest.mark.parametrize("columns", ["Email", "=email", "Email="])
def test_a_setting_that_cannot_be_read_is_told(columns: str) -> None:
    with pytest.raises(ConfigurationError, match="ACTIVITY_COLUMNS"):
        Columns.from_settings(columns, None, ())
