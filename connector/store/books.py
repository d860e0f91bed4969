"""What the connector remembers of itself: cursors, cycles, API calls, the mapping and the org in force."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import date, datetime, timedelta

from sqlalchemy import Connection, bindparam, delete, func, insert, select, update

from connector.base.errors import Refused, StateError
from connector.base.json import JsonMap, JsonObject
from connector.lifecycle.model import Identity, RecordLink
from connector.store.dialect import add_up, number_on, upsert
from connector.store.rows import dumps, iso, read_json
from connector.store.schema import CALLS, CURSOR, CYCLE, MAPPING, SETTING

CYCLES_KEPT = 10_000  # a week of one a minute; the decision log is what is kept for ever
CALLS_KEPT = timedelta(days=400)

LOGBOOK = "logbook"  # the number of the last line of it that the state knows
MAPPING_SINCE = "mapping_since"  # since when the mapping in force is
# What around a person a mapping may look at: of their account the opportunities without any contact role, all of them,
# its people; whether leads are told to be of an account by domain; records of other objects.
AROUND = ("roleless", "account_deals", "colleagues", "domains", "records")
ROLELESS, ACCOUNT_DEALS, COLLEAGUES, DOMAINS, LINKED = AROUND

_SETTING = select(SETTING.c.value).where(SETTING.c.name == bindparam("name"))
_CURSOR = select(CURSOR.c.value).where(CURSOR.c.name == bindparam("name"))


def setting(connection: Connection, name: str) -> str | None:
    value = connection.execute(_SETTING, {"name": name}).scalar()
    return None if value is None else str(value)


def noted(connection: Connection) -> int | None:
    """The last number of the logbook that the state knows."""
    known = setting(connection, LOGBOOK)
    return None if known is None else int(known)


def set_setting(connection: Connection, name: str, value: str) -> None:
    upsert(connection, SETTING, [{"name": name, "value": value}], keep=frozenset())


def around(connection: Connection) -> frozenset[str]:
    """What the mapping in force looks at around people, of AROUND."""
    told = setting(connection, "around")
    if told is None:  # of a state that knew only one thing
        return frozenset((ROLELESS,)) if setting(connection, "roleless") == "yes" else frozenset()
    return frozenset(told.split()) if told else frozenset()


def identity(connection: Connection) -> Identity:
    """How the mapping in force joins records."""
    known = setting(connection, "identity")
    if known is None:
        return Identity()
    told = read_json(known)
    return Identity(**{**told, "prefer": tuple(told["prefer"]), "addresses": tuple(told.get("addresses", ()))})


def set_identity(connection: Connection, rule: Identity) -> None:
    set_setting(connection, "identity", dumps(asdict(rule)))


def record_links(connection: Connection) -> dict[str, RecordLink]:
    """Object -> how the mapping in force links its records to people."""
    known = setting(connection, "records")
    return {name: RecordLink(**link) for name, link in read_json(known).items()} if known else {}


def set_record_links(connection: Connection, wanted: Mapping[str, RecordLink]) -> None:
    set_setting(connection, "records", dumps({name: asdict(link) for name, link in wanted.items()}))


def _kept(connection: Connection, name: str, value: str) -> str:
    """The setting, which is ``value`` from now on where there was none."""
    known = setting(connection, name)
    if known is None:
        set_setting(connection, name, value)
    return value if known is None else known


def bind_org(connection: Connection, org_id: str) -> None:
    known = _kept(connection, "org", org_id)
    if known != org_id:
        raise StateError(
            f"this state belongs to the Salesforce org {known}, not to {org_id}",
            "set CONNECTOR_STATE to another file for this org, or sign in to the org of this state",
        )


def bind_source(connection: Connection, name: str, account: str) -> None:
    """Raises Refused when what this source told before was of another account: its numbers mean other people."""
    check_source(connection, name, account)
    _kept(connection, f"account {name}", account)


def check_source(connection: Connection, name: str, account: str) -> None:
    """As :func:`bind_source`, remembering nothing."""
    known = setting(connection, f"account {name}")
    if known not in {None, account}:
        raise Refused(
            f"{name} is the account {account} now, and this state holds what the account {known} told",
            f"sign in to {known} again, or begin a new state (CONNECTOR_STATE) for {account}",
        )


def cursor(connection: Connection, name: str) -> JsonObject | None:
    value = connection.execute(_CURSOR, {"name": name}).scalar()
    return None if value is None else dict(read_json(value))


def set_cursor(connection: Connection, name: str, value: JsonMap | None) -> None:
    if value is None:
        connection.execute(delete(CURSOR).where(CURSOR.c.name == name))
    else:
        upsert(connection, CURSOR, [{"name": name, "value": dumps(value)}], keep=frozenset())


def cursors(connection: Connection) -> dict[str, JsonObject]:
    return {name: read_json(value) for name, value in connection.execute(select(CURSOR).order_by(CURSOR.c.name))}


def set_mapping(connection: Connection, version: str, text: str, now: datetime) -> None:
    if setting(connection, "mapping_version") != version or setting(connection, MAPPING_SINCE) is None:
        set_setting(connection, MAPPING_SINCE, iso(now))
    set_setting(connection, "mapping_version", version)
    known = connection.execute(select(MAPPING.c.version).where(MAPPING.c.version == version)).scalar()
    if known is None:
        row = {"version": version, "text": text, "first_used_at": iso(now)}
        connection.execute(insert(MAPPING), [row])


def has_cycle(connection: Connection, cycle_id: int) -> bool:
    return connection.execute(select(CYCLE.c.id).where(CYCLE.c.id == cycle_id)).scalar() is not None


def begin_cycle(connection: Connection, kind: str, now: datetime, after: int) -> int:
    row: JsonObject = {"kind": kind, "started_at": iso(now), "ended_at": None, "report": "{}"}
    if after > (connection.execute(select(func.max(CYCLE.c.id))).scalar() or 0):
        row["id"] = number_on(connection, CYCLE, after)
    key = connection.execute(insert(CYCLE).values(row)).inserted_primary_key
    return int(key[0]) if key else 0


def end_cycle(connection: Connection, cycle_id: int, now: datetime, report: JsonMap) -> None:
    connection.execute(update(CYCLE).where(CYCLE.c.id == cycle_id).values(ended_at=iso(now), report=dumps(report)))
    connection.execute(delete(CYCLE).where(CYCLE.c.id <= cycle_id - CYCLES_KEPT))
    connection.execute(delete(CALLS).where(CALLS.c.day < (now - CALLS_KEPT).date().isoformat()))


def cycles(connection: Connection, limit: int) -> list[JsonObject]:
    """Newest first."""
    rows = connection.execute(select(CYCLE).order_by(CYCLE.c.id.desc()).limit(limit))
    return [{**row._mapping, "report": read_json(row.report)} for row in rows]


def add_calls(connection: Connection, day: date, calls: Mapping[str, int], source: str) -> None:
    for kind, count in calls.items():
        row = {"day": day.isoformat(), "source": source, "kind": kind, "count": count}
        add_up(connection, CALLS, row, "count")


def calls_on(connection: Connection, day: date) -> dict[str, dict[str, int]]:
    """Source -> kind -> calls."""
    query = select(CALLS.c.source, CALLS.c.kind, CALLS.c.count).where(CALLS.c.day == day.isoformat())
    made: dict[str, dict[str, int]] = {}
    for source, kind, count in connection.execute(query.order_by(CALLS.c.source, CALLS.c.kind)):
        made.setdefault(source, {})[kind] = int(count)
    return made
