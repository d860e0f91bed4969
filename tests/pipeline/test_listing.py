"""Who is planned, told to people: the first of them or all, in a file, in bands, with nothing that does harm."""

import csv
import io
import json
import tracemalloc

import pytest

from connector.base.facts import Change, Decision, RecordChange, TrackDecision, Verdict
from connector.commands.screen import JSON_FORMS, print_json
from connector.pipeline.planned import LISTING_COLUMNS, Listing, Planned, counted_as, named

ADDRESS = "https://acme.my.salesforce.com"


def planned(number: int = 1, *, name: str = "Ada", new: object = "Engaged", held: bool = False, track: str = "stage"):
    person = f"003{number:012d}AAA"
    verdict: Verdict = "held" if held else "moves"
    reason = "set by hand" if held else "a click"
    decision = Decision(person, (TrackDecision(track, str(new), None, "clicked", verdict, reason),))
    change = None if held else RecordChange(person, "Contact", person, (Change(track, "Stage__c", None, new),))
    return Planned(person, 1, decision, change, "Contact", name)


@pytest.fixture
def listing():
    made = []

    def make(*people, **options):
        made.append(Listing(**options))
        made[0].of_org(ADDRESS, {"005A": "Anna Example"})
        made[0].add(people)
        return made[0]

    yield make
    made[0].__exit__(None, None, None)


def test_a_row_says_who_from_to_rule_and_where(listing):
    (row,) = listing(planned()).changes
    assert row == {
        "id": "003000000000001AAA",
        "object": "Contact",
        "name": "Ada",
        "track": "stage",
        "from": "(empty)",
        "to": "Engaged",
        "verdict": "moves",
        "rule": "clicked",
        "reason": "a click",
        "link": f"{ADDRESS}/003000000000001AAA",
    }


def test_the_first_people_of_each_kind_are_kept_and_all_are_counted(listing):
    people = [planned(n, held=bool(n % 2)) for n in range(50)]
    made = listing(*people, keep=3)
    assert (len(list(made.changes)), len(list(made.held))) == (3, 3)
    assert (made.people, made.people_held, made.shown(made.people)) == (25, 25, 3)


def test_all_are_kept_where_somebody_asks_in_order_and_read_as_often_as_wanted(listing):
    made = listing(*(planned(n, name=f"P{n}") for n in range(5000)), keep=None)
    for _ in range(2):
        assert [row["name"] for row in made.changes] == [f"P{n}" for n in range(5000)]


def test_owners_are_told_by_name(listing):
    (row,) = listing(planned(track="owner", new="005A")).changes
    assert row["to"] == "Anna Example"
    assert named({"005B -> 005A": 2}, {"005A": "Anna Example"}) == {"005B -> Anna Example": 2}


def test_a_file_gets_everybody_however_few_are_kept(listing):
    file = io.StringIO(newline="")
    listing(*(planned(n, held=n > 20) for n in range(30)), keep=1, csv_file=file)
    rows = list(csv.DictReader(io.StringIO(file.getvalue())))
    assert list(rows[0]) == list(LISTING_COLUMNS)
    assert (len(rows), len({row["id"] for row in rows}), rows[-1]["verdict"]) == (30, 30, "held")


@pytest.mark.parametrize(
    ("name", "cell"),
    [
        ('=HYPERLINK("http://x")', '\'=HYPERLINK("http://x")'),
        ("+1 800", "'+1 800"),
        ("-2+3", "'-2+3"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\t=1", "' =1"),
        ("-5", "-5"),
        ("+4.5", "+4.5"),
        ("\x1b[31mAda\x1b[0m", "[31mAda[0m"),
        ("Ada\r\n=1", "Ada  =1"),
        ('Jürgen, "J"', 'Jürgen, "J"'),
    ],
)
def test_no_cell_is_a_formula_or_a_command(listing, name, cell):
    file = io.StringIO(newline="")
    listing(planned(name=name), csv_file=file)
    (row,) = csv.DictReader(io.StringIO(file.getvalue(), newline=""))
    assert row["name"] == cell


@pytest.mark.parametrize(
    ("value", "band"),
    [
        (None, "(empty)"),
        ("", "(empty)"),
        (0, "0 to 9"),
        (0.0, "0 to 9"),
        (9.5, "0 to 9"),
        (10, "10 to 19"),
        (99, "90 to 99"),
        (100, "100 or more"),
        (4000, "100 or more"),
        (-1, "below 0"),
    ],
)
def test_scores_are_counted_in_bands_and_zero_is_a_score(value, band):
    assert counted_as("score", value) == band
    assert counted_as("fit", value) == band


def test_half_a_million_need_no_memory(listing):
    tracemalloc.start()
    try:
        made = listing(keep=None)
        for start in range(0, 20_000, 1000):
            made.add([planned(n) for n in range(start, start + 1000)])
        assert sum(1 for _ in made.changes) == 20_000
        assert tracemalloc.get_traced_memory()[1] < 4_000_000
    finally:
        tracemalloc.stop()


def test_a_document_with_lists_is_written_piece_by_piece_and_is_json(capsys):
    begun = {"document": "plan", "form": JSON_FORMS["plan"]}
    print_json("plan", {"a": {"b": [1]}}, who=iter([{"x": "é"}, {"x": None}]), nobody=[])
    lists = {"who": [{"x": "é"}, {"x": None}], "nobody": []}
    assert json.loads(capsys.readouterr().out) == {**begun, "a": {"b": [1]}, **lists}
    print_json("plan", {})
    assert json.loads(capsys.readouterr().out) == begun
