"""Every payload that real systems gave is read without a crash, whatever is in it, also in files that come later.

What is read right is tested system by system; here nothing may be forgotten: a file that belongs to no reader fails.
"""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from connector.base.answers import readable
from connector.base.facts import Activity, Prospect
from connector.base.http import Judgement
from connector.salesforce.activities import campaign_member_activity, event_activity, task_activity
from connector.sources import pardot
from connector.sources.hubspot import api as hubspot_api
from connector.sources.hubspot.rows import ENGAGEMENTS, Kept, contact, email_event, engagement
from connector.sources.kinds import KINDS
from connector.sources.marketo import api as marketo_api
from connector.sources.marketo.rows import Batch, lead, lead_fields, read_rows, type_names

DATA = Path(__file__).parents[2].parent / "shared" / "data"
FILES = sorted(each for folder in ("recorded", "rows") for each in (DATA / folder).glob("*.*") if each.is_file())
NO_SOURCE = {"GET_sobjects_Organization.yaml", "LICENSE.txt", "sf_opportunity_history_data.csv"}

Read = Callable[[Any], Any]


def _engagement(name: str, row: Any) -> Any:
    return engagement(name, row, ["1"])


READERS: dict[str, tuple[Callable[[int, Any], Judgement] | None, list[Read]]] = {
    "marketo": (
        marketo_api.judge_marketo,
        [lead, lambda row: lead_fields([row]), lambda row: type_names([row]), lambda row: read_rows([row], {})],
    ),
    "pardot": (pardot.judge_pardot, [pardot.pardot_prospect, pardot.visitor_activity]),
    "hubspot": (
        hubspot_api.judge_hubspot,
        [lambda row: contact(row, Kept()), email_event, *(partial(_engagement, name) for name in ENGAGEMENTS)],
    ),
    "sf": (None, [task_activity, event_activity, campaign_member_activity]),
}


def exchanges(file: Path) -> Iterator[tuple[int, Any]]:
    """Status and body of each answer; a row of a table is a body of its own."""
    with file.open(newline="", encoding="utf-8-sig") as lines:
        if file.suffix == ".csv":
            yield from ((200, row) for row in csv.DictReader(lines))
        else:
            yield from ((row["status"], row.get("response")) for row in map(json.loads, lines))


def objects(body: Any) -> Iterator[dict[str, Any]]:
    """Every object that is in a body, at any depth."""
    if isinstance(body, dict):
        yield body
    inside = body.values() if isinstance(body, dict) else body if isinstance(body, list) else ()
    for each in inside:
        yield from objects(each)


needs_files = pytest.mark.skipif(not FILES, reason=f"no recorded payloads at {DATA}")


@needs_files
def test_every_file_has_a_reader() -> None:
    names = {each.name for each in FILES} - NO_SOURCE
    assert [name for name in sorted(names) if name.replace(".", "_").partition("_")[0] not in READERS] == []


@needs_files
@pytest.mark.parametrize("file", [each for each in FILES if each.name not in NO_SOURCE], ids=lambda each: each.name)
def test_every_recorded_payload_is_read_or_counted(file: Path) -> None:
    judge, readers = READERS[file.name.replace(".", "_").partition("_")[0]]
    rows, unread = 0, Counter[str]()
    for status, body in exchanges(file):
        if judge is not None:
            assert isinstance(judge(status, body), Judgement)
        for row in objects(body):
            rows += 1
            for read in readers:
                for found in readable(read, [row], unread, "unreadable"):
                    check(found)
    assert rows > 5


def check(found: Any) -> None:
    """Whatever a reader makes of a row can be recorded."""
    for each in found if isinstance(found, list | tuple) else [found]:
        if isinstance(each, Activity):
            assert each.kind in KINDS
            assert each.occurred_at.utcoffset() is not None
        if isinstance(each, Activity | Prospect):
            json.dumps(dict(each.attributes))
            assert each.id
        if isinstance(each, Batch):
            check(each.activities)
