"""Every figure, computed again from raw lists of where people stood, day by day, in lines that share nothing with the
reports: who stood where on which day is looked up, never derived."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from connector.base.facts import Stay
from connector.reports.funnel import funnel
from connector.reports.ledger import ledger
from connector.reports.movement import movement
from connector.reports.paths import Asked, Period, Stages, paths_of
from connector.reports.table import Figure, Report, quantile
from connector.reports.velocity import velocity
from tests.cases import cases

START = datetime(2026, 1, 5, tzinfo=UTC)  # a Monday
ORDER = ("Suspect", "Engaged", "Qualified", "Customer")
DAYS = 60
STAGES = Stages(ORDER, ("Out",))
Moves = list[tuple[int, str]]  # (day, stage)


@dataclass(frozen=True)
class Someone:
    """Came to each stage at noon of a day; was deleted at noon of the last one."""

    name: str
    moves: tuple[tuple[int, str], ...]
    gone: int | None

    def on(self, day: int) -> str | None:
        """Where they stood when the day began."""
        if self.gone is not None and day > self.gone:
            return None
        before = [stage for at, stage in self.moves if at < day]
        return before[-1] if before else None


@st.composite
def companies(draw: st.DrawFn) -> list[Someone]:
    found = []
    for number in range(draw(st.integers(1, 6))):
        days = sorted(draw(st.lists(st.integers(0, DAYS - 2), min_size=1, max_size=5, unique=True)))
        moves: Moves = []
        for day in days:
            choices = [each for each in (*ORDER, "Out") if not moves or moves[-1][1] != each]
            moves.append((day, draw(st.sampled_from(choices))))
        gone = draw(st.none() | st.integers(days[-1] + 1, DAYS - 1))
        found.append(Someone(f"p{number}", tuple(moves), gone))
    return found


def noon(day: int) -> datetime:
    return START + timedelta(days=day, hours=12)


def stays_of(people: list[Someone]) -> list[Stay]:
    found = []
    for each in people:
        ends = [*(day for day, _ in each.moves[1:]), each.gone]
        for (day, stage), end in zip(each.moves, ends, strict=True):
            left = noon(end) if end is not None else None
            found.append(Stay(each.name, each.name, stage, noon(day), left, "observed", "rule", seen=noon(day)))
    return found


periods = st.tuples(st.integers(0, DAYS - 1), st.integers(1, DAYS)).filter(lambda each: each[0] < each[1])
company = given(people=companies(), days=periods)
quick = settings(max_examples=cases(60), deadline=None)


def asked_for(days: tuple[int, int]) -> Asked:
    since, until = (START + timedelta(days=day) for day in days)
    return Asked(STAGES, Period(since, until), START + timedelta(days=DAYS))


def numbers(report: Report, table: str, column: str) -> dict[str, tuple[float | None, list[str]]]:
    found = report.table(table)
    index = found.columns.index(column)
    cells = {str(row[0]): row[index] for row in found.rows}
    return {name: (cell.value, sorted(cell.people)) for name, cell in cells.items() if isinstance(cell, Figure)}


@company
@quick
def test_the_funnel_counts_who_stands_there_and_who_came(people: list[Someone], days: tuple[int, int]) -> None:
    since, until = days
    report = funnel(paths_of(stays_of(people)), asked_for(days))
    ends, starts = (numbers(report, "stages", name) for name in ("at the end", "at the start"))
    reached, before = (numbers(report, "stages", name) for name in ("reached", "reached before"))
    entered = numbers(report, "stages", "entered")
    for stage in (*ORDER, "Out"):
        there = sorted(each.name for each in people if each.on(until) == stage)
        assert ends[stage] == (len(there), there)
        there = sorted(each.name for each in people if each.on(since) == stage)
        assert starts[stage] == (len(there), there)
        came = sorted(
            each.name for each in people if any(since <= day < until and to == stage for day, to in each.moves)
        )
        assert entered[stage] == (len(came), came)
    for number, stage in enumerate(ORDER):
        firsts = {each.name: [day for day, to in each.moves if to in ORDER[number:]][:1] for each in people}
        for told, start, end in ((reached, since, until), (before, 2 * since - until, since)):
            came = sorted(name for name, first in firsts.items() if first and start <= first[0] < end)
            assert told[stage] == (len(came), came)


@company
@quick
def test_conversion_follows_those_who_came_in(people: list[Someone], days: tuple[int, int]) -> None:
    since, until = days
    report = funnel(paths_of(stays_of(people)), asked_for(days))
    for number, stage in enumerate(ORDER):
        through = {each: [day for day, to in each.moves if to in ORDER[number:]][:1] for each in people}
        through = {each: day for each, day in through.items() if day and since <= day[0] < until}
        own = {each: [day for day, to in each.moves if to == stage and since <= day < until][:1] for each in people}
        own = {each: day for each, day in own.items() if day}
        assert numbers(report, "conversion", "came in")[stage][0] == len(through)
        assert numbers(report, "conversion_own", "came in")[stage][0] == len(own)
        for further in ORDER[number + 1 :]:
            behind = ORDER[ORDER.index(further) :]
            went = [each for each in through if any(to in behind for _, to in each.moves)]
            told = numbers(report, "conversion", f"to {further}")[stage]
            assert told[0] == (len(went) / len(through) if through else None)
            went = [each for each, (at,) in own.items() if any(to == further and day >= at for day, to in each.moves)]
            told = numbers(report, "conversion_own", f"to {further}")[stage]
            assert told == (len(went) / len(own) if own else None, sorted(each.name for each in went))


@company
@quick
def test_who_went_on_and_how_long_it_took_follows_those_who_came_in(
    people: list[Someone], days: tuple[int, int]
) -> None:
    since, until = days
    table = funnel(paths_of(stays_of(people)), asked_for(days)).table("cohort")
    told = {(str(row[0]), str(row[1])): row[2:] for row in table.rows}
    expected: dict[tuple[str, str], tuple[int, dict[str, int]]] = {}
    for number, stage in enumerate(ORDER):
        starts = {each.name: [day for day, to in each.moves if to == stage and since <= day < until] for each in people}
        for further in ORDER[number + 1 :]:
            behind = ORDER[ORDER.index(further) :]
            spans = {
                each.name: next(day for day, to in each.moves if to in behind and day > starts[each.name][0])
                - starts[each.name][0]
                for each in people
                if starts[each.name] and any(to in behind and day > starts[each.name][0] for day, to in each.moves)
            }
            if any(starts.values()):
                expected[stage, further] = sum(map(bool, starts.values())), spans
    assert told.keys() == expected.keys()
    for key, (came, spans) in expected.items():
        whole, went, median, slow, longest, inferred = (each for each in told[key] if isinstance(each, Figure))
        assert (whole.value, went.value, inferred.value) == (came, len(spans) / came, 0)
        assert dict(zip(median.people, median.each, strict=True)) == spans
        if not spans:
            assert median.value is slow.value is longest.value is None
            continue
        for cell, wanted in ((median, percentile([*spans.values()], 0.5)), (slow, percentile([*spans.values()], 0.9))):
            assert cell.value is not None
            assert abs(cell.value - wanted) < 1e-9
        assert longest.value == max(spans.values())


@company
@quick
def test_the_ledger_closes_every_week_and_says_what_a_calendar_says(
    people: list[Someone], days: tuple[int, int]
) -> None:
    asked = asked_for(days)
    report = ledger(paths_of(stays_of(people)), asked, [], [])
    assert report.good
    told = {(row[0], row[1]): [each.value for each in row[2:] if isinstance(each, Figure)]
            for row in report.table("weeks").rows}  # fmt: skip
    monday = days[0] - days[0] % 7
    while monday < days[1]:
        end = min(monday + 7, days[1])
        label = f"{START + timedelta(days=monday):%Y-%m-%d}"
        for stage in (*ORDER, "Out"):
            opening, closing = (sum(each.on(day) == stage for each in people) for day in (monday, end))
            came = sum(monday <= day < end and to == stage for each in people for day, to in each.moves)
            left = opening + came - closing
            expected = [opening, came, left, closing]
            assert told.get((label, stage), [0, 0, 0, 0]) == expected
        monday += 7


@company
@quick
def test_movement_counts_every_step_of_the_period(people: list[Someone], days: tuple[int, int]) -> None:
    since, until = days
    report = movement(paths_of(stays_of(people)), asked_for(days))
    steps: Counter[tuple[str, str]] = Counter()
    for each in people:
        here = "(new)"
        for day, to in [*each.moves, *([(each.gone, "(gone)")] if each.gone is not None else [])]:
            if since <= day < until:
                steps[here, to] += 1
            here = to
    matrix = report.table("matrix")
    told = {
        (str(row[0]), column.removeprefix("to ")): cell.value
        for row in matrix.rows
        for column, cell in zip(matrix.columns[1:], row[1:], strict=True)
        if isinstance(cell, Figure) and cell.value
    }
    assert told == dict(steps)


@company
@quick
def test_days_at_a_stage_are_those_of_the_calendar(people: list[Someone], days: tuple[int, int]) -> None:
    since, until = days
    report = velocity(paths_of(stays_of(people)), asked_for(days))
    spans: dict[str, list[int]] = {}
    for each in people:
        ends = [*(day for day, _ in each.moves[1:]), each.gone]
        for (day, stage), end in zip(each.moves, ends, strict=True):
            if end is not None and since <= end < until:
                spans.setdefault(stage, []).append(end - day)
    for name, part in (("median", 0.5), ("90th percentile", 0.9)):
        told = {stage: value for stage, (value, _) in numbers(report, "in_stage", name).items()}
        assert told.keys() == spans.keys()
        for stage, value in told.items():
            assert value is not None
            assert abs(value - percentile(spans[stage], part)) < 1e-9


def percentile(values: list[int], part: float) -> float:
    """In thousandths of the way from one sorted value to the next."""
    ordered = sorted(values)
    whole, fraction = divmod(round((len(ordered) - 1) * part * 1000), 1000)
    upper = ordered[min(whole + 1, len(ordered) - 1)]
    return ordered[whole] + (upper - ordered[whole]) * fraction / 1000


def test_percentiles_are_those_of_spreadsheets() -> None:
    assert quantile([1.0, 2.0, 3.0, 4.0], 0.9) == 3.7
    assert quantile([5.0], 0.5) == 5.0
    assert quantile([], 0.5) is None
