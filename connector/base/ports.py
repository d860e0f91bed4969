"""What the pipeline asks of the outside world. Adapters live in ``salesforce``, ``sources`` and ``store``.

A fake written by hand passes the same tests as the adapter behind each of these.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol, runtime_checkable

from connector.base.errors import Refused
from connector.base.facts import Activity, Outcome, RecordChange, Row, SourcePage
from connector.base.json import JsonMap

Progress = Callable[[str, int, int | None], None]  # what, done, total (None: unknown)


@dataclass(frozen=True, slots=True)
class Read:
    """One SOQL read. ``all_rows`` reads deleted, merged and archived rows too (queryAll). ``alone``: where Salesforce
    refuses it, the answers say so, and it raises for none of the others."""

    name: str  # names the answer
    soql: str
    all_rows: bool = False
    alone: bool = False


@dataclass(frozen=True, slots=True)
class DeletedSince:
    """One getDeleted read of an object; ``start`` and ``end`` are UTC, at most 15 days back."""

    name: str
    object: str
    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class UpdatedSince:
    """One getUpdated read: whether rows of an object changed at all. It is no query, of which a request takes few."""

    name: str
    object: str
    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class Updated:
    """Whether rows changed in the asked window, or that cannot be known; up to when that is certain."""

    some: bool
    covered_until: datetime


@dataclass(frozen=True, slots=True)
class Page:
    """Rows of one page. ``next`` continues by locator (None: complete). ``server_time`` is the answer's Date header.
    ``total`` is how many rows the whole query has."""

    rows: tuple[Row, ...]
    next: str | None
    server_time: datetime
    total: int = 0


@dataclass(frozen=True, slots=True)
class Deleted:
    """``ids`` deleted in the asked window; ``complete`` is False when Salesforce's own log does not reach back to its
    start, so that only a full reconcile can tell."""

    ids: tuple[str, ...]
    complete: bool
    covered_until: datetime


@dataclass(frozen=True, slots=True)
class Answers:
    """By name. A read that Salesforce refused raises for all, because a mapping that names a missing field must stop;
    but for those that were asked ``alone``, and what was deleted of their objects."""

    pages: Mapping[str, Page]
    deleted: Mapping[str, Deleted]
    server_time: datetime
    refused: Mapping[str, Refused] = field(default_factory=dict)
    updated: Mapping[str, Updated] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PolledObject:
    """A Salesforce object to poll. ``fields`` beyond Id, SystemModstamp and IsDeleted; ``to_activity`` for objects
    whose rows are activities rather than records (Task, Event); ``also`` for records that tell of an activity besides.
    ``optional`` fields are read where the org has them, ``absent`` ones no longer; an object that ``may_lack`` is left
    out where the user cannot see it. ``refresh``: all of it is read again so often, for what changes without it.
    ``along``: fields of parents that are read where the optional field that they go with is there.
    ``lacking``: what it means where it is not there ("": nothing is missed). ``keeps``: which of its rows are recorded.
    ``can_wait``: it may be asked whether it changed at all before it is read. ``logs_deletions``: getDeleted knows it.
    """

    name: str
    fields: tuple[str, ...]
    to_activity: Callable[[Row], Activity | None] | None = None
    optional: tuple[str, ...] = ()
    also: Callable[[Row], Activity | None] | None = None
    absent: frozenset[str] = frozenset()
    may_lack: bool = False
    refresh: timedelta | None = None
    along: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    lacking: str = "what it tells counts nowhere"
    keeps: Callable[[Row], bool] | None = None
    can_wait: bool = False
    logs_deletions: bool = True


class Salesforce(Protocol):
    """Errors: Refused, LimitReached, Transient (see ``connector.base.errors``); never a third-party exception."""

    def read(self, reads: Sequence[Read], windows: Sequence[DeletedSince | UpdatedSince] = ()) -> Answers:
        """First pages of all reads in as few Composite requests as Salesforce allows (5 queries a request), and what
        was deleted or updated in some windows."""
        ...

    def more(self, locator: str) -> Page:
        """The page after ``Page.next``. Raises LocatorExpired when Salesforce forgot it: read the window again; Refused
        with QUERY_TIMEOUT where it takes too long."""
        ...

    def update(self, changes: Sequence[RecordChange]) -> Iterator[Sequence[Outcome]]:
        """Writes, yielding the outcomes of each request as it is answered, at most ``pack`` rows at a time."""
        ...

    def describe(self, object_name: str) -> JsonMap:
        """The describe answer as Salesforce sends it. Raises Refused for an unknown object."""
        ...

    def identity(self) -> str:
        """The org's 18 character id."""
        ...

    def single_currency(self) -> tuple[bool, str]:
        """Whether the org has several currencies; and its only one, "" where that is not told."""
        ...

    def user(self) -> str | None:
        """The 18 character id of the user that the connector signs in as; None where the org does not tell."""
        ...

    def address(self) -> str:
        """Of the org, as links to its records begin: ``https://example.my.salesforce.com``."""
        ...

    def calls(self) -> Mapping[str, int]:
        """API calls made by this object so far, by kind: query, query_more, composite, collections, describe ..."""
        ...

    def usage(self) -> tuple[int, int] | None:
        """API calls of the whole org in 24 hours, used and allowed, as far as answers told."""
        ...


DELETIONS = "deleted"  # "Contact:deleted" is the name of what was refused


class LocatorExpired(Exception):
    """The query locator is no longer known."""


class Source(Protocol):
    """A marketing source. Errors as above: one source that is down does not stop the others."""

    name: str

    def poll(self, cursor: JsonMap | None, now: datetime) -> Iterator[SourcePage]:
        """Pages from ``cursor`` (None: from the beginning) until there is nothing new. Each page carries the cursor
        that resumes behind it. Re-reading is harmless: the store keys by (source, id)."""
        ...

    def account(self) -> str | None:
        """Whose account it reads, as the service calls it; None where that cannot be known. Asked once a process."""
        ...

    def calls(self) -> Mapping[str, int]:
        """API calls so far, by kind."""
        ...


@runtime_checkable
class Sweepable(Protocol):
    """A source that can list all that it has, so that what is not there is gone."""

    @property
    def listed(self) -> tuple[str, ...]:
        """Beginnings of the ids of which a sweep shows every activity: "calls"."""
        ...

    def sweep(self, cursor: JsonMap | None, now: datetime) -> Iterator[SourcePage]:
        """As ``poll``, of what is listed, from the beginning. ``bad``: rows of which the page is not certain."""
        ...


@runtime_checkable
class Metered(Protocol):
    """A source whose system tells what is left of the day's calls."""

    def allowance(self) -> tuple[int, int] | None:
        """Calls of the whole account today, used and allowed, as far as answers told."""
        ...


@dataclass(frozen=True, slots=True)
class Glimpse:
    """What a source found out of one thing that it reads: a row of it, what is wrong (``problem``, with a ``hint``), or
    what is worth knowing (``note``)."""

    what: str  # "contacts", "calls"
    page: SourcePage | None = None  # one row, with the person it names
    problem: str = ""
    hint: str = ""
    note: str = ""
    attributes: tuple[str, ...] = ()  # what its people can have


@runtime_checkable
class Inspectable(Protocol):
    """A source that can look at its own rights and properties."""

    def inspect(self, now: datetime) -> Iterator[Glimpse]:
        """Signs in and asks a row of each thing. Raises as ``poll`` where nothing at all can be read."""
        ...
