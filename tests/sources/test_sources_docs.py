"""What docs/sources.md says is so."""

from __future__ import annotations

import json
import re
from pathlib import Path

from connector.base.clock import FrozenClock
from connector.base.facts import Activity, Direction, Prospect
from connector.sources.events import read_event
from connector.sources.kinds import KINDS
from tests.sources.hook_bench import TOKEN, HookBench

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
    assert len(samples) == 4
    for language, text in samples:
        lines = text.strip().splitlines()
        if language == "json":
            records = [json.loads(line) for line in lines]
        else:
            records = [dict(zip(lines[0].split(","), line.split(","), strict=True)) for line in lines[1:]]
        for record in records:
            assert isinstance(read_event("files", record, None), Activity | Prospect), record


LEAD_LIAISON = PAGE.partition("\n## Lead Liaison\n")[2].partition("\n## ")[0]
VALUES = {
    "Email": "Ann@Example.com", "Prospect ID": "17", "name of the form": "Book a demo & more", "Score": "71",
    "Salesforce contact id": "", "Deal ID": "d-5", "Deal name": "Big one", "Amount": "12,000.50",
}  # fmt: skip


def test_the_templates_for_lead_liaison_work_as_they_stand(tmp_path: Path, clock: FrozenClock) -> None:
    """Each URL and template of the page, filled in and sent as a form, as that system does it."""
    cells = [re.findall(r"`([^`]+)`", line) for line in LEAD_LIAISON.splitlines() if line.startswith("|")]
    [[address]] = [each for each in cells if each and each[0].startswith("https://")]
    [[first]] = [each for each in cells if each and each[0].startswith("email=")]
    path = address.partition("example.com")[2].replace("<token>", TOKEN)
    sent = [(path, first)]
    for words in (each for each in cells if each and each[0].startswith("?")):
        sent.append((path.partition("?")[0] + words[0], words[1] if len(words) > 1 else sent[-1][1]))
    assert len(sent) == 4
    bench = HookBench(tmp_path, clock)
    try:
        for url, template in sent:
            form = {}
            for pair in template.split("&"):
                name, _, field = pair.partition("=")
                form[name] = VALUES[field.strip("<>")]
            answer = bench.http.post(bench.url.partition("/hooks")[0] + url, form)
            assert (answer.status_code, answer.json()) == (202, {"accepted": 1, "duplicates": 0})
        [page] = bench.source().poll(None, clock.now())
    finally:
        bench.close()
    submitted, opened, won = page.activities
    assert (submitted.kind, submitted.direction, submitted.email) == ("form_submit", "inbound", "ann@example.com")
    assert (submitted.name, submitted.prospect_id) == ("Book a demo & more", "lead-liaison:17")
    assert [(each.kind, each.id, each.attributes["state"]) for each in (opened, won)] == [
        ("deal", "lead-liaison:deal:d-5:open:ann@example.com", "open"),
        ("deal", "lead-liaison:deal:d-5:won:ann@example.com", "won"),
    ]  # fmt: skip
    prospect, sketch = page.prospects
    assert (sketch.id, sketch.is_sketch, prospect.is_sketch) == (prospect.id, True, False), "who the form names, too"
    assert (prospect.id, prospect.email, prospect.crm_id) == ("lead-liaison:17", "ann@example.com", None)
    assert prospect.attributes["score"] == "71"
