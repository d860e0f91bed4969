"""How the columns of a table share a screen: no word is cut as long as that can be."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import takewhile

BETWEEN_COLUMNS, AT_THE_ENDS = 3, 2  # characters between two columns, and at both ends
_MANY, _LONG = 4, 25  # rows, characters
_AN_ID, _A_PART = 18, 10  # characters of what is never cut, and at least of what may be
_Rows = Sequence[Sequence[str]]


def widths_of(columns: Sequence[str], rows: _Rows, right: Sequence[int], room: int) -> list[int] | None:
    """Where the table does not fit as it is, but does without cutting a word, or none but what is longer than an id:
    how wide each column is."""
    least = [_least(columns, rows, right, index) for index in range(len(columns))]
    if _taken(least) > room:
        long = [index for index, each in enumerate(least) if each > _AN_ID]
        least = [min(each, _AN_ID) for each in least]
        for index in long:
            least[index] -= min(max(_taken(least) - room, 0), _AN_ID - _A_PART)
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
    whole = {index: max(map(len, (columns[index], *(row[index] for row in rows)))) for index in names}
    if all(_taken([*whole.values(), least[each]]) <= room * 3 / 4 for each in others):
        least = [whole.get(index, least[index]) for index in every]  # not broken for one number more beside them
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


def told_aside(
    columns: list[str], rows: list[list[str]], right: list[int], room: int
) -> tuple[list[str], list[list[str]], list[int], list[str]]:
    """Of a table that is too wide, long texts that say the same of all rows, or of all with the same word in an earlier
    column, are told once, in lines below it. Returns columns, rows, ``right``, and the lines."""
    every = range(len(columns))
    if (
        len(rows) < _MANY
        or _taken([max(map(len, (columns[each], *(row[each] for row in rows)))) for each in every]) <= room
    ):
        return columns, rows, right, []
    lines, kept = [], list(every)
    for index in (each for each in every[1:] if each not in right):
        if max(len(row[index]) for row in rows) < _LONG:
            continue
        if len({row[index] for row in rows}) == 1:
            lines.append(f"{columns[index]}: {rows[0][index]}")
            kept.remove(index)
            continue
        for key in (each for each in kept[1:] if each < index and each not in right):
            told = {row[key]: row[index] for row in rows}
            if len(told) <= len(rows) / 2 and all(told[row[key]] == row[index] for row in rows):
                lines += [f"{columns[index]} of {name}: {text}" for name, text in told.items() if text]
                kept.remove(index)
                break
    numbers = [place for place, each in enumerate(kept) if each in right]
    return [columns[each] for each in kept], [[row[each] for each in kept] for row in rows], numbers, lines


def _taken(widths: Sequence[int]) -> int:
    return sum(widths) + BETWEEN_COLUMNS * (len(widths) - 1) + AT_THE_ENDS


def _least(columns: Sequence[str], rows: _Rows, right: Sequence[int], index: int) -> int:
    """The longest word; numbers stay whole."""
    words = columns[index].split()
    for row in rows:
        words += [row[index]] if index in right else row[index].split()
    return max(map(len, words), default=1)
