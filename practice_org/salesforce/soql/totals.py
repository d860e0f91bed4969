"""GROUP BY ROLLUP and CUBE: one statement for each set of fields that is grouped by, put together.

SQLite has neither; in a row of totals the fields that are not grouped by are null, and GROUPING says 1 of them.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations
from typing import Any

from practice_org.salesforce.problems import malformed_query
from practice_org.salesforce.soql import parse as soql
from practice_org.salesforce.soql import rules
from practice_org.salesforce.soql import select as soql_select
from practice_org.salesforce.soql.compile import Compiler
from practice_org.salesforce.soql.select import Plan

MOST = 3  # fields


def statement(made: Callable[[], Compiler]) -> tuple[Plan, str, list[Any]]:
    """The plan of the detailed rows, and SQL with its parameters for all of them. ``made`` makes a compiler."""
    parts, parameters, orders = [], [], []
    first: Plan | None = None
    for totalled in _sets(made().query):
        compiler = made()
        compiler.totalled = frozenset(rules.plain(one) for one in totalled)
        plan = soql_select.plan(compiler)
        width = len(compiler.columns)
        orders = [(compiler.add(sql) - width, how) for sql, how in map(compiler.ordering, compiler.query.order)]
        columns = [f"{sql} AS c{place}" for place, sql in enumerate(compiler.columns)]
        parts.append(f"SELECT {', '.join(columns)} {compiler.source()}{plan.filters}")
        parameters += plan.parameters
        plan.columns = compiler.columns[:width]
        first = first or plan
    assert first is not None  # noqa: S101 - there is always the set of all fields
    width = len(first.columns)
    shown = ", ".join(f"c{place}" for place in range(width))
    tail = ", ".join(f"c{width + place} {how}" for place, how in orders)
    whole = f"SELECT {shown} FROM ({' UNION ALL '.join(parts)}){f' ORDER BY {tail}' if tail else ''}"
    return first, whole, parameters


def _sets(query: soql.Query) -> list[tuple[soql.Path | soql.Call, ...]]:
    """The fields that are not grouped by, set by set: none of them first, all of them last."""
    if len(query.group) > MOST:
        text = f"GROUP BY {query.grouping} takes at most {MOST} fields"
        raise malformed_query(soql.where(query.text, query.group[MOST].column) + text)
    if query.grouping == "ROLLUP":
        return [query.group[kept:] for kept in range(len(query.group), -1, -1)]
    return [left for number in range(len(query.group) + 1) for left in combinations(query.group, number)]
