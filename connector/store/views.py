"""Views for whoever asks the state with SQL of their own: the same columns on SQLite and PostgreSQL, all texts and
numbers, described in docs/reports.md. They are made by a migration; one that changes a table below them drops them
first, and makes them again."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlalchemy import (
    JSON,
    Connection,
    Select,
    and_,
    case,
    cast,
    func,
    literal,
    null,
    or_,
    select,
    text,
    union,
    union_all,
)
from sqlalchemy.sql import ColumnElement

from connector.store.links import is_alone, is_person
from connector.store.schema import ACTIVITY, HISTORY, PROSPECT, RECORD, SET_ASIDE, STAY, TRACK
from connector.store.texts import in_text

VERSION = 1  # of the columns; docs/reports.md says what changed
VIEW_NUMBERS = {"entered", "left_it", "standing", "attempts"}  # columns that are no texts


def value_in(dialect: str, column: ColumnElement[str], name: str) -> ColumnElement[Any]:
    """One value of a JSON object. Both databases refuse a whole query for half of a character pair: then it is NULL."""
    if dialect == "sqlite":  # what is packed has none of what is looked for
        find, value = func.instr, func.json_extract(column, literal(f"$.{name}"))
        broken = [func.typeof(column) == literal("blob")]
    else:
        find, value, broken = func.strpos, cast(column, JSON)[name].as_string(), []
    is_broken = or_(*broken, find(column, literal("\\ud")) > 0, find(column, literal("\\u0000")) > 0)
    return case((is_broken, null()), else_=value)


def _stands(dialect: str, person: ColumnElement[str], track: str, column: str = "stands") -> ColumnElement[Any]:
    found = select(in_text(dialect, TRACK.c[column])).where(TRACK.c.person_id == person, TRACK.c.track == track)
    return found.scalar_subquery()


def _open_since(dialect: str, person: ColumnElement[str]) -> ColumnElement[Any]:
    latest = in_text(dialect, func.max(STAY.c.entered_at))
    found = select(latest).where(STAY.c.person_id == person, STAY.c.track == "stage", STAY.c.left_at.is_(None))
    return found.scalar_subquery()


def _person(dialect: str) -> Any:
    def columns(table: Any, person: Any, object_name: Any, name: Any, account: Any, owner: Any) -> Select[Any]:
        return select(
            in_text(dialect, person).label("person_id"),
            object_name.label("object"),
            name.label("name"),
            table.c.email.label("email"),
            account.label("account_id"),
            owner.label("owner_id"),
            _stands(dialect, person, "stage").label("stage"),
            _open_since(dialect, person).label("stage_since"),
            _stands(dialect, person, "status").label("status"),
            func.coalesce(_stands(dialect, person, "score", "value"), _stands(dialect, person, "score")).label("score"),
        ).select_from(table)

    own = (in_text(dialect, RECORD.c[name]) for name in ("object", "name", "account_id", "owner_id"))
    crm = columns(RECORD, RECORD.c.id, *own).where(is_person(RECORD))
    nothing = cast(null(), RECORD.c.name.type)
    alone = columns(PROSPECT, PROSPECT.c.ref, literal("Prospect"), nothing, nothing, nothing).where(is_alone())
    return union_all(crm, alone)


def _stay(dialect: str) -> Any:
    is_gone = and_(RECORD.c.id.is_not(None), or_(RECORD.c.live.is_(False), RECORD.c.alias_of.is_not(None)))
    left = func.coalesce(STAY.c.left_at, case((is_gone, RECORD.c.stamp))).label("left_at")
    line = func.coalesce(STAY.c.line, STAY.c.person_id).label("line")
    own = (STAY.c[name] for name in ("track", "stage", "entered_at"))
    more = (STAY.c.how, STAY.c.by.label("moved_by"), *(STAY.c[name] for name in ("rule", "became", "seen_at")))
    joined = STAY.outerjoin(RECORD, RECORD.c.id == STAY.c.person_id)
    stays = select(STAY.c.person_id, line, *own, left, *more).select_from(joined).subquery()
    return select(*(in_text(dialect, column).label(column.name) for column in stays.c))


def _stage_day(dialect: str) -> Any:
    stays = _stay(dialect).subquery()
    came = select(func.substr(stays.c.entered_at, 1, 10).label("day"), stays.c.track, stays.c.stage)
    left = select(func.substr(stays.c.left_at, 1, 10).label("day"), stays.c.track, stays.c.stage)
    moves = union_all(
        came.add_columns(literal(1).label("came"), literal(0).label("went")),
        left.add_columns(literal(0).label("came"), literal(1).label("went")).where(stays.c.left_at.is_not(None)),
    ).subquery()
    whole, gone = func.sum(moves.c.came), func.sum(moves.c.went)
    so_far = func.sum(whole - gone).over(partition_by=(moves.c.track, moves.c.stage), order_by=moves.c.day)
    names = (moves.c.day, moves.c.track, moves.c.stage)
    return select(*names, whole.label("entered"), gone.label("left_it"), so_far.label("standing")).group_by(*names)


def _handoff(dialect: str) -> Any:
    def remembered(table: Any, person: Any, memory: Any) -> Select[Any]:
        at, by, to, written = (value_in(dialect, memory, name) for name in ("at", "by", "to", "written"))
        columns = (in_text(dialect, person).label("person_id"), at.label("at"), by.label("handoff"))
        return select(*columns, func.coalesce(to, written).label("owner_id")).where(
            table.c.track == "owner", at.is_not(None)
        )

    return union(
        remembered(HISTORY, HISTORY.c.ref, HISTORY.c.said), remembered(TRACK, TRACK.c.person_id, TRACK.c.memory)
    )


def _activity(dialect: str) -> Any:
    names = ("ref", "kind", "direction", "occurred_at", "name", "crm_id", "prospect", "email")
    return select(*(in_text(dialect, ACTIVITY.c[name]).label(name) for name in names))


def _refused(dialect: str) -> Any:
    names = ("person_id", "object", "record_id", "code", "message", "since", "last_at", "attempts")
    return select(*(in_text(dialect, SET_ASIDE.c[name]).label(name) for name in names))


VIEWS = {
    "report_person": _person,
    "report_stay": _stay,
    "report_stage_day": _stage_day,
    "report_handoff": _handoff,
    "report_activity": _activity,
    "report_refused": _refused,
}


def make_views(connection: Connection) -> None:
    """Makes them, in place of those that are there."""
    drop_views(connection)
    for name, query in VIEWS.items():
        made = query(connection.dialect.name).compile(
            dialect=connection.dialect, compile_kwargs={"literal_binds": True}
        )
        connection.exec_driver_sql(f"CREATE VIEW {name} AS {made}")


def drop_views(connection: Connection) -> None:
    for name in reversed(VIEWS):
        connection.execute(text(f"DROP VIEW IF EXISTS {name}"))


def rows_of_view(connection: Connection, name: str) -> Iterator[tuple[Any, ...]]:
    """The names of the columns, then the rows, one by one."""
    query = text(f"SELECT * FROM {name}")
    with connection.execution_options(yield_per=5000).execute(query) as result:
        yield tuple(result.keys())
        for row in result:
            yield tuple(row)
