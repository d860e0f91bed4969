"""Reconcile: does the state still say what the org says? What differs is repaired and told.

Once a day by default, for every object, and within a number of calls a cycle; what is left goes on in the next one.

*By bucket.* The org counts its rows by the month of their SystemModstamp, with the latest stamp of each (one query an
object), and the state counts its own. Months that differ are counted by the hour, and hours that differ are read. A
row that the state has in such an hour and the org does not show there has changed since, or is gone: it is asked for
by its id. Activities are kept without a stamp, and of relations only some are kept: those have no buckets.

*By id.* What buckets miss is a row too many and a row too few in one hour, neither the latest. So a thirtieth of each
object is read in the order of its ids, every time, and compared row by row, with what the state has between them.

Only what should be known is compared: rows stamped before the overlap of the last read. What is not seen any more is
gone only where Salesforce's delete log says so, or, of a role, where its opportunity is still seen; where the log does
not reach back to when the object was last known, a few are believed (``sight.py``). Everything else stays, and is told.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import structlog

from connector.base.errors import LimitReached, Refused
from connector.base.facts import Row
from connector.base.json import JsonObject
from connector.base.ports import DELETIONS, DeletedSince, Page, PolledObject, Read
from connector.base.soql import among, keyset, literal, name, select
from connector.pipeline.aging import whole_since
from connector.pipeline.by_ids import IDS_PER_QUERY, answer_of, chunks, columns, rows_from
from connector.pipeline.hidden import as_known
from connector.pipeline.object_cursor import ObjectCursor
from connector.pipeline.object_reader import BEFORE_ALL, POLL_PAGE, ROLES, Reader, store_page
from connector.pipeline.sight import believed_gone

log = structlog.get_logger(__name__)

RECONCILE = "reconcile"  # where it is kept
WHOLE_WALK = 30  # runs in which every id is compared
DELETE_LOG = timedelta(days=14)  # getDeleted reaches 15 days back; a day is left for clocks and long polls
_SECOND = timedelta(seconds=1)  # Salesforce tells whole ones
_AFTER_ALL = "zzzzzzzzzzzzzzzzzz"
DRIFTS = ("different", "gone")  # how rows were repaired
_MONTH, _HOUR = 7, 13  # characters of a stamp
_MONTHS = "CALENDAR_YEAR(SystemModstamp) y, CALENDAR_MONTH(SystemModstamp) m"
_HOURS = "DAY_ONLY(SystemModstamp) d, HOUR_IN_DAY(SystemModstamp) h"

_Buckets = dict[str, tuple[int, str]]
_Span = tuple[datetime, datetime]


@dataclass(frozen=True, slots=True)
class Rhythm:
    """``calls``: in one cycle (None: all at once). ``now``: somebody asks for it, and every id is compared."""

    every: timedelta
    calls: int | None
    now: bool = False


@dataclass
class Compared:
    """How far it came. ``left``: objects to compare; ``places``: how far an hour was read, by object; ``walked``: up to
    which id."""

    done_at: str | None = None
    left: list[str] = field(default_factory=list)
    places: dict[str, list[str]] = field(default_factory=dict)
    walked: dict[str, str] = field(default_factory=dict)
    calls: int = 0
    drift: dict[str, dict[str, int]] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)
    last: JsonObject | None = None

    def as_json(self) -> JsonObject:
        return dict(vars(self))


def compare_with_org(
    reader: Reader,
    objects: Sequence[PolledObject],
    cursors: Mapping[str, ObjectCursor],
    rhythm: Rhythm,
    now: datetime,
) -> None:
    """Compares what is due, as far as the calls go."""
    kept = Compared(**(reader.store.cursor(RECONCILE) or {}))
    able = {each.name: each for each in objects if _is_known(each, cursors[each.name], reader)}
    if not kept.left and not (rhythm.now or _is_due(kept, rhythm, [cursors[each] for each in able], now)):
        return
    if not kept.left:
        kept.left, kept.calls, kept.drift, kept.refused = list(able), 0, {}, {}
    work = _Work(reader, cursors, rhythm, kept, now)
    work.go_on(able)
    if not kept.left:
        kept.done_at = now.isoformat()
        kept.last = {"at": kept.done_at, "calls": kept.calls, "drift": kept.drift, "refused": kept.refused}
        log.info("reconciled with the org", calls=kept.calls, drift=kept.drift)
    reader.store.set_cursor(RECONCILE, kept.as_json())


def _is_known(each: PolledObject, cursor: ObjectCursor, reader: Reader) -> bool:
    is_read = cursor.through is not None and not cursor.full and cursor.at is None
    return is_read and each.name not in reader.polled.unread


def _is_due(kept: Compared, rhythm: Rhythm, cursors: Sequence[ObjectCursor], now: datetime) -> bool:
    read = [each.full_at for each in cursors if each.full_at]
    last = datetime.fromisoformat(kept.done_at) if kept.done_at else min(read, default=now)
    return now + _SECOND - last >= rhythm.every


class _Work:
    def __init__(
        self, reader: Reader, cursors: Mapping[str, ObjectCursor], rhythm: Rhythm, kept: Compared, now: datetime
    ) -> None:
        self.reader, self.cursors, self.rhythm, self.kept, self.now = reader, cursors, rhythm, kept, now
        self.store, self.salesforce = reader.store, reader.salesforce
        self.whole_since = whole_since(reader.store)
        self.began, self.free = sum(self.salesforce.calls().values()), 0

    def go_on(self, able: Mapping[str, PolledObject]) -> None:
        kept, before = self.kept, self.kept.calls
        asked = [able[each] for each in kept.left if each in able and _has_buckets(able[each])]
        answers = self.salesforce.read([self._months(each) for each in asked]) if asked else None
        pages, refused = (answers.pages, answers.refused) if answers else ({}, {})
        self.free = self._spent()  # which all of it needs
        kept.refused |= {each: error.what for each, error in refused.items()}
        is_through = True
        while kept.left and is_through and not self._is_spent():
            if (each := able.get(kept.left[0])) is not None:
                is_through = self._is_compared(each, pages.get(each.name))
            if is_through:
                kept.left.pop(0)
            kept.calls = before + self._spent()
            self.store.set_cursor(RECONCILE, kept.as_json())

    def _spent(self) -> int:
        return sum(self.salesforce.calls().values()) - self.began

    def _is_spent(self) -> bool:
        return self.rhythm.calls is not None and self._spent() - self.free >= self.rhythm.calls

    def _is_compared(self, each: PolledObject, months: Page | None) -> bool:
        """Compares an object; whether it came to the end. One that is refused delays no other."""
        unseen: set[str] = set()
        try:
            is_through = self._compare_spans(each, months, unseen) and self._walk(each, unseen)
            self._take_unseen(each, unseen)
        except LimitReached:
            raise
        except Refused as error:
            self.kept.refused[each.name] = error.what
            log.warning("an object cannot be compared with the org", object=each.name, code=error.code)
            return True
        return is_through

    # -- by bucket

    def _until(self, each: PolledObject) -> datetime:
        return self.reader.overlapped(self.cursors[each.name])[0]

    def _months(self, each: PolledObject) -> Read:
        where = f"SystemModstamp < {literal(self._until(each))}"
        return Read(each.name, _counted(each.name, _MONTHS, where), alone=True)

    def _compare_spans(self, each: PolledObject, months: Page | None, unseen: set[str]) -> bool:
        for start, end in self._spans(each, months) if months else ():
            if self._is_spent() or not self._read_span(each, start, end, unseen):
                return False
        self.kept.places.pop(each.name, None)
        return True

    def _spans(self, each: PolledObject, months: Page) -> Iterator[_Span]:
        """Hours that differ, those side by side as one; from the place reached on."""
        until = self._until(each)
        theirs = {f"{row['y']:04d}-{row['m']:02d}": _bucket(row) for row in months.rows}
        if any(not latest.startswith(label) for label, (_, latest) in theirs.items()):
            log.info("the org does not count by UTC: only ids are compared", object=each.name)
            return
        for month in _differing(theirs, self.store.stamped_by(each.name, _MONTH, None, until)):
            start = datetime.fromisoformat(f"{month}-01T00:00:00+00:00")
            end = min((start + timedelta(days=32)).replace(day=1), until)
            place = self.kept.places.get(each.name)
            if place and datetime.fromisoformat(place[0]) >= end:
                continue
            within = f"SystemModstamp >= {literal(start)} AND SystemModstamp < {literal(end)}"
            page = self._first(Read(each.name, _counted(each.name, _HOURS, within), alone=True))
            hours = {f"{row['d']}T{row['h']:02d}": _bucket(row) for row in page.rows}
            mine = self.store.stamped_by(each.name, _HOUR, start, end)
            yield from _joined([datetime.fromisoformat(f"{hour}:00:00+00:00") for hour in _differing(hours, mine)], end)

    def _read_span(self, each: PolledObject, start: datetime, end: datetime, unseen: set[str]) -> bool:
        """Reads what the org has between two times; a row that the state has there, and the org not, is asked for."""
        place = (start, BEFORE_ALL)
        if kept := self.kept.places.get(each.name):
            place = max(place, (datetime.fromisoformat(kept[0]), kept[1]))
        if place[0] >= end:
            return True
        while True:
            within = f"{keyset(*place)} AND SystemModstamp < {literal(end)}"
            rows, is_last = self._page(each, within, ("SystemModstamp", "Id"))
            reached = (end, BEFORE_ALL) if is_last else _place(rows[-1])
            known = self.store.stamped_between(each.name, place, reached)
            self._take(each, rows)
            self._ask_for(each, known - {row["Id"] for row in rows}, unseen)
            place = reached
            self.kept.places[each.name] = [place[0].isoformat(), place[1]]
            if is_last or self._is_spent():
                return is_last

    # -- by id

    def _walk(self, each: PolledObject, unseen: set[str]) -> bool:
        known = self.store.unseen(each.name, 0)[1]
        pages = -(-known // (POLL_PAGE * (1 if self.rhythm.now else WHOLE_WALK))) + (1 if self.rhythm.now else 0)
        after = BEFORE_ALL if self.rhythm.now else self.kept.walked.get(each.name, BEFORE_ALL)
        for _ in range(max(1, pages)):
            if self._is_spent():
                return False
            rows, is_last = self._page(each, f"Id > {literal(after)}", ("Id",))
            upto = _AFTER_ALL if is_last else rows[-1]["Id"]
            known_ids = self.store.ids_between(each.name, after, upto)
            fresh = [row for row in rows if _place(row)[0] < self._until(each)]
            self._take(each, [row for row in fresh if row["Id"] in known_ids or not self._may_have_left(each, row)])
            self._ask_for(each, known_ids - {row["Id"] for row in rows}, unseen)
            after = BEFORE_ALL if is_last else upto
            self.kept.walked[each.name] = after
            if is_last:
                break
        return True

    def _may_have_left(self, each: PolledObject, row: Row) -> bool:
        """Whether it is an activity of which not all are kept."""
        activity = each.to_activity(row) if each.to_activity is not None and self.whole_since is not None else None
        return activity is not None and self.whole_since is not None and activity.occurred_at < self.whole_since

    # -- what differs

    def _page(self, each: PolledObject, where: str, order: tuple[str, ...]) -> tuple[Sequence[Row], bool]:
        """Rows, and whether they are the last."""
        fields = columns(self.cursors[each.name].fields)
        soql = f"{select(each.name, fields, where, order)} LIMIT {POLL_PAGE}"
        read = Read(each.name, soql, all_rows=True, alone=True)
        rows = rows_from(self.salesforce, read, self._first(read))  # wide rows come in smaller pages
        return rows, len(rows) < POLL_PAGE

    def _first(self, read: Read) -> Page:
        """Raises Refused."""
        return answer_of(self.salesforce.read([read]), read.name)

    def _take(self, each: PolledObject, rows: Sequence[Row]) -> None:
        whole = as_known(self.store, each, rows, self.reader.polled.hidden.get(each.name, ()))
        if changed := store_page(self.store, each, whole, self.cursors[each.name], rereads=True):
            self._tell(each.name, DRIFTS[0], changed)

    def _tell(self, object_name: str, how: str, number: int) -> None:
        for drift in (self.kept.drift, self.reader.polled.drift):
            told = drift.setdefault(object_name, {})
            told[how] = told.get(how, 0) + number

    def _ask_for(self, each: PolledObject, ids: set[str], unseen: set[str]) -> None:
        """Rows that are not where the state has them."""
        for some in chunks(sorted(ids), IDS_PER_QUERY):
            rows, _ = self._page(each, among("Id", some), ("Id",))
            self._take(each, [row for row in rows if _place(row)[0] < self._until(each)])
            unseen |= {*some} - {row["Id"] for row in rows}

    def _take_unseen(self, each: PolledObject, unseen: set[str]) -> None:
        if not unseen:
            return
        gone, is_told = self._deleted(each, unseen)
        if each.name == ROLES:
            gone |= self._roles_of_seen_deals(unseen - gone)
        rest = unseen - gone
        if not is_told and believed_gone(len(rest), self.store.unseen(each.name, 0)[1]):
            gone, rest = unseen, set()
        if removed := self.store.remove_rows(each.name, sorted(gone)):
            self._tell(each.name, DRIFTS[1], removed)
        if rest:
            cursor = self.cursors[each.name]
            cursor.unseen, cursor.unseen_since = max(cursor.unseen, len(rest)), cursor.unseen_since or self.now
            self.store.set_cursor(each.name, cursor.as_json())
            log.warning("rows are no longer seen: they stay as they were", object=each.name, rows=len(rest))

    def _deleted(self, each: PolledObject, unseen: set[str]) -> tuple[set[str], bool]:
        """Those that were deleted, and whether the log tells of all since the object was last known."""
        if not each.logs_deletions:
            return set(), False
        window = DeletedSince(each.name, each.name, self.now - DELETE_LOG, self.now)
        answers = self.salesforce.read([], [window])
        if error := answers.refused.get(f"{each.name}:{DELETIONS}"):
            raise error
        found = answers.deleted[each.name]
        full_at = self.cursors[each.name].full_at
        known = max([at for at in (full_at, _time(self.kept.done_at)) if at], default=None)
        is_told = found.complete and known is not None and known >= self.now - DELETE_LOG
        return unseen & {*found.ids}, is_told

    def _roles_of_seen_deals(self, roles: set[str]) -> set[str]:
        known = self.store.records(sorted(roles))
        seen: set[str] = set()
        for some in chunks(sorted({row["OpportunityId"] for row in known.values()}), IDS_PER_QUERY):
            soql = select("Opportunity", ["Id"], among("Id", some))
            seen |= {row["Id"] for row in self._first(Read("Opportunity", soql, alone=True)).rows}
        return {role for role, row in known.items() if row["OpportunityId"] in seen}


def drift_text(drift: Mapping[str, Mapping[str, int]]) -> str:
    found = (f"{name} {number:,} {how}" for name, told in sorted(drift.items()) for how, number in sorted(told.items()))
    return ", ".join(found) or "nothing differed"


def _has_buckets(each: PolledObject) -> bool:
    return each.to_activity is None and each.keeps is None


def _counted(object_name: str, parts: str, where: str) -> str:
    """The rows that the state has as live ones: a converted lead is its contact."""
    groups = ", ".join(part.rpartition(" ")[0] for part in parts.split(", "))
    live = " AND IsConverted = false" if object_name == "Lead" else ""
    return (
        f"SELECT {parts}, COUNT(Id) n, MAX(SystemModstamp) s FROM {name(object_name)}"
        f" WHERE {where}{live} GROUP BY {groups}"
    )


def _bucket(row: Row) -> tuple[int, str]:
    return int(row["n"]), datetime.fromisoformat(row["s"]).astimezone(UTC).isoformat()


def _differing(theirs: _Buckets, mine: _Buckets) -> list[str]:
    return sorted(label for label in theirs.keys() | mine.keys() if theirs.get(label) != mine.get(label))


def _joined(hours: Sequence[datetime], end: datetime) -> Iterator[_Span]:
    at = 0
    while at < len(hours):
        last = at
        while last + 1 < len(hours) and hours[last + 1] - hours[last] == timedelta(hours=1):
            last += 1
        yield hours[at], min(hours[last] + timedelta(hours=1), end)
        at = last + 1


def _place(row: Row) -> tuple[datetime, str]:
    return datetime.fromisoformat(row["SystemModstamp"]), row["Id"]


def _time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
