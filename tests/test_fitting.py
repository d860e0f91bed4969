"""However narrow a screen is, a table of numbers cuts no word, and says everything once."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from connector.commands.fitting import AT_THE_ENDS, BETWEEN_COLUMNS, parts_of, widths_of

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
