"""Response, stuck, engagement and health, each from a handful of rows that can be counted by eye."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from connector.base.facts import Stay
from connector.commands.report_text import said
from connector.reports.engagement import Origin, engagement_report, wins
from connector.reports.health import lateness, spent
from connector.reports.ledger import ledger
from connector.reports.paths import Asked, Path, Period, Stages, paths_of, where
from connector.reports.response import Handed, answered_at, response
from connector.reports.table import Figure, Report, Table, share
from connector.reports.velocity import stuck
from tests.cases import cases

NOW = datetime(2026, 3, 1, tzinfo=UTC)
DAY, HOUR = timedelta(days=1), timedelta(hours=1)
STAGES = Stages(("Suspect", "Engaged", "Customer"), (), frozenset(), frozenset({"Customer"}), {"Engaged": "a click"})
ASKED = Asked(STAGES, Period(NOW - 30 * DAY, NOW), NOW)


def stay(person: str, stage: str, ago: float, left: float | None = None, **more: Any) -> Stay:
    end = NOW - left * DAY if left is not None else None
    made = Stay(person, person, stage, NOW - ago * DAY, end, "observed", "rule", seen=NOW - ago * DAY)
    return made._replace(**more)


def values(report: Report, table: str, row: int = 0) -> dict[str, object]:
    found = report.table(table)
    cells = [each.value if isinstance(each, Figure) else each for each in found.rows[row]]
    return dict(zip(found.columns, cells, strict=True))


handed_off = st.lists(
    st.tuples(st.sampled_from("abc"), st.integers(1, 700), st.none() | st.integers(0, 100)), min_size=1, max_size=12
)


@given(rows=handed_off)
@settings(max_examples=cases(60), deadline=None)
def test_response_is_what_a_list_of_hand_offs_says(rows: list[tuple[str, int, int | None]]) -> None:
    handed = [
        Handed(f"p{number}", NOW - ago * HOUR, owner, None if took is None or took > ago else NOW - (ago - took) * HOUR)
        for number, (owner, ago, took) in enumerate(rows)
    ]
    report = response(handed, ASKED, 24 * HOUR, {})
    for row in report.table("owners").rows:
        owner = row[0]
        theirs = [each for each in rows if owner in {"all", each[0]}]
        took = [each[2] for each in theirs if each[2] is not None and each[2] <= each[1]]
        figures = [each.value for each in row[1:] if isinstance(each, Figure)]
        assert figures[0] == len(theirs)
        assert figures[1] == len(took)
        assert figures[4] == sum(each <= 24 for each in took) / len(theirs)
        assert figures[6] == sum((each[2] is None or each[2] > each[1]) and each[1] > 24 for each in theirs)
    waiting = [(row[0], row[-1]) for row in report.table("waiting").rows]
    untouched = [(-ago, f"p{number}") for number, (_, ago, took) in enumerate(rows) if took is None or took > ago]
    assert waiting == [(name, "late" if ago < -24 else "in time") for ago, name in sorted(untouched)]


def test_who_was_handed_off_before_the_period_and_never_called_still_waits() -> None:
    """Each once, by their last hand-off, and nobody whose record is gone."""
    before = ASKED.period.since - 5 * DAY
    handed = [
        Handed("ada", before, "anna", None),
        Handed("bob", before, "anna", None),
        Handed("bob", NOW - 30 * HOUR, "ben", None),
        Handed("cleo", before, "anna", before + HOUR),
        Handed("dan", before, "anna", None),
    ]
    report = response(handed, ASKED, 24 * HOUR, {"dan": {"live": False}})
    waiting = [(row[0], row[2], row[-1]) for row in report.table("waiting").rows]
    assert waiting == [("ada", "anna", "late"), ("bob", "ben", "late")]
    assert [row[0] for row in report.table("owners").rows] == ["ben"]


def test_what_was_done_before_the_hand_off_is_no_answer_to_it() -> None:
    assert answered_at(NOW, [NOW - HOUR]) is None
    assert answered_at(NOW, [NOW + 2 * HOUR, NOW + HOUR, NOW - HOUR]) == NOW + HOUR


def test_stuck_is_who_stays_longer_than_the_limit_or_than_nine_in_ten() -> None:
    gone = [stay(f"g{days}", "Suspect", 100, 100 - days) for days in range(1, 12)]  # of 1 to 11 days: 10 at nine in ten
    passed = [stay(f"p{days}", "Suspect", days, days) for days in range(100)]  # in one moment: nobody waited
    waiting = [stay("late", "Suspect", 10.5), stay("fine", "Suspect", 9.5), stay("won", "Customer", 900)]
    stays = [*gone, *passed, *waiting]
    report = stuck(paths_of(stays), ASKED, {"late": {"Name": "Late", "owner": "Anna"}}, {})
    [row] = report.table("people").rows
    assert [each for each in row if isinstance(each, str)] == [
        "late", "Late", "Suspect", "longer than nine in ten who left", "Anna", "Engaged: a click"
    ]  # fmt: skip
    report = stuck(paths_of(stays), ASKED, {}, {"Suspect": 9 * DAY})
    assert [row[0] for row in report.table("people").rows] == ["late", "fine"]


def test_nobody_is_stuck_within_a_day_however_fast_others_are() -> None:
    fast = [stay(f"g{number}", "Suspect", 2, 2 - number / 1000) for number in range(1, 8)]
    stays = [*fast, stay("here", "Suspect", 0.9), stay("late", "Suspect", 1.1)]
    report = stuck(paths_of(stays), ASKED, {}, {})
    assert [row[0] for row in report.table("people").rows] == ["late"]
    assert values(report, "stages")["limit"] == 1


def test_what_people_did_opens_who_did_it_each_once() -> None:
    done = [
        ("2026-02-24", "web", "form_submit", 2, ("ada", "bob")),
        ("2026-02-25", "web", "form_submit", 3, ("bob",)),
    ]
    table = engagement_report([], ASKED, {}, done, {}).table("activity")
    [figure] = [row[2] for row in table.rows if row[0] == "2026-02-23"]
    assert isinstance(figure, Figure)
    assert (figure.value, list(figure.people)) == (5, ["ada", "bob"])


def test_every_week_of_the_ledger_has_the_same_stages_in_the_order_of_the_mapping() -> None:
    """A picture of each stage follows the rows, and one that nobody stood at in the first week came last."""
    stays = [stay("late", "Suspect", 1), stay("old", "Engaged", 25)]
    rows = ledger(paths_of(stays), ASKED, [], []).table("weeks").rows
    assert [row[1] for row in rows] == ["Suspect", "Engaged"] * len({row[0] for row in rows})


def test_a_span_says_its_unit_at_its_column_or_in_the_title() -> None:
    days, hours = Figure(1.0, "days"), Figure(None, "hours")
    table = Table("t", "Days at a stage", ("stage", "median", "hours ago", "longest wait", "people"))
    table.rows = [("Engaged", days, hours, hours, Figure(3))]
    assert table.heads() == ["stage", "median", "hours ago", "longest wait (hours)", "people"]
    assert sorted(table.units()) == [1, 2, 3, 4]
    table.title = "Who went on"
    assert table.heads()[1] == "median (days)"


def test_wins_are_told_by_where_people_came_from_and_what_they_did_until_then() -> None:
    paths = paths_of([stay("p", "Suspect", 20, 5), stay("p", "Engaged", 5)])
    touches = [(NOW - 25 * DAY, "web visit"), (NOW - 6 * DAY, "mail click"), (NOW - 1 * DAY, "web form")]
    rows = wins(paths, ASKED, {"p": Origin("Web", touches)}).rows
    told = {(str(row[0]), str(row[1])): [each.value for each in row[2:] if isinstance(each, Figure)] for row in rows}
    assert told == {
        ("lead source", "Web"): [1, 1, 0],
        ("first touch", "web visit"): [1, 1, 0],
        ("last touch", "web visit"): [1, 0, 0],
        ("last touch", "mail click"): [0, 1, 0],
    }


def test_lateness_is_of_moves_that_were_seen_and_the_forecast_of_today_alone() -> None:
    late = [stay(f"p{n}", "Engaged", 2.5, seen=NOW - 2.5 * DAY + n * timedelta(seconds=1)) for n in range(101)]
    won_today = stay("d", "Customer", 3, seen=NOW - 3 * DAY + 11 * HOUR)  # a close date has no time of the day
    paths: list[Path] = paths_of(
        [*late, won_today, stay("q", "Engaged", 9, how="inferred"), stay("r", "Engaged", 9, by="person")]
    )
    [row] = lateness(paths, ASKED).rows
    assert [each.value if isinstance(each, Figure) else each for each in row] == [101, 50, 95, 100]
    calls = {date(2026, 3, 1): {"salesforce": 30}, date(2026, 2, 28): {"salesforce": 70}}
    table = spent(calls, 1000, NOW + 6 * HOUR)
    told = [[each.value if isinstance(each, Figure) else each for each in row] for row in table.rows]
    assert told == [["2026-03-01", "salesforce", 30, 120, 1000, 970], ["2026-02-28", "salesforce", 70, "", 1000, 930]]


def test_an_owner_is_asked_for_by_name() -> None:
    assert where({"p": {"OwnerId": "005A", "owner": "Anna"}}, "p", "Owner") == "Anna"
    assert where({"p": {"LeadSource": "Web"}}, "p", "lead source") == "Web"


def test_a_share_says_how_many_people_it_is() -> None:
    assert said(share(["a", "b", "c"], list("abcdefgh"))) == "38% (3)"
    assert said(share([], [])) == "-"
