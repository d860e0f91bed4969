"""What docs/sources.md says is so."""

from __future__ import annotations

import json
import re
from pathlib import Path

from connector.facts import Activity, Direction
from connector.sources.events import activity
from connector.sources.kinds import KINDS

PAGE = (Path(__file__).parents[2] / "docs" / "sources.md").read_text()


def test_the_table_of_kinds_is_the_one_in_the_code() -> None:
    table = re.search(r"<!-- kinds -->(.*)<!-- /kinds -->", PAGE, re.DOTALL)
    assert table
    rows = [line.strip("|").split("|") for line in table.group(1).strip().splitlines()[2:]]
    for column, direction in enumerate(Direction):
        shown = {cell for row in rows if (cell := row[column].strip().strip("`"))}
        assert shown == {kind for kind, usual in KINDS.items() if usual is direction}


def test_each_sample_line_is_an_activity() -> None:
    samples = re.findall(r"```(json|csv)\n(.*?)```", PAGE, re.DOTALL)
    assert len(samples) == 3
    for language, text in samples:
        lines = text.strip().splitlines()
        if language == "json":
            records = [json.loads(line) for line in lines]
        else:
            records = [dict(zip(lines[0].split(","), line.split(","), strict=True)) for line in lines[1:]]
        for record in records:
            assert isinstance(activity("files", record, None), Activity), record
