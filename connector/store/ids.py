"""Ids and refs on SQLite: numbers of six bytes, where they have the shape that nearly all have.

A state says each of them a dozen times. What many begin with is told once, as a word (``types.py``), and ends in a mark
that says what follows: ``*`` six base-62 digits and the three characters that follow from an id of 15, ``#`` one
decimal digit each. The number is that of the word, and behind it (36 bits) that of the digits. What has another shape
stays a text. Texts of one word sort as their numbers do; of two words they need not, see ``between``.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection, Integer, and_, or_, type_coerce
from sqlalchemy.engine import Dialect
from sqlalchemy.sql import ColumnElement

from connector.store.types import Plain, Shortened, Vocabulary, vocabulary_of

BITS = 36  # of what follows the word
DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"  # in the order of their code points
CHECK_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"  # which of five characters are capitals, the first in the low bit
_OF_SALESFORCE = "salesforce:"  # what refs of activities begin with that Salesforce's own objects tell
_MARKS = ("*", "#")
_MOST_DECIMALS = 10  # that 36 bits hold
_LONGEST = 12  # decimal digits; the first of them are the word's
_WORD = re.compile(rf"({_OF_SALESFORCE})?[0-9A-Za-z]{{9}}\*|.*:[0-9]{{0,{_LONGEST - _MOST_DECIMALS}}}#+", re.DOTALL)

_PAIRS = [first + second for first in DIGITS for second in DIGITS]
_of_pair = {pair: number for number, pair in enumerate(_PAIRS)}.get
_BEGINS = re.compile("[0-9A-Za-z]{9}")
_SQUARE = len(DIGITS) ** 2
_CAPITAL = [pair[0].isupper() | pair[1].isupper() << 1 for pair in _PAIRS]  # which of the two is one
_ALL = (1 << BITS) - 1
_CAPITALS = str.maketrans(DIGITS, "".join("1" if "A" <= each <= "Z" else "0" for each in DIGITS))
_CHECK = {f"{number:05b}"[::-1]: letter for number, letter in enumerate(CHECK_LETTERS)}


class IdOrRef(Shortened):
    """The id of a record, or a ref. It has no order that means anything, but one by which to go on page by page, in
    which "" is the first."""

    cache_ok = True

    def bind_processor(self, dialect: Dialect) -> Any:
        if dialect.name != "sqlite":
            return None
        words = vocabulary_of(dialect)
        return lambda text: id_number(words, text)

    def result_processor(self, dialect: Dialect, coltype: object) -> Any:
        if dialect.name != "sqlite":
            return None
        words = vocabulary_of(dialect)
        return lambda value: id_text(words, value)


def with_check(short: str) -> str:
    """An id of 15 characters as one of 18. The rule is Salesforce's."""
    capitals = short[-15:].translate(_CAPITALS)
    return f"{short}{_CHECK[capitals[:5]]}{_CHECK[capitals[5:10]]}{_CHECK[capitals[10:]]}"


def ids_meant(asked: str) -> list[str]:
    """What an id that somebody gives may be: with 15 characters also the one of 18 that goes with it."""
    is_short = len(asked) == 15 and asked.isascii() and asked.isalnum()
    return [asked, with_check(asked)] if is_short else [asked]


def id_number(words: Vocabulary, text: str | None) -> str | int | None:
    if not text:
        return text if text is None else 0
    if len(text) == 18 or (len(text) == 29 and text.startswith(_OF_SALESFORCE)):
        first, second, third = _of_pair(text[-9:-7]), _of_pair(text[-7:-5]), _of_pair(text[-5:-3])
        beginning = text[:-9]
        if not (first is None or second is None or third is None) and _BEGINS.fullmatch(beginning[-9:]):
            ending = _endings(beginning)[_CAPITAL[first] | _CAPITAL[second] << 2 | _CAPITAL[third] << 4]
            if text[-3:] == ending:
                return _joined(words, f"{beginning}*", (first * _SQUARE + second) * _SQUARE + third, text)
    source, colon, decimals = text.partition(":")
    if colon and len(decimals) <= _LONGEST and decimals.isdigit() and decimals.isascii():
        rest = decimals[-_MOST_DECIMALS:]
        return _joined(words, f"{source}:{decimals[:-_MOST_DECIMALS]}{'#' * len(rest)}", int(rest), text)
    return text


@lru_cache(1000)
def _endings(beginning: str) -> tuple[str, ...]:
    """The last three characters of the ids that begin so, by which of the six digits are capitals."""
    digits = ("".join("A" if number >> place & 1 else "0" for place in range(6)) for number in range(64))
    return tuple(with_check(f"{beginning[-9:]}{each}")[-3:] for each in digits)


def _joined(words: Vocabulary, word: str, number: int, text: str) -> str | int:
    of_word = words.number(word)
    return of_word << BITS | number if isinstance(of_word, int) else text


def id_text(words: Vocabulary, value: str | int | None) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return _written(words.text(value >> BITS) or "", value & _ALL) if value else ""


def _written(word: str, number: int) -> str:
    if word[-1] == "*":
        beginning, rest, third = word[:-1], number // _SQUARE, number % _SQUARE
        first, second = rest // _SQUARE, rest % _SQUARE
        ending = _endings(beginning)[_CAPITAL[first] | _CAPITAL[second] << 2 | _CAPITAL[third] << 4]
        return f"{beginning}{_PAIRS[first]}{_PAIRS[second]}{_PAIRS[third]}{ending}"
    beginning = word.rstrip("#")
    return f"{beginning}{number:0{len(word) - len(beginning)}}"


def begins_ids(word: str) -> bool:
    """Whether a word may be one that ids or refs begin with."""
    return word[-1:] in _MARKS and _WORD.fullmatch(word) is not None


def between(connection: Connection, column: ColumnElement[str], after: str, upto: str) -> ColumnElement[bool]:
    """Whether an id or ref, as a text, sorts behind one text and not behind another: by an index, if there is."""
    as_text = type_coerce(column, Plain)
    is_between = and_(as_text > after, as_text <= upto)
    if connection.dialect.name != "sqlite":
        return is_between
    stored = type_coerce(column, Integer)
    found = []
    for word, number in vocabulary_of(connection.dialect).known():
        if begins_ids(word):
            first, end = _first_behind(word, after), _first_behind(word, upto)
            if first < end:
                found.append(and_(stored >= (number << BITS) + first, stored < (number << BITS) + end))
    return or_(is_between, *found)


def behind(connection: Connection, column: ColumnElement[str], beginning: str) -> ColumnElement[bool]:
    """Whether a ref goes on behind a beginning and a colon."""
    return between(connection, column, f"{beginning}:", f"{beginning};")


def _first_behind(word: str, text: str) -> int:
    """The first number of a word whose text sorts behind a text; how many numbers there are, if none does."""
    low, high = 0, len(DIGITS) ** 6 if word[-1] == "*" else 10 ** (len(word) - len(word.rstrip("#")))
    if _written(word, 0) > text:
        return 0
    if _written(word, high - 1) <= text:  # nearly always it is all of them, or none
        return high
    while low < high:
        middle = (low + high) // 2
        if _written(word, middle) > text:
            high = middle
        else:
            low = middle + 1
    return low
