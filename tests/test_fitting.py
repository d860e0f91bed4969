"""However narrow a screen is, a table of numbers cuts no word, and says everything once."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from connector.commands.fitting import AT_THE_ENDS, BETWEEN_COLUMNS, parts_of, told_aside, widths_of

words = st.lists(st.text("abcdefgh", min_size=1, max_size=9), min_size=1, max_size=3).map(" ".join)


@st.composite
def tables(draw: st.DrawFn) -> tuple[list[str], list[list[str]]]:
    """One column of names, and some of numbers."""
    count = draw(st.integers(1, 9))
    columns = draw(st.lists(words, min_size=count + 1, max_size=count + 1))
    numbers = st.integers(0, 10**6).map(lambda each: f"{each:,}")
    rows = [[draw(words), *(draw(numbers) for _ in range(count))] for _ in range(draw(st.integers(1, 4)))]
    return columns, rows


@given(tables(), st.integers(40, 110))
def test_a_table_of_numbers_is_shown_whole_in_parts_that_fit(
    table: tuple[list[str], list[list[str]]], room: int
) -> None:
    columns, rows = table
    right = range(1, len(columns))
    parts = list(parts_of(columns, rows, right, room))
    assert [each for part in parts for each in part[1:]] == [*right]
    for part in parts:
        assert part[0] == 0
        names, cells = [columns[each] for each in part], [[row[each] for each in part] for row in rows]
        widths = widths_of(names, cells, range(1, len(part)), room)
        if widths is None:
            widths = [max(map(len, each)) for each in zip(names, *cells, strict=True)]
        assert sum(widths) + BETWEEN_COLUMNS * (len(widths) - 1) + AT_THE_ENDS <= room
        for index, width in enumerate(widths):
            assert all(len(word) <= width for word in names[index].split())
            assert all(len(row[index]) <= width for row in cells) or index == 0


def test_a_table_that_fits_is_left_as_it_is() -> None:
    columns, rows = ["stage", "people"], [["Engaged", "12"]]
    assert widths_of(columns, rows, [1], 80) is None
    assert list(parts_of(columns, rows, [1], 80)) == [[0, 1]]


def test_a_table_of_texts_stays_in_one_piece() -> None:
    columns, rows = ["who", "days", "next step"], [["x" * 30, "1.0", "y" * 30]]
    assert list(parts_of(columns, rows, [1], 50)) == [[0, 1, 2]]


def test_an_address_may_break_where_an_id_stays_whole() -> None:
    columns = ["who", "name", "owner"]
    rows = [["00QPO000000000T2AQ", "ada.of.a.long.name@example.com", "Anna Sales"]]
    widths = widths_of(columns, rows, [], 50)
    assert widths is not None
    assert widths[0] == len(rows[0][0])
    assert sum(widths) + 2 * BETWEEN_COLUMNS + AT_THE_ENDS <= 50


def test_an_id_beside_an_address_and_numbers_stays_whole_on_the_smallest_screen() -> None:
    columns = ["who", "name", "stage", "days", "limit (days)", "owner"]
    address = "maite.sternmann.624898@example.com"
    rows = [["00QPO000000000T2AQ", address, "Comparison", "571.6", "254.7", "Lifecycle Connector"]]
    widths = widths_of(columns, rows, [3, 4], 80)
    assert widths is not None
    assert (widths[0], widths[2]) == (18, 10)
    assert sum(widths) + 5 * BETWEEN_COLUMNS + AT_THE_ENDS <= 80


def test_names_of_rows_are_not_broken_for_one_number_more_beside_them() -> None:
    columns = ["by", "what", *(f"Stage{each}" for each in range(9))]
    rows = [["lead source", "Other", *("1" for _ in range(9))]]
    for part in parts_of(columns, rows, range(2, 11), 60):
        names, cells = [columns[each] for each in part], [[row[each] for each in part] for row in rows]
        assert widths_of(names, cells, range(2, len(part)), 60) is None


def test_long_texts_that_follow_from_another_word_are_told_once() -> None:
    columns = ["who", "stage", "days", "next step", "because"]
    stages = {"Engaged": "ask for a demo, or for a price, or for a call", "Lead": "read what we have written"}
    rows = [
        [f"p{each}", stage, "1.0", stages[stage], "longer than nine in ten who left"]
        for each in "abc"
        for stage in stages
    ]
    kept, cells, right, lines = told_aside(columns, rows, [2], 80)
    assert (kept, right) == (["who", "stage", "days"], [2])
    assert cells[0] == ["pa", "Engaged", "1.0"]
    assert lines == [
        "next step of Engaged: ask for a demo, or for a price, or for a call",
        "next step of Lead: read what we have written",
        "because: longer than nine in ten who left",
    ]
    assert told_aside(columns, rows, [2], 200) == (columns, rows, [2], [])
    each_its_own = [[*row[:3], f"{row[3]} {number}", f"{row[4]} {number}"] for number, row in enumerate(rows)]
    assert told_aside(columns, each_its_own, [2], 80) == (columns, each_its_own, [2], [])
