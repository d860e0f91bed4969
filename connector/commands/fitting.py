"""How the columns of a table share a screen: no word is cut as long as that can be."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import takewhile

BETWEEN_COLUMNS, AT_THE_ENDS = 3, 2  # characters between two columns, and at both ends
_Rows = Sequence[Sequence[str]]


def widths_of(columns: Sequence[str], rows: _Rows, right: Sequence[int], room: int) -> list[int] | None:
    """Where the table does not fit as it is, but does without cutting a word: how wide each column is."""
    least = [_least(columns, rows, right, index) for index in range(len(columns))]
    whole = [
        max(len(cell) for cell in (columns[index], *(row[index] for row in rows))) for index in range(len(columns))
    ]
    if _taken(whole) <= room or _taken(least) > room:
        return None
    spare = room - _taken(least)
    found = list(least)
    needy = sorted(range(len(columns)), key=lambda index: whole[index] - least[index])
    for done, index in enumerate(needy):
        more = min(whole[index] - least[index], spare // (len(needy) - done))
        found[index] += more
        spare -= more
    return found


def parts_of(columns: Sequence[str], rows: _Rows, right: Sequence[int], room: int) -> Iterator[list[int]]:
    """Indices of the columns that stand side by side. A table of numbers that is too wide comes in parts, each with the
    columns that name a row."""
    least = [_least(columns, rows, right, index) for index in range(len(columns))]
    every = range(len(columns))
    names = list(takewhile(lambda index: index not in right, every))
    others = [index for index in every if index not in names]
    fits = all(_taken([least[index] for index in (*names, each)]) <= room for each in others)
    if _taken(least) <= room or not fits or any(index not in right for index in others):
        yield list(every)
        return
    part = list(names)
    for index in others:
        if _taken([least[each] for each in (*part, index)]) > room:
            yield part
            part = list(names)
        part.append(index)
    yield part


def _taken(widths: Sequence[int]) -> int:
    return sum(widths) + BETWEEN_COLUMNS * (len(widths) - 1) + AT_THE_ENDS


def _least(columns: Sequence[str], rows: _Rows, right: Sequence[int], index: int) -> int:
    """The longest word; numbers stay whole."""
    words = columns[index].split()
    for row in rows:
        words += [row[index]] if index in right else row[index].split()
    return max(map(len, words), default=1)
