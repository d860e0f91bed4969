"""Who somebody is: every id and every address that is theirs, with whence, since when and until when.

Of records Salesforce's own history is kept (``history.py``); of what marketing sources say, when it was first heard and
when it was said no longer. What was known before either was kept has no beginning.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, select

from connector.base.facts import Person
from connector.base.json import JsonObject
from connector.lifecycle.values import time_of
from connector.store.addresses import EVERY
from connector.store.links import IDS, rows_in
from connector.store.rows import address, iso, read_json, ref
from connector.store.schema import HISTORY, PROSPECT, RECORD

_RECORDS = select(RECORD.c.id, RECORD.c.object, RECORD.c.live, RECORD.c.email, RECORD.c.fields).where(
    RECORD.c.id.in_(IDS)
)
_HISTORY = (
    select(HISTORY.c.ref, HISTORY.c.until, HISTORY.c.live, HISTORY.c.said)
    .where(HISTORY.c.ref.in_(IDS), HISTORY.c.track == "")
    .order_by(HISTORY.c.id)
)
_HEARD = select(PROSPECT.c.ref, PROSPECT.c.email, PROSPECT.c.deleted, PROSPECT.c.recorded_at, PROSPECT.c.since).where(
    PROSPECT.c.ref.in_(IDS)
)


class _Time(NamedTuple):
    """ISO 8601. ``since`` None: nobody knows; ``until`` None: still."""

    since: str | None
    until: str | None

    def or_else(self, other: _Time) -> _Time:
        begun = [each for each in (self.since, other.since) if each]
        ended = [each for each in (self.until, other.until) if each]
        return _Time(min(begun, default=None), max(ended) if len(ended) == 2 else None)


def identifiers(connection: Connection, person: Person) -> list[JsonObject]:
    """Each: value, kind ("record", "prospect" or "address"), whence, since and until."""
    refs = [ref(each.source, each.id) for each in (*person.prospects, *person.former_prospects)]
    records = [each for each in (person.id, *person.aliases) if each not in refs]
    owned, times = _of_records(connection, records)
    for row in rows_in(connection, _HEARD, refs):
        time = _Time(row.since, row.recorded_at if row.deleted else None)
        owned.append(_said(row.ref, "prospect", row.ref.partition(":")[0], time))
        if row.email:
            times.append((row.email, time))
    times += [(row.address, _Time(row.since, row.until)) for row in rows_in(connection, EVERY, [*records, *refs])]
    merged: dict[str, _Time] = {}
    for each, time in times:
        merged[each] = merged[each].or_else(time) if each in merged else time
    email = address(person.fields.get("Email"))
    whences = ({email: "Email"} if email else {}) | dict(sorted(person.addresses.items()))
    return owned + [
        _said(each, "address", whence, merged.get(each, _Time(None, None))) for each, whence in whences.items()
    ]


def _said(value: str, kind: str, whence: str, time: _Time) -> JsonObject:
    return {"value": value, "kind": kind, "whence": whence, **time._asdict()}


def _of_records(connection: Connection, ids: Sequence[str]) -> tuple[list[JsonObject], list[tuple[str, _Time]]]:
    """The records, and what their Email was and is."""
    lost: dict[str, list[Any]] = {each: [] for each in ids}
    for row in rows_in(connection, _HISTORY, ids):
        lost[row.ref].append(row)
    found, emails = [], list[tuple[str, _Time]]()
    for row in rows_in(connection, _RECORDS, ids):
        created = time_of(read_json(row.fields).get("CreatedDate"))
        ended = [each.until for each in lost[row.id] if each.live]
        time = _Time(iso(created) if created else None, ended[-1] if ended and not row.live else None)
        found.append(_said(row.id, "record", row.object, time))
        emails += _emails(lost[row.id], row.email, time)
    return found, emails


def _emails(lost: Sequence[Any], email: str | None, record: _Time) -> Iterator[tuple[str, _Time]]:
    since = record.since
    for row in lost:
        said = read_json(row.said)
        if "Email" in said:
            if was := address(said["Email"]):
                yield was, _Time(since, row.until)
            since = row.until
    if email:
        yield email, _Time(since, record.until)
