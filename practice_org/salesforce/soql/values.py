"""Comparisons of a SOQL WHERE clause as SQL, with the checks Salesforce makes of the literal's type."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date
from typing import Any

from practice_org.salesforce import ids, values
from practice_org.salesforce.problems import Problem, malformed_query
from practice_org.salesforce.schema import FieldSpec
from practice_org.salesforce.soql.dates import relative
from practice_org.salesforce.soql.parse import Literal

NOT_FILTERABLE = frozenset({"Comments"})
_NUMERIC = ("double", "currency", "percent", "int")
_QUOTED = ("string", "picklist", "multipicklist", "combobox", "email", "phone", "url", "textarea", "id", "reference",
           "encryptedstring", "anyType", "time")  # fmt: skip
_WANTED = {"boolean": "boolean", "date": "date", "datetime": "dateTime"} | dict.fromkeys(_NUMERIC, "number")


def condition(
    sql: str,
    spec: FieldSpec,
    operator: str,
    literals: Sequence[Literal],
    parameters: list[Any],
    today: date,
    where: Callable[[], str],
) -> str:
    """``sql operator literals``, its values appended to ``parameters``. ``where`` points at the place in the query."""
    if (spec.type == "textarea" and spec.length > 255) or spec.type == "address":
        text = f"{where()}field '{spec.name}' can not be filtered in a query call"
        raise Problem(400, "INVALID_FIELD", text)
    if operator == "LIKE":
        if spec.type not in _QUOTED or spec.type in ("id", "reference"):
            raise _operator(where, spec)
        parameters.append(literals[0].value)
        return f"({sql} LIKE ? ESCAPE '\\')"
    if operator in ("INCLUDES", "EXCLUDES"):
        return _multi(sql, spec, operator, literals, parameters, where)
    if any(one.kind == "relative" for one in literals):
        if operator not in ("IN", "NOT IN"):
            return _range(sql, spec, operator, relative(literals[0].value, today), parameters)
        parts = [condition(sql, spec, "=", [one], parameters, today, where) for one in literals]
        return f"(({' OR '.join(parts)}) IS {'' if operator == 'IN' else 'NOT '}1)"
    found = [_value(spec, literal, where) for literal in literals]
    if operator in ("IN", "NOT IN"):
        return _members(sql, operator, found, parameters)
    return _single(sql, operator, found[0], parameters)


def _single(sql: str, operator: str, value: Any, parameters: list[Any]) -> str:
    if value is None:
        return {"=": f"({sql} IS NULL)", "!=": f"({sql} IS NOT NULL)"}.get(operator, "(0)")
    parameters.append(value)
    return f"({sql} IS NOT ?)" if operator == "!=" else f"({sql} {operator} ?)"


def _members(sql: str, operator: str, found: list[Any], parameters: list[Any]) -> str:
    given = [value for value in found if value is not None]
    parameters += given
    inside = f"{sql} IN ({', '.join('?' * len(given))})"
    if operator == "IN":
        return f"({inside} OR {sql} IS NULL)" if len(given) < len(found) else f"({inside})"
    return f"(NOT {inside})" if len(given) < len(found) else f"({sql} IS NULL OR NOT {inside})"


def _multi(
    sql: str,
    spec: FieldSpec,
    operator: str,
    literals: Sequence[Literal],
    parameters: list[Any],
    where: Callable[[], str],
) -> str:
    """``INCLUDES ('A;B', 'C')``: A and B, or C."""
    if spec.type != "multipicklist":
        raise _operator(where, spec)
    alternatives = []
    for literal in literals:
        parts = str(literal.value).split(";")
        parameters += [f"%;{_plain(part)};%" for part in parts]
        alternatives.append(" AND ".join([f"(';' || {sql} || ';') LIKE ? ESCAPE '\\'"] * len(parts)))
    text = "(" + " OR ".join(f"({one})" for one in alternatives) + ")"
    return text if operator == "INCLUDES" else f"({text} IS NOT 1)"


def _plain(text: str) -> str:
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def _range(sql: str, spec: FieldSpec, operator: str, days: tuple[date, date], parameters: list[Any]) -> str:
    if spec.type not in ("date", "datetime"):
        raise malformed_query(f"value of filter criterion for field '{spec.name}' must be of type {spec.type}")
    first, after = (
        f"{day.isoformat()}T00:00:00.000+0000" if spec.type == "datetime" else day.isoformat() for day in days
    )
    if operator in ("=", "!="):
        parameters += [first, after]
        return f"({sql} >= ? AND {sql} < ?)" if operator == "=" else f"(({sql} >= ? AND {sql} < ?) IS NOT 1)"
    bound = {"<": (first, "<"), ">=": (first, ">="), "<=": (after, "<"), ">": (after, ">=")}[operator]
    parameters.append(bound[0])
    return f"({sql} {bound[1]} ?)"


def _value(spec: FieldSpec, literal: Literal, where: Callable[[], str]) -> Any:
    """The literal as it is stored. Raises INVALID_FIELD where its kind does not fit the field."""
    kind, value = literal.kind, literal.value
    if kind == "null":
        return None
    fits = {
        "string": spec.type in _QUOTED,
        "number": spec.type in _NUMERIC,
        "boolean": spec.type == "boolean",
        "date": spec.type == "date",
        "datetime": spec.type == "datetime",
    }
    if not fits.get(kind, False):
        wanted = _WANTED.get(spec.type, "string")
        quotes = "be enclosed in quotes" if spec.type in _QUOTED else "should not be enclosed in quotes"
        text = f"value of filter criterion for field '{spec.name}' must be of type {wanted} and {quotes}"
        raise Problem(400, "INVALID_FIELD", where() + text)
    if spec.type in ("id", "reference"):
        if not value:
            return None
        if not ids.is_id(value):
            raise Problem(400, "INVALID_QUERY_FILTER_OPERATOR", f"{where()}invalid ID field: {value}")
        return ids.full(value)
    if kind == "string":
        return value or None
    try:
        if kind == "datetime":
            return values.stamp(values.moment(value))
        return date.fromisoformat(value).isoformat() if kind == "date" else int(value) if kind == "boolean" else value
    except (ValueError, OverflowError):
        raise malformed_query(f"{where()}Invalid date: {value}") from None


def _operator(where: Callable[[], str], spec: FieldSpec) -> Problem:
    return Problem(400, "INVALID_QUERY_FILTER_OPERATOR", f"{where()}invalid operator on {spec.type} field")
