"""The paths and conditions of a parsed query -> SQL over the org's tables.

SOQL compares two-valued where SQL has NULL: ``!=`` and NOT match empty fields, as in Salesforce.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from practice_org.salesforce import currencies
from practice_org.salesforce.core import OrgCore
from practice_org.salesforce.problems import (
    Problem,
    malformed_query,
    no_such_column,
    no_such_object,
    no_such_relationship,
    pointed,
)
from practice_org.salesforce.schema import ADDRESS_PARTS, FieldSpec, ObjectSpec, field_from
from practice_org.salesforce.soql import functions, rules
from practice_org.salesforce.soql import parse as soql
from practice_org.salesforce.soql.values import NOT_FILTERABLE, condition
from practice_org.salesforce.storage import quoted

_LEVELS = 5
_DATE_PARTS = {"CALENDAR_YEAR": (1, 4), "CALENDAR_MONTH": (6, 2), "DAY_IN_MONTH": (9, 2), "HOUR_IN_DAY": (12, 2),
               "FISCAL_YEAR": (1, 4), "FISCAL_MONTH": (6, 2)}  # fmt: skip
_QUARTERS = ("CALENDAR_QUARTER", "FISCAL_QUARTER")
_OF_DAYS = {  # Sunday is 1; a week of a month or year begins with its first day
    "DAY_IN_WEEK": "(CAST(strftime('%w', SUBSTR({0}, 1, 10)) AS INTEGER) + 1)",
    "DAY_IN_YEAR": "CAST(strftime('%j', SUBSTR({0}, 1, 10)) AS INTEGER)",
    "WEEK_IN_MONTH": "((CAST(SUBSTR({0}, 9, 2) AS INTEGER) + 6) / 7)",
    "WEEK_IN_YEAR": "((CAST(strftime('%j', SUBSTR({0}, 1, 10)) AS INTEGER) + 6) / 7)",
}
_OF_TIMES = ("HOUR_IN_DAY", "DAY_ONLY")
_AS_IS = ("TOLABEL", "FORMAT", "CONVERTTIMEZONE")
_NUMBER = field_from("expr", "int", "9", "n")
_AMOUNT = field_from("expr", "double", "18.0", "n")
_TYPE = field_from("Type", "string", "40", "n")
# What can be asked of a reference to several objects, whether one of them has it or not: the fields of Name (Object
# Reference, "Name"); empty where the record's own object lacks it.
_OF_NAME = ("Alias", "Email", "FirstName", "IsActive", "LastName", "Phone", "Title", "Username")
_ABSENT = {name.lower(): field_from(name, "string", "80", "n") for name in _OF_NAME}


@dataclass(frozen=True, slots=True)
class Target:
    """Where a path leads: SQL for its value, and the specs on the way."""

    sql: str
    spec: FieldSpec


def _aggregatable(name: str, spec: FieldSpec) -> bool:
    if name in ("SUM", "AVG"):
        return spec.type in ("int", "double", "currency", "percent")
    return spec.type not in ("address", "multipicklist") and not (spec.type == "textarea" and spec.length > 255)


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def _scalar(name: str, inner: Target) -> Target | None:
    """A function of one row's value; None for a name SOQL does not have."""
    if name in _OF_DAYS:
        return Target(_OF_DAYS[name].format(inner.sql), _NUMBER)
    if name in _DATE_PARTS:
        start, length = _DATE_PARTS[name]
        return Target(f"CAST(SUBSTR({inner.sql}, {start}, {length}) AS INTEGER)", _NUMBER)
    if name in _QUARTERS:
        return Target(f"((CAST(SUBSTR({inner.sql}, 6, 2) AS INTEGER) + 2) / 3)", _NUMBER)
    if name == "DAY_ONLY":
        return Target(f"SUBSTR({inner.sql}, 1, 10)", field_from("day", "date", "", "n"))
    return inner if name in _AS_IS else None


class Compiler:
    """Compiles one query level. ``trusted`` sees fields that field-level security hides from the API's user."""

    def __init__(self, org: OrgCore, query: soql.Query, text: str, *, all_rows: bool, trusted: bool) -> None:
        self.org, self.query, self.text = org, query, text
        self.all_rows, self.trusted = all_rows or query.all_rows, trusted
        self.columns: list[str] = []
        self.joins: list[str] = []
        self.aliases: dict[tuple[str, ...], str] = {}
        self.totalled: frozenset[object] = frozenset()  # fields that a row of totals is not grouped by
        name = query.source.names[0]
        found = self.target(name)
        if found is None:
            raise pointed(no_such_object(name), soql.where(text, query.source.column))
        self.spec = found

    def target(self, name: str) -> ObjectSpec | None:
        return self.org.schema.find(name) if self.trusted else self.org.schema.shown(name)

    # -- paths -----------------------------------------------------------------------------------------------------

    def names(self, path: soql.Path) -> tuple[str, ...]:
        """The path without the alias or name of the queried object before it."""
        first = path.names[0].lower()
        own = (self.query.alias or "").lower(), self.spec.name.lower()
        relation = self.spec.by_relationship(path.names[0])
        return path.names[1:] if len(path.names) > 1 and first in own and relation is None else path.names

    def walk(self, path: soql.Path) -> tuple[tuple[tuple[str, ObjectSpec], ...], str]:
        """The joined tables (alias, object) in which the path's last name is looked up, and the reference's SQL."""
        names = self.names(path)
        if len(names) > _LEVELS + 1:
            raise malformed_query(f"{soql.where(self.text, path.column)}relationship path is too long")
        tables: tuple[tuple[str, ObjectSpec], ...] = (("t", self.spec),)
        reference = "t.Id"
        for depth, name in enumerate(names[:-1], 1):
            alias, found = next(
                ((table, one) for table, spec in tables if (one := spec.by_relationship(name))), ("", None)
            )
            if found is None or not self.seen(found):
                raise pointed(no_such_relationship(name), soql.where(self.text, path.column))
            reference = f"{alias}.{quoted(found.name)}"
            key = tuple(n.lower() for n in names[:depth])
            targets = [one for one in map(self.target, found.reference_to) if one is not None]
            tables = tuple((self._join(key, one, reference), one) for one in targets)
            if not tables:
                raise pointed(no_such_relationship(name), soql.where(self.text, path.column))
        return tables, reference

    def _join(self, key: tuple[str, ...], target: ObjectSpec, reference: str) -> str:
        whole = (*key, target.name)
        if whole not in self.aliases:
            alias = self.aliases[whole] = f"j{len(self.aliases)}"
            alive = "" if self.all_rows else f" AND {alias}.IsDeleted = 0"
            self.joins.append(f"LEFT JOIN {quoted(target.name)} AS {alias} ON {alias}.Id = {reference}{alive}")
        return self.aliases[whole]

    def seen(self, found: FieldSpec) -> bool:
        return found.visible or self.trusted

    def find(self, path: soql.Path) -> Target:
        """Raises INVALID_FIELD for a name the object lacks."""
        tables, _ = self.walk(path)
        name = self.names(path)[-1]
        if len(tables) > 1 and name.lower() == "type":
            kinds = " ".join(
                f"WHEN {alias}.Id IS NOT NULL THEN " + (f'{alias}."Type"' if spec.name == "Group" else f"'{spec.name}'")
                for alias, spec in tables
            )
            return Target(f"(CASE {kinds} END)", _TYPE)
        found = [(alias, spec.find(name)) for alias, spec in tables]
        columns = [f"{alias}.{quoted(one.name)}" for alias, one in found if one is not None and one.type != "address"]
        spec = next((one for _, one in found if one is not None and self.seen(one)), None)
        if spec is None and len(tables) > 1 and (absent := _ABSENT.get(name.lower())):
            return Target("NULL", absent)
        if spec is None:
            raise self._no_column(path, name, tables)
        if spec.type == "address":
            alias = tables[0][0]
            parts = [f"{alias}.{quoted(spec.name.removesuffix('Address') + part[0])}" for part in ADDRESS_PARTS]
            return Target(", ".join(parts), spec)
        return Target(columns[0] if len(columns) == 1 else f"COALESCE({', '.join(columns)})", spec)

    def _no_column(self, path: soql.Path, name: str, tables: Sequence[tuple[str, ObjectSpec]]) -> Problem:
        entity = tables[0][1].name if len(tables) == 1 else "Name"
        return pointed(no_such_column(name, entity), soql.where(self.text, path.column))

    def operand(self, of: soql.Path | soql.Call) -> Target:
        """A path or a call of it, as SQL."""
        if isinstance(of, soql.Path):
            return self.find(of)
        name = of.name.upper()
        if name == "COUNT" and of.argument is None:
            return Target("COUNT(*)", _NUMBER)
        if of.argument is None:
            raise malformed_query(f"{soql.where(self.text, of.column)}Unknown function: {of.name}")
        inner = self.operand(of.argument)
        if name in rules.AGGREGATES:
            if not isinstance(of.argument, soql.Path) or not _aggregatable(name, inner.spec):
                text = f"field {inner.spec.name} does not support aggregate operator {name}"
                raise malformed_query(soql.where(self.text, of.column) + text)
            kind = _NUMBER if name.startswith("COUNT") else _AMOUNT if name in ("SUM", "AVG") else inner.spec
            return Target(rules.AGGREGATES[name].format(inner.sql), kind)
        if of.place is not None and inner.spec.type != "address":
            raise malformed_query(soql.where(self.text, of.column) + f"{inner.spec.name} is no place to measure from")
        if made := None if inner.spec.type == "address" and of.place is None else self._of_row(of, inner):
            return made
        dated = ("datetime",) if name in _OF_TIMES else ("date", "datetime")
        of_dates = name in _OF_DAYS or name in _DATE_PARTS or name in _QUARTERS or name == "DAY_ONLY"
        if inner.spec.type == "address" or (of_dates and inner.spec.type not in dated):
            text = f"field {inner.spec.name} does not support function {of.name}"
            raise malformed_query(soql.where(self.text, of.column) + text)
        made = self._converted(of, inner) if name == "CONVERTCURRENCY" else _scalar(name, inner)
        if made is None:
            raise malformed_query(f"{soql.where(self.text, of.column)}Unknown function: {of.name}")
        return made

    def _converted(self, of: soql.Call, inner: Target) -> Target:
        """An amount in the user's currency; in an org with one currency it is that already."""
        if not isinstance(of.argument, soql.Path) or inner.spec.type != "currency" or not currencies.codes(self.org):
            return inner
        (alias, spec), *_ = self.walk(of.argument)[0]
        return Target(currencies.converted(inner.sql, alias, spec.name), inner.spec)

    def shown(self, of: soql.Path | soql.Call) -> Target:
        """As a column of the answer: null in a row of totals over it."""
        target = self.operand(of)
        return Target("NULL", target.spec) if rules.plain(of) in self.totalled else target

    def _of_row(self, of: soql.Call, inner: Target) -> Target | None:
        """A function of one row's value that is not of dates."""
        name = of.name.upper()
        if name == rules.GROUPING:
            return Target("1" if rules.plain(of.argument) in self.totalled else "0", _NUMBER)
        if of.place is not None:
            latitude, longitude, unit = of.place
            *_, from_latitude, from_longitude, _ = inner.sql.split(", ")
            sql = f"sf_distance({from_latitude}, {from_longitude}, {latitude}, {longitude})"
            return Target(f"({sql} * {functions.MILES})" if unit == "mi" else sql, _AMOUNT)
        if name == "FORMAT":
            return Target(f"sf_format({inner.sql}, '{inner.spec.type}')", replace(inner.spec, type="string"))
        labels = [value for value in inner.spec.values if value.label and value.label != value.value]
        if name == "TOLABEL" and labels:
            cases = " ".join(f"WHEN {_text(value.value)} THEN {_text(value.label)}" for value in labels)
            return Target(f"(CASE {inner.sql} {cases} ELSE {inner.sql} END)", inner.spec)
        return None

    # -- the parts of a statement ------------------------------------------------------------------------------------

    def add(self, sql: str) -> int:
        self.columns.append(sql)
        return len(self.columns) - 1

    def source(self) -> str:
        """FROM and the joins that the paths compiled so far need."""
        return " ".join([f"FROM {quoted(self.spec.name)} AS t", *self.joins])

    def filters(self, parameters: list[Any], *, extra: str = "") -> str:
        """WHERE, GROUP BY and HAVING; ``extra`` is a further condition, of a subquery on its parents."""
        query = self.query
        conditions = [] if self.all_rows else [self._alive()]
        if query.where is not None:
            conditions.append(self.where(query.where, parameters))
        if extra:
            conditions.append(extra)
        text = f" WHERE {' AND '.join(conditions)}" if conditions else ""
        if query.group:
            named = [self._group(one) for one in query.group if rules.plain(one) not in self.totalled]
            text += f" GROUP BY {', '.join(named) or 'NULL'}"
        if query.having is not None:
            text += f" HAVING {self.where(query.having, parameters)}"
        return text

    def _group(self, of: soql.Path | soql.Call) -> str:
        target = self.operand(of)
        if not _aggregatable("COUNT", target.spec):
            text = f"field '{target.spec.name}' can not be grouped in a query call"
            raise malformed_query(soql.where(self.text, of.column) + text)
        return target.sql

    def tail(self) -> str:
        found = ", ".join(" ".join(self.ordering(one)) for one in self.query.order)
        return f" ORDER BY {found}" if found else ""

    def _alive(self) -> str:
        archived = self.spec.find("IsArchived")
        return "t.IsDeleted = 0" + (" AND t.IsArchived = 0" if archived else "")

    def ordering(self, one: soql.Ordering) -> tuple[str, str]:
        """What is sorted by, and how."""
        alias = one.of.names[0].lower() if isinstance(one.of, soql.Path) and len(one.of.names) == 1 else ""
        of = next(
            (
                i.of
                for i in self.query.select
                if isinstance(i, soql.Item) and alias and (i.alias or "").lower() == alias
            ),
            one.of,
        )
        target = self.shown(of)
        wide = target.spec.type == "address" or (target.spec.type == "textarea" and target.spec.length > 255)
        if target.spec.name in NOT_FILTERABLE or wide:
            raise malformed_query(f"field '{target.spec.name}' can not be sorted in a query call")
        return target.sql, f"{'DESC' if one.descending else 'ASC'} NULLS {'LAST' if one.nulls_last else 'FIRST'}"

    def where(self, of: soql.Condition, parameters: list[Any]) -> str:
        if isinstance(of, soql.Not):
            return f"(({self.where(of.of, parameters)}) IS NOT 1)"
        if isinstance(of, soql.Many):
            return "(" + f" {of.word} ".join(self.where(part, parameters) for part in of.parts) + ")"
        target = self.operand(of.left)
        if isinstance(of.values, soql.Query):
            return self._semijoin(of, target, parameters)
        column = of.left.column
        return condition(target.sql, target.spec, of.operator, of.values, parameters, self.org.clock.now().date(),
                         lambda: soql.where(self.text, column))  # fmt: skip

    def _semijoin(self, of: soql.Compare, target: Target, parameters: list[Any]) -> str:
        assert isinstance(of.values, soql.Query)  # noqa: S101 - narrowed by the caller
        rules.check(of.values, self.text, inside=True)
        inner = Compiler(self.org, of.values, self.text, all_rows=self.all_rows, trusted=self.trusted)
        [item] = of.values.select if len(of.values.select) == 1 else (None,)
        if not isinstance(item, soql.Item) or not isinstance(item.of, soql.Path) or len(of.values.source.names) > 1:
            raise malformed_query("a nested query selects exactly one field of one object")
        chosen = inner.operand(item.of)
        if "address" in (target.spec.type, chosen.spec.type):
            raise malformed_query(f"field '{target.spec.name}' can not be filtered by a nested query")
        value = chosen.sql
        filters = inner.filters(parameters)
        # A NULL among the inner values would make NOT IN true for nobody.
        body = f"SELECT v FROM (SELECT {value} AS v {inner.source()}{filters}) WHERE v IS NOT NULL"
        return f"(IFNULL({target.sql} {of.operator} ({body}), {int(of.operator == 'NOT IN')}))"
