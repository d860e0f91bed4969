"""What columns hold. PostgreSQL has texts. SQLite keeps them short, which is half of a state:

JSON is packed (``packing.py``); a time is a number of seconds; a text that comes again and again is told once, in the
table ``word``, and everywhere else by its number there. Who asks for a column gets the text on both.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from threading import get_ident
from typing import Any

from sqlalchemy import Integer, LargeBinary, Text
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator, TypeEngine

from connector.base.errors import StateError
from connector.store.packing import pack, unpack

_MOST_WORDS = 20_000  # of a state, and so in memory; what comes later is written out
_LONGEST_WORD = 200  # characters
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MINUTES = [f"T{minute // 60:02}:{minute % 60:02}:" for minute in range(1440)]
_SECONDS = [f"{second:02}+00:00" for second in range(60)]
_MICROSECOND = timedelta(microseconds=1)
_EXACT = 2**32 * 1_000_000  # microseconds, to the year 2106; the fraction of a later time would not be exact
NEVER = -62_135_596_801  # seconds: before the year 1, for "", which is before every text


class Plain(TypeDecorator[str]):
    """Text that sorts by code point on both: ids are case-sensitive, and times are ISO 8601 texts."""

    impl = Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        collation = "C" if dialect.name == "postgresql" else None
        return dialect.type_descriptor(Text(collation=collation))

    def bind_processor(self, dialect: Dialect) -> Any:
        return None


class Packed(Plain):
    """JSON. SQLite has it packed; PostgreSQL has it as it is, and compresses what is long."""

    cache_ok = True

    def bind_processor(self, dialect: Dialect) -> Any:
        return pack if dialect.name == "sqlite" else None

    def result_processor(self, dialect: Dialect, coltype: object) -> Any:
        return unpack if dialect.name == "sqlite" else None


class Moment(Plain):
    """A time in UTC as ``isoformat`` writes it. SQLite has the seconds since 1970, as a whole number where there is no
    fraction, so that they sort as the texts do; what is no such text stays one."""

    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        is_short = dialect.name == "sqlite"
        return dialect.type_descriptor(Integer()) if is_short else super().load_dialect_impl(dialect)

    def bind_processor(self, dialect: Dialect) -> Any:
        return seconds if dialect.name == "sqlite" else None

    def result_processor(self, dialect: Dialect, coltype: object) -> Any:
        return moment if dialect.name == "sqlite" else None


class Shortened(Plain):
    """What SQLite has as a number where it can, and else as the text."""

    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        is_short = dialect.name == "sqlite"  # a type by which SQLite makes no number of a text
        return dialect.type_descriptor(LargeBinary()) if is_short else super().load_dialect_impl(dialect)


class Repeated(Shortened):
    """A text of which a state has few different ones. It can be compared and grouped by, but has no order."""

    cache_ok = True

    def bind_processor(self, dialect: Dialect) -> Any:
        return vocabulary_of(dialect).number if dialect.name == "sqlite" else None

    def result_processor(self, dialect: Dialect, coltype: object) -> Any:
        return vocabulary_of(dialect).text if dialect.name == "sqlite" else None

    def literal_processor(self, dialect: Dialect) -> Any:
        text: Any = Text()
        written = text.literal_processor(dialect)
        if dialect.name != "sqlite":
            return written
        return lambda value: f"(SELECT number FROM word WHERE text = {written(value)})" if value else "''"


@lru_cache(4096)
def seconds(text: str | None) -> str | float | None:
    if not text:
        return text if text is None else NEVER
    try:
        at = datetime.fromisoformat(text)
        if at.utcoffset() != timedelta(0) or at.isoformat() != text:
            return text
    except ValueError:
        return text
    passed = (at - _EPOCH) // _MICROSECOND
    if passed % 1_000_000 == 0:
        return passed // 1_000_000
    return passed / 1_000_000 if abs(passed) < _EXACT else text


def moment(value: str | float | None) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if value == NEVER:
        return ""
    whole = int(value)
    if whole != value:
        return (_EPOCH + timedelta(microseconds=round(value * 1_000_000))).isoformat()
    minute, second = divmod(whole, 60)
    day, minute = divmod(minute, 1440)
    return f"{_day(day)}{_MINUTES[minute]}{_SECONDS[second]}"


@lru_cache(20_000)
def _day(number: int) -> str:
    return date.fromordinal(_EPOCH.toordinal() + number).isoformat()


class Vocabulary:
    """The words of a state that are known, by text and by number.

    A text that is new gets its number in a transaction that writes, and is written into the table with it; whoever only
    reads asks for it in vain. One transaction writes at a time, and each begins with what others have written."""

    def __init__(self) -> None:
        self.read = 0  # the last number that was read
        self._last = 0  # that is known to be written
        self._numbers: dict[str, int] = {}
        self._texts: dict[int, str] = {}
        self._new: dict[str, int] = {}
        self._writer: int | None = None  # thread

    def number(self, text: str | None) -> str | int | None:
        if not text:
            return text
        number = self._numbers.get(text)
        if number is None and self._writer == get_ident() and len(text) <= _LONGEST_WORD:
            number = self._add(text)
        return text if number is None else number

    def _add(self, text: str) -> int | None:
        number = self._last + len(self._new) + 1
        if number > _MOST_WORDS:
            return None
        self._new[text] = self._numbers[text] = number
        self._texts[number] = text
        return number

    def text(self, value: str | int | None) -> str | None:
        if value is None or isinstance(value, str):
            return value
        try:
            return self._texts[value]
        except KeyError:
            raise StateError("a word of the state is missing from it", "go back to a backup of it") from None

    def known(self) -> list[tuple[str, int]]:
        """All that are known, with their numbers."""
        return [*self._numbers.items()]

    def learn(self, rows: Sequence[Any]) -> bool:
        """What is written, from the last number that was read on. False where that says another thing: nothing is
        known then, and all is to be read again."""
        if self.read and (not rows or tuple(rows[0]) != (self.read, self._texts[self.read])):
            self.read, self._numbers, self._texts = 0, {}, {}
            return False
        for number, text in rows:
            self._numbers.setdefault(text, number)
            self._texts[number] = text
            self.read = number
        self._last = max(self._last, self.read)
        return True

    def write(self) -> None:
        """From now on this thread writes."""
        self._writer = get_ident()

    def added(self) -> list[tuple[int, str]]:
        return [(number, text) for text, number in self._new.items()]

    def blank(self, text: str) -> None:
        """A word that is to be nowhere any longer. Whether it is so the next beginning tells."""
        self._numbers.pop(text, None)
        self.read = 0

    def end(self) -> None:
        """Of what was added, that is known which is read again."""
        self._writer = None
        for text, number in self._new.items():
            if number > self._last:
                del self._numbers[text], self._texts[number]
        self._new = {}


def vocabulary_of(dialect: Any) -> Vocabulary:
    """Each engine has a dialect of its own, and so have its words."""
    words: Vocabulary = dialect.__dict__.setdefault("vocabulary", Vocabulary())
    return words
