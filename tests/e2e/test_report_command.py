"""``connector report`` over a state that a backfill of the sample company left, with the practice org still there."""

import csv
import json
import re
import sqlite3
from collections import Counter
from contextlib import closing
from io import StringIO
from typing import Any

import pytest
from typer.testing import CliRunner

from connector import cli
from connector.base.clock import SystemClock
from connector.base.errors import ConfigurationError
from connector.base.settings import explicit
from connector.commands import practice as orgs
from connector.commands.asking import NOT_APART, OF_NOW
from connector.commands.report_cli import Subject
from connector.commands.reporting import Reporter, Wanted
from connector.mapping import load as load_mapping
from connector.store import open_store
from tests.raw import named


@pytest.fixture(scope="module")
def office(tmp_path_factory):
    """A practice org, and a state that knows it: (env, path of the state, org)."""
    folder = tmp_path_factory.mktemp("report")
    with orgs.serve() as served:
        orgs.add_owners(served.org, load_mapping("lead-liaison"))
        orgs.add_fields(served.org, load_mapping("lead-liaison"))
        orgs.fill(served, sample="small")
        env = {**served.environment(), "CONNECTOR_STATE": str(folder / "state.sqlite3"), "CONNECTOR_OVERLAP": "0"}
        done = CliRunner().invoke(cli.app, ["backfill", "--json"], env=env)
        assert done.exit_code == 0, done.output
        yield env, folder / "state.sqlite3", served.org


@pytest.fixture
def report(office):
    def run(*arguments, code=0):
        done = CliRunner().invoke(cli.app, ["report", *arguments], env=office[0])
        assert done.exit_code == code, (done.output, done.exception)
        return done.stdout

    return run


def counted(office, field="Lifecycle_Stage__c"):
    """Who is at which stage, from the org's own rows."""
    found: dict[str, int] = {}
    for name, where in (("Contact", ""), ("Lead", " WHERE IsConverted = false")):
        for row in office[2].rows(f"SELECT {field} stage, COUNT(Id) n FROM {name}{where} GROUP BY {field}"):
            found[row["stage"]] = found.get(row["stage"], 0) + row["n"]
    return found


def test_the_funnel_says_what_the_org_counts(report, office):
    told = json.loads(report("funnel", "--hidden", "--where", "object!=Prospect", "--json"))
    assert told["form"] == 1
    rows = {row["stage"]: row["at the end"] for row in told["reports"]["funnel"]["tables"]["stages"]}
    assert {stage: count for stage, count in rows.items() if count} == counted(office)


def test_the_ledger_agrees_with_salesforce_and_asks_once_an_object(report, office):
    before = office[2].calls["total"]
    assert "every week closes, and all books agree" in report("ledger", "--verify")
    assert office[2].calls["total"] - before <= 3  # one query an object, and who is asking


def test_what_differs_in_salesforce_is_named(report, office):
    [row] = office[2].rows("SELECT Id FROM Contact WHERE Lifecycle_Stage__c = 'Suspect' ORDER BY Id LIMIT 1")
    office[2].update("Contact", [{"Id": row["Id"], "Lifecycle_Stage__c": "Customer"}])
    try:
        told = json.loads(report("ledger", "--verify", "--json", code=3))["reports"]["ledger"]
        assert told["good"] is False
        assert row["Id"] in {each["who"] for each in told["tables"]["wrong"]}
        assert len({each["who"] for each in told["tables"]["wrong"]}) == 3  # the person, and two values
    finally:
        office[2].update("Contact", [{"Id": row["Id"], "Lifecycle_Stage__c": "Suspect"}])


def test_a_row_changed_by_hand_turns_the_ledger_red(report, office):
    with closing(sqlite3.connect(office[1])) as state:
        stay, person, stage = state.execute(
            "SELECT id, person_id, stage FROM stay WHERE left_at IS NULL AND track = (SELECT number FROM word"
            " WHERE text = 'stage') ORDER BY id DESC"
        ).fetchone()
        state.execute("UPDATE stay SET stage = 'Evangelist' WHERE id = ?", (stay,))
        state.commit()
        assert named(state, person) in report("ledger", code=3)
        state.execute("UPDATE stay SET stage = ? WHERE id = ?", (stage, stay))
        state.commit()
        assert "all books agree" in report("ledger")


@pytest.mark.parametrize("subject", list(Subject))
def test_every_report_is_a_text_and_a_document(report, subject):
    assert len(report(subject.value).splitlines()) > 1
    told = json.loads(report(subject.value, "--json"))
    assert told["reports"][subject.value]["tables"]


def test_how_many_there_are_is_not_summed_over_weeks(report):
    assert [text.split()[-1] for text in report("ledger").splitlines() if "closing, " in text] == ["last"]
    assert [text.split()[-1] for text in report("engagement").splitlines() if "activities, " in text] == ["sum"]


def test_side_by_side_the_parts_make_the_whole(report):
    whole = json.loads(report("funnel", "--json"))["reports"]["funnel"]["tables"]["stages"]
    parts = json.loads(report("funnel", "--by", "object", "--json"))["reports"]["funnel"]["tables"]["stages"]
    assert {row["object"] for row in parts} == {"Contact", "Lead", "Prospect"}
    for row in whole:
        theirs = [each["at the end"] for each in parts if each["stage"] == row["stage"]]
        assert sum(theirs) == row["at the end"]
        only = json.loads(report("funnel", "--where", "object=contact", "--json"))
        found = {each["stage"]: each["at the end"] for each in only["reports"]["funnel"]["tables"]["stages"]}
        assert found.get(row["stage"], 0) == sum(
            each["at the end"] for each in parts if each["stage"] == row["stage"] and each["object"] == "Contact"
        )
        break


@pytest.mark.parametrize("subject", list(Subject))
def test_every_report_takes_filters_and_goes_into_files(report, subject, tmp_path):
    for condition in ("object=Contact", "owner!=Nobody", "lead source=Web"):
        told = json.loads(report(subject.value, "--where", condition, "--json"))
        assert told["reports"][subject.value]["tables"], condition
    tables = told["reports"][subject.value]["tables"]
    report(subject.value, "--html", str(tmp_path / "all.html"))
    assert "<table" in (tmp_path / "all.html").read_text(encoding="utf-8")
    report(subject.value, "--csv", str(tmp_path / "all.csv"))
    assert len([*tmp_path.glob("*.csv")]) == len(tables), "also of tables without a row, with their header"


def asked_of(subject):
    """As much as there is for it."""
    by = () if subject.value in NOT_APART else ("--by", "owner")
    return ("--where", "object=Contact", *by, *(() if subject.value in OF_NOW else ("--compare",)))


@pytest.mark.parametrize("subject", list(Subject))
def test_every_report_is_filtered_parted_and_compared_in_text_json_and_csv(report, subject, tmp_path):
    told = json.loads(report(subject.value, *asked_of(subject), "--json"))["reports"][subject.value]["tables"]
    assert len(report(subject.value, *asked_of(subject)).splitlines()) > 1
    report(subject.value, *asked_of(subject), "--csv", str(tmp_path / "told.csv"))
    assert {each.name for each in tmp_path.iterdir()} == {"told.csv", *(f"told.{name}.csv" for name in [*told][1:])}
    first = list(csv.DictReader(StringIO((tmp_path / "told.csv").read_text(encoding="utf-8"))))
    assert [[*row] for row in first] == [[*row] for row in next(iter(told.values()))]


@pytest.mark.parametrize(
    ("words", "said", "hint"),
    [
        ("ledger --by owner", "--by changes nothing in ledger", "--where NAME=VALUE"),
        ("repair health --by owner", "--by changes nothing in repair and health", "--where NAME=VALUE"),
        ("ledger repair --compare", "--compare changes nothing in ledger and repair", "--since and --until"),
        ("funnel --verify", "--verify changes nothing in funnel", "ask for ledger"),
        ("--limit Engaged=3d", "--limit changes nothing in funnel", "ask for stuck"),
        ("stuck --within 4h", "--within changes nothing in stuck", "ask for response"),
        ("stuck --limit Engagd=3d", "--limit Engagd: there is no such stage", "did you mean Engaged?"),
        ("stuck --limit Anonymous=3d", "leaves this stage out of reports", "--hidden"),
        ("stuck --limit Customer=3d", "nobody is stuck where the funnel ends", "on the way"),
    ],
)
def test_an_option_that_would_change_nothing_is_an_error_that_says_what_to_try(office, words, said, hint):
    problem = CliRunner().invoke(cli.app, ["report", *words.split()], env=office[0]).exception
    assert isinstance(problem, ConfigurationError)
    assert (said in problem.what, hint in problem.hint) == (True, True), problem


def test_a_stage_with_a_limit_goes_by_its_name_whatever_the_case(report):
    stages = json.loads(report("stuck", "--limit", "engaged=1h", "--json"))["reports"]["stuck"]["tables"]["stages"]
    assert {row["stage"]: row["limit"] for row in stages}["Engaged"] == pytest.approx(1 / 24, abs=1e-4)


def notes_of(report, *words):
    told = json.loads(report(*words, "--json"))["reports"]
    return {name: " ".join(each.get("notes", ())) for name, each in told.items()}


def test_what_does_not_stand_side_by_side_or_beside_before_says_so_among_others(report, tmp_path):
    asked = ("funnel", "ledger", "repair", "health", "--by", "object", "--compare")
    told = notes_of(report, *asked)
    assert {name for name, text in told.items() if "not side by side by object" in text} == NOT_APART
    assert {name for name, text in told.items() if "not compared" in text} == OF_NOW
    assert report(*asked).count("note: not side by side by object") == 3
    report("--html", str(tmp_path / "all.html"), "--by", "object")
    assert (tmp_path / "all.html").read_text(encoding="utf-8").count("not side by side by object") == 3


@pytest.mark.parametrize(
    ("condition", "said"),
    [
        ("owner=Idda", "nobody's owner is Idda: there is nobody to count"),
        ("owner=Ida", "did you mean Ida Nordholt?"),
        ("lead source=Webb", "nobody's lead source is Webb: there is nobody to count; did you mean Web?"),
        ("object=", "nobody's object is (none): there is nobody to count"),
        ("owner!=Idda", "owner!=Idda leaves nobody out"),
        ("owner=Ida Nordholt", ""),
    ],
)
def test_a_filter_that_nobody_meets_is_told(report, condition, said):
    told = notes_of(report, "repair", "--where", condition)["repair"]
    assert (said in told, bool(told)) == (True, bool(said))


def test_it_is_told_with_every_report_in_every_form(office, report, tmp_path):
    every = [each.value for each in Subject]
    asked = (*every, "--where", "object=Prospect", "--where", "lead source=Web")
    said = "nobody meets all of object=Prospect and lead source=Web: there is nobody to count"
    assert notes_of(report, *asked) == dict.fromkeys(every, said)
    assert report(*asked).count(f"note: {said}") == len(every)
    done = CliRunner().invoke(cli.app, ["report", *asked, "--csv", str(tmp_path / "a.csv")], env=office[0])
    assert done.stderr.count(f"note: {said}") == 1
    report(*asked, "--html", str(tmp_path / "all.html"))
    assert (tmp_path / "all.html").read_text(encoding="utf-8").count(said) == len(every)


def test_an_account_goes_by_its_id_where_the_mapping_reads_none(report, office):
    [row] = office[2].rows(
        "SELECT AccountId a, COUNT(Id) n FROM Contact GROUP BY AccountId ORDER BY COUNT(Id) DESC LIMIT 1"
    )
    funnel, repair = (
        json.loads(report(name, "--hidden", "--where", f"account={row['a']}", "--json"))["reports"][name]["tables"]
        for name in ("funnel", "repair")
    )
    assert sum(each["at the end"] for each in funnel["stages"]) == row["n"] > 0
    [alone] = office[2].rows(
        f"SELECT COUNT(Id) n FROM Opportunity WHERE AccountId = '{row['a']}'"
        " AND Id NOT IN (SELECT OpportunityId FROM OpportunityContactRole)"
    )
    assert repair["todo"][0]["how many"] == alone["n"]


def test_csv_has_a_file_for_each_table(report, tmp_path):
    report("funnel", "--csv", str(tmp_path / "funnel.csv"))
    assert sorted(each.name for each in tmp_path.iterdir()) == [
        "funnel.cohort.csv",
        "funnel.conversion.csv",
        "funnel.conversion_own.csv",
        "funnel.csv",
    ]
    rows = list(csv.DictReader(StringIO((tmp_path / "funnel.csv").read_text(encoding="utf-8"))))
    assert {"stage", "at the end"} <= rows[0].keys()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--where", "owner"), "is no condition"),
        (("--where", "Shoe_Size__c=44"), "nobody has a value for Shoe_Size__c"),
        (("stuck", "--limit", "30d"), "names no stage"),
        (("--limit", "Engaged=30d"), "changes nothing in funnel"),
        (("stuck", "--limit", "Engaged=soon"), "is no span of time"),
        (("--since", "2026-05-01", "--until", "2026-01-01"), "ends before it begins"),
        (("--since", "last week"), "is not a date"),
    ],
)
def test_what_cannot_be_asked_is_said(office, arguments, said):
    done = CliRunner().invoke(cli.app, ["report", *arguments], env=office[0])
    assert re.search(said, str(done.exception))


class Counting:
    """A state that counts what engagement asks of it."""

    def __init__(self, store):
        self._store = store
        self.asked: Counter[str] = Counter()

    def facts_of(self, people, **more):
        self.asked["facts"] += len(people)
        return self._store.facts_of(people, **more)

    def __getattr__(self, name):
        self.asked[name] += 1
        return getattr(self._store, name)


def test_what_people_did_is_read_once_however_many_groups_stand_side_by_side(office):
    found: dict[str, tuple[Counter[str], float]] = {}
    clock, settings, mapping = SystemClock(), explicit(state=str(office[1])), load_mapping("lead-liaison")
    with open_store(f"sqlite:///{office[1]}", clock=clock) as store:
        for by in ("", "account"):
            state: Any = Counting(store)
            told = Reporter(state, mapping, settings, Wanted(by=by), clock.now()).report("engagement").as_dict()
            rows = told["tables"]["activity"]
            found[by] = state.asked, sum(row["activities"] for row in rows)
    assert len({row["account"] for row in rows}) > 20, "groups"
    assert found["account"][0] == found[""][0]
    assert found["account"][1] >= found[""][1] > 0, "what two accounts share is told of both"
