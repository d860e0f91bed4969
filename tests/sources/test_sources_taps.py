"""Singer taps: what their messages mean, what they do wrong, and what is said of them."""

from __future__ import annotations

import json
import re
import subprocess
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from connector.base.clock import FrozenClock, SystemClock
from connector.base.errors import ConfigurationError, ConnectorError, Refused, Transient
from connector.base.facts import SourcePage
from connector.base.json import JsonObject
from connector.base.ports import Source
from connector.base.settings import explicit
from connector.mapping import MappingInvalid, loads
from connector.pipeline.object_reader import Polled
from connector.pipeline.patience import Patience
from connector.pipeline.poll import poll_sources
from connector.sources import open_sources, switched_on
from connector.sources.taps.declared import TapStream, read_taps
from connector.sources.taps.messages import TapPages, Words
from connector.sources.taps.process import LONGEST_LINE, TapProcess
from connector.sources.taps.source import TapSource
from connector.store import Store
from tests.sources.source_suite import ANN, Polls, Switch, activities, ids
from tests.sources.test_sources_nonsense import Ready
from tests.sources.test_sources_suite_taps import TapBench

SCHEMA = {"type": "SCHEMA", "stream": "s", "schema": {}, "key_properties": ["id"]}
ROW = {"id": 1, "at": "2026-05-01T10:00:00Z", "email": "Ann@Example.com"}


@pytest.fixture
def bench(tmp_path: Path, clock: FrozenClock) -> TapBench:
    return TapBench(tmp_path, clock)


def pages(quarantine: list[JsonObject] | None = None, **said: Any) -> TapPages:
    stream = TapStream.model_validate({"type": "form_submit", "columns": {"at": "occurred_at"}, **said})
    kept = [] if quarantine is None else quarantine
    return TapPages("tap-x", {"s": Words.of(stream, ())}, None, (), None, kept.append)


def heard(taken: TapPages, *messages: dict[str, Any]) -> SourcePage:
    for each in messages:
        taken.take(json.dumps(each).encode())
    return taken.page({})


def row(**more: Any) -> dict[str, Any]:
    return {"type": "RECORD", "stream": "s", "record": {**ROW, **more}}


def test_a_record_is_an_activity_by_its_key_whatever_else_of_it_changes() -> None:
    taken = pages()
    first = heard(taken, SCHEMA, row(), row(id=2))
    second = heard(taken, row(email="bob@example.com", at="2026-05-02T10:00:00Z"))
    assert [each.id for each in first.activities] == ["s:1", "s:2"]
    assert [(each.id, each.email, each.occurred_at.day) for each in second.activities] == [
        ("s:1", "bob@example.com", 2)
    ]


def test_the_last_of_two_records_with_one_key_counts() -> None:
    page = heard(pages(), SCHEMA, row(email="old@example.com"), row(email="new@example.com"))
    assert [each.email for each in page.activities] == ["new@example.com"]


def test_two_streams_that_both_count_from_one_take_nothing_from_each_other() -> None:
    stream = Words.of(TapStream(type="form_submit", columns={"at": "occurred_at"}), ())
    taken = TapPages("tap-x", {"s": stream, "t": stream}, None, (), None, print)
    page = heard(taken, SCHEMA, {**SCHEMA, "stream": "t"}, row(), {**row(), "stream": "t"})
    assert {each.id for each in page.activities} == {"s:1", "t:1"}


def test_without_keys_a_record_is_known_by_what_it_says() -> None:
    page = heard(pages(), {**SCHEMA, "key_properties": []}, row(), row(), row(at="2026-05-01T11:00:00Z"))
    assert len(page.activities) == 2


KEYLESS = {**SCHEMA, "key_properties": []}
BY_NUMBER = {"at": "occurred_at", "id": "event_id"}


def test_without_keys_an_id_that_comes_back_with_other_content_takes_nothing_away(store: Store) -> None:
    """Unless it is an edit: a better name, or a time put right. In a stream with keys the last record is what is so."""
    store.record_rows("Contact", [ANN])

    def told(schema: dict[str, Any], *records: dict[str, Any]) -> int:
        for each in records:
            page = heard(pages(columns=BY_NUMBER), schema, row(**each, email="a@example.com"))
            store.record_page("tap-x", page)
        [ann] = store.facts_of([ANN["Id"]])
        return len(ann.activities)

    other = {"at": "2026-03-01T10:00:00Z", "name": "Pricing"}
    assert told(KEYLESS, {"name": "Demo"}, {"name": "Demo!"}, {"at": "2026-05-01T11:00:00Z", "name": "Demo!"}) == 1
    assert told(KEYLESS, other) == 2
    assert told(KEYLESS, other) == 2, "whatever comes again is known"
    assert told(SCHEMA, {"id": 7, "name": "Demo"}, {"id": 7, **other}) == 3


def test_records_of_one_page_without_keys_that_share_an_id_are_all_kept(store: Store) -> None:
    store.record_rows("Contact", [ANN])
    page = heard(
        pages(columns=BY_NUMBER),
        KEYLESS,
        row(email="a@example.com", name="Demo"),
        row(email="a@example.com", name="Pricing", at="2026-03-01T10:00:00Z"),
    )
    store.record_page("tap-x", page)
    [ann] = store.facts_of([ANN["Id"]])
    assert sorted(each.name for each in ann.activities) == ["Demo", "Pricing"]


def test_columns_reach_into_objects_and_lists() -> None:
    columns = {"at": "occurred_at", "who.mails.1.value": "email", "Form Name": "name", "direction": "their_direction"}
    record = {"id": 1, "at": ROW["at"], "who": {"mails": [{}, {"value": "b@x.example"}]}, "form_name": "Demo"}
    message = {
        "type": "RECORD",
        "stream": "s",
        "record": {**record, "type": "MARKETING", "direction": "UP", "_sdc_x": 1},
    }
    [found] = heard(pages(columns=columns), SCHEMA, message).activities
    assert (found.kind, found.email, found.name) == ("form_submit", "b@x.example", "Demo")
    assert found.attributes == {
        "id": 1, "who": record["who"], "their_type": "MARKETING", "their_direction": "UP",
    }  # fmt: skip


@pytest.mark.parametrize("at", [1_777_629_600, 1_777_629_600_000, "2026-05-01T10:00:00.000000Z"])
def test_times_are_texts_or_numbers(at: Any) -> None:
    [found] = heard(pages(), SCHEMA, row(at=at)).activities
    assert found.occurred_at == datetime(2026, 5, 1, 10, tzinfo=UTC)


def test_persons_are_people_by_their_key_and_activities_name_them() -> None:
    person = heard(pages(type="person"), SCHEMA, row(id=7, score=80)).prospects
    assert [(each.id, each.email, each.attributes["score"]) for each in person] == [("7", "ann@example.com", 80)]
    [did] = heard(
        pages(columns={"at": "occurred_at", "lead": "prospect_id"}), SCHEMA, row(email=None, lead=7)
    ).activities
    assert (did.prospect_id, did.email) == ("7", None)


def test_what_a_tap_says_is_deleted_is_taken_back() -> None:
    page = heard(pages(), SCHEMA, row(), row(_sdc_deleted_at="2026-05-01T11:00:00Z"), row(id=2))
    assert ([each.id for each in page.activities], page.removed) == (["s:2"], ("s:1",))
    gone = heard(pages(type="person"), SCHEMA, row(id=7, _sdc_deleted_at="2026-05-01T11:00:00Z"))
    assert (gone.prospects, gone.gone) == ((), ("7",))


def test_a_schema_may_change_on_the_way() -> None:
    taken = pages()
    page = heard(taken, SCHEMA, row(), {**SCHEMA, "schema": {"properties": {"plan": {}}}}, row(id=2, plan="Pro"))
    assert [each.attributes.get("plan") for each in page.activities] == [None, "Pro"]


def test_a_whole_table_that_comes_again_takes_nothing_away() -> None:
    page = heard(pages(), {"type": "ACTIVATE_VERSION", "stream": "s", "version": 2}, SCHEMA, row())
    assert (len(page.activities), page.removed, page.bad) == (1, (), 0)


def test_streams_that_nobody_asked_for_are_left_out() -> None:
    taken = pages()
    page = heard(taken, {**SCHEMA, "stream": "other"}, {**row(), "stream": "other"})
    assert (page.activities, page.bad, taken.others) == ((), 0, {"other"})


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"Fetching page 3", "not JSON"),
        (b"\xff\xfe", "not UTF-8"),
        (b"[1, 2]", "no message"),
        (b'{"stream": "s"}', "no message"),
        (b'{"type": "RECORD", "stream": "s"}', "no message"),
        (b'{"type": "RECORD", "stream": "s", "record": 7}', "no message"),
        (b'{"type": "STATE", "value": null}', "no message"),
        (b'{"type": "HELLO"}', "HELLO"),
        (b'{"type": "RECORD", "stream": "s", "record": {"at": "soon"}}', "ISO 8601"),
        (b'{"type": "RECORD", "stream": "s", "record": {"at": NaN}}', "NaN"),
        (None, "longer"),
    ],
)
def test_a_line_that_is_no_message_is_counted_and_kept_beside(line: bytes | None, reason: str) -> None:
    kept: list[JsonObject] = []
    taken = pages(kept)
    taken.take(line)
    page = heard(taken, SCHEMA, row())
    assert (page.bad, len(page.activities)) == (1, 1)
    assert reason in kept[0]["reason"]


def test_batches_are_refused_rather_than_lost() -> None:
    with pytest.raises(Refused, match="batches"):
        heard(pages(), {"type": "BATCH", "stream": "s"})


def test_rubbish_is_in_quarantine_and_in_the_count(bench: TapBench) -> None:
    bench.add(100)
    bench.fault.write_text("rubbish")
    polls = Polls(bench)
    assert len(polls.poll()) == 100
    kept = [json.loads(each) for each in (bench.folder / "quarantine/tap-forms.jsonl").read_text().splitlines()]
    assert sum(page.bad for page in polls.pages) == len(kept) == 6
    assert polls.cursor is not None
    assert polls.cursor["bad"] == 6
    assert kept[0] == {
        "line": 103,
        "reason": "not JSON: Expecting value: line 1 column 1 (char 0)",
        "text": "Fetching page 3 ...",
    }


def test_a_state_is_kept_only_behind_what_it_speaks_for(bench: TapBench, store: Store) -> None:
    """It dies after its second STATE: what came before is recorded with it, and nothing is asked for twice."""
    store.record_rows("Contact", [ANN])
    added = bench.add(150)
    bench.fault.write_text("dies")
    polled = Polled()
    poll_sources(
        [bench.source()],
        store,
        polled,
        now=bench.clock.now(),
        progress=nothing,
        stop=lambda: False,
        patience=Patience(),
    )
    assert "exit code 1: ValueError: cannot sign in with ***" in polled.failed["tap-forms"].what
    assert store.cursor("tap-forms") == {"state": {"done": 100}}
    bench.fault.unlink()
    again = Polled()
    poll_sources(
        [bench.source()], store, again, now=bench.clock.now(), progress=nothing, stop=lambda: False, patience=Patience()
    )
    assert (polled.read["tap-forms"], again.read["tap-forms"]) == (100, 50)
    [ann] = store.facts_of([ANN["Id"]])
    assert {each.id for each in ann.activities} == added


@dataclass
class Scripted:
    """A tap that is a shell script."""

    folder: Path
    clock: FrozenClock
    secrets: tuple[str, ...] = ()

    def source(self) -> Source:
        [(name, tap)] = read_taps(self.folder / "taps.yaml").items()
        return TapSource(name, tap, self.clock, self.folder)

    def add(self, count: int) -> set[str]:
        raise NotImplementedError

    def add_unknown(self) -> str:
        raise NotImplementedError

    def faults(self) -> list[Switch]:
        return []


def scripted(folder: Path, clock: FrozenClock, script: str) -> Scripted:
    (folder / "tap.sh").write_text(script)
    (folder / "catalog.json").write_text(json.dumps({"streams": [{"stream": "s"}]}))
    (folder / "taps.yaml").write_text(
        "tap-x: {command: /bin/sh tap.sh, catalog: catalog.json,"
        " streams: {s: {type: form_submit, columns: {at: occurred_at}}}}".replace("tap.sh", str(folder / "tap.sh"))
    )
    return Scripted(folder, clock)


def nothing(_what: str, _done: int, _total: int | None) -> None: ...


def test_records_behind_the_last_state_are_kept_and_read_again(tmp_path: Path, clock: FrozenClock) -> None:
    said = [SCHEMA, row(), {"type": "STATE", "value": {"at": 1}}, row(id=2)]
    polls = Polls(scripted(tmp_path, clock, "\n".join(f"echo '{json.dumps(each)}'" for each in said) + "\nexit 3"))
    with pytest.raises(Transient, match="exit code 3: it said nothing"):
        polls.poll()
    assert ids(polls.pages) == {"s:1", "s:2"}
    assert polls.cursor == {"state": {"at": 1}}


def test_a_tap_that_is_slow_or_hangs_is_ended_at_its_limit(bench: TapBench) -> None:
    bench.add(150)
    bench.hanging().on()
    polls = Polls(bench)
    assert len(polls.poll()) == 100, "it came further: that is no fault, and the next run goes on there"
    bench.fault.write_text("hangs at once")
    with pytest.raises(Transient, match="did not end within 2 seconds"):
        polls.poll()
    assert polls.cursor == {"state": {"done": 100}}


def test_a_state_without_records_is_kept(bench: TapBench) -> None:
    polls = Polls(bench)
    assert polls.poll() == set()
    assert polls.cursor == {"state": {"done": 0}}


def test_a_tap_rests_between_two_runs(bench: TapBench) -> None:
    bench.configure("every: 900")
    polls = Polls(bench)
    first = bench.add(3)
    assert polls.poll() == first
    later = bench.add(2)
    assert polls.poll() == set()
    bench.clock.sleep(901)
    assert polls.poll() == later


def test_nothing_that_it_started_outlives_it(tmp_path: Path) -> None:
    left = tmp_path / "left"
    script = f"sleep 300 & echo $! > {left}; echo '{{}}'; exit 0"
    with TapProcess(["/bin/sh", "-c", script], SystemClock(), 30) as process:
        assert list(process.lines()) == [b"{}"]
    state = subprocess.run(
        ["ps", "-o", "stat=", "-p", left.read_text().strip()], capture_output=True, text=True, check=False
    ).stdout.strip()
    assert state in ("", "Z", "Zs")


def test_a_line_without_an_end_fills_no_memory() -> None:
    script = f"head -c {LONGEST_LINE + 1_000_000} /dev/zero; echo; echo end"
    with TapProcess(["/bin/sh", "-c", script], SystemClock(), 30) as process:
        assert list(process.lines()) == [None, b"end"]


def test_waiting_for_a_tap_ends_when_we_are_asked_to_stop() -> None:
    with TapProcess(["/bin/sleep", "300"], SystemClock(lambda: True), 30) as process, pytest.raises(Transient):
        list(process.lines())


def test_a_tap_is_given_none_of_our_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONNECTOR_SALESFORCE_CLIENT_SECRET", "ours")
    monkeypatch.setenv("TAP_KEY", "theirs")
    with TapProcess(["/usr/bin/env"], SystemClock(), 30) as process:
        said = b"\n".join(line or b"" for line in process.lines())
    assert b"TAP_KEY=theirs" in said
    assert b"CONNECTOR_" not in said


GOOD = "tap-x: {command: tap-x, streams: {s: {type: call}}}"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "names no tap"),
        ("tap-x: [", "taps.yaml:1"),
        ("hubspot: {command: x, streams: {s: {}}}", "no name of a tap"),
        ("tap-x: {streams: {s: {}}}", "command"),
        ("tap-x: {command: x}", "streams"),
        ("tap-x: {command: x, streams: {s: {kind: call}}}", "streams.s.kind"),
        ("tap-x: {command: x, streams: {s: {}}, config: {api_key: the-secret-key}}", "config holds values"),
        ("tap-x: {command: x, streams: {s: {}}, time_zone: Mars}", "Mars is no time zone"),
        ("tap-x: {command: x, streams: {s: {}}, limit: soon}", "limit"),
        (None, "cannot be read"),
    ],
)
def test_a_file_of_taps_that_is_wrong_says_where(tmp_path: Path, text: str | None, words: str) -> None:
    file = tmp_path / "taps.yaml"
    if text is not None:
        file.write_text(text)
    with pytest.raises(ConfigurationError, match=words) as caught:
        read_taps(file)
    assert "the-secret-key" not in str(caught.value)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda bench: (bench.folder / "config.json").unlink(), "config.json cannot be read"),
        (lambda bench: (bench.folder / "config.json").write_text("{"), "config.json is no JSON"),
        (lambda bench: bench.configure("catalog: config.json"), "no catalog"),
        (lambda bench: bench.configure("catalog: nowhere.json"), "nowhere.json cannot be read"),
        (lambda bench: _replace(bench, "submissions:", "forms:"), "no stream forms\n  try: it has: submissions"),
        (lambda bench: _replace(bench, "command: [", "command: [/nowhere/tap, "), "/nowhere/tap cannot be run"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_tap_is_said(bench: TapBench, change: Any, words: str) -> None:
    change(bench)
    with pytest.raises(ConnectorError, match=words):
        Polls(bench).poll()


def _replace(bench: TapBench, old: str, new: str) -> None:
    file = bench.folder / "taps.yaml"
    file.write_text(file.read_text().replace(old, new))


def test_each_tap_is_a_source_of_its_own_that_settings_switch_on(tmp_path: Path, clock: FrozenClock) -> None:
    file = tmp_path / "taps.yaml"
    file.write_text(f"{GOOD}\n{GOOD.replace('tap-x', 'tap-y')}\n")
    settings = explicit(taps_file=file, state=str(tmp_path / "state.sqlite3"))
    assert switched_on(settings) == ["tap-x", "tap-y"]
    opened: list[Source] = open_sources(settings, Ready(), clock, off={"tap-y"})
    assert [each.name for each in opened] == ["tap-x"]


MAPPING = """
fields: {stage: {Contact: Stage__c, Lead: Stage__c}}
stages:
  - name: Suspect
  - {name: Engaged, when: {activity: {kind: form_submit, source: tap-forms}}}
sources:
"""


def test_a_mapping_speaks_of_taps_by_their_names() -> None:
    mapping = loads(MAPPING + "  tap-forms: {types: {Demo Request: form_submit}, deals: opportunities}\n  tap-x: off\n")
    assert mapping.off == {"tap-x"}
    with pytest.raises(MappingInvalid, match="tap-forms is a source itself"):
        loads(MAPPING + "  tap-forms: {through: files}\n")


def test_records_of_one_page_are_the_same_however_often_they_come(bench: TapBench) -> None:
    bench.add(5)
    bench.rows.write_text(bench.rows.read_text() * 2)
    polls = Polls(bench)
    polls.poll()
    assert len(activities(polls.pages)) == 5


def test_the_file_and_the_mapping_of_the_page_are_read_as_they_stand(tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "docs/sources.md").read_text().partition("\n## Taps\n")[2].partition("\n## ")[0]
    taps, sources = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)
    (tmp_path / "taps.yaml").write_text(taps)
    [(name, tap)] = read_taps(tmp_path / "taps.yaml").items()
    assert (name, list(tap.streams), tap.config) == (
        "tap-webinars", ["registrants", "attendances", "interactions"], tmp_path / "webinars.json",
    )  # fmt: skip
    loads(MAPPING.partition("sources:")[0] + "score: {from: sources}\n" + sources)
