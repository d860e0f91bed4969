"""Columns, and what was made of them, as SQL can show them and look into them: texts, also where SQLite has them
shorter (``types.py``, ``ids.py``)."""

from __future__ import annotations

from itertools import chain
from typing import Any

from sqlalchemy import Float, Integer, Text, case, cast, func, select, table, type_coerce
from sqlalchemy import column as named
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql import ColumnElement
from sqlalchemy.sql.functions import FunctionElement

from connector.store.ids import BITS, CHECK_LETTERS, DIGITS, IdOrRef
from connector.store.types import NEVER, Moment, Packed, Plain, Repeated


def in_text(dialect: str, value: ColumnElement[Any]) -> ColumnElement[Any]:
    if dialect != "sqlite":
        return value
    if isinstance(value.type, Packed):
        return func.unpacked(value, type_=Plain())
    if isinstance(value.type, Repeated):
        word = table("word", named("number", Integer), named("text", Text))
        told = select(word.c.text).where(word.c.number == value).scalar_subquery()
        return func.coalesce(told, value, type_=Plain())
    if isinstance(value.type, IdOrRef):
        return _IdInText(value)
    return _moment_in_text(value) if isinstance(value.type, Moment) else value


def _moment_in_text(value: ColumnElement[Any]) -> ColumnElement[Any]:
    number = cast(value, Integer)
    whole = number - (type_coerce(value, Integer) < number)  # the one below
    day = func.strftime("%Y-%m-%dT%H:%M:%S", whole, "unixepoch")
    part = func.round((type_coerce(value, Float) - whole) * 1_000_000)
    told = day.concat(case((part > 0, func.printf(".%06d", part)), else_="")).concat("+00:00")
    is_text = func.typeof(value).in_(("text", "null"))
    return case((is_text, type_coerce(value, Plain)), (type_coerce(value, Integer) == NEVER, ""), else_=told)


class _IdInText(FunctionElement[Any]):
    """An id or ref, written out."""

    name = "id_in_text"
    type = Plain()
    inherit_cache = True


_NUMBER = f"({{key}} & {(1 << BITS) - 1})"  # without the word's
_BEGINNING = "rtrim(text, '*#')"
_DIGITS = tuple(f"{_NUMBER} / {len(DIGITS) ** place} % {len(DIGITS)}" for place in range(5, -1, -1))
_CAPITALS = (  # of the 15 characters: nine stand before the mark of the word
    *(f"substr(text, {place - 10}, 1) BETWEEN 'A' AND 'Z'" for place in range(9)),
    *(f"{each} BETWEEN {DIGITS.index('A')} AND {DIGITS.index('Z')}" for each in _DIGITS),
)


def _check(first: int) -> str:
    bits = (f"(({each}) << {place})" for place, each in enumerate(_CAPITALS[first : first + 5]))
    return f"substr('{CHECK_LETTERS}', 1 + {' + '.join(bits)}, 1)"


_OF_ID = (f"substr('{DIGITS}', 1 + {each}, 1)" for each in _DIGITS), (_check(first) for first in (0, 5, 10))
_OF_DECIMALS = f"printf('%0*d', length(text) - length({_BEGINNING}), {_NUMBER})"
_WRITTEN = f"""CASE WHEN typeof({{key}}) <> 'integer' THEN {{key}} WHEN {{key}} = 0 THEN '' ELSE (
    SELECT {_BEGINNING} || CASE WHEN text LIKE '%*' THEN {" || ".join(chain(*_OF_ID))} ELSE {_OF_DECIMALS} END
    FROM word WHERE number = {{key}} >> {BITS}) END"""


@compiles(_IdInText)
def _write_out(element: _IdInText, compiler: Any, **options: Any) -> str:
    return _WRITTEN.format(key=compiler.process(element.clauses, **options))
