"""Facts in as few words as a test needs, and steps that read as sentences."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import inspect, make_url, select, text
from sqlmodel import SQLModel

from connector.base.facts import (
    Activity,
    Change,
    Decision,
    Direction,
    Evidence,
    Outcome,
    Person,
    Prospect,
    RecordChange,
    Result,
    SourcePage,
    TrackDecision,
    Verdict,
)
from connector.store import Settled, Store, migrations
from connector.store.dialect import WRITES, make_engine
from connector.store.schema import WORD

START = datetime(2026, 3, 1, tzinfo=UTC)


def row(record_id: str, at: int = 0, **fields: Any) -> dict[str, Any]:
    """A Salesforce row stamped ``at`` seconds after the start."""
    stamp = (START + timedelta(seconds=at)).strftime("%Y-%m-%dT%H:%M:%S.000+0000")
    return {"Id": record_id, "SystemModstamp": stamp, "IsDeleted": False, **fields}


def role(role_id: str, opportunity_id: str, contact_id: str, at: int = 0, **fields: Any) -> dict[str, Any]:
    return row(role_id, at, OpportunityId=opportunity_id, ContactId=contact_id, **fields)


def click(name: str, source: str = "pardot", at: int = 0, **who: Any) -> Activity:
    return Activity(source, name, "email_click", Direction.INBOUND, START + timedelta(seconds=at), "Mail", **who)


def prospect(name: str, email: str | None = None, crm_id: str | None = None, **more: Any) -> Prospect:
    return Prospect("pardot", name, email, crm_id, **more)


def page(*facts: Activity | Prospect, removed: Sequence[str] = (), at: int = 0) -> SourcePage:
    return SourcePage(
        {"at": at},
        tuple(each for each in facts if isinstance(each, Activity)),
        tuple(each for each in facts if isinstance(each, Prospect)),
        tuple(removed),
    )


def dirty(store: Store) -> list[str]:
    return sorted(person_id for person_id, _ in store.next_dirty(1000))


def settle_all(store: Store) -> None:
    """Everybody was decided, and there was nothing to write."""
    marks = store.next_dirty(1000)
    settle(store, *(Settled(person_id, seq, Decision(person_id, ())) for person_id, seq in marks))


def settle(store: Store, *settled: Settled, cycle_id: int = 1, version: str = "v1", now: datetime = START) -> None:
    store.settle(settled, cycle_id=cycle_id, mapping_version=version, now=now)


def one(store: Store, person_id: str) -> Person:
    [person] = store.facts_of([person_id])
    return person


def activity_ids(store: Store, person_id: str) -> list[str]:
    return [each.id for each in one(store, person_id).activities]


def decided(
    value: str | None, current: str | None = None, *, track: str = "stage", verdict: Verdict = "moves", **more: Any
) -> TrackDecision:
    evidence = (Evidence("activity", "pardot:1", "clicked the mail", START),)
    return TrackDecision(track, value, current, "the rule", verdict, "because", evidence, **more)


def answered(
    store: Store,
    person_id: str,
    *tracks: TrackDecision,
    result: Result | None = None,
    code: str = "",
    message: str = "",
    review_at: datetime | None = None,
) -> Settled:
    """A person's decision, and Salesforce's answer to writing all its tracks (None: nothing was written)."""
    marks = dict(store.next_dirty(1000))
    outcomes: tuple[Outcome, ...] = ()
    if result is not None:
        changes = tuple(Change(each.track, f"{each.track}__c", each.current, each.value) for each in tracks)
        outcomes = (Outcome(RecordChange(person_id, "Contact", person_id, changes), result, code, message),)
    return Settled(person_id, marks.get(person_id, 0), Decision(person_id, tracks, review_at), outcomes)


def first_state(path: Path, fields: str) -> None:
    """A state as the first migration made it, with the contact C1; ``fields`` is its row as JSON."""
    engine = make_engine(make_url(f"sqlite:///{path}"))
    migrations.upgrade(engine, "0001")
    engine.dispose()
    with closing(sqlite3.connect(path)) as old:
        old.execute(
            "INSERT INTO record (id, object, stamp, fields, live, generation)"
            " VALUES ('C1', 'Contact', '2026-01-01T00:00:00+00:00', ?, 1, 1)",
            (fields,),
        )
        old.commit()


def rows_of(store: Store) -> dict[str, Any]:
    """What each table says; the numbers of words are nobody's business."""
    with store._read() as connection:
        return {
            name: sorted(map(tuple, connection.execute(select(table))), key=str)
            for name, table in SQLModel.metadata.tables.items()
            if table is not WORD
        }


def older_state(url: str, version: str, tables: Mapping[str, Any]) -> None:
    """A state of an older schema, with these rows of today's tables, as far as it had them."""
    engine = make_engine(make_url(url))
    migrations.upgrade(engine, version)
    with engine.connect().execution_options(**{WRITES: True}) as connection, connection.begin():
        there = inspect(connection).get_table_names()
        for name, rows in ((name, rows) for name, rows in tables.items() if name in there):
            known = [each["name"] for each in inspect(connection).get_columns(name)]
            table = SQLModel.metadata.tables[name]
            names = [each.name for each in table.columns]
            into = text(f"INSERT INTO {name} ({', '.join(known)}) VALUES ({', '.join(f':{each}' for each in known)})")
            for each in rows:
                value = dict(zip(names, each, strict=True))
                if name == "stay":
                    value["line"] = value["line"] or value["person_id"]
                connection.execute(into, {key: value[key] for key in known})
    engine.dispose()
