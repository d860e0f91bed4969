"""Files of activities: nothing is lost, nothing is read twice, what is bad is set apart with its line and reason."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connector.base.clock import FrozenClock
from connector.base.errors import ConfigurationError
from connector.base.facts import Activity, Direction
from connector.sources.files import FilesSource
from tests.cases import cases

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
OLD = NOW - timedelta(minutes=10)


class Folder:
    """A folder with a source that reads it; ``poll`` goes on from where the last one ended."""

    def __init__(self, path: Path, zone: ZoneInfo | None = None) -> None:
        self.path = path
        self.clock = FrozenClock(NOW)
        self.source = FilesSource(path, self.clock, zone)
        self.cursor: Any = None
        self.unknown: dict[str, int] = {}

    def write(self, name: str, content: bytes | str, at: datetime = OLD) -> None:
        file = self.path / name
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
        os.utime(file, (at.timestamp(), at.timestamp()))

    def append(self, name: str, content: bytes, at: datetime = OLD) -> None:
        self.write(name, (self.path / name).read_bytes() + content, at + timedelta(seconds=1))

    def poll(self) -> list[Activity]:
        found: list[Activity] = []
        for page in self.source.poll(self.cursor, NOW):
            self.cursor = json.loads(json.dumps(page.cursor))
            found += page.activities
            self.unknown.update(page.unknown)
        return found

    def ids(self) -> list[str]:
        return [each.id.split(":")[1] if ":" in each.id else each.id for each in self.poll()]

    def quarantined(self, name: str) -> list[tuple[int, str]]:
        file = self.path / "quarantine" / f"{name}.jsonl"
        lines = file.read_text().splitlines() if file.exists() else []
        return [(each["line"], each["reason"]) for each in map(json.loads, lines)]


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


def event(event_id: str, **more: Any) -> str:
    known = {
        "event_id": event_id,
        "occurred_at": "2026-04-30T10:00:00Z",
        "type": "form_submit",
        "email": "a@example.com",
    }
    return json.dumps({**known, **more}) + "\n"


def test_a_json_line_becomes_an_activity(folder: Folder) -> None:
    folder.write(
        "a.jsonl",
        event("e1", name="Demo", email=" Ann@Example.COM ", external_ids={"sf_contact_id": "003000000000001"}, page=7),
    )
    assert folder.poll() == [
        Activity(
            source="files",
            id="form_submit:e1:003000000000001AAA",
            kind="form_submit",
            direction=Direction.INBOUND,
            occurred_at=datetime(2026, 4, 30, 10, tzinfo=UTC),
            name="Demo",
            attributes={"page": 7},
            crm_id="003000000000001AAA",
            email="ann@example.com",
        )
    ]


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("bom", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_csv_is_read_whatever_its_separator_and_line_end(folder: Folder, separator: str, bom: bytes, end: str) -> None:
    rows = [
        ["event_id", "occurred_at", "type", "email", "name", "external_ids.sf_lead_id", "campaign"],
        ["e1", "2026-04-30T12:00:00+02:00", "email_click", "a@example.com", '"Spring\nnews, ""big"""', "", "C1"],
        ["e2", "2026-04-30T12:00:00+02:00", "call", "", "", "00Q000000000001EAA", ""],
    ]
    folder.write("a.csv", bom + end.join(separator.join(row) for row in rows).encode() + end.encode())
    first, second = folder.poll()
    assert (first.id.split(":")[1], first.name, first.occurred_at.hour) == ("e1", 'Spring\nnews, "big"', 10)
    assert first.attributes == {"campaign": "C1"}
    assert (second.crm_id, second.direction, second.attributes) == ("00Q000000000001EAA", Direction.OUTBOUND, {})
    assert folder.poll() == []


def test_a_file_is_read_once_and_its_appended_lines_later(folder: Folder) -> None:
    folder.write("a.jsonl", event("e1") + event("e2"))
    assert folder.ids() == ["e1", "e2"]
    assert folder.ids() == []
    folder.append("a.jsonl", event("e3").encode())
    assert folder.ids() == ["e3"]


def test_appended_csv_rows_are_read_under_the_header(folder: Folder) -> None:
    folder.write("a.csv", "event_id,occurred_at,type,email\ne1,2026-04-30T10:00:00Z,call,a@example.com\n")
    assert folder.ids() == ["e1"]
    folder.append("a.csv", b"e2,2026-04-30T10:00:00Z,call,a@example.com\n")
    assert folder.ids() == ["e2"]


def test_a_replaced_file_is_read_again(folder: Folder) -> None:
    folder.write("a.jsonl", event("e1") + event("e2"))
    folder.poll()
    folder.write("a.jsonl", event("f1") + event("f2") + event("f3"), at=OLD + timedelta(seconds=5))
    assert folder.ids() == ["f1", "f2", "f3"]


def test_a_file_that_still_grows_is_left_alone(folder: Folder) -> None:
    folder.write("a.jsonl", event("e1"), at=NOW)
    folder.write("b.jsonl.tmp", event("e2"))
    folder.write("c.part", event("e3"))
    assert folder.ids() == []
    folder.clock.sleep(3)
    assert folder.ids() == ["e1"]


def test_half_a_last_line_waits_for_its_other_half(folder: Folder) -> None:
    whole = event("e2").encode()
    folder.write("a.jsonl", event("e1").encode() + whole[:20])
    assert folder.ids() == ["e1"]
    folder.append("a.jsonl", whole[20:])
    assert folder.ids() == ["e2"]
    assert folder.quarantined("a.jsonl") == []


def test_half_a_last_line_is_quarantined_when_nobody_finishes_it(folder: Folder) -> None:
    folder.write("a.jsonl", event("e1") + '{"event_id"')
    assert folder.ids() == ["e1"]
    folder.clock.sleep(7200)
    assert folder.ids() == []
    assert [line for line, _ in folder.quarantined("a.jsonl")] == [2]
    assert folder.poll() == []
    assert len(folder.quarantined("a.jsonl")) == 1


def test_a_last_line_without_an_end_counts(folder: Folder) -> None:
    folder.write("a.jsonl", event("e1") + event("e2").rstrip())
    assert folder.ids() == ["e1", "e2"]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"{", "not JSON"),
        (b"[1]", "not a JSON object"),
        (b"\xff\xfe", "not UTF-8"),
        (b'{"a": NaN}', "NaN is no JSON value"),
        (b'{"a": 1, "a": 2}', "the key 'a' is there twice"),
        (b'{"a": -1e999}', "-1e999 is no number"),
        (b"[" * 21 + b"]" * 21, "nested too deeply"),
        (event("x", type="person", email="").encode(), "says nobody"),
        (event("x", type="").encode(), "type is missing"),
        (event("x", occurred_at=None).encode(), "occurred_at is missing"),
        (event("x", occurred_at="yesterday").encode(), "occurred_at is not an ISO 8601 time: yesterday"),
        (event("x", occurred_at="0001-01-01T00:00:00+14:00").encode(), "out of range"),
        (event("x", occurred_at="2026-04-30T10:00:00").encode(), "no time zone is set"),
        (event("x", email="").encode(), "says nobody"),
        (event("x", email="nobody").encode(), "email is not"),
        (event("x", crm_id="003").encode(), "crm_id is not a Salesforce record id"),
        (event("x", direction="sideways").encode(), "direction is neither"),
        (event("x", attributes=[1]).encode(), "attributes is not an object"),
    ],
)
def test_a_bad_line_is_quarantined_with_line_and_reason_and_delays_nobody(
    folder: Folder, line: bytes, reason: str
) -> None:
    folder.write("a.jsonl", event("e1").encode() + b"\n" + line.rstrip() + b"\n" + event("e2").encode())
    assert folder.ids() == ["e1", "e2"]
    [(number, why)] = folder.quarantined("a.jsonl")
    assert number == 3
    assert reason in why


def test_a_quote_that_is_never_closed_does_not_swallow_the_rows_behind_it(folder: Folder) -> None:
    rows = 'x,"oops,call,a@example.com\ne1,2026-04-30T10:00:00Z,call,a@example.com\nshort\n'
    folder.write("a.csv", "event_id,occurred_at,type,email\n" + rows)
    assert folder.ids() == []
    folder.clock.sleep(900)
    assert folder.ids() == ["e1"]
    assert [line for line, _ in folder.quarantined("a.csv")] == [2, 4]


def test_a_csv_without_the_needed_columns_is_quarantined_whole(folder: Folder) -> None:
    folder.write("a.csv", "id,when\n1,2\n")
    folder.write("b.jsonl", event("e1"))
    assert folder.ids() == ["e1"]
    assert folder.quarantined("a.csv") == [(1, "the header has no column occurred_at and type")]
    assert folder.poll() == []


@pytest.mark.parametrize(
    ("top", "reason"),
    [
        (b"event_id,occurred_at\rtype,email\n", "not CSV: new-line character"),  # a line end of old Macintoshes
        (b"sep=\xff\nevent_id,occurred_at,type,email\n", "the header has no column"),
        (b"event_id," + b"x" * 200_000 + b"\n", "not CSV: field larger"),
    ],
)
def test_a_csv_whose_header_cannot_be_read_is_quarantined_whole(folder: Folder, top: bytes, reason: str) -> None:
    folder.write("a.csv", top + b"1,2\n")
    folder.write("b.jsonl", event("e1"))
    assert folder.ids() == ["e1"]
    [(_, why)] = folder.quarantined("a.csv")
    assert why.startswith(reason)


def test_a_time_without_offset_is_of_the_configured_zone(tmp_path: Path) -> None:
    folder = Folder(tmp_path, ZoneInfo("Europe/Berlin"))
    folder.write("a.jsonl", event("e1", occurred_at="2026-07-01T12:00:00"))
    assert folder.poll()[0].occurred_at == datetime(2026, 7, 1, 10, tzinfo=UTC)


def test_an_unknown_type_is_kept_as_it_is_and_counted(folder: Folder) -> None:
    types = ("fax", "Fax received", "\u4f20\u771f")
    folder.write("a.jsonl", "".join(event(f"e{n}", type=type_) for n, type_ in enumerate(types)))
    first, second, third = folder.poll()
    assert (first.kind, first.direction, first.attributes) == ("fax", Direction.OUTBOUND, {})
    assert (second.kind, second.direction, second.attributes) == (
        "fax_received", Direction.OUTBOUND, {"type": "Fax received"},
    )  # fmt: skip
    assert (third.kind, third.attributes) == (types[2], {})
    assert folder.unknown == dict.fromkeys(types, 1)


def test_a_kind_in_other_letters_is_that_kind(folder: Folder) -> None:
    folder.write("a.jsonl", event("e1", type="Page View"))
    [found] = folder.poll()
    assert (found.kind, found.direction, found.attributes) == ("page_view", Direction.INBOUND, {"type": "Page View"})


def test_a_kind_that_the_mapping_declares_is_not_unknown(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    folder.source = FilesSource(tmp_path, folder.clock, None, {"fax"})
    folder.write("a.jsonl", event("e1", type="fax"))
    assert folder.poll()[0].kind == "fax"
    assert folder.unknown == {}


def test_a_missing_event_id_is_derived_and_stable(folder: Folder) -> None:
    folder.write("a.jsonl", event("", page=1) + event("", page=2))
    ids = folder.ids()
    folder.cursor = None
    assert folder.ids() == ids
    assert len(set(ids)) == 2


def test_a_missing_folder_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot be read"):
        Folder(tmp_path / "nowhere").poll()


@settings(max_examples=cases(40), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.sampled_from(["good", "bad", "blank"]), max_size=12),
    st.lists(st.integers(0, 900), max_size=6),
    st.sampled_from([".jsonl", ".csv"]),
)
def test_however_a_file_grows_each_record_is_read(
    tmp_path_factory: pytest.TempPathFactory, shapes: list[str], cuts: list[int], suffix: str
) -> None:
    folder = Folder(tmp_path_factory.mktemp("grows"))
    in_csv = '{},2026-04-30T10:00:00Z,call,a@example.com,"two\nlines"\n'
    row: Callable[[str], str] = event if suffix == ".jsonl" else in_csv.format
    lines = [{"good": row(f"e{i}"), "bad": "oops\n", "blank": "\n"}[shape] for i, shape in enumerate(shapes)]
    header = "event_id,occurred_at,type,email,name\n" if suffix == ".csv" else ""
    content = (header + "".join(lines)).encode()
    seen: list[str] = []
    for step, cut in enumerate([*sorted(cuts), len(content)]):
        folder.write(f"a{suffix}", content[:cut], at=OLD + timedelta(seconds=step))
        seen += folder.ids()
    wanted = [f"e{i}" for i, shape in enumerate(shapes) if shape == "good"]
    assert sorted(set(seen)) == sorted(wanted)
    assert len(folder.quarantined(f"a{suffix}")) == shapes.count("bad")


@pytest.mark.parametrize(
    ("columns", "state"),
    [
        ({"stage": "Closed Won"}, "won"),
        ({"stage": "Closed Lost"}, "lost"),
        ({"stage": "closed"}, "lost"),
        ({"stage": "Proposal"}, "open"),
        ({"stage": "Wondering"}, "open"),
        ({"state": "won", "stage": "7"}, "won"),
        ({"is_won": True}, "won"),
        ({"is_won": "false", "is_closed": "TRUE"}, "lost"),
        ({}, "open"),
    ],
)
def test_a_deal_is_open_won_or_lost(folder: Folder, columns: dict[str, Any], state: str) -> None:
    folder.write("deals.jsonl", event("deal-7", type="deal", **columns))
    [deal] = folder.poll()
    assert (deal.attributes["event_id"], deal.kind, deal.direction, deal.attributes["state"]) == (
        "deal-7",
        "deal",
        "outbound",
        state,
    )
