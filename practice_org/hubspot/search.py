"""A CRM search as HubSpot reads it: pure, from the JSON body to SQL and a page, or a refusal.

Limits as in the search guide: 200 rows a page, 10,000 rows a query, one sort, five groups of six filters, 18 filters in
all, 3,000 characters. UNCONFIRMED and chosen here: the words of the refusals, and that NEQ and NOT_IN leave out records
without the property.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from practice_org.hubspot.gate import invalid
from practice_org.hubspot.objects import ObjectType, Property

MOST_ROWS = 10_000
MOST_A_PAGE = 200
USUAL_A_PAGE = 10
MOST_GROUPS, MOST_IN_A_GROUP, MOST_FILTERS = 5, 6, 18
LONGEST = 3000
_QUERIED = {"contacts": ("email", "firstname", "lastname", "phone", "company"), "companies": ("name", "domain")}
_SIGNS = {"EQ": "=", "NEQ": "<>", "LT": "<", "LTE": "<=", "GT": ">", "GTE": ">="}


@dataclass(frozen=True, slots=True)
class Search:
    """``where`` and ``order`` are SQL over ``hubspot_row``, ``values`` its parameters."""

    where: str
    order: str
    values: dict[str, Any]
    limit: int
    after: int
    properties: tuple[str, ...]


def read_search(body: Mapping[str, Any], kind: ObjectType) -> Search:
    """Raises HubSpotError 400."""
    if len(json.dumps(body)) > LONGEST + 20 * len(body.get("properties") or ()):
        raise invalid(f"The request is longer than {LONGEST} characters")
    limit, after = _number("limit", body.get("limit", USUAL_A_PAGE)), _number("after", body.get("after") or 0)
    if not 0 < limit <= MOST_A_PAGE:
        raise invalid(f"limit is between 1 and {MOST_A_PAGE}")
    if after + limit > MOST_ROWS:
        raise invalid(f"A search gives at most {MOST_ROWS} results; limit and after go beyond")
    values: dict[str, Any] = {}
    where = ["archived_at IS NULL", *_groups(body.get("filterGroups") or [], kind, values)]
    if text := str(body.get("query") or ""):
        values["text"] = f"%{text.lower()}%"
        fields = _QUERIED.get(kind.name, ())
        where.append("(" + (" OR ".join(f"lower({_value(kind, one)}) LIKE :text" for one in fields) or "0") + ")")
    properties = tuple(str(each) for each in body.get("properties") or ())
    return Search(" AND ".join(where), _order(body.get("sorts") or [], kind), values, limit, after, properties)


def _number(name: str, given: Any) -> int:
    if isinstance(given, bool) or not str(given).isascii() or not str(given).isdigit():
        raise invalid(f"{name} is no whole number: {given!r}")
    return int(given)


def _groups(groups: Sequence[Any], kind: ObjectType, values: dict[str, Any]) -> list[str]:
    """Filters of a group all hold; one group must."""
    if not isinstance(groups, list) or not all(isinstance(group, dict) for group in groups):
        raise invalid("filterGroups is a list of objects")
    sizes = [len(group.get("filters") or ()) for group in groups]
    if len(groups) > MOST_GROUPS or sum(sizes) > MOST_FILTERS or max(sizes, default=0) > MOST_IN_A_GROUP:
        raise invalid(f"At most {MOST_GROUPS} groups of {MOST_IN_A_GROUP} filters, {MOST_FILTERS} in all, may be given")
    parts = [" AND ".join(_filter(each, kind, values) for each in group.get("filters") or ()) for group in groups]
    parts = [part for part in parts if part]
    return [f"({' OR '.join(f'({part})' for part in parts)})"] if parts else []


def _filter(given: Mapping[str, Any], kind: ObjectType, values: dict[str, Any]) -> str:
    name, operator = str(given.get("propertyName")), str(given.get("operator"))
    known = kind.properties.get(name)
    if known is None:
        raise invalid(f"There was a problem with the request: property {name} of {kind.name} does not exist")
    column = _value(kind, name)

    def bound(value: Any) -> str:
        key = f"v{len(values)}"
        values[key] = _compared(known, value)
        return f":{key}"

    maker = _OPERATORS.get(operator)
    if maker is None:
        raise invalid(f"operator {operator} is none of {', '.join(_OPERATORS)}")
    try:
        return maker(column, given, bound)
    except KeyError as missing:
        raise invalid(f"{operator} on {name} needs {missing}") from None


Bound = Callable[[Any], str]


def _sign(sign: str) -> Callable[[str, Mapping[str, Any], Bound], str]:
    return lambda column, given, bound: f"{column} {sign} {bound(given['value'])}"


def _any_of(word: str) -> Callable[[str, Mapping[str, Any], Bound], str]:
    return lambda column, given, bound: f"{column} {word} ({', '.join(bound(each) for each in given['values'])})"


def _token(word: str) -> Callable[[str, Mapping[str, Any], Bound], str]:
    """A whole word of the text, ``*`` for any characters."""

    def sql(column: str, given: Mapping[str, Any], bound: Bound) -> str:
        return f"' ' || coalesce({column}, '') || ' ' {word} '* ' || {bound(given['value'])} || ' *'"

    return sql


_OPERATORS: dict[str, Callable[[str, Mapping[str, Any], Bound], str]] = {
    **{name: _sign(sign) for name, sign in _SIGNS.items()},
    "BETWEEN": lambda column, given, bound: f"{column} BETWEEN {bound(given['value'])} AND {bound(given['highValue'])}",
    "IN": _any_of("IN"),
    "NOT_IN": _any_of("NOT IN"),
    "HAS_PROPERTY": lambda column, _given, _bound: f"{column} IS NOT NULL",
    "NOT_HAS_PROPERTY": lambda column, _given, _bound: f"{column} IS NULL",
    "CONTAINS_TOKEN": _token("GLOB"),
    "NOT_CONTAINS_TOKEN": _token("NOT GLOB"),
}


def _value(kind: ObjectType, name: str) -> str:
    """The SQL of a property. Names come from our own table, never from the request."""
    own = {"hs_object_id": "id", kind.modified: "updated_at", kind.always[0]: "created_at"}
    if name in own:
        return own[name]
    stored = f"json_extract(body, '$.{name}')"
    kinds = {"number": f"CAST({stored} AS REAL)", "datetime": stored}
    return kinds.get(kind.properties[name].type, f"lower({stored})")


def _compared(known: Property, value: Any) -> Any:
    try:
        if known.type == "datetime":
            return milliseconds(value)
        if known.name == "hs_object_id":
            return int(value)
        return float(value) if known.type == "number" else str(value).lower()
    except (TypeError, ValueError):
        raise invalid(f"{value!r} is no {known.type}, as {known.name} is") from None


def milliseconds(value: Any) -> int:
    """Epoch milliseconds of a number, digits, ISO 8601 text or a datetime. Raises ValueError or TypeError."""
    if isinstance(value, datetime):
        return round((value if value.tzinfo else value.replace(tzinfo=UTC)).timestamp() * 1000)
    if isinstance(value, str) and not value.lstrip("-").isdigit():
        return milliseconds(datetime.fromisoformat(value))
    return int(value)


def _order(sorts: Sequence[Any], kind: ObjectType) -> str:
    """One sort; the record's id decides between equals, and alone when nothing is asked."""
    if len(sorts) > 1:
        raise invalid("Only one sort may be given")
    if not sorts:
        return "created_at, id"
    given = _worded(sorts[0]) if isinstance(sorts[0], str) else sorts[0]
    if not isinstance(given, dict):
        raise invalid("A sort is a property's name, or an object with propertyName and direction")
    name = str(given.get("propertyName"))
    if name not in kind.properties:
        raise invalid(f"property {name} of {kind.name} does not exist")
    sign = "DESC" if given.get("direction") == "DESCENDING" else "ASC"
    return f"{_value(kind, name)} {sign}, id {sign}"


def _worded(text: str) -> dict[str, str]:
    """A sort given as text: the property's name, with a minus before it for the other way round."""
    name = text.removeprefix("-")
    return {"propertyName": name, "direction": "ASCENDING" if name == text else "DESCENDING"}
