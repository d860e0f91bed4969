"""Texts fit to be shown: those from elsewhere may hold what a terminal takes for commands, and things are counted."""

from __future__ import annotations

import re
import unicodedata
from typing import TypeVar

_QUOTED = re.compile(r"'(\w+)'")
_FORMULA = ("=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20")  # as a spreadsheet begins one, also full-width
_NUMBER = re.compile(r"[+-]?\d+(\.\d+)?")
_Cell = TypeVar("_Cell", str, str | float | None)
_UNFIT = ("Cc", "Cf", "Cs", "Zl", "Zp")  # control, invisible and direction marks, surrogates, line separators


def count(number: int, what: str, many: str = "") -> str:
    """``1 record``, ``2,000 records``."""
    return f"{number:,} {what if number == 1 else many or f'{what}s'}"


def printable(text: str) -> str:
    """The text on one line, without characters that control a terminal or hide others."""
    if text.isprintable():
        return text
    return "".join(" " if each in "\t\r\n" else each for each in text if each in "\t\r\n" or not _is_unfit(each))


def fit_lines(text: str) -> str:
    """The same of a text that has lines of its own."""
    return text if text.isprintable() else "\n".join(map(printable, text.split("\n")))


def harmless(cell: _Cell) -> _Cell:
    """A cell that no spreadsheet takes for a formula and no terminal for a command."""
    if not isinstance(cell, str):
        return cell
    text = printable(cell)
    return f"'{text}" if text.lstrip().startswith(_FORMULA) and not _NUMBER.fullmatch(text) else text


def quoted_in(text: str) -> list[str]:
    """The names between single quotes: Salesforce names fields so in what it says."""
    return _QUOTED.findall(text)


def label_of(api_name: str) -> str:
    """What people read for the API name of a field: ``Lead_Score__c`` is Lead Score."""
    return " ".join(api_name.removesuffix("__c").replace("_", " ").split())[:40]


def _is_unfit(character: str) -> bool:
    return unicodedata.category(character) in _UNFIT
