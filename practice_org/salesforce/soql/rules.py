"""What a query may not say though the grammar allows it: aggregates and groups where they make no sense."""

from __future__ import annotations

from collections.abc import Iterator

from practice_org.salesforce.problems import Problem, malformed_query
from practice_org.salesforce.soql import parse as soql

AGGREGATES = {"COUNT": "COUNT({})", "COUNT_DISTINCT": "COUNT(DISTINCT {})", "SUM": "SUM({})", "AVG": "AVG({})",
               "MIN": "MIN({})", "MAX": "MAX({})"}  # fmt: skip


GROUPING = "GROUPING"  # of a row of totals: what it is a total over


def aggregates(of: soql.Path | soql.Call | None) -> bool:
    """Also where a function is made of the aggregate: ``FORMAT(MIN(CloseDate))``."""
    return isinstance(of, soql.Call) and (of.name.upper() in (*AGGREGATES, GROUPING) or aggregates(of.argument))


def grouped(query: soql.Query) -> bool:
    return bool(query.group) or any(isinstance(one, soql.Item) and aggregates(one.of) for one in query.select)


def plain(of: soql.Path | soql.Call | None) -> object:
    """What two mentions of one expression have in common."""
    if isinstance(of, soql.Call):
        return (of.name.lower(), plain(of.argument), of.place)
    return tuple(name.lower() for name in of.names) if of is not None else None


def counts_rows(of: object) -> bool:
    """``COUNT()``"""
    return isinstance(of, soql.Item) and isinstance(of.of, soql.Call) and of.of.argument is None


def check(query: soql.Query, text: str, *, inside: bool = False) -> None:
    """Raises MALFORMED_QUERY. A query ``inside`` another has no groups and may name its parent."""
    for of in _operands(query.where):
        if aggregates(of):
            raise _refused(text, of, f"aggregate function {_name(of)} is not allowed in the WHERE clause")
    for of in query.group:
        if aggregates(of):
            raise _refused(text, of, f"aggregate function {_name(of)} is not allowed in the GROUP BY clause")
    if len(query.source.names) > 1 and not inside:
        raise _refused(text, query.source, f"unexpected token: '{'.'.join(query.source.names)}'")
    if query.having is not None and not query.group:
        raise _refused(text, next(_operands(query.having)), "HAVING needs a GROUP BY clause")
    if inside and (grouped(query) or query.having is not None):
        raise _refused(text, query.source, "aggregates and groups are not allowed in a nested query")
    if any(map(counts_rows, query.select)):
        _count(query, text)
    if grouped(query):
        _grouped(query, text)
        return
    for one in query.order:
        if aggregates(one.of):
            raise _refused(text, one.of, f"aggregate function {_name(one.of)} needs a query with groups")


def _count(query: soql.Query, text: str) -> None:
    if len(query.select) > 1 or query.group or query.having is not None or query.order:
        raise _refused(text, query.source, "COUNT() stands alone: use COUNT(fieldName) with other fields and clauses")


def _grouped(query: soql.Query, text: str) -> None:
    if not all(isinstance(one, soql.Item) for one in query.select):
        raise _refused(text, query.source, "a query with groups selects fields and aggregates only")
    known = {plain(one) for one in query.group}
    for of in (one.of for one in (*query.select, *query.order) if isinstance(one, soql.Item | soql.Ordering)):
        measured = isinstance(of, soql.Call) and of.name.upper() == GROUPING and plain(of.argument)
        if measured and not (query.grouping and measured in known):
            raise _refused(text, of, "GROUPING takes a field of GROUP BY ROLLUP or CUBE")
    aliases = {one.alias.lower() for one in query.select if isinstance(one, soql.Item) and one.alias}
    ordered = [one.of for one in query.order if not _is_one_of(one.of, aliases)]
    selected = [one.of for one in query.select if isinstance(one, soql.Item)]
    for of in (*selected, *_operands(query.having), *ordered):
        if not aggregates(of) and plain(of) not in known:
            raise _refused(text, of, f"Field must be grouped or aggregated: {_name(of)}")


def _is_one_of(of: soql.Path | soql.Call, aliases: set[str]) -> bool:
    return isinstance(of, soql.Path) and len(of.names) == 1 and of.names[0].lower() in aliases


def _operands(of: soql.Condition | None) -> Iterator[soql.Path | soql.Call]:
    if isinstance(of, soql.Compare):
        yield of.left
    elif isinstance(of, soql.Not):
        yield from _operands(of.of)
    elif isinstance(of, soql.Many):
        for part in of.parts:
            yield from _operands(part)


def _name(of: soql.Path | soql.Call) -> str:
    return of.name if isinstance(of, soql.Call) else ".".join(of.names)


def _refused(text: str, of: soql.Path | soql.Call, message: str) -> Problem:
    return malformed_query(soql.where(text, of.column) + message)
