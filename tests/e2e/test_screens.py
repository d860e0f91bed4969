"""Every command that reports, in text and as JSON, for every shipped mapping, against a living org that refuses rows.

One org and one state a mapping; each test works on a copy of the state, and what commands write to the org is always
the same.
"""

import csv
import json
import random
import re
import shutil
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from connector.base.clock import SystemClock
from connector.commands import practice
from connector.commands.practice import Practice
from connector.pipeline.backfill import Scope, run_backfill
from connector.pipeline.cycle import run_cycle
from connector.wiring import load_mapping, open_pipeline
from practice_org.company.life import live
from practice_org.salesforce.core import Rule
from tests.raw import named

MAPPINGS = sorted(path.stem for path in (Path(__file__).parent.parent.parent / "mappings").glob("*.yaml"))
REFUSED, WHY = "FIELD_CUSTOM_VALIDATION_EXCEPTION", "Nobody whose name begins with A or B moves [yet]"


LATEST = """
    SELECT person_id FROM log JOIN word AS t ON t.number = log.track JOIN word AS r ON r.number = log.result
    WHERE t.text = 'stage' AND r.text = ? ORDER BY id DESC LIMIT 1
"""


@dataclass
class Office:
    """An org after a backfill and a cycle of its living company, and the state of it."""

    served: Practice
    mapping: str
    state: Path

    def last(self, result: str) -> str:
        """The person whose stage Salesforce took ("applied") or refused ("set_aside") last."""
        with closing(sqlite3.connect(self.state)) as state:
            return named(state, state.execute(LATEST, (result,)).fetchone()[0])

    def record(self, person: str) -> dict[str, str]:
        name = "Contact" if person.startswith("003") else "Lead"
        (row,) = self.served.org.rows(f"SELECT Id, Name, Email FROM {name} WHERE Id = '{person}'")
        return row


@pytest.fixture(scope="module", params=MAPPINGS)
def office(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp(request.param)
    with practice.serve() as served:
        settings = served.settings(state=str(folder / "state.sqlite3"), mapping=request.param)
        mapping = load_mapping(settings)
        practice.add_fields(served.org, mapping)
        practice.add_owners(served.org, mapping)
        practice.fill(served, sample="small")
        rule = Rule(WHY, lambda _old, new: str(new.get("LastName"))[:1] in "AB")
        served.org.set_validation("Contact", rule)
        with open_pipeline(settings) as pipeline:
            run_backfill(pipeline, Scope())
            live(served.org, served.pardot, random.Random(5), SystemClock().now(), events=12)  # noqa: S311
            run_cycle(pipeline)
        yield Office(served, request.param, folder / "state.sqlite3")


@pytest.fixture
def run(office, shell):
    """Runs a command over a copy of the state: its exit code and stdout."""
    copy = shell.folder / "state.sqlite3"
    shutil.copy(office.state, copy)
    shell.env = office.served.environment() | {"CONNECTOR_STATE": str(copy), "CONNECTOR_MAPPING": office.mapping}

    def run(*words, code=0, **variables):
        done = shell(*words, **variables)
        assert "unexpected" not in done.stderr, done.stderr
        assert done.returncode == code, done.stderr
        return done.stdout

    return run


def both(run, *words, code=0, **variables):
    """What a command prints for people, and its document."""
    return run(*words, code=code, **variables), json.loads(run(*words, "--json", code=code, **variables))


def test_check(run, office):
    text, told = both(run, "check")
    assert told["mistakes"] == []
    assert f"mapping {office.mapping} is right" in text
    assert all(f"{name}.{field}" in text for fields in told["writes"].values() for name, field in fields.items())


def test_a_cycle_in_which_nothing_happened(run):
    text, told = both(run, "sync")
    assert (told["written"], told["refused"], told["waiting"]) == (0, 0, 0)
    assert "none to change" in text


def test_a_backfill_tells_written_and_refused_apart(run):
    run("retry")
    text, told = both(run, "backfill", code=3)
    refused = sum(told["set_aside"].values())
    assert refused == told["refused"] > 20
    assert told["people_to_change"] == told["written"] + refused
    assert f"decided to change {refused} people: 0 written, {refused} refused, 0 waiting" in text
    assert f"{refused} with {REFUSED}" in text


@pytest.mark.parametrize("words", [("backfill", "--dry-run"), ("sync", "--dry-run"), ("plan",)], ids=" ".join)
def test_a_look_ahead_names_the_first_people_all_with_list_and_all_in_a_file(run, office, words, shell):
    run("retry")
    text, told = both(run, *words)
    people = told["people_to_change"]
    assert people > 20
    assert "nothing was written" in text
    assert f"Who (the first 20 of {people}; --list names all)" in text
    assert len({row["id"] for row in told["who"]}) == 20
    for row in told["who"]:
        assert f" {row['name']} ({row['object']}) {office.served.url}/{row['id']}\n" in text
        assert f"{row['from']} -> {row['to']}" in text
    text, told = both(run, *words, "--list", "--csv", "who.csv")
    assert len({row["id"] for row in told["who"]}) == people
    assert all(row["name"] in text for row in told["who"])
    with (shell.folder / "who.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["verdict"] == "moves"]
    assert [(row["id"], row["track"]) for row in rows] == [(row["id"], row["track"]) for row in told["who"]]


def test_held_people_are_named_with_the_reason(run):
    text, told = both(run, "backfill", "--dry-run", "--list")
    assert len({row["id"] for row in told["who_is_held"]}) == told["people_held"]
    for row in told["who_is_held"]:
        assert f"stays {row['from']}: {row['reason']}" in text


def test_scores_are_told_in_bands_and_owners_by_name(run, tmp_path, office):
    """A first look: over an org as it was before, with a state that knows nothing."""
    fresh = {"CONNECTOR_STATE": str(tmp_path / "none.sqlite3")}
    _, told = both(run, "backfill", "--dry-run", **fresh)
    for track in {"score", "fit"} & told["changes"].keys():
        moves = [part for move in told["changes"][track] for part in move.split(" -> ")]
        assert all(re.fullmatch(r"\(empty\)|\d+ to \d+|100 or more", part) for part in moves)
    assert not any(part.startswith("005") for move in told["changes"].get("owner", ()) for part in move.split(" -> "))


def test_status(run):
    text, told = both(run, "status")
    assert told["people"]["stage"]
    assert all((stage or "(none)") in text for stage in told["people"]["stage"] if stage not in told["out_of_reports"])
    (group,) = told["refused"]
    assert (group["code"], WHY in group["message"], group["count"]) == (REFUSED, True, len(group["records"]))
    assert f"Refused by Salesforce: {group['count']} records" in text
    assert WHY in text


def test_explain_of_somebody_who_moved_by_id_and_by_address(run, office):
    person = office.last("applied")
    record = office.record(person)
    for query in filter(None, (person, record["Email"])):
        text, document = both(run, "explain", query)
        told = document["people"][0]
        stage = next(each for each in told["decided"] if each["track"] == "stage")
        assert (told["person"], stage["outcome"]) == (person, "written")
        assert record["Name"] in text
        assert f"stage: {stage['in_salesforce']} - " in text
        assert all(f"{each['track']}: " in text for each in told["decided"])
        assert all(rule["condition"] for track in told["now"]["tracks"] for rule in track["rules"])


def test_explain_of_somebody_who_was_refused(run, office):
    person = office.last("set_aside")
    text, document = both(run, "explain", person)
    [told] = document["people"]
    stage = next(each for each in told["decided"] if each["track"] == "stage")
    assert (stage["outcome"], stage["code"]) == ("refused", REFUSED)
    assert f"stage: {stage['in_salesforce'] or '(none)'} - {stage['value']} was decided and refused" in text
    assert WHY in text


def test_explain_of_others_says_nothing_wrong(run, office):
    """Some of each kind, for the screens that a single one does not show."""
    names = [("Contact", 5), ("Lead", 5)]
    people = [row["Id"] for name, n in names for row in office.served.org.rows(f"SELECT Id FROM {name} LIMIT {n}")]
    with closing(sqlite3.connect(office.state)) as state:
        prospects = state.execute("SELECT person_id FROM report_person WHERE object = 'Prospect' LIMIT 1")
        people += [row[0] for row in prospects]
    assert len(people) == 11
    for person in people:
        assert run("explain", person)


def test_explain_at_a_past_moment(run, office):
    text, document = both(run, "explain", office.last("applied"), "--at", SystemClock().now().isoformat())
    [told] = document["people"]
    stage = next(each for each in told["decided"] if each["track"] == "stage")
    assert f"stage: {stage['in_salesforce']} - " in text
    assert "the next cycle" not in text


def test_retry_of_one_and_of_all(run, office):
    text, told = both(run, "retry", office.last("set_aside"))
    assert (told["retried"], text) == (1, "1 record will be decided and written again in the next cycle\n")
    assert json.loads(run("retry", "--json"))["retried"] > 20
    assert json.loads(run("status", "--json"))["waiting"] > 20


def test_mistakes_are_shown_beside_the_lines_of_a_change(shell, tmp_path):
    (tmp_path / "a,b.yaml").write_text("stages:\n  - {name: A, wen: always}\n  - {name: '50%'}\n")
    done = shell("check", "a,b.yaml", "--format", "github")
    assert done.returncode == 2
    first = done.stdout.splitlines()[0]
    assert first.startswith("::error file=a%2Cb.yaml,line=2::")
    assert "did you mean when?" in first
    assert "try:" in first
