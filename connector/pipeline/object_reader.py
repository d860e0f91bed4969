"""One object of Salesforce, read to its end: page by page, each stored with its cursor, in smaller windows where a
query takes too long, and without the fields that the user does not see."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import structlog

from connector.base.errors import INVALID_FIELD, ConnectorError, Refused
from connector.base.facts import PEOPLE, Row, SourcePage
from connector.base.json import JsonObject
from connector.base.ports import (
    DELETIONS,
    Answers,
    LocatorExpired,
    Page,
    PolledObject,
    Progress,
    Read,
    Salesforce,
)
from connector.base.soql import among, keyset, literal, select
from connector.pipeline.by_ids import chunks, columns, is_slow, rows_from
from connector.pipeline.hidden import as_known, hidden_fields, named_in, note_hidden
from connector.pipeline.object_cursor import ObjectCursor, prepare_cursor
from connector.pipeline.optional_fields import unseen_fields
from connector.pipeline.waiting import stays_quiet
from connector.store import Store

log = structlog.get_logger(__name__)

ROLES_PER_QUERY = 300  # opportunities whose roles one query re-reads: a page has 2,000 rows
QUERIES_AT_ONCE = 5
POLL_PAGE = 2000  # rows
ROLES = "OpportunityContactRole"
WRITTEN = frozenset({*PEOPLE, "Account"})
_EARLIEST = datetime(1999, 3, 1, tzinfo=UTC)  # no org is older
_SMALLEST, _TIMEOUTS = 60, 4  # seconds of a window, and how many queries of a cycle may take too long
BEFORE_ALL = "000000000000000AAA"  # no record has an id before this one


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


class _NotAnswered(Exception):
    """A query of one object was refused, or took too long."""

    def __init__(self, error: Refused) -> None:
        super().__init__(error.what)
        self.error = error


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

    def set_apart(self, answers: Answers, slow: Sequence[PolledObject], cursors: Mapping[str, ObjectCursor]) -> None:
        """Everything else goes on, where there is anything: what refuses every object is no object's. Of whom we write
        to, what cannot be read is not written either (``blind.py``)."""
        refused = {name: error for name, error in answers.refused.items() if name in cursors and not is_slow(error)}
        if refused and not slow and not cursors.keys() & answers.pages.keys():
            raise next(iter(refused.values()))
        for name, error in refused.items():
            self._leave(name, error)
        for name, error in answers.refused.items():
            of, _, what = name.partition(":")
            if what == DELETIONS and of not in refused:
                self._leave(f"deletions of {of}", error)

    def _leave(self, name: str, error: Refused) -> None:
        self.polled.unread[name] = _waits(error) if name in WRITTEN else error
        if name in WRITTEN:
            self.polled.waiting.append(name)

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
                self.take(each, cursor, first, ends=is_last, reached=(literal(end), BEFORE_ALL), within=within)
            except _NotAnswered as fault:
                if not is_slow(fault.error):
                    self._leave(each.name, fault.error)
                    return
                timeouts += 1
                self.ask_for_less(each, cursor, span)
                if timeouts >= _TIMEOUTS:
                    what = f"{fault.error.what}; read up to {literal(self._place(cursor))}"
                    self._leave(each.name, Refused(what, "the next cycle goes on", code=fault.error.code))
                    return
                continue
            if is_last:
                return
            if first.total < POLL_PAGE:
                cursor.window *= 2

    def ask_for_less(self, each: PolledObject, cursor: ObjectCursor, span: timedelta | None = None) -> None:
        """Half of what was asked for, or of all that is left."""
        left = (cursor.started or self._place(cursor)) - self._place(cursor)
        cursor.window = max(_SMALLEST, int(min(span or left, left).total_seconds()) // 2)
        self.store.set_cursor(each.name, cursor.as_json())
        log.warning("a query takes too long: less is asked for", object=each.name, seconds=cursor.window)

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
        within: str = "",
    ) -> None:
        """Stores all pages of one object. Unless it ``ends`` the read, the cursor stays where it was, or has
        ``reached`` that place. ``within``: how far the read goes."""
        cursor.started = cursor.started or first.server_time
        done = 0
        for page in self.pages(each, cursor, first, within):
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

    def read_at_once(self, each: PolledObject, cursor: ObjectCursor, answers: Answers, *, is_counted: bool) -> bool:
        """Stores an object from its first page on. False where a later page takes too long: what is left must be
        asked for in less."""
        try:
            self.take(each, cursor, answers.pages[each.name], ends=not is_counted)
            if is_counted:
                count = answers.pages.get(f"{each.name}:count")
                self.take_overlap(each, cursor, -1 if count is None else count.total)
        except _NotAnswered as fault:
            if not is_slow(fault.error):
                self._leave(each.name, fault.error)
                return True
            if is_counted:  # it was read without our own writes: all of it counts
                cursor.at = None
            self.ask_for_less(each, cursor)
            return False
        return True

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
        """Raises _NotAnswered."""
        answers = self.salesforce.read([self.ask(each, cursor, within=within)])
        if error := answers.refused.get(each.name):
            raise _NotAnswered(error)
        return answers.pages[each.name]

    def pages(self, each: PolledObject, cursor: ObjectCursor, page: Page, within: str) -> Iterator[Page]:
        """From the first page on; a locator that Salesforce forgot is replaced by a read from the place reached.
        Raises _NotAnswered."""
        yield page
        while page.next is not None:
            try:
                page = self.salesforce.more(page.next)
            except LocatorExpired:
                log.info("locator expired", object=each.name)
                page = self.first_page(each, cursor, within=within)
            except Refused as error:
                raise (_NotAnswered(error) if is_slow(error) else error) from None
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


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)
