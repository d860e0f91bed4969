"""Mistakes in a mapping: collected, so that all of them are told at once."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from difflib import get_close_matches

from connector.base.errors import ConfigurationError

_SHOWN = 50  # mistakes told in the message of the exception; ``.mistakes`` has all


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """Where something stands: ``line`` counts from 1, 0 means the file as a whole."""

    file: str
    line: int


@dataclass(frozen=True, slots=True, order=True)
class Mistake:
    """One thing that is wrong: where, ``what``, and what to try."""

    file: str
    line: int
    what: str
    hint: str = ""

    def __str__(self) -> str:
        hint = f" (try: {self.hint})" if self.hint else ""
        return f"{self.where}: {self.what}{hint}"

    @property
    def where(self) -> str:
        """As editors read it."""
        return f"{self.file}:{self.line}" if self.line else self.file


class MappingInvalid(ConfigurationError):
    """The mapping has mistakes; ``mistakes`` are all of them, by file and line."""

    def __init__(self, mistakes: Iterable[Mistake]) -> None:
        self.mistakes = tuple(sorted(set(mistakes)))
        lines = [str(each) for each in self.mistakes[:_SHOWN]]
        if len(self.mistakes) > _SHOWN:
            lines.append(f"and {len(self.mistakes) - _SHOWN} more")
        count = f"{len(self.mistakes)} mistakes" if len(self.mistakes) > 1 else "a mistake"
        super().__init__(f"the mapping has {count}\n" + "\n".join(lines))


@dataclass
class Notes:
    """Collects mistakes while a mapping is read."""

    mistakes: list[Mistake] = field(default_factory=list)

    def add(self, place: Place, what: str, hint: str = "") -> None:
        self.mistakes.append(Mistake(place.file, place.line, what, hint))


def did_you_mean(word: str, known: Iterable[str], otherwise: str = "") -> str:
    """A hint with the nearest known word; else ``otherwise``, or all that are known when those are few."""
    words = sorted(known)
    by_fold = {each.casefold(): each for each in words}
    if close := get_close_matches(word.casefold(), by_fold, n=1, cutoff=0.6):
        return f"did you mean {by_fold[close[0]]}?"
    if otherwise or not words:
        return otherwise
    shown = ", ".join(words[:12]) + (" ..." if len(words) > 12 else "")
    return f"known are: {shown}"
