"""Runs compiled queries: pages of records, totals, subqueries, and the locators under which a result is kept."""

from __future__ import annotations

import re
import sqlite3
from array import array
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from practice_org.salesforce.core import OrgCore
from practice_org.salesforce.problems import Problem
from practice_org.salesforce.schema import ADDRESS_PARTS
from practice_org.salesforce.soql import parse as soql
from practice_org.salesforce.soql import select as soql_select
from practice_org.salesforce.soql import totals
from practice_org.salesforce.soql.compile import Compiler
from practice_org.salesforce.soql.select import Child, Node, Plan, Slot
from practice_org.salesforce.storage import quoted

Record = dict[str, Any]
_TOO_MUCH = re.compile("too (large|many)|at most|stack overflow|too big")
_CHUNK = 5000  # rows read by one statement
_PARTS = [part[0][0].lower() + part[0][1:] for part in ADDRESS_PARTS]


@dataclass(slots=True)
class Result:
    """One query's answer. ``rowids`` (None: everything is in ``first``) is the snapshot that later pages are cut from;
    their values are read when the page is."""

    plan: Plan
    total: int
    first: list[Record]
    rowids: array[int] | None = None
    all_rows: bool = False


@contextmanager
def _bounded() -> Iterator[None]:
    """Raises QUERY_TOO_COMPLICATED for what is too deep or too wide for the database that stands in for theirs."""
    text = "Query is either selecting too many fields or the filter conditions are too complicated."
    try:
        yield
    except RecursionError:
        raise Problem(400, "QUERY_TOO_COMPLICATED", text) from None
    except sqlite3.OperationalError as error:
        if not _TOO_MUCH.search(str(error)):
            raise
        raise Problem(400, "QUERY_TOO_COMPLICATED", text) from None


@_bounded()
def run(
    org: OrgCore, text: str, *, all_rows: bool = False, trusted: bool = False, page: int = 2000, base: str = ""
) -> Result:
    """``base`` is the URL of the version's resources, for the records' ``attributes``."""
    query = soql.parse(text)
    if query.grouping:
        return _totalled(org, query, text, all_rows=all_rows, trusted=trusted)
    compiler = Compiler(org, query, text, all_rows=all_rows, trusted=trusted)
    plan = soql_select.plan(compiler)
    shaped = Shaper(org, text, base, all_rows=compiler.all_rows, trusted=trusted)
    select = f"SELECT {', '.join(plan.columns)} {plan.source}{plan.filters}{plan.tail}"
    if plan.count_only:
        count = int(org.db.read(f"SELECT COUNT(*) {plan.source}{plan.filters}", plan.parameters)[0][0])
        return Result(plan, max(0, min(count - plan.offset, count if plan.limit is None else plan.limit)), [])
    if plan.aggregate:
        rows = org.db.read(select + _limits(plan, plan.limit), plan.parameters)
        return Result(plan, len(rows), shaped.records(plan, rows))
    # One row more than a page tells whether a snapshot is needed at all.
    asked = page + 1 if plan.limit is None else min(page + 1, plan.limit)
    with org.db.lock:
        rows = org.db.read(select + _limits(plan, asked), plan.parameters)
        if len(rows) <= page:
            return Result(plan, len(rows), shaped.records(plan, rows))
        everything = f"SELECT t.rowid {plan.source}{plan.filters}{plan.tail}{_limits(plan, plan.limit)}"
        rowids = array("q", (row[0] for row in org.db.read(everything, plan.parameters)))
    return Result(plan, len(rowids), shaped.records(plan, rows[:page]), rowids, compiler.all_rows)


def _totalled(org: OrgCore, query: soql.Query, text: str, *, all_rows: bool, trusted: bool) -> Result:
    """The groups and their totals, in one answer."""
    plan, sql, parameters = totals.statement(lambda: Compiler(org, query, text, all_rows=all_rows, trusted=trusted))
    rows = org.db.read(sql + _limits(plan, plan.limit), parameters)
    return Result(plan, len(rows), Shaper(org, text, "", all_rows=all_rows, trusted=trusted).records(plan, rows))


def _limits(plan: Plan, limit: int | None) -> str:
    if limit is None and not plan.offset:
        return ""
    return f" LIMIT {-1 if limit is None else limit} OFFSET {plan.offset}"


@_bounded()
def snapshot(org: OrgCore, text: str, *, all_rows: bool) -> Result:
    """The rows of a query without their values; for jobs, whose results are read later and page by page."""
    compiler = Compiler(org, soql.parse(text), text, all_rows=all_rows, trusted=False)
    plan = soql_select.plan(compiler)
    sql = f"SELECT t.rowid {plan.source}{plan.filters}{plan.tail}{_limits(plan, plan.limit)}"
    rowids = array("q", (row[0] for row in org.db.read(sql, plan.parameters)))
    return Result(plan, len(rowids), [], rowids, compiler.all_rows)


def raw(org: OrgCore, result: Result, start: int, size: int) -> list[tuple[Any, ...]]:
    """The rows ``start`` to ``start + size`` of a snapshot; those that are gone since are left out."""
    assert result.rowids is not None  # noqa: S101 - only kept results have later pages
    found: list[tuple[Any, ...]] = []
    for first in range(start, min(start + size, len(result.rowids)), _CHUNK):
        wanted = result.rowids[first : min(first + _CHUNK, start + size)]
        columns = ", ".join(result.plan.columns)
        sql = f"SELECT t.rowid, {columns} {result.plan.source} WHERE t.rowid IN ({', '.join(map(str, wanted))})"
        by_id = {row[0]: row[1:] for row in org.db.read(sql)}
        found += [by_id[one] for one in wanted if one in by_id]
    return found


def later(org: OrgCore, result: Result, start: int, size: int, base: str, *, trusted: bool = False) -> list[Record]:
    """The records of one further page."""
    shaper = Shaper(org, "", base, all_rows=result.all_rows, trusted=trusted)
    return shaper.records(result.plan, raw(org, result, start, size))


class Shaper:
    """Rows -> records as the API sends them."""

    def __init__(self, org: OrgCore, text: str, base: str, *, all_rows: bool, trusted: bool) -> None:
        self.org, self.text, self.base = org, text, base
        self.all_rows, self.trusted = all_rows, trusted

    def records(self, plan: Plan, rows: Sequence[tuple[Any, ...]]) -> list[Record]:
        if plan.aggregate:
            build = self._values(plan.root)
            return [{"attributes": {"type": "AggregateResult"}, **build(row)} for row in rows]
        children = {
            key: self._children(child, [row[plan.root.id_at] for row in rows])
            for key, child in plan.root.keys
            if isinstance(child, Child)
        }
        build_one = self._builder(plan.root, children)
        return [build_one(row) for row in rows]

    def _builder(
        self, node: Node, children: dict[str, dict[str, Any]] | None = None
    ) -> Callable[[tuple[Any, ...]], Any]:
        """A function that makes one record (None where the relationship leads nowhere)."""
        spec, id_at, branches = node.spec, node.id_at, node.branches
        fill = self._values(node, children)
        if spec is not None:
            kind, url = spec.name, f"{self.base}/sobjects/{spec.name}/"

            def known(row: tuple[Any, ...]) -> Any:
                found = row[id_at]
                if found is None:
                    return None
                return {"attributes": {"type": kind, "url": url + found}, **fill(row)}

            return known

        def polymorphic(row: tuple[Any, ...]) -> Any:
            found = row[id_at]
            if found is None:
                return None
            target = self.org.schema.of_id(found)
            name = target.name if target else "Name"
            url = f"{self.base}/sobjects/{name}/{found}"
            if branches is None:
                return {"attributes": {"type": "Name", "url": url}, **fill(row)}
            chosen = branches.get(name, branches[""])
            kept = {key: value for key, value in fill(row).items() if key.lower() in chosen}
            return {"attributes": {"type": name, "url": url}, **kept}

        return polymorphic

    def _values(
        self, node: Node, children: dict[str, dict[str, Any]] | None = None
    ) -> Callable[[tuple[Any, ...]], Record]:
        steps: list[tuple[str, int, Callable[[Any], Any] | None]] = []
        plain = True
        for key, what in node.keys:
            if isinstance(what, Slot) and what.spec.type == "boolean":
                steps.append((key, what.at, bool))
                plain = False
            elif isinstance(what, Slot) and what.spec.type == "address":
                steps.append((key, -1, _address(what.at)))
                plain = False
            elif isinstance(what, Slot):
                steps.append((key, what.at, None))
            elif isinstance(what, Node):
                steps.append((key, -1, self._builder(what)))
                plain = False
            else:
                steps.append((key, -1, _looked_up((children or {}).get(key, {}), node.id_at)))
                plain = False
        if plain:
            pairs = [(key, at) for key, at, _ in steps]
            return lambda row: {key: row[at] for key, at in pairs}
        return lambda row: {
            key: row[at] if change is None else change(row if at < 0 else row[at]) for key, at, change in steps
        }

    def _children(self, child: Child, parents: list[str]) -> dict[str, Any]:
        """parent id -> the answer of the subquery for it; parents without children are missing (null)."""
        query = replace(child.query, limit=None, offset=0)
        grouped: dict[str, list[tuple[Any, ...]]] = {}
        plan: Plan | None = None
        at = 0
        for start in range(0, len(parents), 500):
            compiler = Compiler(self.org, query, self.text, all_rows=self.all_rows, trusted=self.trusted)
            at = compiler.add(f"t.{quoted(child.reference.name)}")
            listed = ", ".join(f"'{one}'" for one in parents[start : start + 500])
            plan = soql_select.plan(compiler, extra=f"t.{quoted(child.reference.name)} IN ({listed})")
            rows = self.org.db.read(
                f"SELECT {', '.join(plan.columns)} {plan.source}{plan.filters}{plan.tail}", plan.parameters
            )
            for row in rows:
                grouped.setdefault(row[at], []).append(row)
        if plan is None:
            return {}
        build = self._builder(plan.root)
        limit = child.query.limit
        answers = {}
        for parent, rows in grouped.items():
            records = [build(row) for row in rows[: limit if limit is not None else len(rows)]]
            if records:
                answers[parent] = {"totalSize": len(records), "done": True, "records": records}
        return answers


def _looked_up(found: dict[str, Any], id_at: int) -> Callable[[Any], Any]:
    return lambda row: found.get(row[id_at])


def _address(at: int) -> Callable[[Any], Any]:
    def build(row: tuple[Any, ...]) -> Any:
        parts = row[at : at + len(_PARTS)]
        if all(part is None for part in parts):
            return None
        return dict(sorted(zip(_PARTS, parts, strict=True)))

    return build
