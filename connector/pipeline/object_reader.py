"""One object of Salesforce, read to its end: page by page, each stored with its cursor, in smaller windows where a
query takes too long, and without the fields that the user does not see."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import structlog

from connector.base.errors import INVALID_FIELD, ConnectorError, Refused, Transient
from connector.base.facts import PEOPLE, Row, SourcePage
from connector.base.json import JsonObject
from connector.base.ports import (
    Answers,
    LocatorExpired,
    Page,
    PolledObject,
    Progress,
    Read,
    Salesforce,
)
from connector.base.soql import among, keyset, literal, select
from connector.pipeline.hidden import as_known, hidden_fields, named_in, note_hidden
from connector.pipeline.object_cursor import ObjectCursor, prepare_cursor
from connector.pipeline.optional_fields import unseen_fields
from connector.pipeline.waiting import stays_quiet
from connector.store import Store

log = structlog.get_logger(__name__)

IDS_PER_QUERY = 300  # records that one query asks for
ROLES_PER_QUERY = 300  # opportunities whose roles one query re-reads: a page has 2,000 rows
QUERIES_AT_ONCE = 5
POLL_PAGE = 2000  # rows
ROLES = "OpportunityContactRole"
WRITTEN = frozenset({*PEOPLE, "Account"})
_TOO_SLOW = "QUERY_TIMEOUT"
_EARLIEST = datetime(1999, 3, 1, tzinfo=UTC)  # no org is older
_SMALLEST, _TIMEOUTS = 60, 4  # seconds of a window, and how many queries of a cycle may take too long
_FORGOTTEN = 3  # times that an answer is asked for from its beginning
BEFORE_ALL = "000000000000000AAA"  # no record has an id before this one
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
    same_ids: dict[str, int] = field(default_factory=dict)  # source -> facts that came with the id of another
    unread: dict[str, Refused] = field(default_factory=dict)  # objects that stayed as they were, and why
    waiting: list[str] = field(default_factory=list)  # of these, those that are written: nobody there is decided
    unseen: dict[str, int] = field(default_factory=dict)  # rows that are hidden, it seems, by object
    hidden: dict[str, list[str]] = field(default_factory=dict)  # fields that are, by object
    blind: list[str] = field(default_factory=list)  # what was never seen, for which nobody is moved back
    drift: dict[str, dict[str, int]] = field(default_factory=dict)  # what the reconcile repaired, by object
    swept: dict[str, JsonObject] = field(default_factory=dict)  # what sweeps of sources that ended found
    server_time: datetime | None = None

    def add(self, name: str, read: int, changed: int) -> None:
        self.read[name] = self.read.get(name, 0) + read
        self.changed[name] = self.changed.get(name, 0) + changed


@dataclass(frozen=True)
class Reader:
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
        return Read(f"{name}:count", f"SELECT COUNT() FROM {name} WHERE {where}", all_rows=True, alone=True)

    def read_what_changed(
        self,
        waits: Sequence[PolledObject],
        cursors: Mapping[str, ObjectCursor],
        answers: Answers,
    ) -> Answers:
        """The answers with the first pages of those that waited and changed."""
        loud = []
        for each in waits:
            cursor = cursors[each.name]
            if stays_quiet(cursor, each.name, answers):
                self.store.set_cursor(each.name, cursor.as_json())
                self.polled.add(each.name, 0, 0)
            else:
                loud.append(self.ask(each, cursor))
        if not loud:
            return answers
        more = self.salesforce.read(loud)
        pages, refused = {**answers.pages, **more.pages}, {**answers.refused, **more.refused}
        return replace(answers, pages=pages, refused=refused)

    def without_hidden_fields(
        self, objects: Sequence[PolledObject], cursors: dict[str, ObjectCursor], answers: Answers
    ) -> tuple[list[PolledObject], Answers]:
        """Objects that were refused for a field are read without what the user does not see."""
        found, pages, refused = [], {**answers.pages}, {**answers.refused}
        for asked in objects:
            each, error = asked, refused.get(asked.name)
            if error is not None and error.code == INVALID_FIELD and (gone := self._gone(each, error)):
                stored = self.store.cursor(each.name)
                known = stored["fields"] if stored and stored["through"] else ()
                note_hidden(self.store, each.name, gone, known, answers.server_time)
                each = _without(each, gone)
                cursors[each.name] = prepare_cursor(stored, each.fields, each.absent)
                again = self.salesforce.read([self.ask(each, cursors[each.name])])
                del refused[each.name]
                refused |= again.refused
                pages |= again.pages
            found.append(each)
        self.polled.hidden = {
            name: sorted(fields) for name, fields in hidden_fields(self.store).items() if name in cursors
        }
        return found, replace(answers, pages=pages, refused=refused)

    def _gone(self, each: PolledObject, error: Refused) -> list[str]:
        """Fields that the user does not see."""
        missing = unseen_fields(self.salesforce, each.name, each.fields)
        return missing or named_in(error, each.fields)

    def set_apart(self, refused: Mapping[str, Refused], cursors: Mapping[str, ObjectCursor]) -> None:
        """Everything else goes on. But whom we write to must be read first, or what people set there would be
        overwritten: nobody of such an object is decided."""
        for name, error in ((asked.partition(":")[0], error) for asked, error in refused.items()):
            if name in cursors and name not in self.polled.unread:
                self.polled.unread[name] = _waits(error) if name in WRITTEN else error
                if name in WRITTEN:
                    self.polled.waiting.append(name)
                log.warning("an object cannot be read, and stays as it was", object=name, code=error.code)

    def read_in_windows(self, each: PolledObject, cursor: ObjectCursor, now: datetime) -> None:
        """An object whose query takes too long: less of it is asked for, half and half again. The place reached and
        the window are kept, so that the next cycle goes on from there."""
        cursor.started = cursor.started or now
        timeouts = 0
        while True:
            start = self._place(cursor)
            span = min(timedelta(seconds=cursor.window) or cursor.started - start, cursor.started - start)
            end = start + span
            is_last = end >= cursor.started
            within = "" if is_last else f"SystemModstamp < {literal(end)}"
            try:
                first = self.first_page(each, cursor, within=within)
            except Refused as error:
                if not is_slow(error):
                    raise
                timeouts += 1
                cursor.window = max(_SMALLEST, int(span.total_seconds()) // 2)
                self.store.set_cursor(each.name, cursor.as_json())
                log.warning("a query takes too long: less is asked for", object=each.name, seconds=cursor.window)
                if timeouts >= _TIMEOUTS:
                    self.polled.unread[each.name] = Refused(
                        f"{error.what}; read up to {literal(start)}", "the next cycle goes on", code=error.code
                    )
                    return
                continue
            self.take(each, cursor, first, ends=is_last, reached=(literal(end), BEFORE_ALL))
            if is_last:
                return
            if first.total < POLL_PAGE:
                cursor.window *= 2

    def _place(self, cursor: ObjectCursor) -> datetime:
        """From when on rows are to be read."""
        if cursor.at:
            return _time(cursor.at[0])
        return self.overlapped(cursor)[0] if cursor.through else _EARLIEST

    def keep_quiet(self, name: str, cursor: ObjectCursor, answers: Answers) -> None:
        """What had changed is read: nothing of it is asked again."""
        cursor.quiet_until = answers.updated[name].covered_until
        self.store.set_cursor(name, cursor.as_json())

    def ask(self, each: PolledObject, cursor: ObjectCursor, *, skip_echo: bool = False, within: str = "") -> Read:
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
        where = " AND ".join(part for part in (where, within) if part)
        soql = select(each.name, columns(cursor.fields), where, ("SystemModstamp", "Id"))
        return Read(name=each.name, soql=soql, all_rows=True, alone=True)

    def take(
        self,
        each: PolledObject,
        cursor: ObjectCursor,
        first: Page,
        *,
        ends: bool = True,
        reached: tuple[str, str] | None = None,
    ) -> None:
        """Stores all pages of one object. Unless it ``ends`` the read, the cursor stays where it was, or has
        ``reached`` that place."""
        cursor.started = cursor.started or first.server_time
        done = 0
        for page in self.pages(each, cursor, first):
            done += len(page.rows)
            if page.next is None and ends:
                cursor.end()
            elif page.next is None:
                cursor.at = reached
            elif page.rows:
                cursor.at = (literal(_time(page.rows[-1]["SystemModstamp"])), page.rows[-1]["Id"])
            rows = as_known(self.store, each, page.rows, self.polled.hidden.get(each.name, ()))
            changed = store_page(self.store, each, rows, cursor, rereads=self.rereads)
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
        self.take(each, cursor, self.first_page(each, cursor))

    def first_page(self, each: PolledObject, cursor: ObjectCursor, *, within: str = "") -> Page:
        """Raises Refused."""
        return answer_of(self.salesforce.read([self.ask(each, cursor, within=within)]), each.name)

    def pages(self, each: PolledObject, cursor: ObjectCursor, page: Page) -> Iterator[Page]:
        """From the first page on; a locator that Salesforce forgot is replaced by a read from the place reached."""
        yield page
        while page.next is not None:
            try:
                page = self.salesforce.more(page.next)
            except LocatorExpired:
                log.info("locator expired", object=each.name)
                page = self.first_page(each, cursor)
            yield page

    def reread_roles(self, roles: PolledObject) -> None:
        """A removed contact role is invisible to queries, so all roles of a touched opportunity are read again. The
        store knows of which: what this read does not come to is read by the next one."""
        while group := self.store.unread_roles(ROLES_PER_QUERY * QUERIES_AT_ONCE):
            asked = {f"roles{index}": ids for index, ids in enumerate(chunks(group, ROLES_PER_QUERY))}
            reads = {name: Read(name, _roles_of(roles, ids)) for name, ids in asked.items()}
            for name, first in self.salesforce.read([*reads.values()]).pages.items():
                rows = rows_from(self.salesforce, reads[name], first)
                rows = [*as_known(self.store, roles, rows, self.polled.hidden.get(ROLES, ()))]
                self.polled.add(ROLES, len(rows), self.store.replace_roles(asked[name], rows))


def _waits(error: Refused) -> Refused:
    return Refused(f"{error.what}; until it can be, nothing of it is decided or written", error.hint, code=error.code)


def _without(each: PolledObject, gone: Sequence[str]) -> PolledObject:
    left = tuple(name for name in each.fields if name not in gone)
    return replace(each, fields=left, absent=each.absent | {*gone})


def columns(fields: Sequence[str]) -> list[str]:
    return [*ALWAYS, *(name for name in fields if name not in ALWAYS)]


def _roles_of(roles: PolledObject, opportunities: Sequence[str]) -> str:
    return select(ROLES, columns(roles.fields), among("OpportunityId", opportunities))


def store_page(store: Store, each: PolledObject, rows: Sequence[Row], cursor: ObjectCursor, *, rereads: bool) -> int:
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


def is_slow(error: Refused | None) -> bool:
    return error is not None and error.code == _TOO_SLOW


def rows_from(salesforce: Salesforce, read: Read, page: Page) -> list[Row]:
    """The rows of a page and of all that follow it. Where Salesforce forgot how to go on, it is asked from the
    beginning. Raises Transient where it forgets that every time."""
    for _ in range(_FORGOTTEN):
        rows = [*page.rows]
        try:
            while page.next is not None:
                page = salesforce.more(page.next)
                rows += page.rows
        except LocatorExpired:
            log.info("locator expired", object=read.name)
            page = answer_of(salesforce.read([read]), read.name)
        else:
            return rows
    raise Transient(f"Salesforce did not come to the end of {read.name}", "it is tried again in the next cycle")


def reads_by_ids(
    object_name: str, names: Sequence[str], ids: Sequence[str], *, all_rows: bool = False, alone: bool = False
) -> list[Read]:
    """What asks for these columns of these records."""
    return [
        Read(f"{object_name}:{number}", select(object_name, names, among("Id", part)), all_rows=all_rows, alone=alone)
        for number, part in enumerate(chunks(ids, IDS_PER_QUERY))
    ]


def rows_by_ids(
    salesforce: Salesforce, object_name: str, fields: Sequence[str], ids: Sequence[str], *, all_rows: bool = False
) -> list[Row]:
    """These records as they are now; ``all_rows``: those that were deleted, too."""
    reads = reads_by_ids(object_name, columns(fields), ids, all_rows=all_rows)
    pages = salesforce.read(reads).pages
    return [row for read in reads for row in rows_from(salesforce, read, pages[read.name])]


def answer_of(answers: Answers, read_name: str) -> Page:
    """Raises Refused."""
    if error := answers.refused.get(read_name):
        raise error
    return answers.pages[read_name]


def chunks(items: Sequence[str], size: int) -> Iterator[Sequence[str]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)
