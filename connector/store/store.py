"""The store: the verbs of the domain, each one transaction.

SQLAlchemy's and the driver's exceptions end here, as StateError or Transient (``faults.py``). They are never retried by
us: the database itself waits for a lock.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from types import MappingProxyType

from sqlalchemy import and_, func, not_, select, update

from connector.base.facts import Activity, Change, Person, Row, SourcePage
from connector.base.json import JsonMap, JsonObject
from connector.lifecycle.model import Identity, RecordLink
from connector.store import (
    accounts,
    addresses,
    books,
    comparing,
    domains,
    identity,
    journal,
    linked,
    links,
    logbook,
    marking,
    people,
    reading,
    recording,
    settling,
)
from connector.store.forgetful import Forgetting
from connector.store.journal import Intent
from connector.store.rows import OF_SALESFORCE, iso
from connector.store.schema import DIRTY, SETTLED
from connector.store.settling import Settled
from connector.store.transactions import replaced, uncollected

KeptCursor = tuple[str, JsonMap]  # name, value
NO_JOINS = Identity()


class Store(Forgetting):
    """Made by ``connector.store.open_store``. May be used from any thread; writes wait for each other."""

    # -- the org ------------------------------------------------------------------------------------------------

    def bind_org(self, org_id: str) -> None:
        """Remembers the org; raises StateError when this state is another org's."""
        with self._write() as connection:
            books.bind_org(connection, org_id)

    def bind_source(self, name: str, account: str) -> None:
        """Remembers whose account a source reads; raises Refused when it is another one than before."""
        with self._write() as connection:
            books.bind_source(connection, name, account)

    def check_source(self, name: str, account: str) -> None:
        """As :meth:`bind_source`, remembering nothing."""
        with self._read() as connection:
            books.check_source(connection, name, account)

    # -- facts: rows, marks and cursor in one transaction ----------------------------------------------------------

    def record_rows(
        self,
        object_name: str,
        rows: Sequence[Row],
        *,
        cursor: KeptCursor | None = None,
        generation: int | None = None,
        also: Sequence[Activity] = (),
        rereads: bool = False,
    ) -> list[str]:
        """Upserts Salesforce rows by Id; returns the ids of those that were new or different.

        A row older (SystemModstamp) than what is stored is not taken; deleted, merged and converted rows become
        tombstones. ``generation`` notes that a full read saw these rows (see ``sweep``). ``also``: activities that
        the rows tell of besides, which stay when a row later tells otherwise. ``rereads``: the contact roles of what
        changed are to be read again (see ``unread_roles``)."""
        with self._write() as connection:
            changed = recording.record_rows(connection, object_name, rows, generation, self._clock.now())
            if rereads:
                recording.mark_unread(connection, object_name, changed)
            if also:
                page = SourcePage({}, tuple(also))
                recording.record_page(connection, OF_SALESFORCE, page, None, self._clock.now())
            if cursor:
                books.set_cursor(connection, *cursor)
            return changed

    def record_page(
        self, name: str, page: SourcePage, *, generation: int | None = None, cursor: str | None = None
    ) -> int:
        """A source's page and its cursor under ``name``: a source, or the Salesforce object (Task, Event) that its
        activities were read from; ``cursor``: under another name. Returns how many facts were new, different or taken
        back."""
        with self._write() as connection:
            changed = recording.record_page(connection, name, page, generation, self._clock.now())
            books.set_cursor(connection, cursor or name, page.cursor)
            return changed

    def unseen_of(self, name: str, beginnings: Sequence[str], generation: int) -> tuple[int, int]:
        """Of a source's activities under these beginnings of ids: how many have an older generation, of how many."""
        with self._read() as connection:
            return recording.unseen_of(connection, name, beginnings, generation)

    def sweep_source(self, name: str, beginnings: Sequence[str], generation: int) -> int:
        """Takes back those that have an older generation; returns how many."""
        with self._write() as connection:
            return recording.sweep_source(connection, name, beginnings, generation, self._clock.now())

    def replace_roles(self, opportunity_ids: Sequence[str], rows: Sequence[Row]) -> int:
        """The contact roles of these opportunities are exactly ``rows``; returns how many differ or are gone."""
        with self._write() as connection:
            return recording.replace_roles(connection, opportunity_ids, rows, self._clock.now())

    def unread_roles(self, limit: int) -> list[str]:
        """Opportunities whose roles are to be read again, until ``replace_roles`` says what they are."""
        with self._read() as connection:
            return recording.unread_roles(connection, limit)

    def remove_rows(self, object_name: str, ids: Sequence[str], *, cursor: KeptCursor | None = None) -> int:
        """Records, or activities of Task and Event, that were deleted; returns how many were there."""
        with self._write() as connection:
            gone = recording.remove(connection, object_name, ids, self._clock.now())
            if cursor:
                books.set_cursor(connection, *cursor)
            return gone

    def count_stamped(self, object_name: str, start: datetime, end: datetime) -> int:
        """Rows of an object, deleted ones too, with start <= SystemModstamp < end."""
        with self._read() as connection:
            return reading.count_stamped(connection, object_name, start, end)

    def stamped_by(
        self, object_name: str, length: int, start: datetime | None, end: datetime
    ) -> dict[str, tuple[int, str]]:
        """See ``comparing.py``, as for the next two."""
        with self._read() as connection:
            return comparing.stamped_by(connection, object_name, length, start, end)

    def stamped_between(self, object_name: str, after: comparing.StampAndId, upto: comparing.StampAndId) -> set[str]:
        with self._read() as connection:
            return comparing.stamped_between(connection, object_name, after, upto)

    def ids_between(self, object_name: str, after: str, upto: str) -> set[str]:
        with self._read() as connection:
            return comparing.ids_between(connection, object_name, after, upto)

    def unseen(self, object_name: str, generation: int) -> tuple[int, int]:
        """After a full read: how many rows have an older generation, and how many there are."""
        with self._read() as connection:
            return recording.unseen(connection, object_name, generation)

    def sweep(self, object_name: str, generation: int, *, deals: int | None = None) -> int:
        """After a full read: what has an older generation is gone; returns how many. ``deals``: of roles, only those
        whose opportunity was seen in that generation."""
        with self._write() as connection:
            return recording.sweep(connection, object_name, generation, self._clock.now(), deals)

    def cursor(self, name: str) -> JsonObject | None:
        with self._read() as connection:
            return books.cursor(connection, name)

    def set_cursor(self, name: str, value: JsonMap | None) -> None:
        """None forgets it."""
        with self._write() as connection:
            books.set_cursor(connection, name, value)

    def cursors(self) -> dict[str, JsonObject]:
        with self._read() as connection:
            return books.cursors(connection)

    # -- who must be decided ---------------------------------------------------------------------------------------

    def mark_dirty(self, person_ids: Iterable[str]) -> None:
        with self._write() as connection:
            links.mark(connection, person_ids)

    def mark_all_dirty(self, *, object_name: str | None = None, since: datetime | None = None) -> int:
        """Everybody, and the accounts where the mapping in force looks at them, or the people of ``people_in``; returns
        how many people."""
        with self._write() as connection:
            if since is None:
                if object_name is None and accounts.are_asked_for(connection):
                    links.mark_select(connection, accounts.ALL)
                return links.mark_select(connection, links.everybody(object_name))
            found = reading.people_in(connection, object_name, since)
            links.mark(connection, found)
            return len(found)

    def mark_amounts(self, objects: Sequence[str], codes: Sequence[str]) -> int:
        """Whoever records of these objects concern that are in one of the currencies (none: in any); how many there
        are."""
        with self._write() as connection:
            return marking.mark_amounts(connection, objects, codes)

    def people_in(self, *, object_name: str | None = None, since: datetime | None = None) -> list[str]:
        """Ids of the people of one object, and with a fact at or after ``since``: a record by its SystemModstamp, an
        activity by when it happened, a prospect by when it was recorded."""
        with self._read() as connection:
            return reading.people_in(connection, object_name, since)

    def mark_due(self, now: datetime) -> int:
        """People whose time to be looked at again has come; returns how many."""
        with self._write() as connection:
            is_due = SETTLED.c.review_at <= iso(now)
            if connection.execute(select(SETTLED.c.review_at).where(is_due).limit(1)).first() is None:
                return 0  # as in most cycles
            due = select(SETTLED.c.person_id).where(is_due, links.exists_now(SETTLED.c.person_id))
            count = links.mark_select(connection, due)
            connection.execute(update(SETTLED).where(is_due).values(review_at=None))
            return count

    def due(self, now: datetime) -> list[str]:
        """Those people, not marked yet."""
        is_due = select(SETTLED.c.person_id).where(SETTLED.c.review_at <= iso(now))
        with self._read() as connection:
            return [row[0] for row in connection.execute(is_due.where(links.exists_now(SETTLED.c.person_id)))]

    def dirty(self) -> list[str]:
        """Ids of everybody who is dirty."""
        with self._read() as connection:
            people = select(DIRTY.c.person_id).where(not_(accounts.is_account(connection, DIRTY.c.person_id)))
            return [row[0] for row in connection.execute(people)]

    def dirty_count(self) -> int:
        with self._read() as connection:
            return int(connection.execute(select(func.count()).select_from(DIRTY)).scalar() or 0)

    def next_dirty(self, limit: int, after: str = "", *, of_accounts: bool = False) -> list[tuple[str, int]]:
        """(id, mark) of people, or of accounts, in order of id, from behind ``after``."""
        with self._read() as connection:
            kind = accounts.is_account(connection, DIRTY.c.person_id)
            wanted = and_(DIRTY.c.person_id > after, kind if of_accounts else not_(kind))
            query = select(DIRTY).where(wanted).order_by(DIRTY.c.person_id).limit(limit)
            return [(row.person_id, row.seq) for row in connection.execute(query)]

    def facts_of(self, person_ids: Sequence[str], *, around: frozenset[str] | None = None) -> list[Person]:
        """Everything recorded of these people, in this order; those who do not exist are left out. ``around``: what of
        their accounts besides (None: what the mapping in force asks for)."""
        with uncollected(), self._read() as connection:
            wanted = books.around(connection) if around is None else around
            return people.facts_of(connection, person_ids, wanted)

    def people_of_accounts(self, ids: Sequence[str]) -> dict[str, dict[str, tuple[str, str]]]:
        """Account -> person -> the stage reached by rules of their own, and the rule, as decided last."""
        with self._read() as connection:
            return accounts.people_of(connection, ids)

    def memories(self, ids: Sequence[str], track: str) -> dict[str, JsonObject]:
        """What is remembered of a track of these people or accounts."""
        with self._read() as connection:
            return accounts.memories(connection, ids, track)

    def accounts(self) -> list[str]:
        """Ids of all accounts that are live."""
        with self._read() as connection:
            return [row[0] for row in connection.execute(accounts.ALL)]

    def records(self, ids: Sequence[str]) -> dict[str, JsonObject]:
        """Rows that are live, by id."""
        with self._read() as connection:
            return reading.records(connection, ids)

    def mark_people_of(self, accounts: Sequence[str]) -> None:
        """Marks everybody in these accounts."""
        with self._write() as connection:
            links.mark(connection, links.people_of_account(connection, accounts))

    # -- before it is written: the journal of intents ---------------------------------------------------------------

    def intend(self, intents: Sequence[Intent]) -> None:
        """Notes what is about to be sent; an answer that is settled takes it away."""
        with self._write() as connection:
            journal.intend(connection, intents)

    def intents(self) -> list[Intent]:
        """What was sent and never answered, or not for the first time; the oldest first."""
        with self._read() as connection:
            return journal.intents(connection)

    def forget_intents(self, numbers: Sequence[int], *, wait: Sequence[int] = (), until: datetime) -> None:
        """``wait``: those that may come until then."""
        with self._write() as connection:
            journal.forget(connection, numbers)
            journal.wait(connection, wait, until)

    def known(self, people: Sequence[str]) -> dict[str, journal.Known]:
        with self._read() as connection:
            return journal.known(connection, people)

    def came_late(self, intent: Intent, changes: Sequence[Change], now: datetime) -> None:
        """Salesforce took this after something newer was settled; see ``journal.py``."""
        with self._write() as connection:
            journal.came_late(connection, intent, changes, now)
            journal.forget(connection, [intent.number])

    # -- settle ----------------------------------------------------------------------------------------------------

    def settle(
        self,
        settled: Sequence[Settled],
        *,
        cycle_id: int,
        mapping_version: str,
        now: datetime,
        cursors: Sequence[KeptCursor] = (),
        marks: Sequence[str] = (),
        noted: int | None = None,
    ) -> None:
        """Stores decisions, folds in what Salesforce took, logs it, and clears the marks these decisions answer; people
        with a WAITING outcome stay dirty. ``cursors`` move, ``marks`` are made. ``noted``: number in the logbook."""
        with uncollected(), self._write() as connection:
            settling.settle(connection, settled, cycle_id=cycle_id, mapping_version=mapping_version, now=now)
            journal.answered(connection, settled, cycle_id)
            links.mark(connection, marks)
            for each in cursors:
                books.set_cursor(connection, *each)
            run = settling.Books(cycle_id, mapping_version, iso(now))
            logbook.keep_noted(connection, self.logbook, noted, settled, run, cursors)

    def drop_dirty(self, marks: Sequence[tuple[str, int]]) -> None:
        """Clears (person id, mark) of people who do not exist."""
        with self._write() as connection:
            settling.clear(connection, marks)

    # -- the mapping -----------------------------------------------------------------------------------------------

    def mapping_version(self) -> str | None:
        with self._read() as connection:
            return books.setting(connection, "mapping_version")

    def mapping_since(self) -> str | None:
        """Since when that one is in force."""
        with self._read() as connection:
            return books.setting(connection, books.MAPPING_SINCE)

    def set_mapping_version(
        self,
        version: str,
        text: str = "",
        *,
        around: frozenset[str] = frozenset(),
        rolls_up: bool = False,
        joins: Identity = NO_JOINS,
        records: Mapping[str, RecordLink] = MappingProxyType({}),
    ) -> None:
        """The mapping in force from now on. Its text is kept, so that log entries stay readable. ``around``: what of
        people's accounts it looks at (``books.AROUND``). ``rolls_up``: it looks at accounts themselves, which are
        marked. ``joins``: how it joins records by e-mail; whom a change of that concerns is marked. ``records``: how it
        links those of other objects to people."""
        with self._write() as connection:
            domains.link_by_domain(connection, asked=books.DOMAINS in around)
            books.set_setting(connection, "around", " ".join(sorted(around)))
            accounts.ask_for(connection, asked=rolls_up)
            addresses.read_fields(connection, joins, self._clock.now())
            linked.link_records(connection, records)
            identity.join_records(connection, joins)
            books.set_mapping(connection, version, text, self._clock.now())

    def joins(self) -> Identity:
        """How the mapping in force joins records by e-mail."""
        with self._read() as connection:
            return books.identity(connection)

    # -- accounting ------------------------------------------------------------------------------------------------

    def begin_cycle(self, kind: str, now: datetime, after: int = 0) -> int:
        """Numbered ``after`` it at least. Raises StateError where the state was removed, replaced or put back."""
        self.check_files()
        with self._write() as connection:
            if self._last_cycle is not None and not books.has_cycle(connection, self._last_cycle):
                raise replaced(self._where)
            self._last_cycle = books.begin_cycle(connection, kind, now, after)
        return self._last_cycle

    def end_cycle(self, cycle_id: int, now: datetime, report: JsonMap) -> None:
        with self._write() as connection:
            books.end_cycle(connection, cycle_id, now, report)
            reading.leave_refused(connection)
        self.put_together()

    def cycles(self, limit: int = 10) -> list[JsonObject]:
        """id, kind, started_at, ended_at (None: under way, or it died), report; newest first."""
        with self._read() as connection:
            return books.cycles(connection, limit)

    def add_calls(self, day: date, calls: Mapping[str, int], source: str = "salesforce") -> None:
        with self._write() as connection:
            books.add_calls(connection, day, calls, source)

    def calls_on(self, day: date) -> dict[str, dict[str, int]]:
        """API calls of a UTC day: source -> kind -> count."""
        with self._read() as connection:
            return books.calls_on(connection, day)
