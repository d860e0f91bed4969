"""What senders call activities: told until the mapping says what it is, and right at once when it does."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from connector.base.clock import FrozenClock
from connector.commands.check import run_check
from connector.commands.explain import explain_people
from connector.commands.status import read_status
from connector.mapping import MappingInvalid, loads
from tests.sources.test_sources_addresses import drop
from tests.sources.test_sources_together import Site

FORM = {"type": "Form Submitted on Website", "email": "ann@example.com", "occurred_at": "2026-01-01T10:00:00Z"}
SENT = {"type": "Newsletter verschickt über Büro", "email": "ann@example.com", "occurred_at": "2026-01-01T10:00:00Z"}


@pytest.fixture
def site(tmp_path: Path, clock: FrozenClock) -> Iterator[Site]:
    made = Site(tmp_path / "state.sqlite3", clock)
    yield made
    made.close()


def mapping(site: Site, text: str = "") -> str:
    path = site.state.parent / "mine.yaml"
    path.write_text(f"include: lead-liaison\n{text}")
    return str(path)


def settings(site: Site, **others: Any) -> Any:
    return site.practice.settings(state=str(site.state), **others)


def warnings(site: Site, files: dict[str, Any]) -> list[str]:
    """What check says of the words, asking no org."""
    found = run_check(settings(site, salesforce_private_key_file=None, **files)).warnings
    return [each for each in found if "Website" in each]


@pytest.mark.situation(24)
def test_a_word_of_the_senders_is_told_until_it_is_mapped_and_counts_from_then_on(site: Site) -> None:
    files = {
        **drop(site, "export.jsonl", FORM, FORM | {"occurred_at": "2026-01-02T10:00:00Z"}),
        "mapping": mapping(site),
    }
    report, _ = site.cycle(**files)
    assert (report.unknown_types, report.exit_code) == ({"Form Submitted on Website": 2}, 3)
    assert site.stage() == "Suspect"
    recorded = [{"source": "files", "type": "Form Submitted on Website", "count": 2}]
    report, _ = site.cycle(**files)
    assert (report.exit_code, read_status(settings(site, **files))["unknown_types"]) == (0, recorded)
    [warning] = warnings(site, files)
    assert warning.startswith("2 x Form Submitted on Website of files is no kind of activity that the mapping knows")
    mapping(site, "activities: {types: {form submitted on WEBSITE: form_submit}}\n")
    report, _ = site.cycle(**files)
    assert site.stage() == "Engaged", "also what was recorded before, without reading it again"
    assert read_status(settings(site, **files))["unknown_types"] == []
    assert not [
        each
        for each in run_check(settings(site, salesforce_private_key_file=None, **files)).warnings
        if "Website" in each
    ]
    [told] = explain_people(settings(site, **files), "ann@example.com")
    assert {(each["kind"], each["direction"], each["counts"]) for each in told["timeline"]} == {
        ("form_submit", "inbound", True)
    }


def test_words_of_any_language_are_kept_apart_and_mapped(site: Site) -> None:
    files = {**drop(site, "export.jsonl", SENT, FORM | {"type": "資料請求"}), "mapping": mapping(site)}
    report, _ = site.cycle(**files)
    assert report.unknown_types == {"Newsletter verschickt über Büro": 1, "資料請求": 1}
    mapping(site, "activities: {types: {newsletter verschickt über büro: email_sent, 資料請求: form_submit}}\n")
    site.cycle(**files)
    assert site.stage() == "Engaged"
    assert read_status(settings(site, **files))["unknown_types"] == []


def test_a_sender_has_words_of_its_own(site: Site) -> None:
    lines = [FORM | {"type": "Registered", "source": each} for each in ("webinars", "shop")]
    text = """
activities: {types: {Registered: status_change}}
sources: {webinars: {through: files, types: {Registered: event_register}}}
"""
    site.cycle(**drop(site, "two.jsonl", lines[1]), mapping=mapping(site, text))
    assert site.stage() == "Suspect"
    site.cycle(**drop(site, "one.jsonl", lines[0]), mapping=mapping(site, text))
    assert site.stage() == "Engaged"


def test_a_word_that_is_declared_as_a_kind_is_not_told(site: Site) -> None:
    report, _ = site.cycle(
        **drop(site, "export.jsonl", FORM), mapping=mapping(site, "activities: {kinds: [form_submitted_on_website]}\n")
    )
    assert (report.unknown_types, report.exit_code) == ({}, 0)


def test_lines_that_are_not_understood_are_counted_in_report_status_and_exit_code(site: Site) -> None:
    files = drop(site, "export.jsonl", {"type": "form_submit", "email": "ann@example.com"}, FORM | {"type": "call"})
    report, _ = site.cycle(**files)
    assert (report.not_understood, report.exit_code) == ({"files": 1}, 3)
    assert read_status(settings(site, **files))["not_understood"] == {"export.jsonl": 1}
    with (files["activity_folder"] / "export.jsonl").open("a") as file:
        file.write(json.dumps({"type": "call"}) + "\n")
    site.clock.sleep(60)
    site.cycle(**files)
    assert read_status(settings(site, **files))["not_understood"] == {"export.jsonl": 2}
    (files["activity_folder"] / "export.jsonl").write_text(json.dumps(FORM) + "\n")
    site.clock.sleep(60)
    report, _ = site.cycle(**files)
    assert read_status(settings(site, **files))["not_understood"] == {}, "a corrected file is none any more"


@pytest.mark.parametrize(
    ("types", "what"),
    [
        ("{Page View: form_submit}", "Page View is a kind already, page_view"),
        ("{Form: form_submitt}", "there is no activity kind form_submitt"),
        ("{'123': form_submit}", "123 has no letter"),
        ("{My Form: form_submit, my-form: call}", "my-form is there twice, as my_form"),
        ("[Form]", "a list is not a map of their words to kinds of activity"),
    ],
)
def test_mistakes_in_types_are_told(types: str, what: str) -> None:
    with pytest.raises(MappingInvalid) as found:
        loads(f"include: lead-liaison\nactivities: {{types: {types}}}\n")
    assert what in str(found.value)
