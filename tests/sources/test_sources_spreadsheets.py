"""Files as spreadsheets save them: read, or refused and counted."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from connector.base.clock import FrozenClock
from connector.base.facts import Activity
from connector.base.json import JsonMap
from connector.sources.columns import Columns
from connector.sources.files import FilesSource

ROWS = "Event ID;Date;Type;Email;Name;Amount\n1;05.01.2026 10:30;form_submit;ann@example.com;Für Müller;1.234,50\n"
COLUMNS = "Date=occurred_at"
FORMATS = "%d.%m.%Y %H:%M | %m/%d/%Y %I:%M %p"


class Folder:
    def __init__(self, path: Path, clock: FrozenClock) -> None:
        self.path, self.clock = path, clock
        self.cursor: JsonMap | None = None
        self.bad = 0

    def write(self, name: str, content: bytes) -> None:
        (self.path / name).write_bytes(content)
        stamp = self.clock.now().timestamp()
        os.utime(self.path / name, (stamp, stamp))
        self.clock.sleep(3600)

    def poll(self) -> list[Activity]:
        known = Columns.from_settings(COLUMNS, FORMATS, ())
        source = FilesSource(self.path, self.clock, ZoneInfo("Europe/Berlin"), (), known)
        pages = list(source.poll(self.cursor, self.clock.now()))
        self.cursor = pages[-1].cursor if pages else self.cursor
        self.bad = sum(page.bad for page in pages)
        return [each for page in pages for each in page.activities]


@pytest.fixture
def folder(tmp_path: Path, clock: FrozenClock) -> Folder:
    return Folder(tmp_path, clock)


def said(activity: Activity) -> tuple[Any, ...]:
    return activity.email, activity.name, activity.occurred_at, activity.attributes.get("Amount")


WHOLE = ("ann@example.com", "Für Müller", datetime(2026, 1, 5, 9, 30, tzinfo=UTC), "1234.50")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252", "utf-16", "utf-16-le-bom", "utf-16-be-bom"])
@pytest.mark.parametrize("top", ["", "sep=;\r\n"])
def test_a_spreadsheets_csv_is_read_whatever_its_encoding(folder: Folder, encoding: str, top: str) -> None:
    text = top + ROWS
    plain = encoding.removesuffix("-bom")
    folder.write("a.csv", ("\ufeff" + text if encoding.endswith("-bom") else text).encode(plain))
    [found] = folder.poll()
    assert (said(found), folder.bad) == (WHOLE, 0)
    assert folder.poll() == []
    more = text + ROWS.partition("\n")[2].replace("1;", "2;", 1)
    folder.write("a.csv", ("\ufeff" + more if encoding.endswith("-bom") else more).encode(plain))
    [second] = folder.poll()
    assert (second.id, said(second)) == (found.id.replace(":1:", ":2:"), WHOLE), "a file that grew goes on behind"


def test_unicode_text_with_tabs_is_read(folder: Folder) -> None:
    folder.write("a.csv", ROWS.replace(";", "\t").encode("utf-16"))
    assert [said(each) for each in folder.poll()] == [WHOLE]


def test_a_separator_that_the_file_names_is_taken(folder: Folder) -> None:
    folder.write("a.csv", ("sep=|\n" + ROWS.replace(";", "|")).encode())
    assert [said(each) for each in folder.poll()] == [WHOLE]


@pytest.mark.parametrize(
    ("written", "at"),
    [
        ("46027,4375", datetime(2026, 1, 5, 9, 30, tzinfo=UTC)),
        ("46027.4375", datetime(2026, 1, 5, 9, 30, tzinfo=UTC)),
        ("46027", datetime(2026, 1, 4, 23, 0, tzinfo=UTC)),
        ("1/5/2026 10:30 AM", datetime(2026, 1, 5, 9, 30, tzinfo=UTC)),
        ("2026-01-05T10:30:00Z", datetime(2026, 1, 5, 10, 30, tzinfo=UTC)),
    ],
)
def test_times_of_several_forms_stand_in_one_folder(folder: Folder, written: str, at: datetime) -> None:
    folder.write("a.csv", ROWS.replace("05.01.2026 10:30", written).encode())
    assert [each.occurred_at for each in folder.poll()] == [at]


def test_commas_within_numbers_stay_where_commas_divide_cells(folder: Folder) -> None:
    folder.write("a.csv", ROWS.replace("1.234,50", '"1,50"').replace(";", ",").encode())
    assert [each.attributes["Amount"] for each in folder.poll()] == ["1,50"]


def test_what_has_no_such_number_stays_as_it_is(folder: Folder) -> None:
    folder.write("a.csv", ROWS.replace("1.234,50", "1,2,3").replace("Für Müller", "1,5").encode())
    [found] = folder.poll()
    assert (found.name, found.attributes["Amount"]) == ("1,5", "1,2,3")


@pytest.mark.parametrize("wrong", [b"\x81", b"\x90\x9d"])
def test_bytes_of_no_such_text_are_counted_and_delay_nobody(folder: Folder, wrong: bytes) -> None:
    folder.write("a.csv", ROWS.encode() + b"2;05.01.2026 10:30;call;bob@example.com;" + wrong + b";1\n")
    assert [said(each) for each in folder.poll()] == [WHOLE]
    assert folder.bad == 1
    assert "neither UTF-8 nor Windows-1252" in (folder.path / "quarantine" / "a.csv.jsonl").read_text()
