"""Reading: what changed at Salesforce and at the marketing sources becomes facts in the store.

Salesforce objects are read by (SystemModstamp, Id). A cursor says up to which server time an object is known
(``through``); the next read goes back behind it by the overlap, because Salesforce stamps a row when its transaction
writes it and shows it when the transaction commits, up to ten minutes later. Re-reads are harmless: the store keeps one
row an id and marks a person only when the content differs.

A cursor moves in the transaction that stores its page. While a read of many pages is under way the cursor also holds
the place reached (``at``) and the server time at which the read began (``started``): an interrupted read goes on from
there, and only its end moves ``through``, to ``started``. A *full* read has no lower bound, stamps what it sees with
a generation, and removes what it did not see: it is the first read of an object, the backfill's read, and how a field
that a new mapping needs is fetched.

Where more rows than a page changed within the overlap (after a backfill these are our own writes), re-reading them in
every cycle would cost calls for nothing. Then the read leaves out of the overlap what our own user changed last, and
a COUNT() of the overlap travels along: only when Salesforce counts another number of rows there than the store, which a
row of our user that commits late brings about, is all of it read again. A count alone would see no late change of a
known row.

All first pages travel together: five queries fit one Composite request, and the getDeleted calls ride in the second
one, so a cycle in which nothing happened costs two API calls; beyond ten queries see ``waiting.py``.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import structlog

from connector.base.errors import ConnectorError, Refused
from connector.base.facts import PEOPLE, Row, SourcePage
from connector.base.json import JsonMap
from connector.base.ports import (
    Answers,
    DeletedSince,
    LocatorExpired,
    Page,
    PolledObject,
    Progress,
    Read,
    Salesforce,
    Source,
)
from connector.base.soql import among, keyset, literal, select
from connector.lifecycle.sources import FEEDS
from connector.pipeline.object_cursor import ObjectCursor, prepare_cursor
from connector.pipeline.sight import end_full_read
from connector.pipeline.waiting import stays_quiet, waiting, windows
from connector.store import Store

log = structlog.get_logger(__name__)

DELETE_LOG = timedelta(days=14)  # getDeleted reaches 15 days back; a day is left for clocks and long polls
ROLES_PER_QUERY = 300  # opportunities whose roles one query re-reads: a page has 2,000 rows
QUERIES_AT_ONCE = 5
POLL_PAGE = 2000  # rows
ROLES = "OpportunityContactRole"
WRITTEN = frozenset({*PEOPLE, "Account"})
ALWAYS = ("Id", "SystemModstamp", "IsDeleted")


@dataclass
class Polled:
    """What one poll did: rows read and rows that were new or different, by object or source; ``failed`` sources."""

    read: dict[str, int] = field(default_factory=dict)
    changed: dict[str, int] = field(default_factory=dict)
    failed: dict[str, ConnectorError] = field(default_factory=dict)
    unknown_types: dict[str, int] = field(default_factory=dict)
    unmapped: int = 0  # activities of types that senders of files, hooks and warehouses call so, and nobody else
    bad: dict[str, int] = field(default_factory=dict)  # source -> rows that could not be understood
    unread: dict[str, Refused] = field(default_factory=dict)  # objects that stayed as they were, and why
    unseen: dict[str, int] = field(default_factory=dict)  # rows that are hidden, it seems, by object
    server_time: datetime | None = None

    def add(self, name: str, read: int, changed: int) -> None:
        self.read[name] = self.read.get(name, 0) + read
        self.changed[name] = self.changed.get(name, 0) + changed


def poll_salesforce(
    salesforce: Salesforce,
    store: Store,
    objects: Sequence[PolledObject],
    *,
    now: datetime,
    overlap: timedelta,
    progress: Progress,
) -> Polled:
    """Brings every object up to date. ``now`` is the local clock's and only bounds the getDeleted window."""
    cursors = {each.name: prepare_cursor(store.cursor(each.name), each.fields, each.absent) for each in objects}
    for each in objects:
        if cursors[each.name].is_due(each.refresh, now):
            cursors[each.name].begin_again()
    spare = {each.name for each in objects if _is_spare(each, store.cursor(each.name), cursors[each.name])}
    deleted = _deleted_reads({each.name: cursors[each.name] for each in objects if each.logs_deletions}, now)
    roles = next((each for each in objects if each.name == ROLES), None)
    rereads = roles is not None and not cursors[ROLES].full  # a full read sees what was removed
    reader = _Reader(salesforce, store, overlap, progress, Polled(), rereads)
    counted = {each.name: cursors[each.name] for each in objects if reader.is_crowded(each, cursors[each.name])}
    waits = waiting(objects, cursors, len(counted))
    at_once = [each for each in objects if each not in waits]
    reads = [reader.ask(each, cursors[each.name], skip_echo=each.name in counted) for each in at_once]
    reads += [reader.count(name, cursor) for name, cursor in counted.items()]
    reads = [replace(each, alone=each.name.partition(":")[0] in spare) for each in reads]
    answers = salesforce.read(reads, [*windows(waits, cursors, overlap, now), *deleted])
    answers = reader.read_what_changed(waits, cursors, answers, spare)
    objects = [each for each in objects if each.name not in answers.refused]
    reader.polled.unread = {name: error for name, error in answers.refused.items() if name in cursors}
    for name, error in reader.polled.unread.items():
        log.warning("an object cannot be read, and stays as it was", object=name, error=error.what, code=error.code)
    reader.polled.server_time = answers.server_time
    full = [each.name for each in objects if cursors[each.name].full]
    for each in (each for each in objects if each.name in answers.pages):
        cursor, count = cursors[each.name], answers.pages.get(f"{each.name}:count")
        reader.take(each, cursor, answers.pages[each.name], ends=count is None)
        if count is not None:
            reader.take_overlap(each, cursor, count.total)
        if each.name in answers.updated:
            reader.keep_quiet(each.name, cursor, answers)
    _take_deleted(store, cursors, answers)
    for name in full:
        found = answers.deleted.get(name)
        is_told = found is not None and found.complete
        end_full_read(store, name, cursors, reader.polled.read.get(name, 0), is_told=is_told)
    reader.polled.unseen = {name: cursor.unseen for name, cursor in cursors.items() if cursor.unseen}
    if roles is not None and ROLES not in answers.refused:
        reader.reread_roles(roles)
    return reader.polled


def poll_sources(
    sources: Iterable[Source],
    store: Store,
    polled: Polled,
    *,
    now: datetime,
    progress: Progress,
    stop: Callable[[], bool],
) -> None:
    """Brings every source up to date, or as far as it came when asked to stop; one that is down is reported and delays
    nobody else."""
    for source in sources:
        try:
            if (account := source.account()) is not None:
                store.bind_source(source.name, account)
            for page in source.poll(store.cursor(source.name), now):
                changed = store.record_page(source.name, page)
                polled.add(source.name, len(page.activities) + len(page.prospects), changed)
                for kind, count in page.unknown.items():
                    polled.unknown_types[kind] = polled.unknown_types.get(kind, 0) + count
                    polled.unmapped += count if source.name in FEEDS else 0
                if page.bad:
                    polled.bad[source.name] = polled.bad.get(source.name, 0) + page.bad
                progress(source.name, polled.read[source.name], None)
                if stop():
                    return
        except ConnectorError as error:
            polled.failed[source.name] = error
            log.warning("source failed", source=source.name, error=error.what, code=getattr(error, "code", ""))


@dataclass(frozen=True)
class _Reader:
    """Reads objects to their end and stores each page with its cursor."""

    salesforce: Salesforce
    store: Store
    overlap: timedelta
    progress: Progress
    polled: Polled
    rereads: bool

    def overlapped(self, cursor: ObjectCursor) -> tuple[datetime, datetime]:
        """From when to when rows are read again that should be known."""
        assert cursor.through is not None  # noqa: S101 - asked of objects that were read before
        return cursor.through - self.overlap, cursor.through

    def is_crowded(self, each: PolledObject, cursor: ObjectCursor) -> bool:
        """Whether the overlap holds more known rows than a page."""
        if each.to_activity or each.keeps or cursor.at or not cursor.through:
            return False
        return self.store.count_stamped(each.name, *self.overlapped(cursor)) > POLL_PAGE

    def count(self, name: str, cursor: ObjectCursor) -> Read:
        start, end = (literal(at) for at in self.overlapped(cursor))
        where = f"SystemModstamp >= {start} AND SystemModstamp < {end}"
        return Read(f"{name}:count", f"SELECT COUNT() FROM {name} WHERE {where}", all_rows=True)

    def read_what_changed(
        self,
        waits: Sequence[PolledObject],
        cursors: Mapping[str, ObjectCursor],
        answers: Answers,
        spare: Collection[str],
    ) -> Answers:
        """The answers with the first pages of those that waited and changed."""
        loud = []
        for each in waits:
            cursor = cursors[each.name]
            if stays_quiet(cursor, each.name, answers):
                self.store.set_cursor(each.name, cursor.as_json())
                self.polled.add(each.name, 0, 0)
            else:
                loud.append(replace(self.ask(each, cursor), alone=each.name in spare))
        if not loud:
            return answers
        more = self.salesforce.read(loud)
        pages, refused = {**answers.pages, **more.pages}, {**answers.refused, **more.refused}
        return replace(answers, pages=pages, refused=refused)

    def keep_quiet(self, name: str, cursor: ObjectCursor, answers: Answers) -> None:
        """What had changed is read: nothing of it is asked again."""
        cursor.quiet_until = answers.updated[name].covered_until
        self.store.set_cursor(name, cursor.as_json())

    def ask(self, each: PolledObject, cursor: ObjectCursor, *, skip_echo: bool = False) -> Read:
        """What is new of an object, or all of it, or the rest of a read under way."""
        where = ""
        if cursor.at:
            stamp, last_id = cursor.at
            where = keyset(_time(stamp), last_id)
        elif cursor.through:
            start, through = self.overlapped(cursor)
            where = f"SystemModstamp >= {literal(start)}"
            if skip_echo and (user := self.salesforce.user()):
                where += f" AND (SystemModstamp >= {literal(through)} OR LastModifiedById != {literal(user)})"
        soql = select(each.name, columns(cursor.fields), where, ("SystemModstamp", "Id"))
        return Read(name=each.name, soql=soql, all_rows=True)

    def take(self, each: PolledObject, cursor: ObjectCursor, first: Page, *, ends: bool = True) -> None:
        """Stores all pages of one object. Unless it ``ends`` the read, the cursor stays where it was."""
        cursor.started = cursor.started or first.server_time
        done = 0
        for page in self.pages(each, cursor, first):
            done += len(page.rows)
            if page.next is None and ends:
                cursor.end()
            elif page.next is None:
                cursor.at = None
            elif page.rows:
                cursor.at = (literal(_time(page.rows[-1]["SystemModstamp"])), page.rows[-1]["Id"])
            changed = _store_page(self.store, each, page.rows, cursor, rereads=self.rereads)
            self.polled.add(each.name, len(page.rows), changed)
            self.progress(each.name, done, first.total)

    def take_overlap(self, each: PolledObject, cursor: ObjectCursor, total: int) -> None:
        """Ends a read without our own writes in the overlap, where Salesforce counts ``total`` rows; as ``take``."""
        known = self.store.count_stamped(each.name, *self.overlapped(cursor))
        if known == total:
            cursor.end()
            self.store.set_cursor(each.name, cursor.as_json())
            return
        log.info("reading the overlap again", object=each.name, known=known, counted=total)
        self.take(each, cursor, self.salesforce.read([self.ask(each, cursor)]).pages[each.name])

    def pages(self, each: PolledObject, cursor: ObjectCursor, page: Page) -> Iterator[Page]:
        """From the first page on; a locator that Salesforce forgot is replaced by a read from the place reached."""
        yield page
        while page.next is not None:
            try:
                page = self.salesforce.more(page.next)
            except LocatorExpired:
                log.info("locator expired", object=each.name)
                page = self.salesforce.read([self.ask(each, cursor)]).pages[each.name]
            yield page

    def reread_roles(self, roles: PolledObject) -> None:
        """A removed contact role is invisible to queries, so all roles of a touched opportunity are read again. The
        store knows of which: what this read does not come to is read by the next one."""
        while group := self.store.unread_roles(ROLES_PER_QUERY * QUERIES_AT_ONCE):
            asked = {f"roles{index}": ids for index, ids in enumerate(chunks(group, ROLES_PER_QUERY))}
            reads = [Read(name, _roles_of(roles, ids)) for name, ids in asked.items()]
            for name, first in self.salesforce.read(reads).pages.items():
                page, rows = first, list(first.rows)
                while page.next is not None:
                    page = self.salesforce.more(page.next)
                    rows += page.rows
                self.polled.add(ROLES, len(rows), self.store.replace_roles(asked[name], rows))


def columns(fields: Sequence[str]) -> list[str]:
    return [*ALWAYS, *(name for name in fields if name not in ALWAYS)]


def _roles_of(roles: PolledObject, opportunities: Sequence[str]) -> str:
    return select(ROLES, columns(roles.fields), among("OpportunityId", opportunities))


def _store_page(store: Store, each: PolledObject, rows: Sequence[Row], cursor: ObjectCursor, *, rereads: bool) -> int:
    """Returns how many rows were new or different."""
    generation = cursor.generation
    if each.keeps is not None:
        rows = [row for row in rows if each.keeps(row)]
    if each.to_activity is None:
        also = [found for row in rows if (found := each.also(row))] if each.also is not None else ()
        kept = (each.name, cursor.as_json())
        return len(store.record_rows(each.name, rows, cursor=kept, generation=generation, also=also, rereads=rereads))
    activities, removed = [], []
    for row in rows:
        activity = None if row.get("IsDeleted") else each.to_activity(row)
        if activity is None:
            removed.append(row["Id"])
        else:
            activities.append(activity)
    page = SourcePage(cursor.as_json(), tuple(activities), removed=tuple(removed))
    return store.record_page(each.name, page, generation=generation)


def _is_spare(each: PolledObject, before: JsonMap | None, cursor: ObjectCursor) -> bool:
    """Whether the rest can go on where this object cannot be read: it is known from before, with all of its fields, and
    nothing is written to it. Whom we write to must be read first, or what people set there would be overwritten."""
    if each.may_lack:
        return True
    is_read = before is not None and bool(before["through"]) and before["fields"] == cursor.fields
    return each.name not in WRITTEN and is_read


def _deleted_reads(cursors: Mapping[str, ObjectCursor], now: datetime) -> list[DeletedSince]:
    """Deletions since the last look; of an object in a full read, too, to tell what was deleted from what is hidden.
    Where the last look is longer ago than Salesforce's log reaches, the read becomes a full one."""
    reads = []
    for name, cursor in cursors.items():
        start = cursor.deleted_through or cursor.through
        if start is None:
            continue
        if now - start > DELETE_LOG:
            if not cursor.full:
                cursor.begin_again()
                log.info("delete log too old, reading all", object=name)
            cursor.deleted_through = None
            continue
        reads.append(DeletedSince(name, name, start, max(now, start + timedelta(minutes=1))))
    return reads


def _take_deleted(store: Store, cursors: Mapping[str, ObjectCursor], answers: Answers) -> None:
    for name, deleted in answers.deleted.items():
        cursor = cursors[name]
        cursor.deleted_through = deleted.covered_until
        if not deleted.complete and not cursor.full:
            log.info("delete log incomplete, next poll reads all", object=name)
            cursor.begin_again()
        store.remove_rows(name, deleted.ids, cursor=(name, cursor.as_json()))


def chunks(items: Sequence[str], size: int) -> Iterator[Sequence[str]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)
