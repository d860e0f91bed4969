"""The select list of a query: which columns are read, and the plan by which rows become records."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any

from practice_org.salesforce.problems import Problem, malformed_query
from practice_org.salesforce.schema import FieldSpec, ObjectSpec
from practice_org.salesforce.soql import parse as soql
from practice_org.salesforce.soql import rules
from practice_org.salesforce.soql.compile import Compiler

_MOST_OFFSET = 2000


@dataclass(slots=True)
class Node:
    """One record of the answer: the object (None: polymorphic, known by its id), where its id and fields stand in the
    row, and the related records inside. ``branches`` are a TYPEOF's: object name ("" for ELSE) -> lower case fields."""

    spec: ObjectSpec | None
    id_at: int
    keys: list[tuple[str, Any]] = field(default_factory=list)  # (key, Slot | Node | Child), in order
    branches: dict[str, frozenset[str]] | None = None


@dataclass(frozen=True, slots=True)
class Slot:
    at: int
    spec: FieldSpec
    whole: bool = True  # an address spreads over eight columns from ``at``


@dataclass(frozen=True, slots=True)
class Child:
    """A subquery: run for the parents of a page."""

    query: soql.Query
    spec: ObjectSpec
    reference: FieldSpec


@dataclass(slots=True)
class Plan:
    """``columns`` are SQL expressions; ``source`` is FROM and joins, ``filters`` WHERE to HAVING, ``tail`` ORDER BY."""

    spec: ObjectSpec
    columns: list[str]
    root: Node
    source: str
    filters: str
    parameters: list[Any]
    tail: str
    limit: int | None
    offset: int
    aggregate: bool
    count_only: bool = False


def child_relationship(child: ObjectSpec, reference: FieldSpec, parent: ObjectSpec) -> str | None:
    """The plural name a parent knows its children by: ``OpportunityContactRoles``, ``Visits__r``; None: no name."""
    plural = child.plural.replace(" ", "")
    if reference.custom or child.custom:
        return plural.replace("_", "") + "__r"
    if reference.name in (f"{parent.name}Id", "WhoId", "WhatId", "RelationId"):
        return plural
    if reference.name == "ParentId" and child is parent:
        return f"Child{plural}"
    return None


def plan(compiler: Compiler, *, extra: str = "") -> Plan:
    """The whole query. Raises the problem Salesforce would. ``extra`` as in :meth:`Compiler.filters`."""
    query = compiler.query
    rules.check(query, compiler.text, inside=bool(extra))
    grouped = rules.grouped(query)
    root = Node(compiler.spec, -1 if grouped else compiler.add("t.Id"))
    _selected(compiler, root, grouped=grouped)
    parameters: list[Any] = []
    filters, tail = compiler.filters(parameters, extra=extra), compiler.tail()
    if query.offset > _MOST_OFFSET:
        text = f"Maximum SOQL offset allowed is {_MOST_OFFSET}, requested is {query.offset}"
        raise Problem(400, "NUMBER_OUTSIDE_VALID_RANGE", text)
    return Plan(
        compiler.spec,
        compiler.columns,
        root,
        compiler.source(),
        filters,
        parameters,
        tail,
        query.limit,
        query.offset,
        grouped,
        count_only=rules.counts_rows(query.select[0]),
    )


def _selected(compiler: Compiler, root: Node, *, grouped: bool) -> None:
    """Fills ``root`` and the compiler's columns."""
    unnamed = 0
    for one in compiler.query.select:
        if isinstance(one, soql.AllFields):
            _all_fields(compiler, root, one.kind)
        elif isinstance(one, soql.Query):
            _subquery(compiler, root, one)
        elif isinstance(one, soql.TypeOf):
            _typeof(compiler, root, one)
        elif grouped:
            unnamed = _aggregate(compiler, root, one, unnamed)
        elif isinstance(one.of, soql.Path):
            _path(compiler, root, one.of)
        else:
            target = compiler.operand(one.of)
            root.keys.append((one.alias or target.spec.name, Slot(compiler.add(target.sql), target.spec)))


def _aggregate(compiler: Compiler, root: Node, one: soql.Item, unnamed: int) -> int:
    target = compiler.shown(one.of)
    if isinstance(one.of, soql.Path):
        key = one.alias or target.spec.name
    else:
        key = one.alias or f"expr{unnamed}"
        unnamed += not one.alias
    root.keys.append((key, Slot(compiler.add(target.sql), target.spec)))
    return unnamed


def _path(compiler: Compiler, root: Node, path: soql.Path) -> None:
    """Puts the value into the record of its relationship, made where it is new."""
    names = compiler.names(path)
    node = root
    for depth in range(1, len(names)):
        known = next((value for key, value in node.keys if key.lower() == names[depth - 1].lower()), None)
        if not isinstance(known, Node):
            tables, _ = compiler.walk(soql.Path((*names[:depth], "Id"), path.column))
            holder = compiler.walk(soql.Path(names[:depth], path.column))[0]
            relation = next(found for _, spec in holder if (found := spec.by_relationship(names[depth - 1])))
            joined = (
                tables[0][0] + ".Id" if len(tables) == 1 else f"COALESCE({', '.join(a + '.Id' for a, _ in tables)})"
            )
            known = Node(tables[0][1] if len(tables) == 1 else None, compiler.add(joined))
            node.keys.append((relation.relationship or names[depth - 1], known))
        node = known
    target = compiler.find(path)
    if any(key == target.spec.name for key, _ in node.keys):
        text = f"{soql.where(compiler.text, path.column)}duplicate field selected: {target.spec.name}"
        raise Problem(400, "INVALID_FIELD", text)
    node.keys.append((target.spec.name, _slot(compiler, node, target.sql, target.spec)))


def _slot(compiler: Compiler, node: Node, sql: str, spec: FieldSpec) -> Slot:
    if spec.type == "address":
        first, *_ = [compiler.add(part) for part in sql.split(", ")]
        return Slot(first, spec)
    return Slot(node.id_at if spec.name == "Id" and node.id_at >= 0 else compiler.add(sql), spec)


def _all_fields(compiler: Compiler, root: Node, kind: str) -> None:
    wanted = {"ALL": (True, False), "STANDARD": (False,), "CUSTOM": (True,)}.get(kind)
    if wanted is None:
        raise malformed_query(f"FIELDS({kind}) is not one of ALL, STANDARD, CUSTOM")
    if kind != "STANDARD" and not (compiler.query.limit is not None and compiler.query.limit <= 200):
        text = "The SOQL FIELDS function must have a LIMIT of at most 200"
        raise Problem(400, "MALFORMED_QUERY", text)
    for found in compiler.spec.fields.values():
        if found.custom in wanted and compiler.seen(found):
            _path(compiler, root, soql.Path((found.name,)))


def _subquery(compiler: Compiler, root: Node, query: soql.Query) -> None:
    name = query.source.names[-1].lower()
    for child, reference in compiler.org.schema.children(compiler.spec.name):
        relationship = child_relationship(child, reference, compiler.spec)
        if relationship is not None and relationship.lower() == name:
            inner = dataclasses.replace(query, source=soql.Path((child.name,), query.source.column))
            plan(_beside(compiler, inner), extra="0")  # its mistakes are told though no parent is found
            root.keys.append((relationship, Child(inner, child, reference)))
            return
    text = f"Didn't understand relationship '{query.source.names[-1]}' in FROM part of query call."
    raise Problem(400, "INVALID_TYPE", soql.where(compiler.text, query.source.column) + text)


def _typeof(compiler: Compiler, root: Node, one: soql.TypeOf) -> None:
    """Every branch's fields are read; the record keeps those of the branch that its object chooses."""
    branches = {name: [_of_object(compiler, name, path) for path in group] for name, group in one.branches}
    branches[""] = list(one.otherwise)
    paths = {tuple(map(str.lower, path.names)): path for group in branches.values() for path in group}
    for path in paths.values():
        _path(compiler, root, soql.Path((*one.path.names, *path.names), path.column))
    relation = compiler.spec.by_relationship(one.path.names[-1])
    node = next((what for key, what in root.keys if relation is not None and key == relation.relationship), None)
    if isinstance(node, Node):
        node.branches = {name: frozenset(path.names[0].lower() for path in group) for name, group in branches.items()}


def _of_object(compiler: Compiler, name: str, path: soql.Path) -> soql.Path:
    """A field of a branch, without the object's own name before it. Raises for one that the object lacks."""
    own = _beside(compiler, dataclasses.replace(compiler.query, source=soql.Path((name,), path.column), alias=None))
    own.find(path)
    return soql.Path(own.names(path), path.column)


def _beside(compiler: Compiler, query: soql.Query) -> Compiler:
    return Compiler(compiler.org, query, compiler.text, all_rows=compiler.all_rows, trusted=compiler.trusted)
