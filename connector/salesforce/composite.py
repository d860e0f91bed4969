"""Composite requests: many reads, or hundreds of rows of writes, in one API call. Building and parsing only.

A Composite request carries up to 25 subrequests, up to five of them queries or collections. It answers 200 whatever
its parts answer, and its parts' answers come back under the reference ids that the request gave them. Reads may be
done in any order. Writes are done in theirs: each collection comes behind a query that looks what stands in its
records right before, so that two collections fill a request.
Source: REST API developer guide, "Composite" and "sObject Collections".
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import groupby
from urllib.parse import quote

from connector.base.facts import RecordChange, Row
from connector.base.http import Reaction, describe
from connector.base.json import Json, JsonMap, JsonObject
from connector.base.ports import Deleted, DeletedSince, Page, Read, Updated, UpdatedSince
from connector.base.soql import among, name, select
from connector.salesforce.errors import first_error, judge_salesforce

SUBREQUESTS = 25
QUERIES = 5  # queries and collections together
_ANY_TIME = "2000-01-01"
COLLECTION = 200  # rows of one collection
COLLECTIONS = QUERIES // 2  # of one request that writes
WRITE_ROWS = COLLECTIONS * COLLECTION
CHANGED_BY = "LastModifiedById"  # every object has it
_NESTED = frozenset({dict, list})  # as ``json`` makes them

Body = JsonObject
Window = DeletedSince | UpdatedSince
Item = Read | Window


@dataclass(frozen=True, slots=True)
class Answer:
    """What one subrequest answered. ``again``: it was sent before, and not answered. ``stood``: of a collection, what
    stood in its records right before, by id, as far as it could be seen."""

    status: int
    body: Json
    again: bool = False
    stood: Mapping[str, Row] = field(default_factory=dict)


def groups(reads: Sequence[Read], windows: Sequence[Window]) -> list[list[Item]]:
    """Which reads travel together: as few requests as the limits allow, in order, windows in the last ones that have
    room, so that rows are read before it is asked which of them are gone."""
    together: list[list[Item]] = [list(reads[at : at + QUERIES]) for at in range(0, len(reads), QUERIES)]
    for each in windows:
        room = next((group for group in reversed(together) if len(group) < SUBREQUESTS), None)
        if room is None:
            together.append(room := [])
        room.append(each)
    return together


def read_request(items: Sequence[Item], base: str) -> Body:
    """``base`` is ``/services/data/v67.0``."""
    return _request([{"method": "GET", "url": base + _path(item)} for item in items])


def write_request(collections: Sequence[Sequence[RecordChange]], base: str, headers: Mapping[str, str]) -> Body:
    """``headers`` are repeated on each part: Salesforce documents both places and honours either."""
    parts: list[Body] = []
    for rows in collections:
        parts.append({"method": "GET", "url": base + _path(_look(rows))})
        body = {"allOrNone": False, "records": [_record(change) for change in rows]}
        url = f"{base}/composite/sobjects"
        parts.append({"method": "PATCH", "url": url, "httpHeaders": dict(headers), "body": body})
    return {**_request(parts), "collateSubrequests": False}


def with_looks(parts: Sequence[Answer]) -> list[Answer]:
    """The answers to the collections of a write request, with what stood there before. Where it could not be seen, as
    in fields that are hidden, the collection itself says what is wrong."""
    found = []
    for look, answer in zip(parts[::2], parts[1::2], strict=True):
        body = look.body if look.status < 300 and isinstance(look.body, dict) else {}
        rows = (flatten(record) for record in body.get("records") or ())
        found.append(replace(answer, stood={row["Id"]: row for row in rows}))
    return found


def rehearsal(change: RecordChange, base: str, headers: Mapping[str, str]) -> Body:
    """One row, and behind it a part that no org can do, so that all of it is taken back."""
    url = f"{base}/sobjects/{change.object}/{change.id}"
    parts = [change.values(), {"nothing that a field is called": True}]
    request = _request([{"method": "PATCH", "url": url, "httpHeaders": dict(headers), "body": each} for each in parts])
    return {**request, "allOrNone": True, "collateSubrequests": False}


def collections(changes: Sequence[RecordChange]) -> Iterator[Sequence[RecordChange]]:
    """Each of one object, since a query that looks at records is."""
    for _, rows in groupby(changes, key=lambda each: each.object):
        alike = list(rows)
        for start in range(0, len(alike), COLLECTION):
            yield alike[start : start + COLLECTION]


def answers(body: Json, count: int) -> list[Answer] | None:
    """The parts' answers in the order of the request; None when the answer does not hold all ``count`` of them."""
    found = body.get("compositeResponse") if isinstance(body, dict) else None
    if not isinstance(found, list):
        return None
    by_reference = {part.get("referenceId"): part for part in found if isinstance(part, dict)}
    parts = [by_reference.get(_reference(index)) for index in range(count)]
    return [Answer(int(part["httpStatusCode"]), part.get("body")) for part in parts if part] if all(parts) else None


def problem(answer: Answer) -> tuple[str, str, str] | None:
    """(code, what, hint) of a part that was refused; None when it was answered."""
    judgement = judge_salesforce(answer.status, answer.body)
    if judgement.verdict is Reaction.TAKE:
        return None
    return judgement.code, f"Salesforce answered {describe(answer.status, judgement)}", judgement.hint


def page_of_answer(body: JsonMap, server_time: datetime) -> Page:
    """A query's answer. Rows are flat: the parent's field is ``Account.Industry``, a parent that is missing is
    ``Account: None``, an address is ``MailingAddress.city``; the rows of a child subquery are a list."""
    rows = tuple(flatten(record) for record in body.get("records") or ())
    for row in rows:
        if not isinstance(row.get("Id", ""), str):
            raise TypeError("a record without an id")
        datetime.fromisoformat(row.get("SystemModstamp", _ANY_TIME))
    more = body.get("nextRecordsUrl")
    if more is not None and not str(more).startswith("/"):
        raise ValueError("no address of more rows")
    return Page(rows, more, server_time, int(body.get("totalSize") or 0))


def check_fields(described: JsonMap) -> None:
    """Raises one of MALFORMED where a describe does not name its fields."""
    if not all(isinstance(each["name"], str) for each in described["fields"]):
        raise TypeError("a field without a name")


def flatten(record: JsonMap) -> Row:
    row: JsonObject = {}
    for key, value in record.items():
        kind: type = value.__class__  # without a call: every value of every row is looked at
        if kind not in _NESTED:
            row[key] = value
        elif kind is list:
            raise TypeError("no field holds a list")
        elif key == "attributes":
            continue
        elif "records" in value:
            row[key] = [flatten(child) for child in value["records"]]
        else:
            row.update((f"{key}.{inner}", found) for inner, found in flatten(value).items())
    return row


def deletions(answer: Answer, asked: DeletedSince) -> Deleted | None:
    """What getDeleted answered; None when it was refused for a reason other than its window, which the caller raises.
    A window that reaches behind Salesforce's log, or holds too many ids, is incomplete rather than wrong."""
    if answer.status >= 300:
        known = first_error(answer.body)[0] in {"INVALID_REPLICATION_DATE", "EXCEEDED_ID_LIMIT"}
        return Deleted((), complete=False, covered_until=asked.end) if known else None
    body = answer.body
    start = asked.start.replace(microsecond=0)  # Salesforce ignores fractions
    return Deleted(
        tuple(each["id"] for each in body.get("deletedRecords") or ()),
        complete=_time(body["earliestDateAvailable"]) <= start,
        covered_until=_time(body["latestDateCovered"]),
    )


def updates(answer: Answer, asked: UpdatedSince) -> Updated:
    """What getUpdated answered. Refused for whatever reason, it is not known: the query that follows says why."""
    if answer.status >= 300:
        return Updated(some=True, covered_until=asked.start)
    return Updated(bool(answer.body.get("ids")), _time(answer.body["latestDateCovered"]))


def _request(parts: Sequence[Body]) -> Body:
    numbered = [{**part, "referenceId": _reference(index)} for index, part in enumerate(parts)]
    return {"allOrNone": False, "collateSubrequests": True, "compositeRequest": numbered}


def _reference(index: int) -> str:
    return f"part{index}"


def _path(item: Item) -> str:
    if isinstance(item, Read):
        return f"/{'queryAll' if item.all_rows else 'query'}?q={quote(item.soql, safe='')}"
    window = f"start={_stamp(item.start)}&end={_stamp(item.end)}"
    return f"/sobjects/{name(item.object)}/{'deleted' if isinstance(item, DeletedSince) else 'updated'}/?{window}"


def _stamp(at: datetime) -> str:
    return quote(at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S+00:00"), safe="")


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def _look(rows: Sequence[RecordChange]) -> Read:
    fields = {each.field for row in rows for each in row.changes}
    ids = among("Id", sorted(row.id for row in rows))
    return Read("look", select(rows[0].object, ["Id", *sorted(fields - {"Id", CHANGED_BY}), CHANGED_BY], ids))


def _record(change: RecordChange) -> Body:
    return {"attributes": {"type": change.object}, "id": change.id, **change.values()}
