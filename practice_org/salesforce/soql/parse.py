"""SOQL text -> a tree of frozen values. Says where it went wrong in Salesforce's words."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib import resources
from itertools import pairwise
from typing import Any

from lark import Lark, Token, Transformer, v_args
from lark.exceptions import UnexpectedCharacters, UnexpectedInput, UnexpectedToken

from practice_org.salesforce.problems import Problem, malformed_query

_MOST = 2**31 - 1
_DIGITS = 18  # of a whole number that every database holds
LONGEST = 100_000  # characters of a statement


@dataclass(frozen=True, slots=True)
class Path:
    """``Account.Owner.Name``; ``column`` is where it stands in the text, for messages."""

    names: tuple[str, ...]
    column: int = 1


@dataclass(frozen=True, slots=True)
class Call:
    """``COUNT(Id)``, ``CALENDAR_YEAR(CloseDate)``, ``toLabel(Status)``; no argument for ``COUNT()``."""

    name: str
    argument: Path | Call | None
    column: int = 1
    place: tuple[float, float, str] | None = None  # of DISTANCE: latitude, longitude, mi or km


@dataclass(frozen=True, slots=True)
class Item:
    """One selected expression."""

    of: Path | Call
    alias: str | None = None


@dataclass(frozen=True, slots=True)
class AllFields:
    kind: str  # ALL | STANDARD | CUSTOM


@dataclass(frozen=True, slots=True)
class TypeOf:
    path: Path
    branches: tuple[tuple[str, tuple[Path, ...]], ...]
    otherwise: tuple[Path, ...]


@dataclass(frozen=True, slots=True)
class Literal:
    """``kind``: string, number, boolean, null, date, datetime, relative."""

    kind: str
    value: Any


@dataclass(frozen=True, slots=True)
class Compare:
    """``operator`` is one of = != < <= > >= LIKE (one value), IN, NOT IN, INCLUDES, EXCLUDES (several, or a query)."""

    left: Path | Call
    operator: str
    values: tuple[Literal, ...] | Query


@dataclass(frozen=True, slots=True)
class Not:
    of: Condition


@dataclass(frozen=True, slots=True)
class Many:
    """``word`` joins the parts: AND or OR."""

    word: str
    parts: tuple[Condition, ...]


Condition = Compare | Not | Many


@dataclass(frozen=True, slots=True)
class Ordering:
    of: Path | Call
    descending: bool = False
    nulls_last: bool = False


@dataclass(frozen=True, slots=True)
class Query:
    select: tuple[Item | AllFields | TypeOf | Query, ...]
    source: Path
    alias: str | None = None
    where: Condition | None = None
    group: tuple[Path | Call, ...] = ()
    grouping: str = ""  # ROLLUP | CUBE
    having: Condition | None = None
    order: tuple[Ordering, ...] = ()
    limit: int | None = None
    offset: int = 0
    all_rows: bool = False
    text: str = ""


@dataclass(frozen=True, slots=True)
class _Clause:
    name: str
    value: Any


_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f", '"': '"', "'": "'", "\\": "\\"}
_ESCAPE = re.compile(r"\\(u[0-9A-Fa-f]{4}|.)", re.DOTALL)
_STRING = re.compile(r"'((?:[^'\\]|\\.)*)'", re.DOTALL)


def unescape(text: str, *, like: bool = False) -> str:
    """The value of a quoted string's inside. In LIKE, ``\\_`` and ``\\%`` keep their backslash: no wildcards."""

    def one(match: re.Match[str]) -> str:
        char = match[1]
        if char[0] == "u" and len(char) == 5:
            if "d800" <= char[1:].lower() < "e000":
                raise malformed_query(f"Illegal escape sequence '\\{char}' in string literal")
            return chr(int(char[1:], 16))
        if like and char in "_%\\":
            return "\\" + char
        if char not in _ESCAPES and char not in "_%":
            raise malformed_query(f"Illegal escape sequence '\\{char}' in string literal")
        return _ESCAPES.get(char, char)

    return _ESCAPE.sub(one, text) if "\\" in text else text


def _whole(number: str) -> int:
    return min(_MOST, int(number)) if len(number) <= _DIGITS else _MOST


def _number(text: str) -> Literal:
    return Literal("number", float(text) if "." in text or len(text) > _DIGITS else int(text))


def _literal(token: Token | Literal) -> Literal:
    if isinstance(token, Literal):
        return token
    kind, text = token.type, str(token)
    if kind == "STRING":
        return Literal("string", unescape(text[1:-1]))
    if kind in ("NUMBER", "CURRENCY"):
        return _number(text[3:] if kind == "CURRENCY" else text)
    if kind in ("TRUE", "FALSE"):
        return Literal("boolean", kind == "TRUE")
    return Literal(
        {"NULL": "null", "DATE": "date", "DATETIME": "datetime"}.get(kind, "relative"), "".join(text.split())
    )


_ORDER = ("source", "using", "where", "with", "group", "having", "order", "limit", "offset", "tail", "all_rows")
_IGNORED = ("using", "with", "tail")


@v_args(inline=True)
class _Build(Transformer[Token, Any]):
    def path(self, *names: Token) -> Path:
        return Path(tuple(map(str, names)), names[0].column or 1)

    def call(self, name: Token, argument: Path | Call | None) -> Call:
        return Call(str(name), argument, name.column or 1)

    def field(self, of: Path | Call, alias: Token | None) -> Item:
        return Item(of, str(alias) if alias else None)

    def select(self, of: Call, alias: Token | None) -> Item:
        return Item(of, str(alias) if alias else None)

    def subquery(self, query: Query) -> Query:
        return query

    def fields(self, kind: Token) -> AllFields:
        return AllFields(str(kind).upper())

    def when(self, name: Token, *paths: Path) -> tuple[str, tuple[Path, ...]]:
        return str(name), paths

    def typeof(self, path: Path, *rest: Any) -> TypeOf:
        branches = tuple(part for part in rest if isinstance(part, tuple))
        return TypeOf(path, branches, tuple(part for part in rest if isinstance(part, Path)))

    def comparison(self, left: Path | Call, operator: Token, value: Any) -> Compare:
        return Compare(left, {"<>": "!="}.get(operator, str(operator)), (_literal(value),))

    def like(self, left: Path | Call, text: Token) -> Compare:
        return Compare(left, "LIKE", (Literal("string", unescape(text[1:-1], like=True)),))

    def word(self, name: Token) -> Literal:
        return Literal("relative", str(name))

    def strings(self, operator: Token, text: Token) -> tuple[str, Any]:
        found = tuple(Literal("string", unescape(part)) for part in _STRING.findall(text))
        return " ".join(operator.upper().split()), found

    def members(self, operator: Token, *parts: Any) -> tuple[str, Any]:
        return " ".join(operator.upper().split()), tuple(map(_literal, parts))

    def semijoin(self, operator: Token, query: Query) -> tuple[str, Any]:
        return " ".join(operator.upper().split()), query

    def unary(self, left: Path | Call, member: tuple[str, Any]) -> Compare:
        return Compare(left, *member)

    def negation(self, of: Condition) -> Not:
        return Not(of)

    def conjunction(self, *parts: Condition) -> Many:
        return Many("AND", parts)

    def disjunction(self, *parts: Condition) -> Many:
        return Many("OR", parts)

    def ordering(self, of: Path | Call, direction: Token | None, nulls: Token | None) -> Ordering:
        last = nulls is not None and nulls.type == "NULLS_LAST"
        return Ordering(of, direction is not None and direction.type == "DESC", last)

    def where(self, condition: Condition) -> _Clause:
        return _Clause("where", condition)

    def having(self, condition: Condition) -> _Clause:
        return _Clause("having", condition)

    def group(self, *paths: Path | Call) -> _Clause:
        return _Clause("group", paths)

    def totals(self, kind: Token, *paths: Path | Call) -> _Clause:
        return _Clause("group", (kind.type, paths))

    def distance(self, of: Path, latitude: Token, longitude: Token, unit: Token) -> Call:
        found = unescape(unit[1:-1]).lower()
        if found not in ("mi", "km"):
            raise malformed_query(f"the unit of DISTANCE is 'mi' or 'km', not {unit}")
        return Call("DISTANCE", of, of.column, (float(latitude), float(longitude), found))

    def order(self, *orderings: Ordering) -> _Clause:
        return _Clause("order", orderings)

    def limit(self, number: Token) -> _Clause:
        return _Clause("limit", _whole(number))

    def offset(self, number: Token) -> _Clause:
        return _Clause("offset", _whole(number))

    def source(self, *names: Token | None) -> _Clause:
        path, alias = [name for name in names[:-1] if name is not None], names[-1]
        found = Path(tuple(map(str, path)), path[0].column or 1)
        return _Clause("source", (found, str(alias) if alias is not None else None))

    def using(self, _scope: Token) -> _Clause:
        return _Clause("using", None)

    def with_clause(self, *_words: Token) -> _Clause:
        return _Clause("with", None)

    def tail(self, *words: Token) -> _Clause:
        return _Clause("tail", None) if words else _Clause("all_rows", True)

    def query(self, *parts: Any) -> Query:
        found = [part for part in parts if isinstance(part, _Clause)]
        places = [_ORDER.index(clause.name) for clause in found]
        late = next((b for a, b in pairwise(places) if b < a or (b == a and _ORDER[b] != "tail")), None)
        if late is not None:
            raise malformed_query(f"unexpected token: '{_ORDER[late].upper()}'")
        clauses = {clause.name: clause.value for clause in found if clause.name not in _IGNORED}
        source, alias = clauses.pop("source")
        if clauses.get("group") and isinstance(clauses["group"][0], str):
            clauses["grouping"], clauses["group"] = clauses["group"]
        selected = tuple(part for part in parts if part is not None and not isinstance(part, _Clause))
        return Query(selected, source, alias, **clauses)

    def start(self, query: Query) -> Query:
        return query


@cache
def _parser() -> Lark:
    grammar = resources.files("practice_org.salesforce.soql").joinpath("grammar.lark").read_text("utf-8")
    return Lark(grammar, parser="lalr", maybe_placeholders=True, transformer=_Build())


@lru_cache(maxsize=256)
def parse(text: str) -> Query:
    """Raises MALFORMED_QUERY with the place of the mistake."""
    if len(text) > LONGEST:
        raise malformed_query(f"SOQL statements cannot be longer than {LONGEST} characters.")
    if not text.isascii() and any("\ud800" <= char <= "\udfff" for char in text):
        raise malformed_query("The query string is not valid Unicode text")
    if not text.strip():
        raise malformed_query("A query string has to be specified")
    try:
        found = _parser().parse(text)
    except UnexpectedInput as error:
        raise malformed_query(_unexpected(text, error)) from None
    except Exception as error:  # noqa: BLE001 - lark wraps what a transformer raises
        inner = getattr(error, "orig_exc", error)
        raise inner if isinstance(inner, Problem) else malformed_query(str(inner)) from None
    assert isinstance(found, Query)  # noqa: S101 - the grammar's start rule
    return found


def _unexpected(text: str, error: UnexpectedInput) -> str:
    column = error.column if error.column and error.column > 0 else len(text)
    if isinstance(error, UnexpectedToken):
        shown = "<EOF>" if error.token.type == "$END" else f"'{error.token}'"
    elif isinstance(error, UnexpectedCharacters):
        shown = f"'{text[error.pos_in_stream]}'" if error.pos_in_stream is not None else "<EOF>"
    else:
        shown = "<EOF>"
    return where(text, column) + f"unexpected token: {shown}"


def where(text: str, column: int) -> str:
    """The pointer that Salesforce puts before a message about a query."""
    start = max(0, column - 40)
    shown = text[start : column + 20].replace("\n", " ")
    return f"\n{shown}\n{' ' * (column - 1 - start)}^\nERROR at Row:1:Column:{column}\n"
